//! WDF_OBJECT_ATTRIBUTES: what a driver says of an object when it creates it.

use std::any::{Any, TypeId};

use vbus_wdm::constants::*;
use vbus_wdm::{Machine, NtStatus};

use super::context::ContextSlot;
use super::{Handle, Object};
use crate::driver::Driver;
use crate::framework::trace;
use crate::trace::{Site, sites};
use crate::verifier::CALLERS_STACK;

/// EvtCleanupCallback and EvtDestroyCallback.
pub type ObjectCallback = fn(&mut Machine, Object);

/// WDF_EXECUTION_LEVEL: at which IRQL an object's callbacks run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ExecutionLevel {
    /// As the parent's: a queue's is its device's, a device's its driver's, and the driver's is Dispatch.
    #[default]
    InheritFromParent = 1,
    /// PASSIVE_LEVEL only. The object is disposed of and destroyed there as well.
    Passive = 2,
    /// At any level up to DISPATCH_LEVEL.
    Dispatch = 3,
}

/// WDF_SYNCHRONIZATION_SCOPE: which callbacks the framework keeps from running at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SynchronizationScope {
    /// As the parent's: a queue's is its device's, a device's its driver's, and the driver's is None.
    #[default]
    InheritFromParent = 1,
    /// One lock for the callbacks of all of a device's queues and files.
    Device = 2,
    /// One lock for each queue.
    Queue = 3,
    /// No lock.
    None = 4,
}

/// WDF_OBJECT_ATTRIBUTES: a typed context, callbacks, a parent, an execution level and a synchronization scope.
#[derive(Default)]
pub struct Attributes {
    context: Option<NewContext>,
    cleanup: Option<ObjectCallback>,
    destroy: Option<ObjectCallback>,
    pub(crate) parent: Option<Object>,
    pub(crate) execution_level: ExecutionLevel,
    pub(crate) synchronization_scope: SynchronizationScope,
}

/// A context that an object is going to have.
struct NewContext {
    type_id: TypeId,
    value: NewValue,
}

enum NewValue {
    Ready(Box<dyn Any + Send>),
    /// Made when the object's handle is known.
    Later(Box<dyn FnOnce(Object) -> Box<dyn Any + Send> + Send>),
}

impl Attributes {
    /// No context, no callbacks, the default parent.
    pub fn none() -> Attributes {
        Attributes::default()
    }

    /// A context of type `T` with this first value.
    pub fn context<T: Any + Send>(self, value: T) -> Attributes {
        self.with_context::<T>(NewValue::Ready(Box::new(value)))
    }

    /// A context that knows its own object: what WdfObjectContextGetObject is for in C, where a callback may have
    /// nothing but a pointer into the context. In Rust the context keeps the handle itself.
    pub fn context_of<T: Any + Send>(self, make: impl FnOnce(Object) -> T + Send + 'static) -> Attributes {
        self.with_context::<T>(NewValue::Later(Box::new(|object| Box::new(make(object)))))
    }

    fn with_context<T: Any + Send>(mut self, value: NewValue) -> Attributes {
        self.context = Some(NewContext { type_id: TypeId::of::<T>(), value });
        self
    }

    /// EvtCleanupCallback: runs when the object is deleted, while its handle still works.
    pub fn on_cleanup(mut self, callback: ObjectCallback) -> Attributes {
        self.cleanup = Some(callback);
        self
    }

    /// EvtDestroyCallback: runs when the last reference is gone.
    pub fn on_destroy(mut self, callback: ObjectCallback) -> Attributes {
        self.destroy = Some(callback);
        self
    }

    /// ParentObject.
    pub fn parent(mut self, parent: impl Handle) -> Attributes {
        self.parent = Some(parent.object());
        self
    }

    /// The ParentObject that was set.
    pub fn parent_object(&self) -> Option<Object> {
        self.parent
    }

