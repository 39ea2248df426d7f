//! The answer: what people read and what programs get.

use serde::Serialize;

use super::causes::{Cause, Numbers};
use super::facts::{StackEntry, StopFacts};
use super::layout::Layout;
use super::numbers::{Locations, locations};
use super::print::{address, addresses};
use super::reproduce;
use super::story::{Evidence, Failure, Life, Moment, Story, TargetLife};

/// As many requests are told of.
const STORIES: usize = 8;
/// As many requests that are still out are told of.
const UNFINISHED: usize = 8;
/// As many targets are told of.
const TARGETS: usize = 8;

/// What a text says. Its JSON is a stable shape, described in `docs/explain.md`.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The shape's version: 1.
    pub version: u32,
    /// What was read.
    pub input: Input,
    /// What failed, the first failure first.
    pub failures: Vec<Explained>,
    /// The failed requests' lives.
    pub requests: Vec<RequestStory>,
    /// Requests that were not done when the text ended.
    pub unfinished: Vec<RequestStory>,
    /// How many of those there were.
    pub unfinished_count: usize,
    /// The targets that failures name.
    pub targets: Vec<TargetStory>,
    /// Device stacks that the text shows.
    pub stacks: Vec<Vec<StackEntry>>,
    #[serde(skip)]
    is_empty: bool,
}

/// What was read, counted.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)] // The names say it, and docs/explain.md describes them.
pub struct Input {
    pub lines: u64,
    pub records: u64,
    pub unknown_records: u64,
    pub unknown_lines: u64,
    pub layouts: Vec<Layout>,
    pub requests_completed: u64,
    /// The log had lost its beginning: this is the first record's number.
    pub begins_at: Option<u64>,
    pub missing_records: u64,
    /// A log's end mark is missing.
    pub cut_off: bool,
    /// Lines of objects that there were too many of to follow.
    pub not_followed: u64,
}

/// A failure, explained.
#[derive(Clone, Debug, Serialize)]
pub struct Explained {
    /// The row of the table. Stable.
    pub cause: &'static str,
    /// The headline.
    pub title: String,
    /// The calls that report it.
    pub call: &'static str,
    /// The status by name, or the bug check.
    pub status: Option<String>,
    /// The same as a number: `0xc00000d0`.
    pub status_code: Option<String>,
    /// How often it was seen.
    pub count: u64,
    /// It need not be what went wrong: an error line without a row in the table, or a driver's own answer.
    pub is_note: bool,
    /// The framework says nothing of it without its verifier.
    pub verifier_only: bool,
    /// Where it was seen first.
    pub place: Option<Moment>,
    /// The record's time, as printed.
    pub time: Option<String>,
    /// The driver whose log it is in.
    pub driver: Option<String>,
    /// The function that wrote the line.
    pub function: Option<String>,
    /// The line.
    pub text: Option<String>,
    /// The bug check.
    pub bug_check: Option<BugCheckSeen>,
    /// What it names.
    #[serde(serialize_with = "addresses")]
    pub request: Option<u64>,
    #[serde(serialize_with = "addresses")]
    #[allow(missing_docs)]
    pub target: Option<u64>,
    #[serde(serialize_with = "addresses")]
    #[allow(missing_docs)]
    pub irp: Option<u64>,
    /// The target's state, where it matters.
    pub target_state: Option<String>,
    /// The stack locations, where they matter.
    pub locations: Option<Locations>,
    /// The reason.
    pub why: Vec<String>,
    /// What to do.
    pub help: Vec<String>,
    /// Where the rule is from.
    pub source: &'static str,
}

/// A bug check of the text.
#[derive(Clone, Debug, Serialize)]
pub struct BugCheckSeen {
    /// Its line.
    pub line: u64,
    /// Its code: `0x10d`.
    pub code: String,
    /// Its parameters, where the text has them.
    pub parameters: Vec<Option<String>>,
    /// The image that the debugger blames.
    pub image: Option<String>,
}

/// A request's life.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)] // The names say it, and docs/explain.md describes them.
pub struct RequestStory {
    #[serde(serialize_with = "address")]
    pub request: u64,
    #[serde(serialize_with = "addresses")]
    pub irp: Option<u64>,
    #[serde(serialize_with = "addresses")]
    pub target: Option<u64>,
    pub ioctl: Option<String>,
    /// Who had it last.
    pub holder: &'static str,
    pub steps: Vec<StepSeen>,
    /// Steps that were too many to keep.
    pub left_out: u64,
}

/// A target's life.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct TargetStory {
    #[serde(serialize_with = "address")]
    pub target: u64,
    pub failures: u64,
    /// The driver of its device, where the text says so.
    pub device_driver: Option<String>,
    /// What `!wdfiotarget` says of its state.
    pub state: Option<String>,
    pub steps: Vec<StepSeen>,
    pub left_out: u64,
}

