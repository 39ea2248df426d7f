//! WDFCHILDLIST: the children of a bus, by identification.
//!
//! Descriptions change at once, devices do not: every change only asks the PnP manager to ask the bus, and children
//! are created and reported missing inside that query.
//!
//! Source: K/core/fxchildlist.cpp:1180 (missing), 1488 (add or update), 2251 (create), 2417 (bus relations).

use vbus_wdm::constants::*;
use vbus_wdm::{DeviceObject, Machine, NtStatus, Pool};

use crate::device::Device;
use crate::device_end;
use crate::device_init::DeviceInit;
use crate::driver::Driver;
use crate::framework::{fx_mut, trace};
use crate::object::{Attributes, Class, Handle, HandleType, Object, body_of, create_general};
use crate::trace::sites;

/// A WDFCHILDLIST.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChildList(Object);

impl Handle for ChildList {
    fn object(self) -> Object {
        self.0
    }
}

/// EvtChildListCreateDevice: makes the PDO of a child from its identification, with [`DeviceInit::create`].
pub type CreateChild = fn(&mut Machine, ChildList, u64, DeviceInit) -> Result<(), NtStatus>;

/// The framework's numbers for what is to be done with an entry, and for what it is, by which the lines name them.
const MODIFICATION_INSERT: u64 = 1;
const MODIFICATION_REMOVE: u64 = 2;
const NEEDS_INSTANTIATION: u64 = 1;
const INSTANTIATED: u64 = 2;

static CHILD_LIST: Class = Class { may_be_deleted: false, dispose, ..Class::new(0x1029) };

struct Body {
    device: Device,

    /// `None` for the list of static children: they are made before they are listed.
    create_child: Option<CreateChild>,
    entries: Vec<Entry>,
}

/// A child that the bus described and PnP knows or will know.
#[derive(Clone, Copy, Debug)]
struct Entry {
    id: u64,
    /// Where the framework keeps it, as its lines print it.
    address: u64,
    present: bool,
    device: Option<Device>,
    /// It is not present, and PnP was told.
    reported_missing: bool,
    /// EvtChildListCreateDevice failed for it; it is not tried again.
    failed: bool,
}

/// What [`ChildList::child`] finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChildState {
    /// Described, no PDO yet.
    NotCreatedYet,
    /// Its PDO's device. A child that was reported missing and is not removed yet still has it.
    Created(Device),
}

/// Gives an FDO or a filter its list of static children and, if it is a bus, its default list.
pub(crate) fn create(m: &mut Machine, device: Device, create_child: Option<CreateChild>) -> Result<(), NtStatus> {
    let static_list = create_list(m, device, None)?;
    device.body(m).static_list = Some(static_list);
    if create_child.is_some() {
        let list = create_list(m, device, create_child)?;
        device.body(m).child_list = Some(list);
    }
    Ok(())
}

fn create_list(m: &mut Machine, device: Device, create_child: Option<CreateChild>) -> Result<ChildList, NtStatus> {
    let driver = device.driver(m);
    let body = Body { device, create_child, entries: Vec::new() };
    let list = ChildList(create_general(m, driver, &CHILD_LIST, body, device, Attributes::none())?);
    list.0.add_reference(m);
    trace(m, driver, &sites::PNP_ADD_CHILD_LIST, [list.0.address(), list.0.handle()]);
    Ok(list)
}

/// The list goes with its device, which holds a reference on it.
fn dispose(m: &mut Machine, object: Object) {
    let driver = object.driver(m);
    trace(m, driver, &sites::PNP_REMOVE_CHILD_LIST, [object.address(), object.handle()]);
}

/// The PDO of a child was created inside EvtChildListCreateDevice.
pub(crate) fn created(m: &mut Machine, list: ChildList, id: u64, device: Device) {
    let mut entries = list.body(m).entries.iter_mut();
    // One that came, went and came again before the bus was asked is listed twice: absent, and present.
    if let Some(entry) = entries.find(|entry| entry.id == id && entry.present && entry.device.is_none()) {
        entry.device = Some(device);
    }
}

impl ChildList {
    /// A handle that a driver took for a WDFCHILDLIST: a cast in C. See [`Object::expect_type`].
    pub fn from_handle(m: &mut Machine, driver: Driver, handle: Object) -> ChildList {
        handle.expect_type(m, driver, HandleType::ChildList);
        ChildList(handle)
    }

    fn body(self, m: &mut Machine) -> &mut Body {
        body_of(m, self.0, CHILD_LIST.type_number)
    }

    /// The bus.
    pub fn device(self, m: &mut Machine) -> Device {
        self.body(m).device
    }

