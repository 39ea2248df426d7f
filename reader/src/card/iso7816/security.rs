//! PINs and what they open: tries, verified states, access conditions, and the commands about them.
//!
//! Source: ISO/IEC 7816-4, VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER, DISABLE and ENABLE VERIFICATION
//! REQUIREMENT.

use super::files::FileRef;
use super::{Iso7816Card, Outcome};
use crate::apdu::{Command, StatusWord};

/// PINs of a card as bits, by their place in its list.
pub(crate) type PinSet = u32;
/// How many PINs a card may have.
pub(crate) const PINS_MAX: usize = PinSet::BITS as usize;

/// Who may perform an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Always,
    Never,
    /// Whoever was verified with one of these PINs, or while one of them is disabled.
    AnyOf(PinSet),
}

/// A PIN, or what resets one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pin {
    pub(crate) name: String,
    /// The low bits of P2. Bit 8 is set for a PIN of a DF.
    pub(crate) reference: u8,
    /// The DF that the PIN belongs to; `None` for the whole card.
    pub(crate) df: Option<FileRef>,
    pub(crate) value: Vec<u8>,
    /// What a shorter value is filled up with to `length_max`.
    pub(crate) pad: Option<u8>,
    pub(crate) length_min: usize,
    pub(crate) length_max: usize,
    /// Tries after each success.
    pub(crate) tries_max: u8,
    /// Non-volatile: survives reset and power-down.
    pub(crate) tries_left: u8,
    pub(crate) enabled: bool,
    pub(crate) may_be_disabled: bool,
    /// What unblocks it, by its place in the list.
    pub(crate) unblocked_by: Option<usize>,
}

impl Pin {
    /// A presented value without its padding. `None` for a length that no value has.
    fn stripped<'a>(&self, presented: &'a [u8]) -> Option<&'a [u8]> {
        if !(self.length_min..=self.length_max).contains(&presented.len()) {
            return None;
        }
        let Some(pad) = self.pad else { return Some(presented) };
        let end = presented.iter().rposition(|&byte| byte != pad).map_or(0, |last| last + 1);
        Some(&presented[..end])
    }

    /// Compares and counts the try.
    fn compare(&mut self, presented: &[u8]) -> Result<(), StatusWord> {
        // A length that no PIN has is a mistake of the caller, not a guess.
        let presented = self.stripped(presented).ok_or(StatusWord::WRONG_LENGTH)?;
        if self.tries_left == 0 {
            return Err(StatusWord::AUTHENTICATION_BLOCKED);
        }
        if presented == self.value {
            self.tries_left = self.tries_max;
            Ok(())
        } else {
            self.tries_left -= 1;
            Err(StatusWord::tries_left(self.tries_left))
        }
    }

    fn set(&mut self, new: &[u8]) -> Result<(), StatusWord> {
        let new = self.stripped(new).filter(|new| new.len() >= self.length_min).ok_or(StatusWord::WRONG_LENGTH)?;
        self.value.clear();
        self.value.extend_from_slice(new);
        Ok(())
    }

    /// Divides what has an old value in front: in the middle where both are padded, else where the old one ends.
    fn split<'a>(&self, data: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        match self.pad {
            Some(_) if data.len() == 2 * self.length_max => data.split_at_checked(self.length_max),
            _ => data.split_at_checked(self.value.len()).filter(|(_, new)| !new.is_empty()),
        }
    }

    fn status(&self, verified: bool) -> StatusWord {
        match (verified || !self.enabled, self.tries_left) {
            (true, _) => StatusWord::OK,
            (false, 0) => StatusWord::AUTHENTICATION_BLOCKED,
            (false, left) => StatusWord::tries_left(left),
        }
    }
}

impl Iso7816Card {
    /// Whether the access condition holds on a channel.
    pub(super) fn permit(&self, access: Access) -> Result<(), StatusWord> {
        let holds = match access {
            Access::Always => true,
            Access::Never => false,
            Access::AnyOf(pins) => {
                let disabled = self.image.pins.iter().enumerate().filter(|(_, pin)| !pin.enabled);
                let disabled = disabled.fold(0, |bits, (at, _)| bits | 1 << at);
                (self.verified | self.channel().verified | disabled) & pins != 0
            }
        };
        if holds { Ok(()) } else { Err(StatusWord::SECURITY_NOT_SATISFIED) }
    }

    /// The PIN that a P2 refers to as seen from the current DF; 00 is the first one of the whole card.
    fn pin_of(&self, reference: u8) -> Result<usize, StatusWord> {
        let df = self.channel().df;
        let is_meant = |pin: &super::Pin| match pin.df {
            Some(of) => pin.reference == reference && self.image.files.is_within(df, of),
            None => reference == 0 || pin.reference == reference,
        };
        self.image.pins.iter().position(is_meant).ok_or(StatusWord::REFERENCE_NOT_FOUND)
    }

    fn is_verified(&self, pin: usize) -> bool {
        (self.verified | self.channel().verified) >> pin & 1 == 1
    }

