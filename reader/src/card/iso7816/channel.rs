//! Logical channels.
//!
//! Source: ISO/IEC 7816-4, logical channels and MANAGE CHANNEL; the class byte's coding.

use super::files::FileRef;
use super::security::PinSet;
use super::{Iso7816Card, Outcome};
use crate::apdu::{Command, StatusWord};

/// How many channels the class byte can name.
pub(crate) const CHANNELS_MAX: usize = 20;

/// What a channel remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Channel {
    pub(super) df: FileRef,
    pub(super) ef: Option<FileRef>,
    /// The current record; 0 is none.
    pub(super) record: usize,
    /// PINs of DFs that were presented on it.
    pub(super) verified: PinSet,
}

impl Channel {
    /// The state after reset.
    pub(super) const NEW: Channel = Channel { df: FileRef::MF, ef: None, record: 0, verified: 0 };
}

/// Accepts classes of open channels and says what is missing for the others.
///
/// Source: ISO/IEC 7816-4, class byte: 00-1F channels 0 to 3 and 40-7F channels 4 to 19; all others are reserved,
/// proprietary or invalid.
pub(super) fn channel_of(class: u8) -> Result<usize, StatusWord> {
    let (number, secure_messaging) = match class {
        0x00..=0x1F => (class & 0x03, class & 0x0C),
        0x40..=0x7F => ((class & 0x0F) + 4, class & 0x20),
        _ => return Err(StatusWord::UNKNOWN_CLASS),
    };
    if secure_messaging != 0 {
        Err(StatusWord::SECURE_MESSAGING_NOT_SUPPORTED)
    } else if class & 0x10 != 0 {
        Err(StatusWord::CHAINING_NOT_SUPPORTED)
    } else {
        Ok(number.into())
    }
}

impl Iso7816Card {
    /// The channel of the command that runs.
    pub(super) fn channel(&self) -> &Channel {
        // Checked before any command runs.
        self.channels[self.current_channel].as_ref().unwrap_or(&Channel::NEW)
    }

    /// The same, to change.
    pub(super) fn channel_mut(&mut self) -> &mut Channel {
        self.channels[self.current_channel].get_or_insert(Channel::NEW)
    }

    /// MANAGE CHANNEL: P1 = 00 opens the channel in P2, or a free one whose number is the answer; 80 closes.
    pub(super) fn manage_channel(&mut self, command: &Command, response: &mut Vec<u8>) -> Outcome {
        if !command.data.is_empty() {
            return Err(StatusWord::WRONG_LENGTH);
        }
        let number = usize::from(command.p2);
        match command.p1 {
            0x00 if number == 0 => {
                let free = self.channels.iter().position(Option::is_none).ok_or(StatusWord::FUNCTION_NOT_SUPPORTED)?;
                if command.expected.is_none() {
                    return Err(StatusWord::wrong_le(1));
                }
                self.open(free);
                response.push(free as u8);
                Ok(StatusWord::OK)
            }
            0x00 => match self.channels.get(number) {
                Some(None) => {
                    self.open(number);
                    Ok(StatusWord::OK)
                }
                Some(Some(_)) => Err(StatusWord::CONDITIONS_NOT_SATISFIED),
                None => Err(StatusWord::FUNCTION_NOT_SUPPORTED),
            },
            // The channel of the command itself, unless P2 names one.
            0x80 => match if number == 0 { self.current_channel } else { number } {
                0 => Err(StatusWord::WRONG_P1_P2),
                number => match self.channels.get_mut(number).and_then(Option::take) {
                    Some(_) => Ok(StatusWord::OK),
                    None => Err(StatusWord::CHANNEL_NOT_SUPPORTED),
                },
            },
            _ => Err(StatusWord::WRONG_P1_P2),
        }
    }

    /// From the basic channel the new one begins at the MF, from another one with that one's DF.
    fn open(&mut self, number: usize) {
        let df = if self.current_channel == 0 { FileRef::MF } else { self.channel().df };
        self.channels[number] = Some(Channel { df, ..Channel::NEW });
    }
}
