//! Driver objects, device objects, and the stacks that attaching builds.

use std::any::Any;
use std::ops::{Index, IndexMut};

use crate::address::Pool;
use crate::file::OpenOptions;
use crate::ioctl::Access;
use crate::irp::{Irp, Major, RequestorMode};
use crate::machine::Machine;
use crate::pnp::DevNode;
use crate::power::DevicePowerState;
use crate::schedule::Context;
use crate::slab::Id;
use crate::status::{NtStatus, constants::*};

/// A dispatch routine: one entry of a driver's `MajorFunction` table.
pub type Dispatch = fn(&mut Machine, DeviceObject, Irp) -> NtStatus;

/// `AddDevice`: a driver is given the PDO of a stack that it is to join.
pub type AddDevice = fn(&mut Machine, DriverObject, DeviceObject) -> NtStatus;

/// A DRIVER_OBJECT. Drivers stay loaded for the machine's life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DriverObject(pub(crate) u32);

/// A DEVICE_OBJECT.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DeviceObject(pub(crate) Id);

/// What a driver object holds.
pub struct DriverData {
    /// The service name, as debuggers print it.
    pub name: String,
    pub(crate) major: [Dispatch; Major::COUNT],
    /// `DriverExtension->AddDevice`.
    pub add_device: Option<AddDevice>,
    /// The driver's own word, as a framework keeps its globals.
    pub context: Context,
}

/// How a device's reads and writes carry their data: the `DO_` flags.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum IoType {
    /// Neither flag: the caller's own pointers.
    #[default]
    Neither,
    /// `DO_BUFFERED_IO`.
    Buffered,
    /// `DO_DIRECT_IO`.
    Direct,
}

/// What a device object holds.
pub struct DeviceData {
    pub(crate) driver: DriverObject,
    /// `StackSize`: how many stack locations an IRP sent to this device needs at least. A plain number: set when the
    /// device is created and when it attaches, afterwards only where a driver writes it.
    ///
    /// Source: Windows driver documentation, DEVICE_OBJECT.
    pub stack_size: i8,
    /// How reads and writes carry their data. A filter copies it from the device below.
    pub io_type: IoType,
    /// `DO_POWER_PAGABLE`: power IRPs reach it at PASSIVE_LEVEL.
    pub power_pageable: bool,
    /// `DO_EXCLUSIVE`: seen by opens of the device that carries the name.
    pub exclusive: bool,
    /// `DO_DEVICE_INITIALIZING`: nothing can attach to it or open it until the driver clears this.
    pub initializing: bool,
    pub(crate) upper: Option<DeviceObject>,
    pub(crate) lower: Option<DeviceObject>,
    /// Open file objects that name this device.
    pub(crate) open_files: u32,
    pub(crate) removing: bool,
    /// Deleted while a device is attached above it or it has a devnode: it goes with the last of these.
    delete_pending: bool,
    /// The devnode, if this is a PDO that was reported: the PnP manager's reference of it.
    pub(crate) devnode: Option<DevNode>,
    /// What a driver last reported with `PoSetPowerState`.
    pub(crate) power_state: DevicePowerState,
    /// The driver's own word, for a framework's link to its device.
    pub context: Context,
    extension: Option<Box<dyn Any + Send>>,
}

impl Default for DeviceData {
    fn default() -> Self {
        DeviceData {
            driver: DriverObject(0),
            stack_size: 1,
            io_type: IoType::Neither,
            power_pageable: false,
            exclusive: false,
            initializing: true,
            upper: None,
            lower: None,
            open_files: 0,
            removing: false,
            delete_pending: false,
            devnode: None,
            power_state: DevicePowerState::Unspecified,
            context: Context(0),
            extension: None,
        }
    }
}

/// What a driver without a routine for a major function does with it.
pub(crate) fn invalid_device_request(m: &mut Machine, _: DeviceObject, irp: Irp) -> NtStatus {
    irp.complete_with(m, STATUS_INVALID_DEVICE_REQUEST, 0)
}

impl Machine {
    /// Loads a driver. Every major function fails with STATUS_INVALID_DEVICE_REQUEST until the driver sets its own.
    pub fn create_driver(&mut self, name: &str) -> DriverObject {
        let driver = DriverObject(self.drivers.len() as u32);
        self.drivers.push(DriverData {
            name: name.to_owned(),
            major: [invalid_device_request; Major::COUNT],
            add_device: None,
            context: Context(0),
        });
        driver
    }

