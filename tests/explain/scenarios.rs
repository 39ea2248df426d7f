//! The scenarios that `vbus explain --scenario` writes: `run` confirms each, and its log is explained by the same cause.

use vbus::Scenario;
use vbus::run::{Outcome, Stopped};
use vbus::wdf::{Site, sites};

use crate::dress::{causes, of};

const REQUEST: u64 = 0x307E_6A7E_D198;
const TARGET: u64 = 0x307E_7136_DC48;

/// A log with one line.
fn line(site: &Site, words: &[u64]) -> String {
    format!("7: {} - {}\n", site.function, site.render(words))
}

/// Plays the scenario of a text's first failure, which must come out as it says.
fn played(text: &str) -> (String, Outcome) {
    let written = of(text).scenario().unwrap();
    let scenario = Scenario::parse("out.toml", written.clone()).unwrap_or_else(|error| panic!("{error}\n{written}"));
    let outcome = scenario.run().unwrap();
    assert!(outcome.as_expected(), "{written}\n{outcome:#?}");
    (written, outcome)
}

/// The scenario's own log, as a driver would print it.
fn log(outcome: &Outcome) -> String {
    let records = outcome.steps.iter().flat_map(|step| &step.log);
    records.map(|record| format!("{}: {} - {}\n", record.sequence, record.function, record.message)).collect()
}

#[test]
fn every_scenario_shows_the_failure_that_it_was_written_for() {
    let status = |status: u32| u64::from(status);
    let too_few = [REQUEST, 0xFFFF_E000_7E50_1010, 2, TARGET, 5, status(0xC000_00D0)];
    let lines = [
        line(&sites::CANNOT_REALLOCATE, &[REQUEST, TARGET, status(0xC000_00D0)]),
        line(&sites::NOT_FORMATTED, &[REQUEST, status(0xC000_00D0)]),
        line(&sites::TOO_FEW_LOCATIONS, &too_few),
        line(&sites::TARGET_CLOSED, &[TARGET, status(0xC000_0184)]),
        line(&sites::ALREADY_SENT, &[REQUEST]),
        line(&sites::NOT_ACCEPTING, &[REQUEST, TARGET, 6]),
        line(&sites::SEND_NO_ROUTINE, &[REQUEST, status(0xC000_0010)]),
        line(&sites::SEND_FORGET_FORMATTED, &[REQUEST, status(0xC000_0010)]),
        line(&sites::SEND_OPTIONS, &[1, 2, 3]),
        line(&sites::REQUEST_NOT_OWNED, &[REQUEST, status(0xC000_0010)]),
        line(&sites::REQUEST_COMPLETED_CANCELABLE, &[REQUEST]),
        line(&sites::IRP_NOT_ALLOCATED, &[REQUEST, TARGET, status(0xC000_009A)]),
        line(&sites::SEND_FORGET_NOT_QUEUED, &[REQUEST]),
        line(&sites::FORMAT_IOCTL_INPUT, &[status(0xC000_0095)]),
        line(&sites::REMOTE_CREATE_FILE_FAILED, &[TARGET, status(0xC000_0034), 0]),
        line(&sites::REMOTE_ALREADY_OPEN, &[TARGET, 2]),
        line(&sites::REUSE_WHILE_SENT, &[REQUEST, TARGET]),
        line(&sites::MARK_EX_WITHOUT_QUEUE, &[REQUEST, status(0xC000_0010)]),
        line(&sites::FORWARD_NOT_ALLOWED, &[0x307E_7158_F2D8, status(0xC000_0010)]),
        line(&sites::FORWARD_TO_OTHER_DEVICE, &[0x307E_7158_F2D8]),
        line(&sites::REQUEUE_NOT_MANUAL, &[REQUEST, status(0xC000_0010)]),
        line(&sites::REQUEST_CONVERT, &[0xC020_0204]),
        line(&sites::IO_NO_REQUEST, &[status(0xC000_009A)]),
        line(&sites::QUEUE_NO_CALLBACK, &[3, REQUEST, status(0xC000_0010)]),
    ];
    for text in lines {
        let (written, outcome) = played(&text);
        let shown = causes(&log(&outcome));
        assert_eq!(shown.first(), causes(&text).first(), "{written}\n{}", log(&outcome));
    }
}

