//! WdfDeviceCreate, with every change of StackSize.

use vbus_wdm::constants::*;
use vbus_wdm::{Context, DeviceObject, Id, Machine, NtStatus};

use super::init::InitKind;
use super::{Device, DeviceBody, DeviceInit, DeviceKind, end, targets};
use crate::child_list::{self, ChildList};
use crate::compliance;
use crate::framework::{fx, fx_mut, trace};
use crate::object::{Allowed, Attributes};
use crate::pnp::{self, PnpData};
use crate::pool;
use crate::queue::QueueConfig;
use crate::sync::presentation::Constraints;
use crate::trace::sites;
use crate::verifier;

impl DeviceInit {
    /// `WdfDeviceCreate`.
    ///
    /// StackSize comes from the I/O manager (1, or one more than the device below) and grows only here: by one for
    /// preprocess callbacks, however many; by one for the remove lock of I/O; by one for a self target; and for a PDO
    /// that may forward to its parent by the parent's StackSize of this moment.
    ///
    /// # Errors
    /// STATUS_NO_SUCH_DEVICE if the stack cannot be attached to, STATUS_INVALID_DEVICE_REQUEST for a self target of a
    /// PDO or control device, STATUS_OBJECT_NAME_COLLISION for a control device's name.
    ///
    /// Source: S/core/fxdevice.cpp:366-566, S/core/km/fxdevicekm.cpp:33-301, S/core/fxdeviceapi.cpp:948.
    pub fn create(self, m: &mut Machine, attributes: Attributes) -> Result<Device, NtStatus> {
        let driver = self.driver;
        self.make(m, attributes).inspect_err(|_| compliance::creates(m, driver, true))
    }

    fn make(self, m: &mut Machine, attributes: Attributes) -> Result<Device, NtStatus> {
        let driver = self.driver;
        self.refuse_misuse(m)?;
        attributes.validate(m, driver, Allowed::Both)?;
        let driver_object = driver.driver_object(m);
        let device_object = m.create_device(driver_object);
        let place = self.place(m, device_object).inspect_err(|_| device_object.delete(m))?;
        let device = self.allocate(m, device_object, &place, attributes).inspect_err(|_| {
            if device_object.lower_device(m).is_some() {
                device_object.detach(m);
            }
            device_object.delete(m);
        })?;
        self.furnish(m, device, device_object).inspect_err(|_| end::undo(m, device))?;
        if let (DeviceKind::Fdo | DeviceKind::Filter, Some(body)) = (place.kind, fx_mut(m).drivers.get_mut(driver.id()))
        {
            body.added = Some(device_object);
        }
        Ok(device)
    }

    /// Gives a device that is there its packages, its locations, its child list, its queue for creates and its targets.
    fn furnish(&self, m: &mut Machine, device: Device, device_object: DeviceObject) -> Result<(), NtStatus> {
        let (driver, kind) = (self.driver, device.kind(m));
        trace(m, driver, &sites::IO_CONSTRUCTED, [device.package().address()]);
        pnp::package_created(m, device);
        let has_preprocess = !self.preprocess.is_empty();
        let extra = i8::from(has_preprocess) + i8::from(self.takes_remove_lock()) + i8::from(self.self_target);
        m[device_object].stack_size = m[device_object].stack_size.wrapping_add(extra);
        device.body(m).files_share_lock = self.files.shares_lock(m, device)?;
        match kind {
            DeviceKind::Fdo | DeviceKind::Filter => child_list::create(m, device, self.children)?,
            DeviceKind::Pdo => {
                if self.name.is_some() && !self.identity.raw {
                    trace(m, driver, &sites::DEVICE_NOT_SECURE, [driver.0.address()]);
                }
                m[device_object].initializing = false;
            }
            DeviceKind::Control => {}
        }
        if self.files.on_create.is_some() {
            let queue = QueueConfig::for_creates(m, device)?;
            device.body(m).create_queue = Some(queue);
        }
        if matches!(kind, DeviceKind::Fdo | DeviceKind::Filter) {
            targets::create(m, device)?;
        }
        match self.kind {
            InitKind::Child { described: Some((list, id)), .. } => list.device_created(m, id, device),
            InitKind::Child { described: None, .. } | InitKind::Control => {
                pool::init_freed(m, driver, self.name.as_deref());
            }
            InitKind::Stack { .. } => {}
        }
        if kind != DeviceKind::Control {
            pnp::device_created(m, device);
        }
        Ok(())
    }

    /// What the init calls and WdfDeviceCreate complain of: options that this kind of device cannot have.
    fn refuse_misuse(&self, m: &mut Machine) -> Result<(), NtStatus> {
        if self.remove_lock_for_io && !self.takes_remove_lock() {
            trace(m, self.driver, &sites::DEVICE_REMOVE_LOCK_CONTROL, []);
            verifier::debug_break(m, self.driver);
        }
        if self.self_target && !matches!(self.kind, InitKind::Stack { .. }) {
            let status = STATUS_INVALID_DEVICE_REQUEST;
            trace(m, self.driver, &sites::DEVICE_SELF_TARGET, [status.0.into()]);
            return Err(status);
        }
        Ok(())
    }

