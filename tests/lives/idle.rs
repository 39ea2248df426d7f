//! A device that powers down in a working system, because nobody uses it.

use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Machine, NtStatus, Ticks};

use crate::bench::{Bench, Plan, note};

const IDLE_AFTER_MS: u32 = 100;

const SECOND: Ticks = Ticks::from_millis(1000);

fn idle_capable(m: &mut Machine, device: Device) -> Result<(), NtStatus> {
    let settings = IdleSettings { timeout_ms: IDLE_AFTER_MS, ..IdleSettings::default() };
    device.assign_s0_idle_settings(m, settings)?;
    let at_once = |m: &mut Machine, _: Queue, request: Request| {
        note(m, "EvtIoDefault");
        request.complete(m, STATUS_SUCCESS);
    };
    Queue::config(Dispatch::Sequential).on_default(at_once).create_default(m, device).map(|_| ())
}

/// A device that went idle.
fn idle() -> (Bench, String) {
    let mut bench = Bench::new(Plan { build: Some(idle_capable), ..Plan::default() });
    bench.story();
    bench.machine.advance(SECOND).unwrap();
    let story = bench.story();
    (bench, story)
}

#[test]
fn a_device_that_nobody_uses_powers_down_when_its_time_is_out() {
    approve!("idle_powers_down", idle().1);
}

#[test]
fn a_request_wakes_the_device_and_is_presented_when_it_is_up() {
    let (mut bench, _) = idle();
    let irp = bench.send();
    assert_eq!(bench.machine[irp].io_status.status, STATUS_SUCCESS);
    approve!("idle_request_wakes", bench.story());
}

#[test]
fn a_driver_that_stops_idle_keeps_its_device_up() {
    let mut bench = Bench::new(Plan { build: Some(idle_capable), ..Plan::default() });
    let device = bench.device();
    assert_eq!(bench.machine.run(|m| device.stop_idle(m, true)).unwrap(), STATUS_SUCCESS);
    bench.story();
    bench.machine.advance(SECOND).unwrap();
    assert_eq!(bench.callbacks(), [""; 0]);
    bench.machine.run(|m| device.resume_idle(m)).unwrap();
    bench.machine.advance(SECOND).unwrap();
    assert!(bench.callbacks().contains(&"EvtDeviceD0Exit(D3)".to_owned()));
}

#[test]
fn a_query_remove_wakes_the_device_first() {
    let (mut bench, _) = idle();
    bench.machine.remove_device(bench.node).unwrap().unwrap();
    let callbacks = bench.callbacks();
    assert_eq!(callbacks[..2], ["EvtDeviceQueryRemove", "EvtDeviceD0Entry(D3)"]);
}
