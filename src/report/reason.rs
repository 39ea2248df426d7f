//! Why a request ran out of stack locations, in the words that the command line has for it.

use vbus_wdm::NtStatus;

use super::record::{Event, Record, Request, StackedDevice};
use super::words;
use crate::explain::Shortfall;

/// The reason, as plain text; `None` for a request that did not run out.
pub(super) fn of(record: &Record, request: &Request) -> Option<String> {
    let short = request.shortfall?;
    let step = request.steps.get(short.step)?;
    let Event::Formatted { target, refused: Some(status) } = &step.event else {
        return Some(match &record.stop {
            Some(stop) if step.event == (Event::Copied { fits: false }) => {
                format!("error: {stop}\n  the IRP had no stack location left that the driver's own could be copied to")
            }
            Some(stop) => {
                format!("error: {stop}\n  the IRP had no stack location left for the device that it was sent to")
            }
            None => return None,
        });
    };
    let target = &record.targets[*target];
    let shortfall = Shortfall {
        status: NtStatus::from_name(status)?,
        call: "the format call",
        driver: words::driver(record, step.device).to_owned(),
        stack_size: stack_size(record, step.device?, step.order)?,
        irp_stack_count: request.stack_count,
        current_location: step.location,
        target: chain(record, target.device?),
        target_stack_size: target.stack_size,
        // A PDO that forwards to its parent has the parent's StackSize in its own.
        minimum: (below(record, target.device?).last()?.stack_size == 1)
            .then_some(stack_size(record, step.device?, step.order)?.saturating_add(short.needed - short.left)),
    };
    Some(anstream::adapter::strip_str(&shortfall.to_string()).to_string())
}

/// What to change, in a line.
pub(super) fn help(record: &Record, request: &Request) -> Option<String> {
    let why = of(record, request)?;
    why.lines().find_map(|line| line.strip_prefix("help: ")).map(str::to_owned)
}

/// StackSize of a device at a moment.
fn stack_size(record: &Record, device: usize, order: usize) -> Option<i8> {
    let known = record.topologies.iter().rfind(|topology| topology.order <= order).or(record.topologies.last())?;
    let mut devices = known.stacks.iter().flat_map(|stack| &stack.devices);
    devices.find(|stacked| stacked.device == device).map(|stacked| stacked.stack_size)
}

/// The drivers from a target's device down: `scfilter <- vreader <- vbus`.
fn chain(record: &Record, device: usize) -> String {
    let below = below(record, device).iter();
    let names: Vec<&str> = below.map(|stacked| record.devices[stacked.device].driver.as_str()).collect();
    names.join(" <- ")
}

/// A device and those below it.
fn below(record: &Record, device: usize) -> &[StackedDevice] {
    let stacks = record.topologies.iter().rev().flat_map(|topology| &topology.stacks);
    let mut found = stacks.filter_map(|stack| {
        let at = stack.devices.iter().position(|stacked| stacked.device == device)?;
        Some(&stack.devices[at..])
    });
    found.next().unwrap_or_default()
}
