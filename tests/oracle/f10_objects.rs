//! Framework objects: trees, deletion, contexts, custom types, timers, work items, DPCs, collections, locks, memory and
//! wrong handles. A case is a script of steps.

use std::collections::BTreeMap;

use vbus::iotarget::IoTarget;
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Irql, Machine, Major, NtStatus, PnpMinor, Span, Ticks};

use super::case::{Case, Event};
use super::world::*;

/// The context types of the cases, and their custom types.
#[allow(clippy::upper_case_acronyms)] // Log lines have these names.
mod types {
    /// Sixteen bytes, as leaks are counted; it knows its object, as a C driver finds it from the context's address.
    pub struct CTX1 {
        pub object: vbus::wdf::Object,
        pub word: u32,
    }

    pub struct CTX2(pub [u64; 2]);
    pub struct CUSTA;
    pub struct CUSTB;
}

use types::{CTX1, CTX2, CUSTA, CUSTB};

/// The first context type, which knows its object.
fn first_context(object: Object) -> CTX1 {
    CTX1 { object, word: 0 }
}

impl CustomType for CUSTA {
    type Data = u64;
}

impl CustomType for CUSTB {
    type Data = u64;
}

/// Memories that the cases create are this long, preallocated ones that long.
const LENGTH: u32 = 24;
const PREALLOCATED: u32 = 16;

/// How long after its start a timer fires, and how often a periodic one does.
const DUE: Ticks = Ticks::from_millis(50);

#[derive(Default)]
struct Scene {
    driver: Option<Driver>,
    device: Option<Device>,
    objects: BTreeMap<String, Object>,
    /// What the next callback does besides being written down.
    inner: u32,
    /// Bytes for preallocated memories.
    bytes: Option<Span>,
}

/// A step that failed ends its case, unless the case says otherwise.
struct Ended;

pub fn run(case: &Case) -> Vec<Event> {
    let mut m = machine(Behaviour::succeed(0));
    m.add_extension(Scene::default());
    let config = DriverConfig { unload: Some(|_, _| {}), ..driver_config(case, device_add) };
    let driver = Driver::create(&mut m, "oracle", config, Attributes::none());
    let driver_object = driver.driver_object(&m).address();
    name_object(&mut m, driver, "DRIVER");
    name(&mut m, driver.globals_address(), "<FXGLOBALS>");
    name(&mut m, driver_object, "<DRVOBJ>");
    m.extension_mut::<Scene>().driver = Some(driver);
    let pdo = target_device(&mut m, 1, "<PDO0>");
    pdo.driver(&mut m).set_major(&mut m, Major::Pnp, pnp_agrees);
    let added = m.run(|m| add_device_to(m, driver, pdo)).unwrap();
    assert_eq!(added, STATUS_SUCCESS, "the device of a case is added");
    start(&mut m, driver);
    // Work items of this part run where the script says so.
    let drained_after_each_step = !case.text_of("part").starts_with('w');
    let outcome = m.run(|m| {
        for step in case.text_of("script").split(' ') {
            if play(m, step).is_err() {
                break;
            }
            // At a raised level nothing else can run.
            if drained_after_each_step && m.irql() == Irql::Passive {
                m.run_ready();
            }
        }
    });
    finish(m, outcome)
}

fn device_add(m: &mut Machine, _: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let device = init.create(m, Attributes::none().on_cleanup(cleaned_up).on_destroy(destroyed))?;
    name_object(m, device, "DEV");
    let device_object = device.device_object(m).address();
    name(m, device_object, "<FDO>");
    let target = IoTarget::default_of(m, device).unwrap();
    name_object(m, target, "DEVTGT");
    let config = Queue::config(Dispatch::Parallel).power_managed(false).on_default(|_, _, _| {});
    let queue = config.create_default(m, device)?;
    name_object(m, queue, "QUEUE");
    let scene = m.extension_mut::<Scene>();
    scene.device = Some(device);
    let driver = scene.driver.unwrap();
    scene.objects = [("v", device.object()), ("q", queue.object()), ("r", driver.object()), ("t", target.object())]
        .map(|(letter, object)| (letter.to_owned(), object))
        .into();
    Ok(())
}

