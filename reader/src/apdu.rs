//! APDUs: decoding commands, naming status words.
//!
//! Source: ISO/IEC 7816-4, command-response pairs.

use std::fmt;

pub use crate::hex::Hex;
use crate::hex::spaced;

/// Ne of a short Le field that is zero.
const NE_SHORT_MAX: u32 = 256;
/// Ne of an extended Le field that is zero.
const NE_EXTENDED_MAX: u32 = 65_536;

/// A decoded command APDU. Data is borrowed from the encoded bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command<'a> {
    /// CLA.
    pub class: u8,
    /// INS.
    pub instruction: u8,
    /// P1.
    pub p1: u8,
    /// P2.
    pub p2: u8,
    /// The command data, Nc bytes. Empty in cases 1 and 2.
    pub data: &'a [u8],
    /// Ne, the most bytes of response data the sender takes: 1 to 65536.
    /// `None` when there is no Le field, in cases 1 and 3.
    pub expected: Option<u32>,
}

impl<'a> Command<'a> {
    /// Decodes cases 1, 2, 3 and 4 with short and with extended lengths.
    ///
    /// A first length byte of zero followed by two or more bytes starts an
    /// extended length field; an Le of zero stands for 256 or 65536.
    ///
    /// # Errors
    /// [`LengthError`] when the number of bytes fits none of the cases.
    pub fn parse(bytes: &'a [u8]) -> Result<Command<'a>, LengthError> {
        let error = LengthError { len: bytes.len() };
        let Some((&[class, instruction, p1, p2], body)) = bytes.split_first_chunk() else {
            return Err(error);
        };
        let (data, expected) = match *body {
            [] => (&[][..], None),
            [le] => (&[][..], Some(short_le(le))),
            [0, high, low] => (&[][..], Some(extended_le(high, low))),
            [0, high, low, ..] => {
                split_extended(usize::from(u16::from_be_bytes([high, low])), &body[3..]).ok_or(error)?
            }
            [lc, ..] => split_short(usize::from(lc), &body[1..]).ok_or(error)?,
        };
        Ok(Command { class, instruction, p1, p2, data, expected })
    }

    /// Whether Ne is 256 or 65536, what an Le of zero stands for: the sender
    /// then takes as much as there is, and getting less is no surprise.
    pub fn expects_all(&self) -> bool {
        matches!(self.expected, Some(NE_SHORT_MAX | NE_EXTENDED_MAX))
    }
}

/// Whether a command with this instruction code has data, as far as the standard says. With T=0 nothing else tells a
/// card whether P3 counts bytes that come or bytes that are wanted.
///
/// Source: ISO/IEC 7816-4, instruction codes and the data fields of the commands.
pub fn takes_data(instruction: u8) -> bool {
    // MANAGE CHANNEL, GET CHALLENGE, READ BINARY, READ RECORD, GET RESPONSE, GET DATA.
    !matches!(instruction, 0x70 | 0x84 | 0xB0 | 0xB2 | 0xC0 | 0xCA)
}

/// Splits what follows a short Lc into data and Le.
fn split_short(nc: usize, rest: &[u8]) -> Option<(&[u8], Option<u32>)> {
    let (data, le) = rest.split_at_checked(nc)?;
    match *le {
        _ if nc == 0 => None,
        [] => Some((data, None)),
        [le] => Some((data, Some(short_le(le)))),
        _ => None,
    }
}

/// Splits what follows an extended Lc into data and Le.
fn split_extended(nc: usize, rest: &[u8]) -> Option<(&[u8], Option<u32>)> {
    let (data, le) = rest.split_at_checked(nc)?;
    match *le {
        _ if nc == 0 => None,
        [] => Some((data, None)),
        [high, low] => Some((data, Some(extended_le(high, low)))),
        _ => None,
    }
}

fn short_le(le: u8) -> u32 {
    if le == 0 { NE_SHORT_MAX } else { u32::from(le) }
}

fn extended_le(high: u8, low: u8) -> u32 {
    let le = u16::from_be_bytes([high, low]);
    if le == 0 { NE_EXTENDED_MAX } else { u32::from(le) }
}

/// A number of bytes that no command APDU case has, given its length fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LengthError {
    /// Bytes given.
    pub len: usize,
}

impl fmt::Display for LengthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes do not fit the length fields of a command APDU", self.len)
    }
}

impl std::error::Error for LengthError {}

/// A command that displays as upper-case hexadecimal, without what it may say of a PIN: everything after the header and Lc
/// of VERIFY, of the commands that change, unblock, enable and disable reference data, and of ENVELOPE, which wraps any.
///
/// Source: ISO/IEC 7816-4, security handling commands: INS 20 to 2D, even ones and their odd BER-TLV forms; ENVELOPE.
#[derive(Clone, Copy, Debug)]
pub struct Masked<'a>(pub &'a [u8]);

