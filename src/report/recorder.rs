//! Writes down what happens on a machine while it happens.
//!
//! The recorder lives on the machine that it watches. Every step is looked at when it is taken, as later the device, the
//! IRP or the request may be gone; and every step reads what the logs have grown by, as later the rings have overwritten it.

use std::collections::BTreeMap;

use vbus_wdf::{Destination, Driver, Handle, Level, LogLine, Queue, RequestObservation, RequestStep};
use vbus_wdm::{
    DevNode, DeviceObject, Irp, Machine, Major, NtStatus, Observation, Parameters, PnpMinor, RequestorMode,
    Step as IrpStep, Stop,
};

use super::attribute::attribute;
use super::record::*;

/// How a request is known that has no IRP (yet).
type Pending = (vbus_wdf::Request, usize);

#[derive(Default)]
struct Recorder {
    record: Record,
    devices: BTreeMap<DeviceObject, usize>,
    queues: Vec<Queue>,
    irps: BTreeMap<Irp, usize>,
    without_irp: Vec<Pending>,
    /// Each driver's log as far as it was read.
    logs: Vec<(Driver, u32)>,
    steps: usize,
}

/// Begins to write down everything that happens on the machine. Once in a machine's life.
pub fn start(m: &mut Machine, title: &str) {
    let mut recorder = Recorder::default();
    recorder.record.title = title.to_owned();
    recorder.read_logs(m, true);
    recorder.look_at_stacks(m);
    m.add_extension(recorder);
    m.on_irp_step(|m, seen| recording(m, |recorder, m| recorder.irp_step(m, seen)));
    vbus_wdf::on_request_step(m, |m, seen| recording(m, |recorder, m| recorder.request_step(m, seen)));
}

/// Says that something is about to be done to the machine from outside: a step of a scenario.
pub fn action(m: &mut Machine, name: impl Into<String>) {
    let (name, time) = (name.into(), m.now().0);
    recording(m, |recorder, m| {
        recorder.look_at_stacks(m);
        let order = recorder.steps;
        recorder.record.actions.push(Action { name, order, time, outcome: None, as_expected: None });
    });
}

/// Says how the newest action ended, and whether that is what was expected.
pub fn outcome(m: &mut Machine, outcome: impl Into<String>, as_expected: Option<bool>) {
    recording(m, |recorder, _| {
        if let Some(action) = recorder.record.actions.last_mut() {
            (action.outcome, action.as_expected) = (Some(outcome.into()), as_expected);
        }
    });
}

/// What was written down since [`start`]. The machine may be stopped by now.
pub fn finish(m: &mut Machine) -> Record {
    let stop = m.stopped().cloned();
    let mut finished = Record::default();
    recording(m, |recorder, m| {
        recorder.read_logs(m, false);
        recorder.look_at_stacks(m);
        recorder.mark_overwritten(m);
        finished = std::mem::take(&mut recorder.record);
    });
    if let Some(stop) = stop {
        ran_out(&mut finished, &stop);
        finished.stop = Some(stop.to_string());
    }
    number(&mut finished.requests);
    attribute(&mut finished);
    finished
}

fn number(requests: &mut [Request]) {
    for (kind, prefix) in [(Kind::Io, ""), (Kind::File, "f"), (Kind::System, "s")] {
        let of_kind = requests.iter_mut().filter(|request| request.kind == kind);
        of_kind.zip(1..).for_each(|(request, number)| request.label = format!("{prefix}{number}"));
    }
}

/// Bug check 0x35: the IRP in its first parameter had no location left for the device that was called.
fn ran_out(record: &mut Record, stop: &Stop) {
    let Stop::BugCheck(check) = stop else { return };
    let irp = Some(address(check.parameters[0]));
    let found = record.requests.iter_mut().rfind(|request| check.code == 0x35 && request.irp == irp);
    if let Some(request) = found {
        request.shortfall = Some(Shortfall { step: request.steps.len().saturating_sub(1), left: 0, needed: 1 });
    }
}

