//! A request's MDLs, and a program's own pointers in the program's own context.
//!
//! Source: S/core/km/fxrequestkm.cpp:60-590 (GetMdl, GetDeviceControlOutputMdl), S/core/fxrequestapi.cpp:1236-1850.

use vbus_wdm::constants::*;
use vbus_wdm::{IoType, Machine, Major, Method, NtStatus, Parameters, Span};

use super::buffers::io_type;
use super::{Request, Transfer};
use crate::framework::trace;
use crate::object::Handle;
use crate::trace::{Site, sites};
use crate::verifier::{debug_break, passive_level};

/// The lines of GetMdl and GetDeviceControlOutputMdl.
struct Sites {
    user_pointer: &'static Site,
    user_pointer_hint: &'static Site,
    no_buffer: &'static Site,
    empty: &'static Site,
}

static ANY: Sites = Sites {
    user_pointer: &sites::MDL_USER_POINTER,
    user_pointer_hint: &sites::MDL_USER_POINTER_HINT,
    no_buffer: &sites::MDL_NO_BUFFER,
    empty: &sites::MDL_EMPTY,
};

static OUTPUT: Sites = Sites {
    user_pointer: &sites::OUTPUT_MDL_USER_POINTER,
    user_pointer_hint: &sites::OUTPUT_MDL_USER_POINTER_HINT,
    no_buffer: &sites::OUTPUT_MDL_NO_BUFFER,
    empty: &sites::OUTPUT_MDL_EMPTY,
};

impl Request {
    /// `WdfRequestRetrieveInputWdmMdl`: the pages of the input, for a buffered request those of the system buffer.
    ///
    /// # Errors
    /// STATUS_BUFFER_TOO_SMALL for none; STATUS_INVALID_DEVICE_REQUEST for a read, and for a program's own pointers.
    pub fn input_mdl(self, m: &mut Machine) -> Result<Span, NtStatus> {
        self.mdl(m, Transfer::Input)
    }

    /// `WdfRequestRetrieveOutputWdmMdl`: the same for the output.
    ///
    /// # Errors
    /// As [`Request::input_mdl`], for a write.
    pub fn output_mdl(self, m: &mut Machine) -> Result<Span, NtStatus> {
        self.mdl(m, Transfer::Output)
    }

    fn mdl(self, m: &mut Machine, transfer: Transfer) -> Result<Span, NtStatus> {
        let input = transfer == Transfer::Input;
        self.require_irp(m, if input { "WdfRequestRetrieveInputWdmMdl" } else { "WdfRequestRetrieveOutputWdmMdl" });
        let driver = self.driver(m);
        let location = self.location_parameters(m);
        let wrong = match (location, transfer) {
            (Some((Major::Read, _)), Transfer::Input) => Some(&sites::INPUT_MDL_OF_READ),
            (Some((Major::Write, _)), Transfer::Output) => Some(&sites::OUTPUT_MDL_OF_WRITE),
            _ => None,
        };
        if let Some(site) = wrong {
            let status = STATUS_INVALID_DEVICE_REQUEST;
            trace(m, driver, site, [self.0.handle(), status.0.into()]);
            return Err(status);
        }
        self.verify_not_completed(m)?;
        match location {
            Some((_, Parameters::DeviceIoControl { .. })) => self.control_mdl(m, transfer),
            Some((_, Parameters::Others { .. })) => m.undefined(
                "WdfRequestRetrieveInputWdmMdl",
                "a control request with three arguments of its own has no buffers: their lengths are parts of pointers",
            ),
            Some((major, Parameters::Transfer { length, .. })) => self.transfer_mdl(m, major, Some(length)),
            Some((major, _)) => self.transfer_mdl(m, major, None),
            None => Err(STATUS_INVALID_PARAMETER),
        }
    }

