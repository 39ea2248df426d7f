//! FxPkgIo: which queue, or which callback, gets a read, a write or a control request.
//!
//! Source: S/irphandlers/io/fxpkgio.cpp:100-1010, 1700-1757; S/core/fxdeviceapi.cpp:1840-2670.

use vbus_wdm::constants::*;
use vbus_wdm::{DeviceObject, Irp, Machine, Major, NtStatus, Parameters};

use crate::device::{Device, DeviceKind};
use crate::dispatch::pass_down;
use crate::framework::{take_fx, trace};
use crate::object::Handle;
use crate::pnp;
use crate::queue::Queue;
use crate::request::Request;
use crate::trace::sites;
use crate::verifier::debug_break;
use crate::wdm_dispatch::WdmIrp;

/// EvtIoInCallerContext: the driver has the request before any queue, in the context of whoever sent it. It calls
/// [`Device::enqueue_request`] or completes it.
pub type InCallerContext = fn(&mut Machine, Device, Request);

pub(crate) fn dispatch(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    let location = m[irp].current();
    let (major, minor, parameters) = (location.major, location.minor, location.parameters);
    let mut fx = take_fx(m);
    let body = fx.device(device);
    let driver = body.header.driver();
    let device_address = body.device_object.map_or(0, DeviceObject::address);
    let dynamic = body.dynamic.get(major);
    let arguments = [device.0.handle(), device_address, major as u64, minor.into(), irp.address()];
    fx.trace(driver, &sites::IO_DISPATCH, arguments);
    match dynamic {
        Some((callback, context)) => {
            let code = match parameters {
                Parameters::DeviceIoControl { code, .. } => code.0,
                _ => 0,
            };
            callback(m, device, WdmIrp { irp, major, minor, code, context })
        }
        None => to_queue(m, device, irp, major),
    }
}

/// DispatchStep1, after the driver's own look at the IRP.
#[inline]
pub(crate) fn to_queue(m: &mut Machine, device: Device, irp: Irp, major: Major) -> NtStatus {
    let mut fx = take_fx(m);
    let body = fx.device(device);
    let (kind, lower, driver) = (body.kind, body.lower, body.header.driver());
    let (in_caller_context, default_queue) = (body.in_caller_context, body.default_queue);
    let queue = body.configured.get(major).or(default_queue);
    let filter_below = lower.filter(|_| kind == DeviceKind::Filter && in_caller_context.is_none());
    match (queue, filter_below) {
        (None, Some(lower)) => return pass_down(m, irp, lower),
        (None, None) if in_caller_context.is_none() => {
            let status = STATUS_INVALID_DEVICE_REQUEST;
            fx.trace(driver, &sites::IO_NO_QUEUE, [device.0.handle(), irp.address(), status.0.into()]);
            return irp.complete_with(m, status, 0);
        }
        // A filter whose default queue has no callback for this kind is no reason to stop the request.
        (Some(queue), Some(lower)) if Some(queue) == default_queue && !fx.queue(queue).handles(major) => {
            return pass_down(m, irp, lower);
        }
        _ => {}
    }
    make_request(m, device, irp, queue, in_caller_context)
}

/// DispatchStep2: the IRP gets its request, which goes to EvtIoInCallerContext if there is one, and else to its queue.
#[inline]
pub(crate) fn make_request(
    m: &mut Machine,
    device: Device,
    irp: Irp,
    queue: Option<Queue>,
    in_caller_context: Option<InCallerContext>,
) -> NtStatus {
    if let Err(status) = m.allocation_point("FxRequest::_CreateForPackage") {
        return without_memory(m, device, irp, queue, status);
    }
    let mut fx = take_fx(m);
    let driver = fx.device(device).header.driver();
    let request = Request::from_dispatch(&mut fx, driver, device, Some(irp));
    let reserves = queue.filter(|&queue| fx.queue(queue).has_reserve());
    request.mark_irp(m, irp);
    if let Some(queue) = reserves
        && !queue.allocate_resources(m, request, irp)
    {
        return queue.queue_with_reserved(m, irp);
    }
    match (in_caller_context, queue) {
        (Some(callback), queue) => {
            // Whatever the driver does with it, the answer is STATUS_PENDING.
            irp.mark_pending(m);
            request.enter_caller_context(m, queue);
            callback(m, device, request);
            STATUS_PENDING
        }
        (None, Some(queue)) => queue.queue_request(m, request, irp),
        // Without a callback and without a queue the IRP is gone by here.
        (None, None) => STATUS_PENDING,
    }
}

