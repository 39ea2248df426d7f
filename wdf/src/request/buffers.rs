//! A request's buffers and memory objects.
//!
//! Source: S/core/fxrequest.cpp:1299, 1540; Windows driver documentation, "Buffer descriptions for I/O control codes".

use vbus_wdm::constants::*;
use vbus_wdm::{IoType, Machine, Major, Method, NtStatus, Parameters, RequestorMode, Span};

use super::Request;
use crate::driver::Driver;
use crate::object::{Attributes, Class, Object, body_of, create_general};

/// Which of a request's two buffers is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transfer {
    /// What the sender gives.
    Input,
    /// What the sender wants.
    Output,
}

/// A WDFMEMORY: a request's own buffer, which lives inside the request, or one that the driver made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Memory {
    /// Input or output of a dispatched request.
    OfRequest(Request, Transfer),
    /// Made with [`Memory::create`].
    Own(Object),
}

/// Where the two memories lie inside the framework's request object.
const INPUT_OFFSET: u64 = 0xD8;
const OUTPUT_OFFSET: u64 = 0xE8;

static MEMORY: Class = Class { destroy: free, ..Class::new(0x100A) };

fn free(m: &mut Machine, object: Object) {
    let span = *body_of::<Span>(m, object, MEMORY.type_number);
    m.free_block(span);
}

impl Memory {
    /// `WdfMemoryCreate`: `length` bytes of zeroed pool.
    ///
    /// # Errors
    /// STATUS_INVALID_PARAMETER for no length.
    pub fn create(m: &mut Machine, driver: Driver, length: u32, attributes: Attributes) -> Result<Memory, NtStatus> {
        if length == 0 {
            return Err(STATUS_INVALID_PARAMETER);
        }
        let span = m.allocate_block(&[], length);
        Ok(Memory::Own(create_general(m, driver, &MEMORY, span, driver, attributes)))
    }

    /// `WdfMemoryGetBuffer`.
    ///
    /// # Errors
    /// As [`Request::buffer`].
    #[inline]
    pub fn span(self, m: &mut Machine) -> Result<Span, NtStatus> {
        match self {
            Memory::OfRequest(request, transfer) => request.buffer(m, transfer),
            Memory::Own(object) => Ok(*body_of(m, object, MEMORY.type_number)),
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

impl Request {
    /// `WdfRequestRetrieveInputMemory`.
    ///
    /// # Errors
    /// As [`Request::buffer`].
    pub fn input_memory(self, m: &mut Machine) -> Result<Memory, NtStatus> {
        self.buffer(m, Transfer::Input)?;
        Ok(Memory::OfRequest(self, Transfer::Input))
    }

    /// `WdfRequestRetrieveOutputMemory`.
    ///
    /// # Errors
    /// As [`Request::buffer`].
    pub fn output_memory(self, m: &mut Machine) -> Result<Memory, NtStatus> {
        self.buffer(m, Transfer::Output)?;
        Ok(Memory::OfRequest(self, Transfer::Output))
    }

    /// `WdfRequestRetrieveInputBuffer` with this minimum length in bytes.
    ///
    /// # Errors
    /// As [`Request::buffer`], and STATUS_BUFFER_TOO_SMALL for a shorter one.
    pub fn input_buffer(self, m: &mut Machine, minimum: u32) -> Result<Span, NtStatus> {
        at_least(self.buffer(m, Transfer::Input)?, minimum)
    }

    /// `WdfRequestRetrieveOutputBuffer` with this minimum length in bytes.
    ///
    /// # Errors
    /// As [`Request::buffer`], and STATUS_BUFFER_TOO_SMALL for a shorter one.
    pub fn output_buffer(self, m: &mut Machine, minimum: u32) -> Result<Span, NtStatus> {
        at_least(self.buffer(m, Transfer::Output)?, minimum)
    }

    /// One of the request's buffers, wherever its kind and transfer method put it.
    ///
    /// # Errors
    /// STATUS_BUFFER_TOO_SMALL for an empty one; STATUS_INVALID_DEVICE_REQUEST for a program's METHOD_NEITHER
    /// pointers, and for a kind of request that has no such buffer.
    pub fn buffer(self, m: &mut Machine, transfer: Transfer) -> Result<Span, NtStatus> {
        let body = self.body(m);
        let (Some(irp), device) = (body.irp, body.device) else { return Err(STATUS_INVALID_DEVICE_REQUEST) };
        let data = &m[irp];
        let location = data.current();
        let (span, length) = match (location.major, location.parameters, transfer) {
            (major, Parameters::DeviceIoControl { output_length, input_length, code, type3_input }, _) => {
                let from_program = data.requestor_mode == RequestorMode::User && major == Major::DeviceControl;
                let length = if transfer == Transfer::Input { input_length } else { output_length };
                let span = match (code.method(), transfer) {
                    (Method::Neither, _) if from_program => return Err(STATUS_INVALID_DEVICE_REQUEST),
                    (Method::Neither, Transfer::Input) => type3_input,
                    (Method::Neither, Transfer::Output) => data.user_buffer,
                    (Method::InDirect | Method::OutDirect, Transfer::Output) => data.mdl,
                    _ => data.system_buffer,
                };
                (span, length)
            }
            (Major::Read, Parameters::Transfer { length, .. }, Transfer::Output)
            | (Major::Write, Parameters::Transfer { length, .. }, Transfer::Input) => {
                let (system, mdl, user) = (data.system_buffer, data.mdl, data.user_buffer);
                let span = match device.map_or(IoType::Neither, |device| device.io_type(m)) {
                    IoType::Buffered => system,
                    IoType::Direct => mdl,
                    IoType::Neither => user,
                };
                (span, length)
            }
            _ => return Err(STATUS_INVALID_DEVICE_REQUEST),
        };
        // The system buffer of a buffered request is as long as the longer of the two.
        let span = span.filter(|_| length > 0).and_then(|span| span.part(0, length.min(span.len())));
        span.ok_or(STATUS_BUFFER_TOO_SMALL)
    }
}

fn at_least(span: Span, minimum: u32) -> Result<Span, NtStatus> {
    if span.len() < minimum { Err(STATUS_BUFFER_TOO_SMALL) } else { Ok(span) }
}
