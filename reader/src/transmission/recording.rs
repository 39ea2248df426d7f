//! What passed on a line, for people to read.

use std::fmt;

use super::t1::BlockText;
use super::{Edc, Reset, Signal, pps};
use crate::atr::Atr;

/// Who sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// The reader.
    ToCard,
    /// The card.
    FromCard,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Entry {
    Reset(Reset),
    Signal(Direction, Signal),
}

/// Everything that passed on a line. Displays one line for each signal, with what it means.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Recording {
    entries: Vec<Entry>,
}

impl Recording {
    pub(super) fn reset(&mut self, reset: Reset) {
        self.entries.push(Entry::Reset(reset));
    }

    pub(super) fn push(&mut self, direction: Direction, signal: &Signal) {
        self.entries.push(Entry::Signal(direction, signal.clone()));
    }

    /// How many signals the reader sent.
    pub fn turns(&self) -> usize {
        self.entries.iter().filter(|entry| matches!(entry, Entry::Signal(Direction::ToCard, _))).count()
    }

    /// The signals of one direction.
    pub fn signals(&self, of: Direction) -> impl Iterator<Item = &Signal> {
        self.entries.iter().filter_map(move |entry| match entry {
            Entry::Signal(direction, signal) if *direction == of => Some(signal),
            _ => None,
        })
    }
}

/// What the next characters are, as far as a listener knows.
#[derive(Clone, Copy)]
enum Meaning {
    Atr,
    First(u8, Edc),
    T0 { ins: Option<u8> },
    T1(Edc),
    Unknown,
}

/// How many characters a line shows.
const CHARACTERS_A_LINE: usize = 16;

impl fmt::Display for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut meaning = Meaning::Unknown;
        for entry in &self.entries {
            match entry {
                Entry::Reset(reset) => {
                    writeln!(f, "{} reset", if *reset == Reset::Cold { "cold" } else { "warm" })?;
                    meaning = Meaning::Atr;
                }
                Entry::Signal(direction, signal) => {
                    let (text, next) = meaning.explain(*direction, signal.bytes());
                    write_signal(f, *direction, signal, &text)?;
                    meaning = next;
                }
            }
        }
        Ok(())
    }
}

/// One signal: who sent it, what it means, the characters.
fn write_signal(f: &mut fmt::Formatter<'_>, direction: Direction, signal: &Signal, meaning: &str) -> fmt::Result {
    let arrow = if direction == Direction::ToCard { "->" } else { "<-" };
    if signal.is_silent() {
        return writeln!(f, "{arrow} silence");
    }
    for (line, characters) in signal.bytes().chunks(CHARACTERS_A_LINE).enumerate() {
        match line {
            0 => write!(f, "{arrow} {meaning:<28}")?,
            _ => write!(f, "   {:<28}", "")?,
        }
        for (place, byte) in characters.iter().enumerate() {
            let at = line * CHARACTERS_A_LINE + place;
            let pause = signal.pause_before(at).0;
            if pause > 0 {
                write!(f, " [{} ms]", pause as f64 / 10_000.0)?;
            }
            write!(f, " {byte:02X}{}", if signal.has_wrong_parity(at) { "!" } else { "" })?;
        }
        writeln!(f)?;
    }
    Ok(())
}

impl Meaning {
    fn of_protocol(protocol: u8, edc: Edc) -> Meaning {
        match protocol {
            0 => Meaning::T0 { ins: None },
            1 => Meaning::T1(edc),
            _ => Meaning::Unknown,
        }
    }

    /// What characters mean, and what the next ones are.
    fn explain(self, direction: Direction, bytes: &[u8]) -> (String, Meaning) {
        let Some(&first) = bytes.first() else { return (String::new(), self) };
        match self {
            Meaning::Unknown => (String::new(), self),
            Meaning::Atr => match Atr::parse(bytes) {
                Ok(atr) => {
                    let edc = atr.parameters().unwrap_or_default().edc;
                    ("ATR".to_owned(), Meaning::First(atr.default_protocol(), edc))
                }
                Err(error) => (error.to_string(), Meaning::Unknown),
            },
            Meaning::First(_, edc) if first == pps::PPSS => {
                let protocol = bytes.get(1).map_or(0, |pps0| pps0 & 0x0F);
                let next = if direction == Direction::FromCard { Meaning::of_protocol(protocol, edc) } else { self };
                (format!("PPS, T={protocol}"), next)
            }
            Meaning::First(protocol, edc) => Meaning::of_protocol(protocol, edc).explain(direction, bytes),
            Meaning::T1(edc) => (BlockText(bytes, edc).to_string(), self),
            Meaning::T0 { ins } => explain_t0(direction, bytes, ins),
        }
    }
}

fn explain_t0(direction: Direction, bytes: &[u8], ins: Option<u8>) -> (String, Meaning) {
    if direction == Direction::ToCard {
        return match ins {
            None => ("header".to_owned(), Meaning::T0 { ins: bytes.get(1).copied() }),
            Some(_) => ("data".to_owned(), Meaning::T0 { ins }),
        };
    }
    let known = ins.unwrap_or(0);
    match bytes.iter().skip_while(|&&byte| byte == 0x60).copied().collect::<Vec<u8>>()[..] {
        [byte] if byte == known => ("send all".to_owned(), Meaning::T0 { ins }),
        [byte] if byte == !known => ("send one".to_owned(), Meaning::T0 { ins }),
        [.., sw1, sw2] => (format!("SW {sw1:02X}{sw2:02X}"), Meaning::T0 { ins: None }),
        _ => ("incomplete".to_owned(), Meaning::T0 { ins }),
    }
}
