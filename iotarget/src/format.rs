//! The format calls: they fill the request's next stack location for a target.
//!
//! Source: S/targets/general/fxiotargetapi.cpp:829-936 (read, write), 1220-1379 (I/O control);
//! S/targets/general/km/fxiotargetkm.cpp:34-276, 280-523.

use vbus_wdf::layer::{Parts, lend_memory, return_memory, sites, take_fx, trace};
use vbus_wdf::{Handle, Memory, Ownership, Request, Transfer};
use vbus_wdm::constants::*;
use vbus_wdm::{IoType, IoctlCode, Irp, Machine, Major, Method, NtStatus, Parameters, Span, StackLocation};

use crate::state::{CompletionParams, Formatting, SentKind, parts};
use crate::target::IoTarget;
use crate::validate::validate;

/// Which memory a request is formatted with: a WDFMEMORY and a WDFMEMORY_OFFSET.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Data {
    /// None.
    None,
    /// The request's own input or output; none where that is empty.
    Request,
    /// The request's own, from this offset to its end.
    RequestFrom(u32),
    /// All of a memory object.
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

/// A resolved [`Data`]: the memory that the log prints, where in it the data begins, and the bytes that are meant if
/// the offsets are good.
struct Resolved {
    memory: Option<Memory>,
    offset: u32,
    span: Result<Option<Span>, NtStatus>,
}

fn resolve(m: &mut Machine, request: Request, data: Data, way: Transfer) -> Resolved {
    const NONE: Resolved = Resolved { memory: None, offset: 0, span: Ok(None) };
    let (memory, span, offset, length) = match data {
        Data::None => return NONE,
        Data::Request | Data::RequestFrom(_) => {
            let Ok(span) = request.buffer(m, way) else { return NONE };
            let offset = if let Data::RequestFrom(offset) = data { offset } else { 0 };
            (Memory::OfRequest(request, way), Ok(span), offset, 0)
        }
        Data::Memory(memory) => (memory, memory.span(m), 0, 0),
        Data::Part { memory, offset, length } => (memory, memory.span(m), offset, length),
    };
    let part = span.and_then(|span| {
        let rest = span.len().checked_sub(offset).ok_or(STATUS_INTEGER_OVERFLOW)?;
        span.part(offset, if length == 0 { rest } else { length }).ok_or(STATUS_INTEGER_OVERFLOW)
    });
    Resolved { memory: Some(memory), offset, span: part.map(Some) }
}

impl IoTarget {
    /// `WdfIoTargetFormatRequestForInternalIoctl`.
    ///
    /// # Errors
    /// STATUS_REQUEST_NOT_ACCEPTED for a dispatched request whose IRP is too small for the target;
    /// STATUS_INVALID_DEVICE_STATE for a target that is closed; STATUS_INTEGER_OVERFLOW for offsets outside a memory.
    pub fn format_internal_ioctl(
        self,
        m: &mut Machine,
        request: Request,
        code: IoctlCode,
        input: Data,
        output: Data,
    ) -> Result<(), NtStatus> {
        self.format_control(m, request, code, true, input, output)
    }

    /// `WdfIoTargetFormatRequestForIoctl`.
    ///
    /// # Errors
    /// As [`IoTarget::format_internal_ioctl`].
    pub fn format_ioctl(
        self,
        m: &mut Machine,
        request: Request,
        code: IoctlCode,
        input: Data,
        output: Data,
    ) -> Result<(), NtStatus> {
        self.format_control(m, request, code, false, input, output)
    }

