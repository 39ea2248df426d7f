//! The bus's function driver: its device, and what it answers itself.

use std::collections::BTreeMap;

use vbus_iotarget::{IoTarget, SendOptions, SendRequest};
use vbus_wdf::{Attributes, Device, DeviceInit, Dispatch, Driver, DriverConfig, Handle, IoControl, Queue, Request};
use vbus_wdm::constants::*;
use vbus_wdm::{Context, IoType, IoctlCode, Irp, Machine, Major, NtStatus, Parameters};

use crate::children;
use crate::forward;
use crate::ioctl::{self, GUID_DEVINTERFACE_VBUS, IOCTL_VBUS_EJECT, IOCTL_VBUS_PLUG_IN, IOCTL_VBUS_UNPLUG, ReaderId};

/// Which format call the bus makes for a request it forwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FormatCall {
    /// WdfIoTargetFormatRequestForInternalIoctl: what a reader takes.
    #[default]
    InternalIoctl,
    /// WdfIoTargetFormatRequestForIoctl, as in the story's own capture. Readers refuse the vendor code that way.
    Ioctl,
}

/// Which request the bus sends to a child.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sender {
    /// The program's own. The framework did not allocate its IRP and may not replace it.
    #[default]
    Original,
    /// One that the driver creates, whose IRP the framework may replace by a bigger one.
    DriverCreated,
}

/// How an IRP preprocess callback of the bus passes an IRP to the framework.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PreprocessStyle {
    /// IoSkipCurrentIrpStackLocation: gives the location back that the callback cost.
    Skip,
    /// IoCopyCurrentIrpStackLocationToNext: uses it.
    Copy,
}

/// How the bus's targets get at a child's stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TargetOpen {
    /// WdfIoTargetOpenUseExistingDevice, on the top of the child's stack when the child starts.
    #[default]
    ExistingDevice,
    /// WdfIoTargetOpenByName, with the name of the child's PDO, when the first request is for it: a device that is
    /// starting cannot be opened.
    ByName,
}

/// How the bus's default queue hands out requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueueOptions {
    /// WDF_IO_QUEUE_DISPATCH_TYPE. From a manual queue the driver takes requests when it is told that one is there.
    pub dispatch: Dispatch,
    /// NumberOfPresentedRequests of a parallel queue.
    pub presented_limit: Option<u32>,
    /// PowerManaged.
    pub power_managed: Option<bool>,
    /// EvtIoStop, where the driver has one.
    pub on_stop: Option<OnStop>,
}

/// What the bus does in EvtIoStop with a request that it holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnStop {
    /// WdfRequestStopAcknowledge: the bus keeps it while the device is powered down.
    Acknowledge,
    /// WdfRequestCancelSentRequest: the bus asks for it back.
    CancelSent,
    /// Nothing at all: the power transition waits until the request is completed.
    Nothing,
}

impl Default for QueueOptions {
    fn default() -> QueueOptions {
        QueueOptions { dispatch: Dispatch::Parallel, presented_limit: None, power_managed: None, on_stop: None }
    }
}

/// Whether the children's PDOs hand the requests that come down to them to their bus, which answers them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ToParent {
    /// WdfPdoInitAllowForwardingRequestToParent: the PDO has as many stack locations more as the bus has.
    Allowed,
    /// The bus forgot to say so, and its children's requests have no location for it.
    NotAllowed,
}

/// A program's read or write.
#[derive(Clone, Copy, Debug)]
pub struct Transferring {
    /// The bus.
    pub bus: Device,
    /// The program's request. Whoever is given this owns it.
    pub request: Request,
    /// IRP_MJ_WRITE; else IRP_MJ_READ.
    pub is_write: bool,
    /// How many bytes.
    pub length: u32,
    /// The byte offset.
    pub offset: i64,
}

/// What a PDO does with a request.
pub type OfChild = fn(&mut Machine, Device, Request);

/// What is done with a program's read or write.
pub type OnTransfer = fn(&mut Machine, Transferring);

/// A program's request for a child.
#[derive(Clone, Copy, Debug)]
pub struct Forwarding {
    /// The bus.
    pub bus: Device,
    /// The program's request. Whoever is given this owns it.
    pub request: Request,
    /// The child that it names.
    pub reader: ReaderId,
    /// Its control code.
    pub code: IoctlCode,
}

/// What is done with a program's request for a child, in place of the bus's own forwarding.
pub type Forward = fn(&mut Machine, Forwarding);

