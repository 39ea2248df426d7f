//! What the PnP and power managers of the cases do: they send what a script says, and a plain device at the bottom of a
//! stack answers.

use vbus::wdm::constants::*;
use vbus::wdm::{
    DeviceObject, DevicePowerState, Irp, Machine, Major, NtStatus, Parameters, PnpAnswer, PnpMinor, PnpParameters,
    PnpRequest, PowerAction, PowerMinor, PowerParameters, PowerState, RelationType, SystemPowerContext,
    SystemPowerState,
};

use super::world::*;

/// How the managers are at work.
#[derive(Default)]
pub struct Lives {
    /// Somebody waits for a PnP or power IRP.
    pub waiting: bool,
    /// The bottom device fails to start.
    pub lower_start_fails: bool,
}

/// Whether somebody waits for a PnP or power IRP.
pub fn is_waiting(m: &mut Machine) -> bool {
    m.extension::<Lives>().waiting
}

/// What a driver asks of the PnP manager.
pub fn asked(m: &mut Machine, pdo: DeviceObject, request: PnpRequest) {
    let number = match request {
        PnpRequest::InvalidateRelations(kind) => kind as i8,
        PnpRequest::InvalidateState => -1,
        PnpRequest::Eject => -2,
        PnpRequest::RegisterInterface => return record(m, "interface register 1".to_owned()),
        PnpRequest::SetInterfaceState(on) => return record(m, format!("interface state {}", u8::from(on))),
        PnpRequest::RegisterNotification => return record(m, "registerNotification".to_owned()),
        PnpRequest::UnregisterNotification => return record(m, "unregisterNotification".to_owned()),
    };
    let shown = name_of(m, pdo.address());
    record(m, format!("invalidate {shown} {number}"));
}

/// The bottom of a stack.
pub fn lower(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    record_lower(m, device, irp);
    let location = m[irp].current();
    let (major, minor, parameters) = (location.major, location.minor, location.parameters);
    let target = parameters == Parameters::Pnp(PnpParameters::Relations(RelationType::Target));
    let status = match (major, PnpMinor::from_code(minor)) {
        (Major::Pnp, Some(PnpMinor::StartDevice)) if m.extension::<Lives>().lower_start_fails => {
            STATUS_DEVICE_DATA_ERROR
        }
        (Major::Pnp, Some(PnpMinor::QueryDeviceRelations)) if target => STATUS_SUCCESS,
        (
            Major::Pnp,
            Some(
                PnpMinor::QueryDeviceRelations
                | PnpMinor::QueryInterface
                | PnpMinor::QueryResources
                | PnpMinor::QueryResourceRequirements
                | PnpMinor::QueryPnpDeviceState,
            ),
        ) => m[irp].io_status.status,
        _ => STATUS_SUCCESS,
    };
    m[irp].io_status.status = status;
    irp.complete(m);
    status
}

/// Writes down that a PnP, power or file IRP reached a plain device.
pub fn record_lower(m: &mut Machine, device: DeviceObject, irp: Irp) {
    if is_quiet(m) {
        return;
    }
    let location = m[irp].current();
    let what = match location.major {
        Major::Pnp => PnpMinor::from_code(location.minor).map_or("?", PnpMinor::name).replace("IRP_MN_", ""),
        Major::Power => {
            let minor = PowerMinor::from_number(location.minor.into()).map_or("?", PowerMinor::name);
            format!("{} {}", minor.replace("IRP_MN_", ""), shown_state(location.parameters))
        }
        major => major.name().replace("IRP_MJ_", ""),
    };
    let shown = name_of(m, device.address());
    record(m, format!("lower {shown} {what}"));
}

fn shown_state(parameters: Parameters) -> String {
    match parameters {
        Parameters::Power(PowerParameters::Power { state: PowerState::System(state), .. }) => {
            format!("S{}", state as u8 - 1)
        }
        Parameters::Power(PowerParameters::Power { state: PowerState::Device(state), .. }) => {
            format!("D{}", state as u8 - 1)
        }
        _ => String::new(),
    }
}

