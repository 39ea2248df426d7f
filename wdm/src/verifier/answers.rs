//! PnP and power IRPs: what drivers make of them, beyond passing them on.
//!
//! Source: Windows debugger documentation, bug check 0xC9; Windows driver documentation, the pages of the minor functions.

use super::Call;
use crate::device::DeviceObject;
use crate::irp::{Irp, Major, Parameters, StackLocation};
use crate::machine::Machine;
use crate::pnp::{IdType, PnpAnswer, PnpMinor, PnpParameters, RelationType};
use crate::power::{PowerMinor, PowerParameters, PowerState};
use crate::status::constants::*;

/// Whether wdm.h has no such minor function, so that no driver can understand the IRP.
///
/// Source: wdm.h (IRP_MN_DEVICE_ENUMERATED is the last of IRP_MJ_PNP, IRP_MN_QUERY_POWER of IRP_MJ_POWER).
fn is_unknown(location: &StackLocation) -> bool {
    match location.major {
        Major::Pnp => location.minor > PnpMinor::DeviceEnumerated as u8,
        Major::Power => location.minor > PowerMinor::QueryPower as u8,
        _ => false,
    }
}

fn relations(location: &StackLocation) -> Option<RelationType> {
    match location.parameters {
        Parameters::Pnp(PnpParameters::Relations(kind)) if location.major == Major::Pnp => Some(kind),
        _ => None,
    }
}

/// Whether the IRP must not be failed, IRP_MN_REMOVE_DEVICE aside.
///
/// Source: Windows driver documentation, the pages of the minor functions; "Power IRPs for the System".
fn must_not_fail(location: &StackLocation) -> bool {
    use PnpMinor::{CancelRemoveDevice, CancelStopDevice, StopDevice, SurpriseRemoval};
    match (location.major, location.parameters) {
        (Major::Pnp, _) => PnpMinor::from_code(location.minor)
            .is_some_and(|minor| matches!(minor, CancelRemoveDevice | CancelStopDevice | StopDevice | SurpriseRemoval)),
        (Major::Power, Parameters::Power(PowerParameters::Power { state: PowerState::System(_), .. })) => {
            location.minor == PowerMinor::SetPower as u8
        }
        _ => false,
    }
}

/// Whether the driver of a PDO has to answer, and nobody above it can.
///
/// Source: Windows driver documentation, the pages of the minor functions ("Handled By", "bus drivers must").
fn is_required_of_a_pdo(location: &StackLocation) -> bool {
    use PnpMinor::*;
    let Some(minor) = PnpMinor::from_code(location.minor).filter(|_| location.major == Major::Pnp) else {
        return false;
    };
    match location.parameters {
        Parameters::Pnp(PnpParameters::Relations(kind)) => kind == RelationType::Target,
        Parameters::Pnp(PnpParameters::Id(kind)) => kind == IdType::Device,
        _ => matches!(
            minor,
            StartDevice
                | QueryRemoveDevice
                | RemoveDevice
                | CancelRemoveDevice
                | StopDevice
                | QueryStopDevice
                | CancelStopDevice
                | SurpriseRemoval
                | QueryCapabilities
        ),
    }
}

/// How the driver came by the IRP that it completes.
pub(super) struct Completer {
    pub(super) by: Option<DeviceObject>,
    /// It has a device below it, and nobody there saw the IRP.
    pub(super) instead_of_lower: bool,
}

impl Irp {
    /// What is wrong with the next location of a PnP, power or WMI IRP that is passed on in a copy of the driver's own.
    pub(super) fn was_trashed(self, m: &Machine) -> bool {
        let (own, next) = (m[self].current(), m[self].next());
        let is_fixed = matches!(own.major, Major::Pnp | Major::Power | Major::SystemControl);
        is_fixed && (own.major, own.minor, own.parameters) != (next.major, next.minor, next.parameters)
    }