    /// `WdfChildListAddOrUpdateChildDescriptionAsPresent`.
    ///
    /// # Errors
    /// STATUS_OBJECT_NAME_EXISTS (a success code in Windows) for a child that is present.
    pub fn add_or_update(self, m: &mut Machine, id: u64) -> Result<(), NtStatus> {
        let driver = self.driver(m);
        trace(m, driver, &sites::CHILD_ADD_ENTER, [self.0.handle()]);
        let body = self.body(m);
        let known = body.entries.iter().any(|entry| entry.id == id && entry.present);
        trace(m, driver, &sites::CHILDREN_MODIFY_BEGIN, [self.0.handle()]);
        if !known {
            self.insert(m, id);
        }
        trace(m, driver, &sites::CHILDREN_MODIFY_END, [self.0.handle()]);
        let result = if known { Err(STATUS_OBJECT_NAME_EXISTS) } else { Ok(()) };
        trace(m, driver, &sites::CHILD_ADD_EXIT, [self.0.handle(), NtStatus::from(result).0.into()]);
        result
    }

    fn insert(self, m: &mut Machine, id: u64) {
        let driver = self.driver(m);
        let made = &mut fx_mut(m).child_entries_made;
        let address = Pool::ChildEntry.address(*made);
        *made += 1;
        let entry = Entry { id, address, present: true, device: None, reported_missing: false, failed: false };
        self.body(m).entries.push(entry);
        trace(m, driver, &sites::CHILD_ENTRY, [address, MODIFICATION_INSERT]);
        trace(m, driver, &sites::CHILD_TO_INSTANTIATE, [address]);
        self.invalidate(m);
    }

    /// `WdfChildListUpdateChildDescriptionAsMissing`: the child was pulled out. One that is on its way out already is no
    /// error.
    ///
    /// # Errors
    /// STATUS_NO_SUCH_DEVICE for a child that the list does not know.
    pub fn update_as_missing(self, m: &mut Machine, id: u64) -> Result<(), NtStatus> {
        let driver = self.driver(m);
        trace(m, driver, &sites::CHILD_MISSING_ENTER, [self.0.handle()]);
        let known = self.body(m).entries.iter().any(|entry| entry.id == id);
        self.mark_missing(m, id);
        let result = if known { Ok(()) } else { Err(STATUS_NO_SUCH_DEVICE) };
        trace(m, driver, &sites::CHILD_MISSING_EXIT, [self.0.handle(), NtStatus::from(result).0.into()]);
        result
    }

    /// Takes in that a child is missing. One that PnP never heard of is forgotten at once.
    fn mark_missing(self, m: &mut Machine, id: u64) {
        let driver = self.driver(m);
        trace(m, driver, &sites::CHILDREN_MODIFY_BEGIN, [self.0.handle()]);
        let entries = &mut self.body(m).entries;
        if let Some(at) = entries.iter().rposition(|entry| entry.id == id && entry.present) {
            let Entry { address, device, .. } = entries[at];
            trace(m, driver, &sites::CHILD_ENTRY, [address, MODIFICATION_REMOVE]);
            let state = if device.is_some() { INSTANTIATED } else { NEEDS_INSTANTIATION };
            trace(m, driver, &sites::CHILD_REMOVE, [address, state]);
            match device {
                Some(child) => {
                    self.body(m).entries[at].present = false;
                    child.body(m).pnp.reported_missing = true;
                    let pdo = child.device_object(m);
                    trace(m, driver, &sites::CHILD_COMMIT_MISSING, [child.0.handle(), pdo.address()]);
                    self.invalidate(m);
                }
                None => {
                    trace(m, driver, &sites::CHILD_NEVER_REPORTED, [address]);
                    self.body(m).entries.remove(at);
                }
            }
        }
        trace(m, driver, &sites::CHILDREN_MODIFY_END, [self.0.handle()]);
    }

    /// Where the list keeps what it knows of a child's device.
    pub(crate) fn entry_address(self, m: &mut Machine, device: Device) -> Option<u64> {
        self.body(m).entries.iter().find(|entry| entry.device == Some(device)).map(|entry| entry.address)
    }

    /// `WdfChildListRetrievePdo`: what became of a child that is present.
    pub fn child(self, m: &mut Machine, id: u64) -> Option<ChildState> {
        let entry = self.body(m).entries.iter().find(|entry| entry.id == id && entry.present)?;
        Some(match entry.device {
            Some(device) => ChildState::Created(device),
            None => ChildState::NotCreatedYet,
        })
    }

    /// The identifications of the children that are present, in the order in which they came.
    pub fn present_children(self, m: &mut Machine) -> Vec<u64> {
        self.body(m).entries.iter().filter(|entry| entry.present && !entry.failed).map(|entry| entry.id).collect()
    }

    /// `WdfChildListRequestChildEject`. Returns false for a child that PnP does not know yet.
    pub fn request_eject(self, m: &mut Machine, id: u64) -> bool {
        let Some(ChildState::Created(child)) = self.child(m, id) else { return false };
        let pdo = child.device_object(m);
        m.request_device_eject(pdo);
        true
    }

