//! The format calls: they fill the request's next stack location for a target.
//!
//! Source: S/targets/general/fxiotargetapi.cpp:829-936 (read, write), 1220-1379 (I/O control);
//! S/targets/general/km/fxiotargetkm.cpp:34-276, 280-523.

use vbus_wdf::layer::{sites, take_fx, trace};
use vbus_wdf::{Driver, Handle, Ownership, Request, Site, Transfer};
use vbus_wdm::{IoType, IoctlCode, Irp, Machine, Major, Method, NtStatus, Parameters, StackLocation};

use crate::buffers::{Argument, Buffer, Data};
use crate::context;
use crate::state::{ContextKind, Heard, SentKind};
use crate::target::{IoTarget, Kind};
use crate::validate::{arguments_refused, validate};

impl IoTarget {
    /// `WdfIoTargetFormatRequestForInternalIoctl`.
    ///
    /// # Errors
    /// STATUS_REQUEST_NOT_ACCEPTED for a dispatched request whose IRP is too small for the target;
    /// STATUS_INVALID_DEVICE_STATE for a target that is closed; STATUS_INTEGER_OVERFLOW for offsets outside a memory;
    /// STATUS_INSUFFICIENT_RESOURCES for a target that no IRP is deep enough for.
    pub fn format_internal_ioctl(
        self,
        m: &mut Machine,
        request: Request,
        code: IoctlCode,
        input: Data,
        output: Data,
    ) -> Result<(), NtStatus> {
        m.boundary("WdfIoTargetFormatRequestForInternalIoctl");
        self.format_control(m, request, SentKind::InternalIoctl(code), code, input, output)
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
        m.boundary("WdfIoTargetFormatRequestForIoctl");
        self.format_control(m, request, SentKind::Ioctl(code), code, input, output)
    }

    fn format_control(
        self,
        m: &mut Machine,
        request: Request,
        kind: SentKind,
        code: IoctlCode,
        input: Data,
        output: Data,
    ) -> Result<(), NtStatus> {
        let (target, handle) = (self.object().handle(), request.object().handle());
        let internal = matches!(kind, SentKind::InternalIoctl(_));
        let input = input.argument(m, Some(request), Transfer::Input);
        let output = output.argument(m, Some(request), Transfer::Output);
        let shown = [Argument::handle(input), Argument::handle(output)];
        let mut fx = take_fx(m);
        let driver = self.body_in(&mut fx).driver;
        let arguments = [target, handle, code.0.into(), internal.into(), shown[0], shown[1]];
        fx.trace(driver, &sites::FORMAT_IOCTL_ENTER, arguments);
        let input_buffer = self.good(m, request, driver, input, &sites::FORMAT_IOCTL_INPUT)?;
        let output_buffer = self.good(m, request, driver, output, &sites::FORMAT_IOCTL_OUTPUT)?;
        let heard = Heard { kind, offsets: [input, output].map(Argument::offset), ..Heard::default() };
        let result = self.fill_control(m, request, (code, internal), [input_buffer, output_buffer], heard);
        trace(m, driver, &sites::FORMAT_IOCTL_EXIT, [target, handle, NtStatus::from(result).0.into()]);
        result
    }

    /// The bytes that an argument means, or a line that it means none.
    ///
    /// # Errors
    /// As [`Argument::buffer`].
    #[inline]
    fn good(
        self,
        m: &mut Machine,
        request: Request,
        driver: Driver,
        argument: Option<Argument>,
        line: &'static Site,
    ) -> Result<Buffer, NtStatus> {
        Argument::buffer(argument, m).inspect_err(|&status| {
            trace(m, driver, line, [status.0.into()]);
            arguments_refused(m, request, self, status);
        })
    }