    /// A driver lets go of the IRP, downwards or upwards.
    pub(super) fn check_answer(self, m: &mut Machine, by: Option<DeviceObject>, ddi: &'static str) {
        self.check_set_back(m, by, ddi);
        self.check_left_alone(m, by, ddi);
        self.check_relations(m, by, ddi);
    }

    /// A PnP or power status that was set and is STATUS_NOT_SUPPORTED again.
    fn check_set_back(self, m: &mut Machine, by: Option<DeviceObject>, ddi: &'static str) {
        let Some(call) = m.verifier.as_ref().and_then(|verifier| verifier.current(self)) else { return };
        let now = m[self].io_status.status;
        if call.before.status == STATUS_NOT_SUPPORTED || now != STATUS_NOT_SUPPORTED {
            return;
        }
        match call.major {
            Major::Pnp => self.broken(m, 0x216, by, ddi),
            Major::Power => self.broken(m, 0x21A, by, ddi),
            _ => {}
        }
    }

    /// An IRP that no driver understands keeps its status and its information.
    fn check_left_alone(self, m: &mut Machine, by: Option<DeviceObject>, ddi: &'static str) {
        let Some(&Call { location, before, .. }) = m.verifier.as_ref().and_then(|verifier| verifier.current(self))
        else {
            return;
        };
        let Some(own) = m[self].location(location).filter(|own| is_unknown(own)) else { return };
        let (pnp, now) = (own.major == Major::Pnp, m[self].io_status);
        if now.status != before.status {
            self.broken(m, if pnp { 0x213 } else { 0x23B }, by, ddi);
        }
        if now.information != before.information {
            self.broken(m, 0x214, by, ddi);
        }
    }

    /// Relations are PDOs: devices that are attached to none.
    fn check_relations(self, m: &mut Machine, by: Option<DeviceObject>, ddi: &'static str) {
        let PnpAnswer::Relations(related) = &m[self].pnp_answer else { return };
        let wrong = related.iter().copied().find(|related| related.lower_device(m).is_some());
        if let Some(wrong) = wrong {
            m.verifier_stop(0x248, by, [m.code_of(by), self.address(), wrong.address()], ddi);
        }
    }

    /// A driver completes a PnP or power IRP.
    pub(super) fn check_completer(self, m: &mut Machine, completer: &Completer, ddi: &'static str) {
        let &Completer { by, instead_of_lower } = completer;
        let (location, status) = (*m[self].current(), m[self].io_status.status);
        let (pnp, power) = (location.major == Major::Pnp, location.major == Major::Power);
        if !pnp && !power {
            return;
        }
        let (untouched, success) = (status == STATUS_NOT_SUPPORTED, status.is_success());
        let failed = !success && !untouched;
        let is_pdo = by.is_some_and(|by| m[by].devnode.is_some());
        let target = relations(&location) == Some(RelationType::Target);
        let filled = match (&m[self].pnp_answer, by) {
            (PnpAnswer::Relations(related), Some(by)) => *related == [by.bottom_of_stack(m)],
            _ => false,
        };
        let not_understood = instead_of_lower && is_unknown(&location);
        let broken = [
            (0x22D, pnp && not_understood),
            (0x230, power && not_understood),
            (0x22A, is_pdo && untouched && is_required_of_a_pdo(&location)),
            (0x22B, is_pdo && success && target && !filled),
            (0x24B, instead_of_lower && success && target && !filled),
            (0x306, pnp && location.minor == PnpMinor::RemoveDevice as u8 && failed),
            (0x247, must_not_fail(&location) && failed),
            (0x22E, pnp && instead_of_lower && success),
            (0x22F, pnp && instead_of_lower && untouched),
            (0x231, power && instead_of_lower && success),
            (0x232, power && instead_of_lower && untouched),
        ];
        for (code, _) in broken.into_iter().filter(|(_, broken)| *broken) {
            match code {
                // The rule is about the device.
                0x24B => {
                    let device = by.map_or(0, DeviceObject::address);
                    m.verifier_stop(code, by, [m.code_of(by), self.address(), device], ddi);
                }
                _ => self.broken(m, code, by, ddi),
            }
        }
    }
}
