//! A framework device, as a function driver's or as a filter's, whose driver notes what it is given.

use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{
    Context, Control, DeviceObject, FileObject, Installation, IoType, IoctlCode, Irp, Machine, Major, NtStatus,
    Observation, OpenOptions, Parameters, RequestorMode, Span, Step,
};

/// Which callbacks a queue has.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Handles {
    /// EvtIoDefault.
    Everything,
    Read,
    DeviceControl,
    /// A callback for each kind, and no EvtIoDefault.
    EachKind,
    /// None: it is manual.
    Manual,
}

/// What a driver asks its request, before it completes it.
pub type Ask = fn(&mut Machine, Request);

/// How the device is made.
#[derive(Clone, Copy, Default)]
pub struct Plan {
    pub filter: bool,
    pub default_queue: Option<Handles>,
    pub second_queue: Option<Handles>,
    /// What the second queue is configured for.
    pub configured: Option<Major>,
    pub zero_length: bool,
    pub io_type: IoType,
    pub in_caller_context: Option<InCallerContext>,
    pub wdm_dispatch: Option<WdmIrpDispatch>,
    pub ask: Option<Ask>,
    pub files: Files,
}

/// What the driver says of files.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub enum Files {
    #[default]
    Nothing,
    /// WdfDeviceInitSetFileObjectConfig without a callback.
    Objects,
    /// With all three.
    Callbacks,
}

/// What the driver made, and what was seen.
pub struct Scene {
    plan: Plan,
    pub device: Option<Device>,
    pub queue: Option<Queue>,
    pub second: Option<Queue>,
    pub notes: Vec<String>,
}

pub struct Bench {
    pub machine: Machine,
    driver: Driver,
    mark: u32,
    /// What was sent last.
    sent: Option<Irp>,
}

/// The majors that become requests, and their kinds' names.
pub const IO: [Major; 4] = [Major::Read, Major::Write, Major::DeviceControl, Major::InternalDeviceControl];

impl Plan {
    /// The device is started.
    pub fn open(self) -> Bench {
        let mut machine = Machine::new();
        let scene = Scene { plan: self, device: None, queue: None, second: None, notes: Vec::new() };
        machine.add_extension(scene);
        let config = DriverConfig { device_add: Some(device_add), log_pages: 16, ..DriverConfig::default() };
        let driver = Driver::create(&mut machine, "driver", config, Attributes::none());
        let own = driver.driver_object(&machine);
        let below = plain(&mut machine);
        let (function, upper_filters) = if self.filter { (below, vec![own]) } else { (own, Vec::new()) };
        machine.install(Installation {
            hardware_id: "ROOT\\CALLERS".into(),
            function: Some(function),
            upper_filters,
            ..Installation::default()
        });
        machine.add_root_device("ROOT\\CALLERS").unwrap();
        machine.on_irp_step(seen);
        let mut bench = Bench { machine, driver, mark: 0, sent: None };
        bench.errors();
        bench.machine.extension_mut::<Scene>().notes.clear();
        bench
    }
}

/// The function driver below a filter: it lets PnP pass and succeeds at everything else.
fn plain(m: &mut Machine) -> vbus::wdm::DriverObject {
    let driver = m.create_driver("below");
    driver.set_add_device(m, |m, driver, pdo| {
        let device = m.create_device(driver);
        device.attach_to_stack(m, pdo).unwrap();
        m[device].initializing = false;
        STATUS_SUCCESS
    });
    driver.set_all_majors(m, |m, _, irp| irp.complete_with(m, STATUS_SUCCESS, 0));
    driver.set_major(m, Major::Pnp, |m, device, irp| {
        m[irp].skip_current_location();
        let lower = device.lower_device(m).unwrap();
        irp.call_driver(m, lower)
    });
    driver
}

/// An IRP reaches the device below.
fn seen(m: &mut Machine, seen: Observation) {
    if let (Step::Call { device, .. }, Some(own)) = (seen.step, m.extension::<Scene>().device) {
        let own = own.device_object(m);
        if own.lower_device(m) == Some(device) {
            let pended =
                if m[seen.irp].current().control.has(Control::PENDING_RETURNED) { ", marked pending" } else { "" };
            note(m, format!("passed down{pended}"));
        }
    }
}

pub fn note(m: &mut Machine, what: impl Into<String>) {
    m.extension_mut::<Scene>().notes.push(what.into());
}

