//! The bus driver: an FDO that reports children, and their PDOs.

use vbus::wdm::constants::*;
use vbus::wdm::{
    BusInformation, CapabilityFlags, Context, DeviceObject, DevicePowerState, DriverObject, Guid, IdType, Interface,
    Irp, Machine, Major, NtStatus, Parameters, PnpAnswer, PnpMinor, PnpParameters, PowerMinor, PowerParameters,
    PowerState, RelationType, SystemPowerState, TextType,
};

use crate::bench::{self, Bench, refusal};

/// The interface that every child's PDO lends.
pub static GUID_SLOT_INTERFACE: Guid = Guid(0x5107_1000_0000_4000_8000_0000_0000_0001);

/// What that interface is made of.
pub struct SlotInterface {
    /// The number of the slot, from the interface's context.
    pub number: fn(&mut Machine, Context) -> u32,
}

pub fn driver(m: &mut Machine) -> DriverObject {
    let driver = m.create_driver("bus");
    driver.set_add_device(m, bench::add_device);
    for major in [Major::Create, Major::Cleanup, Major::Close] {
        driver.set_major(m, major, succeed);
    }
    driver.set_major(m, Major::Pnp, |m, device, irp| match device.lower_device(m) {
        Some(_) => fdo_pnp(m, device, irp),
        None => pdo_pnp(m, device, irp),
    });
    driver.set_major(m, Major::Power, |m, device, irp| match device.lower_device(m) {
        Some(_) => bench::pass_down(m, device, irp),
        None => pdo_power(m, device, irp),
    });
    driver
}

fn succeed(m: &mut Machine, _: DeviceObject, irp: Irp) -> NtStatus {
    irp.complete_with(m, STATUS_SUCCESS, 0)
}

fn parameters(m: &Machine, irp: Irp) -> (Option<PnpMinor>, PnpParameters) {
    let location = m[irp].current();
    match location.parameters {
        Parameters::Pnp(parameters) => (PnpMinor::from_code(location.minor), parameters),
        _ => (PnpMinor::from_code(location.minor), PnpParameters::None),
    }
}

fn fdo_pnp(m: &mut Machine, fdo: DeviceObject, irp: Irp) -> NtStatus {
    match parameters(m, irp) {
        (Some(PnpMinor::QueryDeviceRelations), PnpParameters::Relations(RelationType::Bus)) => {
            m[irp].pnp_answer = PnpAnswer::Relations(report(m, fdo));
            m[irp].io_status.status = STATUS_SUCCESS;
            bench::pass_down(m, fdo, irp)
        }
        (Some(PnpMinor::RemoveDevice), _) => {
            for pdo in pdos_of(m, fdo) {
                forget(m, pdo);
            }
            bench::pass_down_and_go(m, fdo, irp)
        }
        (Some(PnpMinor::QueryPnpDeviceState), _) => {
            m[irp].io_status.information |= m.extension::<Bench>().bus_state;
            m[irp].io_status.status = STATUS_SUCCESS;
            bench::pass_down(m, fdo, irp)
        }
        _ => bench::pass_down(m, fdo, irp),
    }
}

/// The device extension of a child's PDO.
struct Slot {
    number: u32,
    fdo: DeviceObject,
}

/// The context of a PDO that was left out of the relations.
const MISSING: u32 = 1;

/// A PDO for every child that is plugged in. One that is not any more keeps its PDO until its REMOVE.
fn report(m: &mut Machine, fdo: DeviceObject) -> Vec<DeviceObject> {
    let mut reported = Vec::new();
    for number in m.extension::<Bench>().plugged.clone() {
        let pdos = pdos_of(m, fdo);
        let known =
            pdos.into_iter().find(|pdo| pdo.extension::<Slot>(m).number == number && m[*pdo].context != MISSING.into());
        reported.push(known.unwrap_or_else(|| create_pdo(m, fdo, number)));
    }
    for pdo in pdos_of(m, fdo) {
        if !reported.contains(&pdo) {
            m[pdo].context = MISSING.into();
        }
    }
    reported
}

fn pdos_of(m: &mut Machine, fdo: DeviceObject) -> Vec<DeviceObject> {
    let pdos: Vec<DeviceObject> = m.extension::<Bench>().pdos.iter().map(|&(_, pdo)| pdo).collect();
    pdos.into_iter().filter(|pdo| pdo.extension::<Slot>(m).fdo == fdo).collect()
}

fn create_pdo(m: &mut Machine, fdo: DeviceObject, number: u32) -> DeviceObject {
    let driver = fdo.driver(m);
    let pdo = m.create_device(driver);
    m.auto_name_device(pdo);
    pdo.set_extension(m, Slot { number, fdo });
    m[pdo].initializing = false;
    m.extension_mut::<Bench>().pdos.push((number, pdo));
    pdo
}

fn forget(m: &mut Machine, pdo: DeviceObject) {
    m.extension_mut::<Bench>().pdos.retain(|&(_, known)| known != pdo);
    pdo.delete(m);
}

