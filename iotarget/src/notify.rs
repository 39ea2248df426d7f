//! The removal of the device that a target is open on: what the PnP manager tells the target, and what becomes of it.
//!
//! A target with a file object registers for target-device notifications when it is opened. What the framework does by
//! default, a driver's callback replaces.
//!
//! Source: S/targets/general/km/fxiotargetremotekm.cpp:14-170.

use vbus_wdf::layer::{sites, trace};
use vbus_wdm::{Machine, NtStatus};

use crate::close::CloseReason;
use crate::open::OpenParams;
use crate::remote::Notices;
use crate::target::IoTarget;

/// The numbers that registrations begin with.
const FIRST_REGISTRATION: u64 = 0x1000;

impl IoTarget {
    /// Whether the target hears of its device's removal: IoRegisterPlugPlayNotification was called for it, and not yet
    /// taken back. A close for query remove does not take it back.
    pub fn is_registered(self, m: &mut Machine) -> bool {
        self.require_remote(m).registration.is_some()
    }

    /// GUID_TARGET_DEVICE_QUERY_REMOVE: somebody asks whether the device may be removed. By default the target is closed
    /// for query remove, and agrees.
    ///
    /// # Errors
    /// What EvtIoTargetQueryRemove says: the device stays.
    pub fn notify_query_remove(self, m: &mut Machine) -> Result<(), NtStatus> {
        self.add_reference_while(m, |m, notices| {
            let (driver, handle) = (self.body(m).driver, self.0.handle());
            trace(m, driver, &sites::NOTIFIED_QUERY_REMOVE, [handle]);
            match notices.query_remove {
                Some(callback) => callback(m, self),
                None => {
                    trace(m, driver, &sites::DEFAULT_QUERY_REMOVE, [handle]);
                    self.close_for(m, CloseReason::QueryRemove);
                    Ok(())
                }
            }
        })
    }

    /// GUID_TARGET_DEVICE_REMOVE_CANCELLED: the device stays after all. By default the target is opened again, as it was.
    ///
    /// # Errors
    /// What the reopen says. Nobody listens.
    pub fn notify_remove_cancelled(self, m: &mut Machine) -> Result<(), NtStatus> {
        self.add_reference_while(m, |m, notices| {
            let (driver, handle) = (self.body(m).driver, self.0.handle());
            trace(m, driver, &sites::NOTIFIED_REMOVE_CANCELED, [handle]);
            match notices.remove_canceled {
                Some(callback) => {
                    callback(m, self);
                    Ok(())
                }
                None => {
                    trace(m, driver, &sites::DEFAULT_REMOVE_CANCELED, [handle]);
                    self.open_with(m, OpenParams::reopen())
                }
            }
        })
    }

    /// GUID_TARGET_DEVICE_REMOVE_COMPLETE: the device is gone. By default the target is closed.
    ///
    /// # Errors
    /// None.
    pub fn notify_remove_complete(self, m: &mut Machine) -> Result<(), NtStatus> {
        self.add_reference_while(m, |m, notices| {
            let (driver, handle) = (self.body(m).driver, self.0.handle());
            trace(m, driver, &sites::NOTIFIED_REMOVE_COMPLETE, [handle]);
            match notices.remove_complete {
                Some(callback) => callback(m, self),
                None => {
                    trace(m, driver, &sites::DEFAULT_REMOVE_COMPLETE, [handle]);
                    self.close_for(m, CloseReason::Close);
                }
            }
            Ok(())
        })
    }

    /// The target lives at least as long as its notification. One that is not registered hears nothing.
    fn add_reference_while(
        self,
        m: &mut Machine,
        act: impl FnOnce(&mut Machine, Notices) -> Result<(), NtStatus>,
    ) -> Result<(), NtStatus> {
        let remote = self.require_remote(m);
        if remote.registration.is_none() {
            return Ok(());
        }
        let notices = remote.notices;
        self.0.add_reference(m);
        let result = act(m, notices);
        self.0.release(m);
        result
    }

    /// RegisterForPnpNotification; with the callbacks of whoever opened the target, unless it is opened again.
    pub(crate) fn register(self, m: &mut Machine, notices: Option<Notices>) {
        let remote = self.require_remote(m);
        if let Some(notices) = notices {
            remote.notices = notices;
        }
        remote.registration = Some(FIRST_REGISTRATION + remote.registrations);
        remote.registrations += 1;
    }

    /// UnregisterForPnpNotification.
    pub(crate) fn unregister(self, m: &mut Machine) {
        self.require_remote(m).registration = None;
    }
}
