//! Devices: `!devstack`, `!devobj`, and the StackSize that only `dt nt!_DEVICE_OBJECT` shows.

use super::{Block, address, after, driver_name};
use crate::explain::facts::{Facts, MOST, StackEntry};

pub(super) fn line(block: &mut Block, text: &str, facts: &mut Facts) -> bool {
    if text.starts_with("!DevObj") {
        *block = Block::Stack;
        if facts.stacks.len() < MOST {
            facts.stacks.push(Vec::new());
        }
        return true;
    }
    // `Device object (ffffe000d2b2e060) is for:`
    if let Some(device) = after(text, "Device object (").and_then(|rest| rest.split_once(") is for:")) {
        *block = address(device.0).map_or(Block::None, Block::Device);
        return true;
    }
    match *block {
        Block::Stack => stack(text, facts),
        Block::Device(device) => of_device(device, text, facts),
        _ => false,
    }
}

/// `> ffffe000d2b2e060  \Driver\vreader    ffffe000d2b2d010  0000005a`
fn stack(text: &str, facts: &mut Facts) -> bool {
    let listed = text.trim_start_matches('>').trim_start();
    let device = listed.split_ascii_whitespace().next().and_then(address);
    if let (Some(device), Some(driver), Some(stack)) = (device, driver_name(listed), facts.stacks.last_mut()) {
        if stack.len() < 127 {
            stack.push(StackEntry { device, driver: driver.chars().take(64).collect() });
        }
        return true;
    }
    ["!DevNode", "DeviceInst", "ServiceName"].iter().any(|label| text.starts_with(label))
}

fn of_device(device: u64, text: &str, facts: &mut Facts) -> bool {
    let Some(of) = facts.device(device) else { return false };
    // `+0x04c StackSize        : 4 ''`
    if let Some((_, size)) =
        text.split_once("StackSize").filter(|(before, _)| before.starts_with("+0x") || before.is_empty())
    {
        let size = size.split_ascii_whitespace().find(|word| *word != ":");
        let size = size.map(|size| size.trim_start_matches("0n"));
        of.stack_size = size.and_then(|size| size.parse().ok()).filter(|size| *size > 0).or(of.stack_size);
        return true;
    }
    if let Some(lower) = after(text, "AttachedTo (Lower) ") {
        of.lower = lower.split_ascii_whitespace().next().and_then(address);
        return true;
    }
    if text.contains("DriverObject ") && text.contains('\\') {
        of.driver = driver_name(text).map(|name| name.chars().take(64).collect());
        return true;
    }
    let labels = [
        "AttachedDevice (Upper)",
        "Current Irp",
        "Dacl",
        "DevExt",
        "ExtensionFlags",
        "Characteristics",
        "Device queue",
        "SecurityDescriptor",
        "+0x",
    ];
    labels.iter().any(|label| text.starts_with(label))
}
