//! What a driver can ask about the device that its target leads to.
//!
//! Source: S/targets/general/km/fxiotargetapikm.cpp:260-440; S/core/fxdevice.cpp:2032-2103; Windows driver documentation,
//! IoGetDeviceProperty.

use vbus_wdf::layer::{passive_level, sites, trace};
use vbus_wdf::{Attributes, Memory};
use vbus_wdm::constants::*;
use vbus_wdm::{DevNode, DeviceObject, Machine, NtStatus};

use crate::target::IoTarget;

/// DEVICE_REGISTRY_PROPERTY: those that the model's devices have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum TargetProperty {
    /// DevicePropertyHardwareID: UTF-16 text, a list with one member.
    HardwareId = 1,
    /// DevicePropertyEnumeratorName: UTF-16 text, the bus in the device's instance path.
    EnumeratorName = 0xF,
}

impl IoTarget {
    /// `WdfIoTargetQueryTargetProperty`: fills `buffer` and returns, beside the status, how many bytes the property has.
    ///
    /// The status is STATUS_BUFFER_TOO_SMALL for a shorter buffer, which is left as it is, and STATUS_INVALID_DEVICE_REQUEST
    /// for a target without a PDO and, under the verifier, above PASSIVE_LEVEL. A PDO that no bus reported is bug check
    /// 0xCA.
    pub fn query_property(self, m: &mut Machine, property: TargetProperty, buffer: &mut [u8]) -> (NtStatus, usize) {
        if !passive_level(m, self) {
            return (STATUS_INVALID_DEVICE_REQUEST, 0);
        }
        let body = self.body(m);
        let (driver, pdo, handle) = (body.driver, body.pdo, self.0.handle());
        let Some(pdo) = pdo else {
            let status = STATUS_INVALID_DEVICE_REQUEST;
            trace(m, driver, &sites::QUERY_PROPERTY_NO_PDO, [handle, status.0.into()]);
            return (status, 0);
        };
        let bytes = property.of(m, pdo);
        let status = match buffer.get_mut(..bytes.len()) {
            Some(place) => {
                place.copy_from_slice(&bytes);
                STATUS_SUCCESS
            }
            None => STATUS_BUFFER_TOO_SMALL,
        };
        trace(m, driver, &sites::QUERY_PROPERTY_EXIT, [handle, property as u64, status.0.into()]);
        (status, bytes.len())
    }

    /// `WdfIoTargetAllocAndQueryTargetProperty`: the property in a memory of its own.
    ///
    /// # Errors
    /// STATUS_INVALID_DEVICE_REQUEST, as [`IoTarget::query_property`].
    pub fn allocate_and_query_property(
        self,
        m: &mut Machine,
        property: TargetProperty,
        attributes: Attributes,
    ) -> Result<Memory, NtStatus> {
        if !passive_level(m, self) {
            return Err(STATUS_INVALID_DEVICE_REQUEST);
        }
        let body = self.body(m);
        let (driver, pdo, handle) = (body.driver, body.pdo, self.0.handle());
        let Some(pdo) = pdo else {
            let status = STATUS_INVALID_DEVICE_REQUEST;
            trace(m, driver, &sites::ALLOC_PROPERTY_NO_PDO, [handle, status.0.into()]);
            return Err(status);
        };
        let bytes = property.of(m, pdo);
        // No property is longer than the text of an id, and none is empty.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let memory = Memory::create(m, driver, length, attributes);
        if let Ok(memory) = memory {
            let span = memory.span(m)?;
            m.bytes_mut(span).copy_from_slice(&bytes);
        }
        let status = NtStatus::from(memory.map(|_| ()));
        trace(m, driver, &sites::ALLOC_PROPERTY_EXIT, [handle, property as u64, status.0.into()]);
        memory
    }
}

impl TargetProperty {
    /// IoGetDeviceProperty.
    fn of(self, m: &Machine, pdo: DeviceObject) -> Vec<u8> {
        let Some(node) = DevNode::of(m, pdo) else {
            m.bug_check(0xCA, [2, pdo.address(), 0, 0], "IoGetDeviceProperty")
        };
        let (text, terminators) = match self {
            TargetProperty::HardwareId => (node.hardware_id(m).to_owned(), 2),
            TargetProperty::EnumeratorName => {
                let path = node.instance_path(m);
                (path.split('\\').next().unwrap_or_default().to_owned(), 1)
            }
        };
        text.encode_utf16().chain(std::iter::repeat_n(0, terminators)).flat_map(u16::to_le_bytes).collect()
    }
}
