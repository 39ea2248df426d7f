//! REMOVE: the one PnP IRP whose dispatch waits for the machine, and what becomes of the device then.
//!
//! Source: S/irphandlers/pnp/fxpkgpnp.cpp:1560-1900, fxpkgfdo.cpp:1380-1440, fxpkgpdo.cpp:1560-1620.

use vbus_wdm::constants::*;
use vbus_wdm::{Irp, Machine, NtStatus};

use super::events::PnpEvent;
use super::machine::post;
use super::pnp_machine::Pnp;
use crate::device::{Device, DeviceKind, end};
use crate::dispatch::copy_down;
use crate::framework::{fx, trace};
use crate::object::Handle;
use crate::trace::{Site, sites};

pub(super) fn remove(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    m[irp].io_status.status = STATUS_SUCCESS;
    post_remove(m, device);
    let (driver, device_object) = (device.driver(m), device.device_object(m).address());
    trace(m, driver, &sites::PNP_REMOVE_WAIT, [device.object().handle(), device_object]);
    wait_until_processed(m, device);
    let is_pdo = device.kind(m) == DeviceKind::Pdo;
    if is_pdo && !device.body(m).pnp.can_be_deleted {
        return device.complete_irp(m, irp, STATUS_SUCCESS);
    }
    device.body(m).pnp.release_remove_lock();
    wait_for_remove_lock(m, device);
    clean_up_machines(m, device, true);
    let Some(lower) = device.lower_device(m) else {
        end::destroy(m, device);
        irp.complete(m);
        return STATUS_SUCCESS;
    };
    let status = copy_down(m, irp, lower);
    end::destroy(m, device);
    status
}

fn post_remove(m: &mut Machine, device: Device) {
    let data = &mut device.body(m).pnp;
    (data.waits_for_removal, data.removal_processed) = (true, false);
    post::<Pnp>(m, device, PnpEvent::Remove);
}

fn wait_until_processed(m: &mut Machine, device: Device) {
    m.wait("a device's PnP machine to be done with its removal", move |m| {
        fx(m).devices.get(device.0.id).is_none_or(|body| body.pnp.removal_processed)
    });
    let data = &mut device.body(m).pnp;
    (data.waits_for_removal, data.removal_processed) = (false, false);
}

/// `IoReleaseRemoveLockAndWait`, when the caller's own hold is given back already.
pub(crate) fn wait_for_remove_lock(m: &mut Machine, device: Device) {
    device.body(m).pnp.removed = true;
    m.wait("the requests that hold a device's remove lock", move |m| {
        fx(m).devices.get(device.0.id).is_none_or(|body| body.pnp.remove_lock == 0)
    });
}

/// CleanupStateMachines: no machine takes events any more; what a work item still looks at is waited for.
fn clean_up_machines(m: &mut Machine, device: Device, and_pnp: bool) {
    if and_pnp && !device.body(m).pnp.pnp_events.close() {
        wait_for_machine(m, device, &sites::PNP_WAIT_FOR_PNP, |body| body.pnp_events.is_idle());
    }
    if !device.body(m).pnp.policy_events.close() {
        wait_for_machine(m, device, &sites::PNP_WAIT_FOR_POLICY, |body| body.policy_events.is_idle());
    }
    if !device.body(m).pnp.power_events.close() {
        wait_for_machine(m, device, &sites::PNP_WAIT_FOR_POWER, |body| body.power_events.is_idle());
    }
}

fn wait_for_machine(m: &mut Machine, device: Device, line: &'static Site, idle: fn(&super::PnpData) -> bool) {
    let (driver, device_object) = (device.driver(m), device.device_object(m).address());
    trace(m, driver, line, [device.object().handle(), device_object]);
    m.wait("a machine of a device that goes to come to rest", move |m| {
        fx(m).devices.get(device.0.id).is_none_or(|body| idle(&body.pnp))
    });
}

/// EvtDriverDeviceAdd failed after it made its device: the device goes through its removal, without an IRP.
///
/// Source: S/core/fxdevice.cpp (DeleteDeviceFromFailedCreateNoDelete); fxpkgpnp.cpp (CleanupDeviceFromFailedCreate).
pub(crate) fn remove_failed_device(m: &mut Machine, device: Device) {
    post_remove(m, device);
    wait_until_processed(m, device);
    clean_up_machines(m, device, true);
}

/// A child's device that PnP never heard of, and that nobody will send REMOVE.
pub(crate) fn child_never_reported(m: &mut Machine, device: Device) {
    post::<Pnp>(m, device, PnpEvent::Remove);
}

/// The bus of this child is removed.
pub(crate) fn parent_was_removed(m: &mut Machine, device: Device) {
    post::<Pnp>(m, device, PnpEvent::ParentRemoved);
}

/// The device's last event was not a REMOVE: nobody waits for it, so that the machine deletes it.
pub(super) fn process_delayed_deletion(m: &mut Machine, device: Device) {
    let (driver, device_object) = (device.driver(m), device.device_object(m).address());
    trace(m, driver, &sites::PNP_DELAYED_DELETION, [device.object().handle(), device_object]);
    wait_for_remove_lock(m, device);
    clean_up_machines(m, device, false);
    end::destroy(m, device);
}
