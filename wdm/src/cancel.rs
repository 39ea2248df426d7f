//! Cancellation: one flag, one routine, one exchange.

use crate::device::DeviceObject;
use crate::irp::Irp;
use crate::machine::Machine;
use crate::observe::Step;

/// A cancel routine. It is called with the current location's device and completes the IRP with STATUS_CANCELLED.
pub type CancelRoutine = fn(&mut Machine, Option<DeviceObject>, Irp);

impl Irp {
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

    /// `IoCancelIrp`: sets the flag and calls the routine if there is one. Returns whether there was.
    ///
    /// Bug check 0x48 for a routine still set on a completed IRP.
    ///
    /// Source: Windows driver documentation, IoCancelIrp and bug check 0x48.
    pub fn cancel(self, m: &mut Machine) -> bool {
        m.boundary("IoCancelIrp");
        self.cancel_now(m)
    }

    /// What `IoCancelIrp` does under the cancel spin lock.
    pub(crate) fn cancel_now(self, m: &mut Machine) -> bool {
        m[self].cancel = true;
        if m.observer.is_some() {
            let has_routine = m[self].cancel_routine.is_some();
            m.observe(self, Step::Cancel { has_routine });
        }
        let irp = &mut m[self];
        let Some(routine) = irp.cancel_routine.take() else { return false };
        if irp.current_location() > irp.stack_count() + 1 {
            let routine = m.routine_address(routine as usize);
            m.bug_check(0x48, [self.address(), routine, 0, 0], "IoCancelIrp");
        }
        let device = irp.current().device;
        routine(m, device, self);
        true
    }

    /// `IoReleaseCancelSpinLock`, the first thing that a cancel routine does: from here on other processors may have
    /// the IRP in their hands, too.
    ///
    /// Source: Windows driver documentation, IoReleaseCancelSpinLock; "Implementing Cancel Routines".
    pub fn release_cancel_spin_lock(self, m: &mut Machine) {
        m.boundary("IoReleaseCancelSpinLock");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::constants::*;

    fn cancelled(m: &mut Machine, _: Option<DeviceObject>, irp: Irp) {
        irp.complete_with(m, STATUS_CANCELLED, 0);
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
