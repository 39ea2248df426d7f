//! Opening and closing a remote target.
//!
//! Source: S/targets/general/fxiotargetremote.cpp:201-480 (open), 519-735 (close);
//! S/targets/general/km/fxiotargetremotekm.cpp:174-249 (by name).

use vbus_wdf::layer::{peek_body, sites, trace};
use vbus_wdf::{Handle, Request};
use vbus_wdm::constants::*;
use vbus_wdm::{DeviceObject, FileObject, Machine, NtStatus, OpenOptions, RequestorMode};

use crate::cancel::cancel_all;
use crate::complete::fail_pended;
use crate::pend::drain;
use crate::target::{IoTarget, TargetBody, TargetState};

/// Why a target is closed, by the numbers that its lines print.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum CloseReason {
    QueryRemove = 1,
    Close = 2,
    Delete = 3,
}

/// Where an object of the model has what a closing call keeps on its stack in Windows.
const CLEARED_POINTERS: u64 = 0xA0;

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

    /// `WdfIoTargetClose`: completes what waits, cancels what is out, waits for it, and lets go of the device.
    pub fn close(self, m: &mut Machine) {
        let driver = self.driver(m);
        trace(m, driver, &sites::TARGET_CLOSE_ENTER, [self.0.handle()]);
        self.close_for(m, CloseReason::Close);
    }

    /// `WdfIoTargetCloseForQueryRemove`: as [`IoTarget::close`], with the intention to open it again should the
    /// removal of its device be cancelled.
    pub fn close_for_query_remove(self, m: &mut Machine) {
        let driver = self.driver(m);
        trace(m, driver, &sites::TARGET_CLOSE_QUERY_REMOVE, [self.0.handle()]);
        self.close_for(m, CloseReason::QueryRemove);
    }

    pub(crate) fn close_for(self, m: &mut Machine, reason: CloseReason) {
        let driver = self.driver(m);
        let handle = self.0.handle();
        let &mut TargetBody { device, pdo, file, remote, .. } = self.body(m);
        let new_state = match reason {
            CloseReason::Delete => TargetState::Deleted,
            CloseReason::QueryRemove if device.is_some() => TargetState::ClosedForQueryRemove,
            CloseReason::QueryRemove | CloseReason::Close => TargetState::Closed,
        };
        if remote {
            trace(m, driver, &sites::REMOTE_CLOSE, [handle, reason as u64]);
            let site = match reason {
                CloseReason::Delete => &sites::REMOTE_CLOSE_DELETE,
                _ if device.is_none() => &sites::REMOTE_CLOSE_NOT_OPEN,
                CloseReason::QueryRemove => &sites::REMOTE_CLOSE_QUERY_REMOVE,
                CloseReason::Close => &sites::REMOTE_CLOSE_CLOSE,
            };
            trace(m, driver, site, [handle]);
            let file_address = file.map_or(0, FileObject::address);
            let device_address = device.map_or(0, DeviceObject::address);
            trace(m, driver, &sites::REMOTE_CLOSE_OBJECTS, [handle, file_address, device_address, file_address, 0]);
        }
        self.let_go(m, new_state, remote);
        if new_state == TargetState::Deleted {
            trace(m, driver, &sites::TARGET_WAIT_DISPOSE, [handle, self.0.address() + 0xB0]);
        }
        if let Some(pdo) = pdo.filter(|_| remote) {
            trace(m, driver, &sites::REMOTE_DEREF_PDO, [handle, pdo.address()]);
        }
        if let Some(file) = file {
            trace(m, driver, &sites::REMOTE_DEREF_FILE, [handle, file.address()]);
            trace(m, driver, &sites::REMOTE_CLOSE_HANDLE, [handle, file.address()]);
            file.close(m);
        }
    }

    /// GotoRemoveState and what follows it: nothing waits and nothing is out afterwards.
    fn let_go(self, m: &mut Machine, new_state: TargetState, remote: bool) {
        let driver = self.driver(m);
        self.body(m).state = new_state;
        let waiting = drain(m, self, false);
        let body = self.body(m);
        // Those that ignored the target's state come first, each kind from its oldest on.
        let out: Vec<Request> = body.ignored.iter().chain(&body.sent).copied().collect();
        body.removing = !out.is_empty();
        if out.is_empty() {
            self.clear_pointers(m);
        }
        for request in waiting {
            fail_pended(m, request, STATUS_WDF_DEVICE_REMOVED_NOT_SENT);
        }
        let wait = !out.is_empty();
        cancel_all(m, self, out);
        if wait {
            if remote {
                trace(m, driver, &sites::REMOTE_CLOSE_WAIT, [self.0.handle()]);
            }
            m.wait("the requests that are out at a target that is closed", move |m| {
                peek_body::<TargetBody>(m, self.0).is_none_or(|body| body.sent.is_empty() && body.ignored.is_empty())
            });
        }
    }

    /// The device is let go of: the target's stack size is 0 from now on.
    ///
    /// Source: S/targets/general/fxiotargetremote.cpp:725.
    pub(crate) fn clear_pointers(self, m: &mut Machine) {
        let address = self.0.address() + CLEARED_POINTERS;
        let handle = self.0.handle();
        let body = self.body(m);
        let (driver, state, remote) = (body.driver, body.state as u64, body.remote);
        let pdo = body.pdo.take().map_or(0, DeviceObject::address);
        let file = body.file.take().map_or(0, FileObject::address);
        body.device = None;
        body.stack_size = 0;
        if remote {
            trace(m, driver, &sites::REMOTE_CLEARED, [handle, address, state, 1, pdo, file, file]);
        }
    }
}
