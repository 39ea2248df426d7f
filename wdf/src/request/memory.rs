//! WDFMEMORY: a request's own buffers, and those that a driver makes.
//!
//! Source: S/core/fxmemorybufferapi.cpp, fxmemorybufferpreallocatedapi.cpp, fxmemoryobject.cpp.

use vbus_wdm::constants::*;
use vbus_wdm::{Machine, Major, Method, NtStatus, Parameters, Span};

use super::{Request, Transfer};
use crate::driver::Driver;
use crate::framework::trace;
use crate::object::{Allowed, Attributes, Class, Deletable, Handle, HandleType, Object, body_of, create_general};
use crate::trace::sites;
use crate::verifier;

/// A WDFMEMORY: a request's own buffer, which lives inside the request, or one that the driver made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Memory {
    /// Input or output of a dispatched request.
    OfRequest(Request, Transfer),
    /// Made with [`Memory::create`], [`Memory::create_preallocated`] or
    /// [`Lookaside::create_memory`](crate::Lookaside::create_memory).
    Own(Object),
}

/// Where the two memories lie inside the framework's request object.
const INPUT_OFFSET: u64 = 0xD8;
const OUTPUT_OFFSET: u64 = 0xE8;

/// The framework's number for a plain object, which is what a memory object takes itself for.
const OBJECT: u16 = 0x1000;

static MEMORY: Class =
    Class { interfaces: &[HandleType::Memory as u16], destroy: free, bytes: 120, ..Class::new(OBJECT) };

static PREALLOCATED: Class = Class {
    interfaces: &[HandleType::Memory as u16, HandleType::PreallocatedMemory as u16],
    destroy: free,
    bytes: 120,
    ..Class::new(OBJECT)
};

struct Body {
    span: Span,
    /// Whose the bytes are: a preallocated memory's are the driver's.
    owned: bool,
    /// Where they come from, if from a lookaside list.
    lookaside: Option<Object>,
}

fn free(m: &mut Machine, object: Object) {
    let &mut Body { span, owned, lookaside } = body(m, object);
    if owned {
        m.free_block(span);
    }
    if let Some(lookaside) = lookaside {
        lookaside.release(m);
    }
}

fn body(m: &mut Machine, object: Object) -> &mut Body {
    body_of(m, object, HandleType::Memory as u16)
}

impl Memory {
    /// `WdfMemoryCreate`: `length` bytes of zeroed pool.
    ///
    /// # Errors
    /// STATUS_INVALID_PARAMETER for no length, STATUS_WDF_EXECUTION_LEVEL_INVALID and
    /// STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID for attributes with those, STATUS_DELETE_PENDING for a parent that is
    /// being deleted.
    pub fn create(m: &mut Machine, driver: Driver, length: u32, attributes: Attributes) -> Result<Memory, NtStatus> {
        if length == 0 {
            let status = STATUS_INVALID_PARAMETER;
            trace(m, driver, &sites::MEMORY_EMPTY, [status.0.into()]);
            return Err(status);
        }
        attributes.validate(m, driver, Allowed::Neither)?;
        Memory::allocate(m, driver, None, length, attributes)
    }

    /// A memory of a lookaside list, which stays as long as the memory does.
    pub(crate) fn from_lookaside(
        m: &mut Machine,
        driver: Driver,
        lookaside: Object,
        length: u32,
        attributes: Attributes,
    ) -> Result<Memory, NtStatus> {
        let memory = Memory::allocate(m, driver, Some(lookaside), length, attributes)?;
        lookaside.add_reference(m);
        Ok(memory)
    }

    fn allocate(
        m: &mut Machine,
        driver: Driver,
        lookaside: Option<Object>,
        length: u32,
        attributes: Attributes,
    ) -> Result<Memory, NtStatus> {
        let span = m.allocate_block(&[], length);
        let body = Body { span, owned: true, lookaside };
        let created = create_general(m, driver, &MEMORY, body, driver, attributes);
        created.map(Memory::Own).inspect_err(|_| m.free_block(span))
    }

    /// `WdfMemoryCreatePreallocated`: a memory object for bytes that the driver has and keeps. NULL is bug check
    /// 0x10D/4.
    ///
    /// # Errors
    /// As [`Memory::create`].
    pub fn create_preallocated(
        m: &mut Machine,
        driver: Driver,
        bytes: Span,
        attributes: Attributes,
    ) -> Result<Memory, NtStatus> {
        refuse_null(m, driver, bytes, "WdfMemoryCreatePreallocated");
        if bytes.is_empty() {
            let status = STATUS_INVALID_PARAMETER;
            trace(m, driver, &sites::MEMORY_PREALLOCATED_EMPTY, [status.0.into()]);
            return Err(status);
        }
        attributes.validate(m, driver, Allowed::Neither)?;
        let body = Body { span: bytes, owned: false, lookaside: None };
        create_general(m, driver, &PREALLOCATED, body, driver, attributes).map(Memory::Own)
    }

    /// `WdfMemoryAssignBuffer`: gives a preallocated memory other bytes. Any other memory is bug check 0x10D/5, and NULL
    /// 0x10D/4.
    ///
    /// # Errors
    /// STATUS_INVALID_PARAMETER for no length.
    pub fn assign_buffer(self, m: &mut Machine, bytes: Span) -> Result<(), NtStatus> {
        let object = match self {
            Memory::OfRequest(request, _) => request.0,
            Memory::Own(object) => object,
        };
        let driver = object.driver(m);
        object.expect_type(m, driver, HandleType::PreallocatedMemory);
        refuse_null(m, driver, bytes, "WdfMemoryAssignBuffer");
        if bytes.is_empty() {
            let status = STATUS_INVALID_PARAMETER;
            trace(m, driver, &sites::MEMORY_ASSIGN_EMPTY, [status.0.into()]);
            return Err(status);
        }
        body(m, object).span = bytes;
        Ok(())
    }

