//! What stands on a machine before anything is sent: drivers, what they are installed for, buses, readers; and building it.

use vbus_bus::{BusConfig, ReaderId, Service};
use vbus_reader::ReaderConfig;
use vbus_wdf::{Driver, DriverConfig};
use vbus_wdm::DevNode;
use vbus_wdm::{DriverObject, FilterStyle, Installation, Machine, NodeState, create_filter};

use crate::setup::SetupError;

/// A filter driver that passes everything down.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Filter {
    pub(crate) name: String,
    pub(crate) style: FilterStyle,
}

/// Filters of a stack, each list lowest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Filters {
    pub(crate) lower: Vec<Filter>,
    pub(crate) upper: Vec<Filter>,
}

/// A bus driver and what it is installed with.
#[derive(Clone)]
pub(crate) struct BusDriver {
    pub(crate) name: String,
    pub(crate) hardware_id: String,
    pub(crate) config: BusConfig,
    pub(crate) framework: DriverConfig,
    pub(crate) filters: Filters,
}

/// What drives a reader.
#[derive(Clone)]
pub(crate) enum ReaderFunction {
    Reader(ReaderConfig),
    /// A WDM driver that passes everything down to the PDO.
    PassDown,
}

/// A reader driver and what it is installed with.
#[derive(Clone)]
pub(crate) struct ReaderDriver {
    pub(crate) name: String,
    pub(crate) hardware_ids: Vec<String>,
    pub(crate) function: ReaderFunction,
    pub(crate) framework: DriverConfig,
    pub(crate) filters: Filters,
}

/// A bus with the readers that are plugged into it from the beginning.
#[derive(Clone)]
pub(crate) struct Bus {
    /// Which of the bus drivers drives it.
    pub(crate) driver: usize,
    pub(crate) readers: Vec<u32>,
}

/// Everything together.
#[derive(Clone, Default)]
pub(crate) struct Topology {
    pub(crate) bus_drivers: Vec<BusDriver>,
    pub(crate) reader_drivers: Vec<ReaderDriver>,
    pub(crate) buses: Vec<Bus>,
}

/// A machine with the drivers loaded.
pub(crate) struct Built {
    pub(crate) machine: Machine,
    pub(crate) bus_drivers: Vec<Driver>,
    /// Those that use the framework, with their names.
    pub(crate) reader_drivers: Vec<(String, Driver)>,
}

impl ReaderFunction {
    /// What it adds to its device's StackSize, besides the one that attaching gives.
    fn extra_stack(&self) -> i8 {
        match self {
            ReaderFunction::Reader(config) => config.extra_stack,
            ReaderFunction::PassDown => 0,
        }
    }
}

impl Topology {
    /// Says in numbers that a stack cannot work, before it is built: StackSize is a CCHAR that wraps.
    pub(crate) fn check_stack_sizes(&self) -> Result<(), SetupError> {
        let buses = self.bus_drivers.iter().map(|bus| (&bus.name, bus.config.added_locations(), &bus.filters));
        let readers = self
            .reader_drivers
            .iter()
            .map(|reader| (&reader.name, reader.function.extra_stack().into(), &reader.filters));
        for (stack, extra, filters) in buses.chain(readers) {
            // The PDO has one location, the FDO one more, and each filter another.
            let size = 2 + extra + (filters.lower.len() + filters.upper.len()) as i32;
            if !(1..=125).contains(&size) {
                return Err(SetupError::StackSize { stack: stack.clone(), size });
            }
        }
        Ok(())
    }

    /// Loads and installs the drivers on a new machine.
    pub(crate) fn load(&self) -> Result<Built, SetupError> {
        self.check_stack_sizes()?;
        let mut machine = Machine::new();
        let m = &mut machine;
        let mut bus_drivers = Vec::new();
        for bus in &self.bus_drivers {
            let driver = vbus_bus::create_driver_named(m, &bus.name, bus.config, bus.framework);
            bus_drivers.push(driver);
        }
        let mut reader_drivers = Vec::new();
        let mut functions = Vec::new();
        for reader in &self.reader_drivers {
            functions.push(match &reader.function {
                ReaderFunction::Reader(config) => {
                    let driver = vbus_reader::create_driver_named(m, &reader.name, config.clone(), reader.framework);
                    reader_drivers.push((reader.name.clone(), driver));
                    driver.driver_object(m)
                }
                ReaderFunction::PassDown => create_filter(m, &reader.name, FilterStyle::Copy),
            });
        }
        for (bus, driver) in self.bus_drivers.iter().zip(&bus_drivers) {
            install(m, std::slice::from_ref(&bus.hardware_id), driver.driver_object(m), &bus.filters);
        }
        for (reader, function) in self.reader_drivers.iter().zip(functions) {
            install(m, &reader.hardware_ids, function, &reader.filters);
        }
        Ok(Built { machine, bus_drivers, reader_drivers })
    }

    /// Starts the buses of a loaded machine, and plugs their readers in.
    pub(crate) fn start(&self, m: &mut Machine, nodes: &mut Vec<DevNode>) -> Result<(), SetupError> {
        for bus in &self.buses {
            let node = m.add_root_device(&self.bus_drivers[bus.driver].hardware_id)?;
            require_started(m, node)?;
            nodes.push(node);
        }
        for (index, bus) in self.buses.iter().enumerate() {
            let service = Service::open(m, index)?;
            for &id in &bus.readers {
                let status = service.plug_in(m, ReaderId(id))?;
                if !status.is_success() {
                    return Err(SetupError::PlugIn { id, status });
                }
            }
            service.close(m)?;
            for node in nodes[index].children(m) {
                require_started(m, node)?;
            }
        }
        Ok(())
    }
}

fn install(m: &mut Machine, hardware_ids: &[String], function: DriverObject, filters: &Filters) {
    let lower_filters = create_filters(m, &filters.lower);
    let upper_filters = create_filters(m, &filters.upper);
    for hardware_id in hardware_ids {
        m.install(Installation {
            hardware_id: hardware_id.clone(),
            function: Some(function),
            lower_filters: lower_filters.clone(),
            upper_filters: upper_filters.clone(),
            ..Installation::default()
        });
    }
}

fn create_filters(m: &mut Machine, filters: &[Filter]) -> Vec<DriverObject> {
    filters.iter().map(|filter| create_filter(m, &filter.name, filter.style)).collect()
}

fn require_started(m: &Machine, node: DevNode) -> Result<(), SetupError> {
    match node.state(m) {
        Some(NodeState::Started) => Ok(()),
        state => Err(SetupError::NotStarted { device: node.instance_path(m), state }),
    }
}
