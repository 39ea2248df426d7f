//! `SmartcardDeviceControl`: checks a request, answers it or has it answered, and completes its IRP.

use vbus_wdm::constants::*;
use vbus_wdm::{IoctlCode, Irp, IrpData, Machine, Method, NtStatus, Parameters, Span};

use super::{
    IO_REQUEST, OsData, PowerAction, ReaderFunction, ReaderFunctions, ReaderState, SMCLIB_VERSION_REQUIRED, Smartcard,
    SmartcardExtension,
};
use crate::ioctl::*;

/// What a driver owes the library before anything else.
pub(super) const NOT_INITIALIZED: &str = "SmartcardInitialize is called before any other routine of the library";

/// One of the library's codes: what its buffers have at least, and who answers.
struct Rule {
    code: IoctlCode,
    input: u32,
    output: u32,
    answer: fn(&mut Machine, Smartcard) -> NtStatus,
}

/// An input that is too short is STATUS_INVALID_PARAMETER and an output that is too short STATUS_BUFFER_TOO_SMALL: which
/// of the documented ones the library answers for which code, is not.
const RULES: [Rule; 14] = [
    Rule { code: IOCTL_SMARTCARD_POWER, input: 4, output: 0, answer: power },
    Rule { code: IOCTL_SMARTCARD_GET_ATTRIBUTE, input: 4, output: 1, answer: get_attribute },
    Rule { code: IOCTL_SMARTCARD_SET_ATTRIBUTE, input: 4, output: 0, answer: set_attribute },
    Rule { code: IOCTL_SMARTCARD_CONFISCATE, input: 0, output: 0, answer: |m, s| call(m, s, |f| f.card_confiscate) },
    Rule { code: IOCTL_SMARTCARD_TRANSMIT, input: IO_REQUEST + 1, output: IO_REQUEST, answer: transmit },
    Rule { code: IOCTL_SMARTCARD_EJECT, input: 0, output: 0, answer: |m, s| call(m, s, |f| f.card_eject) },
    Rule { code: IOCTL_SMARTCARD_SWALLOW, input: 0, output: 0, answer: |m, s| call(m, s, |f| f.reader_swallow) },
    Rule { code: IOCTL_SMARTCARD_IS_PRESENT, input: 0, output: 0, answer: |m, s| track(m, s, true) },
    Rule { code: IOCTL_SMARTCARD_IS_ABSENT, input: 0, output: 0, answer: |m, s| track(m, s, false) },
    Rule { code: IOCTL_SMARTCARD_SET_PROTOCOL, input: 4, output: 4, answer: set_protocol },
    Rule { code: IOCTL_SMARTCARD_GET_STATE, input: 0, output: 4, answer: get_state },
    Rule { code: IOCTL_SMARTCARD_GET_LAST_ERROR, input: 0, output: 4, answer: get_last_error },
    // Checked builds only.
    Rule { code: IOCTL_SMARTCARD_GET_PERF_CNTR, input: 0, output: 0, answer: |_, _| STATUS_NOT_SUPPORTED },
    // Any other code.
    Rule { code: IoctlCode(0), input: 0, output: 0, answer: |m, s| call(m, s, |f| f.ioctl_vendor) },
];

impl Smartcard {
    /// `SmartcardDeviceControl`: handles the request in the IRP's current location and completes the IRP there, unless a
    /// callback leaves it pending. Requests run one at a time; one that comes while another runs waits for its turn, which
    /// in Windows its thread does in this call. PASSIVE_LEVEL.
    ///
    /// Returns the request's status, or STATUS_PENDING.
    ///
    /// Source: Windows driver documentation, SmartcardDeviceControl (WDM). One page says that the routine returns without
    /// completing for bad parameters; pscrnt.c depends on that it always completes, and so it is here.
    pub fn device_control(self, m: &mut Machine, irp: Irp) -> NtStatus {
        let request = Incoming::of(&m[irp]);
        let now = m.now().0;
        let extension = self.extension(m);
        let version = extension.version;
        let Some(os_data) = &mut extension.os_data else {
            m.undefined("SmartcardDeviceControl", NOT_INITIALIZED);
        };
        if os_data.running {
            os_data.waiting.push_back(irp);
            irp.mark_pending(m);
            return STATUS_PENDING;
        }
        let accepted = if version < SMCLIB_VERSION_REQUIRED { Err(STATUS_UNSUCCESSFUL) } else { request };
        let accepted = accepted.and_then(|request| request.begin(extension, irp, now));
        let status = match accepted {
            Ok(rule) => (rule.answer)(m, self),
            // Nothing of the request that pends is touched.
            Err(status) => return irp.complete_with(m, status, 0),
        };
        if status != STATUS_PENDING {
            self.complete(m, irp, status);
        }
        let os_data = self.os_data(m);
        os_data.running = false;
        if let Some(next) = os_data.waiting.pop_front() {
            self.device_control(m, next);
        }
        status
    }

