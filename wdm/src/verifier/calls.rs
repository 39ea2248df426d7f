//! Dispatch routines: what they were called with, and what they did by the time they returned.

use super::DriverVerifier;
use super::irps::Track;
use crate::device::{DeviceObject, Dispatch, invalid_device_request};
use crate::irp::{IoStatus, Irp, Major};
use crate::machine::Machine;
use crate::observe::Step;
use crate::pnp::PnpMinor;
use crate::schedule::Irql;
use crate::status::{NtStatus, constants::*};

/// A dispatch routine that runs.
pub(crate) struct Call {
    pub(super) irp: Irp,
    /// The location that it was called with.
    pub(super) location: i8,
    pub(super) device: DeviceObject,
    pub(super) major: Major,
    minor: u8,
    /// IoStatus when it was called.
    pub(super) before: IoStatus,
    /// IoMarkIrpPending was called for its location.
    marked: bool,
    /// The status with which the IRP left its location upwards.
    left_with: Option<NtStatus>,
    /// What the driver below returned last.
    lower: Option<NtStatus>,
    /// The completion was put off: the caller is told STATUS_PENDING.
    forced: bool,
    /// The caller built the IRP, and will wait for an event that is signalled already.
    event_set: bool,
}

impl Call {
    pub(super) fn is_pnp(&self, minor: PnpMinor) -> bool {
        self.major == Major::Pnp && self.minor == minor as u8
    }
}

const ILLEGAL: NtStatus = NtStatus(0xFFFF_FFFF);

impl DriverVerifier {
    /// The device whose dispatch routine runs now, whatever it was called with.
    pub(super) fn running(&self) -> Option<DeviceObject> {
        self.calls.last().map(|call| call.device)
    }

    /// The routine that runs now, if it was called with this IRP.
    pub(super) fn current(&self, irp: Irp) -> Option<&Call> {
        self.calls.last().filter(|call| call.irp == irp)
    }

    /// The innermost routine that owns location `location` of an IRP, or one above it that no other routine owns.
    fn owner_of(&mut self, irp: Irp, location: i8) -> impl Iterator<Item = &mut Call> {
        let owner = self.calls.iter().rev().find(|call| call.irp == irp && call.location >= location);
        let at = owner.map(|call| call.location);
        // Drivers that skip share their location with the one below.
        self.calls.iter_mut().filter(move |call| call.irp == irp && Some(call.location) == at)
    }

    /// The IRP leaves location `slot` upwards.
    pub(super) fn leaves(&mut self, irp: Irp, slot: i8, status: NtStatus) {
        for call in self.calls.iter_mut().filter(|call| call.irp == irp && call.location == slot) {
            call.left_with = Some(status);
        }
    }

    /// Whether the completion of location `slot` is to come later, and was not put off yet.
    fn puts_off(&mut self, irp: Irp, slot: i8, status: NtStatus) -> bool {
        if !self.options.force_pending {
            return false;
        }
        let call = self.calls.iter_mut().rev().find(|call| call.irp == irp && call.location == slot && !call.forced);
        call.map(|call| (call.forced, call.left_with) = (true, Some(status))).is_some()
    }
}

impl Irp {
    /// IoCallDriver for somebody who looks.
    #[cold]
    pub(crate) fn call_driver_watched(self, m: &mut Machine, device: DeviceObject) -> NtStatus {
        m.boundary("IoCallDriver");
        let status = self.call_driver_checked(m, device);
        m.boundary("IoCallDriver returns");
        status
    }

    fn call_driver_checked(self, m: &mut Machine, device: DeviceObject) -> NtStatus {
        self.check_call(m, device);
        m.limit_irql("IoCallDriver");
        let dispatch = self.enter_next(m, device);
        let location = m[self].current();
        let (major, minor, at) = (location.major, location.minor, m[self].current_location());
        m.observe(self, Step::Call { device, major });
        self.check_routine(m, device, dispatch);
        let event_set = self.has_signalled_event(m);
        let Some(verifier) = &mut m.verifier else { return dispatch(m, device, self) };
        let event_set = event_set && !verifier.irps.get(&self).is_some_and(Track::sent);
        verifier.irps.entry(self).or_default().enter(at);
        let before = m[self].io_status;
        let call = Call {
            irp: self,
            location: at,
            device,
            major,
            minor,
            before,
            marked: false,
            left_with: None,
            lower: None,
            forced: false,
            event_set,
        };
        let level = m.irql();
        m.verifier.as_mut().expect("it is on").calls.push(call);
        let returned = dispatch(m, device, self);
        self.check_return(m, level, returned)
    }

