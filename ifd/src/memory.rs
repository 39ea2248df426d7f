//! Memory that two processes have at once, and how one of them sleeps until the other has written there.
//!
//! Neither trusts the other: it may write anything at any moment, and die. So there is nothing in such memory but atomics,
//! for which every value is one, and its file is sealed: it cannot be made shorter, which would be a signal to whoever
//! looks behind its end.
//!
//! Source: Linux, memfd_create(2), F_ADD_SEALS in fcntl(2), futex(2).

#![allow(unsafe_code)]

use std::io;
use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::slice;
use std::sync::atomic::AtomicU32;

use memmap2::{MmapOptions, MmapRaw};

pub(crate) use system::{wait, wake};

/// `WORDS` words that another process has as well.
pub(crate) struct Shared<const WORDS: usize>(MmapRaw);

impl<const WORDS: usize> Shared<WORDS> {
    const BYTES: usize = WORDS * size_of::<AtomicU32>();

    /// Makes memory, all zero, and its file, which is for the other process.
    ///
    /// # Errors
    /// The system has no such memory.
    pub(crate) fn create() -> io::Result<(Shared<WORDS>, OwnedFd)> {
        let file = system::create(Self::BYTES)?;
        Ok((Shared::map(&file)?, file))
    }

    /// The memory of a file that came from the other process.
    ///
    /// # Errors
    /// It is another file, or one that could become shorter.
    pub(crate) fn open(file: &OwnedFd) -> io::Result<Shared<WORDS>> {
        system::check(file, Self::BYTES)?;
        Shared::map(file)
    }

    fn map(file: &OwnedFd) -> io::Result<Shared<WORDS>> {
        MmapOptions::new().len(Self::BYTES).map_raw(file).map(Shared)
    }
}

impl<const WORDS: usize> Deref for Shared<WORDS> {
    type Target = [AtomicU32];

    fn deref(&self) -> &[AtomicU32] {
        // SAFETY: so many bytes are mapped, from the beginning of a page on, for as long as `self` is there; the file is
        // sealed, so that they stay; and to an atomic it does not matter who else writes there, and what.
        unsafe { slice::from_raw_parts(self.0.as_ptr().cast::<AtomicU32>(), WORDS) }
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::io::{self, ErrorKind};
    use std::os::fd::OwnedFd;
    use std::sync::atomic::AtomicU32;
    use std::time::Duration;

    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate, memfd_create};
    use rustix::thread::{Timespec, futex};

    pub(super) fn create(length: usize) -> io::Result<OwnedFd> {
        let file = memfd_create("vbus", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&file, length as u64)?;
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        Ok(file)
    }

    pub(super) fn check(file: &OwnedFd, length: usize) -> io::Result<()> {
        let sealed = fcntl_get_seals(file)?.contains(SealFlags::SHRINK);
        let long_enough = u64::try_from(fstat(file)?.st_size).is_ok_and(|size| size >= length as u64);
        if sealed && long_enough { Ok(()) } else { Err(ErrorKind::InvalidData.into()) }
    }

    /// Sleeps while the word has this value, until it is woken, or for so long. May wake for no reason.
    pub(crate) fn wait(word: &AtomicU32, value: u32, limit: Duration) {
        let limit = Timespec { tv_sec: limit.as_secs() as _, tv_nsec: limit.subsec_nanos() as _ };
        // Another value, a signal, the end of the time: the caller looks what it is.
        _ = futex::wait(word, futex::Flags::empty(), value, Some(&limit));
    }

    /// Wakes whoever sleeps on the word.
    pub(crate) fn wake(word: &AtomicU32) {
        // There may be nobody any more.
        _ = futex::wake(word, futex::Flags::empty(), 1);
    }
}

/// Elsewhere there is no such memory: everything goes over the socket.
#[cfg(not(target_os = "linux"))]
mod system {
    use std::io::{self, ErrorKind};
    use std::os::fd::OwnedFd;
    use std::sync::atomic::AtomicU32;
    use std::time::Duration;

    pub(super) fn create(_: usize) -> io::Result<OwnedFd> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(super) fn check(_: &OwnedFd, _: usize) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(crate) fn wait(_: &AtomicU32, _: u32, limit: Duration) {
        std::thread::sleep(limit);
    }

    pub(crate) fn wake(_: &AtomicU32) {}
}
