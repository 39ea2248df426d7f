//! Puts buses and readers on a machine.

use thiserror::Error;
use vbus_bus::{BusConfig, HARDWARE_ID_BUS, HARDWARE_ID_READER, OpenError, Service};
use vbus_reader::ReaderConfig;
use vbus_wdf::{Driver, DriverConfig};
use vbus_wdm::{DevNode, DeviceObject, FilterStyle, Machine, NodeState, NtStatus, Stop};

use crate::topology::{Built, Bus, BusDriver, Filter, Filters, ReaderDriver, ReaderFunction, Topology};

/// What to build: the story's stacks, until something is changed.
///
/// By default that is one bus whose FDO has its natural StackSize of 2, no filter above it, verbose logs, and readers
/// whose function driver adds one location and that have Windows' smart-card class filter above them: StackSize 4.
#[derive(Clone)]
pub struct Setup {
    buses: usize,
    bus: BusConfig,
    bus_filters: Vec<FilterStyle>,
    reader: ReaderConfig,
    reader_filters: Vec<FilterStyle>,
    readers: Vec<u32>,
    driver: DriverConfig,
}

/// Why a setup could not be built.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum SetupError {
    /// No IRP has that many locations, or that few.
    #[error(
        "{stack}'s stack would have StackSize {size}, and an IRP has 1 to 125 locations: \
         take fewer filters or another StackSize"
    )]
    StackSize {
        /// The function driver.
        stack: String,
        /// Its StackSize at the top.
        size: i32,
    },
    /// A device's stack did not start.
    #[error("{device} did not start: {state:?}")]
    NotStarted {
        /// Its instance path.
        device: String,
        /// Where it is.
        state: Option<NodeState>,
    },
    /// A reader could not be plugged in.
    #[error("plugging in reader {id} failed with {status}")]
    PlugIn {
        /// The reader.
        id: u32,
        /// The bus's answer.
        status: NtStatus,
    },
    /// The bus could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The machine is stopped.
    #[error(transparent)]
    Stopped(#[from] Stop),
}

/// A machine with a bus on it.
pub struct VirtualBus {
    /// The machine.
    pub machine: Machine,
    /// The bus driver, for its log.
    pub bus_driver: Driver,
    /// The readers' function driver, for its log.
    pub reader_driver: Driver,
    /// The buses' devnodes.
    pub buses: Vec<DevNode>,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            buses: 1,
            bus: BusConfig::default(),
            bus_filters: Vec::new(),
            reader: ReaderConfig::default(),
            reader_filters: vec![FilterStyle::Copy],
            readers: Vec::new(),
            driver: DriverConfig { verbose: true, ..DriverConfig::default() },
        }
    }
}

impl Setup {
    /// Adds a reader with this id to every bus.
    pub fn reader(mut self, id: u32) -> Setup {
        self.readers.push(id);
        self
    }

    /// How many buses there are.
    pub fn buses(mut self, count: usize) -> Setup {
        self.buses = count;
        self
    }

    /// How the bus driver behaves.
    pub fn bus(mut self, config: BusConfig) -> Setup {
        self.bus = config;
        self
    }

    /// What the bus driver adds to its FDO's StackSize.
    pub fn bus_extra_stack(mut self, extra: i8) -> Setup {
        self.bus.extra_stack = extra;
        self
    }

    /// Filters above the bus FDO, lowest first.
    pub fn bus_filters(mut self, filters: impl IntoIterator<Item = FilterStyle>) -> Setup {
        self.bus_filters = filters.into_iter().collect();
        self
    }

    /// How the readers behave.
    pub fn reader_config(mut self, config: ReaderConfig) -> Setup {
        self.reader = config;
        self
    }

    /// Filters above the readers' FDOs, lowest first, instead of the one class filter.
    pub fn reader_filters(mut self, filters: impl IntoIterator<Item = FilterStyle>) -> Setup {
        self.reader_filters = filters.into_iter().collect();
        self
    }

