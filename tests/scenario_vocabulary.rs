//! The words of scenarios that no scenario of the repository needs, each in a small one: what they do is what it expects.

mod common;

use vbus::Scenario;
use vbus::run::Outcome;

/// Plays a scenario with a bus and reader 7, which comes out as it expects.
#[track_caller]
fn played(bus: &str, steps: &str) -> Outcome {
    let text = format!("[[bus]]\nname = \"vbus\"\n{bus}\n[[bus.reader]]\nid = 7\n{steps}");
    whole(&text)
}

#[track_caller]
fn whole(text: &str) -> Outcome {
    let scenario = Scenario::parse("words.toml", text).unwrap_or_else(|error| panic!("{error}"));
    let outcome = scenario.run().unwrap();
    let failures: Vec<_> = outcome.steps.iter().flat_map(|step| &step.failures).collect();
    assert!(outcome.as_expected(), "{failures:#?}\n{:#?}", outcome.log().map(ToString::to_string).collect::<Vec<_>>());
    outcome
}

#[test]
fn what_is_written_is_what_is_read() {
    for io_type in ["buffered", "direct"] {
        let bus = format!(
            "io_type = \"{io_type}\"\n[bus.driver]\nwrite = [\"keep-input\", \"complete\"]\nread = [\"give-output\", \"complete\"]\n"
        );
        played(
            &bus,
            r#"
            [[step]]
            open = { as = "h" }
            [[step]]
            write = { handle = "h", data = "01 02 03" }
            expect = { information = 3, log = ["IRP_MJ_WRITE", "Calling driver EvtIoWrite"] }
            [[step]]
            read = { handle = "h", length = 2 }
            expect = { output = "01 02", information = 2, log = ["IRP_MJ_READ", "Calling driver EvtIoRead"] }
            [[step]]
            read = { handle = "h", length = 8 }
            expect.output = "01 02 03"
            "#,
        );
    }
}

#[test]
fn a_pointer_of_neither_io_is_not_followed() {
    played(
        "io_type = \"neither\"\ndriver = { write = [\"keep-input\", \"complete\"] }\n",
        r#"
        [[step]]
        open = { as = "h" }
        [[step]]
        write = { handle = "h", data = "01 02 03" }
        expect.undefined = "a NULL pointer is not followed"
        "#,
    );
}

#[test]
fn only_direct_io_has_an_mdl_of_the_programs_own_buffer_but_the_framework_makes_one_of_the_systems() {
    for io_type in ["buffered", "direct"] {
        let code = "read = [\"retrieve-output-mdl\", \"complete\"], write = [\"retrieve-input-mdl\", \"complete\"]";
        played(
            &format!("io_type = \"{io_type}\"\ndriver = {{ {code} }}\n"),
            r#"
            [[step]]
            open = { as = "h" }
            [[step]]
            read = { handle = "h", length = 2 }
            [[step]]
            write = { handle = "h", data = "01" }
            "#,
        );
    }
}

#[test]
fn a_bus_without_callbacks_refuses_reads_and_writes() {
    played(
        "",
        r#"
        [[step]]
        open = { as = "h" }
        [[step]]
        read = { handle = "h", length = 2 }
        expect = { status = "STATUS_INVALID_DEVICE_REQUEST", log = ["Driver has no event callback for"] }
        [[step]]
        write = { handle = "h", data = "01" }
        expect = { status = "STATUS_INVALID_DEVICE_REQUEST", log = ["Driver has no event callback for"] }
        "#,
    );
}

#[test]
fn a_manual_queue_takes_reads_and_writes_as_well() {
    played(
        "queue = { dispatch = \"manual\" }\ndriver = { write = [\"keep-input\", \"complete\"], read = [\"give-output\", \"complete\"] }\n",
        r#"
        [[step]]
        open = { as = "h" }
        [[step]]
        write = { handle = "h", data = "07" }
        [[step]]
        read = { handle = "h", length = 1 }
        expect.output = "07"
        "#,
    );
}

