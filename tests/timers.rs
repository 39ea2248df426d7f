//! WDFTIMER: when it fires, at which level, and how it ends.

mod common;

use common::workbench::{Workbench, at_dispatch, named, note, note_of};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Irql, Machine, Stop, Ticks};

const MS_50: Ticks = Ticks::from_millis(50);
const MS_200: Ticks = Ticks::from_millis(200);

fn fired(m: &mut Machine, timer: Timer) {
    note_of(m, timer.object(), "callback of");
}

fn timer(bench: &mut Workbench, config: TimerConfig, attributes: Attributes) -> Timer {
    bench.run(|m, driver, device| config.create(m, driver, attributes.parent(device)).unwrap())
}

fn pass(bench: &mut Workbench, span: Ticks) {
    bench.machine.advance(span).unwrap();
}

#[test]
fn a_timer_fires_once_for_each_start_and_starting_it_again_only_moves_it() {
    let mut bench = Workbench::new();
    let timer = timer(&mut bench, Timer::config(fired), named("timer"));
    assert!(!bench.run(|m, _, _| timer.start(m, MS_50)), "it was not set");
    pass(&mut bench, Ticks::from_millis(40));
    assert!(bench.run(|m, _, _| timer.start(m, MS_50)), "it was set");
    pass(&mut bench, Ticks::from_millis(49));
    assert!(bench.notes().is_empty(), "89 ms after the first start");
    pass(&mut bench, Ticks::from_millis(1));
    assert_eq!(bench.notes(), ["callback of timer at DISPATCH_LEVEL"]);
    pass(&mut bench, MS_200);
    assert!(bench.notes().is_empty());
}

#[test]
fn a_stop_says_whether_the_timer_was_still_to_fire() {
    for wait in [false, true] {
        let mut bench = Workbench::new();
        let timer = timer(&mut bench, Timer::config(fired), named("timer"));
        assert!(!bench.run(|m, _, _| timer.stop(m, wait)));
        bench.run(|m, _, _| timer.start(m, MS_50));
        assert!(bench.run(|m, _, _| timer.stop(m, wait)));
        pass(&mut bench, MS_200);
        assert!(bench.notes().is_empty());
    }
}

#[test]
fn a_periodic_timer_goes_on_until_it_is_stopped() {
    let mut bench = Workbench::new();
    let timer = timer(&mut bench, Timer::config(fired).periodic(20), named("timer"));
    bench.run(|m, _, _| timer.start(m, MS_50));
    pass(&mut bench, Ticks::from_millis(100));
    assert_eq!(bench.notes().len(), 3, "after 50, 70 and 90 ms");
    assert!(bench.run(|m, _, _| timer.stop(m, true)), "it is always in the system's queue");
    pass(&mut bench, MS_200);
    assert!(bench.notes().is_empty());
}

#[test]
fn a_passive_timer_calls_its_driver_at_passive_level_and_cannot_be_periodic() {
    let mut bench = Workbench::new();
    let passive = || named("timer").execution_level(ExecutionLevel::Passive);
    let timer = timer(&mut bench, Timer::config(fired), passive());
    bench.run(|m, _, _| timer.start(m, MS_50));
    pass(&mut bench, MS_50);
    assert_eq!(bench.notes(), ["callback of timer"]);
    let log = bench.log_of(|m, driver, device| {
        let periodic = Timer::config(fired).periodic(20).create(m, driver, passive().parent(device));
        assert_eq!(periodic, Err(STATUS_NOT_SUPPORTED));
    });
    assert!(log.starts_with("Passive level periodic timer is not supported. Use one shot timer"), "{log}");
}

#[test]
fn a_timer_that_is_deleted_or_loses_its_device_does_not_fire_any_more() {
    let deleted: [fn(&mut Workbench, Timer); 2] =
        [|bench, timer| bench.run(|m, _, _| timer.delete(m)), |bench, _| bench.remove_device()];
    for delete in deleted {
        for config in [Timer::config(fired), Timer::config(fired).periodic(20)] {
            let mut bench = Workbench::new();
            let timer = timer(&mut bench, config, named("timer"));
            bench.run(|m, _, _| timer.start(m, MS_50));
            delete(&mut bench, timer);
            assert_eq!(bench.notes(), ["cleanup of timer", "destroy of timer"]);
            pass(&mut bench, MS_200);
            assert!(bench.notes().is_empty());
        }
    }
}

#[test]
fn a_timer_that_is_started_in_its_cleanup_does_not_start() {
    let mut bench = Workbench::verified();
    let attributes = Attributes::none().context(()).on_cleanup(|m, object| {
        let driver = object.driver(m);
        let started = Timer::from_handle(m, driver, object).start(m, MS_50);
        note(m, format!("was set: {started}"));
    });
    let timer = timer(&mut bench, Timer::config(|m, _| note(m, "fired")), attributes);
    let log = bench.log_of(|m, _, _| timer.delete(m));
    assert!(log.contains("is running down will lead to a crash"), "{log}");
    assert_eq!(bench.breaks(), 1);
    pass(&mut bench, MS_50);
    assert_eq!(bench.notes(), ["was set: false"]);
}

