//! IRPs: who has them, and what may be done to them at this moment.

use super::DriverVerifier;
use super::answers::Completer;
use crate::device::DeviceObject;
use crate::irp::{Control, Irp, Major, Origin};
use crate::machine::Machine;
use crate::pnp::PnpMinor;
use crate::schedule::Irql;
use crate::status::{NtStatus, constants::*};
use crate::user::copies_back;

/// What is known of an IRP besides its own fields.
#[derive(Default)]
pub(super) struct Track {
    /// The location whose driver has it, if it was sent or came back to a driver with a location.
    pub(super) held: Option<i8>,
    /// The location that it was first sent to, and the lowest that it reached; 0 while it was not sent.
    first: i8,
    lowest: i8,
}

impl Track {
    pub(super) fn enter(&mut self, location: i8) {
        self.held = Some(location);
        if !self.sent() {
            (self.first, self.lowest) = (location, location);
        }
        self.lowest = self.lowest.min(location);
    }

    pub(super) fn sent(&self) -> bool {
        self.lowest != 0
    }

    /// A driver that it was sent to has it. Who sent it may have a location of its own above those.
    fn is_with_a_driver(&self) -> bool {
        self.held.is_some_and(|held| held <= self.first)
    }
}

impl DriverVerifier {
    fn held(&self, irp: Irp) -> Option<i8> {
        self.irps.get(&irp).and_then(|track| track.held)
    }

    fn is_in_use(&self, irp: Irp) -> bool {
        self.irps.get(&irp).is_some_and(Track::is_with_a_driver)
    }

    /// The running routine passed the IRP down, and it did not come back.
    fn is_beneath(&self, irp: Irp) -> bool {
        self.current(irp).is_some_and(|call| self.held(irp).is_some_and(|held| held < call.location))
    }
}

/// The highest level at which a driver may send an IRP of this major function.
///
/// Source: Windows driver documentation, DRIVER_DISPATCH and "Dispatch Routines and IRQLs".
fn highest_level(major: Major) -> Irql {
    match major {
        Major::Read | Major::Write | Major::DeviceControl | Major::InternalDeviceControl | Major::Power => {
            Irql::Dispatch
        }
        _ => Irql::Passive,
    }
}

/// Whether only the PnP manager sends this.
///
/// Source: Windows driver documentation, the pages of the minor functions ("Reserved for system use").
fn is_systems(minor: u8) -> bool {
    use PnpMinor::*;
    PnpMinor::from_code(minor).is_some_and(|minor| {
        matches!(
            minor,
            StartDevice
                | QueryRemoveDevice
                | RemoveDevice
                | CancelRemoveDevice
                | StopDevice
                | QueryStopDevice
                | CancelStopDevice
                | SurpriseRemoval
        )
    })
}

impl Irp {
    /// The device whose driver acts on the IRP now: the one whose dispatch routine runs, or whoever has the IRP.
    fn actor(self, m: &Machine) -> Option<DeviceObject> {
        let verifier = m.verifier.as_ref()?;
        match verifier.current(self) {
            Some(call) => Some(call.device),
            None => m[self].location(verifier.held(self)?)?.device,
        }
    }

    pub(super) fn broken(self, m: &mut Machine, code: u32, by: Option<DeviceObject>, ddi: &'static str) {
        m.verifier_stop(code, by, [m.code_of(by), self.address(), 0], ddi);
    }

    /// IoCallDriver, before anything is done.
    pub(super) fn check_call(self, m: &mut Machine, device: DeviceObject) {
        const DDI: &str = "IofCallDriver";
        if m.verifier.is_none() {
            return;
        }
        if !self.exists(m) {
            m.verifier_stop(0x03, None, [self.address(), 0, 0], DDI);
        }
        let by = self.actor(m);
        if !device.exists(m) {
            m.verifier_stop(0x04, by, [device.address(), 0, 0], DDI);
        }
        let level = m.irql();
        if level > Irql::Dispatch {
            m.verifier_stop(0x10, by, [level as u64, 0, 0], DDI);
        }
        let Some(verifier) = &m.verifier else { return };
        let data = &m[self];
        let (next, at) = (data.next(), data.current_location());
        let (held, status) = (verifier.held(self), data.io_status.status);
        let sent = verifier.irps.get(&self).is_some_and(Track::sent);
        let forwarded = held.is_some();
        // A driver that skips shares its own location.
        let copied = held.is_some_and(|held| at - 1 < held);
        let invoked = next.control.0 & Control::INVOKE_ALWAYS.0 != 0 && next.completion.is_some();
        let leftover = next.control.0 & (Control::PENDING_RETURNED.0 | Control::ERROR_RETURNED.0) != 0;
        let same = data.current().major == next.major && data.current().parameters == next.parameters;
        let skips_a_device = by.and_then(|by| by.lower_device(m)).is_some_and(|lower| {
            let mut below = std::iter::successors(lower.lower_device(m), |device| device.lower_device(m));
            below.any(|below| below == device)
        });
        let of_thread = matches!(data.origin, Origin::Thread(_));
        let systems_own = next.major == Major::Pnp && is_systems(next.minor) && data.origin != Origin::System;
        let (major, failed) = (next.major, !status.is_success() && status != STATUS_NOT_SUPPORTED);
        let broken = [
            (0x203, data.cancel_routine.is_some()),
            (0x205, verifier.is_beneath(self)),
            (0x208, at - 1 <= 0),
            (0x206, copied && leftover),
            (0x207, invoked && !next.routine_was_set_from(at)),
            (0x212, copied && self.was_trashed(m)),
            (0x237, !sent && systems_own),
            (0x23A, level > highest_level(major)),
            (0x302, of_thread && level >= Irql::Apc),
            (0x211, skips_a_device),
            (0x20E, !sent && major == Major::Pnp && status != STATUS_NOT_SUPPORTED),
            (0x20F, !sent && major == Major::Power && status != STATUS_NOT_SUPPORTED),
            (0x210, !sent && major == Major::SystemControl && status != STATUS_NOT_SUPPORTED),
            (0x215, forwarded && major == Major::Pnp && failed),
            (0x219, forwarded && major == Major::Power && failed),
            (0x21C, copied && !invoked && same),
        ];
        for (code, _) in broken.into_iter().filter(|(_, broken)| *broken) {
            self.broken(m, code, by, DDI);
        }
        self.check_answer(m, by, DDI);
    }

