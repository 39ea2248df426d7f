//! What the single steps of a request cost, with the verbose log on: its way to a driver that completes it, formatting it,
//! formatting and sending it, cancelling it; a line of the log as text; and whole scenarios a second, on one core and on
//! two.

use std::time::Instant;

use vbus::Scenario;
use vbus::iotarget::{Data, IoTarget, ReuseParams, SendOptions, SendRequest};
use vbus::wdf::{Attributes, Device, Dispatch, Driver, DriverConfig, Queue, Request};
use vbus::wdm::constants::*;
use vbus::wdm::{FileObject, Installation, IoctlCode, Machine, OpenOptions};

const TIMES: u32 = 20_000;
const ROUNDS: usize = 21;
const SCENARIOS: u32 = 300;
/// Control codes, METHOD_NEITHER: the driver completes, or keeps until it is cancelled.
const COMPLETE: IoctlCode = IoctlCode(0x0022_2003);
const KEEP: IoctlCode = IoctlCode(0x0022_2007);

fn main() {
    let mut bench = Bench::new();
    report("presentation", "a program's request to a handler that completes it", || bench.present());
    report("format", "of a request of the driver's own, and its reuse", || bench.format());
    report("format and send", "to a driver that completes it", || bench.send());
    report("cancel", "an overlapped request, marked cancelable by the driver", || bench.cancel());
    log_line(&bench);
    scenarios();
}

fn report(name: &str, what: &str, mut once: impl FnMut()) {
    let mut samples: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            (0..TIMES).for_each(|_| once());
            start.elapsed().as_secs_f64() * 1e9 / f64::from(TIMES)
        })
        .collect();
    samples.sort_by(f64::total_cmp);
    println!("{name:16} {:9.0} ns   {what}", samples[ROUNDS / 2]);
}

/// A driver with a queue, and with its own default target on a PDO below that completes everything.
struct Bench {
    machine: Machine,
    driver: Driver,
    target: IoTarget,
    request: Request,
    file: FileObject,
    overlapped: FileObject,
}

struct Made(Option<Device>);

impl Bench {
    fn new() -> Bench {
        let mut machine = Machine::new();
        machine.add_extension(Made(None));
        let device_add = Some(device_add as vbus::wdf::DeviceAdd);
        let config = DriverConfig { device_add, verbose: true, ..DriverConfig::default() };
        let driver = Driver::create(&mut machine, "steps", config, Attributes::none());
        let function = Some(driver.driver_object(&machine));
        machine.install(Installation { hardware_id: "ROOT\\STEPS".into(), function, ..Installation::default() });
        machine.add_root_device("ROOT\\STEPS").expect("the device starts");
        let device = machine.extension::<Made>().0.expect("AddDevice made it");
        let open = |machine: &mut Machine, options| {
            let file = machine.create_file("\\\\.\\STEPS", options).expect("nothing stops");
            file.expect("the link is there")
        };
        let (file, overlapped) =
            (open(&mut machine, OpenOptions::READ_WRITE), open(&mut machine, OpenOptions::OVERLAPPED));
        let (target, request) = machine
            .run(|m| {
                // The driver's own queue is below: a request through the stack's top comes back to it.
                let target = IoTarget::create(m, device, Attributes::none())?;
                let top = device.device_object(m);
                target.open_existing_device(m, top)?;
                Ok::<_, vbus::wdm::NtStatus>((target, target.create_request(m, Attributes::none())?))
            })
            .expect("nothing stops")
            .expect("the target opens");
        Bench { machine, driver, target, request, file, overlapped }
    }

    fn present(&mut self) {
        let result = self.machine.device_io_control(self.file, COMPLETE, &[], &mut []);
        assert!(result.is_ok_and(|result| result.status == STATUS_SUCCESS));
    }

    fn format(&mut self) {
        let Bench { machine, target, request, .. } = self;
        let formatted = machine.run(|m| {
            target.format_ioctl(m, *request, COMPLETE, Data::None, Data::None)?;
            request.reuse(m, ReuseParams::default())
        });
        assert!(formatted.is_ok_and(|result| result.is_ok()));
    }

    fn send(&mut self) {
        let Bench { machine, target, request, .. } = self;
        let sent = machine.run(|m| {
            target.format_ioctl(m, *request, COMPLETE, Data::None, Data::None)?;
            let sent = request.send(m, *target, SendOptions::none());
            request.reuse(m, ReuseParams::default()).map(|()| sent)
        });
        assert!(sent.is_ok_and(|result| result == Ok(true)));
    }

    fn cancel(&mut self) {
        let started = self.machine.start_io_control(self.overlapped, KEEP, &[], &[]);
        let request = started.expect("nothing stops").expect("it is pending");
        assert_eq!(self.machine.cancel_file_io(self.overlapped), Ok(true));
        let result = self.machine.overlapped_result(request, &mut []);
        assert!(result.is_some_and(|result| result.status == STATUS_CANCELLED));
    }
}

fn device_add(m: &mut Machine, _: Driver, init: vbus::wdf::DeviceInit) -> Result<(), vbus::wdm::NtStatus> {
    let device = init.create(m, Attributes::none())?;
    Queue::config(Dispatch::Parallel)
        .on_device_control(|m, _, request, control| match control.code {
            COMPLETE => request.complete(m, STATUS_SUCCESS),
            _ => request.mark_cancelable(m, |m, request| request.complete(m, STATUS_CANCELLED)),
        })
        .create_default(m, device)?;
    m.extension_mut::<Made>().0 = Some(device);
    device.create_symbolic_link(m, "\\??\\STEPS")
}

/// The lines of a full ring as text.
fn log_line(bench: &Bench) {
    let lines = bench.driver.log(&bench.machine).len() as u32;
    let start = Instant::now();
    let rounds = TIMES / lines;
    let bytes: usize = (0..rounds)
        .map(|_| bench.driver.log(&bench.machine).iter().map(|line| line.to_string().len()).sum::<usize>())
        .sum();
    let each = start.elapsed().as_secs_f64() * 1e9 / f64::from(rounds * lines);
    println!("a line of text   {each:9.0} ns   {} bytes", bytes / (rounds * lines) as usize);
}

/// A small scenario from its text to its outcome.
fn scenarios() {
    const TEXT: &str = include_str!("../scenarios/forward-too-small.toml");
    let play = |times: u32| {
        for _ in 0..times {
            let scenario = Scenario::parse("forward-too-small.toml", TEXT).expect("it is tested");
            assert!(scenario.run().is_ok());
        }
    };
    let clock = |threads: u32| {
        let start = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| play(SCENARIOS));
            }
        });
        f64::from(threads * SCENARIOS) / start.elapsed().as_secs_f64()
    };
    let best = |threads| (0..5).map(|_| clock(threads)).fold(0.0, f64::max);
    let (one, two) = (best(1), best(2));
    println!("scenarios a second: {one:.0} on one core, {two:.0} on two: {:.2} times", two / one);
}
