//! Power IRPs: of the whole system, and those that drivers ask for.

use vbus::wdm::constants::*;
use vbus::wdm::{
    Context, DeviceObject, DevicePowerState, IoStatus, Irql, Machine, Major, NodeState, NtStatus, PowerAction,
    PowerMinor, PowerState, RelationType, Stop, SystemPowerState,
};

use crate::bench::{self, Bench, bench, bus_node, child, note, pdo, plug, take_seen_by, take_table};

/// Children 1 and 2, whose function drivers power them down and up with the system.
fn powered() -> Machine {
    let mut m = bench();
    m.extension_mut::<Bench>().power_policy = true;
    plug(&mut m, &[1, 2]);
    take_table(&mut m);
    m
}

#[test]
fn the_system_sleeps_children_first_and_wakes_parents_first() {
    let mut m = powered();
    assert_eq!(m.system_power(), SystemPowerState::Working);
    m.sleep(SystemPowerState::Sleeping3).unwrap().unwrap();
    assert_eq!((m.system_power(), child(&m, 1).power_state(&m)), (SystemPowerState::Sleeping3, DevicePowerState::D3));
    note(&mut m, "it sleeps");
    m.wake().unwrap();
    assert_eq!((m.system_power(), child(&m, 1).power_state(&m)), (SystemPowerState::Working, DevicePowerState::D0));
    approve!("power_sleep_and_wake", take_table(&mut m));
}

#[test]
fn a_shutdown_says_why_and_hibernation_too() {
    let mut m = powered();
    m.sleep(SystemPowerState::Hibernate).unwrap().unwrap();
    m.wake().unwrap();
    take_table(&mut m);
    m.set_system_power(SystemPowerState::Shutdown, PowerAction::ShutdownReset).unwrap();
    approve!("power_shutdown", take_table(&mut m));
}

#[test]
fn a_refused_sleep_is_followed_by_the_state_that_stays() {
    fn refuse(m: &mut Machine, device: DeviceObject, irp: vbus::wdm::Irp) -> NtStatus {
        if m[irp].current().minor == PowerMinor::QueryPower as u8 {
            return irp.complete_with(m, STATUS_DEVICE_BUSY, 0);
        }
        bench::pass_down(m, device, irp)
    }
    let mut m = powered();
    let top = pdo(&m, 1).top_of_stack(&m);
    let filter = top.driver(&mut m);
    filter.set_major(&mut m, Major::Power, refuse);
    assert_eq!(m.sleep(SystemPowerState::Sleeping3).unwrap(), Err(STATUS_DEVICE_BUSY));
    assert_eq!(m.system_power(), SystemPowerState::Working);
    approve!("power_refused_sleep", take_table(&mut m));
}

#[test]
fn a_device_that_another_ones_power_depends_on_sleeps_after_it() {
    let mut m = powered();
    let order = |m: &mut Machine| {
        m.set_system_power(SystemPowerState::Sleeping1, PowerAction::Sleep).unwrap();
        let table = take_table(m);
        m.wake().unwrap();
        let first = ["child 1", "child 2", "bus"].map(|device| table.find(device).unwrap());
        if first.is_sorted() { "1 2 bus" } else { "2 1 bus" }
    };
    let natural = order(&mut m);
    let (depending, needed) = if natural == "1 2 bus" { (2, 1) } else { (1, 2) };
    m.extension_mut::<Bench>().relations = vec![(depending, RelationType::Power, vec![needed])];
    let depending = pdo(&m, depending);
    m.run(|m| m.invalidate_relations(depending, RelationType::Power)).unwrap();
    take_table(&mut m);
    assert_ne!(order(&mut m), natural);
}

#[test]
fn what_happens_on_a_bus_while_the_system_sleeps_is_looked_at_when_it_wakes() {
    let mut m = powered();
    m.sleep(SystemPowerState::Sleeping3).unwrap().unwrap();
    take_table(&mut m);
    plug(&mut m, &[1, 3]);
    assert_eq!(take_table(&mut m), "", "nobody is asked while nothing runs");
    m.wake().unwrap();
    let table = take_table(&mut m);
    let at = |what: &str| table.find(what).unwrap_or_else(|| panic!("{what} in\n{table}"));
    assert!(at("SET_POWER") < at("QUERY_DEVICE_RELATIONS"), "{table}");
    assert!(at("child 2  SURPRISE_REMOVAL") < at("child 3  START_DEVICE"), "{table}");
}

#[test]
fn power_relations_that_go_round_in_circles_end() {
    let mut m = powered();
    let relations = [(1, 2), (2, 1)].map(|(of, on)| (of, RelationType::Power, vec![on]));
    m.extension_mut::<Bench>().relations = relations.to_vec();
    for number in [1, 2] {
        let pdo = pdo(&m, number);
        m.run(|m| m.invalidate_relations(pdo, RelationType::Power)).unwrap();
    }
    m.sleep(SystemPowerState::Sleeping3).unwrap().unwrap();
}

#[test]
fn a_stopped_device_is_left_alone() {
    let mut m = powered();
    let node = child(&m, 1);
    m.stop_device(node).unwrap().unwrap();
    take_table(&mut m);
    m.sleep(SystemPowerState::Sleeping3).unwrap().unwrap();
    assert_eq!(take_seen_by(&mut m, "child 1"), [""; 0]);
    assert_eq!(node.state(&m), Some(NodeState::Stopped));
}

