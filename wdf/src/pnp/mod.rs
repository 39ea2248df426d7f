//! The framework's PnP package: from a PnP IRP to callbacks, states and log lines.
//!
//! Source: S/irphandlers/pnp/fxpkgpnp.cpp:640-760 (dispatch), fxpkgfdo.cpp, fxpkgpdo.cpp.

pub(crate) mod states;
mod travel;

use vbus_wdm::constants::*;
use vbus_wdm::{
    Context, Control, DeviceObject, IdType, Irp, Machine, Major, NtStatus, Parameters, PnpAnswer, PnpMinor,
    PnpParameters, RelationType,
};

use crate::device::{Device, DeviceKind};
use crate::device_end;
use crate::dispatch::copy_down;
use crate::framework::{fx, trace};
use crate::object::Handle;
use crate::trace::sites;

use states::{IdleState, PnpState, PowerPolicyState, PowerState};

/// Where a device's machines are, and its remove lock.
pub(crate) struct PnpData {
    pnp: PnpState,
    power: PowerState,
    policy: PowerPolicyState,
    idle: IdleState,
    pub(crate) in_d0: bool,
    /// The bus left the PDO out of its last relations answer, or will.
    pub(crate) reported_missing: bool,
    remove_lock: u32,
    removed: bool,
}

impl Default for PnpData {
    fn default() -> Self {
        PnpData {
            pnp: PnpState::ObjectCreated,
            power: PowerState::ObjectCreated,
            policy: PowerPolicyState::ObjectCreated,
            idle: IdleState::Stopped,
            in_d0: false,
            reported_missing: false,
            remove_lock: 0,
            removed: false,
        }
    }
}

impl PnpData {
    /// `IoAcquireRemoveLock`. False once the device is being removed.
    pub(crate) fn acquire_remove_lock(&mut self) -> bool {
        if !self.removed {
            self.remove_lock += 1;
        }
        !self.removed
    }

    /// `IoReleaseRemoveLock`.
    pub(crate) fn release_remove_lock(&mut self) {
        self.remove_lock -= 1;
    }
}

/// Where in its device's allocation the PnP package lies.
const PACKAGE_OFFSET: u64 = 0x1F0;

/// The object type whose locks the verifier finds no order for: two of them with every PnP package.
const LOCK_TYPE: u64 = 0x1036;

/// A device's PnP package was made, before the device can be reached. An FDO asks below for the D3cold interface.
///
/// Source: S/irphandlers/pnp/fxpkgpnp.cpp:500-560, S/irphandlers/pnp/km/fxpkgpnpkm.cpp:566.
pub(crate) fn package_created(m: &mut Machine, device: Device) {
    let driver = device.driver(m);
    let body = device.body(m);
    if body.kind == DeviceKind::Control {
        return;
    }
    if let (DeviceKind::Fdo, Some(lower), Some(pdo)) = (body.kind, body.lower, body.pdo)
        && !ask(m, lower, PnpMinor::QueryInterface).is_success()
    {
        trace(m, driver, &sites::PNP_NO_D3COLD, [pdo.address()]);
    }
    if driver.verifier_on(m) {
        for _ in 0..2 {
            trace(m, driver, &sites::LOCK_WITHOUT_ORDER, [LOCK_TYPE]);
        }
    }
}

/// Sends a question to a device, in an IRP of the framework's own.
fn ask(m: &mut Machine, device: DeviceObject, minor: PnpMinor) -> NtStatus {
    let irp = match m.allocate_irp(m[device].stack_size) {
        Ok(irp) => irp,
        Err(status) => return status,
    };
    m[irp].io_status.status = STATUS_NOT_SUPPORTED;
    let location = m[irp].next_mut();
    location.major = Major::Pnp;
    location.minor = minor as u8;
    let status = call_and_wait(m, irp, device);
    irp.free(m);
    status
}

/// The interfaces that a starting device looks for below: nobody here has any.
fn query_interface_below(m: &mut Machine, device: Device) {
    if let Some(lower) = device.lower_device(m) {
        ask(m, lower, PnpMinor::QueryInterface);
    }
}

/// Asks a device's own stack, from its top, what it can do.
fn query_capabilities(m: &mut Machine, device: Device) {
    let top = device.device_object(m).top_of_stack(m);
    ask(m, top, PnpMinor::QueryCapabilities);
}

