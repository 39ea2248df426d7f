//! Every row of the decision table that each format call begins with.

mod common;

use vbus::iotarget::{CompletionParams, Data, IoTarget, SendOptions, SendRequest, SentKind};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Context, DeviceObject, Installation, IoctlCode, Irp, Machine, Major, NtStatus, OpenOptions};

const CODE: IoctlCode = IoctlCode(0x0022_0003);

/// A driver that keeps what its queue is given.
#[derive(Default)]
struct Held(Option<Request>);

struct Bench {
    machine: Machine,
    driver: Driver,
    target: IoTarget,
    lower: DeviceObject,
}

/// A framework FDO whose own device object has `stack` locations, with a remote target on a plain device of `target`.
fn bench(stack: i8, target_size: i8, verifier: bool) -> Bench {
    let mut machine = Machine::new();
    machine.add_extension(Held::default());
    let config = DriverConfig { device_add: Some(device_add), verbose: true, verifier, ..DriverConfig::default() };
    let driver = Driver::create(&mut machine, "fdo", config, Attributes::none().context(stack));
    let function = Some(driver.driver_object(&machine));
    machine.install(Installation { hardware_id: "ROOT\\T".into(), function, ..Installation::default() });
    let pdo = machine.add_root_device("ROOT\\T").unwrap().pdo(&machine).unwrap();
    machine.create_symbolic_link("\\??\\T", pdo).unwrap();
    let plain = machine.create_driver("plain");
    plain.set_all_majors(&mut machine, |m, _, irp| irp.complete_with(m, STATUS_SUCCESS, 4));
    plain.set_major(&mut machine, Major::Pnp, common::knows_no_pnp);
    let lower = machine.create_device(plain);
    machine[lower].stack_size = target_size;
    let device = *driver.context::<Created>(&mut machine);
    let target = machine.run(|m| IoTarget::create(m, device.0, Attributes::none())).unwrap().unwrap();
    Bench { machine, driver, target, lower }
}

#[derive(Clone, Copy)]
struct Created(Device);

fn device_add(m: &mut Machine, driver: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let stack = *driver.context::<i8>(m);
    let device = init.create(m, Attributes::none())?;
    driver.allocate_context(m, Attributes::none().context(Created(device)))?;
    let device_object = device.device_object(m);
    m[device_object].stack_size = stack;
    Queue::config(Dispatch::Parallel)
        .on_default(|m, _, request| m.extension_mut::<Held>().0 = Some(request))
        .create_default(m, device)?;
    Ok(())
}

impl Bench {
    fn open(mut self) -> Bench {
        let (target, lower) = (self.target, self.lower);
        self.machine.run(|m| target.open_existing_device(m, lower)).unwrap().unwrap();
        self
    }

    /// A program's request, dispatched to the driver and held there, and its IRP.
    fn dispatched(&mut self) -> (Request, Irp) {
        let file = self.machine.create_file("\\\\.\\T", OpenOptions::OVERLAPPED).unwrap().unwrap();
        self.machine.start_io_control(file, CODE, &[], &[]).unwrap().unwrap();
        let request = self.machine.extension_mut::<Held>().0.take().unwrap();
        let irp = self.machine.run(|m| request.current_irp(m)).unwrap().unwrap();
        (request, irp)
    }

    fn created(&mut self) -> Request {
        let driver = self.driver;
        self.machine.run(|m| Request::create(m, driver, Attributes::none()).unwrap()).unwrap()
    }

    fn format(&mut self, request: Request, call: Call) -> Result<(), NtStatus> {
        let target = self.target;
        let formatted = self.machine.run(|m| match call {
            Call::InternalIoctl => target.format_internal_ioctl(m, request, CODE, Data::None, Data::None),
            Call::Ioctl => target.format_ioctl(m, request, CODE, Data::None, Data::None),
            Call::Read => target.format_read(m, request, Data::None, 0),
            Call::Write => target.format_write(m, request, Data::None, 0),
        });
        formatted.unwrap()
    }

    /// The IRP of a request: StackCount and CurrentLocation.
    fn irp(&mut self, request: Request) -> Option<(i8, i8)> {
        let irp = self.machine.run(|m| request.current_irp(m)).unwrap()?;
        Some((self.machine[irp].stack_count(), self.machine[irp].current_location()))
    }

    /// What the last call left in the log, without addresses.
    fn validate_lines(&self) -> Vec<String> {
        let lines = self.driver.log(&self.machine);
        let ours = lines.into_iter().filter(|line| line.function == "FxRequestBase::ValidateTarget");
        ours.map(|line| line.message.split(" WDFREQUEST").next().unwrap().trim_end().to_owned()).collect()
    }
}

#[derive(Clone, Copy, Debug)]
enum Call {
    InternalIoctl,
    Ioctl,
    Read,
    Write,
}

const CALLS: [Call; 4] = [Call::InternalIoctl, Call::Ioctl, Call::Read, Call::Write];

