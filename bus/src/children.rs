//! The readers' PDOs, and the one I/O target that each of them gets.

use vbus_iotarget::IoTarget;
use vbus_wdf::{
    Attributes, ChildList, ChildState, Deletable, Device, DeviceInit, Dispatch, Handle, PdoIds, PnpCallbacks,
    PnpCapabilities, PowerDeviceState, Queue, Request,
};
use vbus_wdm::constants::*;
use vbus_wdm::{CapabilityFlags, Machine, NtStatus, OpenOptions};

use crate::driver::{Bus, ChildTarget, TargetOpen, ToParent};
use crate::ioctl::{HARDWARE_ID_READER, ReaderId, reader_hardware_id};

/// The context of a PDO and of its target: which reader it is.
#[derive(Clone, Copy)]
pub(crate) struct Child {
    pub(crate) id: ReaderId,
}

/// EvtChildListCreateDevice.
pub(crate) fn create_reader(m: &mut Machine, list: ChildList, id: u64, init: DeviceInit) -> Result<(), NtStatus> {
    let id = u32::try_from(id).map(ReaderId).map_err(|_| STATUS_INVALID_PARAMETER)?;
    let bus = list.device(m);
    let config = bus.context::<Bus>(m).config;
    let bus = bus.device_object(m);
    let own_hardware_id = reader_hardware_id(bus.driver_name(m), id);
    let ids = PdoIds {
        device: HARDWARE_ID_READER.to_owned(),
        instance: format!("{:04}", id.0),
        hardware: vec![own_hardware_id, HARDWARE_ID_READER.to_owned()],
        ..PdoIds::default()
    };
    let callbacks = PnpCallbacks { d0_entry: Some(powered_up), d0_exit: Some(powered_down), ..PnpCallbacks::default() };
    let init = if config.to_parent == Some(ToParent::Allowed) { init.allow_forwarding_to_parent() } else { init };
    let reader = init.ids(ids).callbacks(callbacks).create(m, Attributes::none().context(Child { id }))?;
    let has = CapabilityFlags::EJECT_SUPPORTED | CapabilityFlags::REMOVABLE | CapabilityFlags::SURPRISE_REMOVAL_OK;
    reader.set_pnp_capabilities(m, PnpCapabilities { has, ..PnpCapabilities::default() });
    if config.children_have_queues() {
        Queue::config(Dispatch::Parallel).on_default(take).create_default(m, reader)?;
    }
    Ok(())
}

/// EvtIoDefault of a PDO: what no driver of its stack took is the bus's to answer.
fn take(m: &mut Machine, queue: Queue, request: Request) {
    let pdo = queue.device(m);
    let of_child = pdo.parent(m).and_then(|bus| bus.context::<Bus>(m).config.of_child);
    if let Some(of_child) = of_child {
        return of_child(m, pdo, request);
    }
    if let Err(status) = hand_to_parent(m, pdo, request) {
        request.complete(m, status);
    }
}

/// Hands a request that came down to a child's PDO to the bus, which answers it.
///
/// # Errors
/// WdfRequestForwardToParentDeviceIoQueue's.
pub fn hand_to_parent(m: &mut Machine, pdo: Device, request: Request) -> Result<(), NtStatus> {
    let bus = pdo.parent(m).ok_or(STATUS_INVALID_DEVICE_STATE)?;
    let queue = bus.context::<Bus>(m).of_children.ok_or(STATUS_INVALID_DEVICE_STATE)?;
    request.forward_to_parent(m, queue)
}

/// EvtIoDefault of the bus's queue for its children.
pub(crate) fn answer(m: &mut Machine, _: Queue, request: Request) {
    request.complete(m, STATUS_SUCCESS);
}

/// EvtDeviceD0Entry of a PDO. START reaches the PDO when its whole stack is attached, so the top of the stack, with the
/// StackSize that a target caches, is known here.
fn powered_up(m: &mut Machine, pdo: Device, _: PowerDeviceState) -> Result<(), NtStatus> {
    let child = *pdo.context::<Child>(m);
    let bus = pdo.parent(m).ok_or(STATUS_INVALID_DEVICE_STATE)?;
    let top = pdo.device_object(m).top_of_stack(m);
    let target = IoTarget::create(m, bus, Attributes::none().context(child))?;
    let opened = match bus.context::<Bus>(m).config.target {
        TargetOpen::ExistingDevice => target.open_existing_device(m, top),
        TargetOpen::ByName => Ok(()),
    };
    if let Err(status) = opened {
        target.delete(m);
        return Err(status);
    }
    bus.context::<Bus>(m).targets.insert(child.id, ChildTarget { target, leaving: false });
    Ok(())
}

/// Opens a target that waits for its first request, by the name of the child's PDO.
pub(crate) fn open_when_used(m: &mut Machine, bus: Device, target: IoTarget) -> Result<(), NtStatus> {
    // A target that was never opened has no stack size.
    if bus.context::<Bus>(m).config.target != TargetOpen::ByName || target.stack_size(m) != 0 {
        return Ok(());
    }
    let id = target.context::<Child>(m).id;
    let list = bus.default_child_list(m).ok_or(STATUS_INVALID_DEVICE_STATE)?;
    let Some(ChildState::Created(pdo)) = list.child(m, id.0.into()).map(|child| child.state) else {
        return Err(STATUS_NO_SUCH_DEVICE);
    };
    let pdo = pdo.device_object(m);
    let name = m.device_name(pdo).ok_or(STATUS_OBJECT_NAME_NOT_FOUND)?.to_owned();
    target.open_by_name(m, &name, OpenOptions::READ_WRITE)
}

/// EvtDeviceD0Exit of a PDO: the reader goes. Whatever is still out comes back cancelled.
fn powered_down(m: &mut Machine, pdo: Device, _: PowerDeviceState) -> Result<(), NtStatus> {
    let id = pdo.context::<Child>(m).id;
    let bus = pdo.parent(m).filter(|bus| bus.object().exists(m));
    if let Some(ChildTarget { target, .. }) = bus.and_then(|bus| bus.context::<Bus>(m).targets.remove(&id)) {
        target.close(m);
        target.delete(m);
    }
    Ok(())
}
