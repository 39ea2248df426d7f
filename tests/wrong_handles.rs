//! What becomes of a call with a handle that is not what it should be.

mod common;

use common::workbench::{Workbench, named, violation};
use vbus::iotarget::IoTarget;
use vbus::wdf::*;
use vbus::wdm::{Machine, Stop};

/// A call that a driver makes with a handle that it has from somewhere.
type Call = fn(&mut Machine, Driver, Object);

/// Calls for handles of one type, and that type.
const TYPED: &[(HandleType, Call)] = &[
    (HandleType::SpinLock, |m, driver, handle| SpinLock::from_handle(m, driver, handle).acquire(m)),
    (HandleType::WaitLock, |m, driver, handle| WaitLock::from_handle(m, driver, handle).release(m)),
    (HandleType::WorkItem, |m, driver, handle| WorkItem::from_handle(m, driver, handle).enqueue(m)),
    (HandleType::Timer, |m, driver, handle| _ = Timer::from_handle(m, driver, handle).stop(m, false)),
    (HandleType::Dpc, |m, driver, handle| _ = Dpc::from_handle(m, driver, handle).enqueue(m)),
    (HandleType::Collection, |m, driver, handle| _ = Collection::from_handle(m, driver, handle).count(m)),
    (HandleType::String, |m, driver, handle| _ = WdfString::from_handle(m, driver, handle).text(m).is_some()),
    (HandleType::Memory, |m, driver, handle| _ = Memory::from_handle(m, driver, handle).span(m)),
    (HandleType::Request, |m, driver, handle| _ = Request::from_handle(m, driver, handle).status(m)),
    (HandleType::Queue, |m, driver, handle| Queue::from_handle(m, driver, handle).start(m)),
    (HandleType::Driver, |m, driver, handle| _ = Driver::from_handle(m, driver, handle).registry_path(m)),
    (HandleType::Device, |m, driver, handle| _ = Device::from_handle(m, driver, handle).kind(m)),
    (HandleType::DeviceBase, |m, driver, handle| _ = IoTarget::of_handle(m, driver, handle)),
    (HandleType::IoTarget, |m, driver, handle| _ = IoTarget::from_handle(m, driver, handle).start(m)),
    (HandleType::ChildList, |m, driver, handle| _ = ChildList::from_handle(m, driver, handle)),
    (HandleType::Lookaside, |m, driver, handle| _ = Lookaside::from_handle(m, driver, handle).create_memory(m)),
];

/// What such a call ends with.
fn ends(bench: &mut Workbench, call: Call, handle: Object) -> Stop {
    bench.try_run(|m, driver, _| call(m, driver, handle)).unwrap_err()
}

fn plain_object(bench: &mut Workbench) -> Object {
    bench.run(|m, driver, _| create_object(m, driver, Attributes::none()).unwrap())
}

#[test]
fn an_object_of_another_type_is_wdf_violation_5_with_the_handle_and_the_type_and_a_line() {
    for &(wanted, call) in TYPED {
        let mut bench = Workbench::new();
        let object = plain_object(&mut bench);
        let stop = ends(&mut bench, call, object);
        assert_eq!(violation(stop.clone()), [5, object.handle(), wanted as u64]);
        let Stop::BugCheck(check) = stop else { unreachable!("it is a violation") };
        let line = check.log.last().unwrap();
        assert!(line.contains(&format!("Type {:#x}, Obj", wanted as u16)), "{line}");
        assert!(line.ends_with("SB 0x100c"), "a WDFOBJECT by its own number: {line}");
    }
}

#[test]
fn null_is_wdf_violation_5_without_a_line() {
    for &(wanted, call) in TYPED {
        let stop = ends(&mut Workbench::new(), call, Object::null());
        assert_eq!(violation(stop.clone()), [5, 0, wanted as u64]);
        let Stop::BugCheck(check) = stop else { unreachable!("it is a violation") };
        assert!(!check.log.iter().any(|line| line.contains("Mismatch")), "{:?}", check.log);
    }
}

