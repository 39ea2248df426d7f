//! The driver database: what is installed for which devices.

use super::DevNode;
use crate::device::DriverObject;
use crate::machine::Machine;

/// What is installed for a hardware id: an INF, the filters of the device and those of its class.
#[derive(Clone, Debug, Default)]
pub struct Installation {
    /// The id that devices are matched with: one of their hardware ids, or of their compatible ids.
    pub hardware_id: String,
    /// Filters between the PDO and the function driver, lowest first.
    pub lower_filters: Vec<DriverObject>,
    /// The class's filters, between those and the function driver, lowest first.
    pub lower_class_filters: Vec<DriverObject>,
    /// The function driver.
    pub function: Option<DriverObject>,
    /// Filters above the function driver, lowest first.
    pub upper_filters: Vec<DriverObject>,
    /// The class's filters, above those, lowest first.
    pub upper_class_filters: Vec<DriverObject>,
}

impl Installation {
    /// The drivers in the order in which they join the stack.
    ///
    /// Source: Windows driver documentation, "Adding a PnP Device to a Running System"; ReactOS, PiCallDriverAddDevice
    /// (device filters before class filters).
    pub fn drivers(&self) -> impl Iterator<Item = DriverObject> {
        let lower = self.lower_filters.iter().chain(&self.lower_class_filters);
        let upper = self.upper_filters.iter().chain(&self.upper_class_filters);
        lower.chain(&self.function).chain(upper).copied()
    }
}

impl Machine {
    /// Installs drivers for a hardware id; devices that appear later get them. The last installation wins.
    pub fn install(&mut self, installation: Installation) {
        self.uninstall(&installation.hardware_id);
        self.pnp.installations.push(installation);
    }

    /// Removes an installation; devices that have its drivers keep them.
    pub fn uninstall(&mut self, hardware_id: &str) {
        self.pnp.installations.retain(|known| !known.hardware_id.eq_ignore_ascii_case(hardware_id));
    }
}

impl DevNode {
    /// The function driver that is installed for the device.
    pub fn function_driver(self, m: &Machine) -> Option<DriverObject> {
        self.installed(m)?.function
    }

    /// The best match: hardware ids before compatible ids, and of each the more specific ones first.
    ///
    /// Source: Windows driver documentation, IRP_MN_QUERY_ID ("Specifying BusQueryHardwareIDs and
    /// BusQueryCompatibleIDs").
    pub(super) fn installed(self, m: &Machine) -> Option<Installation> {
        let info = self.info(m)?;
        let mut ids = info.hardware_ids.iter().chain(&info.compatible_ids);
        ids.find_map(|id| m.pnp.installations.iter().find(|known| known.hardware_id.eq_ignore_ascii_case(id))).cloned()
    }
}
