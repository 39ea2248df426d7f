//! The logs of both drivers as one: what each request left in them.

use vbus_wdf::Driver;

use crate::setup::VirtualBus;

/// Where reading the logs has come.
pub struct Trace {
    bus: u32,
    reader: u32,
}

impl Trace {
    /// From now on.
    pub fn new(vbus: &VirtualBus) -> Trace {
        let mut trace = Trace { bus: 0, reader: 0 };
        trace.skip(vbus);
        trace
    }

    /// What came since the last time is of no interest.
    pub fn skip(&mut self, vbus: &VirtualBus) {
        self.bus = vbus.bus_driver.log_sequence(&vbus.machine);
        self.reader = vbus.reader_driver.log_sequence(&vbus.machine);
    }

    /// What came since the last time, in the order in which it was written: each line with its driver's name.
    pub fn lines(&mut self, vbus: &VirtualBus) -> Vec<String> {
        let m = &vbus.machine;
        let mut lines = Vec::new();
        let mut read = |name: &str, driver: Driver, after: u32| {
            lines.extend(driver.log_after(m, after).into_iter().map(|line| (line.moment, format!("{name:<8}{line}"))));
        };
        read("vbus", vbus.bus_driver, self.bus);
        read("vreader", vbus.reader_driver, self.reader);
        lines.sort_by_key(|(moment, _)| *moment);
        self.skip(vbus);
        lines.into_iter().map(|(_, line)| line).collect()
    }
}
