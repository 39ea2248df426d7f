//! What the framework verifier makes of a request before a call touches it.
//!
//! Source: S/core/fxrequest.cpp:2606-2645, 2784-2935.

use vbus_wdm::constants::*;
use vbus_wdm::{Machine, NtStatus};

use super::{Request, RequestBody};
use crate::framework::trace;
use crate::object::Handle;
use crate::trace::{Site, sites};
use crate::verifier::debug_break;

impl RequestBody {
    /// A queue gave it to its driver, and the driver did not give it back.
    #[inline]
    pub(super) fn is_driver_owned(&self) -> bool {
        self.queue.is_some() && !self.waiting
    }
}

impl Request {
    /// The error line and the debugger break of a call that may not be made now. `Ok` where the verifier is off: the
    /// framework then goes on without a look.
    #[cold]
    pub(super) fn refused_by_verifier(self, m: &mut Machine, site: &'static Site) -> Result<(), NtStatus> {
        let driver = self.driver(m);
        if driver.verifier_on(m) {
            return self.refused(m, site);
        }
        Ok(())
    }

    /// As [`Request::refused_by_verifier`], whether the verifier is on or not.
    #[cold]
    fn refused(self, m: &mut Machine, site: &'static Site) -> Result<(), NtStatus> {
        let (driver, status) = (self.driver(m), STATUS_INVALID_DEVICE_REQUEST);
        trace(m, driver, site, [self.0.handle(), status.0.into()]);
        debug_break(m, driver);
        Err(status)
    }

    /// Only what a queue presented can be made cancelable.
    pub(super) fn require_queue(self, m: &mut Machine, site: &'static Site) -> Result<(), NtStatus> {
        if self.body(m).queue.is_some() { Ok(()) } else { self.refused(m, site) }
    }

    pub(super) fn verify_cancelable(self, m: &mut Machine) -> Result<(), NtStatus> {
        if self.body(m).cancelable { Ok(()) } else { self.refused_by_verifier(m, &sites::REQUEST_NOT_CANCELABLE) }
    }

    /// Whether EvtIoStop runs for it. The verifier says where it does not.
    pub(super) fn is_in_io_stop(self, m: &mut Machine) -> bool {
        let in_io_stop = self.body(m).in_io_stop;
        if !in_io_stop {
            // Only the line and the break matter: the call does nothing either way.
            _ = self.refused_by_verifier(m, &sites::REQUEST_NOT_IN_IO_STOP);
        }
        in_io_stop
    }
}
