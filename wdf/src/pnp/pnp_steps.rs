//! What a device does on entering the states of its PnP machine.
//!
//! Source: S/irphandlers/pnp/pnpstatemachine.cpp:1260-3420; fxpkgfdo.cpp and fxpkgpdo.cpp for what differs between the
//! two.

use vbus_wdm::Machine;
use vbus_wdm::constants::*;

use super::events::{PnpEvent, PolicyEvent};
use super::machine::post;
use super::pnp_machine::Pnp;
use super::policy_machine::post_policy;
use super::states::PnpState::{self, *};
use crate::device::{Device, DeviceKind};
use crate::framework::trace;
use crate::object::Handle;
use crate::trace::{Site, sites};

type Next = Option<PnpState>;

pub(super) fn check_for_device_presence(m: &mut Machine, device: Device) -> Next {
    // A PDO that a driver listed statically is there as long as it is listed.
    let gone = device.is_reported_missing(m);
    Some(if gone { PdoRemoved } else { RemovedPdoWait })
}

/// EvtDeviceEject, then the child is reported missing.
pub(super) fn eject_hardware(m: &mut Machine, device: Device) -> Next {
    let driver = device.driver(m);
    let status = device.call_eject(m);
    let next = match status.is_success() {
        true => {
            device.leave_bus_after_eject(m);
            EjectedWaitingForRemove
        }
        false => {
            trace(m, driver, &sites::PDO_EJECT_FAILED, [status.0.into()]);
            device.refuse_not_supported(m, status, &sites::PDO_EJECT_BAD_STATUS);
            EjectFailed
        }
    };
    device.set_pnp_irp_status(m, status);
    device.body(m).pnp.eject_processed = true;
    Some(next)
}

pub(super) fn init_starting(m: &mut Machine, device: Device) -> Next {
    device.send_start_down(m).then_some(HardwareAvailable)
}

pub(super) fn init_surprise_removed(m: &mut Machine, device: Device) -> Next {
    device.finish_pnp_irp(m);
    Some(Init)
}

pub(super) fn hardware_available(m: &mut Machine, device: Device) -> Next {
    // What a device can do about its own restart, and who lends it a thread that may be paged.
    device.prepare_for_its_restart(m);
    device.create_power_thread_if_needed(m);
    if !device.prepare_hardware(m).is_success() {
        return Some(FailedOwnHardware);
    }
    if device.is_policy_owner(m) {
        if let Err(status) = device.query_capabilities(m) {
            let driver = device.driver(m);
            trace(m, driver, &sites::PNP_NO_CAPABILITIES, [status.0.into()]);
            device.set_pnp_irp_status(m, status);
            return Some(FailedOwnHardware);
        }
        device.body(m).pnp.capabilities_queried = true;
    }
    post_policy(m, device, PolicyEvent::Start);
    None
}

pub(super) fn enable_interfaces(m: &mut Machine, device: Device) -> Next {
    device.enable_interfaces(m);
    Some(Started)
}

pub(super) fn hardware_available_power_policy_failed(m: &mut Machine, device: Device) -> Next {
    device.set_pnp_irp_status(m, STATUS_DEVICE_POWER_FAILURE);
    Some(FailedOwnHardware)
}

pub(super) fn query_remove_static_check(m: &mut Machine, device: Device) -> Next {
    let sites = [&sites::PNP_QUERY_REMOVE_STOP_COUNT, &sites::PNP_QUERY_REMOVE_SPECIAL];
    static_check(m, device, sites, QueryRemoveAskDriver)
}

pub(super) fn query_stop_static_check(m: &mut Machine, device: Device) -> Next {
    let sites = [&sites::PNP_QUERY_STOP_STOP_COUNT, &sites::PNP_QUERY_STOP_SPECIAL];
    static_check(m, device, sites, QueryStopAskDriver)
}

