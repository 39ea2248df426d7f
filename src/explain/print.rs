//! The answer for people: like a compiler's errors, in 80 columns, with ANSI styles that the command line strips
//! where they are not wanted.

use std::fmt::{self, Formatter};

use serde::Serializer;

use super::explanation::{Explained, Explanation, Input, RequestStory, StepSeen, TargetStory};
use super::layout::Layout;
use super::numbers::{Known, Locations};
use super::story::Moment;
use crate::style::{BOLD, DIM, GREEN, PLAIN, RED};

/// The terminal's width.
const COLUMNS: usize = 80;
/// As many failures are explained at length; of the others there is a line.
const EXPLAINED: usize = 6;

/// `0x0000307e6a7ed198`, in JSON.
pub(super) fn address<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{value:#018x}"))
}

/// The same, or null.
pub(super) fn addresses<S: Serializer>(value: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => address(value, serializer),
        None => serializer.serialize_none(),
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_input(f, &self.input)?;
        if self.is_empty() {
            return write_nothing(f);
        }
        if self.failures.is_empty() {
            writeln!(f, "\nno failure in what was read")?;
        }
        for (at, failure) in self.failures.iter().take(EXPLAINED).enumerate() {
            writeln!(f)?;
            if at == 0 && self.failures.iter().filter(|failure| !failure.is_note).count() > 1 {
                writeln!(f, "{BOLD}the first failure:{PLAIN}")?;
            }
            write_failure(f, failure)?;
        }
        for failure in self.failures.iter().skip(EXPLAINED) {
            paragraph(f, "also: ", &format!("{} ({} times)", failure.title, failure.count), 2)?;
        }
        // One step is the failure's own, which is told above.
        for request in self.requests.iter().filter(|request| request.steps.len() > 1) {
            writeln!(f)?;
            write_request(f, request)?;
        }
        for target in self.targets.iter().filter(|target| !target.steps.is_empty() || target.device_driver.is_some()) {
            writeln!(f)?;
            write_target(f, target)?;
        }
        write_unfinished(f, self)
    }
}

fn write_input(f: &mut Formatter<'_>, input: &Input) -> fmt::Result {
    let layouts: Vec<&str> = input.layouts.iter().map(|layout| layout_name(*layout)).collect();
    let mut text = format!("{}: {}", count(input.lines, "line"), count(input.records, "log record"));
    if !layouts.is_empty() {
        text += &format!(" ({})", layouts.join(", "));
    }
    if input.unknown_records > 0 {
        text += &format!(", {} of them with a message that vbus does not know", input.unknown_records);
    }
    text += &format!("; {} not understood", count(input.unknown_lines, "other line"));
    paragraph(f, DIM, &text, 0)?;
    if let Some(first) = input.begins_at {
        paragraph(
            f,
            DIM,
            &format!(
                "the log begins at record {first}: what came before is not in this text, or was overwritten (LogPages makes it longer)"
            ),
            0,
        )?;
    }
    if input.missing_records > 0 {
        paragraph(f, DIM, &format!("{} missing between others", count(input.missing_records, "record")), 0)?;
    }
    if input.cut_off {
        paragraph(f, DIM, "the text ends inside a log: its end mark is missing", 0)?;
    }
    if input.not_followed > 0 {
        let text = format!(
            "{} of requests or targets beyond the {} that are followed at a time",
            count(input.not_followed, "line"),
            super::story::FOLLOWED
        );
        paragraph(f, DIM, &text, 0)?;
    }
    Ok(())
}

fn layout_name(layout: Layout) -> &'static str {
    match layout {
        Layout::Plain => "plain",
        Layout::Dated => "with times",
        Layout::Leveled => "with levels",
        Layout::Tracefmt => "tracefmt",
        Layout::Run => "of vbus run",
    }
}

