//! Cards outside of the model: in another process, or in the host's own reader.
//!
//! Their answers take as long as they take, which is no virtual time: a reader asks, lets everything run that can run at
//! this moment of virtual time, and then waits for the answer before any virtual time passes. So what other readers do, and
//! in which order, does not depend on how fast the answer comes.
//!
//! Where virtual time is real time it need not be so: a card that is given a [`News`] says when there is something, and the
//! reader's request is pending meanwhile, like that of a card that takes its time.

#[cfg(feature = "host-card")]
pub mod host;
pub mod remote;

use std::sync::Arc;
use std::time::Duration;

use super::Reset;

/// What is called, from any thread, when a card outside of the model came or went or has an answer: somebody is to look.
pub type News = Arc<dyn Fn() + Send + Sync>;

/// A card whose answers come from outside of the model.
///
/// Threads and sockets are behind this; the machine's thread calls it.
pub trait OutsideCard: Send {
    /// Whether a card is there at this moment. Does not wait. A card that went and another that came since the last look
    /// are seen as gone first, and at the next look as there.
    fn is_present(&mut self) -> bool;

    /// Begins something. Does not wait for the answer.
    fn begin(&mut self, request: OutsideRequest<'_>);

    /// Waits for the answer to what was begun, for as long as the card's own limit says. `answer` is cleared, then
    /// receives it: the ATR, nothing, or the response APDU.
    ///
    /// # Errors
    /// [`OutsideError`].
    fn finish(&mut self, answer: &mut Vec<u8>) -> Result<(), OutsideError>;

    /// Nobody wants the answer to what was begun any more. If it comes late, it is not to be taken for another one.
    fn give_up(&mut self) {}

    /// From now on whatever happens is told. A card that cannot do so is waited for as ever.
    fn tell(&mut self, news: News) {
        _ = news;
    }

    /// How long at most until there is an answer to what was begun, or there will be none: nobody waits for it before. None
    /// if it is there, and for a card that tells nothing.
    fn time_left(&mut self) -> Option<Duration> {
        None
    }
}

/// What is asked of a card outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutsideRequest<'a> {
    /// Power up and reset, or reset alone. The answer is the ATR.
    Reset(Reset),
    /// Power down. There is no answer to wait for.
    PowerDown,
    /// A command APDU.
    Transmit(&'a [u8]),
}

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OutsideError {
    /// The card went away.
    #[error("the card went away")]
    Removed,
    /// It did not answer in time.
    #[error("the card did not answer in time")]
    Silence,
    /// It cannot be asked this, or its answer is none.
    #[error("the card cannot be asked this, or its answer is none")]
    Protocol,
}