#[test]
fn a_read_that_is_sent_on_needs_as_many_locations_as_any_other_request() {
    let driver = "[bus.driver]\nread = [\"format\", \"set-completion-routine\", \"send\"]\n";
    played(
        driver,
        r#"
        [[step]]
        open = { as = "h" }
        [[step]]
        read = { handle = "h", length = 2, offset = 7 }
        expect = { status = "STATUS_REQUEST_NOT_ACCEPTED", log = ["FxIoTargetFormatIo - enter", "Cannot reallocate PIRP"] }
        "#,
    );
    // A reader has no EvtIoRead; its location is reached.
    played(
        &format!("extra_stack = 3\n{driver}"),
        r#"
        [[step]]
        open = { as = "h" }
        [[step]]
        read = { handle = "h", length = 2, offset = 7 }
        expect.status = "STATUS_INVALID_DEVICE_REQUEST"
        expect.stack_locations = [{ driver = "vbus", location = 5 }, { driver = "vreader", location = 3 }]
        "#,
    );
}

#[test]
fn the_numbers_of_a_read_that_does_not_fit_are_told_and_the_fix_is_the_smallest_that_works() {
    // A filter and the remove lock use a location each; the preprocess callback for control requests none of a read's.
    let with = |extra: i8, status: &str| {
        let bus = format!(
            "extra_stack = {extra}\nupper_filters = [\"policy\"]\npreprocess = \"copy\"\nremove_lock = true\n\
             driver = {{ read = [\"format\", \"set-completion-routine\", \"send\"] }}\n"
        );
        let steps = "[[step]]\nopen = { as = \"h\" }\n[[step]]\nread = { handle = \"h\", length = 2, offset = 7 }\n";
        played(&bus, &format!("{steps}expect.status = \"{status}\"\n")).steps[1].reason.clone()
    };
    let reason = with(0, "STATUS_REQUEST_NOT_ACCEPTED").unwrap();
    for part in ["WdfIoTargetFormatRequestForRead", "which leaves 2 for lower drivers", "StackSize by 2 (4 -> 6)"] {
        assert!(reason.contains(part), "{reason}");
    }
    assert!(with(1, "STATUS_REQUEST_NOT_ACCEPTED").is_some());
    assert_eq!(with(2, "STATUS_INVALID_DEVICE_REQUEST"), None);
}

#[test]
fn a_bus_whose_children_forward_to_it_cannot_be_made_big_enough_for_its_own_programs() {
    let bus = |extra: i8| format!("extra_stack = {extra}\nforward_to_parent = \"allowed\"\n");
    for extra in [0, 20] {
        let steps = "[[step]]\nforward = { reader = 7 }\nexpect.status = \"STATUS_REQUEST_NOT_ACCEPTED\"\n";
        let reason = played(&bus(extra), steps).steps[0].reason.clone().unwrap();
        assert!(reason.contains("raising vbus's StackSize would raise the target's as well"), "{reason}");
    }
    let own = bus(0) + "sender = \"driver-created\"\n";
    played(&own, "[[step]]\nforward = { reader = 7, input = \"00 B0 81 00 00\" }\nexpect.information = 20\n");
}

#[test]
fn overlapped_reads_and_writes_are_out_until_somebody_waits() {
    played(
        "driver = { read = [\"mark-cancelable\"], write = [\"mark-cancelable\"] }\n",
        r#"
        [[step]]
        open = { as = "h", overlapped = true }
        [[step]]
        read = { handle = "h", length = 2, as = "r" }
        expect.status = "STATUS_PENDING"
        [[step]]
        write = { handle = "h", data = "00", as = "w" }
        expect.status = "STATUS_PENDING"
        [[step]]
        cancel = { request = "r" }
        [[step]]
        cancel = { request = "w" }
        [[step]]
        wait = { request = "r" }
        expect.status = "STATUS_CANCELLED"
        [[step]]
        wait = { request = "w" }
        expect.status = "STATUS_CANCELLED"
        "#,
    );
}

#[test]
fn a_handle_has_the_rights_that_it_was_opened_with() {
    played(
        "extra_stack = 3\ndriver = { read = [\"give-output\", \"complete\"], write = [\"keep-input\", \"complete\"] }\n",
        r#"
        [[step]]
        open = { as = "reader", access = "read" }
        [[step]]
        write = { handle = "reader", data = "00" }
        expect.status = "STATUS_ACCESS_DENIED"
        [[step]]
        read = { handle = "reader", length = 1 }
        [[step]]
        forward = { handle = "reader", reader = 7 }
        expect.status = "STATUS_ACCESS_DENIED"
        [[step]]
        open = { as = "writer", access = "write" }
        [[step]]
        read = { handle = "writer", length = 1 }
        expect.status = "STATUS_ACCESS_DENIED"
        [[step]]
        write = { handle = "writer", data = "00" }
        [[step]]
        open = { as = "nobody", access = "none" }
        [[step]]
        write = { handle = "nobody", data = "00" }
        expect.status = "STATUS_ACCESS_DENIED"
        "#,
    );
}

