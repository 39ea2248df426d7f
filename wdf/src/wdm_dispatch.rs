//! EvtDeviceWdmIrpDispatch: a driver that chooses the queue of an IRP itself.
//!
//! Source: S/core/fxdeviceapi.cpp:2560-2800; S/core/km/fxdeviceapikm.cpp:330-500.

use vbus_wdm::constants::*;
use vbus_wdm::{Context, Irp, Machine, Major, NtStatus};

use crate::device::Device;
use crate::framework::{take_fx, trace};
use crate::io_package::{is_io, make_request, to_queue};
use crate::object::Handle;
use crate::pnp;
use crate::queue::Queue;
use crate::trace::{Site, sites};
use crate::verifier::{self, debug_break};

/// EvtDeviceWdmIrpDispatch: looks at an IRP before it becomes a request. It gives the IRP to the framework with
/// [`Device::dispatch_irp`] or [`Device::dispatch_irp_to_queue`], or completes it.
pub type WdmIrpDispatch = fn(&mut Machine, Device, WdmIrp) -> NtStatus;

/// What EvtDeviceWdmIrpDispatch is told.
#[derive(Clone, Copy, Debug)]
pub struct WdmIrp {
    /// The IRP.
    pub irp: Irp,
    /// Its major function.
    pub major: Major,
    /// Its minor function.
    pub minor: u8,
    /// Its control code; 0 for a read or write.
    pub code: u32,
    /// The driver's own word.
    pub context: Context,
}

/// WDF_DISPATCH_IRP_TO_IO_QUEUE_FLAGS.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DispatchIrpFlags(pub u32);

impl DispatchIrpFlags {
    /// WDF_DISPATCH_IRP_TO_IO_QUEUE_NO_FLAGS.
    pub const NONE: DispatchIrpFlags = DispatchIrpFlags(0);
    /// WDF_DISPATCH_IRP_TO_IO_QUEUE_INVOKE_INCALLERCTX_CALLBACK: EvtIoInCallerContext sees the request first.
    pub const INVOKE_INCALLERCTX_CALLBACK: DispatchIrpFlags = DispatchIrpFlags(1);
    /// WDF_DISPATCH_IRP_TO_IO_QUEUE_PREPROCESSED_IRP: a preprocess callback calls, which skipped its location or copied it
    /// to the next.
    pub const PREPROCESSED_IRP: DispatchIrpFlags = DispatchIrpFlags(2);
    const ALL: DispatchIrpFlags = DispatchIrpFlags(3);

    /// Whether all of `flags` are set.
    pub const fn contains(self, flags: DispatchIrpFlags) -> bool {
        self.0 & flags.0 == flags.0
    }
}

impl std::ops::BitOr for DispatchIrpFlags {
    type Output = DispatchIrpFlags;

    fn bitor(self, other: DispatchIrpFlags) -> DispatchIrpFlags {
        DispatchIrpFlags(self.0 | other.0)
    }
}

impl Device {
    /// `WdfDeviceConfigureWdmIrpDispatchCallback`: `callback` sees IRPs of this major function before they become
    /// requests. No callback at all is bug check 0x10D/4.
    ///
    /// # Errors
    /// STATUS_INVALID_PARAMETER for another major function than read, write and the two controls, or for a second
    /// callback; STATUS_INVALID_DEVICE_STATE after the device was started.
    pub fn configure_wdm_irp_dispatch(
        self,
        m: &mut Machine,
        major: Major,
        callback: Option<WdmIrpDispatch>,
        context: impl Into<Context>,
    ) -> Result<(), NtStatus> {
        let driver = self.driver(m);
        let refused = STATUS_INVALID_PARAMETER;
        if !matches!(major, Major::Read | Major::Write | Major::DeviceControl | Major::InternalDeviceControl) {
            trace(m, driver, &sites::DYNAMIC_MAJOR, [major as u64, refused.0.into()]);
            return Err(refused);
        }
        let Some(callback) = callback else {
            const DDI: &str = "WdfDeviceConfigureWdmIrpDispatchCallback";
            // The third parameter is the caller's address.
            verifier::wdf_violation(m, Some(driver), 4, [0, driver.object().address() ^ 0xFFFF], DDI);
        };
        if let Err(control) = pnp::still_initializing(m, self) {
            let status = STATUS_INVALID_DEVICE_STATE;
            let site = if control { &sites::DYNAMIC_FINISHED } else { &sites::DYNAMIC_STARTED };
            trace(m, driver, site, [self.0.address(), status.0.into()]);
            return Err(status);
        }
        let dynamic = &mut self.body(m).dynamic;
        if dynamic.get(major).is_some() {
            trace(m, driver, &sites::IO_DYNAMIC_TWICE, [driver.object().handle(), major as u64, refused.0.into()]);
            return Err(refused);
        }
        dynamic.set(major, (callback, context.into()));
        Ok(())
    }