    fn format_control(
        self,
        m: &mut Machine,
        request: Request,
        code: IoctlCode,
        internal: bool,
        input: Data,
        output: Data,
    ) -> Result<(), NtStatus> {
        let (target, handle) = (self.object().handle(), request.object().handle());
        let Resolved { memory: input_memory, offset: input_offset, span: input } =
            resolve(m, request, input, Transfer::Input);
        let Resolved { memory: output_memory, offset: output_offset, span: output } =
            resolve(m, request, output, Transfer::Output);
        let print = |memory: Option<Memory>| memory.map_or(0, Memory::handle);
        let arguments = [target, handle, code.0.into(), internal.into(), print(input_memory), print(output_memory)];
        let mut fx = take_fx(m);
        let driver = self.body_in(&mut fx).driver;
        fx.trace(driver, &sites::FORMAT_IOCTL_ENTER, arguments);
        let input = input.inspect_err(|status| trace(m, driver, &sites::FORMAT_IOCTL_INPUT, [status.0.into()]))?;
        let output = output.inspect_err(|status| trace(m, driver, &sites::FORMAT_IOCTL_OUTPUT, [status.0.into()]))?;
        let result = validate(m, request, self).map(|irp| {
            let kind = if internal { SentKind::InternalIoctl(code) } else { SentKind::Ioctl(code) };
            let params = CompletionParams {
                kind,
                input: input_memory,
                input_offset,
                output: output_memory,
                output_offset,
                ..CompletionParams::default()
            };
            self.fill_control(m, request, irp, (code, internal), (input, output), params);
        });
        trace(m, driver, &sites::FORMAT_IOCTL_EXIT, [target, handle, NtStatus::from(result).0.into()]);
        result
    }

    fn fill_control(
        self,
        m: &mut Machine,
        request: Request,
        irp: Irp,
        (code, internal): (IoctlCode, bool),
        (input, output): (Option<Span>, Option<Span>),
        params: CompletionParams,
    ) {
        let mut formatting = remember(m, irp);
        let length = |span: Option<Span>| span.map_or(0, Span::len);
        let mut type3_input = None;
        match code.method() {
            Method::Buffered => {
                let buffer = copy_in(m, input, output);
                formatting.buffered = buffer.map(|buffer| (buffer, output));
                let data = &mut m[irp];
                data.system_buffer = buffer;
                data.user_buffer = output;
            }
            Method::InDirect | Method::OutDirect => {
                let data = &mut m[irp];
                data.system_buffer = input;
                data.mdl = output;
            }
            Method::Neither => {
                type3_input = input;
                m[irp].user_buffer = output;
            }
        }
        let parameters = Parameters::DeviceIoControl {
            output_length: length(output),
            input_length: length(input),
            code,
            type3_input,
        };
        let major = if internal { Major::InternalDeviceControl } else { Major::DeviceControl };
        self.formatted(m, request, irp, (major, parameters), formatting, params);
    }

    /// `WdfIoTargetFormatRequestForRead`, at this byte offset of the device.
    ///
    /// # Errors
    /// As [`IoTarget::format_internal_ioctl`].
    pub fn format_read(self, m: &mut Machine, request: Request, data: Data, offset: i64) -> Result<(), NtStatus> {
        self.format_transfer(m, request, Major::Read, data, offset)
    }

    /// `WdfIoTargetFormatRequestForWrite`, at this byte offset of the device.
    ///
    /// # Errors
    /// As [`IoTarget::format_internal_ioctl`].
    pub fn format_write(self, m: &mut Machine, request: Request, data: Data, offset: i64) -> Result<(), NtStatus> {
        self.format_transfer(m, request, Major::Write, data, offset)
    }

    fn format_transfer(
        self,
        m: &mut Machine,
        request: Request,
        major: Major,
        data: Data,
        offset: i64,
    ) -> Result<(), NtStatus> {
        let driver = self.body(m).driver;
        let (target, handle) = (self.object().handle(), request.object().handle());
        let way = if major == Major::Read { Transfer::Output } else { Transfer::Input };
        let Resolved { memory, offset: memory_offset, span } = resolve(m, request, data, way);
        let arguments = [target, handle, major as u64, memory.map_or(0, Memory::handle)];
        trace(m, driver, &sites::FORMAT_IO_ENTER, arguments);
        let span = span.inspect_err(|status| trace(m, driver, &sites::FORMAT_IO_OFFSETS, [status.0.into()]))?;
        let result = validate(m, request, self)
            .map(|irp| self.fill_transfer(m, request, irp, (major, offset), (memory, memory_offset), span));
        trace(m, driver, &sites::FORMAT_IO_EXIT, [target, handle, NtStatus::from(result).0.into()]);
        result
    }

