//! `!wdfkd.wdfiotarget` and `!wdfkd.wdfrequest`: which device a target was opened on, which IRP a request has.

use super::{Block, address, after};
use crate::explain::facts::{Facts, entry};

pub(super) fn line(block: &mut Block, text: &str, facts: &mut Facts) -> bool {
    match *block {
        Block::Target(target) => {
            // `Target Device:  !devobj 0xffffe000d2b2e060`
            if let Some(device) = after(text, "Target Device:").and_then(|rest| address(after(rest, "!devobj")?)) {
                entry(&mut facts.target_devices, target).into_iter().for_each(|of| *of = device);
                return true;
            }
            // `State:  WdfIoTargetStarted`
            if let Some(state) = after(text, "State:") {
                entry(&mut facts.target_states, target)
                    .into_iter()
                    .for_each(|of| *of = state.chars().take(40).collect());
                return true;
            }
            let labels = ["WDFIOTARGET", "# ", "=====", "WDFDEVICE", "Target PDO", "Type:", "Requests"];
            labels.iter().any(|label| text.starts_with(label))
        }
        Block::Request(request) => {
            // `!irp 0xffffe000d2c3f010`, among the request's other parts
            let lower = text.to_ascii_lowercase();
            let Some(at) = lower.find("!irp ") else { return false };
            let irp = lower[at + 5..].split_ascii_whitespace().next().and_then(address);
            if let (Some(irp), Some(of)) = (irp, entry(&mut facts.request_irps, request)) {
                *of = irp;
            }
            irp.is_some()
        }
        _ => false,
    }
}
