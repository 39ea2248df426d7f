//! The removal of the device that a target is open on: what the PnP manager tells the target, and what becomes of it.
//!
//! A target with a file object registers for target-device notifications when it is opened. What the framework does by
//! default, a driver's callback replaces.
//!
//! Source: S/targets/general/km/fxiotargetremotekm.cpp:14-170.

use vbus_wdf::Object;
use vbus_wdf::layer::{peek_body, sites, trace};
use vbus_wdm::constants::STATUS_SUCCESS;
use vbus_wdm::{Context, Machine, NtStatus, PnpNotification, TargetEvent};

use crate::close::CloseReason;
use crate::open::OpenParams;
use crate::remote::Notices;
use crate::target::{IoTarget, TargetBody};

impl IoTarget {
    /// Whether the target hears of its device's removal: IoRegisterPlugPlayNotification was called for it, and not yet
    /// taken back. A close for query remove does not take it back.
    pub fn is_registered(self, m: &mut Machine) -> bool {
        self.require_remote(m).registration.is_some()
    }

    /// Somebody asks whether the device may be removed. By default the target is closed for query remove, and agrees.
    fn query_remove(self, m: &mut Machine) -> Result<(), NtStatus> {
        let (driver, handle) = (self.body(m).driver, self.0.handle());
        trace(m, driver, &sites::NOTIFIED_QUERY_REMOVE, [handle]);
        match self.require_remote(m).notices.query_remove {
            Some(callback) => callback(m, self),
            None => {
                trace(m, driver, &sites::DEFAULT_QUERY_REMOVE, [handle]);
                self.close_for(m, CloseReason::QueryRemove);
                Ok(())
            }
        }
    }

    /// The device stays after all. By default the target is opened again, as it was. The status of that is the answer, but
    /// nobody listens.
    fn remove_cancelled(self, m: &mut Machine) -> Result<(), NtStatus> {
        let (driver, handle) = (self.body(m).driver, self.0.handle());
        trace(m, driver, &sites::NOTIFIED_REMOVE_CANCELED, [handle]);
        match self.require_remote(m).notices.remove_canceled {
            Some(callback) => {
                callback(m, self);
                Ok(())
            }
            None => {
                trace(m, driver, &sites::DEFAULT_REMOVE_CANCELED, [handle]);
                self.open_with(m, OpenParams::reopen())
            }
        }
    }

    /// The device is gone. By default the target is closed.
    fn remove_complete(self, m: &mut Machine) {
        let (driver, handle) = (self.body(m).driver, self.0.handle());
        trace(m, driver, &sites::NOTIFIED_REMOVE_COMPLETE, [handle]);
        match self.require_remote(m).notices.remove_complete {
            Some(callback) => callback(m, self),
            None => {
                trace(m, driver, &sites::DEFAULT_REMOVE_COMPLETE, [handle]);
                self.close_for(m, CloseReason::Close);
            }
        }
    }

    /// RegisterForPnpNotification; with the callbacks of whoever opened the target, unless it is opened again. That it
    /// could not be registered is no error.
    pub(crate) fn register(self, m: &mut Machine, notices: Option<Notices>) {
        let body = self.body(m);
        let (Some(file), driver) = (body.file, body.driver) else { return };
        if let Some(notices) = notices {
            self.require_remote(m).notices = notices;
        }
        let driver_object = driver.driver_object(m);
        match m.register_target_notification(file, driver_object, notified, Context(self.0.to_word())) {
            Ok(entry) => self.require_remote(m).registration = Some(entry),
            Err(status) => {
                trace(m, driver, &sites::NOT_REGISTERED, [self.0.handle(), status.0.into()]);
                self.require_remote(m).notices = Notices::default();
            }
        }
    }

    /// UnregisterForPnpNotification.
    pub(crate) fn unregister(self, m: &mut Machine) {
        if let Some(entry) = self.require_remote(m).registration.take() {
            m.unregister_notification(entry);
        }
    }
}

/// _PlugPlayNotification.
fn notified(m: &mut Machine, notification: &PnpNotification, context: Context) -> NtStatus {
    let target = Object::general_from_word(context.0).filter(|target| peek_body::<TargetBody>(m, *target).is_some());
    let (Some(target), &PnpNotification::Target { event, .. }) = (target.map(IoTarget), notification) else {
        return STATUS_SUCCESS;
    };
    // The target lives at least as long as its notification.
    target.0.add_reference(m);
    let result = match event {
        TargetEvent::QueryRemove => target.query_remove(m),
        TargetEvent::RemoveCancelled => target.remove_cancelled(m),
        TargetEvent::RemoveComplete => {
            target.remove_complete(m);
            Ok(())
        }
    };
    target.0.release(m);
    result.into()
}