/// No memory for a request: the IRP gets one that its queue has in reserve, or is completed by the framework. A reserved
/// request does not go to EvtIoInCallerContext: it may come too late for that.
#[cold]
fn without_memory(m: &mut Machine, device: Device, irp: Irp, queue: Option<Queue>, status: NtStatus) -> NtStatus {
    let driver = device.driver(m);
    trace(m, driver, &sites::REQUEST_NO_MEMORY, [status.0.into()]);
    if let Some(queue) = queue.filter(|&queue| take_fx(m).queue(queue).has_reserve()) {
        return queue.queue_with_reserved(m, irp);
    }
    if device.kind(m) != DeviceKind::Filter || queue.is_some() {
        trace(m, driver, &sites::IO_NO_REQUEST, [status.0.into()]);
    }
    irp.complete_with(m, status, 0)
}

/// The queue that a device's own I/O target gives requests of this major function to, if its driver assigned none.
///
/// Source: S/inc/private/common/fxpkgio.hpp:128.
pub fn queue_for(m: &mut Machine, device: Device, major: Major) -> Option<Queue> {
    let body = device.body(m);
    let configured = body.configured.get(major).filter(|_| is_io(major));
    configured.or(body.default_queue)
}

/// Whether the I/O package handles a major function.
///
/// Source: S/inc/private/common/fxdevice.hpp:890-930.
pub fn is_io(major: Major) -> bool {
    matches!(major, Major::Read | Major::Write | Major::DeviceControl | Major::InternalDeviceControl)
}

/// An IRP that a device's own I/O target sends: it becomes a request of this queue of the device.
///
/// Source: S/targets/general/fxiotargetself.cpp:75-175.
pub fn dispatch_to_self(m: &mut Machine, device: Device, irp: Irp, queue: Queue) {
    let in_caller_context = device.body(m).in_caller_context;
    make_request(m, device, irp, Some(queue), in_caller_context);
}

/// Whether queues of a device can still be assigned. The error says whether it is a control device, whose driver has
/// finished with it, or one that was started.
///
/// # Errors
/// True for a control device.
pub fn queues_are_assignable(m: &mut Machine, device: Device) -> Result<(), bool> {
    pnp::still_initializing(m, device)
}

