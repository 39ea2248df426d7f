//! The PIN of a card: comparison, tries counter, verified state.
//!
//! Source: ISO/IEC 7816-4, VERIFY.

use super::apdu::StatusWord;

/// Bytes of a PIN as stored, padding included.
const PIN_LEN: usize = 8;
/// Fewest bytes a PIN is presented in.
const PIN_LEN_MIN: usize = 4;
/// Fills a PIN up to [`PIN_LEN`].
const PAD: u8 = 0xFF;
/// Tries after the card is made, and again after each success.
const TRIES_MAX: u8 = 3;

#[derive(Debug, Clone)]
pub(super) struct Pin {
    value: [u8; PIN_LEN],
    /// Non-volatile: survives reset and power-down.
    tries_left: u8,
    /// Volatile. Never set while no tries are left.
    verified: bool,
}

impl Pin {
    pub(super) fn new(value: [u8; PIN_LEN]) -> Pin {
        Pin { value, tries_left: TRIES_MAX, verified: false }
    }

    pub(super) fn is_verified(&self) -> bool {
        self.verified
    }

    /// What a reset does.
    pub(super) fn forget_verification(&mut self) {
        self.verified = false;
    }

    /// Compares `presented`, padded or not, and counts the try. No bytes at
    /// all ask for the state and cost no try.
    pub(super) fn verify(&mut self, presented: &[u8]) -> StatusWord {
        if presented.is_empty() {
            return self.status();
        }
        // A length that no PIN has is a mistake of the caller, not a guess.
        if !(PIN_LEN_MIN..=PIN_LEN).contains(&presented.len()) {
            return StatusWord::WRONG_LENGTH;
        }
        if self.tries_left == 0 {
            return StatusWord::AUTHENTICATION_BLOCKED;
        }
        let mut padded = [PAD; PIN_LEN];
        padded[..presented.len()].copy_from_slice(presented);
        self.verified = padded == self.value;
        self.tries_left = if self.verified { TRIES_MAX } else { self.tries_left - 1 };
        debug_assert!(self.tries_left <= TRIES_MAX);
        if self.verified { StatusWord::OK } else { StatusWord::tries_left(self.tries_left) }
    }

    fn status(&self) -> StatusWord {
        match (self.verified, self.tries_left) {
            (true, _) => StatusWord::OK,
            (false, 0) => StatusWord::AUTHENTICATION_BLOCKED,
            (false, left) => StatusWord::tries_left(left),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(steps: &[(&[u8], u16)]) {
        let mut pin = Pin::new(*b"1234\xFF\xFF\xFF\xFF");
        for (step, &(presented, status)) in steps.iter().enumerate() {
            assert_eq!(pin.verify(presented), StatusWord(status), "step {step}");
            assert_eq!(pin.is_verified(), pin.status() == StatusWord::OK, "step {step}");
        }
    }

    #[test]
    fn the_right_pin_is_accepted_padded_or_not() {
        check(&[(b"1234", 0x9000), (b"1234\xFF\xFF\xFF\xFF", 0x9000), (b"1234\xFF", 0x9000), (b"12340", 0x63C2)]);
    }

    #[test]
    fn a_wrong_pin_undoes_the_verification_and_a_right_one_restores_the_tries() {
        check(&[(b"1234", 0x9000), (b"0000", 0x63C2), (b"", 0x63C2), (b"1234", 0x9000), (b"0000", 0x63C2)]);
    }

    #[test]
    fn three_wrong_pins_block_for_good() {
        check(&[
            (b"0000", 0x63C2),
            (b"0000", 0x63C1),
            (b"0000", 0x63C0),
            (b"0000", 0x6983),
            (b"1234", 0x6983),
            (b"", 0x6983),
        ]);
    }

    #[test]
    fn asking_and_impossible_lengths_cost_no_try() {
        check(&[(b"", 0x63C3), (b"123", 0x6700), (b"123456789", 0x6700), (b"", 0x63C3)]);
    }
}