    /// ExecutionLevel.
    pub fn execution_level(mut self, level: ExecutionLevel) -> Attributes {
        self.execution_level = level;
        self
    }

    /// SynchronizationScope.
    pub fn synchronization_scope(mut self, scope: SynchronizationScope) -> Attributes {
        self.synchronization_scope = scope;
        self
    }

    /// Whether there is a context type, which a context that is added later must have.
    pub(crate) fn has_context_type(&self) -> bool {
        self.context.is_some()
    }

    /// The attributes as what the object keeps of them, if there is anything to keep.
    #[inline]
    pub(super) fn into_slot(self, object: Object) -> Option<ContextSlot> {
        let Attributes { context, cleanup, destroy, .. } = self;
        if context.is_none() && cleanup.is_none() && destroy.is_none() {
            return None;
        }
        let (type_id, value) = match context {
            Some(NewContext { type_id, value: NewValue::Ready(value) }) => (type_id, value),
            Some(NewContext { type_id, value: NewValue::Later(make) }) => (type_id, make(object)),
            None => (TypeId::of::<()>(), Box::new(()) as Box<dyn Any + Send>),
        };
        Some(ContextSlot { type_id, value, cleanup, destroy })
    }
}

/// What a kind of object takes in its attributes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Allowed {
    /// Neither an execution level nor a synchronization scope.
    Neither,
    /// An execution level.
    Level,
    /// Both.
    Both,
    /// Neither, and no parent: the object exists already.
    NoParent,
}

impl Attributes {
    /// FxValidateObjectAttributes: complains of what this kind of object cannot have.
    ///
    /// # Errors
    /// STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED, STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID,
    /// STATUS_WDF_EXECUTION_LEVEL_INVALID.
    ///
    /// Source: S/object/fxvalidatefunctions.cpp:30-215. What Rust's types rule out (sizes, values out of range) is left
    /// out.
    pub fn validate(&self, m: &mut Machine, driver: Driver, allowed: Allowed) -> Result<(), NtStatus> {
        use ExecutionLevel as Level;
        use SynchronizationScope as Scope;
        if let (Allowed::NoParent, Some(parent)) = (allowed, self.parent) {
            let status = STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED;
            let arguments = [CALLERS_STACK, parent.handle(), status.0.into()];
            trace(m, driver, &sites::ATTRIBUTES_PARENT_NOT_ALLOWED, arguments);
            return Err(status);
        }
        let scope = self.synchronization_scope;
        if allowed != Allowed::Both && !matches!(scope, Scope::InheritFromParent | Scope::None) {
            let status = STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID;
            return Err(refuse(m, driver, &sites::ATTRIBUTES_SCOPE, scope as u64, status));
        }
        let level = self.execution_level;
        if !matches!(allowed, Allowed::Both | Allowed::Level) && level != Level::InheritFromParent {
            let status = STATUS_WDF_EXECUTION_LEVEL_INVALID;
            return Err(refuse(m, driver, &sites::ATTRIBUTES_LEVEL, level as u64, status));
        }
        Ok(())
    }

    /// The parent that timers, work items and DPCs must have.
    ///
    /// # Errors
    /// STATUS_WDF_PARENT_NOT_SPECIFIED.
    ///
    /// Source: S/inc/private/common/fxvalidatefunctions.hpp:70-109.
    pub(crate) fn require_parent(&self, m: &mut Machine, driver: Driver) -> Result<Object, NtStatus> {
        self.parent.ok_or_else(|| {
            let status = STATUS_WDF_PARENT_NOT_SPECIFIED;
            trace(m, driver, &sites::ATTRIBUTES_PARENT_REQUIRED, [CALLERS_STACK, status.0.into()]);
            status
        })
    }
}

fn refuse(m: &mut Machine, driver: Driver, site: &'static Site, word: u64, status: NtStatus) -> NtStatus {
    trace(m, driver, site, [CALLERS_STACK, word, status.0.into()]);
    status
}
