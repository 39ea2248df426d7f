//! The bus's function driver: its device, and what it answers itself.

use std::collections::BTreeMap;

use vbus_iotarget::IoTarget;
use vbus_wdf::{Attributes, Device, DeviceInit, Dispatch, Driver, DriverConfig, Handle, IoControl, Queue, Request};
use vbus_wdm::constants::*;
use vbus_wdm::{Irp, Machine, Major, NtStatus};

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

/// How the bus behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
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
}

/// The device context: the children's targets by id.
#[derive(Default)]
pub(crate) struct Bus {
    pub(crate) targets: BTreeMap<ReaderId, ChildTarget>,
    /// Programs' requests, each with the bus's own one that is out for it.
    pub(crate) out: Vec<(Request, Request)>,
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
    let driver = DriverConfig { device_add: Some(device_add), ..driver };
    Driver::create(m, "vbus", driver, Attributes::none().context(config))
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
    let bus = init.create(m, Attributes::none().context(Bus { config, ..Bus::default() }))?;
    let device_object = bus.device_object(m);
    m[device_object].stack_size = m[device_object].stack_size.wrapping_add(config.extra_stack);
    Queue::config(Dispatch::Parallel).on_device_control(service).create_default(m, bus)?;
    bus.create_interface(m, GUID_DEVINTERFACE_VBUS, None)
}

fn skip_and_dispatch(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    m[irp].skip_current_location();
    device.dispatch_preprocessed(m, irp)
}

fn copy_and_dispatch(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    m[irp].copy_current_to_next();
    device.dispatch_preprocessed(m, irp)
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
            let status = plug_in(m, bus, id);
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
        code => forward::forward(m, bus, request, id, code),
    }
}

fn plug_in(m: &mut Machine, bus: Device, id: ReaderId) -> Result<(), NtStatus> {
    let list = bus.default_child_list(m).ok_or(STATUS_INVALID_DEVICE_STATE)?;
    // For the framework a child that is there already is a success; for who plugs it in it is not.
    list.add_or_update(m, id.0.into()).map_err(|_| STATUS_OBJECT_NAME_COLLISION)
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