/// Takes the recorder off the machine while it looks at it.
fn recording(m: &mut Machine, look: impl FnOnce(&mut Recorder, &mut Machine)) {
    let mut recorder = std::mem::take(m.extension_mut::<Recorder>());
    look(&mut recorder, m);
    *m.extension_mut::<Recorder>() = recorder;
}

/// An address or a handle as logs print it.
fn address(word: u64) -> String {
    format!("{word:016X}")
}

pub(super) fn status_name(status: NtStatus) -> String {
    status.name().map_or_else(|| status.to_string(), str::to_owned)
}

impl Recorder {
    fn irp_step(&mut self, m: &mut Machine, seen: Observation) {
        self.read_logs(m, false);
        let at = self.request_of(m, seen.irp, None);
        let last = self.record.requests[at].steps.last().map(|step| (step.owner, step.device));
        let (owner, device) = last.unwrap_or((Owner::System, None));
        let (event, owner, device) = match seen.step {
            IrpStep::Call { device, .. } => {
                let device = self.device(m, device);
                (Event::Called, self.code_of(device), Some(device))
            }
            IrpStep::Routine { owner: Some(device) } => {
                let device = self.device(m, device);
                (Event::Routine, self.code_of(device), Some(device))
            }
            // The routine of an originator without a location: a request of the driver's own comes back to its target.
            IrpStep::Routine { owner: None } => {
                let sender = self.record.requests[at].steps.first().and_then(|step| step.device);
                (Event::Routine, Owner::Framework, sender)
            }
            IrpStep::Complete { owner } => {
                let device = owner.map(|device| self.device(m, device)).or(device);
                (Event::Completed, Owner::System, device)
            }
            IrpStep::Cancel { has_routine } => (Event::Cancelled { routine: has_routine }, owner, device),
            IrpStep::Done => (Event::Done, Owner::System, None),
            IrpStep::Free => (Event::Freed, Owner::System, None),
        };
        if matches!(seen.step, IrpStep::Call { .. }) {
            self.name(m, at, seen.irp);
        }
        // Until then some driver on its way may still keep it. An originator without a location hears by its routine.
        if matches!(seen.step, IrpStep::Done | IrpStep::Routine { owner: None }) {
            self.result(at, seen.status, seen.information);
        }
        self.step(m, at, event, owner, device);
        if seen.step == IrpStep::Free {
            self.irps.remove(&seen.irp);
        }
    }

    fn request_step(&mut self, m: &mut Machine, seen: RequestObservation) {
        self.read_logs(m, false);
        let at = match (seen.irp, seen.step) {
            (Some(irp), step) => {
                let adopted = self.adopt(seen.request);
                let owner = sender(step).map(|device| device.device_object(m)).map(|device| self.device(m, device));
                if let Some(at) = adopted.filter(|_| !self.irps.contains_key(&irp)) {
                    self.irps.insert(irp, at);
                    self.record.requests[at].irp = Some(address(irp.address()));
                }
                self.request_of(m, irp, owner)
            }
            (None, step) => self.request_without_irp(m, seen.request, step),
        };
        let handle = address(seen.request.object().handle());
        let request = &mut self.record.requests[at];
        if !request.handles.contains(&handle) {
            request.handles.push(handle);
        }
        self.write_request_step(m, at, seen);
    }

