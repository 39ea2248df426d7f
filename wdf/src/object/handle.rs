//! What every framework handle can do: contexts, custom types, references, deletion, the presentation lock.
//!
//! Source: S/object/fxobjectapi.cpp, S/object/handleapi.cpp.

use std::any::Any;

use vbus_wdm::constants::*;
use vbus_wdm::{Machine, NtStatus};

use super::cast::Found;
use super::custom_type::{self, CustomType};
use super::{Attributes, Kind, Object, ObjectCallback, context};
use crate::device::{self, Device};
use crate::driver::Driver;
use crate::framework::{Framework, trace};
use crate::sync::presentation;
use crate::trace::sites;
use crate::verifier;

/// What every framework handle can do.
pub trait Handle: Copy {
    /// The untyped handle.
    fn object(self) -> Object;

    /// The driver that created the object.
    fn driver(self, m: &mut Machine) -> Driver {
        self.object().header(m).driver()
    }

    /// `WdfObjectGetTypedContext`: the context of type `T`.
    ///
    /// A missing context is NULL in Windows, and a driver that uses it faults: here that is where the machine stops. The
    /// stop says what the log would have warned of.
    fn context<T: Any + Send>(self, m: &mut Machine) -> &mut T {
        let exit = m.exit();
        match context::peek_context(m, self.object()) {
            Some(context) => context,
            None => exit.undefined(
                "WdfObjectGetTypedContext",
                "an object is asked only for a context type that was added to it",
            ),
        }
    }

    /// `WdfObjectGetTypedContext` of a driver that looks whether it got NULL. The log warns of a missing context.
    #[inline]
    fn find_context<T: Any + Send>(self, m: &mut Machine) -> Option<&mut T> {
        context::find(m, self.object(), "", std::any::type_name::<T>())
    }

    /// `WdfObjectAllocateContext`: adds another context with its callbacks.
    ///
    /// # Errors
    /// STATUS_OBJECT_NAME_EXISTS (a success code in Windows; the first one stays) if the type is there already,
    /// STATUS_DELETE_PENDING if the object is being deleted, STATUS_OBJECT_NAME_INVALID without a context type,
    /// STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED for attributes with a parent.
    ///
    /// Source: S/object/fxobject.cpp:607-711, S/object/handleapi.cpp:480-560.
    fn allocate_context(self, m: &mut Machine, attributes: Attributes) -> Result<(), NtStatus> {
        context::allocate(m, self.object(), attributes)
    }

    /// `WdfObjectAddCustomType`: says that the object is of the type `T`, too.
    ///
    /// # Errors
    /// As [`Handle::allocate_context`]. An object that is of this type already loses the data that it has for it, as in
    /// [`Handle::add_custom_type_with_data`].
    fn add_custom_type<T: CustomType>(self, m: &mut Machine) -> Result<(), NtStatus> {
        custom_type::add::<T>(m, self.object(), None, None, None)
    }

    /// `WdfObjectAddCustomTypeWithData`: as [`Handle::add_custom_type`], with data, and callbacks for the end of the
    /// object.
    ///
    /// # Errors
    /// As [`Handle::allocate_context`]. For an object that is of this type already the new data replaces the old, and
    /// the new callbacks are ignored: STATUS_OBJECT_NAME_EXISTS is a success code, and success is when the macro of the
    /// public header writes the data.
    ///
    /// Source: wdfobject.h, WDF_DECLARE_CUSTOM_TYPE.
    fn add_custom_type_with_data<T: CustomType>(
        self,
        m: &mut Machine,
        data: T::Data,
        cleanup: Option<ObjectCallback>,
        destroy: Option<ObjectCallback>,
    ) -> Result<(), NtStatus> {
        custom_type::add::<T>(m, self.object(), Some(data), cleanup, destroy)
    }

    /// `WdfObjectIsCustomType`. The log warns where it is not.
    fn is_custom_type<T: CustomType>(self, m: &mut Machine) -> bool {
        custom_type::is::<T>(m, self.object())
    }

    /// `WdfObjectGetCustomTypeData`: the data for the type `T`; `None` if it was added without.
    ///
    /// The macro follows a NULL pointer for an object that is not of the type: here that is where the machine stops.
    fn custom_type_data<T: CustomType>(self, m: &mut Machine) -> Option<&mut T::Data> {
        custom_type::data::<T>(m, self.object())
    }

