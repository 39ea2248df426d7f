//! Answer-to-Reset: the 2 to 33 bytes a card sends after every reset.
//!
//! Layout: TS, T0, then the interface bytes TA1 TB1 TC1 TD1, TA2 and so on,
//! the historical bytes, and the check byte TCK. T0 and every TDi announce in
//! their high nibble which four interface bytes follow; the low nibble of T0
//! counts the historical bytes, that of a TDi names a protocol T.
//!
//! [`Atr::parse`] proves all of this once, so the accessors cannot fail.
//! Tests: `card/tests/atr.rs`.
//!
//! Source: ISO/IEC 7816-3, Answer-to-Reset.

use std::fmt;

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
    interface: Interface,
}

impl Atr {
    /// Checks `bytes` and keeps a copy.
    ///
    /// Reserved values of single interface bytes are accepted: whether a
    /// reader can work with them is the reader's business, not the format's.
    /// For the same reason a TA2 naming a protocol no TDi offers is accepted.
    ///
    /// # Errors
    /// [`AtrError`] names the first offending byte; surplus bytes after the
    /// announced end count as an error too.
    pub fn parse(bytes: &[u8]) -> Result<Atr, AtrError> {
        let len = bytes.len();
        if len > ATR_LEN_MAX {
            return Err(AtrError::TooLong { len });
        }
        let (ts, t0) = (byte_at(bytes, 0)?, byte_at(bytes, 1)?);
        if ts != TS_DIRECT && ts != TS_INVERSE {
            return Err(AtrError::BadTs { found: ts });
        }
        let interface = Interface::parse(bytes, t0)?;
        let check_at = interface.len_before_history() + usize::from(t0 & 0x0F);
        let needed = check_at + usize::from(interface.has_check_byte());
        if len < needed {
            return Err(AtrError::Truncated { len, needed });
        }
        if let Some(&found) = bytes.get(needed) {
            let offset = needed;
            return Err(AtrError::Trailing { offset, found });
        }
        if interface.has_check_byte() {
            let (expected, found) = (xor(&bytes[1..check_at]), bytes[check_at]);
            if found != expected {
                let offset = check_at;
                return Err(AtrError::BadTck { offset, found, expected });
            }
        }
        let mut copy = [0; ATR_LEN_MAX];
        copy[..len].copy_from_slice(bytes);
        Ok(Atr { bytes: copy, len: len as u8, interface })
    }

    /// The whole ATR, TS first.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The historical bytes, 0 to 15 of them, without TCK.
    pub fn historical_bytes(&self) -> &[u8] {
        let start = self.interface.len_before_history();
        &self.bytes[start..start + usize::from(self.bytes[1] & 0x0F)]
    }

    /// The protocols T the card offers, ascending. Never empty, and never
    /// contains 15, which is not a protocol.
    ///
    /// Source: ISO/IEC 7816-3: without TD1 a card offers T=0 only.
    pub fn protocols(&self) -> impl Iterator<Item = u8> + use<> {
        let offered = self.interface.offered;
        (0..T_GLOBAL).filter(move |t| offered & (1 << t) != 0)
    }

    /// The protocol T in force when no PPS exchange follows.
    ///
    /// Source: ISO/IEC 7816-3: TA2 names it; else the first TDi; else 0.
    pub fn default_protocol(&self) -> u8 {
        let first = self.interface.first;
        self.interface.ta2.map_or(first, |ta2| ta2 & 0x0F)
    }

    /// TA1: FI in the high and DI in the low nibble. Absent means 0x11.
    pub fn ta1(&self) -> Option<u8> {
        self.interface.ta1
    }

    /// Whether the card starts in negotiable mode, where PPS is allowed.
    ///
    /// Source: ISO/IEC 7816-3: TA2 absent = negotiable, present = specific.
    pub fn is_negotiable(&self) -> bool {
        self.interface.ta2.is_none()
    }
}

/// Upper-case hexadecimal, bytes separated by blanks.
impl fmt::Display for Atr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (offset, byte) in self.as_bytes().iter().enumerate() {
            let gap = if offset == 0 { "" } else { " " };
            write!(f, "{gap}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Atr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Atr({self})")
    }
}

/// What the interface bytes said.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Interface {
    ta1: Option<u8>,
    ta2: Option<u8>,
    /// Bit t is set when a TDi names T=t, bit 15 (global bytes) included.
    offered: u16,
    /// T of TD1, or 0.
    first: u8,
    /// Number of bytes from TS to the last interface byte.
    len: u8,
}

impl Interface {
    fn parse(bytes: &[u8], t0: u8) -> Result<Interface, AtrError> {
        let (mut ta1, mut ta2, mut first, mut offered) = (None, None, None, 0u16);
        let (mut present, mut at) = (t0 >> 4, 2);
        // Ends: a further round needs a TDi, so each one consumes a byte.
        for group in 1usize.. {
            if present & 0x1 != 0 {
                let ta = Some(byte_at(bytes, at)?);
                match group {
                    1 => ta1 = ta,
                    2 => ta2 = ta,
                    _ => {}
                }
            }
            // TAi, TBi and TCi are contiguous, whichever of them are there.
            at += (present & 0x7).count_ones() as usize;
            if present & 0x8 == 0 {
                break;
            }
            let td = byte_at(bytes, at)?;
            let t = td & 0x0F;
            if group == 1 && t == T_GLOBAL {
                return Err(AtrError::GlobalFirst { offset: at, found: td });
            }
            first = first.or(Some(t));
            offered |= 1 << t;
            present = td >> 4;
            at += 1;
        }
        if at > bytes.len() {
            return Err(AtrError::Truncated { len: bytes.len(), needed: at });
        }
        let (first, offered) = first.map_or((0, 1), |t| (t, offered));
        Ok(Interface { ta1, ta2, offered, first, len: at as u8 })
    }

