//! The model's logs, dressed as the debugger and tracefmt print them.

use vbus::explain::{Explanation, explain};
use vbus::wdf::{Driver, Level, LogLine};
use vbus::wdm::{BugCheck, Machine};

/// How a log is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dress {
    Plain,
    Padded,
    Dated,
    Leveled,
    Tracefmt,
    /// tracefmt without functions: only the source file's name and line.
    Nameless,
}

pub const DRESSES: [Dress; 6] =
    [Dress::Plain, Dress::Padded, Dress::Dated, Dress::Leveled, Dress::Tracefmt, Dress::Nameless];

pub fn line(line: &LogLine, dress: Dress) -> String {
    let LogLine { sequence, level, function, message, .. } = line;
    let message = message.trim_end();
    let time = format!("11/24/2026-19:33:{:02}.{:03}", sequence / 1000 % 60, sequence % 1000);
    let level = match level {
        Level::Fatal => "TRACE_LEVEL_FATAL",
        Level::Error => "TRACE_LEVEL_ERROR",
        Level::Warning => "TRACE_LEVEL_WARNING",
        Level::Information => "TRACE_LEVEL_INFORMATION",
        Level::Verbose => "TRACE_LEVEL_VERBOSE",
    };
    match dress {
        Dress::Plain => format!("{sequence}: {function} - {message}"),
        Dress::Padded => format!("{sequence:>7}: {function} - {message}"),
        Dress::Dated => format!("{sequence}: {time} {function} - {message}"),
        Dress::Leveled => format!("[0]1a2c {level} {function}:{message}"),
        Dress::Tracefmt => format!("[0]0004.1A2C::{time} [{function}]{message}"),
        Dress::Nameless => format!("[0]0004.1A2C::{time} [fxsource_cpp{sequence}]{message}"),
    }
}

/// A driver's whole log, with what the debugger prints around it.
pub fn log(m: &Machine, driver: Driver, name: &str, dress: Dress) -> String {
    let lines = driver.log(m);
    let head = format!(
        "0: kd> !wdfkd.wdflogdump {name}\n\
         Trace searchpath is:\n\n\
         Trace format prefix is: %7!u!: %!FUNC! -\n\
         Gather log: Please wait, this may take a moment (reading 4032 bytes).\n\
         % read so far ... 10, 20, 30, 40, 50, 60, 70, 80, 90, 100\n\
         There are {} log entries\n\
         --- start of log ---\n",
        lines.len()
    );
    let body: String = lines.iter().map(|record| line(record, dress) + "\n").collect();
    head + &body + "---- end of log ----\n"
}

/// A bug check as `!analyze -v` prints it, without what it says in words.
pub fn analysis(check: &BugCheck) -> String {
    let [a, b, c, d] = check.parameters;
    format!(
        "0: kd> !analyze -v\n\
         *******************************************************************************\n\
         *                                                                             *\n\
         *                        Bugcheck Analysis                                    *\n\
         *                                                                             *\n\
         *******************************************************************************\n\n\
         {} ({:x})\n\
         Arguments:\n\
         Arg1: {a:016x}, ...\n\
         Arg2: {b:016x}, ...\n\
         Arg3: {c:016x}, ...\n\
         Arg4: {d:016x}, ...\n\n\
         Debugging Details:\n\
         ------------------\n\n\
         IMAGE_NAME:  sender.sys\n",
        check.name(),
        check.code
    )
}

/// The explanation of a text.
pub fn of(text: &str) -> Explanation {
    explain(text.as_bytes()).unwrap()
}

/// The same as people read it, without styles.
pub fn told(text: &str) -> String {
    anstream::adapter::strip_str(&of(text).to_string()).to_string()
}

/// The causes of its failures, in order.
pub fn causes(text: &str) -> Vec<&'static str> {
    of(text).failures.iter().map(|failure| failure.cause).collect()
}
