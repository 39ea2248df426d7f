//! What happened: follows every request and target through the log, and collects what failed.

mod life;
mod steps;

use std::collections::{BTreeMap, BTreeSet};

use vbus_wdf::Level;
use vbus_wdm::NtStatus;
use vbus_wdm::constants::STATUS_CANCELLED;

pub use life::Moment;
pub(super) use life::{Life, TargetLife};
use steps::Step;

use super::assemble::{Record, Sink};
use super::causes::{self, Cause};
use super::debugger::Debugger;
use super::facts::{Facts, StopFacts};
use super::layout::Layout;
use super::template::Role;

/// As many requests and as many targets are followed at a time. More are counted.
pub(super) const FOLLOWED: usize = 8192;
/// As many failed requests are kept when they are done.
const KEPT: usize = 64;
/// As many kinds of failures are told apart, beyond the table's rows.
const KINDS: usize = 64;
/// As much of a line is quoted.
const QUOTED: usize = 400;

/// A line that shows a failure, and what it names.
#[derive(Clone, Debug)]
pub(super) struct Evidence {
    pub(super) moment: Moment,
    /// The record's time, as printed.
    pub(super) time: Option<String>,
    /// The driver whose log it is, where the text says so.
    pub(super) driver: Option<String>,
    pub(super) function: String,
    pub(super) text: String,
    pub(super) request: Option<u64>,
    pub(super) target: Option<u64>,
    pub(super) irp: Option<u64>,
    pub(super) status: Option<NtStatus>,
    pub(super) target_state: Option<String>,
    pub(super) have: Option<i8>,
    pub(super) need: Option<i8>,
    /// What the target went through until then.
    pub(super) target_life: TargetLife,
}

/// A kind of failure: its first occurrence, and how many there were.
pub(super) struct Failure {
    pub(super) cause: &'static Cause,
    pub(super) count: u64,
    pub(super) first: Option<Evidence>,
    pub(super) stop: Option<StopFacts>,
}

/// What was read, counted.
#[derive(Clone, Default, Debug)]
pub(super) struct Counts {
    pub(super) lines: u64,
    pub(super) records: u64,
    /// Records whose message is not one of the model's.
    pub(super) unknown_records: u64,
    /// Lines that are neither a record nor debugger text that is read.
    pub(super) unknown_lines: u64,
    /// Lines of requests or targets that there were too many of to follow.
    pub(super) not_followed: u64,
    /// Requests that were seen to be completed.
    pub(super) completed: u64,
    /// Sequence numbers that are missing between records.
    pub(super) missing: u64,
    /// The first sequence number of a log that had lost its beginning.
    pub(super) begins_at: Option<u64>,
    /// A log has a start mark and no end mark.
    pub(super) cut_off: bool,
}

/// Everything that is kept of the text.
#[derive(Default)]
pub(super) struct Story {
    pub(super) counts: Counts,
    pub(super) layouts: BTreeSet<Layout>,
    pub(super) failures: Vec<Failure>,
    pub(super) requests: BTreeMap<u64, Life>,
    /// Failed requests that are done, and those whose handle has another one now.
    pub(super) done: Vec<(u64, Life)>,
    pub(super) targets: BTreeMap<u64, TargetLife>,
    pub(super) facts: Facts,
    debugger: Debugger,
    sequence: Option<u64>,
}

