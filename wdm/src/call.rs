//! IoCallDriver and IoCompleteRequest: the two halves of every IRP's way.

use crate::device::{DeviceObject, Dispatch};
use crate::irp::{CompletionRoutine, Control, IoStatus, Irp, Origin, Parameters};
use crate::machine::Machine;
use crate::observe::Step;
use crate::schedule::{Context, Irql};
use crate::status::{NtStatus, constants::*};
use crate::user;

impl Irp {
    /// `IoCallDriver`: moves to the next location, makes `device` its owner and calls that device's driver.
    ///
    /// Bug check 0x35 if that leaves no location. This is the only check the I/O manager makes; what a driver wrote
    /// into the location in front of the array is already done by then. Driver Verifier looks before: 0xC9/0x208.
    ///
    /// Source: Windows driver documentation, IofCallDriver and bug check 0x35.
    #[inline]
    pub fn call_driver(self, m: &mut Machine, device: DeviceObject) -> NtStatus {
        if m.watched {
            return self.call_driver_watched(m, device);
        }
        let dispatch = self.enter_next(m, device);
        dispatch(m, device, self)
    }

    /// Makes `device` the owner of the next location. Returns the dispatch routine that is to be called for it.
    #[inline]
    pub(crate) fn enter_next(self, m: &mut Machine, device: DeviceObject) -> Dispatch {
        let irp = &mut m[self];
        irp.set_next_location();
        if irp.current_location() <= 0 {
            m.bug_check(0x35, [self.address(), 0, 0, 0], "IofCallDriver");
        }
        let location = irp.current_mut();
        location.device = Some(device);
        let major = location.major;
        let driver = m[device].driver;
        m.drivers[driver.0 as usize].major[major as usize]
    }

    /// `IoMarkIrpPending`. Without a location of one's own this would write behind the array, which is where vbus
    /// stops.
    ///
    /// Source: Windows driver documentation, IoMarkIrpPending.
    #[inline]
    pub fn mark_pending(self, m: &mut Machine) {
        let irp = &mut m[self];
        if irp.current_location() > irp.stack_count() {
            m.undefined("IoMarkIrpPending", "only a driver that owns a stack location marks the IRP pending in it");
        }
        irp.current_mut().control.0 |= Control::PENDING_RETURNED.0;
        if m.watched {
            self.marked_pending(m);
        }
    }

    /// Sets IoStatus and completes: what a dispatch routine that ends a request does. Returns `status`.
    pub fn complete_with(self, m: &mut Machine, status: NtStatus, information: u64) -> NtStatus {
        m[self].io_status = IoStatus { status, information };
        self.complete(m);
        status
    }

    /// `IoCompleteRequest`: walks up, calling the completion routines whose conditions hold.
    ///
    /// Bug check 0x44 for an IRP whose walk is over already; its second parameter is a constant of the I/O manager that
    /// crash dumps of several Windows versions show.
    ///
    /// Source: Windows driver documentation, IoCompleteRequest, IO_COMPLETION_ROUTINE and bug check 0x44.
    pub fn complete(self, m: &mut Machine) {
        m.boundary("IoCompleteRequest");
        let Some(irp) = m.irps.get_mut(self.0).filter(|irp| irp.current_location() <= irp.stack_count() + 1) else {
            m.bug_check(0x44, [self.address(), 0x1232, 0, 0], "IoCompleteRequest");
        };
        let (stack_count, slot, owner) = (irp.stack_count(), irp.current_location(), irp.current().device);
        if m.watched {
            return self.complete_watched(m, stack_count, slot, owner);
        }
        self.walk_up(m, stack_count, slot);
    }

    /// IoCompleteRequest for somebody who looks.
    #[cold]
    fn complete_watched(self, m: &mut Machine, stack_count: i8, slot: i8, owner: Option<DeviceObject>) {
        self.check_completion(m);
        if m.irql() > Irql::Dispatch {
            m.undefined("IoCompleteRequest", "IoCompleteRequest is called at IRQL <= DISPATCH_LEVEL");
        }
        m.observe(self, Step::Complete { owner });
        self.walk_up_watched(m, stack_count, slot);
        m.boundary("IoCompleteRequest returns");
    }

    /// A completion that was put off goes on.
    pub(crate) fn resume_completion(self, m: &mut Machine) {
        let irp = &m[self];
        self.walk_up_watched(m, irp.stack_count(), irp.current_location());
    }

    #[inline]
    fn walk_up(self, m: &mut Machine, stack_count: i8, mut slot: i8) {
        m[self].set_current(slot + 1);
        let mut last_error = STATUS_SUCCESS;
        while slot <= stack_count {
            if let Some((routine, owner, context)) = self.leave_location(m, slot, &mut last_error)
                && routine(m, owner, self, context) == STATUS_MORE_PROCESSING_REQUIRED
            {
                return;
            }
            slot += 1;
            m[self].set_current(slot + 1);
        }
        self.finish(m, stack_count);
    }

