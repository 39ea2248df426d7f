//! Remove locks, and what Driver Verifier says of who holds them wrongly.

use vbus::wdm::constants::*;
use vbus::wdm::{Context, Irql, Machine, RemoveLock, RemoveLockLimits, Stop, Ticks, VerifierOptions};

fn locked() -> (Machine, RemoveLock) {
    let mut m = Machine::new();
    let lock = m.create_remove_lock(RemoveLockLimits::default());
    (m, lock)
}

#[test]
fn a_removal_waits_until_everybody_gave_the_lock_back() {
    let (mut m, lock) = locked();
    m.run(|m| {
        lock.acquire(m, 1_u64).unwrap();
        lock.acquire(m, 2_u64).unwrap();
        m.add_extension(lock);
        m.set_timer(Ticks::from_millis(5), |m, _| m.extension::<RemoveLock>().to_owned().release(m, 1_u64), Context(0));
        lock.release_and_wait(m, 2_u64);
        assert_eq!((m.now(), lock.holders(m)), (Ticks::from_millis(5), 0));
    })
    .unwrap();
}

#[test]
fn nobody_acquires_the_lock_once_the_removal_waits() {
    let (mut m, lock) = locked();
    m.run(|m| {
        lock.acquire(m, 1_u64).unwrap();
        lock.release_and_wait(m, 1_u64);
        assert_eq!(lock.acquire(m, 2_u64), Err(STATUS_DELETE_PENDING));
        assert_eq!(lock.holders(m), 0, "a refused acquisition is not to be given back");
    })
    .unwrap();
}

#[test]
fn a_holder_that_never_gives_the_lock_back_hangs_the_removal() {
    let (mut m, lock) = locked();
    let stop = m.run(|m| {
        lock.acquire(m, 1_u64).unwrap();
        lock.acquire(m, 2_u64).unwrap();
        lock.release_and_wait(m, 2_u64);
    });
    assert_eq!(stop, Err(Stop::Hang { waiting_for: "the holders of a remove lock" }));
}

#[test]
fn a_lock_that_was_given_back_once_too_often_lets_the_removal_go_on_under_a_holder() {
    let (mut m, lock) = locked();
    m.run(|m| {
        lock.acquire(m, 1_u64).unwrap();
        lock.acquire(m, 2_u64).unwrap();
        lock.release(m, 9_u64);
        lock.release_and_wait(m, 2_u64);
        assert_eq!(lock.holders(m), 0, "the first holder still uses the device");
    })
    .unwrap();
}

/// The parameters of the bug check 0xC4 under Driver Verifier; those after the lock's address if there is one.
fn violation(wrong: fn(&mut Machine, RemoveLock)) -> Vec<u64> {
    let (mut m, lock) = locked();
    m.verify_drivers(VerifierOptions::default());
    match m.run(|m| wrong(m, lock)) {
        Err(Stop::BugCheck(check)) if check.code == 0xC4 => check.parameters.to_vec(),
        other => panic!("bug check 0xC4, not {other:?}"),
    }
}

#[test]
fn driver_verifier_knows_who_holds_the_lock() {
    let (_, lock) = locked();
    let address = lock.address();
    let not_held = violation(|m, lock| lock.release(m, 7_u64));
    assert_eq!(not_held, [0xD5, address, 7, 0]);
    let other_tag = violation(|m, lock| {
        lock.acquire(m, 7_u64).unwrap();
        lock.release(m, 8_u64);
    });
    assert_eq!(other_tag, [0xD5, address, 8, 0]);
    let other_tag_waits = violation(|m, lock| {
        lock.acquire(m, 7_u64).unwrap();
        lock.release_and_wait(m, 8_u64);
    });
    assert_eq!(other_tag_waits, [0xD6, address, 8, 7]);
    let again = violation(|m, lock| {
        lock.acquire(m, 7_u64).unwrap();
        lock.release_and_wait(m, 7_u64);
        lock.initialize_again(m, RemoveLockLimits::default());
    });
    assert_eq!(again, [0xD7, address, address, 0]);
}

#[test]
fn driver_verifier_takes_the_limits_seriously_and_nobody_else_does() {
    fn too_many(m: &mut Machine) {
        let lock = m.create_remove_lock(RemoveLockLimits { high_watermark: 1, ..RemoveLockLimits::default() });
        lock.acquire(m, 1_u64).unwrap();
        lock.acquire(m, 2_u64).unwrap();
    }
    fn too_long(m: &mut Machine) {
        let lock = m.create_remove_lock(RemoveLockLimits { max_minutes: 1, ..RemoveLockLimits::default() });
        lock.acquire(m, 1_u64).unwrap();
        m.wait_at_most(Ticks::from_millis(60_001), |_| false);
        lock.release(m, 1_u64);
    }
    for wrong in [too_many, too_long] {
        assert_eq!(Machine::new().run(wrong), Ok(()));
        let mut m = Machine::new();
        m.verify_drivers(VerifierOptions::default());
        assert!(matches!(m.run(wrong), Err(Stop::Undefined { .. })));
    }
}

#[test]
fn the_lock_is_taken_and_given_back_at_dispatch_level_but_waited_for_at_passive_level() {
    let (mut m, lock) = locked();
    let stop = m.run(|m| {
        m.set_irql(Irql::Dispatch);
        lock.acquire(m, 1_u64).unwrap();
        lock.release(m, 1_u64);
        lock.acquire(m, 1_u64).unwrap();
        m.set_irql(Irql::Apc);
        lock.release_and_wait(m, 1_u64);
    });
    assert!(matches!(stop, Err(Stop::Undefined { ddi: "IoReleaseRemoveLockAndWait", .. })), "{stop:?}");
}
