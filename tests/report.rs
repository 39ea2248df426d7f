//! What a report writes down, and what it draws of it.

mod common;

use std::path::Path;

use common::workbench::{self, Workbench};
use common::{READ_CARD, bench, exchange};
use vbus::bus::{BusConfig, IOCTL_VBUS_EXCHANGE, ReaderId, Sender, Service};
use vbus::iotarget::{MemoryDescriptor, SendOptions, SentIo};
use vbus::reader::ReaderConfig;
use vbus::report::record::{Event, Kind, Owner, Request};
use vbus::report::{self, Record};
use vbus::run::Outcome;
use vbus::wdf::{Dispatch, Queue};
use vbus::wdm::constants::*;
use vbus::wdm::{DeviceObject, Irp, Machine, Major, OpenOptions, Span, Ticks};
use vbus::{Scenario, Setup};

/// The story's request on a bus of this many extra locations.
fn story(extra: i8) -> Record {
    recorded(&Setup::default().bus_extra_stack(extra).reader(7))
}

/// The same counted from its beginning, whatever the drivers logged before.
fn from_its_beginning(mut record: Record) -> Record {
    let began = record.log.iter().filter(|line| line.earlier).map(|line| line.moment).max().unwrap_or(0);
    record.log.retain(|line| !line.earlier);
    let steps = record.requests.iter_mut().flat_map(|request| &mut request.steps);
    steps.for_each(|step| step.moment -= began);
    record
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

/// A scenario of the project, recorded.
fn scenario(name: &str) -> (Outcome, Record) {
    let path = format!("scenarios/{name}.toml");
    Scenario::load(Path::new(&path)).unwrap().record().unwrap()
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
    let record = from_its_beginning(story(0));
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
    let drawing = drawings(&from_its_beginning(story(0)), "travel");
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

/// What happened to the only control request, from its second step on: the first is that it is there.
fn events(record: &Record) -> Vec<(Owner, Event)> {
    let request = io(record)[0];
    request.steps.iter().skip(1).map(|step| (step.owner, step.event.clone())).collect()
}

#[test]
fn a_request_that_waits_in_a_manual_queue_belongs_to_the_queue_until_it_is_taken_out() {
    let mut bench = Workbench::building(|m, init, attributes| {
        let device = init.create(m, attributes)?;
        Queue::config(Dispatch::Manual).create_default(m, device)?;
        Ok(device)
    });
    report::start(&mut bench.machine, "a manual queue");
    bench.run(|m, _, device| {
        workbench::send(m, device);
        let queue = device.default_queue(m).unwrap();
        queue.retrieve_next(m).unwrap();
    });
    let queue = "default queue".to_owned();
    let expected = [
        (Owner::Framework, Event::Called),
        (Owner::Queue, Event::Queued { queue: queue.clone() }),
        (Owner::Driver, Event::Presented { queue: Some(queue) }),
    ];
    assert_eq!(events(&report::finish(&mut bench.machine)), expected);
}

#[test]
fn a_request_that_waits_at_a_stopped_target_belongs_to_the_target() {
    let mut bench = bench::bench();
    report::start(&mut bench.machine, "a stopped target");
    let target = bench.target;
    bench.run(|m| target.stop(m, SentIo::LeavePending));
    assert!(bench.sent(SendOptions::none()).1);
    bench.run(|m| target.start(m)).unwrap();
    let expected = [
        (Owner::Driver, Event::Formatted { target: 0, refused: None }),
        (Owner::Driver, Event::Formatted { target: 0, refused: None }),
        (Owner::Target, Event::Pended { target: 0 }),
        (Owner::Target, Event::Sent { target: 0 }),
        (Owner::Driver, Event::Called),
        (Owner::System, Event::Completed),
        (Owner::Framework, Event::Routine),
        (Owner::Driver, Event::Returned { target: 0 }),
    ];
    assert_eq!(events(&report::finish(&mut bench.machine)), expected);
}

#[test]
fn a_request_that_a_purged_target_refuses_stays_with_its_driver() {
    let mut bench = bench::bench();
    report::start(&mut bench.machine, "a purged target");
    let target = bench.target;
    bench.run(|m| target.purge(m, true));
    assert!(!bench.sent(SendOptions::none()).1);
    let (owner, event) = events(&report::finish(&mut bench.machine)).pop().unwrap();
    let refused = "STATUS_INVALID_DEVICE_STATE".to_owned();
    assert_eq!((owner, event), (Owner::Driver, Event::NotSent { target: 0, refused }));
}

/// The record of a bus whose driver makes these calls, of one request to reader 7.
fn calls(calls: &str, extra: i8) -> Record {
    let text = format!(
        "[[bus]]\nname = \"vbus\"\nextra_stack = {extra}\ndriver = {{ forward = [{calls}] }}\n[[bus.reader]]\nid = 7\n\
         [[step]]\nforward = {{ reader = 7 }}\nexpect.any_status = true\n"
    );
    Scenario::parse("calls.toml", text).unwrap().record().unwrap().1
}

/// The steps of the program's request at which its driver has it.
fn drivers_steps(record: &Record) -> Vec<&Event> {
    let steps = io(record)[0].steps.iter().filter(|step| step.owner == Owner::Driver);
    steps.map(|step| &step.event).collect()
}

#[test]
fn a_format_call_that_refuses_its_memories_is_a_step_of_its_own_and_no_lack_of_locations() {
    let record = calls("\"format-beyond-memory\"", 0);
    let refused = "STATUS_INTEGER_OVERFLOW".to_owned();
    assert_eq!(drivers_steps(&record)[1..], [&Event::NotFormatted { target: 0, refused }]);
    assert_eq!(io(&record)[0].shortfall, None, "it has too few as well, but nobody looked");
    let page = report::page(&record);
    assert!(page.contains("refused what it was given with STATUS_INTEGER_OVERFLOW: the IRP was not looked at"));
    assert!(page.contains("format ✗"));
    // The line that the call wrote belongs to the step before, as that of every refusal does.
    let line = record.log.iter().find(|line| line.message.starts_with("Invalid input memory offsets")).unwrap();
    assert!(line.step.is_some());
}

#[test]
fn a_call_that_sends_and_waits_and_refuses_what_it_was_given_is_a_step() {
    let mut bench = bench::bench();
    report::start(&mut bench.machine, "a NULL buffer");
    let (request, target) = (bench.created(), bench.target);
    bench.run(|m| {
        let nothing = MemoryDescriptor::Buffer(Span::null(4));
        let none = MemoryDescriptor::None;
        target.send_internal_ioctl_synchronously(m, Some(request), bench::CODE, nothing, none, SendOptions::none())
    });
    let (_, event) = events(&report::finish(&mut bench.machine)).pop().unwrap();
    assert_eq!(event, Event::NotFormatted { target: 0, refused: "STATUS_INVALID_PARAMETER".to_owned() });
}

#[test]
fn a_location_that_is_copied_is_a_step_and_one_that_has_no_next_is_where_it_ran_out() {
    let record = calls("\"format-current-type\", \"complete\"", 0);
    assert_eq!(drivers_steps(&record)[1..], [&Event::Copied { fits: true }]);
    let text = "[[bus]]\nname = \"vbus\"\ndriver = { child = [\"format-current-type\"] }\n[[bus.reader]]\nid = 7\n\
                function = \"pass-down\"\n[[step]]\nopen = { as = \"h\", reader = 7 }\n[[step]]\n\
                ioctl = { handle = \"h\", code = 0x222004 }\nexpect.bug_check = { code = 0x10D, parameters = [6, 1] }\n";
    let (outcome, record) = Scenario::parse("child.toml", text).unwrap().record().unwrap();
    assert!(outcome.as_expected());
    let request = io(&record)[0];
    assert_eq!(request.steps.last().unwrap().event, Event::Copied { fits: false });
    let short = request.shortfall.unwrap();
    assert_eq!((short.step, short.left, short.needed), (request.steps.len() - 1, 0, 1));
    let page = report::page(&record);
    assert!(page.contains("needs 1, has 0: 1 missing") && page.contains("no stack location left that the driver"));
}

#[test]
fn a_send_that_is_refused_before_its_target_is_asked_is_a_step() {
    let record = calls("\"format\", \"send\"", 3);
    let refused = "STATUS_INVALID_DEVICE_REQUEST".to_owned();
    assert_eq!(drivers_steps(&record)[2..], [&Event::NotSent { target: 0, refused }]);
}

#[test]
fn a_request_that_a_driver_keeps_on_its_way_up_is_not_completed() {
    let (outcome, record) = scenario("unplugged-in-flight");
    assert!(outcome.as_expected());
    let lost = io(&record)[0];
    assert!(matches!(lost.steps.last().unwrap().event, Event::Returned { .. }));
    assert_eq!((lost.status.as_deref(), record.stop.is_some()), (None, true));
    assert!(report::summary(&record).starts_with("2 requests were sent: 1 succeeded, 1 never completed. The machine"));
}

#[test]
fn a_target_that_is_opened_anew_is_drawn_as_it_was_and_as_it_is() {
    let (_, record) = scenario("filter-attached-late");
    assert_eq!(record.topologies.len(), 2);
    let drawings = drawings(&record, "stacks");
    let (before, after) = drawings.split_once("</svg>").unwrap();
    assert!(before.contains("target needs 4") && !before.contains("target needs 5"));
    assert!(after.contains("target needs 5") && !after.contains("target needs 4"));
    assert!(report::page(&record).contains("after “a filter attaches to the reader&#39;s stack”"));
}

#[test]
fn every_scenario_of_the_project_can_be_drawn_and_plays_as_it_does_unrecorded() {
    for file in std::fs::read_dir("scenarios").unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let scenario = Scenario::load(&path).unwrap();
        let (outcome, record) = scenario.record().unwrap();
        assert_eq!(outcome, scenario.run().unwrap(), "{}", path.display());
        let page = report::page(&record);
        assert!(page.len() < 1_000_000, "{}: {}", path.display(), page.len());
        assert_eq!(record.actions.iter().filter(|action| action.as_expected == Some(false)).count(), 0);
    }
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
