//! A bus whose children may be buses: random plugging, unplugging, power, handles and requests, and nothing left at the
//! end.

use proptest::prelude::*;
use proptest::sample::Index;
use vbus::iotarget::{CompletionParams, IoTarget, SendOptions, SendRequest};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{
    Access, CapabilityFlags, Context, DeviceObject, FileObject, Guid, Installation, IoctlCode, Machine, Method,
    NtStatus, OpenOptions, Overlapped, Stop, SystemPowerState, Ticks,
};

use crate::invariants;

/// What happens to the tree. An index picks among the devices, handles or requests that are there.
#[derive(Clone, Copy, Debug)]
enum Action {
    PlugIn {
        bus: Index,
        child: u64,
    },
    Unplug {
        bus: Index,
        child: u64,
    },
    Eject {
        bus: Index,
        child: u64,
    },
    /// A scan that finds these children and no others.
    Scan {
        bus: Index,
        found: [bool; CHILDREN as usize],
    },
    Uninstall(Index),
    StopAndRestart(Index),
    DisableAndEnable(Index),
    Fail(Index),
    Sleep,
    Wake,
    Open(Index),
    Close(Index),
    Send(Index, Kind),
    Cancel(Index),
    LetPass {
        ms: u64,
    },
}

/// What a device does with a request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Answers,
    /// Marked cancelable; kept over a loss of power.
    Keeps,
    /// Given back to its queue when power goes.
    GivesBack,
    /// Completed when power goes.
    GivesUp,
    /// To the device below, the bus's PDO, which keeps it.
    Forwards,
}

const KINDS: [Kind; 5] = [Kind::Answers, Kind::Keeps, Kind::GivesBack, Kind::GivesUp, Kind::Forwards];

/// How many children a bus can have.
const CHILDREN: u64 = 3;

/// How long devices keep requests.
const KEPT: Ticks = Ticks::from_millis(20);

static TREE_INTERFACE: Guid = Guid(0x7EEE_0000_0000_4000_8000_0000_0000_0001);

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let index = any::<Index>;
    let child = || 0..CHILDREN;
    let action = prop_oneof![
        6 => (index(), child()).prop_map(|(bus, child)| Action::PlugIn { bus, child }),
        2 => (index(), child()).prop_map(|(bus, child)| Action::Unplug { bus, child }),
        1 => (index(), child()).prop_map(|(bus, child)| Action::Eject { bus, child }),
        1 => (index(), any::<[bool; CHILDREN as usize]>()).prop_map(|(bus, found)| Action::Scan { bus, found }),
        1 => index().prop_map(Action::Uninstall),
        1 => index().prop_map(Action::StopAndRestart),
        1 => index().prop_map(Action::DisableAndEnable),
        1 => index().prop_map(Action::Fail),
        1 => Just(Action::Sleep),
        1 => Just(Action::Wake),
        4 => index().prop_map(Action::Open),
        2 => index().prop_map(Action::Close),
        6 => (index(), prop::sample::select(&KINDS[..])).prop_map(|(file, kind)| Action::Send(file, kind)),
        1 => index().prop_map(Action::Cancel),
        2 => (0..25u64).prop_map(|ms| Action::LetPass { ms }),
    ];
    prop::collection::vec(action, 1..40)
}

/// What is there, by the drivers' own account.
#[derive(Default)]
struct Tree {
    /// The function devices that are alive.
    buses: Vec<Device>,
    /// Every device object that ever was.
    objects: Vec<DeviceObject>,
    /// Requests that a device keeps, with the driver's word for its timer.
    kept: Vec<(u64, Request)>,
    timers: u64,
}

fn tree(m: &mut Machine) -> &mut Tree {
    m.extension_mut::<Tree>()
}

fn device_add(m: &mut Machine, _: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let attributes = Attributes::none().context(()).on_cleanup(|m, object| {
        tree(m).buses.retain(|bus| bus.object() != object);
    });
    let bus = init.default_child_list(create_child).create(m, attributes)?;
    let object = bus.device_object(m);
    tree(m).buses.push(bus);
    tree(m).objects.push(object);
    serve_requests(m, bus)?;
    bus.create_interface(m, TREE_INTERFACE, None)
}

