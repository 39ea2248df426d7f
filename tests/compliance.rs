//! Published rules that nothing in Windows looks at while a driver runs: a driver that breaks each, and one that does the
//! same in the right place.

mod common;

use common::workbench::{Build, Wanted, Workbench, send};
use vbus::iotarget::{Data, IoTarget, MemoryDescriptor, SendOptions, SendRequest};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{DevNode, DriverObject, Installation, IoctlCode, Machine, Major, NtStatus, Parameters, Ticks};

const CODE: IoctlCode = IoctlCode(0x0022_0003);

/// A driver whose rules are looked at, with a device made like this.
fn bench(build: Option<Build>) -> Workbench {
    Workbench::with(Wanted { build, compliance: true, ..Wanted::default() })
}

/// Which rules are broken with which calls.
fn broken(bench: &Workbench) -> Vec<(Rule, &'static str)> {
    bench.driver.broken_rules(&bench.machine).iter().map(|broken| (broken.rule, broken.ddi)).collect()
}

type Code = fn(&mut Machine, Driver, Device);

/// The wrong code breaks this rule with this call, and the right code none.
fn tell(rule: Rule, ddi: &'static str, wrong: Code, right: Code) {
    let mut bench = bench(None);
    bench.run(right);
    assert_eq!(broken(&bench), []);
    bench.run(wrong);
    assert_eq!(broken(&bench), [(rule, ddi)]);
}

/// A request of the driver's own to the device below, which answers at once.
fn own(m: &mut Machine, device: Device) -> (Request, IoTarget) {
    let target = IoTarget::default_of(m, device).unwrap();
    let request = target.create_request(m, Attributes::none()).unwrap();
    target.format_internal_ioctl(m, request, CODE, Data::None, Data::None).unwrap();
    (request, target)
}

#[test]
fn a_request_is_not_sent_under_a_spin_lock() {
    fn with_lock(m: &mut Machine, driver: Driver, device: Device, release_first: bool) {
        let lock = SpinLock::create(m, driver, Attributes::none().parent(device)).unwrap();
        let (request, target) = own(m, device);
        lock.acquire(m);
        if release_first {
            lock.release(m);
        }
        request.send(m, target, SendOptions::none());
        if !release_first {
            lock.release(m);
        }
    }
    tell(
        Rule::ReqSendWhileSpinlock,
        "WdfRequestSend",
        |m, driver, device| with_lock(m, driver, device, false),
        |m, driver, device| with_lock(m, driver, device, true),
    );
}

#[test]
fn whoever_waits_for_a_request_says_how_long() {
    fn wait(m: &mut Machine, device: Device, options: SendOptions) {
        let (request, target) = own(m, device);
        request.send(m, target, options);
    }
    const LIMITED: SendOptions = SendOptions::synchronous().with_timeout(Ticks::from_millis(100));
    tell(
        Rule::SyncReqSend,
        "WdfRequestSend",
        |m, _, device| wait(m, device, SendOptions::synchronous()),
        |m, _, device| wait(m, device, LIMITED),
    );
    fn call(m: &mut Machine, device: Device, options: SendOptions) {
        let target = IoTarget::default_of(m, device).unwrap();
        target.send_internal_ioctl_synchronously(
            m,
            None,
            CODE,
            MemoryDescriptor::None,
            MemoryDescriptor::None,
            options,
        );
    }
    tell(
        Rule::SyncReqSend,
        "WdfIoTargetSendXxxSynchronously",
        |m, _, device| call(m, device, SendOptions::none()),
        |m, _, device| call(m, device, LIMITED),
    );
}

#[test]
fn what_has_no_parent_stays_until_the_driver_is_unloaded() {
    tell(
        Rule::ParentObjectCheckLock,
        "WdfSpinLockCreate",
        |m, driver, _| _ = SpinLock::create(m, driver, Attributes::none()).unwrap(),
        |m, driver, device| _ = SpinLock::create(m, driver, Attributes::none().parent(device)).unwrap(),
    );
    tell(
        Rule::ParentObjectCheckLock,
        "WdfWaitLockCreate",
        |m, driver, _| _ = WaitLock::create(m, driver, Attributes::none()).unwrap(),
        |m, driver, device| _ = WaitLock::create(m, driver, Attributes::none().parent(device)).unwrap(),
    );
    tell(
        Rule::ParentObjectCheck,
        "WdfMemoryCreate",
        |m, driver, _| _ = Memory::create(m, driver, 4, Attributes::none()).unwrap(),
        |m, driver, device| _ = Memory::create(m, driver, 4, Attributes::none().parent(device)).unwrap(),
    );
}

