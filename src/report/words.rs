//! What the page says of steps, owners and devices.

use super::record::*;

impl Owner {
    /// Its class in the drawings.
    pub(super) fn class(self) -> &'static str {
        match self {
            Owner::Driver => "driver",
            Owner::Framework => "framework",
            Owner::Queue => "queue",
            Owner::Target => "target",
            Owner::System => "system",
        }
    }

    /// Its name, for people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Owner::System => "I/O manager",
            owner => owner.class(),
        }
    }
}

impl Role {
    /// Its name, for people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Role::Pdo => "PDO",
            Role::Fdo => "FDO",
            Role::Filter => "filter",
            Role::Control => "control device",
        }
    }
}

/// How a drawing heads a step.
pub(super) fn heading(event: &Event) -> &'static str {
    match event {
        Event::Allocated => "new",
        Event::Called => "call",
        Event::Queued { .. } => "queue",
        Event::Presented { .. } => "present",
        Event::Formatted { refused: None, .. } => "format",
        Event::Formatted { .. } | Event::NotFormatted { .. } => "format ✗",
        Event::Copied { fits: true } => "copy",
        Event::Copied { fits: false } => "copy ✗",
        Event::Sent { .. } => "send",
        Event::Pended { .. } => "hold",
        Event::NotSent { .. } => "send ✗",
        Event::Returned { .. } => "return",
        Event::Cancelled { .. } => "cancel",
        Event::Completed => "complete",
        Event::Routine => "routine",
        Event::Done => "done",
        Event::Freed => "free",
    }
}

/// Whether a step is one that failed.
pub(super) fn failed(event: &Event) -> bool {
    matches!(
        event,
        Event::Formatted { refused: Some(_), .. }
            | Event::NotFormatted { .. }
            | Event::Copied { fits: false }
            | Event::NotSent { .. }
    )
}

/// A device: `vreader's FDO`.
pub(super) fn device(record: &Record, device: Option<usize>) -> String {
    match device.map(|device| &record.devices[device]) {
        Some(device) => format!("{}'s {}", device.driver, device.role.name()),
        None => "nobody's device".to_owned(),
    }
}

/// The service name of a device's driver.
pub(super) fn driver(record: &Record, device: Option<usize>) -> &str {
    device.map_or("", |device| &record.devices[device].driver)
}

/// A target by what it sends to: `the target on scfilter's filter, which needs 4 locations`.
fn target(record: &Record, target: usize) -> String {
    let target = &record.targets[target];
    match target.device {
        Some(_) => {
            format!("its I/O target on {}, which needs {}", device(record, target.device), locations(target.stack_size))
        }
        None => "its I/O target, which is not open".to_owned(),
    }
}

/// A number of locations.
pub(super) fn locations(count: i8) -> String {
    if count == 1 { "1 location".to_owned() } else { format!("{count} locations") }
}

/// What happened in a step, in a sentence.
pub(super) fn sentence(record: &Record, request: &Request, step: &Step) -> String {
    let here = device(record, step.device);
    let driver = driver(record, step.device);
    match &step.event {
        Event::Allocated if request.irp.is_none() => format!("{driver} created a request without an IRP"),
        Event::Allocated => format!("an IRP with {}", locations(request.stack_count)),
        Event::Called => format!("{here} was called and owns location {}", step.location),
        Event::Queued { queue } => format!("it waits in {driver}'s {queue}"),
        Event::Presented { queue: Some(queue) } => format!("{driver}'s {queue} gave it to its driver"),
        Event::Presented { queue: None } => format!("{driver} has it before any queue (EvtIoInCallerContext)"),
        Event::Formatted { target: to, refused: None } => format!("{driver} formatted it for {}", target(record, *to)),
        Event::Formatted { target: to, refused: Some(status) } => {
            format!("the format call for {} failed with {status}", target(record, *to))
        }
        Event::NotFormatted { target: to, refused } => {
            let target = target(record, *to);
            format!("the format call for {target} refused what it was given with {refused}: the IRP was not looked at")
        }
        Event::Copied { fits: true } => format!("{driver} copied its location to the next one, for any target"),
        Event::Copied { fits: false } => format!("{driver} would copy its location to the next one, and there is none"),
        Event::Sent { target: to } => format!("{driver} sent it to {}", target(record, *to)),
        Event::Pended { .. } => format!("{driver}'s I/O target keeps it until it is started"),
        Event::NotSent { target: to, refused } => format!("the send to {} failed with {refused}", target(record, *to)),
        Event::Returned { .. } => format!("it came back from the I/O target to {driver} with {}", step.status),
        Event::Cancelled { routine: true } => "it was cancelled: its cancel routine runs".to_owned(),
        Event::Cancelled { routine: false } => "it was cancelled: the flag is set, no cancel routine was".to_owned(),
        Event::Completed => format!("{driver} completed the IRP at location {} with {}", step.location, step.status),
        Event::Routine => format!("the completion routine of {here} runs"),
        Event::Done => format!("the completion is over: {}", step.status),
        Event::Freed => "the IRP is freed".to_owned(),
    }
}

/// Virtual time, in the unit in which a person would say it.
pub(super) fn time(ticks: u64) -> String {
    match ticks {
        0 => "0".to_owned(),
        ticks if ticks % 10_000_000 == 0 => format!("{} s", ticks / 10_000_000),
        ticks if ticks % 10_000 == 0 => format!("{} ms", ticks / 10_000),
        ticks => format!("{}.{} µs", ticks / 10, ticks % 10),
    }
}
