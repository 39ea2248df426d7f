//! What the reader's tests share.

#![allow(dead_code)] // Each test file uses its own part.

pub mod bench;

use vbus_reader::atr::{Atr, CLOCK_DEFAULT_KHZ, Parameters, Rate, Timing};
use vbus_reader::card::{Card, Delivery};
use vbus_reader::transmission::{Contacts, Line, LineTiming, Reset, pps, t0, t1};
use vbus_wdm::Ticks;

/// Compares with the approved output `snapshots/<name>.snap`.
#[macro_export]
macro_rules! approve {
    ($name:expr, $value:expr) => {
        insta::with_settings!({ snapshot_path => "../../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!($name, $value);
        })
    };
}

/// Bytes from hexadecimal with ASCII between single quotes.
pub fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, part) in text.split('\'').enumerate() {
        if index % 2 == 1 {
            bytes.extend(part.as_bytes());
            continue;
        }
        let digits: Vec<u8> = part.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
        assert_eq!(digits.len() % 2, 0, "half a byte in {text}");
        bytes.extend(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]));
    }
    bytes
}

/// Upper-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(" ")
}

/// A card whose answer is a function of the command, as long as the command asks for, and that counts its commands.
pub struct Echo {
    pub atr: Vec<u8>,
    pub commands: Vec<Vec<u8>>,
    /// How long it works on each.
    pub after: Ticks,
}

impl Echo {
    pub fn new(atr: &str) -> Echo {
        Echo { atr: bytes(atr), commands: Vec::new(), after: Ticks(0) }
    }

    pub fn slow(atr: &str, after: Ticks) -> Echo {
        Echo { after, ..Echo::new(atr) }
    }

    /// What it answers: every byte depends on its place and on the command; then 9000.
    pub fn answer(command: &[u8]) -> Vec<u8> {
        let Ok(parsed) = vbus_reader::apdu::Command::parse(command) else { return vec![0x67, 0x00] };
        let sum = parsed.data.iter().fold(parsed.p1 ^ parsed.p2, |sum, &byte| sum.rotate_left(1) ^ byte);
        let ne = parsed.expected.unwrap_or(0) as usize;
        let mut answer: Vec<u8> = (0..ne).map(|at| (at as u8).wrapping_mul(7) ^ (at >> 8) as u8 ^ sum).collect();
        answer.extend([0x90, 0x00]);
        answer
    }
}

impl Card for Echo {
    fn reset(&mut self, _: Reset, atr: &mut Vec<u8>) -> Delivery {
        atr.clear();
        atr.extend_from_slice(&self.atr);
        Delivery::default()
    }

    fn power_down(&mut self) {}

    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> Delivery {
        self.commands.push(command.to_vec());
        response.clear();
        response.extend(Echo::answer(command));
        Delivery { after: self.after, fault: None }
    }

    /// Instruction codes with an odd high nibble take data.
    fn takes_data(&self, header: [u8; 4]) -> bool {
        header[1] & 0x10 != 0
    }
}

/// A reader without a machine: it drives a card's line and adds up what time would pass.
pub struct Session<C> {
    pub card: C,
    pub line: Line,
    pub atr: Atr,
    pub parameters: Parameters,
    pub t1: t1::Reader,
    pub elapsed: Ticks,
}

impl<C: Contacts> Session<C> {
    /// Resets a card that sends a good ATR.
    pub fn new(mut card: C, timing: LineTiming) -> Session<C> {
        let mut line = Line::new(CLOCK_DEFAULT_KHZ, timing);
        line.record();
        line.reset(&mut card, Reset::Cold);
        let heard = line.hear_characters(line.timing.work_waiting);
        let atr = Atr::parse(heard.what).expect("an ATR");
        let elapsed = heard.elapsed;
        let parameters = atr.parameters().expect("parameters");
        line.timing = Timing::new(&parameters, atr.default_protocol(), parameters.initial_rate(CLOCK_DEFAULT_KHZ));
        let t1 = t1::Reader::new(parameters.edc, parameters.ifsc, Some(254));
        Session { card, line, atr, parameters, t1, elapsed }
    }

    /// Agrees on a protocol.
    pub fn pps(&mut self, protocol: u8, fi_di: Option<u8>) -> Result<pps::Agreed, pps::PpsError> {
        let request = pps::Request { protocol, fi_di };
        self.line.send(&mut self.card, request.message().as_bytes());
        let heard = self.line.hear_characters(self.line.timing.work_waiting);
        self.elapsed.0 += heard.elapsed.0;
        let agreed = request.agreed(heard.what)?;
        let rate = Rate::of(agreed.fi_di, CLOCK_DEFAULT_KHZ).expect("a defined rate");
        self.line.timing = Timing::new(&self.parameters, protocol, rate);
        Ok(agreed)
    }

    /// One APDU with T=1.
    pub fn t1(&mut self, apdu: &[u8]) -> Result<Vec<u8>, t1::T1Error> {
        self.t1.start(apdu);
        loop {
            self.line.send(&mut self.card, self.t1.block());
            let heard = self.line.hear_block(self.t1.waiting_multiplier());
            self.elapsed.0 += heard.elapsed.0;
            if self.t1.received(heard.what)? == t1::Progress::Done {
                return Ok(self.t1.response().to_vec());
            }
        }
    }

    /// One APDU with T=0.
    pub fn t0(&mut self, mapping: t0::Mapping, apdu: &[u8]) -> Result<Vec<u8>, t0::T0Error> {
        let mut transport = t0::Transport::default();
        let mut tpdu = t0::Tpdu::default();
        transport.start(mapping, apdu)?;
        loop {
            tpdu.start(transport.command())?;
            loop {
                self.line.send(&mut self.card, tpdu.to_send());
                let (elapsed, step) = tpdu.hear(&self.line);
                self.elapsed.0 += elapsed.0;
                if step? == t0::Step::Done {
                    break;
                }
            }
            if transport.replied(tpdu.reply())? == t0::Progress::Done {
                return Ok(transport.response().to_vec());
            }
        }
    }

    /// What passed on the line since the last time.
    pub fn recording(&mut self) -> String {
        self.line.take_recording().to_string()
    }
}

/// An ATR that offers T=1 alone, with an IFSC of 32.
pub const T1_ATR: &str = "3B 80 01 81";
/// The same with a CRC.
pub const T1_CRC_ATR: &str = "3B 80 81 41 01 41";
/// An ATR that offers T=0 alone.
pub const T0_ATR: &str = "3B 00";
/// An ATR that offers both, T=0 first, at up to F = 372, D = 4.
pub const BOTH_ATR: &str = "3B 90 13 80 01 02";
