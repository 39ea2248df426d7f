//! A driver with a remote target on a plain device: what the tests of requests and targets are played on.

use vbus::iotarget::{CompletionParams, Data, IoTarget, SendOptions, SendRequest};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{
    BugCheck, Context, DeviceObject, Installation, IoctlCode, Irp, Machine, Major, NtStatus, OpenOptions, PnpAnswer,
    Stop,
};

/// An internal control code, METHOD_NEITHER.
pub const CODE: IoctlCode = IoctlCode(0x0022_0003);

/// What the plain device below the target does with what it is sent.
#[derive(Clone, Copy)]
pub enum Lower {
    /// Completes it at once.
    Completes(NtStatus, u64),
    /// Keeps it until it is cancelled, or the test completes it.
    Holds,
    /// Keeps it until the test completes it.
    HoldsDeaf,
    /// Whatever the test says.
    Does(fn(&mut Machine, DeviceObject, Irp) -> NtStatus),
}

/// What the plain device holds and saw, and what the driver heard.
pub struct World {
    pub lower: Lower,
    pub held: Vec<Irp>,
    /// The major functions that arrived below.
    pub arrived: Vec<Major>,
    /// What completion routines were given, oldest first.
    pub back: Vec<CompletionParams>,
    /// Notes of the test's own callbacks.
    pub notes: Vec<String>,
    /// What the driver's queue was given.
    pub presented: Option<Request>,
    /// When a call blocks: what happens then, once.
    pub when_blocked: Option<fn(&mut Machine)>,
    pub target: Option<IoTarget>,
    pub device: Option<Device>,
    /// The plain device.
    pub plain: Option<DeviceObject>,
}

pub struct Bench {
    pub machine: Machine,
    pub driver: Driver,
    pub device: Device,
    pub lower: DeviceObject,
    pub target: IoTarget,
    /// The sequence number of the last log record that the test does not look at.
    mark: u32,
    breaks: usize,
}

/// How a bench is built.
#[derive(Clone, Copy)]
pub struct Setup {
    pub verifier: bool,
    pub break_on_error: Option<bool>,
    /// StackSize of the plain device.
    pub stack: i8,
    /// WdfDeviceInitAllowSelfIoTarget.
    pub self_target: bool,
    /// The driver's device has no default queue.
    pub without_queue: bool,
    /// EvtDeviceFileCreate, of a device with file objects.
    pub on_create: Option<FileCreate>,
    /// EvtIoInCallerContext.
    pub in_caller_context: Option<InCallerContext>,
    /// What the driver does with its own target before the device is started.
    pub on_add: Option<fn(&mut Machine, Device, IoTarget)>,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            verifier: false,
            break_on_error: None,
            stack: 1,
            self_target: false,
            without_queue: false,
            on_create: None,
            in_caller_context: None,
            on_add: None,
        }
    }
}

/// The bench, its target open on the plain device, which completes with success and Information 0.
pub fn bench() -> Bench {
    Setup::default().open()
}

/// The same with the framework verifier on.
pub fn verified() -> Bench {
    Setup { verifier: true, ..Setup::default() }.open()
}

impl Setup {
    pub fn open(self) -> Bench {
        let mut bench = self.closed();
        let (target, lower) = (bench.target, bench.lower);
        bench.run(|m| target.open_existing_device(m, lower)).unwrap();
        bench.forget_log();
        bench
    }