    fn write_request_step(&mut self, m: &mut Machine, at: usize, seen: RequestObservation) {
        let here = seen.request.device(m).map(|device| device.device_object(m)).map(|device| self.device(m, device));
        let last = self.record.requests[at].steps.last().map(|step| (step.owner, step.device));
        let (owner, device) = last.unwrap_or((Owner::Driver, here));
        let mut target = |destination: Destination| self.target(m, destination);
        let (event, owner, device) = match seen.step {
            RequestStep::Waits(queue) => (Event::Queued { queue: self.queue(m, queue) }, Owner::Queue, here),
            RequestStep::Driver(queue) => {
                let queue = queue.map(|queue| self.queue(m, queue));
                (Event::Presented { queue }, Owner::Driver, here)
            }
            RequestStep::Formatted(to, status) => {
                let refused = (!status.is_success()).then(|| status_name(status));
                (Event::Formatted { target: target(to), refused }, owner, device)
            }
            RequestStep::NotFormatted(to, status) => {
                (Event::NotFormatted { target: target(to), refused: status_name(status) }, owner, device)
            }
            RequestStep::Copied { fits } => (Event::Copied { fits }, owner, device),
            RequestStep::Sent(to) => (Event::Sent { target: target(to) }, Owner::Target, device),
            RequestStep::Pended(to) => (Event::Pended { target: target(to) }, Owner::Target, device),
            RequestStep::NotSent(to, status) => {
                (Event::NotSent { target: target(to), refused: status_name(status) }, owner, device)
            }
            RequestStep::Back(to, _) => {
                let target = target(to);
                (Event::Returned { target }, Owner::Driver, self.record.targets[target].owner)
            }
        };
        let no_next = matches!(seen.step, RequestStep::Copied { fits: false });
        let short = matches!(seen.step, RequestStep::Formatted(_, status) if !status.is_success());
        self.step(m, at, event, owner, device);
        let request = &mut self.record.requests[at];
        if no_next {
            request.shortfall = Some(Shortfall { step: request.steps.len() - 1, left: 0, needed: 1 });
        }
        if let (true, RequestStep::Formatted(to, _), Some(irp)) = (short, seen.step, seen.irp) {
            let left = m[irp].current_location().saturating_sub(1);
            if left < to.stack_size {
                request.shortfall = Some(Shortfall { step: request.steps.len() - 1, left, needed: to.stack_size });
            }
        }
    }

    /// The request that a step of this IRP belongs to; a new one for an IRP that was not seen before. `sender` is the
    /// device whose driver made it for itself.
    fn request_of(&mut self, m: &mut Machine, irp: Irp, sender: Option<usize>) -> usize {
        if let Some(&at) = self.irps.get(&irp) {
            return at;
        }
        let data = &m[irp];
        let from_outside = data.requestor_mode == RequestorMode::User || sender.is_none();
        let (owner, count) = (if from_outside { Owner::System } else { Owner::Driver }, data.stack_count());
        let at = self.new_request(Some(irp), count);
        self.irps.insert(irp, at);
        self.step(m, at, Event::Allocated, owner, sender);
        // The call that shows an IRP first has moved to its location already.
        let first = &mut self.record.requests[at].steps[0];
        first.location = count.saturating_add(1);
        first.locations.fill(None);
        at
    }

    fn request_without_irp(&mut self, m: &mut Machine, request: vbus_wdf::Request, step: RequestStep) -> usize {
        if let Some(&(_, at)) = self.without_irp.iter().find(|known| known.0 == request) {
            return at;
        }
        let at = self.new_request(None, 0);
        self.without_irp.push((request, at));
        let owner = sender(step).map(|device| device.device_object(m)).map(|device| self.device(m, device));
        self.step(m, at, Event::Allocated, Owner::Driver, owner);
        at
    }

    /// A request that had no IRP has one now.
    fn adopt(&mut self, request: vbus_wdf::Request) -> Option<usize> {
        let known = self.without_irp.iter().position(|known| known.0 == request)?;
        Some(self.without_irp.remove(known).1)
    }

    fn new_request(&mut self, irp: Option<Irp>, stack_count: i8) -> usize {
        self.record.requests.push(Request {
            label: String::new(),
            name: "a driver's own request".to_owned(),
            kind: Kind::Io,
            irp: irp.map(|irp| address(irp.address())),
            handles: Vec::new(),
            stack_count,
            steps: Vec::new(),
            status: None,
            success: false,
            information: 0,
            shortfall: None,
        });
        self.record.requests.len() - 1
    }

    fn name(&mut self, m: &Machine, at: usize, irp: Irp) {
        let first_call = !self.record.requests[at].steps.iter().any(|step| step.event == Event::Called);
        let location = m[irp].current();
        let request = &mut self.record.requests[at];
        if first_call {
            (request.kind, request.name) =
                (kind(location.major), name(location.major, location.minor, location.parameters));
        }
    }