    /// `WdfObjectAcquireLock`: takes the lock that the framework holds around the callbacks of a device or queue, which
    /// is there whatever the synchronization scope is. It raises the level to DISPATCH_LEVEL unless the execution level
    /// is [`super::ExecutionLevel::Passive`].
    ///
    /// Taking it twice is bug check 0x10D/2; an object without such a lock is bug check 0x10D/0xB.
    ///
    /// Source: S/object/fxobjectapi.cpp:150-215.
    fn acquire_lock(self, m: &mut Machine) {
        let owner = presentation::owner_of(m, self.object(), "imp_WdfObjectAcquireLock", &sites::ACQUIRE_WITHOUT_LOCK);
        presentation::acquire(m, owner);
    }

    /// `WdfObjectReleaseLock`. Only the verifier sees that nobody took it.
    ///
    /// Source: S/object/fxobjectapi.cpp:217-275.
    fn release_lock(self, m: &mut Machine) {
        let owner = presentation::owner_of(m, self.object(), "imp_WdfObjectReleaseLock", &sites::RELEASE_WITHOUT_LOCK);
        presentation::release(m, owner);
    }
}

impl Handle for Object {
    fn object(self) -> Object {
        self
    }
}

/// `WdfObjectDelete`, `WdfObjectReference` and `WdfObjectDereference` for every handle.
pub trait Deletable: Handle {
    /// `WdfObjectDelete`. Drivers, devices of a PnP stack, file objects, child lists, and queues that are a device's
    /// default or configured for a kind of request are not a driver's to delete: the call says so in the log, breaks
    /// into the debugger under the verifier, and does nothing. A second call does nothing either, as long as the object
    /// is there.
    ///
    /// Above PASSIVE_LEVEL what an object or one of its children may do only at PASSIVE_LEVEL is left to a work item.
    ///
    /// Source: S/object/fxobjectapi.cpp:287-319; S/object/fxobjectstatemachine.cpp:30-140.
    fn delete(self, m: &mut Machine) {
        m.boundary("WdfObjectDelete");
        let object = self.object();
        match object.find(m) {
            Found::Live { no_delete: false, .. } if object.kind == Kind::Device => {
                device::end::deleted_by_driver(m, Device(object));
            }
            Found::Live { no_delete: false, .. } => object.delete_object(m),
            Found::Live { driver, .. } => {
                trace(m, driver, &sites::OBJECT_NO_DELETE, [object.handle(), STATUS_CANNOT_DELETE.0.into()]);
                verifier::debug_break(m, driver);
            }
            // What is left of the object is in a state in which a deletion changes nothing.
            Found::Freed { driver, .. } if !driver.verifier_on(m) => {}
            Found::Freed { .. } | Found::Gone => verifier::stale_handle(m.exit(), object, 0),
            Found::Null => {
                let wanted = super::HandleType::Object as u64;
                verifier::wdf_violation(m, verifier::sole_driver(m), 5, [0, wanted], "FxObjectHandleGetPtr")
            }
        }
    }

    /// `WdfObjectReference`. NULL is bug check 0x10D/4.
    fn reference(self, m: &mut Machine) {
        let object = self.object();
        match object.find(m) {
            Found::Live { .. } => object.add_reference(m),
            // A count is changed in memory that nobody uses.
            Found::Freed { .. } => {}
            Found::Null => verifier::null_parameter(m, None, "WdfObjectReferenceActual"),
            Found::Gone => verifier::stale_handle(m.exit(), object, 0),
        }
    }

    /// `WdfObjectDereference`. Dropping the reference of an object that was not deleted is bug check 0x10D/7, after its
    /// callbacks. NULL is bug check 0x10D/4.
    fn dereference(self, m: &mut Machine) {
        let object = self.object();
        match object.find(m) {
            Found::Live { .. } => object.release(m),
            Found::Freed { .. } => {}
            Found::Null => verifier::null_parameter(m, None, "WdfObjectDereferenceActual"),
            Found::Gone => verifier::stale_handle(m.exit(), object, 0),
        }
    }
}

impl<T: Handle> Deletable for T {}

/// Whether a driver may not delete the object.
pub(super) fn is_protected(fx: &Framework, object: Object) -> bool {
    match object.kind {
        Kind::Driver | Kind::IoPackage => true,
        Kind::Device => fx.devices.get(object.id).is_some_and(|body| !body.is_the_drivers()),
        _ => fx.header(object).is_some_and(|header| header.marks.no_delete),
    }
}