impl fmt::Display for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((header, rest)) = self.0.split_first_chunk::<4>() else { return spaced(f, self.0) };
        let secret = matches!(header[1], 0x20 | 0x21 | 0x24..=0x29 | 0x2C | 0x2D | 0xC2 | 0xC3);
        if !secret {
            return spaced(f, self.0);
        }
        // Lc is no secret where it is one; of what is no APDU nothing more is known.
        let lengths = match (Command::parse(self.0), rest) {
            (Ok(command), _) if command.data.is_empty() => rest.len(),
            (Ok(_), [0, _, _, ..]) => 3,
            (Ok(_), _) => 1,
            (Err(_), _) => 0,
        };
        spaced(f, header)?;
        for byte in &rest[..lengths] {
            write!(f, " {byte:02X}")?;
        }
        rest[lengths..].iter().try_for_each(|_| write!(f, " **"))
    }
}

/// What a card answers to such bytes: 6700.
impl From<LengthError> for StatusWord {
    fn from(_: LengthError) -> StatusWord {
        StatusWord::WRONG_LENGTH
    }
}

/// SW1 SW2, the trailer of every response APDU; SW1 is the high byte.
///
/// Source: ISO/IEC 7816-4, status bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusWord(pub u16);

impl StatusWord {
    /// 9000: done.
    pub const OK: Self = Self(0x9000);
    /// 6282: the file ended before Ne bytes were read; the data is valid.
    pub const END_OF_FILE: Self = Self(0x6282);
    /// 6581: what was to be kept could not be written.
    pub const MEMORY_FAILURE: Self = Self(0x6581);
    /// 6700: wrong length.
    pub const WRONG_LENGTH: Self = Self(0x6700);
    /// 6881: no such logical channel.
    pub const CHANNEL_NOT_SUPPORTED: Self = Self(0x6881);
    /// 6882: no secure messaging.
    pub const SECURE_MESSAGING_NOT_SUPPORTED: Self = Self(0x6882);
    /// 6884: no command chaining.
    pub const CHAINING_NOT_SUPPORTED: Self = Self(0x6884);
    /// 6981: the command does not suit the structure of the file.
    pub const WRONG_STRUCTURE: Self = Self(0x6981);
    /// 6982: the security status does not allow it.
    pub const SECURITY_NOT_SATISFIED: Self = Self(0x6982);
    /// 6983: the authentication method is blocked.
    pub const AUTHENTICATION_BLOCKED: Self = Self(0x6983);
    /// 6984: the reference data cannot be used.
    pub const REFERENCE_DATA_NOT_USABLE: Self = Self(0x6984);
    /// 6985: the conditions of use are not met.
    pub const CONDITIONS_NOT_SATISFIED: Self = Self(0x6985);
    /// 6986: the command needs a current EF and there is none.
    pub const NO_CURRENT_EF: Self = Self(0x6986);
    /// 6A80: wrong data.
    pub const WRONG_DATA: Self = Self(0x6A80);
    /// 6A81: function not supported.
    pub const FUNCTION_NOT_SUPPORTED: Self = Self(0x6A81);
    /// 6A82: file or application not found.
    pub const NOT_FOUND: Self = Self(0x6A82);
    /// 6A83: record not found.
    pub const RECORD_NOT_FOUND: Self = Self(0x6A83);
    /// 6A84: not enough space in the file.
    pub const NOT_ENOUGH_SPACE: Self = Self(0x6A84);
    /// 6A86: wrong P1 or P2.
    pub const WRONG_P1_P2: Self = Self(0x6A86);
    /// 6A88: the data referred to does not exist.
    pub const REFERENCE_NOT_FOUND: Self = Self(0x6A88);
    /// 6B00: the offset lies outside the EF.
    pub const WRONG_OFFSET: Self = Self(0x6B00);
    /// 6D00: unknown instruction.
    pub const UNKNOWN_INSTRUCTION: Self = Self(0x6D00);
    /// 6E00: unknown class.
    pub const UNKNOWN_CLASS: Self = Self(0x6E00);

    /// 61xx: `available` bytes wait for GET RESPONSE; 00 stands for 256 or
    /// more.
    pub fn more_data(available: usize) -> Self {
        Self(0x6100 | count_byte(available))
    }

    /// 63Cx: verification failed or is still due, `tries_left` tries remain;
    /// 15 stands for 15 or more.
    pub fn tries_left(tries_left: u8) -> Self {
        Self(0x63C0 | u16::from(tries_left.min(15)))
    }

    /// 6Cxx: wrong Le, `available` would be right; 00 stands for 256 or more.
    pub fn wrong_le(available: usize) -> Self {
        Self(0x6C00 | count_byte(available))
    }

    /// SW1 and SW2 in the order they are sent.
    pub fn to_bytes(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }
}

/// A count as SW2 carries it.
fn count_byte(count: usize) -> u16 {
    u8::try_from(count).unwrap_or(0).into()
}

/// Four upper-case hexadecimal digits.
impl fmt::Display for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.0)
    }
}

