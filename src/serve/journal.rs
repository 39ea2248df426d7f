//! The trace log: every request with its APDU, its status, and what it left in the drivers' logs.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use vbus_bus::ReaderId;
use vbus_wdm::NtStatus;

use super::order::Order;
use crate::run::Stage;

/// Writes the trace log.
pub(super) struct Journal {
    out: Box<dyn Write>,
    /// How far the drivers' logs are written down.
    marks: Vec<u32>,
    /// What looking at a reader gave last: looking again and seeing the same is not written down.
    seen: BTreeMap<ReaderId, (NtStatus, Vec<u8>)>,
    failed: bool,
}

impl Journal {
    pub(super) fn new(out: Box<dyn Write>, stage: &Stage<'_>) -> Journal {
        Journal { out, marks: stage.log_marks(), seen: BTreeMap::new(), failed: false }
    }

    pub(super) fn sent(&mut self, stage: &Stage<'_>, at: Duration, reader: ReaderId, order: &Order) {
        if !order.is_look() {
            self.drivers(stage);
            self.line(&format!("{} reader {} <- {order}", moment(at), reader.0));
        }
    }

    pub(super) fn answered(
        &mut self,
        stage: &Stage<'_>,
        at: Duration,
        reader: ReaderId,
        order: &Order,
        status: NtStatus,
        output: &[u8],
    ) {
        if order.is_look() {
            let seen = (status, output.to_vec());
            if self.seen.insert(reader, seen.clone()) == Some(seen) {
                return self.marks = stage.log_marks();
            }
        }
        self.drivers(stage);
        let what = if order.is_look() { "GET_STATE " } else { "" };
        self.line(&format!("{} reader {} -> {what}{status} {}", moment(at), reader.0, order.shown(output)));
        self.flush();
    }

    fn drivers(&mut self, stage: &Stage<'_>) {
        for (driver, line) in stage.log_since(&self.marks) {
            self.line(&format!("             {driver:<8}{line}"));
        }
        self.marks = stage.log_marks();
    }

    fn line(&mut self, line: &str) {
        if !self.failed && writeln!(self.out, "{}", line.trim_end()).is_err() {
            // A full disk is no reason to take the readers away.
            self.failed = true;
            eprintln!("warning: the trace log cannot be written any more");
        }
    }

    pub(super) fn flush(&mut self) {
        self.failed |= self.out.flush().is_err();
    }
}

fn moment(at: Duration) -> String {
    format!("{:5}.{:06}", at.as_secs(), at.subsec_micros())
}
