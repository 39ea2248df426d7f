//! Device objects: attached, detached and deleted at the right time.

use crate::device::{DeviceObject, IoType};
use crate::irp::{Irp, Major};
use crate::machine::Machine;
use crate::pnp::PnpMinor;

impl DeviceObject {
    /// A rule about a device was broken by its own driver.
    fn broken(self, m: &mut Machine, code: u32, irp: Option<Irp>, ddi: &'static str) {
        let parameters = [m.code_of(Some(self)), irp.map_or(0, Irp::address), self.address()];
        m.verifier_stop(code, Some(self), parameters, ddi);
    }

    /// IoDeleteDevice, before its names go.
    pub(crate) fn check_delete(self, m: &mut Machine) {
        const DDI: &str = "IoDeleteDevice";
        if m.verifier.is_none() {
            return;
        }
        if self.is_deleted(m) {
            return self.broken(m, 0x240, None, DDI);
        }
        if let Some(irp) = self.handles(m, PnpMinor::SurpriseRemoval) {
            self.broken(m, 0x242, Some(irp), DDI);
        }
        let reported = m[self].devnode.is_some_and(|node| !node.is_to_be_forgotten(m));
        if let Some(irp) = self.handles(m, PnpMinor::RemoveDevice).filter(|_| reported) {
            self.broken(m, 0x221, Some(irp), DDI);
        }
        if self.lower_device(m).is_some() {
            self.broken(m, 0x201, None, DDI);
        }
    }

    /// IoDetachDevice, before it is detached.
    pub(crate) fn check_detach(self, m: &mut Machine) {
        const DDI: &str = "IoDetachDevice";
        if m.verifier.is_none() {
            return;
        }
        if self.lower_device(m).is_none() {
            return self.broken(m, 0x202, None, DDI);
        }
        if let Some(irp) = self.handles(m, PnpMinor::SurpriseRemoval) {
            self.broken(m, 0x241, Some(irp), DDI);
        }
    }

    /// The PnP IRP of this kind that the device's driver handles at this moment: its dispatch routine runs, or it kept
    /// the IRP for later.
    fn handles(self, m: &Machine, minor: PnpMinor) -> Option<Irp> {
        let verifier = m.verifier.as_ref()?;
        let running = verifier.calls.iter().find(|call| call.device == self && call.is_pnp(minor)).map(|call| call.irp);
        running.or_else(|| {
            verifier.irps.iter().find_map(|(&irp, track)| {
                let data = m.irps.get(irp.0).filter(|data| !data.is_completed())?;
                let location = data.location(track.held?)?;
                let is_it = location.major == Major::Pnp && location.minor == minor as u8;
                (is_it && location.device == Some(self)).then_some(irp)
            })
        })
    }

    /// AddDevice is through, and this device joined the stack.
    pub(crate) fn check_added(self, m: &mut Machine) {
        const DDI: &str = "AddDevice";
        if m.verifier.is_none() {
            return;
        }
        let Some(lower) = self.lower_device(m) else { return };
        let (own, below) = (&m[self], &m[lower]);
        let broken = [
            (0x243, own.initializing),
            (0x23F, below.power_pageable && !own.power_pageable),
            (0x244, below.io_type != IoType::Neither && own.io_type == IoType::Neither),
        ];
        for (code, _) in broken.into_iter().filter(|(_, broken)| *broken) {
            self.broken(m, code, None, DDI);
        }
    }
}

impl Machine {
    /// A driver passed `device` to a DDI that wants a PDO.
    pub(crate) fn check_pdo(&mut self, device: DeviceObject, ddi: &'static str) {
        if self.verifier.is_some() {
            device.broken(self, 0x24D, None, ddi);
        }
    }

    /// Two devices of one bus say that they are the same.
    pub(crate) fn check_twins(&mut self, new: DeviceObject, old: DeviceObject) {
        if self.verifier.is_some() {
            let parameters = [self.code_of(Some(new)), old.address(), new.address()];
            self.verifier_stop(0x249, Some(new), parameters, "IRP_MN_QUERY_ID");
        }
    }
}

impl Irp {
    /// IRP_MN_REMOVE_DEVICE has passed this device, which is no PDO if it is or was attached.
    pub(super) fn check_removed(self, m: &mut Machine, device: DeviceObject) {
        if !device.exists(m) || m[device].devnode.is_some() {
            return;
        }
        if device.lower_device(m).is_some() {
            device.broken(m, 0x21D, Some(self), "dispatch routine");
        }
        if !device.is_deleted(m) {
            device.broken(m, 0x21E, Some(self), "dispatch routine");
        }
    }
}
