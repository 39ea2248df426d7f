//! WDFWAITLOCK.
//!
//! Source: S/inc/private/common/fxwaitlock.hpp, S/support/fxwaitlockapi.cpp.

use vbus_wdm::constants::*;
use vbus_wdm::{Machine, NtStatus, Ticks};

use crate::compliance::{Act, comply};
use crate::driver::Driver;
use crate::object::{Allowed, Attributes, Class, create_general, general_handle, peek_body};
use crate::verifier;

static WAIT_LOCK: Class = Class { bytes: 128, ..Class::new(0x1023) };

general_handle! {
    /// A WDFWAITLOCK, for code at PASSIVE_LEVEL.
    WaitLock is WAIT_LOCK as WaitLock
}

#[derive(Default)]
struct Body {
    held: bool,
}

impl WaitLock {
    /// `WdfWaitLockCreate`. Its parent is `attributes`' or the driver.
    ///
    /// # Errors
    /// STATUS_WDF_EXECUTION_LEVEL_INVALID and STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID for attributes with those,
    /// STATUS_DELETE_PENDING for a parent that is being deleted.
    pub fn create(m: &mut Machine, driver: Driver, attributes: Attributes) -> Result<WaitLock, NtStatus> {
        attributes.validate(m, driver, Allowed::Neither)?;
        if attributes.parent_object().is_none() {
            comply(m, driver, Act::CreateLock, "WdfWaitLockCreate");
        }
        create_general(m, driver, &WAIT_LOCK, Body::default(), driver, attributes).map(WaitLock)
    }

    /// `WdfWaitLockAcquire` without a time-out. A thread that holds the lock waits for itself: that is a hang.
    ///
    /// # Errors
    /// STATUS_INVALID_DEVICE_REQUEST above PASSIVE_LEVEL under the verifier, and the lock is not taken.
    pub fn acquire(self, m: &mut Machine) -> Result<(), NtStatus> {
        m.boundary("WdfWaitLockAcquire");
        if !verifier::passive_level(m, self) {
            return Err(STATUS_INVALID_DEVICE_REQUEST);
        }
        m.wait("a wait lock", move |m| self.is_free(m));
        self.body(m).held = true;
        Ok(())
    }

    /// `WdfWaitLockAcquire` with a time-out; one of 0 only tries, which is allowed up to DISPATCH_LEVEL.
    ///
    /// # Errors
    /// STATUS_TIMEOUT (a success code in Windows) if the lock could not be had in that time, and as
    /// [`WaitLock::acquire`].
    pub fn acquire_within(self, m: &mut Machine, limit: Ticks) -> Result<(), NtStatus> {
        m.boundary("WdfWaitLockAcquire");
        if limit > Ticks(0) && !verifier::passive_level(m, self) {
            return Err(STATUS_INVALID_DEVICE_REQUEST);
        }
        let free = match limit {
            Ticks(0) => self.is_free(m),
            limit => m.wait_at_most(limit, move |m| self.is_free(m)),
        };
        if !free {
            return Err(STATUS_TIMEOUT);
        }
        self.body(m).held = true;
        Ok(())
    }

    /// `WdfWaitLockRelease`. Nobody checks whether the lock was held.
    pub fn release(self, m: &mut Machine) {
        m.boundary("WdfWaitLockRelease");
        self.body(m).held = false;
    }

    fn is_free(self, m: &Machine) -> bool {
        peek_body::<Body>(m, self.0).is_none_or(|body| !body.held)
    }
}