    /// The target is created, and open on nothing.
    pub fn closed(self) -> Bench {
        let mut machine = Machine::new();
        machine.add_extension(World {
            lower: Lower::Completes(STATUS_SUCCESS, 0),
            held: Vec::new(),
            arrived: Vec::new(),
            back: Vec::new(),
            notes: Vec::new(),
            presented: None,
            when_blocked: None,
            target: None,
            device: None,
            plain: None,
        });
        let Setup { verifier, break_on_error, .. } = self;
        let device_add = Some(device_add as DeviceAdd);
        let config = DriverConfig {
            device_add,
            verbose: true,
            verifier,
            break_on_error,
            log_pages: 16,
            ..DriverConfig::default()
        };
        let driver = Driver::create(&mut machine, "sender", config, Attributes::none().context(self));
        let function = Some(driver.driver_object(&machine));
        machine.install(Installation { hardware_id: "ROOT\\SENDER".into(), function, ..Installation::default() });
        let pdo = machine.add_root_device("ROOT\\SENDER").unwrap().pdo(&machine).unwrap();
        machine.create_symbolic_link("\\??\\SENDER", pdo).unwrap();
        let plain = machine.create_driver("plain");
        plain.set_all_majors(&mut machine, arrive);
        plain.set_major(&mut machine, Major::Pnp, is_its_own_pdo);
        let lower = machine.create_device(plain);
        machine[lower].initializing = false;
        machine[lower].stack_size = self.stack;
        machine.create_symbolic_link("\\??\\LOWER", lower).unwrap();
        machine.extension_mut::<World>().plain = Some(lower);
        // The plain device is in no tree: the tests play its PnP manager.
        machine.on_pnp_request(|_, _, _| {});
        machine.on_idle(|m| {
            let act = m.extension_mut::<World>().when_blocked.take();
            act.map(|act| act(m)).is_some()
        });
        let device = machine.extension::<World>().device.unwrap();
        let target = machine.run(|m| IoTarget::create(m, device, Attributes::none())).unwrap().unwrap();
        machine.extension_mut::<World>().target = Some(target);
        let mut bench = Bench { machine, driver, device, lower, target, mark: 0, breaks: 0 };
        bench.own_stack_is(8);
        bench.forget_log();
        bench
    }
}

fn device_add(m: &mut Machine, driver: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let Setup { self_target, without_queue, on_create, in_caller_context, on_add, .. } = *driver.context::<Setup>(m);
    let init = if self_target { init.allow_self_target() } else { init };
    let init = match on_create {
        Some(on_create) => init.file_objects(FileConfig::new().on_create(on_create)),
        None => init,
    };
    let init = match in_caller_context {
        Some(callback) => init.in_caller_context(callback),
        None => init,
    };
    let device = init.create(m, Attributes::none())?;
    m.extension_mut::<World>().device = Some(device);
    if !without_queue {
        Queue::config(Dispatch::Parallel)
            .on_default(|m, _, request| m.extension_mut::<World>().presented = Some(request))
            .create_default(m, device)?;
    }
    if let Some(on_add) = on_add
        && let Some(own) = IoTarget::self_of(m, device)
    {
        on_add(m, device, own);
    }
    Ok(())
}

/// The only PnP IRP that a target sends asks for the PDO of its stack.
fn is_its_own_pdo(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    m[irp].pnp_answer = PnpAnswer::Relations(vec![device]);
    irp.complete_with(m, STATUS_SUCCESS, 0)
}

fn arrive(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    let major = m[irp].current().major;
    let World { lower, arrived, .. } = m.extension_mut::<World>();
    arrived.push(major);
    match *lower {
        _ if matches!(major, Major::Create | Major::Cleanup | Major::Close) => irp.complete_with(m, STATUS_SUCCESS, 0),
        Lower::Completes(status, information) => irp.complete_with(m, status, information),
        Lower::Does(act) => act(m, device, irp),
        Lower::Holds | Lower::HoldsDeaf => {
            if matches!(lower, Lower::Holds) {
                irp.set_cancel_routine(m, Some(cancelled));
            }
            irp.mark_pending(m);
            m.extension_mut::<World>().held.push(irp);
            STATUS_PENDING
        }
    }
}

fn cancelled(m: &mut Machine, _: Option<DeviceObject>, irp: Irp) {
    irp.release_cancel_spin_lock(m);
    let_go(m, irp, STATUS_CANCELLED, 0);
}

fn let_go(m: &mut Machine, irp: Irp, status: NtStatus, information: u64) {
    m.extension_mut::<World>().held.retain(|&held| held != irp);
    irp.set_cancel_routine(m, None);
    irp.complete_with(m, status, information);
}

/// The plain device completes the oldest IRP that it holds.
pub fn complete_held(m: &mut Machine, status: NtStatus, information: u64) {
    let irp = m.extension::<World>().held[0];
    let_go(m, irp, status, information);
}

/// A completion routine that keeps what it was given.
pub fn came_back(m: &mut Machine, _: Request, _: IoTarget, params: &CompletionParams, _: Context) {
    m.extension_mut::<World>().back.push(*params);
}

/// Writes a note of a test's own callback.
pub fn note(m: &mut Machine, text: &str) {
    m.extension_mut::<World>().notes.push(text.to_owned());
}

impl Bench {
    pub fn run<T>(&mut self, act: impl FnOnce(&mut Machine) -> T) -> T {
        self.machine.run(act).unwrap()
    }

    pub fn lower_is(&mut self, lower: Lower) {
        self.machine.extension_mut::<World>().lower = lower;
    }

