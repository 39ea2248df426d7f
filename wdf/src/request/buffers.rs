//! A request's buffers, wherever its kind and transfer method put them.
//!
//! Source: S/core/fxrequest.cpp:1295-1860, S/core/fxrequestapi.cpp:720-1235; Windows driver documentation, "Buffer
//! descriptions for I/O control codes".

use vbus_wdm::constants::*;
use vbus_wdm::{IoType, IoctlCode, Irp, Machine, Major, Method, NtStatus, Parameters, RequestorMode, Span};

use super::{Memory, Ownership, Request};
use crate::compliance::{Act, comply};
use crate::device::Device;
use crate::framework::trace;
use crate::object::Handle;
use crate::trace::{Site, sites};
use crate::verifier::debug_break;

/// Which of a request's two buffers is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transfer {
    /// What the sender gives.
    Input,
    /// What the sender wants.
    Output,
}

/// Where the data of a dispatched IRP was when it came.
#[derive(Clone, Copy, Default)]
pub(super) struct OwnBuffers {
    /// It is known.
    assigned: bool,
    system_buffer: Option<Span>,
    user_buffer: Option<Span>,
    /// The MDLs that were mapped, of a direct read or write and of a control request's output.
    system_mdl: Option<Span>,
    output_mdl: Option<Span>,
    /// The one MDL that the framework made for the system buffer.
    pub(super) allocated_mdl: Option<Span>,
}

impl OwnBuffers {
    /// Where one of a control request's two memories is, by its transfer method; the framework never looked for those of
    /// a request that was not dispatched.
    fn of_control(&self, code: IoctlCode, type3_input: Option<Span>, which: Transfer) -> Option<Span> {
        match (code.method(), which) {
            (Method::Buffered, _) | (Method::InDirect | Method::OutDirect, Transfer::Input) => self.system_buffer,
            (Method::InDirect | Method::OutDirect, Transfer::Output) => self.output_mdl,
            (Method::Neither, Transfer::Input) => type3_input.filter(|_| self.assigned),
            (Method::Neither, Transfer::Output) => self.user_buffer,
        }
    }

    /// Where the MDL of this memory is, if it has one: beside what it describes.
    pub(super) fn mdl_address(self, which: Transfer) -> u64 {
        const MDL_OFFSET: u64 = 0x800;
        let mdl = if which == Transfer::Input { self.system_mdl } else { self.output_mdl };
        mdl.map_or(0, |mdl| mdl.address() + MDL_OFFSET)
    }
}

/// Why there is no buffer.
#[derive(Clone, Copy)]
enum Trouble {
    /// The input of a read, the output of a write.
    WrongDirection,
    /// An IOCTL's buffer of no length.
    EmptyControl,
    /// A read or write of nothing.
    EmptyTransfer,
    /// A program's own pointer, which a driver may not follow.
    UserPointer(IoctlCode),
    /// A direct request without an MDL.
    NoMdl,
    /// Neither a control request nor a read or write.
    OtherMajor(Major),
}

impl Trouble {
    fn status(&self) -> NtStatus {
        match self {
            Trouble::EmptyControl | Trouble::EmptyTransfer | Trouble::NoMdl => STATUS_BUFFER_TOO_SMALL,
            Trouble::WrongDirection | Trouble::UserPointer(_) | Trouble::OtherMajor(_) => STATUS_INVALID_DEVICE_REQUEST,
        }
    }
}

/// The calls that have the same answers and print them by their own names.
struct Ddi {
    name: &'static str,
    transfer: Transfer,
    wrong_direction: &'static Site,
    too_short: &'static Site,
}

static INPUT_BUFFER: Ddi = Ddi {
    name: "WdfRequestRetrieveInputBuffer",
    transfer: Transfer::Input,
    wrong_direction: &sites::INPUT_BUFFER_OF_READ,
    too_short: &sites::INPUT_BUFFER_TOO_SHORT,
};
static OUTPUT_BUFFER: Ddi = Ddi {
    name: "WdfRequestRetrieveOutputBuffer",
    transfer: Transfer::Output,
    wrong_direction: &sites::OUTPUT_BUFFER_OF_WRITE,
    too_short: &sites::OUTPUT_BUFFER_TOO_SHORT,
};
static INPUT_MEMORY: Ddi =
    Ddi { name: "WdfRequestRetrieveInputMemory", wrong_direction: &sites::INPUT_MEMORY_OF_READ, ..INPUT_BUFFER };
