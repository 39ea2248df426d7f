//! Spin locks, wait locks, and the presentation lock that WdfObjectAcquireLock lends.

mod common;

use common::workbench::{Wanted, Workbench, at_dispatch, send, violation};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Irql, Machine, NtStatus, Stop, Ticks};

const MS_10: Ticks = Ticks::from_millis(10);

/// A way to take a wait lock.
type Acquire = fn(&mut Machine, WaitLock) -> Result<(), NtStatus>;

fn spin_lock(bench: &mut Workbench) -> SpinLock {
    bench.run(|m, driver, _| SpinLock::create(m, driver, Attributes::none()).unwrap())
}

fn wait_lock(bench: &mut Workbench) -> WaitLock {
    bench.run(|m, driver, _| WaitLock::create(m, driver, Attributes::none()).unwrap())
}

#[test]
fn a_spin_lock_raises_to_dispatch_level_and_its_release_goes_back_to_where_it_was_taken() {
    let mut bench = Workbench::new();
    let (first, second) = (spin_lock(&mut bench), spin_lock(&mut bench));
    bench.run(|m, _, _| {
        first.acquire(m);
        second.acquire(m);
        second.release(m);
        assert_eq!(m.irql(), Irql::Dispatch);
        first.release(m);
        assert_eq!(m.irql(), Irql::Passive);
    });
}

#[test]
fn spin_locks_released_in_the_order_in_which_they_were_taken_leave_the_level_wrong() {
    let mut bench = Workbench::new();
    let (first, second) = (spin_lock(&mut bench), spin_lock(&mut bench));
    bench.run(|m, _, _| {
        first.acquire(m);
        second.acquire(m);
        first.release(m);
        assert_eq!(m.irql(), Irql::Passive, "while the second is held");
        second.release(m);
        assert_eq!(m.irql(), Irql::Dispatch, "where the second was taken");
        m.set_irql(Irql::Passive);
    });
}

#[test]
fn a_lock_that_its_holder_takes_again_hangs() {
    let twice: [fn(&mut Machine, Driver); 2] = [
        |m, driver| {
            let lock = SpinLock::create(m, driver, Attributes::none()).unwrap();
            lock.acquire(m);
            lock.acquire(m);
        },
        |m, driver| {
            let lock = WaitLock::create(m, driver, Attributes::none()).unwrap();
            lock.acquire(m).unwrap();
            _ = lock.acquire(m);
        },
    ];
    for code in twice {
        let stop = Workbench::new().try_run(|m, driver, _| code(m, driver)).unwrap_err();
        assert!(matches!(stop, Stop::Hang { .. }), "{stop}");
    }
}

#[test]
fn releasing_a_spin_lock_that_nobody_holds_is_wdf_violation_11_under_the_verifier() {
    let mut bench = Workbench::new();
    let lock = spin_lock(&mut bench);
    bench.run(|m, _, _| lock.release(m));
    let mut bench = Workbench::verified();
    let lock = spin_lock(&mut bench);
    let stop = bench.try_run(|m, _, _| lock.release(m)).unwrap_err();
    assert_eq!(violation(stop), [0xB, lock.object().handle(), 1]);
}

#[test]
fn releasing_a_wait_lock_that_nobody_holds_goes_unnoticed() {
    let mut bench = Workbench::verified();
    let lock = wait_lock(&mut bench);
    assert!(bench.log_of(|m, _, _| lock.release(m)).is_empty());
    assert_eq!(bench.breaks(), 0);
}

#[test]
fn a_wait_lock_that_is_held_lets_a_wait_time_out_and_time_passes_meanwhile() {
    let mut bench = Workbench::new();
    let lock = wait_lock(&mut bench);
    bench.run(|m, _, _| {
        lock.acquire(m).unwrap();
        let before = m.now();
        assert_eq!(lock.acquire_within(m, Ticks(0)), Err(STATUS_TIMEOUT));
        assert_eq!(m.now(), before, "it only tried");
        assert_eq!(lock.acquire_within(m, MS_10), Err(STATUS_TIMEOUT));
        assert_eq!(m.now(), Ticks(before.0 + MS_10.0));
        lock.release(m);
        assert_eq!(lock.acquire_within(m, MS_10), Ok(()));
    });
}