/// QUERY_CAPABILITIES: an FDO looks at what comes back up; a PDO begins with what its bus can do.
///
/// Source: S/irphandlers/pnp/fxpkgfdo.cpp:420-560, fxpkgpdo.cpp:560-720.
fn capabilities(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    let driver = device.driver(m);
    let Some(lower) = device.lower_device(m) else {
        if let Some(parent) = device.parent(m).filter(|parent| parent.object().exists(m)) {
            query_capabilities(m, parent);
        }
        return irp.complete_with(m, STATUS_SUCCESS, 0);
    };
    trace(m, driver, &sites::FDO_CAPABILITIES_ENTER, []);
    m[irp].io_status.status = STATUS_SUCCESS;
    m[irp].copy_current_to_next();
    m[irp].set_completion_routine(capabilities_came_back, Context(0), Control::INVOKE_ALWAYS);
    trace(m, driver, &sites::FDO_CAPABILITIES_EXIT, []);
    irp.call_driver(m, lower)
}

fn capabilities_came_back(m: &mut Machine, device: Option<DeviceObject>, irp: Irp, _: Context) -> NtStatus {
    if let Some(device) = device.and_then(|device| Device::of(m, device)) {
        let driver = device.driver(m);
        trace(m, driver, &sites::FDO_CAPABILITIES_BACK, []);
        trace(m, driver, &sites::FDO_CAPABILITIES_DONE, []);
    }
    if m[irp].pending_returned {
        irp.mark_pending(m);
    }
    STATUS_SUCCESS
}

/// A device of the PnP tree was created.
pub(crate) fn device_created(m: &mut Machine, device: Device) {
    device.enter_pnp(m, PnpState::Init);
}

/// Whether a device's I/O can still be configured. The error says whether it is a control device, whose driver has
/// finished with it, or one that was started.
pub(crate) fn still_initializing(m: &mut Machine, device: Device) -> Result<(), bool> {
    let control = device.kind(m) == DeviceKind::Control;
    let device_object = device.device_object(m);
    let early = if control { m[device_object].initializing } else { device.body(m).pnp.pnp == PnpState::Init };
    if early { Ok(()) } else { Err(control) }
}

/// Handles a PnP IRP.
pub(crate) fn dispatch(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    let location = m[irp].current();
    let (minor, parameters) = (PnpMinor::from_code(location.minor), location.parameters);
    log_arrival(m, device, irp, location.minor, parameters);
    let kind = device.kind(m);
    match minor {
        Some(PnpMinor::StartDevice) => start(m, device, irp),
        Some(PnpMinor::QueryRemoveDevice) => match device.query_remove(m) {
            Ok(()) => down_or_succeed(m, device, irp),
            Err(status) => irp.complete_with(m, status, 0),
        },
        Some(PnpMinor::CancelRemoveDevice) => {
            device.cancel_remove(m);
            down_or_succeed(m, device, irp)
        }
        Some(PnpMinor::SurpriseRemoval) => {
            device.surprise_removal(m);
            down_or_succeed(m, device, irp)
        }
        Some(PnpMinor::RemoveDevice) => remove(m, device, irp),
        Some(PnpMinor::QueryDeviceRelations) => relations(m, device, irp, parameters),
        Some(PnpMinor::QueryId) if kind == DeviceKind::Pdo => query_id(m, device, irp, parameters),
        Some(PnpMinor::Eject) if kind == DeviceKind::Pdo => eject(m, device, irp),
        Some(PnpMinor::QueryCapabilities) => capabilities(m, device, irp),
        _ => down_or_leave(m, device, irp),
    }
}

