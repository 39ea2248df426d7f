//! Timeout × complete, and close handle × completion.

use vbus::explore::{Failure, Race};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Context, Machine, NtStatus, Ticks};

use crate::stage::*;

fn build_with_timeout(m: &mut Machine, init: DeviceInit, attributes: Attributes) -> Result<Device, NtStatus> {
    let device = init.create(m, attributes)?;
    Queue::config(Dispatch::Parallel)
        .on_default(|m, _, request| {
            kept(m).request = Some(request);
            m.set_timer(Ticks::from_millis(10), timed_out, Context(0));
        })
        .create_default(m, device)?;
    Ok(device)
}

fn timed_out(m: &mut Machine, _: Context) {
    finish(m, STATUS_IO_TIMEOUT);
}

/// Completes the request. The wrong driver looks whether it is there, and takes note when it is done; the repaired one takes
/// it in one step.
fn finish(m: &mut Machine, status: NtStatus) {
    if is_repaired(m) {
        if let Some(request) = kept(m).request.take() {
            request.complete(m, status);
        }
        return;
    }
    if let Some(request) = kept(m).request {
        request.complete(m, status);
        kept(m).request = None;
    }
}

fn timeout_and_complete(race: &mut Race, twin: Twin) -> Result<(), Failure> {
    let (mut machine, Stage { file, .. }) = stage(twin, build_with_timeout);
    race.thread("the program", issue(file));
    race.thread("the device", |m| finish(m, STATUS_SUCCESS));
    race.run(&mut machine)?;
    verdict(machine)
}

#[test]
fn a_timer_and_an_answer_that_both_find_the_request_complete_it_twice() {
    approve!("race_timeout_complete", falls(timeout_and_complete));
}

#[test]
fn a_request_that_is_taken_in_one_step_is_completed_by_whoever_took_it() {
    survives(timeout_and_complete);
}

/// What the driver has for the file, besides the file object's own context.
struct Session(Option<Object>);

fn build_with_session(m: &mut Machine, init: DeviceInit, attributes: Attributes) -> Result<Device, NtStatus> {
    let files = FileConfig::new().on_close(|m, _, _| {
        if let Some(session) = m.extension_mut::<Session>().0.take() {
            session.delete(m);
        }
    });
    let device = init.file_objects(files).create(m, attributes)?;
    Queue::config(Dispatch::Parallel)
        .on_default(|m, _, request| kept(m).request = Some(request))
        .create_default(m, device)?;
    Ok(device)
}

struct Answers(u32);

/// The device answers, and the driver counts that in the file's session. The wrong one counts when the request is complete:
/// the file may be closed by then, and its session gone.
fn answer_and_count(m: &mut Machine) {
    let (Some(request), Some(session)) = (kept(m).request.take(), m.extension::<Session>().0) else { return };
    if is_repaired(m) {
        session.context::<Answers>(m).0 += 1;
        request.complete(m, STATUS_SUCCESS);
    } else {
        request.complete(m, STATUS_SUCCESS);
        session.context::<Answers>(m).0 += 1;
    }
}

fn close_and_complete(race: &mut Race, twin: Twin) -> Result<(), Failure> {
    let (mut machine, Stage { file, driver, .. }) = stage(twin, build_with_session);
    let session = machine.run(|m| create_object(m, driver, Attributes::none().context(Answers(0))))?;
    machine.add_extension(Session(session.ok()));
    race.thread("the program", issue(file));
    race.thread("the device", answer_and_count);
    race.thread("the program's other thread", move |m| _ = m.close_handle(file));
    race.leaves_requests();
    race.run(&mut machine)?;
    verdict(machine)
}

#[test]
fn what_belongs_to_a_file_may_be_gone_when_its_last_request_is_complete() {
    approve!("race_close_complete", falls(close_and_complete));
}

#[test]
fn what_belongs_to_a_file_is_there_while_one_of_its_requests_is_out() {
    survives(close_and_complete);
}