fn write_nothing(f: &mut Formatter<'_>) -> fmt::Result {
    writeln!(f, "\n{RED}error{PLAIN}{BOLD}: nothing in this text that a framework's log or a debugger prints{PLAIN}")?;
    let help = "paste what one of these prints: !wdfkd.wdflogdump <driver>, !wdfkd.wdfcrashdump, !analyze -v, !irp, !devstack, \
                !wdfkd.wdfiotarget";
    write_help(f, help)
}

fn write_failure(f: &mut Formatter<'_>, failure: &Explained) -> fmt::Result {
    let (style, word) = if failure.is_note { (BOLD, "note") } else { (RED, "error") };
    let what = match (&failure.status, &failure.bug_check) {
        (Some(name), _) if !name.starts_with("0x") => {
            format!(
                "{name} ({}): ",
                failure
                    .status_code
                    .as_deref()
                    .unwrap_or_default()
                    .replace("0xc", "0xC")
                    .to_uppercase()
                    .replace("0X", "0x")
            )
        }
        (Some(code), _) => format!("{code}: "),
        (None, Some(stop)) => format!("bug check {}: ", stop.code.to_uppercase().replace("0X", "0x")),
        (None, None) => String::new(),
    };
    paragraph(f, &format!("{style}{word}{PLAIN}{BOLD}: "), &format!("{what}{}", failure.title), 2)?;
    write_evidence(f, failure)?;
    if failure.is_note {
        return failure.help.iter().try_for_each(|fix| write_help(f, fix));
    }
    if let Some(numbers) = &failure.locations {
        write_locations(f, numbers)?;
    }
    if let Some(state) = &failure.target_state {
        paragraph(f, "  the target: ", state, 4)?;
    }
    paragraph(f, "  reported by: ", failure.call, 4)?;
    if failure.verifier_only {
        paragraph(f, "  ", "only a verifier finds this; without one the request goes on", 4)?;
    }
    for reason in &failure.why {
        paragraph(f, "  - ", reason, 4)?;
    }
    failure.help.iter().try_for_each(|fix| write_help(f, fix))?;
    paragraph(f, DIM, &format!("  rule: {}", failure.source), 2)
}

fn write_help(f: &mut Formatter<'_>, fix: &str) -> fmt::Result {
    paragraph(f, &format!("{GREEN}help{PLAIN}: "), fix, 2)
}

fn write_evidence(f: &mut Formatter<'_>, failure: &Explained) -> fmt::Result {
    if let (Some(place), Some(function), Some(text)) = (failure.place, &failure.function, &failure.text) {
        let of = failure.driver.as_ref().map_or(String::new(), |driver| format!(" of {driver}'s log"));
        let often = if failure.count > 1 { format!(", the first of {}", failure.count) } else { String::new() };
        let time = failure.time.as_ref().map_or(String::new(), |time| format!(" at {time}"));
        paragraph(f, "  --> ", &format!("{}{of}{time}: {function}{often}", moment(place)), 6)?;
        paragraph(f, "    | ", text, 6)?;
    }
    if let Some(stop) = &failure.bug_check {
        let parameters: Vec<&str> = stop.parameters.iter().map(|value| value.as_deref().unwrap_or("?")).collect();
        let image = stop.image.as_ref().map_or(String::new(), |image| format!(", {image}"));
        paragraph(
            f,
            "  --> ",
            &format!("line {}: bug check {} ({}){image}", stop.line, stop.code, parameters.join(", ")),
            6,
        )?;
    }
    Ok(())
}

