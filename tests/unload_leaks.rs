//! Unloading a driver: what goes with it, and what the verifier finds left over.

mod common;

use common::workbench::{Wanted, Workbench, at_dispatch, named, note};
use vbus::wdf::*;
use vbus::wdm::Machine;

/// A driver that lost its device, made what `make` makes, and was unloaded; and what that left in its log.
fn unloaded<R>(verifier: bool, make: impl FnOnce(&mut Machine, Driver) -> R) -> (Workbench, R, String) {
    let mut bench = Workbench::with(Wanted { verifier, ..Wanted::default() });
    bench.remove_device();
    let (made, before) = bench.run(|m, driver, _| {
        let made = make(m, driver);
        let before = driver.log_sequence(m);
        driver.unload(m);
        (made, before)
    });
    let lines = bench.driver.log_after(&bench.machine, before);
    let log = lines.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    (bench, made, log)
}

fn referenced(m: &mut Machine, driver: Driver) -> Object {
    let object = create_object(m, driver, named("object")).unwrap();
    object.reference(m);
    object
}

#[test]
fn what_the_driver_did_not_delete_goes_with_it_after_its_callback() {
    let (mut bench, (), log) = unloaded(true, |m, driver| {
        let object = create_object(m, driver, named("object")).unwrap();
        create_object(m, driver, named("child").parent(object)).unwrap();
        SpinLock::create(m, driver, Attributes::none()).unwrap();
    });
    let order = ["EvtDriverUnload", "cleanup of child", "cleanup of object", "destroy of child", "destroy of object"];
    assert_eq!(bench.notes(), order);
    assert!(log.contains("NonPagedBytes 0, PagedBytes 0, NonPagedAllocations 0, PagedAllocations 0"), "{log}");
    assert!(!log.contains("leaked"), "{log}");
    assert_eq!(bench.breaks(), 0);
    assert!(!bench.driver.object().exists(&bench.machine));
}

#[test]
fn an_object_with_a_reference_is_cleaned_up_at_unload_and_destroyed_when_the_reference_goes() {
    let (mut bench, held, _) = unloaded(false, referenced);
    assert_eq!(bench.notes(), ["EvtDriverUnload", "cleanup of object"]);
    bench.run(|m, _, _| held.dereference(m));
    assert_eq!(bench.notes(), ["destroy of object"]);
}

#[test]
fn the_verifier_reports_every_allocation_of_what_is_left_and_breaks() {
    let (bench, _, log) = unloaded(true, referenced);
    assert_eq!(bench.breaks(), 1);
    approve!("log_of_a_leaking_unload", log);
}

#[test]
fn without_the_verifier_nobody_counts() {
    let (bench, _, log) = unloaded(false, referenced);
    assert!(!log.contains("FxPoolDump"), "{log}");
    assert_eq!(bench.breaks(), 0);
}

#[test]
fn an_unload_waits_for_what_was_left_to_a_work_item_of_the_driver() {
    let (mut bench, (), _) = unloaded(false, |m, driver| {
        let string = WdfString::create(m, driver, None, named("string")).unwrap();
        at_dispatch(m, |m| string.delete(m));
        note(m, "left to a work item");
    });
    let order = ["left to a work item", "EvtDriverUnload", "cleanup of string", "destroy of string"];
    assert_eq!(bench.notes()[..4], order);
}
