//! Deletion: an object's states from the call that deletes it to its destruction.
//!
//! All EvtCleanup callbacks of a subtree run before any EvtDestroy of it, children before their parents and older
//! children before younger ones. EvtDestroy waits for the last reference. Above PASSIVE_LEVEL, an object that may be
//! disposed of only there, or one that has such a child, is left to a work item with everything below it.
//!
//! Source: S/object/fxobjectstatemachine.cpp; the parts say which lines.

use vbus_wdm::{Irql, Machine};

use super::state::{Dropped, State};
use super::{Class, Kind, Object, handle};
use crate::device::Device;
use crate::device::end;
use crate::framework::{fx, fx_mut};
use crate::{pool, queue, request, unload, verifier};

/// Whether an object whose cleanup has to wait for PASSIVE_LEVEL may be put on a list for it. Within a tree only the
/// topmost is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Defer {
    Allowed,
    ByCaller,
}

impl Object {
    /// DeleteObject: the object goes, now or when its parent or PASSIVE_LEVEL allows.
    ///
    /// Source: S/object/fxobjectstatemachine.cpp:30-140.
    pub(crate) fn delete_object(self, m: &mut Machine) {
        let header = self.header(m);
        header.marks.delete_called = true;
        let waits_as = match header.state {
            State::Created => State::WaitingForEarlyDispose,
            State::Disposed => State::WaitingForParentDeleteAndDisposed,
            _ => return self.dropped(m, Dropped::Delete),
        };
        if self.leave_parent(m).is_err() {
            // The parent is on its way, and takes the object along.
            return self.set_state(m, waits_as);
        }
        if waits_as == State::WaitingForEarlyDispose {
            self.delete_worker(m);
        } else {
            self.deleted_and_disposed(m);
        }
    }

    /// DeleteEarlyDisposedObject: the second half of the deletion of an object that was disposed of before, whether that
    /// came to its end or not. One that had nothing to dispose of may have been left out.
    ///
    /// Source: S/object/fxobjectstatemachine.cpp:172-228.
    #[cold]
    pub(crate) fn delete_disposed(self, m: &mut Machine) {
        let header = self.header(m);
        if header.state == State::Created {
            return self.delete_object(m);
        }
        header.marks.delete_called = true;
        self.deleted_and_disposed(m);
    }

    /// Source: S/object/fxobjectstatemachine.cpp:925-985.
    fn delete_worker(self, m: &mut Machine) {
        if self.must_wait_for_passive(m) {
            return self.defer(m, State::DeferedDeleting);
        }
        self.set_state(m, State::DeletedDisposing);
        if self.dispose_children_and_self(m, State::DeferedDeleting, Defer::Allowed) {
            self.deleted_and_disposed(m);
        }
    }

    /// EarlyDispose: the cleanup half of a deletion that comes later. Returns whether all of it ran.
    ///
    /// Source: S/object/fxobjectstatemachine.cpp:393-470.
    pub(crate) fn early_dispose(self, m: &mut Machine) -> bool {
        if self.header(m).state != State::Created {
            return false;
        }
        if self.leave_parent(m).is_err() {
            self.set_state(m, State::WaitingForEarlyDispose);
            return false;
        }
        self.header(m).marks.early_disposed = true;
        self.dispose_early(m, Defer::Allowed)
    }

    /// What a parent that goes does to each child. Returns whether the child is disposed of.
    ///
    /// Source: S/object/fxobjectstatemachine.cpp:472-560.
    fn perform_early_dispose(self, m: &mut Machine) -> bool {
        match self.header(m).state {
            State::Created | State::WaitingForEarlyDispose => self.dispose_early(m, Defer::ByCaller),
            State::DeferedDisposing => self.dispose_now(m, Defer::ByCaller),
            _ => {
                self.dropped(m, Dropped::EarlyDispose);
                true
            }
        }
    }

    /// Source: S/object/fxobjectstatemachine.cpp:880-920.
    fn dispose_early(self, m: &mut Machine, defer: Defer) -> bool {
        self.set_state(m, State::DisposingEarly);
        if defer == Defer::Allowed && self.must_wait_for_passive(m) {
            self.defer(m, State::DeferedDisposing);
            return false;
        }
        self.dispose_now(m, defer)
    }

    /// Source: S/object/fxobjectstatemachine.cpp:815-875.
    fn dispose_now(self, m: &mut Machine, defer: Defer) -> bool {
        self.set_state(m, State::DisposingDisposeChildren);
        if !self.dispose_children_and_self(m, State::DeferedDisposing, defer) {
            return false;
        }
        let marks = self.header(m).marks;
        if marks.delete_called && marks.early_disposed {
            self.deleted_and_disposed(m);
        } else {
            self.set_state(m, State::Disposed);
        }
        true
    }

    /// Disposes of the children, oldest first, and then of the object itself. Returns false if one of them has to wait
    /// for PASSIVE_LEVEL: then the object is in `deferred`, and on a list if that is allowed.
    ///
    /// Source: S/object/fxobjectstatemachine.cpp:1033-1221.
    fn dispose_children_and_self(self, m: &mut Machine, deferred: State, defer: Defer) -> bool {
        if m.irql() > Irql::Passive && self.has_passive_child(m) {
            self.wait_for_passive(m, deferred, defer);
            return false;
        }
        let mut child = self.first_child(m);
        while let Some(disposed) = child {
            if !disposed.perform_early_dispose(m) {
                self.wait_for_passive(m, deferred, defer);
                return false;
            }
            // An object that goes keeps its children until they are destroyed.
            child = disposed.next_sibling(m);
        }
        self.dispose_self(m);
        true
    }