/// What the driver holds: requests from its queue, and one that it sent.
#[derive(Default)]
struct Held(Vec<Request>);

/// The device is pulled out, with this in EvtDeviceSurpriseRemoval, while its queue's request is with the driver.
fn pulled(surprise_removal: Notice) -> Workbench {
    fn build(m: &mut Machine, init: DeviceInit, attributes: Attributes) -> Result<Device, NtStatus> {
        let surprise_removal = m.extension::<Notice>();
        let callbacks = PnpCallbacks { surprise_removal: Some(*surprise_removal), ..PnpCallbacks::default() };
        let device = init.callbacks(callbacks).create(m, attributes)?;
        hold_requests(m, device)?;
        Ok(device)
    }
    let mut bench = Workbench::prepared(
        |m| m.add_extension(surprise_removal),
        Wanted { build: Some(build), compliance: true, ..Wanted::default() },
    );
    bench.run(|m, _, device| _ = send(m, device));
    bench.run(|m, _, device| device.set_failed(m, FailedAction::NoRestart));
    bench
}

fn hold_requests(m: &mut Machine, device: Device) -> Result<(), NtStatus> {
    m.add_extension(Held::default());
    let queue = Queue::config(Dispatch::Parallel)
        .on_default(|m, _, request| m.extension_mut::<Held>().0.push(request))
        .on_stop(|m, _, request, _| request.complete(m, STATUS_CANCELLED));
    queue.create_default(m, device).map(|_| ())
}

#[test]
fn a_surprise_removal_is_no_place_to_suspend_queues_complete_requests_or_cancel_them() {
    assert_eq!(broken(&pulled(|_, _| {})), [], "EvtIoStop is the place");
    let calls: [(Rule, &str, Notice); 4] = [
        (Rule::EvtSurpriseRemoveNoSuspendQueue, "WdfIoQueueStop", |m, device| {
            device.default_queue(m).unwrap().stop(m, None, 0u64);
        }),
        (Rule::EvtSurpriseRemoveNoSuspendQueue, "WdfIoQueueDrain", |m, device| {
            device.default_queue(m).unwrap().drain(m, None, 0u64);
        }),
        (Rule::EvtSurpriseRemoveNoRequestComplete, "WdfRequestComplete", |m, _| {
            let request = m.extension_mut::<Held>().0.remove(0);
            request.complete(m, STATUS_DEVICE_NOT_READY);
        }),
        (Rule::NoCancelFromEvtSurpriseRemove, "WdfRequestCancelSentRequest", |m, device| {
            let (request, _) = own(m, device);
            request.cancel_sent(m);
        }),
    ];
    for (rule, ddi, call) in calls {
        assert_eq!(broken(&pulled(call)), [(rule, ddi)]);
    }
}

#[test]
fn evt_io_stop_and_evt_io_resume_ask_a_request_nothing() {
    fn build(m: &mut Machine, init: DeviceInit, attributes: Attributes) -> Result<Device, NtStatus> {
        let device = init.create(m, attributes)?;
        m.add_extension(Held::default());
        let queue = Queue::config(Dispatch::Parallel)
            .on_default(|m, _, request| {
                request.parameters(m);
                m.extension_mut::<Held>().0.push(request);
            })
            .on_stop(|m, _, request, _| {
                request.parameters(m);
                request.stop_acknowledge(m, false);
            })
            .on_resume(|m, _, request| {
                request.parameters(m);
                request.complete(m, STATUS_SUCCESS);
            });
        queue.create_default(m, device)?;
        Ok(device)
    }
    let mut bench = bench(Some(build));
    let node = bench.run(|m, _, device| {
        send(m, device);
        let pdo = device.pdo(m).unwrap();
        DevNode::of(m, pdo).unwrap()
    });
    assert_eq!(broken(&bench), [], "EvtIoDefault may ask");
    bench.machine.stop_device(node).unwrap().unwrap();
    bench.machine.restart_device(node).unwrap();
    let ddi = "WdfRequestGetParameters";
    assert_eq!(broken(&bench), [(Rule::EvtIoStopGetParam, ddi), (Rule::EvtIoResumeGetParam, ddi)]);
}

