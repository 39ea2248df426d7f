//! A request's buffers, wherever its kind and transfer method put them.
//!
//! Source: S/core/fxrequest.cpp:1295-1860, S/core/fxrequestapi.cpp:720-1235; Windows driver documentation, "Buffer
//! descriptions for I/O control codes".

use vbus_wdm::constants::*;
use vbus_wdm::{IoType, IoctlCode, IrpData, Machine, Major, Method, NtStatus, Parameters, RequestorMode, Span};

use super::{Memory, Request};
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

/// Why there is no buffer.
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
    transfer: Transfer,
    wrong_direction: &'static Site,
    too_short: &'static Site,
}

static INPUT_BUFFER: Ddi = Ddi {
    transfer: Transfer::Input,
    wrong_direction: &sites::INPUT_BUFFER_OF_READ,
    too_short: &sites::INPUT_BUFFER_TOO_SHORT,
};
static OUTPUT_BUFFER: Ddi = Ddi {
    transfer: Transfer::Output,
    wrong_direction: &sites::OUTPUT_BUFFER_OF_WRITE,
    too_short: &sites::OUTPUT_BUFFER_TOO_SHORT,
};
static INPUT_MEMORY: Ddi = Ddi { wrong_direction: &sites::INPUT_MEMORY_OF_READ, ..INPUT_BUFFER };
static OUTPUT_MEMORY: Ddi = Ddi { wrong_direction: &sites::OUTPUT_MEMORY_OF_WRITE, ..OUTPUT_BUFFER };

impl Request {
    /// `WdfRequestRetrieveInputMemory`. How long the memory is, is for its user to look at.
    ///
    /// # Errors
    /// As [`Request::buffer`].
    pub fn input_memory(self, m: &mut Machine) -> Result<Memory, NtStatus> {
        self.retrieve(m, &INPUT_MEMORY)?;
        Ok(Memory::OfRequest(self, Transfer::Input))
    }