    /// FormatIoctlRequest.
    pub(crate) fn fill_control(
        self,
        m: &mut Machine,
        request: Request,
        (code, internal): (IoctlCode, bool),
        [input, output]: [Buffer; 2],
        heard: Heard,
    ) -> Result<(), NtStatus> {
        let irp = validate(m, request, self)?;
        let memories = [input.memory, output.memory, None];
        let ownership = context::begin(m, request, irp, ContextKind::Io, memories, heard);
        let mut type3_input = None;
        match code.method() {
            Method::Buffered => {
                let system_buffer = context::system_buffer(m, request, input.span, output.span);
                let data = &mut m[irp];
                data.user_buffer = output.span.filter(|_| system_buffer.is_some());
                data.system_buffer = system_buffer;
            }
            Method::InDirect | Method::OutDirect => {
                let data = &mut m[irp];
                (data.system_buffer, data.mdl) = (input.span, output.span);
            }
            Method::Neither => {
                type3_input = input.span;
                m[irp].user_buffer = output.span;
            }
        }
        let parameters = Parameters::DeviceIoControl {
            output_length: output.length(),
            input_length: input.length(),
            code,
            type3_input,
        };
        let major = if internal { Major::InternalDeviceControl } else { Major::DeviceControl };
        self.fill_next(m, irp, ownership, major, parameters);
        Ok(())
    }

    /// `WdfIoTargetFormatRequestForRead`, at this byte offset of the device.
    ///
    /// # Errors
    /// As [`IoTarget::format_internal_ioctl`].
    pub fn format_read(self, m: &mut Machine, request: Request, data: Data, offset: i64) -> Result<(), NtStatus> {
        m.boundary("WdfIoTargetFormatRequestForRead");
        self.format_transfer(m, request, Major::Read, data, offset)
    }

    /// `WdfIoTargetFormatRequestForWrite`, at this byte offset of the device.
    ///
    /// # Errors
    /// As [`IoTarget::format_internal_ioctl`].
    pub fn format_write(self, m: &mut Machine, request: Request, data: Data, offset: i64) -> Result<(), NtStatus> {
        m.boundary("WdfIoTargetFormatRequestForWrite");
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
        let argument = data.argument(m, Some(request), way);
        trace(m, driver, &sites::FORMAT_IO_ENTER, [target, handle, major as u64, Argument::handle(argument)]);
        let buffer = self.good(m, request, driver, argument, &sites::FORMAT_IO_OFFSETS)?;
        let kind = if major == Major::Read { SentKind::Read } else { SentKind::Write };
        let heard = Heard { kind, offsets: [Argument::offset(argument); 2], ..Heard::default() };
        let result = self.fill_transfer(m, request, major, (buffer, offset), heard);
        trace(m, driver, &sites::FORMAT_IO_EXIT, [target, handle, NtStatus::from(result).0.into()]);
        result
    }

    /// FormatIoRequest: reads and writes go by the target device's own flags, not by a transfer method.
    pub(crate) fn fill_transfer(
        self,
        m: &mut Machine,
        request: Request,
        major: Major,
        (data, offset): (Buffer, i64),
        heard: Heard,
    ) -> Result<(), NtStatus> {
        let irp = validate(m, request, self)?;
        let ownership = context::begin(m, request, irp, ContextKind::Io, [data.memory, None, None], heard);
        match self.body(m).io_type {
            IoType::Buffered => {
                let (input, output) = if major == Major::Read { (None, data.span) } else { (data.span, None) };
                m[irp].system_buffer = context::system_buffer(m, request, input, output);
                m[irp].user_buffer = output.filter(|span| !span.is_empty());
            }
            IoType::Direct => m[irp].mdl = data.span,
            IoType::Neither => m[irp].user_buffer = data.span,
        }
        self.fill_next(m, irp, ownership, major, Parameters::Transfer { length: data.length(), offset });
        Ok(())
    }

    /// Writes the next location: everything but the completion routine that may stand in it. A request that was
    /// dispatched brings the flags and the file object that it came with; a remote target has a file object of its own,
    /// or none.
    #[inline]
    pub(crate) fn fill_next(
        self,
        m: &mut Machine,
        irp: Irp,
        ownership: Ownership,
        major: Major,
        parameters: Parameters,
    ) {
        let body = self.body(m);
        let own_file = matches!(body.kind, Kind::Remote(_)).then_some(body.file);
        let data = &mut m[irp];
        let (flags, file) = match ownership {
            Ownership::FromIo => (data.current().flags, data.current().file),
            Ownership::Internal | Ownership::Driver => (0, None),
        };
        let next = data.next_mut();
        let (completion, context) = (next.completion, next.context);
        let file = own_file.unwrap_or(file);
        *next = StackLocation { major, flags, parameters, file, completion, context, ..StackLocation::default() };
    }
}