#[test]
fn what_a_thread_asked_for_is_cancelled_when_it_exits_and_nothing_else() {
    played(
        "driver = { forward = [\"mark-cancelable\"] }\n",
        r#"
        [[step]]
        thread = "worker"
        forward = { reader = 7, as = "one" }
        expect.status = "STATUS_PENDING"
        [[step]]
        forward = { reader = 7, as = "two" }
        expect.status = "STATUS_PENDING"
        [[step]]
        exit_thread = { thread = "worker" }
        expect.log = ["ProcessCancelledRequests - Calling CancelRoutine", "STATUS_CANCELLED"]
        [[step]]
        wait = { request = "one" }
        expect.status = "STATUS_CANCELLED"
        [[step]]
        cancel = { request = "two" }
        [[step]]
        wait = { request = "two" }
        expect.status = "STATUS_CANCELLED"
        "#,
    );
}

#[test]
fn a_thread_gives_up_after_five_minutes_on_a_driver_that_does_not_let_go() {
    let outcome = played(
        "driver = { forward = [\"mark-cancelable\"], on_cancel = \"nothing\" }\n",
        r#"
        [[step]]
        thread = "worker"
        forward = { reader = 7, as = "kept" }
        expect.status = "STATUS_PENDING"
        [[step]]
        exit_thread = { thread = "worker" }
        "#,
    );
    assert_eq!(outcome.steps[1].at_ticks, 5 * 60 * 10_000_000);
}

#[test]
fn a_step_of_a_thread_that_races_with_nobody_must_succeed_like_any_other() {
    let text =
        "[[bus]]\nname = \"vbus\"\n[[bus.reader]]\nid = 7\n[[step]]\nthread = \"alone\"\nforward = { reader = 7 }\n";
    let outcome = Scenario::parse("words.toml", text).unwrap().run().unwrap();
    assert!(!outcome.as_expected());
    let rival = format!("{text}[[step]]\nthread = \"rival\"\nplug = {{ reader = 7 }}\n");
    assert!(Scenario::parse("words.toml", rival).unwrap().run().unwrap().as_expected());
}

#[test]
fn every_state_of_a_target_can_be_reached_and_expected() {
    played(
        "target = \"by-name\"\nextra_stack = 3\n",
        r#"
        [[step]]
        forward = { reader = 7 }
        expect.target = [{ reader = 7, state = "started" }]
        [[step]]
        stop_target = { reader = 7 }
        expect.target = [{ reader = 7, state = "stopped" }]
        [[step]]
        start_target = { reader = 7 }
        [[step]]
        purge_target = { reader = 7 }
        expect.target = [{ reader = 7, state = "purged" }]
        [[step]]
        close_target = { reader = 7, for_query_remove = true }
        expect.target = [{ reader = 7, state = "closed-for-query-remove" }]
        [[step]]
        open_target = { reader = 7, by = "reopen" }
        expect.target = [{ reader = 7, state = "started" }]
        [[step]]
        close_target = { reader = 7 }
        expect.target = [{ reader = 7, state = "closed" }]
        [[step]]
        unplug = { reader = 7 }
        expect.target = [{ reader = 7, state = "none" }]
        "#,
    );
}

#[test]
fn a_target_is_opened_in_every_way_that_there_is() {
    played(
        "",
        r#"
        [[step]]
        open_target = { reader = 7 }
        expect = { status = "STATUS_INVALID_DEVICE_STATE" }
        [[step]]
        close_target = { reader = 7 }
        [[step]]
        open_target = { reader = 7, by = "reopen" }
        expect.status = "STATUS_INVALID_DEVICE_REQUEST"
        [[step]]
        open_target = { reader = 7, by = "undefined" }
        expect.status = "STATUS_INVALID_PARAMETER"
        [[step]]
        open_target = { reader = 7, by = "local-target-by-file" }
        expect.status = "STATUS_INVALID_PARAMETER"
        [[step]]
        open_target = { reader = 7, by = "name", name = '\Device\Nothing' }
        expect.status = "STATUS_OBJECT_NAME_NOT_FOUND"
        [[step]]
        open_target = { reader = 7, by = "name" }
        expect.target = [{ reader = 7, state = "started" }]
        "#,
    );
}

