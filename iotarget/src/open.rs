//! Opening a remote target.
//!
//! Source: S/targets/general/fxiotargetapi.cpp:221-545; S/targets/general/fxiotargetremote.cpp:201-500;
//! S/targets/general/km/fxiotargetremotekm.cpp:141-338. Not modelled: what needs memory to be short, and extended
//! attributes, which no driver of the model looks at.

use vbus_wdf::Driver;
use vbus_wdf::layer::{passive_level, sites, trace};
use vbus_wdm::constants::*;
use vbus_wdm::{
    Context, Control, DeviceObject, FileObject, Irp, Machine, Major, NtStatus, OpenOptions, Parameters, PnpAnswer,
    PnpMinor, PnpParameters, RelationType, RequestorMode,
};

use crate::addresses;
use crate::close::CloseReason;
use crate::remote::{Notices, OpenState, QueryRemove, RemoveNotice};
use crate::stop::{enter_started, submit_pended};
use crate::target::{IoTarget, TargetState};

/// WDF_IO_TARGET_OPEN_PARAMS: begin with the call for the open type. [`OpenParams::default`] is a structure that nobody
/// initialized, which no target opens by.
#[derive(Clone, Default)]
pub struct OpenParams {
    kind: Kind,
    notices: Notices,
}

#[derive(Clone, Default)]
enum Kind {
    #[default]
    Undefined,
    ExistingDevice {
        device: Option<DeviceObject>,
        file: Option<FileObject>,
    },
    ByName {
        name: String,
        options: OpenOptions,
    },
    Reopen,
    LocalTargetByFile,
}

impl OpenParams {
    /// WdfIoTargetOpenUseExistingDevice: exactly this device object, with its StackSize of now. It is sent no create.
    pub fn existing_device(device: impl Into<Option<DeviceObject>>) -> OpenParams {
        OpenParams { kind: Kind::ExistingDevice { device: device.into(), file: None }, ..OpenParams::default() }
    }

    /// TargetFileObject of an existing device: requests carry it, and its device's removal can be heard of.
    pub fn file_object(mut self, file: FileObject) -> OpenParams {
        if let Kind::ExistingDevice { file: place, .. } = &mut self.kind {
            *place = Some(file);
        }
        self
    }

    /// WdfIoTargetOpenByName: the top of the stack that the name leads to. The stack sees a create, and requests that are
    /// sent carry its file object.
    pub fn by_name(name: &str, options: OpenOptions) -> OpenParams {
        OpenParams { kind: Kind::ByName { name: name.to_owned(), options }, ..OpenParams::default() }
    }

    /// WdfIoTargetOpenReopen: as the target was last opened by name, callbacks and all.
    pub fn reopen() -> OpenParams {
        OpenParams { kind: Kind::Reopen, ..OpenParams::default() }
    }

    /// WdfIoTargetOpenLocalTargetByFile, which only user-mode drivers may say.
    pub fn local_target_by_file() -> OpenParams {
        OpenParams { kind: Kind::LocalTargetByFile, ..OpenParams::default() }
    }

    /// EvtIoTargetQueryRemove, in place of the close for query remove that the framework does without it.
    pub fn on_query_remove(mut self, callback: QueryRemove) -> OpenParams {
        self.notices.query_remove = Some(callback);
        self
    }

    /// EvtIoTargetRemoveCanceled, in place of the framework's reopen.
    pub fn on_remove_canceled(mut self, callback: RemoveNotice) -> OpenParams {
        self.notices.remove_canceled = Some(callback);
        self
    }

    /// EvtIoTargetRemoveComplete, in place of the framework's close.
    pub fn on_remove_complete(mut self, callback: RemoveNotice) -> OpenParams {
        self.notices.remove_complete = Some(callback);
        self
    }

    /// FxIoTargetValidateOpenParams.
    fn validate(&self, m: &mut Machine, driver: Driver) -> Result<(), NtStatus> {
        let status = STATUS_INVALID_PARAMETER;
        let code = u64::from(status.0);
        let Notices { query_remove, remove_canceled, remove_complete } = self.notices;
        let callbacks = [query_remove.is_some(), remove_canceled.is_some(), remove_complete.is_some()];
        match &self.kind {
            Kind::ExistingDevice { device: None, .. } => trace(m, driver, &sites::OPEN_NO_DEVICE, [code]),
            Kind::ExistingDevice { file: None, .. } if callbacks.contains(&true) => {
                let [query, canceled, complete] =
                    [0, 1, 2].map(|at| if callbacks[at] { addresses::callback(driver, at as u64) } else { 0 });
                trace(m, driver, &sites::OPEN_NO_FILE, [addresses::parameter(0), query, canceled, complete, code]);
            }
            Kind::ByName { name, .. } if name.is_empty() => trace(m, driver, &sites::OPEN_NO_NAME, [code]),
            Kind::LocalTargetByFile => trace(m, driver, &sites::OPEN_LOCAL_BY_FILE, [code]),
            Kind::Undefined => trace(m, driver, &sites::OPEN_TYPE, [0, code]),
            Kind::ExistingDevice { .. } | Kind::ByName { .. } | Kind::Reopen => return Ok(()),
        }
        Err(status)
    }
}