    fn has_passive_child(self, m: &mut Machine) -> bool {
        let mut child = self.first_child(m);
        while let Some(candidate) = child {
            if candidate.header(m).marks.passive_dispose {
                return true;
            }
            child = candidate.next_sibling(m);
        }
        false
    }

    fn wait_for_passive(self, m: &mut Machine, deferred: State, defer: Defer) {
        match defer {
            Defer::Allowed => self.defer(m, deferred),
            Defer::ByCaller => self.set_state(m, deferred),
        }
    }

    fn must_wait_for_passive(self, m: &mut Machine) -> bool {
        m.irql() > Irql::Passive && self.header(m).marks.passive_dispose
    }

    /// The object's own Dispose, and EvtCleanup of every context, in the order that its kind has them in.
    fn dispose_self(self, m: &mut Machine) {
        match self.kind {
            Kind::Queue => queue::Queue(self).dispose(m),
            Kind::Request => request::disposed(m, self),
            Kind::Driver => self.wait_for_dispose_list(m),
            Kind::Device => return end::disposed(m, Device(self)),
            Kind::General => {
                let Some(class) = self.class(m) else { return };
                (class.rundown)(m, self);
                self.call_cleanup(m);
                return (class.dispose)(m, self);
            }
            Kind::IoPackage | Kind::Null | Kind::Wild => {}
        }
        self.call_cleanup(m);
    }

    fn class(self, m: &Machine) -> Option<&'static Class> {
        let general = self.kind == Kind::General;
        fx(m).general.get(self.id).filter(|_| general).map(|body| body.class)
    }

    /// Whoever put the object on a list for PASSIVE_LEVEL left this to do.
    ///
    /// Source: S/object/fxobjectstatemachine.cpp:727-812.
    pub(super) fn deferred(self, m: &mut Machine) {
        match self.header(m).state {
            State::DeferedDisposing => _ = self.dispose_now(m, Defer::ByCaller),
            State::DeferedDeleting => {
                self.set_state(m, State::DeletedDisposing);
                self.dispose_children_and_self(m, State::DeferedDeleting, Defer::ByCaller);
                self.deleted_and_disposed(m);
            }
            State::DeferedDestroy => self.destroy(m),
            _ => {}
        }
    }

    /// Everything was cleaned up: the children go, and the reference that the creation gave.
    ///
    /// Source: S/object/fxobjectstatemachine.cpp:1225-1248.
    fn deleted_and_disposed(self, m: &mut Machine) {
        self.set_state(m, State::DeletedAndDisposed);
        self.destroy_children(m);
        self.release(m);
    }

    /// Destroys what is below the object, which was disposed of.
    pub(crate) fn destroy_children(self, m: &mut Machine) {
        while let Some(child) = self.take_first_child(m) {
            child.parent_deleted(m);
        }
    }

    /// Source: S/object/fxobjectstatemachine.cpp:640-725 (ParentDeleteEvent).
    fn parent_deleted(self, m: &mut Machine) {
        match self.header(m).state {
            State::Disposed | State::WaitingForParentDeleteAndDisposed => self.deleted_and_disposed(m),
            State::DeletedDisposing => self.dropped(m, Dropped::ParentDelete),
            _ => {}
        }
    }

    /// Takes a reference.
    #[inline]
    pub fn add_reference(self, m: &mut Machine) {
        self.header(m).references += 1;
    }

    /// Gives a reference back; with the last one the object is destroyed.
    #[inline]
    pub fn release(self, m: &mut Machine) {
        let header = self.header(m);
        header.references -= 1;
        match header.references {
            0 => self.final_release(m),
            1 if self.kind == Kind::Request => request::one_reference_left(m, self),
            _ => {}
        }
    }

    /// Source: S/object/fxobject.cpp:220-255.
    fn final_release(self, m: &mut Machine) {
        if self.must_wait_for_passive(m) {
            self.defer_destroy(m);
        } else {
            self.destroy(m);
        }
    }

    /// EvtDestroy of every context, then the object's own end. One that nobody deleted is still somebody's child or
    /// parent: bug check 0x10D/7.
    ///
    /// Source: S/object/fxobjectstatemachine.cpp:251-403, S/object/fxobject.cpp:76-150.
    fn destroy(self, m: &mut Machine) {
        self.destroy_contexts(m);
        let class = self.class(m);
        if let Some(class) = class {
            (class.destroy)(m, self);
        }
        let header = self.header(m);
        let alive = header.parent.is_some() || header.first_child.is_some();
        let (driver, type_number) = (header.driver(), self.type_number(m));
        if !alive {
            self.set_state(m, State::Destroyed);
            pool::freed(m, self);
        }
        self.free(m);
        if alive {
            verifier::freed_alive(m, driver, self, type_number);
        }
    }

    /// The end of the object's body.
    fn free(self, m: &mut Machine) {
        match self.kind {
            Kind::Null | Kind::Wild | Kind::IoPackage => {}
            Kind::Request => request::destroyed(m, self),
            Kind::Queue => _ = fx_mut(m).queues.release(self.id),
            Kind::Device => end::destroyed(m, Device(self)),
            Kind::Driver => unload::destroyed(m, self),
            Kind::General => {
                if let Some(body) = fx_mut(m).general.get_mut(self.id) {
                    body.body = Box::new(());
                }
                fx_mut(m).general.release(self.id);
            }
        }
    }
}

impl Object {
    /// MarkNoDeleteDDI: WdfObjectDelete is refused for the object from now on.
    pub(crate) fn protect(self, m: &mut Machine) {
        self.header(m).marks.no_delete = true;
    }

    /// Whether WdfObjectDelete is refused for the object.
    pub fn is_protected(self, m: &Machine) -> bool {
        handle::is_protected(fx(m), self)
    }
}
