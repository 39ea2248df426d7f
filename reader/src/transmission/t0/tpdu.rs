//! One command TPDU of the reader: header, data in one direction, procedure bytes, status word.

use vbus_wdm::Ticks;

use super::{NULL, T0Error, is_sw1};
use crate::transmission::Line;
use crate::transmission::line::Sound;

/// How often a character may come with a wrong parity; each time the reader signals it and the card sends it again.
///
/// Source: ISO/IEC 7816-3, error signal and character repetition; the number is what common readers take.
const REPETITIONS_MAX: u8 = 3;
/// P3 = 00 asks for this many bytes.
const INCOMING_MAX: usize = 256;

/// What the reader does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Sends [`Tpdu::to_send`] and listens.
    Send,
    /// The status word is there.
    Done,
}

/// What the next character is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Expect {
    Procedure,
    /// So many bytes of data, and then a procedure byte.
    Data(usize),
    Sw2,
}

/// The state machine of the reader for one TPDU.
#[derive(Clone, Debug)]
pub struct Tpdu {
    header: [u8; 5],
    /// What the card is sent after the header.
    outgoing: Vec<u8>,
    sent: usize,
    /// How many bytes the card may still send.
    incoming: usize,
    expect: Expect,
    to_send: Vec<u8>,
    reply: Vec<u8>,
    sw1: u8,
    wrong: u8,
}

impl Default for Tpdu {
    fn default() -> Tpdu {
        Tpdu {
            header: [0; 5],
            outgoing: Vec::new(),
            sent: 0,
            incoming: 0,
            expect: Expect::Procedure,
            to_send: Vec::new(),
            reply: Vec::new(),
            sw1: 0,
            wrong: 0,
        }
    }
}

impl Tpdu {
    /// Begins a command: 4 bytes (P3 = 00 is added), 5 (data comes in), or more (data goes out).
    ///
    /// # Errors
    /// [`T0Error::NoHeader`], [`T0Error::Instruction`], [`T0Error::Length`].
    pub fn start(&mut self, command: &[u8]) -> Result<(), T0Error> {
        let len = command.len();
        let (header, data, incoming) = match *command {
            [cla, ins, p1, p2] => ([cla, ins, p1, p2, 0], &[][..], 0),
            [cla, ins, p1, p2, 0] => ([cla, ins, p1, p2, 0], &[][..], INCOMING_MAX),
            [cla, ins, p1, p2, p3] => ([cla, ins, p1, p2, p3], &[][..], usize::from(p3)),
            [cla, ins, p1, p2, p3, ref data @ ..] if data.len() == usize::from(p3) => ([cla, ins, p1, p2, p3], data, 0),
            [_, _, _, _, ..] => return Err(T0Error::Length { len }),
            _ => return Err(T0Error::NoHeader { len }),
        };
        let ins = header[1];
        if ins == NULL || is_sw1(ins) {
            return Err(T0Error::Instruction { ins });
        }
        self.header = header;
        self.outgoing.clear();
        self.outgoing.extend_from_slice(data);
        self.sent = 0;
        self.incoming = incoming;
        self.expect = Expect::Procedure;
        self.to_send.clear();
        self.to_send.extend_from_slice(&header);
        self.reply.clear();
        self.wrong = 0;
        Ok(())
    }

    /// What goes to the card now.
    pub fn to_send(&self) -> &[u8] {
        &self.to_send
    }

    /// The data that came in and, when the command is done, SW1 SW2.
    pub fn reply(&self) -> &[u8] {
        &self.reply
    }

    /// Digests what is heard after [`Tpdu::to_send`] was sent. Returns the time that it took with what is next.
    ///
    /// # Errors
    /// [`T0Error`], with the time until it was known.
    pub fn hear(&mut self, line: &Line) -> (Ticks, Result<Step, T0Error>) {
        let mut listener = line.listen();
        let result = loop {
            let step = match listener.next() {
                // The reader signals the error, and the card sends the character again.
                Sound::WrongParity if self.wrong < REPETITIONS_MAX => {
                    self.wrong += 1;
                    continue;
                }
                Sound::WrongParity => break Err(T0Error::Parity { times: self.wrong + 1 }),
                Sound::Silence => break Err(T0Error::Silence),
                Sound::Character(byte) => {
                    self.wrong = 0;
                    self.take(byte)
                }
            };
            match step {
                Ok(None) => {}
                Ok(Some(_)) if listener.left() > 0 => break Err(T0Error::OutOfTurn { count: listener.left() }),
                Ok(Some(step)) => break Ok(step),
                Err(error) => break Err(error),
            }
        };
        (listener.elapsed, result)
    }

    /// One character. `Some` where the reader is to do something.
    fn take(&mut self, byte: u8) -> Result<Option<Step>, T0Error> {
        match self.expect {
            Expect::Data(left) => {
                self.reply.push(byte);
                self.incoming -= 1;
                self.expect = if left == 1 { Expect::Procedure } else { Expect::Data(left - 1) };
                Ok(None)
            }
            Expect::Sw2 => {
                self.reply.extend([self.sw1, byte]);
                Ok(Some(Step::Done))
            }
            Expect::Procedure => self.take_procedure(byte),
        }
    }

    fn take_procedure(&mut self, byte: u8) -> Result<Option<Step>, T0Error> {
        let ins = self.header[1];
        if byte == NULL {
            return Ok(None);
        }
        if byte == ins {
            return self.transfer(usize::MAX);
        }
        if byte == ins ^ 0xFF {
            return self.transfer(1);
        }
        if is_sw1(byte) {
            self.sw1 = byte;
            self.expect = Expect::Sw2;
            return Ok(None);
        }
        Err(T0Error::Procedure { found: byte, ins })
    }

    /// The card acknowledged: at most `count` bytes are transferred.
    fn transfer(&mut self, count: usize) -> Result<Option<Step>, T0Error> {
        let out = (self.outgoing.len() - self.sent).min(count);
        if out > 0 {
            self.to_send.clear();
            self.to_send.extend_from_slice(&self.outgoing[self.sent..self.sent + out]);
            self.sent += out;
            return Ok(Some(Step::Send));
        }
        match self.incoming.min(count) {
            0 => Err(T0Error::NothingLeft { ins: self.header[1] }),
            some => {
                self.expect = Expect::Data(some);
                Ok(None)
            }
        }
    }
}
