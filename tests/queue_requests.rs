//! Requests on their way between a queue and its driver: given on, given back, and cancelled.

mod common;

use std::fmt::Write;

use common::workbench::{Wanted, Workbench, note, send};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Irp, Machine, NtStatus, Stop};

/// What the driver has.
#[derive(Default)]
struct Held(Vec<Request>);

fn hold(m: &mut Machine, _: Queue, request: Request) {
    m.extension_mut::<Held>().0.push(request);
}

/// A device with a parallel default queue.
fn build(m: &mut Machine, init: DeviceInit, attributes: Attributes) -> Result<Device, NtStatus> {
    let device = init.create(m, attributes)?;
    m.add_extension(Held::default());
    Queue::config(Dispatch::Parallel).on_default(hold).create_default(m, device)?;
    Ok(device)
}

fn bench(verifier: bool) -> Workbench {
    Workbench::with(Wanted { build: Some(build), verifier, ..Wanted::default() })
}

/// A request that the driver has, with its IRP.
fn held(m: &mut Machine, device: Device) -> (Request, Irp) {
    let (irp, status) = send(m, device);
    assert_eq!(status, STATUS_PENDING);
    (m.extension_mut::<Held>().0.remove(0), irp)
}

fn manual(m: &mut Machine, device: Device) -> Queue {
    Queue::config(Dispatch::Manual).create(m, device).unwrap()
}

fn name(status: NtStatus) -> String {
    status.name().unwrap_or("?").trim_start_matches("STATUS_").to_lowercase()
}

/// What a call says without the verifier and with it, and how often that breaks into the debugger.
fn told(call: fn(&mut Machine, Driver, Device) -> NtStatus) -> String {
    let [without, with] = [false, true].map(|verifier| {
        let mut bench = bench(verifier);
        let status = match bench.try_run(call) {
            Ok(status) => name(status),
            Err(Stop::Undefined { .. }) => "undefined".to_owned(),
            Err(stop) => stop.to_string(),
        };
        let breaks = bench.driver.debugger_breaks(&bench.machine).len();
        format!("{status}{}", if breaks > 0 { " and a break" } else { "" })
    });
    format!("{without:<24} verifier: {with}")
}

type Case = (&'static str, fn(&mut Machine, Driver, Device) -> NtStatus);

#[test]
fn what_a_driver_gives_on_is_refused_with_the_reason_and_stays_the_drivers() {
    let cases: [Case; 9] = [
        ("forward to another queue", |m, _, device| {
            let (request, queue) = (held(m, device).0, manual(m, device));
            request.forward_to(m, queue).into()
        }),
        ("forward to the same queue", |m, _, device| {
            let (request, queue) = (held(m, device).0, device.default_queue(m).unwrap());
            request.forward_to(m, queue).into()
        }),
        ("forward to a queue that takes nothing", |m, _, device| {
            let (request, queue) = (held(m, device).0, manual(m, device));
            queue.purge(m, None, 0u64);
            request.forward_to(m, queue).into()
        }),
        ("forward what the driver made", |m, driver, device| {
            let request = Request::create(m, driver, Attributes::none().parent(device)).unwrap();
            let queue = manual(m, device);
            request.forward_to(m, queue).into()
        }),
        ("requeue to a parallel queue", |m, _, device| held(m, device).0.requeue(m).into()),
        ("requeue to a manual queue", |m, _, device| {
            let (request, queue) = (held(m, device).0, manual(m, device));
            request.forward_to(m, queue).unwrap();
            queue.retrieve_next(m).unwrap().requeue(m).into()
        }),
        ("requeue what the driver made", |m, driver, device| {
            let request = Request::create(m, driver, Attributes::none().parent(device)).unwrap();
            request.requeue(m).into()
        }),
        ("unmark what was never marked", |m, _, device| held(m, device).0.unmark_cancelable(m).into()),
        ("mark what the driver made", |m, driver, device| {
            let request = Request::create(m, driver, Attributes::none().parent(device)).unwrap();
            request.mark_cancelable_ex(m, |_, _| {}).into()
        }),
    ];
    let mut page = String::new();
    for (what, call) in cases {
        writeln!(page, "{what:<40} {}", told(call)).unwrap();
    }
    approve!("queue_moves", page);
}

#[test]
fn a_requeued_request_is_the_first_of_its_queue_again() {
    let mut bench = bench(true);
    let order = bench.run(|m, _, device| {
        let queue = manual(m, device);
        let requests = [held(m, device).0, held(m, device).0];
        for request in requests {
            request.forward_to(m, queue).unwrap();
        }
        let first = queue.retrieve_next(m).unwrap();
        first.requeue(m).unwrap();
        [queue.retrieve_next(m), queue.retrieve_next(m)].map(|next| requests.iter().position(|&r| Ok(r) == next))
    });
    assert_eq!(order, [Some(0), Some(1)]);
}

#[test]
fn what_is_cancelled_already_calls_back_at_the_mark_and_says_so_at_the_other() {
    let mut bench = bench(true);
    bench.run(|m, _, device| {
        let (request, irp) = held(m, device);
        assert!(!irp.cancel(m), "the driver has not marked it");
        assert!(request.is_cancelled(m));
        request.mark_cancelable(m, |m, request| {
            note(m, "EvtRequestCancel");
            request.complete(m, STATUS_CANCELLED);
        });
        assert_eq!(m[irp].io_status.status, STATUS_CANCELLED);
        let (request, irp) = held(m, device);
        irp.cancel(m);
        assert_eq!(request.mark_cancelable_ex(m, |m, _| note(m, "never called")), Err(STATUS_CANCELLED));
        request.complete(m, STATUS_CANCELLED);
        let (request, irp) = held(m, device);
        request.mark_cancelable_ex(m, |m, request| request.complete(m, STATUS_CANCELLED)).unwrap();
        request.unmark_cancelable(m).unwrap();
        assert!(!irp.cancel(m), "the mark was taken back in time");
        request.complete(m, STATUS_SUCCESS);
    });
    assert_eq!(bench.notes(), ["EvtRequestCancel"]);
}

#[test]
fn only_a_request_that_the_driver_had_before_is_announced_when_it_is_cancelled_in_a_queue() {
    for had_before in [false, true] {
        let mut bench = bench(true);
        let irp = bench.run(|m, _, device| {
            let announces = |m: &mut Machine, _: Queue, request: Request| {
                note(m, "EvtIoCanceledOnQueue");
                request.complete_with_information(m, STATUS_CANCELLED, 7);
            };
            let queue = Queue::config(Dispatch::Manual).on_cancelled_on_queue(announces).create(m, device).unwrap();
            let default = device.default_queue(m).unwrap();
            let irp = match had_before {
                true => {
                    let (request, irp) = held(m, device);
                    request.forward_to(m, queue).unwrap();
                    irp
                }
                false => {
                    default.stop(m, None, 0u64);
                    send(m, device).0
                }
            };
            assert!(irp.cancel(m), "what waits can be cancelled");
            irp
        });
        let expected: (&[&str], u64) = if had_before { (&["EvtIoCanceledOnQueue"], 7) } else { (&[], 0) };
        assert_eq!(bench.notes(), expected.0);
        let ended = bench.machine[irp].io_status;
        assert_eq!((ended.status, ended.information), (STATUS_CANCELLED, expected.1));
    }
}