fn serve_requests(m: &mut Machine, device: Device) -> Result<(), NtStatus> {
    let queue = Queue::config(Dispatch::Parallel).on_device_control(serve).on_stop(on_stop).on_resume(|_, _, _| {});
    queue.create_default(m, device).map(|_| ())
}

fn create_child(m: &mut Machine, _: ChildList, child: u64, init: DeviceInit) -> Result<(), NtStatus> {
    let ids = PdoIds {
        device: "TREE\\Bus".to_owned(),
        instance: format!("{child}"),
        hardware: vec!["TREE\\Bus".to_owned()],
        ..PdoIds::default()
    };
    let pdo = init.ids(ids).create(m, Attributes::none().context(()))?;
    let has = CapabilityFlags::EJECT_SUPPORTED | CapabilityFlags::REMOVABLE | CapabilityFlags::SURPRISE_REMOVAL_OK;
    pdo.set_pnp_capabilities(m, PnpCapabilities { has, ..PnpCapabilities::default() });
    let object = pdo.device_object(m);
    tree(m).objects.push(object);
    serve_requests(m, pdo)
}

/// The function code of a control code says what to do.
fn code(kind: Kind) -> IoctlCode {
    let at = KINDS.iter().position(|&known| known == kind).expect("every kind is there");
    IoctlCode::new(0x8000, 0x800 + at as u16, Method::Buffered, Access::ANY)
}

fn kind(m: &mut Machine, request: Request) -> Kind {
    let code = request.ioctl_code(m).expect("the queue takes control requests only");
    KINDS[(code.0 >> 2 & 0xFF) as usize]
}

/// EvtIoDeviceControl, of function devices and of PDOs.
fn serve(m: &mut Machine, queue: Queue, request: Request, _: IoControl) {
    let device = queue.device(m);
    match kind(m, request) {
        Kind::Answers => request.complete(m, STATUS_SUCCESS),
        Kind::Forwards if device.kind(m) == DeviceKind::Fdo => send_on(m, device, request),
        Kind::Forwards | Kind::Keeps | Kind::GivesBack | Kind::GivesUp => keep(m, request),
    }
}

fn send_on(m: &mut Machine, device: Device, request: Request) {
    let target = IoTarget::default_of(m, device).expect("a function device has one below");
    request.format_using_current_type(m);
    request.set_completion_routine(m, came_back, Context(0));
    if !request.send(m, target, SendOptions::none()) {
        let status = request.status(m);
        request.complete(m, status);
    }
}

fn came_back(m: &mut Machine, request: Request, _: IoTarget, params: &CompletionParams, _: Context) {
    request.complete(m, params.io_status.status);
}

fn keep(m: &mut Machine, request: Request) {
    let tree = tree(m);
    let word = tree.timers;
    tree.timers += 1;
    tree.kept.push((word, request));
    m.set_timer(KEPT, |m, word| let_go(m, word.0), Context(word));
    request.mark_cancelable(m, cancelled);
}

fn no_longer_kept(m: &mut Machine, request: Request) {
    tree(m).kept.retain(|&(_, kept)| kept != request);
}

fn cancelled(m: &mut Machine, request: Request) {
    no_longer_kept(m, request);
    request.complete(m, STATUS_CANCELLED);
}

fn let_go(m: &mut Machine, word: u64) {
    let kept = tree(m).kept.iter().find(|&&(known, _)| known == word).map(|&(_, request)| request);
    if let Some(request) = kept
        && request.unmark_cancelable(m).is_ok()
    {
        no_longer_kept(m, request);
        request.complete(m, STATUS_SUCCESS);
    }
}

