//! What the whole-stack tests share.

#![allow(dead_code)] // Each test file uses its own part.

mod approve;
pub mod bench;
pub mod workbench;

use vbus::VirtualBus;
use vbus::bus::{IOCTL_VBUS_EXCHANGE, ReaderId};
use vbus::wdm::constants::*;
use vbus::wdm::{DeviceObject, IoStatus, Irp, Machine, NtStatus, Observation, Step};

/// READ BINARY of the card's short file 1, which holds its number.
pub const READ_CARD: &[u8] = &[0x00, 0xB0, 0x81, 0x00, 0x00];

/// What the card of a reader answers to [`READ_CARD`].
pub fn card_text(reader: u32) -> Vec<u8> {
    [format!("vbus card {reader:08}").as_bytes(), &[0x90, 0x00]].concat()
}

/// Sends the vendor IOCTL for a reader. Returns the result and the answer.
pub fn exchange(vbus: &mut VirtualBus, reader: u32, command: &[u8]) -> (IoStatus, Vec<u8>) {
    let service = vbus.service().unwrap();
    let mut output = vec![0; 64];
    let result =
        service.control(&mut vbus.machine, ReaderId(reader), IOCTL_VBUS_EXCHANGE, command, &mut output).unwrap();
    output.truncate(result.information as usize);
    service.close(&mut vbus.machine).unwrap();
    (result, output)
}

/// A plain device's answer to the one PnP IRP that opening a target on it sends: that device is not its own PDO, either.
pub fn knows_no_pnp(m: &mut Machine, _: DeviceObject, irp: Irp) -> NtStatus {
    irp.complete_with(m, STATUS_NOT_SUPPORTED, 0)
}

/// A request's steps as a table: what happened, and the accounting at that moment.
pub fn accounting(vbus: &VirtualBus, seen: &[Observation]) -> String {
    let m = &vbus.machine;
    let mut table = format!("{:<48}  SC  CL  status\n", "step");
    for seen in seen {
        let step = match seen.step {
            Step::Call { device, major } => format!("call {}, {}", device.driver_name(m), major.name()),
            Step::Complete { owner } => {
                format!("{} completes", owner.map_or("the originator", |device| device.driver_name(m)))
            }
            Step::Routine { owner } => {
                format!("routine of {}", owner.map_or("the originator", |device| device.driver_name(m)))
            }
            Step::Cancel { .. } => "cancelled".to_owned(),
            Step::Done => "done".to_owned(),
            Step::Free => "freed".to_owned(),
        };
        let status = seen.status.name().unwrap_or("?");
        table += &format!("{step:<48}  {:>2}  {:>2}  {status}\n", seen.stack_count, seen.current_location);
    }
    table
}
