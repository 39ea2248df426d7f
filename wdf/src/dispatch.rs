//! From an IRP to the package that handles it.
//!
//! Source: S/core/fxdevice.cpp:1360-1590, S/irphandlers/io/fxpkgio.cpp:100-470, S/irphandlers/general/fxpkggeneral.cpp.

use vbus_wdm::constants::*;
use vbus_wdm::{Context, Control, DeviceObject, Irp, Machine, Major, NtStatus};

use crate::device::{Device, DeviceKind};
use crate::framework::{fx_mut, take_fx, trace};
use crate::object::Handle;
use crate::pnp;
use crate::queue::Queue;
use crate::request::Request;
use crate::trace::sites;

/// The one dispatch routine behind every major function of every framework driver.
pub(crate) fn dispatch(m: &mut Machine, device_object: DeviceObject, irp: Irp) -> NtStatus {
    let Some(device) = Device::of(m, device_object) else {
        return irp.complete_with(m, STATUS_INVALID_DEVICE_REQUEST, 0);
    };
    let major = m[irp].current().major;
    let body = device.body(m);
    let preprocess = body.preprocess[major as usize];
    let io = !matches!(major, Major::Pnp | Major::Power | Major::SystemControl);
    if body.remove_lock_for_io && io {
        if !body.pnp.acquire_remove_lock() {
            return irp.complete_with(m, STATUS_DELETE_PENDING, 0);
        }
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
        Major::Read | Major::Write | Major::DeviceControl | Major::InternalDeviceControl => io(m, device, irp),
        Major::Create | Major::Cleanup | Major::Close | Major::Shutdown => general(m, device, irp),
        Major::Pnp => pnp::dispatch(m, device, irp),
        major @ (Major::Power | Major::SystemControl) => match device.lower_device(m) {
            Some(lower) if major == Major::Power => copy_down(m, irp, lower),
            Some(lower) => pass_down(m, irp, lower),
            None => {
                let status = m[irp].io_status.status;
                irp.complete_with(m, status, 0)
            }
        },
        Major::CreateNamedPipe => default(m, device, irp),
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

/// FxPkgIo: finds the queue, makes the request, queues it.
fn io(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    let location = m[irp].current();
    let (major, minor) = (location.major, location.minor);
    let mut fx = take_fx(m);
    let body = fx.device(device);
    let (kind, lower, driver) = (body.kind, body.lower, body.header.driver());
    let device_address = body.device_object.map_or(0, DeviceObject::address);
    let queue = body.configured[major as usize].or(body.default_queue);
    let arguments = [device.0.handle(), device_address, major as u64, minor.into(), irp.address()];
    fx.trace(driver, &sites::IO_DISPATCH, arguments);
    let filter_below = lower.filter(|_| kind == DeviceKind::Filter);
    match (queue, filter_below) {
        (None, Some(lower)) => pass_down(m, irp, lower),
        (None, None) => {
            let status = STATUS_INVALID_DEVICE_REQUEST;
            fx.trace(driver, &sites::IO_NO_QUEUE, [device.0.handle(), irp.address(), status.0.into()]);
            irp.complete_with(m, status, 0)
        }
        // A filter whose queue has no callback for this kind is no reason to stop the request.
        (Some(queue), Some(lower)) if !fx.queue(queue).handles(major) => pass_down(m, irp, lower),
        (Some(queue), _) => {
            let request = Request::from_dispatch(&mut fx, driver, device, irp);
            request.mark_irp(m, irp);
            queue.queue_request(m, request, irp)
        }
    }
}

/// FxPkgGeneral: create, cleanup, close, shutdown.
fn general(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    let location = m[irp].current();
    let (major, file) = (location.major, location.file);
    let device_address = device.device_object(m).address();
    let driver = device.driver(m);
    let arguments = [device.0.handle(), device_address, major as u64, irp.address()];
    trace(m, driver, &sites::GENERAL_DISPATCH, arguments);
    if let (Major::Cleanup, Some(file)) = (major, file) {
        for at in 0.. {
            let Some(&queue) = device.body(m).queues.get(at) else { break };
            queue.cancel_waiting_of_file(m, file);
        }
    }
    let body = device.body(m);
    match body.lower.filter(|_| body.kind == DeviceKind::Filter) {
        Some(lower) => pass_down(m, irp, lower),
        None => irp.complete_with(m, STATUS_SUCCESS, 0),
    }
}

/// Every queue of a device, for what happens to all of them; a queue may come or go meanwhile.
pub(crate) fn for_each_queue(m: &mut Machine, device: Device, mut act: impl FnMut(&mut Machine, Queue)) {
    let queues = match fx_mut(m).devices.get(device.0.id) {
        Some(body) => body.queues.clone(),
        None => return,
    };
    for queue in queues {
        act(m, queue);
    }
}
