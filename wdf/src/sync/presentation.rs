//! The presentation lock: what the framework holds around a device's or queue's callbacks, and lends to drivers.
//!
//! It is a mutex where callbacks run at PASSIVE_LEVEL only, else a spin lock. It exists whatever the synchronization scope
//! is; the scope only decides whether the framework takes it by itself.
//!
//! Source: S/inc/private/common/fxcallbackspinlock.hpp, fxcallbackmutexlock.hpp; S/core/fxdevicebase.cpp:95-180;
//! S/irphandlers/io/fxioqueue.cpp:596-780.

use vbus_wdm::constants::*;
use vbus_wdm::{Irql, Machine, NtStatus};

use crate::device::Device;
use crate::dispatch::for_each_queue;
use crate::driver::Driver;
use crate::framework::{fx, fx_mut, trace};
use crate::object::{Attributes, ExecutionLevel, Handle, Kind, Object, SynchronizationScope};
use crate::queue::Queue;
use crate::trace::{Site, sites};
use crate::verifier;

/// A presentation lock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CallbackLock {
    owned: bool,
    /// The thread that took it last.
    owner: u64,
    /// The level to go back to.
    previous: Irql,
}

impl CallbackLock {
    #[inline]
    pub(crate) fn is_owned(&self) -> bool {
        self.owned
    }
}

/// What a driver's, device's or queue's attributes come to, with what they inherit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Constraints {
    pub(crate) level: ExecutionLevel,
    pub(crate) scope: SynchronizationScope,
}

impl Default for Constraints {
    /// What a driver has that says nothing: Dispatch and None.
    ///
    /// Source: S/core/fxdriver.cpp:50-80.
    fn default() -> Self {
        Constraints { level: ExecutionLevel::Dispatch, scope: SynchronizationScope::None }
    }
}

impl Constraints {
    /// What an object's attributes say, and for the rest what its parent has.
    pub(crate) fn of(attributes: &Attributes, parent: Constraints) -> Constraints {
        let level = match attributes.execution_level {
            ExecutionLevel::InheritFromParent => parent.level,
            said => said,
        };
        let scope = match attributes.synchronization_scope {
            SynchronizationScope::InheritFromParent => parent.scope,
            said => said,
        };
        Constraints { level, scope }
    }

    #[inline]
    pub(crate) fn is_passive(self) -> bool {
        self.level == ExecutionLevel::Passive
    }

    /// Whether the framework takes a lock around the callbacks of an object with this scope.
    #[inline]
    pub(crate) fn locks_by_itself(self) -> bool {
        matches!(self.scope, SynchronizationScope::Device | SynchronizationScope::Queue)
    }
}

/// Whose presentation lock an object's callbacks run under: its own, or its device's. Only devices and queues have one.
pub(crate) fn lender(m: &Machine, object: Object) -> Option<Object> {
    match object.kind {
        Kind::Device => Some(object),
        Kind::Queue => {
            let body = fx(m).queues.get(object.id)?;
            match body.constraints.scope {
                SynchronizationScope::Device => body.device().map(|device| device.0),
                _ => Some(object),
            }
        }
        _ => None,
    }
}

/// The owner of the lock that `WdfObjectAcquireLock` and `WdfObjectReleaseLock` mean; an object without one is bug check
/// 0x10D/0xB.
pub(crate) fn owner_of(m: &mut Machine, object: Object, ddi: &'static str, line: &'static Site) -> Object {
    let driver = object.driver(m);
    if let Some(owner) = lender(m, object) {
        return owner;
    }
    trace(m, driver, line, [object.handle()]);
    verifier::debug_break(m, driver);
    verifier::wdf_violation(m, Some(driver), 0xB, [object.handle(), 0], ddi)
}

fn lock_mut(m: &mut Machine, owner: Object) -> Option<&mut CallbackLock> {
    match owner.kind {
        Kind::Queue => fx_mut(m).queues.get_mut(owner.id).map(|body| &mut body.lock),
        _ => fx_mut(m).devices.get_mut(owner.id).map(|body| &mut body.lock),
    }
}

fn lock_of(m: &Machine, owner: Object) -> Option<&CallbackLock> {
    match owner.kind {
        Kind::Queue => fx(m).queues.get(owner.id).map(|body| &body.lock),
        _ => fx(m).devices.get(owner.id).map(|body| &body.lock),
    }
}

/// Where in its object the lock lies, and where the verifier keeps what it knows of the lock.
const LOCK_OFFSET: u64 = 0xA8;
const VERIFIED_OFFSET: u64 = 0xC8;

fn is_mutex(m: &Machine, owner: Object) -> bool {
    let constraints = match owner.kind {
        Kind::Queue => fx(m).queues.get(owner.id).map(|body| body.constraints),
        _ => fx(m).devices.get(owner.id).map(|body| body.constraints),
    };
    constraints.is_some_and(Constraints::is_passive)
}

