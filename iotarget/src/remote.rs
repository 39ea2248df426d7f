//! What a target has that a driver opens and closes.

use vbus_wdf::layer::{sites, trace};
use vbus_wdf::{Attributes, Device, Driver, Handle, HandleType};
use vbus_wdm::constants::*;
use vbus_wdm::{FileObject, Machine, NotificationEntry, NtStatus, OpenOptions};

use crate::close::Cleared;
use crate::target::IoTarget;

/// EvtIoTargetQueryRemove: an error keeps the device. It closes the target for that, or says why not.
pub type QueryRemove = fn(&mut Machine, IoTarget) -> Result<(), NtStatus>;

/// EvtIoTargetRemoveCanceled and EvtIoTargetRemoveComplete.
pub type RemoveNotice = fn(&mut Machine, IoTarget);

/// FxIoTargetRemoteOpenState, by the numbers that lines print.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub(crate) enum OpenState {
    #[default]
    Closed = 1,
    Opening = 2,
    Open = 3,
}

/// The driver's callbacks for the removal of the device that a target is open on. Each replaces what the framework does
/// without it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Notices {
    pub(crate) query_remove: Option<QueryRemove>,
    pub(crate) remove_canceled: Option<RemoveNotice>,
    pub(crate) remove_complete: Option<RemoveNotice>,
}

#[derive(Default)]
pub(crate) struct Remote {
    pub(crate) open_state: OpenState,
    /// The handle of a target that was opened by name.
    pub(crate) handle: Option<FileObject>,
    /// What it was last opened by, which a reopen repeats.
    pub(crate) opened_by: Option<(String, OpenOptions)>,
    pub(crate) notices: Notices,
    /// The registration for notifications of its device's removal. It outlasts a close for query remove.
    pub(crate) registration: Option<NotificationEntry>,
    /// How many calls have closed it so far.
    pub(crate) closers: u32,
    /// Which of them the pointers go to when the target lets go of its device, and where that call keeps them.
    pub(crate) cleared_pointers: Option<(u32, u64)>,
    /// The pointers, until that call takes them.
    pub(crate) cleared: Option<(u32, Cleared)>,
}

/// A target's parent belongs to the device whose target it is.
pub(crate) fn check_parent(
    m: &mut Machine,
    driver: Driver,
    device: Device,
    attributes: &Attributes,
) -> Result<(), NtStatus> {
    let Some(parent) = attributes.parent_object() else { return Ok(()) };
    parent.expect_type(m, driver, HandleType::Object);
    let (handle, status) = (parent.handle(), STATUS_INVALID_DEVICE_REQUEST);
    match parent.search_for_device(m) {
        None => trace(m, driver, &sites::TARGET_PARENT_NO_DEVICE, [handle, status.0.into()]),
        Some(other) if other != device => {
            let arguments = [handle, other.object().handle(), device.object().handle(), status.0.into()];
            trace(m, driver, &sites::TARGET_PARENT_OTHER_DEVICE, arguments);
        }
        Some(_) => return Ok(()),
    }
    Err(status)
}
