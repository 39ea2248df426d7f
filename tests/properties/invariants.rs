//! What is looked at after a run.

use std::collections::BTreeMap;

use vbus::wdf::{Driver, Level};
use vbus::wdm::{Irp, Machine, Observation, Step};

/// Each IRP's accounting closes: it went down from its first location and came back past it, once.
pub fn accounting_closes(m: &Machine, seen: &[Observation]) {
    let mut irps: BTreeMap<Irp, Vec<&Observation>> = BTreeMap::new();
    for step in seen {
        irps.entry(step.irp).or_default().push(step);
    }
    for (irp, steps) in irps {
        let sent = steps.iter().any(|seen| matches!(seen.step, Step::Call { .. }));
        if !sent {
            continue;
        }
        let done = steps.iter().filter(|seen| seen.step == Step::Done).count();
        // Whoever made an IRP with IoAllocateIrp takes it back in a routine, and the walk never gets to its end.
        let taken_back = steps
            .iter()
            .filter(|seen| {
                seen.step == (Step::Routine { owner: None }) && seen.current_location == seen.stack_count + 1
            })
            .count();
        let freed = steps.iter().filter(|seen| seen.step == Step::Free).count();
        assert_eq!((done.max(taken_back), freed), (1, 1), "{irp:?} completes once and is freed once: {steps:#?}");
        assert!(!irp.exists(m), "{irp:?} is gone");
        let end = steps.iter().find(|seen| seen.step == Step::Done);
        assert!(end.is_none_or(|seen| seen.current_location == seen.stack_count + 2), "{irp:?}: {steps:#?}");
        for seen in steps {
            assert!((0..=seen.stack_count + 2).contains(&seen.current_location), "{irp:?}: {seen:?}");
        }
    }
}

/// The records that a driver's log holds follow one another, and nothing in it complains.
pub fn log_is_whole(m: &Machine, driver: Driver) {
    let lines = driver.log(m);
    for two in lines.windows(2) {
        assert_eq!(two[0].sequence + 1, two[1].sequence, "between {} and {}", two[0], two[1]);
    }
}

/// The driver did nothing that the framework or its verifier minds, and left nothing behind.
pub fn nothing_to_complain_of(m: &Machine, driver: Driver) {
    let lines = driver.log(m);
    for line in lines.iter().filter(|line| line.level <= Level::Error) {
        assert!(line.message.contains("NonPagedBytes 0, PagedBytes 0,"), "{line}");
    }
    assert_eq!(driver.debugger_breaks(m), []);
}