    /// The driver has a routine for what every driver of a PnP stack gets.
    ///
    /// Source: Windows driver documentation, "Required Dispatch Routines" (IRP_MJ_PNP, IRP_MJ_POWER, IRP_MJ_SYSTEM_CONTROL).
    fn check_routine(self, m: &mut Machine, device: DeviceObject, routine: Dispatch) {
        let required = matches!(m[self].current().major, Major::Pnp | Major::Power | Major::SystemControl);
        if required && std::ptr::fn_addr_eq(routine, invalid_device_request as Dispatch) {
            self.broken(m, 0x21F, Some(device), "IofCallDriver");
        }
    }

    /// What a dispatch routine did, now that it returned. Returns what its caller is told.
    fn check_return(self, m: &mut Machine, level: Irql, returned: NtStatus) -> NtStatus {
        let Some(call) = m.verifier.as_mut().and_then(|verifier| verifier.calls.pop()) else { return returned };
        let (device, by) = (Some(call.device), "dispatch routine");
        if m.irql() != level {
            m.verifier_stop(0x05, device, [call.device.address(), level as u64, m.irql() as u64], by);
        }
        let pending = returned == STATUS_PENDING;
        let known = |m: &Machine| [m.code_of(device), self.address(), returned.0.into()];
        if returned == ILLEGAL {
            m.verifier_stop(0x225, device, known(m), by);
        }
        if pending && !call.marked && call.lower != Some(STATUS_PENDING) {
            m.verifier_stop(0x23D, device, known(m), by);
        }
        if call.marked && !pending {
            m.verifier_stop(0x23E, device, known(m), by);
        }
        match call.left_with {
            Some(status) if !pending && returned != status && returned != ILLEGAL => {
                m.verifier_stop(0x224, device, [m.code_of(device), self.address(), status.0.into()], by);
            }
            None if !pending => m.verifier_stop(0x226, device, [m.code_of(device), self.address(), 0], by),
            _ => {}
        }
        if call.is_pnp(PnpMinor::RemoveDevice) && !pending {
            self.check_removed(m, call.device);
        }
        let told = if call.forced { STATUS_PENDING } else { returned };
        if call.event_set && told == STATUS_PENDING {
            let by = m.verifier.as_ref().and_then(|verifier| verifier.running());
            m.verifier_stop(0x307, by, [m.code_of(by), self.address(), 0], "IofCallDriver");
        }
        let above = m.verifier.as_mut().and_then(|verifier| verifier.calls.last_mut());
        if let Some(above) = above.filter(|above| above.irp == self) {
            above.lower = Some(told);
        }
        told
    }

    /// Whether the walk up stops at location `slot` and goes on later, when the driver above was told STATUS_PENDING.
    pub(crate) fn puts_off_completion(self, m: &mut Machine, slot: i8) -> bool {
        let status = m[self].io_status.status;
        if !m.verifier.as_mut().is_some_and(|verifier| verifier.puts_off(self, slot, status)) {
            return false;
        }
        let irp = &mut m[self];
        irp.set_current(slot);
        irp.current_mut().control.0 |= crate::irp::Control::PENDING_RETURNED.0;
        m.queue_work_item(
            |m, context| {
                if let Some(irp) = Irp::from_context(context) {
                    irp.resume_completion(m);
                }
            },
            self.to_context(),
        );
        true
    }

    /// IoMarkIrpPending was called.
    #[cold]
    pub(crate) fn marked_pending(self, m: &mut Machine) {
        let location = m[self].current_location();
        if let Some(verifier) = &mut m.verifier {
            verifier.owner_of(self, location).for_each(|call| call.marked = true);
        }
    }

    /// A completion routine, with what it has to leave as it was.
    pub(crate) fn call_routine_watched(
        self,
        m: &mut Machine,
        slot: i8,
        owner: Option<DeviceObject>,
        call: impl FnOnce(&mut Machine) -> NtStatus,
        routine: usize,
    ) -> NtStatus {
        m.observe(self, Step::Routine { owner });
        if let Some(verifier) = &mut m.verifier {
            verifier.irps.entry(self).or_default().held = owner.map(|_| slot + 1);
        }
        let (level, pended) = (m.irql(), m[self].pending_returned);
        let result = call(m);
        if m.verifier.is_none() {
            return result;
        }
        let by = "completion routine";
        if m.irql() != level {
            let address = m.routine_address(routine);
            m.verifier_violation([0xFA, address, level as u64, m.irql() as u64], by);
        }
        let goes_on = result != STATUS_MORE_PROCESSING_REQUIRED && slot < m[self].stack_count();
        if goes_on && pended && !m[self].location_mut(slot + 1).control.has(crate::irp::Control::PENDING_RETURNED) {
            m.verifier_stop(0x228, owner, [m.code_of(owner), self.address(), 0], by);
        }
        result
    }
}
