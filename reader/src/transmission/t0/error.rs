//! Why a T=0 exchange failed.

use thiserror::Error;

/// Why a command got no status word.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum T0Error {
    /// Fewer bytes than a header.
    #[error("a command of {len} bytes has no header: CLA INS P1 P2 are four")]
    NoHeader {
        /// Bytes given.
        len: usize,
    },
    /// The instruction code cannot be told from a status word.
    #[error("INS {ins:02X} cannot be sent with T=0: a card that acknowledges it would seem to send SW1")]
    Instruction {
        /// INS.
        ins: u8,
    },
    /// The length field does not fit the number of bytes.
    #[error("{len} bytes are no APDU: Lc and Le do not fit the bytes that follow")]
    Length {
        /// Bytes given.
        len: usize,
    },
    /// An extended APDU in TPDU mode.
    #[error(
        "an extended APDU with {len} bytes does not fit a T=0 TPDU, which carries at most 255 bytes: use a reader that maps \
         APDUs, or T=1"
    )]
    Extended {
        /// Bytes given.
        len: usize,
    },
    /// The card was silent for longer than the work waiting time.
    #[error("the card was silent for longer than the work waiting time")]
    Silence,
    /// One character came with a wrong parity more often than it may be repeated.
    #[error("a character came {times} times with a wrong parity")]
    Parity {
        /// How often.
        times: u8,
    },
    /// A procedure byte without meaning.
    #[error("{found:02X} is no procedure byte for INS {ins:02X}: those are 60, {ins:02X}, {single:02X} and SW1", single = ins ^ 0xFF)]
    Procedure {
        /// What came.
        found: u8,
        /// INS of the command.
        ins: u8,
    },
    /// The card acknowledges where nothing is left to transfer.
    #[error("the card acknowledges INS {ins:02X}, and nothing is left to transfer")]
    NothingLeft {
        /// INS of the command.
        ins: u8,
    },
    /// Characters came after SW2, or while the reader has to send.
    #[error("{count} characters came out of turn")]
    OutOfTurn {
        /// How many.
        count: usize,
    },
    /// The card sends 61XX or 6CXX again and again.
    #[error("the card answered {steps} commands in a row with 61XX or 6CXX")]
    Endless {
        /// How many.
        steps: u32,
    },
}