    /// A control device takes no remove lock; the init call is ignored for it.
    fn takes_remove_lock(&self) -> bool {
        self.remove_lock_for_io && !matches!(self.kind, InitKind::Control)
    }

    /// Finds the device object its place: on a stack, below a bus, or beside the tree.
    fn place(&self, m: &mut Machine, device_object: DeviceObject) -> Result<Place, NtStatus> {
        let place = match self.kind {
            InitKind::Stack { pdo } => {
                let lower = device_object.attach_to_stack(m, pdo)?;
                let kind = if self.filter { DeviceKind::Filter } else { DeviceKind::Fdo };
                Place { kind, lower: Some(lower), pdo: Some(pdo), ..Place::default() }
            }
            InitKind::Child { parent, .. } => {
                m.auto_name_device(device_object);
                if self.forward_to_parent {
                    let parent_object = parent.device_object(m);
                    let parent_size = m[parent_object].stack_size;
                    m[device_object].stack_size = m[device_object].stack_size.wrapping_add(parent_size);
                }
                let static_list = parent.body(m).child_lists.first().copied();
                let (parent, pdo) = (Some(parent), Some(device_object));
                Place { kind: DeviceKind::Pdo, lower: None, pdo, parent, static_list }
            }
            InitKind::Control => {
                m.name_device(device_object, self.name.as_deref().unwrap_or_default())?;
                Place { kind: DeviceKind::Control, ..Place::default() }
            }
        };
        let data = &mut m[device_object];
        // A filter has the flags of the device below it.
        if place.kind != DeviceKind::Filter {
            data.io_type = self.io_type;
        }
        data.exclusive = self.exclusive;
        Ok(place)
    }

    fn allocate(
        &self,
        m: &mut Machine,
        device_object: DeviceObject,
        place: &Place,
        attributes: Attributes,
    ) -> Result<Device, NtStatus> {
        let driver = self.driver;
        m.allocation_point("FxDevice::_Create")?;
        // KeQueryTickCount, whose low half is kept.
        let random_seed = (m.now().0 / TICK) as u32;
        let lower_stack_size = place.lower.map_or(0, |lower| m[lower].stack_size);
        let inherited = fx(m).drivers.get(driver.id()).map(|body| body.constraints).unwrap_or_default();
        let (id, body) = fx_mut(m).devices.take();
        let device = Device::from_id(id);
        let (mut header, mut package) = (std::mem::take(&mut body.header), std::mem::take(&mut body.package));
        header.initialize(driver);
        header.marks.passive_dispose = true;
        package.initialize(driver);
        *body = DeviceBody {
            header,
            package,
            constraints: Constraints::of(&attributes, inherited),
            kind: place.kind,
            device_object: Some(device_object),
            lower: place.lower,
            pdo: place.pdo,
            parent: place.parent,
            preprocess: self.preprocess.clone(),
            remove_lock_for_io: self.takes_remove_lock(),
            self_target: self.self_target,
            forward_to_parent: self.forward_to_parent,
            lower_stack_size,
            callbacks: self.callbacks,
            in_caller_context: self.in_caller_context,
            random_seed,
            shutdown: self.shutdown,
            files: self.files,
            exclusive: self.exclusive,
            identity: self.identity.clone(),
            pnp: PnpData::new(&self.callbacks, self.owns_power_policy()),
            owning_list: self.owning_list(place),
            entry: self.described_by(),
            pdo_known: place.lower.is_some(),
            ..DeviceBody::default()
        };
        m[device_object].context = Context(id.to_word());
        if let Some(parent) = place.parent {
            parent.0.add_reference(m);
        }
        device.0.commit(m, driver.0, attributes)?;
        device.package().commit(m, device.0, Attributes::none())?;
        match place.kind {
            DeviceKind::Filter => device.copy_pageable_from_below(m),
            DeviceKind::Fdo | DeviceKind::Pdo => m[device_object].power_pageable = self.power_pageable,
            DeviceKind::Control => {}
        }
        let pageable = m[device_object].power_pageable;
        device.body(m).pnp.set_pageable_capable(pageable);
        Ok(device)
    }

    /// The list that a PDO belongs to: the one that asked for it, or its parent's for static children.
    fn owning_list(&self, place: &Place) -> Option<ChildList> {
        match self.kind {
            InitKind::Child { described: Some((list, _)), .. } => Some(list),
            _ => place.static_list,
        }
    }

    fn described_by(&self) -> Option<Id> {
        match self.kind {
            InitKind::Child { described, .. } => described.map(|(_, entry)| entry),
            _ => None,
        }
    }
}

/// The time between two ticks of the system clock, in units of 100 ns.
const TICK: u64 = 156_250;

/// Where a new device belongs.
#[derive(Default)]
struct Place {
    kind: DeviceKind,
    lower: Option<DeviceObject>,
    pdo: Option<DeviceObject>,
    parent: Option<Device>,
    /// The parent's list of static children.
    static_list: Option<ChildList>,
}
