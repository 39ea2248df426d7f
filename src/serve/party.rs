//! Who uses a reader from outside.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use vbus_bus::ReaderId;
use vbus_wdm::IoStatus;

use super::order::Order;

/// Somebody outside with a reader: pcscd through our handler, or a vpcd.
///
/// It has one request out at a time, as the person at the other end waits for the answer.
pub(super) trait Party {
    /// Whose.
    fn reader(&self) -> ReaderId;

    /// What is to be watched for something to read.
    fn socket(&self) -> Option<BorrowedFd<'_>>;

    /// Whether there is something to be read that is no socket's.
    fn is_asking(&self) -> bool {
        false
    }

    /// Reads what there is.
    ///
    /// # Errors
    /// It is gone, or says what means nothing: it is given up.
    fn receive(&mut self) -> io::Result<()>;

    /// When it wants to do something without being told.
    fn due(&self) -> Option<Instant>;

    /// What it wants next, if it wants anything.
    ///
    /// # Errors
    /// As [`Party::receive`].
    fn next(&mut self, now: Instant) -> io::Result<Option<Order>>;

    /// What it wanted is done.
    ///
    /// # Errors
    /// As [`Party::receive`].
    fn done(&mut self, order: &Order, result: IoStatus, output: &[u8]) -> io::Result<()>;
}
