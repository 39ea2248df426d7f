//! From an IRP to the package that handles it.
//!
//! Source: S/core/fxdevice.cpp:1360-1590.

use vbus_wdm::constants::*;
use vbus_wdm::{Context, Control, DeviceObject, Irp, Machine, Major, NtStatus};

use crate::device::{Device, DeviceKind};
use crate::framework::{fx, fx_mut, trace};
use crate::object::Handle;
use crate::queue::Queue;
use crate::trace::sites;
use crate::{general, io_package, pnp};

/// The one dispatch routine behind every major function of every framework driver.
pub(crate) fn dispatch(m: &mut Machine, device_object: DeviceObject, irp: Irp) -> NtStatus {
    let Some(device) = Device::of(m, device_object) else {
        return irp.complete_with(m, STATUS_INVALID_DEVICE_REQUEST, 0);
    };
    let major = m[irp].current().major;
    let body = device.body(m);
    let preprocess = body.preprocess.get(major);
    let io = !matches!(major, Major::Pnp | Major::Power | Major::SystemControl);
    // PnP, power and WMI IRPs always hold the remove lock; their packages give it back.
    if (!io || body.remove_lock_for_io) && !body.pnp.acquire_remove_lock() {
        return irp.complete_with(m, STATUS_DELETE_PENDING, 0);
    }
    if body.remove_lock_for_io && io {
        // The location that the option paid for holds the routine that gives the lock back.
        let data = &mut m[irp];
        data.copy_current_to_next();
        data.set_completion_routine(release_remove_lock, Context(0), Control::INVOKE_ALWAYS);
        data.set_next_location();
        // IoCallDriver would have stored the owner; nobody calls a driver here.
        data.current_mut().device = Some(device_object);
    }
    match preprocess {
        Some(preprocess) => preprocess(m, device, irp),
        None => to_package(m, device, irp),
    }
}

fn release_remove_lock(m: &mut Machine, device: Option<DeviceObject>, irp: Irp, _: Context) -> NtStatus {
    if m[irp].pending_returned {
        irp.mark_pending(m);
    }
    if let Some(device) = device.and_then(|device| Device::of(m, device)) {
        device.body(m).pnp.release_remove_lock();
    }
    STATUS_SUCCESS
}

/// Picks the package by major function.
pub(crate) fn to_package(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    match m[irp].current().major {
        Major::Read | Major::Write | Major::DeviceControl | Major::InternalDeviceControl => {
            io_package::dispatch(m, device, irp)
        }
        Major::Create | Major::Cleanup | Major::Close | Major::Shutdown => general::dispatch(m, device, irp),
        Major::Pnp => pnp::dispatch(m, device, irp),
        Major::Power => pnp::dispatch_power(m, device, irp),
        Major::SystemControl => system_control(m, device, irp),
        Major::CreateNamedPipe | Major::QueryInformation | Major::FlushBuffers => default(m, device, irp),
    }
}

/// WMI requests, which nobody here answers.
fn system_control(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    let driver = device.driver(m);
    let minor = m[irp].current().minor;
    let device_address = device.device_object(m).address();
    let arguments = [device.0.handle(), device_address, minor.into(), irp.address()];
    trace(m, driver, &sites::WMI_DISPATCH, arguments);
    device.body(m).pnp.release_remove_lock();
    match device.lower_device(m) {
        Some(lower) => pass_down(m, irp, lower),
        None => {
            let status = m[irp].io_status.status;
            irp.complete_with(m, status, 0)
        }
    }
}

/// A filter passes down what it does not know; everybody else refuses it.
fn default(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    let body = device.body(m);
    match body.lower.filter(|_| body.kind == DeviceKind::Filter) {
        Some(lower) => pass_down(m, irp, lower),
        None => irp.complete_with(m, STATUS_INVALID_DEVICE_REQUEST, 0),
    }
}

/// `IoSkipCurrentIrpStackLocation` and `IoCallDriver`.
pub(crate) fn pass_down(m: &mut Machine, irp: Irp, lower: DeviceObject) -> NtStatus {
    m[irp].skip_current_location();
    irp.call_driver(m, lower)
}

/// `IoCopyCurrentIrpStackLocationToNext` and `IoCallDriver`: the PnP and power packages give the lower driver a location
/// of its own even where they need no completion routine.
///
/// Source: S/irphandlers/pnp/fxpkgfdo.cpp:329, 1265; S/irphandlers/pnp/fdopower.cpp:81.
pub(crate) fn copy_down(m: &mut Machine, irp: Irp, lower: DeviceObject) -> NtStatus {
    m[irp].copy_current_to_next();
    irp.call_driver(m, lower)
}

/// Every queue of a device, for what happens to all of them; a queue may come or go meanwhile.
pub(crate) fn for_each_queue(m: &mut Machine, device: Device, mut act: impl FnMut(&mut Machine, Queue)) {
    let queues = match fx_mut(m).devices.get(device.0.id) {
        Some(body) => body.queues.clone(),
        None => return,
    };
    for queue in queues {
        if fx(m).devices.get(device.0.id).is_some_and(|body| body.queues.contains(&queue)) {
            act(m, queue);
        }
    }
}
