//! Which queue or callback gets an IRP, what a driver's buffer calls find in it, and what becomes of files.

use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{
    Context, DeviceObject, FileObject, IoType, IoctlCode, Irp, Machine, Major, NtStatus, OpenOptions, Parameters,
    PnpMinor, RequestorMode, Span,
};

use super::case::{Case, Event};
use super::world::*;

/// What a case asks of its driver, and what the driver made.
struct Scene {
    wanted: Wanted,
    device: Option<Device>,
    queue: Option<Queue>,
    second: Option<Queue>,
}

#[derive(Clone)]
struct Wanted {
    part: String,
    filter: bool,
    default_queue: String,
    second_queue: String,
    configured: Option<(String, Major)>,
    in_caller_context: String,
    wdm_dispatch: String,
    file_config: i8,
    zero_length: bool,
    io_type: IoType,
    major: Major,
    minimum: u32,
}

pub fn run(case: &Case) -> Vec<Event> {
    let mut m = machine(Behaviour::succeed(4));
    m.add_extension(Scene { wanted: wanted(case), device: None, queue: None, second: None });
    let config = driver_config(case, device_add);
    let driver = Driver::create(&mut m, "oracle", config, Attributes::none());
    let pdo = target_device(&mut m, 1, "<PDO0>");
    let pdo_driver = pdo.driver(&mut m);
    pdo_driver.set_major(&mut m, Major::Pnp, pnp_agrees);
    for major in [Major::Create, Major::Cleanup, Major::Close] {
        pdo_driver.set_major(&mut m, major, lower);
    }
    let file = some_file(&mut m).filter(|_| case.text_of("part") != "files" || case.is_set("fileObject"));
    start(&mut m, driver);
    let outcome = m.run(|m| {
        let added = without_traces(m, |m| add_device_to(m, driver, pdo));
        assert_eq!(added, STATUS_SUCCESS, "the device of a case is added");
        configure(m);
        without_traces(m, |m| {
            let device = device(m);
            let device_object = device.device_object(m);
            send_pnp(m, device_object, PnpMinor::StartDevice);
        });
        send(m, case, file);
    });
    finish(m, outcome)
}

fn wanted(case: &Case) -> Wanted {
    let major = |name: &str| match name {
        "CREATE" | "create" => Major::Create,
        "CLEANUP" => Major::Cleanup,
        "CLOSE" => Major::Close,
        "READ" | "read" => Major::Read,
        "WRITE" | "write" => Major::Write,
        "IOCTL" | "ioctl" => Major::DeviceControl,
        "INTIOCTL" | "intioctl" => Major::InternalDeviceControl,
        "SHUTDOWN" => Major::Shutdown,
        "FLUSH" => Major::FlushBuffers,
        "QUERY_INFORMATION" => Major::QueryInformation,
        _ => Major::SystemControl,
    };
    let configured = Some(case.text_of("configured")).filter(|name| !name.is_empty());
    Wanted {
        part: case.text_of("part").to_owned(),
        filter: case.text_of("kind") == "filter",
        default_queue: case.text_of("defaultQueue").to_owned(),
        second_queue: case.text_of("secondQueue").to_owned(),
        configured: configured.map(|name| (name.to_owned(), major(name))),
        in_caller_context: case.text_of("inCallerContext").to_owned(),
        wdm_dispatch: case.text_of("wdmDispatch").to_owned(),
        file_config: case.number_of("fileConfig"),
        zero_length: case.is_set("allowZeroLength") || case.text_of("part") == "buffers",
        io_type: match case.text_of("ioType") {
            "direct" => IoType::Direct,
            "neither" => IoType::Neither,
            _ => IoType::Buffered,
        },
        major: major(case.text_of("major")),
        minimum: case.number_of("minLen") as u32,
    }
}

/// A file object that has nothing to do with the device of the case.
fn some_file(m: &mut Machine) -> Option<FileObject> {
    let driver = m.create_driver("elsewhere");
    driver.set_major(m, Major::Create, pnp_has_nothing_to_say);
    let elsewhere = m.create_device(driver);
    m[elsewhere].initializing = false;
    m.name_device(elsewhere, "\\Device\\Elsewhere").unwrap();
    let file = m.create_file("\\Device\\Elsewhere", OpenOptions::READ_WRITE).unwrap().unwrap();
    name(m, file.address(), "<FILE1>");
    Some(file)
}

fn device(m: &mut Machine) -> Device {
    m.extension::<Scene>().device.unwrap()
}

