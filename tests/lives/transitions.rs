//! What a device goes through when nothing fails.

use vbus::wdf::FailedAction;
use vbus::wdm::{NodeState, Rebalance};

use crate::bench::{Bench, Kind, Plan};

fn of(kind: Kind) -> Bench {
    Bench::new(Plan { kind, ..Plan::default() })
}

fn removed(mut bench: Bench) -> String {
    bench.story();
    bench.machine.remove_device(bench.node).unwrap().unwrap();
    bench.story()
}

#[test]
fn a_function_device_appears() {
    approve!("life_function_appears", of(Kind::Function).story());
}

#[test]
fn a_function_device_that_does_not_own_power_policy_appears() {
    approve!("life_not_policy_owner_appears", of(Kind::NotPolicyOwner).story());
}

#[test]
fn a_filter_appears() {
    approve!("life_filter_appears", of(Kind::Filter).story());
}

#[test]
fn a_function_device_is_removed() {
    approve!("life_function_removed", removed(of(Kind::Function)));
}

#[test]
fn a_filter_is_removed() {
    approve!("life_filter_removed", removed(of(Kind::Filter)));
}

#[test]
fn a_device_without_callbacks_goes_through_the_same_states() {
    let states = |deaf| {
        let mut bench = Bench::new(Plan { deaf, ..Plan::default() });
        bench.machine.remove_device(bench.node).unwrap().unwrap();
        let story = bench.story();
        let states = story.lines().filter(|line| line.starts_with("    ") && !line.contains("self-managed"));
        // Callbacks stand between states that share a line without them.
        states.flat_map(|line| line[21..].split(", ").map(str::to_owned).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    assert_eq!(states(true), states(false));
}

#[test]
fn a_device_is_stopped_for_a_rebalance_and_starts_again() {
    let mut bench = of(Kind::Function);
    bench.story();
    bench.machine.rebalance(&[bench.node], Rebalance::Done).unwrap();
    approve!("life_stopped_and_restarted", bench.story());
    assert_eq!(bench.node.state(&bench.machine), Some(NodeState::Started));
}

#[test]
fn a_device_is_disabled_and_enabled_again_as_a_new_one() {
    let mut bench = of(Kind::Function);
    let first = bench.device();
    bench.machine.disable_device(bench.node).unwrap().unwrap();
    bench.story();
    bench.machine.enable_device(bench.node).unwrap();
    assert_ne!(bench.device(), first);
    let from_its_start =
        |mut story: String| story.split_off(story.find("IRP_MN_FILTER_RESOURCE_REQUIREMENTS").unwrap());
    assert_eq!(from_its_start(bench.story()), from_its_start(of(Kind::Function).story()));
}

#[test]
fn a_device_that_its_driver_gives_up_goes_without_being_asked() {
    let mut bench = of(Kind::Function);
    bench.story();
    let device = bench.device();
    bench.machine.run(|m| device.set_failed(m, FailedAction::NoRestart)).unwrap();
    approve!("life_given_up", bench.story());
}