    /// Ends the request that a callback left pending. Must not be called inside the callback.
    pub fn complete_pending(self, m: &mut Machine, status: NtStatus) {
        let extension = self.extension(m);
        if let Some(irp) = extension.current_irp() {
            extension.last_error = status;
            self.complete(m, irp, status);
        }
    }

    fn os_data(self, m: &mut Machine) -> &mut OsData {
        let exit = m.exit();
        match &mut self.extension(m).os_data {
            Some(os_data) => os_data,
            None => exit.undefined("SmartcardDeviceControl", NOT_INITIALIZED),
        }
    }

    /// Stores status and Information and completes. Whoever gets the IRP may send the next request at once.
    fn complete(self, m: &mut Machine, irp: Irp, status: NtStatus) {
        let now = m.now().0;
        let extension = self.extension(m);
        let information = if status.is_success() { extension.io_request.information } else { 0 };
        if extension.major_io_control_code == IOCTL_SMARTCARD_TRANSMIT && status.is_success() {
            extension.count_transmission(now);
        }
        if let Some(os_data) = &mut extension.os_data {
            os_data.current_irp = None;
        }
        irp.complete_with(m, status, information.into());
    }

    /// The word that a request begins with. Every rule that needs one says so in its input length.
    fn word(self, m: &mut Machine, at: u32) -> Result<u32, NtStatus> {
        let request = self.extension(m).io_request.request;
        let word = request.and_then(|request| request.part(at, 4)).ok_or(STATUS_INVALID_PARAMETER)?;
        let bytes = m.bytes(word);
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// Writes an answer, if it fits.
    ///
    /// # Errors
    /// STATUS_BUFFER_TOO_SMALL.
    pub fn reply(self, m: &mut Machine, bytes: &[u8]) -> Result<(), NtStatus> {
        let reply = self.extension(m).io_request.reply;
        let length = u32::try_from(bytes.len()).map_err(|_| STATUS_BUFFER_TOO_SMALL)?;
        let place = match (reply, length) {
            (None, 0) => return Ok(()),
            (reply, _) => reply.and_then(|reply| reply.part(0, length)).ok_or(STATUS_BUFFER_TOO_SMALL)?,
        };
        m.bytes_mut(place).copy_from_slice(bytes);
        self.extension(m).io_request.information = length;
        Ok(())
    }
}

/// What a control IRP says.
struct Incoming {
    code: IoctlCode,
    input_length: u32,
    output_length: u32,
    request: Option<Span>,
    reply: Option<Span>,
}

impl Incoming {
    fn of(irp: &IrpData) -> Result<Incoming, NtStatus> {
        let Parameters::DeviceIoControl { output_length, input_length, code, type3_input } = irp.current().parameters
        else {
            return Err(STATUS_INVALID_DEVICE_REQUEST);
        };
        let part = |span: Option<Span>, length: u32| span.and_then(|span| span.part(0, length.min(span.len())));
        let (request, reply) = match code.method() {
            Method::Buffered => (irp.system_buffer, irp.system_buffer),
            Method::InDirect | Method::OutDirect => (irp.system_buffer, irp.mdl),
            Method::Neither => (type3_input, irp.user_buffer),
        };
        let (request, reply) = (part(request, input_length), part(reply, output_length));
        Ok(Incoming { code, input_length, output_length, request, reply })
    }

    /// Checks the request and puts it into the extension, which it has from now on.
    fn begin(self, extension: &mut SmartcardExtension, irp: Irp, now: u64) -> Result<&'static Rule, NtStatus> {
        let rule = rule_for(self.code);
        if extension.current_irp().is_some() {
            return Err(STATUS_DEVICE_BUSY);
        }
        if self.input_length < rule.input {
            return Err(STATUS_INVALID_PARAMETER);
        }
        if self.output_length < rule.output {
            return Err(STATUS_BUFFER_TOO_SMALL);
        }
        extension.major_io_control_code = self.code;
        extension.minor_io_control_code = 0;
        extension.io_request = super::IoRequest { request: self.request, reply: self.reply, information: 0, header: 0 };
        if let Some(os_data) = &mut extension.os_data {
            os_data.running = true;
            os_data.current_irp = Some(irp);
            os_data.transmission_began = now;
        }
        Ok(rule)
    }
}

impl SmartcardExtension {
    /// Counts a transmission that is over.
    fn count_transmission(&mut self, now: u64) {
        let sent = self.io_request.request.map_or(0, Span::len).saturating_sub(self.io_request.header);
        let received = self.io_request.information.saturating_sub(IO_REQUEST);
        let Some(os_data) = &mut self.os_data else { return };
        let took = u32::try_from(now.saturating_sub(os_data.transmission_began) / 10).unwrap_or(u32::MAX);
        let performance = &mut os_data.performance;
        performance.transmissions = performance.transmissions.saturating_add(1);
        performance.bytes = performance.bytes.saturating_add(sent.saturating_add(received));
        performance.time_us = performance.time_us.saturating_add(took);
    }
}

fn rule_for(code: IoctlCode) -> &'static Rule {
    // The last one is for all that no other is for.
    RULES.iter().find(|rule| rule.code == code).unwrap_or(&RULES[RULES.len() - 1])
}

