//! Why bytes are not an ATR, and why an ATR's values mean nothing.

use thiserror::Error;

use super::ATR_LEN_MAX;

/// Why bytes are not an ATR. Offsets count from TS = 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AtrError {
    /// More than [`ATR_LEN_MAX`] bytes.
    #[error("the ATR has {len} bytes, and at most {ATR_LEN_MAX} are allowed")]
    TooLong {
        /// Bytes given.
        len: usize,
    },
    /// The bytes end before something T0 or a TDi announced.
    #[error(
        "the ATR has {len} bytes but announces {needed} or more: T0 and each TDi say in their high nibble which interface \
         bytes follow, and T0 in its low nibble how many historical bytes do"
    )]
    Truncated {
        /// Bytes given.
        len: usize,
        /// Least number of bytes that would reach what is missing.
        needed: usize,
    },
    /// TS, at offset 0, is neither 3B nor 3F.
    #[error("ATR offset 0: TS is {found:02X}, not 3B (direct convention) or 3F (inverse)")]
    BadTs {
        /// The byte found.
        found: u8,
    },
    /// TD1 names T=15, which may only follow a real protocol.
    #[error("ATR offset {offset}: TD1 {found:02X} names T=15 first, which is no protocol: name one before it")]
    GlobalFirst {
        /// Where TD1 is.
        offset: usize,
        /// TD1.
        found: u8,
    },
    /// A TDi names a lower protocol than the one before it.
    #[error("ATR offset {offset}: T={found} follows T={before}, and protocols are named in ascending order")]
    Order {
        /// Where the TDi is.
        offset: usize,
        /// Its T.
        found: u8,
        /// The T before.
        before: u8,
    },
    /// TCK does not make the exclusive-or of T0 to TCK zero.
    #[error(
        "ATR offset {offset}: TCK is {found:02X}, and {expected:02X} would make the exclusive-or of T0 to TCK zero"
    )]
    BadTck {
        /// Where TCK is.
        offset: usize,
        /// The byte found.
        found: u8,
        /// The byte that would be right.
        expected: u8,
    },
    /// Bytes follow the announced end, for example a TCK after T=0 only.
    #[error(
        "ATR offset {offset}: surplus byte {found:02X} after the announced end (a card with T=0 alone sends no TCK)"
    )]
    Trailing {
        /// Where the first surplus byte is.
        offset: usize,
        /// That byte.
        found: u8,
    },
}

/// Why the interface bytes of a well-formed ATR cannot be worked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ParameterError {
    /// FI of TA1 is reserved.
    #[error("TA1 is {ta1:02X}: FI {fi} is reserved (0 to 6 and 9 to 13 are defined)", fi = ta1 >> 4)]
    ReservedFi {
        /// TA1.
        ta1: u8,
    },
    /// DI of TA1 is reserved.
    #[error("TA1 is {ta1:02X}: DI {di} is reserved (1 to 9 are defined)", di = ta1 & 0x0F)]
    ReservedDi {
        /// TA1.
        ta1: u8,
    },
    /// WI of TC2 is zero.
    #[error("TC2 is 00: a work waiting integer of zero is reserved")]
    ZeroWi,
    /// IFSC is 00 or FF.
    #[error("TA{group} is {found:02X}: an information field size is 1 to 254 bytes")]
    Ifsc {
        /// Which TAi.
        group: u8,
        /// Its value.
        found: u8,
    },
    /// BWI is above 9.
    #[error("TB{group} is {found:02X}: a block waiting integer of {bwi} is reserved (0 to 9 are defined)", bwi = found >> 4)]
    Bwi {
        /// Which TBi.
        group: u8,
        /// Its value.
        found: u8,
    },
}