fn device_add(m: &mut Machine, _: Driver, mut init: DeviceInit) -> Result<(), NtStatus> {
    let plan = m.extension::<Scene>().plan;
    init = init.io_type(plan.io_type);
    if plan.filter {
        init = init.filter();
    }
    if let Some(callback) = plan.in_caller_context {
        init = init.in_caller_context(callback);
    }
    init = match plan.files {
        Files::Nothing => init,
        Files::Objects => init.file_objects(FileConfig::new()),
        Files::Callbacks => init.file_objects(
            FileConfig::new()
                .on_create(|m, _, request, file| {
                    note(m, format!("EvtDeviceFileCreate{}", handle_of(file)));
                    request.complete(m, STATUS_SUCCESS);
                })
                .on_cleanup(|m, _, file| note(m, format!("EvtFileCleanup{}", handle_of(file))))
                .on_close(|m, _, file| note(m, format!("EvtFileClose{}", handle_of(file)))),
        ),
    };
    let device = init.create(m, Attributes::none())?;
    m.extension_mut::<Scene>().device = Some(device);
    if let Some(handles) = plan.default_queue {
        let queue = queue(handles, plan.zero_length, "default").create_default(m, device)?;
        m.extension_mut::<Scene>().queue = Some(queue);
    }
    if let Some(handles) = plan.second_queue {
        let queue = queue(handles, plan.zero_length, "second").create(m, device)?;
        m.extension_mut::<Scene>().second = Some(queue);
        if let Some(major) = plan.configured {
            device.configure_request_dispatching(m, queue, major)?;
        }
    }
    if let Some(callback) = plan.wdm_dispatch {
        device.configure_wdm_irp_dispatch(m, Major::DeviceControl, Some(callback), 0u64)?;
    }
    Ok(())
}

fn handle_of(file: Option<WdfFileObject>) -> &'static str {
    if file.is_some() { "" } else { " without a handle" }
}

/// A queue that notes what it presents.
pub fn queue(handles: Handles, zero_length: bool, which: &'static str) -> QueueConfig {
    let config = Queue::config(if handles == Handles::Manual { Dispatch::Manual } else { Dispatch::Parallel });
    let config = match (handles, which) {
        (Handles::Everything, "default") => config.on_default(|m, _, request| serve(m, "EvtIoDefault", request)),
        (Handles::Everything, _) => {
            config.on_default(|m, _, request| serve(m, "EvtIoDefault of the second queue", request))
        }
        (Handles::Read, "default") => config.on_read(|m, _, request, _| serve(m, "EvtIoRead", request)),
        (Handles::Read, _) => config.on_read(|m, _, request, _| serve(m, "EvtIoRead of the second queue", request)),
        (Handles::DeviceControl, _) => {
            config.on_device_control(|m, _, request, _| serve(m, "EvtIoDeviceControl", request))
        }
        (Handles::EachKind, _) => config
            .on_read(|m, _, request, _| serve(m, "EvtIoRead", request))
            .on_write(|m, _, request, _| serve(m, "EvtIoWrite", request))
            .on_device_control(|m, _, request, _| serve(m, "EvtIoDeviceControl", request))
            .on_internal_device_control(|m, _, request, _| serve(m, "EvtIoInternalDeviceControl", request)),
        (Handles::Manual, _) => config,
    };
    if zero_length { config.allow_zero_length() } else { config }
}

fn serve(m: &mut Machine, callback: &str, request: Request) {
    note(m, callback);
    if let Some(ask) = m.extension::<Scene>().plan.ask {
        ask(m, request);
    }
    request.complete_with_information(m, STATUS_SUCCESS, 2);
}

/// What is sent.
#[derive(Clone, Copy)]
pub struct Sent {
    pub major: Major,
    pub code: IoctlCode,
    pub input: u32,
    pub output: u32,
    pub mode: RequestorMode,
    /// It has a file object, which nobody opened on this device.
    pub file: bool,
}

impl Sent {
    /// Eight bytes of it, in the buffers of METHOD_BUFFERED or of a buffered device, from a driver.
    pub fn of(major: Major) -> Sent {
        Sent { major, code: IoctlCode(0x0022_2000), input: 8, output: 8, mode: RequestorMode::Kernel, file: false }
    }
}

