//! How a machine ends: values, not panics.

use std::fmt;

/// Why a machine stopped. The process goes on; the machine does not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stop {
    /// `KeBugCheckEx` was called.
    BugCheck(BugCheck),
    /// The current code waits and nothing that could wake it is left: no DPC, work item or timer.
    Hang {
        /// What it waits for.
        waiting_for: &'static str,
    },
    /// The real system would run on with undefined behaviour here.
    Undefined {
        /// The DDI in which it happened.
        ddi: &'static str,
        /// The rule that was broken.
        rule: &'static str,
    },
    /// An ordinary panic of driver or test code unwound through the machine and left it as it was at that moment. The
    /// panic itself went on to the caller.
    Panicked,
}

/// A bug check with all that a debugger would show of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BugCheck {
    /// The stop code.
    pub code: u32,
    /// Its four parameters.
    pub parameters: [u64; 4],
    /// The DDI that raised it.
    pub ddi: &'static str,
    /// The driver whose call raised it, where that is known.
    pub driver: Option<String>,
    /// That driver's trace log, newest line last.
    pub log: Vec<String>,
}

impl BugCheck {
    /// The symbolic name of the stop code, where the model raises it.
    ///
    /// Source: Windows debugger documentation, bug check code reference.
    pub fn name(&self) -> &'static str {
        match self.code {
            0x35 => "NO_MORE_IRP_STACK_LOCATIONS",
            0x44 => "MULTIPLE_IRP_COMPLETE_REQUESTS",
            0x48 => "CANCEL_STATE_IN_COMPLETED_IRP",
            0x9F => "DRIVER_POWER_STATE_FAILURE",
            0xC4 => "DRIVER_VERIFIER_DETECTED_VIOLATION",
            0xC9 => "DRIVER_VERIFIER_IOMANAGER_VIOLATION",
            0xCA => "PNP_DETECTED_FATAL_ERROR",
            0x10D => "WDF_VIOLATION",
            _ => "UNNAMED_BUG_CHECK",
        }
    }
}

impl fmt::Display for BugCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.parameters;
        write!(f, "bug check 0x{:X} {} ({a:x}, {b:x}, {c:x}, {d:x}) in {}", self.code, self.name(), self.ddi)?;
        match &self.driver {
            Some(driver) => write!(f, ", driver {driver}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::BugCheck(check) => check.fmt(f),
            Stop::Hang { waiting_for } => {
                write!(f, "hang: waiting for {waiting_for}, and nothing is left that could end the wait")
            }
            Stop::Undefined { ddi, rule } => write!(f, "undefined behaviour in {ddi}: {rule}"),
            Stop::Panicked => write!(f, "a panic went through the machine earlier; make a new one"),
        }
    }
}

impl std::error::Error for Stop {}