    /// Source: ISO/IEC 7816-3: TCK is absent exactly when only T=0 is named.
    fn has_check_byte(&self) -> bool {
        self.offered != 1
    }

    fn len_before_history(&self) -> usize {
        usize::from(self.len)
    }
}

fn byte_at(bytes: &[u8], offset: usize) -> Result<u8, AtrError> {
    let (len, needed) = (bytes.len(), offset + 1);
    bytes.get(offset).copied().ok_or(AtrError::Truncated { len, needed })
}

fn xor(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum ^ byte)
}

/// Why bytes are not an ATR. Offsets count from TS = 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtrError {
    /// More than [`ATR_LEN_MAX`] bytes.
    TooLong {
        /// Bytes given.
        len: usize,
    },
    /// The bytes end before something T0 or a TDi announced.
    Truncated {
        /// Bytes given.
        len: usize,
        /// Least number of bytes that would reach what is missing.
        needed: usize,
    },
    /// TS, at offset 0, is neither 3B nor 3F.
    BadTs {
        /// The byte found.
        found: u8,
    },
    /// TD1 names T=15, which may only follow a real protocol.
    GlobalFirst {
        /// Where TD1 is.
        offset: usize,
        /// TD1.
        found: u8,
    },
    /// TCK does not make the exclusive-or of T0 to TCK zero.
    BadTck {
        /// Where TCK is.
        offset: usize,
        /// The byte found.
        found: u8,
        /// The byte that would be right.
        expected: u8,
    },
    /// Bytes follow the announced end, for example a TCK after T=0 only.
    Trailing {
        /// Where the first surplus byte is.
        offset: usize,
        /// That byte.
        found: u8,
    },
}

impl fmt::Display for AtrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooLong { len } => {
                write!(f, "ATR has {len} bytes, at most {ATR_LEN_MAX} are allowed")
            }
            Self::Truncated { len, needed } => {
                write!(f, "ATR has {len} bytes but announces {needed} or more")
            }
            Self::BadTs { found } => write!(f, "ATR offset 0: TS is {found:02X}, not 3B or 3F"),
            Self::GlobalFirst { offset, found } => {
                write!(f, "ATR offset {offset}: TD1 {found:02X} names T=15 first")
            }
            Self::BadTck { offset, found, expected } => {
                write!(f, "ATR offset {offset}: TCK is {found:02X}, not {expected:02X}")
            }
            Self::Trailing { offset, found } => {
                write!(f, "ATR offset {offset}: surplus byte {found:02X}")
            }
        }
    }
}

impl std::error::Error for AtrError {}

/// The ingredients of an ATR with the direct convention, in negotiable mode.
#[derive(Debug, Clone, Copy, Default)]
pub struct AtrParts<'a> {
    /// TA1: FI and DI offered for PPS.
    pub ta1: Option<u8>,
    /// Protocols T offered, strictly ascending, each 0 to 14. Empty = T=0.
    pub protocols: &'a [u8],
    /// At most [`HISTORICAL_LEN_MAX`] bytes.
    pub historical: &'a [u8],
}

impl AtrParts<'_> {
    /// Puts the ATR together; counts and TCK are computed.
    ///
    /// # Errors
    /// [`BuildError`] when a part breaks the limits named at its field.
    pub fn build(self) -> Result<Atr, BuildError> {
        let (historical, len) = (self.historical, self.historical.len());
        if len > HISTORICAL_LEN_MAX {
            return Err(BuildError::Historical { len });
        }
        for (index, &found) in self.protocols.iter().enumerate() {
            if found >= T_GLOBAL || (index > 0 && self.protocols[index - 1] >= found) {
                return Err(BuildError::Protocol { index, found });
            }
        }
        // T=0 alone goes without saying.
        let tds = if self.protocols == [0] { &[] } else { self.protocols };
        let ta1 = if self.ta1.is_some() { 0x10 } else { 0 };
        let td_follows = |index: usize| if index < tds.len() { 0x80 } else { 0 };
        let mut bytes = vec![TS_DIRECT, td_follows(0) | ta1 | len as u8];
        bytes.extend(self.ta1);
        bytes.extend(tds.iter().enumerate().map(|(index, t)| td_follows(index + 1) | t));
        bytes.extend(historical);
        if !tds.is_empty() {
            bytes.push(xor(&bytes[1..]));
        }
        Atr::parse(&bytes).map_err(BuildError::Malformed)
    }
}

/// Why parts do not make an ATR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildError {
    /// More than [`HISTORICAL_LEN_MAX`] historical bytes.
    Historical {
        /// Bytes given.
        len: usize,
    },
    /// A protocol above 14, or not above the one before it.
    Protocol {
        /// Its place in the list.
        index: usize,
        /// The T given.
        found: u8,
    },
    /// All parts are fine but do not fit together, which means too long.
    Malformed(AtrError),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Historical { len } => write!(f, "{len} historical bytes, at most {HISTORICAL_LEN_MAX} are allowed"),
            Self::Protocol { index, found } => write!(f, "protocol {index} in the list, T={found}, is out of order"),
            Self::Malformed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BuildError {}