    /// How many locations the driver's own device object has from now on, which is how many a program's IRPs get.
    pub fn own_stack_is(&mut self, stack: i8) {
        let object = self.device.device_object(&mut self.machine);
        self.machine[object].stack_size = stack;
    }

    pub fn world(&self) -> &World {
        self.machine.extension::<World>()
    }

    /// The statuses that completion routines were given.
    pub fn back(&self) -> Vec<NtStatus> {
        self.world().back.iter().map(|params| params.io_status.status).collect()
    }

    /// A request of the driver's own, with an IRP that is deep enough.
    pub fn created(&mut self) -> Request {
        let target = self.target;
        self.run(|m| target.create_request(m, Attributes::none())).unwrap()
    }

    /// The same, formatted as an internal control request without data, with a completion routine.
    pub fn formatted(&mut self) -> Request {
        let (request, target) = (self.created(), self.target);
        self.run(|m| {
            target.format_internal_ioctl(m, request, CODE, Data::None, Data::None).unwrap();
            request.set_completion_routine(m, came_back, Context(0));
        });
        request
    }

    /// Sends a new request. Returns it, and whether it was sent.
    pub fn sent(&mut self, options: SendOptions) -> (Request, bool) {
        let (request, target) = (self.formatted(), self.target);
        (request, self.run(|m| request.send(m, target, options)))
    }

    /// A program's control request, presented by the driver's queue.
    pub fn dispatched(&mut self, code: IoctlCode, input: &[u8], output: usize) -> Request {
        let file = self.machine.create_file("\\\\.\\SENDER", OpenOptions::OVERLAPPED).unwrap().unwrap();
        self.machine.start_io_control(file, code, input, &vec![0; output]).unwrap().unwrap();
        self.machine.extension_mut::<World>().presented.take().unwrap()
    }

    pub fn status(&mut self, request: Request) -> NtStatus {
        self.run(|m| request.status(m))
    }

    /// What the test does not look at is over.
    pub fn forget_log(&mut self) {
        self.mark = self.driver.log_sequence(&self.machine);
        self.breaks = self.driver.debugger_breaks(&self.machine).len();
    }

    /// What the driver logged since the target was opened, with names for what the test knows.
    pub fn log(&self, names: &[(u64, &str)]) -> Vec<String> {
        let lines = self.driver.log_after(&self.machine, self.mark);
        let own = [
            (self.target.object().handle(), "target"),
            (self.device.object().handle(), "device"),
            (self.lower.address(), "lower"),
            (0, "NULL"),
        ];
        let names: Vec<_> = own.iter().chain(names).copied().collect();
        lines
            .iter()
            .map(|line| format!("{:?} {} - {}", line.level, line.function, with_names(&line.message, &names)))
            .collect()
    }

    /// Only the messages.
    pub fn messages(&self, names: &[(u64, &str)]) -> Vec<String> {
        self.log(names).into_iter().filter_map(|line| line.split_once(" - ").map(|(_, text)| text.to_owned())).collect()
    }

    /// How often the framework broke into the debugger since.
    pub fn breaks(&self) -> usize {
        self.driver.debugger_breaks(&self.machine).len() - self.breaks
    }

    /// The bug check that `act` ends in.
    pub fn bug_check(mut self, act: impl FnOnce(&mut Machine)) -> BugCheck {
        match self.machine.run(act) {
            Err(Stop::BugCheck(check)) => check,
            other => panic!("a bug check was expected: {other:?}"),
        }
    }

    /// The rule that `act` breaks where Windows is undefined.
    pub fn broken_rule(mut self, act: impl FnOnce(&mut Machine)) -> String {
        match self.machine.run(act) {
            Err(Stop::Undefined { rule, .. }) => rule.to_string(),
            other => panic!("undefined behaviour was expected: {other:?}"),
        }
    }
}

/// Replaces the 16 digits of every address by its name, or by a question mark.
pub fn with_names(text: &str, names: &[(u64, &str)]) -> String {
    let mut named = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        if digits == 0 {
            named.push(next);
            rest = &rest[next.len_utf8()..];
            continue;
        }
        match (digits, u64::from_str_radix(&rest[..digits], 16)) {
            (16, Ok(value)) => {
                let name = names.iter().find(|(known, _)| *known == value).map_or("?", |(_, name)| name);
                if named.ends_with("0x") {
                    named.truncate(named.len() - 2);
                }
                named += &format!("<{name}>");
            }
            _ => named += &rest[..digits],
        }
        rest = &rest[digits..];
    }
    named
}
