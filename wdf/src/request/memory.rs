//! WDFMEMORY: a request's own buffers, and those that a driver makes.

use vbus_wdm::constants::*;
use vbus_wdm::{Machine, NtStatus, Span};

use super::{Request, Transfer};
use crate::driver::Driver;
use crate::object::{Attributes, Class, Object, body_of, create_general};

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
