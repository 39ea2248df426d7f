//! Requests that a driver holds, gives back, or lets others cancel.

use vbus::iotarget::{CompletionParams, Data, IoTarget, SendOptions, SendRequest};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Context, Installation, IoctlCode, Irp, Machine, Major, NtStatus, OpenOptions, Parameters, Stop};

const CODE: IoctlCode = IoctlCode(0x0022_0003);

/// The requests that the upper driver keeps, and what was seen.
#[derive(Default)]
struct Seen {
    kept: Option<Request>,
    cancelled: usize,
    stops: Vec<StopAction>,
    requeued_was_cancelable: Option<bool>,
}

/// A machine with a framework FDO, started, under a framework filter that is `upper`, and a link to it.
fn machine(function: AddDevice, upper: Option<AddDevice>) -> Machine {
    let mut m = Machine::new();
    m.add_extension(Seen::default());
    let mut driver = |name: &str, device_add: AddDevice| {
        let config = DriverConfig { device_add: Some(device_add), ..DriverConfig::default() };
        Driver::create(&mut m, name, config, Attributes::none()).driver_object(&m)
    };
    let function = Some(driver("function", function));
    let upper_filters = upper.map(|upper| driver("upper", upper)).into_iter().collect();
    m.install(Installation { hardware_id: "ROOT\\H".into(), function, upper_filters, ..Installation::default() });
    let pdo = m.add_root_device("ROOT\\H").unwrap().pdo(&m).unwrap();
    m.create_symbolic_link("\\??\\H", pdo).unwrap();
    m
}

type AddDevice = fn(&mut Machine, Driver, DeviceInit) -> Result<(), NtStatus>;

/// Completes whatever comes.
fn answers(m: &mut Machine, _: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let device = init.create(m, Attributes::none())?;
    let queue = Queue::config(Dispatch::Parallel).on_default(|m, _, request| request.complete(m, STATUS_SUCCESS));
    queue.create_default(m, device)?;
    Ok(())
}

/// A filter that sends requests down and, when they are back, keeps them cancelable.
fn keeps_what_came_back(m: &mut Machine, _: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let device = init.filter().create(m, Attributes::none())?;
    let queue = Queue::config(Dispatch::Parallel).on_default(|m, queue, request| {
        let device = queue.device(m);
        let target = IoTarget::default_of(m, device).unwrap();
        request.format_using_current_type(m);
        request.set_completion_routine(m, keep, Context(0));
        assert!(request.send(m, target, SendOptions::none()));
    });
    queue.create_default(m, device)?;
    Ok(())
}

fn keep(m: &mut Machine, request: Request, _: IoTarget, _: &CompletionParams, _: Context) {
    m.extension_mut::<Seen>().kept = Some(request);
    request.mark_cancelable_ex(m, cancelled).unwrap();
}

fn cancelled(m: &mut Machine, request: Request) {
    m.extension_mut::<Seen>().cancelled += 1;
    request.complete(m, STATUS_CANCELLED);
}

#[test]
fn a_request_that_a_lower_framework_driver_had_can_still_be_cancelled() {
    let mut m = machine(answers, Some(keeps_what_came_back));
    let file = m.create_file("\\\\.\\H", OpenOptions::OVERLAPPED).unwrap().unwrap();
    let request = m.start_io_control(file, CODE, &[], &[]).unwrap().unwrap();
    assert!(m.extension::<Seen>().kept.is_some());
    assert!(m.cancel_io(request).unwrap());
    assert_eq!(m.extension::<Seen>().cancelled, 1);
    assert_eq!(m.overlapped_result(request, &mut []).unwrap().status, STATUS_CANCELLED);
}

/// A request of some driver above, which holds no file open that would veto a removal.
fn send_from_kernel(m: &mut Machine) -> Irp {
    m.run(|m| {
        let top = m.root_devnodes()[0].pdo(m).unwrap().top_of_stack(m);
        let irp = m.allocate_irp(m[top].stack_size).unwrap();
        let location = m[irp].next_mut();
        location.major = Major::InternalDeviceControl;
        location.parameters =
            Parameters::DeviceIoControl { output_length: 0, input_length: 0, code: CODE, type3_input: None };
        assert_eq!(irp.call_driver(m, top), STATUS_PENDING);
        irp
    })
    .unwrap()
}

