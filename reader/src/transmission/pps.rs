//! PPS: what protocol and rate both sides will use, agreed on right after the ATR.
//!
//! Source: ISO/IEC 7816-3, protocol and parameters selection.

use thiserror::Error;

use crate::atr::{Rate, bit_rate_adjustment, clock_rate_conversion};

/// PPSS, which begins every message. No T=0 class and no T=1 node address has this value.
pub const PPSS: u8 = 0xFF;
/// What stands for F = 372, D = 1.
const FI_DI_DEFAULT: u8 = 0x11;

/// What the reader proposes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    /// T.
    pub protocol: u8,
    /// PPS1: FI and DI; without it the default rate stays.
    pub fi_di: Option<u8>,
}

/// What was agreed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Agreed {
    /// T.
    pub protocol: u8,
    /// FI and DI.
    pub fi_di: u8,
}

/// Why characters are no answer to a request, or no request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum PpsError {
    /// Nothing came.
    #[error("the card did not answer to PPS: reset it, and use its default protocol and rate")]
    Silence,
    /// A message has three characters at least.
    #[error("a PPS message has PPSS, PPS0 and PCK at least, and {len} characters came")]
    Short {
        /// How many came.
        len: usize,
    },
    /// It does not begin with PPSS.
    #[error("a PPS message begins with FF, not {found:02X}")]
    Start {
        /// What it begins with.
        found: u8,
    },
    /// PPS0 announces another length.
    #[error("PPS0 {pps0:02X} announces {announced} characters, and {found} came")]
    Length {
        /// PPS0.
        pps0: u8,
        /// PPSS to PCK.
        announced: usize,
        /// How many came.
        found: usize,
    },
    /// The exclusive-or of the message is not zero.
    #[error("PCK is {found:02X}, and {expected:02X} would make the exclusive-or of PPSS to PCK zero")]
    Check {
        /// PCK.
        found: u8,
        /// What would be right.
        expected: u8,
    },
    /// The card names another protocol.
    #[error("T={asked} was asked for, and the card answers T={answered}")]
    Protocol {
        /// What was asked for.
        asked: u8,
        /// What came.
        answered: u8,
    },
    /// The card answers with a rate that was not asked for. It may only leave the proposal out.
    #[error("PPS1 {answered:02X} is not what was asked for: a card accepts PPS1 as it is or leaves it out")]
    Rate {
        /// What came.
        answered: u8,
    },
    /// The card answers with what was not asked for.
    #[error("PPS0 {pps0:02X} of the answer announces what the request did not have")]
    Unasked {
        /// PPS0 of the answer.
        pps0: u8,
    },
}

/// A message, at most six characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    bytes: [u8; 6],
    len: usize,
}

impl Message {
    /// Its characters.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// A message taken apart. PPS2 and PPS3 are kept only as being there.
struct Parts {
    pps0: u8,
    pps1: Option<u8>,
}

impl Request {
    /// The characters of the request.
    pub fn message(self) -> Message {
        message(self.protocol, self.fi_di)
    }

    /// What the card's answer makes of the request.
    ///
    /// # Errors
    /// [`PpsError`]: the reader resets the card or gives it up.
    pub fn agreed(self, answer: &[u8]) -> Result<Agreed, PpsError> {
        if answer.is_empty() {
            return Err(PpsError::Silence);
        }
        let Parts { pps0, pps1 } = parse(answer)?;
        let answered = pps0 & 0x0F;
        if answered != self.protocol {
            return Err(PpsError::Protocol { asked: self.protocol, answered });
        }
        if pps0 & 0x60 != 0 || (pps1.is_some() && self.fi_di.is_none()) {
            return Err(PpsError::Unasked { pps0 });
        }
        match (pps1, self.fi_di) {
            (Some(answered), asked) if asked != Some(answered) => Err(PpsError::Rate { answered }),
            (pps1, _) => Ok(Agreed { protocol: self.protocol, fi_di: pps1.unwrap_or(FI_DI_DEFAULT) }),
        }
    }
}

/// What a card answers that offers `offered` (TA1) and these protocols: the request as it is, or without a rate that is
/// reserved or faster than the offered one.
///
/// # Errors
/// [`PpsError`] for what is no request, and [`PpsError::Protocol`] for a protocol the card does not offer. The card then
/// stays silent.
pub fn answer(request: &[u8], offered: u8, offers: impl Fn(u8) -> bool) -> Result<(Message, Agreed), PpsError> {
    let Parts { pps0, pps1 } = parse(request)?;
    let protocol = pps0 & 0x0F;
    if !offers(protocol) {
        return Err(PpsError::Protocol { asked: protocol, answered: protocol });
    }
    let accepted = pps1.filter(|&fi_di| is_possible(fi_di, offered));
    let agreed = Agreed { protocol, fi_di: accepted.unwrap_or(FI_DI_DEFAULT) };
    Ok((message(protocol, accepted), agreed))
}

/// Whether a rate is defined and not faster than the offered one.
fn is_possible(fi_di: u8, offered: u8) -> bool {
    let rate = |fi_di| Rate::of(fi_di, 1000).map(Rate::bits_per_second);
    clock_rate_conversion(fi_di >> 4).is_some()
        && bit_rate_adjustment(fi_di).is_some()
        && rate(fi_di) <= rate(offered).max(rate(FI_DI_DEFAULT))
}

fn message(protocol: u8, fi_di: Option<u8>) -> Message {
    let mut bytes = [PPSS, protocol & 0x0F, 0, 0, 0, 0];
    let mut len = 2;
    if let Some(fi_di) = fi_di {
        bytes[1] |= 0x10;
        bytes[2] = fi_di;
        len = 3;
    }
    bytes[len] = bytes[..len].iter().fold(0, |sum, byte| sum ^ byte);
    Message { bytes, len: len + 1 }
}

fn parse(bytes: &[u8]) -> Result<Parts, PpsError> {
    let found = bytes.len();
    let &[ppss, pps0, .., pck] = bytes else { return Err(PpsError::Short { len: found }) };
    if ppss != PPSS {
        return Err(PpsError::Start { found: ppss });
    }
    let announced = 3 + (pps0 & 0x70).count_ones() as usize;
    if announced != found {
        return Err(PpsError::Length { pps0, announced, found });
    }
    let expected = bytes[..found - 1].iter().fold(0, |sum, byte| sum ^ byte);
    if pck != expected {
        return Err(PpsError::Check { found: pck, expected });
    }
    Ok(Parts { pps0, pps1: (pps0 & 0x10 != 0).then(|| bytes[2]) })
}
