//! Execution levels and synchronization scopes: where the framework calls its driver, and under which lock.

mod common;

use common::workbench::{Wanted, Workbench, at_dispatch, note, send};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Machine, NtStatus, OpenOptions, Stop, Ticks};

/// Notes that it was called, and completes the request.
fn answers(m: &mut Machine, _: Queue, request: Request) {
    note(m, "callback");
    request.complete(m, STATUS_SUCCESS);
}

fn with_queue(m: &mut Machine, init: DeviceInit, attributes: Attributes) -> Result<Device, NtStatus> {
    let device = init.create(m, attributes)?;
    Queue::config(Dispatch::Parallel).power_managed(false).on_default(answers).create_default(m, device)?;
    Ok(device)
}

fn bench(level: ExecutionLevel, scope: SynchronizationScope) -> Workbench {
    Workbench::with(Wanted {
        build: Some(with_queue),
        execution_level: level,
        synchronization_scope: scope,
        ..Wanted::default()
    })
}

#[test]
fn a_passive_queue_that_gets_a_request_at_dispatch_level_leaves_it_to_a_work_item() {
    let mut bench = bench(ExecutionLevel::Passive, SynchronizationScope::None);
    let log = bench.log_of(|m, _, device| {
        at_dispatch(m, |m| send(m, device));
        note(m, "sent");
    });
    assert_eq!(bench.notes(), ["sent", "callback"]);
    assert!(log.contains("is not at the passive-level DPC, posting to worker thread for WDFQUEUE"), "{log}");
    bench.run(|m, _, device| send(m, device));
    assert_eq!(bench.notes(), ["callback"]);
}

#[test]
fn a_queue_of_dispatch_level_gets_its_requests_wherever_they_come_from() {
    let mut bench = bench(ExecutionLevel::Dispatch, SynchronizationScope::None);
    bench.run(|m, _, device| {
        at_dispatch(m, |m| send(m, device));
        send(m, device);
    });
    assert_eq!(bench.notes(), ["callback at DISPATCH_LEVEL", "callback"]);
}

#[test]
fn a_scope_puts_the_lock_around_the_callback_a_spin_lock_or_at_passive_level_a_mutex() {
    let cases = [
        (ExecutionLevel::Dispatch, SynchronizationScope::None, "callback"),
        (ExecutionLevel::Dispatch, SynchronizationScope::Queue, "callback at DISPATCH_LEVEL"),
        (ExecutionLevel::Dispatch, SynchronizationScope::Device, "callback at DISPATCH_LEVEL"),
        (ExecutionLevel::Passive, SynchronizationScope::Queue, "callback"),
        (ExecutionLevel::Passive, SynchronizationScope::Device, "callback"),
    ];
    for (level, scope, expected) in cases {
        let mut bench = bench(level, scope);
        bench.run(|m, _, device| send(m, device));
        assert_eq!(bench.notes(), [expected], "{level:?}, {scope:?}");
    }
}

#[test]
fn a_request_that_finds_the_presentation_lock_taken_is_presented_when_it_is_free() {
    for level in [ExecutionLevel::Dispatch, ExecutionLevel::Passive] {
        let mut bench = bench(level, SynchronizationScope::Device);
        bench.run(|m, _, device| {
            device.acquire_lock(m);
            send(m, device);
            note(m, "sent");
            device.release_lock(m);
            note(m, "released");
        });
        let notes = bench.notes();
        let order: Vec<&str> = notes.iter().filter_map(|note| note.split(' ').next()).collect();
        match level {
            // The DPC runs as soon as the lock's release lowers the level; the work item when this code is done.
            ExecutionLevel::Dispatch => assert_eq!(order, ["sent", "callback", "released"]),
            _ => assert_eq!(order, ["sent", "released", "callback"]),
        }
    }
}