    /// A child's device is gone for good.
    pub(crate) fn forget(self, m: &mut Machine, device: Device) {
        self.body(m).entries.retain(|entry| entry.device != Some(device));
    }

    /// Ejects succeed by reporting the child missing.
    pub(crate) fn ejected(self, m: &mut Machine, device: Device) {
        let entry = self.body(m).entries.iter().find(|entry| entry.device == Some(device) && entry.present);
        if let Some(id) = entry.map(|entry| entry.id) {
            self.mark_missing(m, id);
        }
    }

    fn invalidate(self, m: &mut Machine) {
        let device = self.body(m).device;
        if let Some(pdo) = device.pdo(m) {
            m.invalidate_device_relations(pdo);
        }
    }

    /// ProcessBusRelations: creates what is new, lets go of what is missing, and lists what is there. `None` if there
    /// is nothing to say, which is not the same as an empty list.
    ///
    /// Source: K/core/fxchildlist.cpp:2417-2800.
    pub(crate) fn process_bus_relations(self, m: &mut Machine) -> Option<Vec<DeviceObject>> {
        let driver = self.driver(m);
        let relations = if self.has_something_to_report(m) {
            Some(self.report(m))
        } else {
            trace(m, driver, &sites::CHILDREN_NOTHING, [self.0.handle()]);
            None
        };
        self.process_modifications(m);
        relations
    }

    /// ProcessModificationsLocked, between two uses of the list: descriptions change at once here, so that nothing is
    /// left to do but to say so.
    pub(crate) fn process_modifications(self, m: &mut Machine) {
        let driver = self.driver(m);
        trace(m, driver, &sites::CHILDREN_MODIFY_BEGIN, [self.0.handle()]);
        trace(m, driver, &sites::CHILDREN_MODIFY_END, [self.0.handle()]);
    }

    fn has_something_to_report(self, m: &mut Machine) -> bool {
        let driver = self.driver(m);
        let mut something = false;
        for at in 0.. {
            let Some(&Entry { present, device, reported_missing, .. }) = self.body(m).entries.get(at) else { break };
            something |= present;
            if let (false, false, Some(child)) = (present, reported_missing, device) {
                let pdo = child.device_object(m);
                trace(m, driver, &sites::CHILD_NOT_PRESENT, [child.0.handle(), pdo.address()]);
                something = true;
            }
        }
        something
    }

    fn report(self, m: &mut Machine) -> Vec<DeviceObject> {
        let driver = self.driver(m);
        let mut relations = Vec::new();
        for at in 0.. {
            let Some(&Entry { id, present, device, reported_missing, .. }) = self.body(m).entries.get(at) else {
                break;
            };
            match (present, device) {
                (true, None) => {
                    trace(m, driver, &sites::CHILD_CREATING, []);
                    if let Some(child) = self.create_device(m, at, id) {
                        let pdo = child.device_object(m);
                        trace(m, driver, &sites::CHILD_CREATED, [child.0.handle(), pdo.address()]);
                        trace(m, driver, &sites::CHILD_REPORTING, [child.0.handle(), pdo.address()]);
                        relations.push(pdo);
                    }
                }
                (true, Some(child)) => {
                    let pdo = child.device_object(m);
                    trace(m, driver, &sites::CHILD_REPORTING, [child.0.handle(), pdo.address()]);
                    relations.push(pdo);
                }
                (false, Some(child)) if !reported_missing => {
                    let pdo = child.device_object(m);
                    trace(m, driver, &sites::CHILD_GONE, [child.0.handle(), pdo.address()]);
                    if let Some(entry) = self.body(m).entries.get_mut(at) {
                        entry.reported_missing = true;
                    }
                }
                (false, _) => {}
            }
        }
        // A child that never became a device, or failed to, has nothing left to wait for.
        self.body(m).entries.retain(|entry| (entry.present || entry.device.is_some()) && !entry.failed);
        relations
    }

    /// Calls EvtChildListCreateDevice. A child that could not be created is forgotten, and with it the device that it
    /// got; STATUS_RETRY keeps the child and asks the PnP manager to ask again.
    ///
    /// Source: K/core/fxchildlist.cpp:2251-2370.
    fn create_device(self, m: &mut Machine, at: usize, id: u64) -> Option<Device> {
        let driver = self.driver(m);
        let Body { device: parent, create_child, .. } = *self.body(m);
        let init = DeviceInit::for_child(driver, parent, self, id);
        let created = create_child.map_or(Err(STATUS_INVALID_DEVICE_STATE), |create| create(m, self, id, init));
        let entry = self.body(m).entries.get_mut(at)?;
        if created.is_ok() && entry.device.is_some() {
            return entry.device;
        }
        let again = created == Err(STATUS_RETRY);
        entry.failed = !again;
        if let Some(device) = entry.device.take() {
            device_end::destroy(m, device);
        }
        if again {
            self.invalidate(m);
        }
        None
    }
}
