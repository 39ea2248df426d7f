//! The layouts in which the framework's log is printed: what stands before a message.
//!
//! The prefix is the user's choice (TRACE_FORMAT_PREFIX), so there are as many layouts as habits. These are the ones
//! that the debugger's own output and people's reports show. Source: `!wdfkd.wdflogdump`, `!wdfkd.wdfsettraceprefix` and
//! tracefmt in the debugger's and the driver kit's documents.

mod dated;
mod leveled;
mod plain;
mod run;
mod tracefmt;

use std::ops::Range;

use serde::Serialize;
use vbus_wdf::Level;

/// How a log is printed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// `347: FxIoTargetFormatIoctl - enter: …`, the debugger's own.
    Plain,
    /// The same with a date and time behind the number.
    Dated,
    /// `[0]1A2C TRACE_LEVEL_ERROR FxRequestBase::ValidateTarget:…`: processor and thread, level, function.
    Leveled,
    /// `[0]0004.1A2C::11/24/2026-19:33:02.123 [FxRequestBase::ValidateTarget]…`: what tracefmt prints.
    Tracefmt,
    /// `vbus: 347: FxIoTargetFormatIoctl - enter: …`: what `vbus run` prints.
    Run,
}

/// What stands before a record's message, as places in its text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Head {
    pub(super) layout: Layout,
    pub(super) sequence: Option<u64>,
    /// Whose log it is. Empty where the layout does not print it.
    pub(super) driver: Range<usize>,
    /// Empty where the layout does not print it.
    pub(super) function: Range<usize>,
    pub(super) time: Range<usize>,
    pub(super) level: Option<Level>,
    /// Where the message begins.
    pub(super) message: usize,
}

/// The head of a line that begins a record.
pub(super) fn head(line: &str) -> Option<Head> {
    match line.trim_ascii_start().as_bytes().first()? {
        b'0'..=b'9' => plain::head(line).or_else(|| dated::head(line)),
        b'a'..=b'z' | b'A'..=b'Z' => run::head(line),
        b'[' => leveled::head(line).or_else(|| tracefmt::head(line)),
        _ => None,
    }
}

/// Whether a line that is no record's begin may become one when its next line is joined: the function's name was cut.
pub(super) fn may_become_head(line: &str) -> bool {
    let mut at = Cursor::new(line);
    at.spaces();
    if at.take("[") {
        return at.digits().is_some_and(|cpu| cpu < 4096) && at.take("]");
    }
    at.digits().is_some() && at.take(": ") && !line[at.place..].contains('>')
}

/// A place in a line.
struct Cursor<'l> {
    line: &'l str,
    place: usize,
}

impl<'l> Cursor<'l> {
    fn new(line: &'l str) -> Cursor<'l> {
        Cursor { line, place: 0 }
    }

    fn rest(&self) -> &'l str {
        &self.line[self.place..]
    }

    fn spaces(&mut self) {
        self.while_(|byte| byte == b' ' || byte == b'\t');
    }

    /// Passes over `text`, if it is there.
    fn take(&mut self, text: &str) -> bool {
        let there = self.rest().starts_with(text);
        self.place += if there { text.len() } else { 0 };
        there
    }

    /// Passes over bytes for as long as they are `wanted`, all of them ASCII.
    fn while_(&mut self, wanted: fn(u8) -> bool) -> Range<usize> {
        let start = self.place;
        self.place += self.rest().bytes().take_while(|&byte| byte.is_ascii() && wanted(byte)).count();
        start..self.place
    }

    fn digits(&mut self) -> Option<u64> {
        let digits = self.while_(|byte| byte.is_ascii_digit());
        self.line[digits].parse().ok()
    }

    fn hex(&mut self) -> Option<Range<usize>> {
        let digits = self.while_(|byte| byte.is_ascii_hexdigit());
        (!digits.is_empty()).then_some(digits)
    }