impl fmt::Debug for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StatusWord({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header, then `body`.
    fn apdu(body: &[u8]) -> Vec<u8> {
        [&[0x00, 0xA4, 0x01, 0x02], body].concat()
    }

    #[test]
    fn every_case_decodes_to_its_data_and_ne() {
        let long_extended = [&[0, 0x01, 0x00][..], &[7; 256]].concat();
        let rows: [(&str, &[u8], usize, Option<u32>); 13] = [
            ("1", &[], 0, None),
            ("2S", &[0x05], 0, Some(5)),
            ("2S, Le 00", &[0x00], 0, Some(256)),
            ("3S", &[2, 7, 7], 2, None),
            ("3S, data of one zero", &[1, 0], 1, None),
            ("4S", &[2, 7, 7, 9], 2, Some(9)),
            ("4S, Le 00", &[2, 7, 7, 0], 2, Some(256)),
            ("2E", &[0, 0x01, 0x02], 0, Some(258)),
            ("2E, Le 0000", &[0, 0, 0], 0, Some(65_536)),
            ("3E", &[0, 0, 1, 7], 1, None),
            ("3E, beyond a short Lc", &long_extended, 256, None),
            ("4E", &[0, 0, 2, 7, 7, 1, 0], 2, Some(256)),
            ("4E, Le 0000", &[0, 0, 1, 7, 0, 0], 1, Some(65_536)),
        ];
        for (case, body, nc, expected) in rows {
            let bytes = apdu(body);
            let command = Command::parse(&bytes).expect(case);
            assert_eq!((command.class, command.instruction, command.p1, command.p2), (0x00, 0xA4, 0x01, 0x02));
            assert_eq!((command.data.len(), command.expected), (nc, expected), "case {case}");
        }
    }

    #[test]
    fn lengths_that_fit_no_case_are_answered_with_6700() {
        let bodies: [&[u8]; 9] = [
            &[0, 1],                // half an extended length field
            &[3, 7, 7],             // Lc larger than what follows
            &[1, 7, 7, 7],          // two bytes of Le after a short Lc
            &[0, 0, 0, 7],          // extended Lc of zero
            &[0, 0, 0, 0, 0],       // extended Lc of zero, then Le
            &[0, 0, 2, 7],          // extended Lc larger than what follows
            &[0, 0, 1, 7, 7],       // one byte of Le after an extended Lc
            &[0, 0, 1, 7, 7, 7, 7], // three of them
            &[0xFF, 0, 0, 1],
        ];
        for bytes in bodies.map(apdu).iter().map(Vec::as_slice).chain([&[][..], &[0], &[0, 0xA4, 0]]) {
            let error = Command::parse(bytes).expect_err("no case");
            assert_eq!(error.len, bytes.len());
            assert_eq!(StatusWord::from(error).to_bytes(), [0x67, 0x00]);
        }
    }

    #[test]
    fn counts_beyond_a_byte_are_sent_as_00_and_tries_stop_at_15() {
        let words = [StatusWord::more_data(255), StatusWord::more_data(256), StatusWord::wrong_le(1)];
        assert_eq!(words.map(|sw| sw.0), [0x61FF, 0x6100, 0x6C01]);
        assert_eq!([2, 15, 16].map(|n| StatusWord::tries_left(n).0), [0x63C2, 0x63CF, 0x63CF]);
        assert_eq!(StatusWord::OK.to_string(), "9000");
    }

    #[test]
    fn a_masked_command_shows_everything_but_what_it_may_say_of_a_pin() {
        for (command, shown) in [
            (&[0x00, 0xB0, 0x81, 0x00, 0x05][..], "00 B0 81 00 05"),
            (&[0x00, 0x20, 0x00, 0x01, 0x02, 0x31, 0x32], "00 20 00 01 02 ** **"),
            (&[0x80, 0x20, 0x00, 0x01, 0x02, 0x31, 0x32], "80 20 00 01 02 ** **"),
            (&[0x00, 0x24, 0x00, 0x01, 0x02, 0x31, 0x32, 0x00], "00 24 00 01 02 ** ** **"),
            (&[0x00, 0x2C, 0x00, 0x01, 0x00, 0x00, 0x02, 0x31, 0x32], "00 2C 00 01 00 00 02 ** **"),
            (&[0x00, 0xC2, 0x00, 0x00, 0x02, 0x31, 0x32], "00 C2 00 00 02 ** **"),
            // Asking whether a PIN is needed says nothing of it.
            (&[0x00, 0x20, 0x00, 0x01], "00 20 00 01"),
            // A wrong Lc might be part of anything.
            (&[0x00, 0x20, 0x00, 0x01, 0x09, 0x31, 0x32], "00 20 00 01 ** ** **"),
            (&[0x00, 0x20], "00 20"),
            (&[], ""),
        ] {
            assert_eq!(Masked(command).to_string(), shown);
        }
    }
}
