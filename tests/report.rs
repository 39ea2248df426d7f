//! What `vbus report` writes down and draws.

mod common;

use common::READ_CARD;
use vbus::Setup;
use vbus::report::{self, Record};

/// The story's request on a bus of this many extra locations, recorded.
fn story(extra: i8) -> Record {
    let mut vbus = Setup::default().bus_extra_stack(extra).reader(7).build().unwrap();
    report::start(&mut vbus.machine, "the story");
    report::action(&mut vbus.machine, "a vendor IOCTL for reader 7");
    vbus.probe(7, READ_CARD).unwrap();
    report::finish(&mut vbus.machine)
}

#[test]
fn a_refused_request_is_recorded_with_its_owners_its_locations_and_where_it_ran_out() {
    approve!("report_record_refused", serde_json::to_string_pretty(&story(0)).unwrap());
}

#[test]
fn page() {
    std::fs::write("/tmp/h_refused.html", report::page(&story(0))).unwrap();
    std::fs::write("/tmp/h_ok.html", report::page(&story(3))).unwrap();
}
