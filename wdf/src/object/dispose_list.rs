//! What waits for PASSIVE_LEVEL to be disposed of or destroyed: one list for each device, one for each driver.
//!
//! Source: S/core/fxdisposelist.cpp.

use std::collections::VecDeque;

use vbus_wdm::{Context, Id, Machine};

use super::{Kind, Object, State};
use crate::framework::{fx, fx_mut};
use crate::worker;

/// A list, and its work item.
#[derive(Default)]
pub(crate) struct DisposeList {
    objects: VecDeque<Object>,
    queued: bool,
    running: bool,
}

impl DisposeList {
    fn is_idle(&self) -> bool {
        self.objects.is_empty() && !self.queued && !self.running
    }
}

impl Object {
    /// Leaves the object to the list of the device above it, or else of its driver.
    pub(super) fn defer(self, m: &mut Machine, state: State) {
        self.set_state(m, state);
        let owner = self.device_above(m).map(|device| device.0);
        self.put_on_list(m, owner);
    }

    /// Leaves the object to its driver's list.
    pub(super) fn defer_destroy(self, m: &mut Machine) {
        self.set_state(m, State::DeferedDestroy);
        self.put_on_list(m, None);
    }

    fn put_on_list(self, m: &mut Machine, owner: Option<Object>) {
        let owner = owner.unwrap_or(self.header(m).driver().0);
        let Some(list) = list_mut(m, owner) else { return };
        let previously_empty = list.objects.is_empty();
        list.objects.push_back(self);
        if previously_empty && !std::mem::replace(&mut list.queued, true) {
            let drain = if owner.kind == Kind::Device { drain_device } else { drain_driver };
            m.queue_work_item(drain, Context(owner.id.to_word()));
        }
    }

    /// Waits until a device's or driver's list is empty.
    pub(crate) fn wait_for_dispose_list(self, m: &mut Machine) {
        m.wait("the objects whose deletion was left to a work item", move |m| {
            list(m, self).is_none_or(DisposeList::is_idle)
        });
    }
}

fn list(m: &Machine, owner: Object) -> Option<&DisposeList> {
    match owner.kind {
        Kind::Device => fx(m).devices.get(owner.id).map(|body| &body.dispose_list),
        _ => fx(m).drivers.get(owner.id).map(|body| &body.dispose_list),
    }
}

fn list_mut(m: &mut Machine, owner: Object) -> Option<&mut DisposeList> {
    match owner.kind {
        Kind::Device => fx_mut(m).devices.get_mut(owner.id).map(|body| &mut body.dispose_list),
        _ => fx_mut(m).drivers.get_mut(owner.id).map(|body| &mut body.dispose_list),
    }
}

fn drain_device(m: &mut Machine, context: Context) {
    drain(m, Kind::Device, context);
}

fn drain_driver(m: &mut Machine, context: Context) {
    drain(m, Kind::Driver, context);
}

fn drain(m: &mut Machine, kind: Kind, context: Context) {
    let Some(id) = Id::from_word(context.0) else { return };
    let owner = Object { kind, id };
    worker::at_passive_level(m, |m| {
        let Some(list) = list_mut(m, owner) else { return };
        (list.queued, list.running) = (false, true);
        while let Some(object) = list_mut(m, owner).and_then(|list| list.objects.pop_front()) {
            object.deferred(m);
        }
        if let Some(list) = list_mut(m, owner) {
            list.running = false;
        }
    });
}