/// Sends a PnP IRP to a device as the PnP manager does, and waits for it. Returns its status, Information and answer.
pub fn send_and_record(
    m: &mut Machine,
    device: DeviceObject,
    minor: PnpMinor,
    parameters: PnpParameters,
) -> (NtStatus, u64, PnpAnswer) {
    let device = device.top_of_stack(m);
    let shown = name_of(m, device.address());
    let code = minor.name().replace("IRP_MN_", "");
    let argument = match parameters {
        PnpParameters::Relations(kind) => format!(" {}", kind.name()),
        PnpParameters::Usage { kind, in_path } => format!(" {} {}", kind as u8, u8::from(in_path)),
        PnpParameters::Id(kind) => format!(" {}", kind as u8),
        PnpParameters::Text { kind, locale } => format!(" {} 0x{locale:x}", kind as u8),
        PnpParameters::Lock(lock) => format!(" {}", u8::from(lock)),
        _ => String::new(),
    };
    say(m, format!("pnpSend {code} {shown}{argument}"));
    let irp = m.allocate_irp(m[device].stack_size).unwrap();
    m[irp].io_status.status = STATUS_NOT_SUPPORTED;
    let location = m[irp].next_mut();
    (location.major, location.minor) = (Major::Pnp, minor as u8);
    location.parameters = Parameters::Pnp(parameters);
    call_and_wait(m, device, irp);
    let status = m[irp].io_status;
    if minor == PnpMinor::QueryCapabilities {
        let capabilities = m[irp].capabilities();
        let caps = format!(
            "caps {:x} {:x} {} {} {}",
            capabilities.flags,
            capabilities.address,
            capabilities.ui_number as i32,
            capabilities.device_wake as u8,
            capabilities.system_wake as u8
        );
        say(m, caps);
    }
    say(m, format!("pnpDone {code} {}", hex(status.status)));
    (status.status, status.information, std::mem::take(&mut m[irp].pnp_answer))
}

/// Writes down what the managers do, unless the case wants nothing of that.
fn say(m: &mut Machine, event: String) {
    if !is_quiet(m) {
        record(m, event);
    }
}

/// Sends a PnP IRP that brings nothing, and writes down the state that it answers with.
pub fn pnp(m: &mut Machine, device: DeviceObject, minor: PnpMinor, parameters: PnpParameters) {
    let (status, information, _) = send_and_record(m, device, minor, parameters);
    if minor == PnpMinor::QueryPnpDeviceState && status.is_success() {
        record(m, format!("pnpState 0x{information:x}"));
    }
}

/// Sends a power IRP to a device's stack as the power manager does, and waits for it: `D3`, `S0`, `qS3` (a query).
pub fn power(m: &mut Machine, device: DeviceObject, step: &str) {
    let (minor, state) = match step.strip_prefix('q') {
        Some(state) => (PowerMinor::QueryPower, state),
        None => (PowerMinor::SetPower, step),
    };
    let number = state[1..].parse::<u64>().unwrap() + 1;
    let parameters = match state.starts_with('S') {
        true => PowerState::System(SystemPowerState::from_number(number).unwrap()),
        false => PowerState::Device(DevicePowerState::from_number(number).unwrap()),
    };
    let shown = name_of(m, device.address());
    let code = minor.name().replace("IRP_MN_", "");
    record(m, format!("powerSend {code} {shown} {state}"));
    let top = device.top_of_stack(m);
    let irp = m.allocate_irp(m[top].stack_size).unwrap();
    m[irp].io_status.status = STATUS_NOT_SUPPORTED;
    let location = m[irp].next_mut();
    (location.major, location.minor) = (Major::Power, minor as u8);
    location.parameters = Parameters::Power(PowerParameters::Power {
        state: parameters,
        action: PowerAction::None,
        context: SystemPowerContext::default(),
    });
    call_and_wait(m, top, irp);
    let status = m[irp].io_status.status;
    record(m, format!("powerDone {}", hex(status)));
}

/// Sends an IRP and waits for it.
pub fn call_and_wait(m: &mut Machine, device: DeviceObject, irp: Irp) {
    m.extension_mut::<Lives>().waiting = true;
    irp.call_driver(m, device);
    m.wait("an IRP", move |m| m[irp].is_completed());
    m.extension_mut::<Lives>().waiting = false;
}
