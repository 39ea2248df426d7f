//! What a driver can ask of a request.
//!
//! Source: S/core/fxrequest.cpp:240-370, 1172-1290, 2425-2520; S/core/fxrequestapi.cpp:2170-2215, 2430-2700, 2895-3030,
//! 3755-3813; S/core/km/fxrequestkm.cpp:890-926; S/inc/private/common/fxrequest.hpp:930-965.

use vbus_wdm::constants::*;
use vbus_wdm::{IoctlCode, Irp, Machine, Major, Method, NtStatus, Parameters, RequestorMode};

use super::{Ownership, Request};
use crate::compliance::{Act, comply};
use crate::file::{self, WdfFileObject};
use crate::framework::trace;
use crate::object::Handle;
use crate::queue::Queue;
use crate::trace::sites;
use crate::verifier::debug_break;

/// WDF_REQUEST_PARAMETERS: what the sender asked for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RequestParameters {
    /// The major function.
    pub major: Major,
    /// The minor function.
    pub minor: u8,
    /// The stack location's parameters.
    pub parameters: Parameters,
}

/// The process of every program: the model has one.
const PROGRAM_PROCESS_ID: u32 = 0x0E14;

impl Request {
    /// `WdfRequestWdmGetIrp`: the IRP, if the request has one at this moment. Under the verifier asking a request that
    /// was completed, or never had an IRP, is an error.
    pub fn irp(self, m: &mut Machine) -> Option<Irp> {
        if self.verify_not_completed(m).is_ok() {
            return self.current_irp(m);
        }
        let (driver, status) = (self.driver(m), STATUS_INVALID_DEVICE_REQUEST);
        trace(m, driver, &sites::GET_IRP_COMPLETED, [self.0.handle(), status.0.into()]);
        debug_break(m, driver);
        None
    }

    /// `WdfRequestGetIoQueue`: the queue that gave the request to its driver. The framework's own queue, through which
    /// creates reach EvtDeviceFileCreate, is not given away.
    pub fn io_queue(self, m: &mut Machine) -> Option<Queue> {
        let driver = self.driver(m);
        let Some(queue) = self.queue(m) else {
            trace(m, driver, &sites::GET_QUEUE_NONE, [self.0.handle()]);
            return None;
        };
        let create = matches!(self.location_parameters(m), Some((Major::Create, _)));
        let device = self.device(m).filter(|_| create);
        if device.is_some_and(|device| device.body(m).create_queue == Some(queue)) {
            // This line prints the object, not its handle.
            trace(m, driver, &sites::GET_QUEUE_OF_CREATE, [self.0.address()]);
            debug_break(m, driver);
            return None;
        }
        Some(queue)
    }

    /// `WdfRequestGetStatus`: IoStatus.Status of the IRP as it is now.
    pub fn status(self, m: &mut Machine) -> NtStatus {
        let driver = self.driver(m);
        comply(m, driver, Act::ReadStatus(self.0.handle()), "WdfRequestGetStatus");
        let irp = self.require_irp(m, "WdfRequestGetStatus");
        m[irp].io_status.status
    }

    /// `WdfRequestGetInformation`. Under the verifier 0 for a request that is completed.
    pub fn information(self, m: &mut Machine) -> u64 {
        if self.verify_not_completed(m).is_err() {
            return 0;
        }
        let irp = self.require_irp(m, "WdfRequestGetInformation");
        m[irp].io_status.information
    }

    /// `WdfRequestSetInformation`. Under the verifier nothing for a request that is completed.
    pub fn set_information(self, m: &mut Machine, information: u64) {
        if self.verify_not_completed(m).is_ok() {
            let irp = self.require_irp(m, "WdfRequestSetInformation");
            m[irp].io_status.information = information;
        }
    }

