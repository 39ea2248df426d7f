//! What the interface bytes say, with their defaults filled in.

use super::timing::{Rate, bit_rate_adjustment, clock_rate_conversion};
use super::{Atr, ParameterError, T_GLOBAL, TS_INVERSE};
use crate::transmission::Edc;

/// How bits are put on the line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Convention {
    /// Low bit first, high level is one.
    #[default]
    Direct,
    /// High bit first, low level is one.
    Inverse,
}

/// Whether parameters can be negotiated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// PPS may follow the ATR.
    Negotiable,
    /// TA2 says what is in force.
    Specific(SpecificMode),
}

/// TA2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SpecificMode {
    /// The protocol in force.
    pub protocol: u8,
    /// F and D are not TA1's but known to the reader otherwise (bit 5).
    pub implicit: bool,
    /// A warm reset may change the mode (bit 8 is clear).
    pub can_change: bool,
}

/// At which level the clock may be stopped: bits 7 and 8 of the first TA after T=15.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClockStop {
    /// Never.
    NotSupported,
    /// Low.
    Low,
    /// High.
    High,
    /// Either.
    Any,
}

/// The parameters of an ATR. Everything has the default of the standard where the ATR says nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parameters {
    /// The convention, from TS.
    pub convention: Convention,
    /// TA1, FI and DI: what the card offers, or what is in force in specific mode.
    pub fi_di: u8,
    /// TC1, N: extra guard time in etu; 255 stands for the shortest.
    pub extra_guard: u8,
    /// From TA2.
    pub mode: Mode,
    /// TC2, WI of T=0.
    pub wi: u8,
    /// IFSC of T=1, in bytes.
    pub ifsc: u8,
    /// BWI of T=1.
    pub bwi: u8,
    /// CWI of T=1.
    pub cwi: u8,
    /// The error detection code of T=1.
    pub edc: Edc,
    /// When the clock may be stopped.
    pub clock_stop: ClockStop,
    /// Operating conditions as bits: 1 is class A (5 V), 2 class B (3 V), 4 class C (1.8 V). Class A unless the ATR says
    /// otherwise.
    pub classes: u8,
    /// The first TB after T=15: the use of contact C6.
    pub spu: Option<u8>,
}

impl Default for Parameters {
    /// Those of an ATR without interface bytes.
    fn default() -> Parameters {
        Parameters {
            convention: Convention::Direct,
            fi_di: 0x11,
            extra_guard: 0,
            mode: Mode::Negotiable,
            wi: 10,
            ifsc: 32,
            bwi: 4,
            cwi: 13,
            edc: Edc::Lrc,
            clock_stop: ClockStop::NotSupported,
            classes: 1,
            spu: None,
        }
    }
}

impl Atr {
    /// What the interface bytes say.
    ///
    /// TB1 and TB2, the programming voltage of old cards, are not looked at. A TA2 that names a protocol no TDi offers is
    /// accepted: the card says itself that it is in force.
    ///
    /// # Errors
    /// [`ParameterError`] for a value that the standard reserves.
    ///
    /// Source: ISO/IEC 7816-3, global and specific interface bytes.
    pub fn parameters(&self) -> Result<Parameters, ParameterError> {
        let convention = if self.bytes[0] == TS_INVERSE { Convention::Inverse } else { Convention::Direct };
        let mut parameters = Parameters { convention, ..Parameters::default() };
        // Of T=1's and T=15's own bytes the first of each kind counts.
        let mut seen = [false; 5];
        let mut first = |at: usize| !std::mem::replace(&mut seen[at], true);
        for byte in self.interface_bytes() {
            let (group, value) = (byte.group, byte.value);
            match (group, byte.letter, byte.protocol) {
                (1, 'A', _) => parameters.fi_di = checked_fi_di(value)?,
                (1, 'C', _) => parameters.extra_guard = value,
                (2, 'A', _) => parameters.mode = Mode::Specific(SpecificMode::from_ta2(value)),
                (2, 'C', _) if value == 0 => return Err(ParameterError::ZeroWi),
                (2, 'C', _) => parameters.wi = value,
                (1 | 2, ..) => {}
                (_, 'A', 1) if matches!(value, 0 | 0xFF) => return Err(ParameterError::Ifsc { group, found: value }),
                (_, 'A', 1) if first(0) => parameters.ifsc = value,
                (_, 'B', 1) if value >> 4 > 9 => return Err(ParameterError::Bwi { group, found: value }),
                (_, 'B', 1) if first(1) => (parameters.bwi, parameters.cwi) = (value >> 4, value & 0x0F),
                (_, 'C', 1) if first(2) => parameters.edc = if value & 1 == 0 { Edc::Lrc } else { Edc::Crc },
                (_, 'A', T_GLOBAL) if first(3) => {
                    parameters.clock_stop = ClockStop::from_bits(value >> 6);
                    parameters.classes = value & 0x3F;
                }
                (_, 'B', T_GLOBAL) if first(4) => parameters.spu = Some(value),
                _ => {}
            }
        }
        Ok(parameters)
    }
}

impl Parameters {
    /// FI, an index.
    pub fn fi(&self) -> u8 {
        self.fi_di >> 4
    }

    /// DI, an index.
    pub fn di(&self) -> u8 {
        self.fi_di & 0x0F
    }

    /// F, D and the highest clock in kHz that TA1 stands for.
    pub fn offered_rate(&self, clock_khz: u32) -> Rate {
        // Checked when the ATR was read; the default is valid too.
        Rate::of(self.fi_di, clock_khz).unwrap_or(Rate::at_reset(clock_khz))
    }

    /// The highest clock that the card takes at the offered F, in kHz.
    pub fn clock_max_khz(&self) -> u32 {
        clock_rate_conversion(self.fi()).map_or(super::CLOCK_DEFAULT_KHZ, |(_, clock)| clock)
    }

    /// The rate in force right after the ATR, before any PPS.
    ///
    /// Source: ISO/IEC 7816-3: 372 and 1 in negotiable mode, and in specific mode TA1's unless TA2 has bit 5 set.
    pub fn initial_rate(&self, clock_khz: u32) -> Rate {
        match self.mode {
            Mode::Specific(SpecificMode { implicit: false, .. }) => self.offered_rate(clock_khz),
            _ => Rate::at_reset(clock_khz),
        }
    }
}

impl SpecificMode {
    fn from_ta2(ta2: u8) -> SpecificMode {
        SpecificMode { protocol: ta2 & 0x0F, implicit: ta2 & 0x10 != 0, can_change: ta2 & 0x80 == 0 }
    }
}

impl ClockStop {
    fn from_bits(bits: u8) -> ClockStop {
        match bits & 3 {
            0 => ClockStop::NotSupported,
            1 => ClockStop::Low,
            2 => ClockStop::High,
            _ => ClockStop::Any,
        }
    }
}

fn checked_fi_di(ta1: u8) -> Result<u8, ParameterError> {
    clock_rate_conversion(ta1 >> 4).ok_or(ParameterError::ReservedFi { ta1 })?;
    bit_rate_adjustment(ta1).ok_or(ParameterError::ReservedDi { ta1 })?;
    Ok(ta1)
}