/// A step of a life.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct StepSeen {
    #[serde(flatten)]
    pub at: Moment,
    pub what: String,
}

impl Explanation {
    /// What a story comes to.
    pub(super) fn of(story: Story) -> Explanation {
        let failures: Vec<Explained> = story.failures.iter().map(|failure| explained(failure, &story)).collect();
        let (requests, unfinished, unfinished_count) = requests(&story);
        Explanation {
            version: 1,
            is_empty: story.is_empty(),
            input: input(&story),
            targets: targets(&failures, &story),
            failures,
            requests,
            unfinished,
            unfinished_count,
            stacks: story.facts.stacks.iter().filter(|stack| !stack.is_empty()).take(TARGETS).cloned().collect(),
        }
    }

    /// A scenario that shows the first failure again.
    ///
    /// # Errors
    /// Why there is none.
    pub fn scenario(&self) -> Result<String, String> {
        let first = self.failures.first().ok_or("nothing failed in what was read")?;
        reproduce::scenario(first)
    }

    /// Whether the text had nothing that is read here.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }
}

fn input(story: &Story) -> Input {
    let counts = &story.counts;
    Input {
        lines: counts.lines,
        records: counts.records,
        unknown_records: counts.unknown_records,
        unknown_lines: counts.unknown_lines,
        layouts: story.layouts.iter().copied().collect(),
        requests_completed: counts.completed,
        begins_at: counts.begins_at,
        missing_records: counts.missing,
        cut_off: counts.cut_off,
        not_followed: counts.not_followed,
    }
}

fn explained(failure: &Failure, story: &Story) -> Explained {
    let Failure { cause, count, first, stop } = failure;
    let evidence = first.as_ref();
    let named = named_by(cause, evidence, stop.as_ref());
    let target_state = target_state(cause, evidence, story);
    let state = target_state.as_deref();
    let fill = |text: &str| fill(text, &named, state);
    let locations = locations(cause, evidence, named.irp, &story.facts);
    let mut help: Vec<String> = locations.iter().flat_map(|numbers| fixes(cause, numbers)).collect();
    help.extend(cause.help.iter().map(|text| fill(text)));
    let status = evidence.and_then(|evidence| evidence.status).or(cause.status);
    Explained {
        cause: cause.id,
        title: fill(cause.title),
        call: cause.call,
        status: status.map(|status| status.name().map_or_else(|| format!("{:#010x}", status.0), str::to_owned)),
        status_code: status.map(|status| format!("{:#010x}", status.0)),
        count: *count,
        is_note: cause.is_note(),
        verifier_only: cause.verifier_only,
        place: evidence.map(|evidence| evidence.moment),
        time: evidence.and_then(|evidence| evidence.time.clone()),
        driver: evidence.and_then(|evidence| evidence.driver.clone()),
        function: evidence.map(|evidence| evidence.function.clone()),
        text: evidence.map(|evidence| evidence.text.clone()),
        bug_check: stop.as_ref().map(bug_check),
        request: named.request,
        target: named.target,
        irp: named.irp,
        why: cause.why.iter().map(|text| fill(text)).collect(),
        target_state,
        locations,
        help,
        source: cause.source,
    }
}

/// What the line and the bug check name.
struct Named {
    request: Option<u64>,
    target: Option<u64>,
    irp: Option<u64>,
}

fn named_by(cause: &Cause, evidence: Option<&Evidence>, stop: Option<&StopFacts>) -> Named {
    let parameter = |at: usize| stop.and_then(|stop| stop.parameters[at]);
    let is_irp_stop = stop.is_some_and(|stop| matches!(stop.code, 0x35 | 0x44));
    let (request, irp) = match cause.id {
        "formatted-below-last-location" => (None, parameter(2)),
        "already-sent" | "no-irp" => (parameter(2), None),
        "memory-still-used" => (parameter(1), None),
        "about-to-run-out" => (None, parameter(1)),
        _ => (None, if is_irp_stop { parameter(0) } else { None }),
    };
    Named {
        request: evidence.and_then(|evidence| evidence.request).or(request),
        target: evidence.and_then(|evidence| evidence.target),
        irp: evidence.and_then(|evidence| evidence.irp).or(irp),
    }
}

/// The state that a target was in, in the words of this tool.
fn target_state(cause: &Cause, evidence: Option<&Evidence>, story: &Story) -> Option<String> {
    if cause.numbers != Numbers::TargetState {
        return None;
    }
    let evidence = evidence?;
    let shown = || evidence.target.and_then(|target| story.facts.target_states.get(&target));
    let said = evidence.target_state.as_ref().or_else(shown);
    if let Some(state) = said {
        let plain = state.trim_start_matches("WdfIoTarget");
        return Some(match plain {
            "ClosedForQueryRemove" => "closed for a query-remove".into(),
            other => other.to_ascii_lowercase(),
        });
    }
    let last = evidence.target_life.steps.back()?;
    Some(last.1.text().to_owned())
}

