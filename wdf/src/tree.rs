//! The object tree: parents, references, and the order in which things go.
//!
//! All EvtCleanup callbacks of a subtree run before any EvtDestroy of it, children before their parents and older
//! children before younger ones. EvtDestroy waits for the last reference.
//!
//! Source: S/object/fxobjectstatemachine.cpp:251-403, 1033-1230; S/object/fxobject.cpp:330-359.

use vbus_wdm::Machine;
use vbus_wdm::constants::STATUS_CANNOT_DELETE;

use crate::device::DeviceKind;
use crate::framework::{fx, fx_mut, trace};
use crate::object::{Class, Handle, Header, Kind, Object, ObjectCallback, Phase};
use crate::trace::sites;
use crate::verifier;

impl Object {
    /// Puts the object below `parent`, as its youngest child. Queues go before everything else: the package that they
    /// belong to in the framework is the device's eldest child.
    pub(crate) fn set_parent(self, m: &mut Machine, parent: Object) {
        let (mut elder, mut younger) = (parent.header(m).last_child, None);
        if self.kind == Kind::Queue {
            (elder, younger) = (None, parent.header(m).first_child);
            while let Some(queue) = younger.filter(|child| child.kind == Kind::Queue) {
                (elder, younger) = (Some(queue), queue.header(m).next);
            }
        }
        match elder {
            Some(elder) => elder.header(m).next = Some(self),
            None => parent.header(m).first_child = Some(self),
        }
        match younger {
            Some(younger) => younger.header(m).previous = Some(self),
            None => parent.header(m).last_child = Some(self),
        }
        let header = self.header(m);
        (header.parent, header.previous, header.next) = (Some(parent), elder, younger);
    }

    fn leave_parent(self, m: &mut Machine) {
        let header = self.header(m);
        let Some(parent) = header.parent.take() else { return };
        let (previous, next) = (header.previous.take(), header.next.take());
        match previous {
            Some(previous) => previous.header(m).next = next,
            None => parent.header(m).first_child = next,
        }
        match next {
            Some(next) => next.header(m).previous = previous,
            None => parent.header(m).last_child = previous,
        }
    }

    /// The first of the object's children that is still to be disposed of.
    fn next_live_child(self, m: &mut Machine) -> Option<Object> {
        let mut child = self.header(m).first_child;
        while let Some(candidate) = child {
            let header = candidate.header(m);
            if header.phase == Phase::Live {
                return child;
            }
            child = header.next;
        }
        None
    }

    /// Runs the cleanup half of deletion for the object and everything below it. Returns whether it had not run yet.
    pub(crate) fn dispose(self, m: &mut Machine) -> bool {
        let header = self.header(m);
        if header.phase != Phase::Live {
            return false;
        }
        header.phase = Phase::Disposing;
        while let Some(child) = self.next_live_child(m) {
            child.dispose(m);
        }
        if self.kind == Kind::Queue {
            crate::queue::Queue(self).dispose(m);
        }
        self.call_back(m, Header::cleanup_callback);
        if let Some(class) = self.class(m) {
            (class.dispose)(m, self);
        } else if self.kind == Kind::Request {
            crate::request::disposed(m, self);
        }
        self.header(m).phase = Phase::Disposed;
        true
    }

    fn class(self, m: &Machine) -> Option<&'static Class> {
        let general = self.kind == Kind::General;
        fx(m).general.get(self.id).filter(|_| general).map(|body| body.class)
    }

    fn call_back(self, m: &mut Machine, which: fn(&Header, usize) -> Option<ObjectCallback>) {
        for at in 0..self.header(m).context_count() {
            if let Some(callback) = which(self.header(m), at) {
                callback(m, self);
            }
        }
    }

    /// Drops the creation references of everything below the object.
    pub(crate) fn destroy_children(self, m: &mut Machine) {
        while let Some(child) = self.header(m).first_child {
            child.leave_parent(m);
            child.destroy_children(m);
            child.release(m);
        }
    }

    /// Both halves of deletion; the object itself may live on while it is referenced.
    pub(crate) fn delete_now(self, m: &mut Machine) {
        if self.dispose(m) {
            self.destroy_now(m);
        }
    }

    /// The second half of deletion, for an object that was disposed of.
    pub(crate) fn destroy_now(self, m: &mut Machine) {
        self.destroy_children(m);
        self.leave_parent(m);
        self.release(m);
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
        if header.references == 0 {
            self.destroy(m);
        }
    }

    fn destroy(self, m: &mut Machine) {
        let header = self.header(m);
        // Nobody deleted what is still somebody's child or parent.
        let alive = header.parent.is_some() || header.first_child.is_some();
        let (driver, type_number) = (header.driver(), self.type_number(m));
        self.free(m);
        if alive {
            verifier::freed_alive(m, driver, self, type_number);
        }
    }

    fn free(self, m: &mut Machine) {
        if self.header(m).context_count() > 0 {
            self.call_back(m, Header::destroy_callback);
            self.header(m).drop_contexts();
        }
        match self.kind {
            Kind::Null => {}
            Kind::Request => crate::request::destroyed(m, self),
            Kind::Queue => _ = fx_mut(m).queues.release(self.id),
            Kind::Device => _ = fx_mut(m).devices.release(self.id),
            Kind::Driver => _ = fx_mut(m).drivers.release(self.id),
            Kind::General => {
                if let Some(class) = self.class(m) {
                    (class.destroy)(m, self);
                }
                if let Some(body) = fx_mut(m).general.get_mut(self.id) {
                    body.body = Box::new(());
                }
                fx_mut(m).general.release(self.id);
            }
        }
    }
}

/// `WdfObjectDelete`, `WdfObjectReference` and `WdfObjectDereference` for every handle.
pub trait Deletable: Handle {
    /// `WdfObjectDelete`. Drivers, devices of a PnP stack, child lists and queues are not a driver's to delete: the call
    /// says so in the log, breaks into the debugger under the verifier, and does nothing. (Windows lets a driver delete
    /// a queue that is neither the default one nor configured for a kind of request; the model does not.)
    ///
    /// Source: S/object/fxobjectapi.cpp:287-319.
    fn delete(self, m: &mut Machine) {
        let object = self.object();
        let may_be_deleted = match object.kind {
            Kind::Null | Kind::Driver | Kind::Queue => false,
            Kind::Device => {
                let kind = fx(m).devices.get(object.id).map(|body| body.kind);
                if kind == Some(DeviceKind::Control) {
                    return crate::device::delete_control(m, crate::device::Device(object));
                }
                false
            }
            Kind::Request => true,
            Kind::General => object.class(m).is_none_or(|class| class.may_be_deleted),
        };
        if may_be_deleted {
            return object.delete_now(m);
        }
        let driver = self.driver(m);
        trace(m, driver, &sites::OBJECT_NO_DELETE, [object.handle(), STATUS_CANNOT_DELETE.0.into()]);
        verifier::debug_break(m, driver);
    }

    /// `WdfObjectReference`.
    fn reference(self, m: &mut Machine) {
        self.object().add_reference(m);
    }

    /// `WdfObjectDereference`. Dropping the reference of an object that was not deleted, or a reference that is not
    /// there, is bug check 0x10D/7.
    fn dereference(self, m: &mut Machine) {
        let object = self.object();
        let header = object.header(m);
        if header.references == 0 {
            let (driver, type_number) = (header.driver(), object.type_number(m));
            verifier::freed_alive(m, driver, object, type_number);
        }
        object.release(m);
    }
}

impl<T: Handle> Deletable for T {}
