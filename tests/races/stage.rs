//! A driver with one device that keeps requests, and what its races have in common.

use std::num::NonZero;

use vbus::explore::{Failure, Found, Options, Race, explore, replay};
use vbus::wdf::*;
use vbus::wdm::{FileObject, IoctlCode, Machine, NtStatus, OpenOptions};

use crate::common::workbench::Workbench;

/// A control code, METHOD_BUFFERED.
pub const CODE: IoctlCode = IoctlCode(0x0022_2000);

/// Whether the driver is the wrong one or its repaired twin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Twin {
    Wrong,
    Repaired,
}

/// What the driver keeps: its device extension.
pub struct Kept {
    pub twin: Twin,
    pub request: Option<Request>,
    /// What a test wants to say at the end.
    pub broken: Option<&'static str>,
    /// Whether the hardware has power, or the driver said so.
    pub powered: bool,
}

pub fn kept(m: &mut Machine) -> &mut Kept {
    m.extension_mut::<Kept>()
}

pub fn is_repaired(m: &mut Machine) -> bool {
    kept(m).twin == Twin::Repaired
}

/// A driver with a device, and a program's handle to it.
pub fn stage(
    twin: Twin,
    build: fn(&mut Machine, DeviceInit, Attributes) -> Result<Device, NtStatus>,
) -> (Machine, Stage) {
    let Workbench { mut machine, device, driver } = Workbench::building(build);
    machine.add_extension(Kept { twin, request: None, broken: None, powered: true });
    let pdo = machine.run(|m| device.pdo(m)).unwrap().unwrap();
    machine.create_symbolic_link("\\??\\RACE", pdo).unwrap();
    let file = machine.create_file("\\\\.\\RACE", OpenOptions::OVERLAPPED).unwrap().unwrap();
    (machine, Stage { device, driver, file })
}

/// What a race's threads know of the stage.
#[derive(Clone, Copy)]
pub struct Stage {
    pub device: Device,
    pub driver: Driver,
    pub file: FileObject,
}

/// A program's overlapped request.
pub fn issue(file: FileObject) -> impl FnOnce(&mut Machine) + Send + 'static {
    move |m| {
        // What is returned at once does not matter, nor does a machine that stopped.
        _ = m.start_io_control(file, CODE, &[], &[]);
    }
}

/// The failure of a wrong driver: an undisturbed run goes well, the failure is replayed by its schedule, and it is the same
/// whoever looks, on one core or two.
pub fn falls(code: fn(&mut Race, Twin) -> Result<(), Failure>) -> Found {
    let wrong = |race: &mut Race| code(race, Twin::Wrong);
    let found = explore(&Options::default(), wrong).failure.expect("the wrong driver fails in some schedule");
    assert!(!found.schedule.switches.is_empty(), "the wrong driver fails undisturbed: {found}");
    let replayed = replay(&found.schedule, wrong).expect_err("the schedule replays the failure");
    assert_eq!((&replayed.failure, &replayed.schedule), (&found.failure, &found.schedule));
    let two_cores = Options { jobs: NonZero::new(2).unwrap(), ..Options::default() };
    assert_eq!(explore(&two_cores, wrong).failure.as_ref(), Some(&found));
    found
}

/// The repaired twin survives every schedule.
pub fn survives(code: fn(&mut Race, Twin) -> Result<(), Failure>) {
    let explored = explore(&Options::default(), |race| code(race, Twin::Repaired));
    if let Some(found) = explored.failure {
        panic!("the repaired driver fails: {found}");
    }
    assert!(explored.schedules > 1000, "only {} schedules", explored.schedules);
}

/// What the callbacks of a run found broken.
pub fn verdict(mut machine: Machine) -> Result<(), Failure> {
    match kept(&mut machine).broken {
        Some(broken) => Err(broken.into()),
        None => Ok(()),
    }
}