/// How the bus behaves.
#[derive(Clone, Copy, Debug, Default)]
pub struct BusConfig {
    /// What the driver adds to its device object's StackSize.
    pub extra_stack: i8,
    /// Which format call it makes.
    pub format: FormatCall,
    /// Which request it sends.
    pub sender: Sender,
    /// WDF_REMOVE_LOCK_OPTION_ACQUIRE_FOR_IO.
    pub remove_lock_for_io: bool,
    /// A preprocess callback for IRP_MJ_DEVICE_CONTROL.
    pub preprocess: Option<PreprocessStyle>,
    /// The default queue.
    pub queue: QueueOptions,
    /// How requests are sent to a child.
    pub send: SendOptions,
    /// How targets are opened.
    pub target: TargetOpen,
    /// Another way to forward.
    pub forward: Option<Forward>,
    /// WdfDeviceInitSetIoType: how reads and writes carry their data; without it the framework's default, buffered.
    pub io_type: Option<IoType>,
    /// EvtIoRead; without it the framework refuses reads.
    pub read: Option<OnTransfer>,
    /// EvtIoWrite; without it the framework refuses writes.
    pub write: Option<OnTransfer>,
    /// The children's requests that reach their PDOs; without it those have no queue.
    pub to_parent: Option<ToParent>,
    /// What a PDO does with a request that came down to it, in place of handing it to the bus. It has a queue then.
    pub of_child: Option<OfChild>,
}

impl BusConfig {
    /// How many locations the options add to the bus FDO's StackSize, besides the one that attaching gives.
    ///
    /// Source: S/core/fxdevice.cpp:479-508.
    pub fn added_locations(&self) -> i32 {
        i32::from(self.extra_stack) + i32::from(self.preprocess.is_some()) + i32::from(self.remove_lock_for_io)
    }

    /// Whether the PDOs take requests.
    pub(crate) fn children_have_queues(&self) -> bool {
        self.to_parent.is_some() || self.of_child.is_some()
    }

    /// How many locations of a control request the options use up before EvtIoDeviceControl sees it.
    pub fn used_locations(&self) -> i32 {
        i32::from(self.preprocess == Some(PreprocessStyle::Copy)) + i32::from(self.remove_lock_for_io)
    }
}

/// The device context: the children's targets by id.
#[derive(Default)]
pub(crate) struct Bus {
    pub(crate) targets: BTreeMap<ReaderId, ChildTarget>,
    /// Programs' requests, each with the bus's own one that is out for it.
    pub(crate) out: Vec<(Request, Request)>,
    /// Where the children's PDOs hand their requests to.
    pub(crate) of_children: Option<Queue>,
    pub(crate) config: BusConfig,
}

/// A child that is powered up.
#[derive(Clone, Copy)]
pub(crate) struct ChildTarget {
    pub(crate) target: IoTarget,
    /// It was pulled out, and its removal is under way: nothing new is for it.
    pub(crate) leaving: bool,
}

/// Loads the bus driver. Install it for [`crate::HARDWARE_ID_BUS`].
pub fn create_driver(m: &mut Machine, config: BusConfig, driver: DriverConfig) -> Driver {
    create_driver_named(m, "vbus", config, driver)
}

/// Loads the bus driver under a service name of its own, for machines with buses that behave differently.
pub fn create_driver_named(m: &mut Machine, name: &str, config: BusConfig, driver: DriverConfig) -> Driver {
    let driver = DriverConfig { device_add: Some(device_add), ..driver };
    Driver::create(m, name, driver, Attributes::none().context(config))
}

/// The I/O target of a child that is there, for whoever looks at it or stops it from outside of the driver.
pub fn target_of(m: &mut Machine, bus: Device, id: ReaderId) -> Option<IoTarget> {
    bus.context::<Bus>(m).targets.get(&id).map(|child| child.target)
}

fn device_add(m: &mut Machine, driver: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let config = *driver.context::<BusConfig>(m);
    let mut init = init.default_child_list(children::create_reader);
    if config.remove_lock_for_io {
        init = init.remove_lock_for_io();
    }
    init = match config.preprocess {
        Some(PreprocessStyle::Skip) => init.preprocess(Major::DeviceControl, skip_and_dispatch),
        Some(PreprocessStyle::Copy) => init.preprocess(Major::DeviceControl, copy_and_dispatch),
        None => init,
    };
    if let Some(io_type) = config.io_type {
        init = init.io_type(io_type);
    }
    let bus = init.create(m, Attributes::none().context(Bus { config, ..Bus::default() }))?;
    let device_object = bus.device_object(m);
    m[device_object].stack_size = m[device_object].stack_size.wrapping_add(config.extra_stack);
    create_queue(m, bus, config)?;
    if config.children_have_queues() {
        let queue = Queue::config(Dispatch::Parallel).on_default(children::answer).create(m, bus)?;
        bus.context::<Bus>(m).of_children = Some(queue);
    }
    bus.create_interface(m, GUID_DEVINTERFACE_VBUS, None)
}

