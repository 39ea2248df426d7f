//! The function driver of the bus's children, which owns their power policy.

use vbus::wdm::constants::*;
use vbus::wdm::{
    Context, Control, DeviceObject, DevicePowerState, DriverObject, Guid, IoStatus, Irp, Machine, Major, NtStatus,
    Parameters, PnpAnswer, PnpMinor, PowerMinor, PowerParameters, PowerState, SystemPowerState,
};

use crate::bench::{self, Bench, refusal};

/// The device interface of the children.
pub const GUID_CHILD: Guid = Guid(0xC41D_0000_0000_4000_8000_0000_0000_0001);

pub fn driver(m: &mut Machine, name: &str) -> DriverObject {
    let driver = m.create_driver(name);
    driver.set_add_device(m, add_device);
    for major in [Major::Create, Major::Cleanup, Major::Close] {
        driver.set_major(m, major, |m, _, irp| irp.complete_with(m, STATUS_SUCCESS, 0));
    }
    driver.set_major(m, Major::Pnp, pnp);
    driver.set_major(m, Major::Power, power);
    driver
}

/// The link of the interface that the device registered.
struct Function {
    link: String,
}

pub fn add_device(m: &mut Machine, driver: DriverObject, pdo: DeviceObject) -> NtStatus {
    bench::add_device(m, driver, pdo);
    let link = m.register_interface(pdo, GUID_CHILD, "").unwrap();
    let device = pdo.top_of_stack(m);
    device.set_extension(m, Function { link });
    STATUS_SUCCESS
}

fn pnp(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    let minor = PnpMinor::from_code(m[irp].current().minor);
    if let Some(status) = refusal(m, "function", minor) {
        return irp.complete_with(m, status, 0);
    }
    match minor {
        Some(PnpMinor::StartDevice) => {
            if let PnpAnswer::Resources(assigned) = &m[irp].pnp_answer
                && !assigned.is_empty()
            {
                let note = format!("started with {assigned:?}");
                m.extension_mut::<Bench>().notes.push(note);
            }
            let status = down_and_wait(m, device, irp);
            if status.is_success() {
                enable_interface(m, device, true);
            }
            irp.complete_with(m, status, 0)
        }
        Some(PnpMinor::SurpriseRemoval) => {
            enable_interface(m, device, false);
            bench::pass_down(m, device, irp)
        }
        Some(PnpMinor::RemoveDevice) => bench::pass_down_and_go(m, device, irp),
        Some(PnpMinor::QueryPnpDeviceState) => {
            m[irp].io_status.information |= m.extension::<Bench>().device_state;
            bench::pass_down(m, device, irp)
        }
        _ => bench::pass_down(m, device, irp),
    }
}

fn enable_interface(m: &mut Machine, device: DeviceObject, enable: bool) {
    let link = device.extension::<Function>(m).link.clone();
    // A restart enables it twice.
    _ = m.set_interface_state(&link, enable);
}

fn down_and_wait(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    fn back(m: &mut Machine, _: Option<DeviceObject>, irp: Irp, _: Context) -> NtStatus {
        m[irp].driver_context[0] = 1;
        STATUS_MORE_PROCESSING_REQUIRED
    }
    let lower = device.lower_device(m).unwrap();
    m[irp].copy_current_to_next();
    m[irp].set_completion_routine(back, Context(0), Control::INVOKE_ALWAYS);
    irp.call_driver(m, lower);
    m.wait("the devices below", move |m| m[irp].driver_context[0] == 1);
    m[irp].io_status.status
}

/// As a device power policy owner handles a system power IRP: down first, then a device power IRP, then it is done.
fn power(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    let location = m[irp].current();
    let system_set = location.minor == PowerMinor::SetPower as u8
        && matches!(
            location.parameters,
            Parameters::Power(PowerParameters::Power { state: PowerState::System(_), .. })
        );
    if !system_set || !m.extension::<Bench>().power_policy {
        return bench::pass_down(m, device, irp);
    }
    irp.mark_pending(m);
    m[irp].copy_current_to_next();
    m[irp].set_completion_routine(system_irp_is_back, Context(0), Control::INVOKE_ALWAYS);
    let lower = device.lower_device(m).unwrap();
    irp.call_driver(m, lower);
    STATUS_PENDING
}

fn system_irp_is_back(m: &mut Machine, device: Option<DeviceObject>, irp: Irp, _: Context) -> NtStatus {
    let state = match m[irp].current().parameters {
        Parameters::Power(PowerParameters::Power { state: PowerState::System(SystemPowerState::Working), .. }) => {
            DevicePowerState::D0
        }
        _ => DevicePowerState::D3,
    };
    let (device, state) = (device.unwrap(), PowerState::Device(state));
    device.request_power_irp(m, PowerMinor::SetPower, state, Some(device_irp_is_done), irp.to_context()).unwrap();
    STATUS_MORE_PROCESSING_REQUIRED
}

fn device_irp_is_done(
    m: &mut Machine,
    _: DeviceObject,
    _: PowerMinor,
    _: PowerState,
    system_irp: Context,
    status: IoStatus,
) {
    let irp = Irp::from_context(system_irp).unwrap();
    irp.complete_with(m, status.status, 0);
}
