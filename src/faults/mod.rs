//! Injected faults: what drivers make of memory that is short, of devices that answer wrongly, late or never, of requests
//! that are pended where none was before, and of readers that are pulled out.
//!
//! A scenario that goes well is played again for every single fault. Its steps may fail then, each with any error; but the
//! machine goes on, nobody waits for ever, no request is lost, and when everything is closed and removed in the end there
//! is no more left than after a run without faults.

mod device;
mod leaks;

use std::fmt;

use serde::Serialize;
use thiserror::Error;
use vbus_wdm::constants::*;
use vbus_wdm::{NtStatus, Ticks, VerifierOptions};

use crate::explore::Options;
use crate::run::{Played, RunError, Stage};
use crate::scenario::Scenario;
use crate::scenario::expect::Expect;
use crate::scenario::step::{Action, OnReader, Step};
use device::DeviceFault;
use leaks::Remains;

/// Why no faults can be tried.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum FaultsError {
    /// The scenario cannot be played at all.
    #[error(transparent)]
    Run(#[from] RunError),
    /// What a fault does to it would mean nothing.
    #[error(
        "the scenario does not go well by itself, or ends in a stop: faults are tried on one whose steps all end as \
         expected, with a machine that runs on"
    )]
    NotAsExpected,
}

/// What was tried on a scenario.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Faults {
    /// The scenario's title.
    pub title: String,
    /// Every fault, in order.
    pub tried: Vec<Tried>,
}

/// One fault.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Tried {
    /// Which.
    pub fault: Fault,
    /// What it broke.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// A fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// This allocation since the first step fails, counted from 1.
    Allocation(u64, &'static str),
    /// The readers keep their requests until somebody cancels them.
    NeverAnswers,
    /// The readers answer a second later.
    AnswersLate,
    /// The readers answer every request with this error.
    AnswersWith(NtStatus),
    /// Driver Verifier's "Force Pending I/O Requests".
    ForcedPending,
    /// A reader is pulled out at any moment; so many schedules were tried.
    PulledOut(u32, u64),
}

/// With what readers answer. Some are of their class, some of any device.
const ERRORS: [NtStatus; 10] = [
    STATUS_UNSUCCESSFUL,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_DEVICE_NOT_READY,
    STATUS_NO_SUCH_DEVICE,
    STATUS_IO_TIMEOUT,
    STATUS_CANCELLED,
    STATUS_DEVICE_REMOVED,
    STATUS_NO_MEDIA,
    STATUS_BUFFER_TOO_SMALL,
];

/// How late a late answer is.
const LATE: Ticks = Ticks::from_millis(1000);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Allocation(n, ddi) => write!(f, "allocation {n} fails, in {ddi}"),
            Fault::NeverAnswers => write!(f, "readers never answer"),
            Fault::AnswersLate => write!(f, "readers answer a second later"),
            Fault::AnswersWith(status) => write!(f, "readers answer with {status}"),
            Fault::ForcedPending => write!(f, "every request is pended"),
            Fault::PulledOut(reader, schedules) => write!(f, "reader {reader} is pulled out, at {schedules} moments"),
        }
    }
}

impl Serialize for Fault {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Faults {
    /// Whether every fault was survived.
    pub fn survived(&self) -> bool {
        self.tried.iter().all(|tried| tried.failure.is_none())
    }
}

impl Scenario {
    /// Tries every fault on the scenario, each in a run of its own.
    ///
    /// # Errors
    /// [`FaultsError`].
    pub fn inject_faults(&self) -> Result<Faults, FaultsError> {
        self.check().map_err(RunError::from)?;
        let undisturbed = self.play(None, |stage| stage.m.count_allocations())?;
        if !undisturbed.outcome.as_expected() || undisturbed.stop.is_some() {
            return Err(FaultsError::NotAsExpected);
        }
        let allocations = undisturbed.stage.m.allocation_points();
        // Counting and removing do not go together with what the allocation points would count then.
        let normal =
            leaks::remove_everything(self.play(None, |_| {})?.stage).map_err(|_| FaultsError::NotAsExpected)?;
        let lenient = self.lenient();
        let mut tried = Vec::new();
        for n in 1..=allocations {
            tried.push(lenient.try_allocation(n, &normal)?);
        }
        let devices = [(Fault::NeverAnswers, DeviceFault::Never), (Fault::AnswersLate, DeviceFault::Late(LATE))];
        let errors = ERRORS.map(|status| (Fault::AnswersWith(status), DeviceFault::Error(status)));
        for (fault, device) in devices.into_iter().chain(errors) {
            let failure = lenient.try_once(&normal, |stage| device.inject(stage))?;
            tried.push(Tried { fault, failure });
        }
        let pend = |stage: &mut Stage<'_>| {
            stage.m.verify_drivers(VerifierOptions { force_pending: true, ..VerifierOptions::default() });
        };
        tried.push(Tried { fault: Fault::ForcedPending, failure: lenient.try_once(&normal, pend)? });
        for (bus, reader) in lenient.readers() {
            tried.push(lenient.try_pulling_out(&bus, reader)?);
        }
        Ok(Faults { title: self.title.clone(), tried })
    }

