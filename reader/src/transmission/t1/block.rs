//! One T=1 block: prologue, information field, epilogue.

use std::fmt;

use thiserror::Error;

use crate::transmission::Edc;

/// NAD, PCB and LEN.
const PROLOGUE: usize = 3;
/// The largest LEN. FF is reserved.
pub const LEN_MAX: usize = 254;

/// A block, its information field borrowed from where it was received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block<'a> {
    /// The node address.
    pub nad: u8,
    /// What PCB says.
    pub kind: Kind,
    /// The information field.
    pub information: &'a [u8],
}

/// The kind of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// An I-block carries information.
    Information {
        /// N(S), 0 or 1.
        sequence: u8,
        /// M: more follows.
        more: bool,
    },
    /// An R-block acknowledges, or asks for a repetition.
    Receive {
        /// N(R): the number of the I-block that is expected next.
        sequence: u8,
        /// What was wrong.
        receipt: Receipt,
    },
    /// An S-block that asks for something.
    Request(Supervisory),
    /// An S-block that grants it.
    Response(Supervisory),
}

/// What an R-block says of the block it answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Receipt {
    /// Nothing was wrong.
    Ok = 0,
    /// The epilogue or a parity was.
    Redundancy = 1,
    /// Something else was.
    Other = 2,
}

/// What an S-block is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Supervisory {
    /// Both sides begin anew.
    Resynch = 0,
    /// A new information field size.
    Ifs = 1,
    /// A chain is given up.
    Abort = 2,
    /// The card needs more time.
    Wtx = 3,
}

/// Why characters are no block.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum BlockError {
    /// Fewer characters than the smallest block has.
    #[error("{len} characters are no T=1 block: NAD, PCB, LEN and the epilogue are {least}")]
    Short {
        /// How many came.
        len: usize,
        /// How many a block has at least.
        least: usize,
    },
    /// LEN and the number of characters do not fit together.
    #[error("LEN announces a block of {announced} characters, and {found} came")]
    Length {
        /// What LEN says, prologue and epilogue included.
        announced: usize,
        /// How many came.
        found: usize,
    },
    /// LEN is FF.
    #[error("LEN is FF, which is reserved: an information field has at most {LEN_MAX} bytes")]
    ReservedLength,
    /// The epilogue does not hold.
    #[error("the {edc:?} of the block does not hold")]
    Epilogue {
        /// Which code it was checked with.
        edc: Edc,
    },
    /// PCB has a value without meaning.
    #[error("PCB {pcb:02X} is reserved")]
    ReservedPcb {
        /// PCB.
        pcb: u8,
    },
    /// The information field does not suit the kind of block.
    #[error("a block with PCB {pcb:02X} does not have {len} bytes of information")]
    Information {
        /// PCB.
        pcb: u8,
        /// LEN.
        len: usize,
    },
    /// The information field of an S-block has a value without meaning.
    #[error("{value:02X} in the information field of a block with PCB {pcb:02X} is reserved")]
    Value {
        /// PCB.
        pcb: u8,
        /// The byte.
        value: u8,
    },
}

impl BlockError {
    /// What an R-block says of it.
    pub(super) fn receipt(self) -> Receipt {
        match self {
            BlockError::Epilogue { .. } => Receipt::Redundancy,
            _ => Receipt::Other,
        }
    }
}

impl<'a> Block<'a> {
    /// Reads a block.
    ///
    /// # Errors
    /// [`BlockError`].
    pub fn parse(bytes: &'a [u8], edc: Edc) -> Result<Block<'a>, BlockError> {
        let (found, least) = (bytes.len(), PROLOGUE + edc.size());
        let &[nad, pcb, len, ..] = bytes else { return Err(BlockError::Short { len: found, least }) };
        if found < least {
            return Err(BlockError::Short { len: found, least });
        }
        if len == 0xFF {
            return Err(BlockError::ReservedLength);
        }
        let announced = least + usize::from(len);
        if announced != found {
            return Err(BlockError::Length { announced, found });
        }
        if !edc.holds(bytes) {
            return Err(BlockError::Epilogue { edc });
        }
        let information = &bytes[PROLOGUE..PROLOGUE + usize::from(len)];
        let kind = Kind::of(pcb).ok_or(BlockError::ReservedPcb { pcb })?;
        kind.check(pcb, information)?;
        Ok(Block { nad, kind, information })
    }

    /// Writes the block over what is in `out`.
    pub fn write(&self, edc: Edc, out: &mut Vec<u8>) {
        debug_assert!(self.information.len() <= LEN_MAX, "{} bytes do not fit a block", self.information.len());
        out.clear();
        out.extend([self.nad, self.kind.pcb(), self.information.len() as u8]);
        out.extend_from_slice(self.information);
        edc.append(out);
    }
}

impl Kind {
    /// What a PCB means.
    fn of(pcb: u8) -> Option<Kind> {
        let supervisory = |pcb: u8| match pcb & 0x1F {
            0 => Some(Supervisory::Resynch),
            1 => Some(Supervisory::Ifs),
            2 => Some(Supervisory::Abort),
            3 => Some(Supervisory::Wtx),
            _ => None,
        };
        match pcb {
            0x00..=0x7F if pcb & 0x1F != 0 => None,
            0x00..=0x7F => Some(Kind::Information { sequence: pcb >> 6 & 1, more: pcb & 0x20 != 0 }),
            0x80..=0xBF => {
                let receipt = match pcb & 0x2F {
                    0 => Receipt::Ok,
                    1 => Receipt::Redundancy,
                    2 => Receipt::Other,
                    _ => return None,
                };
                Some(Kind::Receive { sequence: pcb >> 4 & 1, receipt })
            }
            0xC0..=0xDF => supervisory(pcb).map(Kind::Request),
            0xE0..=0xFF => supervisory(pcb).map(Kind::Response),
        }
    }

