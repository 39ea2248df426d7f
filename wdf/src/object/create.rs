//! Creating objects: from a body and attributes to an object below its parent.
//!
//! Source: S/object/fxobject.cpp:1037-1160 (Commit).

use std::any::Any;

use vbus_wdm::{Machine, NtStatus};

use super::{Allowed, Attributes, Class, ExecutionLevel, Handle, HandleType, Kind, Object, PLAIN, check_handle};
use crate::driver::Driver;
use crate::framework::{fx_mut, trace};
use crate::pool;
use crate::trace::sites;

/// Makes an object of a class, below `attributes`' parent or else `parent`. What else the attributes say was validated.
///
/// # Errors
/// STATUS_DELETE_PENDING for a parent that is being deleted, STATUS_INSUFFICIENT_RESOURCES.
pub fn create_general(
    m: &mut Machine,
    driver: Driver,
    class: &'static Class,
    body: impl Any + Send,
    parent: impl Handle,
    attributes: Attributes,
) -> Result<Object, NtStatus> {
    m.allocation_point("FxObjectHandleAlloc")?;
    let parent = parent_of(m, driver, &attributes, parent.object());
    let (id, slot) = fx_mut(m).general.take();
    slot.class = class;
    slot.body = Box::new(body);
    slot.header.initialize(driver);
    slot.header.marks.passive_dispose = class.passive;
    slot.header.marks.no_delete = !class.may_be_deleted;
    let object = Object { kind: Kind::General, id };
    if let Err(status) = object.commit(m, parent, attributes) {
        // Nobody has seen it: it goes without a callback.
        fx_mut(m).general.release(id);
        return Err(status);
    }
    Ok(object)
}

/// The parent that attributes name, or else `default`.
pub(crate) fn parent_of(m: &mut Machine, driver: Driver, attributes: &Attributes, default: Object) -> Object {
    match attributes.parent {
        Some(parent) => {
            check_handle(m, driver, parent, HandleType::Object as u16);
            parent
        }
        None => default,
    }
}

impl Object {
    /// Makes an initialized object its parent's youngest child and gives it what its attributes say.
    ///
    /// # Errors
    /// STATUS_DELETE_PENDING for a parent that is being deleted. The object then has nothing yet.
    pub(crate) fn commit(self, m: &mut Machine, parent: Object, attributes: Attributes) -> Result<(), NtStatus> {
        self.assign_parent(m, parent)?;
        self.adopt(m, attributes);
        Ok(())
    }

    /// Gives an object what its attributes say, but for the parent.
    pub(crate) fn adopt(self, m: &mut Machine, attributes: Attributes) {
        let passive = attributes.execution_level == ExecutionLevel::Passive;
        let slot = attributes.into_slot(self);
        let tracked = fx_mut(m).tracks_handles;
        let header = self.header(m);
        if passive {
            header.mark_passive_callbacks();
        }
        if let Some(slot) = slot {
            // Nearly every object has one.
            header.contexts.reserve_exact(1);
            header.contexts.push(slot);
        }
        let driver = header.driver();
        if tracked {
            self.header(m).marks.traced = driver.tracks_handles(m);
        }
        pool::allocated(m, self);
    }
}

impl super::Header {
    /// All the object's callbacks run at PASSIVE_LEVEL.
    pub(crate) fn mark_passive_callbacks(&mut self) {
        self.marks.passive_callbacks = true;
        self.marks.passive_dispose = true;
    }
}

/// `WdfObjectCreate`: an object that only carries contexts. Its parent is `attributes`' or the driver.
///
/// # Errors
/// STATUS_DELETE_PENDING for a parent that is being deleted, STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID for attributes with
/// a scope.
///
/// Source: S/object/fxuserobjectapi.cpp:30-140, S/object/fxuserobject.cpp:35-90.
pub fn create_object(m: &mut Machine, driver: Driver, attributes: Attributes) -> Result<Object, NtStatus> {
    attributes.validate(m, driver, Allowed::Level)?;
    match create_general(m, driver, &PLAIN, (), driver, attributes) {
        Ok(object) => {
            trace(m, driver, &sites::USER_OBJECT_CREATED, [object.handle()]);
            Ok(object)
        }
        Err(status) => {
            trace(m, driver, &sites::USER_OBJECT_FAILED, [status.0.into()]);
            Err(status)
        }
    }
}
