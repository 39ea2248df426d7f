//! WDFFILEOBJECT: what a driver keeps for each open file.
//!
//! Source: S/core/fxfileobject.cpp:60-460.

use vbus_wdm::constants::*;
use vbus_wdm::{FileObject, Irp, Machine, NtStatus};

use crate::device::Device;
use crate::framework::trace;
use crate::object::{Attributes, Class, ExecutionLevel, Handle, Object, SynchronizationScope, body_of, create_general};
use crate::request::Request;
use crate::sync::presentation::Constraints;
use crate::trace::sites;
use crate::verifier::debug_break;

/// A WDFFILEOBJECT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WdfFileObject(Object);

impl Handle for WdfFileObject {
    fn object(self) -> Object {
        self.0
    }
}

/// EvtDeviceFileCreate: the driver completes the request, which decides whether the file is open.
pub type FileCreate = fn(&mut Machine, Device, Request, Option<WdfFileObject>);

/// EvtFileCleanup and EvtFileClose. A file that the framework never saw created comes as `None`.
pub type FileNotice = fn(&mut Machine, Device, Option<WdfFileObject>);

/// WDF_FILEOBJECT_CONFIG: begin with [`FileConfig::default`], which asks for file objects without callbacks.
#[derive(Clone, Copy, Default)]
pub struct FileConfig {
    pub(crate) wanted: bool,
    pub(crate) on_create: Option<FileCreate>,
    pub(crate) on_cleanup: Option<FileNotice>,
    pub(crate) on_close: Option<FileNotice>,
    /// AutoForwardCleanupClose; the default is yes for filters and no for others.
    pub(crate) forward: Option<bool>,
    execution_level: ExecutionLevel,
    synchronization_scope: SynchronizationScope,
}

impl FileConfig {
    /// WDF_FILEOBJECT_CONFIG_INIT.
    pub fn new() -> FileConfig {
        FileConfig { wanted: true, ..FileConfig::default() }
    }

    /// EvtDeviceFileCreate.
    pub fn on_create(mut self, callback: FileCreate) -> FileConfig {
        self.on_create = Some(callback);
        self
    }

    /// EvtFileCleanup: the last handle is closed.
    pub fn on_cleanup(mut self, callback: FileNotice) -> FileConfig {
        self.on_cleanup = Some(callback);
        self
    }

    /// EvtFileClose: the last reference is gone.
    pub fn on_close(mut self, callback: FileNotice) -> FileConfig {
        self.on_close = Some(callback);
        self
    }

    /// AutoForwardCleanupClose: whether create, cleanup and close go on down the stack.
    pub fn auto_forward(mut self, forward: bool) -> FileConfig {
        self.forward = Some(forward);
        self
    }

    /// ExecutionLevel of the file object attributes.
    pub fn execution_level(mut self, level: ExecutionLevel) -> FileConfig {
        self.execution_level = level;
        self
    }

    /// SynchronizationScope of the file object attributes: with Device, said or inherited, the callbacks run under the
    /// device's presentation lock, which must be one for PASSIVE_LEVEL.
    pub fn synchronization_scope(mut self, scope: SynchronizationScope) -> FileConfig {
        self.synchronization_scope = scope;
        self
    }

    /// Whether the callbacks are to run under the device's lock.
    ///
    /// # Errors
    /// STATUS_INVALID_DEVICE_REQUEST for a lock that files cannot have.
    ///
    /// Source: S/irphandlers/general/fxpkggeneral.cpp:242-450.
    pub(crate) fn shares_lock(&self, m: &mut Machine, device: Device) -> Result<bool, NtStatus> {
        let inherited = device.body(m).constraints;
        let attributes = Attributes::none().execution_level(self.execution_level);
        let attributes = attributes.synchronization_scope(self.synchronization_scope);
        let status = STATUS_INVALID_DEVICE_REQUEST;
        match Constraints::of(&attributes, inherited).scope {
            _ if !self.wanted => Ok(false),
            SynchronizationScope::Queue => {
                let driver = device.driver(m);
                trace(m, driver, &sites::FILE_SCOPE_QUEUE, [status.0.into()]);
                Err(status)
            }
            SynchronizationScope::Device if !inherited.is_passive() => {
                let driver = device.driver(m);
                trace(m, driver, &sites::FILE_SCOPE_DEVICE, [device.0.handle(), status.0.into()]);
                Err(status)
            }
            scope => Ok(scope == SynchronizationScope::Device),
        }
    }
}

static FILE: Class = Class { may_be_deleted: false, bytes: 512, locks: 3, ..Class::new(0x1018) };

struct Body {
    file: Option<FileObject>,
}

impl WdfFileObject {
    /// `WdfFileObjectWdmGetFileObject`.
    pub fn file_object(self, m: &mut Machine) -> Option<FileObject> {
        body_of::<Body>(m, self.0, FILE.type_number).file
    }
}

/// The WDFFILEOBJECT of a file that is being opened, if the driver wants them.
pub(crate) fn create(
    m: &mut Machine,
    device: Device,
    irp: Irp,
    file: Option<FileObject>,
) -> Result<Option<WdfFileObject>, NtStatus> {
    if !device.body(m).files.wanted {
        return Ok(None);
    }
    let driver = device.driver(m);
    if file.is_none() {
        trace(m, driver, &sites::FILE_CREATE_WITHOUT, [irp.address()]);
        debug_break(m, driver);
        return Err(STATUS_DEVICE_CONFIGURATION_ERROR);
    }
    let object = create_general(m, driver, &FILE, Body { file }, device, Attributes::none())?;
    let opened = WdfFileObject(object);
    device.body(m).open_files.push((file, opened));
    Ok(Some(opened))
}

/// The WDFFILEOBJECT of a file. A file that the framework does not know is no error; one without a FILE_OBJECT is
/// STATUS_UNSUCCESSFUL.
pub(crate) fn find(
    m: &mut Machine,
    device: Device,
    file: Option<FileObject>,
) -> Result<Option<WdfFileObject>, NtStatus> {
    let body = device.body(m);
    if !body.files.wanted {
        return Ok(None);
    }
    let known = body.open_files.iter().find(|(known, _)| *known == file).map(|&(_, opened)| opened);
    let driver = device.driver(m);
    let Some(address) = file.map(FileObject::address) else {
        trace(m, driver, &sites::FILE_NULL, []);
        debug_break(m, driver);
        return Err(STATUS_UNSUCCESSFUL);
    };
    if known.is_none() {
        trace(m, driver, &sites::FILE_UNKNOWN, [address]);
        trace(m, driver, &sites::FILE_UNKNOWN_HINT, []);
        debug_break(m, driver);
    }
    Ok(known)
}

/// The file is closed, or was never opened: its WDFFILEOBJECT goes.
pub(crate) fn destroy(m: &mut Machine, device: Device, file: Option<FileObject>) {
    if !device.body(m).files.wanted {
        return;
    }
    match find(m, device, file) {
        Ok(Some(opened)) => {
            device.body(m).open_files.retain(|&(_, known)| known != opened);
            opened.0.delete_object(m);
        }
        _ => {
            let driver = device.driver(m);
            trace(m, driver, &sites::FILE_DESTROY_UNKNOWN, [file.map_or(0, FileObject::address)]);
            trace(m, driver, &sites::FILE_DESTROY_UNKNOWN_HINT, []);
            debug_break(m, driver);
        }
    }
}
