//! An ATR explained byte by byte.

use std::fmt;

use super::{Atr, Convention, InterfaceByte, T_GLOBAL, bit_rate_adjustment, clock_rate_conversion};
use crate::hex::Hex;

/// Displays an ATR one byte a line, with what each means.
pub struct Description<'a>(&'a Atr);

impl Atr {
    /// The ATR explained, for people: one line a byte.
    pub fn describe(&self) -> Description<'_> {
        Description(self)
    }
}

impl fmt::Display for Description<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let atr = self.0;
        let [ts, t0, ..] = atr.bytes;
        let convention = if ts == super::TS_INVERSE { Convention::Inverse } else { Convention::Direct };
        writeln!(f, "TS   {ts:02X}  {convention:?} convention")?;
        writeln!(f, "T0   {t0:02X}  {} historical bytes", t0 & 0x0F)?;
        for byte in atr.interface_bytes() {
            write!(f, "T{}{}  {:02X}  ", byte.letter, byte.group, byte.value)?;
            meaning(f, byte)?;
            writeln!(f)?;
        }
        let historical = atr.historical_bytes();
        if !historical.is_empty() {
            let text: String =
                historical.iter().map(|&byte| if byte.is_ascii_graphic() { byte as char } else { '.' }).collect();
            writeln!(f, "T1.. {}  \"{text}\"", Hex(historical))?;
        }
        if let Some(tck) = atr.check_byte() {
            writeln!(f, "TCK  {tck:02X}")?;
        }
        match atr.parameters() {
            Ok(_) => Ok(()),
            Err(error) => writeln!(f, "error: {error}"),
        }
    }
}

fn meaning(f: &mut fmt::Formatter<'_>, byte: InterfaceByte) -> fmt::Result {
    let value = byte.value;
    match (byte.group, byte.letter, byte.protocol) {
        (_, 'D', _) if value & 0x0F == T_GLOBAL => write!(f, "global bytes (T=15)"),
        (_, 'D', _) => write!(f, "T={}", value & 0x0F),
        (1, 'A', _) => match (clock_rate_conversion(value >> 4), bit_rate_adjustment(value)) {
            (Some((factor, clock)), Some(d)) => write!(f, "F={factor}, D={d}, at most {clock} kHz"),
            _ => write!(f, "F or D reserved"),
        },
        (1, 'C', _) => write!(f, "N={value}, extra guard time"),
        (2, 'A', _) => {
            let implicit = if value & 0x10 == 0 { "as TA1" } else { "implicit" };
            write!(f, "specific mode: T={}, rate {implicit}", value & 0x0F)
        }
        (2, 'C', _) => write!(f, "WI={value}"),
        (1 | 2, 'B', _) => write!(f, "programming voltage, obsolete"),
        (_, 'A', 1) => write!(f, "IFSC={value}"),
        (_, 'B', 1) => write!(f, "BWI={}, CWI={}", value >> 4, value & 0x0F),
        (_, 'C', 1) => f.write_str(if value & 1 == 0 { "LRC" } else { "CRC" }),
        (_, 'A', T_GLOBAL) => {
            let classes = ["A", "B", "C"].into_iter().enumerate().filter(|(at, _)| value >> at & 1 != 0);
            let classes: String = classes.map(|(_, name)| name).collect();
            let stop = ["not supported", "low", "high", "low or high"][usize::from(value >> 6)];
            write!(f, "clock stop {stop}, class {classes}")
        }
        (_, 'B', T_GLOBAL) => write!(f, "use of contact C6"),
        (_, _, t) => write!(f, "specific to T={t}"),
    }
}