#[test]
fn a_queue_inherits_from_its_device_and_a_device_from_its_driver_unless_they_say_otherwise() {
    let mut bench = Workbench::with(Wanted {
        build: Some(|m, init, attributes| {
            with_queue(m, init, attributes.synchronization_scope(SynchronizationScope::None))
        }),
        synchronization_scope: SynchronizationScope::Device,
        inherited: true,
        ..Wanted::default()
    });
    bench.run(|m, _, device| send(m, device));
    assert_eq!(bench.notes(), ["callback"], "the device wants no lock");
}

#[test]
fn a_queue_cannot_share_its_devices_lock_at_another_level() {
    let mut bench = bench(ExecutionLevel::Dispatch, SynchronizationScope::Device);
    let log = bench.log_of(|m, _, device| {
        let attributes = Attributes::none().execution_level(ExecutionLevel::Passive);
        let config = Queue::config(Dispatch::Parallel).on_default(answers);
        assert_eq!(config.create_with(m, device, attributes), Err(STATUS_INVALID_PARAMETER));
        let own_lock = Attributes::none()
            .execution_level(ExecutionLevel::Passive)
            .synchronization_scope(SynchronizationScope::Queue);
        assert!(config.create_with(m, device, own_lock).is_ok());
    });
    assert!(log.contains("the Device ExecutionLevel: 0x3 doesn't match Queue ExecutionLevel: 0x2"), "{log}");
}

#[test]
fn a_device_that_only_inherits_the_passive_level_does_not_count_as_passive_for_automatic_serialization() {
    for (inherited, expected) in [(false, None), (true, Some(STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL))] {
        let mut bench = Workbench::with(Wanted {
            execution_level: ExecutionLevel::Passive,
            synchronization_scope: SynchronizationScope::Device,
            inherited,
            ..Wanted::default()
        });
        let created = bench
            .run(|m, driver, device| WorkItem::config(|_, _| {}).create(m, driver, Attributes::none().parent(device)));
        assert_eq!(created.err(), expected, "inherited: {inherited}");
    }
}

#[test]
fn callbacks_that_are_to_be_serialized_must_run_at_their_parents_level() {
    let mut bench = bench(ExecutionLevel::Passive, SynchronizationScope::Device);
    let incompatible = Some(STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL);
    bench.run(|m, driver, device| {
        let attributes = || Attributes::none().parent(device);
        let timer = Timer::config(|m, _| note(m, "timer"));
        assert_eq!(timer.create(m, driver, attributes()).err(), incompatible);
        assert!(timer.automatic_serialization(false).create(m, driver, attributes()).is_ok());
        let passive = attributes().execution_level(ExecutionLevel::Passive);
        assert!(timer.create(m, driver, passive).is_ok());
        assert_eq!(Dpc::config(|_, _| {}).create(m, driver, attributes()).err(), incompatible);
        assert!(WorkItem::config(|_, _| {}).create(m, driver, attributes()).is_ok());
    });
    let mut bench = self::bench(ExecutionLevel::Dispatch, SynchronizationScope::Device);
    bench.run(|m, driver, device| {
        let attributes = || Attributes::none().parent(device);
        assert_eq!(WorkItem::config(|_, _| {}).create(m, driver, attributes()).err(), incompatible);
        assert!(Dpc::config(|_, _| {}).create(m, driver, attributes()).is_ok());
    });
}

#[test]
fn a_work_item_under_the_devices_lock_holds_it() {
    let mut bench = bench(ExecutionLevel::Passive, SynchronizationScope::Device);
    bench.run(|m, driver, device| {
        let config = WorkItem::config(|m, work_item| {
            // The request comes while the lock is held: it waits.
            let device = *work_item.context::<Device>(m);
            send(m, device);
            note(m, "work item");
        });
        config.create(m, driver, Attributes::none().parent(device).context(device)).unwrap().enqueue(m);
    });
    assert_eq!(bench.notes(), ["work item", "callback"]);
}

