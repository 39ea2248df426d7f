//! What the handler and `vbus serve` say to each other.
//!
//! On the socket a message is a length of four bytes, little-endian like every number here, and so many bytes; in memory that
//! both have it is those bytes alone. The handler asks, and gets one answer to each question, in order.

use std::io::{self, Read};

use thiserror::Error;

/// Changes when the messages do: the two sides may have been built at different times.
pub const VERSION: u32 = 2;

/// What a message has at most after its length: the longest buffer that pcscd hands over, with room for what is in front.
///
/// Source: pcsc-lite, MAX_BUFFER_SIZE_EXTENDED (65548).
pub const MESSAGE_MAX: usize = 65_548 + 16;

/// What a handler's function returns: RESPONSECODE.
///
/// Source: pcsc-lite, ifdhandler.h.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ResponseCode(pub u16);

impl ResponseCode {
    /// IFD_SUCCESS.
    pub const SUCCESS: Self = Self(0);
    /// IFD_ERROR_TAG: no such attribute.
    pub const ERROR_TAG: Self = Self(600);
    /// IFD_ERROR_SET_FAILURE.
    pub const ERROR_SET_FAILURE: Self = Self(601);
    /// IFD_ERROR_VALUE_READ_ONLY.
    pub const ERROR_VALUE_READ_ONLY: Self = Self(602);
    /// IFD_ERROR_PTS_FAILURE.
    pub const ERROR_PTS_FAILURE: Self = Self(605);
    /// IFD_ERROR_NOT_SUPPORTED.
    pub const ERROR_NOT_SUPPORTED: Self = Self(606);
    /// IFD_PROTOCOL_NOT_SUPPORTED.
    pub const PROTOCOL_NOT_SUPPORTED: Self = Self(607);
    /// IFD_ERROR_POWER_ACTION.
    pub const ERROR_POWER_ACTION: Self = Self(608);
    /// IFD_COMMUNICATION_ERROR.
    pub const COMMUNICATION_ERROR: Self = Self(612);
    /// IFD_RESPONSE_TIMEOUT.
    pub const RESPONSE_TIMEOUT: Self = Self(613);
    /// IFD_NOT_SUPPORTED.
    pub const NOT_SUPPORTED: Self = Self(614);
    /// IFD_ICC_PRESENT.
    pub const ICC_PRESENT: Self = Self(615);
    /// IFD_ICC_NOT_PRESENT.
    pub const ICC_NOT_PRESENT: Self = Self(616);
    /// IFD_NO_SUCH_DEVICE.
    pub const NO_SUCH_DEVICE: Self = Self(617);
    /// IFD_ERROR_INSUFFICIENT_BUFFER.
    pub const ERROR_INSUFFICIENT_BUFFER: Self = Self(618);
}

/// A question of the handler.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ask<'a> {
    /// The first one on a connection: which reader all others are about.
    Open {
        /// [`VERSION`] of who asks.
        version: u32,
        /// The reader's number.
        reader: u32,
    },
    /// Whether a card is there.
    Presence,
    /// A cold reset: the answer is the ATR.
    PowerUp,
    /// Power off.
    PowerDown,
    /// A warm reset: the answer is the ATR.
    Reset,
    /// The protocols of which one is to be chosen, as the mask of PC/SC.
    Protocol(u32),
    /// A command APDU, in T=0 or T=1: the answer is the response APDU.
    Transmit {
        /// The T of the protocol; 4 is raw.
        t: u32,
        /// The command.
        command: &'a [u8],
    },
    /// A control code of pcsc-lite, with its data.
    Control {
        /// The code.
        code: u32,
        /// The data.
        data: &'a [u8],
    },
    /// An attribute's value.
    GetAttribute(u32),
    /// Sets an attribute.
    SetAttribute {
        /// Which.
        tag: u32,
        /// Its value.
        value: &'a [u8],
    },
    /// Memory that both sides have, for what is asked from now on: the answer comes with two files, the doorbell's and the
    /// mailbox's.
    Share,
    /// Nothing: whoever waits for messages here is to look into the mailbox. It has no answer.
    Ring,
    /// To be told of cards that come and go, which is all that this connection is for from now on: the answer comes at
    /// once, and then one more for each change, which says whether a card is there.
    Watch,
}