    fn walk_up_watched(self, m: &mut Machine, stack_count: i8, mut slot: i8) {
        m[self].set_current(slot + 1);
        let mut last_error = STATUS_SUCCESS;
        while slot <= stack_count {
            if self.puts_off_completion(m, slot) {
                return;
            }
            self.leaves_location(m, slot);
            if let Some((routine, owner, context)) = self.leave_location(m, slot, &mut last_error) {
                let call = |m: &mut Machine| routine(m, owner, self, context);
                let result = self.call_routine_watched(m, slot, owner, call, routine as usize);
                if result == STATUS_MORE_PROCESSING_REQUIRED {
                    return;
                }
            }
            slot += 1;
            m[self].set_current(slot + 1);
        }
        m[self].set_current(stack_count + 2);
        m.observe(self, Step::Done);
        self.finish(m, stack_count);
    }

    /// The walk is over: the I/O manager's own part.
    #[inline]
    fn finish(self, m: &mut Machine, stack_count: i8) {
        let irp = &mut m[self];
        irp.set_current(stack_count + 2);
        irp.completed = true;
        if let Origin::User(request) = irp.origin {
            m.queue_apc(user::second_stage, Context(request.to_word()));
        }
    }

    /// Leaves location `slot` upwards: its routine with its owner and context, or the propagation of its pending bit.
    #[inline]
    fn leave_location(
        self,
        m: &mut Machine,
        slot: i8,
        last_error: &mut NtStatus,
    ) -> Option<(CompletionRoutine, Option<DeviceObject>, Context)> {
        let irp = &mut m[self];
        let status = irp.io_status.status;
        let cancel = irp.cancel;
        let location = irp.location_mut(slot);
        let control = location.control;
        let pending = control.has(Control::PENDING_RETURNED);
        let routine = location.completion.filter(|_| {
            let on = if status.is_success() { Control::INVOKE_ON_SUCCESS } else { Control::INVOKE_ON_ERROR };
            control.has(on) || (cancel && control.has(Control::INVOKE_ON_CANCEL))
        });
        // What is cleared: all but the major function, the device, the routine and its context. Where a new error
        // first passes, SL_ERROR_RETURNED stays behind for whoever debugs.
        let new_error = !status.is_success() && status != *last_error;
        location.minor = 0;
        location.flags = 0;
        location.control =
            if new_error { Control::ERROR_RETURNED } else { Control(control.0 & Control::ERROR_RETURNED.0) };
        location.parameters = Parameters::None;
        location.file = None;
        let context = location.context;
        irp.pending_returned = pending;
        if new_error {
            *last_error = status;
        }
        match routine {
            Some(routine) => {
                // The routine's owner is the device of the location above; an originator has none.
                let owner = if slot < irp.stack_count() { irp.location_mut(slot + 1).device } else { None };
                Some((routine, owner, context))
            }
            None => {
                // Only past a driver without a routine does the I/O manager carry the pending bit itself.
                if pending && slot < irp.stack_count() {
                    irp.location_mut(slot + 1).control.0 |= Control::PENDING_RETURNED.0;
                }
                None
            }
        }
    }

    /// Sends an IRP that the caller made for itself and waits until it is complete, as the PnP manager does.
    pub(crate) fn send_and_wait(self, m: &mut Machine, device: DeviceObject, waiting_for: &'static str) -> IoStatus {
        self.call_driver(m, device);
        m.wait(waiting_for, move |m| m.irps.get(self.0).is_none_or(|irp| irp.completed));
        m[self].io_status
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::irp::Major;
    use crate::stop::Stop;

    fn keep(_: &mut Machine, _: Option<DeviceObject>, _: Irp, _: Context) -> NtStatus {
        STATUS_MORE_PROCESSING_REQUIRED
    }

    fn succeed(m: &mut Machine, _: DeviceObject, irp: Irp) -> NtStatus {
        irp.complete_with(m, STATUS_SUCCESS, 0)
    }

    #[test]
    fn calling_a_driver_without_a_location_left_is_bug_check_0x35() {
        let mut machine = Machine::new();
        let stop = machine
            .run(|m| {
                let driver = m.create_driver("lower");
                let device = m.create_device(driver);
                let irp = m.allocate_irp(1).unwrap();
                m[irp].set_next_location();
                irp.call_driver(m, device);
            })
            .unwrap_err();
        assert!(matches!(stop, Stop::BugCheck(check) if check.code == 0x35));
    }

    #[test]
    fn completing_an_irp_whose_walk_is_over_is_bug_check_0x44() {
        let mut machine = Machine::new();
        let stop = machine
            .run(|m| {
                let driver = m.create_driver("lower");
                driver.set_major(m, Major::Create, succeed);
                let device = m.create_device(driver);
                let irp = m.allocate_irp(1).unwrap();
                irp.call_driver(m, device);
                assert_eq!(m[irp].current_location(), 3, "a completed IRP stands at StackCount + 2");
                irp.complete(m);
            })
            .unwrap_err();
        assert!(matches!(stop, Stop::BugCheck(check) if check.code == 0x44));
    }

    #[test]
    fn a_routine_that_wants_more_processing_gets_the_irp_back_at_its_own_location() {
        let mut machine = Machine::new();
        machine
            .run(|m| {
                let driver = m.create_driver("lower");
                driver.set_major(m, Major::Create, succeed);
                let device = m.create_device(driver);
                let irp = m.allocate_irp(3).unwrap();
                m[irp].set_next_location();
                m[irp].set_completion_routine(keep, Context(0), Control::INVOKE_ALWAYS);
                irp.call_driver(m, device);
                assert_eq!(m[irp].current_location(), 3);
                assert!(!m[irp].is_completed());
                irp.free(m);
                assert!(!irp.exists(m));
            })
            .unwrap();
    }
}
