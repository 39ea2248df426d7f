//! What debugger text tells of devices, IRPs, targets and bug checks: numbers for the reasons.

use std::collections::BTreeMap;

use serde::Serialize;

/// More than this of a kind are not kept: a text that shows more is a log of something else.
pub(super) const MOST: usize = 1024;

/// A device of a stack as `!devstack` lists it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct StackEntry {
    /// The device object.
    #[serde(serialize_with = "super::print::address")]
    pub device: u64,
    /// Its driver, without `\Driver\`.
    pub driver: String,
}

/// What is known of a device object.
#[derive(Clone, Default, Debug)]
pub(super) struct DeviceFacts {
    pub(super) driver: Option<String>,
    pub(super) stack_size: Option<i8>,
    /// The device that it is attached to.
    pub(super) lower: Option<u64>,
}

/// What `!irp` shows of an IRP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct IrpFacts {
    pub(super) line: u64,
    pub(super) stack_count: i8,
    pub(super) current_location: i8,
}

/// A bug check.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct StopFacts {
    pub(super) line: u64,
    pub(super) code: u32,
    pub(super) parameters: [Option<u64>; 4],
    /// The image that the debugger blames.
    pub(super) image: Option<String>,
}

/// All of it.
#[derive(Default, Debug)]
pub(super) struct Facts {
    /// Highest device first, each.
    pub(super) stacks: Vec<Vec<StackEntry>>,
    pub(super) devices: BTreeMap<u64, DeviceFacts>,
    pub(super) irps: BTreeMap<u64, Option<IrpFacts>>,
    /// The device that a WDFIOTARGET was opened on.
    pub(super) target_devices: BTreeMap<u64, u64>,
    /// The state that `!wdfiotarget` shows.
    pub(super) target_states: BTreeMap<u64, String>,
    /// The IRP of a WDFREQUEST.
    pub(super) request_irps: BTreeMap<u64, u64>,
    pub(super) stops: Vec<StopFacts>,
}

/// A target's stack size, or what is known of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Size {
    Is(i8),
    /// As many devices are in the stack.
    AtLeast(i8),
}

impl Facts {
    /// The stack size of a target's device: what the target caches when it is opened.
    pub(super) fn target_size(&self, target: u64) -> Option<Size> {
        let device = *self.target_devices.get(&target)?;
        self.device_size(device)
    }

    pub(super) fn device_size(&self, device: u64) -> Option<Size> {
        if let Some(size) = self.devices.get(&device).and_then(|facts| facts.stack_size) {
            return Some(Size::Is(size));
        }
        // A device has at least one location for itself and for each device below it.
        let below = self.stacks.iter().find_map(|stack| {
            let at = stack.iter().position(|entry| entry.device == device)?;
            i8::try_from(stack.len() - at).ok()
        });
        below.map(Size::AtLeast)
    }

    /// The IRP of a request; without a word on it, the only IRP of the text.
    pub(super) fn irp_of(&self, request: Option<u64>) -> Option<(u64, IrpFacts)> {
        let named = request.and_then(|request| self.request_irps.get(&request)).copied();
        let only = (self.irps.len() == 1).then(|| *self.irps.keys().next().expect("there is one"));
        let irp = named.or(only)?;
        Some((irp, (*self.irps.get(&irp)?)?))
    }

    /// The driver of a device.
    pub(super) fn driver(&self, device: u64) -> Option<&str> {
        let listed = self.stacks.iter().flatten().find(|entry| entry.device == device);
        listed.map(|entry| entry.driver.as_str()).or_else(|| self.devices.get(&device)?.driver.as_deref())
    }

    /// The stack that a device is in, from it down.
    pub(super) fn stack_below(&self, device: u64) -> Option<&[StackEntry]> {
        self.stacks.iter().find_map(|stack| {
            let at = stack.iter().position(|entry| entry.device == device)?;
            Some(&stack[at..])
        })
    }

    pub(super) fn device(&mut self, device: u64) -> Option<&mut DeviceFacts> {
        entry(&mut self.devices, device)
    }
}

/// The entry of a bounded map: none, when it is full.
pub(super) fn entry<V: Default>(map: &mut BTreeMap<u64, V>, key: u64) -> Option<&mut V> {
    let is_full = map.len() >= MOST && !map.contains_key(&key);
    (!is_full).then(|| map.entry(key).or_default())
}
