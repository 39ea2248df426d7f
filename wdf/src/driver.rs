//! Framework drivers: creation, AddDevice, the per-driver log.

use vbus_wdm::constants::*;
use vbus_wdm::{Context, DeviceObject, DriverObject, Id, Machine, NtStatus, Pool};

use crate::compliance::{self, Compliance};
use crate::device::DeviceInit;
use crate::dispatch;
use crate::framework::{Framework, fx, fx_mut, trace};
use crate::object::{Attributes, DisposeList, Handle, HandleType, Header, Kind, Object};
use crate::pool::{self, PoolUse};
use crate::sync::presentation::Constraints;
use crate::trace::{Level, Log, LogLine, Site, sites};

/// A WDFDRIVER.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Driver(pub(crate) Object);

impl Handle for Driver {
    fn object(self) -> Object {
        self.0
    }
}

/// EvtDriverUnload.
pub type DriverUnload = fn(&mut Machine, Driver);

/// EvtDriverDeviceAdd.
pub type DeviceAdd = fn(&mut Machine, Driver, DeviceInit) -> Result<(), NtStatus>;

/// WDF_DRIVER_CONFIG and the registry values that the framework reads for a driver.
#[derive(Clone, Copy, Debug, Default)]
pub struct DriverConfig {
    /// EvtDriverDeviceAdd.
    pub device_add: Option<DeviceAdd>,
    /// EvtDriverUnload.
    pub unload: Option<DriverUnload>,
    /// VerboseOn: verbose records reach the log.
    pub verbose: bool,
    /// VerifierOn: what the framework verifier checks on the paths that are modelled, with its debugger breaks
    /// ([`Driver::debugger_breaks`]).
    pub verifier: bool,
    /// DbgBreakOnError: whether the framework breaks into the debugger where it says so, verifier or not. None is as
    /// VerifierOn.
    pub break_on_error: Option<bool>,
    /// LogPages: 1 to 16, more counts as 16; 0 stands for 1, which is Windows' default for a driver that is not verified.
    pub log_pages: u32,
    /// EnhancedVerifierOptions: the framework calls the driver through hooks, which see that its callbacks return at the
    /// level at which they were called.
    pub enhanced_verifier: bool,
    /// EnhancedVerifierOptions, too: whether forward progress is tested although there is memory.
    pub forward_progress_test: ForwardProgressTest,
    /// vbus writes down where the driver breaks published rules that Windows does not look at
    /// ([`Driver::broken_rules`]).
    pub compliance: bool,
    /// TrackHandles: every state of an object is a verbose record.
    pub track_handles: bool,
}

/// Which requests of queues that have reserved ones the framework fails to make, as if there was no memory.
///
/// Source: S/inc/private/common/fxverifier.h:34-55, S/irphandlers/io/fxpkgio.cpp:1757-1797.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ForwardProgressTest {
    /// None.
    #[default]
    Off,
    /// 0x10000: all.
    FailAll,
    /// 0x20000: one in 17, by the framework's own random numbers, which begin with the time at which the device was
    /// created.
    FailRandom,
}

#[derive(Default)]
pub(crate) struct DriverBody {
    pub(crate) header: Header,
    pub(crate) name: String,
    pub(crate) log: Log,
    verbose: bool,
    pub(crate) verifier: bool,
    pub(crate) break_on_error: bool,
    device_add: Option<DeviceAdd>,
    pub(crate) unload: Option<DriverUnload>,
    pub(crate) track_handles: bool,
    pub(crate) enhanced_verifier: bool,
    pub(crate) forward_progress_test: ForwardProgressTest,
    pub(crate) compliance: Option<Box<Compliance>>,
    /// The driver object is gone; the log can still be read.
    pub(crate) unloaded: bool,
    pub(crate) constraints: Constraints,
    pub(crate) dispose_list: DisposeList,
    pub(crate) pool: PoolUse,
    driver_object: Option<DriverObject>,
    /// Where the framework broke into the debugger, by the log's sequence number at that moment.
    pub(crate) breaks: Vec<u32>,
    /// The device that EvtDriverDeviceAdd just created.
    pub(crate) added: Option<DeviceObject>,
}

