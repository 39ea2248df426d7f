//! WDFCHILDLIST: the children of a bus, by identification.
//!
//! A driver describes children as present or missing at any time; the description changes when the list is not in use, the
//! device when the PnP manager asks the bus for its relations. In between, what changed waits in the list.
//!
//! Source: K/core/fxchildlist.cpp, fxchildlistapi.cpp, fxdevicefdoapi.cpp, fxdevicepdoapi.cpp.

mod changes;
mod entry;
mod order;
mod relations;
mod removal;
mod scan;
mod static_children;

pub use scan::{Iteration, Retrieved, Which};

use vbus_wdm::constants::*;
use vbus_wdm::{Id, Machine, NtStatus, Slab};

use crate::device::Device;
use crate::device::DeviceInit;
use crate::driver::Driver;
use crate::framework::{fx_mut, trace};
use crate::object::{Attributes, Class, Handle, HandleType, Object, body_of, create_general};
use crate::trace::sites;
use crate::verifier::debug_break;

use entry::{Description, Entry, Modification};
use order::Order;

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

/// EvtChildListScanForChildren: the bus is in D0 and may look who is there.
pub type ScanForChildren = fn(&mut Machine, ChildList);

/// WDF_CHILD_LIST_CONFIG. Identifications and addresses are numbers here: what the driver knows its children by.
#[derive(Clone, Copy, Debug)]
pub struct ChildListConfig {
    /// EvtChildListCreateDevice.
    pub create: CreateChild,
    /// EvtChildListScanForChildren.
    pub scan: Option<ScanForChildren>,
    /// Whether every child has an address description beside its identification.
    pub addresses: bool,
}

impl ChildListConfig {
    /// WDF_CHILD_LIST_CONFIG_INIT.
    pub fn new(create: CreateChild) -> ChildListConfig {
        ChildListConfig { create, scan: None, addresses: false }
    }
}

static CHILD_LIST: Class = Class { may_be_deleted: false, dispose: disposed, ..Class::new(0x1029) };

/// Who may change the list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum ListState {
    Unlocked = 1,
    LockedForEnum,
    LockedForParentRemove,
}

struct Body {
    device: Device,
    /// `None` for the list of static children: they are made before they are listed.
    config: Option<ChildListConfig>,
    entries: Slab<Entry>,
    /// What the bus says of its children, in the order in which they came.
    descriptions: Order,
    /// What is to be changed in that once the list is free.
    modifications: Order,
    state: ListState,
    scans: i32,
    /// Something changed during a scan: the PnP manager hears of it when that is over.
    invalidation_needed: bool,
}

impl Body {
    fn entry(&self, id: Id) -> Option<&Entry> {
        self.entries.get(id)
    }

    fn modification_of(&self, child: u64) -> Option<Id> {
        self.modifications.newest(child)
    }

