//! The machine that a scenario is played on, with what its steps give names to.

use std::collections::BTreeMap;
use std::sync::Arc;

use vbus_bus::{GUID_DEVINTERFACE_VBUS, HARDWARE_ID_READER, ReaderId, reader_hardware_id};
use vbus_reader::{CardFactory, ReaderConfig};
use vbus_wdf::{Device, Driver, DriverConfig, LogLine};
use vbus_wdm::{DevNode, DeviceObject, FileObject, Machine, Overlapped, Thread, Ticks};

use super::RunError;
use super::driver::{self, Script, Scripts};
use crate::scenario::Scenario;
use crate::scenario::bus::Bus;
use crate::scenario::driver::DriverCode;
use crate::scenario::filter::Filter;
use crate::scenario::reader::{Function, Reader};
use crate::scenario::source::Place;
use crate::setup::SetupError;
use crate::topology::{self, BusDriver, Filters, ReaderDriver, ReaderFunction, Topology};

/// A request that is out, or finished and not waited for yet.
#[derive(Clone)]
pub(super) struct Out {
    pub(super) overlapped: Overlapped,
    pub(super) output_length: u32,
}

/// Everything that steps act on.
pub(crate) struct Stage<'s> {
    pub(crate) scenario: &'s Scenario,
    pub(crate) m: Machine,
    /// Every framework driver with its name.
    pub(crate) drivers: Vec<(String, Driver)>,
    pub(crate) buses: Vec<DevNode>,
    pub(super) handles: BTreeMap<String, FileObject>,
    /// The scenario's own handles, by bus and whether they are overlapped.
    pub(super) own_handles: BTreeMap<(usize, bool), FileObject>,
    pub(super) requests: BTreeMap<String, Out>,
    /// The program's threads that steps name.
    pub(super) threads: BTreeMap<String, Thread>,
    topology: Topology,
    /// Where the current step stands.
    pub(super) place: Place,
}

/// What steps gave names to, and what else a thread of a race takes along.
#[derive(Clone)]
pub(super) struct Names {
    drivers: Vec<(String, Driver)>,
    buses: Vec<DevNode>,
    handles: BTreeMap<String, FileObject>,
    own_handles: BTreeMap<(usize, bool), FileObject>,
    requests: BTreeMap<String, Out>,
    threads: BTreeMap<String, Thread>,
    topology: Topology,
}

impl<'s> Stage<'s> {
    /// All handles that a program has, which has them no more.
    pub(crate) fn take_handles(&mut self) -> Vec<FileObject> {
        let handles = std::mem::take(&mut self.handles).into_values();
        handles.chain(std::mem::take(&mut self.own_handles).into_values()).collect()
    }

    /// The readers' drivers.
    pub(crate) fn reader_drivers(&self) -> &[(String, Driver)] {
        &self.drivers[self.scenario.bus.len().min(self.drivers.len())..]
    }

    /// Whether a driver drives readers.
    pub(super) fn is_reader_driver(&self, name: &str) -> bool {
        self.topology.reader_drivers.iter().any(|reader| reader.name == name)
    }

    /// Everything but the machine.
    pub(super) fn names(&self) -> Names {
        Names {
            drivers: self.drivers.clone(),
            buses: self.buses.clone(),
            handles: self.handles.clone(),
            own_handles: self.own_handles.clone(),
            requests: self.requests.clone(),
            threads: self.threads.clone(),
            topology: self.topology.clone(),
        }
    }

