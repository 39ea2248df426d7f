//! Power IRPs that nobody completes, and bug check 0x9F.

use std::fmt::Write;

use vbus::explore::{Failure, Options, Race, explore};
use vbus::wdm::constants::*;
use vbus::wdm::{
    BugCheck, Context, DeviceObject, DevicePowerState, Irp, Machine, Major, NtStatus, PnpMinor, PowerMinor, PowerState,
    Stop, SystemPowerState, Ticks,
};

use crate::bench::{self, Bench, bench, bus_node, child, pdo, plug, take_table};

const MINUTE: Ticks = Ticks::from_millis(60_000);

/// Who of a child's stack keeps which power IRP.
#[derive(Clone, Copy)]
struct Keeper {
    /// How many devices are below it.
    above: usize,
    minor: PowerMinor,
    /// Whether the state is a device's.
    device: bool,
}

/// Keeps the first power IRP that it is for, and passes the others down as a filter does. The lowest device completes.
fn keep(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    let keeper = *m.extension::<Keeper>();
    let location = *m[irp].current();
    let of_device = matches!(
        location.parameters,
        vbus::wdm::Parameters::Power(vbus::wdm::PowerParameters::Power { state: PowerState::Device(_), .. })
    );
    let kept = m.extension::<Bench>().wait_wake.is_some();
    if !kept && location.minor == keeper.minor as u8 && of_device == keeper.device {
        irp.mark_pending(m);
        m.extension_mut::<Bench>().wait_wake = Some(irp);
        return STATUS_PENDING;
    }
    match device.lower_device(m) {
        Some(_) => bench::pass_down(m, device, irp),
        None => irp.complete_with(m, STATUS_SUCCESS, 0),
    }
}

/// Child 1 of a bus, with one driver that keeps an IRP.
fn keeping(keeper: Keeper) -> Machine {
    let mut m = bench();
    m.extension_mut::<Bench>().power_policy = true;
    plug(&mut m, &[1]);
    take_table(&mut m);
    m.add_extension(keeper);
    let stack = pdo(&m, 1).stack(&m);
    let driver = stack[stack.len() - 1 - keeper.above].driver(&mut m);
    driver.set_major(&mut m, Major::Power, keep);
    m
}

fn ask(m: &mut Machine, minor: PowerMinor, state: PowerState) -> Irp {
    let target = pdo(m, 1);
    m.run(|m| target.request_power_irp(m, minor, state, None, Context(0)).unwrap()).unwrap()
}

/// A bug check with names for the addresses of this machine.
fn named(m: &Machine, stop: &Stop) -> String {
    let Stop::BugCheck(BugCheck { code, parameters, ddi, driver, .. }) = stop else { return stop.to_string() };
    let kept = m.extension::<Bench>().wait_wake;
    let name = |word: u64| match word {
        _ if kept.is_some_and(|irp| irp.address() == word) => "the IRP that is kept".to_owned(),
        _ if m.extension::<Bench>().pdos.iter().any(|(_, pdo)| pdo.address() == word) => "PDO of child 1".to_owned(),
        0xFFFF_F805_1C0F_B930 => "TRIAGE_9F_POWER".to_owned(),
        small if small < 0x1000 => format!("{small:#x}"),
        _ => "another object".to_owned(),
    };
    let driver = driver.as_deref().unwrap_or("nobody");
    format!("bug check {code:#X} ({}) in {ddi}, by {driver}", parameters.map(name).join(", "))
}

#[test]
fn a_power_irp_that_is_kept_for_ten_minutes_is_bug_check_0x9f_3_with_the_driver_that_has_it() {
    use PowerMinor::{QueryPower, SetPower};
    let keepers = [
        ("the filter keeps the query", Keeper { above: 2, minor: QueryPower, device: false }),
        ("the function driver keeps the query", Keeper { above: 1, minor: QueryPower, device: false }),
        ("the filter keeps the system's state", Keeper { above: 2, minor: SetPower, device: false }),
        ("the bus driver keeps the system's state", Keeper { above: 0, minor: SetPower, device: false }),
        ("the bus driver keeps the device's state", Keeper { above: 0, minor: SetPower, device: true }),
    ];
    let mut table = String::new();
    for (who, keeper) in keepers {
        let mut m = keeping(keeper);
        let stop = m.sleep(SystemPowerState::Sleeping3).unwrap_err();
        writeln!(table, "{who}\n  {}, after {} s", named(&m, &stop), m.now().0 / 10_000_000).unwrap();
        assert_eq!(m.run(|_| ()), Err(stop));
    }
    approve!("power_watchdog", table);
}

