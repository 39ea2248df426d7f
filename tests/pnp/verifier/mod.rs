//! Driver Verifier's rules about PnP and power IRPs: each with a driver that breaks it, and its repaired twin.

mod answers;
mod devices;
mod power;

use std::fmt::Write;

use vbus::wdm::constants::*;
use vbus::wdm::{
    Context, Control, DeviceObject, Dispatch, DriverObject, IoType, Irp, Machine, Major, NtStatus, Parameters,
    PnpAnswer, PnpMinor, PnpParameters, PowerMinor, RelationType, Severity, Stop, SystemPowerState, VerifierOptions,
};

use crate::bench::{self, Bench, bench, bus_node, child, pdo};
use crate::function;

/// The driver of a child's stack that is wrong.
#[derive(Clone, Copy)]
enum Who {
    Bus,
    Function,
    Filter,
}

/// What it did with a major function before.
#[derive(Default)]
struct Originals(Vec<(DriverObject, Major, Dispatch)>);

/// The IRP that a driver keeps.
struct Kept(Option<Irp>);

fn driver(m: &Machine, who: Who) -> DriverObject {
    m.extension::<Bench>().drivers[who as usize]
}

fn set(m: &mut Machine, who: Who, major: Major, routine: Dispatch) {
    let driver = driver(m, who);
    let original = (driver, major, driver.major(m, major));
    m.extension_mut::<Originals>().0.push(original);
    driver.set_major(m, major, routine);
}

/// What the driver does with the IRP where it is not wrong.
fn original(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    let (driver, major) = (device.driver(m), m[irp].current().major);
    let originals = &m.extension::<Originals>().0;
    let &(_, _, routine) = originals.iter().find(|&&(of, what, _)| (of, what) == (driver, major)).unwrap();
    routine(m, device, irp)
}

fn is(m: &Machine, irp: Irp, minor: u8) -> bool {
    m[irp].current().minor == minor
}

fn is_pnp(m: &Machine, irp: Irp, minor: PnpMinor) -> bool {
    is(m, irp, minor as u8)
}

/// A minor function that wdm.h does not have.
const UNKNOWN: u8 = 0x20;

fn is_pdo(m: &Machine, device: DeviceObject) -> bool {
    device.lower_device(m).is_none()
}

fn with_status(m: &mut Machine, device: DeviceObject, irp: Irp, status: NtStatus) -> NtStatus {
    m[irp].io_status.status = status;
    bench::pass_down(m, device, irp)
}

type Plug = Result<(), Stop>;

fn plug(m: &mut Machine, children: &[u32]) -> Plug {
    m.extension_mut::<Bench>().plugged = children.to_vec();
    let pdo = bus_node(m).pdo(m).unwrap();
    m.run(|m| m.invalidate_device_relations(pdo))
}

fn sleeps(m: &mut Machine) -> Plug {
    // A driver may say that it cannot.
    _ = m.sleep(SystemPowerState::Sleeping3)?;
    Ok(())
}

fn unplugs(m: &mut Machine) -> Plug {
    plug(m, &[])
}

fn removes(m: &mut Machine) -> Plug {
    let node = child(m, 1);
    m.remove_device(node)?.unwrap();
    Ok(())
}

/// Somebody sends an IRP to the top of child 1's stack.
fn sends(m: &mut Machine, major: Major, minor: u8, parameters: Parameters) -> Plug {
    fn keep(_: &mut Machine, _: Option<DeviceObject>, _: Irp, _: Context) -> NtStatus {
        STATUS_MORE_PROCESSING_REQUIRED
    }
    let top = pdo(m, 1).top_of_stack(m);
    m.run(|m| {
        let irp = m.allocate_irp(m[top].stack_size).unwrap();
        m[irp].io_status.status = STATUS_NOT_SUPPORTED;
        let location = m[irp].next_mut();
        (location.major, location.minor, location.parameters) = (major, minor, parameters);
        m[irp].set_completion_routine(keep, Context(0), Control::INVOKE_ALWAYS);
        irp.call_driver(m, top);
    })
}

fn sends_unknown_pnp(m: &mut Machine) -> Plug {
    sends(m, Major::Pnp, UNKNOWN, Parameters::None)
}

fn sends_unknown_power(m: &mut Machine) -> Plug {
    sends(m, Major::Power, UNKNOWN, Parameters::None)
}

fn asks_for_capabilities(m: &mut Machine) -> Plug {
    sends(m, Major::Pnp, PnpMinor::QueryCapabilities as u8, Parameters::None)
}

fn asks_for_the_target(m: &mut Machine) -> Plug {
    let parameters = Parameters::Pnp(PnpParameters::Relations(RelationType::Target));
    sends(m, Major::Pnp, PnpMinor::QueryDeviceRelations as u8, parameters)
}

fn goes_on(m: &mut Machine, _: Option<DeviceObject>, irp: Irp, _: Context) -> NtStatus {
    if m[irp].pending_returned {
        irp.mark_pending(m);
    }
    STATUS_SUCCESS
}

fn nothing(_: &mut Machine) -> Plug {
    Ok(())
}

/// A rule, the driver that breaks it or does not, and what happens to child 1 then.
struct Rule {
    code: u32,
    what: &'static str,
    /// Makes a driver wrong, before there is a child.
    wrong: fn(&mut Machine),
    repaired: fn(&mut Machine),
    then: fn(&mut Machine) -> Plug,
}

/// What becomes of child 1 and its drivers.
fn play(prepare: fn(&mut Machine), then: fn(&mut Machine) -> Plug) -> (Machine, Plug) {
    let mut m = bench();
    m.add_extension(Originals::default());
    m.verify_drivers(VerifierOptions::default());
    prepare(&mut m);
    let ended = plug(&mut m, &[1]).and_then(|()| then(&mut m));
    (m, ended)
}

/// The parameters of a bug check, with names for the objects of this machine.
fn named(m: &Machine, parameters: [u64; 4]) -> String {
    let drivers = ["the bus driver", "the function driver", "the filter"];
    let name = |word: u64| {
        let of = |&at: &usize| m.extension::<Bench>().drivers[at].address() == word;
        match (0..drivers.len()).find(of) {
            Some(at) => format!("code of {}", drivers[at]),
            None if word < 0x1000 => format!("{word:#x}"),
            None if word >> 24 == 0xFF_FFCF_8191 => "the IRP".to_owned(),
            None => match m.extension::<Bench>().pdos.iter().find(|(_, pdo)| pdo.address() == word) {
                Some((number, _)) => format!("PDO of child {number}"),
                None => "a device".to_owned(),
            },
        }
    };
    parameters.map(name).join(", ")
}

#[test]
fn every_rule_about_pnp_and_power_is_broken_by_a_driver_and_kept_by_its_twin() {
    let mut table = String::new();
    let rules = [answers::RULES, power::RULES, devices::RULES];
    for &Rule { code, what, wrong, repaired, then } in rules.into_iter().flatten() {
        let (m, ended) = play(wrong, then);
        let Err(Stop::BugCheck(check)) = ended else { panic!("{code:#X}, {what}: {ended:?}") };
        assert_eq!((check.code, check.parameters[0]), (0xC9, code.into()), "{what}");
        writeln!(table, "{what}\n  {} in {}", named(&m, check.parameters), check.ddi).unwrap();
        let (m, ended) = play(repaired, then);
        let worse = m.verifier_findings().iter().filter(|finding| finding.severity != Severity::Warning);
        assert_eq!((ended, worse.count()), (Ok(()), 0), "{code:#X}, repaired");
    }
    approve!("pnp_verifier", table);
}
