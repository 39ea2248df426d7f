//! The trace log: every request with its APDU, its status, and what it left in the drivers' logs.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use vbus_bus::ReaderId;
use vbus_wdm::NtStatus;

use super::order::Order;
use crate::setup::VirtualBus;
use crate::trace::Trace;

/// Writes the trace log.
pub(super) struct Journal {
    out: Box<dyn Write>,
    trace: Trace,
    /// What looking at a reader gave last: looking again and seeing the same is not written down.
    seen: BTreeMap<ReaderId, (NtStatus, Vec<u8>)>,
    failed: bool,
}

impl Journal {
    pub(super) fn new(out: Box<dyn Write>, vbus: &VirtualBus) -> Journal {
        Journal { out, trace: Trace::new(vbus), seen: BTreeMap::new(), failed: false }
    }

    pub(super) fn sent(&mut self, vbus: &VirtualBus, at: Duration, reader: ReaderId, order: &Order) {
        if !order.is_look() {
            self.drivers(vbus);
            self.line(&format!("{} reader {} <- {order}", moment(at), reader.0));
        }
    }

    pub(super) fn answered(
        &mut self,
        vbus: &VirtualBus,
        at: Duration,
        reader: ReaderId,
        order: &Order,
        status: NtStatus,
        output: &[u8],
    ) {
        if order.is_look() {
            let seen = (status, output.to_vec());
            if self.seen.insert(reader, seen.clone()) == Some(seen) {
                return self.trace.skip(vbus);
            }
        }
        self.drivers(vbus);
        let what = if order.is_look() { "GET_STATE " } else { "" };
        self.line(&format!("{} reader {} -> {what}{status} {}", moment(at), reader.0, order.shown(output)));
        self.flush();
    }

    fn drivers(&mut self, vbus: &VirtualBus) {
        for line in self.trace.lines(vbus) {
            self.line(&format!("             {line}"));
        }
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
