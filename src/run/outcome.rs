//! What a scenario came to.

use serde::Serialize;
use vbus_wdf::{Level, LogLine};
use vbus_wdm::{Observation, Step as IrpStep, Stop};

use super::stage::Stage;
use crate::scenario::step::{Action, Step};
use crate::scenario::target::TargetState;
use crate::scenario::value::{Bytes, Status, Word};

/// What a scenario came to.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Outcome {
    /// The scenario's title.
    pub title: String,
    /// The device stacks when the first step began.
    pub stacks: Vec<DeviceStack>,
    /// What the drivers logged until then.
    pub start_log: Vec<Record>,
    /// Its steps.
    pub steps: Vec<StepOutcome>,
    /// The device stacks at the end, or when the machine stopped.
    pub stacks_after: Vec<DeviceStack>,
    /// What stopped the machine, if anything did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stopped>,
    /// Requests that no step waited for.
    pub unfinished: Vec<String>,
}

/// A device stack, highest device first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DeviceStack {
    /// The bus.
    pub bus: String,
    /// The reader's id; none for the bus's own stack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reader: Option<u32>,
    /// The devices.
    pub devices: Vec<StackDevice>,
    /// The stack size that the bus's target checks requests against; none where there is no open target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_stack_size: Option<i8>,
}

/// A device of a stack.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct StackDevice {
    /// Its driver.
    pub driver: String,
    /// `FDO`, `PDO` or `filter`.
    pub role: &'static str,
    /// Its StackSize.
    pub stack_size: i8,
}

/// What a step came to.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct StepOutcome {
    /// Its name, or its action.
    pub name: String,
    /// The action's key.
    pub action: &'static str,
    /// What the program saw; none where the machine stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Information.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub information: Option<u64>,
    /// The output that came back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Bytes>,
    /// The machine's clock afterwards, in 100 ns.
    pub at_ticks: u64,
    /// What the drivers logged meanwhile.
    pub log: Vec<Record>,
    /// How the IRPs travelled meanwhile.
    pub irps: Vec<Travel>,
    /// How often the framework verifier broke into the debugger.
    pub debugger_breaks: usize,
    /// The states of the targets that are expected to be in one, in the order in which they are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<TargetState>,
    /// What stopped the machine in this step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stopped>,
    /// Why a request was refused, in numbers and with the fix, with ANSI styles; in JSON without.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "plain")]
    pub reason: Option<String>,
    /// What was expected and is not so.
    pub failures: Vec<String>,
}

fn plain<S: serde::Serializer>(reason: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    match reason {
        Some(reason) => serializer.collect_str(&anstream::adapter::strip_str(reason)),
        None => serializer.serialize_none(),
    }
}

/// A line of a driver's log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Record {
    /// Whose log it is.
    pub driver: String,
    /// The record's number in that log.
    pub sequence: u32,
    /// Its place among the records of all drivers.
    pub moment: u64,
    /// `error`, `warning`, `information` or `verbose`.
    pub level: &'static str,
    /// The function that wrote it.
    pub function: &'static str,
    /// What it says.
    pub message: String,
}

/// One step of one IRP.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Travel {
    /// The IRP's address.
    pub irp: Word,
    /// What happened.
    pub step: TravelStep,
    /// The driver of the device that it happened at; none above the highest location.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// The major function, of a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub major: Option<&'static str>,
    /// StackCount.
    pub stack_count: i8,
    /// CurrentLocation.
    pub current_location: i8,
    /// IoStatus.Status.
    pub status: Status,
}

/// What happened to an IRP.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TravelStep {
    /// A driver was called.
    Call,
    /// A driver completed it.
    Complete,
    /// A completion routine runs.
    Routine,
    /// Somebody called IoCancelIrp.
    Cancel,
    /// The walk up passed the last location.
    Done,
    /// It is freed.
    Free,
}