/// A create, cleanup or close reaches the bottom of the stack.
fn lower(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    let major = m[irp].current().major;
    let shown = name_of(m, device.address());
    record(m, format!("lower {shown} {}", major.name().trim_start_matches("IRP_MJ_")));
    irp.complete_with(m, STATUS_SUCCESS, 0)
}

fn device_add(m: &mut Machine, _: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let wanted = m.extension::<Scene>().wanted.clone();
    let mut init = init.io_type(wanted.io_type);
    if wanted.filter {
        init = init.filter();
    }
    if !wanted.in_caller_context.is_empty() {
        init = init.in_caller_context(in_caller_context);
    }
    match wanted.file_config {
        0 => {}
        1 => init = init.file_objects(FileConfig::new()),
        _ => {
            let config = FileConfig::new().on_create(file_created).on_cleanup(cleaned_up).on_close(closed);
            init = init.file_objects(config);
        }
    }
    let device = init.create(m, Attributes::none())?;
    name(m, device.object().handle(), "<DEV>");
    let device_object = device.device_object(m).address();
    name(m, device_object, "<FDO>");
    m.extension_mut::<Scene>().device = Some(device);
    if let Some(config) = queue_config(&wanted.default_queue, wanted.zero_length) {
        let queue = config.create_default(m, device)?;
        name(m, queue.object().handle(), "<QUEUE>");
        m.extension_mut::<Scene>().queue = Some(queue);
    }
    if let Some(config) = queue_config(&wanted.second_queue, wanted.zero_length) {
        let queue = config.create(m, device)?;
        name(m, queue.object().handle(), "<QUEUE2>");
        m.extension_mut::<Scene>().second = Some(queue);
    }
    Ok(())
}

fn queue_config(kind: &str, zero_length: bool) -> Option<QueueConfig> {
    let dispatch = if kind == "manual" { Dispatch::Manual } else { Dispatch::Parallel };
    let config = Queue::config(dispatch);
    let config = match kind {
        "ioDefault" => config.on_default(by_default),
        "ioRead" => config.on_read(read),
        "ioDeviceControl" => config.on_device_control(device_control),
        "ioInternalDeviceControl" => config.on_internal_device_control(internal_device_control),
        "allSpecific" => config
            .on_read(read)
            .on_write(write)
            .on_device_control(device_control)
            .on_internal_device_control(internal_device_control),
        "manual" => config,
        _ => return None,
    };
    Some(if zero_length { config.allow_zero_length() } else { config })
}

/// What the driver configures after its queues are made.
fn configure(m: &mut Machine) {
    let Scene { wanted, second, .. } = m.extension::<Scene>();
    let (wanted, second, device) = (wanted.clone(), *second, device(m));
    if let (Some((shown, major)), Some(second)) = (wanted.configured, second) {
        let status = without_traces(m, |m| device.configure_request_dispatching(m, second, major));
        let status = NtStatus::from(status);
        record(m, format!("configureDispatching {shown} {}", hex(status)));
        if wanted.second_queue == "ioDefault" && status.is_success() {
            let again = without_traces(m, |m| device.configure_request_dispatching(m, second, major));
            record(m, format!("configureDispatchingAgain {}", hex(NtStatus::from(again))));
        }
    }
    if !wanted.wdm_dispatch.is_empty() {
        let callback: Option<WdmIrpDispatch> = (wanted.wdm_dispatch != "toQueueNoCallback").then_some(wdm_dispatch);
        let status = without_traces(m, |m| device.configure_wdm_irp_dispatch(m, wanted.major, callback, Context(0)));
        record(m, format!("configureWdmIrpDispatchCallback {}", hex(NtStatus::from(status))));
    }
}

/// Sends the case's IRP, and takes it out of a manual queue.
fn send(m: &mut Machine, case: &Case, file: Option<FileObject>) {
    let wanted = m.extension::<Scene>().wanted.clone();
    let irp = m.allocate_irp(3).unwrap();
    m[irp].set_next_location();
    irp_name(m, irp);
    m[irp].io_status.status = STATUS_NOT_SUPPORTED;
    if case.text_of("requestor") == "user" {
        m[irp].requestor_mode = RequestorMode::User;
    }
    let parameters = parameters(m, irp, case, &wanted);
    let location = m[irp].next_mut();
    location.major = wanted.major;
    location.minor = if wanted.major == Major::SystemControl { 11 } else { 0 };
    location.parameters = parameters;
    location.file = file;
    let device = device(m);
    let device_object = device.device_object(m);
    let returned = irp.call_driver(m, device_object);
    record(m, format!("dispatchReturned {}", hex(returned)));
    let queue = m.extension::<Scene>().queue;
    if let Some(queue) = queue.filter(|_| wanted.default_queue == "manual") {
        take_from(m, queue);
    }
}

