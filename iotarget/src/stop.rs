//! Starting, stopping and purging a target.
//!
//! Source: S/targets/general/fxiotarget.cpp:156-340 (start), 562-760 (stop), 780-960 (purge).

use vbus_wdf::layer::{debug_break, passive_level, peek_body, sites, trace};
use vbus_wdf::{Handle, Request};
use vbus_wdm::constants::*;
use vbus_wdm::{Irql, Machine, NtStatus};

use crate::cancel::{cancel_all, take_sent};
use crate::complete::{fail_pended, resubmit_failed};
use crate::options::SendOptions;
use crate::pend::drain;
use crate::submit::{Submitted, submit};
use crate::target::{IoTarget, TargetBody, TargetState};

/// WDF_IO_TARGET_SENT_IO_ACTION: what a stop does with the requests that are out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SentIo {
    /// Cancels them, and waits until they are back.
    Cancel,
    /// Waits until they are back.
    WaitForCompletion,
    /// Leaves them.
    LeavePending,
}

impl IoTarget {
    /// `WdfIoTargetStart`: what waited is sent, in order, without the timers it had. On a target that is closed it
    /// changes the state all the same.
    ///
    /// # Errors
    /// STATUS_INVALID_DEVICE_STATE for a target that is being deleted.
    pub fn start(self, m: &mut Machine) -> Result<(), NtStatus> {
        m.boundary("WdfIoTargetStart");
        let driver = self.body(m).driver;
        let started = self.wait_until_startable(m).then(|| enter_started(m, self));
        let result = if started.is_some() { Ok(()) } else { Err(STATUS_INVALID_DEVICE_STATE) };
        submit_pended(m, self, started.unwrap_or_default());
        trace(m, driver, &sites::TARGET_STARTED, [self.object().handle(), NtStatus::from(result).0.into()]);
        result
    }

    /// GotoStartState: while another thread stops the target, this one waits for it. Returns false for a target that is
    /// being deleted.
    fn wait_until_startable(self, m: &mut Machine) -> bool {
        loop {
            let body = self.body(m);
            let (driver, waiting) = (body.driver, body.waiting);
            if body.state == TargetState::Deleted {
                return false;
            }
            if !waiting {
                return true;
            }
            trace(m, driver, &sites::START_WHILE_STOPPING, [self.object().handle()]);
            if m.irql() > Irql::Passive && driver.verifier_on(m) {
                debug_break(m, driver);
            }
            wait_for_sent(m, self, "another thread's stop of a target that is started");
        }
    }

    /// `WdfIoTargetStop`: requests that are sent from now on wait. A target that is closed only keeps its state; what
    /// is out is treated all the same. Under the verifier a stop that may wait does nothing above PASSIVE_LEVEL.
    pub fn stop(self, m: &mut Machine, sent_io: SentIo) {
        m.boundary("WdfIoTargetStop");
        let (driver, handle) = (self.body(m).driver, self.object().handle());
        if sent_io != SentIo::LeavePending && !passive_level(m, self) {
            return;
        }
        let body = self.body(m);
        match body.state {
            TargetState::Started | TargetState::Purged => body.state = TargetState::Stopped,
            TargetState::Stopped => {}
            state => trace(m, driver, &sites::TARGET_STOP_STATE, [handle, state as u64]),
        }
        let body = self.body(m);
        let (nothing_out, already) = (body.sent.is_empty(), body.waiting);
        let mut cancelled = Vec::new();
        let waits = match sent_io {
            SentIo::LeavePending => false,
            _ if nothing_out => {
                if already {
                    trace(m, driver, &sites::STOP_WHILE_STOPPING, [handle]);
                }
                already
            }
            SentIo::Cancel => {
                cancelled = take_sent(m, self, |body| &body.sent);
                true
            }
            SentIo::WaitForCompletion => true,
        };
        let body = self.body(m);
        body.waiting = waits;
        body.sent_event.set_to(!waits);
        cancel_all(m, cancelled);
        self.finish_stop(m, waits);
        trace(m, driver, &sites::TARGET_STOPPED, [handle]);
    }

