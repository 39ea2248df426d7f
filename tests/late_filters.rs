//! Filters that come when the stack is up and somebody has a target open on it: the StackSize that each device ends with,
//! and who is bypassed.

mod common;

use std::fmt::Write;

use common::bench::*;
use common::{READ_CARD, exchange};
use vbus::Setup as BusSetup;
use vbus::VirtualBus;
use vbus::bus::HARDWARE_ID_READER;
use vbus::iotarget::{OpenParams, SendOptions, SendRequest};
use vbus::wdm::{
    DeviceObject, FilterStyle, Installation, IoctlCode, Machine, Major, Observation, OpenOptions, Step, create_filter,
};

/// A stack from its top: each device's StackSize, where the target points, and where a control request was when it
/// arrived. Who is above the first that saw it was bypassed; the last that saw it answered it.
fn draw(m: &Machine, any: DeviceObject, target: Option<(DeviceObject, i8)>, seen: &[Observation]) -> String {
    let arrived = |device| {
        seen.iter().find_map(|seen| match seen.step {
            Step::Call { device: called, major: Major::DeviceControl | Major::InternalDeviceControl }
                if called == device =>
            {
                Some(seen.current_location)
            }
            _ => None,
        })
    };
    let stack = any.stack(m);
    let first = stack.iter().position(|&device| arrived(device).is_some());
    let mut drawing = String::new();
    for (place, device) in stack.into_iter().enumerate() {
        let location = match arrived(device) {
            Some(at) => format!("CurrentLocation {at}"),
            None if first.is_some_and(|first| place < first) => "bypassed".to_owned(),
            None => String::new(),
        };
        let pointer = match target.filter(|&(opened, _)| opened == device) {
            Some((_, needs)) => format!("<- target, needs {needs}"),
            None => String::new(),
        };
        let (name, stack_size) = (device.driver_name(m), m[device].stack_size);
        let line = format!("  {name:<10} StackSize {stack_size}   {location:<17}   {pointer}");
        writeln!(drawing, "{}", line.trim_end()).unwrap();
    }
    drawing
}

/// The bench with a function driver above the plain device, and a drawing of what happens to it.
struct Stack {
    bench: Bench,
    drawn: String,
}

impl Stack {
    fn new() -> Stack {
        let mut stack = Stack { bench: Setup::default().closed(), drawn: String::new() };
        stack.attach("function");
        stack
    }

    fn attach(&mut self, name: &str) -> DeviceObject {
        let (m, lower) = (&mut self.bench.machine, self.bench.lower);
        let driver = create_filter(m, name, FilterStyle::Copy);
        let device = m.create_device(driver);
        device.attach_to_stack(m, lower).unwrap();
        m[device].initializing = false;
        device
    }

    fn open(&mut self, params: OpenParams) {
        let target = self.bench.target;
        self.bench.run(|m| target.open(m, params)).unwrap();
    }

    fn close(&mut self) {
        let target = self.bench.target;
        self.bench.run(|m| target.close(m));
    }

    /// Sends a request of the driver's own and draws what it met.
    fn send(&mut self, what: &str) {
        let (target, request) = (self.bench.target, self.bench.formatted());
        self.bench.machine.watch_irps();
        assert!(self.bench.run(|m| request.send(m, target, SendOptions::none())));
        let seen = self.bench.machine.take_observations();
        self.draw(what, &seen);
    }

    /// A program opens the stack and sends a request from above.
    fn send_from_a_program(&mut self, what: &str) {
        let m = &mut self.bench.machine;
        let file = m.create_file("\\\\.\\LOWER", OpenOptions::READ_WRITE).unwrap().unwrap();
        m.watch_irps();
        m.device_io_control(file, IoctlCode(0x0022_2000), &[], &mut []).unwrap();
        let seen = m.take_observations();
        self.draw(what, &seen);
    }

    fn draw(&mut self, what: &str, seen: &[Observation]) {
        let (target, lower) = (self.bench.target, self.bench.lower);
        let opened = self.bench.run(|m| target.device_object(m).map(|device| (device, target.stack_size(m))));
        self.drawn += &format!("{what}\n{}\n", draw(&self.bench.machine, lower, opened, seen));
    }
}

#[test]
fn a_target_by_name_bypasses_who_came_later_until_it_is_opened_again() {
    let mut stack = Stack::new();
    stack.attach("filter");
    stack.open(OpenParams::by_name("\\??\\LOWER", OpenOptions::OVERLAPPED));
    stack.send("the target is opened by name");
    stack.attach("late");
    stack.send("a filter attaches: the target's requests go past it");
    stack.send_from_a_program("but a program's do not");
    stack.close();
    stack.open(OpenParams::reopen());
    stack.send("the target is closed and opened again");
    approve!("late_filter_and_a_target_by_name", stack.drawn);
}