#[test]
fn nobody_need_wait_for_a_power_irp_that_a_driver_asked_for_and_the_stack_keeps() {
    let mut m = keeping(Keeper { above: 0, minor: PowerMinor::SetPower, device: true });
    let target = pdo(&m, 1);
    assert_eq!(target.query_watchdog_time(&m), None);
    ask(&mut m, PowerMinor::SetPower, PowerState::Device(DevicePowerState::D3));
    // The second one waits for the first, and its time has not begun.
    ask(&mut m, PowerMinor::SetPower, PowerState::Device(DevicePowerState::D0));
    assert_eq!(target.query_watchdog_time(&m), Some(600));
    m.advance(Ticks(MINUTE.0 * 9)).unwrap();
    assert_eq!(target.query_watchdog_time(&m), Some(60));
    let stop = m.advance(MINUTE).unwrap_err();
    assert!(matches!(&stop, Stop::BugCheck(check) if check.code == 0x9F && check.parameters[0] == 3), "{stop}");
}

#[test]
fn a_power_irp_that_is_completed_in_time_is_forgotten() {
    let mut m = keeping(Keeper { above: 0, minor: PowerMinor::SetPower, device: true });
    let target = pdo(&m, 1);
    ask(&mut m, PowerMinor::SetPower, PowerState::Device(DevicePowerState::D3));
    ask(&mut m, PowerMinor::SetPower, PowerState::Device(DevicePowerState::D0));
    m.advance(Ticks(MINUTE.0 * 10 - 1)).unwrap();
    let kept = m.extension::<Bench>().wait_wake.unwrap();
    m.run(|m| kept.complete_with(m, STATUS_SUCCESS, 0)).unwrap();
    // The one that waited is through as well.
    assert_eq!(target.query_watchdog_time(&m), None);
    m.advance(Ticks(MINUTE.0 * 60)).unwrap();
}

#[test]
fn a_wait_wake_waits_for_as_long_as_the_device_sleeps() {
    let mut m = keeping(Keeper { above: 0, minor: PowerMinor::WaitWake, device: false });
    ask(&mut m, PowerMinor::WaitWake, PowerState::System(SystemPowerState::Sleeping3));
    assert_eq!(pdo(&m, 1).query_watchdog_time(&m), None);
    m.advance(Ticks(MINUTE.0 * 60 * 24)).unwrap();
}

#[test]
fn a_device_that_is_deleted_with_a_power_irp_is_bug_check_0x9f_1() {
    let mut m = keeping(Keeper { above: 2, minor: PowerMinor::SetPower, device: true });
    ask(&mut m, PowerMinor::SetPower, PowerState::Device(DevicePowerState::D3));
    let filter = pdo(&m, 1).top_of_stack(&m);
    let node = child(&m, 1);
    let stop = m.remove_device(node).unwrap_err();
    let Stop::BugCheck(check) = stop else { panic!("{stop}") };
    assert_eq!((check.code, check.parameters), (0x9F, [1, filter.address(), 0, 0]));
}

/// One processor starts a child whose driver keeps its START_DEVICE for `minutes`, another puts the system to sleep.
fn sleep_beside_a_start(race: &mut Race, minutes: u64) -> (Machine, Result<(), Failure>) {
    fn slow(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
        if m[irp].current().minor != PnpMinor::StartDevice as u8 {
            return bench::pass_down(m, device, irp);
        }
        irp.mark_pending(m);
        let after = *m.extension::<Ticks>();
        m.set_timer(
            after,
            |m, irp| _ = Irp::from_context(irp).unwrap().complete_with(m, STATUS_UNSUCCESSFUL, 0),
            irp.to_context(),
        );
        STATUS_PENDING
    }
    let mut m = bench();
    plug(&mut m, &[1]);
    m.add_extension(Ticks(MINUTE.0 * minutes));
    let filter = pdo(&m, 1).top_of_stack(&m).driver(&mut m);
    filter.set_major(&mut m, Major::Pnp, slow);
    let bus = bus_node(&m).pdo(&m).unwrap();
    m.extension_mut::<Bench>().plugged = vec![1, 2];
    race.time_stands_still();
    race.thread("the PnP manager", move |m| m.invalidate_device_relations(bus));
    race.thread("the power manager", |m| _ = m.sleep(SystemPowerState::Sleeping3));
    let ended = race.run(&mut m);
    (m, ended)
}

#[test]
fn a_system_that_is_to_sleep_waits_for_the_pnp_manager_and_after_ten_minutes_is_bug_check_0x9f_4() {
    let options = Options { preemptions: 1, ..Options::default() };
    let in_time = explore(&options, |race| sleep_beside_a_start(race, 9).1);
    assert!(in_time.failure.is_none(), "{}", in_time.failure.unwrap());
    let found = explore(&options, |race| sleep_beside_a_start(race, 11).1).failure.expect("some schedule starts first");
    let Failure::Stopped(Stop::BugCheck(check)) = &found.failure else { panic!("{found}") };
    let [code, seconds, thread, triage] = check.parameters;
    assert_eq!((check.code, code, seconds, triage), (0x9F, 4, 600, 0xFFFF_F805_1C0F_B970));
    assert_ne!(thread, 0, "somebody has the PnP manager's lock");
}
