//! Cards that come and go, as the resource manager learns of them: by a tracking request that waits for it.
//!
//! Source: Windows driver documentation, IOCTL_SMARTCARD_IS_PRESENT and IOCTL_SMARTCARD_IS_ABSENT.

use std::time::{Duration, Instant};

use vbus_reader::ioctl::IOCTL_SMARTCARD_IS_PRESENT;
use vbus_wdm::IoStatus;

use super::order::Order;
use super::pcsc;

/// How often is looked for a reader that is not there, or in which somebody else tracks the card.
const LOOK: Duration = Duration::from_millis(100);

/// Watches one reader's slot.
pub(super) struct Watch {
    /// What was told last, or not told as it was so from the beginning.
    present: Option<bool>,
    /// The next request waits for the other state; else it looks which it is, at this time.
    look: Option<Instant>,
}

impl Watch {
    pub(super) fn new(now: Instant) -> Watch {
        Watch { present: None, look: Some(now) }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.look
    }

    pub(super) fn next(&mut self, now: Instant) -> Option<Order> {
        match (self.look, self.present) {
            (Some(look), _) => (now >= look).then(Order::state),
            (None, present) => Some(Order::tracking(present != Some(true))),
        }
    }

    /// What is to be told: whether a card is there now.
    pub(super) fn done(&mut self, order: &Order, result: IoStatus, output: &[u8]) -> Option<bool> {
        let succeeded = result.status.is_success();
        let present = match (succeeded, order.is_look()) {
            (true, true) => pcsc::is_present(output),
            (true, false) => order.code == IOCTL_SMARTCARD_IS_PRESENT,
            (false, _) if pcsc::is_absence(result.status) => false,
            // Somebody else tracks the card.
            (false, _) => self.present?,
        };
        // A reader that is there is tracked from now on; one that is not is looked for.
        self.look = if succeeded { None } else { Some(Instant::now() + LOOK) };
        let before = self.present.replace(present);
        (before.is_some() && before != Some(present)).then_some(present)
    }
}
