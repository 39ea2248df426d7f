//! From lines to records: finds where records begin, and joins what a terminal or a mail program wrapped.

use std::sync::LazyLock;

use vbus_wdf::Level;

use super::layout::{self, Head, Layout};
use super::template::{Argument, Fit, Role, Template, Templates};

/// Shorter lines than this were not wrapped by anything but their writer.
const WRAPPED: usize = 70;
/// No record is longer: 256 bytes of arguments, and the text around them.
const LONGEST_RECORD: usize = 4096;

/// A record of a log.
pub(super) struct Record<'a> {
    /// The number of its first line.
    pub(super) line: u64,
    pub(super) layout: Layout,
    pub(super) sequence: Option<u64>,
    /// Whose log it is, where the line says so.
    pub(super) driver: &'a str,
    pub(super) function: &'a str,
    pub(super) time: &'a str,
    /// As printed, or as the framework's source has it.
    pub(super) level: Option<Level>,
    /// What made it, where that is known.
    pub(super) template: Option<&'a Template>,
    pub(super) message: &'a str,
    arguments: &'a [Argument],
}

impl<'a> Record<'a> {
    /// Its first argument of this kind, as text.
    pub(super) fn text(&self, role: Role) -> Option<&'a str> {
        let argument = self.arguments.iter().find(|argument| argument.role == role)?;
        self.message.get(argument.place.clone())
    }

    /// Its first argument of this kind, as a number.
    pub(super) fn number(&self, role: Role) -> Option<u64> {
        let text = self.text(role)?;
        match role {
            Role::Have | Role::Need => text.parse().ok(),
            _ => u64::from_str_radix(text, 16).ok(),
        }
    }
}

/// Who takes what is found.
pub(super) trait Sink {
    /// A record.
    fn record(&mut self, record: &Record<'_>);
    /// A line of anything else.
    fn other(&mut self, line: u64, text: &str);
}

/// A message that is cut off behind this many letters is still known, if it can become only one.
const ENOUGH: usize = 24;

/// What waits for its next line.
#[derive(Default)]
struct Pending {
    line: u64,
    text: String,
    /// None: it may become a head.
    head: Option<Head>,
    fit: Option<Fit>,
    /// How long its last line was.
    width: usize,
}

/// A table that never changes.
static TEMPLATES: LazyLock<Templates> = LazyLock::new(Templates::new);

/// Joins lines. Keeps one record.
pub(super) struct Assembler {
    templates: &'static Templates,
    pending: Option<Pending>,
    /// A spare to take the place of [`Assembler::pending`] without a new allocation.
    spare: String,
    arguments: Vec<Argument>,
}

impl Assembler {
    pub(super) fn new() -> Assembler {
        Assembler { templates: &TEMPLATES, pending: None, spare: String::new(), arguments: Vec::new() }
    }

    /// Takes the next line.
    pub(super) fn line(&mut self, number: u64, line: &str, sink: &mut impl Sink) {
        if let Some(head) = layout::head(line) {
            self.finish(sink);
            return self.begin(number, line, Some(head));
        }
        if self.pending.is_some() && self.join(line) {
            return;
        }
        self.finish(sink);
        if line.len() >= WRAPPED && layout::may_become_head(line) {
            return self.begin(number, line, None);
        }
        sink.other(number, line);
    }

    fn begin(&mut self, line: u64, text: &str, head: Option<Head>) {
        let mut own = std::mem::take(&mut self.spare);
        own.clear();
        own.push_str(text);
        self.pending = Some(Pending { line, text: own, head, fit: None, width: text.len() });
    }

    /// Whether `line` is the rest of the pending record, which it then has become.
    fn join(&mut self, line: &str) -> bool {
        let Some(pending) = &mut self.pending else { return false };
        if begins_something(line) || pending.text.len() + line.len() > LONGEST_RECORD {
            return false;
        }
        let fit = match pending.fit {
            Some(fit) => fit,
            None => fit_of(self.templates, &pending.text, pending.head.as_ref(), &mut self.arguments),
        };
        let before = pending.text.len();
        pending.text.push_str(line);
        let head = pending.head.clone().or_else(|| layout::head(&pending.text));
        let joined = fit_of(self.templates, &pending.text, head.as_ref(), &mut self.arguments);
        let belongs = match (fit, joined) {
            (Fit::Begins, Fit::Begins | Fit::Whole) => true,
            (Fit::Whole, Fit::Begins | Fit::Whole) => pending.width >= WRAPPED,
            // A record that nobody here can read is as long as a terminal is wide.
            (Fit::Not, _) => pending.width >= 79 && !self.templates.knows(&pending.text[function(head.as_ref())]),
            _ => false,
        };
        if belongs {
            (pending.head, pending.fit, pending.width) = (head, Some(joined), line.len());
        } else {
            (pending.fit, _) = (Some(fit), pending.text.truncate(before));
        }
        belongs
    }

