//! How the loop rests: it looks for the next request for a while, then dozes where whoever has one can wake it by memory
//! alone, and at last sleeps until a socket has something.
//!
//! What comes next usually comes soon and from where the last one came, and waking a thread costs more than answering.

use std::time::{Duration, Instant};

use vbus_ifd::doorbell::Doorbell;
use vbus_ifd::patience::Patience;

/// How long one dozes after a request that came through memory. Who sends the next one later than that can as well wake
/// it by a message.
const DOZE: Duration = Duration::from_millis(20);
/// Sockets are looked at so often while one dozes. (A timer that is sooner than the kernel's own costs as much as an APDU.)
const LOOK: Duration = Duration::from_millis(10);
/// How long sockets have to be quiet, or nobody dozes: what comes there would wait.
const QUIET: Duration = Duration::from_millis(100);

/// When to do what.
pub(super) struct Rest {
    doorbell: Option<Doorbell>,
    patience: Patience,
    /// When the last request came through memory.
    last_mail: Option<Instant>,
    last_look: Instant,
    /// When a socket had something last.
    last_message: Option<Instant>,
}

impl Rest {
    pub(super) fn new(doorbell: Option<Doorbell>) -> Rest {
        Rest { doorbell, patience: Patience::default(), last_mail: None, last_look: Instant::now(), last_message: None }
    }

    /// Waits for mail alone, if that is what is to be expected. Returns whether there is any; if not, it is time to look at
    /// sockets.
    pub(super) fn doze(&mut self, due: Option<Instant>, is_asked: impl Fn() -> bool) -> bool {
        let Some(doorbell) = &self.doorbell else { return false };
        doorbell.beat();
        let now = Instant::now();
        let end = due.map_or(self.last_look + LOOK, |due| due.min(self.last_look + LOOK));
        if now >= end || !self.expects_mail(now) {
            return false;
        }
        if !self.patience.look(&is_asked) {
            doorbell.sleep(end.saturating_duration_since(Instant::now()), &is_asked);
        }
        let asked = is_asked();
        if asked {
            self.last_mail = Some(Instant::now());
        }
        asked
    }

    /// Whether what comes next is likely to come through memory.
    fn expects_mail(&self, now: Instant) -> bool {
        self.last_mail.is_some_and(|last| now <= last + DOZE) && self.last_message.is_none_or(|last| now > last + QUIET)
    }

    /// Waits for sockets with `poll`, which is told for how long, at most until `due`, and says whether they have something.
    /// Where mail is, or is to be expected, it only looks.
    pub(super) fn sleep<E>(
        &mut self,
        due: Option<Instant>,
        is_asked: impl Fn() -> bool,
        poll: impl FnOnce(Option<Duration>) -> Result<bool, E>,
    ) -> Result<(), E> {
        let now = Instant::now();
        let hurry = is_asked() || self.expects_mail(now);
        let stays = hurry || self.doorbell.as_ref().is_some_and(|doorbell| !doorbell.go_away(&is_asked));
        let limit = if stays { Some(Duration::ZERO) } else { due.map(|due| due.saturating_duration_since(now)) };
        let found = poll(limit)?;
        if let Some(doorbell) = &self.doorbell {
            doorbell.awake();
        }
        self.last_look = Instant::now();
        // Who rings by a message has mail.
        if is_asked() {
            self.last_mail = Some(self.last_look);
        } else if found {
            self.last_message = Some(self.last_look);
        }
        Ok(())
    }
}