static OUTPUT_MEMORY: Ddi =
    Ddi { name: "WdfRequestRetrieveOutputMemory", wrong_direction: &sites::OUTPUT_MEMORY_OF_WRITE, ..OUTPUT_BUFFER };

impl Request {
    /// `WdfRequestRetrieveInputMemory`. How long the memory is, is for its user to look at.
    ///
    /// # Errors
    /// As [`Request::buffer`].
    pub fn input_memory(self, m: &mut Machine) -> Result<Memory, NtStatus> {
        self.retrieve(m, &INPUT_MEMORY).map(|(_, which)| Memory::OfRequest(self, which))
    }

    /// `WdfRequestRetrieveOutputMemory`.
    ///
    /// # Errors
    /// As [`Request::buffer`].
    pub fn output_memory(self, m: &mut Machine) -> Result<Memory, NtStatus> {
        self.retrieve(m, &OUTPUT_MEMORY).map(|(_, which)| Memory::OfRequest(self, which))
    }

    /// `WdfRequestRetrieveInputBuffer` with this minimum length in bytes.
    ///
    /// # Errors
    /// As [`Request::buffer`], and STATUS_BUFFER_TOO_SMALL for a shorter one.
    pub fn input_buffer(self, m: &mut Machine, minimum: u32) -> Result<Span, NtStatus> {
        self.retrieve_at_least(m, &INPUT_BUFFER, minimum)
    }

    /// `WdfRequestRetrieveOutputBuffer` with this minimum length in bytes.
    ///
    /// # Errors
    /// As [`Request::buffer`], and STATUS_BUFFER_TOO_SMALL for a shorter one.
    pub fn output_buffer(self, m: &mut Machine, minimum: u32) -> Result<Span, NtStatus> {
        self.retrieve_at_least(m, &OUTPUT_BUFFER, minimum)
    }

    /// One of the request's buffers, without a DDI's checks.
    ///
    /// A program's read or write on a device that is neither buffered nor direct gives a NULL pointer and its length,
    /// which is an error of whoever follows it; so does a control request of the driver's own, whose buffers the
    /// framework never looked for.
    ///
    /// # Errors
    /// STATUS_BUFFER_TOO_SMALL for an empty one; STATUS_INVALID_DEVICE_REQUEST for a program's METHOD_NEITHER
    /// pointers, and for a kind of request that has no such buffer.
    #[inline]
    pub fn buffer(self, m: &mut Machine, transfer: Transfer) -> Result<Span, NtStatus> {
        self.locate(m, transfer).map(|(span, _)| span).map_err(|trouble| trouble.status())
    }

    /// The memory that holds this half of the request's data, and what it holds, without a DDI's checks. A read or write
    /// has one memory for all of it, which lies where a control request's input does.
    ///
    /// # Errors
    /// As [`Request::buffer`].
    ///
    /// Source: S/core/fxrequest.cpp:1299-1530 (GetMemoryObject serves both directions).
    #[inline]
    pub fn own_memory(self, m: &mut Machine, transfer: Transfer) -> Result<(Memory, Span), NtStatus> {
        let located = self.locate(m, transfer).map_err(|trouble| trouble.status());
        located.map(|(span, which)| (Memory::OfRequest(self, which), span))
    }

    /// What one of the request's two memories holds.
    pub(super) fn memory_span(self, m: &mut Machine, which: Transfer) -> Result<Span, NtStatus> {
        let transfer = match self.location_parameters(m) {
            Some((Major::Read, _)) => Transfer::Output,
            Some((Major::Write, _)) => Transfer::Input,
            _ => which,
        };
        self.buffer(m, transfer)
    }

    /// AssignMemoryBuffers: where the IRP's data is when it is dispatched, which is where the request's memories stay.
    ///
    /// Source: S/inc/private/common/fxrequest.hpp:1377-1500.
    #[inline]
    pub(super) fn assign_buffers(self, m: &mut Machine, irp: Irp) {
        let data = &m[irp];
        let (system_buffer, user_buffer) = (data.system_buffer, data.user_buffer);
        let body = self.body(m);
        if !body.own_buffers.assigned && body.ownership == Ownership::FromIo {
            body.own_buffers = OwnBuffers { assigned: true, system_buffer, user_buffer, ..OwnBuffers::default() };
        }
    }