fn name_object(m: &mut Machine, object: impl Handle, shown: &str) {
    let object = object.object();
    name(m, object.handle(), &format!("<{shown}>"));
    name(m, object.address(), &format!("<{shown}.obj>"));
}

fn shown(m: &mut Machine, object: Object) -> String {
    if object == Object::null() { "<NULL>".to_owned() } else { name_of(m, object.handle()) }
}

fn level(m: &Machine) -> u32 {
    if m.irql() == Irql::Dispatch { 2 } else { 0 }
}

fn driver(m: &Machine) -> Driver {
    m.extension::<Scene>().driver.unwrap()
}

/// What a letter of the script stands for; a failed creation leaves NULL.
fn object(m: &Machine, letter: &str) -> Object {
    m.extension::<Scene>().objects.get(letter).copied().unwrap_or(Object::null())
}

/// A step of a script that nobody knows makes its case differ.
fn unknown(m: &mut Machine, step: &str) {
    record(m, format!("unknown step: {step}"));
}

fn status_of(result: Result<(), NtStatus>) -> String {
    hex(NtStatus::from(result))
}

fn note(m: &mut Machine, callback: &str, object: Object) {
    let (shown, level) = (shown(m, object), level(m));
    record(m, format!("evt {callback} {shown} {level}"));
}

fn cleaned_up(m: &mut Machine, object: Object) {
    note(m, "Cleanup", object);
    match std::mem::take(&mut m.extension_mut::<Scene>().inner) {
        1 => {
            let created = create_object(m, driver(m), callbacks().parent(object));
            record(m, format!("createChildInCleanup {}", status_of(created.map(|_| ()))));
        }
        2 => {
            object.reference(m);
            record(m, "referenceInCleanup".to_owned());
        }
        3 => {
            let allocated = object.allocate_context(m, Attributes::none().context(CTX2([0; 2])));
            record(m, format!("allocateContextInCleanup {}", status_of(allocated)));
        }
        inner => m.extension_mut::<Scene>().inner = inner,
    }
}

fn destroyed(m: &mut Machine, object: Object) {
    note(m, "Destroy", object);
}

fn context_cleaned_up(m: &mut Machine, object: Object) {
    let shown = shown(m, object);
    record(m, format!("evt ContextCleanup2 {shown}"));
}

fn context_destroyed(m: &mut Machine, object: Object) {
    let shown = shown(m, object);
    record(m, format!("evt ContextDestroy2 {shown}"));
}

fn callbacks() -> Attributes {
    Attributes::none().on_cleanup(cleaned_up).on_destroy(destroyed)
}

/// A timer's, work item's or DPC's callback.
fn called(m: &mut Machine, callback: &str, object: Object, enqueue: impl FnOnce(&mut Machine)) {
    note(m, callback, object);
    match std::mem::take(&mut m.extension_mut::<Scene>().inner) {
        4 => {
            record(m, "deleteInCallback".to_owned());
            object.delete(m);
        }
        5 => {
            record(m, "enqueueInCallback".to_owned());
            enqueue(m);
        }
        inner => m.extension_mut::<Scene>().inner = inner,
    }
}

fn timer_fired(m: &mut Machine, timer: Timer) {
    called(m, "Timer", timer.object(), |m| _ = timer.start(m, DUE));
}

fn work_item_runs(m: &mut Machine, work_item: WorkItem) {
    called(m, "WorkItem", work_item.object(), |m| work_item.enqueue(m));
}

fn dpc_runs(m: &mut Machine, dpc: Dpc) {
    called(m, "Dpc", dpc.object(), |m| _ = dpc.enqueue(m));
}