/// The line that every PnP IRP leaves in the log, at a level that depends on the minor code.
fn log_arrival(m: &mut Machine, device: Device, irp: Irp, minor: u8, parameters: Parameters) {
    let driver = device.driver(m);
    let (handle, device_object) = (device.object().handle(), device.device_object(m).address());
    let code = u64::from(minor);
    match (PnpMinor::from_code(minor), parameters) {
        (Some(PnpMinor::QueryDeviceRelations), Parameters::Pnp(PnpParameters::Relations(kind))) => {
            let arguments = [handle, device_object, code, kind as u64, irp.address()];
            trace(m, driver, &sites::PNP_DISPATCH_RELATIONS, arguments);
        }
        (
            Some(
                PnpMinor::StartDevice
                | PnpMinor::QueryRemoveDevice
                | PnpMinor::RemoveDevice
                | PnpMinor::CancelRemoveDevice
                | PnpMinor::StopDevice
                | PnpMinor::QueryStopDevice
                | PnpMinor::CancelStopDevice
                | PnpMinor::SurpriseRemoval
                | PnpMinor::Eject
                | PnpMinor::QueryPnpDeviceState,
            ),
            _,
        ) => trace(m, driver, &sites::PNP_DISPATCH, [handle, device_object, code, irp.address()]),
        _ => trace(m, driver, &sites::PNP_DISPATCH_QUIET, [handle, device_object, code, irp.address()]),
    }
}

/// FDOs and filters pass the IRP on; a PDO ends it with success.
fn down_or_succeed(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    match device.lower_device(m) {
        Some(lower) => {
            m[irp].io_status.status = STATUS_SUCCESS;
            copy_down(m, irp, lower)
        }
        None => irp.complete_with(m, STATUS_SUCCESS, 0),
    }
}

/// FDOs and filters pass the IRP on; a PDO leaves its status as it came.
fn down_or_leave(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    match device.lower_device(m) {
        Some(lower) => copy_down(m, irp, lower),
        None => {
            let status = m[irp].io_status.status;
            irp.complete_with(m, status, 0)
        }
    }
}

/// Sends the IRP down and waits until everything below is done with it.
fn send_down_and_wait(m: &mut Machine, irp: Irp, lower: DeviceObject) -> NtStatus {
    m[irp].copy_current_to_next();
    call_and_wait(m, irp, lower)
}

/// Calls a driver with what is in the next location, and waits until the IRP is back.
fn call_and_wait(m: &mut Machine, irp: Irp, lower: DeviceObject) -> NtStatus {
    fn stop_here(m: &mut Machine, _: Option<DeviceObject>, irp: Irp, _: Context) -> NtStatus {
        m[irp].driver_context[0] = 1;
        STATUS_MORE_PROCESSING_REQUIRED
    }
    let data = &mut m[irp];
    data.driver_context[0] = 0;
    data.set_completion_routine(stop_here, Context(0), Control::INVOKE_ALWAYS);
    irp.call_driver(m, lower);
    m.wait("the devices below to handle a PnP request", move |m| m[irp].driver_context[0] == 1);
    m[irp].io_status.status
}

/// START goes down first, and is handled on its way up.
fn start(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    if !device.restart(m) {
        device.enter_pnp(m, PnpState::InitStarting);
    }
    if let Some(lower) = device.lower_device(m) {
        let status = send_down_and_wait(m, irp, lower);
        if !status.is_success() {
            device.enter_pnp(m, PnpState::Init);
            return irp.complete_with(m, status, 0);
        }
    }
    let status = NtStatus::from(device.start(m));
    irp.complete_with(m, status, 0)
}

/// REMOVE takes the device off the stack; a PDO that its bus still reports stays.
fn remove(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    let kind = device.kind(m);
    let gone = device.finish_removal(m);
    let driver = device.driver(m);
    let device_object = device.device_object(m);
    trace(m, driver, &sites::PNP_REMOVE_WAIT, [device.object().handle(), device_object.address()]);
    if kind == DeviceKind::Pdo {
        if gone {
            wait_for_remove_lock(m, device);
            device_end::destroy(m, device);
        }
        return irp.complete_with(m, STATUS_SUCCESS, 0);
    }
    wait_for_remove_lock(m, device);
    let status = match device.lower_device(m) {
        Some(lower) => {
            m[irp].io_status.status = STATUS_SUCCESS;
            copy_down(m, irp, lower)
        }
        None => irp.complete_with(m, STATUS_SUCCESS, 0),
    };
    device_end::destroy(m, device);
    status
}

fn wait_for_remove_lock(m: &mut Machine, device: Device) {
    device.body(m).pnp.removed = true;
    m.wait("the requests that hold a device's remove lock", move |m| {
        fx(m).devices.get(device.0.id).is_none_or(|body| body.pnp.remove_lock == 0)
    });
}

