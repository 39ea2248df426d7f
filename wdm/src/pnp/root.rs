//! Root-enumerated devices: the PnP manager's own bus.
//!
//! Source: Windows driver documentation, "Device Nodes and Device Stacks" (root-enumerated devices).

use super::{CapabilityFlags, DevNode, IdType, PnpAnswer, PnpMinor, PnpParameters, RelationType};
use crate::device::{DeviceObject, DriverObject};
use crate::irp::{IoStatus, Irp, Major, Parameters};
use crate::machine::Machine;
use crate::power::{DevicePowerState, PowerMinor, PowerParameters, PowerState, SystemPowerState};
use crate::status::{NtStatus, constants::*};
use crate::stop::Stop;

/// The device extension of a root-enumerated device's PDO.
struct RootDevice {
    hardware_id: String,
    instance_id: String,
}

impl Machine {
    /// Adds a root-enumerated device, builds its stack from what is installed for `hardware_id`, and starts it.
    ///
    /// The result's state says how that went.
    ///
    /// # Errors
    /// What stopped the machine.
    pub fn add_root_device(&mut self, hardware_id: &str) -> Result<DevNode, Stop> {
        self.run(|m| {
            let driver = root_driver(m);
            let pdo = m.create_device(driver);
            m.auto_name_device(pdo);
            let instance_id = format!("{:04}", m.pnp.roots_added);
            m.pnp.roots_added += 1;
            pdo.set_extension(m, RootDevice { hardware_id: hardware_id.to_owned(), instance_id });
            m[pdo].initializing = false;
            let node = DevNode::insert(m, pdo, None);
            m.run_pnp_work(|m| node.appear(m));
            node
        })
    }
}

fn root_driver(m: &mut Machine) -> DriverObject {
    if let Some(driver) = m.pnp.root_driver {
        return driver;
    }
    let driver = m.create_driver("PnpManager");
    for major in [Major::Create, Major::Cleanup, Major::Close] {
        driver.set_major(m, major, succeed);
    }
    driver.set_major(m, Major::Power, power);
    driver.set_major(m, Major::SystemControl, leave);
    driver.set_major(m, Major::Pnp, pnp);
    m.pnp.root_driver = Some(driver);
    driver
}

fn succeed(m: &mut Machine, _: DeviceObject, irp: Irp) -> NtStatus {
    irp.complete_with(m, STATUS_SUCCESS, 0)
}

/// The root bus provides nothing for WMI: who is at the bottom of a stack completes such an IRP as it came.
///
/// Source: Windows driver documentation, "Handling WMI Requests".
fn leave(m: &mut Machine, _: DeviceObject, irp: Irp) -> NtStatus {
    let IoStatus { status, information } = m[irp].io_status;
    irp.complete_with(m, status, information)
}

/// The root bus has no power to switch, and no device of it can wake anything.
fn power(m: &mut Machine, pdo: DeviceObject, irp: Irp) -> NtStatus {
    let location = m[irp].current();
    let status = match (PowerMinor::from_number(location.minor.into()), location.parameters) {
        (
            Some(PowerMinor::SetPower),
            Parameters::Power(PowerParameters::Power { state: PowerState::Device(state), .. }),
        ) => {
            pdo.set_power_state(m, state);
            STATUS_SUCCESS
        }
        (Some(PowerMinor::SetPower | PowerMinor::QueryPower), _) => STATUS_SUCCESS,
        _ => m[irp].io_status.status,
    };
    irp.complete_with(m, status, 0)
}

/// The root bus agrees to every change of state, and knows who its devices are.
fn pnp(m: &mut Machine, pdo: DeviceObject, irp: Irp) -> NtStatus {
    use PnpMinor::*;
    let location = m[irp].current();
    let (minor, parameters) = (PnpMinor::from_code(location.minor), location.parameters);
    let status = match (minor, parameters) {
        (
            Some(
                StartDevice | StopDevice | QueryStopDevice | CancelStopDevice | QueryRemoveDevice | RemoveDevice
                | CancelRemoveDevice | SurpriseRemoval | DeviceEnumerated,
            ),
            _,
        ) => STATUS_SUCCESS,
        (Some(QueryCapabilities), _) => query_capabilities(m, irp),
        (Some(QueryId), Parameters::Pnp(PnpParameters::Id(kind))) => query_id(m, pdo, irp, kind),
        (Some(QueryDeviceRelations), Parameters::Pnp(PnpParameters::Relations(RelationType::Target))) => {
            m[irp].pnp_answer = PnpAnswer::Relations(vec![pdo]);
            STATUS_SUCCESS
        }
        // Unhandled: the status that came down goes up again.
        _ => m[irp].io_status.status,
    };
    // What a driver above put there stays.
    let information = m[irp].io_status.information;
    irp.complete_with(m, status, information)
}

/// Nobody says in which state a root-enumerated device stays when the system sleeps: D0 while it works, else D3.
///
/// Source: Windows driver documentation, DEVICE_CAPABILITIES (DeviceState); ReactOS, PdoQueryCapabilities (UniqueID).
fn query_capabilities(m: &mut Machine, irp: Irp) -> NtStatus {
    let capabilities = m[irp].capabilities();
    capabilities.flags.insert(CapabilityFlags::UNIQUE_ID);
    capabilities.device_state = [DevicePowerState::D3; SystemPowerState::COUNT];
    capabilities.device_state[SystemPowerState::Unspecified as usize] = DevicePowerState::Unspecified;
    capabilities.device_state[SystemPowerState::Working as usize] = DevicePowerState::D0;
    STATUS_SUCCESS
}

fn query_id(m: &mut Machine, pdo: DeviceObject, irp: Irp, kind: IdType) -> NtStatus {
    let device = pdo.extension::<RootDevice>(m);
    let answer = match kind {
        IdType::Device => PnpAnswer::Id(device.hardware_id.clone()),
        IdType::Hardware => PnpAnswer::Ids(vec![device.hardware_id.clone()]),
        IdType::Instance => PnpAnswer::Id(device.instance_id.clone()),
        IdType::Compatible | IdType::SerialNumber | IdType::Container => return m[irp].io_status.status,
    };
    m[irp].pnp_answer = answer;
    STATUS_SUCCESS
}
