//! Starting, stopping and purging a target.
//!
//! Source: S/targets/general/fxiotarget.cpp:282-340 (start), 562-760 (stop), 780-960 (purge).

use vbus_wdf::Handle;
use vbus_wdf::layer::{peek_body, sites, trace};
use vbus_wdm::constants::*;
use vbus_wdm::{IoStatus, Machine, NtStatus};

use crate::cancel::cancel_all;
use crate::complete::{fail_pended, resubmit_failed};
use crate::pend::drain;
use crate::send::{SendOptions, Submitted, submit};
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
        let driver = self.driver(m);
        let body = self.body(m);
        let deleted = body.state == TargetState::Deleted;
        let mut waiting = Vec::new();
        if !deleted {
            body.state = TargetState::Started;
            waiting = drain(m, self, true);
        }
        for request in waiting {
            let handle = request.object().handle();
            let irp = request.current_irp(m);
            let address = irp.map_or(0, |irp| irp.address());
            match submit(m, request, self, SendOptions::none(), false) {
                Ok(Submitted::Send(irp, device)) => {
                    trace(m, driver, &sites::PENDED_SENDING, [handle, address]);
                    // The first submission's reference; the second has its own.
                    request.release(m);
                    irp.call_driver(m, device);
                }
                Ok(Submitted::Queued) => request.release(m),
                Err(status) => {
                    trace(m, driver, &sites::PENDED_COMPLETING, [handle, address, status.0.into()]);
                    if let Some(irp) = irp {
                        m[irp].io_status = IoStatus { status, information: 0 };
                    }
                    resubmit_failed(m, request, self);
                }
            }
        }
        let result = if deleted { Err(STATUS_INVALID_DEVICE_STATE) } else { Ok(()) };
        trace(m, driver, &sites::TARGET_STARTED, [self.object().handle(), NtStatus::from(result).0.into()]);
        result
    }

    /// `WdfIoTargetStop`: requests that are sent from now on wait. A target that is closed only keeps its state; what
    /// is out is treated all the same.
    pub fn stop(self, m: &mut Machine, sent_io: SentIo) {
        let (driver, handle) = (self.driver(m), self.object().handle());
        let body = self.body(m);
        match body.state {
            TargetState::Started | TargetState::Purged => body.state = TargetState::Stopped,
            TargetState::Stopped => {}
            state => trace(m, driver, &sites::TARGET_STOP_STATE, [handle, state as u64]),
        }
        let body = self.body(m);
        let sent = body.sent.clone();
        body.waiting = sent_io != SentIo::LeavePending && !sent.is_empty();
        let wait = body.waiting;
        if sent_io == SentIo::Cancel {
            cancel_all(m, self, sent);
        }
        self.wait_for_sent(m, wait);
        trace(m, driver, &sites::TARGET_STOPPED, [handle]);
    }

    /// `WdfIoTargetPurge`: what waits is completed, what is out is cancelled, and nothing is accepted until the target
    /// is started. With `wait` it returns when everything is back.
    pub fn purge(self, m: &mut Machine, wait: bool) {
        let (driver, handle) = (self.driver(m), self.object().handle());
        let body = self.body(m);
        match body.state {
            TargetState::Started | TargetState::Stopped => body.state = TargetState::Purged,
            TargetState::Purged => {}
            state => trace(m, driver, &sites::TARGET_PURGE_STATE, [handle, state as u64]),
        }
        let waiting = drain(m, self, false);
        let body = self.body(m);
        let sent = body.sent.clone();
        body.waiting = wait && !sent.is_empty();
        let wait = body.waiting;
        for request in waiting {
            fail_pended(m, request, STATUS_WDF_DEVICE_REMOVED_NOT_SENT);
        }
        cancel_all(m, self, sent);
        self.wait_for_sent(m, wait);
        trace(m, driver, &sites::TARGET_PURGED, [handle]);
    }

    fn wait_for_sent(self, m: &mut Machine, wait: bool) {
        if wait {
            m.wait("the requests that are out at a target that is stopped or purged", move |m| {
                peek_body::<TargetBody>(m, self.object()).is_none_or(|body| body.sent.is_empty())
            });
            self.body(m).waiting = false;
        }
    }
}