    /// VerboseOn for both drivers.
    pub fn verbose(mut self, verbose: bool) -> Setup {
        self.driver.verbose = verbose;
        self
    }

    /// VerifierOn for both drivers.
    pub fn verifier(mut self, verifier: bool) -> Setup {
        self.driver.verifier = verifier;
        self
    }

    /// LogPages of both drivers' logs.
    pub fn log_pages(mut self, pages: u32) -> Setup {
        self.driver.log_pages = pages;
        self
    }

    /// Builds it: loads the drivers, starts the buses, plugs the readers in.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn build(&self) -> Result<VirtualBus, SetupError> {
        let topology = self.topology();
        let Built { mut machine, bus_drivers, reader_drivers } = topology.load()?;
        let mut buses = Vec::new();
        topology.start(&mut machine, &mut buses)?;
        Ok(VirtualBus { machine, bus_driver: bus_drivers[0], reader_driver: reader_drivers[0].1, buses })
    }

    /// Buses of one kind, with readers of one kind.
    fn topology(&self) -> Topology {
        let bus = BusDriver {
            name: "vbus".to_owned(),
            hardware_id: HARDWARE_ID_BUS.to_owned(),
            config: self.bus,
            framework: self.driver,
            filters: Filters { upper: numbered(&self.bus_filters, "busfilter"), lower: Vec::new() },
        };
        let reader = ReaderDriver {
            name: "vreader".to_owned(),
            hardware_ids: vec![HARDWARE_ID_READER.to_owned()],
            function: ReaderFunction::Reader(self.reader.clone()),
            framework: self.driver,
            filters: Filters { upper: numbered(&self.reader_filters, "scfilter"), lower: Vec::new() },
        };
        let buses = vec![Bus { driver: 0, readers: self.readers.clone() }; self.buses];
        Topology { bus_drivers: vec![bus], reader_drivers: vec![reader], buses }
    }
}

/// The first filter carries the plain name.
fn numbered(styles: &[FilterStyle], name: &str) -> Vec<Filter> {
    let name = |at| if at == 0 { name.to_owned() } else { format!("{name}{}", at + 1) };
    styles.iter().enumerate().map(|(at, &style)| Filter { name: name(at), style }).collect()
}

impl VirtualBus {
    /// Opens the first bus.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn service(&mut self) -> Result<Service, OpenError> {
        Service::open(&mut self.machine, 0)
    }

    /// The stack of a bus, highest device first.
    pub fn bus_stack(&self, bus: usize) -> Vec<DeviceObject> {
        self.buses.get(bus).and_then(|node| node.pdo(&self.machine)).map_or(Vec::new(), |pdo| pdo.stack(&self.machine))
    }

    /// The first bus's FDO: the device right above its PDO.
    pub fn bus_fdo(&self) -> Option<DeviceObject> {
        self.bus_stack(0).into_iter().nth_back(1)
    }

    /// StackSize of the first bus's FDO.
    pub fn bus_fdo_stack_size(&self) -> i8 {
        self.bus_fdo().map_or(0, |fdo| self.machine[fdo].stack_size)
    }

    /// The drivers of a stack with their devices' StackSizes.
    pub fn describe(&self, stack: &[DeviceObject]) -> Vec<(String, i8)> {
        let m = &self.machine;
        stack.iter().map(|&device| (device.driver_name(m).to_owned(), m[device].stack_size)).collect()
    }

    /// The stack of a bus's `reader`-th child, highest device first.
    pub fn reader_stack(&self, bus: usize, reader: usize) -> Vec<DeviceObject> {
        let m = &self.machine;
        let node = self.buses.get(bus).and_then(|node| node.children(m).get(reader).copied());
        node.and_then(|node| node.pdo(m)).map_or(Vec::new(), |pdo| pdo.stack(m))
    }
}
