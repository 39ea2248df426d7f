//! FxPkgGeneral: create, cleanup, close and shutdown.
//!
//! Source: S/irphandlers/general/fxpkggeneral.cpp:694-1900.

use vbus_wdm::constants::*;
use vbus_wdm::{Context, Control, DeviceObject, FileObject, Irp, Machine, Major, NtStatus};

use crate::device::end::handle_closed;
use crate::device::{Device, DeviceKind};
use crate::dispatch::{for_each_queue, pass_down};
use crate::file::{self, FileCreate};
use crate::framework::{take_fx, trace};
use crate::object::Handle;
use crate::queue::Queue;
use crate::request::Request;
use crate::trace::sites;

pub(crate) fn dispatch(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    let location = m[irp].current();
    let (major, file) = (location.major, location.file);
    let device_address = device.device_object(m).address();
    let driver = device.driver(m);
    let arguments = [device.0.handle(), device_address, major as u64, irp.address()];
    trace(m, driver, &sites::GENERAL_DISPATCH, arguments);
    match major {
        Major::Create => create(m, device, irp, file),
        Major::Cleanup => cleanup(m, device, irp, file),
        Major::Close => close(m, device, irp, file),
        _ => shutdown(m, device, irp),
    }
}

/// OnCreate: the file gets its WDFFILEOBJECT if the driver wants one, and goes to the driver's create queue, its
/// EvtDeviceFileCreate, the device below, or nobody.
fn create(m: &mut Machine, device: Device, irp: Irp, file: Option<FileObject>) -> NtStatus {
    let driver = device.driver(m);
    let body = device.body(m);
    body.open_handles += 1;
    let (create_queue, on_create) = (body.configured.get(Major::Create), body.files.on_create);
    let forwards = body.forwards_files();
    // The package counts itself as the first.
    if body.exclusive && body.open_handles > 1 {
        trace(m, driver, &sites::GENERAL_EXCLUSIVE, [device.0.handle()]);
        return fail(m, device, irp, STATUS_ACCESS_DENIED);
    }
    let opened = match file::create(m, device, irp, file) {
        Ok(opened) => opened,
        Err(status) => {
            trace(m, driver, &sites::GENERAL_NO_FILE, [device.0.handle(), status.0.into()]);
            return fail(m, device, irp, status);
        }
    };
    match (create_queue, on_create, forwards) {
        (Some(queue), ..) => {
            let request = match request_for(m, device, irp) {
                Ok(request) => request,
                Err(status) => return fail_opened(m, device, irp, status),
            };
            let status = queue.queue_request(m, request, irp);
            if !status.is_success() {
                trace(m, driver, &sites::GENERAL_NOT_QUEUED, [queue.0.handle(), status.0.into()]);
            }
            status
        }
        (None, Some(on_create), _) => ask_driver(m, device, irp, opened, on_create),
        (None, None, Some(lower)) => {
            m[irp].copy_current_to_next();
            m[irp].set_completion_routine(create_came_back, Context(0), Control::INVOKE_ALWAYS);
            irp.call_driver(m, lower)
        }
        (None, None, None) => irp.complete_with(m, STATUS_SUCCESS, 0),
    }
}

/// A request for a create. No queue has one for it in reserve.
fn request_for(m: &mut Machine, device: Device, irp: Irp) -> Result<Request, NtStatus> {
    let driver = device.driver(m);
    if let Err(status) = m.allocation_point("FxRequest::_CreateForPackage") {
        trace(m, driver, &sites::REQUEST_NO_MEMORY, [status.0.into()]);
        trace(m, driver, &sites::GENERAL_NO_REQUEST, [device.0.handle(), status.0.into()]);
        return Err(status);
    }
    let request = Request::from_dispatch(&mut take_fx(m), driver, device, Some(irp));
    request.mark_irp(m, irp);
    Ok(request)
}