    /// `WdfRequestRetrieveOutputMemory`.
    ///
    /// # Errors
    /// As [`Request::buffer`].
    pub fn output_memory(self, m: &mut Machine) -> Result<Memory, NtStatus> {
        self.retrieve(m, &OUTPUT_MEMORY)?;
        Ok(Memory::OfRequest(self, Transfer::Output))
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

    /// One of the request's buffers.
    ///
    /// A program's read or write on a device that is neither buffered nor direct gives a NULL pointer and its length,
    /// which is an error of whoever follows it.
    ///
    /// # Errors
    /// STATUS_BUFFER_TOO_SMALL for an empty one; STATUS_INVALID_DEVICE_REQUEST for a program's METHOD_NEITHER
    /// pointers, and for a kind of request that has no such buffer.
    #[inline]
    pub fn buffer(self, m: &mut Machine, transfer: Transfer) -> Result<Span, NtStatus> {
        self.locate(m, transfer).map_err(|trouble| trouble.status())
    }

    fn locate(self, m: &mut Machine, transfer: Transfer) -> Result<Span, Trouble> {
        let body = self.body(m);
        let (Some(irp), device) = (body.irp, body.device) else { return Err(Trouble::OtherMajor(Major::default())) };
        let data = &m[irp];
        let location = data.current();
        match (location.major, location.parameters, transfer) {
            (major, Parameters::DeviceIoControl { output_length, input_length, code, type3_input }, _) => {
                let length = if transfer == Transfer::Input { input_length } else { output_length };
                if length == 0 {
                    return Err(Trouble::EmptyControl);
                }
                let from_program = data.requestor_mode == RequestorMode::User && major == Major::DeviceControl;
                let span = match (code.method(), transfer) {
                    (Method::Neither, _) if from_program => return Err(Trouble::UserPointer(code)),
                    (Method::Neither, Transfer::Input) => type3_input,
                    (Method::Neither, Transfer::Output) => data.user_buffer,
                    (Method::InDirect | Method::OutDirect, Transfer::Output) => data.mdl,
                    _ => data.system_buffer,
                };
                // The system buffer of a buffered request is as long as the longer of the two.
                span.and_then(|span| span.part(0, length.min(span.len()))).ok_or(Trouble::NoMdl)
            }
            (Major::Read, Parameters::Transfer { .. }, Transfer::Input)
            | (Major::Write, Parameters::Transfer { .. }, Transfer::Output) => Err(Trouble::WrongDirection),
            (Major::Read | Major::Write, Parameters::Transfer { length, .. }, _) => {
                if length == 0 {
                    return Err(Trouble::EmptyTransfer);
                }
                let io_type = device.map_or(IoType::Neither, |device| io_type(m, device));
                of_transfer(&m[irp], io_type, length)
            }
            (major, _, _) => Err(Trouble::OtherMajor(major)),
        }
    }

    fn retrieve_at_least(self, m: &mut Machine, ddi: &'static Ddi, minimum: u32) -> Result<Span, NtStatus> {
        let span = self.retrieve(m, ddi)?;
        if span.len() >= minimum {
            return Ok(span);
        }
        let driver = self.driver(m);
        let status = STATUS_BUFFER_TOO_SMALL;
        let arguments = [self.0.handle(), span.len().into(), minimum.into(), status.0.into()];
        trace(m, driver, ddi.too_short, arguments);
        Err(status)
    }

    /// GetMemoryObject and GetDeviceControlOutputMemoryObject.
    fn retrieve(self, m: &mut Machine, ddi: &'static Ddi) -> Result<Span, NtStatus> {
        self.verify_not_completed(m)?;
        let located = self.locate(m, ddi.transfer);
        let Err(trouble) = located else {
            self.verify_no_user_pointer(m);
            return located.map_err(|trouble| trouble.status());
        };
        self.say(m, ddi, &trouble);
        Err(trouble.status())
    }

    /// The lines of a call that finds no buffer.
    #[cold]
    fn say(self, m: &mut Machine, ddi: &'static Ddi, trouble: &Trouble) {
        let (driver, handle, status) = (self.driver(m), self.0.handle(), u64::from(trouble.status().0));
        let device = self.device(m).map_or(0, |device| device.0.handle());
        let input = ddi.transfer == Transfer::Input;
        match *trouble {
            Trouble::WrongDirection => trace(m, driver, ddi.wrong_direction, [handle, status]),
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

    /// The verifier sees who asks for a program's own pointer, and lets it pass.
    fn verify_no_user_pointer(self, m: &mut Machine) {
        let driver = self.driver(m);
        if !driver.verifier_on(m) {
            return;
        }
        let (Some((Major::Read | Major::Write, _)), Some(device)) = (self.location_parameters(m), self.device(m))
        else {
            return;
        };
        let from_program = self.current_irp(m).is_some_and(|irp| m[irp].requestor_mode == RequestorMode::User);
        if from_program && io_type(m, device) == IoType::Neither {
            let status = STATUS_INVALID_DEVICE_REQUEST;
            trace(m, driver, &sites::TRANSFER_USER_POINTER, [device.0.handle(), self.0.handle(), status.0.into()]);
            trace(m, driver, &sites::TRANSFER_USER_POINTER_HINT, []);
            debug_break(m, driver);
        }
    }
}

/// Where the data of a read or write is.
fn of_transfer(data: &IrpData, io_type: IoType, length: u32) -> Result<Span, Trouble> {
    match io_type {
        IoType::Buffered => data.system_buffer,
        IoType::Direct => data.mdl,
        IoType::Neither if data.requestor_mode == RequestorMode::User => Some(Span::null(length)),
        IoType::Neither => data.user_buffer,
    }
    .ok_or(Trouble::NoMdl)
}

pub(super) fn io_type(m: &Machine, device: Device) -> IoType {
    device.peek_device_object(m).map_or(IoType::Neither, |object| m[object].io_type)
}
