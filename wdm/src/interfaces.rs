//! Device interfaces: by which programs find devices that do what they want.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::device::DeviceObject;
use crate::machine::Machine;
use crate::names::Guid;
use crate::pnp::{DevNode, InterfaceChange, PnpRequest};
use crate::status::{NtStatus, constants::*};

/// Every interface that was registered for a device that is there.
#[derive(Default)]
pub(crate) struct Interfaces {
    registered: u64,
    by_order: BTreeMap<u64, Interface>,
    by_link: BTreeMap<Arc<str>, u64>,
    by_device: BTreeSet<(DeviceObject, u64)>,
}

struct Interface {
    class: Guid,
    pdo: DeviceObject,
    link: Arc<str>,
    /// Its driver enabled it.
    enabled: bool,
    /// It is enabled, and its device is started: it can be opened.
    exposed: bool,
}

impl Interfaces {
    fn register(&mut self, class: Guid, pdo: DeviceObject, link: &str) {
        match self.get_mut(link) {
            Some(known) if known.pdo == pdo => return,
            // A device that came back has the name of the one that went, whose interface is disabled since.
            Some(_) => self.remove(link),
            None => {}
        }
        let (at, link) = (self.registered, Arc::<str>::from(link));
        self.registered += 1;
        self.by_link.insert(link.clone(), at);
        self.by_device.insert((pdo, at));
        self.by_order.insert(at, Interface { class, pdo, link, enabled: false, exposed: false });
    }

    fn remove(&mut self, link: &str) {
        if let Some(at) = self.by_link.remove(link)
            && let Some(interface) = self.by_order.remove(&at)
        {
            self.by_device.remove(&(interface.pdo, at));
        }
    }

    fn get_mut(&mut self, link: &str) -> Option<&mut Interface> {
        self.by_order.get_mut(self.by_link.get(link)?)
    }

    /// The links of a device, in the order of their registration.
    fn of_device(&self, pdo: DeviceObject) -> Vec<Arc<str>> {
        let of_device = self.by_device.range((pdo, 0)..=(pdo, u64::MAX));
        of_device.filter_map(|(_, at)| Some(self.by_order.get(at)?.link.clone())).collect()
    }

    pub(crate) fn forget(&mut self, pdo: DeviceObject) {
        for link in self.of_device(pdo) {
            self.remove(&link);
        }
    }
}

impl Machine {
    /// `IoRegisterDeviceInterface`: makes the link name; it opens nothing until it is enabled. A `reference` string that
    /// is not empty tells interfaces of one class apart.
    ///
    /// # Errors
    /// STATUS_INVALID_DEVICE_REQUEST for a device object that is no enumerated PDO.
    ///
    /// Source: Windows driver documentation, IoRegisterDeviceInterface.
    pub fn register_interface(&mut self, pdo: DeviceObject, class: Guid, reference: &str) -> Result<String, NtStatus> {
        self.limit_irql("IoRegisterDeviceInterface");
        self.pnp_was_asked(pdo, PnpRequest::RegisterInterface);
        let path = match DevNode::of(self, pdo) {
            Some(node) => node.instance_path(self),
            // Whoever plays the PnP manager did not say who the device is.
            None if self.has_other_pnp_manager() => format!("{:x}", pdo.address()),
            None => return Err(STATUS_INVALID_DEVICE_REQUEST),
        };
        let mut link = format!("\\??\\{}#{class}", path.replace('\\', "#"));
        if !reference.is_empty() {
            link.push('\\');
            link.push_str(reference);
        }
        // Whoever registers keeps it.
        link.shrink_to_fit();
        self.interfaces.register(class, pdo, &link);
        Ok(link)
    }

    /// `IoSetDeviceInterfaceState`. PASSIVE_LEVEL. An interface that is enabled while its device starts is exposed when
    /// the start is through.
    ///
    /// # Errors
    /// STATUS_OBJECT_NAME_EXISTS (a success code in Windows) when enabled twice, STATUS_OBJECT_NAME_NOT_FOUND when
    /// it was never registered or is not enabled.
    ///
    /// Source: Windows driver documentation, IoSetDeviceInterfaceState.
    pub fn set_interface_state(&mut self, link: &str, enable: bool) -> Result<(), NtStatus> {
        self.limit_irql("IoSetDeviceInterfaceState");
        let Some(interface) = self.interfaces.get_mut(link) else { return Err(STATUS_OBJECT_NAME_NOT_FOUND) };
        let (pdo, was_enabled) = (interface.pdo, std::mem::replace(&mut interface.enabled, enable));
        self.pnp_was_asked(pdo, PnpRequest::SetInterfaceState(enable));
        if was_enabled == enable {
            return Err(if enable { STATUS_OBJECT_NAME_EXISTS } else { STATUS_OBJECT_NAME_NOT_FOUND });
        }
        // A device that is not in the tree is started when whoever plays its PnP manager says so.
        let started = DevNode::of(self, pdo).is_none_or(|node| node.has_drivers(self));
        if !enable || started {
            self.set_exposed(link, enable);
        }
        Ok(())
    }

    /// A device was started: what its drivers enabled can be opened now.
    pub(crate) fn expose_interfaces(&mut self, pdo: DeviceObject) {
        for link in self.interfaces.of_device(pdo) {
            if self.interfaces.get_mut(&link).is_some_and(|known| known.enabled) {
                self.set_exposed(&link, true);
            }
        }
    }

    /// A device was removed: what its drivers left enabled is disabled.
    pub(crate) fn disable_interfaces(&mut self, pdo: DeviceObject) {
        for link in self.interfaces.of_device(pdo) {
            if self.interfaces.get_mut(&link).is_some_and(|known| std::mem::take(&mut known.enabled)) {
                self.set_exposed(&link, false);
            }
        }
    }

    fn set_exposed(&mut self, link: &str, expose: bool) {
        let Some(interface) = self.interfaces.get_mut(link) else { return };
        if std::mem::replace(&mut interface.exposed, expose) == expose {
            return;
        }
        let (class, pdo) = (interface.class, interface.pdo);
        match expose {
            true => _ = self.names.add(link, pdo),
            false => self.names.remove(link),
        }
        let change = InterfaceChange { arrival: expose, class, link: link.to_owned() };
        self.interface_changed(change);
    }

    /// The links of a class that can be opened now, in the order of their registration
    /// (`CM_Get_Device_Interface_List`).
    pub fn interfaces(&self, class: Guid) -> Vec<String> {
        let registered = self.interfaces.by_order.values();
        let exposed = registered.filter(|interface| interface.exposed && interface.class == class);
        exposed.map(|interface| interface.link.to_string()).collect()
    }
}