    /// Reads and writes go by the target device's own flags, not by a transfer method.
    fn fill_transfer(
        self,
        m: &mut Machine,
        request: Request,
        irp: Irp,
        (major, offset): (Major, i64),
        (memory, memory_offset): (Option<Memory>, u32),
        span: Option<Span>,
    ) {
        let mut formatting = remember(m, irp);
        let read = major == Major::Read;
        match self.body(m).io_type {
            IoType::Buffered => {
                let (input, output) = if read { (None, span) } else { (span, None) };
                let buffer = copy_in(m, input, output);
                formatting.buffered = buffer.map(|buffer| (buffer, output));
                let data = &mut m[irp];
                data.system_buffer = buffer;
                // A write has nothing to bring back, and leaves UserBuffer alone.
                if read {
                    data.user_buffer = span;
                }
            }
            IoType::Direct => m[irp].mdl = span,
            IoType::Neither => m[irp].user_buffer = span,
        }
        let parameters = Parameters::Transfer { length: span.map_or(0, Span::len), offset };
        let params = if read {
            CompletionParams {
                kind: SentKind::Read,
                output: memory,
                output_offset: memory_offset,
                ..Default::default()
            }
        } else {
            CompletionParams { kind: SentKind::Write, input: memory, input_offset: memory_offset, ..Default::default() }
        };
        self.formatted(m, request, irp, (major, parameters), formatting, params);
    }

    /// Remembers how to undo the formatting, and writes the next location: everything but the completion routine that
    /// may stand in it.
    fn formatted(
        self,
        m: &mut Machine,
        request: Request,
        irp: Irp,
        (major, parameters): (Major, Parameters),
        mut formatting: Formatting,
        params: CompletionParams,
    ) {
        formatting.borrowed = [params.input, params.output].map(|memory| match memory {
            // Its own memories are given back before its own completion looks.
            Some(Memory::OfRequest(owner, _)) => Some(owner).filter(|&owner| owner != request),
            _ => None,
        });
        formatting.borrowed.into_iter().flatten().for_each(|owner| lend_memory(m, owner));
        let mut fx = take_fx(m);
        let own_file = self.body_in(&mut fx).file;
        let Parts { ownership, release: on_release, state, .. } = parts(&mut fx, request);
        state.formatted = true;
        state.formatting = Some(formatting);
        state.params = params;
        *on_release = Some(release);
        let data = &mut m[irp];
        let current = data.current();
        let (flags, file) = match ownership {
            Ownership::FromIo => (current.flags, current.file),
            Ownership::Internal | Ownership::Driver => (0, None),
        };
        let next = data.next_mut();
        let (completion, context) = (next.completion, next.context);
        let file = own_file.or(file);
        *next = StackLocation { major, flags, parameters, file, completion, context, ..StackLocation::default() };
    }
}

/// What the IRP's buffer fields are before the format call changes them.
fn remember(m: &mut Machine, irp: Irp) -> Formatting {
    let data = &m[irp];
    Formatting {
        system_buffer: data.system_buffer,
        mdl: data.mdl,
        user_buffer: data.user_buffer,
        flags: data.flags,
        buffered: None,
        borrowed: [None; 2],
    }
}

/// METHOD_BUFFERED between drivers: a system buffer as long as the longer of the two, the input copied in.
fn copy_in(m: &mut Machine, input: Option<Span>, output: Option<Span>) -> Option<Span> {
    let length = input.map_or(0, Span::len).max(output.map_or(0, Span::len));
    if length == 0 {
        return None;
    }
    let buffer = m.allocate_block(&[], length);
    if let Some(input) = input {
        m.copy_bytes(input, buffer);
    }
    Some(buffer)
}

/// Puts the IRP's buffer fields back: the request is completed, formatted again, deleted or destroyed. If it is out at
/// this moment, it comes back as one that was never formatted.
fn release(m: &mut Machine, request: Request) {
    let mut fx = take_fx(m);
    let Parts { irp, state, .. } = parts(&mut fx, request);
    state.formatted = false;
    state.params = CompletionParams::default();
    let Some(formatting) = state.formatting.take() else { return };
    if let Some(irp) = irp {
        let data = &mut m[irp];
        data.system_buffer = formatting.system_buffer;
        data.mdl = formatting.mdl;
        data.user_buffer = formatting.user_buffer;
        data.flags = formatting.flags;
    }
    if let Some((buffer, _)) = formatting.buffered {
        m.free_block(buffer);
    }
    formatting.borrowed.into_iter().flatten().for_each(|owner| return_memory(m, owner));
}
