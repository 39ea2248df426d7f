//! The memories that a request is formatted with, and the buffers of the calls that send and wait.
//!
//! Source: S/support/fxrequestbuffer.cpp; S/inc/private/common/ifxmemory.hpp:104-127 (offsets).

use vbus_wdf::layer::{sites, trace};
use vbus_wdf::{Driver, Memory, Request, Transfer};
use vbus_wdm::constants::*;
use vbus_wdm::{Machine, NtStatus, Span};

/// Which memory a request is formatted with: a WDFMEMORY and a WDFMEMORY_OFFSET.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Data {
    /// None.
    None,
    /// The request's own input or output; none where that is empty.
    Request,
    /// The request's own, from this offset to its end.
    RequestFrom(u32),
    /// All of a memory object. [`Memory::null`] is none.
    Memory(Memory),
    /// A part of a memory object. Length 0 means the rest.
    Part {
        /// The memory object.
        memory: Memory,
        /// BufferOffset in bytes.
        offset: u32,
        /// BufferLength in bytes.
        length: u32,
    },
}

/// WDF_MEMORY_DESCRIPTOR: where the data of a call that sends and waits is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MemoryDescriptor {
    /// NULL: no data.
    None,
    /// WDF_MEMORY_DESCRIPTOR_INIT_BUFFER.
    Buffer(Span),
    /// WDF_MEMORY_DESCRIPTOR_INIT_MDL.
    Mdl(Span),
    /// WDF_MEMORY_DESCRIPTOR_INIT_HANDLE, which takes no NULL.
    Handle(Data),
}

/// A memory and its offsets, as a call is given them.
#[derive(Clone, Copy)]
pub(crate) struct Argument {
    memory: Memory,
    /// What it holds, if that is known already.
    span: Option<Span>,
    /// BufferOffset and BufferLength.
    offsets: Option<(u32, u32)>,
}

impl Data {
    /// What a driver passes for this data. A request's own memory is asked for first.
    pub(crate) fn argument(self, m: &mut Machine, request: Option<Request>, way: Transfer) -> Option<Argument> {
        match self {
            Data::None => None,
            Data::Request | Data::RequestFrom(_) => {
                let (memory, span) = request?.own_memory(m, way).ok()?;
                let offsets = if let Data::RequestFrom(offset) = self { Some((offset, 0)) } else { None };
                Some(Argument { memory, span: Some(span), offsets })
            }
            Data::Memory(memory) if memory.is_null() => None,
            Data::Part { memory, .. } if memory.is_null() => None,
            Data::Memory(memory) => Some(Argument { memory, span: None, offsets: None }),
            Data::Part { memory, offset, length } => {
                Some(Argument { memory, span: None, offsets: Some((offset, length)) })
            }
        }
    }
}

impl Argument {
    /// The handle that lines print; 0 for none.
    pub(crate) fn handle(argument: Option<Argument>) -> u64 {
        argument.map_or(0, |argument| argument.memory.handle())
    }

    /// Where in the memory the data begins.
    pub(crate) fn offset(argument: Option<Argument>) -> u32 {
        argument.and_then(|argument| argument.offsets).map_or(0, |(offset, _)| offset)
    }

    /// ValidateMemoryOffsets, and the bytes that are meant if they are good.
    ///
    /// # Errors
    /// STATUS_INTEGER_OVERFLOW for offsets outside the memory.
    pub(crate) fn buffer(argument: Option<Argument>, m: &mut Machine) -> Result<Buffer, NtStatus> {
        let Some(Argument { memory, span, offsets }) = argument else { return Ok(Buffer::default()) };
        let span = match span {
            Some(span) => span,
            None => memory.span(m)?,
        };
        let (offset, length) = offsets.unwrap_or_default();
        let rest = span.len().checked_sub(offset).ok_or(STATUS_INTEGER_OVERFLOW)?;
        let part = span.part(offset, if length == 0 { rest } else { length }).ok_or(STATUS_INTEGER_OVERFLOW)?;
        Ok(Buffer { memory: Some(memory), span: Some(part) })
    }
}

/// FxRequestBuffer: bytes, and the memory object that they are a part of.
#[derive(Clone, Copy, Default)]
pub(crate) struct Buffer {
    pub(crate) memory: Option<Memory>,
    pub(crate) span: Option<Span>,
}

impl Buffer {
    pub(crate) fn length(self) -> u32 {
        self.span.map_or(0, Span::len)
    }
}

impl MemoryDescriptor {
    /// Where a driver has it: nowhere, or in this of its local variables.
    pub(crate) fn address(self, which: u64) -> u64 {
        if self == MemoryDescriptor::None { 0 } else { crate::addresses::parameter(which) }
    }

    /// ValidateMemoryDescriptor.
    ///
    /// # Errors
    /// STATUS_INVALID_PARAMETER for a NULL pointer in it, STATUS_INTEGER_OVERFLOW for offsets outside its memory.
    pub(crate) fn buffer(
        self,
        m: &mut Machine,
        driver: Driver,
        request: Option<Request>,
        way: Transfer,
    ) -> Result<Buffer, NtStatus> {
        match self {
            MemoryDescriptor::None => Ok(Buffer::default()),
            MemoryDescriptor::Buffer(span) if span.is_null() => {
                trace(m, driver, &sites::DESCRIPTOR_NO_BUFFER, []);
                Err(STATUS_INVALID_PARAMETER)
            }
            MemoryDescriptor::Mdl(span) if span.is_null() => {
                trace(m, driver, &sites::DESCRIPTOR_NO_MDL, []);
                Err(STATUS_INVALID_PARAMETER)
            }
            MemoryDescriptor::Buffer(span) | MemoryDescriptor::Mdl(span) => {
                Ok(Buffer { memory: None, span: Some(span) })
            }
            MemoryDescriptor::Handle(data) => {
                let argument = data.argument(m, request, way);
                if argument.is_none() {
                    trace(m, driver, &sites::DESCRIPTOR_NO_MEMORY, []);
                    return Err(STATUS_INVALID_PARAMETER);
                }
                Argument::buffer(argument, m)
                    .inspect_err(|status| trace(m, driver, &sites::DESCRIPTOR_OFFSETS, [status.0.into()]))
            }
        }
    }
}
