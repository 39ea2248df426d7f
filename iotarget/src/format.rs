//! The format calls: they fill the request's next stack location for a target.
//!
//! Source: S/targets/general/fxiotargetapi.cpp:829-936 (read, write), 1220-1379 (I/O control);
//! S/targets/general/km/fxiotargetkm.cpp:34-276, 280-523.

use vbus_wdf::layer::{on_release, sites, trace};
use vbus_wdf::{Handle, Memory, Ownership, Request};
use vbus_wdm::constants::*;
use vbus_wdm::{IoType, IoctlCode, Irp, Machine, Major, Method, NtStatus, Parameters, Span, StackLocation};

use crate::state::{CompletionParams, Formatting, SentKind, state};
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

/// Which way a memory is to be used.
#[derive(Clone, Copy)]
enum Way {
    Input,
    Output,
}

/// A resolved [`Data`]: the handle that the log prints, and the bytes that are meant, if the offsets are good.
type Resolved = (Option<Memory>, Result<Option<Span>, NtStatus>);

fn resolve(m: &mut Machine, request: Request, data: Data, way: Way) -> Resolved {
    let own = |m: &mut Machine| match way {
        Way::Input => request.input_memory(m).ok(),
        Way::Output => request.output_memory(m).ok(),
    };
    let (memory, offset, length) = match data {
        Data::None => (None, 0, 0),
        Data::Request => (own(m), 0, 0),
        Data::RequestFrom(offset) => (own(m), offset, 0),
        Data::Memory(memory) => (Some(memory), 0, 0),
        Data::Part { memory, offset, length } => (Some(memory), offset, length),
    };
    let Some(memory) = memory else { return (None, Ok(None)) };
    let part = memory.span(m).and_then(|span| {
        let length = if length == 0 { span.len().checked_sub(offset).ok_or(STATUS_INTEGER_OVERFLOW)? } else { length };
        span.part(offset, length).ok_or(STATUS_INTEGER_OVERFLOW)
    });
    (Some(memory), part.map(Some))
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
        let driver = self.body(m).driver;
        let (target, handle) = (self.object().handle(), request.object().handle());
        let (input_memory, input) = resolve(m, request, input, Way::Input);
        let (output_memory, output) = resolve(m, request, output, Way::Output);
        let print = |memory: Option<Memory>| memory.map_or(0, Memory::handle);
        let arguments =
            [target, handle, code.0.into(), internal.into(), print(input_memory), print(output_memory)];
        trace(m, driver, &sites::FORMAT_IOCTL_ENTER, arguments);
        let input = input.inspect_err(|status| trace(m, driver, &sites::FORMAT_IOCTL_INPUT, [status.0.into()]))?;
        let output = output.inspect_err(|status| trace(m, driver, &sites::FORMAT_IOCTL_OUTPUT, [status.0.into()]))?;
        let result = validate(m, request, self).map(|()| {
            let kind = if internal { SentKind::InternalIoctl(code) } else { SentKind::Ioctl(code) };
            let params = CompletionParams { kind, input: input_memory, output: output_memory, ..Default::default() };
            self.fill_control(m, request, code, internal, input, output, params);
        });
        trace(m, driver, &sites::FORMAT_IOCTL_EXIT, [target, handle, NtStatus::from(result).0.into()]);
        result
    }

    #[allow(clippy::too_many_arguments)] // The parts of one stack location.
    fn fill_control(
        self,
        m: &mut Machine,
        request: Request,
        code: IoctlCode,
        internal: bool,
        input: Option<Span>,
        output: Option<Span>,
        params: CompletionParams,
    ) {
        // A validated request has an IRP.
        let Some(irp) = request.current_irp(m) else { return };
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
        self.fill_location(m, request, irp, major, parameters);
        formatted(m, request, formatting, params);
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
        let way = if major == Major::Read { Way::Output } else { Way::Input };
        let (memory, span) = resolve(m, request, data, way);
        let arguments = [target, handle, major as u64, memory.map_or(0, Memory::handle)];
        trace(m, driver, &sites::FORMAT_IO_ENTER, arguments);
        let span = span.inspect_err(|status| trace(m, driver, &sites::FORMAT_IO_OFFSETS, [status.0.into()]))?;
        let result = validate(m, request, self)
            .map(|()| self.fill_transfer(m, request, major, memory, span, offset));
        trace(m, driver, &sites::FORMAT_IO_EXIT, [target, handle, NtStatus::from(result).0.into()]);
        result
    }

    /// Reads and writes go by the target device's own flags, not by a transfer method.
    fn fill_transfer(
        self,
        m: &mut Machine,
        request: Request,
        major: Major,
        memory: Option<Memory>,
        span: Option<Span>,
        offset: i64,
    ) {
        let Some(irp) = request.current_irp(m) else { return };
        let mut formatting = remember(m, irp);
        let read = major == Major::Read;
        match self.body(m).io_type {
            IoType::Buffered => {
                let (input, output) = if read { (None, span) } else { (span, None) };
                let buffer = copy_in(m, input, output);
                formatting.buffered = buffer.map(|buffer| (buffer, output));
                let data = &mut m[irp];
                data.system_buffer = buffer;
                data.user_buffer = span;
            }
            IoType::Direct => m[irp].mdl = span,
            IoType::Neither => m[irp].user_buffer = span,
        }
        let parameters = Parameters::Transfer { length: span.map_or(0, Span::len), offset };
        self.fill_location(m, request, irp, major, parameters);
        let params = if read {
            CompletionParams { kind: SentKind::Read, output: memory, ..Default::default() }
        } else {
            CompletionParams { kind: SentKind::Write, input: memory, ..Default::default() }
        };
        formatted(m, request, formatting, params);
    }

    /// Writes the next location: everything but the completion routine that may stand in it.
    fn fill_location(self, m: &mut Machine, request: Request, irp: Irp, major: Major, parameters: Parameters) {
        let own_file = self.body(m).file;
        let dispatched = request.ownership(m) == Ownership::FromIo;
        let data = &mut m[irp];
        let current = data.current();
        let (flags, file) = if dispatched { (current.flags, current.file) } else { (0, None) };
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

fn formatted(m: &mut Machine, request: Request, formatting: Formatting, params: CompletionParams) {
    let state = state(m, request);
    state.formatted = true;
    state.formatting = Some(formatting);
    state.params = params;
    on_release(m, request, release);
}

/// Puts the IRP's buffer fields back: the request is completed, formatted again or destroyed.
fn release(m: &mut Machine, request: Request) {
    let state = state(m, request);
    state.formatted = false;
    let Some(formatting) = state.formatting.take() else { return };
    if let Some(irp) = request.current_irp(m) {
        let data = &mut m[irp];
        data.system_buffer = formatting.system_buffer;
        data.mdl = formatting.mdl;
        data.user_buffer = formatting.user_buffer;
        data.flags = formatting.flags;
    }
    if let Some((buffer, _)) = formatting.buffered {
        m.free_block(buffer);
    }
}