#[test]
fn a_target_on_a_device_bypasses_everything_above_it_for_good() {
    let mut stack = Stack::new();
    let function = stack.attach("second");
    stack.attach("filter");
    stack.open(OpenParams::existing_device(function));
    stack.send("the target is opened on a device in the middle");
    stack.attach("late");
    stack.close();
    stack.open(OpenParams::existing_device(function));
    stack.send("a filter attaches, and the target is opened again");
    approve!("late_filter_and_a_target_on_a_device", stack.drawn);
}

#[test]
fn a_stack_size_that_is_raised_late_reaches_only_who_attaches_or_opens_afterwards() {
    let mut stack = Stack::new();
    let filter = stack.attach("filter");
    stack.open(OpenParams::by_name("\\??\\LOWER", OpenOptions::OVERLAPPED));
    let function = filter.lower_device(&stack.bench.machine).unwrap();
    stack.bench.machine[function].stack_size += 2;
    stack.send("the function driver raises its StackSize behind the filter's back");
    stack.attach("late");
    stack.send("one more filter attaches");
    stack.close();
    stack.bench.machine[filter].stack_size += 2;
    stack.open(OpenParams::reopen());
    stack.send("the filter raises its own, and the target is opened again");
    approve!("late_stack_size", stack.drawn);
}

/// A bus that is just large enough for its reader, whose stack has one filter.
fn bus() -> VirtualBus {
    BusSetup::default().bus_extra_stack(3).reader(7).build().unwrap()
}

/// Installs the reader's drivers anew, with one more filter of its class.
fn install_another_class_filter(vbus: &mut VirtualBus) {
    let m = &mut vbus.machine;
    let function = Some(vbus.reader_driver.driver_object(m));
    let upper_filters = vec![create_filter(m, "scfilter", FilterStyle::Copy)];
    let upper_class_filters = vec![create_filter(m, "late", FilterStyle::Copy)];
    let hardware_id = HARDWARE_ID_READER.to_owned();
    m.install(Installation { hardware_id, function, upper_filters, upper_class_filters, ..Installation::default() });
}

/// Sends something to the reader and draws both stacks.
fn forward(vbus: &mut VirtualBus, what: &str) -> String {
    vbus.machine.watch_irps();
    let (result, _) = exchange(vbus, 7, READ_CARD);
    let seen = vbus.machine.take_observations();
    let (bus, reader) = (vbus.bus_stack(0), vbus.reader_stack(0, 0));
    let status = result.status.name().unwrap_or("?");
    let [bus, reader] = [bus, reader].map(|stack| draw(&vbus.machine, stack[0], None, &seen));
    format!("{what}: {status}\n{bus}  --\n{reader}\n")
}

#[test]
fn a_class_filter_that_is_installed_later_appears_when_the_stack_is_built_again_and_then_the_bus_is_too_small() {
    let mut vbus = bus();
    let reader = vbus.buses[0].children(&vbus.machine)[0];
    let mut drawn = forward(&mut vbus, "the bus is large enough for its reader");
    install_another_class_filter(&mut vbus);
    vbus.machine.stop_device(reader).unwrap().unwrap();
    vbus.machine.restart_device(reader).unwrap();
    drawn +=
        &forward(&mut vbus, "a second class filter is installed, and the reader is restarted: its stack is the same");
    vbus.machine.disable_device(reader).unwrap().unwrap();
    vbus.machine.enable_device(reader).unwrap();
    drawn += &forward(&mut vbus, "the reader is disabled and enabled: its stack is built again");
    approve!("late_class_filter", drawn);
}

#[test]
fn a_filter_that_attaches_to_a_running_reader_is_bypassed_by_the_bus_and_counts_when_the_reader_comes_again() {
    let mut vbus = bus();
    let top = vbus.reader_stack(0, 0)[0];
    let mut drawn = forward(&mut vbus, "the bus is large enough for its reader");
    let late = create_filter(&mut vbus.machine, "late", FilterStyle::Copy);
    let device = vbus.machine.create_device(late);
    device.attach_to_stack(&mut vbus.machine, top).unwrap();
    vbus.machine[device].initializing = false;
    drawn += &forward(&mut vbus, "a filter attaches: the bus's target goes past it");
    let reader = vbus.buses[0].children(&vbus.machine)[0];
    vbus.machine.stop_device(reader).unwrap().unwrap();
    vbus.machine.restart_device(reader).unwrap();
    drawn += &forward(&mut vbus, "the reader is restarted, and the bus opens its target again, on the filter");
    approve!("late_filter_on_a_reader", drawn);
}
