//! The lines that a verbose log holds of the common ways of a request through a target, in their order.

mod common;

use std::fmt::Write;

use common::bench::*;
use vbus::iotarget::{Data, IoTarget, SendOptions, SendRequest, SentIo};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Context, IoctlCode, Machine, Ticks};

const BUFFERED: IoctlCode = IoctlCode(0x0022_2000);
const TIMEOUT: Ticks = Ticks::from_millis(100);

type Path = fn(&mut Bench) -> Request;

/// A request of the driver's own is out at the device below, which keeps it until it is cancelled.
fn out(bench: &mut Bench, options: SendOptions) -> Request {
    bench.lower_is(Lower::Holds);
    let (request, sent) = bench.sent(options);
    assert!(sent);
    request
}

fn with_target(bench: &mut Bench, act: impl FnOnce(&mut Machine, IoTarget)) {
    let target = bench.target;
    bench.run(|m| act(m, target));
}

/// The driver's request waits at a stopped target.
fn pended(bench: &mut Bench, options: SendOptions) -> Request {
    with_target(bench, |m, target| target.stop(m, SentIo::LeavePending));
    let (request, sent) = bench.sent(options);
    assert!(sent);
    request
}

/// A program's request, forwarded by the driver as it is.
fn forward(bench: &mut Bench) -> Request {
    let request = bench.dispatched(BUFFERED, b"ping", 4);
    let target = bench.target;
    bench.run(|m| {
        if let Err(status) = target.format_ioctl(m, request, BUFFERED, Data::Request, Data::Request) {
            return request.complete(m, status);
        }
        let completes = |m: &mut Machine, request: Request, _, params: &vbus::iotarget::CompletionParams, _| {
            request.complete(m, params.io_status.status);
        };
        request.set_completion_routine(m, completes, Context(0));
        assert!(request.send(m, target, SendOptions::none()));
    });
    request
}

const PATHS: [(&str, Path); 22] = [
    ("a program's request is forwarded, and answered at once", forward),
    ("the same, and answered later", |bench| {
        bench.lower_is(Lower::Holds);
        let request = forward(bench);
        bench.run(|m| complete_held(m, STATUS_SUCCESS, 0));
        request
    }),
    ("the same, and its IRP is too small", |bench| {
        bench.own_stack_is(1);
        forward(bench)
    }),
    ("a request of the driver's own is sent, and answered at once", |bench| bench.sent(SendOptions::none()).0),
    ("the same with a time-out, and answered in time", |bench| {
        let request = out(bench, SendOptions::none().with_timeout(TIMEOUT));
        bench.run(|m| complete_held(m, STATUS_SUCCESS, 0));
        request
    }),
    ("the same, and not answered in time", |bench| {
        let request = out(bench, SendOptions::none().with_timeout(TIMEOUT));
        bench.machine.advance(TIMEOUT).unwrap();
        request
    }),
    ("it is sent synchronously", |bench| bench.sent(SendOptions::synchronous()).0),
    ("it is sent synchronously, and not answered in time", |bench| {
        bench.lower_is(Lower::Holds);
        bench.sent(SendOptions::synchronous().with_timeout(TIMEOUT)).0
    }),
    ("it is sent whatever the target's state is", |bench| bench.sent(SendOptions::none().ignoring_target_state()).0),
    ("it is cancelled by the driver", |bench| {
        let request = out(bench, SendOptions::none());
        bench.run(|m| assert!(request.cancel_sent(m)));
        request
    }),
    ("it is cancelled by the driver, and the device below does not listen", |bench| {
        bench.lower_is(Lower::HoldsDeaf);
        let request = bench.sent(SendOptions::none()).0;
        bench.run(|m| {
            assert!(!request.cancel_sent(m));
            complete_held(m, STATUS_SUCCESS, 0);
        });
        request
    }),
    ("it is cancelled when it is back already", |bench| {
        let request = bench.sent(SendOptions::none()).0;
        bench.run(|m| assert!(!request.cancel_sent(m)));
        request
    }),
    ("its IRP is cancelled by somebody else", |bench| {
        let request = out(bench, SendOptions::none());
        let irp = bench.world().held[0];
        bench.run(|m| assert!(irp.cancel(m)));
        request
    }),
    ("it is sent to a stopped target, which is started", |bench| {
        let request = pended(bench, SendOptions::none());
        with_target(bench, |m, target| target.start(m).unwrap());
        request
    }),
    ("it is cancelled while it waits at a stopped target", |bench| {
        let request = pended(bench, SendOptions::none());
        bench.run(|m| assert!(request.cancel_sent(m)));
        request
    }),
    ("the target is stopped, and what is out is cancelled", |bench| {
        let request = out(bench, SendOptions::none());
        with_target(bench, |m, target| target.stop(m, SentIo::Cancel));
        request
    }),
    ("the target is purged while it is out", |bench| {
        let request = out(bench, SendOptions::none());
        with_target(bench, |m, target| target.purge(m, false));
        request
    }),
    ("the same, and the purge waits", |bench| {
        let request = out(bench, SendOptions::none());
        with_target(bench, |m, target| target.purge(m, true));
        request
    }),
    ("it is sent to a purged target", |bench| {
        with_target(bench, |m, target| target.purge(m, false));
        let (request, sent) = bench.sent(SendOptions::none());
        assert!(!sent);
        request
    }),
    ("the target is closed while it waits", |bench| {
        let request = pended(bench, SendOptions::none());
        with_target(bench, |m, target| target.close(m));
        request
    }),
    ("the target is closed while it is out", |bench| {
        let request = out(bench, SendOptions::none());
        with_target(bench, |m, target| target.close(m));
        request
    }),
    ("the target is closed for a query of its device's removal", |bench| {
        let request = bench.created();
        with_target(bench, |m, target| target.close_for_query_remove(m));
        request
    }),
];

#[test]
fn each_way_of_a_request_through_a_target_leaves_its_lines() {
    let mut page = String::new();
    for (name, path) in PATHS {
        let mut bench = bench();
        let request = path(&mut bench);
        writeln!(page, "{name}").unwrap();
        for line in bench.log(&[(request.object().handle(), "request")]) {
            writeln!(page, "    {line}").unwrap();
        }
    }
    approve!("target_paths", page);
}
