//! Waiting: locks, queues, and a device that is to go.

use vbus::wdf::*;
use vbus::wdm::Machine;
use vbus::wdm::constants::*;

use crate::framework::{FRAMEWORK, Framework, answer, driver, parts};
use crate::rig::{Party, Program, WrongDriver, wrong_drivers};

wrong_drivers! {
    "Waiting"
    takes_its_devices_lock_twice = LOCK_TWICE;
    releases_a_spin_lock_that_it_does_not_hold = NOT_HELD;
    leaves_a_request_unanswered_when_its_device_stops = IO_STOP;
    leaves_a_request_unanswered_when_the_system_sleeps = POWER_STOP;
    acknowledges_outside_evt_io_stop = OUTSIDE;
    loses_a_request_that_a_queue_does_not_take = BUSY;
    retrieves_from_a_queue_that_presents = RETRIEVES;
}

const LOCK_TWICE: WrongDriver = WrongDriver {
    rules: &["WDF_VIOLATION 2"],
    windows: "WDF_VIOLATION 2, always, with a line.",
    wrong: Party::Framework(Framework {
        serve: |m, queue, request| {
            let device = queue.device(m);
            device.acquire_lock(m);
            device.acquire_lock(m);
            device.release_lock(m);
            device.release_lock(m);
            answer(m, queue, request);
        },
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework {
        serve: |m, queue, request| {
            let device = queue.device(m);
            device.acquire_lock(m);
            device.release_lock(m);
            answer(m, queue, request);
        },
        ..FRAMEWORK
    }),
};

const NOT_HELD: WrongDriver = WrongDriver {
    rules: &["WdfSpinlock", "WdfSpinlockRelease"],
    windows: "Without the verifier the level goes where some earlier holder came from. The verifier stops with \
              WDF_VIOLATION 0xB.",
    wrong: Party::Framework(Framework {
        serve: |m, queue, request| {
            let driver = driver(m);
            let lock = SpinLock::create(m, driver, Attributes::none()).expect("there is memory");
            lock.release(m);
            answer(m, queue, request);
        },
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework {
        serve: |m, queue, request| {
            let driver = driver(m);
            let lock = SpinLock::create(m, driver, Attributes::none()).expect("there is memory");
            lock.acquire(m);
            lock.release(m);
            answer(m, queue, request);
        },
        ..FRAMEWORK
    }),
};

/// The driver keeps the request for later.
fn keep(_: &mut Machine, _: Queue, _: Request) {}

const IO_STOP: WrongDriver = WrongDriver {
    rules: &["EvtIoStopCompleteOrStopAck", "EvtIoStopCancel", "DrvAckIoStop"],
    windows: "The PnP manager waits for the request for ever, and so does everybody who waits for the PnP manager.",
    wrong: Party::Framework(Framework {
        serve: keep,
        on_stop: Some(|_, _, _, _| {}),
        program: Program::IsInterrupted,
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework {
        serve: keep,
        on_stop: Some(|m, _, request, _| request.complete(m, STATUS_CANCELLED)),
        program: Program::IsInterrupted,
        ..FRAMEWORK
    }),
};

const POWER_STOP: WrongDriver = WrongDriver {
    rules: &["EvtIoStopCompleteOrStopAck", "EvtIoStopCancel", "DrvAckIoStop", "0x9F parameter 1 = 3"],
    windows: "The framework holds the device's power IRP until the request is answered or acknowledged. The power manager \
              waits ten minutes for that IRP, then the system stops with DRIVER_POWER_STATE_FAILURE.",
    wrong: Party::Framework(Framework {
        serve: keep,
        on_stop: Some(|_, _, _, _| {}),
        program: Program::SleepsOn,
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework {
        serve: keep,
        on_stop: Some(|m, _, request, _| request.complete(m, STATUS_CANCELLED)),
        program: Program::SleepsOn,
        ..FRAMEWORK
    }),
};

const OUTSIDE: WrongDriver = WrongDriver {
    rules: &["StopAckWithinEvtIoStop"],
    windows: "The call is ignored. The verifier says so with a line and a break.",
    wrong: Party::Framework(Framework {
        serve: |m, queue, request| {
            request.stop_acknowledge(m, false);
            answer(m, queue, request);
        },
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework { serve: answer, ..FRAMEWORK }),
};

/// A second queue, which accepts nothing.
fn purged_queue(m: &mut Machine, device: Device) {
    let queue = Queue::config(Dispatch::Manual).create(m, device).expect("a manual queue needs no callback");
    queue.purge(m, None, 0u64);
    parts(m).queue = Some(queue);
}

fn second_queue(m: &mut Machine) -> Queue {
    parts(m).queue.expect("EvtDriverDeviceAdd made the queue")
}

const BUSY: WrongDriver = WrongDriver {
    rules: &["RequestCompleted"],
    windows: "WdfRequestForwardToIoQueue says STATUS_WDF_BUSY and the request is still the driver's, which forgets it: \
              the program waits for ever.",
    wrong: Party::Framework(Framework {
        add: purged_queue,
        serve: |m, _, request| {
            let queue = second_queue(m);
            _ = request.forward_to(m, queue);
        },
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework {
        add: purged_queue,
        serve: |m, _, request| {
            let queue = second_queue(m);
            if request.forward_to(m, queue).is_err() {
                request.complete(m, STATUS_DEVICE_BUSY);
            }
        },
        ..FRAMEWORK
    }),
};

const RETRIEVES: WrongDriver = WrongDriver {
    rules: &["WdfIoQueueRetrieveNextRequest"],
    windows: "A parallel queue has nothing to retrieve: STATUS_INVALID_DEVICE_STATE and a line.",
    wrong: Party::Framework(Framework {
        serve: |m, queue, request| {
            if let Ok(next) = queue.retrieve_next(m) {
                answer(m, queue, next);
            }
            answer(m, queue, request);
        },
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework { serve: answer, ..FRAMEWORK }),
};
