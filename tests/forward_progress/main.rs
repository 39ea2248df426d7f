//! Queues that go on when there is no memory for requests, with those that they keep in reserve.

mod assignment;
#[path = "../common/mod.rs"]
mod common;
mod faults;
mod policies;
mod races;
mod reuse;
mod waiting;

use common::bench::with_names;
use common::workbench::{Wanted, Workbench, at_dispatch, named, note, violation};
use vbus::iotarget::{CompletionParams, Data, IoTarget, SendOptions, SendRequest};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{
    Context, Control, DeviceObject, FileObject, IoctlCode, Irp, IrpData, Machine, Major, NtStatus, OpenOptions,
    Parameters, Stop, SystemPowerState,
};

/// Where memory for requests is short.
const CREATE: &str = "FxRequest::_CreateForPackage";

/// What the driver has, and what its queue does with what it gets.
#[derive(Default)]
struct World {
    /// Every request that the queue presented, as long as the driver holds it.
    held: Vec<Request>,
    /// Every reserved request that the driver ever saw, in the order in which it did: notes speak of them by number.
    reserved: Vec<Request>,
    /// The driver completes every request in its callback.
    answers: bool,
    /// The callbacks that allocate fail.
    fails: bool,
    second: Option<Queue>,
    /// How many IRPs were sent, and those that are not complete.
    irps: u64,
    out: Vec<Irp>,
}

fn world(m: &mut Machine) -> &mut World {
    m.extension_mut::<World>()
}

fn bench(wanted: Wanted) -> Workbench {
    Workbench::prepared(
        |m| m.add_extension(World::default()),
        Wanted { build: wanted.build.or(Some(parallel)), ..wanted },
    )
}

fn verified() -> Workbench {
    bench(Wanted { verifier: true, ..Wanted::default() })
}

/// A device whose default queue is parallel.
fn parallel(m: &mut Machine, init: DeviceInit, attributes: Attributes) -> Result<Device, NtStatus> {
    let device = init.create(m, attributes)?;
    Queue::config(Dispatch::Parallel).on_default(presented).create_default(m, device)?;
    Ok(device)
}

fn presented(m: &mut Machine, _: Queue, request: Request) {
    let name = name(m, request);
    note(m, format!("presented {name}"));
    if world(m).answers {
        request.complete(m, STATUS_SUCCESS);
    } else {
        world(m).held.push(request);
    }
}

/// How notes speak of a request.
fn name(m: &mut Machine, request: Request) -> String {
    if !request.is_reserved(m) {
        return "a request".to_owned();
    }
    let known = &mut world(m).reserved;
    let at = known.iter().position(|&seen| seen == request).unwrap_or_else(|| {
        known.push(request);
        known.len() - 1
    });
    format!("reserved {}", at + 1)
}

fn queue_of(m: &mut Machine, device: Device) -> Queue {
    device.default_queue(m).unwrap()
}

fn assign(bench: &mut Workbench, policy: ForwardProgressPolicy) -> Queue {
    bench.run(|m, _, device| {
        let queue = queue_of(m, device);
        queue.assign_forward_progress_policy(m, policy).unwrap();
        queue
    })
}

/// Memory for requests is short from now on.
fn short(bench: &mut Workbench) {
    bench.machine.fail_allocations_of(CREATE);
}

/// There is memory again.
fn plenty(bench: &mut Workbench) {
    bench.machine.count_allocations();
}

/// Sends a control request whose end is noted.
fn send(bench: &mut Workbench) -> Irp {
    bench.run(|m, _, device| send_to(m, device, 0))
}

fn send_to(m: &mut Machine, device: Device, flags: u32) -> Irp {
    let top = device.device_object(m);
    let irp = m.allocate_irp(m[top].stack_size).unwrap();
    m[irp].flags = flags;
    give(m, device, irp);
    irp
}

/// Sends this IRP as a control request.
fn give(m: &mut Machine, device: Device, irp: Irp) {
    let top = device.device_object(m);
    world(m).irps += 1;
    world(m).out.push(irp);
    let number = world(m).irps;
    let location = m[irp].next_mut();
    location.major = Major::InternalDeviceControl;
    let code = IoctlCode(0x0022_0003);
    location.parameters = Parameters::DeviceIoControl { output_length: 0, input_length: 0, code, type3_input: None };
    m[irp].set_completion_routine(ended, Context(number), Control::INVOKE_ALWAYS);
    let status = irp.call_driver(m, top);
    if status != STATUS_PENDING {
        note(m, format!("IRP {number} was refused with {}", short_name(status)));
    }
}

fn ended(m: &mut Machine, _: Option<DeviceObject>, irp: Irp, number: Context) -> NtStatus {
    let status = m[irp].io_status.status;
    note(m, format!("IRP {} ends with {}", number.0, short_name(status)));
    world(m).out.retain(|&out| out != irp);
    irp.free(m);
    STATUS_MORE_PROCESSING_REQUIRED
}

/// Opens the device as a program does.
fn open(bench: &mut Workbench) -> FileObject {
    let m = &mut bench.machine;
    let pdo = m.root_devnodes()[0].pdo(m).unwrap();
    // The link may be there already.
    _ = m.create_symbolic_link("\\??\\BENCH", pdo);
    m.create_file("\\\\.\\BENCH", OpenOptions::OVERLAPPED).unwrap().unwrap()
}

/// Completes the request that the driver holds for the longest time.
fn complete(bench: &mut Workbench) {
    bench.run(|m, _, _| complete_oldest(m));
}

fn complete_oldest(m: &mut Machine) {
    let request = world(m).held.remove(0);
    request.complete(m, STATUS_SUCCESS);
}

fn short_name(status: NtStatus) -> &'static str {
    status.name().unwrap_or("?")
}

#[test]
fn a_queue_presents_its_reserved_requests_when_memory_is_short_and_the_next_irp_waits_for_one() {
    let mut bench = bench(Wanted::default());
    let queue = assign(&mut bench, ForwardProgressPolicy::always(2));
    let before = bench.driver.log_sequence(&bench.machine);
    send(&mut bench);
    short(&mut bench);
    let irps = [(); 3].map(|()| send(&mut bench));
    let waiting = bench.run(|m, _, _| queue.counts(m));
    assert_eq!(waiting, (0, 3), "the queue does not count who waits for a reserved request");
    complete(&mut bench);
    bench.run(|m, _, _| {
        let first = world(m).held.remove(0);
        assert!(first.is_reserved(m));
        first.complete(m, STATUS_SUCCESS);
    });
    let lines = bench.driver.log_after(&bench.machine, before);
    plenty(&mut bench);
    send(&mut bench);
    assert_eq!(
        bench.notes(),
        [
            "presented a request",
            "presented reserved 1",
            "presented reserved 2",
            "IRP 1 ends with STATUS_SUCCESS",
            "IRP 2 ends with STATUS_SUCCESS",
            "presented reserved 1",
            "presented a request",
        ]
    );
    let world = bench.machine.extension::<World>();
    let named = [
        (bench.device.object().handle(), "device"),
        (queue.object().handle(), "queue"),
        (world.reserved[0].object().handle(), "reserved 1"),
        (world.reserved[1].object().handle(), "reserved 2"),
        (irps[0].address(), "IRP 2"),
        (irps[1].address(), "IRP 3"),
        (irps[2].address(), "IRP 4"),
    ];
    let log: String = lines
        .iter()
        .map(|line| format!("{:?} {} - {}\n", line.level, line.function, with_names(&line.message, &named)))
        .collect();
    approve!("forward_progress_low_memory", log);
}