#[test]
fn a_number_that_no_call_gave_is_undefined() {
    for &(_, call) in TYPED {
        let stop = ends(&mut Workbench::new(), call, Object::wild(0x1000));
        assert!(matches!(stop, Stop::Undefined { .. }), "{stop}");
    }
}

#[test]
fn an_object_that_is_gone_is_still_told_by_its_type_until_its_memory_is_taken_or_the_verifier_wiped_it() {
    for &(wanted, call) in TYPED {
        let mut bench = Workbench::new();
        let object = plain_object(&mut bench);
        bench.run(|m, _, _| object.delete(m));
        let stop = ends(&mut bench, call, object);
        assert_eq!(violation(stop), [5, object.handle(), wanted as u64]);

        let mut bench = Workbench::new();
        let object = plain_object(&mut bench);
        bench.run(|m, _, _| object.delete(m));
        let taken = plain_object(&mut bench);
        assert_eq!(taken.address(), object.address());
        let stop = ends(&mut bench, call, object);
        assert!(matches!(stop, Stop::Undefined { .. }), "{stop}");

        let mut bench = Workbench::verified();
        let object = plain_object(&mut bench);
        bench.run(|m, _, _| object.delete(m));
        let stop = ends(&mut bench, call, object);
        assert!(matches!(stop, Stop::Undefined { .. }), "{stop}");
    }
}

#[test]
fn a_handle_of_the_right_type_goes_through_whatever_it_was_before() {
    let mut bench = Workbench::new();
    bench.run(|m, driver, device| {
        let lock = SpinLock::create(m, driver, Attributes::none()).unwrap();
        assert_eq!(SpinLock::from_handle(m, driver, lock.object()), lock);
        assert_eq!(Device::from_handle(m, driver, device.object()), device);
        assert_eq!(Driver::from_handle(m, driver, driver.object()), driver);
        let path = driver.registry_path(m);
        assert_eq!(path, "\\Registry\\Machine\\System\\CurrentControlSet\\Services\\bench");
    });
}

#[test]
fn calls_for_any_object_take_any_type_and_mind_null() {
    let calls: [(Call, u64); 4] = [
        (|m, _, handle| handle.delete(m), 5),
        (|m, _, handle| handle.reference(m), 4),
        (|m, _, handle| handle.dereference(m), 4),
        (|m, _, handle| _ = handle.find_context::<u8>(m), 4),
    ];
    for (call, subcode) in calls {
        let stop = ends(&mut Workbench::new(), call, Object::null());
        assert_eq!(violation(stop)[0], subcode);
        let stop = ends(&mut Workbench::new(), call, Object::wild(0x1000));
        assert!(matches!(stop, Stop::Undefined { .. }), "{stop}");
    }
}

#[test]
fn a_deletion_of_what_is_gone_changes_nothing_where_nobody_wiped_it() {
    let mut bench = Workbench::new();
    bench.run(|m, driver, _| {
        let object = create_object(m, driver, named("object")).unwrap();
        object.delete(m);
        object.delete(m);
    });
    assert_eq!(bench.notes(), ["cleanup of object", "destroy of object"]);
    let mut bench = Workbench::verified();
    let object = plain_object(&mut bench);
    bench.run(|m, _, _| object.delete(m));
    assert!(matches!(ends(&mut bench, |m, _, handle| handle.delete(m), object), Stop::Undefined { .. }));
}

#[test]
fn a_second_deletion_while_somebody_holds_a_reference_does_nothing() {
    let mut bench = Workbench::verified();
    bench.run(|m, driver, _| {
        let object = create_object(m, driver, named("object")).unwrap();
        object.reference(m);
        object.delete(m);
        object.delete(m);
        object.dereference(m);
    });
    assert_eq!(bench.notes(), ["cleanup of object", "destroy of object"]);
    assert_eq!(bench.breaks(), 0);
}
