//! The end of a device: after a removal, after a creation that failed, and a control device's own.

use vbus_wdm::{DeviceObject, Machine};

use crate::child_list::ChildList;
use crate::device::{Device, DeviceKind};
use crate::driver::Driver;
use crate::framework::{fx_mut, trace};
use crate::object::{Handle, Object};
use crate::trace::sites;

/// EvtDriverDeviceAdd failed after it created its device: the device leaves the stack again.
pub(crate) fn undo_failed_add(m: &mut Machine, device_object: DeviceObject) -> Option<DeviceKind> {
    let device = Device::of(m, device_object)?;
    let kind = device.body(m).kind;
    undo(m, device);
    Some(kind)
}

/// A device whose creation failed on the way goes again.
///
/// Source: S/core/fxdevice.cpp:594-660.
pub(crate) fn undo(m: &mut Machine, device: Device) {
    if device.body(m).kind == DeviceKind::Control {
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
    device_object.detach(m);
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
    let lists = [body.child_list, body.static_list].into_iter().flatten().map(ChildList::object);
    let held: Vec<Object> = lists.chain(body.default_target).collect();
    fx_mut(m).devices.release(device.0.id);
    trace(m, driver, &sites::IO_DESTROYED, [device.package().address()]);
    for object in held {
        object.release(m);
    }
}