fn call(m: &mut Machine, smartcard: Smartcard, function: fn(&ReaderFunctions) -> Option<ReaderFunction>) -> NtStatus {
    match function(&smartcard.extension(m).reader_functions) {
        Some(function) => function(m, smartcard),
        None => STATUS_NOT_SUPPORTED,
    }
}

fn answered(result: Result<(), NtStatus>) -> NtStatus {
    result.into()
}

fn power(m: &mut Machine, smartcard: Smartcard) -> NtStatus {
    let action = match smartcard.word(m, 0) {
        Ok(action) => action,
        Err(status) => return status,
    };
    if PowerAction::from_code(action).is_none() {
        return STATUS_INVALID_PARAMETER;
    }
    let extension = smartcard.extension(m);
    if !extension.has_card() {
        return STATUS_NO_MEDIA;
    }
    extension.minor_io_control_code = action;
    call(m, smartcard, |functions| functions.card_power)
}

fn set_protocol(m: &mut Machine, smartcard: Smartcard) -> NtStatus {
    let mask = match smartcard.word(m, 0) {
        Ok(mask) => mask,
        Err(status) => return status,
    };
    let extension = smartcard.extension(m);
    if !extension.has_card() {
        return STATUS_NO_MEDIA;
    }
    if extension.reader_capabilities.current_state < ReaderState::Negotiable {
        return STATUS_INVALID_DEVICE_STATE;
    }
    extension.minor_io_control_code = mask;
    call(m, smartcard, |functions| functions.set_protocol)
}

/// Checks the SCARD_IO_REQUEST in front of the command.
fn transmit(m: &mut Machine, smartcard: Smartcard) -> NtStatus {
    let (Ok(protocol), Ok(header)) = (smartcard.word(m, 0), smartcard.word(m, 4)) else {
        return STATUS_INVALID_PARAMETER;
    };
    let extension = smartcard.extension(m);
    if !extension.has_card() {
        return STATUS_NO_MEDIA;
    }
    let specific = extension.reader_capabilities.current_state == ReaderState::Specific;
    if !specific || protocol != extension.card_capabilities.selected {
        return STATUS_INVALID_DEVICE_STATE;
    }
    // The header's own length says where the data begins.
    let length = extension.io_request.request.map_or(0, Span::len);
    if !(IO_REQUEST..length).contains(&header) {
        return STATUS_INVALID_PARAMETER;
    }
    extension.io_request.header = header;
    call(m, smartcard, |functions| functions.transmit)
}

fn get_attribute(m: &mut Machine, smartcard: Smartcard) -> NtStatus {
    let result = smartcard.word(m, 0).and_then(|tag| {
        let extension = smartcard.extension(m);
        extension.attribute(tag)?;
        let answer = std::mem::take(&mut extension.answer);
        let result = smartcard.reply(m, &answer);
        smartcard.extension(m).answer = answer;
        result
    });
    answered(result)
}

fn set_attribute(m: &mut Machine, smartcard: Smartcard) -> NtStatus {
    let result = smartcard.word(m, 0).and_then(|tag| {
        let request = smartcard.extension(m).io_request.request;
        let value = request.and_then(|request| request.part(4, request.len() - 4));
        // What is longer than any attribute is none.
        let mut bytes = [0; 64];
        let length = value.map_or(0, |value| (value.len() as usize).min(bytes.len()));
        if let Some(value) = value {
            bytes[..length].copy_from_slice(&m.bytes(value)[..length]);
        }
        smartcard.extension(m).set_attribute(tag, &bytes[..length])
    });
    answered(result)
}

fn get_state(m: &mut Machine, smartcard: Smartcard) -> NtStatus {
    let state = smartcard.extension(m).reader_capabilities.current_state as u32;
    answered(smartcard.reply(m, &state.to_le_bytes()))
}

fn get_last_error(m: &mut Machine, smartcard: Smartcard) -> NtStatus {
    let status = smartcard.extension(m).last_error.0;
    answered(smartcard.reply(m, &status.to_le_bytes()))
}

/// IS_PRESENT and IS_ABSENT share one place. A tracking request is not the current one: others go on meanwhile.
fn track(m: &mut Machine, smartcard: Smartcard, present: bool) -> NtStatus {
    let extension = smartcard.extension(m);
    if extension.has_card() == present {
        return STATUS_SUCCESS;
    }
    if extension.notification_irp().is_some() {
        return STATUS_DEVICE_BUSY;
    }
    if extension.reader_functions.card_tracking.is_none() {
        return STATUS_NOT_SUPPORTED;
    }
    let os_data = smartcard.os_data(m);
    os_data.notification_irp = os_data.current_irp.take();
    let irp = os_data.notification_irp;
    let status = call(m, smartcard, |functions| functions.card_tracking);
    if status != STATUS_PENDING {
        let os_data = smartcard.os_data(m);
        os_data.notification_irp = None;
        os_data.current_irp = irp;
    }
    status
}