#[test]
fn a_target_that_was_never_opened_or_is_closed_refuses_whatever_the_irp_is() {
    for (call, verifier) in CALLS.into_iter().flat_map(|call| [(call, false), (call, true)]) {
        let mut bench = bench(8, 2, verifier);
        let (request, irp) = bench.dispatched();
        assert_eq!(bench.format(request, call), Err(STATUS_INVALID_DEVICE_STATE), "{call:?}");
        let created = bench.created();
        assert_eq!(bench.format(created, call), Err(STATUS_INVALID_DEVICE_STATE));
        assert_eq!(bench.irp(created), None, "and nothing was allocated");
        let mut bench = bench.open();
        assert_eq!(bench.format(request, call), Ok(()));
        let target = bench.target;
        bench.machine.run(|m| target.close(m)).unwrap();
        assert_eq!(bench.format(request, call), Err(STATUS_INVALID_DEVICE_STATE));
        assert!(irp.exists(&bench.machine));
        let last = bench.driver.log(&bench.machine).into_iter().rfind(|line| line.level == Level::Error).unwrap();
        assert!(last.message.ends_with("is closed, cannot validate, 0xc0000184(STATUS_INVALID_DEVICE_STATE)"));
    }
}

#[test]
fn enough_locations_are_exactly_one_more_than_the_targets_size() {
    for (stack, target) in (1..=8).flat_map(|stack| (1..=8).map(move |target| (stack, target))) {
        for call in CALLS {
            let mut bench = bench(stack.max(2), target, false).open();
            let (request, irp) = bench.dispatched();
            let at = bench.machine[irp].current_location();
            let expected = if at > target { Ok(()) } else { Err(STATUS_REQUEST_NOT_ACCEPTED) };
            assert_eq!(bench.format(request, call), expected, "CurrentLocation {at}, target {target}, {call:?}");
            // Accepted or not, the framework never touches an IRP that it does not own.
            assert_eq!(bench.irp(request), Some((stack.max(2), at)));
        }
    }
}

#[test]
fn a_dispatched_request_that_is_too_small_says_so_in_one_error_line() {
    let mut bench = bench(2, 4, false).open();
    let (request, _) = bench.dispatched();
    assert_eq!(bench.format(request, Call::InternalIoctl), Err(STATUS_REQUEST_NOT_ACCEPTED));
    assert_eq!(bench.validate_lines(), ["Cannot reallocate PIRP for"]);
}

#[test]
fn a_created_request_gets_an_irp_as_big_as_the_target_and_a_bigger_one_when_it_has_to() {
    for call in CALLS {
        let mut bench = bench(2, 3, false).open();
        let request = bench.created();
        assert_eq!(bench.irp(request), None);
        assert_eq!(bench.format(request, call), Ok(()));
        assert_eq!(bench.irp(request), Some((3, 4)));
        // Formatted again for a deeper target, it changes its IRP; for a shallower one it keeps it.
        let lower = bench.lower;
        for (size, expected) in [(6, (6, 7)), (2, (6, 7))] {
            bench.machine[lower].stack_size = size;
            let target = bench.target;
            bench.machine.run(|m| target.close(m)).unwrap();
            bench = bench.open();
            assert_eq!(bench.format(request, call), Ok(()));
            assert_eq!(bench.irp(request), Some(expected));
        }
        assert_eq!(bench.validate_lines().len(), 1, "only the IRP that was replaced leaves a line");
        assert!(bench.validate_lines()[0].starts_with("Freeing irp "));
    }
}

#[test]
fn a_request_created_for_a_target_has_its_irp_at_once() {
    let mut bench = bench(2, 5, false).open();
    let target = bench.target;
    let request = bench.machine.run(|m| target.create_request(m, Attributes::none())).unwrap().unwrap();
    assert_eq!(bench.irp(request), Some((5, 6)));
    bench.machine.run(|m| target.close(m)).unwrap();
    let refused = bench.machine.run(|m| target.create_request(m, Attributes::none())).unwrap();
    assert_eq!(refused, Err(STATUS_INVALID_DEVICE_STATE));
}

#[test]
fn an_irp_of_the_drivers_own_is_replaced_only_if_the_framework_may_free_it() {
    for (frees_irp, expected, irp_now) in
        [(true, Ok(()), Some((5, 6))), (false, Err(STATUS_REQUEST_NOT_ACCEPTED), Some((3, 4)))]
    {
        let mut bench = bench(2, 5, false).open();
        let driver = bench.driver;
        let (irp, request) = bench
            .machine
            .run(|m| {
                let irp = m.allocate_irp(3).unwrap();
                (irp, Request::create_from_irp(m, driver, irp, frees_irp, Attributes::none()).unwrap())
            })
            .unwrap();
        assert_eq!(bench.format(request, Call::InternalIoctl), expected);
        assert_eq!(bench.irp(request), irp_now);
        assert_eq!(irp.exists(&bench.machine), !frees_irp, "the IRP that was too small");
        bench.machine.run(|m| request.delete(m)).unwrap();
        assert_eq!(irp.exists(&bench.machine), !frees_irp, "the driver's own IRP outlives the request");
    }
}