#[test]
fn a_target_that_is_in_another_state_than_expected_says_so() {
    let text = "[[bus]]\nname = \"vbus\"\n[[bus.reader]]\nid = 7\n[[step]]\nstop_target = { reader = 7 }\n\
                expect.target = [{ reader = 7, state = \"started\" }]\n";
    let outcome = Scenario::parse("words.toml", text).unwrap().run().unwrap();
    assert_eq!(outcome.steps[0].failures, ["the target of reader 7 is stopped, and started was expected"]);
}

#[test]
fn a_request_of_the_drivers_own_reaches_a_reader_that_the_programs_could_not() {
    for create in ["create-request", "create-request-without-target"] {
        played(
            &format!(
                "[bus.driver]\nforward = [\"{create}\", \"format\", \"set-completion-routine\", \"send\"]\n\
                 on_completion = [\"delete-request\", \"complete\"]\n"
            ),
            r#"
            [[step]]
            forward = { reader = 7, input = "00 B0 81 00 00" }
            expect.output = "76 62 75 73 20 63 61 72 64 20 30 30 30 30 30 30 30 37 90 00"
            "#,
        );
    }
}

#[test]
fn a_program_that_gives_up_is_heard_through_the_drivers_own_request() {
    let outcome = whole(
        r#"
        [[bus]]
        name = "vbus"
        [bus.driver]
        forward = ["mark-cancelable", "create-request", "format", "set-completion-routine", "send"]
        on_completion = ["delete-request", "unmark-cancelable", "complete"]
        on_send_failed = "go-on"
        on_cancel = "cancel-sent"
        [[bus.reader]]
        id = 7
        response_ms = 10
        [[step]]
        forward = { reader = 7, as = "r" }
        expect.status = "STATUS_PENDING"
        [[step]]
        cancel = { request = "r" }
        [[step]]
        wait = { request = "r" }
        expect.status = "STATUS_CANCELLED"
        "#,
    );
    assert_eq!(outcome.unfinished, Vec::<String>::new());
}

#[test]
fn a_request_passed_on_as_it_came_is_never_asked_whether_it_fits() {
    // The class filter's copy takes the last location; the reader's call has none.
    played(
        "driver = { forward = [\"format-current-type\", \"set-completion-routine\", \"send\"] }\n",
        r#"
        [[step]]
        forward = { reader = 7 }
        expect.bug_check = { code = 0x35 }
        "#,
    );
    let text = r#"
        driver_verifier = true
        [[bus]]
        name = "vbus"
        driver = { forward = ["format-current-type", "set-completion-routine", "send"] }
        [[bus.reader]]
        id = 7
        [[step]]
        forward = { reader = 7 }
        expect.bug_check = { code = 0xC9, parameters = [0x208] }
    "#;
    whole(text);
}

#[test]
fn memory_is_short_once_and_for_the_allocation_that_is_named() {
    played(
        "extra_stack = 3\n",
        r#"
        [[step]]
        forward = { reader = 7 }
        [[step]]
        fail_allocation = { nth = 1 }
        [[step]]
        forward = { reader = 7 }
        expect.status = "STATUS_INSUFFICIENT_RESOURCES"
        [[step]]
        forward = { reader = 7 }
        "#,
    );
}

#[test]
fn any_status_may_be_expected() {
    played("", "[[step]]\nforward = { reader = 7 }\nexpect.any_status = true\n");
}

#[test]
fn without_the_verifier_a_child_that_may_not_forward_runs_over_the_end_of_its_locations() {
    let text = |allowed: &str| {
        format!(
            "[[bus]]\nname = \"vbus\"\nsender = \"driver-created\"\nforward_to_parent = \"{allowed}\"\n\
             [[bus.reader]]\nid = 7\nfunction = \"pass-down\"\n[[step]]\nforward = {{ reader = 7 }}\n"
        )
    };
    whole(&(text("not-allowed") + "expect.undefined = \"a stack location left for the parent\"\n"));
    whole(&text("allowed"));
    // Reads and writes come down as well, and a target is as deep as the bus's own stack more.
    let steps = "[[step]]\nopen = { as = \"h\", reader = 7 }\n[[step]]\nread = { handle = \"h\", length = 2 }\n";
    let outcome = whole(&(text("allowed") + steps));
    let reader = outcome.stacks.iter().find(|stack| stack.reader == Some(7)).unwrap();
    assert_eq!(reader.target_stack_size, Some(5));
}
