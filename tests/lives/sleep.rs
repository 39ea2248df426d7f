//! The system sleeps and wakes.

use vbus::wdm::SystemPowerState;

use crate::bench::{Bench, Kind, Plan};

fn asleep_and_awake(kind: Kind) -> String {
    let mut bench = Bench::new(Plan { kind, ..Plan::default() });
    bench.story();
    bench.machine.sleep(SystemPowerState::Sleeping3).unwrap().unwrap();
    bench.machine.wake().unwrap();
    bench.story()
}

#[test]
fn the_owner_of_power_policy_sends_the_device_power_irps() {
    approve!("life_sleep_and_wake", asleep_and_awake(Kind::Function));
}

#[test]
fn a_filter_only_lets_system_power_irps_pass() {
    approve!("life_filter_sleep_and_wake", asleep_and_awake(Kind::Filter));
}

#[test]
fn every_sleeping_state_is_the_same_for_a_device() {
    let story = |state| {
        let mut bench = Bench::new(Plan::default());
        bench.story();
        bench.machine.sleep(state).unwrap().unwrap();
        bench.machine.wake().unwrap();
        bench.callbacks()
    };
    let deepest = story(SystemPowerState::Hibernate);
    assert!(deepest.contains(&"EvtDeviceD0Exit(D3)".to_owned()), "{deepest:?}");
    assert_eq!(story(SystemPowerState::Sleeping1), deepest);
    assert_eq!(story(SystemPowerState::Sleeping2), deepest);
}