    /// The same steps, of which each may end with any status.
    fn lenient(&self) -> Scenario {
        let step = self.step.iter().map(|step| Step {
            thread: step.thread.clone().or_else(|| Some("the program".to_owned())),
            expect: Expect { any_status: true, ..Expect::default() },
            ..step.clone()
        });
        Scenario { step: step.collect(), ..self.clone() }
    }

    fn try_allocation(&self, n: u64, normal: &Remains) -> Result<Tried, RunError> {
        let mut ddi = "an allocation that this run does not come to";
        let played = self.play(None, |stage| stage.m.fail_allocation(n))?;
        if let Some(failed) = played.stage.m.failed_allocation() {
            ddi = failed;
        }
        Ok(Tried { fault: Fault::Allocation(n, ddi), failure: judge(played, normal) })
    }

    fn try_once(&self, normal: &Remains, inject: impl FnOnce(&mut Stage<'_>)) -> Result<Option<String>, RunError> {
        Ok(judge(self.play(None, inject)?, normal))
    }

    /// The program's steps race with a pulling out: all schedules in which that comes once between two of its steps.
    fn try_pulling_out(&self, bus: &str, reader: u32) -> Result<Tried, RunError> {
        let mut scenario = self.clone();
        let unplug = OnReader { bus: Some(spanned(bus.to_owned())), reader: spanned(reader) };
        let thread = Some("the pulling out".to_owned());
        scenario.step.push(Step { unplug: Some(unplug), thread, ..Step::default() });
        let options = Options { preemptions: 1, seeds: 0, ..Options::default() };
        let explored = scenario.explore(&options, &|_| {})?;
        let failure = explored.failure.map(|found| found.to_string());
        Ok(Tried { fault: Fault::PulledOut(reader, explored.schedules), failure })
    }

    /// The readers that the steps send something to, with their buses.
    fn readers(&self) -> Vec<(String, u32)> {
        let readers = self
            .bus
            .iter()
            .flat_map(|bus| bus.reader.iter().map(|reader| (bus.name().to_owned(), *reader.id.get_ref())));
        let used: Vec<u32> = self.step.iter().flat_map(Step::actions).filter_map(reader_of).collect();
        readers.filter(|(_, reader)| used.contains(reader)).collect()
    }
}

/// The reader that an action sends something to.
fn reader_of(action: Action<'_>) -> Option<u32> {
    match action {
        Action::Forward(request) => Some(*request.reader.get_ref()),
        // For a bus that sends them on; a reader that there is not is nobody's.
        Action::Read(read) => Some(read.offset),
        Action::Write(write) => Some(write.offset),
        Action::Open(open) => open.reader.as_ref().map(|reader| *reader.get_ref()),
        _ => None,
    }
}

fn spanned<T>(value: T) -> toml::Spanned<T> {
    toml::Spanned::new(0..0, value)
}

/// What a fault broke, if anything.
fn judge(played: Played<'_>, normal: &Remains) -> Option<String> {
    let Played { outcome, mut stage, stop, .. } = played;
    if let Some(stop) = stop {
        return Some(stop.to_string());
    }
    if let Some((step, failure)) = outcome.steps.iter().find_map(|step| Some((step, step.failures.first()?))) {
        return Some(format!("{}: {failure}", step.name));
    }
    // The programs end, and with them what they asked for.
    stage.m.cancel_all_io();
    match leaks::remove_everything(stage) {
        Ok(remains) => remains.more_than(normal),
        Err(failure) => Some(failure.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE_REQUEST: &str = r#"
        bus = [{ name = "vbus", extra_stack = 3, reader = [{ id = 7 }] }]
        step = [{ forward = { reader = 7, input = "00 B0 81 00 00" } }]
    "#;

    /// What a program sees of its request to a reader with this fault, and when.
    fn with(fault: DeviceFault) -> (NtStatus, Ticks) {
        let scenario = Scenario::parse("faults.toml", ONE_REQUEST).unwrap();
        let outcome = scenario.play(None, |stage| fault.inject(stage)).unwrap().outcome;
        (outcome.steps[0].status.unwrap().0, Ticks(outcome.steps[0].at_ticks))
    }

    #[test]
    fn an_injected_error_reaches_the_program() {
        for status in ERRORS {
            assert_eq!(with(DeviceFault::Error(status)).0, status);
        }
    }

    #[test]
    fn a_late_answer_comes_when_its_time_has_passed() {
        assert_eq!(with(DeviceFault::Late(LATE)), (STATUS_SUCCESS, LATE));
    }

    #[test]
    fn a_request_that_is_never_answered_ends_when_the_program_gives_up() {
        assert_eq!(with(DeviceFault::Never), (STATUS_CANCELLED, Ticks(0)));
    }
}
