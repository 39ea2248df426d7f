//! What stop, purge, start, close and time-outs do to requests that wait or are out.

mod common;

use vbus::iotarget::{CompletionParams, Data, IoTarget, SendOptions, SendRequest, SentIo, TargetState};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Context, DeviceObject, Installation, IoctlCode, Irp, Machine, Major, NtStatus, Stop, Ticks};

const CODE: IoctlCode = IoctlCode(0x0022_0003);

/// What the plain device below the target holds, and how requests came back: the status of each, oldest first.
#[derive(Default)]
struct Seen {
    held: Vec<Irp>,
    back: Vec<NtStatus>,
    /// How many requests were out when the target's EvtCleanup ran.
    held_at_cleanup: Option<usize>,
}

struct Bench {
    machine: Machine,
    driver: Driver,
    target: IoTarget,
    /// The log's sequence number when the target was open.
    opened_at: u32,
}

#[derive(Clone, Copy)]
struct Created(Device);

/// A remote target on a plain device that holds what it is sent until it is cancelled.
fn bench() -> Bench {
    let mut machine = Machine::new();
    machine.add_extension(Seen::default());
    let config = DriverConfig { device_add: Some(device_add), verbose: true, ..DriverConfig::default() };
    let driver = Driver::create(&mut machine, "sender", config, Attributes::none());
    let function = Some(driver.driver_object(&machine));
    machine.install(Installation { hardware_id: "ROOT\\SENDER".into(), function, ..Installation::default() });
    machine.add_root_device("ROOT\\SENDER").unwrap();
    let holder = machine.create_driver("holder");
    holder.set_all_majors(&mut machine, |m, _, irp| {
        irp.mark_pending(m);
        irp.set_cancel_routine(m, Some(cancelled));
        m.extension_mut::<Seen>().held.push(irp);
        STATUS_PENDING
    });
    holder.set_major(&mut machine, Major::Pnp, common::knows_no_pnp);
    let lower = machine.create_device(holder);
    machine[lower].initializing = false;
    let Created(device) = *driver.context::<Created>(&mut machine);
    let attributes = Attributes::none().context(()).on_cleanup(|m, _| {
        let seen = m.extension_mut::<Seen>();
        seen.held_at_cleanup = Some(seen.held.len());
    });
    let target = machine.run(|m| IoTarget::create(m, device, attributes)).unwrap().unwrap();
    machine.run(|m| target.open_existing_device(m, lower)).unwrap().unwrap();
    let opened_at = driver.log_sequence(&machine);
    Bench { machine, driver, target, opened_at }
}

fn device_add(m: &mut Machine, driver: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let device = init.create(m, Attributes::none())?;
    driver.allocate_context(m, Attributes::none().context(Created(device)))?;
    Ok(())
}

fn cancelled(m: &mut Machine, _: Option<DeviceObject>, irp: Irp) {
    irp.release_cancel_spin_lock(m);
    let_go(m, irp, STATUS_CANCELLED);
}

fn let_go(m: &mut Machine, irp: Irp, status: NtStatus) {
    m.extension_mut::<Seen>().held.retain(|&held| held != irp);
    irp.complete_with(m, status, 0);
}

fn completed(m: &mut Machine, _: Request, _: IoTarget, params: &CompletionParams, _: Context) {
    m.extension_mut::<Seen>().back.push(params.io_status.status);
}

impl Bench {
    /// Sends a new request. Returns it, and whether it was sent.
    fn send(&mut self, options: SendOptions) -> (Request, bool) {
        let target = self.target;
        self.machine
            .run(|m| {
                let request = target.create_request(m, Attributes::none()).unwrap();
                target.format_internal_ioctl(m, request, CODE, Data::None, Data::None).unwrap();
                request.set_completion_routine(m, completed, Context(0));
                let sent = request.send(m, target, options);
                (request, sent)
            })
            .unwrap()
    }

    fn run<T>(&mut self, act: impl FnOnce(&mut Machine, IoTarget) -> T) -> T {
        let target = self.target;
        self.machine.run(|m| act(m, target)).unwrap()
    }

    fn held(&self) -> usize {
        self.machine.extension::<Seen>().held.len()
    }

    fn back(&self) -> &[NtStatus] {
        &self.machine.extension::<Seen>().back
    }

