//! What the framework verifier refuses, and says.

mod common;

use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Installation, IoctlCode, Machine, NtStatus, OpenOptions, Stop};

/// How each call of [`misuses`] ended.
#[derive(Default)]
struct Ended(Vec<Result<(), NtStatus>>);

fn device_add(m: &mut Machine, _: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let device = init.create(m, Attributes::none())?;
    Queue::config(Dispatch::Parallel).on_default(misuses).create_default(m, device)?;
    Ok(())
}

/// Calls that a request is not in the state for, in EvtIoDefault.
fn misuses(m: &mut Machine, _: Queue, request: Request) {
    let driver = request.driver(m);
    let irp = m.allocate_irp(2).unwrap();
    let own = Request::create_from_irp(m, driver, irp, true, Attributes::none()).unwrap();
    let ended = [request.unmark_cancelable(m), own.mark_cancelable_ex(m, |_, _| {}), own.unmark_cancelable(m)];
    m.extension_mut::<Ended>().0.extend(ended);
    request.stop_acknowledge(m, true);
    own.complete(m, STATUS_SUCCESS);
    own.delete(m);
    request.complete(m, STATUS_SUCCESS);
}

/// Sends one request to the driver. Returns how that ended, and what the driver logged of level error or worse.
fn run(verifier: bool) -> (Machine, Driver, Result<NtStatus, Stop>) {
    let mut m = Machine::new();
    m.add_extension(Ended::default());
    let config = DriverConfig { device_add: Some(device_add), verifier, ..DriverConfig::default() };
    let driver = Driver::create(&mut m, "misuser", config, Attributes::none());
    let function = Some(driver.driver_object(&m));
    m.install(Installation { hardware_id: "ROOT\\M".into(), function, ..Installation::default() });
    let pdo = m.add_root_device("ROOT\\M").unwrap().pdo(&m).unwrap();
    m.create_symbolic_link("\\??\\M", pdo).unwrap();
    let file = m.create_file("\\\\.\\M", OpenOptions::READ_WRITE).unwrap().unwrap();
    let sent = m.device_io_control(file, IoctlCode(0x0022_0003), &[], &mut []);
    (m, driver, sent.map(|result| result.status))
}

fn errors(m: &Machine, driver: Driver) -> String {
    let lines = driver.log(m).into_iter().filter(|line| line.level <= Level::Error);
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn under_the_verifier_a_call_on_a_request_in_the_wrong_state_is_refused_said_and_broken_on() {
    let (m, driver, sent) = run(true);
    assert_eq!(sent.unwrap(), STATUS_SUCCESS, "the driver went on, and so did its request");
    assert_eq!(m.extension::<Ended>().0, [Err(STATUS_INVALID_DEVICE_REQUEST); 3]);
    assert_eq!(driver.debugger_breaks(&m).len(), 5);
    approve!("log_of_a_verified_misuser", errors(&m, driver));
}

#[test]
fn without_the_verifier_the_same_calls_go_on_until_the_framework_frees_what_others_use() {
    let (m, driver, sent) = run(false);
    let ended = &m.extension::<Ended>().0;
    assert_eq!(
        ended[..],
        [Err(STATUS_CANCELLED), Err(STATUS_INVALID_DEVICE_REQUEST), Err(STATUS_INVALID_DEVICE_REQUEST)]
    );
    let Err(Stop::BugCheck(check)) = sent else { unreachable!("{sent:?}") };
    assert_eq!((check.code, check.parameters[0]), (0x10D, 7));
    assert!(driver.debugger_breaks(&m).is_empty());
    approve!("log_of_a_misuser", errors(&m, driver));
}
