//! Creates, cleanups and closes: who may open a device, and what its driver hears of a handle.

use vbus::wdm::constants::*;
use vbus::wdm::{
    Access, DeviceObject, FileObject, IoctlCode, Irp, Machine, Major, Method, NtStatus, OpenOptions, RequestorMode,
    Ticks,
};

const CODE: IoctlCode = IoctlCode::new(0x8000, 0x801, Method::Buffered, Access::WRITE);

/// What the driver heard, what it has, and how it answers a create.
#[derive(Default)]
struct World {
    heard: Vec<String>,
    held: Vec<Irp>,
    create: NtStatus,
    create_pends: bool,
}

/// A driver that keeps control requests until their file is cleaned up.
fn arrive(m: &mut Machine, _: DeviceObject, irp: Irp) -> NtStatus {
    let major = m[irp].current().major;
    m.extension_mut::<World>().heard.push(major.name().trim_start_matches("IRP_MJ_").to_owned());
    match major {
        Major::Create => {
            let World { create, create_pends, .. } = *m.extension::<World>();
            if create_pends {
                irp.mark_pending(m);
                m.set_timer(
                    Ticks::from_millis(2),
                    |m, context| {
                        let status = m.extension::<World>().create;
                        Irp::from_context(context).unwrap().complete_with(m, status, 0);
                    },
                    irp.to_context(),
                );
                return STATUS_PENDING;
            }
            irp.complete_with(m, create, 0)
        }
        Major::Cleanup => {
            let file = irp.file(m);
            for held in std::mem::take(&mut m.extension_mut::<World>().held) {
                match held.file(m) == file && held.set_cancel_routine(m, None).is_some() {
                    true => _ = held.complete_with(m, STATUS_CANCELLED, 0),
                    false => m.extension_mut::<World>().held.push(held),
                }
            }
            irp.complete_with(m, STATUS_SUCCESS, 0)
        }
        Major::DeviceControl => {
            irp.mark_pending(m);
            irp.set_cancel_routine(m, Some(cancelled));
            m.extension_mut::<World>().held.push(irp);
            STATUS_PENDING
        }
        _ => irp.complete_with(m, STATUS_SUCCESS, 0),
    }
}

fn cancelled(m: &mut Machine, _: Option<DeviceObject>, irp: Irp) {
    irp.release_cancel_spin_lock(m);
    m.extension_mut::<World>().held.retain(|&held| held != irp);
    irp.complete_with(m, STATUS_CANCELLED, 0);
}

fn machine() -> (Machine, DeviceObject) {
    let mut m = Machine::new();
    m.add_extension(World::default());
    let driver = m.create_driver("files");
    driver.set_all_majors(&mut m, arrive);
    let device = m.create_device(driver);
    m[device].initializing = false;
    m.create_symbolic_link("\\??\\FILES", device).unwrap();
    (m, device)
}

fn open(m: &mut Machine) -> Result<FileObject, NtStatus> {
    m.create_file("\\\\.\\FILES", OpenOptions::OVERLAPPED).unwrap()
}

fn heard(m: &mut Machine) -> Vec<String> {
    std::mem::take(&mut m.extension_mut::<World>().heard)
}

#[test]
fn a_handle_is_created_cleaned_up_and_closed() {
    let (mut m, _) = machine();
    let file = open(&mut m).unwrap();
    assert_eq!(m.close_handle(file).unwrap(), STATUS_SUCCESS);
    assert_eq!(heard(&mut m), ["CREATE", "CLEANUP", "CLOSE"]);
    assert_eq!(m.close_handle(file).unwrap(), STATUS_INVALID_HANDLE);
}

#[test]
fn a_failed_create_has_no_cleanup_and_no_close() {
    for create_pends in [false, true] {
        let (mut m, device) = machine();
        let world = m.extension_mut::<World>();
        (world.create, world.create_pends) = (STATUS_DEVICE_NOT_READY, create_pends);
        m[device].exclusive = true;
        assert_eq!(open(&mut m), Err(STATUS_DEVICE_NOT_READY));
        assert_eq!(heard(&mut m), ["CREATE"]);
        m.extension_mut::<World>().create = STATUS_SUCCESS;
        assert!(open(&mut m).is_ok(), "nobody has it open");
    }
}

#[test]
fn an_exclusive_device_is_open_once_at_a_time() {
    let (mut m, device) = machine();
    m[device].exclusive = true;
    let file = open(&mut m).unwrap();
    assert_eq!(open(&mut m), Err(STATUS_ACCESS_DENIED));
    assert_eq!(heard(&mut m), ["CREATE"], "the second one never becomes an IRP");
    m.close_handle(file).unwrap();
    assert!(open(&mut m).is_ok());
}

