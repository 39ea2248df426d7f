//! What a report writes down, and what it draws of it.

mod common;

use common::{READ_CARD, exchange};
use vbus::Setup;
use vbus::bus::{BusConfig, IOCTL_VBUS_EXCHANGE, ReaderId, Sender, Service};
use vbus::reader::ReaderConfig;
use vbus::report::record::{Event, Kind, Owner, Request};
use vbus::report::{self, Record};
use vbus::wdm::constants::*;
use vbus::wdm::{DeviceObject, Irp, Machine, Major, OpenOptions, Ticks};

/// The story's request on a bus of this many extra locations.
fn story(extra: i8) -> Record {
    recorded(&Setup::default().bus_extra_stack(extra).reader(7))
}

/// The story's request on what was set up, recorded.
fn recorded(setup: &Setup) -> Record {
    let mut vbus = setup.build().unwrap();
    report::start(&mut vbus.machine, "The story");
    report::action(&mut vbus.machine, "a vendor IOCTL for reader 7");
    let (result, _) = exchange(&mut vbus, 7, READ_CARD);
    report::outcome(&mut vbus.machine, result.status.to_string(), None);
    report::finish(&mut vbus.machine)
}

/// Three readers that take 3 ms, behind a bus that sends requests of its own: one answers, one is cancelled, one is
/// pulled out.
fn busy() -> Record {
    let reader = ReaderConfig { response_time: Ticks::from_millis(3), ..ReaderConfig::default() };
    let bus = BusConfig { sender: Sender::DriverCreated, ..BusConfig::default() };
    let setup = (7..10).fold(Setup::default().bus(bus).reader_config(reader), Setup::reader);
    let mut vbus = setup.build().unwrap();
    let m = &mut vbus.machine;
    report::start(m, "Three readers");
    let service = Service::open_with(m, 0, OpenOptions::OVERLAPPED).unwrap();
    let out = [7, 8, 9].map(|reader| {
        report::action(m, format!("a request for reader {reader}"));
        service.start(m, ReaderId(reader), IOCTL_VBUS_EXCHANGE, READ_CARD, &[0; 64]).unwrap().unwrap()
    });
    report::action(m, "1 ms passes");
    m.advance(Ticks::from_millis(1)).unwrap();
    report::action(m, "the request for reader 8 is cancelled");
    assert!(m.cancel_io(out[1]).unwrap());
    report::action(m, "reader 9 is pulled out");
    let other = Service::open(m, 0).unwrap();
    assert_eq!(other.unplug(m, ReaderId(9)).unwrap(), STATUS_SUCCESS);
    report::action(m, "5 ms pass");
    m.advance(Ticks::from_millis(5)).unwrap();
    report::finish(m)
}

fn io(record: &Record) -> Vec<&Request> {
    record.requests.iter().filter(|request| request.kind == Kind::Io).collect()
}

/// A request's steps in a table.
fn table(record: &Record, request: &Request) -> String {
    let name = |device: Option<usize>| match device {
        Some(device) => format!("{} {:?}", record.devices[device].driver, record.devices[device].role),
        None => "-".to_owned(),
    };
    let mut table = format!("{} {} {:?} {:?}\n", request.label, request.name, request.status, request.shortfall);
    for step in &request.steps {
        let owners: Vec<String> = step.locations.iter().rev().map(|&device| name(device)).collect();
        let event = format!("{:?}", step.event);
        let owner = format!("{:?} of {}", step.owner, name(step.device));
        table += &format!(
            "{:>4} {:>6}  CL {:>2}  {owner:<28} {event:<94} [{}]\n",
            step.order,
            step.time,
            step.location,
            owners.join(", ")
        );
    }
    table
}

fn tables(record: &Record) -> String {
    io(record).into_iter().map(|request| table(record, request)).collect::<Vec<_>>().join("\n")
}

