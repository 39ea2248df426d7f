//! Answer-to-Reset: the 2 to 33 bytes a card sends after every reset.
//!
//! Layout: TS, T0, then the interface bytes TA1 TB1 TC1 TD1, TA2 and so on, the historical bytes, and the check byte TCK.
//! T0 and every TDi announce in their high nibble which four interface bytes follow; the low nibble of T0 counts the
//! historical bytes, that of a TDi names a protocol T.
//!
//! [`Atr::parse`] proves all of this once, so the accessors cannot fail; [`Atr::parameters`] proves that the values mean
//! something and gives them their units.
//!
//! Source: ISO/IEC 7816-3, Answer-to-Reset.

mod build;
mod describe;
mod error;
mod parameters;
mod timing;

use std::fmt;

pub use build::{AtrParts, BuildError};
pub use error::{AtrError, ParameterError};
pub use parameters::{ClockStop, Convention, Mode, Parameters, SpecificMode};
pub use timing::{CLOCK_DEFAULT_KHZ, F_DEFAULT, Rate, Timing, bit_rate_adjustment, clock_rate_conversion};

/// Most bytes an ATR can have, TS and TCK included.
///
/// Source: ISO/IEC 7816-3, Answer-to-Reset (32 bytes after TS).
pub const ATR_LEN_MAX: usize = 33;
/// Most historical bytes an ATR can have: T0 counts them in four bits.
pub const HISTORICAL_LEN_MAX: usize = 15;

/// TS of a card that sends low bit first and high level as one.
const TS_DIRECT: u8 = 0x3B;
/// TS of a card with the inverse convention, as reported after decoding.
const TS_INVERSE: u8 = 0x3F;
/// T=15 is no protocol: it introduces interface bytes valid for all of them.
const T_GLOBAL: u8 = 15;

/// A well-formed ATR, stored inline.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Atr {
    bytes: [u8; ATR_LEN_MAX],
    len: u8,
    /// Where the historical bytes begin.
    history_at: u8,
    /// Bit t is set when a TDi names T=t, bit 15 (global bytes) included.
    offered: u16,
    /// T of TD1, or 0.
    first: u8,
}

/// One interface byte: TA3 is `{ group: 3, letter: 'A', .. }`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InterfaceByte {
    /// The index i of TAi to TDi.
    pub group: u8,
    /// 'A' to 'D'.
    pub letter: char,
    /// Its value.
    pub value: u8,
    /// T of the TD that announced the group; 0 for the first.
    pub protocol: u8,
    /// Where in the ATR it is, from TS = 0.
    pub offset: u8,
}

impl Atr {
    /// Checks `bytes` and keeps a copy.
    ///
    /// What single interface bytes say is not looked at: see [`Atr::parameters`].
    ///
    /// # Errors
    /// [`AtrError`] names the first offending byte; surplus bytes after the announced end count as an error too.
    pub fn parse(bytes: &[u8]) -> Result<Atr, AtrError> {
        let len = bytes.len();
        if len > ATR_LEN_MAX {
            return Err(AtrError::TooLong { len });
        }
        let (ts, t0) = (byte_at(bytes, 0)?, byte_at(bytes, 1)?);
        if ts != TS_DIRECT && ts != TS_INVERSE {
            return Err(AtrError::BadTs { found: ts });
        }
        let mut walk = Walk::new(bytes);
        let (mut first, mut offered, mut previous) = (None, 0u16, None);
        while let Some(byte) = walk.next_checked()? {
            if byte.letter != 'D' {
                continue;
            }
            let (t, offset) = (byte.value & 0x0F, usize::from(byte.offset));
            if byte.group == 1 && t == T_GLOBAL {
                return Err(AtrError::GlobalFirst { offset, found: byte.value });
            }
            if let Some(before) = previous.filter(|&before| t < before) {
                return Err(AtrError::Order { offset, found: t, before });
            }
            first = first.or(Some(t));
            previous = Some(t);
            offered |= 1 << t;
        }
        let (first, offered) = first.map_or((0, 1), |t| (t, offered));
        let history_at = walk.at;
        let check_at = history_at + usize::from(t0 & 0x0F);
        let has_check_byte = offered != 1;
        let needed = check_at + usize::from(has_check_byte);
        if len < needed {
            return Err(AtrError::Truncated { len, needed });
        }
        if let Some(&found) = bytes.get(needed) {
            return Err(AtrError::Trailing { offset: needed, found });
        }
        if has_check_byte {
            let (expected, found) = (xor(&bytes[1..check_at]), bytes[check_at]);
            if found != expected {
                return Err(AtrError::BadTck { offset: check_at, found, expected });
            }
        }
        let mut copy = [0; ATR_LEN_MAX];
        copy[..len].copy_from_slice(bytes);
        Ok(Atr { bytes: copy, len: len as u8, history_at: history_at as u8, offered, first })
    }

