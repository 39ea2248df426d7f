//! What is kept of a request and of a target: their first and their last steps.

use std::collections::VecDeque;

use serde::Serialize;
use vbus_wdm::NtStatus;

use super::steps::{Step, TargetStep};

/// As many steps of one life are kept.
const STEPS: usize = 16;

/// A place in the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Moment {
    /// The line.
    pub line: u64,
    /// The record's number, where the layout prints it.
    pub sequence: Option<u64>,
}

/// A request.
#[derive(Clone, Default, Debug)]
pub(in crate::explain) struct Life {
    pub(in crate::explain) steps: VecDeque<(Moment, Step, Option<NtStatus>)>,
    /// Steps between the first and the others that are not kept.
    pub(in crate::explain) left_out: u64,
    pub(in crate::explain) target: Option<u64>,
    pub(in crate::explain) irp: Option<u64>,
    pub(in crate::explain) ioctl: Option<u32>,
    /// The cause of its first failure.
    pub(in crate::explain) failure: Option<&'static str>,
}

impl Life {
    pub(super) fn step(&mut self, moment: Moment, step: Step, status: Option<NtStatus>) {
        if self.steps.len() == STEPS {
            self.steps.remove(1);
            self.left_out += 1;
        }
        self.steps.push_back((moment, step, status));
    }
}

/// A target.
#[derive(Clone, Default, Debug)]
pub(in crate::explain) struct TargetLife {
    pub(in crate::explain) steps: VecDeque<(Moment, TargetStep)>,
    pub(in crate::explain) left_out: u64,
    /// Lines that told of a failure with it.
    pub(in crate::explain) failures: u64,
}

impl TargetLife {
    pub(super) fn step(&mut self, moment: Moment, step: TargetStep) {
        // One close writes several lines.
        if let Some((_, last)) = self.steps.back()
            && (*last == step || (last.is_closed() && step == TargetStep::Closed))
        {
            return;
        }
        if self.steps.len() == STEPS {
            self.steps.remove(1);
            self.left_out += 1;
        }
        self.steps.push_back((moment, step));
    }
}
