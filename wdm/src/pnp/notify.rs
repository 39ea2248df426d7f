//! IoRegisterPlugPlayNotification: who hears of devices and interfaces that come and go.
//!
//! Source: Windows driver documentation, "PnP Notification Overview" and IoRegisterPlugPlayNotification.

use super::manager::Work;
use super::{DevNode, PnpAnswer, PnpMinor, PnpParameters, PnpRequest, RelationType};
use crate::device::{DeviceObject, DriverObject};
use crate::file::FileObject;
use crate::machine::Machine;
use crate::names::Guid;
use crate::schedule::Context;
use crate::status::{NtStatus, constants::*};

/// What happens to a device that a driver is registered for (EventCategoryTargetDeviceChange).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TargetEvent {
    /// GUID_TARGET_DEVICE_QUERY_REMOVE: close your handles, or fail it.
    QueryRemove,
    /// GUID_TARGET_DEVICE_REMOVE_CANCELLED: the device stays.
    RemoveCancelled,
    /// GUID_TARGET_DEVICE_REMOVE_COMPLETE: the device goes, with a query before or by surprise.
    RemoveComplete,
}

/// What a driver is notified of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PnpNotification {
    /// TARGET_DEVICE_REMOVAL_NOTIFICATION.
    Target {
        /// What happens.
        event: TargetEvent,
        /// The file object that was registered with. It may be closed by now.
        file: FileObject,
    },
    /// DEVICE_INTERFACE_CHANGE_NOTIFICATION.
    Interface {
        /// GUID_DEVICE_INTERFACE_ARRIVAL, else GUID_DEVICE_INTERFACE_REMOVAL.
        arrival: bool,
        /// `InterfaceClassGuid`.
        class: Guid,
        /// `SymbolicLinkName`.
        link: String,
    },
}

/// DRIVER_NOTIFICATION_CALLBACK_ROUTINE. PASSIVE_LEVEL.
pub type NotificationCallback = fn(&mut Machine, &PnpNotification, Context) -> NtStatus;

/// What a registration gives back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct NotificationEntry(u64);

impl NotificationEntry {
    /// What tells it from others in a log, where Windows has a pointer.
    pub fn number(self) -> u64 {
        0x1000 + self.0
    }
}

#[derive(Clone, Copy)]
struct Registration {
    entry: NotificationEntry,
    driver: DriverObject,
    callback: NotificationCallback,
    context: Context,
    subject: Subject,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    Target { pdo: DeviceObject, file: FileObject },
    Interfaces(Guid),
}

/// Who is registered, in the order of registration.
#[derive(Default)]
pub(crate) struct Notifications {
    registrations: Vec<Registration>,
    made: u64,
}

/// A device interface that was exposed, or is no longer.
pub(crate) struct InterfaceChange {
    pub(crate) arrival: bool,
    pub(crate) class: Guid,
    pub(crate) link: String,
}

impl InterfaceChange {
    /// Tells whoever is registered for the class.
    pub(super) fn announce(self, m: &mut Machine) {
        let InterfaceChange { arrival, class, link } = self;
        let notification = PnpNotification::Interface { arrival, class, link };
        for entry in m.registered(|subject| subject == Subject::Interfaces(class)) {
            m.notify(entry, &notification);
        }
    }
}

impl Machine {
    /// `IoRegisterPlugPlayNotification` for EventCategoryDeviceInterfaceChange. With `include_existing`
    /// (PNPNOTIFY_DEVICE_INTERFACE_INCLUDE_EXISTING_INTERFACES) the callback is called at once for what is there.
    pub fn register_interface_notification(
        &mut self,
        class: Guid,
        include_existing: bool,
        driver: DriverObject,
        callback: NotificationCallback,
        context: Context,
    ) -> NotificationEntry {
        let entry = self.register(driver, callback, context, Subject::Interfaces(class));
        if include_existing {
            for link in self.interfaces(class) {
                self.notify(entry, &PnpNotification::Interface { arrival: true, class, link });
            }
        }
        entry
    }

    /// `IoRegisterPlugPlayNotification` for EventCategoryTargetDeviceChange: asks the file's stack for its PDO and tells
    /// the driver what becomes of that device. The registration outlives the file. `driver` is the one that is told.
    ///
    /// # Errors
    /// What the stack answered, STATUS_NO_SUCH_DEVICE if it named no device or is none that the PnP manager knows.
    ///
    /// Source: Windows driver documentation, IoRegisterPlugPlayNotification; IRP_MN_QUERY_DEVICE_RELATIONS
    /// (TargetDeviceRelation).
    pub fn register_target_notification(
        &mut self,
        file: FileObject,
        driver: DriverObject,
        callback: NotificationCallback,
        context: Context,
    ) -> Result<NotificationEntry, NtStatus> {
        let bottom = file.related_device(self).map(|device| device.bottom_of_stack(self));
        let pdo = match bottom.filter(|&bottom| DevNode::of(self, bottom).is_none()) {
            // Whoever plays the PnP manager for a stack outside the tree knows its PDO.
            Some(bottom) if self.has_other_pnp_manager() => bottom,
            Some(_) => return Err(STATUS_NO_SUCH_DEVICE),
            None => file.target_device(self)?,
        };
        self.pnp_was_asked(pdo, PnpRequest::RegisterNotification);
        Ok(self.register(driver, callback, context, Subject::Target { pdo, file }))
    }

