//! What comes of a callback that fails: the IRP's status, the node's state, and the callbacks that still come.

use vbus::wdf::FailedAction;
use vbus::wdm::constants::*;
use vbus::wdm::{NodeState, NtStatus, Rebalance};

use crate::bench::{Bench, Plan};

/// What is done to the started device.
type Act = fn(&mut Bench);

fn nothing(_: &mut Bench) {}

fn rebalance(bench: &mut Bench) {
    bench.machine.rebalance(&[bench.node], Rebalance::Done).unwrap();
}

fn remove(bench: &mut Bench) {
    // Who refuses says so by the state that is left.
    _ = bench.machine.remove_device(bench.node).unwrap();
}

fn give_up(bench: &mut Bench) {
    let device = bench.device();
    bench.machine.run(|m| device.set_failed(m, FailedAction::NoRestart)).unwrap();
}

fn sleep_and_wake(bench: &mut Bench) {
    bench.machine.sleep(vbus::wdm::SystemPowerState::Sleeping3).unwrap().unwrap();
    bench.machine.wake().unwrap();
}

const BUSY: NtStatus = STATUS_DEVICE_BUSY;

/// What fails, in which call, when what is done.
const CASES: &[(&str, usize, &str, Act)] = &[
    ("PrepareHardware", 1, "the device starts", nothing),
    ("D0Entry", 1, "the device starts", nothing),
    ("D0EntryPostInterruptsEnabled", 1, "the device starts", nothing),
    ("SelfManagedIoInit", 1, "the device starts", nothing),
    ("QueryStop", 1, "it is asked to stop", rebalance),
    ("SelfManagedIoSuspend", 1, "it stops", rebalance),
    ("D0Exit", 1, "it stops", rebalance),
    ("ReleaseHardware", 1, "it stops", rebalance),
    ("PrepareHardware", 2, "it starts again", rebalance),
    ("D0Entry", 2, "it starts again", rebalance),
    ("SelfManagedIoRestart", 1, "it starts again", rebalance),
    ("QueryRemove", 1, "it is asked to go", remove),
    ("SelfManagedIoSuspend", 1, "it goes", remove),
    ("D0Exit", 1, "it goes", remove),
    ("ReleaseHardware", 1, "it goes", remove),
    ("D0Exit", 1, "it is given up", give_up),
    ("D0Exit", 1, "the system falls asleep", sleep_and_wake),
    ("D0Entry", 2, "the system wakes", sleep_and_wake),
    ("SelfManagedIoRestart", 1, "the system wakes", sleep_and_wake),
];

#[test]
fn a_callback_that_fails_ends_in_these_states_after_these_callbacks() {
    let mut table = String::new();
    for &(callback, time, when, act) in CASES {
        let mut bench = Bench::new(Plan { fails: Some((callback, time, BUSY)), ..Plan::default() });
        act(&mut bench);
        let callbacks = bench.callbacks();
        let failing = format!("EvtDevice{callback}");
        let at = callbacks.iter().enumerate().filter(|(_, name)| name.split('(').next() == Some(&failing));
        let (at, _) = at.clone().nth(time - 1).unwrap();
        let state = match bench.node.state(&bench.machine) {
            Some(NodeState::Failed(status)) => format!("failed, {status}"),
            Some(state) => format!("{state:?}"),
            None => "gone".to_owned(),
        };
        table += &format!("{failing} fails when {when}: {state}\n");
        callbacks[at + 1..].iter().for_each(|callback| table += &format!("    {callback}\n"));
    }
    approve!("life_failing_callbacks", table);
}

#[test]
fn a_device_that_cannot_enter_d0_fails_its_start_with_a_status_of_the_frameworks_own() {
    let mut bench = Bench::new(Plan { fails: Some(("D0Entry", 1, BUSY)), ..Plan::default() });
    assert_eq!(bench.node.state(&bench.machine), Some(NodeState::Failed(STATUS_DEVICE_POWER_FAILURE)));
    let story = bench.story();
    approve!("life_failed_d0_entry", story[story.find("IRP_MN_START_DEVICE").unwrap()..]);
}

#[test]
fn hardware_that_could_not_be_prepared_is_released_all_the_same() {
    let mut bench = Bench::new(Plan { fails: Some(("PrepareHardware", 1, BUSY)), ..Plan::default() });
    assert_eq!(bench.node.state(&bench.machine), Some(NodeState::Failed(BUSY)));
    assert_eq!(bench.callbacks()[..2], ["EvtDevicePrepareHardware", "EvtDeviceReleaseHardware"]);
}