fn relations(m: &mut Machine, device: Device, irp: Irp, parameters: Parameters) -> NtStatus {
    let Parameters::Pnp(PnpParameters::Relations(kind)) = parameters else { return down_or_leave(m, device, irp) };
    if device.kind(m) == DeviceKind::Pdo {
        match kind {
            RelationType::Bus => bus_relations(m, device, irp),
            RelationType::Target => {
                let pdo = device.device_object(m);
                m[irp].pnp_answer = PnpAnswer::Relations(vec![pdo]);
                m[irp].io_status.status = STATUS_SUCCESS;
            }
            _ => {}
        }
        let status = m[irp].io_status.status;
        return irp.complete_with(m, status, 0);
    }
    let driver = device.driver(m);
    trace(m, driver, &sites::FDO_RELATIONS_ENTER, [kind as u64]);
    if kind == RelationType::Bus {
        bus_relations(m, device, irp);
    }
    let status = down_or_leave(m, device, irp);
    trace(m, driver, &sites::FDO_RELATIONS_EXIT, [kind as u64, status.0.into()]);
    status
}

/// HandleQueryBusRelations: asks every child list. If none has anything to say, the IRP stays as it came.
///
/// Source: S/irphandlers/pnp/fxpkgpnp.cpp:880-1060.
fn bus_relations(m: &mut Machine, device: Device, irp: Irp) {
    let (driver, handle) = (device.driver(m), device.object().handle());
    let lists = [device.body(m).static_list, device.body(m).child_list];
    let mut children = None;
    for list in lists.into_iter().flatten() {
        if let Some(reported) = list.process_bus_relations(m) {
            children.get_or_insert_with(Vec::new).extend(reported);
        }
    }
    for list in lists.into_iter().flatten() {
        list.process_modifications(m);
    }
    if children.is_some() {
        m[irp].io_status.status = STATUS_SUCCESS;
    }
    let status = m[irp].io_status.status;
    trace(m, driver, &sites::PNP_BUS_RELATIONS_STATUS, [handle, status.0.into()]);
    let Some(children) = children else { return };
    trace(m, driver, &sites::PNP_BUS_RELATIONS, [handle, children.len() as u64, irp.address() + 0x1000]);
    for four in children.chunks(4) {
        match *four {
            [a] => trace(m, driver, &sites::PNP_BUS_RELATIONS_1, [a.address()]),
            [a, b] => trace(m, driver, &sites::PNP_BUS_RELATIONS_2, [a.address(), b.address()]),
            [a, b, c] => trace(m, driver, &sites::PNP_BUS_RELATIONS_3, [a.address(), b.address(), c.address()]),
            [a, b, c, d] => {
                let four = [a.address(), b.address(), c.address(), d.address()];
                trace(m, driver, &sites::PNP_BUS_RELATIONS_4, four);
            }
            _ => {}
        }
    }
    m[irp].pnp_answer = PnpAnswer::Relations(children);
}

fn query_id(m: &mut Machine, device: Device, irp: Irp, parameters: Parameters) -> NtStatus {
    let ids = &device.body(m).ids;
    let id = match parameters {
        Parameters::Pnp(PnpParameters::Id(IdType::Device)) => ids.device.clone(),
        Parameters::Pnp(PnpParameters::Id(IdType::Instance)) => ids.instance.clone(),
        Parameters::Pnp(PnpParameters::Id(IdType::Hardware)) => ids.hardware.clone(),
        _ => return down_or_leave(m, device, irp),
    };
    m[irp].pnp_answer = PnpAnswer::Id(id);
    irp.complete_with(m, STATUS_SUCCESS, 0)
}

/// EJECT: the driver's callback, then the child is reported missing.
///
/// Source: S/irphandlers/pnp/fxpkgpdo.cpp:973-1155.
fn eject(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    let callback = device.body(m).callbacks.eject;
    let status = NtStatus::from(callback.map_or(Ok(()), |eject| eject(m, device)));
    if let Some(list) = device.parent(m).and_then(|parent| parent.default_child_list(m))
        && status.is_success()
    {
        list.ejected(m, device);
    }
    irp.complete_with(m, status, 0)
}
