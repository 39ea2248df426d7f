//! What becomes of a target whose device is removed: the notifications, what the framework does with them, and what a
//! driver's callbacks put in its place.

mod common;

use common::bench::*;
use vbus::iotarget::{Data, OpenParams, SendOptions, SendRequest, TargetState};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Machine, NtStatus, OpenOptions, TargetEvent};

fn by_name() -> OpenParams {
    OpenParams::by_name("\\??\\LOWER", OpenOptions::OVERLAPPED)
}

/// A target that is open by name, with these callbacks.
fn opened(params: OpenParams) -> Bench {
    let mut bench = Setup::default().closed();
    let target = bench.target;
    bench.run(|m| target.open(m, params)).unwrap();
    bench.forget_log();
    bench
}

/// The PnP manager tells whoever is registered for the plain device.
fn notify(m: &mut Machine, event: TargetEvent) -> Result<(), NtStatus> {
    let device = m.extension::<World>().plain.unwrap();
    m.notify_target_device(device, event)
}

fn state(bench: &mut Bench) -> (TargetState, bool) {
    let target = bench.target;
    bench.run(|m| (target.state(m), target.is_registered(m)))
}

/// What the log says, with names for the target's file object.
fn log(bench: &mut Bench, file: u64) -> String {
    bench.log(&[(file, "file")]).join("\n")
}

fn file(bench: &mut Bench) -> u64 {
    let target = bench.target;
    let file = bench.run(|m| target.file_object(m)).unwrap().address();
    bench.forget_log();
    file
}

#[test]
fn by_default_a_query_closes_the_target_and_a_cancelled_removal_opens_it_again() {
    let mut bench = opened(by_name());
    let file = file(&mut bench);
    assert_eq!(bench.run(|m| notify(m, TargetEvent::QueryRemove)), Ok(()));
    assert_eq!(state(&mut bench), (TargetState::ClosedForQueryRemove, true), "it still hears of its device");
    assert_eq!(bench.run(|m| notify(m, TargetEvent::RemoveCancelled)), Ok(()));
    assert_eq!(state(&mut bench), (TargetState::Started, true));
    approve!("removal_that_is_cancelled", log(&mut bench, file));
}

#[test]
fn by_default_the_end_of_the_device_closes_the_target_and_its_registration_goes() {
    let mut bench = opened(by_name());
    let file = file(&mut bench);
    assert_eq!(bench.run(|m| notify(m, TargetEvent::QueryRemove)), Ok(()));
    assert_eq!(bench.run(|m| notify(m, TargetEvent::RemoveComplete)), Ok(()));
    assert_eq!(state(&mut bench), (TargetState::Closed, false));
    // Whoever is not registered hears nothing.
    bench.run(|m| notify(m, TargetEvent::QueryRemove)).unwrap();
    approve!("removal_that_completes", log(&mut bench, file));
}

#[test]
fn a_callback_replaces_what_the_framework_would_have_done() {
    fn keep(m: &mut Machine, _: vbus::iotarget::IoTarget) -> Result<(), NtStatus> {
        note(m, "query remove");
        Ok(())
    }
    let mut bench = opened(
        by_name()
            .on_query_remove(keep)
            .on_remove_canceled(|m, _| note(m, "remove canceled"))
            .on_remove_complete(|m, _| note(m, "remove complete")),
    );
    bench.run(|m| {
        notify(m, TargetEvent::QueryRemove).unwrap();
        notify(m, TargetEvent::RemoveCancelled).unwrap();
        notify(m, TargetEvent::RemoveComplete).unwrap();
    });
    assert_eq!(bench.world().notes, ["query remove", "remove canceled", "remove complete"]);
    assert_eq!(state(&mut bench), (TargetState::Started, true), "nobody closed it");
    assert_eq!(
        bench.messages(&[]),
        [
            "WDFIOTARGET <target>: query remove notification",
            "WDFIOTARGET <target>: remove canceled notification",
            "WDFIOTARGET <target>: remove complete notification",
        ]
    );
}

#[test]
fn a_driver_may_keep_its_device() {
    let mut bench = opened(by_name().on_query_remove(|_, _| Err(STATUS_DEVICE_BUSY)));
    assert_eq!(bench.run(|m| notify(m, TargetEvent::QueryRemove)), Err(STATUS_DEVICE_BUSY));
    assert_eq!(state(&mut bench), (TargetState::Started, true));
}

