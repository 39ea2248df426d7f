//! WDFSTRING.
//!
//! Source: S/support/fxstring.cpp, S/support/fxstringapi.cpp.

use vbus_wdm::constants::STATUS_INVALID_DEVICE_REQUEST;
use vbus_wdm::{Machine, NtStatus};

use crate::driver::Driver;
use crate::object::{Allowed, Attributes, Class, create_general, general_handle};
use crate::verifier;

static STRING: Class = Class { passive: true, bytes: 112, ..Class::new(0x1007) };

general_handle! {
    /// A WDFSTRING: a Unicode string with an object's life. It is made, read and disposed of at PASSIVE_LEVEL.
    WdfString is STRING as String
}

struct Body {
    text: Option<String>,
}

impl WdfString {
    /// `WdfStringCreate`, with a copy of `text`. Its parent is `attributes`' or the driver.
    ///
    /// # Errors
    /// STATUS_INVALID_DEVICE_REQUEST above PASSIVE_LEVEL under the verifier, STATUS_WDF_EXECUTION_LEVEL_INVALID and
    /// STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID for attributes with those, STATUS_DELETE_PENDING for a parent that is
    /// being deleted.
    pub fn create(
        m: &mut Machine,
        driver: Driver,
        text: Option<&str>,
        attributes: Attributes,
    ) -> Result<WdfString, NtStatus> {
        if !verifier::passive_level(m, driver) {
            return Err(STATUS_INVALID_DEVICE_REQUEST);
        }
        attributes.validate(m, driver, Allowed::Neither)?;
        let body = Body { text: text.map(str::to_owned) };
        create_general(m, driver, &STRING, body, driver, attributes).map(WdfString)
    }

    /// `WdfStringGetUnicodeString`: `None` for a string that was created without a text, and above PASSIVE_LEVEL under
    /// the verifier.
    pub fn text(self, m: &mut Machine) -> Option<&str> {
        if !verifier::passive_level(m, self) {
            return None;
        }
        self.body(m).text.as_deref()
    }
}