    /// `IoCreateDevice`: StackSize 1, not attached, DO_DEVICE_INITIALIZING set.
    ///
    /// Source: Windows driver documentation, IoCreateDevice and DEVICE_OBJECT.
    pub fn create_device(&mut self, driver: DriverObject) -> DeviceObject {
        self.limit_irql("IoCreateDevice");
        let (id, data) = self.devices.take();
        *data = DeviceData { driver, ..DeviceData::default() };
        DeviceObject(id)
    }
}

impl DriverObject {
    /// Sets one entry of the `MajorFunction` table.
    pub fn set_major(self, m: &mut Machine, major: Major, routine: Dispatch) {
        m[self].major[major as usize] = routine;
    }

    /// The `MajorFunction` entry.
    pub fn major(self, m: &Machine, major: Major) -> Dispatch {
        m[self].major[major as usize]
    }

    /// Sets every entry of the `MajorFunction` table, as a framework or a pass-through filter does.
    pub fn set_all_majors(self, m: &mut Machine, routine: Dispatch) {
        m[self].major = [routine; Major::COUNT];
    }

    /// Sets `DriverExtension->AddDevice`.
    pub fn set_add_device(self, m: &mut Machine, routine: AddDevice) {
        m[self].add_device = Some(routine);
    }

    /// The address that logs print.
    pub fn address(self) -> u64 {
        Pool::Driver.address(self.0)
    }
}

impl DeviceObject {
    /// `IoAttachDeviceToDeviceStack`: puts this device on top of the stack that `target` belongs to, with one stack
    /// location more than the device that was the top. Returns that device.
    ///
    /// StackSize is copied once, here: whatever happens to a lower device later does not reach the ones above it.
    ///
    /// # Errors
    /// STATUS_NO_SUCH_DEVICE if the top is still initializing or is being removed (the DDI returns NULL).
    ///
    /// Source: Windows driver documentation, IoAttachDeviceToDeviceStack.
    pub fn attach_to_stack(self, m: &mut Machine, target: DeviceObject) -> Result<DeviceObject, NtStatus> {
        m.limit_irql("IoAttachDeviceToDeviceStack");
        let top = target.top_of_stack(m);
        let DeviceData { stack_size, io_type, initializing, removing, .. } = m[top];
        if initializing || removing {
            return Err(STATUS_NO_SUCH_DEVICE);
        }
        m[top].upper = Some(self);
        let data = &mut m[self];
        data.lower = Some(top);
        // A CCHAR: it wraps, and an IRP for such a stack cannot be allocated.
        data.stack_size = stack_size.wrapping_add(1);
        data.io_type = io_type;
        Ok(top)
    }

    /// `IoAttachDevice`: as [`DeviceObject::attach_to_stack`], on the device that a path leads to. A file is opened for
    /// that and closed again: the CREATE goes to the stack as it is, the CLEANUP and the CLOSE come to this device first,
    /// which finds below it where to send them. PASSIVE_LEVEL.
    ///
    /// # Errors
    /// What the open ended with, or as [`DeviceObject::attach_to_stack`].
    ///
    /// Source: Windows driver documentation, IoAttachDevice.
    pub fn attach_by_name(self, m: &mut Machine, path: &str) -> Result<DeviceObject, NtStatus> {
        m.limit_irql("IoAttachDevice");
        let attributes_only = OpenOptions { access: Access::ANY, ..OpenOptions::default() };
        let file = m.open(path, attributes_only, RequestorMode::Kernel)?;
        let related = file.related_device(m).ok_or(STATUS_NO_SUCH_DEVICE);
        let attached = related.and_then(|target| self.attach_to_stack(m, target));
        file.close(m);
        attached
    }

    /// `IoDetachDevice`: StackSize stays as it is on both sides. A lower device that was deleted meanwhile goes now.
    pub fn detach(self, m: &mut Machine) {
        m.limit_irql("IoDetachDevice");
        if m.watched {
            self.check_detach(m);
        }
        let Some(lower) = m[self].lower.take() else { return };
        m[lower].upper = None;
        lower.release_if_unused(m);
    }

    /// `IoDeleteDevice`: its names go at once, the device itself when nothing is attached above it any more and, if it is
    /// a PDO, the PnP manager is done with it.
    ///
    /// Source: Windows driver documentation, IoDeleteDevice; "Removing a Device in a Bus Driver".
    pub fn delete(self, m: &mut Machine) {
        m.limit_irql("IoDeleteDevice");
        if m.watched {
            self.check_delete(m);
        }
        m.names.forget_device(self);
        let data = &mut m[self];
        data.removing = true;
        data.delete_pending = true;
        self.release_if_unused(m);
    }

    /// The devnode of the PDO is gone.
    pub(crate) fn forget_devnode(self, m: &mut Machine) {
        if let Some(data) = m.devices.get_mut(self.0) {
            data.devnode = None;
            self.release_if_unused(m);
        }
    }

