//! A device's own target: what a driver sends to its own queues.

mod common;

use common::bench::*;
use vbus::iotarget::{Data, IoTarget, SendOptions, SendRequest, SentIo, TargetState};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{BugCheck, Context, IoctlCode, Major, StackLocation};

fn setup() -> Setup {
    Setup { self_target: true, verifier: true, ..Setup::default() }
}

/// A bench, and the device's own target.
fn own() -> (Bench, IoTarget) {
    let mut bench = setup().open();
    let device = bench.device;
    let own = bench.run(|m| IoTarget::self_of(m, device)).unwrap();
    bench.forget_log();
    (bench, own)
}

fn formatted(bench: &mut Bench, own: IoTarget) -> Request {
    bench.run(|m| {
        let request = own.create_request(m, Attributes::none()).unwrap();
        own.format_internal_ioctl(m, request, CODE, Data::None, Data::None).unwrap();
        request.set_completion_routine(m, came_back, Context(0));
        request
    })
}

#[test]
fn only_a_driver_that_asked_for_it_has_one() {
    let mut bench = bench();
    let device = bench.device;
    assert_eq!(bench.run(|m| IoTarget::self_of(m, device)), None);
    let (mut bench, own) = own();
    let device = bench.device;
    assert_eq!(bench.run(|m| IoTarget::self_of(m, device)), Some(own), "always the same one");
}

#[test]
fn its_stack_size_lacks_the_location_that_it_costs() {
    let mut bench = setup().closed();
    let device = bench.device;
    let object = bench.run(|m| device.device_object(m));
    let lower = bench.run(|m| device.lower_device(m)).unwrap();
    let own = bench.run(|m| IoTarget::self_of(m, device)).unwrap();
    let lower_size = bench.machine[lower].stack_size;
    let seen = bench.run(|m| (own.stack_size(m), own.device_object(m)));
    assert_eq!(seen, (lower_size + 1, Some(object)));
}

#[test]
fn a_request_reaches_the_devices_own_queue_as_another_request_around_the_same_irp() {
    let (mut bench, own) = own();
    let request = formatted(&mut bench, own);
    let irp = bench.run(|m| request.irp(m)).unwrap();
    let at = bench.machine[irp].current_location();
    assert!(bench.run(|m| request.send(m, own, SendOptions::none())));
    let presented = bench.machine.extension_mut::<World>().presented.take().unwrap();
    assert_ne!(presented, request);
    assert_eq!((bench.run(|m| presented.irp(m)), bench.machine[irp].current_location()), (Some(irp), at - 1));
    assert_eq!(bench.run(|m| presented.ioctl_code(m)), Some(CODE));
    bench.run(|m| presented.complete_with_information(m, STATUS_SUCCESS, 6));
    assert_eq!((bench.back(), bench.world().back[0].io_status.information), (vec![STATUS_SUCCESS], 6));
    assert_eq!(bench.world().arrived, [], "nothing left the device");
}

#[test]
fn a_queue_is_assigned_before_the_device_is_started_or_not_at_all() {
    let mut bench = setup().closed();
    let device = bench.device;
    // The device is started by now: its queues are what they are.
    let own = bench.run(|m| IoTarget::self_of(m, device)).unwrap();
    let late = bench.run(|m| {
        let queue = Queue::config(Dispatch::Manual).create(m, device).unwrap();
        own.assign_default_queue(m, queue)
    });
    assert_eq!(late, Err(STATUS_INVALID_DEVICE_STATE));
    assert_eq!(
        bench.messages(&[]).last().unwrap(),
        "Queue cannot be configured for automatic dispatchingafter the WDFDEVICE <device> is started, 0xc0000184(STATUS_INVALID_DEVICE_STATE)"
    );
}

#[test]
fn a_queue_that_its_driver_assigns_in_time_has_its_requests_to_itself() {
    struct Manual(Queue);
    let mut bench = assigned(|m, device, own| {
        let queue = Queue::config(Dispatch::Manual).power_managed(false).create(m, device).unwrap();
        m.add_extension(Manual(queue));
        own.assign_default_queue(m, queue).unwrap();
    });
    let device = bench.device;
    let own = bench.run(|m| IoTarget::self_of(m, device)).unwrap();
    let request = formatted(&mut bench, own);
    assert!(bench.run(|m| request.send(m, own, SendOptions::none())));
    assert!(bench.world().presented.is_none());
    let queue = bench.machine.extension::<Manual>().0;
    let waiting = bench.run(|m| queue.retrieve_next(m)).unwrap();
    bench.run(|m| waiting.complete(m, STATUS_SUCCESS));
    assert_eq!(bench.back(), [STATUS_SUCCESS]);
}

/// A bench whose driver does something with its own target before the device is started.
fn assigned(act: fn(&mut vbus::wdm::Machine, Device, IoTarget)) -> Bench {
    let mut bench = Setup { on_add: Some(act), ..setup() }.open();
    bench.forget_log();
    bench
}