#[test]
fn a_timer_may_delete_itself_in_its_callback_which_ends_first() {
    let mut bench = Workbench::new();
    let config = Timer::config(|m, timer| {
        timer.delete(m);
        note_of(m, timer.object(), "end of the callback of");
    });
    let timer = timer(&mut bench, config, named("timer"));
    bench.run(|m, _, _| timer.start(m, MS_50));
    pass(&mut bench, MS_50);
    let order = ["end of the callback of timer at DISPATCH_LEVEL", "cleanup of timer", "destroy of timer"];
    assert_eq!(bench.notes(), order, "it is disposed of at PASSIVE_LEVEL only");
}

#[test]
fn a_passive_timer_that_deletes_itself_waits_for_its_own_callback_forever() {
    let mut bench = Workbench::verified();
    let attributes = named("timer").execution_level(ExecutionLevel::Passive);
    let timer = timer(&mut bench, Timer::config(|m, timer| timer.delete(m)), attributes);
    bench.run(|m, _, _| timer.start(m, MS_50));
    let before = bench.driver.log_sequence(&bench.machine);
    let stop = bench.machine.advance(MS_50).unwrap_err();
    assert!(matches!(stop, Stop::Hang { .. }), "{stop}");
    let log = bench.log_after(before);
    assert!(log.contains("from with in the callback will lead to deadlock"), "{log}");
    assert_eq!(bench.breaks(), 2, "for the deletion and for the stop that it begins with");
}

#[test]
fn waiting_for_a_timer_in_its_callback_is_refused_and_said() {
    let mut bench = Workbench::new();
    let config = Timer::config(|m, timer| {
        let stopped = timer.stop(m, true);
        note(m, format!("stopped: {stopped}"));
    });
    let timer = timer(&mut bench, config, named("timer"));
    bench.run(|m, _, _| timer.start(m, MS_50));
    let before = bench.driver.log_sequence(&bench.machine);
    pass(&mut bench, MS_50);
    assert_eq!(bench.notes(), ["stopped: false at DISPATCH_LEVEL"]);
    assert!(bench.log_after(before).starts_with("Calling WdfTimerStop from within the WDFTIMER"));
}

#[test]
fn waiting_for_a_timer_needs_passive_level_and_only_the_verifier_looks() {
    for (verified, stopped) in [(false, true), (true, false)] {
        let mut bench = if verified { Workbench::verified() } else { Workbench::new() };
        let timer = timer(&mut bench, Timer::config(fired), named("timer"));
        let stop = |m: &mut Machine| at_dispatch(m, |m| timer.stop(m, true));
        assert_eq!(
            bench.run(|m, _, _| {
                timer.start(m, MS_50);
                stop(m)
            }),
            stopped
        );
        assert_eq!(bench.breaks(), usize::from(verified));
        pass(&mut bench, MS_50);
        assert_eq!(bench.notes().len(), usize::from(verified), "it was not stopped");
    }
}

#[test]
fn a_timer_needs_a_parent_with_a_device_above() {
    let mut bench = Workbench::new();
    let log = bench.log_of(|m, driver, device| {
        let config = Timer::config(fired);
        assert_eq!(config.create(m, driver, Attributes::none()), Err(STATUS_WDF_PARENT_NOT_SPECIFIED));
        assert_eq!(config.create(m, driver, Attributes::none().parent(driver)), Err(STATUS_INVALID_DEVICE_REQUEST));
        let object = create_object(m, driver, Attributes::none().parent(device)).unwrap();
        let timer = config.create(m, driver, Attributes::none().parent(object)).unwrap();
        assert_eq!(timer.parent(m), Some(object), "any object below a device will do");
    });
    let lines: Vec<&str> = log.lines().collect();
    assert!(lines[0].starts_with("ParentObject required in WDF_OBJECT_ATTRIBUTES"), "{log}");
    assert!(lines[1].ends_with("does not have a WDFDEVICE as an ancestor"), "{log}");
}

#[test]
fn a_high_resolution_excludes_a_tolerable_delay_and_a_period_fits_a_long() {
    let mut bench = Workbench::new();
    bench.run(|m, driver, device| {
        for config in
            [Timer::config(fired).high_resolution().tolerable_delay(1), Timer::config(fired).periodic(1 << 31)]
        {
            let created = config.create(m, driver, Attributes::none().parent(device));
            assert_eq!(created, Err(STATUS_INVALID_PARAMETER));
        }
        assert_eq!(m.irql(), Irql::Passive);
    });
}