    /// The first half of `IoDeleteDevice` for a device that is open: its names go, and nobody opens it any more.
    pub fn refuse_opens(self, m: &mut Machine) {
        m.names.forget_device(self);
        m[self].removing = true;
    }

    fn release_if_unused(self, m: &mut Machine) {
        let data = &mut m[self];
        if data.delete_pending && data.upper.is_none() && data.devnode.is_none() {
            data.extension = None;
            self.check_power_requests(m);
            m.devices.release(self.0);
            m.interfaces.forget(self);
        }
    }

    /// Whether it was deleted, though somebody may still hold it.
    pub(crate) fn is_deleted(self, m: &Machine) -> bool {
        m.devices.get(self.0).is_none_or(|data| data.delete_pending)
    }

    /// `PoSetPowerState`: tells the power manager which state the device is in. Returns the one before.
    ///
    /// Source: Windows driver documentation, PoSetPowerState.
    pub fn set_power_state(self, m: &mut Machine, state: DevicePowerState) -> DevicePowerState {
        std::mem::replace(&mut m[self].power_state, state)
    }

    /// Whether the device still exists. Drivers have no such call: it is for whoever watches the machine.
    pub fn exists(self, m: &Machine) -> bool {
        m.devices.get(self.0).is_some()
    }

    /// `IoGetAttachedDevice`: the highest device of the stack.
    #[inline]
    pub fn top_of_stack(self, m: &Machine) -> DeviceObject {
        let mut top = self;
        while let Some(upper) = m.devices.get(top.0).and_then(|data| data.upper) {
            top = upper;
        }
        top
    }

    /// The lowest device of the stack: its PDO, if it is a stack of the PnP tree.
    pub fn bottom_of_stack(self, m: &Machine) -> DeviceObject {
        let mut bottom = self;
        while let Some(lower) = bottom.lower_device(m) {
            bottom = lower;
        }
        bottom
    }

    /// The device that this one is attached to.
    pub fn lower_device(self, m: &Machine) -> Option<DeviceObject> {
        m.devices.get(self.0).and_then(|data| data.lower)
    }

    /// The stack that the device belongs to, highest first, as `!devstack` lists it.
    pub fn stack(self, m: &Machine) -> Vec<DeviceObject> {
        std::iter::successors(Some(self.top_of_stack(m)), |device| device.lower_device(m)).collect()
    }

    /// The service name of the device's driver.
    pub fn driver_name(self, m: &Machine) -> &str {
        m.devices.get(self.0).map_or("deleted", |data| &m.drivers[data.driver.0 as usize].name)
    }

    /// The device's driver.
    pub fn driver(self, m: &mut Machine) -> DriverObject {
        m[self].driver
    }

    /// Gives the device its extension.
    pub fn set_extension<T: Any + Send>(self, m: &mut Machine, extension: T) {
        m[self].extension = Some(Box::new(extension));
    }

    /// The device's extension.
    ///
    /// A driver that asks for another type than it stored reads someone else's memory: undefined.
    pub fn extension<T: Any + Send>(self, m: &mut Machine) -> &mut T {
        let exit = m.exit();
        match m[self].extension.as_mut().and_then(|extension| extension.downcast_mut()) {
            Some(extension) => extension,
            None => {
                exit.undefined("DeviceExtension", "a device extension is read as the type that its driver stored in it")
            }
        }
    }

    /// The address that logs print.
    #[inline]
    pub fn address(self) -> u64 {
        Pool::Device.address(self.0.index())
    }
}

impl Index<DriverObject> for Machine {
    type Output = DriverData;
    fn index(&self, driver: DriverObject) -> &DriverData {
        &self.drivers[driver.0 as usize]
    }
}

impl IndexMut<DriverObject> for Machine {
    fn index_mut(&mut self, driver: DriverObject) -> &mut DriverData {
        &mut self.drivers[driver.0 as usize]
    }
}

const DELETED: &str = "a device object is not used after IoDeleteDevice";

impl Index<DeviceObject> for Machine {
    type Output = DeviceData;
    #[inline]
    fn index(&self, device: DeviceObject) -> &DeviceData {
        match self.devices.get(device.0) {
            Some(data) => data,
            None => self.undefined("DEVICE_OBJECT", DELETED),
        }
    }
}

impl IndexMut<DeviceObject> for Machine {
    #[inline]
    fn index_mut(&mut self, device: DeviceObject) -> &mut DeviceData {
        let exit = self.exit();
        match self.devices.get_mut(device.0) {
            Some(data) => data,
            None => exit.undefined("DEVICE_OBJECT", DELETED),
        }
    }
}