    /// A handle that a driver took for a memory's: a cast in C. See
    /// [`Object::expect_type`](crate::Object::expect_type).
    pub fn from_handle(m: &mut Machine, driver: Driver, handle: Object) -> Memory {
        handle.expect_type(m, driver, HandleType::Memory);
        Memory::Own(handle)
    }

    /// `WdfMemoryGetBuffer`.
    ///
    /// # Errors
    /// As [`Request::buffer`].
    #[inline]
    pub fn span(self, m: &mut Machine) -> Result<Span, NtStatus> {
        match self {
            Memory::OfRequest(request, transfer) => request.buffer(m, transfer),
            Memory::Own(object) => Ok(body(m, object).span),
        }
    }

    /// `WdfMemoryCopyFromBuffer`: writes `bytes` into the memory, from `offset` on.
    ///
    /// # Errors
    /// STATUS_INVALID_PARAMETER for no bytes, STATUS_INVALID_BUFFER_SIZE where they do not fit,
    /// STATUS_ACCESS_VIOLATION for what a program sent and a driver may only read, and as [`Request::buffer`].
    pub fn copy_from(self, m: &mut Machine, offset: u32, bytes: &[u8]) -> Result<(), NtStatus> {
        let driver = self.driver(m);
        if bytes.is_empty() {
            return Err(zero_bytes(m, driver, &sites::MEMORY_COPY_FROM_NOTHING));
        }
        if self.is_read_only(m) {
            trace(m, driver, &sites::MEMORY_READ_ONLY, [self.handle()]);
            verifier::debug_break(m, driver);
            return Err(STATUS_ACCESS_VIOLATION);
        }
        let span = self.span(m)?;
        let place = u32::try_from(bytes.len()).ok().and_then(|length| span.part(offset, length));
        m.bytes_mut(place.ok_or(STATUS_INVALID_BUFFER_SIZE)?).copy_from_slice(bytes);
        Ok(())
    }

    /// `WdfMemoryCopyToBuffer`: fills `bytes` from the memory, from `offset` on.
    ///
    /// # Errors
    /// STATUS_INVALID_PARAMETER for no bytes, STATUS_BUFFER_TOO_SMALL where the memory has fewer, and as
    /// [`Request::buffer`].
    pub fn copy_to(self, m: &mut Machine, offset: u32, bytes: &mut [u8]) -> Result<(), NtStatus> {
        let driver = self.driver(m);
        if bytes.is_empty() {
            return Err(zero_bytes(m, driver, &sites::MEMORY_COPY_TO_NOTHING));
        }
        let span = self.span(m)?;
        let place = u32::try_from(bytes.len()).ok().and_then(|length| span.part(offset, length));
        bytes.copy_from_slice(m.bytes(place.ok_or(STATUS_BUFFER_TOO_SMALL)?));
        Ok(())
    }

    /// Deletes a memory that the driver made; a request's goes with the request.
    pub fn delete(self, m: &mut Machine) {
        match self {
            Memory::Own(object) => object.delete(m),
            Memory::OfRequest(..) => {
                m.undefined("WdfObjectDelete", "a request's memory is not deleted: it goes with the request")
            }
        }
    }

    fn driver(self, m: &mut Machine) -> Driver {
        match self {
            Memory::OfRequest(request, _) => request.driver(m),
            Memory::Own(object) => object.driver(m),
        }
    }

    /// Whether a driver may only read it: what a write or a direct control code brought.
    ///
    /// Source: S/core/fxrequestsystembuffer.cpp:140-190, fxrequestoutputbuffer.cpp:163-190.
    fn is_read_only(self, m: &mut Machine) -> bool {
        let Memory::OfRequest(request, transfer) = self else { return false };
        let Some(irp) = request.current_irp(m) else { return false };
        let location = m[irp].current();
        match (location.major, location.parameters) {
            (Major::Write, _) => true,
            (_, Parameters::DeviceIoControl { code, .. }) => match (transfer, code.method()) {
                (Transfer::Input, method) => matches!(method, Method::InDirect | Method::OutDirect),
                (Transfer::Output, method) => method == Method::InDirect,
            },
            _ => false,
        }
    }

    /// The handle that logs print. A request's memories have offset handles: odd ones.
    ///
    /// Source: S/inc/private/common/fxobject.hpp:626-681.
    #[inline]
    pub fn handle(self) -> u64 {
        match self {
            // A request has one memory for its input, or for all of a read or write; the other is an IOCTL's output.
            Memory::OfRequest(request, Transfer::Input) => offset_handle(request, INPUT_OFFSET),
            Memory::OfRequest(request, Transfer::Output) => offset_handle(request, OUTPUT_OFFSET),
            Memory::Own(object) => object.handle(),
        }
    }
}

fn offset_handle(request: Request, offset: u64) -> u64 {
    (request.0.address() + offset) ^ 0xFFFF_FFFF_FFFF_FFF8 | 1
}

fn refuse_null(m: &mut Machine, driver: Driver, bytes: Span, ddi: &'static str) {
    if bytes.is_null() {
        verifier::null_parameter(m, Some(driver), ddi);
    }
}

fn zero_bytes(m: &mut Machine, driver: Driver, line: &'static crate::trace::Site) -> NtStatus {
    let status = STATUS_INVALID_PARAMETER;
    trace(m, driver, line, [status.0.into()]);
    status
}