fn play(m: &mut Machine, step: &str) -> Result<(), Ended> {
    let words: Vec<&str> = step.split(':').collect();
    match words[..] {
        ["new", letter, kind, parent, ref options @ ..] => return new(m, letter, kind, parent, options),
        ["inner", inner] => m.extension_mut::<Scene>().inner = inner.parse().unwrap(),
        ["irql2"] => {
            record(m, "raiseIrql".to_owned());
            m.set_irql(Irql::Dispatch);
        }
        ["irql0"] => {
            record(m, "lowerIrql".to_owned());
            m.set_irql(Irql::Passive);
        }
        ["drain"] => {
            record(m, "drain".to_owned());
            m.run_ready();
        }
        ["adv"] => {
            record(m, "advance 100ms".to_owned());
            m.advance(Ticks::from_millis(100)).unwrap();
        }
        ["rm"] => {
            record(m, "pnpSend REMOVE_DEVICE <FDO>".to_owned());
            let device = m.extension::<Scene>().device.unwrap();
            let device_object = device.device_object(m);
            let status = send_pnp(m, device_object, PnpMinor::RemoveDevice);
            record(m, format!("pnpDone REMOVE_DEVICE {}", hex(status)));
        }
        ["unload"] => {
            record(m, "unload".to_owned());
            driver(m).unload(m);
        }
        ["mm", api, handle] => misuse(m, api, handle),
        [operation, letter, ref arguments @ ..] => {
            let target = object(m, letter);
            on_object(m, operation, target, arguments);
        }
        _ => unknown(m, step),
    }
    Ok(())
}

fn new(m: &mut Machine, letter: &str, kind: &str, parent: &str, options: &[&str]) -> Result<(), Ended> {
    let mut attributes = callbacks();
    if parent != "-" {
        attributes = attributes.parent(object(m, parent));
    }
    if options.contains(&"c") {
        attributes = attributes.context_of(first_context);
    }
    if options.contains(&"p") {
        attributes = attributes.execution_level(ExecutionLevel::Passive);
    }
    let created = create(m, kind, attributes);
    let made = created.unwrap_or(Object::null());
    m.extension_mut::<Scene>().objects.insert(letter.to_owned(), made);
    if created.is_ok() {
        name_object(m, made, letter);
    }
    record(m, format!("create {kind} {letter} {}", status_of(created.map(|_| ()))));
    if created.is_err() && !options.contains(&"f") { Err(Ended) } else { Ok(()) }
}

fn create(m: &mut Machine, kind: &str, attributes: Attributes) -> Result<Object, NtStatus> {
    let driver = driver(m);
    let device = m.extension::<Scene>().device.unwrap();
    let memory = |memory: Memory| match memory {
        Memory::Own(object) => object,
        Memory::OfRequest(..) => unreachable!("it was created"),
    };
    match kind {
        "object" => create_object(m, driver, attributes),
        "timer" => Timer::config(timer_fired).create(m, driver, attributes).map(Handle::object),
        "timerp" => Timer::config(timer_fired).periodic(50).create(m, driver, attributes).map(Handle::object),
        "work" => WorkItem::config(work_item_runs).create(m, driver, attributes).map(Handle::object),
        "dpc" => Dpc::config(dpc_runs).create(m, driver, attributes).map(Handle::object),
        "spin" => SpinLock::create(m, driver, attributes).map(Handle::object),
        "wait" => WaitLock::create(m, driver, attributes).map(Handle::object),
        "memory" => Memory::create(m, driver, LENGTH, attributes).map(memory),
        "memory0" => Memory::create(m, driver, 0, attributes).map(memory),
        "prealloc" => {
            let bytes = m.allocate_block(&[], 64);
            m.extension_mut::<Scene>().bytes = Some(bytes);
            Memory::create_preallocated(m, driver, bytes.part(0, PREALLOCATED).unwrap(), attributes).map(memory)
        }
        "coll" => Collection::create(m, driver, attributes).map(Handle::object),
        "string" => WdfString::create(m, driver, Some("text"), attributes).map(Handle::object),
        "request" => Request::create(m, driver, attributes).map(Handle::object),
        "target" => IoTarget::create(m, device, attributes).map(Handle::object),
        "queue" => Queue::config(Dispatch::Manual).create_with(m, device, attributes).map(Handle::object),
        "lookaside" => Lookaside::create(m, driver, LENGTH, attributes, Attributes::none).map(Handle::object),
        unknown => panic!("no such kind of object: {unknown}"),
    }
}