#[test]
fn a_work_item_that_releases_a_wait_lock_ends_the_wait_for_it() {
    let mut bench = Workbench::new();
    let lock = wait_lock(&mut bench);
    bench.run(|m, driver, device| {
        let attributes = Attributes::none().context(lock).parent(device);
        let config = WorkItem::config(|m, work_item| {
            let lock = *work_item.context::<WaitLock>(m);
            lock.release(m);
        });
        let work_item = config.create(m, driver, attributes).unwrap();
        lock.acquire(m).unwrap();
        work_item.enqueue(m);
        assert_eq!(lock.acquire(m), Ok(()));
    });
}

#[test]
fn above_passive_level_a_wait_lock_may_only_be_tried_which_the_verifier_enforces() {
    let refused = Err(STATUS_INVALID_DEVICE_REQUEST);
    for (verified, expected) in [(false, Ok(())), (true, refused)] {
        let mut bench = if verified { Workbench::verified() } else { Workbench::new() };
        let lock = wait_lock(&mut bench);
        let waits: [Acquire; 2] = [|m, lock| lock.acquire(m), |m, lock| lock.acquire_within(m, MS_10)];
        for take in waits {
            assert_eq!(bench.run(|m, _, _| at_dispatch(m, |m| take(m, lock))), expected);
            bench.run(|m, _, _| lock.release(m));
        }
        assert_eq!(bench.run(|m, _, _| at_dispatch(m, |m| lock.acquire_within(m, Ticks(0)))), Ok(()));
        assert_eq!(bench.breaks(), if verified { 2 } else { 0 });
    }
}

#[test]
fn a_devices_own_lock_is_a_spin_lock_and_taking_it_twice_is_wdf_violation_2() {
    let mut bench = Workbench::new();
    bench.run(|m, _, device| {
        device.acquire_lock(m);
        assert_eq!(m.irql(), Irql::Dispatch);
        device.release_lock(m);
        assert_eq!(m.irql(), Irql::Passive);
    });
    let stop = bench.try_run(|m, _, device| {
        device.acquire_lock(m);
        device.acquire_lock(m);
    });
    let stop = stop.unwrap_err();
    assert_eq!(violation(stop.clone())[0], 2);
    let Stop::BugCheck(check) = stop else { unreachable!("it is a violation") };
    assert!(check.log.last().unwrap().contains("Recursive acquire of callback lock!"), "{:?}", check.log);
}

#[test]
fn only_the_verifier_sees_that_nobody_held_the_devices_lock() {
    for verified in [false, true] {
        let mut bench = if verified { Workbench::verified() } else { Workbench::new() };
        let log = bench.log_of(|m, _, device| device.release_lock(m));
        assert_eq!(log.contains("Driver released the callback lock"), verified, "{log}");
        assert_eq!(bench.breaks(), if verified { 2 } else { 0 });
    }
}

#[test]
fn an_object_without_a_presentation_lock_is_wdf_violation_11() {
    let calls: [fn(Object, &mut Machine); 2] = [|object, m| object.acquire_lock(m), |object, m| object.release_lock(m)];
    for call in calls {
        let mut bench = Workbench::new();
        let object = bench.run(|m, driver, _| create_object(m, driver, Attributes::none()).unwrap());
        let stop = bench.try_run(|m, _, _| call(object, m)).unwrap_err();
        assert_eq!(violation(stop), [0xB, object.handle(), 0]);
    }
}

#[test]
fn a_callback_that_returns_with_a_spin_lock_is_wdf_violation_14_where_callbacks_are_hooked() {
    fn serve(m: &mut Machine, queue: Queue, request: Request) {
        let driver = queue.driver(m);
        let lock = SpinLock::create(m, driver, Attributes::none().parent(queue)).unwrap();
        request.complete(m, STATUS_SUCCESS);
        lock.acquire(m);
    }
    fn build(m: &mut Machine, init: DeviceInit, attributes: Attributes) -> Result<Device, NtStatus> {
        let device = init.create(m, attributes)?;
        Queue::config(Dispatch::Parallel).on_default(serve).create_default(m, device)?;
        Ok(device)
    }
    for enhanced_verifier in [false, true] {
        let wanted = Wanted { build: Some(build), enhanced_verifier, ..Wanted::default() };
        let mut bench = Workbench::with(wanted);
        let ended = bench.try_run(|m, _, device| _ = send(m, device));
        match ended {
            Err(stop) => assert_eq!((violation(stop), enhanced_verifier), (vec![0xE, 0, 2], true)),
            Ok(()) => assert!(!enhanced_verifier, "nobody looks, and the level stays"),
        }
    }
}
