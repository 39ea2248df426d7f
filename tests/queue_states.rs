//! The states of a queue: what each call makes of what waits, of what the driver has and of what comes afterwards.

mod common;

use std::fmt::Write;

use common::bench::with_names;
use common::workbench::{Build, Wanted, Workbench, note, send, violation};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Irp, Machine, NtStatus};

/// The requests that the driver has, oldest first.
#[derive(Default)]
struct Held(Vec<Request>);

fn hold(m: &mut Machine, _: Queue, request: Request) {
    note(m, "presented");
    m.extension_mut::<Held>().0.push(request);
}

/// A parallel queue that gives the driver one request at a time.
fn one_at_a_time(m: &mut Machine, init: DeviceInit, attributes: Attributes) -> Result<Device, NtStatus> {
    let device = init.create(m, attributes)?;
    m.add_extension(Held::default());
    let queue =
        Queue::config(Dispatch::Parallel).presented_limit(1).on_default(hold).on_cancelled_on_queue(|m, _, request| {
            note(m, "EvtIoCanceledOnQueue");
            request.complete(m, STATUS_CANCELLED);
        });
    queue.create_default(m, device)?;
    Ok(device)
}

fn manual(m: &mut Machine, init: DeviceInit, attributes: Attributes) -> Result<Device, NtStatus> {
    let device = init.create(m, attributes)?;
    m.add_extension(Held::default());
    Queue::config(Dispatch::Manual).create_default(m, device)?;
    Ok(device)
}

fn bench(build: Build, verifier: bool) -> Workbench {
    Workbench::with(Wanted { build: Some(build), verifier, ..Wanted::default() })
}

fn queue(m: &mut Machine, device: Device) -> Queue {
    device.default_queue(m).unwrap()
}

fn where_is(m: &Machine, irp: Irp) -> String {
    match m[irp].is_completed() {
        true => name(m[irp].io_status.status),
        false => "is out".to_owned(),
    }
}

fn name(status: NtStatus) -> String {
    status.name().unwrap_or("?").trim_start_matches("STATUS_").to_lowercase()
}

type Call = fn(&mut Machine, Queue, Option<QueueEvent>);

const CALLS: [(&str, Call); 5] = [
    ("WdfIoQueueStart", |m, queue, _| queue.start(m)),
    ("WdfIoQueueStop", |m, queue, done| queue.stop(m, done, 0u64)),
    ("WdfIoQueueStopAndPurge", |m, queue, done| queue.stop_and_purge(m, done, 0u64)),
    ("WdfIoQueueDrain", |m, queue, done| queue.drain(m, done, 0u64)),
    ("WdfIoQueuePurge", |m, queue, done| queue.purge(m, done, 0u64)),
];

#[test]
fn every_call_decides_over_what_waits_what_the_driver_has_and_what_comes() {
    fn done(m: &mut Machine, queue: Queue, _: vbus::wdm::Context) {
        let state = queue.state(m).0;
        note(m, format!("callback, state {state:x}"));
    }
    let mut page = String::new();
    for (call_name, call) in CALLS {
        for cancelable in [false, true] {
            let mut bench = bench(one_at_a_time, false);
            let (first, second) = bench.run(|m, _, device| (send(m, device).0, send(m, device).0));
            bench.run(|m, _, _| {
                let held = m.extension::<Held>().0[0];
                if cancelable {
                    held.mark_cancelable(m, |m, request| {
                        note(m, "EvtRequestCancel");
                        request.complete(m, STATUS_CANCELLED);
                    });
                }
            });
            bench.notes();
            let what = if cancelable { "the driver's request is cancelable" } else { "it is not" };
            writeln!(page, "{call_name}, {what}").unwrap();
            let told = |bench: &mut Workbench, page: &mut String, when: &str, irps: &[Irp]| {
                let state = bench.run(|m, _, device| queue(m, device).state(m).0);
                let irps: Vec<_> = irps.iter().map(|&irp| where_is(&bench.machine, irp)).collect();
                let notes = bench.notes().join(", ");
                writeln!(
                    page,
                    "{}",
                    format!("  {when:<24} state {state:<3x} {:<40} {notes}", irps.join(", ")).trim_end()
                )
                .unwrap();
            };
            bench.run(|m, _, device| {
                let queue = queue(m, device);
                call(m, queue, Some(done));
            });
            told(&mut bench, &mut page, "called", &[first, second]);
            let (third, status) = bench.run(|m, _, device| send(m, device));
            told(&mut bench, &mut page, &format!("a new one: {}", name(status)), &[first, second, third]);
            bench.run(|m, _, _| {
                if !m[first].is_completed() {
                    let held = m.extension_mut::<Held>().0.remove(0);
                    _ = held.unmark_cancelable(m);
                    held.complete(m, STATUS_SUCCESS);
                }
            });
            told(&mut bench, &mut page, "the first is done", &[first, second, third]);
        }
    }
    approve!("queue_calls", page);
}