    /// `IoUnregisterPlugPlayNotificationEx`.
    pub fn unregister_notification(&mut self, entry: NotificationEntry) {
        let registrations = &mut self.pnp.notifications.registrations;
        let Some(at) = registrations.iter().position(|known| known.entry == entry) else {
            self.undefined("IoUnregisterPlugPlayNotificationEx", "a notification is unregistered once");
        };
        if let Subject::Target { pdo, .. } = registrations.remove(at).subject {
            self.pnp_was_asked(pdo, PnpRequest::UnregisterNotification);
        }
    }

    /// Tells whoever is registered for the device with this PDO. The PnP manager calls it; it is public for whoever plays
    /// the PnP manager.
    ///
    /// # Errors
    /// The status with which a query was refused. Those that had agreed before were told that it is cancelled.
    pub fn notify_target_device(&mut self, pdo: DeviceObject, event: TargetEvent) -> Result<(), NtStatus> {
        self.notify_target_drivers(pdo, event).map_err(|(_, status)| status)
    }

    /// As [`Machine::notify_target_device`], and who refused.
    pub(super) fn notify_target_drivers(
        &mut self,
        pdo: DeviceObject,
        event: TargetEvent,
    ) -> Result<(), (DriverObject, NtStatus)> {
        let of_device = |subject| matches!(subject, Subject::Target { pdo: registered, .. } if registered == pdo);
        let entries = self.registered(of_device);
        for (at, &entry) in entries.iter().enumerate() {
            let Some(Registration { driver, .. }) = self.registration(entry) else { continue };
            let status = self.notify_target(entry, event);
            if event == TargetEvent::QueryRemove && !status.is_success() {
                entries[..at].iter().for_each(|&told| _ = self.notify_target(told, TargetEvent::RemoveCancelled));
                return Err((driver, status));
            }
        }
        Ok(())
    }

    fn register(
        &mut self,
        driver: DriverObject,
        callback: NotificationCallback,
        context: Context,
        subject: Subject,
    ) -> NotificationEntry {
        let notifications = &mut self.pnp.notifications;
        let entry = NotificationEntry(notifications.made);
        notifications.made += 1;
        notifications.registrations.push(Registration { entry, driver, callback, context, subject });
        entry
    }

    /// The registrations at this moment: a callback may change them.
    fn registered(&self, wanted: impl Fn(Subject) -> bool) -> Vec<NotificationEntry> {
        let registrations = self.pnp.notifications.registrations.iter();
        registrations.filter(|known| wanted(known.subject)).map(|known| known.entry).collect()
    }

    fn registration(&self, entry: NotificationEntry) -> Option<Registration> {
        self.pnp.notifications.registrations.iter().copied().find(|known| known.entry == entry)
    }

    fn notify_target(&mut self, entry: NotificationEntry, event: TargetEvent) -> NtStatus {
        match self.registration(entry).map(|known| known.subject) {
            Some(Subject::Target { file, .. }) => self.notify(entry, &PnpNotification::Target { event, file }),
            _ => STATUS_SUCCESS,
        }
    }

    /// Calls a callback, if it is still registered. One that comes back at another IRQL is bug check 0xCA/0xA.
    ///
    /// Source: Windows driver documentation, "Bug Check 0xCA: PNP_DETECTED_FATAL_ERROR".
    fn notify(&mut self, entry: NotificationEntry, notification: &PnpNotification) -> NtStatus {
        let Some(Registration { driver, callback, context, .. }) = self.registration(entry) else {
            return STATUS_SUCCESS;
        };
        let before = self.irql();
        let status = callback(self, notification, context);
        let after = self.irql();
        if after != before {
            self.bug_check(0xCA, [0xA, driver.address(), after as u64, 0], "PnP notification");
        }
        status
    }

    /// A device interface was exposed, or is no longer.
    pub(crate) fn interface_changed(&mut self, change: InterfaceChange) {
        self.queue_pnp_work(Work::Interface(change));
    }
}

impl FileObject {
    /// The PDO of the device that the file is about: its stack's TargetDeviceRelation. PASSIVE_LEVEL.
    ///
    /// # Errors
    /// What the stack answered; STATUS_NO_SUCH_DEVICE if it named no device.
    ///
    /// Source: Windows driver documentation, IRP_MN_QUERY_DEVICE_RELATIONS (TargetDeviceRelation).
    pub fn target_device(self, m: &mut Machine) -> Result<DeviceObject, NtStatus> {
        let top = self.related_device(m).filter(|top| top.exists(m)).ok_or(STATUS_NO_SUCH_DEVICE)?;
        let parameters = PnpParameters::Relations(RelationType::Target);
        let minor = PnpMinor::QueryDeviceRelations;
        let (status, answer) = top.send_pnp_about(m, minor, parameters, PnpAnswer::None, Some(self));
        status.status.ok()?;
        match answer {
            PnpAnswer::Relations(related) => related.first().copied().ok_or(STATUS_NO_SUCH_DEVICE),
            _ => Err(STATUS_NO_SUCH_DEVICE),
        }
    }
}