#[test]
fn a_target_that_no_irp_can_be_made_for_is_out_of_resources() {
    // A deep device below a shallow one: what opening asks the top of the stack still fits.
    let mut bench = bench(2, 1, false);
    let (lower, filter) = (bench.lower, bench.machine.create_driver("filter"));
    filter.set_all_majors(&mut bench.machine, |m, _, irp| irp.complete_with(m, STATUS_NOT_SUPPORTED, 0));
    let above = bench.machine.create_device(filter);
    bench.machine[lower].initializing = false;
    above.attach_to_stack(&mut bench.machine, lower).unwrap();
    bench.machine[lower].stack_size = 127;
    let mut bench = bench.open();
    let request = bench.created();
    assert_eq!(bench.format(request, Call::InternalIoctl), Err(STATUS_INSUFFICIENT_RESOURCES));
    assert_eq!(bench.validate_lines(), ["Could not allocate irp for"]);
    assert_eq!(bench.irp(request), None);
}

#[test]
fn a_stack_that_no_irp_can_be_made_for_cannot_be_opened_either() {
    let mut bench = bench(2, 127, false);
    let (target, lower) = (bench.target, bench.lower);
    let opened = bench.machine.run(|m| target.open_existing_device(m, lower)).unwrap();
    assert_eq!(opened, Err(STATUS_INSUFFICIENT_RESOURCES));
    assert_eq!(bench.machine.run(|m| target.stack_size(m)).unwrap(), 0);
}

#[test]
fn raising_the_opened_devices_stack_size_afterwards_changes_nothing() {
    let mut bench = bench(3, 2, false).open();
    let lower = bench.lower;
    bench.machine[lower].stack_size = 9;
    let (request, _) = bench.dispatched();
    assert_eq!(bench.format(request, Call::InternalIoctl), Ok(()), "the target copied 2 when it was opened");
}

#[test]
fn without_the_verifier_a_send_looks_at_nothing_and_with_it_at_the_formatting() {
    for (verifier, expected) in [(false, STATUS_SUCCESS), (true, STATUS_REQUEST_NOT_ACCEPTED)] {
        let mut bench = bench(4, 2, verifier).open();
        let (request, _) = bench.dispatched();
        let target = bench.target;
        let sent = bench.machine.run(|m| {
            request.set_completion_routine(m, complete, Context(0));
            let sent = request.send(m, target, SendOptions::none());
            (sent, if sent { STATUS_SUCCESS } else { request.status(m) })
        });
        assert_eq!(sent.unwrap(), (expected == STATUS_SUCCESS, expected));
    }
}

fn complete(m: &mut Machine, request: Request, _: IoTarget, params: &CompletionParams, _: Context) {
    request.complete_with_information(m, params.io_status.status, params.io_status.information);
}

#[test]
fn a_synchronous_send_waits_and_calls_the_completion_routine_too() {
    struct Seen(Vec<SentKind>);
    let mut bench = bench(4, 2, true).open();
    bench.machine.add_extension(Seen(Vec::new()));
    let request = bench.created();
    assert_eq!(bench.format(request, Call::InternalIoctl), Ok(()));
    let target = bench.target;
    let (sent, status) = bench
        .machine
        .run(|m| {
            request.set_completion_routine(
                m,
                |m, _, _, params, _| m.extension_mut::<Seen>().0.push(params.kind),
                Context(0),
            );
            (request.send(m, target, SendOptions::synchronous()), request.status(m))
        })
        .unwrap();
    assert_eq!((sent, status), (true, STATUS_SUCCESS));
    assert_eq!(bench.machine.extension::<Seen>().0, [SentKind::InternalIoctl(CODE)]);
}

#[test]
fn sending_a_request_that_is_out_is_wdf_violation_6_3() {
    let mut bench = bench(4, 2, false).open();
    let pends = bench.machine.create_driver("pends");
    pends.set_major(&mut bench.machine, Major::InternalDeviceControl, |m, _, irp| {
        irp.mark_pending(m);
        STATUS_PENDING
    });
    let (target, device) = (bench.target, bench.machine.create_device(pends));
    bench.machine.run(|m| (target.close(m), target.open_existing_device(m, device))).unwrap().1.unwrap();
    let (request, _) = bench.dispatched();
    assert_eq!(bench.format(request, Call::InternalIoctl), Ok(()));
    let stop = bench
        .machine
        .run(|m| {
            request.set_completion_routine(m, complete, Context(0));
            assert!(request.send(m, target, SendOptions::none()));
            request.set_completion_routine(m, complete, Context(0));
            request.send(m, target, SendOptions::none());
        })
        .unwrap_err();
    let vbus::wdm::Stop::BugCheck(check) = stop else { panic!("{stop}") };
    assert_eq!((check.code, check.parameters[0], check.parameters[1]), (0x10D, 6, 3));
    assert_eq!(check.parameters[2], request.object().handle());
    assert!(check.log.last().unwrap().contains("already sent to a target"), "the dump has the driver's log");
    assert_eq!(check.driver.as_deref(), Some("fdo"));
}
