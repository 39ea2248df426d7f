//! The calls that format a request, send it and wait for it: with a request of the driver's, or with one that lives on
//! their stack.
//!
//! Source: S/targets/general/fxiotargetapi.cpp:690-830 (read, write), 1040-1215 (I/O control), 1502-1720 (others);
//! S/core/fxsyncrequest.cpp.

use vbus_wdf::layer::{Act, comply, create_on_stack, passive_level, release_formatting, sites, trace};
use vbus_wdf::{Driver, Handle, Request, Site, Transfer};
use vbus_wdm::constants::*;
use vbus_wdm::{IoctlCode, Machine, Major, NtStatus};

use crate::buffers::{Buffer, MemoryDescriptor};
use crate::context::discard;
use crate::options::SendOptions;
use crate::state::{ContextKind, FormatContext, Heard, parts_of};
use crate::sync::submit_sync;
use crate::target::IoTarget;
use crate::validate::{arguments_refused, end_formatting};

/// How a call that sends and waits ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Synchronous {
    /// What the call returns.
    pub status: NtStatus,
    /// BytesReturned; `None` where the call leaves it as it was.
    pub bytes_returned: Option<u64>,
}

impl From<NtStatus> for Synchronous {
    fn from(status: NtStatus) -> Synchronous {
        Synchronous { status, bytes_returned: None }
    }
}

/// The lines that differ between the calls.
struct Lines {
    options: &'static Site,
    submitted: &'static Site,
    not_formatted: &'static Site,
    /// One for each descriptor.
    descriptors: [&'static Site; 3],
}

static IO: Lines = Lines {
    options: &sites::SEND_IO_OPTIONS,
    submitted: &sites::SEND_IO_SUBMITTED,
    not_formatted: &sites::SEND_IO_NOT_FORMATTED,
    descriptors: [&sites::SEND_IO_DESCRIPTOR; 3],
};
static IOCTL: Lines = Lines {
    options: &sites::SEND_IOCTL_OPTIONS,
    submitted: &sites::SEND_IOCTL_SUBMITTED,
    not_formatted: &sites::SEND_IOCTL_NOT_FORMATTED,
    descriptors: [&sites::SEND_IOCTL_INPUT, &sites::SEND_IOCTL_OUTPUT, &sites::SEND_IOCTL_OUTPUT],
};
static OTHERS: Lines = Lines {
    options: &sites::SEND_OTHERS_OPTIONS,
    submitted: &sites::SEND_OTHERS_SUBMITTED,
    not_formatted: &sites::SEND_OTHERS_NOT_FORMATTED,
    descriptors: [&sites::SEND_OTHERS_1, &sites::SEND_OTHERS_2, &sites::SEND_OTHERS_4],
};

impl IoTarget {
    /// `WdfIoTargetSendIoctlSynchronously`, with `request` or with one of the framework's own.
    ///
    /// The status is the lower driver's, or STATUS_INVALID_DEVICE_REQUEST above PASSIVE_LEVEL under the verifier,
    /// STATUS_INVALID_PARAMETER for options or descriptors that are no good, what the format call fails with, or what
    /// refuses the send. The driver's own completion routine is not called.
    pub fn send_ioctl_synchronously(
        self,
        m: &mut Machine,
        request: Option<Request>,
        code: IoctlCode,
        input: MemoryDescriptor,
        output: MemoryDescriptor,
        options: SendOptions,
    ) -> Synchronous {
        self.send_control(m, request, (code, false), [input, output], options)
    }

    /// `WdfIoTargetSendInternalIoctlSynchronously`. As [`IoTarget::send_ioctl_synchronously`].
    pub fn send_internal_ioctl_synchronously(
        self,
        m: &mut Machine,
        request: Option<Request>,
        code: IoctlCode,
        input: MemoryDescriptor,
        output: MemoryDescriptor,
        options: SendOptions,
    ) -> Synchronous {
        self.send_control(m, request, (code, true), [input, output], options)
    }

    fn send_control(
        self,
        m: &mut Machine,
        request: Option<Request>,
        (code, internal): (IoctlCode, bool),
        data: [MemoryDescriptor; 2],
        options: SendOptions,
    ) -> Synchronous {
        let call = Call::begin(m, self, request, ContextKind::Io, &IOCTL);
        let arguments = [self.object().handle(), call.given_handle(), code.0.into(), internal.into()];
        trace(m, call.driver, &sites::SEND_IOCTL_ENTER, arguments);
        let data = [(data[0], Transfer::Input), (data[1], Transfer::Output)];
        call.run(m, options, data, code.0.into(), |m, request, [input, output]| {
            self.fill_control(m, request, (code, internal), [input, output], Heard::default())
        })
    }

    /// `WdfIoTargetSendInternalIoctlOthersSynchronously`, with the first, second and fourth argument. As
    /// [`IoTarget::send_ioctl_synchronously`].
    pub fn send_internal_ioctl_others_synchronously(
        self,
        m: &mut Machine,
        request: Option<Request>,
        code: IoctlCode,
        arguments: [MemoryDescriptor; 3],
        options: SendOptions,
    ) -> Synchronous {
        let call = Call::begin(m, self, request, ContextKind::Others, &OTHERS);
        let [first, second, fourth] = [0, 1, 2].map(|at| arguments[at as usize].address(at + 1));
        let printed = [self.object().handle(), call.given_handle(), code.0.into(), first, second, fourth];
        trace(m, call.driver, &sites::SEND_OTHERS_ENTER, printed);
        let data = arguments.map(|argument| (argument, Transfer::Input));
        call.run(m, options, data, code.0.into(), |m, request, buffers| {
            self.fill_others(m, request, code, buffers, Heard::default())
        })
    }

