//! WDF_REQUEST_SEND_OPTIONS.
//!
//! Source: S/inc/private/common/fxrequestvalidatefunctions.hpp:14-100.

use vbus_wdf::Driver;
use vbus_wdf::layer::{sites, trace};
use vbus_wdm::constants::*;
use vbus_wdm::{Machine, NtStatus, Ticks};

use crate::addresses;

/// What a send is to do besides sending. The structure of a driver that gives none is that of [`SendOptions::none`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SendOptions {
    flags: u32,
    timeout: Timeout,
}

/// WDF_REQUEST_SEND_OPTIONS.Timeout.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Timeout {
    #[default]
    None,
    /// A negative value: from the send on.
    After(Ticks),
    /// A positive value: at this time.
    At(Ticks),
}

const TIMEOUT: u32 = 1;
const SYNCHRONOUS: u32 = 2;
const IGNORE_TARGET_STATE: u32 = 4;
const SEND_AND_FORGET: u32 = 8;
const VALID_FLAGS: u32 = TIMEOUT | SYNCHRONOUS | IGNORE_TARGET_STATE | SEND_AND_FORGET;

impl SendOptions {
    /// Asynchronous.
    pub const fn none() -> SendOptions {
        SendOptions { flags: 0, timeout: Timeout::None }
    }

    /// SYNCHRONOUS: the call returns when the request is complete. Its completion routine is called all the same.
    pub const fn synchronous() -> SendOptions {
        SendOptions::none().and_synchronous()
    }

    /// SEND_AND_FORGET: the IRP goes on its way and the framework forgets it. The target's state and stack size are
    /// not looked at. Goes with no other option.
    pub const fn send_and_forget() -> SendOptions {
        SendOptions::none().and_send_and_forget()
    }

    /// Adds SYNCHRONOUS.
    pub const fn and_synchronous(self) -> SendOptions {
        self.with_flags(SYNCHRONOUS)
    }

    /// Adds SEND_AND_FORGET, which no other option goes with: such a send is refused.
    pub const fn and_send_and_forget(self) -> SendOptions {
        self.with_flags(SEND_AND_FORGET)
    }

    /// Adds IGNORE_TARGET_STATE: sent even if the target is stopped or purged.
    pub const fn ignoring_target_state(self) -> SendOptions {
        self.with_flags(IGNORE_TARGET_STATE)
    }

    /// Adds TIMEOUT, with WDF_REL_TIMEOUT: cancelled when it is not back after this span. Zero is no time-out.
    pub const fn with_timeout(mut self, after: Ticks) -> SendOptions {
        self.timeout = Timeout::After(after);
        self.with_flags(TIMEOUT)
    }

    /// Adds TIMEOUT, with WDF_ABS_TIMEOUT: cancelled when it is not back at this time of the machine's clock. A driver
    /// that forgets the sign of its span asks for a time that is long over.
    pub const fn with_deadline(mut self, at: Ticks) -> SendOptions {
        self.timeout = Timeout::At(at);
        self.with_flags(TIMEOUT)
    }

    /// Adds these bits of Flags. Those of user-mode drivers, and unknown ones, are refused.
    pub const fn with_flags(mut self, flags: u32) -> SendOptions {
        self.flags |= flags;
        self
    }

    /// Whether the sender waits as long as it may take.
    #[inline]
    pub(crate) const fn waits_without_limit(self) -> bool {
        self.is_synchronous() && matches!(self.timeout, Timeout::None)
    }

    /// Without TIMEOUT.
    pub(crate) const fn without_timeout(mut self) -> SendOptions {
        self.timeout = Timeout::None;
        self
    }

    pub(crate) const fn is_synchronous(self) -> bool {
        self.flags & SYNCHRONOUS != 0
    }

    /// Whether SEND_AND_FORGET is set.
    pub const fn forgets(self) -> bool {
        self.flags & SEND_AND_FORGET != 0
    }

    pub(crate) const fn ignores_target_state(self) -> bool {
        self.flags & IGNORE_TARGET_STATE != 0
    }

    /// How long the request may take from now on.
    pub(crate) fn limit(self, m: &Machine) -> Option<Ticks> {
        match self.timeout {
            Timeout::None | Timeout::After(Ticks(0)) | Timeout::At(Ticks(0)) => None,
            Timeout::After(span) => Some(span),
            Timeout::At(time) => Some(Ticks(time.0.saturating_sub(m.now().0))),
        }
    }

    /// FxValidateRequestOptions.
    ///
    /// # Errors
    /// STATUS_INVALID_PARAMETER for unknown flags, and for SEND_AND_FORGET with another one.
    pub(crate) fn validate(self, m: &mut Machine, driver: Driver) -> Result<(), NtStatus> {
        let (on_stack, flags) = (addresses::parameter(0), u64::from(self.flags));
        if self.flags & !VALID_FLAGS != 0 {
            trace(m, driver, &sites::OPTIONS_FLAGS, [on_stack, flags, VALID_FLAGS.into()]);
        } else if self.forgets() && self.flags != SEND_AND_FORGET {
            trace(m, driver, &sites::SEND_OPTIONS, [on_stack, SEND_AND_FORGET.into(), flags]);
        } else {
            return Ok(());
        }
        Err(STATUS_INVALID_PARAMETER)
    }
}
