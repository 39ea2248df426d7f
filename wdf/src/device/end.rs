//! The end of a device: after a removal, after a creation that failed, and a control device's own.

use vbus_wdm::constants::*;
use vbus_wdm::{DeviceObject, Machine, NtStatus};

use super::{Device, DeviceKind};
use crate::child_list::ChildList;
use crate::driver::Driver;
use crate::framework::{fx_mut, trace};
use crate::object::Handle;
use crate::pnp;
use crate::trace::sites;

/// EvtDriverDeviceAdd failed after it created its device: the device leaves the stack again. A filter that fails does not
/// keep the rest of the stack from being built.
pub(crate) fn undo_failed_add(m: &mut Machine, device_object: DeviceObject, status: NtStatus) -> NtStatus {
    match Device::of(m, device_object) {
        Some(device) => delete_failed(m, device, status),
        None => status,
    }
}

/// DeleteDeviceFromFailedCreate: a device that its driver gave up on goes through its removal. The answer is the status
/// that this has become.
///
/// Source: S/core/fxdevice.cpp:586-660.
pub(crate) fn delete_failed(m: &mut Machine, device: Device, status: NtStatus) -> NtStatus {
    let driver = device.driver(m);
    let arguments = [device.0.handle(), device.device_object(m).address(), status.0.into()];
    trace(m, driver, &sites::DEVICE_ADD_FAILED, arguments);
    let filter = device.kind(m) == DeviceKind::Filter;
    if filter {
        trace(m, driver, &sites::DEVICE_ADD_FAILED_FILTER, arguments);
    }
    pnp::remove_failed_device(m, device);
    destroy(m, device);
    if filter { STATUS_SUCCESS } else { status }
}

/// A device whose creation failed on the way goes again.
///
/// Source: S/core/fxdevice.cpp:594-660.
pub(super) fn undo(m: &mut Machine, device: Device) {
    if device.kind(m) == DeviceKind::Control {
        return device.0.delete_object(m);
    }
    clean_up(m, device);
    destroy(m, device);
}

/// The cleanup half of a device's end, and the whole end of everything below it.
///
/// Source: S/irphandlers/pnp/pnpstatemachine.cpp:2030-2062; S/core/fxdevice.cpp:636-645.
pub(crate) fn clean_up(m: &mut Machine, device: Device) {
    device.0.early_dispose(m);
    device.0.destroy_children(m);
    device.0.wait_for_dispose_list(m);
}

/// Takes the device off its stack and out of the machine, after its cleanup.
pub(crate) fn destroy(m: &mut Machine, device: Device) {
    delete_device_object(m, device);
    device.0.delete_object(m);
}

/// FxDevice::Destroy.
///
/// Source: S/core/km/fxdevicekm.cpp:320-392.
fn delete_device_object(m: &mut Machine, device: Device) {
    let driver: Driver = device.driver(m);
    let device_object = device.device_object(m);
    let lower = device.lower_device(m);
    let arguments = [device_object.address(), device.0.handle(), lower.map_or(0, DeviceObject::address)];
    trace(m, driver, &sites::DEVICE_DELETING, arguments);
    if lower.is_some() {
        device_object.detach(m);
    }
    device_object.delete(m);
}

/// The device's own disposal. A control device's is all of its end, as no PnP IRP comes for it.
///
/// Source: S/core/fxdevice.cpp:1284-1336.
pub(crate) fn disposed(m: &mut Machine, device: Device) {
    device.0.call_cleanup(m);
    if device.body(m).kind == DeviceKind::Control {
        device.0.destroy_children(m);
        device.0.wait_for_dispose_list(m);
        delete_device_object(m, device);
    }
}

/// The last reference is gone, and with it the device's packages. What the PnP package holds goes after the device.
///
/// Source: S/core/fxdevice.cpp:285-305; S/irphandlers/pnp/fxpkgfdo.cpp:156-190.
pub(crate) fn destroyed(m: &mut Machine, device: Device) {
    let driver: Driver = device.driver(m);
    let body = device.body(m);
    let lists = std::mem::take(&mut body.child_lists);
    let (targets, parent) = (body.targets, body.parent);
    fx_mut(m).devices.release(device.0.id);
    trace(m, driver, &sites::IO_DESTROYED, [device.package().address()]);
    let held = lists.into_iter().map(ChildList::object).chain(targets.all());
    held.for_each(|object| object.release(m));
    // A PDO holds on to its bus.
    if let Some(parent) = parent {
        parent.0.release(m);
    }
}

/// `WdfObjectDelete`: a PDO that was never listed goes as if it could not be created.
///
/// Source: S/core/fxdevice.cpp:1177-1260 (DeleteObject).
pub(crate) fn deleted_by_driver(m: &mut Machine, device: Device) {
    match device.kind(m) {
        DeviceKind::Control => delete_control(m, device),
        _ => _ = delete_failed(m, device, STATUS_UNSUCCESSFUL),
    }
}

/// Nobody opens a control device any more, and it goes with its last file.
///
/// Source: S/irphandlers/general/fxpkggeneral.cpp:1985.
fn delete_control(m: &mut Machine, device: Device) {
    let device_object = device.device_object(m);
    device_object.refuse_opens(m);
    let body = device.body(m);
    body.deleted = true;
    if body.open_handles == 0 {
        device.0.delete_object(m);
    }
}

/// A file of the device was closed, or could not be opened.
pub(crate) fn handle_closed(m: &mut Machine, device: Device) {
    let body = device.body(m);
    body.open_handles = body.open_handles.saturating_sub(1);
    if body.deleted && body.open_handles == 0 {
        device.0.delete_object(m);
    }
}
