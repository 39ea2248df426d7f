//! The scenarios that `vbus explain --scenario` writes: `run` confirms each, and its log is explained by the same cause.

use vbus::Scenario;
use vbus::run::Outcome;
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
    ];
    for text in lines {
        let (written, outcome) = played(&text);
        let shown = causes(&log(&outcome));
        assert_eq!(shown.first(), causes(&text).first(), "{written}\n{}", log(&outcome));
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
    let text = line(&sites::IRP_NOT_ALLOCATED, &[REQUEST, TARGET, 0xC000_009A]);
    assert_eq!(of(&text).scenario().unwrap_err(), "no scenario has what it takes to show no-memory-for-irp");
    assert_eq!(of("nothing").scenario().unwrap_err(), "nothing failed in what was read");
}
