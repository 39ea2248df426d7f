//! The numbers that decide a failure, as far as the text has them, and the commands that would give the others.

use serde::Serialize;

use super::causes::{Cause, Numbers};
use super::facts::{Facts, Size};
use super::story::Evidence;

/// A number with where it is from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Known {
    /// The number.
    pub value: i8,
    /// It may be more.
    pub at_least: bool,
    /// What in the text says so.
    pub from: String,
}

/// A number that the text does not have.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Missing {
    /// Which number.
    pub what: &'static str,
    /// The debugger commands that show it, in order.
    pub commands: Vec<String>,
}

/// What decides whether a target takes a request: `have >= need`.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize)]
pub struct Locations {
    /// CurrentLocation - 1: the locations that the request has left.
    pub have: Option<Known>,
    /// The StackSize that the target copied when it was opened.
    pub need: Option<Known>,
    /// StackCount of the request's IRP.
    pub stack_count: Option<i8>,
    /// By how much the StackSize of the forwarding device has to be raised.
    pub raise_by: Option<i8>,
    /// The drivers that the target's requests go through, from its device down.
    pub target_stack: Vec<String>,
    /// What the text does not say.
    pub missing: Vec<Missing>,
}

/// The numbers of a failure.
pub(super) fn locations(
    cause: &Cause,
    evidence: Option<&Evidence>,
    stop_irp: Option<u64>,
    facts: &Facts,
) -> Option<Locations> {
    match cause.numbers {
        Numbers::Locations => evidence.map(|evidence| of_request(evidence, facts)),
        Numbers::Irp => of_irp(stop_irp, facts),
        Numbers::None | Numbers::TargetState => None,
    }
}

fn of_request(evidence: &Evidence, facts: &Facts) -> Locations {
    let line = evidence.moment.line;
    let said = |value: Option<i8>| value.map(|value| Known { value, at_least: false, from: format!("line {line}") });
    let mut numbers = Locations { have: said(evidence.have), need: said(evidence.need), ..Locations::default() };
    let device = evidence.target.and_then(|target| facts.target_devices.get(&target)).copied();
    if numbers.need.is_none() {
        numbers.need = evidence.target.and_then(|target| facts.target_size(target)).map(|size| match size {
            Size::Is(value) => Known { value, at_least: false, from: "the StackSize of the target's device".into() },
            Size::AtLeast(value) => Known { value, at_least: true, from: "the devices that !devstack lists".into() },
        });
    }
    if let Some(device) = device
        && let Some(stack) = facts.stack_below(device)
    {
        numbers.target_stack = stack.iter().map(|entry| entry.driver.clone()).collect();
    }
    let irp = facts.irp_of(evidence.request);
    if let Some((_, shown)) = irp {
        numbers.stack_count = Some(shown.stack_count);
        numbers.have.get_or_insert_with(|| Known {
            value: shown.current_location - 1,
            at_least: false,
            from: format!("!irp, line {}", shown.line),
        });
    }
    if numbers.need.as_ref().is_none_or(|need| need.at_least) {
        numbers
            .missing
            .push(Missing { what: "the target's stack size", commands: commands_for_need(evidence.target, device) });
    }
    if numbers.have.is_none() {
        let irp = evidence.irp.or_else(|| facts.request_irps.get(&evidence.request?).copied());
        let commands = commands_for_have(evidence.request, irp);
        numbers.missing.push(Missing { what: "the request's CurrentLocation", commands });
    }
    numbers.raise_by = match (&numbers.have, &numbers.need) {
        (Some(have), Some(need)) => need.value.checked_sub(have.value).filter(|more| *more > 0),
        _ => None,
    };
    numbers
}

fn commands_for_need(target: Option<u64>, device: Option<u64>) -> Vec<String> {
    let mut commands = Vec::new();
    let of_device = match (device, target) {
        (Some(device), _) => format!("{device:#x}"),
        (None, Some(target)) => {
            commands.push(format!("!wdfkd.wdfiotarget {target:#x}"));
            "<its Target Device>".to_owned()
        }
        (None, None) => "<the target's device>".to_owned(),
    };
    commands.push(format!("dt nt!_DEVICE_OBJECT {of_device} StackSize"));
    commands
}

fn commands_for_have(request: Option<u64>, irp: Option<u64>) -> Vec<String> {
    match (irp, request) {
        (Some(irp), _) => vec![format!("!irp {irp:#x}")],
        (None, Some(request)) => vec![format!("!wdfkd.wdfrequest {request:#x}"), "!irp <its IRP>".to_owned()],
        (None, None) => vec!["!irp <the request's IRP>".to_owned()],
    }
}

/// An IRP that a bug check names.
fn of_irp(irp: Option<u64>, facts: &Facts) -> Option<Locations> {
    let known = irp.and_then(|irp| facts.irps.get(&irp)).copied().flatten();
    let shown = known.or_else(|| facts.irp_of(None).map(|(_, shown)| shown));
    let mut numbers = Locations::default();
    match (shown, irp) {
        (Some(shown), _) => {
            numbers.stack_count = Some(shown.stack_count);
            let from = format!("!irp, line {}", shown.line);
            numbers.have = Some(Known { value: shown.current_location - 1, at_least: false, from });
        }
        (None, Some(irp)) => {
            numbers.missing.push(Missing { what: "the IRP's locations", commands: vec![format!("!irp {irp:#x} 1")] });
        }
        (None, None) => return None,
    }
    Some(numbers)
}
