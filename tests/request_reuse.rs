//! WdfRequestReuse, for each kind of request, and with what it may be given.

mod common;

use common::bench::*;
use vbus::iotarget::{Data, ReuseParams, SendOptions, SendRequest};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Irp, Machine, NtStatus};

fn reuse(bench: &mut Bench, request: Request, params: ReuseParams) -> Result<(), NtStatus> {
    bench.run(|m| request.reuse(m, params))
}

/// A request around an IRP that the driver made, at the location that its driver would have: it set the next one up.
fn around_own_irp(bench: &mut Bench, frees_irp: bool) -> (Request, Irp) {
    let driver = bench.driver;
    bench.run(|m| {
        let irp = m.allocate_irp(3).unwrap();
        (Request::create_from_irp(m, driver, irp, frees_irp, Attributes::none()).unwrap(), irp)
    })
}

#[test]
fn a_dispatched_request_takes_a_status_but_no_other_irp() {
    let mut bench = bench();
    let request = bench.dispatched(CODE, b"", 0);
    let irp = bench.run(|m| request.irp(m)).unwrap();
    bench.machine[irp].cancel = true;
    let status = STATUS_NOT_SUPPORTED;
    assert_eq!(reuse(&mut bench, request, ReuseParams { status, ..ReuseParams::default() }), Ok(()));
    assert_eq!((bench.status(request), bench.machine[irp].cancel), (status, false));
    let new = bench.run(|m| m.allocate_irp(3)).unwrap();
    let params = ReuseParams { new_irp: Some(new), ..ReuseParams::default() };
    assert_eq!(reuse(&mut bench, request, params), Err(STATUS_WDF_REQUEST_INVALID_STATE));
    assert_eq!(bench.run(|m| request.irp(m)), Some(irp));
}

#[test]
fn the_frameworks_own_irp_is_freed_when_the_driver_brings_one_and_the_drivers_own_is_not() {
    let mut bench = bench();
    for (frees_irp, exists) in [(true, false), (false, true)] {
        let (request, old) = around_own_irp(&mut bench, frees_irp);
        let new = bench.run(|m| m.allocate_irp(4)).unwrap();
        reuse(&mut bench, request, ReuseParams { new_irp: Some(new), ..ReuseParams::default() }).unwrap();
        assert_eq!(bench.run(|m| request.irp(m)), Some(new));
        assert_eq!(old.exists(&bench.machine), exists, "frees_irp: {frees_irp}");
        bench.run(|m| request.delete(m));
        assert!(new.exists(&bench.machine), "what reuse brings stays the driver's");
    }
}

#[test]
fn a_request_without_an_irp_is_reused_all_the_same() {
    let mut bench = bench();
    let driver = bench.driver;
    let request = bench.run(|m| Request::create(m, driver, Attributes::none()).unwrap());
    assert_eq!(reuse(&mut bench, request, ReuseParams::default()), Ok(()));
    let new = bench.run(|m| m.allocate_irp(2)).unwrap();
    reuse(&mut bench, request, ReuseParams { new_irp: Some(new), ..ReuseParams::default() }).unwrap();
    assert_eq!(bench.run(|m| request.irp(m)), Some(new));
}

#[test]
fn the_verifier_takes_a_reused_request_for_formatted_still() {
    let mut bench = verified();
    let (target, request) = (bench.target, bench.formatted());
    reuse(&mut bench, request, ReuseParams::default()).unwrap();
    assert!(bench.run(|m| request.send(m, target, SendOptions::none())), "an empty IRP goes out");
}

#[test]
fn reusing_a_request_that_is_out_is_an_error_that_is_done_all_the_same() {
    let mut bench = verified();
    bench.lower_is(Lower::HoldsDeaf);
    let (request, _) = bench.sent(SendOptions::none());
    bench.forget_log();
    assert_eq!(reuse(&mut bench, request, ReuseParams::default()), Ok(()));
    let names = [(request.object().handle(), "request")];
    assert_eq!(
        (bench.messages(&names), bench.breaks()),
        (
            vec![
                "Driver is trying to reuse WDFREQUEST <request> while it is still active on WDFIOTARGET <target>. "
                    .to_owned()
            ],
            1
        )
    );
    bench.run(|m| complete_held(m, STATUS_SUCCESS, 0));
    assert_eq!(bench.back(), [], "its completion routine is gone");
}

