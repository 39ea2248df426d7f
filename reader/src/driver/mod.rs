//! The reader's function driver: a KMDF driver on top of the smart-card library.
//!
//! Its way of completing a request is Microsoft's own sample's: one stack location of its own, a WDM completion routine in
//! it, and the library completes the IRP below that routine. Unlike the sample it has no thread to block: a sequential
//! queue presents one request at a time, callbacks that have to wait for the card leave the request pending, and a timer
//! goes on with it.
//!
//! Source: Windows-driver-samples, smartcrd/pscr (StackSize after WdfDeviceCreate; copy, completion routine, set next; the
//! queue for card tracking).

mod callbacks;
mod operation;
mod power;
mod protocol;
mod reset;
mod tracking;
mod transmit;

use std::sync::Arc;

use vbus_wdf::{
    Attributes, Deletable, Device, DeviceInit, Dispatch, Driver, DriverConfig, Handle, IoControl, PnpCallbacks, Queue,
    Request,
};
use vbus_wdm::constants::*;
use vbus_wdm::{Context, Control, DevNode, DeviceObject, Irp, Machine, NtStatus, Ticks, Timer};

use crate::card::iso7816::BuiltInCard;
use crate::ioctl::{FILE_DEVICE_SMARTCARD, GUID_SMARTCARD_READER, IOCTL_VBUS_EXCHANGE};
use crate::slot::{Inserted, Slot, SlotError, Slots};
use crate::smclib::{
    PROTOCOL_RAW, PROTOCOL_T0, PROTOCOL_T1, ReaderCapabilities, Smartcard, SmartcardExtension, VendorAttr,
};
use crate::transmission::t0::{Mapping, Tpdu, Transport};
use crate::transmission::{Line, LineTiming};
use operation::Operation;

/// Makes the card of a new reader from the reader's number; none leaves the reader empty.
#[derive(Clone)]
pub struct CardFactory(Arc<dyn Fn(u32) -> Option<Inserted> + Send + Sync>);

impl CardFactory {
    /// Makes cards with this function.
    pub fn new(make: impl Fn(u32) -> Option<Inserted> + Send + Sync + 'static) -> CardFactory {
        CardFactory(Arc::new(make))
    }

    /// Leaves readers empty.
    pub fn none() -> CardFactory {
        CardFactory::new(|_| None)
    }

    /// A built-in card with the reader's number in every reader.
    pub fn iso7816() -> CardFactory {
        CardFactory::new(|number| Some(BuiltInCard::new(number).into()))
    }
}

/// How readers behave.
#[derive(Clone)]
pub struct ReaderConfig {
    /// What the driver adds to its device object's StackSize. One is for its completion routine.
    pub extra_stack: i8,
    /// The card in a new reader.
    pub card: CardFactory,
    /// How long a reader takes for each request before it does anything; zero answers inside the call.
    pub response_time: Ticks,
    /// What becomes of APDUs with T=0.
    pub t0: Mapping,
    /// What passes on the line in virtual time.
    pub line: LineTiming,
}

impl Default for ReaderConfig {
    fn default() -> Self {
        ReaderConfig {
            extra_stack: 1,
            card: CardFactory::iso7816(),
            response_time: Ticks(0),
            t0: Mapping::Tpdu,
            line: LineTiming::PausesOnly,
        }
    }
}

/// A request that the reader takes its time for. Whoever takes it out of the context has the driver's reference to it.
struct Waiting {
    request: Request,
    /// What will tell, once it is set.
    timer: Option<Timer>,
}

/// The device context.
struct Reader {
    extension: SmartcardExtension,
    slot: Slot,
    /// What is in the slot. One outside of the model is here also while no card is there.
    card: Option<Inserted>,
    line: Line,
    t0: Mapping,
    tpdu: Tpdu,
    transport: Transport,
    operation: Operation,
    /// The request that the reader takes its time for.
    waiting: Option<Waiting>,
    response_time: Ticks,
    /// Where card tracking waits.
    tracking: Option<Queue>,
    /// Set while the device is not in D0, once it was: whether a card was there when it left.
    slept_with_card: Option<bool>,
    /// The device was pulled out: nothing begins any more.
    gone: bool,
}

