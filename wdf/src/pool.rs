//! FX_POOL: what the verifier counts of a driver's framework memory, and says at unload.
//!
//! Source: S/object/wdfpool.cpp:560-700; S/object/handleapi.cpp:60-150 (what an object's allocation consists of).
//! Sizes are those of 64-bit Windows. Those of plain objects, contexts, queues and devices were measured; the others
//! follow from the fields of their classes.

use vbus_wdm::{Machine, Pool};

use crate::device::DeviceKind;
use crate::driver::Driver;
use crate::framework::{fx, fx_mut, trace};
use crate::object::{Kind, Object};
use crate::trace::sites;
use crate::verifier;

/// What a driver has of the framework's pool, and the most that it had.
#[derive(Default)]
pub(crate) struct PoolUse {
    now: Amount,
    peak: Amount,
    /// Of paged pool: beside the registry path only the names of devices that are about to be made.
    paged_peak: Amount,
    /// The objects that are counted, oldest first.
    objects: Vec<(Object, Amount)>,
}

#[derive(Clone, Copy, Default)]
struct Amount {
    bytes: u64,
    allocations: u32,
}

/// FxObjectDebugExtension, FxContextHeader, FxVerifierLock.
const DEBUG_EXTENSION: u64 = 48;
const CONTEXT_HEADER: u64 = 48;
const VERIFIER_LOCK: u64 = 160;

/// WDFDEVICE_INIT, where a driver asks for one instead of being given it.
const DEVICE_INIT: Amount = Amount { bytes: 880, allocations: 1 };

/// What the general package makes for a device whose driver has EvtDeviceFileCreate.
const FILE_CREATION: Amount = Amount { bytes: 832, allocations: 4 };

/// Where a block of pool begins before the object that is in it, and where the tracker of it lies.
const BLOCK_OFFSET: u64 = 0x40;
const TRACKER_OFFSET: u64 = 0x70;

impl Amount {
    fn max(self, other: Amount) -> Amount {
        Amount { bytes: self.bytes.max(other.bytes), allocations: self.allocations.max(other.allocations) }
    }

    fn and(self, other: Amount) -> Amount {
        Amount { bytes: self.bytes + other.bytes, allocations: self.allocations + other.allocations }
    }
}

impl PoolUse {
    fn add(&mut self, object: Object, amount: Amount) {
        self.objects.push((object, amount));
        self.now.bytes += amount.bytes;
        self.now.allocations += amount.allocations;
        self.peak = self.peak.max(self.now);
    }

    fn remove(&mut self, object: Object) {
        // An object comes once, and once more for every context that was added to it.
        self.objects.retain(|&(known, amount)| {
            if known == object {
                self.now.bytes -= amount.bytes;
                self.now.allocations -= amount.allocations;
            }
            known != object
        });
    }
}

/// An object was created.
pub(crate) fn allocated(m: &mut Machine, object: Object) {
    let amount = amount_of(m, object);
    count(m, object, amount);
}

/// A device was made from an init that its driver had asked for, which goes now, with the device's name.
pub(crate) fn init_freed(m: &mut Machine, driver: Driver, name: Option<&str>) {
    let Some(body) = fx_mut(m).drivers.get_mut(driver.id()).filter(|body| body.verifier) else { return };
    let pool = &mut body.pool;
    pool.peak = pool.peak.max(pool.now.and(DEVICE_INIT));
    if let Some(name) = name {
        let units = name.encode_utf16().count() as u64 + 1;
        pool.paged_peak = pool.paged_peak.max(Amount { bytes: 2 * units, allocations: 1 });
    }
}

/// A context of so many bytes was added to an object.
pub(crate) fn context_added(m: &mut Machine, object: Object, bytes: usize) {
    let bytes = DEBUG_EXTENSION + CONTEXT_HEADER + (bytes as u64).next_multiple_of(8);
    count(m, object, Amount { bytes, allocations: 1 });
}

fn count(m: &mut Machine, object: Object, amount: Amount) {
    if amount.allocations == 0 {
        return;
    }
    let driver = object.header(m).driver();
    if let Some(body) = fx_mut(m).drivers.get_mut(driver.id()).filter(|body| body.verifier) {
        body.pool.add(object, amount);
    }
}

/// An object is gone, with its contexts.
pub(crate) fn freed(m: &mut Machine, object: Object) {
    let driver = object.header(m).driver();
    if let Some(body) = fx_mut(m).drivers.get_mut(driver.id()).filter(|body| body.verifier) {
        body.pool.remove(object);
    }
}

/// What an object's creation allocates. A device comes with all that the framework makes for it, and with its driver's
/// own: no driver is measured that never had a device.
fn amount_of(m: &Machine, object: Object) -> Amount {
    match object.kind {
        Kind::Device => {
            let body = fx(m).devices.get(object.id);
            let device = match body.map(|body| body.kind) {
                Some(DeviceKind::Filter) => Amount { bytes: 10_864, allocations: 38 },
                Some(DeviceKind::Control) => Amount { bytes: 6_432, allocations: 25 },
                _ => Amount { bytes: 11_360, allocations: 37 },
            };
            let creates_files = body.is_some_and(|body| body.files.on_create.is_some());
            if creates_files { device.and(FILE_CREATION) } else { device }
        }
        Kind::Queue => Amount { bytes: 1_200, allocations: 3 },
        Kind::Request => external(368, 1),
        Kind::General => {
            let Some(class) = fx(m).general.get(object.id).map(|body| body.class) else { return Amount::default() };
            match class.bytes {
                0 => Amount::default(),
                bytes => external(bytes.into(), class.locks.into()),
            }
        }
        Kind::Driver | Kind::IoPackage | Kind::Null | Kind::Wild => Amount::default(),
    }
}

/// An object that a driver sees: with room for its first context, and with the verifier's extension and locks.
fn external(bytes: u64, locks: u32) -> Amount {
    let object = bytes.next_multiple_of(16) + CONTEXT_HEADER + DEBUG_EXTENSION;
    Amount { bytes: object + VERIFIER_LOCK * u64::from(locks), allocations: 1 + locks }
}

/// Where a driver's pool is: in its globals.
pub(crate) fn address(driver: Driver) -> u64 {
    Pool::Globals.address(driver.id().index()) + 0x40
}

/// The pool of an unloaded driver goes. Under the verifier it says what is left in it.
///
/// Source: S/object/wdfpool.cpp:560-640 (FxPoolDump), 690-720 (FxPoolDestroy).
pub(crate) fn destroy(m: &mut Machine, driver: Driver) {
    let pool = address(driver);
    trace(m, driver, &sites::POOL_DESTROY, [pool]);
    let Some(body) = fx(m).drivers.get(driver.id()).filter(|body| body.verifier) else { return };
    let PoolUse { now, peak, paged_peak, ref objects } = body.pool;
    let paged = paged_peak.and(Amount { bytes: body.registry_path_bytes(), allocations: 1 });
    let left = objects.clone();
    let (now, peak_allocations) = ([now.bytes, now.allocations.into()], peak.allocations.into());
    let arguments = [now[0], 0, now[1], 0, peak.bytes, paged.bytes, peak_allocations, paged.allocations.into()];
    trace(m, driver, &sites::POOL_DUMP, arguments);
    for &(object, amount) in &left {
        for block in 0..u64::from(amount.allocations) {
            let address = object.address() - BLOCK_OFFSET - block * 0x100;
            trace(m, driver, &sites::POOL_LEAK, [pool, address, address - TRACKER_OFFSET]);
        }
    }
    if !left.is_empty() {
        verifier::debug_break(m, driver);
    }
}
