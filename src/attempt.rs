//! A forwarded request in a row of numbers: for a table, and for programs.

use std::fmt;

use serde::Serialize;

use crate::probe::Probe;
use crate::setup::VirtualBus;
use crate::style::{BOLD, GREEN, PLAIN, RED, spaced_hex};

/// One try to forward a request, under the names that JSON output gives its parts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Attempt {
    /// StackSize of the bus FDO.
    pub bus_stack_size: i8,
    /// StackCount of the program's IRP.
    pub irp_stack_count: i8,
    /// CurrentLocation when it reached the bus FDO.
    pub current_location: i8,
    /// What DeviceIoControl returned, by name.
    pub status: String,
    /// The same as a number: `0xc00000d0`.
    pub status_code: String,
    /// The call that failed, or whose callback refused the request.
    pub failed_in: Option<String>,
    /// What the format call left in the bus driver's log.
    pub log: Vec<String>,
    /// What the reader answered, in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

impl Attempt {
    /// What `probe` saw on `vbus`, whose driver formats with `format_call`.
    pub fn of(vbus: &VirtualBus, probe: &Probe, format_call: &str) -> Attempt {
        let status = probe.result.status;
        let refuser = probe.refused_by.map_or("nobody", |device| device.driver_name(&vbus.machine));
        let place = match probe.refused_in_format() {
            true => format_call.to_owned(),
            false => format!("{refuser}'s queue callback"),
        };
        Attempt {
            bus_stack_size: vbus.bus_fdo_stack_size(),
            irp_stack_count: probe.irp_stack_count,
            current_location: probe.current_location,
            status: status.name().map_or_else(|| status.to_string(), str::to_owned),
            status_code: format!("0x{:08x}", status.0),
            failed_in: (!status.is_success()).then_some(place),
            log: probe.format_lines().map(ToString::to_string).collect(),
            output: status.is_success().then(|| spaced_hex(&probe.output).replace(' ', "").to_lowercase()),
        }
    }

    /// A table of attempts at a target of this stack size, with ANSI styles.
    ///
    /// # Errors
    /// The formatter's.
    pub fn write_table(f: &mut fmt::Formatter<'_>, attempts: &[Attempt], needs: i8) -> fmt::Result {
        writeln!(f, "{BOLD}bus StackSize  IRP locations  at the bus FDO  left below  target needs  result{PLAIN}")?;
        for tried in attempts {
            let (size, count, at) = (tried.bus_stack_size, tried.irp_stack_count, tried.current_location);
            let (left, status) = (at - 1, &tried.status);
            let style = if tried.output.is_some() { GREEN } else { RED };
            writeln!(f, "{size:>13}  {count:>13}  {at:>14}  {left:>10}  {needs:>12}  {style}{status}{PLAIN}")?;
        }
        Ok(())
    }
}