#[test]
fn every_bug_check_that_a_scenario_can_show_stops_its_machine_in_the_same_way() {
    let stops: [(u32, [u64; 4]); 10] = [
        (0x35, [0xFFFF_CF81_9112_A010, 0, 0, 0]),
        (0xC9, [0x208, 0xFFFF_CF81_9112_A010, 0, 0]),
        (0x10D, [6, 1, 0xFFFF_CF81_9112_A010, 0]),
        (0x10D, [6, 2, REQUEST, 0]),
        (0x10D, [6, 3, REQUEST, 0]),
        (0x10D, [6, 4, REQUEST, 0]),
        (0x10D, [3, REQUEST, 0, 0]),
        (0x10D, [5, REQUEST, 0x1200, 0]),
        (0x10D, [7, REQUEST, 0, 0]),
        (0x9F, [3, 0xFFFF_CF81_8E6C_1060, 0, 0]),
    ];
    for (code, [a, b, c, d]) in stops {
        let text = format!("BugCheck {code:X}, {{{a:x}, {b:x}, {c:x}, {d:x}}}\n");
        let (written, outcome) = played(&text);
        let Some(Stopped::BugCheck { code, parameters, .. }) = &outcome.stop else { panic!("{written}\n{outcome:#?}") };
        let [a, b, c, d] = parameters.map(|word| word.0);
        let shown = causes(&format!("{}BugCheck {:X}, {{{a:x}, {b:x}, {c:x}, {d:x}}}\n", log(&outcome), code.0));
        assert!(shown.contains(&causes(&text)[0]), "{written}\n{shown:?}");
    }
}

#[test]
fn the_scenario_has_the_numbers_of_the_text() {
    let cannot = line(&sites::CANNOT_REALLOCATE, &[REQUEST, TARGET, 0xC000_00D0]);
    let session = format!(
        "{cannot}!wdfiotarget {TARGET:#x}\nTarget Device: !devobj 0xffffe000d2b2e8c0\n!devstack ffffe000d2b2e8c0\n\
         !DevObj !DrvObj !DevExt ObjectName\n> ffffe000d2b2e8c0 \\Driver\\special\n ffffe000d2b2e060 \\Driver\\vreader\n \
         ffffe000d2b2d060 \\Driver\\vbus\ndt nt!_DEVICE_OBJECT ffffe000d2b2e8c0 StackSize\n+0x04c StackSize : 6 ''\n!irp 1\n\
         Irp is active with 5 stacks 4 is current\n"
    );
    let (written, outcome) = played(&session);
    let reader = outcome.stacks.iter().find(|stack| stack.reader == Some(7)).unwrap();
    let bus = outcome.stacks.iter().find(|stack| stack.reader.is_none()).unwrap();
    assert_eq!(reader.devices[0].stack_size, 6, "{written}");
    assert_eq!(reader.devices[0].driver, "special");
    // Five locations for the program's IRP; one is used above the bus, whose own StackSize is 4.
    assert_eq!((bus.devices[0].stack_size, bus.devices[1].stack_size), (5, 4), "{written}");
    approve_explanation!("explain_scenario", written);
}

#[test]
fn what_no_scenario_can_show_is_said() {
    let text = line(&sites::POOL_LEAK, &[REQUEST]);
    let why = "no scenario shows leaked: the driver of a scenario is not unloaded";
    assert_eq!(of(&text).scenario().unwrap_err(), why);
    assert_eq!(of("nothing").scenario().unwrap_err(), "nothing failed in what was read");
}
