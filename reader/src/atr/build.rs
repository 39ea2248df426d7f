//! Putting an ATR together.

use thiserror::Error;

use super::{Atr, AtrError, Convention, HISTORICAL_LEN_MAX, ParameterError, T_GLOBAL, TS_DIRECT, TS_INVERSE, xor};
use crate::transmission::Edc;

/// The ingredients of an ATR. What is left at its default is left out.
#[derive(Debug, Clone, Copy, Default)]
pub struct AtrParts<'a> {
    /// TS.
    pub convention: Convention,
    /// TA1: FI and DI.
    pub ta1: Option<u8>,
    /// TC1, N: extra guard time.
    pub extra_guard: Option<u8>,
    /// TA2: specific mode.
    pub ta2: Option<u8>,
    /// TC2: WI of T=0.
    pub wi: Option<u8>,
    /// Protocols T offered, strictly ascending, each 0 to 14. Empty = T=0.
    pub protocols: &'a [u8],
    /// T=1: IFSC.
    pub ifsc: Option<u8>,
    /// T=1: BWI in the high and CWI in the low nibble.
    pub bwi_cwi: Option<u8>,
    /// T=1: the error detection code.
    pub edc: Edc,
    /// T=15: clock stop in bits 7 and 8, classes in the others.
    pub clock_and_classes: Option<u8>,
    /// At most [`HISTORICAL_LEN_MAX`] bytes.
    pub historical: &'a [u8],
}

/// Why parts do not make an ATR.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BuildError {
    /// More than [`HISTORICAL_LEN_MAX`] historical bytes.
    #[error("{len} historical bytes, and at most {HISTORICAL_LEN_MAX} are allowed")]
    Historical {
        /// Bytes given.
        len: usize,
    },
    /// A protocol above 14, or not above the one before it.
    #[error("protocol {index} in the list, T={found}, is out of order: they ascend, and 14 is the highest")]
    Protocol {
        /// Its place in the list.
        index: usize,
        /// The T given.
        found: u8,
    },
    /// Something of T=1 is said, and T=1 is not offered.
    #[error("IFSC, BWI and CWI, and the error detection code belong to T=1, which is not among the protocols")]
    NotT1,
    /// A part has a value that the standard reserves.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// All parts are fine but do not fit together, which means too long.
    #[error(transparent)]
    Malformed(#[from] AtrError),
}

impl AtrParts<'_> {
    /// Puts the ATR together; counts and TCK are computed.
    ///
    /// # Errors
    /// [`BuildError`] when a part breaks the limits named at its field.
    pub fn build(self) -> Result<Atr, BuildError> {
        self.check()?;
        let ts = if self.convention == Convention::Inverse { TS_INVERSE } else { TS_DIRECT };
        let groups = self.groups();
        let mut bytes = vec![ts, presence(&groups[0], groups.len() > 1) << 4 | self.historical.len() as u8];
        for (at, group) in groups.iter().enumerate() {
            bytes.extend(group.bytes.iter().flatten());
            if let Some(next) = groups.get(at + 1) {
                bytes.push(presence(next, at + 2 < groups.len()) << 4 | next.protocol);
            }
        }
        bytes.extend(self.historical);
        if groups.iter().any(|group| group.protocol != 0) {
            bytes.push(xor(&bytes[1..]));
        }
        let atr = Atr::parse(&bytes)?;
        atr.parameters()?;
        Ok(atr)
    }

    fn check(&self) -> Result<(), BuildError> {
        let len = self.historical.len();
        if len > HISTORICAL_LEN_MAX {
            return Err(BuildError::Historical { len });
        }
        for (index, &found) in self.protocols.iter().enumerate() {
            if found >= T_GLOBAL || (index > 0 && self.protocols[index - 1] >= found) {
                return Err(BuildError::Protocol { index, found });
            }
        }
        if self.has_t1_bytes() && !self.protocols.contains(&1) {
            return Err(BuildError::NotT1);
        }
        Ok(())
    }

    fn has_t1_bytes(&self) -> bool {
        self.ifsc.is_some() || self.bwi_cwi.is_some() || self.edc != Edc::Lrc
    }

    /// The groups of interface bytes, each with the protocol that the TD in front of it names.
    ///
    /// TA2 and TC2 have meanings of their own, so what belongs to the first protocol alone comes in the third group,
    /// after a TD2 that names the same protocol again.
    fn groups(&self) -> Vec<Group> {
        let mut groups = vec![Group { protocol: 0, bytes: [self.ta1, None, self.extra_guard] }];
        let second = [self.ta2, None, self.wi];
        let t1 = [self.ifsc, self.bwi_cwi, (self.edc == Edc::Crc).then_some(1)];
        let offered = if self.protocols.is_empty() { &[0][..] } else { self.protocols };
        // T=0 alone goes without saying.
        if offered == [0] && second == [None; 3] && self.clock_and_classes.is_none() {
            return groups;
        }
        groups.push(Group { protocol: offered[0], bytes: second });
        if offered[0] == 1 && self.has_t1_bytes() {
            groups.push(Group { protocol: 1, bytes: t1 });
        }
        let own = |&protocol: &u8| Group { protocol, bytes: if protocol == 1 { t1 } else { [None; 3] } };
        groups.extend(offered[1..].iter().map(own));
        if let Some(global) = self.clock_and_classes {
            groups.push(Group { protocol: T_GLOBAL, bytes: [Some(global), None, None] });
        }
        groups
    }
}

/// TAi, TBi and TCi.
struct Group {
    protocol: u8,
    bytes: [Option<u8>; 3],
}

/// The nibble that announces a group, and whether a TD ends it.
fn presence(group: &Group, td: bool) -> u8 {
    let bits = group.bytes.iter().enumerate().map(|(at, byte)| u8::from(byte.is_some()) << at);
    bits.sum::<u8>() | u8::from(td) << 3
}