    /// `WdfIoTargetSendReadSynchronously`, at this byte offset of the device. As [`IoTarget::send_ioctl_synchronously`].
    pub fn send_read_synchronously(
        self,
        m: &mut Machine,
        request: Option<Request>,
        output: MemoryDescriptor,
        offset: i64,
        options: SendOptions,
    ) -> Synchronous {
        self.send_transfer(m, request, Major::Read, (output, Transfer::Output), offset, options)
    }

    /// `WdfIoTargetSendWriteSynchronously`, at this byte offset of the device. As [`IoTarget::send_ioctl_synchronously`].
    pub fn send_write_synchronously(
        self,
        m: &mut Machine,
        request: Option<Request>,
        input: MemoryDescriptor,
        offset: i64,
        options: SendOptions,
    ) -> Synchronous {
        self.send_transfer(m, request, Major::Write, (input, Transfer::Input), offset, options)
    }

    fn send_transfer(
        self,
        m: &mut Machine,
        request: Option<Request>,
        major: Major,
        data: (MemoryDescriptor, Transfer),
        offset: i64,
        options: SendOptions,
    ) -> Synchronous {
        let call = Call::begin(m, self, request, ContextKind::Io, &IO);
        trace(m, call.driver, &sites::SEND_IO_ENTER, [self.object().handle(), call.given_handle(), major as u64]);
        call.run(m, options, [data], major as u64, |m, request, [buffer]| {
            self.fill_transfer(m, request, major, (buffer, offset), Heard::default())
        })
    }
}

/// FxSyncRequest: the request of one such call, with a context that lives as long as the call.
struct Call {
    target: IoTarget,
    driver: Driver,
    on_stack: Request,
    /// The driver's request, which goes in place of that one.
    given: Option<Request>,
    lines: &'static Lines,
}

/// Where in it the event is that its last reference sets.
const DESTROYED_EVENT: u64 = 0x110;

impl Call {
    /// What a former formatting left in the driver's request goes. That it was formatted stays in the verifier's mind.
    fn begin(
        m: &mut Machine,
        target: IoTarget,
        given: Option<Request>,
        kind: ContextKind,
        lines: &'static Lines,
    ) -> Call {
        let driver = target.body(m).driver;
        let on_stack = create_on_stack(m, driver);
        parts_of(m, on_stack).state.on_stack = true;
        let request = given.unwrap_or(on_stack);
        release_formatting(m, request);
        discard(m, request);
        parts_of(m, request).state.context = Some(FormatContext { kind, ..FormatContext::default() });
        Call { target, driver, on_stack, given, lines }
    }

    fn given_handle(&self) -> u64 {
        self.given.map_or(0, |request| request.object().handle())
    }

    /// m_TrueRequest.
    fn request(&self) -> Request {
        self.given.unwrap_or(self.on_stack)
    }

    /// Everything after the first line. `what` is what the line of a failed format call prints.
    fn run<const N: usize>(
        self,
        m: &mut Machine,
        options: SendOptions,
        data: [(MemoryDescriptor, Transfer); N],
        what: u64,
        format: impl FnOnce(&mut Machine, Request, [Buffer; N]) -> Result<(), NtStatus>,
    ) -> Synchronous {
        let limited = !options.and_synchronous().waits_without_limit();
        comply(
            m,
            self.driver,
            if limited { Act::Send } else { Act::WaitWithoutLimit },
            "WdfIoTargetSendXxxSynchronously",
        );
        let outcome = match self.check(m, options, data) {
            Ok(buffers) => {
                let formatted = format(m, self.request(), buffers);
                self.send(m, options, what, formatted)
            }
            Err(status) => {
                arguments_refused(m, self.request(), self.target, status);
                status.into()
            }
        };
        if let Some(given) = self.given {
            discard(m, given);
        }
        let address = self.on_stack.object().address();
        trace(m, self.driver, &sites::SYNC_DESTROYED, [address, address + DESTROYED_EVENT]);
        self.on_stack.release(m);
        outcome
    }

    fn check<const N: usize>(
        &self,
        m: &mut Machine,
        options: SendOptions,
        data: [(MemoryDescriptor, Transfer); N],
    ) -> Result<[Buffer; N], NtStatus> {
        let driver = self.driver;
        if !passive_level(m, self.target) {
            return Err(STATUS_INVALID_DEVICE_REQUEST);
        }
        options.validate(m, driver).inspect_err(|status| trace(m, driver, self.lines.options, [status.0.into()]))?;
        let mut buffers = [Buffer::default(); N];
        for (at, ((descriptor, way), buffer)) in data.into_iter().zip(&mut buffers).enumerate() {
            *buffer = descriptor.buffer(m, driver, self.given, way).inspect_err(|status| {
                let address = descriptor.address(at as u64 + 1);
                trace(m, driver, self.lines.descriptors[at], [address, status.0.into()]);
            })?;
        }
        Ok(buffers)
    }

    fn send(&self, m: &mut Machine, options: SendOptions, what: u64, formatted: Result<(), NtStatus>) -> Synchronous {
        let (driver, request) = (self.driver, self.request());
        if let Err(status) = formatted {
            trace(m, driver, self.lines.not_formatted, [what, status.0.into()]);
            return status.into();
        }
        let shown = parts_of(m, request).state.shown(request);
        trace(m, driver, self.lines.submitted, [self.target.object().handle(), shown]);
        let (Ok(status) | Err(status)) = submit_sync(m, request, self.target, options, false);
        end_formatting(m, request);
        let bytes_returned = request.current_irp(m).map(|irp| m[irp].io_status.information);
        Synchronous { status, bytes_returned }
    }
}