impl Bench {
    /// Sends the device an IRP, and says in one line what became of it.
    pub fn send(&mut self, sent: Sent) -> String {
        let file = sent.file.then(|| file_of_somebody_else(&mut self.machine));
        let (returned, irp) = self
            .machine
            .run(|m| {
                let device = m.extension::<Scene>().device.unwrap().device_object(m);
                let irp = m.allocate_irp(m[device].stack_size).unwrap();
                m[irp].io_status.status = STATUS_NOT_SUPPORTED;
                m[irp].requestor_mode = sent.mode;
                let parameters = parameters(m, irp, sent);
                let location = m[irp].next_mut();
                (location.major, location.parameters, location.file) = (sent.major, parameters, file);
                m[irp].set_completion_routine(keep, Context(0), Control::INVOKE_ALWAYS);
                (irp.call_driver(m, device), irp)
            })
            .unwrap();
        self.sent = Some(irp);
        let back = is_back(&self.machine, irp);
        let m = &mut self.machine;
        let mut line = std::mem::take(&mut m.extension_mut::<Scene>().notes).join(", ");
        if line.is_empty() {
            line = if back { "the framework" } else { "a queue" }.to_owned();
        }
        let name = |status: NtStatus| status.name().unwrap_or("?").trim_start_matches("STATUS_").to_owned();
        match back {
            true => {
                let status = m[irp].io_status;
                line += &format!(": {}, {}", name(status.status), status.information);
                line += if m[irp].pending_returned { ", pended" } else { "" };
            }
            false => line += ": waits",
        }
        if returned != m[irp].io_status.status || !back {
            line += &format!(" (dispatch: {})", name(returned));
        }
        for error in self.errors() {
            line += &format!("\n      {error}");
        }
        line
    }

    /// Takes the next request out of the default queue. Returns how what was sent last ended, if it did.
    pub fn retrieve(&mut self) -> (Result<Request, NtStatus>, Option<vbus::wdm::IoStatus>) {
        let queue = self.machine.extension::<Scene>().queue.unwrap();
        let retrieved = self.machine.run(|m| queue.retrieve_next(m)).unwrap();
        let done = self.sent.filter(|&irp| is_back(&self.machine, irp));
        (retrieved, done.map(|irp| self.machine[irp].io_status))
    }

    /// The error lines since the last call, without what they name.
    pub fn errors(&mut self) -> Vec<String> {
        let log = self.driver.log(&self.machine);
        let new = log.iter().filter(|line| line.sequence > self.mark && line.level <= Level::Error);
        let errors = new.map(|line| format!("{} - {}", line.function, plain_text(&line.message))).collect();
        self.mark = log.last().map_or(self.mark, |line| line.sequence);
        errors
    }
}

/// A message with question marks for addresses.
fn plain_text(message: &str) -> String {
    let words = message.trim_end().split(' ').map(|word| {
        let digits = word.trim_start_matches("0x").trim_end_matches([',', '.', ')']);
        match digits.len() >= 12 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            true => word.replace(word.trim_end_matches([',', '.', ')']), "?"),
            false => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn is_back(m: &Machine, irp: Irp) -> bool {
    m[irp].driver_context[0] == 1
}

fn keep(m: &mut Machine, _: Option<DeviceObject>, irp: Irp, _: Context) -> NtStatus {
    m[irp].driver_context[0] = 1;
    STATUS_MORE_PROCESSING_REQUIRED
}

fn file_of_somebody_else(m: &mut Machine) -> FileObject {
    let driver = m.create_driver("elsewhere");
    driver.set_major(m, Major::Create, |m, _, irp| irp.complete_with(m, STATUS_SUCCESS, 0));
    let device = m.create_device(driver);
    m[device].initializing = false;
    m.name_device(device, "\\Device\\Elsewhere").unwrap();
    m.create_file("\\Device\\Elsewhere", OpenOptions::READ_WRITE).unwrap().unwrap()
}

/// Puts the buffers where the I/O manager would, and returns the location's parameters.
fn parameters(m: &mut Machine, irp: Irp, sent: Sent) -> Parameters {
    let Sent { major, code, input, output, .. } = sent;
    let mut buffer = |length: u32| (length > 0).then(|| m.allocate_block(&[], length));
    match major {
        Major::Read | Major::Write => {
            let span = buffer(input);
            let device = m.extension::<Scene>().device.unwrap().device_object(m);
            match m[device].io_type {
                IoType::Buffered => m[irp].system_buffer = span,
                IoType::Direct => m[irp].mdl = span,
                IoType::Neither => m[irp].user_buffer = span,
            }
            Parameters::Transfer { length: input, offset: 0 }
        }
        Major::DeviceControl | Major::InternalDeviceControl => {
            let mut type3_input: Option<Span> = None;
            match code.0 & 3 {
                0 => m[irp].system_buffer = buffer(input.max(output)),
                1 | 2 => {
                    let (system, mdl) = (buffer(input), buffer(output));
                    (m[irp].system_buffer, m[irp].mdl) = (system, mdl);
                }
                _ => {
                    type3_input = buffer(input);
                    m[irp].user_buffer = buffer(output);
                }
            }
            Parameters::DeviceIoControl { output_length: output, input_length: input, code, type3_input }
        }
        _ => Parameters::None,
    }
}