impl IoTarget {
    /// `WdfIoTargetOpen`. A target that no driver opens, a device's own, is bug check 0x10D/5.
    ///
    /// # Errors
    /// STATUS_INVALID_PARAMETER for parameters that do not go together. STATUS_INVALID_DEVICE_REQUEST to open a target
    /// again that was never opened by name and, under the verifier, above PASSIVE_LEVEL. STATUS_INVALID_DEVICE_STATE for
    /// a target that is open, being opened, or deleted. By name the create's status, if that fails; the target is Closed
    /// then. STATUS_INSUFFICIENT_RESOURCES for a stack that no IRP is deep enough for.
    pub fn open(self, m: &mut Machine, params: OpenParams) -> Result<(), NtStatus> {
        m.boundary("WdfIoTargetOpen");
        self.require_remote(m);
        let (driver, handle) = (self.body(m).driver, self.0.handle());
        trace(m, driver, &sites::TARGET_OPEN_ENTER, [handle]);
        if !passive_level(m, self) {
            return Err(STATUS_INVALID_DEVICE_REQUEST);
        }
        params.validate(m, driver)?;
        let result = self.open_with(m, params);
        trace(m, driver, &sites::TARGET_OPEN_EXIT, [handle, NtStatus::from(result).0.into()]);
        result
    }

    /// `WdfIoTargetOpen` on an existing device.
    ///
    /// # Errors
    /// As [`IoTarget::open`].
    pub fn open_existing_device(self, m: &mut Machine, device: DeviceObject) -> Result<(), NtStatus> {
        self.open(m, OpenParams::existing_device(device))
    }

    /// `WdfIoTargetOpen` by name.
    ///
    /// # Errors
    /// As [`IoTarget::open`].
    pub fn open_by_name(self, m: &mut Machine, name: &str, options: OpenOptions) -> Result<(), NtStatus> {
        self.open(m, OpenParams::by_name(name, options))
    }

    /// FxIoTargetRemote::Open, which the framework calls itself when the removal of a device is cancelled.
    pub(crate) fn open_with(self, m: &mut Machine, params: OpenParams) -> Result<(), NtStatus> {
        let OpenParams { kind, notices } = params;
        let reopens = matches!(kind, Kind::Reopen);
        let known = self.require_remote(m).opened_by.clone();
        if reopens && known.is_none() {
            let (driver, status) = (self.body(m).driver, STATUS_INVALID_DEVICE_REQUEST);
            trace(m, driver, &sites::REOPEN_NOT_BY_NAME, [self.0.handle(), status.0.into()]);
            return Err(status);
        }
        self.begin_to_open(m)?;
        self.unregister(m);
        let remote = self.require_remote(m);
        if !reopens {
            remote.opened_by = None;
        }
        let (name, existing) = match kind {
            Kind::ByName { name, options } => (Some((name, options)), None),
            Kind::ExistingDevice { device, file } => (None, device.map(|device| (device, file))),
            Kind::Reopen | Kind::LocalTargetByFile | Kind::Undefined => (known, None),
        };
        let opened = match (existing, &name) {
            (Some((device, file)), _) => {
                let body = self.body(m);
                (body.device, body.file) = (Some(device), file);
                Ok(())
            }
            (None, Some((name, options))) => self.create_file(m, name, *options),
            (None, None) => Err(STATUS_INVALID_PARAMETER),
        };
        if opened.is_ok() && !reopens {
            self.require_remote(m).opened_by = name.clone();
        }
        let result = opened.and_then(|()| self.find_pdo(m));
        if result.is_ok() && self.body(m).file.is_some() {
            self.register(m, (!reopens).then_some(notices));
        }
        self.end_open(m, result)
    }