    /// IoCompleteRequest, before the walk.
    pub(crate) fn check_completion(self, m: &mut Machine) {
        const DDI: &str = "IoCompleteRequest";
        if m.verifier.is_none() {
            return;
        }
        let by = self.actor(m);
        let (level, status) = (m.irql(), m[self].io_status.status);
        if level > Irql::Dispatch {
            m.verifier_stop(0x0E, by, [level as u64, self.address(), 0], DDI);
        }
        if status == STATUS_PENDING || status == NtStatus(0xFFFF_FFFF) {
            m.verifier_stop(0x06, by, [status.0.into(), self.address(), 0], DDI);
        }
        if let Some(routine) = m[self].cancel_routine {
            let routine = m.routine_address(routine as usize);
            m.verifier_stop(0x07, by, [routine, self.address(), 0], DDI);
        }
        let Some(verifier) = &m.verifier else { return };
        let track = verifier.irps.get(&self);
        let data = &m[self];
        let information = data.io_status.information;
        let copies_back = copies_back(data);
        let room = data.user_buffer.map_or(0, |buffer| u64::from(buffer.len()));
        let upper = by.is_some_and(|by| by.lower_device(m).is_some());
        // Nobody below saw it.
        let instead_of_lower = upper && track.is_some_and(|track| track.held.is_some_and(|held| track.lowest >= held));
        let never_sent = !track.is_some_and(Track::sent);
        let broken =
            [(0x209, verifier.is_beneath(self)), (0x312, copies_back && information > room), (0x239, never_sent)];
        for (code, _) in broken.into_iter().filter(|(_, broken)| *broken) {
            self.broken(m, code, by, DDI);
        }
        self.check_completer(m, &Completer { by, instead_of_lower }, DDI);
        self.check_answer(m, by, DDI);
    }

    /// The walk leaves a location.
    pub(crate) fn leaves_location(self, m: &mut Machine, slot: i8) {
        let status = m[self].io_status.status;
        if let Some(verifier) = &mut m.verifier {
            verifier.leaves(self, slot, status);
        }
    }

    /// IoFreeIrp, before it is freed.
    pub(crate) fn check_free(self, m: &mut Machine) {
        const DDI: &str = "IoFreeIrp";
        let Some(verifier) = &m.verifier else { return };
        let (in_use, by) = (verifier.is_in_use(self), verifier.running());
        let Some(data) = m.irps.get(self.0) else {
            return m.verifier_stop(0x01, by, [self.address(), 0, 0], DDI);
        };
        let (done, of_thread) = (data.is_completed(), matches!(data.origin, Origin::Thread(_)));
        if of_thread {
            m.verifier_stop(0x02, by, [self.address(), 0, 0], DDI);
        }
        if in_use && !done {
            self.broken(m, 0x20B, by, DDI);
        }
        if let Some(verifier) = &mut m.verifier {
            verifier.irps.remove(&self);
        }
    }

    /// IoReuseIrp, before it is as new.
    pub(crate) fn check_reuse(self, m: &mut Machine) {
        const DDI: &str = "IoReuseIrp";
        let Some(verifier) = &m.verifier else { return };
        let in_use = verifier.is_in_use(self) && !m[self].is_completed();
        let (origin, by) = (m[self].origin, verifier.running());
        if in_use {
            self.broken(m, 0x310, by, DDI);
        }
        if origin != Origin::Driver {
            self.broken(m, 0x311, by, DDI);
        }
        if let Some(verifier) = &mut m.verifier {
            verifier.irps.remove(&self);
        }
    }

    /// IoSetCancelRoutine with a routine.
    pub(crate) fn check_cancel_routine(self, m: &mut Machine) {
        if m.verifier.as_ref().is_some_and(|verifier| verifier.is_beneath(self)) {
            let by = self.actor(m);
            self.broken(m, 0x229, by, "IoSetCancelRoutine");
        }
    }
}