/// Keeps requests; at a loss of power EvtIoStop gives the request back, which somebody cancels before it has got there.
fn requeues(m: &mut Machine, _: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let device = init.create(m, Attributes::none())?;
    let queue = Queue::config(Dispatch::Parallel).on_default(|m, _, request| {
        m.extension_mut::<Seen>().kept = Some(request);
    });
    let queue = queue.on_stop(|m, _, request, action| {
        m.extension_mut::<Seen>().stops.push(action);
        let irp = request.current_irp(m).unwrap();
        request.stop_acknowledge(m, true);
        let cancelled = irp.cancel(m);
        m.extension_mut::<Seen>().requeued_was_cancelable = Some(cancelled);
    });
    queue.create_default(m, device)?;
    Ok(())
}

#[test]
fn a_request_that_is_cancelled_on_its_way_back_to_its_queue_is_completed_by_the_framework() {
    let mut m = machine(requeues, None);
    let irp = send_from_kernel(&mut m);
    let root = m.root_devnodes()[0];
    m.remove_device(root).unwrap().unwrap();
    let seen = m.extension::<Seen>();
    assert_eq!((&seen.stops[..], seen.requeued_was_cancelable), (&[StopAction::SUSPEND][..], Some(false)));
    assert_eq!(m[irp].io_status.status, STATUS_CANCELLED);
}

/// Keeps requests over a loss of power, and completes them when it is asked again because the device goes.
fn acknowledges(m: &mut Machine, _: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let device = init.create(m, Attributes::none())?;
    let queue = Queue::config(Dispatch::Parallel).on_default(|_, _, _| {});
    let queue = queue.on_stop(|m, _, request, action| {
        m.extension_mut::<Seen>().stops.push(action);
        match action {
            StopAction::SUSPEND => request.stop_acknowledge(m, false),
            _ => request.complete(m, STATUS_DEVICE_REMOVED),
        }
    });
    queue.create_default(m, device)?;
    Ok(())
}

#[test]
fn a_request_that_was_kept_over_the_loss_of_power_is_asked_for_again_when_the_device_goes() {
    let mut m = machine(acknowledges, None);
    let irp = send_from_kernel(&mut m);
    let root = m.root_devnodes()[0];
    m.remove_device(root).unwrap().unwrap();
    assert_eq!(m.extension::<Seen>().stops, [StopAction::SUSPEND, StopAction::PURGE]);
    assert_eq!(m[irp].io_status.status, STATUS_DEVICE_REMOVED);
}

/// Formats a request of its own with the memories of the one that came, and completes that one first.
fn completes_too_early(m: &mut Machine, _: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let device = init.filter().create(m, Attributes::none())?;
    let queue = Queue::config(Dispatch::Parallel).on_default(|m, queue, request| {
        let device = queue.device(m);
        let target = IoTarget::default_of(m, device).unwrap();
        let own = target.create_request(m, Attributes::none()).unwrap();
        let input = Data::Memory(request.input_memory(m).unwrap());
        target.format_ioctl(m, own, CODE, input, Data::None).unwrap();
        let deletes_first = std::mem::replace(&mut m.extension_mut::<Seen>().cancelled, 1) == 0;
        if deletes_first {
            own.delete(m);
        }
        request.complete(m, STATUS_SUCCESS);
    });
    queue.create_default(m, device)?;
    Ok(())
}

#[test]
fn completing_a_request_whose_memory_another_one_uses_is_bug_check_0x10d_3() {
    let mut m = machine(answers, Some(completes_too_early));
    let file = m.create_file("\\\\.\\H", OpenOptions::READ_WRITE).unwrap().unwrap();
    let code = IoctlCode(0x0022_0000);
    assert_eq!(m.device_io_control(file, code, b"abcd", &mut []).unwrap().status, STATUS_SUCCESS, "deleted before");
    let stop = m.device_io_control(file, code, b"abcd", &mut []).unwrap_err();
    let Stop::BugCheck(check) = stop else { unreachable!("{stop}") };
    assert_eq!((check.code, check.parameters[0], check.parameters[2]), (0x10D, 3, 1));
    let told = check.log.iter().any(|line| line.contains("completed with outstanding references on WDFMEMORY"));
    assert!(told, "{:?}", check.log);
}