#[test]
fn another_devices_queue_is_no_queue_for_it() {
    let bench = assigned(|m, device, own| {
        let driver = device.driver(m);
        let init = DeviceInit::control(driver, "\\Device\\Beside");
        let other = init.create(m, Attributes::none()).unwrap();
        let queue = Queue::config(Dispatch::Manual).create(m, other).unwrap();
        assert_eq!(own.assign_default_queue(m, queue), Err(STATUS_INVALID_DEVICE_REQUEST));
    });
    let said = bench.driver.log(&bench.machine).iter().any(|line| line.message.contains("but Self Io Target"));
    assert!(said);
}

#[test]
fn only_a_devices_own_target_is_given_a_queue() {
    let (mut bench, _) = own();
    let (target, device, globals) = (bench.target, bench.device, bench.driver.globals_address());
    let handle = target.object().handle();
    let queue = bench.run(|m| device.default_queue(m)).unwrap();
    let BugCheck { code, parameters, .. } = bench.bug_check(|m| _ = target.assign_default_queue(m, queue));
    assert_eq!((code, parameters), (0x10D, [5, handle, 0x1205, globals]));
}

#[test]
fn other_requests_than_the_queues_kinds_are_completed_at_once() {
    let (mut bench, own) = own();
    let request = bench.run(|m| own.create_request(m, Attributes::none())).unwrap();
    bench.run(|m| {
        request.format_using_stack_location(m, StackLocation { major: Major::Power, ..StackLocation::default() });
        request.set_completion_routine(m, came_back, Context(0));
        assert!(request.send(m, own, SendOptions::none()));
    });
    assert_eq!((bench.back(), bench.breaks()), (vec![STATUS_INVALID_PARAMETER], 1));
    let names = [(own.object().handle(), "own target")];
    assert_eq!(
        bench.messages(&names)[1],
        "Only Read/Write/Control/Internal-Control IRPs can be forwarded to Self IO Target <own target>, IRP_MJ_POWER, \
         IRP_MN 0, Device <device>, 0xc000000d(STATUS_INVALID_PARAMETER)"
    );
}

#[test]
fn a_device_without_a_queue_completes_what_it_is_sent() {
    let mut bench = Setup { without_queue: true, ..setup() }.open();
    let device = bench.device;
    let own = bench.run(|m| IoTarget::self_of(m, device)).unwrap();
    let request = formatted(&mut bench, own);
    bench.forget_log();
    assert!(bench.run(|m| request.send(m, own, SendOptions::none())));
    assert_eq!(bench.back(), [STATUS_INVALID_DEVICE_STATE]);
    let names = [(own.object().handle(), "own target")];
    assert_eq!(
        bench.log(&names)[0],
        "Error FxIoTargetSelf::Send - Send WDFIOTARGET <own target>, No Dispatch Queue Found for Major Function 15"
    );
}

#[test]
fn it_is_stopped_purged_and_started_like_any_other_and_never_opened() {
    let (mut bench, own) = own();
    let request = formatted(&mut bench, own);
    bench.run(|m| {
        own.stop(m, SentIo::LeavePending);
        assert!(request.send(m, own, SendOptions::none()));
        own.purge(m, true);
    });
    assert_eq!(bench.back(), [STATUS_WDF_DEVICE_REMOVED_NOT_SENT]);
    assert_eq!(bench.run(|m| (own.start(m), own.state(m))), (Ok(()), TargetState::Started));
    let handle = own.object().handle();
    let check = bench.bug_check(|m| own.close(m));
    assert_eq!(check.parameters[..3], [5, handle, 0x1201]);
}

#[test]
fn a_dispatched_request_is_sent_and_forgotten_to_its_own_device_in_its_own_location() {
    let (mut bench, own) = own();
    let request = bench.dispatched(IoctlCode(0x0022_2000), b"", 0);
    let irp = bench.run(|m| request.irp(m)).unwrap();
    let at = bench.machine[irp].current_location();
    assert!(bench.run(|m| request.send(m, own, SendOptions::send_and_forget())));
    let presented = bench.machine.extension_mut::<World>().presented.take().unwrap();
    assert_eq!((bench.run(|m| presented.irp(m)), bench.machine[irp].current_location()), (Some(irp), at));
    assert!(!request.object().exists(&bench.machine));
}

#[test]
fn an_irp_without_a_location_for_it_is_sent_nowhere() {
    let (mut bench, own) = own();
    bench.own_stack_is(1);
    let request = bench.dispatched(CODE, b"", 0);
    bench.forget_log();
    // The verifier looks first.
    assert!(!bench.run(|m| {
        request.set_completion_routine(m, came_back, Context(0));
        request.send(m, own, SendOptions::none())
    }));
    assert_eq!(bench.status(request), STATUS_REQUEST_NOT_ACCEPTED);
}
