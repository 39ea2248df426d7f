//! The states of a remote target: where each call leads from each of them.

mod common;

use std::fmt::Write;

use common::bench::*;
use vbus::iotarget::{Data, IoTarget, SentIo};
use vbus::wdf::{Attributes, Request};
use vbus::wdm::constants::*;
use vbus::wdm::{Machine, NtStatus};

type Step = fn(&mut Machine, IoTarget) -> NtStatus;

fn start(m: &mut Machine, target: IoTarget) -> NtStatus {
    target.start(m).into()
}

fn stop(m: &mut Machine, target: IoTarget) -> NtStatus {
    target.stop(m, SentIo::LeavePending);
    STATUS_SUCCESS
}

fn purge(m: &mut Machine, target: IoTarget) -> NtStatus {
    target.purge(m, false);
    STATUS_SUCCESS
}

fn close(m: &mut Machine, target: IoTarget) -> NtStatus {
    target.close(m);
    STATUS_SUCCESS
}

fn close_for_query_remove(m: &mut Machine, target: IoTarget) -> NtStatus {
    target.close_for_query_remove(m);
    STATUS_SUCCESS
}

fn open(m: &mut Machine, target: IoTarget) -> NtStatus {
    let lower = m.extension::<World>().plain.unwrap();
    target.open_existing_device(m, lower).into()
}

const CALLS: [(&str, Step); 6] = [
    ("Start", start),
    ("Stop", stop),
    ("Purge", purge),
    ("Close", close),
    ("CloseForQueryRemove", close_for_query_remove),
    ("Open", open),
];

#[test]
fn every_call_leads_from_every_state_where_the_framework_goes() {
    let states: [(&str, &[Step]); 6] = [
        ("started", &[open]),
        ("stopped", &[open, stop]),
        ("purged", &[open, purge]),
        ("closed for query remove", &[open, close_for_query_remove]),
        ("closed", &[open, close]),
        ("never opened", &[]),
    ];
    let mut table = String::new();
    for (state, steps) in states {
        writeln!(table, "{state}").unwrap();
        for (name, call) in CALLS {
            let mut bench = Setup::default().closed();
            let target = bench.target;
            let (returned, after) = bench.run(|m| {
                for step in steps {
                    assert_eq!(step(m, target), STATUS_SUCCESS);
                }
                (call(m, target), target.state(m))
            });
            let refused = if returned.is_success() { "" } else { returned.name().unwrap_or("?") };
            writeln!(
                table,
                "{}",
                format!("  {name:<20} {after:<28} {refused}", after = format!("{after:?}")).trim_end()
            )
            .unwrap();
        }
    }
    approve!("target_matrix", table);
}

#[test]
fn a_target_that_is_started_without_being_open_validates_no_request() {
    let unopened: [(&str, &[Step]); 3] = [
        ("closed and started", &[open, close, start]),
        ("closed for query remove and started", &[open, close_for_query_remove, start]),
        ("never opened", &[]),
    ];
    for (what, steps) in unopened {
        let mut bench = Setup::default().closed();
        let (driver, target) = (bench.driver, bench.target);
        let formatted = bench.run(|m| {
            steps.iter().for_each(|step| _ = step(m, target));
            let request = Request::create(m, driver, Attributes::none()).unwrap();
            target.format_internal_ioctl(m, request, CODE, Data::None, Data::None)
        });
        assert_eq!(formatted, Err(STATUS_INVALID_DEVICE_STATE), "{what}");
    }
}
