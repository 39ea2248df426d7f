//! WDFCOLLECTION.
//!
//! Source: S/support/fxcollection.cpp, S/support/fxcollectionapi.cpp.

use vbus_wdm::constants::STATUS_NOT_FOUND;
use vbus_wdm::{Machine, NtStatus};

use crate::driver::Driver;
use crate::framework::trace;
use crate::object::{Allowed, Attributes, Class, Handle, HandleType, Object, create_general, general_handle};
use crate::trace::sites;
use crate::verifier;

static COLLECTION: Class = Class { destroy, bytes: 128, locks: 1, ..Class::new(0x100E) };

general_handle! {
    /// A WDFCOLLECTION: objects of any type, the oldest first. It holds a reference for every entry, so that one that is
    /// deleted stays readable until it is taken out.
    Collection is COLLECTION as Collection
}

#[derive(Default)]
struct Body {
    entries: Vec<Object>,
}

impl Collection {
    /// `WdfCollectionCreate`. Its parent is `attributes`' or the driver.
    ///
    /// # Errors
    /// STATUS_WDF_EXECUTION_LEVEL_INVALID and STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID for attributes with those,
    /// STATUS_DELETE_PENDING for a parent that is being deleted.
    pub fn create(m: &mut Machine, driver: Driver, attributes: Attributes) -> Result<Collection, NtStatus> {
        attributes.validate(m, driver, Allowed::Neither)?;
        match create_general(m, driver, &COLLECTION, Body::default(), driver, attributes) {
            Ok(object) => Ok(Collection(object)),
            Err(status) => {
                trace(m, driver, &sites::COLLECTION_NOT_CREATED, [status.0.into()]);
                Err(status)
            }
        }
    }

    /// `WdfCollectionAdd`. The same object may be there more than once.
    pub fn add(self, m: &mut Machine, item: impl Handle) {
        let (driver, item) = (self.driver(m), item.object());
        item.expect_type(m, driver, HandleType::Object);
        item.add_reference(m);
        self.body(m).entries.push(item);
    }

    /// `WdfCollectionGetCount`.
    pub fn count(self, m: &mut Machine) -> usize {
        self.body(m).entries.len()
    }

    /// `WdfCollectionGetItem`.
    pub fn item(self, m: &mut Machine, index: usize) -> Option<Object> {
        self.body(m).entries.get(index).copied()
    }

    /// `WdfCollectionGetFirstItem`.
    pub fn first(self, m: &mut Machine) -> Option<Object> {
        self.body(m).entries.first().copied()
    }

    /// `WdfCollectionGetLastItem`.
    pub fn last(self, m: &mut Machine) -> Option<Object> {
        self.body(m).entries.last().copied()
    }

    /// `WdfCollectionRemoveItem`. An index that is not there is an error in the log, and a debugger break under the
    /// verifier.
    pub fn remove_at(self, m: &mut Machine, index: usize) {
        let entries = &mut self.body(m).entries;
        if index < entries.len() {
            return entries.remove(index).release(m);
        }
        let count = entries.len() as u64;
        let driver = self.driver(m);
        let arguments = [index as u64, self.0.handle(), count, STATUS_NOT_FOUND.0.into()];
        trace(m, driver, &sites::COLLECTION_NO_INDEX, arguments);
        verifier::debug_break(m, driver);
    }

    /// `WdfCollectionRemove`: takes the oldest entry of the object out. An object that is not there is an error in the
    /// log, and a debugger break under the verifier.
    pub fn remove(self, m: &mut Machine, item: impl Handle) {
        let (driver, item) = (self.driver(m), item.object());
        item.expect_type(m, driver, HandleType::Object);
        let entries = &mut self.body(m).entries;
        match entries.iter().position(|&entry| entry == item) {
            Some(at) => entries.remove(at).release(m),
            None => {
                let arguments = [item.handle(), self.0.handle(), STATUS_NOT_FOUND.0.into()];
                trace(m, driver, &sites::COLLECTION_NOT_IN, arguments);
                verifier::debug_break(m, driver);
            }
        }
    }
}

/// What is still in it is let go of, oldest first.
fn destroy(m: &mut Machine, object: Object) {
    for entry in std::mem::take(&mut Collection(object).body(m).entries) {
        entry.release(m);
    }
}