    /// A PIN of the whole card counts on every channel, one of a DF on the channel that it was presented on.
    fn set_verified(&mut self, pin: usize, verified: bool) {
        let bit = 1 << pin;
        let states = match self.image.pins[pin].df {
            None => &mut self.verified,
            Some(_) => &mut self.channel_mut().verified,
        };
        *states = if verified { *states | bit } else { *states & !bit };
    }

    /// Presents a value, and remembers whether it was right.
    fn present(&mut self, pin: usize, presented: &[u8]) -> Result<(), StatusWord> {
        let tries = self.image.pins[pin].tries_left;
        let compared = self.image.pins[pin].compare(presented);
        self.dirty |= self.image.pins[pin].tries_left != tries;
        if compared != Err(StatusWord::WRONG_LENGTH) {
            self.set_verified(pin, compared.is_ok());
        }
        compared
    }

    /// VERIFY. Without data it asks for the state and costs no try.
    pub(super) fn verify(&mut self, command: &Command) -> Outcome {
        match command.p1 {
            0x00 => {}
            // The verified state is given up.
            0xFF if command.data.is_empty() => {
                let pin = self.pin_of(command.p2)?;
                self.set_verified(pin, false);
                return Ok(StatusWord::OK);
            }
            _ => return Err(StatusWord::WRONG_P1_P2),
        }
        let pin = self.pin_of(command.p2)?;
        if command.data.is_empty() {
            return Ok(self.image.pins[pin].status(self.is_verified(pin)));
        }
        if !self.image.pins[pin].enabled {
            return Err(StatusWord::REFERENCE_DATA_NOT_USABLE);
        }
        self.present(pin, command.data)?;
        Ok(StatusWord::OK)
    }

    /// CHANGE REFERENCE DATA: P1 = 00 with old and new, 01 with the new one alone by whoever is verified.
    pub(super) fn change_pin(&mut self, command: &Command) -> Outcome {
        let pin = self.pin_of(command.p2)?;
        let new = match command.p1 {
            0x00 => {
                let (old, new) = self.image.pins[pin].split(command.data).ok_or(StatusWord::WRONG_LENGTH)?;
                self.check_new(pin, new)?;
                self.present(pin, old)?;
                new
            }
            0x01 if self.is_verified(pin) => command.data,
            0x01 => return Err(StatusWord::SECURITY_NOT_SATISFIED),
            _ => return Err(StatusWord::WRONG_P1_P2),
        };
        self.image.pins[pin].set(new)?;
        self.dirty = true;
        Ok(StatusWord::OK)
    }

    /// A new value that could not be set must not cost a try of the old one.
    fn check_new(&self, pin: usize, new: &[u8]) -> Result<(), StatusWord> {
        let pin = &self.image.pins[pin];
        let fits = pin.stripped(new).is_some_and(|new| new.len() >= pin.length_min);
        if fits { Ok(()) } else { Err(StatusWord::WRONG_LENGTH) }
    }

    /// RESET RETRY COUNTER: P1 = 00 with the unblocking value and a new one, 01 with the unblocking value, 02 with a new
    /// one and 03 without data by whoever is verified with the unblocking value.
    pub(super) fn reset_retry_counter(&mut self, command: &Command) -> Outcome {
        let pin = self.pin_of(command.p2)?;
        let unblocking = self.image.pins[pin].unblocked_by.ok_or(StatusWord::CONDITIONS_NOT_SATISFIED)?;
        let new = match command.p1 {
            0x00 => {
                let (by, new) = self.image.pins[unblocking].split(command.data).ok_or(StatusWord::WRONG_LENGTH)?;
                self.check_new(pin, new)?;
                self.present(unblocking, by)?;
                new
            }
            0x01 => {
                self.present(unblocking, command.data)?;
                &[]
            }
            0x02 | 0x03 if !self.is_verified(unblocking) => return Err(StatusWord::SECURITY_NOT_SATISFIED),
            0x02 => command.data,
            0x03 if command.data.is_empty() => &[],
            0x03 => return Err(StatusWord::WRONG_LENGTH),
            _ => return Err(StatusWord::WRONG_P1_P2),
        };
        if matches!(command.p1, 0x00 | 0x02) {
            self.image.pins[pin].set(new)?;
        }
        self.image.pins[pin].tries_left = self.image.pins[pin].tries_max;
        self.set_verified(pin, false);
        self.dirty = true;
        Ok(StatusWord::OK)
    }

    /// DISABLE and ENABLE VERIFICATION REQUIREMENT: P1 = 00 with the value, 01 without by whoever is verified.
    pub(super) fn require_verification(&mut self, command: &Command, enabled: bool) -> Outcome {
        let pin = self.pin_of(command.p2)?;
        if !self.image.pins[pin].may_be_disabled {
            return Err(StatusWord::CONDITIONS_NOT_SATISFIED);
        }
        match command.p1 {
            0x00 => self.present(pin, command.data)?,
            0x01 if !command.data.is_empty() => return Err(StatusWord::WRONG_LENGTH),
            0x01 if self.is_verified(pin) => {}
            0x01 => return Err(StatusWord::SECURITY_NOT_SATISFIED),
            _ => return Err(StatusWord::WRONG_P1_P2),
        }
        self.image.pins[pin].enabled = enabled;
        self.dirty = true;
        Ok(StatusWord::OK)
    }
}
