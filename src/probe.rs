//! One request, watched: what it was allocated with, where it arrived, who refused it, what it left in the log.

use vbus_bus::{IOCTL_VBUS_EXCHANGE, OpenError, ReaderId};
use vbus_wdf::{Level, LogLine};
use vbus_wdm::{DeviceObject, IoStatus, Step};

use crate::explain::Shortfall;
use crate::setup::VirtualBus;

/// What became of a request to a bus.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Which reader it was for.
    pub reader: u32,
    /// What DeviceIoControl returned.
    pub result: IoStatus,
    /// The output buffer's part that Information counts.
    pub output: Vec<u8>,
    /// StackCount of the program's IRP.
    pub irp_stack_count: i8,
    /// CurrentLocation when it reached the bus FDO.
    pub current_location: i8,
    /// The device whose driver first completed it with an error.
    pub refused_by: Option<DeviceObject>,
    /// What the request left in the bus driver's log.
    pub log: Vec<LogLine>,
}

impl Probe {
    /// What the format call and the validation in it left in the log.
    pub fn format_lines(&self) -> impl Iterator<Item = &LogLine> {
        let functions = ["FxIoTargetFormatIoctl", "FxRequestBase::ValidateTarget"];
        self.log.iter().filter(move |line| functions.contains(&line.function))
    }

    /// Why the format call `call` refused the request, where `minimum` is the StackSize that would do.
    pub fn shortfall(&self, vbus: &VirtualBus, call: &'static str, minimum: i8) -> Shortfall {
        let stack = vbus.describe(&vbus.reader_stack(0, 0));
        let chain: Vec<&str> = stack.iter().map(|(driver, _)| driver.as_str()).collect();
        Shortfall {
            status: self.result.status,
            call,
            driver: vbus.bus_fdo().map_or_else(String::new, |fdo| fdo.driver_name(&vbus.machine).to_owned()),
            stack_size: vbus.bus_fdo_stack_size(),
            irp_stack_count: self.irp_stack_count,
            current_location: self.current_location,
            target: format!("reader {} ({})", self.reader, chain.join(" <- ")),
            target_stack_size: stack.first().map_or(0, |top| top.1),
            minimum: Some(minimum),
        }
    }

    /// Whether the format call refused the request.
    pub fn refused_in_format(&self) -> bool {
        self.log.iter().any(|line| line.function == "FxRequestBase::ValidateTarget" && line.level == Level::Error)
    }
}

impl VirtualBus {
    /// Sends the bus's vendor IOCTL with this command for a reader from user mode, and watches its IRP.
    ///
    /// # Errors
    /// [`OpenError`] if the bus cannot be opened or the machine stops.
    pub fn probe(&mut self, reader: u32, command: &[u8]) -> Result<Probe, OpenError> {
        let service = self.service()?;
        let fdo = self.bus_fdo();
        let before = self.bus_driver.log_sequence(&self.machine);
        self.machine.watch_irps();
        let mut output = vec![0; 258];
        let result = service.control(&mut self.machine, ReaderId(reader), IOCTL_VBUS_EXCHANGE, command, &mut output)?;
        let seen = self.machine.take_observations();
        output.truncate(result.information as usize);

        let arrival = seen.iter().find(|seen| matches!(seen.step, Step::Call { device, .. } if Some(device) == fdo));
        let (irp_stack_count, current_location) = arrival.map_or((0, 0), |at| (at.stack_count, at.current_location));
        let refused_by = seen.iter().find_map(|seen| match seen.step {
            Step::Complete { owner } if !seen.status.is_success() => owner,
            _ => None,
        });
        let log = self.bus_driver.log_after(&self.machine, before);
        service.close(&mut self.machine)?;
        Ok(Probe { reader, result, output, irp_stack_count, current_location, refused_by, log })
    }
}