    /// What is not open can be opened.
    fn begin_to_open(self, m: &mut Machine) -> Result<(), NtStatus> {
        let (handle, body) = (self.0.handle(), self.body(m));
        let (driver, state) = (body.driver, body.state);
        let open_state = self.require_remote(m).open_state;
        if state == TargetState::Deleted {
            trace(m, driver, &sites::REMOTE_REMOVED, [handle, state as u64]);
            return Err(STATUS_INVALID_DEVICE_STATE);
        }
        if open_state != OpenState::Closed {
            trace(m, driver, &sites::REMOTE_ALREADY_OPEN, [handle, open_state as u64]);
            return Err(STATUS_INVALID_DEVICE_STATE);
        }
        trace(m, driver, &sites::REMOTE_OPENING, [handle]);
        self.require_remote(m).open_state = OpenState::Opening;
        Ok(())
    }

    /// OpenTargetHandle.
    fn create_file(self, m: &mut Machine, name: &str, options: OpenOptions) -> Result<(), NtStatus> {
        let (driver, handle) = (self.body(m).driver, self.0.handle());
        let opened = m.open(name, options, RequestorMode::Kernel);
        let status = NtStatus::from(opened.map(|_| ()));
        let site = if status.is_success() { &sites::REMOTE_CREATE_FILE } else { &sites::REMOTE_CREATE_FILE_FAILED };
        trace(m, driver, site, [handle, status.0.into(), 0]);
        let file = opened?;
        let device = file.related_device(m);
        self.require_remote(m).handle = Some(file);
        let body = self.body(m);
        (body.device, body.file) = (device, Some(file));
        if device.is_none() {
            trace(m, driver, &sites::REMOTE_NO_DEVICE, [handle, file.address()]);
        }
        device.map(|_| ()).ok_or(STATUS_NO_SUCH_DEVICE)
    }

    /// GetTargetDeviceRelations: asks the stack for its PDO. That nobody answers is no error.
    fn find_pdo(self, m: &mut Machine) -> Result<(), NtStatus> {
        let Some(device) = self.body(m).device else { return Ok(()) };
        let top = device.top_of_stack(m);
        let irp = m.allocate_irp(m[top].stack_size).inspect_err(|status| {
            let driver = self.body(m).driver;
            trace(m, driver, &sites::REMOTE_NO_IRP, [self.0.handle(), status.0.into()]);
        })?;
        let status = ask_for_pdo(m, irp, top);
        if status.is_success() {
            let answer = std::mem::take(&mut m[irp].pnp_answer);
            let PnpAnswer::Relations(devices) = answer else {
                m.undefined(
                    "IRP_MN_QUERY_DEVICE_RELATIONS",
                    "a driver that ends a query for the target device with success answers with the PDO",
                );
            };
            self.body(m).pdo = devices.first().copied();
        }
        irp.free(m);
        if status == STATUS_INSUFFICIENT_RESOURCES { Err(status) } else { Ok(()) }
    }

    /// Caches what the target needs to know of its device, and starts it. The StackSize is copied here and nowhere else.
    /// What failed on the way is closed again.
    fn end_open(self, m: &mut Machine, result: Result<(), NtStatus>) -> Result<(), NtStatus> {
        let by_name = self.require_remote(m).handle.is_some() || self.body(m).device.is_none();
        let Some(device) = self.body(m).device.filter(|_| result.is_ok()) else {
            self.require_remote(m).open_state = OpenState::Closed;
            if by_name || result == Err(STATUS_INSUFFICIENT_RESOURCES) {
                self.close_for(m, CloseReason::Close);
            }
            return result;
        };
        let (stack_size, io_type) = (m[device].stack_size, m[device].io_type);
        self.require_remote(m).open_state = OpenState::Open;
        let body = self.body(m);
        (body.stack_size, body.io_type) = (stack_size, io_type);
        let waiting = enter_started(m, self);
        submit_pended(m, self, waiting);
        Ok(())
    }
}

/// Sends the query to the top of the stack and waits for it.
fn ask_for_pdo(m: &mut Machine, irp: Irp, top: DeviceObject) -> NtStatus {
    fn stop_here(_: &mut Machine, _: Option<DeviceObject>, _: Irp, _: Context) -> NtStatus {
        STATUS_MORE_PROCESSING_REQUIRED
    }
    let data = &mut m[irp];
    data.io_status.status = STATUS_NOT_SUPPORTED;
    let location = data.next_mut();
    location.major = Major::Pnp;
    location.minor = PnpMinor::QueryDeviceRelations as u8;
    location.parameters = Parameters::Pnp(PnpParameters::Relations(RelationType::Target));
    data.set_completion_routine(stop_here, Context(0), Control::INVOKE_ALWAYS);
    irp.call_driver(m, top);
    // It is back where it was made.
    m.wait("a stack to name its PDO", move |m| m[irp].current_location() > m[irp].stack_count());
    m[irp].io_status.status
}
