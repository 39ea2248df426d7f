//! WDFLOOKASIDE: memory objects of one size and kind.
//!
//! Source: S/core/fxlookasidelistapi.cpp, S/core/fxlookasidelist.cpp. Only nonpaged pool is modelled.

use std::sync::Arc;

use vbus_wdm::constants::STATUS_INVALID_PARAMETER;
use vbus_wdm::{Machine, NtStatus};

use crate::driver::Driver;
use crate::framework::trace;
use crate::object::{Allowed, Attributes, Class, Handle, create_general, general_handle};
use crate::request::Memory;
use crate::trace::sites;

static LOOKASIDE: Class = Class { bytes: 320, ..Class::new(0x1009) };

general_handle! {
    /// A WDFLOOKASIDE: makes memory objects that are alike. It stays as long as one of them does.
    Lookaside is LOOKASIDE as Lookaside
}

struct Body {
    length: u32,
    memory_attributes: Arc<dyn Fn() -> Attributes + Send + Sync>,
}

impl Lookaside {
    /// `WdfLookasideListCreate`, for memories of `length` bytes whose attributes are what `memory_attributes` makes.
    ///
    /// # Errors
    /// STATUS_INVALID_PARAMETER for no length; STATUS_WDF_EXECUTION_LEVEL_INVALID and
    /// STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID for attributes of either with those; STATUS_DELETE_PENDING for a parent
    /// that is being deleted.
    pub fn create(
        m: &mut Machine,
        driver: Driver,
        length: u32,
        attributes: Attributes,
        memory_attributes: impl Fn() -> Attributes + Send + Sync + 'static,
    ) -> Result<Lookaside, NtStatus> {
        if length == 0 {
            let status = STATUS_INVALID_PARAMETER;
            trace(m, driver, &sites::LOOKASIDE_EMPTY, [status.0.into()]);
            return Err(status);
        }
        attributes.validate(m, driver, Allowed::Neither)?;
        memory_attributes().validate(m, driver, Allowed::Neither)?;
        let body = Body { length, memory_attributes: Arc::new(memory_attributes) };
        create_general(m, driver, &LOOKASIDE, body, driver, attributes).map(Lookaside)
    }

    /// `WdfMemoryCreateFromLookaside`.
    ///
    /// # Errors
    /// STATUS_DELETE_PENDING for a parent that is being deleted.
    pub fn create_memory(self, m: &mut Machine) -> Result<Memory, NtStatus> {
        let driver = self.driver(m);
        let body = self.body(m);
        let (length, attributes) = (body.length, Arc::clone(&body.memory_attributes));
        Memory::from_lookaside(m, driver, self.0, length, attributes())
    }
}