    /// The stage of a thread that has the machine now.
    pub(super) fn of(scenario: &'s Scenario, m: Machine, names: Names) -> Stage<'s> {
        let Names { drivers, buses, handles, own_handles, requests, threads, topology } = names;
        let place = Place::default();
        Stage { scenario, m, drivers, buses, handles, own_handles, requests, threads, topology, place }
    }

    /// Takes over what a thread added to the names that it had `before`, and took from them.
    pub(super) fn learn(&mut self, before: &Names, after: &Names) {
        difference(&mut self.handles, &before.handles, &after.handles);
        difference(&mut self.own_handles, &before.own_handles, &after.own_handles);
        difference(&mut self.requests, &before.requests, &after.requests);
    }

    /// Loads the scenario's drivers; nothing is started yet.
    pub(crate) fn load(scenario: &'s Scenario) -> Result<Stage<'s>, RunError> {
        let topology = topology_of(scenario);
        let mut built = topology.load()?;
        let names = topology.bus_drivers.iter().map(|bus| &bus.name);
        let buses = names.cloned().zip(built.bus_drivers.iter().copied());
        let drivers = buses.chain(built.reader_drivers.iter().cloned()).collect();
        let scripts = scenario.bus.iter().zip(&built.bus_drivers);
        let scripts = scripts.filter_map(|(bus, &driver)| script_of(bus, driver)).collect();
        built.machine.add_extension(Scripts::new(scripts));
        Ok(Stage {
            scenario,
            m: built.machine,
            drivers,
            buses: Vec::new(),
            handles: BTreeMap::new(),
            own_handles: BTreeMap::new(),
            requests: BTreeMap::new(),
            threads: BTreeMap::new(),
            topology,
            place: Place::default(),
        })
    }

    /// Starts the buses, and plugs in the readers that are there from the beginning.
    pub(crate) fn start(&mut self) -> Result<(), SetupError> {
        let topology = self.topology.clone();
        topology.start(&mut self.m, &mut self.buses)?;
        let buses: Vec<Option<Device>> = (0..self.buses.len()).map(|at| self.bus_device(at)).collect();
        for (index, bus) in self.scenario.bus.iter().enumerate() {
            let Some(driver) = self.drivers.iter().find(|(name, _)| name == bus.name()).map(|&(_, driver)| driver)
            else {
                continue;
            };
            let other = buses[(index + 1) % buses.len()];
            let scripts = &mut self.m.extension_mut::<Scripts>().scripts;
            if let Some(script) = scripts.iter_mut().find(|script| script.driver == driver) {
                script.other_bus = other;
            }
        }
        Ok(())
    }

    /// The bus's WDFDEVICE, while its stack is there.
    pub(super) fn bus_device(&mut self, bus: usize) -> Option<Device> {
        let fdo = self.bus_fdo(bus)?;
        Device::of(&mut self.m, fdo)
    }

    /// The bus's function device.
    pub(super) fn bus_fdo(&self, bus: usize) -> Option<DeviceObject> {
        let (node, name) = (self.buses.get(bus)?, self.scenario.bus.get(bus)?.name());
        let stack = node.pdo(&self.m)?.stack(&self.m);
        stack.into_iter().find(|device| device.driver_name(&self.m) == name)
    }

    /// The devnode of a reader that is there.
    pub(crate) fn reader_node(&self, bus: usize, id: u32) -> Option<DevNode> {
        let instance = format!("{id:04}");
        let children = self.buses.get(bus)?.children(&self.m);
        children.into_iter().find(|node| node.info(&self.m).is_some_and(|info| info.instance_id == instance))
    }

    /// The thread that steps of this name are taken by: made when it is first needed.
    pub(crate) fn thread(&mut self, name: &str) -> Thread {
        match self.threads.get(name) {
            Some(&thread) => thread,
            None => {
                let thread = self.m.create_thread();
                self.threads.insert(name.to_owned(), thread);
                thread
            }
        }
    }

    /// The devnode that a step means.
    pub(super) fn node(&self, bus: usize, reader: Option<u32>) -> Option<DevNode> {
        match reader {
            Some(id) => self.reader_node(bus, id),
            None => self.buses.get(bus).copied(),
        }
    }

    /// The interface link of a bus.
    pub(super) fn bus_link(&self, bus: usize) -> Option<String> {
        let path = self.buses.get(bus)?.instance_path(&self.m).replace('\\', "#").to_lowercase();
        let links = self.m.interfaces(GUID_DEVINTERFACE_VBUS);
        links.into_iter().find(|link| link.to_lowercase().contains(&path))
    }

    /// How far each driver's log is.
    pub(crate) fn log_marks(&self) -> Vec<u32> {
        self.drivers.iter().map(|(_, driver)| driver.log_sequence(&self.m)).collect()
    }

    /// What the drivers logged since, in the order in which it happened.
    pub(crate) fn log_since(&self, marks: &[u32]) -> Vec<(String, LogLine)> {
        let mut lines: Vec<(String, LogLine)> = Vec::new();
        for ((name, driver), &mark) in self.drivers.iter().zip(marks) {
            lines.extend(driver.log_after(&self.m, mark).into_iter().map(|line| (name.clone(), line)));
        }
        lines.sort_by_key(|(_, line)| line.moment);
        lines
    }

    /// How often the framework broke into the debugger so far.
    pub(super) fn debugger_breaks(&self) -> usize {
        self.drivers.iter().map(|(_, driver)| driver.debugger_breaks(&self.m).len()).sum()
    }
}

fn difference<K: Ord + Clone, V: Clone>(known: &mut BTreeMap<K, V>, before: &BTreeMap<K, V>, after: &BTreeMap<K, V>) {
    known.retain(|key, _| after.contains_key(key) || !before.contains_key(key));
    let added = after.iter().filter(|(key, _)| !before.contains_key(key));
    known.extend(added.map(|(key, value)| (key.clone(), value.clone())));
}

fn script_of(bus: &Bus, driver: Driver) -> Option<Script> {
    let code = bus.driver.clone()?;
    let mut readers: Vec<u32> = bus.reader.iter().map(|reader| *reader.id.get_ref()).collect();
    readers.sort();
    let config = bus.config();
    let script =
        Script { driver, code: Arc::new(code), format: config.format, send: config.send, readers, other_bus: None };
    Some(script)
}

/// What the scenario says stands on the machine: a driver for each bus, and one for all readers that are alike.
pub(crate) fn topology_of(scenario: &Scenario) -> Topology {
    let framework = DriverConfig {
        verbose: scenario.framework.verbose,
        verifier: scenario.framework.verifier,
        log_pages: scenario.framework.log_pages,
        ..DriverConfig::default()
    };
    let mut topology = Topology::default();
    let mut kinds: Vec<(&Bus, &Reader, usize)> = Vec::new();
    for (index, bus) in scenario.bus.iter().enumerate() {
        let mut config = bus.config();
        config.forward = bus.driver.is_some().then_some(driver::forward as vbus_bus::Forward);
        let has = |calls: &dyn Fn(&DriverCode) -> bool| {
            bus.driver.as_ref().is_some_and(calls).then_some(driver::transfer as vbus_bus::OnTransfer)
        };
        (config.read, config.write) = (has(&|code| code.read.is_some()), has(&|code| code.write.is_some()));
        let has_child = bus.driver.as_ref().is_some_and(|code| code.child.is_some());
        config.of_child = has_child.then_some(driver::of_child as vbus_bus::OfChild);
        topology.bus_drivers.push(BusDriver {
            name: bus.name().to_owned(),
            hardware_id: format!("ROOT\\{}", bus.name().to_uppercase()),
            config,
            framework,
            filters: filters(&bus.lower_filters, &bus.upper_filters),
        });
        let plugged = bus.reader.iter().filter(|reader| reader.plugged).map(|reader| *reader.id.get_ref());
        topology.buses.push(topology::Bus { driver: index, readers: plugged.collect() });
        for reader in &bus.reader {
            let hardware_id = reader_hardware_id(bus.name(), ReaderId(*reader.id.get_ref()));
            match kinds.iter().find(|(of, known, _)| alike((of, known), (bus, reader))) {
                Some(&(_, _, at)) => topology.reader_drivers[at].hardware_ids.push(hardware_id),
                None => {
                    let at = topology.reader_drivers.len();
                    kinds.push((bus, reader, at));
                    topology.reader_drivers.push(reader_driver((bus, reader), at, hardware_id, framework));
                }
            }
        }
    }
    // Readers that no line of the scenario mentions cannot appear; the generic id is for those of the first kind.
    if let Some(first) = topology.reader_drivers.first_mut() {
        first.hardware_ids.push(HARDWARE_ID_READER.to_owned());
    }
    topology
}

fn reader_driver(
    (bus, reader): (&Bus, &Reader),
    at: usize,
    hardware_id: String,
    framework: DriverConfig,
) -> ReaderDriver {
    let (card, place) = (reader.card.clone(), bus.place.clone().unwrap_or_default());
    let config = ReaderConfig {
        extra_stack: reader.extra_stack,
        response_time: Ticks::from_millis(reader.response_ms),
        // The check of the scenario made one of it; a file that went since then leaves the slot empty.
        card: CardFactory::new(move |number| card.make(&place, number).ok().flatten()),
        ..ReaderConfig::default()
    };
    let name = if at == 0 { "vreader".to_owned() } else { format!("vreader{}", at + 1) };
    let filters = filters(&reader.lower_filters, &reader.upper_filters);
    let function = match reader.function {
        Function::Reader => ReaderFunction::Reader(config),
        Function::PassDown => ReaderFunction::PassDown,
    };
    ReaderDriver { name, hardware_ids: vec![hardware_id], function, framework, filters }
}

/// Whether two readers can have one driver.
fn alike((one_bus, one): (&Bus, &Reader), (other_bus, other): (&Bus, &Reader)) -> bool {
    let behaviour = |reader: &Reader| (reader.function, reader.extra_stack, reader.response_ms);
    behaviour(one) == behaviour(other)
        && one.card == other.card
        // A card's file is looked for beside the scenario's file that names it.
        && one_bus.place.as_ref().map(Place::path) == other_bus.place.as_ref().map(Place::path)
        && one.upper_filters == other.upper_filters
        && one.lower_filters == other.lower_filters
}

fn filters(lower: &[Filter], upper: &[Filter]) -> Filters {
    let all = |filters: &[Filter]| {
        let one = |filter: &Filter| topology::Filter { name: filter.name().to_owned(), style: filter.style() };
        filters.iter().map(one).collect()
    };
    Filters { lower: all(lower), upper: all(upper) }
}