/// Loads the function driver. Install it for the hardware id of the bus's readers.
pub fn create_driver(m: &mut Machine, config: ReaderConfig, driver: DriverConfig) -> Driver {
    create_driver_named(m, "vreader", config, driver)
}

/// Loads the function driver under a service name of its own, for machines with readers that behave differently. All are
/// loaded before the first reader appears.
pub fn create_driver_named(m: &mut Machine, name: &str, config: ReaderConfig, driver: DriverConfig) -> Driver {
    m.add_extension(Slots::default());
    let driver = DriverConfig { device_add: Some(device_add), ..driver };
    Driver::create(m, name, driver, Attributes::none().context(config))
}

/// EvtDriverDeviceAdd.
fn device_add(m: &mut Machine, driver: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let config = driver.context::<ReaderConfig>(m).clone();
    let pdo = init.pdo().ok_or(STATUS_INVALID_DEVICE_REQUEST)?;
    let number = reader_number(m, pdo);
    let extension = register(number);
    let line = Line::new(extension.reader_capabilities.clk_frequency.0, config.line);
    let reader = Reader {
        extension,
        // Known when the device is.
        slot: Slot::from_context(Context(u64::MAX)),
        card: (config.card.0)(number),
        line,
        t0: config.t0,
        tpdu: Tpdu::default(),
        transport: Transport::default(),
        operation: Operation::default(),
        waiting: None,
        response_time: config.response_time,
        tracking: None,
        slept_with_card: None,
        gone: false,
    };
    let callbacks = PnpCallbacks {
        d0_entry: Some(power::d0_entry),
        d0_exit: Some(power::d0_exit),
        surprise_removal: Some(power::surprise_removal),
        ..PnpCallbacks::default()
    };
    let attributes = Attributes::none().context(reader).on_cleanup(device_cleanup).on_destroy(device_destroyed);
    let device = init.callbacks(callbacks).create(m, attributes)?;
    let device_object = device.device_object(m);
    m[device_object].stack_size = m[device_object].stack_size.wrapping_add(config.extra_stack);
    let smartcard = smartcard(device);
    smartcard.initialize(m)?;
    smartcard.extension(m).set_device_object(device_object);
    let slot = Slots::add(m, pdo, device);
    device.context::<Reader>(m).slot = slot;
    card_hears_of_news(m, device);

    Queue::config(Dispatch::Sequential)
        .on_device_control(from_a_program)
        .on_internal_device_control(from_the_bus)
        .create_default(m, device)?;
    let tracking = Queue::config(Dispatch::Manual)
        .power_managed(false)
        .on_cancelled_on_queue(tracking::cancelled)
        .create(m, device)?;
    device.context::<Reader>(m).tracking = Some(tracking);
    device.create_interface(m, GUID_SMARTCARD_READER, None)
}

/// The bus puts a reader's number into its instance id.
fn reader_number(m: &Machine, pdo: DeviceObject) -> u32 {
    let info = DevNode::of(m, pdo).and_then(|node| node.info(m));
    info.and_then(|info| info.instance_id.parse().ok()).unwrap_or(0)
}