fn write_locations(f: &mut Formatter<'_>, numbers: &Locations) -> fmt::Result {
    let number =
        |known: &Known| if known.at_least { format!("at least {}", known.value) } else { known.value.to_string() };
    if let Some(have) = &numbers.have {
        let of = numbers.stack_count.map_or(String::new(), |count| format!(", of an IRP with {count}"));
        let left = if have.value == 1 { "stack location is" } else { "stack locations are" };
        let text = format!("{} {left} left for lower drivers{of} ({})", number(have), have.from);
        paragraph(f, "  have: ", &text, 4)?;
    }
    if let Some(need) = &numbers.need {
        let stack = &numbers.target_stack;
        let stack = if stack.is_empty() { String::new() } else { format!(", {}", stack.join(" <- ")) };
        paragraph(f, "  need: ", &format!("{} for the target{stack} ({})", number(need), need.from), 4)?;
    }
    if let (Some(have), Some(need)) = (&numbers.have, &numbers.need) {
        let (sign, verdict) = if have.value >= need.value { (">=", "enough") } else { ("<", "too few") };
        paragraph(f, "  so:   ", &format!("{} {sign} {}: {verdict}", have.value, need.value), 4)?;
    }
    for missing in &numbers.missing {
        paragraph(f, "  ask: ", &format!("{}: {}", missing.what, missing.commands.join("; then ")), 4)?;
    }
    Ok(())
}

fn write_request(f: &mut Formatter<'_>, story: &RequestStory) -> fmt::Result {
    let mut title = format!("request {:016X}", story.request);
    if let Some(target) = story.target {
        title += &format!(" for target {target:016X}");
    }
    if let Some(ioctl) = &story.ioctl {
        title += &format!(", IOCTL {ioctl}");
    }
    paragraph(f, BOLD, &title, 2)?;
    write_steps(f, &story.steps, story.left_out)
}

fn write_target(f: &mut Formatter<'_>, story: &TargetStory) -> fmt::Result {
    let mut title = format!("target {:016X}", story.target);
    if let Some(driver) = &story.device_driver {
        title += &format!(" on a device of {driver}");
    }
    if let Some(state) = &story.state {
        title += &format!(", {state}");
    }
    paragraph(f, BOLD, &title, 2)?;
    write_steps(f, &story.steps, story.left_out)
}

fn write_steps(f: &mut Formatter<'_>, steps: &[StepSeen], left_out: u64) -> fmt::Result {
    for (at, step) in steps.iter().enumerate() {
        paragraph(f, &format!("  {:<24}", moment(step.at)), &step.what, 26)?;
        if at == 0 && left_out > 0 {
            writeln!(f, "  {:<24}({left_out} more)", "")?;
        }
    }
    Ok(())
}

fn write_unfinished(f: &mut Formatter<'_>, explanation: &Explanation) -> fmt::Result {
    if explanation.unfinished_count == 0 {
        return Ok(());
    }
    let requests = count(explanation.unfinished_count as u64, "request");
    let title = format!("not done when the text ended: {requests}");
    writeln!(f)?;
    paragraph(f, BOLD, &title, 2)?;
    for story in &explanation.unfinished {
        let last = story.steps.last().map_or(String::new(), |step| format!(", since {}", moment(step.at)));
        paragraph(f, &format!("  {:016X}  ", story.request), &format!("{}{last}", story.holder), 20)?;
    }
    Ok(())
}

fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn moment(at: Moment) -> String {
    match at.sequence {
        Some(sequence) => format!("line {}, record {sequence}", at.line),
        None => format!("line {}", at.line),
    }
}

/// Text behind a label, wrapped at words, its other lines indented. Styles in the label do not count; what is bold
/// or dim ends with the paragraph.
fn paragraph(f: &mut Formatter<'_>, label: &str, text: &str, indent: usize) -> fmt::Result {
    write!(f, "{label}")?;
    let mut column = anstream::adapter::strip_str(label).to_string().chars().count();
    for (at, word) in text.split(' ').enumerate() {
        let width = word.chars().count();
        if at > 0 && column + 1 + width > COLUMNS {
            write!(f, "\n{:indent$}{word}", "")?;
            column = indent + width;
        } else {
            let space = if at > 0 { " " } else { "" };
            write!(f, "{space}{word}")?;
            column += space.len() + width;
        }
    }
    let is_open = label.contains(BOLD) || label.contains(DIM);
    writeln!(f, "{}", if is_open { PLAIN } else { "" })
}
