//! Puts buses and readers on a machine.

use thiserror::Error;
use vbus_bus::{BusConfig, HARDWARE_ID_BUS, HARDWARE_ID_READER, OpenError, ReaderId, Service};
use vbus_reader::ReaderConfig;
use vbus_wdf::{Driver, DriverConfig};
use vbus_wdm::{DevNode, DeviceObject, FilterStyle, Installation, Machine, NodeState, NtStatus, Stop, create_filter};

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
        "the {stack}'s stack would have StackSize {size}, and an IRP has 1 to 125 locations: \
         take fewer filters or another StackSize"
    )]
    StackSize {
        /// Whose stack.
        stack: &'static str,
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
        self.check_stack_sizes()?;
        let mut machine = Machine::new();
        let m = &mut machine;
        let bus_driver = vbus_bus::create_driver(m, self.bus, self.driver);
        let reader_driver = vbus_reader::create_driver(m, self.reader.clone(), self.driver);
        let installations = [
            (HARDWARE_ID_BUS, bus_driver, &self.bus_filters, "busfilter"),
            (HARDWARE_ID_READER, reader_driver, &self.reader_filters, "scfilter"),
        ];
        for (hardware_id, driver, filters, name) in installations {
            let upper_filters = create_filters(m, filters, name);
            let function = Some(driver.driver_object(m));
            let hardware_id = hardware_id.to_owned();
            m.install(Installation { hardware_id, function, upper_filters, ..Installation::default() });
        }
        let mut buses = Vec::new();
        for _ in 0..self.buses {
            let node = m.add_root_device(HARDWARE_ID_BUS)?;
            require_started(m, node)?;
            buses.push(node);
        }
        let mut vbus = VirtualBus { machine, bus_driver, reader_driver, buses };
        for bus in 0..self.buses {
            let service = Service::open(&mut vbus.machine, bus)?;
            for &id in &self.readers {
                let status = service.plug_in(&mut vbus.machine, ReaderId(id))?;
                if !status.is_success() {
                    return Err(SetupError::PlugIn { id, status });
                }
            }
            service.close(&mut vbus.machine)?;
            for node in vbus.buses[bus].children(&vbus.machine) {
                require_started(&vbus.machine, node)?;
            }
        }
        Ok(vbus)
    }
}

impl Setup {
    /// StackSize is a CCHAR that wraps: says so in numbers before a stack is built that cannot work.
    fn check_stack_sizes(&self) -> Result<(), SetupError> {
        let bus_options = i32::from(self.bus.preprocess.is_some()) + i32::from(self.bus.remove_lock_for_io);
        let bus = i32::from(self.bus.extra_stack) + bus_options;
        for (stack, extra, filters) in
            [("bus", bus, &self.bus_filters), ("reader", self.reader.extra_stack.into(), &self.reader_filters)]
        {
            // The PDO has one location, the FDO one more, and each filter another.
            let size = 2 + extra + filters.len() as i32;
            if !(1..=125).contains(&size) {
                return Err(SetupError::StackSize { stack, size });
            }
        }
        Ok(())
    }
}

/// One driver per filter; the first carries the plain name.
fn create_filters(m: &mut Machine, filters: &[FilterStyle], name: &str) -> Vec<vbus_wdm::DriverObject> {
    let numbered = filters.iter().enumerate().map(|(at, &style)| match at {
        0 => create_filter(m, name, style),
        _ => create_filter(m, &format!("{name}{}", at + 1), style),
    });
    numbered.collect()
}

fn require_started(m: &Machine, node: DevNode) -> Result<(), SetupError> {
    match node.state(m) {
        Some(NodeState::Started) => Ok(()),
        state => Err(SetupError::NotStarted { device: node.instance_path(m), state }),
    }
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
