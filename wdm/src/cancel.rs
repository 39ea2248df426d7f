//! Cancellation: one flag, one routine, one exchange, under one lock.

use crate::device::DeviceObject;
use crate::irp::Irp;
use crate::machine::Machine;
use crate::observe::Step;
use crate::schedule::Irql;
use crate::stop::Stop;

/// A cancel routine. It is called with the current location's device, at DISPATCH_LEVEL with the cancel spin lock held. It
/// gives the lock back first ([`Irp::release_cancel_spin_lock`]) and completes the IRP with STATUS_CANCELLED.
///
/// Source: Windows driver documentation, DRIVER_CANCEL and "Implementing a Cancel Routine".
pub type CancelRoutine = fn(&mut Machine, Option<DeviceObject>, Irp);

impl Machine {
    /// `IoAcquireCancelSpinLock`: to DISPATCH_LEVEL. Returns the level before. Whoever has the lock and asks for it again
    /// waits for ever.
    ///
    /// Source: Windows driver documentation, IoAcquireCancelSpinLock.
    pub fn acquire_cancel_spin_lock(&mut self) -> Irql {
        self.limit_irql("IoAcquireCancelSpinLock");
        if self.cancel_lock_held && self.has_processors() {
            self.wait("the cancel spin lock", |m| !m.cancel_lock_held);
        }
        if self.cancel_lock_held {
            self.stop(Stop::Hang { waiting_for: "the cancel spin lock, which this processor holds" });
        }
        self.cancel_lock_held = true;
        let level = self.irql();
        self.set_irql(level.max(Irql::Dispatch));
        level
    }

    /// `IoReleaseCancelSpinLock`.
    pub fn release_cancel_spin_lock(&mut self, level: Irql) {
        if !self.cancel_lock_held {
            self.undefined("IoReleaseCancelSpinLock", "a spin lock is released by whoever acquired it");
        }
        self.cancel_lock_held = false;
        self.set_irql(level);
    }
}

impl Irp {
    /// `IoReleaseCancelSpinLock(Irp->CancelIrql)`: what a cancel routine begins with. From here on other processors may
    /// have the IRP in their hands, too.
    ///
    /// Source: Windows driver documentation, IoReleaseCancelSpinLock; "Implementing a Cancel Routine".
    pub fn release_cancel_spin_lock(self, m: &mut Machine) {
        self.leave_cancel_spin_lock(m);
        m.boundary("IoReleaseCancelSpinLock");
    }

    /// As [`Irp::release_cancel_spin_lock`], for a layer that goes on under a lock of its own.
    pub fn leave_cancel_spin_lock(self, m: &mut Machine) {
        let level = m[self].cancel_irql;
        m.release_cancel_spin_lock(level);
    }

    /// `IoSetCancelRoutine`: an exchange. Setting a routine on an IRP that is cancelled already does not call it:
    /// look at `cancel` afterwards.
    ///
    /// Source: Windows driver documentation, IoSetCancelRoutine.
    #[inline]
    pub fn set_cancel_routine(self, m: &mut Machine, routine: Option<CancelRoutine>) -> Option<CancelRoutine> {
        m.boundary("IoSetCancelRoutine");
        self.exchange_cancel_routine(m, routine)
    }

    /// The exchange itself, for a layer that makes it under a lock of its own.
    #[inline]
    pub fn exchange_cancel_routine(self, m: &mut Machine, routine: Option<CancelRoutine>) -> Option<CancelRoutine> {
        if m.watched && routine.is_some() {
            self.check_cancel_routine(m);
        }
        std::mem::replace(&mut m[self].cancel_routine, routine)
    }

    /// Whether a cancel routine is set.
    pub fn has_cancel_routine(self, m: &mut Machine) -> bool {
        m[self].cancel_routine.is_some()
    }

    /// `IoCancelIrp`: sets the flag and calls the routine if there is one, with the cancel spin lock held. Returns whether
    /// there was. A routine that keeps the lock is where the machine stops.
    ///
    /// Bug check 0x48 for a routine still set on a completed IRP.
    ///
    /// Source: Windows driver documentation, IoCancelIrp and bug check 0x48.
    pub fn cancel(self, m: &mut Machine) -> bool {
        m.limit_irql("IoCancelIrp");
        m.boundary("IoCancelIrp");
        self.cancel_now(m)
    }

    /// What `IoCancelIrp` does, for whoever comes from another DDI.
    pub(crate) fn cancel_now(self, m: &mut Machine) -> bool {
        let level = m.acquire_cancel_spin_lock();
        m[self].cancel = true;
        if m.observer.is_some() {
            let has_routine = m[self].cancel_routine.is_some();
            m.observe(self, Step::Cancel { has_routine });
        }
        let irp = &mut m[self];
        let Some(routine) = irp.cancel_routine.take() else {
            m.release_cancel_spin_lock(level);
            return false;
        };
        if irp.current_location() > irp.stack_count() + 1 {
            let routine = m.routine_address(routine as usize);
            m.bug_check(0x48, [self.address(), routine, 0, 0], "IoCancelIrp");
        }
        let device = irp.current().device;
        m[self].cancel_irql = level;
        routine(m, device, self);
        if m.cancel_lock_held {
            m.undefined("IoCancelIrp", "a cancel routine releases the cancel spin lock, at Irp->CancelIrql");
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::constants::*;

    fn cancelled(m: &mut Machine, _: Option<DeviceObject>, irp: Irp) {
        assert_eq!(m.irql(), Irql::Dispatch);
        irp.release_cancel_spin_lock(m);
        irp.complete_with(m, STATUS_CANCELLED, 0);
    }

    #[test]
    fn a_cancel_routine_that_keeps_the_lock_is_where_the_machine_stops() {
        let stop = Machine::new()
            .run(|m| {
                let irp = m.allocate_irp(1).unwrap();
                irp.set_cancel_routine(m, Some(|_, _, _| ()));
                irp.cancel(m);
            })
            .unwrap_err();
        assert!(stop.to_string().contains("releases the cancel spin lock"), "{stop}");
    }

    #[test]
    fn who_has_the_lock_and_cancels_waits_for_ever() {
        let stop = Machine::new()
            .run(|m| {
                let irp = m.allocate_irp(1).unwrap();
                m.acquire_cancel_spin_lock();
                irp.cancel(m);
            })
            .unwrap_err();
        assert!(matches!(stop, Stop::Hang { .. }), "{stop}");
    }

    #[test]
    fn cancelling_sets_the_flag_with_and_without_a_routine() {
        Machine::new()
            .run(|m| {
                let irp = m.allocate_irp(1).unwrap();
                assert!(!irp.cancel(m));
                assert!(m[irp].cancel);
                assert!(irp.set_cancel_routine(m, Some(cancelled)).is_none());
                assert!(irp.cancel(m), "setting a routine late does not call it; the next cancel does");
                assert_eq!(m[irp].io_status.status, STATUS_CANCELLED);
                assert!(!irp.has_cancel_routine(m));
            })
            .unwrap();
    }
}
