//! WDFWORKITEM.
//!
//! Source: S/core/fxworkitem.cpp, S/core/fxworkitemapi.cpp.

use vbus_wdm::{Context, Machine, NtStatus};

use super::{Base, object_of, parent_of, required_parent, validate, word};
use crate::driver::Driver;
use crate::framework::trace;
use crate::object::{Attributes, Class, Handle, Object, general_handle, peek_body};
use crate::sync::presentation;
use crate::trace::sites;
use crate::verifier;
use crate::worker;

static WORK_ITEM: Class = Class { passive: true, rundown, bytes: 184, locks: 1, ..Class::new(0x1025) };

general_handle! {
    /// A WDFWORKITEM: a routine that runs at PASSIVE_LEVEL in a system worker thread.
    WorkItem is WORK_ITEM as WorkItem
}

/// EvtWorkItemFunc, at PASSIVE_LEVEL.
type OnWork = fn(&mut Machine, WorkItem);

struct Body {
    base: Base,
    callback: OnWork,
    queued: bool,
    /// How many runs of it are on the call stack.
    running: u32,
}

impl Body {
    fn is_done(&self) -> bool {
        !self.queued && self.running == 0
    }
}

/// WDF_WORKITEM_CONFIG: begin with [`WorkItem::config`].
#[derive(Clone, Copy)]
pub struct WorkItemConfig {
    callback: OnWork,
    automatic_serialization: bool,
}

impl WorkItem {
    /// WDF_WORKITEM_CONFIG_INIT: calls `callback`, under the parent's presentation lock if that has a synchronization
    /// scope.
    pub fn config(callback: OnWork) -> WorkItemConfig {
        WorkItemConfig { callback, automatic_serialization: true }
    }
}

impl WorkItemConfig {
    /// AutomaticSerialization.
    pub fn automatic_serialization(mut self, automatic: bool) -> WorkItemConfig {
        self.automatic_serialization = automatic;
        self
    }

    /// `WdfWorkItemCreate`. The attributes name the parent, which must be a device or below one.
    ///
    /// # Errors
    /// STATUS_WDF_PARENT_NOT_SPECIFIED, STATUS_INVALID_DEVICE_REQUEST for a parent without a device above it,
    /// STATUS_WDF_EXECUTION_LEVEL_INVALID for attributes with a level, STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL if it is
    /// to be serialized with callbacks that also run at DISPATCH_LEVEL, STATUS_DELETE_PENDING.
    ///
    /// Source: S/core/fxworkitemapi.cpp:40-130, S/core/fxworkitem.cpp:110-290.
    pub fn create(self, m: &mut Machine, driver: Driver, attributes: Attributes) -> Result<WorkItem, NtStatus> {
        let parent = required_parent(m, driver, &attributes)?;
        validate(m, driver, &attributes)?;
        let automatic = self.automatic_serialization;
        let base = Base::of(m, driver, parent, automatic, true, &sites::WORK_ITEM_INCOMPATIBLE)?;
        let body = Body { base, callback: self.callback, queued: false, running: 0 };
        base.create(m, driver, &WORK_ITEM, body, attributes).map(WorkItem)
    }
}

impl WorkItem {
    /// `WdfWorkItemEnqueue`: the routine runs when the current code waits or is done. One that is queued is not queued
    /// again; one that runs is.
    ///
    /// Source: S/core/fxworkitem.cpp:292-350.
    pub fn enqueue(self, m: &mut Machine) {
        m.boundary("WdfWorkItemEnqueue");
        let driver = self.driver(m);
        let body = self.body(m);
        if body.queued {
            return trace(m, driver, &sites::WORK_ITEM_QUEUED, [self.0.handle()]);
        }
        if body.base.running_down {
            trace(m, driver, &sites::WORK_ITEM_DELETED, [self.0.handle()]);
            return verifier::debug_break(m, driver);
        }
        body.queued = true;
        self.0.add_reference(m);
        m.queue_work_item(run, word(self));
    }

    /// `WdfWorkItemFlush`: waits until the routine is neither queued nor running. Under the verifier nothing above
    /// PASSIVE_LEVEL; from the routine itself it would wait forever, and returns with an error in the log instead.
    ///
    /// Source: S/core/fxworkitem.cpp:505-540.
    pub fn flush(self, m: &mut Machine) {
        m.boundary("WdfWorkItemFlush");
        if !verifier::passive_level(m, self) {
            return;
        }
        let driver = self.driver(m);
        if self.body(m).running > 0 {
            let thread = m.current_thread();
            trace(m, driver, &sites::WORK_ITEM_FLUSH_INSIDE, [self.0.handle(), thread]);
            return verifier::debug_break(m, driver);
        }
        self.wait(m);
    }

    fn wait(self, m: &mut Machine) {
        m.wait("a work item to run", move |m| peek_body::<Body>(m, self.0).is_none_or(Body::is_done));
    }

    /// `WdfWorkItemGetParentObject`: `None` once it is disposed of.
    pub fn parent(self, m: &mut Machine) -> Option<Object> {
        parent_of(self.body(m).base)
    }
}

fn run(m: &mut Machine, context: Context) {
    let Some(work_item) = object_of(m, context).map(WorkItem) else { return };
    worker::at_passive_level(m, |m| {
        let body = work_item.body(m);
        body.queued = false;
        body.running += 1;
        let (callback, lock) = (body.callback, body.base.lock);
        presentation::hold(m, lock, |m| callback(m, work_item));
        work_item.body(m).running -= 1;
        // What enqueue() took.
        work_item.0.release(m);
    });
}

/// A queued work item runs before it is cleaned up, unless it is its own routine that deletes it.
///
/// Source: S/core/fxworkitem.cpp:430-500.
fn rundown(m: &mut Machine, object: Object) {
    let work_item = WorkItem(object);
    let body = work_item.body(m);
    body.base.running_down = true;
    if body.running == 0 {
        work_item.wait(m);
    }
    let parent = work_item.body(m).base.parent.take();
    Base::let_go(m, object, parent);
}