fn pdo_pnp(m: &mut Machine, pdo: DeviceObject, irp: Irp) -> NtStatus {
    let (minor, parameters) = parameters(m, irp);
    if let Some(status) = refusal(m, "pdo", minor) {
        return irp.complete_with(m, status, 0);
    }
    let untouched = m[irp].io_status.status;
    let status = match minor {
        Some(PnpMinor::RemoveDevice) => {
            if m[pdo].context == MISSING.into() {
                forget(m, pdo);
            }
            STATUS_SUCCESS
        }
        Some(PnpMinor::Eject) => {
            let number = pdo.extension::<Slot>(m).number;
            m.extension_mut::<Bench>().plugged.retain(|&plugged| plugged != number);
            STATUS_SUCCESS
        }
        Some(
            PnpMinor::QueryId
            | PnpMinor::QueryCapabilities
            | PnpMinor::QueryDeviceText
            | PnpMinor::QueryBusInformation
            | PnpMinor::QueryResourceRequirements
            | PnpMinor::QueryDeviceRelations
            | PnpMinor::QueryInterface,
        ) => match answer(m, pdo, irp, minor, parameters) {
            Some(answer) => {
                m[irp].pnp_answer = answer;
                STATUS_SUCCESS
            }
            None => untouched,
        },
        Some(PnpMinor::QueryPnpDeviceState) => STATUS_SUCCESS,
        Some(PnpMinor::QueryResources | PnpMinor::FilterResourceRequirements | PnpMinor::DeviceEnumerated) | None => {
            untouched
        }
        Some(_) => STATUS_SUCCESS,
    };
    let information = m[irp].io_status.information;
    irp.complete_with(m, status, information)
}

fn answer(
    m: &mut Machine,
    pdo: DeviceObject,
    irp: Irp,
    minor: Option<PnpMinor>,
    parameters: PnpParameters,
) -> Option<PnpAnswer> {
    let number = pdo.extension::<Slot>(m).number;
    let id = |text: &str| Some(PnpAnswer::Id(text.to_owned()));
    match parameters {
        PnpParameters::Id(IdType::Device) => id("BUS\\Child"),
        PnpParameters::Id(IdType::Instance) if m.extension::<Bench>().twins => id("same"),
        PnpParameters::Id(IdType::Instance) if m.extension::<Bench>().comma_in_instance_id => id("0,1"),
        PnpParameters::Id(IdType::Instance) => id(&format!("{number:02}")),
        PnpParameters::Id(IdType::Hardware) => {
            Some(PnpAnswer::Ids(vec![format!("BUS\\Child&Slot_{number:02}"), "BUS\\Child".to_owned()]))
        }
        PnpParameters::Id(IdType::Compatible) => Some(PnpAnswer::Ids(vec!["BUS\\Generic".to_owned()])),
        PnpParameters::Id(IdType::Container) => id("{00000000-0000-0000-ffff-ffffffffffff}"),
        PnpParameters::Text { kind: TextType::Description, .. } => Some(PnpAnswer::Text("a child".to_owned())),
        PnpParameters::Text { kind: TextType::Location, .. } => Some(PnpAnswer::Text(format!("slot {number}"))),
        PnpParameters::Relations(RelationType::Target) => Some(PnpAnswer::Relations(vec![pdo])),
        PnpParameters::Relations(kind) => related(m, number, kind),
        PnpParameters::Interface(query) if *query.interface == GUID_SLOT_INTERFACE => Some(lend(m, number)),
        _ => match minor {
            Some(PnpMinor::QueryCapabilities) => Some(capabilities(m, irp, number)),
            Some(PnpMinor::QueryBusInformation) => {
                Some(PnpAnswer::BusInformation(BusInformation { bus_type: Guid(0xB0), legacy_type: 15, number: 0 }))
            }
            Some(PnpMinor::QueryResourceRequirements) => {
                let requirements = m.extension::<Bench>().requirements.clone();
                (!requirements.is_empty()).then_some(PnpAnswer::Resources(requirements))
            }
            _ => None,
        },
    }
}

fn related(m: &Machine, number: u32, kind: RelationType) -> Option<PnpAnswer> {
    let relations = &m.extension::<Bench>().relations;
    let (_, _, related) = relations.iter().find(|&&(of, what, _)| of == number && what == kind)?;
    Some(PnpAnswer::Relations(related.iter().map(|&related| bench::pdo(m, related)).collect()))
}

fn capabilities(m: &mut Machine, irp: Irp, number: u32) -> PnpAnswer {
    let flags = m.extension::<Bench>().capabilities;
    let capabilities = m[irp].capabilities();
    capabilities.flags |= flags | CapabilityFlags::SURPRISE_REMOVAL_OK;
    capabilities.address = number;
    capabilities.device_state = [DevicePowerState::D3; SystemPowerState::COUNT];
    capabilities.device_state[SystemPowerState::Working as usize] = DevicePowerState::D0;
    PnpAnswer::Capabilities(*capabilities)
}

fn lend(m: &mut Machine, number: u32) -> PnpAnswer {
    let reference = |m: &mut Machine, slot: Context| bench::note(m, format!("slot {} is lent", slot.0));
    let interface = Interface {
        size: 40,
        version: 1,
        context: number.into(),
        reference: Some(reference),
        dereference: Some(|m, slot| bench::note(m, format!("slot {} comes back", slot.0))),
        routines: Some(std::sync::Arc::new(SlotInterface { number: |_, slot| slot.0 as u32 })),
    };
    // Whoever lends an interface counts it for the borrower.
    reference(m, interface.context);
    PnpAnswer::Interface(interface)
}

fn pdo_power(m: &mut Machine, pdo: DeviceObject, irp: Irp) -> NtStatus {
    let location = m[irp].current();
    match (PowerMinor::from_number(location.minor.into()), location.parameters) {
        (
            Some(PowerMinor::SetPower),
            Parameters::Power(PowerParameters::Power { state: PowerState::Device(state), .. }),
        ) => {
            pdo.set_power_state(m, state);
            irp.complete_with(m, STATUS_SUCCESS, 0)
        }
        (Some(PowerMinor::WaitWake), _) => {
            irp.mark_pending(m);
            irp.set_cancel_routine(m, Some(|m, _, irp| _ = irp.complete_with(m, STATUS_CANCELLED, 0)));
            m.extension_mut::<Bench>().wait_wake = Some(irp);
            STATUS_PENDING
        }
        _ => irp.complete_with(m, STATUS_SUCCESS, 0),
    }
}