/// What stopped a machine.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Stopped {
    /// A bug check.
    BugCheck {
        /// The stop code.
        code: Word,
        /// Its name.
        name: &'static str,
        /// Its parameters.
        parameters: [Word; 4],
        /// The whole line.
        text: String,
    },
    /// A wait that nothing can end.
    Hang {
        /// For what.
        waiting_for: &'static str,
        /// The whole line.
        text: String,
    },
    /// Windows is undefined here.
    Undefined {
        /// In which call.
        ddi: &'static str,
        /// The rule that was broken.
        rule: &'static str,
        /// The whole line.
        text: String,
    },
}

impl Outcome {
    /// Whether everything was as expected.
    pub fn as_expected(&self) -> bool {
        // A machine that stops before its first step was expected to come up.
        let started = self.stop.is_none() || self.steps.iter().any(|step| step.stop.is_some());
        started && self.steps.iter().all(|step| step.failures.is_empty())
    }

    /// Whether every step succeeded, whatever was expected of it.
    pub fn worked(&self) -> bool {
        let success = |step: &StepOutcome| step.status.is_some_and(|status| status.0.is_success());
        self.stop.is_none() && self.steps.iter().all(success)
    }

    /// What all drivers logged, in the order in which it happened.
    pub fn log(&self) -> impl Iterator<Item = &Record> {
        self.start_log.iter().chain(self.steps.iter().flat_map(|step| &step.log))
    }
}

impl StepOutcome {
    pub(crate) fn of(step: &Step, action: Action<'_>) -> StepOutcome {
        StepOutcome {
            name: step.name.clone().unwrap_or_else(|| describe(action)),
            action: action.key(),
            status: None,
            information: None,
            output: None,
            at_ticks: 0,
            log: Vec::new(),
            irps: Vec::new(),
            debugger_breaks: 0,
            targets: Vec::new(),
            stop: None,
            reason: None,
            failures: Vec::new(),
        }
    }
}

impl StepOutcome {
    /// What it came to, in a word: the status, or what stopped the machine.
    pub fn came_to(&self) -> String {
        match (&self.stop, self.status) {
            (Some(stop), _) => stop.text().to_owned(),
            (None, Some(status)) => status.to_string(),
            (None, None) => "not reached".to_owned(),
        }
    }
}

/// A step without a name is called by what it does.
fn describe(action: Action<'_>) -> String {
    let key = action.key().replace('_', " ");
    match action {
        Action::Plug(on) | Action::Unplug(on) | Action::Eject(on) | Action::Remove(on) => {
            format!("{key} reader {}", on.reader.get_ref())
        }
        Action::Forward(forward) => format!("forward {} to reader {}", forward.ioctl, forward.reader.get_ref()),
        Action::Control(request) => format!("ioctl {} on {}", request.code, request.handle.get_ref()),
        Action::Cancel(on) | Action::Wait(on) => format!("{key} {}", on.request.get_ref()),
        Action::Read(read) => format!("read {} bytes of {}", read.length, read.handle.get_ref()),
        Action::Write(write) => format!("write {} bytes to {}", write.data.0.len(), write.handle.get_ref()),
        Action::ExitThread(on) => format!("thread {} ends", on.thread.get_ref()),
        Action::FailAllocation(on) => format!("allocation {} fails", on.nth),
        Action::Advance(span) => format!("advance {} ms", span.ms),
        Action::PowerDown(down) => format!("power down to {:?}", down.state),
        Action::Attach(attach) => format!("attach {}", attach.filter.name()),
        _ => key,
    }
}

impl Stopped {
    pub(super) fn of(stop: &Stop) -> Stopped {
        let text = stop.to_string();
        match stop {
            Stop::BugCheck(check) => Stopped::BugCheck {
                code: Word(check.code.into()),
                name: check.name(),
                parameters: check.parameters.map(Word),
                text,
            },
            Stop::Hang { waiting_for } => Stopped::Hang { waiting_for, text },
            Stop::Undefined { ddi, rule } => Stopped::Undefined { ddi, rule, text },
            // A panic of the harness's own code is not caught here, so nobody sees a machine after one.
            Stop::Panicked => Stopped::Undefined { ddi: "the harness", rule: "a driver's code does not panic", text },
        }
    }

    /// What stopped it, in a line.
    pub fn text(&self) -> &str {
        match self {
            Stopped::BugCheck { text, .. } | Stopped::Hang { text, .. } | Stopped::Undefined { text, .. } => text,
        }
    }
}