impl Sink for Story {
    fn record(&mut self, record: &Record<'_>) {
        self.counts.records += 1;
        self.layouts.insert(record.layout);
        // Several drivers' logs are mixed there, each with numbers of its own.
        if record.layout != Layout::Run {
            self.follow_sequence(record.sequence);
        }
        let moment = Moment { line: record.line, sequence: record.sequence };
        let Some(template) = record.template else {
            self.counts.unknown_records += 1;
            if matches!(record.level, Some(Level::Fatal | Level::Error)) {
                self.fail(&causes::OTHER_ERROR, record, moment);
            }
            return;
        };
        let site = template.site;
        let (request, target) = (record.number(Role::Request), record.number(Role::Target));
        let status = record.text(Role::Status).and_then(status);
        if let Some(target) = target
            && let Some(step) = steps::of_target(site, status)
        {
            self.target(target, |life| life.step(moment, step));
        }
        if let Some(request) = request {
            if let (Some(irp), true) = (record.number(Role::Irp), self.facts.request_irps.len() < FOLLOWED) {
                self.facts.request_irps.insert(request, irp);
            }
            if let Some(step) = steps::of_request(site) {
                self.request_step(request, moment, step, status, record);
            }
        }
        let is_error = record.level.is_some_and(|level| level <= Level::Error);
        if is_error || status.is_some_and(|status| !status.is_success()) {
            match causes::of_site(site) {
                Some(cause) => self.fail(cause, record, moment),
                None if is_error && !causes::is_ordinary(site) => self.fail(&causes::OTHER_ERROR, record, moment),
                None => {}
            }
        }
    }

    fn other(&mut self, line: u64, text: &str) {
        let trimmed = text.trim();
        if let Some(mark) = trimmed.strip_prefix("---") {
            let mark = mark.trim_matches('-').trim();
            match mark {
                "start of log" => (self.counts.cut_off, self.sequence) = (true, None),
                "end of log" => self.counts.cut_off = false,
                _ => {}
            }
            return;
        }
        let is_understood =
            trimmed.is_empty() || self.debugger.line(line, text, &mut self.facts) || is_chatter(trimmed);
        self.counts.unknown_lines += u64::from(!is_understood);
    }
}

/// What the log's extension says around a log.
fn is_chatter(text: &str) -> bool {
    let starts = [
        "Trace searchpath",
        "Trace format prefix",
        "Trying to extract TMF",
        "Gather log",
        "% read so far",
        "There are ",
        "TMF file used",
        "Log at ",
        "Debugging Details:",
        "Bugcheck Analysis",
        "*",
    ];
    starts.iter().any(|start| text.starts_with(start))
}

impl Story {
    /// The text has ended.
    pub(super) fn finish(&mut self, lines: u64) {
        self.counts.lines = lines;
        for stop in std::mem::take(&mut self.facts.stops) {
            let cause = causes::of_stop(stop.code, &stop.parameters).unwrap_or(&causes::OTHER_STOP);
            match self.failures.iter_mut().find(|failure| failure.cause.id == cause.id) {
                Some(failure) => failure.stop = failure.stop.take().or(Some(stop)),
                None => self.failures.push(Failure { cause, count: 1, first: None, stop: Some(stop) }),
            }
        }
        self.failures.sort_by_key(|failure| failure.cause.is_note());
    }

    /// Whether there was anything that this reads.
    pub(super) fn is_empty(&self) -> bool {
        let facts = &self.facts;
        let nothing_shown = facts.stacks.is_empty() && facts.irps.is_empty() && facts.devices.is_empty();
        self.counts.records == 0 && self.failures.is_empty() && nothing_shown
    }

    fn follow_sequence(&mut self, sequence: Option<u64>) {
        let Some(sequence) = sequence else { return };
        match self.sequence {
            None if sequence > 1 => self.counts.begins_at = self.counts.begins_at.or(Some(sequence)),
            Some(last) if sequence > last + 1 => {
                self.counts.missing = self.counts.missing.saturating_add(sequence - last - 1)
            }
            _ => {}
        }
        self.sequence = Some(sequence);
    }

    fn target(&mut self, target: u64, change: impl FnOnce(&mut TargetLife)) {
        if self.targets.len() < FOLLOWED || self.targets.contains_key(&target) {
            change(self.targets.entry(target).or_default());
        } else {
            self.counts.not_followed += 1;
        }
    }

