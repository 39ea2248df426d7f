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
        // Whoever made an IRP takes it back in a routine of its own, and the walk never gets to its end.
        let taken_back = match steps[..] {
            [.., before, last] => last.step == Step::Free && matches!(before.step, Step::Routine { .. }),
            _ => false,
        };
        let freed = steps.iter().filter(|seen| seen.step == Step::Free).count();
        let ends = done + usize::from(taken_back);
        assert_eq!((ends, freed), (1, 1), "{irp:?} completes once and is freed once: {steps:#?}");
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

/// The verifier had no reason to break into the debugger, least of all for something that was left at unload.
pub fn nothing_is_left(m: &Machine, driver: Driver) {
    let lines = driver.log(m);
    assert!(lines.iter().any(|line| line.message.contains("NonPagedBytes 0, PagedBytes 0,")), "{:#?}", lines.last());
    assert_eq!(driver.debugger_breaks(m), [0_u32; 0]);
}

/// The same, and the framework did not even mention an error.
pub fn nothing_to_complain_of(m: &Machine, driver: Driver) {
    nothing_is_left(m, driver);
    let complaint = driver.log(m).into_iter().find(|line| line.level <= Level::Error && line.function != "FxPoolDump");
    assert!(complaint.is_none(), "{complaint:?}");
}
