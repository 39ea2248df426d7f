//! WdfRequestProbeAndLockUserBufferForRead and ForWrite: a program's own pages, for as long as the request lasts.
//!
//! Source: S/core/fxrequestapi.cpp:2700-2890; S/core/km/fxrequestkm.cpp:595-890. What needs memory to be short, or the
//! program's pages to be gone, does not happen here.

use vbus_wdm::constants::*;
use vbus_wdm::{Machine, NtStatus, Span};

use super::{Memory, Request};
use crate::framework::trace;
use crate::object::Handle;
use crate::trace::{Site, sites};
use crate::verifier::{debug_break, passive_level, required};

/// The lines of one of the two calls.
struct Lines {
    ddi: &'static str,
    failed: &'static Site,
    empty: &'static Site,
    no_irp: &'static Site,
}

static FOR_READ: Lines = Lines {
    ddi: "WdfRequestProbeAndLockUserBufferForRead",
    failed: &sites::PROBE_READ_FAILED,
    empty: &sites::PROBE_READ_EMPTY,
    no_irp: &sites::PROBE_READ_NO_IRP,
};
static FOR_WRITE: Lines = Lines {
    ddi: "WdfRequestProbeAndLockUserBufferForWrite",
    failed: &sites::PROBE_WRITE_FAILED,
    empty: &sites::PROBE_WRITE_EMPTY,
    no_irp: &sites::PROBE_WRITE_NO_IRP,
};

impl Request {
    /// `WdfRequestProbeAndLockUserBufferForRead`: locks what [`Request::unsafe_user_input_buffer`] gave. The memory is
    /// the request's child and goes with it. No pointer is bug check 0x10D/4.
    ///
    /// # Errors
    /// STATUS_INVALID_USER_BUFFER for no length, STATUS_INVALID_DEVICE_REQUEST for a request without an IRP; under the
    /// verifier also for one that the driver does not own, and above PASSIVE_LEVEL.
    pub fn probe_and_lock_for_read(self, m: &mut Machine, buffer: impl Into<Option<Span>>) -> Result<Memory, NtStatus> {
        self.probe_and_lock(m, buffer.into(), &FOR_READ)
    }

    /// `WdfRequestProbeAndLockUserBufferForWrite`: the same for [`Request::unsafe_user_output_buffer`].
    ///
    /// # Errors
    /// As [`Request::probe_and_lock_for_read`].
    pub fn probe_and_lock_for_write(
        self,
        m: &mut Machine,
        buffer: impl Into<Option<Span>>,
    ) -> Result<Memory, NtStatus> {
        self.probe_and_lock(m, buffer.into(), &FOR_WRITE)
    }

    fn probe_and_lock(self, m: &mut Machine, buffer: Option<Span>, lines: &'static Lines) -> Result<Memory, NtStatus> {
        let driver = self.driver(m);
        let buffer = required(m, driver, buffer.filter(|buffer| !buffer.is_null()), lines.ddi);
        if !passive_level(m, self) {
            return Err(STATUS_INVALID_DEVICE_REQUEST);
        }
        self.verify_owned(m)?;
        let refused = if buffer.is_empty() {
            let status = STATUS_INVALID_USER_BUFFER;
            trace(m, driver, lines.empty, [status.0.into()]);
            Some(status)
        } else if self.current_irp(m).is_none() {
            let status = STATUS_INVALID_DEVICE_REQUEST;
            trace(m, driver, lines.no_irp, [self.0.handle(), status.0.into()]);
            debug_break(m, driver);
            Some(status)
        } else {
            None
        };
        if let Some(status) = refused {
            trace(m, driver, lines.failed, [status.0.into()]);
            return Err(status);
        }
        Memory::locked(m, self, buffer)
    }
}
