//! What drivers let run later: timers, work items, DPCs.
//!
//! All three belong to an object below a device, hold a reference on it until they are disposed of, and may run under its
//! presentation lock. While one of them is queued or runs, its deletion waits.

mod dpc;
mod timer;
mod work_item;

use vbus_wdm::constants::*;
use vbus_wdm::{Machine, NtStatus};

use crate::driver::Driver;
use crate::framework::trace;
use crate::object::{Allowed, Attributes, Class, Handle, Object, create_general};
use crate::sync::presentation;
use crate::trace::Site;

pub use dpc::{Dpc, DpcConfig};
pub use timer::{Timer, TimerConfig};
pub use work_item::{WorkItem, WorkItemConfig};

/// What all of them have.
#[derive(Clone, Copy)]
struct Base {
    /// The object that the driver gave, until the disposal.
    parent: Option<Object>,
    /// Whose presentation lock the callback runs under.
    lock: Option<Object>,
    /// The disposal began: nothing is queued any more.
    running_down: bool,
}

impl Base {
    /// Looks for the device above, and for the lock that automatic serialization wants.
    ///
    /// # Errors
    /// STATUS_INVALID_DEVICE_REQUEST without a device above, STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL, with the line
    /// `incompatible`.
    fn of(
        m: &mut Machine,
        driver: Driver,
        parent: Object,
        automatic: bool,
        passive: bool,
        incompatible: &'static Site,
    ) -> Result<Base, NtStatus> {
        if parent.search_for_device(m).is_none() {
            return Err(STATUS_INVALID_DEVICE_REQUEST);
        }
        let lock = presentation::effective(m, parent, automatic, passive).inspect_err(|status| {
            trace(m, driver, incompatible, [parent.handle(), status.0.into()]);
        })?;
        Ok(Base { parent: Some(parent), lock, running_down: false })
    }

    /// Makes the object, which holds its parent and, until it is disposed of, itself.
    fn create<B: Send + 'static>(
        self,
        m: &mut Machine,
        driver: Driver,
        class: &'static Class,
        body: B,
        attributes: Attributes,
    ) -> Result<Object, NtStatus> {
        // The parent was checked before the device above it was looked for.
        let parent = self.parent.unwrap_or(driver.0);
        let object = create_general(m, driver, class, body, parent, attributes)?;
        object.add_reference(m);
        parent.add_reference(m);
        Ok(object)
    }

    /// Gives the references of [`Base::create`] back. `parent` was taken from the object's body.
    fn let_go(m: &mut Machine, object: Object, parent: Option<Object>) {
        if let Some(parent) = parent {
            parent.release(m);
        }
        object.release(m);
    }
}

/// The parent that a timer, work item or DPC must be given.
fn required_parent(m: &mut Machine, driver: Driver, attributes: &Attributes) -> Result<Object, NtStatus> {
    let parent = attributes.require_parent(m, driver)?;
    parent.expect_type(m, driver, crate::object::HandleType::Object);
    Ok(parent)
}

/// Validates attributes that may have no execution level.
fn validate(m: &mut Machine, driver: Driver, attributes: &Attributes) -> Result<(), NtStatus> {
    attributes.validate(m, driver, Allowed::Neither)
}

/// `WdfXxxGetParentObject`: the object that a driver gave; `None` once it is disposed of.
fn parent_of(base: Base) -> Option<Object> {
    base.parent
}

/// The object behind the word that a routine is called with, if it is still there.
fn object_of(m: &Machine, context: vbus_wdm::Context) -> Option<Object> {
    Object::general_from_word(context.0).filter(|object| object.exists(m))
}

/// The context word of an object's routine.
fn word(object: impl Handle) -> vbus_wdm::Context {
    vbus_wdm::Context(object.object().to_word())
}