#[test]
fn only_an_irp_of_the_drivers_own_that_nobody_else_holds_is_reused_to_be_completed() {
    type Prepare = fn(&mut Bench) -> Request;
    let cases: [(&str, Prepare, NtStatus); 4] = [
        (
            "no IRP",
            |bench| {
                let driver = bench.driver;
                bench.run(|m| Request::create(m, driver, Attributes::none()).unwrap())
            },
            STATUS_INVALID_PARAMETER,
        ),
        ("an IRP of the framework's", |bench| bench.created(), STATUS_INVALID_DEVICE_REQUEST),
        (
            "somebody holds it",
            |bench| {
                let (request, irp) = around_own_irp(bench, false);
                bench.machine[irp].set_next_location();
                bench.run(|m| request.object().add_reference(m));
                request
            },
            STATUS_INVALID_DEVICE_REQUEST,
        ),
        ("no location of the driver's own", |bench| around_own_irp(bench, false).0, STATUS_INVALID_DEVICE_REQUEST),
    ];
    let mut table = String::new();
    for (what, prepare, status) in cases {
        let mut bench = verified();
        let request = prepare(&mut bench);
        bench.forget_log();
        let params = ReuseParams { must_complete: true, ..ReuseParams::default() };
        assert_eq!((reuse(&mut bench, request, params), bench.breaks()), (Err(status), 1), "{what}");
        table += &format!("{what}\n    {}\n", bench.log(&[(request.object().handle(), "request")]).join("\n    "));
    }
    approve!("refused_reuse_to_be_completed", table);
}

#[test]
fn a_request_that_was_reused_for_that_is_completed_by_its_driver_and_lives_on_without_its_irp() {
    fn owner(m: &mut Machine, _: Option<vbus::wdm::DeviceObject>, irp: Irp, _: vbus::wdm::Context) -> NtStatus {
        let status = m[irp].io_status.status;
        note(m, &format!("the owner of the IRP hears {status:?}"));
        STATUS_MORE_PROCESSING_REQUIRED
    }
    let mut bench = verified();
    let (request, irp) = around_own_irp(&mut bench, false);
    bench.machine[irp].set_completion_routine(owner, vbus::wdm::Context(0), vbus::wdm::Control::INVOKE_ALWAYS);
    bench.machine[irp].set_next_location();
    reuse(&mut bench, request, ReuseParams { must_complete: true, ..ReuseParams::default() }).unwrap();
    bench.run(|m| request.complete(m, STATUS_UNSUCCESSFUL));
    assert_eq!(bench.world().notes, ["the owner of the IRP hears 0xc0000001(STATUS_UNSUCCESSFUL)"]);
    assert!(request.object().exists(&bench.machine));
    // Its IRP is gone from it: the next use brings another one.
    bench.forget_log();
    assert_eq!((bench.run(|m| request.irp(m)), bench.breaks()), (None, 2));
}

#[test]
fn a_request_that_was_reused_for_that_may_wait_in_the_drivers_queues() {
    let mut bench = verified();
    let (device, (request, irp)) = (bench.device, around_own_irp(&mut bench, false));
    bench.machine[irp].set_next_location();
    let queue = bench.run(|m| Queue::config(Dispatch::Manual).power_managed(false).create(m, device)).unwrap();
    let refused = bench.run(|m| request.forward_to(m, queue));
    assert_eq!(refused, Err(STATUS_INVALID_DEVICE_REQUEST), "before, it may not");
    reuse(&mut bench, request, ReuseParams { must_complete: true, ..ReuseParams::default() }).unwrap();
    assert_eq!(bench.run(|m| request.forward_to(m, queue)), Ok(()));
    assert_eq!(bench.run(|m| queue.retrieve_next(m)), Ok(request));
}

#[test]
fn a_request_around_an_irp_lets_the_framework_replace_it_only_if_it_may_free_it() {
    let mut bench = Setup { stack: 5, ..Setup::default() }.open();
    let target = bench.target;
    for (frees_irp, formatted) in [(true, Ok(())), (false, Err(STATUS_REQUEST_NOT_ACCEPTED))] {
        let (request, irp) = around_own_irp(&mut bench, frees_irp);
        let result = bench.run(|m| target.format_internal_ioctl(m, request, CODE, Data::None, Data::None));
        assert_eq!((result, irp.exists(&bench.machine)), (formatted, !frees_irp), "frees_irp: {frees_irp}");
    }
}