fn done(m: &mut Machine, _: DeviceObject, minor: PowerMinor, state: PowerState, context: Context, status: IoStatus) {
    note(m, format!("{} {state} of {} is done: {}", minor.name(), context.0, status.status.name().unwrap()));
}

fn request(m: &mut Machine, device: DeviceObject, minor: PowerMinor, state: DevicePowerState, context: u64) {
    device.request_power_irp(m, minor, PowerState::Device(state), Some(done), Context(context)).unwrap();
}

#[test]
fn a_driver_asks_for_a_state_and_the_irp_starts_at_the_top_with_two_locations_more() {
    let mut m = powered();
    let target = pdo(&m, 1);
    m.watch_irps();
    m.run(|m| request(m, target, PowerMinor::SetPower, DevicePowerState::D2, 1)).unwrap();
    let calls: Vec<_> =
        m.take_observations().into_iter().map(|seen| (seen.stack_count, seen.current_location)).collect();
    assert_eq!(calls[0], (5, 3), "its stack needs 3, and the top driver is called at 3");
    assert_eq!(child(&m, 1).power_state(&m), DevicePowerState::D2);
    assert_eq!(m.run(|m| target.set_power_state(m, DevicePowerState::D0)).unwrap(), DevicePowerState::D2);
}

#[test]
fn a_stack_is_busy_with_one_power_irp_at_a_time() {
    /// Keeps the first SET_POWER until the next one would have come.
    fn keep(m: &mut Machine, device: DeviceObject, irp: vbus::wdm::Irp) -> NtStatus {
        if m.extension::<Bench>().wait_wake.is_some() {
            return bench::pass_down(m, device, irp);
        }
        irp.mark_pending(m);
        m.extension_mut::<Bench>().wait_wake = Some(irp);
        STATUS_PENDING
    }
    let mut m = powered();
    let (first, second) = (pdo(&m, 1), pdo(&m, 2));
    let filter = first.top_of_stack(&m).driver(&mut m);
    filter.set_major(&mut m, Major::Power, keep);
    m.run(|m| {
        request(m, first, PowerMinor::SetPower, DevicePowerState::D3, 1);
        request(m, first, PowerMinor::SetPower, DevicePowerState::D0, 2);
        request(m, second, PowerMinor::SetPower, DevicePowerState::D3, 3);
        m.run_ready();
        note(m, "the first one is let go");
        let kept = m.extension::<Bench>().wait_wake.unwrap();
        kept.complete_with(m, STATUS_SUCCESS, 0);
    })
    .unwrap();
    approve!("power_one_at_a_time", take_table(&mut m));
}

#[test]
fn whoever_asks_for_a_power_irp_goes_on_before_the_drivers_are_called() {
    let mut m = powered();
    let target = pdo(&m, 1);
    let asked = m.run(|m| {
        m.set_irql(Irql::Dispatch);
        request(m, target, PowerMinor::SetPower, DevicePowerState::D3, 1);
        m.set_irql(Irql::Passive);
        request(m, target, PowerMinor::SetPower, DevicePowerState::D0, 2);
        take_table(m)
    });
    assert_eq!(asked.unwrap(), "");
    approve!("power_asked_for", take_table(&mut m));
}

#[test]
fn a_wait_wake_waits_beside_other_power_irps_until_the_device_signals_or_it_is_cancelled() {
    let mut m = powered();
    let target = pdo(&m, 1);
    let wait = |m: &mut Machine| {
        let state = PowerState::System(SystemPowerState::Sleeping3);
        target.request_power_irp(m, PowerMinor::WaitWake, state, Some(done), Context(9)).unwrap()
    };
    m.run(|m| {
        wait(m);
        request(m, target, PowerMinor::SetPower, DevicePowerState::D3, 1);
        m.run_ready();
        note(m, "the device signals");
        let held = m.extension_mut::<Bench>().wait_wake.take().unwrap();
        held.set_cancel_routine(m, None);
        held.complete_with(m, STATUS_SUCCESS, 0);
        let irp = wait(m);
        m.run_ready();
        note(m, "it is cancelled");
        assert!(irp.cancel(m));
    })
    .unwrap();
    approve!("power_wait_wake", take_table(&mut m));
}

#[test]
fn a_driver_cannot_ask_for_what_only_the_system_does() {
    let mut m = powered();
    let target = bus_node(&m).pdo(&m).unwrap();
    let ask = |m: &mut Machine, minor, state| target.request_power_irp(m, minor, state, None, Context(0));
    let d0 = PowerState::Device(DevicePowerState::D0);
    let sequence = m.run(|m| ask(m, PowerMinor::PowerSequence, d0)).unwrap();
    assert_eq!(sequence.unwrap_err(), STATUS_INVALID_PARAMETER_2);
    let s3 = PowerState::System(SystemPowerState::Sleeping3);
    let stop = m.run(|m| ask(m, PowerMinor::SetPower, s3)).unwrap_err();
    assert!(matches!(stop, Stop::Undefined { ddi: "PoRequestPowerIrp", .. }), "{stop}");
}