    /// `WdfRequestGetParameters`. Under the verifier a request without an IRP, or without a location in it, has none,
    /// and a METHOD_NEITHER control request's own pointer is left out.
    pub fn parameters(self, m: &mut Machine) -> RequestParameters {
        let driver = self.driver(m);
        comply(m, driver, Act::ReadParameters, "WdfRequestGetParameters");
        let verified = self.verify_stack_valid(m).and_then(|()| self.verify_not_completed(m));
        if verified.is_err() {
            return RequestParameters { major: Major::default(), minor: 0, parameters: Parameters::None };
        }
        let irp = self.require_irp(m, "WdfRequestGetParameters");
        let location = m[irp].current();
        let (major, minor, mut parameters) = (location.major, location.minor, location.parameters);
        if let Parameters::DeviceIoControl { code, type3_input, .. } = &mut parameters
            && major == Major::DeviceControl
            && code.method() == Method::Neither
            && self.driver(m).verifier_on(m)
        {
            *type3_input = None;
        }
        RequestParameters { major, minor, parameters }
    }

    /// The control code of an I/O control request, from its parameters.
    pub fn ioctl_code(self, m: &mut Machine) -> Option<IoctlCode> {
        match self.parameters(m).parameters {
            Parameters::DeviceIoControl { code, .. } | Parameters::Others { code, .. } => Some(code),
            _ => None,
        }
    }

    /// `WdfRequestGetFileObject`. `None` with a line in the log for a driver that did not ask for file objects, and for a
    /// file that the framework does not know; under the verifier for a request that the driver does not own.
    pub fn file_object(self, m: &mut Machine) -> Option<WdfFileObject> {
        self.verify_owned(m).ok()?;
        let driver = self.driver(m);
        if self.device(m).is_some_and(|device| !device.body(m).files.wanted) {
            comply(m, driver, Act::AskForFile, "WdfRequestGetFileObject");
        }
        let found = self.find_file(m);
        if let Err(status) = found {
            trace(m, driver, &sites::GET_FILE_OBJECT_FAILED, [status.0.into()]);
        }
        found.ok().flatten()
    }

    fn find_file(self, m: &mut Machine) -> Result<Option<WdfFileObject>, NtStatus> {
        self.verify_not_completed(m)?;
        self.require_irp(m, "WdfRequestGetFileObject");
        let file = self.file_of_irp(m);
        if file.is_none() && self.ownership(m) == Ownership::Driver {
            return Ok(None);
        }
        let Some(device) = self.device(m) else {
            m.undefined(
                "WdfRequestGetFileObject",
                "only a request that a queue presented has a device to look files up in",
            )
        };
        let found = file::find(m, device, file).ok().flatten();
        found.map(Some).ok_or(STATUS_INVALID_DEVICE_REQUEST)
    }

    /// `WdfRequestGetRequestorMode`. Under the verifier user mode for a request that is completed.
    pub fn requestor_mode(self, m: &mut Machine) -> RequestorMode {
        if self.verify_not_completed(m).is_err() {
            return RequestorMode::User;
        }
        let irp = self.require_irp(m, "WdfRequestGetRequestorMode");
        m[irp].requestor_mode
    }

    /// `WdfRequestIsFrom32BitProcess`: never; the model's programs are 64-bit.
    pub fn is_from_32bit_process(self, m: &mut Machine) -> bool {
        self.require_irp(m, "WdfRequestIsFrom32BitProcess");
        false
    }

    /// `WdfRequestGetRequestorProcessId`: 0 for a request that no program sent. Under the verifier asking a request that
    /// is completed is an error.
    pub fn requestor_process_id(self, m: &mut Machine) -> u32 {
        if self.verify_not_completed(m).is_err() {
            let (driver, status) = (self.driver(m), STATUS_INVALID_DEVICE_REQUEST);
            trace(m, driver, &sites::GET_PROCESS_COMPLETED, [self.0.handle(), status.0.into()]);
            debug_break(m, driver);
            return 0;
        }
        let irp = self.require_irp(m, "WdfRequestGetRequestorProcessId");
        if m[irp].requestor_mode == RequestorMode::User { PROGRAM_PROCESS_ID } else { 0 }
    }
}