/// What the library has to know of this reader.
fn register(number: u32) -> SmartcardExtension {
    let vendor = VendorAttr {
        vendor_name: "vbus".to_owned(),
        ifd_type: "virtual reader".to_owned(),
        unit_no: number,
        ifd_version: (0, 1, 0),
        ifd_serial_no: format!("{number:08}"),
    };
    let capabilities = ReaderCapabilities {
        supported_protocols: PROTOCOL_T0 | PROTOCOL_T1 | PROTOCOL_RAW,
        channel: number as u16,
        clk_frequency: (4000, 20_000),
        data_rate: (10_752, 1_250_000),
        // A card can be powered down while it is in.
        power_mgmt_support: 1,
        ..ReaderCapabilities::default()
    };
    let mut extension = SmartcardExtension::new(callbacks::FUNCTIONS, vendor, capabilities);
    // The longest APDU fits.
    extension.smartcard_request.size = 0x1_0010;
    extension.smartcard_reply.size = 0x1_0010;
    extension
}

/// Where the library finds its extension.
fn smartcard(device: Device) -> Smartcard {
    Smartcard::new(device, |m, device| &mut device.context::<Reader>(m).extension)
}

/// EvtCleanupCallback of the device.
fn device_cleanup(m: &mut Machine, object: vbus_wdf::Object) {
    let slot = object.context::<Reader>(m).slot;
    // A device that failed early has none.
    if slot.device(m).is_some() {
        Slots::forget(m, slot);
    }
}

/// EvtDestroyCallback of the device: nobody is inside the library any more, who would have a reference.
fn device_destroyed(m: &mut Machine, object: vbus_wdf::Object) {
    object.context::<Reader>(m).extension.exit();
}

/// EvtIoDeviceControl: the public device takes the smart-card codes and nothing else.
fn from_a_program(m: &mut Machine, queue: Queue, request: Request, control: IoControl) {
    if control.code.device_type() == FILE_DEVICE_SMARTCARD {
        let device = queue.device(m);
        begin(m, device, request);
    } else {
        request.complete(m, STATUS_INVALID_DEVICE_REQUEST);
    }
}

/// EvtIoInternalDeviceControl: another driver may also use the vendor code.
fn from_the_bus(m: &mut Machine, queue: Queue, request: Request, control: IoControl) {
    if control.code.device_type() == FILE_DEVICE_SMARTCARD || control.code == IOCTL_VBUS_EXCHANGE {
        let device = queue.device(m);
        begin(m, device, request);
    } else {
        request.complete(m, STATUS_INVALID_DEVICE_REQUEST);
    }
}

fn begin(m: &mut Machine, device: Device, request: Request) {
    let reader = device.context::<Reader>(m);
    let response_time = reader.response_time;
    let outside = matches!(reader.card, Some(Inserted::Outside(_)));
    if reader.gone {
        return request.complete_with_information(m, STATUS_DEVICE_REMOVED, 0);
    }
    if outside {
        poll(m, device);
    }
    if response_time == Ticks(0) {
        return hand_to_library(m, device, request);
    }
    // EvtRequestCancel may complete it from the next call on, while others look at it.
    request.reference(m);
    device.context::<Reader>(m).waiting = Some(Waiting { request, timer: None });
    if let Err(status) = request.mark_cancelable_ex(m, cancelled) {
        if take_waiting(m, device, request) {
            request.dereference(m);
        }
        return request.complete(m, status);
    }
    let timer = m.set_timer(response_time, reader_ready, request.to_context());
    match device.context::<Reader>(m).waiting.as_mut().filter(|waiting| waiting.request == request) {
        Some(waiting) => waiting.timer = Some(timer),
        // It was cancelled or pulled out already.
        None => _ = m.cancel_timer(timer),
    }
}

/// The reader took its time. The library runs at PASSIVE_LEVEL only.
fn reader_ready(m: &mut Machine, request: Context) {
    m.queue_work_item(reader_goes_on, request);
}

fn reader_goes_on(m: &mut Machine, context: Context) {
    // It may have been cancelled or pulled out between the timer and now: then nobody waits for it any more.
    let Some(request) = Request::from_context(context).filter(|request| request.object().exists(m)) else { return };
    let Some(device) = request.device(m) else { return };
    if !take_waiting(m, device, request) {
        return;
    }
    if request.unmark_cancelable(m).is_ok() {
        hand_to_library(m, device, request);
    }
    request.dereference(m);
}

