//! What `check` computes without running is what happens when it runs.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use vbus::Scenario;
use vbus::budget::{Edge, RequestKind, edges};
use vbus::run::Outcome;
use vbus::scenario::bus::{Bus, Format, ForwardToParent, Preprocess, SentRequest, Target};
use vbus::scenario::driver::{Call, DriverCode};
use vbus::scenario::filter::{Filter, FilterTable, Passes};
use vbus::scenario::framework::Framework;
use vbus::scenario::reader::{Function, Reader};
use vbus::scenario::{program::ForwardParameters, step::Step};
use vbus::wdm::constants::*;

/// A file's worth of values, as a scenario is easiest put together.
fn parse(text: String) -> Scenario {
    Scenario::parse("random.toml", text).unwrap()
}

/// Filters of either kind.
fn filters(prefix: &'static str) -> impl Strategy<Value = Vec<Filter>> {
    let one = any::<bool>().prop_map(|skips| if skips { Passes::Skip } else { Passes::Copy });
    prop::collection::vec(one, 0..4).prop_map(move |passes| {
        let filter = |(at, passes)| Filter::Table(FilterTable { name: format!("{prefix}{at}"), passes });
        passes.into_iter().enumerate().map(filter).collect()
    })
}

/// A bus with one reader, of any kind that forwards.
fn bus() -> impl Strategy<Value = Bus> {
    let stack = (0..8i8, filters("upper"), filters("lower"));
    let options = (
        prop_oneof![Just(None), Just(Some(Preprocess::Skip)), Just(Some(Preprocess::Copy))],
        any::<bool>(),
        prop_oneof![Just(SentRequest::Original), Just(SentRequest::DriverCreated)],
        prop_oneof![Just(Target::ExistingDevice), Just(Target::ByName)],
        prop_oneof![Just(Format::InternalIoctl), Just(Format::Ioctl)],
        0..4_usize,
        prop_oneof![Just(None), Just(Some(ForwardToParent::Allowed))],
    );
    let function = prop_oneof![Just(Function::Reader), Just(Function::PassDown)];
    let reader = (0..4i8, filters("class"), filters("under"), function);
    (stack, options, reader).prop_map(|(stack, options, reader)| {
        let mut bus = Bus { reader: vec![Reader::new(7)], ..Bus::new("vbus") };
        (bus.extra_stack, bus.upper_filters, bus.lower_filters) = stack;
        let calls;
        (bus.preprocess, bus.remove_lock, bus.sender, bus.target, bus.format, calls, bus.forward_to_parent) = options;
        // A driver that is told what to do sends its request to a target that is open.
        let create = [Call::CreateRequest, Call::CreateRequestWithoutTarget];
        if let (1.., Target::ExistingDevice) = (calls, bus.target) {
            let created = calls.checked_sub(2).and_then(|which| create.get(which)).copied();
            let calls = created.into_iter().chain([Call::Format, Call::SetCompletionRoutine, Call::Send]);
            let on_completion = vec![Call::DeleteRequest, Call::Complete];
            bus.driver = Some(DriverCode { on_completion, ..DriverCode::new(calls) });
        }
        let one = &mut bus.reader[0];
        (one.extra_stack, one.upper_filters, one.lower_filters, one.function) = reader;
        bus
    })
}

/// Forwards one request.
fn run(bus: Bus) -> Outcome {
    let step = Step { forward: Some(ForwardParameters::new(7)), ..Step::default() };
    let framework = Framework { verbose: false, log_pages: 1, ..Framework::default() };
    Scenario { framework, bus: vec![bus], step: vec![step], ..Scenario::default() }.run().unwrap()
}

fn edge(bus: &Bus) -> Edge {
    edges(&Scenario { bus: vec![bus.clone()], ..Scenario::default() }).remove(0)
}

/// Whether the format call refused the request, and nothing else did.
fn refused(outcome: &Outcome) -> bool {
    let step = &outcome.steps[0];
    let by_validation = step.log.iter().any(|line| line.message.starts_with("Cannot reallocate PIRP"));
    let by_status = step.status.is_some_and(|status| status.0 == STATUS_REQUEST_NOT_ACCEPTED);
    assert_eq!(by_validation, by_status, "{step:?}");
    by_status
}