impl Device {
    /// `WdfDeviceConfigureRequestDispatching`: requests of this kind go to `queue` instead of the default one.
    ///
    /// # Errors
    /// STATUS_INVALID_PARAMETER for another major function than create, read, write and the two controls, and for a
    /// second create queue. STATUS_INVALID_DEVICE_REQUEST for another device's queue, the default one, and one that has
    /// no callback for the kind. STATUS_INVALID_DEVICE_STATE after the device was started. STATUS_WDF_BUSY for a kind
    /// that has a queue.
    pub fn configure_request_dispatching(self, m: &mut Machine, queue: Queue, major: Major) -> Result<(), NtStatus> {
        use Major::{Create, DeviceControl, InternalDeviceControl, Read, Write};
        let driver = self.driver(m);
        let (handle, queue_handle, kind) = (self.0.handle(), queue.0.handle(), major as u64);
        if !matches!(major, Create | Read | Write | DeviceControl | InternalDeviceControl) {
            let status = STATUS_INVALID_PARAMETER;
            trace(m, driver, &sites::CONFIGURE_TYPE, [kind, status.0.into()]);
            return Err(status);
        }
        if queue.device(m) != self {
            let status = STATUS_INVALID_DEVICE_REQUEST;
            trace(m, driver, &sites::CONFIGURE_OTHER_DEVICE, [queue_handle, handle, status.0.into()]);
            return Err(status);
        }
        if let Err(control) = pnp::still_initializing(m, self) {
            let status = STATUS_INVALID_DEVICE_STATE;
            let site = if control { &sites::CONFIGURE_FINISHED } else { &sites::CONFIGURE_STARTED };
            trace(m, driver, site, [handle, status.0.into()]);
            return Err(status);
        }
        let create = major == Create;
        if !take_fx(m).queue(queue).handles(major) {
            let status = STATUS_INVALID_DEVICE_REQUEST;
            match create {
                true => trace(m, driver, &sites::GENERAL_CONFIGURE_NO_HANDLER, [queue_handle, status.0.into()]),
                false => trace(m, driver, &sites::IO_CONFIGURE_NO_HANDLER, [kind, queue_handle, status.0.into()]),
            }
            debug_break(m, driver);
            return Err(status);
        }
        let body = self.body(m);
        let (default_queue, known) = (body.default_queue, body.configured.get(major));
        if default_queue == Some(queue) && !create {
            let status = STATUS_INVALID_DEVICE_REQUEST;
            trace(m, driver, &sites::IO_CONFIGURE_DEFAULT, [queue_handle, status.0.into()]);
            debug_break(m, driver);
            return Err(status);
        }
        if let Some(known) = known {
            let status = if create { STATUS_INVALID_PARAMETER } else { STATUS_WDF_BUSY };
            match create {
                true => trace(m, driver, &sites::GENERAL_CONFIGURE_TWICE, [known.0.handle(), status.0.into()]),
                false => trace(m, driver, &sites::IO_CONFIGURE_BUSY, [kind, queue_handle, status.0.into()]),
            }
            debug_break(m, driver);
            return Err(status);
        }
        self.body(m).configured.set(major, queue);
        if !create {
            queue.0.protect(m);
        }
        Ok(())
    }

    /// `WdfDeviceEnqueueRequest`, in EvtIoInCallerContext: the request goes to its queue. A filter's that has none goes
    /// down the stack.
    ///
    /// # Errors
    /// STATUS_INVALID_DEVICE_REQUEST for a device without a queue for it, STATUS_WDF_BUSY for a queue that does not
    /// accept: the driver still has the request. Under the verifier STATUS_INVALID_DEVICE_REQUEST outside the callback.
    pub fn enqueue_request(self, m: &mut Machine, request: Request) -> Result<(), NtStatus> {
        let (driver, handle) = (self.driver(m), request.0.handle());
        trace(m, driver, &sites::IO_ENQUEUE, [handle]);
        if !request.verify_in_caller_context(m) {
            return Err(STATUS_INVALID_DEVICE_REQUEST);
        }
        let major = request.location_parameters(m).map_or(Major::default(), |(major, _)| major);
        let queue = request.leave_caller_context(m);
        let body = self.body(m);
        let default_queue = body.default_queue;
        let lower = body.lower.filter(|_| body.kind == DeviceKind::Filter);
        let handled = queue.is_some_and(|queue| Some(queue) != default_queue || take_fx(m).queue(queue).handles(major));
        let result = match (queue, lower) {
            (_, Some(lower)) if !handled => {
                send_and_forget(m, request, lower);
                return Ok(());
            }
            (Some(queue), _) => queue.accept_forwarded(m, request),
            (None, _) => {
                let status = STATUS_INVALID_DEVICE_REQUEST;
                trace(m, driver, &sites::IO_ENQUEUE_NO_QUEUE, [self.0.handle(), handle, status.0.into()]);
                debug_break(m, driver);
                Err(status)
            }
        };
        if result.is_err() {
            request.enter_caller_context(m, queue);
        }
        result
    }
}

/// The request's IRP goes down without it.
fn send_and_forget(m: &mut Machine, request: Request, lower: DeviceObject) {
    let Some(irp) = request.current_irp(m) else { return };
    let queue = request.begin_to_forget(m, true);
    irp.call_driver(m, lower);
    request.forgotten(m, queue);
}
