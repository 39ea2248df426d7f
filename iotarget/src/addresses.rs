//! Addresses that lines print and that nothing in the model has: those of code, and of the stack of a call.

use vbus_wdf::Driver;

/// A callback in the driver's image: the log must not show where the process has it.
pub(crate) fn callback(driver: Driver, which: u64) -> u64 {
    const IMAGES: u64 = 0xFFFF_F806_5C3A_0000;
    IMAGES + (driver.globals_address() & 0xFFFF) * 0x1000 + 0x1240 + which * 0x80
}

/// The parameter structures of the call that a driver is in, by number.
pub(crate) fn parameter(which: u64) -> u64 {
    STACK + 0x7C0 - which * 0x30
}

/// What the framework keeps on the stack of a call that closes or deletes a target, by number.
pub(crate) fn local(which: u64) -> u64 {
    STACK + 0x620 - which * 0x80
}

const STACK: u64 = 0xFFFF_F38A_2C61_7000;