/// EvtIoStop.
fn on_stop(m: &mut Machine, _: Queue, request: Request, action: StopAction) {
    let kind = kind(m, request);
    let kept = tree(m).kept.iter().any(|&(_, kept)| kept == request);
    if !kept {
        // It is out at the device below, which answers when its own power goes.
        return request.stop_acknowledge(m, false);
    }
    if kind == Kind::Keeps && !action.contains(StopAction::PURGE) {
        return request.stop_acknowledge(m, false);
    }
    if request.unmark_cancelable(m).is_err() {
        return;
    }
    no_longer_kept(m, request);
    match kind {
        Kind::GivesBack if !action.contains(StopAction::PURGE) => request.stop_acknowledge(m, true),
        _ => request.complete(m, STATUS_CANCELLED),
    }
}

/// The programs' side.
#[derive(Default)]
struct Programs {
    files: Vec<FileObject>,
    out: Vec<Overlapped>,
    sent: usize,
    answered: usize,
}

fn pick<T: Copy>(index: Index, among: &[T]) -> Option<T> {
    (!among.is_empty()).then(|| among[index.index(among.len())])
}

impl Programs {
    fn act(&mut self, m: &mut Machine, action: Action) -> Result<(), Stop> {
        let bus = |m: &mut Machine, index: Index| pick(index, &tree(m).buses.clone());
        match action {
            Action::PlugIn { bus: index, child } => {
                if let Some(list) = bus(m, index).and_then(|bus| bus.default_child_list(m)) {
                    m.run(|m| _ = list.add_or_update(m, child))?;
                }
            }
            Action::Unplug { bus: index, child } => {
                if let Some(list) = bus(m, index).and_then(|bus| bus.default_child_list(m)) {
                    m.run(|m| _ = list.update_as_missing(m, child))?;
                }
            }
            Action::Eject { bus: index, child } => {
                if let Some(list) = bus(m, index).and_then(|bus| bus.default_child_list(m)) {
                    m.run(|m| _ = list.request_eject(m, child))?;
                }
            }
            Action::Scan { bus: index, found } => {
                if let Some(list) = bus(m, index).and_then(|bus| bus.default_child_list(m)) {
                    m.run(|m| {
                        list.begin_scan(m);
                        for child in (0..CHILDREN).filter(|&child| found[child as usize]) {
                            _ = list.add_or_update(m, child);
                        }
                        list.end_scan(m);
                    })?;
                }
            }
            Action::Uninstall(index) => self.with_node(m, index, |m, node| m.remove_device(node).map(|_| ()))?,
            Action::StopAndRestart(index) => self.with_node(m, index, |m, node| {
                if m.stop_device(node)?.is_ok() {
                    m.restart_device(node)?;
                }
                Ok(())
            })?,
            Action::DisableAndEnable(index) => self.with_node(m, index, |m, node| {
                _ = m.disable_device(node)?;
                if node.exists(m) {
                    m.enable_device(node)?;
                }
                Ok(())
            })?,
            Action::Fail(index) => {
                if let Some(bus) = bus(m, index) {
                    m.run(|m| bus.set_failed(m, FailedAction::AttemptRestart))?;
                }
            }
            Action::Sleep if m.system_power() == SystemPowerState::Working => {
                _ = m.sleep(SystemPowerState::Sleeping3)?;
            }
            Action::Wake if m.system_power() != SystemPowerState::Working => m.wake()?,
            Action::Sleep | Action::Wake => {}
            Action::Open(index) => {
                let links = m.interfaces(TREE_INTERFACE);
                if let Some(link) = (!links.is_empty()).then(|| &links[index.index(links.len())]) {
                    self.files.extend(m.create_file(link, OpenOptions::OVERLAPPED)?.ok());
                }
            }
            Action::Close(index) => {
                if let Some(file) = pick(index, &self.files) {
                    self.files.retain(|&open| open != file);
                    m.close_handle(file)?;
                }
            }
            Action::Send(index, kind) => {
                if let Some(file) = pick(index, &self.files)
                    && let Ok(request) = m.start_io_control(file, code(kind), &[], &[])?
                {
                    self.out.push(request);
                    self.sent += 1;
                }
            }
            Action::Cancel(index) => {
                if let Some(request) = pick(index, &self.out) {
                    m.cancel_io(request)?;
                }
            }
            Action::LetPass { ms } => m.advance(Ticks::from_millis(ms))?,
        }
        self.collect(m);
        Ok(())
    }

