//! The states of an object's deletion, by the names that logs print.
//!
//! Source: S/inc/private/common/fxobject.hpp (FxObjectState, SetObjectStateLocked, TraceDroppedEvent).

use vbus_wdm::Machine;

use crate::framework::trace;
use crate::object::{Kind, Object};
use crate::trace::sites;

/// FxObjectState.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(dead_code)] // A number that logs print stands for each, whether the model stays in it or not.
pub(crate) enum State {
    Invalid,
    /// It lives: only now it takes children and contexts.
    #[default]
    Created,
    /// Its cleanup is over; it waits for whoever began that to destroy it.
    Disposed,
    DisposingEarly,
    DisposingDisposeChildren,
    /// Its cleanup waits for PASSIVE_LEVEL; somebody else will destroy it.
    DeferedDisposing,
    /// Its cleanup and what follows wait for PASSIVE_LEVEL.
    DeferedDeleting,
    /// Deleted while its parent goes, which will dispose of it.
    WaitingForEarlyDispose,
    WaitingForParentDeleteAndDisposed,
    DeletedDisposing,
    /// Nothing holds it but references.
    DeletedAndDisposed,
    /// Its last reference went where its EvtDestroy may not run.
    DeferedDestroy,
    Destroyed,
}

impl State {
    /// The enumerators' full names, by number.
    pub(crate) const NAMES: &'static [&'static str] = &[
        "FxObjectStateInvalid",
        "FxObjectStateCreated",
        "FxObjectStateDisposed",
        "FxObjectStateDisposingEarly",
        "FxObjectStateDisposingDisposeChildren",
        "FxObjectStateDeferedDisposing",
        "FxObjectStateDeferedDeleting",
        "FxObjectStateWaitingForEarlyDispose",
        "FxObjectStateWaitingForParentDeleteAndDisposed",
        "FxObjectStateDeletedDisposing",
        "FxObjectStateDeletedAndDisposed",
        "FxObjectStateDeferedDestroy",
        "FxObjectStateDestroyed",
    ];
}

/// FxObjectDroppedEvent: what came too late for an object's state.
#[derive(Clone, Copy)]
pub(crate) enum Dropped {
    AddChild = 1,
    RemoveChild = 2,
    Delete = 3,
    EarlyDispose = 4,
    ParentDelete = 6,
}

/// The enumerators' full names, by number.
pub(crate) const DROPPED_NAMES: &[&str] = &[
    "FxObjectDroppedEventAssignParentObject",
    "FxObjectDroppedEventAddChildObjectInternal",
    "FxObjectDroppedEventRemoveChildObjectInternal",
    "FxObjectDroppedEventDeleteObject",
    "FxObjectDroppedEventPerformEarlyDispose",
    "FxObjectDroppedEventRemoveParentAssignment",
    "FxObjectDroppedEventParentDeleteEvent",
];

impl Object {
    /// Moves the object on. A driver that tracks handles has a line of every step.
    #[inline]
    pub(super) fn set_state(self, m: &mut Machine, state: State) {
        let header = self.header(m);
        let from = std::mem::replace(&mut header.state, state);
        if header.marks.traced {
            let driver = header.driver();
            let arguments = [self.address(), self.handle_or_null(), from as u64, state as u64];
            trace(m, driver, &sites::OBJECT_STATE, arguments);
        }
    }

    /// Says of a driver's tracked object that an event came too late for it.
    pub(super) fn dropped(self, m: &mut Machine, event: Dropped) {
        let header = self.header(m);
        if header.marks.traced {
            let (driver, state) = (header.driver(), header.state);
            let arguments = [self.address(), self.handle_or_null(), state as u64, event as u64];
            trace(m, driver, &sites::OBJECT_DROPPED, arguments);
        }
    }

    /// The handle; an object that no driver sees has none.
    fn handle_or_null(self) -> u64 {
        if self.kind == Kind::IoPackage { 0 } else { self.handle() }
    }
}