#[test]
fn an_exclusive_device_is_taken_until_its_close_and_not_only_its_cleanup() {
    let (mut m, device) = machine();
    m[device].exclusive = true;
    let file = open(&mut m).unwrap();
    m.start_io_control(file, CODE, &[], &[]).unwrap().unwrap();
    // A driver that forgets its requests at the cleanup.
    let held = std::mem::take(&mut m.extension_mut::<World>().held);
    m.close_handle(file).unwrap();
    assert_eq!(heard(&mut m), ["CREATE", "DEVICE_CONTROL", "CLEANUP"]);
    assert_eq!(open(&mut m), Err(STATUS_ACCESS_DENIED));
    m.run(|m| {
        held[0].set_cancel_routine(m, None);
        held[0].complete_with(m, STATUS_SUCCESS, 0);
    })
    .unwrap();
    assert_eq!(heard(&mut m), ["CLOSE"]);
    assert!(open(&mut m).is_ok());
}

#[test]
fn exclusive_counts_only_on_the_device_that_has_the_name() {
    let (mut m, device) = machine();
    let upper = m.create_driver("upper");
    upper.set_all_majors(&mut m, |m, device, irp| {
        m[irp].skip_current_location();
        let lower = device.lower_device(m).unwrap();
        irp.call_driver(m, lower)
    });
    let filter = m.create_device(upper);
    filter.attach_to_stack(&mut m, device).unwrap();
    m[filter].initializing = false;
    m[filter].exclusive = true;
    assert!(open(&mut m).is_ok() && open(&mut m).is_ok());
}

#[test]
fn the_last_handle_lets_the_driver_cancel_what_it_has_and_the_close_waits_for_that() {
    let (mut m, _) = machine();
    let (first, second) = (open(&mut m).unwrap(), open(&mut m).unwrap());
    let request = m.start_io_control(first, CODE, &[], &[]).unwrap().unwrap();
    let other = m.start_io_control(second, CODE, &[], &[]).unwrap().unwrap();
    heard(&mut m);
    m.close_handle(first).unwrap();
    assert_eq!(heard(&mut m), ["CLEANUP", "CLOSE"]);
    let result = |m: &mut Machine, request| m.overlapped_result(request, &mut []).map(|result| result.status);
    assert_eq!((result(&mut m, request), result(&mut m, other)), (Some(STATUS_CANCELLED), None));
}

#[test]
fn the_io_manager_itself_cancels_nothing_when_a_handle_is_closed() {
    let (mut m, _) = machine();
    let file = open(&mut m).unwrap();
    m.start_io_control(file, CODE, &[], &[]).unwrap().unwrap();
    let held = std::mem::take(&mut m.extension_mut::<World>().held);
    m.close_handle(file).unwrap();
    assert!(!m[held[0]].cancel && held[0].exists(&m));
}

#[test]
fn one_request_or_all_of_a_handle_can_be_cancelled() {
    let (mut m, _) = machine();
    let (file, other) = (open(&mut m).unwrap(), open(&mut m).unwrap());
    let [first, second, third] =
        [file, file, other].map(|file| m.start_io_control(file, CODE, &[], &[]).unwrap().unwrap());
    assert_eq!(m.cancel_io(first), Ok(true));
    assert_eq!(m.cancel_file_io(file), Ok(true));
    let status = |m: &mut Machine, request| m.overlapped_result(request, &mut []).map(|result| result.status);
    assert_eq!(status(&mut m, first), Some(STATUS_CANCELLED));
    assert_eq!(status(&mut m, second), Some(STATUS_CANCELLED));
    assert_eq!(status(&mut m, third), None);
    assert_eq!(m.cancel_file_io(file), Ok(false), "nothing is out any more");
}

#[test]
fn a_handle_of_the_kernels_own_is_trusted_with_every_code() {
    for (mode, expected) in [(RequestorMode::User, Err(STATUS_ACCESS_DENIED)), (RequestorMode::Kernel, Ok(()))] {
        let (mut m, _) = machine();
        let options = OpenOptions { access: Access::READ, ..OpenOptions::OVERLAPPED };
        let file = m.run(|m| m.open("\\??\\FILES", options, mode)).unwrap().unwrap();
        assert_eq!(m.start_io_control(file, CODE, &[], &[]).unwrap().map(|_| ()), expected);
        if expected.is_ok() {
            let held = m.extension::<World>().held[0];
            assert_eq!(m[held].requestor_mode, RequestorMode::Kernel);
        }
    }
}

#[test]
fn a_device_that_initializes_or_goes_cannot_be_opened() {
    let (mut m, device) = machine();
    m[device].initializing = true;
    assert_eq!(open(&mut m), Err(STATUS_NO_SUCH_DEVICE));
    m[device].initializing = false;
    assert!(open(&mut m).is_ok());
    m.run(|m| device.delete(m)).unwrap();
    assert_eq!(open(&mut m), Err(STATUS_OBJECT_NAME_NOT_FOUND));
}