#[test]
fn a_requests_status_tells_what_came_of_a_send_that_failed_or_waited() {
    const WAITS: SendOptions = SendOptions::synchronous().with_timeout(Ticks::from_millis(100));
    fn ask_after(m: &mut Machine, device: Device, options: SendOptions, stopped: bool) {
        let (request, target) = own(m, device);
        if stopped {
            target.purge(m, true);
        }
        assert_eq!(request.send(m, target, options), !stopped);
        request.status(m);
    }
    let rule = Rule::RequestGetStatusValid;
    tell(
        rule,
        "WdfRequestGetStatus",
        |m, _, device| ask_after(m, device, SendOptions::none(), false),
        |m, _, device| ask_after(m, device, WAITS, false),
    );
    tell(
        rule,
        "WdfRequestGetStatus",
        |m, _, device| _ = own(m, device).0.status(m),
        |m, _, device| ask_after(m, device, SendOptions::none(), true),
    );
}

#[test]
fn a_request_is_found_before_it_is_retrieved_as_found() {
    fn manual(m: &mut Machine, init: DeviceInit, attributes: Attributes) -> Result<Device, NtStatus> {
        let device = init.create(m, attributes)?;
        Queue::config(Dispatch::Manual).create_default(m, device)?;
        Ok(device)
    }
    fn retrieve(m: &mut Machine, device: Device, find: bool) {
        let queue = device.default_queue(m).unwrap();
        send(m, device);
        let request = match find {
            true => queue.find(m, None, None).unwrap(),
            // The driver remembers a request that it had before.
            false => {
                let request = queue.retrieve_next(m).unwrap();
                request.requeue(m).unwrap();
                request
            }
        };
        let found = queue.retrieve_found(m, request);
        if let Ok(found) = found {
            found.complete(m, STATUS_SUCCESS);
        }
        if find {
            request.object().dereference(m);
        }
    }
    let mut bench = bench(Some(manual));
    bench.run(|m, _, device| retrieve(m, device, true));
    assert_eq!(broken(&bench), []);
    bench.run(|m, _, device| retrieve(m, device, false));
    let ddi = "WdfIoQueueRetrieveFoundRequest";
    assert_eq!(broken(&bench), [(Rule::WdfIoQueueRetrieveFoundRequest, ddi)]);
}

#[test]
fn who_asks_for_files_says_so_before_the_device_is_made() {
    fn asks(m: &mut Machine, init: DeviceInit, attributes: Attributes) -> Result<Device, NtStatus> {
        let device = init.create(m, attributes)?;
        let ask = |m: &mut Machine, _: Queue, request: Request| {
            request.file_object(m);
            request.complete(m, STATUS_SUCCESS);
        };
        Queue::config(Dispatch::Parallel).on_default(ask).create_default(m, device)?;
        Ok(device)
    }
    fn wants_and_asks(m: &mut Machine, init: DeviceInit, attributes: Attributes) -> Result<Device, NtStatus> {
        asks(m, init.file_objects(FileConfig::new()), attributes)
    }
    let asked: [(Build, &[(Rule, &str)]); 2] =
        [(asks, &[(Rule::FileObjectConfigured, "WdfRequestGetFileObject")]), (wants_and_asks, &[])];
    for (build, rules) in asked {
        let mut bench = bench(Some(build));
        bench.run(|m, _, device| _ = send(m, device));
        assert_eq!(broken(&bench), rules);
    }
}

#[test]
fn a_device_that_cannot_be_created_fails_evt_driver_device_add() {
    fn add(m: &mut Machine, init: DeviceInit) -> Result<(), NtStatus> {
        init.create(m, Attributes::none()).map(|_| ())
    }
    let swallows: DeviceAdd = |m, _, init| {
        _ = add(m, init);
        Ok(())
    };
    let fails: DeviceAdd = |m, _, init| add(m, init);
    let wants_none: DeviceAdd = |_, _, _| Ok(());
    let ddi = "WdfDeviceCreate";
    let drivers: [(DeviceAdd, &[(Rule, &str)]); 3] =
        [(swallows, &[(Rule::DeviceCreateFail, ddi)]), (fails, &[]), (wants_none, &[])];
    // Nobody attaches to a device that is not ready.
    let never_ready = |m: &mut Machine| {
        let driver = m.create_driver("never ready");
        driver.set_add_device(m, |m, driver, pdo| {
            let device = m.create_device(driver);
            device.attach_to_stack(m, pdo).unwrap();
            STATUS_SUCCESS
        });
        vec![driver]
    };
    for (device_add, rules) in drivers {
        assert_eq!(added(device_add, never_ready), rules);
    }
}