    fn with_node(
        &mut self,
        m: &mut Machine,
        index: Index,
        act: fn(&mut Machine, vbus::wdm::DevNode) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        // Who plays the PnP manager does so while the system works.
        if m.system_power() != SystemPowerState::Working {
            return Ok(());
        }
        let mut nodes = m.root_devnodes().to_vec();
        let mut at = 0;
        while at < nodes.len() {
            nodes.extend(nodes[at].children(m));
            at += 1;
        }
        match pick(index, &nodes) {
            // The root stays until the end.
            Some(node) if node.parent(m).is_some() => act(m, node),
            _ => Ok(()),
        }
    }

    fn collect(&mut self, m: &mut Machine) {
        let before = self.out.len();
        self.out.retain(|&request| m.overlapped_result(request, &mut []).is_none());
        self.answered += before - self.out.len();
    }

    /// Everybody goes home: handles are closed, requests run out, the root bus is uninstalled with all that is below it.
    fn end(&mut self, m: &mut Machine) -> Result<(), Stop> {
        if m.system_power() != SystemPowerState::Working {
            m.wake()?;
        }
        for file in std::mem::take(&mut self.files) {
            m.close_handle(file)?;
        }
        m.advance(Ticks::from_millis(1_000))?;
        self.collect(m);
        let root = m.root_devnodes()[0];
        m.remove_device(root)?.expect("nobody is left who could refuse");
        m.advance(Ticks::from_millis(1_000))
    }
}

fn play(actions: &[Action], verifier: bool) -> Vec<String> {
    let mut m = Machine::new();
    m.add_extension(Tree::default());
    let config = DriverConfig {
        device_add: Some(device_add),
        verifier,
        verbose: true,
        log_pages: 16,
        ..DriverConfig::default()
    };
    let driver = Driver::create(&mut m, "tree", config, Attributes::none());
    let function = Some(driver.driver_object(&m));
    for hardware_id in ["ROOT\\TREE", "TREE\\Bus"] {
        m.install(Installation { hardware_id: hardware_id.into(), function, ..Installation::default() });
    }
    m.add_root_device("ROOT\\TREE").expect("the root bus starts");
    m.watch_irps();
    let mut programs = Programs::default();
    for &action in actions {
        programs.act(&mut m, action).expect("nobody does anything wrong");
    }
    programs.end(&mut m).expect("nobody did anything wrong");
    m.run(|m| driver.unload(m)).expect("the driver unloads");

    assert_eq!(programs.answered, programs.sent, "every request is answered once");
    let seen = m.take_observations();
    invariants::accounting_closes(&m, &seen);
    invariants::log_is_whole(&m, driver);
    let Tree { buses, objects, kept, .. } = std::mem::take(tree(&mut m));
    assert_eq!((buses, kept.len()), (Vec::new(), 0), "no function device and no request is left");
    for object in objects {
        assert!(!object.exists(&m), "no device object is left");
    }
    // The root's own devnode stays: its device is uninstalled, and still reported.
    assert_eq!(m.devnode_count(), m.root_devnodes().len());
    assert_eq!(vbus::wdf::object_count(&m), 0, "no framework object is left");
    if verifier {
        invariants::nothing_is_left(&m, driver);
    }
    driver.log(&m).iter().map(ToString::to_string).collect()
}

proptest! {
    #![proptest_config(crate::cases(100))]

    #[test]
    fn whatever_happens_to_a_tree_of_devices_nothing_is_left_of_it((actions, verifier) in (actions(), any::<bool>())) {
        let log = play(&actions, verifier);
        prop_assert_eq!(log, play(&actions, verifier));
    }
}
