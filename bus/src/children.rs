//! The readers' PDOs, and the one I/O target that each of them gets.

use vbus_iotarget::IoTarget;
use vbus_wdf::{
    Attributes, ChildList, Deletable, Device, DeviceInit, Handle, PdoIds, PnpCallbacks, PnpCapabilities,
    PowerDeviceState,
};
use vbus_wdm::constants::*;
use vbus_wdm::{CapabilityFlags, Machine, NtStatus};

use crate::driver::{Bus, ChildTarget};
use crate::ioctl::{HARDWARE_ID_READER, ReaderId};

/// The context of a PDO and of its target: which reader it is.
#[derive(Clone, Copy)]
pub(crate) struct Child {
    pub(crate) id: ReaderId,
}

/// EvtChildListCreateDevice.
pub(crate) fn create_reader(m: &mut Machine, _: ChildList, id: u64, init: DeviceInit) -> Result<(), NtStatus> {
    let id = u32::try_from(id).map(ReaderId).map_err(|_| STATUS_INVALID_PARAMETER)?;
    let ids = PdoIds {
        device: HARDWARE_ID_READER.to_owned(),
        instance: format!("{:04}", id.0),
        hardware: vec![HARDWARE_ID_READER.to_owned()],
        ..PdoIds::default()
    };
    let callbacks = PnpCallbacks { d0_entry: Some(powered_up), d0_exit: Some(powered_down), ..PnpCallbacks::default() };
    let reader = init.ids(ids).callbacks(callbacks).create(m, Attributes::none().context(Child { id }))?;
    let has = CapabilityFlags::EJECT_SUPPORTED | CapabilityFlags::REMOVABLE | CapabilityFlags::SURPRISE_REMOVAL_OK;
    reader.set_pnp_capabilities(m, PnpCapabilities { has, ..PnpCapabilities::default() });
    Ok(())
}

/// EvtDeviceD0Entry of a PDO. START reaches the PDO when its whole stack is attached, so the top of the stack, with the
/// StackSize that a target caches, is known here.
fn powered_up(m: &mut Machine, pdo: Device, _: PowerDeviceState) -> Result<(), NtStatus> {
    let child = *pdo.context::<Child>(m);
    let bus = pdo.parent(m).ok_or(STATUS_INVALID_DEVICE_STATE)?;
    let top = pdo.device_object(m).top_of_stack(m);
    let target = IoTarget::create(m, bus, Attributes::none().context(child))?;
    if let Err(status) = target.open_existing_device(m, top) {
        target.delete(m);
        return Err(status);
    }
    bus.context::<Bus>(m).targets.insert(child.id, ChildTarget { target, leaving: false });
    Ok(())
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