    fn request_step(
        &mut self,
        request: u64,
        moment: Moment,
        step: Step,
        status: Option<NtStatus>,
        record: &Record<'_>,
    ) {
        if step == Step::Arrived {
            self.end_life(request);
        }
        let is_end = step == Step::Completed;
        self.counts.completed += u64::from(is_end);
        if !self.requests.contains_key(&request) {
            if is_end && status.is_none_or(NtStatus::is_success) {
                return;
            }
            if self.requests.len() >= FOLLOWED {
                self.counts.not_followed += 1;
                return;
            }
        }
        let life = self.requests.entry(request).or_default();
        life.step(moment, step, status);
        life.target = record.number(Role::Target).or(life.target);
        life.irp = record.number(Role::Irp).or(life.irp);
        life.ioctl = record.number(Role::Ioctl).and_then(|code| u32::try_from(code).ok()).or(life.ioctl);
        if is_end {
            let is_unexplained = life.failure.is_none();
            if let Some(status) = status
                && status.is_error()
                && status != STATUS_CANCELLED
                && is_unexplained
            {
                self.fail(&causes::DRIVERS_OWN_ANSWER, record, moment);
            }
            self.end_life(request);
        }
    }

    /// A request is done, or its handle is another's now. Kept is what failed.
    fn end_life(&mut self, request: u64) {
        if let Some(life) = self.requests.remove(&request)
            && life.failure.is_some()
            && self.done.len() < KEPT
        {
            self.done.push((request, life));
        }
    }

    fn fail(&mut self, cause: &'static Cause, record: &Record<'_>, moment: Moment) {
        let request = record.number(Role::Request);
        let target = record.number(Role::Target).or_else(|| self.requests.get(&request?)?.target);
        if let Some(request) = request {
            if self.requests.contains_key(&request) || self.requests.len() < FOLLOWED {
                let life = self.requests.entry(request).or_default();
                life.step(moment, Step::Failed(cause.id), record.text(Role::Status).and_then(status));
                life.target = target.or(life.target);
                life.failure.get_or_insert(cause.id);
            } else {
                self.counts.not_followed += 1;
            }
        }
        if let Some(target) = target {
            self.target(target, |life| life.failures += 1);
        }
        // Errors without a row are told apart by their functions, as far as there are not too many of them.
        let is_crowded = self.failures.len() >= KINDS;
        let is_same = |failure: &&mut Failure| {
            let by = failure.first.as_ref().map(|first| first.function.as_str());
            failure.cause.id == cause.id
                && (cause.id != causes::OTHER_ERROR.id || is_crowded || by == Some(record.function))
        };
        if let Some(failure) = self.failures.iter_mut().find(is_same) {
            failure.count += 1;
            return;
        }
        let first = Some(self.evidence(record, moment, request, target));
        self.failures.push(Failure { cause, count: 1, first, stop: None });
    }

    fn evidence(&self, record: &Record<'_>, moment: Moment, request: Option<u64>, target: Option<u64>) -> Evidence {
        let count = |role| record.number(role).and_then(|count| i8::try_from(count).ok());
        let life = target.and_then(|target| self.targets.get(&target));
        Evidence {
            moment,
            time: (!record.time.is_empty()).then(|| record.time.to_owned()),
            driver: match record.driver {
                "" => self.debugger.log_of.clone(),
                driver => Some(driver.to_owned()),
            },
            function: record.function.to_owned(),
            text: quote(record.message),
            request,
            target,
            irp: record.number(Role::Irp),
            status: record.text(Role::Status).and_then(status),
            target_state: record.text(Role::TargetState).map(str::to_owned),
            have: count(Role::Have),
            need: count(Role::Need),
            target_life: life.cloned().unwrap_or_default(),
        }
    }
}

/// `0xc00000d0(STATUS_REQUEST_NOT_ACCEPTED)`, or only one half of it.
fn status(text: &str) -> Option<NtStatus> {
    let (code, name) = text.split_once('(').unwrap_or((text, text));
    match code.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok().map(NtStatus),
        None => NtStatus::from_name(name.trim_end_matches(')')),
    }
}

/// A line as it is shown: no control characters, single spaces, not endless.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::new();
    for word in text.split_whitespace() {
        if quoted.len() > QUOTED {
            quoted.push_str(" …");
            break;
        }
        if !quoted.is_empty() {
            quoted.push(' ');
        }
        quoted.extend(word.chars().take(QUOTED).map(|letter| if letter.is_control() { '\u{FFFD}' } else { letter }));
    }
    quoted
}
