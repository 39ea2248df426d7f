//! The old Win32 names of readers.

use vbus_wdm::constants::*;
use vbus_wdm::{DeviceObject, Machine, NtStatus};

/// MAXIMUM_SMARTCARD_READERS is older than USB; more readers than this have no such name.
const READERS_MAX: u32 = 10_000;

/// `SmartcardCreateLink`: the first free `\DosDevices\SCReaderN` for a device. Returns the link, which goes with the device.
///
/// # Errors
/// STATUS_INVALID_PARAMETER_2 where the DDI gets no device name, which cannot happen here; STATUS_INSUFFICIENT_RESOURCES
/// when no name is free.
///
/// Source: Windows driver documentation, SmartcardCreateLink (WDM).
pub fn create_link(m: &mut Machine, device: DeviceObject) -> Result<String, NtStatus> {
    (0..READERS_MAX)
        .map(|number| format!("\\DosDevices\\SCReader{number}"))
        .find(|link| m.create_symbolic_link(link, device).is_ok())
        .ok_or(STATUS_INSUFFICIENT_RESOURCES)
}
