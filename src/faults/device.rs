//! Readers that answer wrongly, late, or never: their driver's dispatch routine for control requests is somebody else's.
//!
//! The StackSizes stay as they are, as they do when Driver Verifier stands between.

use vbus_wdm::constants::*;
use vbus_wdm::{Context, DeviceObject, Dispatch, DriverObject, Irp, Machine, Major, NtStatus, Ticks};

use crate::run::Stage;

/// What the readers do.
#[derive(Clone, Copy)]
pub(super) enum DeviceFault {
    Never,
    Late(Ticks),
    Error(NtStatus),
}

/// What stands between.
struct Between {
    fault: DeviceFault,
    /// The routines that were there before.
    before: Vec<(DriverObject, Dispatch)>,
    /// What is late, with its numbers.
    late: Vec<(u64, DeviceObject, Irp)>,
    requests: u64,
}

const MAJORS: [Major; 4] = [Major::DeviceControl, Major::InternalDeviceControl, Major::Read, Major::Write];

impl DeviceFault {
    /// From now on the readers do that.
    pub(super) fn inject(self, stage: &mut Stage<'_>) {
        let drivers: Vec<_> = stage.reader_drivers().iter().map(|&(_, driver)| driver).collect();
        let m = &mut stage.m;
        let mut before = Vec::new();
        for driver in drivers {
            let driver = driver.driver_object(m);
            before.push((driver, driver.major(m, Major::InternalDeviceControl)));
            for major in MAJORS {
                driver.set_major(m, major, arrive);
            }
        }
        m.add_extension(Between { fault: self, before, late: Vec::new(), requests: 0 });
        if matches!(self, DeviceFault::Never) {
            // Whoever waits for that loses patience.
            m.on_idle(Machine::cancel_all_io);
        }
    }
}

fn arrive(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    match m.extension::<Between>().fault {
        DeviceFault::Error(status) => irp.complete_with(m, status, 0),
        DeviceFault::Late(after) => {
            irp.mark_pending(m);
            let between = m.extension_mut::<Between>();
            between.requests += 1;
            let number = between.requests;
            between.late.push((number, device, irp));
            m.set_timer(after, answer, Context(number));
            STATUS_PENDING
        }
        DeviceFault::Never => {
            irp.mark_pending(m);
            irp.set_cancel_routine(m, Some(cancelled));
            if m[irp].cancel && irp.set_cancel_routine(m, None).is_some() {
                irp.complete_with(m, STATUS_CANCELLED, 0);
            }
            STATUS_PENDING
        }
    }
}

fn cancelled(m: &mut Machine, _: Option<DeviceObject>, irp: Irp) {
    irp.release_cancel_spin_lock(m);
    irp.complete_with(m, STATUS_CANCELLED, 0);
}

/// The device answers at last.
fn answer(m: &mut Machine, number: Context) {
    let late = &mut m.extension_mut::<Between>().late;
    let Some(at) = late.iter().position(|&(late, ..)| late == number.0) else { return };
    let (_, device, irp) = late.remove(at);
    let driver = device.driver(m);
    let before = m.extension::<Between>().before.iter().find(|&&(known, _)| known == driver).map(|&(_, before)| before);
    match before {
        Some(dispatch) => _ = dispatch(m, device, irp),
        None => _ = irp.complete_with(m, STATUS_DEVICE_NOT_READY, 0),
    }
}