    /// Gives up waiting for more: what is pending is all there is.
    pub(super) fn finish(&mut self, sink: &mut impl Sink) {
        let Some(pending) = self.pending.take() else { return };
        match &pending.head {
            None => sink.other(pending.line, &pending.text),
            Some(head) => {
                let (function, message) = (&pending.text[head.function.clone()], &pending.text[head.message..]);
                let (fit, template) = self.templates.find(function, message, &mut self.arguments);
                let template = template.filter(|_| fit == Fit::Whole || message.len() >= ENOUGH);
                sink.record(&Record {
                    line: pending.line,
                    layout: head.layout,
                    sequence: head.sequence,
                    driver: &pending.text[head.driver.clone()],
                    function: template.map_or(function, |template| template.site.function),
                    time: &pending.text[head.time.clone()],
                    level: head.level.or(template.map(|template| template.site.level)),
                    template,
                    message,
                    arguments: &self.arguments,
                });
            }
        }
        self.spare = pending.text;
    }
}

fn function(head: Option<&Head>) -> std::ops::Range<usize> {
    head.map_or(0..0, |head| head.function.clone())
}

fn fit_of(templates: &Templates, text: &str, head: Option<&Head>, arguments: &mut Vec<Argument>) -> Fit {
    match head {
        // A head that is cut in its function begins like any.
        None => Fit::Begins,
        Some(head) => templates.find(&text[head.function.clone()], &text[head.message..], arguments).0,
    }
}

/// What is certainly no rest of a record: nothing, a mark, a debugger's prompt.
fn begins_something(line: &str) -> bool {
    let text = line.trim();
    text.is_empty() || text.starts_with("---") || prompt(line).is_some()
}

/// What was typed behind a debugger's prompt: `0: kd> !irp …`, `lkd> …`, `0:001> …`.
pub(super) fn prompt(line: &str) -> Option<&str> {
    let (before, command) = line.split_once('>')?;
    let before = before.trim();
    let is_prompt = before.ends_with("kd")
        || before.split_once(':').is_some_and(|(process, thread)| {
            let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            is_number(process) && is_number(thread)
        });
    (before.len() <= 16 && is_prompt).then(|| command.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Seen(Vec<String>);

    impl Sink for Seen {
        fn record(&mut self, record: &Record<'_>) {
            let known = if record.template.is_some() { "known" } else { "unknown" };
            self.0.push(format!("{} {known} {} {}", record.line, record.function, record.message));
        }

        fn other(&mut self, line: u64, text: &str) {
            self.0.push(format!("{line} other {text}"));
        }
    }

    fn read(text: &str) -> Vec<String> {
        let (mut assembler, mut seen) = (Assembler::new(), Seen::default());
        for (at, line) in text.lines().enumerate() {
            assembler.line(at as u64 + 1, line, &mut seen);
        }
        assembler.finish(&mut seen);
        seen.0
    }

    fn wrapped(text: &str, columns: usize) -> String {
        let lines = text.lines().flat_map(|line| {
            let bytes = line.as_bytes().chunks(columns);
            bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()).collect::<Vec<_>>()
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    const LOG: &str = "\
1: FxIFRStart - FxIFR logging started
2: FxIoTargetFormatIoctl - enter: WDFIOTARGET 0x0000307E7136DC48, WDFREQUEST 0x0000307E6A7ED198, IOCTL 0x55ff9c0e, internal 1, input WDFMEMORY 0x0000307E6A7ED0C1, output WDFMEMORY 0x0000307E6A7ED0B1
3: FxRequestBase::ValidateTarget - Cannot reallocate PIRP for WDFREQUEST 0000307E6A7ED198 using WDFIOTARGET 0000307E7136DC48, 0xc00000d0(STATUS_REQUEST_NOT_ACCEPTED)
---- end of log ----
kd> q";

    #[test]
    fn a_wrapped_log_is_the_same_log() {
        let plain = read(LOG);
        assert_eq!(plain.len(), 5, "{plain:#?}");
        let without_lines = |seen: Vec<String>| -> Vec<String> {
            seen.into_iter().map(|text| text.split_once(' ').unwrap().1.to_owned()).collect()
        };
        for columns in [72, 79, 80, 100, 120, 132] {
            assert_eq!(without_lines(read(&wrapped(LOG, columns))), without_lines(plain.clone()), "{columns} columns");
        }
    }

    #[test]
    fn a_line_that_is_no_rest_is_not_joined() {
        let seen = read("1: FxIFRStart - FxIFR logging started\nsomething else\n2: Somebody::Else - text\nmore");
        let expected = [
            "1 known FxIFRStart FxIFR logging started",
            "2 other something else",
            "3 unknown Somebody::Else text",
            "4 other more",
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn prompts_are_told_from_text() {
        assert_eq!(prompt("0: kd> !irp 1"), Some("!irp 1"));
        assert_eq!(prompt("lkd>"), Some(""));
        assert_eq!(prompt("0:001> k"), Some("k"));
        assert_eq!(prompt("> ffffe000d2b2e060  \\Driver\\vreader"), None);
        assert_eq!(prompt(">[IRP_MJ_DEVICE_CONTROL(e), N/A(0)]"), None);
    }
}
