//! A framework object of one's own: a counter that calls its user back at every tenth increment.
//!
//! KMDF has no way to declare a new kind of object, but an extension library can make one of a plain WDFOBJECT: the
//! user's attributes give it its parent, its context and its EvtCleanup; a custom type marks it as the library's, so
//! that the library knows its own when a handle comes back; and the type's data is where the library keeps what the
//! user has no business with.

use std::fmt::Write;

use vbus::wdf::*;
use vbus::wdm::{Installation, Machine, NtStatus, Ticks};

use counter::Counter;

/// The extension library.
mod counter {
    use super::*;

    /// EvtCounterTenth: the count has reached another ten. The counter may be deleted here.
    pub type EvtTenth = fn(&mut Machine, Counter, u64);

    /// A counter. What every framework object can do, it can.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Counter(Object);

    impl Handle for Counter {
        fn object(self) -> Object {
            self.0
        }
    }

    /// What marks this library's objects. Nobody else can name it.
    struct CounterType;

    impl CustomType for CounterType {
        type Data = State;
    }

    struct State {
        count: u64,
        tenth: EvtTenth,
    }

    impl Counter {
        /// A counter at 0. The attributes are the user's; without a parent it goes with its driver.
        ///
        /// # Errors
        /// What the framework says to the attributes, such as STATUS_DELETE_PENDING for a parent that is being deleted.
        pub fn create(
            m: &mut Machine,
            driver: Driver,
            tenth: EvtTenth,
            attributes: Attributes,
        ) -> Result<Counter, NtStatus> {
            let object = create_object(m, driver, attributes)?;
            let state = State { count: 0, tenth };
            // The library's own EvtCleanup and EvtDestroy would go here; they run after the user's.
            let added = object.add_custom_type_with_data::<CounterType>(m, state, None, None);
            added.inspect_err(|_| object.delete(m))?;
            Ok(Counter(object))
        }

        /// The counter that somebody's handle is, if it is one. The driver's log warns if not.
        pub fn from_object(m: &mut Machine, object: impl Handle) -> Option<Counter> {
            object.is_custom_type::<CounterType>(m).then(|| Counter(object.object()))
        }

        /// Counts one. Returns the count. Up to DISPATCH_LEVEL; the user's callback runs at the level of this call.
        pub fn increment(self, m: &mut Machine) -> u64 {
            let Some(state) = self.0.custom_type_data::<CounterType>(m) else { return 0 };
            state.count += 1;
            let (count, tenth) = (state.count, state.tenth);
            if count.is_multiple_of(10) {
                // No part of the counter is borrowed any more: the callback may do what it likes to it.
                tenth(m, self, count);
            }
            count
        }
    }
}

/// What the driver keeps with its device.
struct DeviceContext(Counter);

#[derive(Default)]
struct Report(String);

/// EvtDriverDeviceAdd of the library's user: a counter of its ticks that goes with the device.
fn device_add(m: &mut Machine, driver: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let device = init.create(m, Attributes::none())?;
    let attributes = Attributes::none().parent(device).context("ticks").on_cleanup(|m, object| {
        let name = *object.context::<&str>(m);
        report(m, format_args!("the counter of {name} goes with its device"));
    });
    let counter = Counter::create(m, driver, ten_more, attributes)?;
    device.allocate_context(m, Attributes::none().context(DeviceContext(counter)))?;
    let timer = Timer::config(tick).periodic(20).create(m, driver, Attributes::none().parent(device))?;
    timer.start(m, Ticks::from_millis(20));
    Ok(())
}

/// EvtTimerFunc, at DISPATCH_LEVEL.
fn tick(m: &mut Machine, timer: Timer) {
    let driver = timer.driver(m);
    let Some(parent) = timer.parent(m) else { return };
    let device = Device::from_handle(m, driver, parent);
    let DeviceContext(counter) = *device.context(m);
    counter.increment(m);
}

/// EvtCounterTenth.
fn ten_more(m: &mut Machine, counter: Counter, count: u64) {
    let name = *counter.context::<&str>(m);
    report(m, format_args!("{count} {name} at {} ms", m.now().0 / Ticks::from_millis(1).0));
}

fn report(m: &mut Machine, what: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    _ = writeln!(m.extension_mut::<Report>().0, "{what}");
}

/// Lets the counter count, asks the library about a foreign object, and unplugs the device. Returns what was seen.
pub fn demonstrate() -> anyhow::Result<String> {
    let mut m = Machine::new();
    m.add_extension(Report::default());
    let config = DriverConfig { device_add: Some(device_add), ..DriverConfig::default() };
    let driver = Driver::create(&mut m, "ticker", config, Attributes::none());
    let function = Some(driver.driver_object(&m));
    m.install(Installation { hardware_id: "ROOT\\TICKER".into(), function, ..Installation::default() });
    let node = m.add_root_device("ROOT\\TICKER")?;
    m.advance(Ticks::from_millis(640))?;

    m.run(|m| {
        let is_counter = Counter::from_object(m, driver).is_some();
        report(m, format_args!("the driver is a counter: {is_counter}"));
    })?;
    let removed = m.remove_device(node)?;
    report(&mut m, format_args!("removed: {}", removed.is_ok()));
    let warning = driver.log(&m).into_iter().rfind(|line| line.message.contains("WdfCustomType_CounterType"));
    if let Some(warning) = warning {
        report(&mut m, format_args!("{warning}"));
    }
    Ok(std::mem::take(&mut m.extension_mut::<Report>().0))
}

fn main() -> anyhow::Result<()> {
    print!("{}", demonstrate()?);
    Ok(())
}