    /// What the driver logged since the target was opened.
    fn log(&self) -> String {
        let lines = self.driver.log_after(&self.machine, self.opened_at);
        lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

#[test]
fn a_stopped_target_keeps_requests_waiting_and_sends_them_in_order_when_it_is_started() {
    let mut bench = bench();
    bench.run(|m, target| target.stop(m, SentIo::LeavePending));
    assert!(bench.send(SendOptions::none()).1);
    assert!(bench.send(SendOptions::none()).1);
    assert_eq!((bench.held(), bench.back().len()), (0, 0));
    bench.run(|m, target| target.start(m)).unwrap();
    assert_eq!(bench.held(), 2);
    approve!("log_of_a_stopped_target", bench.log());
}

#[test]
fn a_stop_leaves_or_cancels_what_is_out_as_it_is_told() {
    for (sent_io, held, back) in [(SentIo::LeavePending, 1, vec![]), (SentIo::Cancel, 0, vec![STATUS_CANCELLED])] {
        let mut bench = bench();
        bench.send(SendOptions::none());
        bench.run(|m, target| target.stop(m, sent_io));
        assert_eq!((bench.held(), bench.back()), (held, &back[..]), "{sent_io:?}");
    }
}

#[test]
fn a_stop_that_waits_lets_the_world_outside_go_on_until_everything_is_back() {
    let mut bench = bench();
    bench.send(SendOptions::none());
    bench.machine.on_idle(|m| {
        let oldest = m.extension::<Seen>().held.first().copied();
        if let Some(irp) = oldest {
            irp.set_cancel_routine(m, None);
            let_go(m, irp, STATUS_SUCCESS);
        }
        oldest.is_some()
    });
    bench.run(|m, target| target.stop(m, SentIo::WaitForCompletion));
    assert_eq!(bench.back(), [STATUS_SUCCESS]);
}

#[test]
fn a_stop_that_waits_for_what_nobody_completes_hangs_and_says_what_it_waits_for() {
    let mut bench = bench();
    bench.send(SendOptions::none());
    let target = bench.target;
    let stopped = bench.machine.run(|m| target.stop(m, SentIo::WaitForCompletion));
    assert!(matches!(stopped, Err(Stop::Hang { waiting_for }) if waiting_for.contains("stopped or purged")));
}

#[test]
fn a_purge_fails_what_waits_cancels_what_is_out_and_refuses_more_until_a_start() {
    let mut bench = bench();
    bench.send(SendOptions::none());
    bench.run(|m, target| target.stop(m, SentIo::LeavePending));
    bench.send(SendOptions::none());
    bench.run(|m, target| target.purge(m, true));
    assert_eq!(bench.back(), [STATUS_WDF_DEVICE_REMOVED_NOT_SENT, STATUS_CANCELLED]);
    let (request, sent) = bench.send(SendOptions::none());
    assert_eq!((sent, bench.run(|m, _| request.status(m))), (false, STATUS_INVALID_DEVICE_STATE));
    bench.run(|m, target| target.start(m)).unwrap();
    assert!(bench.send(SendOptions::none()).1);
    approve!("log_of_a_purged_target", bench.log());
}

#[test]
fn a_request_that_ignores_the_target_state_goes_through_a_stop_and_survives_a_purge() {
    let mut bench = bench();
    bench.run(|m, target| target.stop(m, SentIo::LeavePending));
    assert!(bench.send(SendOptions::none().ignoring_target_state()).1);
    bench.run(|m, target| target.purge(m, true));
    assert_eq!((bench.held(), bench.back().len()), (1, 0));
}

#[test]
fn a_close_cancels_everything_even_what_ignored_the_target_state() {
    let mut bench = bench();
    bench.send(SendOptions::none().ignoring_target_state());
    bench.send(SendOptions::none());
    bench.run(|m, target| target.close(m));
    assert_eq!(bench.back(), [STATUS_CANCELLED, STATUS_CANCELLED]);
    assert_eq!(bench.run(|m, target| (target.state(m), target.stack_size(m))), (TargetState::Closed, 0));
}

#[test]
fn a_timeout_cancels_the_request_and_turns_the_status_into_a_timeout() {
    let mut bench = bench();
    bench.send(SendOptions::none().with_timeout(Ticks::from_millis(100)));
    bench.machine.advance(Ticks::from_millis(99)).unwrap();
    assert_eq!(bench.back(), []);
    bench.machine.advance(Ticks::from_millis(1)).unwrap();
    assert_eq!(bench.back(), [STATUS_IO_TIMEOUT]);
    approve!("log_of_a_timeout", bench.log());
}

#[test]
fn a_synchronous_send_with_a_timeout_returns_when_the_time_is_over() {
    let mut bench = bench();
    let before = bench.machine.now();
    let (request, sent) = bench.send(SendOptions::synchronous().with_timeout(Ticks::from_millis(100)));
    // It was sent; that it failed is in its status.
    assert_eq!((sent, bench.run(|m, _| request.status(m))), (true, STATUS_IO_TIMEOUT));
    assert_eq!(bench.machine.now(), Ticks(before.0 + Ticks::from_millis(100).0));
}

#[test]
fn a_request_that_waits_can_be_cancelled_without_reaching_the_lower_driver() {
    let mut bench = bench();
    bench.run(|m, target| target.stop(m, SentIo::LeavePending));
    let (request, _) = bench.send(SendOptions::none());
    assert!(bench.run(|m, _| request.cancel_sent(m)));
    assert_eq!((bench.held(), bench.back()), (0, &[STATUS_CANCELLED][..]));
    bench.run(|m, target| target.start(m)).unwrap();
    assert_eq!(bench.held(), 0);
}

#[test]
fn a_target_that_is_deleted_cleans_up_before_its_requests_are_cancelled() {
    let mut bench = bench();
    bench.send(SendOptions::none());
    bench.run(|m, target| target.delete(m));
    assert_eq!(bench.machine.extension::<Seen>().held_at_cleanup, Some(1));
    assert_eq!((bench.held(), bench.back()), (0, &[STATUS_CANCELLED][..]));
}
