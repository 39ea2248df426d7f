//! Device objects: attached, detached and deleted at the right time.

use crate::device::DeviceObject;
use crate::irp::Irp;
use crate::machine::Machine;
use crate::pnp::PnpMinor;

impl DeviceObject {
    /// IoDeleteDevice, before its names go.
    pub(crate) fn check_delete(self, m: &mut Machine) {
        const DDI: &str = "IoDeleteDevice";
        if m.verifier.is_none() {
            return;
        }
        if self.is_deleted(m) {
            return m.verifier_stop(0x240, Some(self), [m.code_of(Some(self)), self.address(), 0], DDI);
        }
        if let Some(irp) = self.surprise_removal(m) {
            let parameters = [m.code_of(Some(self)), irp.address(), self.address()];
            m.verifier_stop(0x242, Some(self), parameters, DDI);
        }
        if self.lower_device(m).is_some() {
            m.verifier_stop(0x201, Some(self), [m.code_of(Some(self)), self.address(), 0], DDI);
        }
    }

    /// IoDetachDevice, before it is detached.
    pub(crate) fn check_detach(self, m: &mut Machine) {
        const DDI: &str = "IoDetachDevice";
        if m.verifier.is_none() {
            return;
        }
        if self.lower_device(m).is_none() {
            return m.verifier_stop(0x202, Some(self), [m.code_of(Some(self)), self.address(), 0], DDI);
        }
        if let Some(irp) = self.surprise_removal(m) {
            let parameters = [m.code_of(Some(self)), irp.address(), self.address()];
            m.verifier_stop(0x241, Some(self), parameters, DDI);
        }
    }

    /// The IRP_MN_SURPRISE_REMOVAL that the device's driver handles at this moment.
    fn surprise_removal(self, m: &Machine) -> Option<Irp> {
        let minor = PnpMinor::SurpriseRemoval;
        let calls = &m.verifier.as_ref()?.calls;
        calls.iter().find(|call| call.device == self && call.is_pnp(minor)).map(|call| call.irp)
    }

    /// AddDevice is through, and this device joined the stack.
    pub(crate) fn check_added(self, m: &mut Machine) {
        if m.verifier.is_some() && m[self].initializing {
            m.verifier_stop(0x243, Some(self), [0, 0, 0], "AddDevice");
        }
    }
}

impl Irp {
    /// IRP_MN_REMOVE_DEVICE has passed this device, which is no PDO if it is or was attached.
    pub(super) fn check_removed(self, m: &mut Machine, device: DeviceObject) {
        if !device.exists(m) || m[device].devnode.is_some() {
            return;
        }
        let (code, address) = (m.code_of(Some(device)), device.address());
        if device.lower_device(m).is_some() {
            m.verifier_stop(0x21D, Some(device), [code, self.address(), address], "dispatch routine");
        }
        if !device.is_deleted(m) {
            m.verifier_stop(0x21E, Some(device), [code, self.address(), address], "dispatch routine");
        }
    }
}