/// The same topologies every time, unless PROPTEST_CASES says how many others.
fn cases() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => config,
        None => ProptestConfig { cases: 2000, rng_seed: RngSeed::Fixed(1), ..config },
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn check_says_too_small_exactly_where_the_format_call_does_and_its_fix_is_the_smallest(bus in bus()) {
        let edge = edge(&bus);
        let outcome = run(bus.clone());
        prop_assert!(outcome.stop.is_none(), "{:?}", outcome.stop);
        prop_assert_eq!(edge.fits, !refused(&outcome), "{:?}", edge);
        prop_assert_eq!(i32::from(outcome.stacks[0].devices[0].stack_size), edge.irp_stack_count);
        let needs = outcome.stacks_after[1].target_stack_size.map(i32::from);
        prop_assert_eq!(needs, Some(edge.need));
        if edge.fits {
            return Ok(());
        }
        let with = |stack_size: i32| {
            let extra_stack = bus.extra_stack + i8::try_from(stack_size - edge.bus_stack_size).unwrap();
            refused(&run(Bus { extra_stack, ..bus.clone() }))
        };
        match edge.minimum {
            Some(minimum) => {
                prop_assert!(!with(minimum), "the fix works");
                prop_assert!(with(minimum - 1), "one less does not");
            }
            None => prop_assert!(with(edge.bus_stack_size + 20), "the reader's stack grows with the bus's"),
        }
    }
}

#[test]
fn a_reader_that_no_request_is_formatted_for_has_no_edge() {
    let text = "[[bus]]\nname = \"vbus\"\ndriver = { forward = [\"complete\"] }\n[[bus.reader]]\nid = 7\n";
    assert_eq!(edges(&parse(text.to_owned())), []);
}

#[test]
fn every_reader_of_every_bus_has_an_edge_of_its_own() {
    let buses = "[[bus]]\nname = \"a\"\nreader = [{ id = 1 }, { id = 2, upper_filters = [] }]\n\n[[bus]]\nname = \"b\"\nextra_stack = 3\nreader = [{ id = 1 }]\n";
    let found = edges(&parse(buses.to_owned()));
    let short: Vec<_> = found.iter().map(|edge| (edge.bus.as_str(), edge.reader, edge.minimum, edge.fits)).collect();
    assert_eq!(short, [("a", 1, Some(5), false), ("a", 2, Some(4), false), ("b", 1, Some(5), true)]);
}

/// A bus that forwards what is read from it and written to it.
fn transfers(options: &str, extra_stack: i8) -> Scenario {
    parse(format!(
        "[[bus]]\nname = \"vbus\"\nextra_stack = {extra_stack}\n{options}\n\
         [bus.driver]\nread = [\"format\", \"set-completion-routine\", \"send\"]\n\
         write = [\"format\", \"set-completion-routine\", \"send\"]\n\
         [[bus.reader]]\nid = 7\n\
         [[step]]\nopen = {{ as = \"device\" }}\n\
         [[step]]\nread = {{ handle = \"device\", length = 4, offset = 7 }}\n\
         [[step]]\nwrite = {{ handle = \"device\", data = \"01\", offset = 7 }}\n"
    ))
}

#[test]
fn reads_and_writes_have_edges_of_their_own_that_no_preprocess_callback_takes_a_location_from() {
    let mut both = 0;
    for options in ["", "preprocess = \"copy\"", "preprocess = \"skip\"", "remove_lock = true"] {
        for extra_stack in 0..5 {
            let scenario = transfers(options, extra_stack);
            let found = edges(&scenario);
            let kinds: Vec<_> = found.iter().map(|edge| edge.request).collect();
            assert_eq!(kinds, [RequestKind::Control, RequestKind::Read, RequestKind::Write]);
            let outcome = scenario.run().unwrap();
            for (edge, step) in found[1..].iter().zip(&outcome.steps[1..]) {
                let refused = step.log.iter().any(|line| line.message.starts_with("Cannot reallocate PIRP"));
                assert_eq!(edge.fits, !refused, "{options}, {extra_stack}: {edge:?}");
            }
            both += usize::from(found[1].fits != found[0].fits);
        }
    }
    assert_eq!(both, 1, "where the callback copies, there is a size that does for reads and not for controls");
}