fn fill(text: &str, named: &Named, state: Option<&str>) -> String {
    let of = |value: Option<u64>| value.map_or_else(|| "<handle>".to_owned(), |value| format!("{value:#x}"));
    text.replace("{request}", &of(named.request))
        .replace("{target}", &of(named.target))
        .replace("{irp}", &of(named.irp))
        .replace("{state}", state.unwrap_or("neither started nor stopped"))
}

/// What the numbers say is to be done.
fn fixes(cause: &Cause, numbers: &Locations) -> Option<String> {
    if cause.id != "irp-too-small" {
        return None;
    }
    let (have, need) = (numbers.have.as_ref(), numbers.need.as_ref());
    // At the top of its stack a device gets IRPs as big as its own StackSize.
    let size = have.zip(numbers.stack_count).filter(|(have, count)| have.value + 1 == *count).map(|(_, count)| count);
    let least = if need.is_some_and(|need| need.at_least) { "at least " } else { "" };
    let set = "right after WdfDeviceCreate: WdfDeviceWdmGetDeviceObject(device)->StackSize +=";
    Some(match (numbers.raise_by, size, need) {
        (Some(more), Some(size), _) => {
            let new = size.saturating_add(more);
            format!("raise the forwarding device's StackSize by {least}{more} ({size} -> {new}) {set} {more}")
        }
        (Some(more), None, _) => format!("raise the forwarding device's StackSize by {least}{more} {set} {more}"),
        (None, _, Some(need)) => {
            let new = need.value.saturating_add(1);
            format!(
                "raise the StackSize of the forwarding device, if it is the top of its stack, to {least}{new} {set} the difference"
            )
        }
        (None, _, None) => format!(
            "raise the StackSize of the forwarding device, if it is the top of its stack, to the target's stack size + 1 {set} \
             the difference"
        ),
    })
}

fn bug_check(stop: &StopFacts) -> BugCheckSeen {
    BugCheckSeen {
        line: stop.line,
        code: format!("{:#x}", stop.code),
        parameters: stop.parameters.iter().map(|value| value.map(|value| format!("{value:#x}"))).collect(),
        image: stop.image.clone(),
    }
}

/// The failed requests, the first failures first; those that are still out; how many of these.
fn requests(story: &Story) -> (Vec<RequestStory>, Vec<RequestStory>, usize) {
    let line = |life: &Life| life.steps.front().map_or(0, |step| step.0.line);
    let live = story.requests.iter().map(|(request, life)| (*request, life));
    let done = story.done.iter().map(|(request, life)| (*request, life));
    let mut failed: Vec<(u64, &Life)> = live.clone().chain(done).filter(|(_, life)| life.failure.is_some()).collect();
    failed.sort_by_key(|(request, life)| (line(life), *request));
    let mut out: Vec<(u64, &Life)> = live.filter(|(_, life)| life.failure.is_none()).collect();
    out.sort_by_key(|(request, life)| (line(life), *request));
    let count = out.len();
    let told = |lives: Vec<(u64, &Life)>, most: usize| {
        lives.into_iter().take(most).map(|(request, life)| request_story(request, life)).collect()
    };
    (told(failed, STORIES), told(out, UNFINISHED), count)
}

fn request_story(request: u64, life: &Life) -> RequestStory {
    let steps = life.steps.iter().map(|&(at, step, status)| {
        let what = match status {
            Some(status) => format!("{}: {status}", step.text()),
            None => step.text().into_owned(),
        };
        StepSeen { at, what }
    });
    RequestStory {
        request,
        irp: life.irp,
        target: life.target,
        ioctl: life.ioctl.map(|code| format!("{code:#010x}")),
        holder: life.steps.back().map_or("unknown", |&(_, step, status)| step.holder(status)),
        steps: steps.collect(),
        left_out: life.left_out,
    }
}

fn targets(failures: &[Explained], story: &Story) -> Vec<TargetStory> {
    let mut named: Vec<u64> = failures.iter().filter_map(|failure| failure.target).collect();
    named.dedup();
    let tell = |target: u64| {
        let none = TargetLife::default();
        let life = story.targets.get(&target).unwrap_or(&none);
        let device = story.facts.target_devices.get(&target);
        TargetStory {
            target,
            failures: life.failures,
            device_driver: device.and_then(|device| story.facts.driver(*device)).map(str::to_owned),
            state: story.facts.target_states.get(&target).cloned(),
            steps: life.steps.iter().map(|&(at, step)| StepSeen { at, what: step.text().to_owned() }).collect(),
            left_out: life.left_out,
        }
    };
    let mut seen = Vec::new();
    named.retain(|target| {
        !seen.contains(target) && {
            seen.push(*target);
            true
        }
    });
    named.into_iter().take(TARGETS).map(tell).collect()
}