/// A device that its driver said cannot be stopped, or that holds the paging file, refuses without asking anybody.
fn static_check(m: &mut Machine, device: Device, [stop_count, special]: [&'static Site; 2], agreed: PnpState) -> Next {
    let driver = device.driver(m);
    let data = &device.body(m).pnp;
    let count = data.stop_count;
    let [paging, hibernation, dump, boot] = data.special_files.map(|count| count as u64);
    let status = if count != 0 {
        trace(m, driver, stop_count, [count as u64]);
        STATUS_INVALID_DEVICE_STATE
    } else if device.is_in_special_use(m) {
        trace(m, driver, special, [paging, hibernation, dump, boot, 0]);
        STATUS_DEVICE_NOT_READY
    } else {
        return Some(agreed);
    };
    device.set_pnp_irp_status(m, status);
    Some(Started)
}

pub(super) fn query_remove_ask_driver(m: &mut Machine, device: Device) -> Next {
    let status = device.call_query_remove(m);
    if !status.is_success() {
        let driver = device.driver(m);
        trace(m, driver, &sites::PNP_QUERY_REMOVE_FAILED, [status.0.into()]);
        device.refuse_not_supported(m, status, &sites::PNP_QUERY_REMOVE_BAD_STATUS);
    }
    device.set_pnp_irp_status(m, status);
    Some(if status.is_success() { QueryRemoveEnsureDeviceAwake } else { Started })
}

pub(super) fn query_stop_ask_driver(m: &mut Machine, device: Device) -> Next {
    let status = device.call_query_stop(m);
    if !status.is_success() {
        let driver = device.driver(m);
        trace(m, driver, &sites::PNP_QUERY_STOP_FAILED, [status.0.into()]);
        device.refuse_not_supported(m, status, &sites::PNP_QUERY_STOP_BAD_STATUS);
    }
    device.set_pnp_irp_status(m, status);
    Some(if status.is_success() { QueryStopEnsureDeviceAwake } else { Started })
}

pub(super) fn query_remove_ensure_device_awake(m: &mut Machine, device: Device) -> Next {
    ensure_device_awake(m, device, QueryRemovePending)
}

pub(super) fn query_stop_ensure_device_awake(m: &mut Machine, device: Device) -> Next {
    ensure_device_awake(m, device, QueryStopPending)
}

fn ensure_device_awake(m: &mut Machine, device: Device, awake: PnpState) -> Next {
    match device.power_reference_for_query(m) {
        STATUS_PENDING => None,
        status if status.is_success() => Some(awake),
        status => {
            device.set_pnp_irp_status(m, status);
            Some(Started)
        }
    }
}

pub(super) fn query_pending(m: &mut Machine, device: Device) -> Next {
    if let Some(irp) = device.body(m).pnp.pending_pnp.take() {
        super::fire_and_forget(m, device, irp);
    }
    None
}

pub(super) fn queried_removing(m: &mut Machine, device: Device) -> Next {
    post_policy(m, device, PolicyEvent::Stop);
    device.power_dereference_self(m);
    None
}

pub(super) fn query_canceled(m: &mut Machine, device: Device) -> Next {
    device.power_dereference_self(m);
    Some(Started)
}

pub(super) fn removed(m: &mut Machine, device: Device) -> Next {
    device.notify_children_of_removal(m);
    let data = &mut device.body(m).pnp;
    data.pending_children -= 1;
    Some(if data.pending_children > 0 { RemovedWaitForChildren } else { RemovedChildrenRemoved })
}

pub(super) fn removed_children_removed(m: &mut Machine, device: Device) -> Next {
    Some(if device.kind(m) == DeviceKind::Pdo { CheckForDevicePresence } else { FdoRemoved })
}

pub(super) fn fdo_removed(m: &mut Machine, device: Device) -> Next {
    device.removed_for_good(m);
    Some(Final)
}

pub(super) fn pdo_removed(m: &mut Machine, device: Device) -> Next {
    device.body(m).pnp.can_be_deleted = true;
    device.removed_for_good(m);
    device.leave_child_list(m);
    Some(Final)
}

pub(super) fn removed_pdo_wait(m: &mut Machine, device: Device) -> Next {
    let data = &mut device.body(m).pnp;
    data.set_removed = data.waits_for_removal;
    None
}

pub(super) fn removed_pdo_surprise_removed(m: &mut Machine, device: Device) -> Next {
    device.call_surprise_removal(m);
    device.surprise_remove_pending(m);
    device.finish_pnp_irp(m);
    Some(RemovedPdoWait)
}

pub(super) fn removing_disable_interfaces(m: &mut Machine, device: Device) -> Next {
    device.release_hardware(m);
    device.clean_up_for_remove(m);
    post_policy(m, device, PolicyEvent::Remove);
    None
}

pub(super) fn started(m: &mut Machine, device: Device) -> Next {
    device.finish_pnp_irp(m);
    None
}

pub(super) fn stop_power_policy(m: &mut Machine, device: Device) -> Next {
    post_policy(m, device, PolicyEvent::Stop);
    None
}

pub(super) fn restarting(m: &mut Machine, device: Device) -> Next {
    post_policy(m, device, PolicyEvent::Start);
    None
}

pub(super) fn starting_from_stopped(m: &mut Machine, device: Device) -> Next {
    Some(if device.prepare_hardware(m).is_success() { Restarting } else { FailedOwnHardware })
}

pub(super) fn stopped(m: &mut Machine, device: Device) -> Next {
    let status = device.release_hardware(m);
    if !status.is_success() {
        device.set_internal_failure(m);
    }
    device.finish_pnp_irp(m);
    (!status.is_success()).then_some(Failed)
}

pub(super) fn stopped_wait_for_start_completion(m: &mut Machine, device: Device) -> Next {
    device.send_start_down(m).then_some(StartingFromStopped)
}

pub(super) fn started_stopping(m: &mut Machine, device: Device) -> Next {
    post_policy(m, device, PolicyEvent::Stop);
    device.power_dereference_self(m);
    None
}

pub(super) fn surprise_removed(m: &mut Machine, device: Device) -> Next {
    device.call_surprise_removal(m);
    device.surprise_remove_pending(m);
    Some(Failed)
}

pub(super) fn init_query_remove(m: &mut Machine, device: Device) -> Next {
    device.set_pnp_irp_status(m, STATUS_SUCCESS);
    query_pending(m, device)
}

pub(super) fn init_query_remove_canceled(m: &mut Machine, device: Device) -> Next {
    query_pending(m, device);
    Some(Init)
}

pub(super) fn queried_surprise_remove(m: &mut Machine, device: Device) -> Next {
    device.power_dereference_self(m);
    Some(SurpriseRemoveIoStarted)
}

pub(super) fn surprise_remove_io_started(m: &mut Machine, device: Device) -> Next {
    device.call_surprise_removal(m);
    device.surprise_remove_pending(m);
    Some(FailedIoStarting)
}

pub(super) fn failed_io_starting(m: &mut Machine, device: Device) -> Next {
    post_policy(m, device, PolicyEvent::SurpriseRemove);
    None
}

pub(super) fn failed_own_hardware(m: &mut Machine, device: Device) -> Next {
    device.release_hardware(m);
    Some(Failed)
}

pub(super) fn failed(m: &mut Machine, device: Device) -> Next {
    device.clean_up_for_remove(m);
    post_policy(m, device, PolicyEvent::Remove);
    None
}

pub(super) fn failed_power_policy_removed(m: &mut Machine, device: Device) -> Next {
    device.finish_pnp_irp(m);
    let data = &device.body(m).pnp;
    if data.failed_action.is_some() || data.internal_failure {
        device.invalidate_state(m);
    }
    Some(FailedWaitForRemove)
}

pub(super) fn failed_surprise_removed(m: &mut Machine, device: Device) -> Next {
    device.call_surprise_removal(m);
    device.surprise_remove_pending(m);
    device.finish_pnp_irp(m);
    Some(FailedWaitForRemove)
}

pub(super) fn failed_started(m: &mut Machine, device: Device) -> Next {
    device.set_pnp_irp_status(m, STATUS_INVALID_DEVICE_STATE);
    device.finish_pnp_irp(m);
    Some(FailedWaitForRemove)
}

pub(super) fn failed_init(m: &mut Machine, device: Device) -> Next {
    device.body(m).pnp.has_restart_work_item = false;
    device.finish_pnp_irp(m);
    Some(Init)
}

pub(super) fn pdo_init_failed(m: &mut Machine, device: Device) -> Next {
    crate::device::end::clean_up(m, device);
    Some(Final)
}

pub(super) fn restart_release_hardware(m: &mut Machine, device: Device) -> Next {
    let status = device.release_hardware(m);
    if !status.is_success() {
        device.set_internal_failure(m);
        device.set_pnp_irp_status(m, status);
        return Some(Failed);
    }
    device.send_start_down(m).then_some(RestartHardwareAvailable)
}

pub(super) fn restart_hardware_available(m: &mut Machine, device: Device) -> Next {
    if !device.prepare_hardware(m).is_success() {
        return Some(FailedOwnHardware);
    }
    post_policy(m, device, PolicyEvent::Start);
    None
}

/// A PDO that stayed on its bus is started again: what its last life left behind is forgotten.
pub(super) fn pdo_restart(m: &mut Machine, device: Device) -> Next {
    device.reset_for_restart(m);
    device.set_pnp_irp_status(m, STATUS_SUCCESS);
    Some(HardwareAvailable)
}

pub(super) fn finale(m: &mut Machine, device: Device) -> Next {
    let driver = device.driver(m);
    let data = &mut device.body(m).pnp;
    if data.waits_for_removal {
        data.set_removed = true;
    }
    let delayed = !data.waits_for_removal;
    if let Some(parent) = device.parent(m).filter(|_| device.body(m).pnp.parent_waits)
        && parent.object().exists(m)
    {
        parent.child_removed(m);
    }
    if delayed {
        // Nobody sent REMOVE: the device goes once its machine is at rest.
        let arguments = [device.object().handle(), device.device_object(m).address()];
        trace(m, driver, &sites::EVENT_QUEUE_DELAYED, arguments);
        device.body(m).pnp.delayed_deletion = true;
    }
    None
}

impl Device {
    /// A child of a device that waits for its children is gone.
    fn child_removed(self, m: &mut Machine) {
        let data = &mut self.body(m).pnp;
        data.pending_children -= 1;
        if data.pending_children == 0 {
            post::<Pnp>(m, self, PnpEvent::ChildrenRemovalComplete);
        }
    }
}
