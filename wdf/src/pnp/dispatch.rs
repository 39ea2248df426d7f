//! PnP IRPs, by minor code: those that change a device's state become events of its PnP machine, the rest are questions.
//!
//! Source: S/irphandlers/pnp/fxpkgpnp.cpp:640-760 (dispatch), 1450-1560; fxpkgfdo.cpp:60-110, fxpkgpdo.cpp:30-80 (tables).

use vbus_wdm::constants::*;
use vbus_wdm::{Irp, Machine, NtStatus, Parameters, PnpMinor, PnpParameters};

use super::events::PnpEvent;
use super::machine::post;
use super::pnp_machine::Pnp;
use super::{capabilities, fire_and_forget, identity, queries, remove, usage};
use crate::device::{Device, DeviceKind};
use crate::framework::{fx, trace};
use crate::object::Handle;
use crate::trace::sites;

/// Handles a PnP IRP.
pub(crate) fn dispatch(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    let location = m[irp].current();
    let (minor, parameters) = (PnpMinor::from_code(location.minor), location.parameters);
    log_arrival(m, device, irp, location.minor, parameters);
    let Some(minor) = minor else { return fire_and_forget(m, device, irp) };
    if let Some((event, succeeds)) = state_change(minor) {
        if succeeds {
            m[irp].io_status.status = STATUS_SUCCESS;
        }
        if minor == PnpMinor::SurpriseRemoval {
            device.surprise_removal_begins(m);
        }
        device.set_pending_pnp(m, irp);
        post::<Pnp>(m, device, event);
        return STATUS_PENDING;
    }
    let is_pdo = device.kind(m) == DeviceKind::Pdo;
    match minor {
        PnpMinor::RemoveDevice => remove::remove(m, device, irp),
        PnpMinor::QueryDeviceRelations => queries::relations(m, device, irp, parameters),
        PnpMinor::QueryInterface => queries::interface(m, device, irp),
        PnpMinor::QueryCapabilities => capabilities::query(m, device, irp),
        PnpMinor::QueryPnpDeviceState => queries::device_state(m, device, irp),
        PnpMinor::DeviceUsageNotification => usage::notify(m, device, irp, parameters),
        PnpMinor::QueryId if is_pdo => identity::id(m, device, irp, parameters),
        PnpMinor::QueryDeviceText if is_pdo => identity::text(m, device, irp, parameters),
        PnpMinor::QueryBusInformation if is_pdo => identity::bus_information(m, device, irp),
        PnpMinor::QueryResources if is_pdo => queries::resources(m, device, irp),
        PnpMinor::QueryResourceRequirements if is_pdo => queries::resource_requirements(m, device, irp),
        PnpMinor::FilterResourceRequirements if !is_pdo => queries::filter_resource_requirements(m, device, irp),
        PnpMinor::SetLock if is_pdo => set_lock(m, device, irp, parameters),
        PnpMinor::Eject if is_pdo => eject(m, device, irp),
        _ => fire_and_forget(m, device, irp),
    }
}

/// The event of an IRP that changes the device's state, and whether the IRP has succeeded unless somebody objects.
fn state_change(minor: PnpMinor) -> Option<(PnpEvent, bool)> {
    Some(match minor {
        PnpMinor::StartDevice => (PnpEvent::StartDevice, false),
        PnpMinor::QueryRemoveDevice => (PnpEvent::QueryRemove, true),
        PnpMinor::CancelRemoveDevice => (PnpEvent::CancelRemove, true),
        PnpMinor::QueryStopDevice => (PnpEvent::QueryStop, false),
        PnpMinor::CancelStopDevice => (PnpEvent::CancelStop, true),
        PnpMinor::StopDevice => (PnpEvent::Stop, true),
        PnpMinor::SurpriseRemoval => (PnpEvent::SurpriseRemove, true),
        _ => return None,
    })
}

/// The line that every PnP IRP leaves in the log, at a level that depends on the minor code.
fn log_arrival(m: &mut Machine, device: Device, irp: Irp, minor: u8, parameters: Parameters) {
    use PnpMinor::*;
    let driver = device.driver(m);
    let (handle, device_object) = (device.object().handle(), device.device_object(m).address());
    let code = u64::from(minor);
    match (PnpMinor::from_code(minor), parameters) {
        (Some(QueryDeviceRelations), Parameters::Pnp(PnpParameters::Relations(kind))) => {
            let arguments = [handle, device_object, code, kind as u64, irp.address()];
            trace(m, driver, &sites::PNP_DISPATCH_RELATIONS, arguments);
        }
        (
            Some(
                StartDevice | QueryRemoveDevice | RemoveDevice | CancelRemoveDevice | StopDevice | QueryStopDevice
                | CancelStopDevice | SurpriseRemoval | Eject | QueryPnpDeviceState,
            ),
            _,
        ) => trace(m, driver, &sites::PNP_DISPATCH, [handle, device_object, code, irp.address()]),
        _ => trace(m, driver, &sites::PNP_DISPATCH_QUIET, [handle, device_object, code, irp.address()]),
    }
}

/// EvtDeviceSetLock.
fn set_lock(m: &mut Machine, device: Device, irp: Irp, parameters: Parameters) -> NtStatus {
    let status = match parameters {
        Parameters::Pnp(PnpParameters::Lock(lock)) => device.call_set_lock(m, lock),
        _ => STATUS_INVALID_PARAMETER,
    };
    device.complete_irp(m, irp, status)
}

/// EJECT waits for the machine, and is not pended.
///
/// Source: S/irphandlers/pnp/fxpkgpdo.cpp:973-1010.
fn eject(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    let data = &mut device.body(m).pnp;
    (data.pending_pnp, data.eject_processed) = (Some(irp), false);
    post::<Pnp>(m, device, PnpEvent::Eject);
    m.wait("a device's PnP machine to eject it", move |m| {
        fx(m).devices.get(device.0.id).is_none_or(|body| body.pnp.eject_processed)
    });
    device.body(m).pnp.pending_pnp = None;
    let status = m[irp].io_status.status;
    device.complete_irp(m, irp, status)
}