    fn control_mdl(self, m: &mut Machine, transfer: Transfer) -> Result<Span, NtStatus> {
        let (driver, handle) = (self.driver(m), self.0.handle());
        let device = self.device(m).map_or(0, |device| device.0.handle());
        let Some((_, Parameters::DeviceIoControl { code, input_length, output_length, .. })) =
            self.location_parameters(m)
        else {
            return Err(STATUS_INVALID_DEVICE_REQUEST);
        };
        let Some(irp) = self.current_irp(m) else { return Err(STATUS_INVALID_DEVICE_REQUEST) };
        let (lines, length) = match transfer {
            Transfer::Input => (&ANY, input_length),
            Transfer::Output => (&OUTPUT, output_length),
        };
        match (code.method(), transfer) {
            (Method::Neither, _) => {
                let status = STATUS_INVALID_DEVICE_REQUEST;
                trace(m, driver, lines.user_pointer, [code.0.into(), device, handle, status.0.into()]);
                trace(m, driver, lines.user_pointer_hint, []);
                Err(status)
            }
            (method @ (Method::InDirect | Method::OutDirect), Transfer::Output) => {
                let in_direct = method == Method::InDirect;
                let site = if in_direct { &sites::OUTPUT_MDL_IN_DIRECT } else { &sites::OUTPUT_MDL_OUT_DIRECT };
                let mdl = m[irp].mdl;
                self.or_too_small(m, mdl, site)
            }
            _ => {
                let buffer = m[irp].system_buffer;
                self.of_system_buffer(m, buffer, length, lines)
            }
        }
    }

    /// Everything but control requests goes by the device's I/O type. Only a read or write has a length.
    fn transfer_mdl(self, m: &mut Machine, major: Major, length: Option<u32>) -> Result<Span, NtStatus> {
        let (driver, handle) = (self.driver(m), self.0.handle());
        let (Some(irp), Some(device)) = (self.current_irp(m), self.device(m)) else {
            return Err(STATUS_INVALID_DEVICE_REQUEST);
        };
        match io_type(m, device) {
            IoType::Buffered => {
                let Some(length) = length else {
                    let status = STATUS_INVALID_PARAMETER;
                    let arguments = [handle, major as u64, device.0.handle(), status.0.into()];
                    trace(m, driver, &sites::MDL_OTHER_MAJOR, arguments);
                    return Err(status);
                };
                let buffer = m[irp].system_buffer;
                self.of_system_buffer(m, buffer, length, &ANY)
            }
            IoType::Direct => {
                let mdl = m[irp].mdl;
                self.or_too_small(m, mdl, &sites::MDL_DIRECT_NONE)
            }
            IoType::Neither => {
                let status = STATUS_INVALID_DEVICE_REQUEST;
                trace(m, driver, &sites::MDL_NEITHER, [device.0.handle(), handle, status.0.into()]);
                trace(m, driver, &sites::MDL_NEITHER_HINT, []);
                debug_break(m, driver);
                Err(status)
            }
        }
    }

    fn of_system_buffer(
        self,
        m: &mut Machine,
        buffer: Option<Span>,
        length: u32,
        lines: &'static Sites,
    ) -> Result<Span, NtStatus> {
        let buffer = self.or_too_small(m, buffer, lines.no_buffer)?;
        let part = buffer.part(0, length.min(buffer.len())).filter(|part| !part.is_empty());
        let part = self.or_too_small(m, part, lines.empty)?;
        // A request has one MDL of the framework's: whoever asks first, says how long it is.
        Ok(*self.body(m).own_buffers.allocated_mdl.get_or_insert(part))
    }

    fn or_too_small(self, m: &mut Machine, found: Option<Span>, site: &'static Site) -> Result<Span, NtStatus> {
        let status = STATUS_BUFFER_TOO_SMALL;
        if found.is_none() {
            let driver = self.driver(m);
            trace(m, driver, site, [self.0.handle(), status.0.into()]);
        }
        found.ok_or(status)
    }

