//! Device interfaces: the names under which programs find a device by what it can do.
//!
//! Source: S/support/fxdeviceinterfaceapi.cpp (the DDIs), km/fxdeviceinterfacekm.cpp;
//! S/irphandlers/pnp/pnpstatemachine.cpp (PnpEnableInterfaces, PnpDisableInterfaces); km/fxpkgpdokm.cpp:110-150 (PDOs).

use vbus_wdm::constants::*;
use vbus_wdm::{Guid, Machine, NtStatus};

use crate::device::{Device, DeviceKind};
use crate::framework::trace;
use crate::object::Handle;
use crate::trace::sites;
use crate::verifier::{debug_break, passive_level};

/// A device interface of a device.
#[derive(Clone)]
pub(crate) struct DeviceInterface {
    class: Guid,
    reference: String,
    /// Its symbolic link. A PDO has none until the PnP manager knows it.
    link: Option<String>,
    /// Whether the start of the device enables it.
    auto_enable: bool,
}

impl Device {
    /// `WdfDeviceCreateDeviceInterface`: the device's start enables it, its removal disables it. `reference` tells
    /// interfaces of one class apart. PASSIVE_LEVEL.
    ///
    /// # Errors
    /// STATUS_INVALID_DEVICE_REQUEST for a device outside the PnP tree and, under the verifier, above PASSIVE_LEVEL; what
    /// the registration ends with.
    pub fn create_interface(self, m: &mut Machine, class: Guid, reference: Option<&str>) -> Result<(), NtStatus> {
        if !passive_level(m, self) {
            return Err(STATUS_INVALID_DEVICE_REQUEST);
        }
        self.refuse_control_device(m)?;
        let mut interface = DeviceInterface {
            class,
            reference: reference.unwrap_or_default().to_owned(),
            link: None,
            auto_enable: true,
        };
        if self.body(m).pdo_known {
            self.register(m, &mut interface)?;
        }
        // Few devices have a second.
        let interfaces = &mut self.body(m).interfaces;
        interfaces.reserve_exact(1);
        interfaces.push(interface);
        Ok(())
    }

    /// `WdfDeviceSetDeviceInterfaceState`: enables or disables an interface of a started device. One that the device does
    /// not have is no error. PASSIVE_LEVEL.
    pub fn set_interface_state(self, m: &mut Machine, class: Guid, reference: Option<&str>, enable: bool) {
        let driver = self.driver(m);
        if !passive_level(m, self) {
            debug_break(m, driver);
        } else if self.kind(m) == DeviceKind::Control {
            trace(m, driver, &sites::INTERFACE_STATE_NOT_PNP, [self.object().handle()]);
            debug_break(m, driver);
        } else if let Some(link) = self.find_interface(m, class, reference).and_then(|found| found.link.clone()) {
            set_link_state(m, &link, enable);
        }
    }

    /// `WdfDeviceSetDeviceInterfaceStateEx`: the same, and the device's start does not enable the interface any more.
    /// PASSIVE_LEVEL.
    pub fn set_interface_state_ex(self, m: &mut Machine, class: Guid, reference: Option<&str>, enable: bool) {
        self.set_interface_state(m, class, reference, enable);
        if let Some(interface) = self.find_interface(m, class, reference) {
            interface.auto_enable = false;
        }
    }

    /// `WdfDeviceRetrieveDeviceInterfaceString`: an interface's symbolic link. PASSIVE_LEVEL.
    ///
    /// # Errors
    /// STATUS_OBJECT_NAME_NOT_FOUND for an interface that the device does not have, STATUS_INVALID_DEVICE_STATE while the
    /// PnP manager does not know its PDO, STATUS_INVALID_DEVICE_REQUEST as for [`Device::create_interface`].
    pub fn interface_link(self, m: &mut Machine, class: Guid, reference: Option<&str>) -> Result<String, NtStatus> {
        if !passive_level(m, self) {
            return Err(STATUS_INVALID_DEVICE_REQUEST);
        }
        self.refuse_control_device(m)?;
        let interface = self.find_interface(m, class, reference).ok_or(STATUS_OBJECT_NAME_NOT_FOUND)?;
        interface.link.clone().ok_or(STATUS_INVALID_DEVICE_STATE)
    }

    fn refuse_control_device(self, m: &mut Machine) -> Result<(), NtStatus> {
        if self.kind(m) != DeviceKind::Control {
            return Ok(());
        }
        let (driver, status) = (self.driver(m), STATUS_INVALID_DEVICE_REQUEST);
        trace(m, driver, &sites::INTERFACE_NOT_PNP, [self.object().handle(), status.0.into()]);
        Err(status)
    }

    fn find_interface<'m>(
        self,
        m: &'m mut Machine,
        class: Guid,
        reference: Option<&str>,
    ) -> Option<&'m mut DeviceInterface> {
        let reference = reference.unwrap_or_default();
        let mut known = self.body(m).interfaces.iter_mut();
        known.find(|interface| interface.class == class && interface.reference == reference)
    }

    fn register(self, m: &mut Machine, interface: &mut DeviceInterface) -> Result<(), NtStatus> {
        let pdo = self.pdo(m).ok_or(STATUS_INVALID_DEVICE_REQUEST)?;
        interface.link = Some(m.register_interface(pdo, interface.class, &interface.reference)?);
        Ok(())
    }

    /// The PnP manager knows the PDO now: what its driver registered before is registered with it.
    pub(super) fn register_interfaces(self, m: &mut Machine) -> Result<(), NtStatus> {
        self.body(m).pdo_known = true;
        for at in 0..self.body(m).interfaces.len() {
            let mut interface = self.body(m).interfaces[at].clone();
            if let Err(status) = self.register(m, &mut interface) {
                let driver = self.driver(m);
                let (handle, device_object) = (self.object().handle(), self.device_object(m).address());
                trace(m, driver, &sites::PDO_INTERFACE_NOT_REGISTERED, [handle, device_object, status.0.into()]);
                return Err(status);
            }
            self.body(m).interfaces[at] = interface;
        }
        Ok(())
    }

    pub(super) fn enable_interfaces(self, m: &mut Machine) {
        let interfaces = self.body(m).interfaces.clone();
        for interface in interfaces.into_iter().filter(|interface| interface.auto_enable) {
            interface.link.iter().for_each(|link| set_link_state(m, link, true));
        }
    }

    pub(super) fn disable_interfaces(self, m: &mut Machine) {
        for interface in self.body(m).interfaces.clone() {
            interface.link.iter().for_each(|link| set_link_state(m, link, false));
        }
    }
}

/// The framework does not look at how this ends: a link whose state is as wanted needs nothing.
fn set_link_state(m: &mut Machine, link: &str, enable: bool) {
    _ = m.set_interface_state(link, enable);
}
