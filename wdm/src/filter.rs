//! A pass-through filter driver: what every filter is before it does anything.
//!
//! Source: Windows driver documentation, "Passing IRPs down the driver stack"; smart-card filters are found above the
//! reader's FDO, as class upper filters are.

use crate::device::{DeviceObject, DriverObject};
use crate::irp::{Control, Irp, Major};
use crate::machine::Machine;
use crate::pnp::PnpMinor;
use crate::schedule::Context;
use crate::status::{NtStatus, constants::*};

/// How a filter passes I/O requests down. It decides whether the location that the filter added to its stack is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FilterStyle {
    /// Copies its location to the next and sets a completion routine: uses the location it added.
    #[default]
    Copy,
    /// Skips: gives its location to the driver below, which so has one more to give away.
    Skip,
}

/// Loads a WDM filter driver that passes everything down. Install it as a lower or upper filter.
pub fn create_filter(m: &mut Machine, name: &str, style: FilterStyle) -> DriverObject {
    let driver = m.create_driver(name);
    let pass: crate::device::Dispatch = match style {
        FilterStyle::Copy => copy_down,
        FilterStyle::Skip => skip_down,
    };
    driver.set_all_majors(m, pass);
    driver.set_major(m, Major::Pnp, pnp);
    driver.set_major(m, Major::Power, skip_down);
    driver.set_add_device(m, add_device);
    driver
}

/// Attaches a filter driver's device to the top of a stack that is there already, as a driver does that was told of the
/// device and not installed for it. Whoever cached the stack's top or its StackSize knows nothing of it.
///
/// Returns what AddDevice does: STATUS_NO_SUCH_DEVICE for a stack that is going.
pub fn attach_filter(m: &mut Machine, driver: DriverObject, pdo: DeviceObject) -> NtStatus {
    add_device(m, driver, pdo)
}

fn add_device(m: &mut Machine, driver: DriverObject, pdo: DeviceObject) -> NtStatus {
    let device = m.create_device(driver);
    match device.attach_to_stack(m, pdo) {
        Ok(lower) => {
            // Its power IRPs come at the level at which the device below is ready for them.
            m[device].power_pageable = m[lower].power_pageable;
            m[device].initializing = false;
            STATUS_SUCCESS
        }
        Err(status) => {
            device.delete(m);
            status
        }
    }
}

fn skip_down(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    match m[device].lower {
        Some(lower) => {
            m[irp].skip_current_location();
            irp.call_driver(m, lower)
        }
        None => irp.complete_with(m, STATUS_NO_SUCH_DEVICE, 0),
    }
}

fn copy_down(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    match m[device].lower {
        Some(lower) => {
            let data = &mut m[irp];
            data.copy_current_to_next();
            data.set_completion_routine(came_back, Context(0), Control::INVOKE_ALWAYS);
            irp.call_driver(m, lower)
        }
        None => irp.complete_with(m, STATUS_NO_SUCH_DEVICE, 0),
    }
}

/// A routine that lets the walk go on carries the pending bit itself.
fn came_back(m: &mut Machine, _: Option<DeviceObject>, irp: Irp, _: Context) -> NtStatus {
    if m[irp].pending_returned {
        irp.mark_pending(m);
    }
    STATUS_SUCCESS
}

fn pnp(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    let remove = m[irp].current().minor == PnpMinor::RemoveDevice as u8;
    let status = skip_down(m, device, irp);
    if remove {
        device.detach(m);
        device.delete(m);
    }
    status
}