    /// The whole ATR, TS first.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The historical bytes, 0 to 15 of them, without TCK.
    pub fn historical_bytes(&self) -> &[u8] {
        let start = usize::from(self.history_at);
        &self.bytes[start..start + usize::from(self.bytes[1] & 0x0F)]
    }

    /// Every interface byte, in the order sent.
    pub fn interface_bytes(&self) -> impl Iterator<Item = InterfaceByte> + '_ {
        Walk::new(self.as_bytes())
    }

    /// One interface byte by its name: `interface_byte(2, 'A')` is TA2.
    pub fn interface_byte(&self, group: u8, letter: char) -> Option<u8> {
        self.interface_bytes().find(|byte| (byte.group, byte.letter) == (group, letter)).map(|byte| byte.value)
    }

    /// The protocols T the card offers, ascending. Never empty, and never contains 15, which is not a protocol.
    ///
    /// Source: ISO/IEC 7816-3: without TD1 a card offers T=0 only.
    pub fn protocols(&self) -> impl Iterator<Item = u8> + use<> {
        let offered = self.offered;
        (0..T_GLOBAL).filter(move |t| offered & (1 << t) != 0)
    }

    /// Whether the card offers T=`t`.
    pub fn offers(&self, t: u8) -> bool {
        t < T_GLOBAL && self.offered & (1 << t) != 0
    }

    /// The protocol T in force when no PPS exchange follows.
    ///
    /// Source: ISO/IEC 7816-3: TA2 names it; else the first TDi; else 0.
    pub fn default_protocol(&self) -> u8 {
        self.interface_byte(2, 'A').map_or(self.first, |ta2| ta2 & 0x0F)
    }

    /// Whether the card starts in negotiable mode, where PPS is allowed.
    ///
    /// Source: ISO/IEC 7816-3: TA2 absent = negotiable, present = specific.
    pub fn is_negotiable(&self) -> bool {
        self.interface_byte(2, 'A').is_none()
    }

    /// TCK, where there is one.
    ///
    /// Source: ISO/IEC 7816-3: TCK is absent exactly when only T=0 is named.
    pub fn check_byte(&self) -> Option<u8> {
        (self.offered != 1).then(|| self.bytes[usize::from(self.len) - 1])
    }
}

/// Upper-case hexadecimal, bytes separated by blanks.
impl fmt::Display for Atr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::hex::spaced(f, self.as_bytes())
    }
}

impl fmt::Debug for Atr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Atr({self})")
    }
}

/// Goes over the interface bytes.
struct Walk<'a> {
    bytes: &'a [u8],
    /// The next byte's place; in the end that of the first historical byte.
    at: usize,
    group: u8,
    protocol: u8,
    /// Which letters of the group are still to come, A in bit 0.
    present: u8,
}

impl<'a> Walk<'a> {
    fn new(bytes: &'a [u8]) -> Walk<'a> {
        Walk { bytes, at: 2, group: 1, protocol: 0, present: bytes.get(1).map_or(0, |t0| t0 >> 4) }
    }

    /// The next interface byte, or the end. Ends: every step consumes a byte.
    fn next_checked(&mut self) -> Result<Option<InterfaceByte>, AtrError> {
        if self.present == 0 {
            return Ok(None);
        }
        let letter = self.present.trailing_zeros() as u8;
        let value = byte_at(self.bytes, self.at)?;
        let offset = self.at as u8;
        let byte = InterfaceByte {
            group: self.group,
            letter: (b'A' + letter) as char,
            value,
            protocol: self.protocol,
            offset,
        };
        self.present &= self.present - 1;
        self.at += 1;
        if byte.letter == 'D' {
            self.group += 1;
            self.protocol = value & 0x0F;
            self.present = value >> 4;
        }
        Ok(Some(byte))
    }
}

impl Iterator for Walk<'_> {
    type Item = InterfaceByte;

    fn next(&mut self) -> Option<InterfaceByte> {
        self.next_checked().ok().flatten()
    }
}

fn byte_at(bytes: &[u8], offset: usize) -> Result<u8, AtrError> {
    let (len, needed) = (bytes.len(), offset + 1);
    bytes.get(offset).copied().ok_or(AtrError::Truncated { len, needed })
}

fn xor(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum ^ byte)
}