#[test]
fn a_timer_under_a_queues_lock_is_called_at_dispatch_level_like_the_queues_callbacks() {
    let mut bench = bench(ExecutionLevel::Dispatch, SynchronizationScope::Queue);
    bench.run(|m, driver, device| {
        let queue = device.default_queue(m).unwrap();
        let timer = Timer::config(|m, timer| {
            let device = *timer.context::<Device>(m);
            send(m, device);
            note(m, "timer");
        });
        let timer = timer.create(m, driver, Attributes::none().parent(queue).context(device)).unwrap();
        timer.start(m, Ticks(1));
    });
    bench.machine.advance(Ticks(1)).unwrap();
    assert_eq!(bench.notes(), ["timer at DISPATCH_LEVEL", "callback at DISPATCH_LEVEL"]);
}

#[test]
fn objects_without_callbacks_take_neither_a_level_nor_a_scope() {
    let mut bench = Workbench::new();
    bench.run(|m, driver, _| {
        let level = || Attributes::none().execution_level(ExecutionLevel::Passive);
        let scope = || Attributes::none().synchronization_scope(SynchronizationScope::Device);
        assert_eq!(SpinLock::create(m, driver, level()), Err(STATUS_WDF_EXECUTION_LEVEL_INVALID));
        assert_eq!(Collection::create(m, driver, scope()), Err(STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID));
        let none = Attributes::none().synchronization_scope(SynchronizationScope::None);
        assert!(Collection::create(m, driver, none).is_ok());
        assert_eq!(create_object(m, driver, scope()), Err(STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID));
    });
}

#[test]
fn file_callbacks_share_the_devices_lock_only_where_it_is_one_for_passive_level() {
    let refused = Some(STATUS_INVALID_DEVICE_REQUEST);
    let cases = [
        (ExecutionLevel::Dispatch, SynchronizationScope::Device, refused),
        (ExecutionLevel::Passive, SynchronizationScope::Device, None),
        (ExecutionLevel::Dispatch, SynchronizationScope::None, None),
        (ExecutionLevel::Passive, SynchronizationScope::Queue, refused),
    ];
    for (level, scope, expected) in cases {
        let created = Workbench::new().run(|m, driver, _| {
            let init = DeviceInit::control(driver, "\\Device\\Files");
            let files = FileConfig::new().synchronization_scope(scope);
            init.file_objects(files).create(m, Attributes::none().execution_level(level))
        });
        assert_eq!(created.err(), expected, "{level:?}, {scope:?}");
    }
}

#[test]
fn a_file_callback_under_the_devices_lock_keeps_requests_waiting() {
    let mut bench = Workbench::with(Wanted {
        build: Some(|m, init, attributes| {
            let files = FileConfig::new().on_cleanup(|m, device, _| {
                send(m, device);
                note(m, "file cleanup");
            });
            with_queue(m, init.file_objects(files), attributes)
        }),
        execution_level: ExecutionLevel::Passive,
        synchronization_scope: SynchronizationScope::Device,
        ..Wanted::default()
    });
    let pdo = bench.device.pdo(&mut bench.machine).unwrap();
    bench.machine.create_symbolic_link("\\??\\BENCH", pdo).unwrap();
    let file = bench.machine.create_file("\\\\.\\BENCH", OpenOptions::READ_WRITE).unwrap().unwrap();
    bench.machine.close_handle(file).unwrap();
    assert_eq!(bench.notes(), ["file cleanup", "callback"]);
}

#[test]
fn a_queue_that_is_deleted_in_its_own_callback_waits_for_that_callback_for_ever() {
    let build: common::workbench::Build = |m, init, attributes| {
        let device = init.create(m, attributes)?;
        let second = Queue::config(Dispatch::Parallel).on_default(|m, queue, request| {
            request.complete(m, STATUS_SUCCESS);
            queue.delete(m);
        });
        let second = second.create(m, device)?;
        m.add_extension(second);
        Queue::config(Dispatch::Parallel)
            .on_default(|m, _, request| {
                let second = *m.extension::<Queue>();
                request.forward_to(m, second).unwrap();
            })
            .create_default(m, device)?;
        Ok(device)
    };
    let mut bench = Workbench::building(build);
    let stop = bench.try_run(|m, _, device| send(m, device)).unwrap_err();
    assert!(matches!(stop, Stop::Hang { .. }), "{stop}");
}
