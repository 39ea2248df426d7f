//! Deletion above PASSIVE_LEVEL: what goes at once, and what a work item does later.

mod common;

use common::workbench::{Workbench, at_dispatch, named, note, note_of};
use vbus::wdf::*;
use vbus::wdm::Machine;

/// Deletes an object at DISPATCH_LEVEL, and says when the level is back.
fn delete_there(m: &mut Machine, object: impl Handle) {
    at_dispatch(m, |m| object.delete(m));
    note(m, "back at PASSIVE_LEVEL");
}

fn timer(m: &mut Machine, driver: Driver, attributes: Attributes) -> Timer {
    Timer::config(|_, _| {}).create(m, driver, attributes).unwrap()
}

#[test]
fn a_plain_object_goes_at_once_at_the_level_of_its_deletion() {
    let mut bench = Workbench::new();
    bench.run(|m, driver, device| {
        let object = create_object(m, driver, named("object").parent(device)).unwrap();
        create_object(m, driver, named("child").parent(object)).unwrap();
        delete_there(m, object);
    });
    let at_dispatch = [
        "cleanup of child at DISPATCH_LEVEL",
        "cleanup of object at DISPATCH_LEVEL",
        "destroy of child at DISPATCH_LEVEL",
        "destroy of object at DISPATCH_LEVEL",
        "back at PASSIVE_LEVEL",
    ];
    assert_eq!(bench.notes(), at_dispatch);
}

#[test]
fn what_needs_passive_level_is_left_to_a_work_item_with_the_whole_tree_above_it() {
    let mut bench = Workbench::new();
    bench.run(|m, driver, device| {
        let object = create_object(m, driver, named("object").parent(device)).unwrap();
        create_object(m, driver, named("elder").parent(object)).unwrap();
        timer(m, driver, named("timer").parent(object));
        delete_there(m, object);
    });
    let later = [
        "back at PASSIVE_LEVEL",
        "cleanup of elder",
        "cleanup of timer",
        "cleanup of object",
        "destroy of elder",
        "destroy of timer",
        "destroy of object",
    ];
    assert_eq!(bench.notes(), later);
}

#[test]
fn a_grandchild_that_needs_passive_level_is_found_when_its_parents_turn_comes() {
    let mut bench = Workbench::new();
    bench.run(|m, driver, device| {
        let object = create_object(m, driver, named("object").parent(device)).unwrap();
        create_object(m, driver, named("elder").parent(object)).unwrap();
        let child = create_object(m, driver, named("child").parent(object)).unwrap();
        timer(m, driver, named("timer").parent(child));
        delete_there(m, object);
    });
    let notes = bench.notes();
    assert_eq!(notes[..2], ["cleanup of elder at DISPATCH_LEVEL", "back at PASSIVE_LEVEL"]);
    assert_eq!(
        notes[2..],
        [
            "cleanup of timer",
            "cleanup of child",
            "cleanup of object",
            "destroy of elder",
            "destroy of timer",
            "destroy of child",
            "destroy of object"
        ]
    );
}

#[test]
fn the_passive_execution_level_makes_any_object_wait() {
    let mut bench = Workbench::new();
    bench.run(|m, driver, device| {
        let attributes = named("object").parent(device).execution_level(ExecutionLevel::Passive);
        let object = create_object(m, driver, attributes).unwrap();
        delete_there(m, object);
    });
    assert_eq!(bench.notes(), ["back at PASSIVE_LEVEL", "cleanup of object", "destroy of object"]);
}

#[test]
fn the_last_reference_of_such_an_object_given_back_there_leaves_its_destruction_to_a_work_item() {
    let mut bench = Workbench::new();
    bench.run(|m, driver, device| {
        let timer = timer(m, driver, named("timer").parent(device));
        timer.reference(m);
        timer.delete(m);
        at_dispatch(m, |m| timer.dereference(m));
        note(m, "back at PASSIVE_LEVEL");
    });
    assert_eq!(bench.notes(), ["cleanup of timer", "back at PASSIVE_LEVEL", "destroy of timer"]);
}

#[test]
fn a_device_that_goes_waits_for_what_was_left_to_its_work_item() {
    let mut bench = Workbench::new();
    bench.run(|m, driver, device| {
        let timer = timer(m, driver, named("timer").parent(device));
        at_dispatch(m, |m| timer.delete(m));
        assert!(timer.object().exists(m));
        common::workbench::remove_device(m, device);
        note(m, "the device is gone");
    });
    assert_eq!(bench.notes(), ["cleanup of timer", "destroy of timer", "the device is gone"]);
}

#[test]
fn a_request_completed_there_cannot_wait_for_a_child_that_needs_passive_level() {
    let mut bench = Workbench::with(common::workbench::Wanted {
        verifier: true,
        build: Some(|m, init, attributes| {
            let device = init.create(m, attributes)?;
            let config = Queue::config(Dispatch::Parallel).power_managed(false).on_default(|m, queue, request| {
                let driver = queue.driver(m);
                let object = create_object(m, driver, named("object").parent(request)).unwrap();
                timer(m, driver, named("timer").parent(object));
                note_of(m, object, "made");
                request.complete(m, vbus::wdm::constants::STATUS_SUCCESS);
            });
            config.create_default(m, device)?;
            Ok(device)
        }),
        ..Default::default()
    });
    let before = bench.driver.log_sequence(&bench.machine);
    let ended = bench.try_run(|m, _, device| at_dispatch(m, |m| common::workbench::send(m, device)));
    let log = bench.log_after(before);
    assert!(log.contains("deferred the dispose operation. Usually this indicates that some child object"), "{log}");
    assert!(ended.unwrap_err().to_string().contains("a handle is not used after its object is gone"));
    assert_eq!(bench.breaks(), 1);
}