/// The drawings of a class in the record's page, an element a line.
fn drawings(record: &Record, class: &str) -> String {
    let page = report::page(record);
    let start = format!("<svg class=\"{class}\"");
    let starts = page.match_indices(&start).map(|found| found.0);
    let drawings = starts.map(|at| page[at..].split_inclusive("</svg>").next().unwrap().replace("><", ">\n<"));
    drawings.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_refused_request_is_recorded_with_its_owners_its_locations_and_where_it_ran_out() {
    let record = story(0);
    let request = serde_json::to_string_pretty(io(&record)[0]).unwrap();
    approve!("report_refused_json", request);
}

#[test]
fn a_forwarded_request_passes_from_owner_to_owner_and_back() {
    approve!("report_forwarded", tables(&story(3)));
}

#[test]
fn requests_that_a_driver_makes_are_requests_of_their_own_and_all_share_one_order() {
    approve!("report_busy", tables(&busy()));
}

#[test]
fn the_drawing_of_a_refused_request_counts_what_is_there_and_what_is_missing() {
    let drawing = drawings(&story(0), "travel");
    approve!("report_refused_svg", drawing.split_inclusive("</svg>").next().unwrap());
}

#[test]
fn the_stacks_are_drawn_with_their_stack_sizes_and_the_target_between_them() {
    approve!("report_stacks_svg", drawings(&story(0), "stacks"));
}

#[test]
fn every_step_of_every_request_is_numbered_once_and_in_order() {
    let record = busy();
    let mut orders: Vec<usize> = record.requests.iter().flat_map(|it| &it.steps).map(|step| step.order).collect();
    assert!(record.requests.iter().all(|it| it.steps.is_sorted_by_key(|step| (step.order, step.time, step.moment))));
    orders.sort_unstable();
    assert!(orders.iter().copied().eq(0..orders.len()), "{orders:?}");
}

#[test]
fn every_line_of_the_recording_leads_to_a_step_that_came_before_it() {
    for record in [story(0), story(3), busy()] {
        for line in record.log.iter().filter(|line| !line.earlier) {
            let step = &record.requests[line.request.unwrap()].steps[line.step.unwrap()];
            assert!(step.moment < line.moment, "{line:?}\n{step:?}");
        }
        assert!(record.log.is_sorted_by_key(|line| line.moment));
    }
}

#[test]
fn lines_go_to_the_request_that_they_name() {
    let record = story(0);
    let refusal = record.log.iter().find(|line| line.message.starts_with("Cannot reallocate")).unwrap();
    let request = &record.requests[refusal.request.unwrap()];
    assert_eq!((request.label.as_str(), request.kind), ("1", Kind::Io));
    // It is written on the way to the decision.
    assert!(matches!(request.steps[refusal.step.unwrap() + 1].event, Event::Formatted { refused: Some(_), .. }));
}

#[test]
fn what_a_rings_end_would_not_hold_any_more_is_recorded_and_marked() {
    let mut vbus = Setup::default().bus_extra_stack(3).reader(7).build().unwrap();
    report::start(&mut vbus.machine, "many");
    for _ in 0..20 {
        exchange(&mut vbus, 7, READ_CARD);
    }
    let record = report::finish(&mut vbus.machine);
    let of_bus: Vec<_> = record.log.iter().filter(|line| line.driver == "vbus" && !line.earlier).collect();
    assert!(of_bus.windows(2).all(|pair| pair[0].sequence + 1 == pair[1].sequence), "nothing is missing");
    let held = vbus.bus_driver.log(&vbus.machine);
    let kept = of_bus.iter().filter(|line| !line.overwritten).count();
    assert_eq!(kept, held.len());
    assert!(kept < of_bus.len());
}

#[test]
fn bug_check_0x35_marks_the_request_that_had_no_location_left() {
    fn pass(m: &mut Machine, device: DeviceObject, irp: Irp) -> vbus::wdm::NtStatus {
        m[irp].copy_current_to_next();
        let lower = device.lower_device(m).unwrap();
        // A driver that attached by hand, and forgot what that does to StackSize.
        irp.call_driver(m, lower)
    }
    let mut vbus = Setup::default().bus_extra_stack(3).reader(7).build().unwrap();
    let m = &mut vbus.machine;
    let fdo = vbus.buses[0].pdo(m).unwrap().stack(m)[0];
    let driver = m.create_driver("handmade");
    driver.set_major(m, Major::DeviceControl, pass);
    let device = m.create_device(driver);
    device.attach_to_stack(m, fdo).unwrap();
    m[device].initializing = false;
    m[device].stack_size = 1;
    report::start(m, "too small by hand");
    let stopped = m.run(|m| {
        let irp = m.allocate_irp(1).unwrap();
        m[irp].next_mut().major = Major::DeviceControl;
        irp.call_driver(m, device);
    });
    assert!(stopped.is_err());
    let record = report::finish(m);
    let request = io(&record)[0];
    assert_eq!(request.steps.last().unwrap().event, Event::Called);
    assert_eq!(request.shortfall.map(|short| (short.step, short.left, short.needed)), Some((1, 0, 1)));
    assert!(record.stop.as_ref().unwrap().contains("0x35"), "{:?}", record.stop);
    assert!(report::page(&record).contains("needs 1, has 0: 1 missing"));
}

#[test]
fn a_request_that_waits_at_a_stopped_target_belongs_to_the_target() {
    let record = busy();
    let owners: Vec<Owner> = io(&record)[1].steps.iter().map(|step| step.owner).collect();
    assert!(owners.contains(&Owner::Target));
    // The program's request stays with the bus's driver meanwhile.
    assert!(!io(&record)[0].steps.iter().any(|step| step.owner == Owner::Target));
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    assert_eq!(report::page(&busy()), report::page(&busy()));
    assert_eq!(serde_json::to_string(&busy()).unwrap(), serde_json::to_string(&busy()).unwrap());
}

#[test]
fn a_page_stays_below_a_megabyte_and_says_what_it_leaves_out() {
    let mut vbus = Setup::default().bus_extra_stack(3).reader(7).build().unwrap();
    report::start(&mut vbus.machine, "very many");
    for at in 0..600 {
        report::action(&mut vbus.machine, format!("request number {at}"));
        exchange(&mut vbus, 7, READ_CARD);
    }
    let page = report::page(&report::finish(&mut vbus.machine));
    assert!(page.len() < 1_000_000, "{}", page.len());
    for left_out in ["requests are left out", "log lines are left out"] {
        assert!(page.contains(left_out), "{left_out}");
    }
}

#[test]
fn a_recorded_request_does_what_an_unwatched_one_does() {
    let mut unwatched = Setup::default().bus_extra_stack(3).reader(7).build().unwrap();
    let expected = exchange(&mut unwatched, 7, READ_CARD);
    let mut watched = Setup::default().bus_extra_stack(3).reader(7).build().unwrap();
    report::start(&mut watched.machine, "watched");
    assert_eq!(exchange(&mut watched, 7, READ_CARD), expected);
    assert_eq!(watched.bus_driver.log(&watched.machine), unwatched.bus_driver.log(&unwatched.machine));
}
