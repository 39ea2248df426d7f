//! Whether a step came out as expected; where not, what is different.

use super::outcome::{StepOutcome, Stopped, TravelStep};
use crate::scenario::expect::{BugCheck, Expect};
use crate::scenario::value::{Status, Word};

/// What was expected and is not so, a sentence each. A step that `races` may end with any status that it does not name.
pub(super) fn failures(expect: &Expect, races: bool, step: &StepOutcome) -> Vec<String> {
    let mut failures = Vec::new();
    stop(expect, step, &mut failures);
    // A race has several right ends.
    let any_status = expect.any_status || (races && expect.status.is_none());
    if !expect.stops() && step.stop.is_none() && !any_status {
        status(expect, step, &mut failures);
    }
    if let Some(output) = &expect.output
        && step.output.as_ref() != Some(output)
    {
        let came = step.output.as_ref().map_or("none".to_owned(), |output| format!("`{output}`"));
        failures.push(format!("the output is {came}, and `{output}` was expected"));
    }
    if let Some(information) = expect.information
        && step.information != Some(information)
    {
        let came = step.information.map_or("none".to_owned(), |information| information.to_string());
        failures.push(format!("Information is {came}, and {information} was expected"));
    }
    if let Some(breaks) = expect.debugger_breaks
        && step.debugger_breaks != breaks
    {
        let came = step.debugger_breaks;
        failures.push(format!("the verifier broke into the debugger {came} times, and {breaks} were expected"));
    }
    for (expected, came) in expect.target.iter().zip(&step.targets) {
        if expected.state != *came {
            let reader = expected.reader.get_ref();
            failures.push(format!("the target of reader {reader} is {came}, and {} was expected", expected.state));
        }
    }
    log(expect, step, &mut failures);
    stack_locations(expect, step, &mut failures);
    failures
}

fn status(expect: &Expect, step: &StepOutcome, failures: &mut Vec<String>) {
    let Some(came) = step.status else { return };
    match expect.status {
        Some(expected) if expected != came => {
            failures.push(format!("the status is {}, and {} was expected", long(came), long(expected)));
        }
        None if !came.0.is_success() => {
            failures.push(format!("the status is {}, and a success was expected", long(came)))
        }
        _ => {}
    }
}

fn long(status: Status) -> String {
    crate::style::status_with_code(status.0)
}

fn stop(expect: &Expect, step: &StepOutcome, failures: &mut Vec<String>) {
    let fits = match (&step.stop, expect) {
        (None, expect) if !expect.stops() => return,
        (Some(Stopped::BugCheck { code, parameters, .. }), Expect { bug_check: Some(expected), .. }) => {
            expected.code == *code && parameters.starts_with(&expected.parameters)
        }
        (Some(Stopped::Hang { waiting_for, .. }), Expect { hang: Some(part), .. }) => {
            waiting_for.contains(part.as_str())
        }
        (Some(Stopped::Undefined { rule, .. }), Expect { undefined: Some(part), .. }) => rule.contains(part.as_str()),
        _ => false,
    };
    if fits {
        return;
    }
    let came = match &step.stop {
        Some(stop) => format!("the machine stopped: {}", stop.text()),
        None => "the machine runs on".to_owned(),
    };
    failures.push(match expected_stop(expect) {
        Some(expected) => format!("{came}; {expected} was expected"),
        None => came,
    });
}

fn expected_stop(expect: &Expect) -> Option<String> {
    let words = |words: &[Word]| words.iter().map(Word::to_string).collect::<Vec<_>>().join(", ");
    match expect {
        Expect { bug_check: Some(BugCheck { code, parameters }), .. } if parameters.is_empty() => {
            Some(format!("bug check {code}"))
        }
        Expect { bug_check: Some(BugCheck { code, parameters }), .. } => {
            Some(format!("bug check {code} ({})", words(parameters)))
        }
        Expect { hang: Some(part), .. } => Some(format!("a hang in a wait for \"{part}\"")),
        Expect { undefined: Some(part), .. } => Some(format!("undefined behaviour (\"{part}\")")),
        _ => None,
    }
}

/// Each expected part in a line after that of the one before.
fn log(expect: &Expect, step: &StepOutcome, failures: &mut Vec<String>) {
    let lines: Vec<String> = step.log.iter().map(ToString::to_string).collect();
    let mut after = 0;
    for part in &expect.log {
        match lines[after..].iter().position(|line| line.contains(part)) {
            Some(at) => after += at + 1,
            None if lines.iter().any(|line| line.contains(part)) => {
                failures.push(format!("\"{part}\" is in the log, but not in this order"));
            }
            None => failures.push(format!("no line of the log contains \"{part}\"")),
        }
    }
    for part in &expect.no_log {
        if let Some(line) = lines.iter().find(|line| line.contains(part)) {
            failures.push(format!("a line of the log contains \"{part}\": {line}"));
        }
    }
}

fn stack_locations(expect: &Expect, step: &StepOutcome, failures: &mut Vec<String>) {
    let calls = step.irps.iter().filter(|travel| travel.step == TravelStep::Call);
    let mut calls = calls.filter_map(|travel| Some((travel.driver.as_deref()?, travel.current_location)));
    for wanted in &expect.stack_locations {
        let (driver, location) = (wanted.driver.as_str(), wanted.location);
        if !calls.any(|call| call == (driver, location)) {
            failures.push(format!("{driver} is not called with an IRP at location {location}, in this order"));
        }
    }
}
