//! What happened on a machine, as plain data: what `vbus report --format json` prints and the page draws.
//!
//! Steps of all requests share one order, and each names the newest log record that was written before it: so every line
//! of every driver's log has its place between two steps.

use serde::Serialize;

/// Everything that was recorded. Devices, steps and lines are named by their places in the lists here.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Record {
    /// What was recorded, for people.
    pub title: String,
    /// Every device object that took part.
    pub devices: Vec<Device>,
    /// The stacks of the devnode tree, each time something had changed.
    pub topologies: Vec<Topology>,
    /// I/O targets that requests were formatted for or sent to.
    pub targets: Vec<Target>,
    /// What was done to the machine from outside, in order.
    pub actions: Vec<Action>,
    /// Every IRP's life, and that of every request that never had one.
    pub requests: Vec<Request>,
    /// Every driver's log in the order in which it was written.
    pub log: Vec<Line>,
    /// What stopped the machine, if something did.
    pub stop: Option<String>,
}

/// A device object.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Device {
    /// The service name of its driver.
    pub driver: String,
    /// What it is in its stack.
    pub role: Role,
    /// Its devnode's instance path.
    pub instance: Option<String>,
    /// The address that logs print.
    pub address: String,
    /// Whether its driver is a framework driver.
    pub framework: bool,
}

/// What a device is in its stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The lowest device of a devnode's stack.
    Pdo,
    /// The function driver's.
    Fdo,
    /// Any other device of such a stack.
    Filter,
    /// A device without a devnode, such as a control device.
    Control,
}

/// The stacks at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Topology {
    /// How many steps there had been.
    pub order: usize,
    /// How many actions there had been.
    pub actions: usize,
    /// The stacks, parents before their children.
    pub stacks: Vec<Stack>,
}

/// A devnode's stack.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Stack {
    /// The devnode's instance path.
    pub instance: String,
    /// The stack of its parent, by place in the same list.
    pub parent: Option<usize>,
    /// Its devices, highest first.
    pub devices: Vec<StackedDevice>,
}

/// A device with its StackSize at that moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct StackedDevice {
    /// The device.
    pub device: usize,
    /// `StackSize`.
    pub stack_size: i8,
}

/// An I/O target.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Target {
    /// Its handle.
    pub handle: String,
    /// The device whose target it is.
    pub owner: Option<usize>,
    /// The device that it sends to.
    pub device: Option<usize>,
    /// The stack size that requests are checked against.
    pub stack_size: i8,
    /// How many steps there had been when it was seen like this first. A target that is opened anew is another one here.
    pub since: usize,
}

/// Something that was done from outside.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Action {
    /// What it was.
    pub name: String,
    /// How many steps there had been before it.
    pub order: usize,
    /// The virtual time at that moment, in units of 100 ns.
    pub time: u64,
    /// How it ended, where that is known.
    pub outcome: Option<String>,
    /// Whether that is what was expected.
    pub as_expected: Option<bool>,
}

/// What an IRP asks for, roughly.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Reads, writes and control requests.
    Io,
    /// Create, cleanup and close.
    File,
    /// PnP, power, WMI and whatever else the system sends.
    System,
}

/// An IRP from its allocation until it is freed, with the requests that frameworks made of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Request {
    /// Its number among those of its kind: `1` of the reads, writes and control requests, `f1` of those that open and
    /// close, `s1` of the system's.
    pub label: String,
    /// The major function, with the control code or the minor function.
    pub name: String,
    /// What it asks for.
    pub kind: Kind,
    /// The IRP's address; none for a request that never had one.
    pub irp: Option<String>,
    /// Handles of the WDFREQUESTs around it, oldest first.
    pub handles: Vec<String>,
    /// `StackCount`.
    pub stack_count: i8,
    /// What happened to it.
    pub steps: Vec<Step>,
    /// Its status at the end, by name.
    pub status: Option<String>,
    /// Whether that is a success.
    pub success: bool,
    /// `IoStatus.Information` at the end.
    pub information: u64,
    /// Where it ran out of stack locations.
    pub shortfall: Option<Shortfall>,
}

/// A request that has fewer locations left than whoever is to get it needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Shortfall {
    /// The step, by place among the request's.
    pub step: usize,
    /// Locations left for lower drivers.
    pub left: i8,
    /// How many would have been needed.
    pub needed: i8,
}

/// One step of a request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Step {
    /// Its place among the steps of all requests.
    pub order: usize,
    /// The virtual time, in units of 100 ns.
    pub time: u64,
    /// The newest log record before it, in the order of all drivers' records.
    pub moment: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
    /// Who has the request from now on.
    pub owner: Owner,
    /// The device on whose behalf.
    pub device: Option<usize>,
    /// `CurrentLocation`.
    pub location: i8,
    /// The devices that own the locations, location 1 first.
    pub locations: Vec<Option<usize>>,
    /// `IoStatus.Status`, by name.
    pub status: String,
    /// Whether `Cancel` is set.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
}

/// What can happen to a request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// It was seen first: CurrentLocation is StackCount + 1.
    Allocated,
    /// `IoCallDriver`.
    Called,
    /// It waits in a queue of its driver.
    Queued {
        /// Which.
        queue: String,
    },
    /// The driver got it from a queue or, without one, before any.
    Presented {
        /// Which.
        queue: Option<String>,
    },
    /// A format call took it for a target, or refused it.
    Formatted {
        /// The target.
        target: usize,
        /// Why it refused.
        refused: Option<String>,
    },
    /// A format call refused what it was given, and did not look at the IRP.
    NotFormatted {
        /// The target.
        target: usize,
        /// Why.
        refused: String,
    },
    /// The driver's own location was copied to the next one, for any target.
    Copied {
        /// There is a next one. Else the machine stops.
        fits: bool,
    },
    /// `WdfRequestSend`.
    Sent {
        /// The target.
        target: usize,
    },
    /// The target keeps it until it is started.
    Pended {
        /// The target.
        target: usize,
    },
    /// `WdfRequestSend` failed.
    NotSent {
        /// The target.
        target: usize,
        /// Why.
        refused: String,
    },
    /// It is back from its target.
    Returned {
        /// The target.
        target: usize,
    },
    /// `IoCancelIrp`.
    Cancelled {
        /// Whether a cancel routine was set.
        routine: bool,
    },
    /// `IoCompleteRequest`: the walk up begins.
    Completed,
    /// A completion routine runs.
    Routine,
    /// The walk is over.
    Done,
    /// The IRP is freed.
    Freed,
}

/// Who has a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// A driver's own code.
    Driver,
    /// The framework, for its driver.
    Framework,
    /// A queue.
    Queue,
    /// An I/O target.
    Target,
    /// The I/O manager, or another part of the system.
    System,
}

/// A line of a driver's log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Line {
    /// The driver.
    pub driver: String,
    /// The record's sequence number in its driver's log.
    pub sequence: u32,
    /// Its place among the records of all drivers.
    pub moment: u64,
    /// Its level.
    pub level: &'static str,
    /// The function that wrote it.
    pub function: &'static str,
    /// The message.
    pub message: String,
    /// The request that it is about, or that something was being done for: by place.
    pub request: Option<usize>,
    /// The newest step of that request before it, by place among the request's.
    pub step: Option<usize>,
    /// It was written before the recording began.
    pub earlier: bool,
    /// The ring does not hold it any more: a real dump would not show it.
    pub overwritten: bool,
}