fn take_from(m: &mut Machine, queue: Queue) {
    let retrieved = queue.retrieve_next(m);
    record(m, format!("retrieveNext {}", hex(NtStatus::from(retrieved.map(|_| ())))));
    if let Ok(request) = retrieved {
        presented(m, "EvtIoDefault", queue, request, -1, -1);
    }
}

/// Puts the buffers where the I/O manager would, and returns the location's parameters.
fn parameters(m: &mut Machine, irp: Irp, case: &Case, wanted: &Wanted) -> Parameters {
    let buffer = |m: &mut Machine, length: i8, shown: &str| {
        (length > 0).then(|| {
            let span = m.allocate_block(&[], length as u32);
            name(m, span.address(), shown);
            span
        })
    };
    match wanted.major {
        Major::Read | Major::Write => {
            let length = case.number_of("length");
            let shown = if wanted.major == Major::Read { "<OUT>" } else { "<IN>" };
            let span = buffer(m, length, shown);
            // The bottom device has no flags, which a filter copies.
            match if wanted.filter { IoType::Neither } else { wanted.io_type } {
                IoType::Buffered => m[irp].system_buffer = span,
                IoType::Direct => m[irp].mdl = span,
                IoType::Neither => m[irp].user_buffer = span,
            }
            Parameters::Transfer { length: length as u32, offset: 0 }
        }
        Major::DeviceControl | Major::InternalDeviceControl => {
            let (input_length, output_length) = (case.number_of("inLen"), case.number_of("outLen"));
            let method = case.number_of("method") as u32;
            let mut type3_input: Option<Span> = None;
            match method {
                0 => m[irp].system_buffer = buffer(m, input_length.max(output_length), "<IN>"),
                1 | 2 => {
                    m[irp].system_buffer = buffer(m, input_length, "<IN>");
                    m[irp].mdl = buffer(m, output_length, "<OUT>");
                }
                _ => {
                    type3_input = buffer(m, input_length, "<IN>");
                    m[irp].user_buffer = buffer(m, output_length, "<OUT>");
                }
            }
            Parameters::DeviceIoControl {
                output_length: output_length as u32,
                input_length: input_length as u32,
                code: IoctlCode(0x0022_0000 | method),
                type3_input,
            }
        }
        _ => Parameters::None,
    }
}

fn by_default(m: &mut Machine, queue: Queue, request: Request) {
    presented(m, "EvtIoDefault", queue, request, -1, -1);
}

fn read(m: &mut Machine, queue: Queue, request: Request, length: u32) {
    presented(m, "EvtIoRead", queue, request, length.into(), -1);
}

fn write(m: &mut Machine, queue: Queue, request: Request, length: u32) {
    presented(m, "EvtIoWrite", queue, request, length.into(), -1);
}

fn device_control(m: &mut Machine, queue: Queue, request: Request, control: IoControl) {
    let (input, output) = (control.input_length.into(), control.output_length.into());
    presented(m, "EvtIoDeviceControl", queue, request, input, output);
}

fn internal_device_control(m: &mut Machine, queue: Queue, request: Request, control: IoControl) {
    let (input, output) = (control.input_length.into(), control.output_length.into());
    presented(m, "EvtIoInternalDeviceControl", queue, request, input, output);
}

fn presented(m: &mut Machine, callback: &str, queue: Queue, request: Request, first: i64, second: i64) {
    let (queue, shown) = (name_of(m, queue.object().handle()), request_name(m, request));
    record(m, format!("callback {callback} {queue} {shown} {first} {second}"));
    if m.extension::<Scene>().wanted.part == "buffers" {
        ask_for_buffers(m, request);
    }
    let nothing_to_fill = match request.parameters(m).parameters {
        Parameters::Transfer { length, .. } => length == 0,
        Parameters::DeviceIoControl { output_length, .. } => output_length == 0,
        _ => false,
    };
    let information = if nothing_to_fill { 0 } else { 2 };
    request.complete_with_information(m, STATUS_SUCCESS, information);
}