/// EvtRequestCancel.
fn cancelled(m: &mut Machine, request: Request) {
    // Whoever else took it finds it cancelled.
    let taken = request.device(m).is_some_and(|device| take_waiting(m, device, request));
    request.complete_with_information(m, STATUS_CANCELLED, 0);
    if taken {
        request.dereference(m);
    }
}

/// Whether the reader was taking its time for this request, and no longer is. Then the caller has the reference to it.
fn take_waiting(m: &mut Machine, device: Device, request: Request) -> bool {
    match device.context::<Reader>(m).waiting.take_if(|waiting| waiting.request == request) {
        Some(Waiting { timer, .. }) => {
            if let Some(timer) = timer {
                m.cancel_timer(timer);
            }
            true
        }
        None => false,
    }
}

/// Gives the IRP to the library in a location of its own, so that the library's completion ends here.
fn hand_to_library(m: &mut Machine, device: Device, request: Request) {
    let Some(irp) = request.current_irp(m) else { return };
    let data = &mut m[irp];
    data.copy_current_to_next();
    data.set_completion_routine(library_completed, request.to_context(), Control::INVOKE_ALWAYS);
    data.set_next_location();
    // How a callback finds the request of its IRP. The framework has two of these words for itself.
    data.driver_context[0] = request.to_context().0;
    // The library looks at its extension once more when the request is completed, and nothing holds the device then.
    device.reference(m);
    smartcard(device).device_control(m, irp);
    device.dereference(m);
}

/// The library completed the IRP: the request goes back to its sender from here.
fn library_completed(m: &mut Machine, _: Option<DeviceObject>, irp: Irp, context: Context) -> NtStatus {
    let status = m[irp].io_status;
    if let Some(request) = Request::from_context(context) {
        request.complete_with_information(m, status.status, status.information);
    }
    STATUS_MORE_PROCESSING_REQUIRED
}

/// A card is put into the slot.
pub(crate) fn insert(m: &mut Machine, device: Device, card: Inserted) -> Result<(), SlotError> {
    let reader = device.context::<Reader>(m);
    if reader.card.is_some() {
        return Err(SlotError::Occupied);
    }
    reader.card = Some(card);
    card_hears_of_news(m, device);
    tracking::slot_changed(m, device);
    Ok(())
}

/// The card is pulled out of the slot.
pub(crate) fn remove(m: &mut Machine, device: Device) -> Option<Inserted> {
    let mut card = device.context::<Reader>(m).card.take()?;
    match &mut card {
        Inserted::Contacts(card) => card.power_down(),
        Inserted::Apdus(card) => card.power_down(),
        Inserted::Outside(_) => {}
    }
    tracking::slot_changed(m, device);
    Some(card)
}

/// A card outside of the model tells what happens, if somebody wants to hear.
pub(crate) fn card_hears_of_news(m: &mut Machine, device: Device) {
    let news = m.extension::<Slots>().news.clone();
    if let (Some(news), Some(Inserted::Outside(card))) = (news, &mut device.context::<Reader>(m).card) {
        card.tell(news);
    }
}

/// Looks whether a card outside of the model came, went or answered. Returns whether a card is there.
pub(crate) fn poll(m: &mut Machine, device: Device) -> bool {
    tracking::slot_changed(m, device);
    operation::look(m, device);
    device.context::<Reader>(m).extension.has_card()
}

/// The line, for whoever watches it.
pub(crate) fn line(m: &mut Machine, device: Device) -> &mut Line {
    &mut device.context::<Reader>(m).line
}

impl Reader {
    /// Whether a card is in the slot, as the card-detect contact says.
    fn card_is_there(&mut self) -> bool {
        match &mut self.card {
            Some(Inserted::Outside(card)) => card.is_present(),
            card => card.is_some(),
        }
    }
}
