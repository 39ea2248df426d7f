//! Remove locks: how a driver knows that nobody uses its device any more.
//!
//! Source: Windows driver documentation, "Using Remove Locks" and the pages of the routines; "I/O Verification"; bug check
//! 0xC4, 0xD5 to 0xD7. The count and its event are those of the free build of Windows: the tag, the minutes and the high
//! watermark are only looked at by Driver Verifier.

use crate::address::Pool;
use crate::machine::Machine;
use crate::schedule::{Context, Ticks};
use crate::slab::Id;
use crate::status::{NtStatus, constants::*};

/// An IO_REMOVE_LOCK in a device extension.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RemoveLock(Id);

/// What IoInitializeRemoveLock is told for Driver Verifier.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RemoveLockLimits {
    /// `MaxLockedMinutes`; 0 is no limit.
    pub max_minutes: u32,
    /// `HighWatermark`: how many acquisitions may be out at once; 0 is no limit.
    pub high_watermark: u32,
}

#[derive(Debug, Default)]
pub(crate) struct RemoveLockData {
    /// One for the device itself, and one for every acquisition.
    count: i32,
    removed: bool,
    limits: RemoveLockLimits,
    /// Driver Verifier's: who holds it since when, oldest first.
    holders: Vec<(Context, Ticks)>,
}

impl Machine {
    /// `IoInitializeRemoveLock`. PASSIVE_LEVEL.
    pub fn create_remove_lock(&mut self, limits: RemoveLockLimits) -> RemoveLock {
        self.limit_irql("IoInitializeRemoveLock");
        let (id, lock) = self.remove_locks.take();
        *lock = RemoveLockData { count: 1, limits, ..RemoveLockData::default() };
        RemoveLock(id)
    }
}

impl RemoveLock {
    /// `IoInitializeRemoveLock` for a lock that is in use or was: the count begins anew, whoever holds it. Under Driver
    /// Verifier bug check 0xC4/0xD7.
    pub fn initialize_again(self, m: &mut Machine, limits: RemoveLockLimits) {
        const DDI: &str = "IoInitializeRemoveLock";
        m.limit_irql(DDI);
        m.verifier_violation([0xD7, self.address(), self.address(), 0], DDI);
        *self.data(m) = RemoveLockData { count: 1, limits, ..RemoveLockData::default() };
    }

    /// `IoAcquireRemoveLock`. IRQL <= DISPATCH_LEVEL.
    ///
    /// # Errors
    /// STATUS_DELETE_PENDING once [`RemoveLock::release_and_wait`] was called: the lock is not held then.
    pub fn acquire(self, m: &mut Machine, tag: impl Into<Context>) -> Result<(), NtStatus> {
        const DDI: &str = "IoAcquireRemoveLock";
        m.limit_irql(DDI);
        let now = m.now();
        let verified = m.verifier.is_some();
        let lock = self.data(m);
        if lock.removed {
            return Err(STATUS_DELETE_PENDING);
        }
        lock.count += 1;
        if verified {
            lock.holders.push((tag.into(), now));
            let limit = lock.limits.high_watermark as usize;
            if limit != 0 && lock.holders.len() > limit {
                m.undefined(DDI, "no more acquisitions of a remove lock are out at once than its high watermark says");
            }
        }
        Ok(())
    }

    /// `IoReleaseRemoveLock`. IRQL <= DISPATCH_LEVEL. In the free build nobody sees that the lock was not held, or by
    /// another tag: the count goes wrong, and the device is taken for unused too early. Under Driver Verifier both are bug
    /// check 0xC4/0xD5.
    pub fn release(self, m: &mut Machine, tag: impl Into<Context>) {
        const DDI: &str = "IoReleaseRemoveLock";
        m.limit_irql(DDI);
        self.give_back(m, tag.into(), DDI);
    }

    /// `IoReleaseRemoveLockAndWait`, in the IRP_MN_REMOVE_DEVICE after it was passed down: gives the caller's hold back,
    /// lets nobody acquire any more, and waits until all others gave theirs back. PASSIVE_LEVEL. Under Driver Verifier a
    /// tag that holds nothing is bug check 0xC4/0xD6.
    pub fn release_and_wait(self, m: &mut Machine, tag: impl Into<Context>) {
        const DDI: &str = "IoReleaseRemoveLockAndWait";
        m.limit_irql(DDI);
        self.data(m).removed = true;
        self.give_back(m, tag.into(), DDI);
        self.data(m).count -= 1;
        m.wait("the holders of a remove lock", move |m| m.remove_locks.get(self.0).is_none_or(|lock| lock.count <= 0));
    }

    fn give_back(self, m: &mut Machine, tag: Context, ddi: &'static str) {
        let (now, verified) = (m.now(), m.verifier.is_some());
        let lock = self.data(m);
        lock.count -= 1;
        if !verified {
            return;
        }
        let at = lock.holders.iter().position(|&(holder, _)| holder == tag);
        let Some((_, since)) = at.map(|at| lock.holders.remove(at)) else {
            let held = lock.holders.last().map_or(0, |&(holder, _)| holder.0);
            let waits = ddi == "IoReleaseRemoveLockAndWait";
            let parameters = if waits { [0xD6, self.address(), tag.0, held] } else { [0xD5, self.address(), tag.0, 0] };
            return m.verifier_violation(parameters, ddi);
        };
        let limit = Ticks::from_millis(u64::from(lock.limits.max_minutes) * 60_000);
        if limit > Ticks(0) && now.0 - since.0 > limit.0 {
            m.undefined(ddi, "a remove lock is held no longer than the minutes that it was initialized with");
        }
    }

    /// How many acquisitions are out, as a debugger's `!remlock` shows them. The device's own is not among them.
    pub fn holders(self, m: &Machine) -> i32 {
        let own = |lock: &RemoveLockData| i32::from(!lock.removed);
        m.remove_locks.get(self.0).map_or(0, |lock| lock.count - own(lock))
    }

    /// The device extension that held it is gone.
    pub fn delete(self, m: &mut Machine) {
        if !m.remove_locks.release(self.0) {
            m.undefined("IO_REMOVE_LOCK", GONE);
        }
    }

    fn data(self, m: &mut Machine) -> &mut RemoveLockData {
        let exit = m.exit();
        match m.remove_locks.get_mut(self.0) {
            Some(lock) => lock,
            None => exit.undefined("IO_REMOVE_LOCK", GONE),
        }
    }

    /// The address that bug checks show.
    pub fn address(self) -> u64 {
        Pool::RemoveLock.address(self.0.index())
    }
}

const GONE: &str = "a remove lock is not used after its device was deleted";