fn ask_for_buffers(m: &mut Machine, request: Request) {
    let minimum = m.extension::<Scene>().wanted.minimum;
    let found = request.input_buffer(m, minimum);
    record_buffer(m, "InputBuffer", found);
    let found = request.output_buffer(m, minimum);
    record_buffer(m, "OutputBuffer", found);
    let found = request.input_memory(m).and_then(|memory| memory.span(m));
    record_buffer(m, "InputMemory", found);
    let found = request.output_memory(m).and_then(|memory| memory.span(m));
    record_buffer(m, "OutputMemory", found);
    let found = request.input_mdl(m);
    record_length(m, "InputWdmMdl", found);
    let found = request.output_mdl(m);
    record_length(m, "OutputWdmMdl", found);
    let asked = request.parameters(m);
    let (kind, mode) = (asked.major as u8, u8::from(request.requestor_mode(m) == RequestorMode::User));
    let (length, output) = match asked.parameters {
        Parameters::DeviceIoControl { input_length, output_length, .. } => (input_length, i64::from(output_length)),
        Parameters::Transfer { length, .. } => (length, -1),
        _ => (0, -1),
    };
    record(m, format!("parameters {kind} {length} {output} {mode}"));
}

fn record_buffer(m: &mut Machine, api: &str, found: Result<Span, NtStatus>) {
    let event = match found {
        // Of a memory object the measured side prints nothing where it begins nowhere.
        Ok(span) if span.is_null() && api.ends_with("Memory") => "0x00000000 - -1".to_owned(),
        Ok(span) if span.is_null() => format!("0x00000000 <NULL> {}", span.len()),
        Ok(span) => format!("0x00000000 {} {}", name_of(m, span.address()), span.len()),
        Err(status) => format!("{} - -1", hex(status)),
    };
    record(m, format!("retrieve {api} {event}"));
}

fn record_length(m: &mut Machine, api: &str, found: Result<Span, NtStatus>) {
    let event = match found {
        Ok(span) => format!("0x00000000 {}", span.len()),
        Err(status) => format!("{} -1", hex(status)),
    };
    record(m, format!("retrieve {api} {event}"));
}

fn in_caller_context(m: &mut Machine, device: Device, request: Request) {
    let shown = request_name(m, request);
    record(m, format!("callback EvtIoInCallerContext {shown}"));
    let wanted = m.extension::<Scene>().wanted.clone();
    match wanted.in_caller_context.as_str() {
        "complete" => return request.complete_with_information(m, STATUS_ACCESS_DENIED, 0),
        "retrieveUnsafeThenEnqueue" => {
            let found = request.unsafe_user_input_buffer(m, wanted.minimum);
            record_unsafe(m, "UnsafeUserInputBuffer", found);
            let found = request.unsafe_user_output_buffer(m, wanted.minimum);
            record_unsafe(m, "UnsafeUserOutputBuffer", found);
        }
        _ => {}
    }
    let status = NtStatus::from(device.enqueue_request(m, request));
    record(m, format!("enqueue {}", hex(status)));
    if !status.is_success() {
        request.complete_with_information(m, status, 0);
    }
}

fn record_unsafe(m: &mut Machine, api: &str, found: Result<Option<Span>, NtStatus>) {
    let event = match found {
        Ok(span) => format!("0x00000000 {}", span.map_or(0, Span::len)),
        Err(status) => format!("{} -1", hex(status)),
    };
    record(m, format!("retrieve {api} {event}"));
}

fn wdm_dispatch(m: &mut Machine, device: Device, asked: WdmIrp) -> NtStatus {
    let WdmIrp { irp, major, minor, code, .. } = asked;
    record(m, format!("callback EvtWdmIrpDispatch {} {minor} 0x{code:x}", major as u8));
    let Scene { wanted, second, .. } = m.extension::<Scene>();
    match (wanted.wdm_dispatch.as_str(), *second) {
        ("callbackToSecondQueue", Some(second)) => {
            let status = device.dispatch_irp_to_queue(m, irp, second, DispatchIrpFlags::NONE);
            record(m, format!("dispatchIrpToIoQueue {}", hex(status)));
            status
        }
        ("callbackCompletes", _) => irp.complete_with(m, STATUS_ACCESS_DENIED, 0),
        _ => device.dispatch_irp(m, irp),
    }
}

fn file_created(m: &mut Machine, _: Device, request: Request, file: Option<WdfFileObject>) {
    record(m, format!("callback EvtDeviceFileCreate {}", u8::from(file.is_some())));
    request.complete_with_information(m, STATUS_SUCCESS, 0);
}

fn cleaned_up(m: &mut Machine, _: Device, _: Option<WdfFileObject>) {
    record(m, "callback EvtFileCleanup".to_owned());
}

fn closed(m: &mut Machine, _: Device, _: Option<WdfFileObject>) {
    record(m, "callback EvtFileClose".to_owned());
}
