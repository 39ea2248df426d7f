//! The library's remove lock, for WDM drivers; framework drivers have their queues instead.
//!
//! Source: Windows driver documentation, SmartcardAcquireRemoveLock, SmartcardReleaseRemoveLock,
//! SmartcardReleaseRemoveLockAndWait.

use vbus_wdm::constants::*;
use vbus_wdm::{Machine, NtStatus, Stop};

use super::Smartcard;

/// REMOVE_LOCK with its TagList.
#[derive(Debug, Default)]
pub(super) struct RemoveLock {
    removed: bool,
    tags: Vec<u32>,
}

/// What SmartcardAcquireRemoveLock uses for a tag.
const TAG: u32 = 0;

impl Smartcard {
    /// `SmartcardAcquireRemoveLock`: to be called at every entry point.
    ///
    /// # Errors
    /// STATUS_DELETE_PENDING for a device that is being removed.
    pub fn acquire_remove_lock(self, m: &mut Machine) -> Result<(), NtStatus> {
        self.acquire_remove_lock_with_tag(m, TAG)
    }

    /// `SmartcardAcquireRemoveLockWithTag`.
    ///
    /// # Errors
    /// As [`Smartcard::acquire_remove_lock`].
    pub fn acquire_remove_lock_with_tag(self, m: &mut Machine, tag: u32) -> Result<(), NtStatus> {
        let lock = self.lock(m);
        if lock.removed {
            return Err(STATUS_DELETE_PENDING);
        }
        lock.tags.push(tag);
        Ok(())
    }

    /// `SmartcardReleaseRemoveLock`.
    pub fn release_remove_lock(self, m: &mut Machine) {
        self.release_remove_lock_with_tag(m, TAG);
    }

    /// `SmartcardReleaseRemoveLockWithTag`: the tag is one that the lock was acquired with.
    pub fn release_remove_lock_with_tag(self, m: &mut Machine, tag: u32) {
        let lock = self.lock(m);
        match lock.tags.iter().rposition(|&known| known == tag) {
            Some(at) => _ = lock.tags.remove(at),
            None => m.undefined(
                "SmartcardReleaseRemoveLockWithTag",
                "a remove lock is released with the tag that it was acquired with",
            ),
        }
    }

    /// `SmartcardReleaseRemoveLockAndWait`: nobody gets the lock any more; waits for those that have it. PASSIVE_LEVEL.
    pub fn release_remove_lock_and_wait(self, m: &mut Machine) {
        self.lock(m).removed = true;
        self.release_remove_lock(m);
        while !self.lock(m).tags.is_empty() {
            m.run_ready();
            if !self.lock(m).tags.is_empty() && !m.fire_next_timer() {
                m.stop(Stop::Hang { waiting_for: "the requests that hold a reader's remove lock" });
            }
        }
    }

    fn lock(self, m: &mut Machine) -> &mut RemoveLock {
        let exit = m.exit();
        match &mut self.extension(m).os_data {
            Some(os_data) => &mut os_data.remove_lock,
            None => exit.undefined("SmartcardAcquireRemoveLock", super::control::NOT_INITIALIZED),
        }
    }
}