/// EvtDeviceFileCreate. The request goes through a manual queue that the framework keeps for this, so that it can be
/// cancelled with its file.
fn ask_driver(
    m: &mut Machine,
    device: Device,
    irp: Irp,
    opened: Option<file::WdfFileObject>,
    on_create: FileCreate,
) -> NtStatus {
    let Some(queue) = device.body(m).create_queue else { return fail(m, device, irp, STATUS_INVALID_DEVICE_STATE) };
    let driver = device.driver(m);
    let request = match request_for(m, device, irp) {
        Ok(request) => request,
        Err(status) => return fail_opened(m, device, irp, status),
    };
    let status = queue.queue_request(m, request, irp);
    if !status.is_success() {
        trace(m, driver, &sites::GENERAL_NOT_QUEUED, [queue.0.handle(), status.0.into()]);
        return status;
    }
    // Cancelled meanwhile, it is gone.
    if let Ok(request) = queue.retrieve_found_or_next(m, request) {
        device.call_for_file(m, |m| on_create(m, device, request, opened));
    }
    STATUS_PENDING
}

fn create_came_back(m: &mut Machine, device: Option<DeviceObject>, irp: Irp, _: Context) -> NtStatus {
    if let Some(device) = device.and_then(|device| Device::of(m, device)) {
        create_completed(m, device, irp);
    }
    if m[irp].pending_returned {
        irp.mark_pending(m);
    }
    m[irp].io_status.status
}

/// CreateCompleted: a file that could not be opened is forgotten.
pub(crate) fn create_completed(m: &mut Machine, device: Device, irp: Irp) {
    if !m[irp].io_status.status.is_success() {
        let file = m[irp].current().file;
        file::destroy(m, device, file);
        handle_closed(m, device);
    }
}

/// A create fails that has its file object already.
fn fail_opened(m: &mut Machine, device: Device, irp: Irp, status: NtStatus) -> NtStatus {
    let file = m[irp].current().file;
    file::destroy(m, device, file);
    fail(m, device, irp, status)
}

fn fail(m: &mut Machine, device: Device, irp: Irp, status: NtStatus) -> NtStatus {
    handle_closed(m, device);
    irp.complete_with(m, status, 0)
}

/// OnCleanup: EvtFileCleanup, then every queue's requests of the file are cancelled. A file that the framework does not
/// know is the driver's all the same.
fn cleanup(m: &mut Machine, device: Device, irp: Irp, file: Option<FileObject>) -> NtStatus {
    let found = file::find(m, device, file);
    if let Some(on_cleanup) = device.body(m).files.on_cleanup {
        device.call_for_file(m, |m| on_cleanup(m, device, found.ok().flatten()));
    }
    if let Some(file) = file {
        for_each_queue(m, device, |m, queue: Queue| queue.cancel_waiting_of_file(m, file));
    }
    end(m, device, irp, NtStatus::from(found.map(|_| ())))
}

/// OnClose: EvtFileClose, then the WDFFILEOBJECT goes.
fn close(m: &mut Machine, device: Device, irp: Irp, file: Option<FileObject>) -> NtStatus {
    let found = file::find(m, device, file);
    if let Some(on_close) = device.body(m).files.on_close {
        device.call_for_file(m, |m| on_close(m, device, found.ok().flatten()));
    }
    file::destroy(m, device, file);
    let status = end(m, device, irp, NtStatus::from(found.map(|_| ())));
    if device.object().exists(m) {
        handle_closed(m, device);
    }
    status
}

/// Down the stack where the device forwards such requests, else complete.
fn end(m: &mut Machine, device: Device, irp: Irp, status: NtStatus) -> NtStatus {
    match device.body(m).forwards_files() {
        Some(lower) => pass_down(m, irp, lower),
        None => irp.complete_with(m, status, 0),
    }
}

/// SHUTDOWN goes down from a filter; a control device tells its driver, if that asked for it.
fn shutdown(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    let body = device.body(m);
    let on_shutdown = body.shutdown;
    match body.lower.filter(|_| body.kind == DeviceKind::Filter) {
        Some(lower) => pass_down(m, irp, lower),
        None => {
            if let Some(on_shutdown) = on_shutdown {
                on_shutdown(m, device);
            }
            irp.complete_with(m, STATUS_SUCCESS, 0)
        }
    }
}