#[test]
fn every_call_leaves_its_lines_for_an_idle_queue_and_for_a_busy_one() {
    fn done(m: &mut Machine, _: Queue, _: vbus::wdm::Context) {
        note(m, "callback");
    }
    let mut page = String::new();
    for (call_name, call) in CALLS {
        for busy in [false, true] {
            let mut bench = bench(one_at_a_time, false);
            let queue = bench.run(|m, _, device| queue(m, device));
            if busy {
                bench.run(|m, _, device| _ = (send(m, device), send(m, device)));
            }
            let mark = bench.driver.log_sequence(&bench.machine);
            bench.run(|m, _, _| call(m, queue, Some(done)));
            writeln!(page, "{call_name}, {}", if busy { "one with the driver and one waiting" } else { "idle" })
                .unwrap();
            for line in bench.driver.log_after(&bench.machine, mark) {
                let text = with_names(&line.message, &[(queue.object().handle(), "queue")]);
                writeln!(page, "{}", format!("    {:?} {} - {text}", line.level, line.function).trim_end()).unwrap();
            }
        }
    }
    approve!("queue_lines", page);
}

#[test]
fn a_start_takes_everything_back_and_presents_what_waits() {
    for (call_name, call) in &CALLS[1..] {
        let mut bench = bench(one_at_a_time, false);
        let started = bench.run(|m, _, device| {
            let queue = queue(m, device);
            call(m, queue, None);
            let refused = send(m, device).1;
            queue.start(m);
            let (state, counts) = (queue.state(m).0, queue.counts(m));
            (refused, state, counts)
        });
        let expected = match *call_name {
            // Stopped queues take requests, and the start presents them: one is with the driver.
            "WdfIoQueueStop" | "WdfIoQueueStopAndPurge" => (STATUS_PENDING, 0x7, (0, 1)),
            _ => (STATUS_INVALID_DEVICE_STATE, 0xF, (0, 0)),
        };
        assert_eq!(started, expected, "{call_name}");
    }
}

#[test]
fn a_second_callback_while_one_is_outstanding_is_0x10d_a() {
    fn done(_: &mut Machine, _: Queue, _: vbus::wdm::Context) {}
    for (call_name, call) in &CALLS[1..] {
        let mut bench = bench(one_at_a_time, false);
        bench.run(|m, _, device| _ = send(m, device));
        let stop = bench.try_run(|m, _, device| {
            let queue = queue(m, device);
            call(m, queue, Some(done));
            call(m, queue, Some(done));
        });
        assert_eq!(violation(stop.unwrap_err())[0], 0xA, "{call_name}");
        let mut without = self::bench(one_at_a_time, false);
        without.run(|m, _, device| {
            let queue = queue(m, device);
            call(m, queue, None);
            call(m, queue, None);
        });
    }
}

#[test]
fn a_queue_is_made_as_its_kind_of_dispatching_allows() {
    fn created(config: QueueConfig) -> NtStatus {
        let mut bench = Workbench::new();
        bench.run(|m, _, device| config.create(m, device).map(|_| ())).into()
    }
    assert_eq!(created(Queue::config(Dispatch::Sequential)), STATUS_WDF_NO_CALLBACK);
    assert_eq!(created(Queue::config(Dispatch::Parallel)), STATUS_WDF_NO_CALLBACK);
    assert_eq!(created(Queue::config(Dispatch::Manual)), STATUS_SUCCESS);
    assert_eq!(created(Queue::config(Dispatch::Manual).on_default(hold)), STATUS_INVALID_PARAMETER);
    assert_eq!(created(Queue::config(Dispatch::Sequential).on_default(hold)), STATUS_SUCCESS);
    let mut bench = bench(manual, false);
    let second = bench.run(|m, _, device| Queue::config(Dispatch::Manual).create_default(m, device).map(|_| ()));
    assert_eq!(second, Err(STATUS_UNSUCCESSFUL), "a device has one default queue");
}

/// What the calls that take a request say, in each state of a queue.
fn takings(build: Build, verifier: bool) -> String {
    type Prepare = fn(&mut Machine, Queue);
    let states: [(&str, Prepare); 4] = [
        ("started", |_, _| {}),
        ("stopped", |m, queue| queue.stop(m, None, 0u64)),
        ("drained", |m, queue| queue.drain(m, None, 0u64)),
        ("purged", |m, queue| queue.purge(m, None, 0u64)),
    ];
    let mut page = String::new();
    for (state, prepare) in states {
        for sent in [true, false] {
            let mut bench = bench(build, verifier);
            let [next, found, after] = bench.run(|m, _, device| {
                let queue = queue(m, device);
                if sent {
                    send(m, device);
                }
                prepare(m, queue);
                let found = queue.find(m, None, None);
                let after = found.map_or(STATUS_SUCCESS, |found| queue.retrieve_found(m, found).map(|_| ()).into());
                let next = queue.retrieve_next(m).map(|_| ()).into();
                [next, NtStatus::from(found.map(|_| ())), after]
            });
            let what = if sent { "one waits" } else { "empty" };
            writeln!(
                page,
                "  {:<18} find {:<24} retrieve found {:<20} next {}",
                format!("{state}, {what}"),
                name(found),
                if found.is_success() { name(after) } else { "-".to_owned() },
                name(next)
            )
            .unwrap();
        }
    }
    page
}

#[test]
fn requests_are_taken_from_a_manual_queue_and_from_a_sequential_one() {
    fn sequential(m: &mut Machine, init: DeviceInit, attributes: Attributes) -> Result<Device, NtStatus> {
        let device = init.create(m, attributes)?;
        m.add_extension(Held::default());
        Queue::config(Dispatch::Sequential).on_default(hold).create_default(m, device)?;
        Ok(device)
    }
    let mut page = String::new();
    for (kind, build) in [("manual", manual as Build), ("sequential", sequential), ("parallel", one_at_a_time)] {
        writeln!(page, "{kind}\n{}", takings(build, false)).unwrap();
    }
    approve!("queue_takings", page);
}