fn on_object(m: &mut Machine, operation: &str, target: Object, arguments: &[&str]) {
    let target_name = shown(m, target);
    match operation {
        "del" => {
            record(m, format!("WdfObjectDelete {target_name}"));
            target.delete(m);
        }
        "ref" => {
            record(m, format!("reference {target_name}"));
            target.reference(m);
        }
        "deref" => {
            record(m, format!("dereference {target_name}"));
            target.dereference(m);
        }
        "ctx" | "get" | "back" | "cust" | "custd" | "isc" | "getcd" => on_context(m, operation, target, arguments),
        "tstart" | "tstop" | "tpar" => on_timer(m, operation, target, arguments),
        "wq" | "wf" => on_work_item(m, operation, target),
        "dq" | "dc" => on_dpc(m, operation, target, arguments),
        "cadd" | "crem" | "cremi" | "cget" | "cfl" | "cnt" => on_collection(m, operation, target, arguments),
        "la" | "lr" | "lat" => on_lock(m, operation, target, arguments),
        "oa" => {
            record(m, format!("objectAcquireLock {target_name}"));
            target.acquire_lock(m);
            record_level(m);
        }
        "or" => {
            record(m, format!("objectReleaseLock {target_name}"));
            target.release_lock(m);
        }
        "massign" | "mget" | "mcopy" => on_memory(m, operation, target, arguments),
        other => unknown(m, other),
    }
}

fn record_level(m: &mut Machine) {
    let level = level(m);
    record(m, format!("irql {level}"));
}

fn on_context(m: &mut Machine, operation: &str, target: Object, arguments: &[&str]) {
    let which = arguments.first().copied().unwrap_or_default();
    match operation {
        "ctx" => {
            let attributes = Attributes::none().on_cleanup(context_cleaned_up).on_destroy(context_destroyed);
            let allocated = match which {
                "1" => target.allocate_context(m, attributes.context_of(first_context)),
                _ => target.allocate_context(m, attributes.context(CTX2([0; 2]))),
            };
            let got = matches!(allocated, Ok(()) | Err(STATUS_OBJECT_NAME_EXISTS));
            record(m, format!("allocateContext {which} {} {}", status_of(allocated), u8::from(got)));
        }
        "get" => {
            let got = match which {
                "1" => target.find_context::<CTX1>(m).is_some_and(|context| context.word == 0),
                _ => target.find_context::<CTX2>(m).is_some_and(|context| context.0 == [0; 2]),
            };
            record(m, format!("getContext {which} {}", u8::from(got)));
        }
        "back" => {
            let owner = target.find_context::<CTX1>(m).map_or(Object::null(), |context| context.object);
            let owner = shown(m, owner);
            record(m, format!("contextGetObject {owner}"));
        }
        "cust" => {
            let added = match which {
                "A" => target.add_custom_type::<CUSTA>(m),
                _ => target.add_custom_type::<CUSTB>(m),
            };
            record(m, format!("addCustomType {which} {}", status_of(added)));
        }
        "custd" => {
            let callbacks: [Option<ObjectCallback>; 2] = [Some(context_cleaned_up), Some(context_destroyed)];
            let [cleanup, destroy] = callbacks;
            let added = match which {
                "A" => target.add_custom_type_with_data::<CUSTA>(m, 0x1234, cleanup, destroy),
                _ => target.add_custom_type_with_data::<CUSTB>(m, 0x5678, cleanup, destroy),
            };
            record(m, format!("addCustomTypeWithData {which} {}", status_of(added)));
        }
        "isc" => {
            let is = match which {
                "A" => target.is_custom_type::<CUSTA>(m),
                _ => target.is_custom_type::<CUSTB>(m),
            };
            record(m, format!("isCustomType {which} {}", u8::from(is)));
        }
        "getcd" => {
            let data = match which {
                "A" => target.custom_type_data::<CUSTA>(m).copied(),
                _ => target.custom_type_data::<CUSTB>(m).copied(),
            };
            record(m, format!("getCustomTypeData {which} 0x{:x}", data.unwrap_or(0)));
        }
        other => unknown(m, other),
    }
}

