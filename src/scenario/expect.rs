//! `expect`: what must be so after a step.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::is_default;
use super::target::ExpectedTarget;
use super::value::{Bytes, Status, Word};

/// What must be so after a step. What is not named may be anything, but for the status: it is a success.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// What the program sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// It may be any status.
    #[serde(skip_serializing_if = "is_default")]
    pub any_status: bool,
    /// The bytes that came back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Bytes>,
    /// Information: how many bytes the driver said that there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub information: Option<u64>,
    /// Lines that the step leaves in the drivers' logs, in this order, others between them; each is a part of a line.
    #[serde(skip_serializing_if = "is_default")]
    pub log: Vec<String>,
    /// What no line of the step may contain.
    #[serde(skip_serializing_if = "is_default")]
    pub no_log: Vec<String>,
    /// Drivers that are called with the step's IRPs, in this order, others between them, with the stack location that
    /// is theirs.
    #[serde(skip_serializing_if = "is_default")]
    pub stack_locations: Vec<Location>,
    /// The states of readers' targets.
    #[serde(skip_serializing_if = "is_default")]
    pub target: Vec<ExpectedTarget>,
    /// The machine stops with a bug check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bug_check: Option<BugCheck>,
    /// Somebody waits for what can never come, and this is part of what it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hang: Option<String>,
    /// Windows is undefined from here on, and this is part of the rule that was broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undefined: Option<String>,
    /// How often the framework verifier breaks into the debugger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debugger_breaks: Option<usize>,
}

/// A driver that is called with an IRP.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// The driver.
    pub driver: String,
    /// CurrentLocation of the IRP when it is called.
    pub location: i8,
}

/// A bug check.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BugCheck {
    /// The stop code.
    pub code: Word,
    /// The first of its parameters; later ones may be left out.
    #[serde(default, skip_serializing_if = "is_default")]
    pub parameters: Vec<Word>,
}

impl Expect {
    /// Whether the machine is expected to stop.
    pub(crate) fn stops(&self) -> bool {
        self.bug_check.is_some() || self.hang.is_some() || self.undefined.is_some()
    }
}