fn create_queue(m: &mut Machine, bus: Device, config: BusConfig) -> Result<(), NtStatus> {
    let options = config.queue;
    let mut queue = Queue::config(options.dispatch);
    if options.dispatch != Dispatch::Manual {
        queue = queue.on_device_control(service);
        if config.read.is_some() {
            queue = queue.on_read(transfer);
        }
        if config.write.is_some() {
            queue = queue.on_write(transfer);
        }
    }
    if let Some(limit) = options.presented_limit {
        queue = queue.presented_limit(limit);
    }
    if let Some(power_managed) = options.power_managed {
        queue = queue.power_managed(power_managed);
    }
    queue = match options.on_stop {
        Some(OnStop::Acknowledge) => queue.on_stop(|m, _, request, _| request.stop_acknowledge(m, false)),
        Some(OnStop::CancelSent) => queue.on_stop(|m, _, request, _| _ = request.cancel_sent(m)),
        Some(OnStop::Nothing) => queue.on_stop(|_, _, _, _| {}),
        None => queue,
    };
    let queue = queue.create_default(m, bus)?;
    if options.dispatch == Dispatch::Manual {
        queue.ready_notify(m, Some(take_requests), Context(0))?;
    }
    Ok(())
}

/// EvtIoQueueState of a manual queue: there are requests.
fn take_requests(m: &mut Machine, queue: Queue, _: Context) {
    while let Ok(request) = queue.retrieve_next(m) {
        match request.parameters(m).parameters {
            Parameters::DeviceIoControl { code, input_length, output_length, .. } => {
                service(m, queue, request, IoControl { code, input_length, output_length });
            }
            Parameters::Transfer { length, .. } => transfer(m, queue, request, length),
            _ => request.complete(m, STATUS_INVALID_DEVICE_REQUEST),
        }
    }
}

fn skip_and_dispatch(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    m[irp].skip_current_location();
    device.dispatch_preprocessed(m, irp)
}

fn copy_and_dispatch(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    m[irp].copy_current_to_next();
    device.dispatch_preprocessed(m, irp)
}

/// EvtIoRead and EvtIoWrite.
fn transfer(m: &mut Machine, queue: Queue, request: Request, length: u32) {
    let bus = queue.device(m);
    let parameters = request.parameters(m);
    let is_write = parameters.major == Major::Write;
    let BusConfig { read, write, .. } = bus.context::<Bus>(m).config;
    match (if is_write { write } else { read }, parameters.parameters) {
        (Some(on_transfer), Parameters::Transfer { offset, .. }) => {
            on_transfer(m, Transferring { bus, request, is_write, length, offset });
        }
        _ => request.complete(m, STATUS_INVALID_DEVICE_REQUEST),
    }
}

/// EvtIoDeviceControl: plugging is the bus's own business, everything else is for a child.
fn service(m: &mut Machine, queue: Queue, request: Request, control: IoControl) {
    let bus = queue.device(m);
    let id = match ioctl::reader_id(m, request) {
        Ok(id) => id,
        Err(status) => return request.complete(m, status),
    };
    match control.code {
        IOCTL_VBUS_PLUG_IN => {
            let status = ioctl::reader_ids(m, request).and_then(|ids| plug_in(m, bus, &ids));
            request.complete_with_information(m, status.into(), 0);
        }
        IOCTL_VBUS_UNPLUG => {
            let status = unplug(m, bus, id);
            request.complete_with_information(m, status.into(), 0);
        }
        IOCTL_VBUS_EJECT => {
            let status = eject(m, bus, id);
            request.complete_with_information(m, status.into(), 0);
        }
        code => match bus.context::<Bus>(m).config.forward {
            Some(forward) => forward(m, Forwarding { bus, request, reader: id, code }),
            None => forward::forward(m, bus, request, id, code),
        },
    }
}

fn plug_in(m: &mut Machine, bus: Device, ids: &[ReaderId]) -> Result<(), NtStatus> {
    let list = bus.default_child_list(m).ok_or(STATUS_INVALID_DEVICE_STATE)?;
    // For the framework a child that is there already is a success; for who plugs it in it is not.
    let add =
        |m: &mut Machine, id: &ReaderId| list.add_or_update(m, id.0.into()).map_err(|_| STATUS_OBJECT_NAME_COLLISION);
    if let [only] = ids {
        return add(m, only);
    }
    // Within a scan in which nobody is missed, the list is changed once.
    list.begin_scan(m);
    list.update_all_as_present(m);
    let mut result = Ok(());
    for id in ids {
        result = result.and(add(m, id));
    }
    list.end_scan(m);
    result
}

fn unplug(m: &mut Machine, bus: Device, id: ReaderId) -> Result<(), NtStatus> {
    let list = bus.default_child_list(m).ok_or(STATUS_INVALID_DEVICE_STATE)?;
    list.update_as_missing(m, id.0.into())?;
    if let Some(child) = bus.context::<Bus>(m).targets.get_mut(&id) {
        child.leaving = true;
    }
    Ok(())
}

fn eject(m: &mut Machine, bus: Device, id: ReaderId) -> Result<(), NtStatus> {
    let list = bus.default_child_list(m).ok_or(STATUS_INVALID_DEVICE_STATE)?;
    if list.request_eject(m, id.0.into()) { Ok(()) } else { Err(STATUS_NO_SUCH_DEVICE) }
}