fn on_timer(m: &mut Machine, operation: &str, target: Object, arguments: &[&str]) {
    let timer = Timer::from_handle(m, driver(m), target);
    match operation {
        "tstart" => {
            let was_set = timer.start(m, DUE);
            record(m, format!("timerStart {}", u8::from(was_set)));
        }
        "tstop" => {
            let was_set = timer.stop(m, arguments == ["1"]);
            record(m, format!("timerStop {}", u8::from(was_set)));
        }
        _ => {
            let parent = timer.parent(m).unwrap_or(Object::null());
            let parent = shown(m, parent);
            record(m, format!("timerParent {parent}"));
        }
    }
}

fn on_work_item(m: &mut Machine, operation: &str, target: Object) {
    let work_item = WorkItem::from_handle(m, driver(m), target);
    if operation == "wq" {
        record(m, "workItemEnqueue".to_owned());
        work_item.enqueue(m);
    } else {
        record(m, "workItemFlush".to_owned());
        work_item.flush(m);
        record(m, "flushed".to_owned());
    }
}

fn on_dpc(m: &mut Machine, operation: &str, target: Object, arguments: &[&str]) {
    let dpc = Dpc::from_handle(m, driver(m), target);
    if operation == "dq" {
        let queued = dpc.enqueue(m);
        record(m, format!("dpcEnqueue {}", u8::from(queued)));
    } else {
        let cancelled = dpc.cancel(m, arguments == ["1"]);
        record(m, format!("dpcCancel {}", u8::from(cancelled)));
    }
}

fn on_collection(m: &mut Machine, operation: &str, target: Object, arguments: &[&str]) {
    let collection = Collection::from_handle(m, driver(m), target);
    let argument = arguments.first().copied().unwrap_or_default();
    match operation {
        "cadd" => {
            let item = object(m, argument);
            collection.add(m, item);
            let item = shown(m, item);
            record(m, format!("collectionAdd {item} {}", hex(STATUS_SUCCESS)));
        }
        "crem" => {
            let item = object(m, argument);
            let item_name = shown(m, item);
            record(m, format!("collectionRemove {item_name}"));
            collection.remove(m, item);
        }
        "cremi" => {
            record(m, format!("collectionRemoveItem {argument}"));
            collection.remove_at(m, argument.parse().unwrap());
        }
        "cget" => {
            let item = collection.item(m, argument.parse().unwrap()).unwrap_or(Object::null());
            let item = shown(m, item);
            record(m, format!("collectionGetItem {argument} {item}"));
        }
        "cfl" => {
            let ends = [collection.first(m), collection.last(m)].map(|end| end.unwrap_or(Object::null()));
            let [first, last] = ends.map(|end| shown(m, end));
            record(m, format!("collectionFirstLast {first} {last}"));
        }
        _ => {
            let count = collection.count(m);
            record(m, format!("collectionCount {count}"));
        }
    }
}

