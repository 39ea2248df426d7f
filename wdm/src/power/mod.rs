//! The power manager: power IRPs for single devices and for the whole system.

mod codes;
mod request;
mod system;
mod watchdog;

pub use codes::{
    DevicePowerState, PowerAction, PowerMinor, PowerParameters, PowerState, SystemPowerContext, SystemPowerState,
};
pub use request::PowerCompletion;
use request::Requests;

#[derive(Default)]
pub(crate) struct PowerManager {
    requests: Requests,
    state: system::SystemState,
    watchdogs: Vec<watchdog::Watchdog>,
}
