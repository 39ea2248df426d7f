//! A bus, two readers, a forwarded request, and the log that it leaves.

use vbus::Setup;
use vbus::bus::{IOCTL_VBUS_EXCHANGE, ReaderId};
use vbus::wdm::{FilterStyle, constants::STATUS_SUCCESS};

fn main() -> anyhow::Result<()> {
    // The bus driver adds 3 to its FDO's natural StackSize of 2; a filter sits above it.
    let setup = Setup::default().bus_extra_stack(3).bus_filters([FilterStyle::Copy]);
    let mut vbus = setup.reader(7).reader(8).build()?;

    // What a user-mode service does: open the bus's interface, send an IOCTL for a child.
    let service = vbus.service()?;
    let machine = &mut vbus.machine;
    let mut output = [0; 64];
    let get_challenge = [0x00, 0x84, 0x00, 0x00, 0x08];
    let result = service.control(machine, ReaderId(8), IOCTL_VBUS_EXCHANGE, &get_challenge, &mut output)?;
    assert_eq!(result.status, STATUS_SUCCESS);
    println!("reader 8 answers {:02X?}", &output[..result.information as usize]);

    // Pulled out; a request for it has a status of its own now.
    println!("unplug: {}", service.unplug(machine, ReaderId(8))?);
    let result = service.control(machine, ReaderId(8), IOCTL_VBUS_EXCHANGE, &get_challenge, &mut output)?;
    println!("and then: {}", result.status);

    // The end of the bus driver's in-flight log, as !wdflogdump prints it.
    for line in vbus.bus_driver.log(&vbus.machine).iter().rev().take(5).rev() {
        println!("{line}");
    }
    Ok(())
}