/// Locks of both kinds have the same steps.
fn on_lock(m: &mut Machine, operation: &str, target: Object, arguments: &[&str]) {
    let (driver, target_name) = (driver(m), shown(m, target));
    let is_wait_lock = target.type_number_of(m) == HandleType::WaitLock as u16;
    match operation {
        "la" => {
            record(m, format!("acquire {target_name}"));
            if is_wait_lock {
                let acquired = WaitLock::from_handle(m, driver, target).acquire(m);
                record(m, format!("waitLock {}", status_of(acquired)));
            } else {
                SpinLock::from_handle(m, driver, target).acquire(m);
            }
            record_level(m);
        }
        "lr" => {
            record(m, format!("release {target_name}"));
            if is_wait_lock {
                WaitLock::from_handle(m, driver, target).release(m);
            } else {
                SpinLock::from_handle(m, driver, target).release(m);
            }
            record_level(m);
        }
        _ => {
            let limit: u64 = arguments[0].parse().unwrap();
            let acquired = WaitLock::from_handle(m, driver, target).acquire_within(m, Ticks::from_millis(limit));
            record(m, format!("waitLockTimeout {limit} {}", status_of(acquired)));
        }
    }
}

fn on_memory(m: &mut Machine, operation: &str, target: Object, arguments: &[&str]) {
    let memory = Memory::from_handle(m, driver(m), target);
    match (operation, arguments) {
        ("mget", _) => {
            let span = memory.span(m).unwrap();
            record(m, format!("memoryGetBuffer {} {}", u8::from(!span.is_null()), span.len()));
        }
        ("mcopy", [offset, length]) => {
            let (at, bytes): (u32, usize) = (offset.parse().unwrap(), length.parse().unwrap());
            let mut bytes = vec![0x5A; bytes];
            let copied = memory.copy_from(m, at, &bytes);
            record(m, format!("memoryCopyFrom {offset} {length} {}", status_of(copied)));
            let copied = memory.copy_to(m, at, &mut bytes);
            record(m, format!("memoryCopyTo {offset} {length} {}", status_of(copied)));
        }
        ("massign", [bytes, length]) => {
            let count = length.parse().unwrap();
            let span = match *bytes {
                "n" => Span::null(count),
                _ => m.extension::<Scene>().bytes.unwrap_or(Span::null(count)).part(0, count).unwrap(),
            };
            let assigned = memory.assign_buffer(m, span);
            record(m, format!("memoryAssignBuffer {bytes} {length} {}", status_of(assigned)));
        }
        _ => unknown(m, operation),
    }
}

/// A call with a handle that is not what it should be.
fn misuse(m: &mut Machine, api: &str, handle: &str) {
    let driver = driver(m);
    let (wrong, wrong_name) = match handle {
        "0" => (Object::null(), "<NULL>".to_owned()),
        "1" => (Object::wild(0x1000), "1000".to_owned()),
        letter => {
            let wrong = object(m, letter);
            (wrong, shown(m, wrong))
        }
    };
    record(m, format!("misuse {api} {wrong_name}"));
    match api {
        "a0" => SpinLock::from_handle(m, driver, wrong).acquire(m),
        "a1" => _ = WaitLock::from_handle(m, driver, wrong).acquire(m),
        "a2" => _ = Timer::from_handle(m, driver, wrong).start(m, DUE),
        "a3" => WorkItem::from_handle(m, driver, wrong).enqueue(m),
        "a4" => _ = Dpc::from_handle(m, driver, wrong).enqueue(m),
        "a5" => _ = Collection::from_handle(m, driver, wrong).count(m),
        "a6" => _ = Memory::from_handle(m, driver, wrong).span(m),
        "a7" => Request::from_handle(m, driver, wrong).complete(m, STATUS_SUCCESS),
        "a8" => Queue::from_handle(m, driver, wrong).start(m),
        "a9" => _ = IoTarget::of_handle(m, driver, wrong),
        "b0" => _ = IoTarget::from_handle(m, driver, wrong).start(m),
        "b1" => wrong.delete(m),
        "b2" => wrong.reference(m),
        "b3" => _ = ChildList::from_handle(m, driver, wrong),
        "b4" => _ = WdfString::from_handle(m, driver, wrong).text(m),
        "b5" => _ = Driver::from_handle(m, driver, wrong).registry_path(m),
        "b6" => {
            let got = wrong.find_context::<CTX1>(m).is_some();
            record(m, format!("getContext 1 {}", u8::from(got)));
        }
        other => unknown(m, other),
    }
    record(m, "returned".to_owned());
}