/// Why bytes are no message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum MessageError {
    /// Longer than any message.
    #[error(
        "a message of {length} bytes, and none has more than {MESSAGE_MAX}: does the other side speak another protocol?"
    )]
    TooLong {
        /// The length that it began with.
        length: usize,
    },
    /// Nothing that one side says.
    #[error(
        "a message of {length} bytes that begins with {first:?} means nothing: were both sides built from one version?"
    )]
    Unknown {
        /// Its length.
        length: usize,
        /// Its first byte.
        first: Option<u8>,
    },
}

const OPEN: u8 = 1;
const PRESENCE: u8 = 2;
const POWER_UP: u8 = 3;
const POWER_DOWN: u8 = 4;
const RESET: u8 = 5;
const PROTOCOL: u8 = 6;
const TRANSMIT: u8 = 7;
const CONTROL: u8 = 8;
const GET_ATTRIBUTE: u8 = 9;
const SET_ATTRIBUTE: u8 = 10;
const SHARE: u8 = 11;
const RING: u8 = 12;
const WATCH: u8 = 13;

impl<'a> Ask<'a> {
    /// Puts the message into `out`, which is cleared.
    ///
    /// # Errors
    /// [`MessageError::TooLong`].
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), MessageError> {
        let mut put = |what: u8, words: &[u32], rest: &[u8]| {
            let length = 1 + 4 * words.len() + rest.len();
            if length > MESSAGE_MAX {
                return Err(MessageError::TooLong { length });
            }
            out.clear();
            out.extend((length as u32).to_le_bytes());
            out.push(what);
            out.extend(words.iter().flat_map(|word| word.to_le_bytes()));
            out.extend_from_slice(rest);
            Ok(())
        };
        match *self {
            Ask::Open { version, reader } => put(OPEN, &[version, reader], &[]),
            Ask::Presence => put(PRESENCE, &[], &[]),
            Ask::PowerUp => put(POWER_UP, &[], &[]),
            Ask::PowerDown => put(POWER_DOWN, &[], &[]),
            Ask::Reset => put(RESET, &[], &[]),
            Ask::Protocol(mask) => put(PROTOCOL, &[mask], &[]),
            Ask::Transmit { t, command } => put(TRANSMIT, &[t], command),
            Ask::Control { code, data } => put(CONTROL, &[code], data),
            Ask::GetAttribute(tag) => put(GET_ATTRIBUTE, &[tag], &[]),
            Ask::SetAttribute { tag, value } => put(SET_ATTRIBUTE, &[tag], value),
            Ask::Share => put(SHARE, &[], &[]),
            Ask::Ring => put(RING, &[], &[]),
            Ask::Watch => put(WATCH, &[], &[]),
        }
    }

    /// Reads what [`Ask::encode`] wrote, without its length.
    ///
    /// # Errors
    /// [`MessageError::Unknown`].
    pub fn decode(message: &'a [u8]) -> Result<Ask<'a>, MessageError> {
        let unknown = MessageError::Unknown { length: message.len(), first: message.first().copied() };
        let (&what, rest) = message.split_first().ok_or(unknown)?;
        let word = || rest.split_first_chunk().map(|(word, rest)| (u32::from_le_bytes(*word), rest)).ok_or(unknown);
        let (asked, rest): (Ask<'a>, &[u8]) = match what {
            OPEN => {
                let (version, rest) = word()?;
                let (reader, rest) = rest.split_first_chunk().ok_or(unknown)?;
                (Ask::Open { version, reader: u32::from_le_bytes(*reader) }, rest)
            }
            PRESENCE => (Ask::Presence, rest),
            POWER_UP => (Ask::PowerUp, rest),
            POWER_DOWN => (Ask::PowerDown, rest),
            RESET => (Ask::Reset, rest),
            PROTOCOL => word().map(|(mask, rest)| (Ask::Protocol(mask), rest))?,
            TRANSMIT => word().map(|(t, command)| (Ask::Transmit { t, command }, &[][..]))?,
            CONTROL => word().map(|(code, data)| (Ask::Control { code, data }, &[][..]))?,
            GET_ATTRIBUTE => word().map(|(tag, rest)| (Ask::GetAttribute(tag), rest))?,
            SET_ATTRIBUTE => word().map(|(tag, value)| (Ask::SetAttribute { tag, value }, &[][..]))?,
            SHARE => (Ask::Share, rest),
            RING => (Ask::Ring, rest),
            WATCH => (Ask::Watch, rest),
            _ => return Err(unknown),
        };
        if rest.is_empty() { Ok(asked) } else { Err(unknown) }
    }
}

