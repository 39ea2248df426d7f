//! What the PnP manager asks a device: its state, its relations, its interfaces, its resources.
//!
//! Source: S/irphandlers/pnp/fxpkgfdo.cpp:240-700, fxpkgpdo.cpp:420-900, fxpkgpnp.cpp:760-1100.

use vbus_wdm::constants::*;
use vbus_wdm::{Irp, Machine, NtStatus, Parameters, PnpAnswer, PnpParameters, RelationType};

use super::callbacks::ResourcesQuery;
use super::{REQUIREMENTS_LIST, RESOURCE_LIST, children, fire_and_forget, lock_of_unordered_type};
use crate::device::{Device, DeviceKind};
use crate::framework::trace;
use crate::object::Handle;
use crate::trace::sites;

/// PNP_DEVICE_STATE bits.
const DISABLED: u64 = 0x1;
const DONT_DISPLAY_IN_UI: u64 = 0x2;
const FAILED: u64 = 0x4;
const REMOVED: u64 = 0x8;
const RESOURCE_REQUIREMENTS_CHANGED: u64 = 0x10;
const NOT_DISABLEABLE: u64 = 0x20;

/// QUERY_PNP_DEVICE_STATE: what the framework knows and the driver said. That nobody below knows the question is no
/// failure.
pub(super) fn device_state(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    let driver = device.driver(m);
    if device.kind(m) == DeviceKind::Pdo {
        trace(m, driver, &sites::PDO_STATE_ENTER, []);
        answer_state(m, device, irp, &sites::PDO_STATE);
        trace(m, driver, &sites::PDO_STATE_EXIT, []);
        return device.complete_irp(m, irp, STATUS_SUCCESS);
    }
    let mut status = device.send_down_and_wait(m, irp);
    if status == STATUS_NOT_SUPPORTED {
        status = STATUS_SUCCESS;
    }
    if status.is_success() {
        trace(m, driver, &sites::FDO_STATE_ENTER, []);
        answer_state(m, device, irp, &sites::FDO_STATE);
        trace(m, driver, &sites::FDO_STATE_EXIT, []);
    } else {
        trace(m, driver, &sites::FDO_STATE_FAILED, [status.0.into()]);
    }
    device.complete_irp(m, irp, status)
}

/// The framework prints the bits in decimal behind an `0x`.
fn answer_state(m: &mut Machine, device: Device, irp: Irp, line: &'static crate::trace::Site) {
    let special = device.is_in_special_use(m);
    let data = &device.body(m).pnp;
    let (failed, said) = (data.internal_failure || data.failed, data.device_state);
    let mut bits = m[irp].io_status.information;
    for (bit, says) in [
        (DISABLED, said.disabled),
        (DONT_DISPLAY_IN_UI, said.dont_display_in_ui),
        (FAILED, said.failed),
        (NOT_DISABLEABLE, said.not_disableable),
        (REMOVED, said.removed),
        (RESOURCE_REQUIREMENTS_CHANGED, said.resources_changed),
    ] {
        match says {
            Some(true) => bits |= bit,
            Some(false) => bits &= !bit,
            None => {}
        }
    }
    if special {
        bits |= NOT_DISABLEABLE;
    }
    if failed {
        bits |= FAILED;
    }
    m[irp].io_status.information = bits;
    let (driver, device_object) = (device.driver(m), device.device_object(m).address());
    trace(m, driver, line, [device.object().handle(), device_object, bits, irp.address()]);
}

/// QUERY_DEVICE_RELATIONS: a bus lists its children; everything else is somebody else's.
pub(super) fn relations(m: &mut Machine, device: Device, irp: Irp, parameters: Parameters) -> NtStatus {
    let Parameters::Pnp(PnpParameters::Relations(kind)) = parameters else {
        return fire_and_forget(m, device, irp);
    };
    if device.kind(m) == DeviceKind::Pdo {
        return pdo_relations(m, device, irp, kind);
    }
    let driver = device.driver(m);
    trace(m, driver, &sites::FDO_RELATIONS_ENTER, [kind as u64]);
    if kind == RelationType::Bus {
        children::bus_relations(m, device, irp);
    }
    let status = fire_and_forget(m, device, irp);
    trace(m, driver, &sites::FDO_RELATIONS_EXIT, [status.0.into()]);
    status
}

fn pdo_relations(m: &mut Machine, device: Device, irp: Irp, kind: RelationType) -> NtStatus {
    match kind {
        RelationType::Bus => children::bus_relations(m, device, irp),
        RelationType::Target => {
            let pdo = device.device_object(m);
            m[irp].pnp_answer = PnpAnswer::Relations(vec![pdo]);
            m[irp].io_status.status = STATUS_SUCCESS;
        }
        RelationType::Ejection | RelationType::Power | RelationType::Removal => {}
    }
    let status = m[irp].io_status.status;
    device.complete_irp(m, irp, status)
}

/// QUERY_INTERFACE: nobody here has any, so that the question goes on.
pub(super) fn interface(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    if device.kind(m) == DeviceKind::Pdo {
        return fire_and_forget(m, device, irp);
    }
    let driver = device.driver(m);
    trace(m, driver, &sites::FDO_INTERFACE_ENTER, []);
    let status = m[irp].io_status.status;
    trace(m, driver, &sites::FDO_INTERFACE_EXIT, [status.0.into()]);
    fire_and_forget(m, device, irp)
}

/// QUERY_RESOURCES of a PDO: what its driver lists. An empty list leaves the IRP as it came.
///
/// Source: S/irphandlers/pnp/km/fxpkgpdokm.cpp:20-100.
pub(super) fn resources(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    let came = m[irp].io_status.status;
    let query = device.body(m).callbacks.resources_query;
    let status = query.map_or(came, |query| list_resources(m, device, irp, RESOURCE_LIST, query));
    device.complete_irp(m, irp, status)
}

fn list_resources(m: &mut Machine, device: Device, irp: Irp, list_type: u64, query: ResourcesQuery) -> NtStatus {
    let driver = device.driver(m);
    lock_of_unordered_type(m, driver, list_type);
    let mut resources = Vec::new();
    match query(m, device, &mut resources) {
        Ok(()) if resources.is_empty() => m[irp].io_status.status,
        Ok(()) => {
            m[irp].pnp_answer = PnpAnswer::Resources(resources);
            STATUS_SUCCESS
        }
        Err(status) => status,
    }
}

/// QUERY_RESOURCE_REQUIREMENTS of a PDO, from when on the PnP manager knows it: what its driver lists.
///
/// Source: S/irphandlers/pnp/km/fxpkgpdokm.cpp:110-230.
pub(super) fn resource_requirements(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    let registered = device.register_interfaces(m);
    let query = device.body(m).callbacks.resource_requirements_query;
    let status = match (registered, query) {
        (Ok(()), Some(query)) => list_resources(m, device, irp, REQUIREMENTS_LIST, query),
        _ => registered.into(),
    };
    device.complete_irp(m, irp, status)
}

/// FILTER_RESOURCE_REQUIREMENTS: there is nothing to filter.
///
/// Source: S/irphandlers/pnp/km/fxpkgfdokm.cpp:20-140.
pub(super) fn filter_resource_requirements(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    let driver = device.driver(m);
    trace(m, driver, &sites::FDO_FILTER_ENTER, []);
    let status = device.send_down_and_wait(m, irp);
    device.complete_irp(m, irp, status);
    trace(m, driver, &sites::FDO_FILTER_EXIT, [status.0.into()]);
    status
}
