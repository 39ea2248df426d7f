//! WDFMEMORY: a request's own buffers, and those that a driver makes.
//!
//! Source: S/core/fxmemorybufferapi.cpp, fxmemorybufferpreallocatedapi.cpp, fxmemoryobject.cpp; S/core/fxrequest.cpp:2522-2566,
//! 2706-2760 (references to a request's own).

use vbus_wdm::constants::*;
use vbus_wdm::{Machine, Major, Method, NtStatus, Parameters, Span};

use super::{Request, Transfer};
use crate::compliance::{Act, comply};
use crate::driver::Driver;
use crate::framework::{fx_mut, trace};
use crate::object::{Allowed, Attributes, Class, Deletable, Handle, HandleType, Object, body_of, create_general};
use crate::trace::sites;
use crate::verifier::{self, debug_break};

/// A WDFMEMORY: a request's own buffer, which lives inside the request, or an object of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Memory {
    /// One of a dispatched request's two: its input, or all of a read or write; its output.
    OfRequest(Request, Transfer),
    /// Made with [`Memory::create`], [`Memory::create_preallocated`] or
    /// [`Lookaside::create_memory`](crate::Lookaside::create_memory), or by probing and locking a program's buffer.
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

/// FxRequestMemory.
static LOCKED: Class = Class { interfaces: &[HandleType::Memory as u16], destroy: free, ..Class::new(0x1032) };

struct Body {
    span: Span,
    source: Source,
}

/// Whose the bytes are.
#[derive(Clone, Copy)]
enum Source {
    /// The memory's own.
    Pool,
    /// A lookaside list's.
    Lookaside(Object),
    /// The driver's.
    Driver,
    /// The program's, whose pages are locked for this request.
    Program(Request),
}

fn free(m: &mut Machine, object: Object) {
    let &mut Body { span, source } = body(m, object);
    match source {
        Source::Pool => m.free_block(span),
        Source::Lookaside(list) => {
            m.free_block(span);
            list.release(m);
        }
        Source::Driver => {}
        Source::Program(request) => request.give_back_memory(m),
    }
}

fn body(m: &mut Machine, object: Object) -> &mut Body {
    body_of(m, object, HandleType::Memory as u16)
}

impl Memory {
    /// NULL, which the calls that take a memory take for none.
    pub fn null() -> Memory {
        Memory::Own(Object::null())
    }

    /// Whether this is NULL.
    pub fn is_null(self) -> bool {
        self == Memory::null()
    }

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
        if attributes.parent_object().is_none() {
            comply(m, driver, Act::CreateMemory, "WdfMemoryCreate");
        }
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
        let body = Body { span, source: lookaside.map_or(Source::Pool, Source::Lookaside) };
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
        let body = Body { span: bytes, source: Source::Driver };
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

    /// A program's locked pages, as a child of the request that they came with.
    ///
    /// # Errors
    /// STATUS_DELETE_PENDING for a request that is being deleted.
    pub(super) fn locked(m: &mut Machine, request: Request, span: Span) -> Result<Memory, NtStatus> {
        let driver = request.driver(m);
        request.lend_memory(m);
        let body = Body { span, source: Source::Program(request) };
        let created = create_general(m, driver, &LOCKED, body, request, Attributes::none());
        created.map(Memory::Own).inspect_err(|_| request.give_back_memory(m))
    }

    /// `WdfMemoryGetBuffer`. A handle of anything else is bug check 0x10D/5.
    ///
    /// # Errors
    /// As [`Request::buffer`].
    #[inline]
    pub fn span(self, m: &mut Machine) -> Result<Span, NtStatus> {
        match self {
            Memory::OfRequest(request, transfer) => request.memory_span(m, transfer),
            Memory::Own(object) => {
                let driver = object.driver(m);
                object.expect_type(m, driver, HandleType::Memory);
                Ok(body(m, object).span)
            }
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

    /// `WdfObjectReference`: whoever formats a request with the memory does so, too. A request cannot be completed while
    /// one of its own is referenced: bug check 0x10D/3.
    pub fn reference(self, m: &mut Machine) {
        match self {
            Memory::OfRequest(owner, _) => owner.lend_memory(m),
            Memory::Own(object) => object.add_reference(m),
        }
    }

    /// `WdfObjectDereference`. Giving back a reference to a request's memory that nobody took is an error that the call
    /// reports and does all the same.
    pub fn dereference(self, m: &mut Machine) {
        match self {
            Memory::OfRequest(owner, _) => owner.give_back_memory(m),
            Memory::Own(object) => object.release(m),
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

impl Request {
    /// AddIrpReference. Only the verifier looks whether the request is completed already.
    #[inline]
    fn lend_memory(self, m: &mut Machine) {
        let body = self.body(m);
        body.lent += 1;
        if body.completed {
            _ = self.verify_not_completed(m);
        }
    }

    /// ReleaseIrpReference. An owner that is gone has stopped the machine when it was completed, or was deleted.
    fn give_back_memory(self, m: &mut Machine) {
        let Some(body) = fx_mut(m).requests.get_mut(self.0.id) else { return };
        body.lent -= 1;
        if body.lent < 0 {
            let driver = body.header.driver();
            trace(m, driver, &sites::MEMORY_NOT_LENT, [self.0.handle()]);
            debug_break(m, driver);
        }
    }
}
