//! The PnP IRPs that a device holds, passes on, or makes itself.

use vbus_wdm::constants::*;
use vbus_wdm::{
    Context, Control, DeviceObject, Event, Irp, Irql, Machine, Major, NtStatus, Parameters, PnpAnswer, PnpMinor,
    PnpParameters,
};

use super::events::PnpEvent;
use super::machine::post;
use super::pnp_machine::Pnp;
use crate::device::Device;
use crate::dispatch::copy_down;
use crate::framework::trace;
use crate::object::Handle;
use crate::trace::sites;
use crate::verifier::wdf_violation;

/// WDF_PNP_FATAL_ERROR.
const PNP_FATAL_ERROR: u64 = 0xC;

/// The IRP goes on its way, and the device has nothing more to do with it: down, or up from a PDO with the status that it
/// has.
///
/// Source: S/irphandlers/pnp/fxpkgfdo.cpp:148-190, fxpkgpdo.cpp:193-215.
pub(crate) fn fire_and_forget(m: &mut Machine, device: Device, irp: Irp) -> NtStatus {
    let status = match device.lower_device(m) {
        Some(lower) => copy_down(m, irp, lower),
        None => {
            irp.complete(m);
            return device.irp_is_done(m, m[irp].io_status.status);
        }
    };
    device.irp_is_done(m, status)
}

impl Device {
    fn irp_is_done(self, m: &mut Machine, status: NtStatus) -> NtStatus {
        if self.object().exists(m) {
            self.body(m).pnp.release_remove_lock();
        }
        status
    }

    /// CompletePnpRequest and CompletePowerRequest.
    pub(super) fn complete_irp(self, m: &mut Machine, irp: Irp, status: NtStatus) -> NtStatus {
        m[irp].io_status.status = status;
        irp.complete(m);
        self.irp_is_done(m, status)
    }

    /// SetPendingPnpIrp: the machine works on this IRP from now on. One at a time: the PnP manager waits for each.
    ///
    /// Source: S/irphandlers/pnp/fxpkgpnp.cpp:4160-4200.
    pub(super) fn set_pending_pnp(self, m: &mut Machine, irp: Irp) {
        if let Some(pending) = self.body(m).pnp.pending_pnp {
            let (driver, handle) = (self.driver(m), self.object().handle());
            let (new, old) = (m[irp].current().minor, m[pending].current().minor);
            let arguments = [new.into(), irp.address(), old.into(), pending.address(), handle];
            trace(m, driver, &sites::PNP_IRP_WHILE_PENDING, arguments);
            wdf_violation(m, Some(driver), PNP_FATAL_ERROR, [handle, irp.address()], "FxPkgPnp::SetPendingPnpIrp");
        }
        irp.mark_pending(m);
        self.body(m).pnp.pending_pnp = Some(irp);
    }

    pub(super) fn set_pnp_irp_status(self, m: &mut Machine, status: NtStatus) {
        if let Some(irp) = self.body(m).pnp.pending_pnp {
            m[irp].io_status.status = status;
        }
    }

    /// PnpFinishProcessingIrp: START, which was below already, and what failed end here; everything else is passed on
    /// when the machine is at rest.
    pub(super) fn finish_pnp_irp(self, m: &mut Machine) {
        let Some(irp) = self.body(m).pnp.pending_pnp else { return };
        let status = m[irp].io_status.status;
        if m[irp].current().minor == PnpMinor::StartDevice as u8 || !status.is_success() {
            self.body(m).pnp.pending_pnp = None;
            self.complete_irp(m, irp, status);
        } else {
            self.body(m).pnp.forget_irp = true;
        }
    }

    /// START goes down before anything is done here; the machine goes on when it is back. A PDO has nothing below: it
    /// goes on at once. Returns whether it does.
    ///
    /// Source: S/irphandlers/pnp/fxpkgfdo.cpp:1150-1290, 1700-1790; fxpkgpdo.cpp:1250-1270.
    pub(super) fn send_start_down(self, m: &mut Machine) -> bool {
        let Some(lower) = self.lower_device(m) else {
            self.set_pnp_irp_status(m, STATUS_SUCCESS);
            return true;
        };
        if let Some(irp) = self.body(m).pnp.pending_pnp.take() {
            m[irp].copy_current_to_next();
            m[irp].set_completion_routine(start_came_back, Context(self.0.id.to_word()), Control::INVOKE_ALWAYS);
            irp.call_driver(m, lower);
        }
        false
    }

