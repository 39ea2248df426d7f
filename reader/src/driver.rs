//! The reader's function driver.
//!
//! Its way of completing a request is Microsoft's own sample's: one stack location of its own, a WDM completion
//! routine in it, and the smart-card library completes the IRP below that routine.
//!
//! Source: Windows-driver-samples, smartcrd/pscr (StackSize after WdfDeviceCreate; copy, completion routine, set next).

use vbus_wdf::{
    Attributes, Device, DeviceInit, Dispatch, Driver, DriverConfig, Handle, IoControl, PnpCallbacks, Queue, Request,
};
use vbus_wdm::constants::*;
use vbus_wdm::{Context, Control, DevNode, DeviceObject, Irp, Machine, NtStatus, Ticks, Timer};

use crate::card::Card;
use crate::card::iso7816::Iso7816Card;
use crate::ioctl::{GUID_SMARTCARD_READER, IOCTL_VBUS_EXCHANGE};
use crate::smclib::{self, Extension};

/// Makes the card of a new reader from the reader's number; `None` leaves the reader empty.
pub type CardFactory = fn(u32) -> Option<Box<dyn Card>>;

/// How readers behave.
#[derive(Clone, Copy)]
pub struct ReaderConfig {
    /// What the driver adds to its device object's StackSize. One is for its completion routine.
    pub extra_stack: i8,
    /// The card in a new reader.
    pub card: CardFactory,
    /// How long a reader takes for each request; zero answers inside the call.
    pub response_time: Ticks,
}

impl Default for ReaderConfig {
    fn default() -> Self {
        ReaderConfig { extra_stack: 1, card: iso7816, response_time: Ticks(0) }
    }
}

fn iso7816(number: u32) -> Option<Box<dyn Card>> {
    Some(Box::new(Iso7816Card::new(number)))
}

/// The device context.
struct Reader {
    extension: Extension,
    response_time: Ticks,
    /// Requests that wait for the card to answer, with the timer that will tell.
    waiting: Vec<(Request, Timer)>,
}

/// Loads the function driver. Install it for the hardware id of the bus's readers.
pub fn create_driver(m: &mut Machine, config: ReaderConfig, driver: DriverConfig) -> Driver {
    create_driver_named(m, "vreader", config, driver)
}

/// Loads the function driver under a service name of its own, for machines with readers that behave differently.
pub fn create_driver_named(m: &mut Machine, name: &str, config: ReaderConfig, driver: DriverConfig) -> Driver {
    let driver = DriverConfig { device_add: Some(device_add), ..driver };
    Driver::create(m, name, driver, Attributes::none().context(config))
}

fn device_add(m: &mut Machine, driver: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let config = *driver.context::<ReaderConfig>(m);
    let number = reader_number(m, init.pdo());
    let reader = Reader {
        extension: Extension::new((config.card)(number)),
        response_time: config.response_time,
        waiting: Vec::new(),
    };
    let callbacks = PnpCallbacks { surprise_removal: Some(pulled_out), ..PnpCallbacks::default() };
    let device = init.callbacks(callbacks).create(m, Attributes::none().context(reader))?;
    let device_object = device.device_object(m);
    m[device_object].stack_size = m[device_object].stack_size.wrapping_add(config.extra_stack);
    Queue::config(Dispatch::Parallel)
        .on_device_control(from_a_program)
        .on_internal_device_control(from_the_bus)
        .create_default(m, device)?;
    device.create_interface(m, GUID_SMARTCARD_READER, None)
}

/// The bus puts a reader's number into its instance id.
fn reader_number(m: &Machine, pdo: Option<DeviceObject>) -> u32 {
    let info = pdo.and_then(|pdo| DevNode::of(m, pdo)?.info(m));
    info.and_then(|info| info.instance_id.parse().ok()).unwrap_or(0)
}

/// EvtIoDeviceControl: the public device takes the smart-card codes and nothing else.
fn from_a_program(m: &mut Machine, queue: Queue, request: Request, control: IoControl) {
    if smclib::is_smartcard(control.code) {
        let device = queue.device(m);
        begin(m, device, request);
    } else {
        request.complete(m, STATUS_INVALID_DEVICE_REQUEST);
    }
}

/// EvtIoInternalDeviceControl: another driver may also use the vendor code.
fn from_the_bus(m: &mut Machine, queue: Queue, request: Request, control: IoControl) {
    if smclib::is_smartcard(control.code) || control.code == IOCTL_VBUS_EXCHANGE {
        let device = queue.device(m);
        begin(m, device, request);
    } else {
        request.complete(m, STATUS_INVALID_DEVICE_REQUEST);
    }
}

fn begin(m: &mut Machine, device: Device, request: Request) {
    let response_time = device.context::<Reader>(m).response_time;
    if response_time == Ticks(0) {
        return hand_to_library(m, device, request);
    }
    if let Err(status) = request.mark_cancelable_ex(m, cancelled) {
        return request.complete(m, status);
    }
    let timer = m.set_timer(response_time, card_ready, request.to_context());
    device.context::<Reader>(m).waiting.push((request, timer));
}

/// The card has its answer. The library runs at PASSIVE_LEVEL only.
fn card_ready(m: &mut Machine, request: Context) {
    m.queue_work_item(answer_is_there, request);
}

fn answer_is_there(m: &mut Machine, context: Context) {
    // It may have been cancelled or pulled out between the timer and now: then nobody waits for it any more.
    let Some(request) = Request::from_context(context).filter(|request| request.object().exists(m)) else { return };
    let Some(device) = request.device(m) else { return };
    if take_waiting(m, device, request) && request.unmark_cancelable(m).is_ok() {
        hand_to_library(m, device, request);
    }
}

/// EvtRequestCancel.
fn cancelled(m: &mut Machine, request: Request) {
    if let Some(device) = request.device(m) {
        take_waiting(m, device, request);
    }
    request.complete_with_information(m, STATUS_CANCELLED, 0);
}

/// EvtDeviceSurpriseRemoval: no card will answer any more.
fn pulled_out(m: &mut Machine, device: Device) {
    while let Some(&(request, _)) = device.context::<Reader>(m).waiting.first() {
        take_waiting(m, device, request);
        if request.unmark_cancelable(m).is_ok() {
            request.complete_with_information(m, STATUS_DEVICE_REMOVED, 0);
        }
    }
}

/// Takes a request off the waiting ones. Returns whether it was there.
fn take_waiting(m: &mut Machine, device: Device, request: Request) -> bool {
    let waiting = &mut device.context::<Reader>(m).waiting;
    let Some(at) = waiting.iter().position(|&(waits, _)| waits == request) else { return false };
    let (_, timer) = waiting.remove(at);
    m.cancel_timer(timer);
    true
}

/// Gives the IRP to the library in a location of its own, so that the library's completion ends here.
fn hand_to_library(m: &mut Machine, device: Device, request: Request) {
    let Some(irp) = request.current_irp(m) else { return };
    let data = &mut m[irp];
    data.copy_current_to_next();
    data.set_completion_routine(library_completed, request.to_context(), Control::INVOKE_ALWAYS);
    data.set_next_location();
    smclib::device_control(m, irp, |m| &mut device.context::<Reader>(m).extension);
}

/// The library completed the IRP: the request goes back to its sender from here.
fn library_completed(m: &mut Machine, _: Option<DeviceObject>, irp: Irp, context: Context) -> NtStatus {
    let status = m[irp].io_status;
    if let Some(request) = Request::from_context(context) {
        request.complete_with_information(m, status.status, status.information);
    }
    STATUS_MORE_PROCESSING_REQUIRED
}