impl std::fmt::Display for Record {
    /// As `!wdflogdump` prints it, after the driver's name.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}: {} - {}", self.driver, self.sequence, self.function, self.message)
    }
}

/// Log lines as an outcome keeps them.
pub(super) fn records(lines: Vec<(String, LogLine)>) -> Vec<Record> {
    let level = |level: Level| match level {
        Level::Verbose => "verbose",
        Level::Information => "information",
        Level::Warning => "warning",
        _ => "error",
    };
    let record = |(driver, line): (String, LogLine)| Record {
        driver,
        sequence: line.sequence,
        moment: line.moment,
        level: level(line.level),
        function: line.function,
        message: line.message,
    };
    lines.into_iter().map(record).collect()
}

impl Stage<'_> {
    /// How the IRPs travelled since they are watched.
    pub(super) fn travels(&mut self) -> Vec<Travel> {
        let seen = self.m.take_observations();
        seen.iter().map(|seen| self.travel(seen)).collect()
    }

    fn travel(&self, seen: &Observation) -> Travel {
        let (step, device, major) = match seen.step {
            IrpStep::Call { device, major } => (TravelStep::Call, Some(device), Some(major.name())),
            IrpStep::Complete { owner } => (TravelStep::Complete, owner, None),
            IrpStep::Routine { owner } => (TravelStep::Routine, owner, None),
            IrpStep::Cancel { .. } => (TravelStep::Cancel, None, None),
            IrpStep::Done => (TravelStep::Done, None, None),
            IrpStep::Free => (TravelStep::Free, None, None),
        };
        Travel {
            irp: Word(seen.irp.address()),
            step,
            driver: device.map(|device| device.driver_name(&self.m).to_owned()),
            major,
            stack_count: seen.stack_count,
            current_location: seen.current_location,
            status: Status(seen.status),
        }
    }

    /// The states of the targets that a step expects to be in one.
    pub(super) fn targets(&mut self, step: &Step) -> Vec<TargetState> {
        let running = self.m.stopped().is_none();
        let states = step.expect.target.iter().map(|expected| {
            let bus = self.scenario.bus_index(expected.bus.as_ref().map(|name| name.get_ref().as_str()));
            let target = bus.filter(|_| running).and_then(|bus| self.target(bus, *expected.reader.get_ref()));
            TargetState::of(target.map(|target| target.state(&mut self.m)))
        });
        states.collect()
    }

    /// The stacks of the buses and of the readers that are there.
    pub(super) fn stacks(&mut self) -> Vec<DeviceStack> {
        let mut stacks = Vec::new();
        for (index, bus) in self.scenario.bus.iter().enumerate() {
            stacks.extend(self.stack_of(index, None));
            for reader in &bus.reader {
                stacks.extend(self.stack_of(index, Some(*reader.id.get_ref())));
            }
        }
        stacks
    }

    fn stack_of(&mut self, bus: usize, reader: Option<u32>) -> Option<DeviceStack> {
        let pdo = self.node(bus, reader)?.pdo(&self.m)?;
        let name = self.scenario.bus[bus].name();
        let of_function = |driver: &str| match reader {
            None => driver == name,
            Some(_) => self.is_reader_driver(driver),
        };
        let devices = pdo.stack(&self.m).into_iter().map(|device| {
            let driver = device.driver_name(&self.m);
            let role = if device == pdo {
                "PDO"
            } else if of_function(driver) {
                "FDO"
            } else {
                "filter"
            };
            StackDevice { driver: driver.to_owned(), role, stack_size: self.m[device].stack_size }
        });
        let devices = devices.collect();
        // A machine that stopped answers no DDI any more; what its devices look like is still there.
        let running = self.m.stopped().is_none();
        let target = reader.filter(|_| running).and_then(|id| self.target(bus, id));
        let target_stack_size = target.and_then(|target| {
            // One that is not open has none.
            Some(target.stack_size(&mut self.m)).filter(|&size| size > 0)
        });
        Some(DeviceStack { bus: name.to_owned(), reader, devices, target_stack_size })
    }
}
