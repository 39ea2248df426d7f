//! WDFSPINLOCK.
//!
//! Source: S/support/fxspinlock.cpp, S/support/fxspinlockapi.cpp.

use vbus_wdm::{Irql, Machine, NtStatus, Stop};

use crate::compliance::{self, Act, comply};
use crate::driver::Driver;
use crate::framework::trace;
use crate::object::{Allowed, Attributes, Class, Handle, create_general, general_handle, peek_body};
use crate::trace::sites;
use crate::verifier;

static SPIN_LOCK: Class = Class { bytes: 368, ..Class::new(0x1024) };

general_handle! {
    /// A WDFSPINLOCK. Whoever holds it is at DISPATCH_LEVEL.
    SpinLock is SPIN_LOCK as SpinLock
}

#[derive(Default)]
struct Body {
    held: bool,
    /// The thread that took it last.
    holder: u64,
    /// The level that its last holder came from, and goes back to.
    previous: Irql,
}

impl SpinLock {
    /// `WdfSpinLockCreate`. Its parent is `attributes`' or the driver.
    ///
    /// # Errors
    /// STATUS_WDF_EXECUTION_LEVEL_INVALID and STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID for attributes with those,
    /// STATUS_DELETE_PENDING for a parent that is being deleted.
    pub fn create(m: &mut Machine, driver: Driver, attributes: Attributes) -> Result<SpinLock, NtStatus> {
        attributes.validate(m, driver, Allowed::Neither)?;
        if attributes.parent_object().is_none() {
            comply(m, driver, Act::CreateLock, "WdfSpinLockCreate");
        }
        create_general(m, driver, &SPIN_LOCK, Body::default(), driver, attributes).map(SpinLock)
    }

    /// `WdfSpinLockAcquire`: raises the level to DISPATCH_LEVEL. Taking it twice hangs the processor.
    pub fn acquire(self, m: &mut Machine) {
        m.boundary("WdfSpinLockAcquire");
        let (irql, thread) = (m.irql(), m.current_thread());
        let body = self.body(m);
        if body.held && body.holder == thread {
            m.stop(Stop::Hang { waiting_for: "a spin lock that the same thread holds" });
        }
        if body.held {
            m.wait("a spin lock", move |m| peek_body::<Body>(m, self.0).is_none_or(|body| !body.held));
        }
        *self.body(m) = Body { held: true, holder: thread, previous: irql };
        let driver = self.driver(m);
        compliance::holds_spin_lock(m, driver, true);
        m.set_irql(Irql::Dispatch);
    }

    /// `WdfSpinLockRelease`: goes back to the level at which the lock was taken, whatever else is held: two locks that
    /// are not released in the opposite order leave the level wrong. One that nobody holds is bug check 0x10D/0xB under
    /// the verifier.
    pub fn release(self, m: &mut Machine) {
        m.boundary("WdfSpinLockRelease");
        let driver = self.driver(m);
        let body = self.body(m);
        let (held, previous) = (std::mem::replace(&mut body.held, false), body.previous);
        if !held && driver.verifier_on(m) {
            let thread = m.current_thread();
            trace(m, driver, &sites::SPIN_LOCK_NOT_HELD, [self.0.handle(), thread]);
            verifier::wdf_violation(m, Some(driver), 0xB, [self.0.handle(), 1], "WdfSpinLockRelease");
        }
        compliance::holds_spin_lock(m, driver, false);
        m.set_irql(previous);
    }
}