    /// Whether the framework knows this memory: it prints no other one.
    pub(super) fn knows_memory(self, m: &mut Machine, which: Transfer) -> bool {
        let Some((major, parameters)) = self.location_parameters(m) else { return false };
        let from_program = self.current_irp(m).is_some_and(|irp| m[irp].requestor_mode == RequestorMode::User);
        let body = self.body(m);
        let (own, device) = (body.own_buffers, body.device);
        let buffer = match parameters {
            Parameters::DeviceIoControl { code, .. }
                if code.method() == Method::Neither && from_program && major == Major::DeviceControl =>
            {
                None
            }
            Parameters::DeviceIoControl { code, type3_input, .. } => own.of_control(code, type3_input, which),
            Parameters::Transfer { .. } if which == Transfer::Input => match device.map(|device| io_type(m, device)) {
                Some(IoType::Buffered) => own.system_buffer,
                Some(IoType::Direct) => own.system_mdl,
                Some(IoType::Neither) => own.user_buffer.filter(|_| !from_program),
                None => None,
            },
            _ => None,
        };
        buffer.is_some()
    }

    /// The data, and which of the request's two memories holds it.
    fn locate(self, m: &mut Machine, transfer: Transfer) -> Result<(Span, Transfer), Trouble> {
        let body = self.body(m);
        let (device, own) = (body.device, body.own_buffers);
        let Some(irp) = body.irp else { return Err(Trouble::OtherMajor(Major::default())) };
        let data = &m[irp];
        let (location, from_program) = (data.current(), data.requestor_mode == RequestorMode::User);
        match (location.major, location.parameters, transfer) {
            (major, Parameters::DeviceIoControl { output_length, input_length, code, type3_input }, _) => {
                let input = transfer == Transfer::Input;
                let length = if input { input_length } else { output_length };
                let mdl = data.mdl;
                match code.method() {
                    _ if length == 0 => Err(Trouble::EmptyControl),
                    Method::Neither if from_program && major == Major::DeviceControl => Err(Trouble::UserPointer(code)),
                    Method::InDirect | Method::OutDirect if !input => self.mapped(m, mdl, transfer, length),
                    _ => {
                        let buffer = own.of_control(code, type3_input, transfer);
                        Ok((pointer(buffer, length), transfer))
                    }
                }
            }
            // The lengths lie where the first two arguments are.
            (_, Parameters::Others { argument1: None, .. }, Transfer::Output)
            | (_, Parameters::Others { argument2: None, .. }, Transfer::Input) => Err(Trouble::EmptyControl),
            (_, Parameters::Others { .. }, _) => m.undefined(
                "WdfRequestRetrieveInputBuffer",
                "a control request with three arguments of its own has no buffers: their lengths are parts of pointers",
            ),
            (Major::Read, Parameters::Transfer { .. }, Transfer::Input)
            | (Major::Write, Parameters::Transfer { .. }, Transfer::Output) => Err(Trouble::WrongDirection),
            (Major::Read | Major::Write, Parameters::Transfer { length, .. }, _) => {
                let mdl = data.mdl;
                match device.map_or(IoType::Neither, |device| io_type(m, device)) {
                    _ if length == 0 => Err(Trouble::EmptyTransfer),
                    IoType::Direct => self.mapped(m, mdl, Transfer::Input, length),
                    IoType::Buffered => Ok((pointer(own.system_buffer, length), Transfer::Input)),
                    // A program's own pointer is nobody's memory.
                    IoType::Neither => {
                        let buffer = own.user_buffer.filter(|_| !from_program);
                        Ok((pointer(buffer, length), Transfer::Input))
                    }
                }
            }
            (major, _, _) => Err(Trouble::OtherMajor(major)),
        }
    }

    /// The pages of an MDL. Those that were mapped first stay the request's, whatever MDL its IRP has later.
    fn mapped(
        self,
        m: &mut Machine,
        mdl: Option<Span>,
        which: Transfer,
        length: u32,
    ) -> Result<(Span, Transfer), Trouble> {
        let own = &mut self.body(m).own_buffers;
        let known = if which == Transfer::Input { &mut own.system_mdl } else { &mut own.output_mdl };
        let span = known.or(mdl).ok_or(Trouble::NoMdl)?;
        *known = Some(span);
        Ok((pointer(Some(span), length), which))
    }

