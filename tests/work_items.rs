//! WDFWORKITEM and WDFDPC: when they run, at which level, and how they end.

mod common;

use common::workbench::{Workbench, at_dispatch, named, note, note_of, remove_device};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Machine, Stop};

fn works(m: &mut Machine, work_item: WorkItem) {
    note_of(m, work_item.object(), "callback of");
}

fn runs(m: &mut Machine, dpc: Dpc) {
    note_of(m, dpc.object(), "callback of");
}

fn work_item(bench: &mut Workbench, callback: fn(&mut Machine, WorkItem)) -> WorkItem {
    bench.run(|m, driver, device| {
        WorkItem::config(callback).create(m, driver, named("work item").parent(device)).unwrap()
    })
}

fn dpc(bench: &mut Workbench, callback: fn(&mut Machine, Dpc)) -> Dpc {
    bench.run(|m, driver, device| Dpc::config(callback).create(m, driver, named("dpc").parent(device)).unwrap())
}

#[test]
fn a_work_item_runs_when_the_current_code_is_done_and_once_however_often_it_was_enqueued() {
    let mut bench = Workbench::new();
    let work_item = work_item(&mut bench, works);
    let log = bench.log_of(|m, _, _| {
        work_item.enqueue(m);
        work_item.enqueue(m);
        note(m, "enqueued");
    });
    assert_eq!(bench.notes(), ["enqueued", "callback of work item"]);
    assert!(log.ends_with("is already pending. Ignoring the request to queue again\n"), "{log}");
}

#[test]
fn a_flush_waits_for_the_work_item_and_for_what_it_enqueues_again() {
    let mut bench = Workbench::new();
    let work_item = work_item(&mut bench, |m, work_item| {
        works(m, work_item);
        let again = m.extension_mut::<Again>();
        if std::mem::replace(&mut again.0, false) {
            work_item.enqueue(m);
        }
    });
    struct Again(bool);
    bench.machine.add_extension(Again(true));
    bench.run(|m, _, _| {
        work_item.enqueue(m);
        work_item.flush(m);
        note(m, "flushed");
    });
    assert_eq!(bench.notes(), ["callback of work item", "callback of work item", "flushed"]);
}

#[test]
fn a_flush_needs_passive_level_and_only_the_verifier_looks() {
    fn flush(bench: &mut Workbench) -> Result<(), Stop> {
        let work_item = work_item(bench, works);
        bench.try_run(|m, _, _| {
            work_item.enqueue(m);
            at_dispatch(m, |m| {
                work_item.flush(m);
                note(m, "flushed");
            });
        })
    }
    let mut verified = Workbench::verified();
    flush(&mut verified).unwrap();
    assert_eq!(
        (verified.notes(), verified.breaks()),
        (vec!["flushed at DISPATCH_LEVEL".to_owned(), "callback of work item".to_owned()], 1)
    );
    let waits = flush(&mut Workbench::new()).unwrap_err();
    assert!(matches!(waits, Stop::Undefined { ddi: "KeWaitForSingleObject", .. }), "{waits}");
}

#[test]
fn a_work_item_that_is_enqueued_runs_before_its_deletion_goes_on() {
    let deleted: [fn(&mut Workbench, WorkItem); 3] = [
        |bench, work_item| {
            bench.run(|m, _, _| {
                work_item.enqueue(m);
                work_item.delete(m);
            });
        },
        |bench, work_item| {
            bench.run(|m, _, _| {
                at_dispatch(m, |m| {
                    work_item.enqueue(m);
                    work_item.delete(m);
                });
            });
        },
        |bench, work_item| {
            bench.run(|m, _, device| {
                work_item.enqueue(m);
                remove_device(m, device);
            });
        },
    ];
    for delete in deleted {
        let mut bench = Workbench::new();
        let work_item = work_item(&mut bench, works);
        delete(&mut bench, work_item);
        assert_eq!(bench.notes(), ["callback of work item", "cleanup of work item", "destroy of work item"]);
    }
}

#[test]
fn a_work_item_may_delete_itself_in_its_callback() {
    let mut bench = Workbench::new();
    let work_item = work_item(&mut bench, |m, work_item| {
        work_item.delete(m);
        note(m, "end of the callback");
    });
    bench.run(|m, _, _| work_item.enqueue(m));
    let mut notes = bench.notes();
    notes.sort();
    assert_eq!(notes, ["cleanup of work item", "destroy of work item", "end of the callback"]);
    assert!(!work_item.object().exists(&bench.machine));
}

#[test]
fn a_dpc_runs_at_dispatch_level_as_soon_as_the_level_allows() {
    let mut bench = Workbench::new();
    let dpc = dpc(&mut bench, runs);
    bench.run(|m, _, _| {
        assert!(dpc.enqueue(m));
        note(m, "enqueued");
        at_dispatch(m, |m| {
            assert!(dpc.enqueue(m));
            assert!(!dpc.enqueue(m), "it is in the queue");
            note(m, "enqueued");
        });
    });
    let order = [
        "callback of dpc at DISPATCH_LEVEL",
        "enqueued",
        "enqueued at DISPATCH_LEVEL",
        "callback of dpc at DISPATCH_LEVEL",
    ];
    assert_eq!(bench.notes(), order);
}

#[test]
fn a_dpc_can_be_taken_back_while_it_is_in_the_queue() {
    let mut bench = Workbench::new();
    let dpc = dpc(&mut bench, runs);
    bench.run(|m, _, _| {
        at_dispatch(m, |m| {
            dpc.enqueue(m);
            assert!(dpc.cancel(m, false));
        });
        assert!(!dpc.cancel(m, false));
    });
    assert!(bench.notes().is_empty());
}

#[test]
fn a_dpc_that_is_deleted_at_dispatch_level_runs_before_its_cleanup() {
    let mut bench = Workbench::new();
    let dpc = dpc(&mut bench, runs);
    bench.run(|m, _, _| {
        at_dispatch(m, |m| {
            dpc.enqueue(m);
            dpc.delete(m);
        });
    });
    assert_eq!(bench.notes(), ["callback of dpc at DISPATCH_LEVEL", "cleanup of dpc", "destroy of dpc"]);
}

#[test]
fn work_items_and_dpcs_take_no_execution_level_of_their_own() {
    let mut bench = Workbench::new();
    let log = bench.log_of(|m, driver, device| {
        for level in [ExecutionLevel::Passive, ExecutionLevel::Dispatch] {
            let attributes = || Attributes::none().parent(device).execution_level(level);
            let refused = STATUS_WDF_EXECUTION_LEVEL_INVALID;
            assert_eq!(WorkItem::config(works).create(m, driver, attributes()), Err(refused));
            assert_eq!(Dpc::config(runs).create(m, driver, attributes()), Err(refused));
        }
    });
    assert!(log.contains("does not allow execution level to be set, but was set to WdfExecutionLevelPassive"), "{log}");
}

#[test]
fn the_parent_is_known_as_long_as_the_object_is_not_disposed_of() {
    let mut bench = Workbench::new();
    let (work_item, dpc) = (work_item(&mut bench, works), dpc(&mut bench, runs));
    bench.run(|m, _, device| {
        assert_eq!(work_item.parent(m), Some(device.object()));
        assert_eq!(dpc.parent(m), Some(device.object()));
        dpc.reference(m);
        dpc.delete(m);
        assert_eq!(dpc.parent(m), None);
        dpc.dereference(m);
    });
}