    /// Sends a question to a device, in an IRP of the framework's own.
    pub(super) fn ask(
        self,
        m: &mut Machine,
        target: DeviceObject,
        minor: PnpMinor,
        parameters: PnpParameters,
    ) -> NtStatus {
        self.ask_and_look(m, target, minor, parameters, PnpAnswer::None, |_, status, _| status)
    }

    /// The same, with what the parameters point to. Whoever `look`s at what has become of it does so before the IRP is
    /// freed.
    pub(super) fn ask_and_look<R>(
        self,
        m: &mut Machine,
        target: DeviceObject,
        minor: PnpMinor,
        parameters: PnpParameters,
        brought: PnpAnswer,
        look: impl FnOnce(&mut Machine, NtStatus, PnpAnswer) -> R,
    ) -> R {
        let irp = match m.allocate_irp(m[target].stack_size) {
            Ok(irp) => irp,
            Err(status) => return look(m, status, brought),
        };
        m[irp].io_status.status = STATUS_NOT_SUPPORTED;
        m[irp].pnp_answer = brought;
        let location = m[irp].next_mut();
        location.major = Major::Pnp;
        location.minor = minor as u8;
        location.parameters = Parameters::Pnp(parameters);
        let status = call_and_wait(m, irp, target);
        let answer = std::mem::take(&mut m[irp].pnp_answer);
        let seen = look(m, status, answer);
        irp.free(m);
        seen
    }

    /// Sends an IRP down and waits until everything below is done with it; a PDO has nothing below, and the IRP keeps
    /// its status.
    pub(super) fn send_down_and_wait(self, m: &mut Machine, irp: Irp) -> NtStatus {
        match self.lower_device(m) {
            Some(lower) => {
                m[irp].copy_current_to_next();
                call_and_wait(m, irp, lower)
            }
            None => m[irp].io_status.status,
        }
    }
}

fn start_came_back(m: &mut Machine, _: Option<DeviceObject>, irp: Irp, context: Context) -> NtStatus {
    let Some(device) = Device::from_word(context.0) else { return STATUS_SUCCESS };
    let status = m[irp].io_status.status;
    if !status.is_success() {
        let driver = device.driver(m);
        trace(m, driver, &sites::FDO_START_FAILED, [status.0.into()]);
        post::<Pnp>(m, device, PnpEvent::StartDeviceFailed);
        device.complete_irp(m, irp, status);
        return STATUS_MORE_PROCESSING_REQUIRED;
    }
    device.set_pending_pnp(m, irp);
    // An owner of power policy powers the device up with IRPs, for which this thread must not wait.
    if device.is_policy_owner(m) {
        let irql = m.irql();
        m.set_irql(Irql::Dispatch);
        post::<Pnp>(m, device, PnpEvent::StartDeviceComplete);
        m.set_irql(irql);
    } else {
        post::<Pnp>(m, device, PnpEvent::StartDeviceComplete);
    }
    STATUS_MORE_PROCESSING_REQUIRED
}

/// Calls a driver with what is in the next location, and waits until the IRP is back.
fn call_and_wait(m: &mut Machine, irp: Irp, lower: DeviceObject) -> NtStatus {
    fn stop_here(m: &mut Machine, _: Option<DeviceObject>, _: Irp, context: Context) -> NtStatus {
        if let Some(back) = Event::from_context(context) {
            back.set(m);
        }
        STATUS_MORE_PROCESSING_REQUIRED
    }
    // Not a word of the IRP: another framework driver below may wait for the same one.
    let back = m.create_event();
    m[irp].set_completion_routine(stop_here, back.to_context(), Control::INVOKE_ALWAYS);
    irp.call_driver(m, lower);
    back.wait(m, "the devices below to handle a PnP request");
    back.delete(m);
    m[irp].io_status.status
}