    fn pcb(self) -> u8 {
        match self {
            Kind::Information { sequence, more } => sequence << 6 | u8::from(more) << 5,
            Kind::Receive { sequence, receipt } => 0x80 | sequence << 4 | receipt as u8,
            Kind::Request(what) => 0xC0 | what as u8,
            Kind::Response(what) => 0xE0 | what as u8,
        }
    }

    /// Whether the information field is one that such a block may have.
    fn check(self, pcb: u8, information: &[u8]) -> Result<(), BlockError> {
        let len = information.len();
        match (self, information) {
            (Kind::Information { .. }, _) => Ok(()),
            (Kind::Request(Supervisory::Ifs) | Kind::Response(Supervisory::Ifs), &[value]) => match value {
                1..=254 => Ok(()),
                _ => Err(BlockError::Value { pcb, value }),
            },
            (Kind::Request(Supervisory::Wtx) | Kind::Response(Supervisory::Wtx), &[value]) => match value {
                0 => Err(BlockError::Value { pcb, value }),
                _ => Ok(()),
            },
            (Kind::Request(Supervisory::Ifs | Supervisory::Wtx), _)
            | (Kind::Response(Supervisory::Ifs | Supervisory::Wtx), _) => Err(BlockError::Information { pcb, len }),
            (_, []) => Ok(()),
            _ => Err(BlockError::Information { pcb, len }),
        }
    }
}

/// Displays the characters of a block as the standard's scenarios do: `I(0,1)`, `R(1)`, `S(WTX request, 2)`.
#[derive(Clone, Copy, Debug)]
pub struct BlockText<'a>(pub &'a [u8], pub Edc);

impl fmt::Display for BlockText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let block = match Block::parse(self.0, self.1) {
            Ok(block) => block,
            Err(BlockError::Epilogue { edc: Edc::Lrc }) => return write!(f, "broken: wrong LRC"),
            Err(BlockError::Epilogue { edc: Edc::Crc }) => return write!(f, "broken: wrong CRC"),
            Err(BlockError::Length { announced, found }) => return write!(f, "broken: {found} of {announced}"),
            Err(error) => return write!(f, "broken: {error}"),
        };
        match block.kind {
            Kind::Information { sequence, more } => {
                write!(f, "I({sequence},{}) {} bytes", u8::from(more), block.information.len())
            }
            Kind::Receive { sequence, receipt: Receipt::Ok } => write!(f, "R({sequence})"),
            Kind::Receive { sequence, receipt: Receipt::Redundancy } => write!(f, "R({sequence}) EDC or parity error"),
            Kind::Receive { sequence, receipt: Receipt::Other } => write!(f, "R({sequence}) other error"),
            Kind::Request(what) => supervisory_text(f, what, "request", block.information),
            Kind::Response(what) => supervisory_text(f, what, "response", block.information),
        }
    }
}

fn supervisory_text(f: &mut fmt::Formatter<'_>, what: Supervisory, way: &str, information: &[u8]) -> fmt::Result {
    let name = match what {
        Supervisory::Resynch => "RESYNCH",
        Supervisory::Ifs => "IFS",
        Supervisory::Abort => "ABORT",
        Supervisory::Wtx => "WTX",
    };
    match information {
        [value] => write!(f, "S({name} {way}, {value})"),
        _ => write!(f, "S({name} {way})"),
    }
}
