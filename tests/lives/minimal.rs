//! The whole life of the smallest function driver, as its own log tells it.

use vbus::wdf::*;
use vbus::wdm::{DevNode, Installation, Machine, NtStatus, Stop};

fn device_add(m: &mut Machine, _: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    init.create(m, Attributes::none()).map(|_| ())
}

/// Load, add, start, query-remove, remove, unload.
fn live(config: DriverConfig) -> Result<String, Stop> {
    let mut m = Machine::new();
    let config =
        DriverConfig { device_add: Some(device_add), unload: Some(|_, _| {}), verbose: true, log_pages: 16, ..config };
    let driver = Driver::create(&mut m, "minimal", config, Attributes::none());
    let function = Some(driver.driver_object(&m));
    m.install(Installation { hardware_id: "ROOT\\MINIMAL".into(), function, ..Installation::default() });
    let node: DevNode = m.add_root_device("ROOT\\MINIMAL")?;
    m.remove_device(node)?.expect("nobody refuses");
    m.run(|m| driver.unload(m))?;
    Ok(driver.log(&m).iter().map(|line| format!("{line}\n")).collect())
}

#[test]
fn the_verbose_log_of_a_whole_life() {
    approve!("life_of_a_minimal_driver", live(DriverConfig::default()).unwrap());
}

#[test]
fn the_verbose_log_of_a_whole_life_under_the_verifier_with_all_handles_tracked() {
    let config = DriverConfig { verifier: true, track_handles: true, ..DriverConfig::default() };
    approve!("life_of_a_verified_minimal_driver", live(config).unwrap());
}
