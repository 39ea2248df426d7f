//! Making a failure smaller: fewer places at which its schedule leaves the undisturbed run.

use std::sync::Arc;

use super::crew::Crew;
use super::race::Ran;
use super::schedule::{Policy, Schedule};
use super::{Closure, run_once};

/// Takes places away for as long as the run still fails in the same way: first many of them, then one at a time.
///
/// Source: Zeller, Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE 2002; here only what is left
/// after a part was taken away is tried, not the parts themselves.
pub(super) fn minimise(crew: &Arc<Crew>, code: Closure<'_>, failed: Ran) -> Ran {
    let mut smallest = failed;
    let mut part = smallest.taken.switches.len().div_ceil(2);
    while part > 0 {
        match without_a_part(crew, code, &smallest, part) {
            Some(smaller) => smallest = smaller,
            None => part /= 2,
        }
        part = part.min(smallest.taken.switches.len());
    }
    smallest
}

/// The last parts go first: what comes before them stays as it is.
fn without_a_part(crew: &Arc<Crew>, code: Closure<'_>, failed: &Ran, part: usize) -> Option<Ran> {
    let switches = &failed.taken.switches;
    let begins = (0..switches.len().saturating_sub(part - 1)).rev();
    let mut tried = begins.map(|begin| {
        let left = switches[..begin].iter().chain(&switches[begin + part..]).copied().collect();
        run_once(crew, Policy::Recorded(Schedule { switches: left }), code)
    });
    tried.find(|ran| {
        let like = |failure| failed.failure.as_ref().is_some_and(|known| known.is_like(failure));
        ran.taken.switches.len() < switches.len() && ran.failure.as_ref().is_some_and(like)
    })
}