    /// `WdfRequestRetrieveUnsafeUserInputBuffer`, in EvtIoInCallerContext: a program's own pointer for a METHOD_NEITHER
    /// control request or a write on a device that is neither buffered nor direct.
    ///
    /// # Errors
    /// STATUS_INVALID_DEVICE_REQUEST for every other request and, under the verifier, outside that callback and above
    /// PASSIVE_LEVEL; STATUS_BUFFER_TOO_SMALL for less than `minimum` bytes.
    pub fn unsafe_user_input_buffer(self, m: &mut Machine, minimum: u32) -> Result<Option<Span>, NtStatus> {
        self.unsafe_user_buffer(m, Transfer::Input, minimum)
    }

    /// `WdfRequestRetrieveUnsafeUserOutputBuffer`: the same for the output, and for a read.
    ///
    /// # Errors
    /// As [`Request::unsafe_user_input_buffer`].
    pub fn unsafe_user_output_buffer(self, m: &mut Machine, minimum: u32) -> Result<Option<Span>, NtStatus> {
        self.unsafe_user_buffer(m, Transfer::Output, minimum)
    }

    fn unsafe_user_buffer(self, m: &mut Machine, transfer: Transfer, minimum: u32) -> Result<Option<Span>, NtStatus> {
        let refused = STATUS_INVALID_DEVICE_REQUEST;
        if !passive_level(m, self) || !self.verify_in_caller_context(m) {
            return Err(refused);
        }
        let driver = self.driver(m);
        let input = transfer == Transfer::Input;
        let neither = self.device(m).is_some_and(|device| io_type(m, device) == IoType::Neither);
        let data = self.current_irp(m).map(|irp| (m[irp].user_buffer, m[irp].current().parameters));
        let major = self.location_parameters(m).map(|(major, _)| major);
        let (pointer, length) = match (major, data) {
            (Some(Major::Read), _) if input => return self.refuse(m, &sites::UNSAFE_INPUT_OF_READ),
            (Some(Major::Write), _) if !input => return self.refuse(m, &sites::UNSAFE_OUTPUT_OF_WRITE),
            (Some(Major::InternalDeviceControl), _) => {
                return self
                    .refuse(m, if input { &sites::UNSAFE_INPUT_INTERNAL } else { &sites::UNSAFE_OUTPUT_INTERNAL });
            }
            (
                Some(Major::DeviceControl),
                Some((user, Parameters::DeviceIoControl { code, input_length, output_length, type3_input })),
            ) if code.method() == Method::Neither => {
                if input {
                    (type3_input, input_length)
                } else {
                    (user, output_length)
                }
            }
            (Some(Major::Read | Major::Write), Some((user, Parameters::Transfer { length, .. }))) if neither => {
                (user, length)
            }
            _ => {
                let site = if input { &sites::UNSAFE_INPUT_NOT_NEITHER } else { &sites::UNSAFE_OUTPUT_NOT_NEITHER };
                trace(m, driver, site, [self.0.handle(), refused.0.into()]);
                if input {
                    debug_break(m, driver);
                }
                return Err(refused);
            }
        };
        if length < minimum {
            let status = STATUS_BUFFER_TOO_SMALL;
            // An IOCTL's input has a line of its own kind of number.
            let control_input = input && major == Some(Major::DeviceControl);
            let site = match (input, control_input) {
                (_, true) => &sites::UNSAFE_CONTROL_INPUT_TOO_SHORT,
                (true, _) => &sites::UNSAFE_INPUT_TOO_SHORT,
                (false, _) => &sites::UNSAFE_OUTPUT_TOO_SHORT,
            };
            trace(m, driver, site, [self.0.handle(), length.into(), minimum.into(), status.0.into()]);
            return Err(status);
        }
        Ok(pointer)
    }

    fn refuse<T>(self, m: &mut Machine, site: &'static Site) -> Result<T, NtStatus> {
        let (driver, status) = (self.driver(m), STATUS_INVALID_DEVICE_REQUEST);
        trace(m, driver, site, [self.0.handle(), status.0.into()]);
        Err(status)
    }
}