    fn description_of(&self, child: u64) -> Option<Id> {
        self.descriptions.newest(child)
    }
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
pub(crate) fn create(m: &mut Machine, device: Device, config: Option<ChildListConfig>) -> Result<(), NtStatus> {
    let list = create_list(m, device, None)?;
    device.body(m).child_lists.push(list);
    if config.is_some() {
        let list = create_list(m, device, config)?;
        let body = device.body(m);
        body.child_lists.push(list);
        body.default_child_list = Some(list);
    }
    Ok(())
}

fn create_list(m: &mut Machine, device: Device, config: Option<ChildListConfig>) -> Result<ChildList, NtStatus> {
    let driver = device.driver(m);
    let body = Body {
        device,
        config,
        entries: Slab::default(),
        descriptions: Order::default(),
        modifications: Order::default(),
        state: ListState::Unlocked,
        scans: 0,
        invalidation_needed: false,
    };
    let list = ChildList(create_general(m, driver, &CHILD_LIST, body, device, Attributes::none())?);
    list.0.add_reference(m);
    trace(m, driver, &sites::PNP_ADD_CHILD_LIST, [list.0.address(), list.0.handle()]);
    Ok(list)
}

/// The list goes with its device, which holds a reference on it.
fn disposed(m: &mut Machine, list: Object) {
    let driver = list.driver(m);
    trace(m, driver, &sites::PNP_REMOVE_CHILD_LIST, [list.address(), list.handle()]);
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

    fn is_static(self, m: &mut Machine) -> bool {
        self.body(m).config.is_none()
    }

    /// The bus.
    pub fn device(self, m: &mut Machine) -> Device {
        self.body(m).device
    }

    /// `WdfChildListAddOrUpdateChildDescriptionAsPresent` for a list without address descriptions.
    ///
    /// # Errors
    /// STATUS_OBJECT_NAME_EXISTS (a success code in Windows) for a child that is present, STATUS_INVALID_DEVICE_REQUEST
    /// where an address is missing.
    pub fn add_or_update(self, m: &mut Machine, child: u64) -> Result<(), NtStatus> {
        self.add_described(m, child, None)
    }

    /// `WdfChildListAddOrUpdateChildDescriptionAsPresent` with an address description, which replaces that of a child
    /// that is present.
    ///
    /// # Errors
    /// As [`ChildList::add_or_update`]; STATUS_INVALID_DEVICE_REQUEST for a list without address descriptions.
    pub fn add_or_update_at(self, m: &mut Machine, child: u64, address: u64) -> Result<(), NtStatus> {
        self.add_described(m, child, Some(address))
    }

    fn add_described(self, m: &mut Machine, child: u64, address: Option<u64>) -> Result<(), NtStatus> {
        let driver = self.driver(m);
        trace(m, driver, &sites::CHILD_ADD_ENTER, [self.0.handle()]);
        let status = STATUS_INVALID_DEVICE_REQUEST;
        match (address, self.has_addresses(m)) {
            (Some(_), false) => {
                trace(m, driver, &sites::CHILD_ADD_NO_ADDRESSES, [status.0.into()]);
                return Err(status);
            }
            (None, true) => {
                trace(m, driver, &sites::CHILD_ADD_WITHOUT_ADDRESS, [self.0.handle(), status.0.into()]);
                return Err(status);
            }
            _ => {}
        }
        let result = self.add(m, child, address);
        trace(m, driver, &sites::CHILD_ADD_EXIT, [self.0.handle(), NtStatus::from(result).0.into()]);
        result
    }

    fn has_addresses(self, m: &mut Machine) -> bool {
        self.body(m).config.is_some_and(|config| config.addresses)
    }

    /// FxChildList::Add.
    ///
    /// Source: K/core/fxchildlist.cpp:1488-1650.
    fn add(self, m: &mut Machine, child: u64, address: Option<u64>) -> Result<(), NtStatus> {
        let body = self.body(m);
        // A child that was present and is about to go is added anew, beside the old one.
        let known = match body.modification_of(child) {
            Some(id) => body.entry(id).filter(|entry| entry.modification == Modification::Insert).map(|_| id),
            None => body.description_of(child).filter(|&id| body.entry(id).is_some_and(Entry::is_present)),
        };
        let result = match known.and_then(|id| body.entries.get_mut(id)) {
            Some(entry) => {
                entry.address = address;
                entry.found_in_last_scan = true;
                Err(STATUS_OBJECT_NAME_EXISTS)
            }
            None => {
                self.insert(m, child, address);
                Ok(())
            }
        };
        self.process_modifications(m);
        result
    }

    fn insert(self, m: &mut Machine, child: u64, address: Option<u64>) {
        let (place, ()) = fx_mut(m).child_entry_places.take();
        let body = self.body(m);
        let (id, entry) = body.entries.take();
        *entry = Entry { child, address, place: Some(place), found_in_last_scan: true, ..Entry::default() };
        entry.modification = Modification::Insert;
        body.modifications.push(id, child);
        if self.is_static(m)
            && let Some(device) = Device::from_word(child)
        {
            device.listed_by(m, id);
        }
    }

    /// `WdfChildListUpdateChildDescriptionAsMissing`: the child was pulled out. One that is on its way out already is no
    /// error.
    ///
    /// # Errors
    /// STATUS_NO_SUCH_DEVICE for a child that the list does not know.
    pub fn update_as_missing(self, m: &mut Machine, child: u64) -> Result<(), NtStatus> {
        let driver = self.driver(m);
        trace(m, driver, &sites::CHILD_MISSING_ENTER, [self.0.handle()]);
        let result = self.mark_missing(m, child);
        trace(m, driver, &sites::CHILD_MISSING_EXIT, [self.0.handle(), NtStatus::from(result).0.into()]);
        result
    }

    /// `WdfChildListUpdateAllChildDescriptionsAsPresent`: nobody is missed by the scan that is running.
    pub fn update_all_as_present(self, m: &mut Machine) {
        let driver = self.driver(m);
        trace(m, driver, &sites::CHILD_ALL_ENTER, [self.0.handle()]);
        let body = self.body(m);
        for id in body.modifications.iter() {
            if let Some(entry) = body.entries.get_mut(id).filter(|entry| entry.modification == Modification::Insert) {
                entry.found_in_last_scan = true;
            }
        }
        for id in body.descriptions.iter() {
            let Some(entry) = body.entries.get_mut(id).filter(|entry| entry.is_present()) else { continue };
            if entry.modification != Modification::Remove {
                entry.found_in_last_scan = true;
            }
        }
        self.process_modifications(m);
        trace(m, driver, &sites::CHILD_ALL_EXIT, [self.0.handle()]);
    }

    /// `WdfChildListRetrievePdo`: what became of a child that the list knows, with its address description.
    ///
    /// Source: K/core/fxchildlist.cpp:410-470.
    pub fn child(self, m: &mut Machine, child: u64) -> Option<Retrieved> {
        let driver = self.driver(m);
        trace(m, driver, &sites::CHILD_PDO_ENTER, [self.0.handle()]);
        let found = self.find_device(m, child);
        let (device, word) = match found.map(|found| found.state) {
            Some(ChildState::Created(device)) => (device.object().handle(), RETRIEVE_SUCCESS),
            Some(ChildState::NotCreatedYet) => (0, RETRIEVE_NOT_YET_CREATED),
            None => (0, RETRIEVE_NO_SUCH_DEVICE),
        };
        trace(m, driver, &sites::CHILD_PDO_EXIT, [self.0.handle(), device, word]);
        found
    }

    fn find_device(self, m: &mut Machine, child: u64) -> Option<Retrieved> {
        let body = self.body(m);
        let modified = body.modification_of(child).and_then(|id| body.entry(id));
        let inserted = modified.filter(|entry| entry.modification == Modification::Insert);
        let entry = inserted.or_else(|| body.description_of(child).and_then(|id| body.entry(id)))?;
        let waits = inserted.is_some() || entry.description == Description::PresentNeedsInstantiation;
        let state = entry.device.filter(|_| !waits).map_or(ChildState::NotCreatedYet, ChildState::Created);
        Some(Retrieved { child, address: entry.address, state })
    }

    /// `WdfChildListRetrieveAddressDescription`.
    ///
    /// # Errors
    /// STATUS_INVALID_DEVICE_REQUEST for a list without address descriptions, STATUS_NO_SUCH_DEVICE for a child that it
    /// does not know.
    pub fn address(self, m: &mut Machine, child: u64) -> Result<u64, NtStatus> {
        let driver = self.driver(m);
        trace(m, driver, &sites::CHILD_ADDRESS_ENTER, [self.0.handle()]);
        if !self.has_addresses(m) {
            let status = STATUS_INVALID_DEVICE_REQUEST;
            trace(m, driver, &sites::CHILD_NO_ADDRESSES, [status.0.into()]);
            return Err(status);
        }
        let body = self.body(m);
        let known = body.modification_of(child).or_else(|| body.description_of(child));
        let result = known.and_then(|id| body.entry(id)?.address).ok_or(STATUS_NO_SUCH_DEVICE);
        let status = result.map_or_else(|status| status, |_| STATUS_SUCCESS);
        trace(m, driver, &sites::CHILD_ADDRESS_EXIT, [self.0.handle(), status.0.into()]);
        result
    }

    /// The identifications of the children that are present, in the order in which they came.
    pub fn present_children(self, m: &mut Machine) -> Vec<u64> {
        let body = self.body(m);
        let present = |id: Id| body.entry(id).filter(|entry| entry.is_present()).map(|entry| entry.child);
        body.descriptions.iter().filter_map(present).collect()
    }

    /// The devices of the children that have one, whether they are present or on their way out.
    pub(crate) fn devices(self, m: &mut Machine) -> Vec<Device> {
        let body = self.body(m);
        let device = |id: Id| body.entry(id).filter(|entry| !entry.delete_on_scan_end)?.device;
        body.descriptions.iter().filter_map(device).collect()
    }

    /// `WdfChildListRequestChildEject`. Returns false for a child that PnP does not know yet.
    ///
    /// Source: K/core/fxchildlistapi.cpp (WdfChildListRequestChildEject); S/inc/private/common/fxdevice.hpp:1005-1020.
    pub fn request_eject(self, m: &mut Machine, child: u64) -> bool {
        let driver = self.driver(m);
        trace(m, driver, &sites::CHILD_EJECT_ENTER, [self.0.handle()]);
        let device = match self.find_device(m, child).map(|found| found.state) {
            Some(ChildState::Created(device)) => Some(device),
            _ => None,
        };
        let handle = device.map_or(0, |device| device.object().handle());
        trace(m, driver, &sites::CHILD_EJECT_FOUND, [self.0.handle(), handle]);
        let Some(device) = device else { return false };
        match device.known_pdo(m) {
            Some(pdo) => {
                m.request_device_eject(pdo);
                true
            }
            None => {
                trace(m, driver, &sites::CHILD_EJECT_UNKNOWN, [handle]);
                debug_break(m, driver);
                false
            }
        }
    }

    /// EvtChildListScanForChildren.
    pub(crate) fn scan_for_children(self, m: &mut Machine) {
        if let Some(scan) = self.body(m).config.and_then(|config| config.scan) {
            scan(m, self);
        }
    }
}

/// WDF_CHILD_LIST_RETRIEVE_DEVICE_STATUS.
const RETRIEVE_SUCCESS: u64 = 1;
const RETRIEVE_NOT_YET_CREATED: u64 = 2;
const RETRIEVE_NO_SUCH_DEVICE: u64 = 3;