/// A driver with this EvtDriverDeviceAdd is given a device above these. Returns what it broke.
fn added(device_add: DeviceAdd, lower_filters: fn(&mut Machine) -> Vec<DriverObject>) -> Vec<(Rule, &'static str)> {
    let mut m = Machine::new();
    let lower_filters = lower_filters(&mut m);
    let config = DriverConfig { device_add: Some(device_add), compliance: true, ..DriverConfig::default() };
    let driver = Driver::create(&mut m, "driver", config, Attributes::none());
    let function = Some(driver.driver_object(&m));
    let hardware_id = "ROOT\\DRIVER".to_owned();
    m.install(Installation { hardware_id, function, lower_filters, ..Installation::default() });
    m.add_root_device("ROOT\\DRIVER").unwrap();
    driver.broken_rules(&m).iter().map(|broken| (broken.rule, broken.ddi)).collect()
}

#[test]
fn a_control_device_is_finished_where_it_is_made() {
    fn add(m: &mut Machine, driver: Driver, init: DeviceInit, finish: bool) -> Result<(), NtStatus> {
        init.create(m, Attributes::none())?;
        let control = DeviceInit::control(driver, "\\Device\\Control").create(m, Attributes::none())?;
        if finish {
            control.finish_initializing(m);
        }
        Ok(())
    }
    assert_eq!(added(|m, driver, init| add(m, driver, init, true), |_| Vec::new()), []);
    let broken = added(|m, driver, init| add(m, driver, init, false), |_| Vec::new());
    assert_eq!(broken, [(Rule::CtlDeviceFinishInitDeviceAdd, "WdfControlFinishInitializing")]);
}

#[test]
fn a_read_has_no_input_and_a_write_no_output() {
    fn transfers(m: &mut Machine, init: DeviceInit, attributes: Attributes) -> Result<Device, NtStatus> {
        let device = init.create(m, attributes)?;
        let queue = Queue::config(Dispatch::Parallel)
            .on_read(|m, _, request, _| {
                let ask = if *m.extension::<bool>() { Request::output_buffer } else { Request::input_buffer };
                let status = ask(request, m, 1).map(|_| ()).into();
                request.complete(m, status);
            })
            .on_write(|m, _, request, _| {
                let ask = if *m.extension::<bool>() { Request::input_memory } else { Request::output_memory };
                let status = ask(request, m).map(|_| ()).into();
                request.complete(m, status);
            });
        queue.create_default(m, device)?;
        Ok(device)
    }
    fn transfer(m: &mut Machine, device: Device, major: Major) -> NtStatus {
        let top = device.device_object(m);
        let irp = m.allocate_irp(m[top].stack_size).unwrap();
        m[irp].system_buffer = Some(m.allocate_block(&[], 8));
        let location = m[irp].next_mut();
        (location.major, location.parameters) = (major, Parameters::Transfer { length: 8, offset: 0 });
        irp.call_driver(m, top);
        m[irp].io_status.status
    }
    for right in [true, false] {
        let mut bench = Workbench::prepared(
            move |m| m.add_extension(right),
            Wanted { build: Some(transfers), compliance: true, ..Wanted::default() },
        );
        let statuses = bench.run(|m, _, device| [Major::Read, Major::Write].map(|major| transfer(m, device, major)));
        match right {
            true => assert_eq!((statuses, broken(&bench)), ([STATUS_SUCCESS; 2], vec![])),
            false => {
                let rules = vec![
                    (Rule::InputBufferAPI, "WdfRequestRetrieveInputBuffer"),
                    (Rule::OutputBufferAPI, "WdfRequestRetrieveOutputMemory"),
                ];
                assert_eq!((statuses, broken(&bench)), ([STATUS_INVALID_DEVICE_REQUEST; 2], rules));
            }
        }
    }
}

#[test]
fn a_driver_that_nobody_looks_at_has_broken_nothing() {
    let mut bench = Workbench::new();
    bench.run(|m, driver, _| _ = SpinLock::create(m, driver, Attributes::none()).unwrap());
    assert_eq!(broken(&bench), []);
}
