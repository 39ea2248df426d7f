//! Opening and closing a remote target.
//!
//! Source: S/targets/general/fxiotargetremote.cpp:201-480 (open), 519-735 (close);
//! S/targets/general/km/fxiotargetremotekm.cpp:174-249 (by name).

use vbus_wdf::Handle;
use vbus_wdf::layer::{sites, trace};
use vbus_wdm::constants::*;
use vbus_wdm::{DeviceObject, FileObject, Machine, NtStatus, OpenOptions, RequestorMode};

use crate::cancel;
use crate::target::{IoTarget, TargetState};

/// Why a target is closed, by the numbers that its lines print.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum CloseReason {
    Close = 2,
    Delete = 3,
}

impl IoTarget {
    /// `WdfIoTargetOpen` with WdfIoTargetOpenUseExistingDevice: exactly this device object, with its StackSize of now.
    ///
    /// # Errors
    /// STATUS_INVALID_DEVICE_STATE for a target that is open or deleted.
    pub fn open_existing_device(self, m: &mut Machine, device: DeviceObject) -> Result<(), NtStatus> {
        self.opening(m, |m, target| {
            target.opened(m, device, None);
            Ok(())
        })
    }

    /// `WdfIoTargetOpen` with WdfIoTargetOpenByName: the top of the stack that the name leads to. The stack sees a
    /// create, and requests that are sent carry its file object.
    ///
    /// # Errors
    /// STATUS_INVALID_DEVICE_STATE for a target that is open or deleted; the create's status if that fails.
    pub fn open_by_name(self, m: &mut Machine, name: &str, options: OpenOptions) -> Result<(), NtStatus> {
        self.opening(m, |m, target| {
            let driver = target.driver(m);
            let handle = target.0.handle();
            let opened = m.open(name, options, RequestorMode::Kernel);
            let status = NtStatus::from(opened.map(|_| ()));
            let site = if status.is_success() { &sites::REMOTE_CREATE_FILE } else { &sites::REMOTE_CREATE_FILE_FAILED };
            trace(m, driver, site, [handle, status.0.into(), 0]);
            let file = opened?;
            let device = file.related_device(m).ok_or(STATUS_NO_SUCH_DEVICE)?;
            target.opened(m, device, Some(file));
            Ok(())
        })
    }

    /// What every kind of open does around its own part.
    fn opening(
        self,
        m: &mut Machine,
        open: impl FnOnce(&mut Machine, IoTarget) -> Result<(), NtStatus>,
    ) -> Result<(), NtStatus> {
        let driver = self.driver(m);
        let handle = self.0.handle();
        trace(m, driver, &sites::TARGET_OPEN_ENTER, [handle]);
        let body = self.body(m);
        let result = if body.state == TargetState::Deleted {
            let state = body.state as u64;
            trace(m, driver, &sites::REMOTE_REMOVED, [handle, state]);
            Err(STATUS_INVALID_DEVICE_STATE)
        } else if body.device.is_some() {
            trace(m, driver, &sites::REMOTE_ALREADY_OPEN, [handle, 3]);
            Err(STATUS_INVALID_DEVICE_STATE)
        } else {
            trace(m, driver, &sites::REMOTE_OPENING, [handle]);
            open(m, self)
        };
        trace(m, driver, &sites::TARGET_OPEN_EXIT, [handle, NtStatus::from(result).0.into()]);
        result
    }

    /// Caches what the target needs to know of its device. The StackSize is copied here and nowhere else.
    fn opened(self, m: &mut Machine, device: DeviceObject, file: Option<FileObject>) {
        let (stack_size, io_type) = (m[device].stack_size, m[device].io_type);
        let pdo = device.stack(m).last().copied();
        let body = self.body(m);
        body.stack_size = stack_size;
        body.io_type = io_type;
        body.device = Some(device);
        body.pdo = pdo;
        body.file = file;
        body.state = TargetState::Started;
    }

    /// `WdfIoTargetClose`: cancels what is out, oldest first, waits for it, and lets go of the device.
    pub fn close(self, m: &mut Machine) {
        let driver = self.driver(m);
        trace(m, driver, &sites::TARGET_CLOSE_ENTER, [self.0.handle()]);
        self.close_for(m, CloseReason::Close);
    }

    pub(crate) fn close_for(self, m: &mut Machine, reason: CloseReason) {
        let driver = self.driver(m);
        let handle = self.0.handle();
        let body = self.body(m);
        if !body.remote {
            body.state = TargetState::Deleted;
            return cancel::cancel_all_and_wait(m, self);
        }
        let (device, pdo, file) = (body.device, body.pdo, body.file);
        body.state = match reason {
            CloseReason::Close => TargetState::Closed,
            CloseReason::Delete => TargetState::Deleted,
        };
        trace(m, driver, &sites::REMOTE_CLOSE, [handle, reason as u64]);
        match reason {
            CloseReason::Delete => trace(m, driver, &sites::REMOTE_CLOSE_DELETE, [handle]),
            CloseReason::Close if device.is_none() => return trace(m, driver, &sites::REMOTE_CLOSE_NOT_OPEN, [handle]),
            CloseReason::Close => trace(m, driver, &sites::REMOTE_CLOSE_CLOSE, [handle]),
        }
        let file_address = file.map_or(0, FileObject::address);
        let device_address = device.map_or(0, DeviceObject::address);
        trace(m, driver, &sites::REMOTE_CLOSE_OBJECTS, [handle, file_address, device_address, file_address, 0]);
        if self.body(m).sent.is_empty() {
            self.clear_pointers(m);
        } else {
            cancel::cancel_all_and_wait(m, self);
            trace(m, driver, &sites::REMOTE_CLOSE_WAIT, [handle]);
        }
        if let Some(pdo) = pdo {
            trace(m, driver, &sites::REMOTE_DEREF_PDO, [handle, pdo.address()]);
        }
        if let Some(file) = file {
            trace(m, driver, &sites::REMOTE_DEREF_FILE, [handle, file.address()]);
            trace(m, driver, &sites::REMOTE_CLOSE_HANDLE, [handle, file.address()]);
            file.close(m);
        }
    }

    /// The device is let go of: the target's stack size is 0 from now on.
    ///
    /// Source: S/targets/general/fxiotargetremote.cpp:725.
    pub(crate) fn clear_pointers(self, m: &mut Machine) {
        let address = self.0.address();
        let handle = self.0.handle();
        let body = self.body(m);
        let (driver, state) = (body.driver, body.state as u64);
        let pdo = body.pdo.take().map_or(0, DeviceObject::address);
        let file = body.file.take().map_or(0, FileObject::address);
        body.device = None;
        body.stack_size = 0;
        trace(m, driver, &sites::REMOTE_CLEARED, [handle, address, state, 1, pdo, file, file]);
    }
}