    fn retrieve_at_least(self, m: &mut Machine, ddi: &'static Ddi, minimum: u32) -> Result<Span, NtStatus> {
        let (span, _) = self.retrieve(m, ddi)?;
        if span.len() >= minimum {
            return Ok(span);
        }
        let driver = self.driver(m);
        let status = STATUS_BUFFER_TOO_SMALL;
        let arguments = [self.0.handle(), span.len().into(), minimum.into(), status.0.into()];
        trace(m, driver, ddi.too_short, arguments);
        Err(status)
    }

    /// GetMemoryObject and GetDeviceControlOutputMemoryObject. The major function is looked at first: a request without
    /// an IRP has none.
    fn retrieve(self, m: &mut Machine, ddi: &'static Ddi) -> Result<(Span, Transfer), NtStatus> {
        self.require_irp(m, ddi.name);
        let located = self.locate(m, ddi.transfer);
        if !matches!(located, Err(Trouble::WrongDirection)) {
            self.verify_not_completed(m)?;
            let refused = self.verify_no_user_pointer(m);
            if located.is_ok() {
                refused?;
            }
        }
        located.map_err(|trouble| {
            self.say(m, ddi, &trouble);
            trouble.status()
        })
    }

    /// The lines of a call that finds no buffer.
    #[cold]
    fn say(self, m: &mut Machine, ddi: &'static Ddi, trouble: &Trouble) {
        let (driver, handle, status) = (self.driver(m), self.0.handle(), u64::from(trouble.status().0));
        let device = self.device(m).map_or(0, |device| device.0.handle());
        let input = ddi.transfer == Transfer::Input;
        match *trouble {
            Trouble::WrongDirection => {
                comply(m, driver, Act::AskWrongBuffer(ddi.transfer), ddi.name);
                trace(m, driver, ddi.wrong_direction, [handle, status]);
            }
            Trouble::EmptyControl if input => trace(m, driver, &sites::INPUT_LENGTH_ZERO, [handle, status]),
            Trouble::EmptyControl => trace(m, driver, &sites::OUTPUT_LENGTH_ZERO, [handle, status]),
            Trouble::EmptyTransfer => trace(m, driver, &sites::TRANSFER_LENGTH_ZERO, [handle, status]),
            Trouble::UserPointer(code) if input => {
                trace(m, driver, &sites::INPUT_USER_POINTER, [code.0.into(), device, handle, status]);
                trace(m, driver, &sites::INPUT_USER_POINTER_HINT, [status]);
            }
            Trouble::UserPointer(code) => {
                trace(m, driver, &sites::OUTPUT_USER_POINTER, [code.0.into(), device, handle, status]);
                trace(m, driver, &sites::OUTPUT_USER_POINTER_HINT, []);
            }
            Trouble::NoMdl if input => trace(m, driver, &sites::TRANSFER_NO_MDL, [handle, status]),
            Trouble::NoMdl => trace(m, driver, &sites::OUTPUT_NO_MDL, [handle, status]),
            Trouble::OtherMajor(major) => {
                trace(m, driver, &sites::MEMORY_OTHER_MAJOR, [major as u64, device, handle]);
                debug_break(m, driver);
            }
        }
    }

    /// Under the verifier nobody gets a program's own pointer for a read or write.
    fn verify_no_user_pointer(self, m: &mut Machine) -> Result<(), NtStatus> {
        let driver = self.driver(m);
        if !driver.verifier_on(m) {
            return Ok(());
        }
        let (Some((Major::Read | Major::Write, _)), Some(device)) = (self.location_parameters(m), self.device(m))
        else {
            return Ok(());
        };
        let from_program = self.current_irp(m).is_some_and(|irp| m[irp].requestor_mode == RequestorMode::User);
        if !from_program || io_type(m, device) != IoType::Neither {
            return Ok(());
        }
        let status = STATUS_INVALID_DEVICE_REQUEST;
        trace(m, driver, &sites::TRANSFER_USER_POINTER, [device.0.handle(), self.0.handle(), status.0.into()]);
        trace(m, driver, &sites::TRANSFER_USER_POINTER_HINT, []);
        debug_break(m, driver);
        Err(status)
    }
}

/// A pointer and the length that the request says, or what there is of it.
fn pointer(span: Option<Span>, length: u32) -> Span {
    span.and_then(|span| span.part(0, length.min(span.len()))).unwrap_or(Span::null(length))
}

pub(super) fn io_type(m: &Machine, device: Device) -> IoType {
    device.peek_device_object(m).map_or(IoType::Neither, |object| m[object].io_type)
}