    /// `WdfIoTargetPurge`: what waits is completed, what is out is cancelled, and nothing is accepted until the target
    /// is started. With `wait` (WdfIoTargetPurgeIoAndWait) it returns when everything is back; under the verifier that
    /// does nothing above PASSIVE_LEVEL.
    pub fn purge(self, m: &mut Machine, wait: bool) {
        m.boundary("WdfIoTargetPurge");
        let (driver, handle) = (self.body(m).driver, self.object().handle());
        if wait && !passive_level(m, self) {
            return;
        }
        let body = self.body(m);
        match body.state {
            TargetState::Started | TargetState::Stopped => body.state = TargetState::Purged,
            TargetState::Purged => {}
            state => trace(m, driver, &sites::TARGET_PURGE_STATE, [handle, state as u64]),
        }
        let pended = drain(m, self, false);
        let sent = take_sent(m, self, |body| &body.sent);
        let already = self.body(m).waiting;
        let waits = wait && (!sent.is_empty() || already);
        if wait && sent.is_empty() && already {
            trace(m, driver, &sites::PURGE_WHILE_PURGING, [handle]);
            debug_break(m, driver);
        }
        let body = self.body(m);
        body.waiting = waits;
        body.sent_event.set_to(!waits);
        for request in pended {
            fail_pended(m, request, STATUS_WDF_DEVICE_REMOVED_NOT_SENT);
        }
        cancel_all(m, sent);
        self.finish_stop(m, waits);
        trace(m, driver, &sites::TARGET_PURGED, [handle]);
    }

    fn finish_stop(self, m: &mut Machine, waits: bool) {
        if waits {
            wait_for_sent(m, self, "the requests that are out at a target that is stopped or purged");
            self.body(m).waiting = false;
        }
    }
}

/// The target is started. Returns what waited, to be sent.
pub(crate) fn enter_started(m: &mut Machine, target: IoTarget) -> Vec<Request> {
    let body = target.body(m);
    body.state = TargetState::Started;
    body.waiting = false;
    body.sent_event.set_to(false);
    drain(m, target, true)
}

/// SubmitPendedRequests: each as if it were sent now.
pub(crate) fn submit_pended(m: &mut Machine, target: IoTarget, waiting: Vec<Request>) {
    for request in waiting {
        let driver = target.body(m).driver;
        let handle = request.object().handle();
        let irp = request.current_irp(m);
        let address = irp.map_or(0, |irp| irp.address());
        match submit(m, request, target, SendOptions::none()) {
            Ok(submitted) => {
                if let Submitted::Send(irp) = submitted {
                    trace(m, driver, &sites::PENDED_SENDING, [handle, address]);
                    target.send_irp(m, irp);
                }
                // The second submission has a count and a reference of its own.
                target.request_done(m);
                request.release(m);
            }
            Err(status) => {
                trace(m, driver, &sites::PENDED_COMPLETING, [handle, address, status.0.into()]);
                if let Some(irp) = irp {
                    m[irp].io_status.information = 0;
                }
                resubmit_failed(m, request, target);
            }
        }
    }
}

/// WaitForSentIoToComplete.
pub(crate) fn wait_for_sent(m: &mut Machine, target: IoTarget, waiting_for: &'static str) {
    let sets = target.body(m).sent_event.sets;
    let done = move |m: &Machine| {
        let event = peek_body::<TargetBody>(m, target.object()).map(|body| body.sent_event);
        event.is_none_or(|event| event.signalled || event.sets != sets)
    };
    if !done(m) {
        require_passive(m);
        m.wait(waiting_for, done);
    }
}

/// Nobody waits at DISPATCH_LEVEL. Without the verifier no call looks first.
pub(crate) fn require_passive(m: &Machine) {
    if m.irql() > Irql::Passive {
        m.undefined("KeWaitForSingleObject", "a call that has to wait for requests is made at PASSIVE_LEVEL");
    }
}