/// Takes the lock of a device or queue. Taking it twice is bug check 0x10D/2.
pub(crate) fn acquire(m: &mut Machine, owner: Object) {
    let (irql, mutex) = (m.irql(), is_mutex(m, owner));
    let driver = owner.driver(m);
    let thread = m.current_thread();
    if m.has_processors() {
        wait_for_other(m, owner, thread);
    }
    let Some(lock) = lock_mut(m, owner) else { return };
    if lock.owned {
        let address = owner.address() + LOCK_OFFSET;
        let line = if mutex { &sites::LOCK_MUTEX_TWICE } else { &sites::LOCK_SPIN_TWICE };
        trace(m, driver, line, [address]);
        verifier::wdf_violation(m, Some(driver), 2, [address, 0], "FxCallbackLock::Lock");
    }
    *lock = CallbackLock { owned: true, owner: thread, previous: irql };
    if !mutex {
        m.set_irql(Irql::Dispatch);
    }
}

/// Another processor's thread may hold the lock, and gives it back.
#[cold]
fn wait_for_other(m: &mut Machine, owner: Object, thread: u64) {
    m.boundary("a presentation lock");
    m.wait("a presentation lock", move |m| lock_of(m, owner).is_none_or(|lock| !lock.owned || lock.owner == thread));
}

/// Gives the lock of a device or queue back, and goes back to the level that it was taken at. The verifier says if nobody
/// had taken it.
pub(crate) fn release(m: &mut Machine, owner: Object) {
    let mutex = is_mutex(m, owner);
    let driver = owner.driver(m);
    let Some(lock) = lock_mut(m, owner) else { return };
    let owned = std::mem::replace(&mut lock.owned, false);
    let previous = lock.previous;
    if !owned && driver.verifier_on(m) {
        let address = owner.address() + LOCK_OFFSET;
        trace(m, driver, &sites::LOCK_NOT_OWNED, [address]);
        verifier::debug_break(m, driver);
        let thread = m.current_thread();
        let arguments = [thread, owner.address() + VERIFIED_OFFSET, owner.address()];
        trace(m, driver, &sites::VERIFIED_LOCK_NOT_OWNED, arguments);
        return verifier::debug_break(m, driver);
    }
    if !mutex {
        m.set_irql(previous);
    }
    // Work items that found it taken.
    match owner.kind {
        Kind::Queue => Queue(owner).lock_is_free(m),
        _ => for_each_queue(m, Device(owner), |m, queue| queue.lock_is_free(m)),
    }
}

/// Runs a callback under a lock, if it is to have one.
#[inline]
pub(crate) fn hold<R>(m: &mut Machine, owner: Option<Object>, callback: impl FnOnce(&mut Machine) -> R) -> R {
    let Some(owner) = owner else { return callback(m) };
    acquire(m, owner);
    let result = callback(m);
    // Its object may be gone by now, and the lock with it.
    if owner.exists(m) {
        release(m, owner);
    }
    result
}

/// Whether somebody holds the lock that an object's callbacks run under.
pub(crate) fn is_held(m: &mut Machine, object: Object) -> bool {
    let owner = lender(m, object);
    owner.and_then(|owner| lock_mut(m, owner)).is_some_and(|lock| lock.owned)
}

/// The lock that the callbacks of a timer, work item or DPC are to run under: that of the nearest device or queue above,
/// if automatic serialization is wanted and that object has a synchronization scope.
///
/// # Errors
/// STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL if the callbacks run at another level than the parent's.
///
/// Source: S/object/fxobject.cpp:1285-1370 (_GetEffectiveLock); S/core/fxdevicebase.cpp:300-380.
pub(crate) fn effective(
    m: &mut Machine,
    parent: Object,
    automatic: bool,
    passive: bool,
) -> Result<Option<Object>, NtStatus> {
    if !automatic {
        return Ok(None);
    }
    let Some((object, constraints)) = nearest_with_callbacks(m, parent) else { return Ok(None) };
    if !constraints.locks_by_itself() {
        return Ok(None);
    }
    if parent.header(m).marks.passive_callbacks != passive {
        let driver: Driver = parent.driver(m);
        verifier::debug_break(m, driver);
        return Err(STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL);
    }
    Ok(lender(m, object))
}

/// The nearest object, from this one up, that has callbacks to serialize with: a queue or a device.
fn nearest_with_callbacks(m: &mut Machine, object: Object) -> Option<(Object, Constraints)> {
    let mut candidate = Some(object);
    while let Some(object) = candidate {
        let constraints = match object.kind {
            Kind::Queue => fx(m).queues.get(object.id).map(|body| body.constraints),
            Kind::Device => fx(m).devices.get(object.id).map(|body| body.constraints),
            _ => None,
        };
        if let Some(constraints) = constraints {
            return Some((object, constraints));
        }
        candidate = object.parent(m);
    }
    let device = object.device_above(m)?;
    Some((device.0, fx(m).devices.get(device.0.id)?.constraints))
}