/// Where the registry has what it keeps of a driver.
///
/// Source: the driver documentation, DRIVER_INITIALIZE, RegistryPath.
const SERVICES: &str = "\\Registry\\Machine\\System\\CurrentControlSet\\Services\\";

impl DriverBody {
    /// How many bytes the driver's copy of its registry path takes.
    pub(crate) fn registry_path_bytes(&self) -> u64 {
        let units = SERVICES.len() + self.name.encode_utf16().count() + 1;
        2 * units as u64
    }

    #[inline]
    pub(crate) fn trace<const N: usize>(&mut self, moment: u64, site: &'static Site, arguments: [u64; N]) {
        if self.verbose || site.level < Level::Verbose {
            self.log.record(moment, site, arguments);
        }
    }
}

impl Driver {
    /// `WdfDriverCreate` in DriverEntry: loads a driver of this service name.
    ///
    /// The attributes' execution level and synchronization scope are what its devices inherit.
    ///
    /// Source: S/core/fxdriver.cpp:526-567, 634-720; K/core/tracing.cpp:299.
    pub fn create(m: &mut Machine, name: &str, config: DriverConfig, attributes: Attributes) -> Driver {
        if !m.has_layer() {
            m.set_layer(Framework::default());
        }
        let driver_object = m.create_driver(name);
        let (id, body) = fx_mut(m).drivers.take();
        let driver = Driver::from_id(id);
        body.header.initialize(driver);
        body.header.mark_passive_callbacks();
        body.constraints = Constraints::of(&attributes, Constraints::default());
        body.name = name.to_owned();
        body.log = Log::new(config.log_pages.max(1));
        body.verbose = config.verbose;
        body.verifier = config.verifier;
        body.break_on_error = config.break_on_error.unwrap_or(config.verifier);
        body.device_add = config.device_add;
        body.unload = config.unload;
        body.track_handles = config.track_handles;
        body.enhanced_verifier = config.enhanced_verifier;
        body.forward_progress_test = config.forward_progress_test;
        body.compliance = config.compliance.then(Box::default);
        body.driver_object = Some(driver_object);
        fx_mut(m).tracks_handles |= config.track_handles;
        fx_mut(m).checks_rules |= config.compliance;
        driver.initialize_globals(m);
        driver.0.adopt(m, attributes);
        m[driver_object].context = Context(id.to_word());
        driver_object.set_all_majors(m, dispatch::dispatch);
        driver_object.set_add_device(m, add_device);
        driver
    }

    /// FxInitialize: what a log begins with.
    ///
    /// Source: S/object/globals.cpp:706-745, 771-860; S/object/wdfpool.cpp:596-620.
    fn initialize_globals(self, m: &mut Machine) {
        let (mut verified, mut loaded) = (false, 0);
        for (_, other) in fx(m).drivers.iter().filter(|&(id, body)| body.verifier && id != self.id()) {
            verified = true;
            loaded += u64::from(!other.unloaded);
        }
        let (globals, registry_path) = (self.globals_address(), self.registry_path(m));
        let Some(body) = fx_mut(m).drivers.get_mut(self.id()) else { return };
        let (path, verifier) = (body.log.word_of_text(&registry_path), body.verifier);
        trace(m, self, &sites::IFR_START, []);
        trace(m, self, &sites::GLOBALS_INITIALIZE, [path]);
        trace(m, self, &sites::POOL_INITIALIZE, [pool::address(self), verifier.into()]);
        if verifier {
            let site = if verified { &sites::VERIFIER_SECTION_LOCKED } else { &sites::VERIFIER_SECTION_LOCKED_FIRST };
            trace(m, self, site, [loaded + 1, path, globals]);
        }
    }

    #[inline]
    pub(crate) fn id(self) -> Id {
        self.0.id
    }

