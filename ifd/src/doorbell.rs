//! The doorbell: how `vbus serve` sleeps until somebody has something for it, whoever that is.
//!
//! There is one, in memory that everybody has. It says where `vbus serve` is, so that nobody rings who need not: a system
//! call costs more than all the rest of a message's way.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::memory::{Shared, wait, wake};

/// It will look into the mailboxes before it sleeps.
const AWAKE: u32 = 0;
/// It sleeps on this word.
const ASLEEP: u32 = 1;
/// It waits for sockets.
const AWAY: u32 = 2;

/// Where the words are: the state, and a count by which one who waits sees that it is alive.
const STATE: usize = 0;
const BEATS: usize = 1;

/// The doorbell of `vbus serve`. Whoever writes nonsense there wakes it for nothing, or too late: it never sleeps for long
/// without having looked.
pub struct Doorbell(Shared<2>);

/// What ringing has come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rung {
    /// It will look.
    Heard,
    /// It waits for messages, so that one has to be sent.
    Unheard,
}

impl Doorbell {
    /// A doorbell, and the file by which another process has it too.
    ///
    /// # Errors
    /// The system has no memory that two processes can have.
    pub fn create() -> io::Result<(Doorbell, OwnedFd)> {
        let (words, file) = Shared::create()?;
        Ok((Doorbell(words), file))
    }

    /// The doorbell of a file that came from the other process.
    ///
    /// # Errors
    /// It is no doorbell.
    pub fn open(file: &OwnedFd) -> io::Result<Doorbell> {
        Shared::open(file).map(Doorbell)
    }

    /// Sleeps until somebody rings, and no longer than this. Does not sleep if `something` is there: that is asked when
    /// everybody can see that the sleeper sleeps.
    pub fn sleep(&self, limit: Duration, something: impl FnOnce() -> bool) {
        self.0[STATE].store(ASLEEP, Ordering::SeqCst);
        if !something() {
            wait(&self.0[STATE], ASLEEP, limit);
        }
        self.awake();
    }

    /// From now on only a message is heard. Returns whether that is so: if `something` is there, it is not.
    pub fn go_away(&self, something: impl FnOnce() -> bool) -> bool {
        self.0[STATE].store(AWAY, Ordering::SeqCst);
        let stays = something();
        if stays {
            self.awake();
        }
        !stays
    }

    /// Nobody has to ring from now on.
    pub fn awake(&self) {
        self.0[STATE].store(AWAKE, Ordering::SeqCst);
    }

    /// A sign of life.
    pub fn beat(&self) {
        self.0[BEATS].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn beats(&self) -> u32 {
        self.0[BEATS].load(Ordering::Relaxed)
    }

    /// Rings, after something was put into a mailbox.
    pub fn ring(&self) -> Rung {
        let state = &self.0[STATE];
        let was = state.load(Ordering::SeqCst);
        // Whoever makes it awake is the one that has to wake it.
        let is_first = was != AWAKE && state.compare_exchange(was, AWAKE, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        match was {
            ASLEEP if is_first => {
                wake(state);
                Rung::Heard
            }
            AWAY if is_first => Rung::Unheard,
            _ => Rung::Heard,
        }
    }
}