#[test]
fn a_reopen_keeps_the_callbacks_of_the_open_before() {
    let mut bench = opened(
        by_name()
            .on_query_remove(|m, target| {
                note(m, "query remove");
                target.close_for_query_remove(m);
                Ok(())
            })
            .on_remove_canceled(|m, target| {
                note(m, "remove canceled");
                target.open(m, OpenParams::reopen()).unwrap();
            }),
    );
    for _ in 0..2 {
        bench.run(|m| {
            notify(m, TargetEvent::QueryRemove).unwrap();
            notify(m, TargetEvent::RemoveCancelled).unwrap();
        });
    }
    assert_eq!(bench.world().notes, ["query remove", "remove canceled", "query remove", "remove canceled"]);
}

#[test]
fn an_open_without_callbacks_forgets_those_of_the_open_before() {
    let mut bench = opened(by_name().on_query_remove(|_, _| Err(STATUS_DEVICE_BUSY)));
    let target = bench.target;
    bench.run(|m| {
        target.close(m);
        target.open(m, by_name()).unwrap();
    });
    assert_eq!(bench.run(|m| notify(m, TargetEvent::QueryRemove)), Ok(()));
}

#[test]
fn a_query_waits_for_the_requests_that_are_out_and_lets_go_of_the_device_with_the_last() {
    let mut bench = opened(by_name());
    bench.lower_is(Lower::HoldsDeaf);
    let (request, _) = bench.sent(SendOptions::none());
    let file = file(&mut bench);
    bench.machine.extension_mut::<World>().when_blocked = Some(|m| complete_held(m, STATUS_SUCCESS, 0));
    bench.run(|m| notify(m, TargetEvent::QueryRemove)).unwrap();
    assert_eq!(bench.back(), [STATUS_SUCCESS]);
    let names = [(file, "file"), (request.object().handle(), "request"), (request.object().address(), "request")];
    approve!("removal_with_a_request_out", bench.log(&names).join("\n"));
}

#[test]
fn a_target_on_an_existing_device_hears_of_it_only_by_a_file_object() {
    let mut bench = Setup::default().closed();
    let (target, lower) = (bench.target, bench.lower);
    bench.run(|m| target.open(m, OpenParams::existing_device(lower))).unwrap();
    assert_eq!(state(&mut bench), (TargetState::Started, false));
    let other =
        bench.run(|m| m.open("\\??\\LOWER", OpenOptions::OVERLAPPED, vbus::wdm::RequestorMode::Kernel)).unwrap();
    bench.run(|m| {
        target.close(m);
        target
            .open(m, OpenParams::existing_device(lower).file_object(other).on_remove_complete(|m, _| note(m, "gone")))
            .unwrap();
        notify(m, TargetEvent::RemoveComplete).unwrap();
    });
    assert_eq!(bench.world().notes, ["gone"]);
}

#[test]
fn a_removal_that_is_cancelled_cannot_open_again_what_was_never_opened_by_name() {
    let mut bench = Setup::default().closed();
    let (target, lower) = (bench.target, bench.lower);
    let file = bench.run(|m| m.open("\\??\\LOWER", OpenOptions::OVERLAPPED, vbus::wdm::RequestorMode::Kernel)).unwrap();
    bench.run(|m| target.open(m, OpenParams::existing_device(lower).file_object(file))).unwrap();
    bench.run(|m| notify(m, TargetEvent::QueryRemove)).unwrap();
    // Nobody listens to what the default says.
    assert_eq!(bench.run(|m| notify(m, TargetEvent::RemoveCancelled)), Ok(()));
    assert_eq!(state(&mut bench).0, TargetState::ClosedForQueryRemove);
}

#[test]
fn a_request_that_is_sent_while_the_target_is_closed_for_the_query_is_refused() {
    let mut bench = opened(by_name());
    let (target, request) = (bench.target, bench.formatted());
    bench.run(|m| notify(m, TargetEvent::QueryRemove)).unwrap();
    assert!(!bench.run(|m| request.send(m, target, SendOptions::none())));
    assert_eq!(bench.status(request), STATUS_INVALID_DEVICE_STATE);
    let again = bench.run(|m| target.format_internal_ioctl(m, request, CODE, Data::None, Data::None));
    assert_eq!(again, Err(STATUS_INVALID_DEVICE_STATE));
}

#[test]
fn a_target_that_is_deleted_between_query_and_end_is_registered_no_more() {
    let mut bench = opened(by_name());
    let (target, file) = (bench.target, file(&mut bench));
    bench.run(|m| {
        notify(m, TargetEvent::QueryRemove).unwrap();
        target.delete(m);
    });
    approve!("removal_of_a_deleted_target", log(&mut bench, file));
}