    pub(crate) fn from_id(id: Id) -> Driver {
        Driver(Object { kind: Kind::Driver, id })
    }

    /// A handle that a driver took for a WDFDRIVER: a cast in C. See [`Object::expect_type`].
    pub fn from_handle(m: &mut Machine, driver: Driver, handle: Object) -> Driver {
        handle.expect_type(m, driver, HandleType::Driver);
        Driver(handle)
    }

    /// `WdfDriverGetRegistryPath`.
    pub fn registry_path(self, m: &Machine) -> String {
        let name = fx(m).drivers.get(self.id()).map_or("", |body| &body.name);
        format!("{SERVICES}{name}")
    }

    pub(crate) fn tracks_handles(self, m: &Machine) -> bool {
        fx(m).drivers.get(self.id()).is_some_and(|body| body.track_handles)
    }

    /// `WdfDriverWdmGetDriverObject`: what is installed for a hardware id.
    pub fn driver_object(self, m: &Machine) -> DriverObject {
        // Set when the driver was created; drivers stay loaded.
        fx(m)
            .drivers
            .get(self.id())
            .and_then(|body| body.driver_object)
            .expect("a created driver has its driver object")
    }

    /// Whether the framework verifier is on for this driver.
    #[inline]
    pub fn verifier_on(self, m: &Machine) -> bool {
        fx(m).drivers.get(self.id()).is_some_and(|body| body.verifier)
    }

    /// The log as `!wdflogdump` lists it, oldest record first.
    pub fn log(self, m: &Machine) -> Vec<LogLine> {
        self.log_after(m, 0)
    }

    /// The sequence number of the newest record.
    pub fn log_sequence(self, m: &Machine) -> u32 {
        fx(m).drivers.get(self.id()).map_or(0, |body| body.log.sequence())
    }

    /// The records after `sequence` that the ring still holds.
    pub fn log_after(self, m: &Machine, sequence: u32) -> Vec<LogLine> {
        fx(m).drivers.get(self.id()).map(|body| body.log.lines_after(sequence)).unwrap_or_default()
    }

    /// Where the framework verifier would have broken into the debugger: the log's sequence number at each break. The
    /// run goes on after it, as it does on a machine without a debugger.
    pub fn debugger_breaks(self, m: &Machine) -> &[u32] {
        fx(m).drivers.get(self.id()).map_or(&[], |body| &body.breaks)
    }

    /// The address of the driver's framework globals, the last parameter of every WDF_VIOLATION.
    pub fn globals_address(self) -> u64 {
        Pool::Globals.address(self.id().index())
    }
}

/// The framework's AddDevice: calls EvtDriverDeviceAdd, then lets others attach above what it created.
///
/// Source: S/core/km/fxdriverkm.cpp:40-125; S/core/fxdevice.cpp:594-608 (a filter).
fn add_device(m: &mut Machine, driver_object: DriverObject, pdo: DeviceObject) -> NtStatus {
    let Some(id) = Id::from_word(m[driver_object].context.0) else { return STATUS_INVALID_DEVICE_REQUEST };
    let driver = Driver::from_id(id);
    trace(m, driver, &sites::ADD_DEVICE_ENTER, [pdo.address()]);
    let device_add = fx(m).drivers.get(id).and_then(|body| body.device_add);
    compliance::creates(m, driver, false);
    let mut status = match device_add {
        Some(device_add) => NtStatus::from(device_add(m, driver, DeviceInit::for_stack(driver, pdo))),
        None => STATUS_INVALID_DEVICE_REQUEST,
    };
    let added = fx_mut(m).drivers.get_mut(id).and_then(|body| body.added.take());
    match added {
        Some(device_object) if status.is_success() => m[device_object].initializing = false,
        Some(device_object) => status = crate::device::end::undo_failed_add(m, device_object, status),
        None => {}
    }
    if status.is_success() {
        compliance::added(m, driver, added.is_some());
    }
    trace(m, driver, &sites::ADD_DEVICE_EXIT, [status.0.into()]);
    status
}