/// An answer of `vbus serve`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer<'a> {
    /// What the handler's function returns.
    pub code: ResponseCode,
    /// What it gives back.
    pub data: &'a [u8],
}

impl<'a> Answer<'a> {
    /// An answer without data.
    pub const fn of(code: ResponseCode) -> Answer<'static> {
        Answer { code, data: &[] }
    }

    /// Puts the message into `out`, which is cleared.
    ///
    /// # Errors
    /// [`MessageError::TooLong`].
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), MessageError> {
        let length = 2 + self.data.len();
        if length > MESSAGE_MAX {
            return Err(MessageError::TooLong { length });
        }
        out.clear();
        out.extend((length as u32).to_le_bytes());
        out.extend(self.code.0.to_le_bytes());
        out.extend_from_slice(self.data);
        Ok(())
    }

    /// Reads what [`Answer::encode`] wrote, without its length.
    ///
    /// # Errors
    /// [`MessageError::Unknown`].
    pub fn decode(message: &'a [u8]) -> Result<Answer<'a>, MessageError> {
        let unknown = MessageError::Unknown { length: message.len(), first: message.first().copied() };
        let (code, data) = message.split_first_chunk().ok_or(unknown)?;
        Ok(Answer { code: ResponseCode(u16::from_le_bytes(*code)), data })
    }
}

/// What was read and is not yet taken.
#[derive(Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    /// How many of them were taken.
    taken: usize,
    /// How many came.
    filled: usize,
}

impl Inbox {
    /// Reads once what there is. Returns how many bytes came: none at the end of the connection.
    ///
    /// # Errors
    /// What reading says.
    pub fn fill(&mut self, source: &mut impl Read) -> io::Result<usize> {
        if self.taken == self.filled {
            (self.taken, self.filled) = (0, 0);
        } else if self.taken > 0 {
            self.bytes.copy_within(self.taken..self.filled, 0);
            (self.taken, self.filled) = (0, self.filled - self.taken);
        }
        // Most messages are short ones; for a long one the rest is asked for when it is known to be one.
        let wanted = self.length().map_or(512, |length| length.min(MESSAGE_MAX) + 4);
        if self.bytes.len() < wanted.max(self.filled + 1) {
            self.bytes.resize(wanted.max(self.filled + 1), 0);
        }
        let came = source.read(&mut self.bytes[self.filled..])?;
        self.filled += came;
        Ok(came)
    }

    /// The length of the message that begins here, once it is there.
    fn length(&self) -> Option<usize> {
        let (length, _) = self.bytes[self.taken..self.filled].split_first_chunk()?;
        Some(u32::from_le_bytes(*length) as usize)
    }

    /// The next message that is whole, without its length.
    ///
    /// # Errors
    /// [`MessageError::TooLong`].
    pub fn take(&mut self) -> Result<Option<&[u8]>, MessageError> {
        let Some(length) = self.length() else { return Ok(None) };
        if length > MESSAGE_MAX {
            return Err(MessageError::TooLong { length });
        }
        let begin = self.taken + 4;
        if self.filled < begin + length {
            return Ok(None);
        }
        self.taken = begin + length;
        Ok(Some(&self.bytes[begin..begin + length]))
    }
}
