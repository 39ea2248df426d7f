//! What a list knows of a child.

use vbus_wdm::{Id, Pool};

use crate::device::Device;

/// What is to be done with an entry when the list is free.
///
/// Source: S/inc/private/common/fxchildlist.hpp:635-642.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub(super) enum Modification {
    #[default]
    Unspecified = 0,
    Insert,
    Remove,
    /// To be removed: the driver said so while the list was in use.
    RemoveNotify,
    /// A static child that PnP never heard of: its device is told to go.
    NeedsPnpRemoval = 5,
}

/// What the bus says of a child.
///
/// Source: S/inc/private/common/fxchildlist.hpp:646-652.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub(super) enum Description {
    #[default]
    Unspecified = 0,
    PresentNeedsInstantiation,
    Instantiated,
    /// PnP was told that it is gone.
    ReportedMissing,
    /// It is gone, and PnP will be told.
    NotPresent,
}

/// A child that the bus described.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entry {
    /// The driver's identification of it; a static child's device, as a word.
    pub(super) child: u64,
    pub(super) address: Option<u64>,
    /// Where the framework keeps the entry.
    pub(super) place: Option<Id>,
    pub(super) modification: Modification,
    pub(super) description: Description,
    pub(super) device: Option<Device>,
    pub(super) found_in_last_scan: bool,
    /// SURPRISE_REMOVAL is on its way: REMOVE will follow by itself.
    pub(super) surprise_removed: bool,
    /// The device is gone while somebody walks the list.
    pub(super) delete_on_scan_end: bool,
    /// EvtDeviceReportedMissing is due.
    pub(super) tell_missing: bool,
}

impl Entry {
    /// Where the entry lies, as lines print it.
    pub(super) fn pool_address(&self) -> u64 {
        self.place.map_or(0, |place| Pool::ChildEntry.address(place.index()))
    }

    pub(super) fn is_present(&self) -> bool {
        matches!(self.description, Description::PresentNeedsInstantiation | Description::Instantiated)
    }
}