    /// `WdfDeviceWdmDispatchIrp`, in EvtDeviceWdmIrpDispatch: the IRP goes the way it would have gone without the
    /// callback.
    pub fn dispatch_irp(self, m: &mut Machine, irp: Irp) -> NtStatus {
        let major = m[irp].current().major;
        to_queue(m, self, irp, major)
    }

    /// `WdfDeviceWdmDispatchIrpToIoQueue`, in EvtDeviceWdmIrpDispatch or in a preprocess callback: the IRP becomes a
    /// request of this queue, which is the device's or, for a PDO that may hand requests to it, the parent's. The parent's
    /// request has a location of its own.
    ///
    /// The answer is the dispatch routine's. Only the verifier looks whether all of that is so, and whether the queue has a
    /// callback for the kind: STATUS_INVALID_PARAMETER, or STATUS_INVALID_DEVICE_REQUEST for a PDO that was not created with
    /// WdfPdoInitAllowForwardingRequestToParent, completes the IRP.
    ///
    /// Source: S/core/km/fxdeviceapikm.cpp:400-500.
    pub fn dispatch_irp_to_queue(self, m: &mut Machine, irp: Irp, queue: Queue, flags: DispatchIrpFlags) -> NtStatus {
        m.boundary("WdfDeviceWdmDispatchIrpToIoQueue");
        if flags.contains(DispatchIrpFlags::PREPROCESSED_IRP) {
            m[irp].set_next_location();
        }
        let driver = self.driver(m);
        if driver.verifier_on(m)
            && let Err(status) = self.verify_dispatch_to(m, irp, queue, flags)
        {
            return irp.complete_with(m, status, 0);
        }
        let parent = self.parent(m).filter(|&parent| parent == queue.device(m));
        let device = parent.unwrap_or(self);
        if parent.is_some() {
            let device_object = device.device_object(m);
            let data = &mut m[irp];
            data.copy_current_to_next();
            data.set_next_location();
            data.current_mut().device = Some(device_object);
        }
        let in_caller_context = device.body(m).in_caller_context;
        let invoked = in_caller_context.filter(|_| flags.contains(DispatchIrpFlags::INVOKE_INCALLERCTX_CALLBACK));
        make_request(m, device, irp, Some(queue), invoked)
    }

    /// Source: S/core/fxdeviceapi.cpp:2670-2800.
    fn verify_dispatch_to(
        self,
        m: &mut Machine,
        irp: Irp,
        queue: Queue,
        flags: DispatchIrpFlags,
    ) -> Result<(), NtStatus> {
        let driver = self.driver(m);
        let location = m[irp].current();
        let (major, minor) = (location.major, location.minor);
        let device_address = self.device_object(m).address();
        let arguments = [self.0.handle(), device_address, major as u64, minor.into(), irp.address()];
        trace(m, driver, &sites::DISPATCH_TO_QUEUE, arguments);
        let (handle, owner, parent) = (self.0.handle(), queue.device(m), self.parent(m));
        let shown = [queue.0.handle(), irp.address(), major as u64, minor.into(), handle];
        let refuse = |m: &mut Machine, site: &'static Site, arguments: &[u64], status: NtStatus| {
            // The status is the last argument of each of these lines.
            let mut all = [0; 6];
            all[..arguments.len()].copy_from_slice(arguments);
            all[arguments.len()] = status.0.into();
            trace(m, driver, site, all);
            debug_break(m, driver);
            Err(status)
        };
        let invalid = STATUS_INVALID_PARAMETER;
        if !DispatchIrpFlags::ALL.contains(flags) {
            return refuse(m, &sites::DISPATCH_TO_QUEUE_FLAGS, &[flags.0.into()], invalid);
        }
        if !is_io(major) {
            return refuse(m, &sites::DISPATCH_TO_QUEUE_NOT_IO, &shown, invalid);
        }
        if !take_fx(m).queue(queue).handles(major) {
            return refuse(m, &sites::DISPATCH_TO_QUEUE_NO_HANDLER, &shown, invalid);
        }
        match parent {
            _ if owner == self => Ok(()),
            Some(parent) if parent == owner && self.forwards_to_parent(m) => Ok(()),
            Some(parent) if parent == owner => {
                refuse(m, &sites::DISPATCH_TO_QUEUE_NOT_ALLOWED, &[handle], STATUS_INVALID_DEVICE_REQUEST)
            }
            _ => refuse(m, &sites::DISPATCH_TO_QUEUE_OTHER_DEVICE, &[owner.0.handle()], invalid),
        }
    }
}