    fn result(&mut self, at: usize, status: NtStatus, information: u64) {
        let request = &mut self.record.requests[at];
        (request.status, request.success) = (Some(status_name(status)), status.is_success());
        request.information = information;
    }

    fn step(&mut self, m: &mut Machine, at: usize, event: Event, owner: Owner, device: Option<usize>) {
        let irp = self.irps.iter().find(|known| *known.1 == at).map(|known| *known.0).filter(|irp| irp.exists(m));
        let (mut location, mut locations, mut cancelled, mut status) = (0, Vec::new(), false, String::new());
        if let Some(irp) = irp {
            let data = &m[irp];
            location = data.current_location();
            self.record.requests[at].stack_count = data.stack_count();
            let owner = |number| data.location(number).and_then(|known| known.device);
            let owners: Vec<Option<DeviceObject>> = (1..=data.stack_count()).map(owner).collect();
            (cancelled, status) = (data.cancel, status_name(data.io_status.status));
            locations = owners.into_iter().map(|device| device.map(|device| self.device(m, device))).collect();
        }
        let (order, time, moment) = (self.steps, m.now().0, vbus_wdf::log_moment(m));
        self.steps += 1;
        let step = Step { order, time, moment, event, owner, device, location, locations, status, cancelled };
        self.record.requests[at].steps.push(step);
    }

    /// Whose code runs when the device is called.
    fn code_of(&self, device: usize) -> Owner {
        if self.record.devices[device].framework { Owner::Framework } else { Owner::Driver }
    }

    fn device(&mut self, m: &mut Machine, device: DeviceObject) -> usize {
        if let Some(&known) = self.devices.get(&device) {
            return known;
        }
        let node = DevNode::of_stack(m, device).filter(|_| device.exists(m));
        let driver = device.exists(m).then(|| device.driver(m));
        let role = match node {
            None => Role::Control,
            Some(_) if device.lower_device(m).is_none() => Role::Pdo,
            Some(node) if node.function_driver(m) == driver => Role::Fdo,
            Some(_) => Role::Filter,
        };
        self.record.devices.push(Device {
            driver: device.driver_name(m).to_owned(),
            role,
            instance: node.map(|node| node.instance_path(m)),
            address: address(device.address()),
            framework: vbus_wdf::drivers(m).iter().any(|known| Some(known.driver_object(m)) == driver),
        });
        self.devices.insert(device, self.record.devices.len() - 1);
        self.record.devices.len() - 1
    }

    fn target(&mut self, m: &mut Machine, destination: Destination) -> usize {
        let owner = destination.owner.object().exists(m).then(|| destination.owner.device_object(m));
        let target = Target {
            handle: address(destination.target.handle()),
            owner: owner.map(|device| self.device(m, device)),
            device: destination.device.map(|device| self.device(m, device)),
            stack_size: destination.stack_size,
            since: self.steps,
        };
        let same = |known: &Target| Target { since: target.since, ..known.clone() } == target;
        let known = self.record.targets.iter().position(same);
        known.unwrap_or_else(|| {
            self.record.targets.push(target);
            self.record.targets.len() - 1
        })
    }

    /// How a queue is called: a device has one default queue, the others are numbered as they are seen.
    fn queue(&mut self, m: &mut Machine, queue: Queue) -> String {
        let device = queue.device(m);
        if device.default_queue(m) == Some(queue) {
            return "default queue".to_owned();
        }
        let at = self.queues.iter().position(|&known| known == queue).unwrap_or_else(|| {
            self.queues.push(queue);
            self.queues.len() - 1
        });
        format!("queue {}", at + 1)
    }