    /// A compiler's name of a function: `FxIoTarget::Vf_VerifySubmitLocked`, `FxObject::~FxObject`. A single colon ends it.
    fn function(&mut self) -> Option<Range<usize>> {
        let start = self.place;
        loop {
            self.while_(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'~' | b'<' | b'>'));
            if !self.take("::") {
                break;
            }
        }
        let is_name = self.line[start..].starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
        (is_name && self.place > start).then_some(start..self.place)
    }

    /// `11/24/2026-19:33:02.123` and what else tells a time: digits with `/`, `-`, `:`, `.` or a `T` between, with a colon.
    fn time(&mut self) -> Option<Range<usize>> {
        let start = self.place;
        let word = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'/' | b'-' | b':' | b'.' | b'T');
        let mut time = self.while_(word);
        // A date and a time, apart.
        let date = &self.line[time.clone()];
        if !date.contains(':') && date.contains(['/', '-']) && self.take(" ") {
            time.end = self.while_(word).end;
        }
        let is_time = self.line[time.clone()].matches(':').count() >= 2 && self.line[start..].starts_with(is_digit);
        if !is_time {
            self.place = start;
        }
        is_time.then_some(time)
    }

    fn level(&mut self) -> Option<Level> {
        let start = self.place;
        let word = self.while_(|byte| byte.is_ascii_uppercase() || byte == b'_');
        let levels = [
            ("TRACE_LEVEL_CRITICAL", Level::Fatal),
            ("TRACE_LEVEL_FATAL", Level::Fatal),
            ("TRACE_LEVEL_ERROR", Level::Error),
            ("TRACE_LEVEL_WARNING", Level::Warning),
            ("TRACE_LEVEL_INFORMATION", Level::Information),
            ("TRACE_LEVEL_VERBOSE", Level::Verbose),
        ];
        let level = levels.into_iter().find(|(name, _)| *name == &self.line[word.clone()]).map(|(_, level)| level);
        if level.is_none() {
            self.place = start;
        }
        level
    }
}

fn is_digit(letter: char) -> bool {
    letter.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Layout, sequence, function, time, level, message.
    type Parts<'l> = (Layout, Option<u64>, &'l str, &'l str, Option<Level>, &'l str);

    fn parts(line: &str) -> Option<Parts<'_>> {
        let Head { layout, sequence, function, time, level, message, .. } = head(line)?;
        Some((layout, sequence, &line[function], &line[time], level, &line[message..]))
    }

    #[test]
    fn every_layout_gives_the_same_record() {
        let of = "FxRequestBase::ValidateTarget";
        let time = "11/24/2026-19:33:02.123";
        let error = Some(Level::Error);
        for (line, expected) in [
            ("347: FxRequestBase::ValidateTarget - a: b", (Layout::Plain, Some(347), of, "", None, "a: b")),
            ("    347: FxRequestBase::ValidateTarget - a: b", (Layout::Plain, Some(347), of, "", None, "a: b")),
            ("   vbus: 347: FxRequestBase::ValidateTarget - a: b", (Layout::Run, Some(347), of, "", None, "a: b")),
            (
                "347: 11/24/2026-19:33:02.123 FxRequestBase::ValidateTarget - a: b",
                (Layout::Dated, Some(347), of, time, None, "a: b"),
            ),
            (
                "[0]1A2C TRACE_LEVEL_ERROR FxRequestBase::ValidateTarget:a: b",
                (Layout::Leveled, None, of, "", error, "a: b"),
            ),
            (
                "[1]0004.1A2C::11/24/2026-19:33:02.123 [FxRequestBase::ValidateTarget]a: b",
                (Layout::Tracefmt, None, of, time, None, "a: b"),
            ),
            (
                "[1]0004.1A2C::11/24/2026-19:33:02.123 [Wdf01000]FxRequestBase::ValidateTarget - a: b",
                (Layout::Tracefmt, None, of, time, None, "a: b"),
            ),
            (
                "[1]0004.1A2C::11/24/2026-19:33:02.123 [fxrequestbase_cpp364]a: b",
                (Layout::Tracefmt, None, "", time, None, "a: b"),
            ),
        ] {
            assert_eq!(parts(line), Some(expected), "{line}");
        }
    }

    #[test]
    fn other_text_is_no_record() {
        for line in [
            "",
            "0: kd> !wdfkd.wdflogdump vbus",
            "12: not a record",
            "note: 12: not a record",
            "see line 12: Some::Where - it says",
            "[0x1] something",
            "% read so far ... 10, 20",
            "347:",
            "[0]",
            "01 (Inline Function) --------`-------- Wdf01000!Mx::MxBugCheckEx",
        ] {
            assert_eq!(head(line), None, "{line}");
        }
    }
}