    /// Writes the stacks down, if they are not as they were.
    fn look_at_stacks(&mut self, m: &mut Machine) {
        let mut nodes: Vec<(DevNode, Option<usize>)> = m.root_devnodes().iter().map(|&node| (node, None)).collect();
        let mut stacks = Vec::new();
        while let Some(&(node, parent)) = nodes.get(stacks.len()) {
            let at = stacks.len();
            nodes.extend(node.children(m).into_iter().map(|child| (child, Some(at))));
            let devices = node.pdo(m).map_or(Vec::new(), |pdo| pdo.stack(m)).into_iter().filter(|it| it.exists(m));
            let devices: Vec<DeviceObject> = devices.collect();
            let stacked = |device| StackedDevice { device: self.device(m, device), stack_size: m[device].stack_size };
            let devices = devices.into_iter().map(stacked).collect();
            stacks.push(Stack { instance: node.instance_path(m), parent, devices });
        }
        if self.record.topologies.last().is_none_or(|last| last.stacks != stacks) {
            let actions = self.record.actions.len();
            self.record.topologies.push(Topology { order: self.steps, actions, stacks });
        }
    }

    fn read_logs(&mut self, m: &Machine, earlier: bool) {
        for driver in vbus_wdf::drivers(m) {
            let at = self.logs.iter().position(|known| known.0 == driver).unwrap_or_else(|| {
                self.logs.push((driver, 0));
                self.logs.len() - 1
            });
            let (newest, read) = (driver.log_sequence(m), self.logs[at].1);
            if newest == read {
                continue;
            }
            self.logs[at].1 = newest;
            let name = &m[driver.driver_object(m)].name;
            self.record.log.extend(driver.log_after(m, read).into_iter().map(|line| of_log(name, line, earlier)));
        }
    }

    /// A dump shows only what a ring still holds.
    fn mark_overwritten(&mut self, m: &Machine) {
        for driver in vbus_wdf::drivers(m) {
            let name = &m[driver.driver_object(m)].name;
            let oldest = driver.log(m).first().map_or(0, |line| line.sequence);
            for line in self.record.log.iter_mut().filter(|line| line.driver == *name) {
                line.overwritten = line.sequence < oldest;
            }
        }
    }
}

/// The device whose driver made a request, as far as the step tells.
fn sender(step: RequestStep) -> Option<vbus_wdf::Device> {
    match step {
        RequestStep::Formatted(to, _)
        | RequestStep::NotFormatted(to, _)
        | RequestStep::Sent(to)
        | RequestStep::Pended(to)
        | RequestStep::NotSent(to, _)
        | RequestStep::Back(to, _) => Some(to.owner),
        RequestStep::Waits(_) | RequestStep::Driver(_) | RequestStep::Copied { .. } => None,
    }
}

fn of_log(driver: &str, line: LogLine, earlier: bool) -> Line {
    let level = match line.level {
        Level::Fatal => "fatal",
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Information => "information",
        Level::Verbose => "verbose",
    };
    Line {
        driver: driver.to_owned(),
        sequence: line.sequence,
        moment: line.moment,
        level,
        function: line.function,
        message: line.message,
        request: None,
        step: None,
        earlier,
        overwritten: false,
    }
}

fn kind(major: Major) -> Kind {
    match major {
        Major::Read | Major::Write | Major::DeviceControl | Major::InternalDeviceControl => Kind::Io,
        Major::Create | Major::Cleanup | Major::Close => Kind::File,
        _ => Kind::System,
    }
}

fn name(major: Major, minor: u8, parameters: Parameters) -> String {
    match (major, parameters) {
        (_, Parameters::DeviceIoControl { code, .. } | Parameters::Others { code, .. }) => {
            format!("{} {code}", major.name())
        }
        (_, Parameters::Transfer { length: 1, .. }) => format!("{} of 1 byte", major.name()),
        (_, Parameters::Transfer { length, .. }) => format!("{} of {length} bytes", major.name()),
        (Major::Pnp, _) => PnpMinor::from_code(minor).map_or(major.name(), PnpMinor::name).to_owned(),
        (_, Parameters::Power(power)) => format!("{} {power}", major.name()),
        _ => major.name().to_owned(),
    }
}
