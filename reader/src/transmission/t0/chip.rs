//! The card's end of T=0: it takes command TPDUs and makes APDUs of them, for a card that takes APDUs.

use super::{INS_ENVELOPE, INS_GET_RESPONSE, NULL, is_sw1};
use crate::apdu::StatusWord;

/// How a card acknowledges data.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Acknowledge {
    /// INS: everything at once.
    #[default]
    All,
    /// INS with its bits turned over: one byte at a time.
    Single,
}

/// The habits of a card.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Style {
    /// How it acknowledges.
    pub acknowledge: Acknowledge,
    /// How many NULL bytes it sends in front of each procedure byte.
    pub nulls: u8,
}

/// What the card does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// Sends what is in the output.
    Send,
    /// Works on [`Chip::apdu`], and then calls [`Chip::answer`].
    Execute,
    /// Nothing: it listens.
    Listen,
}

/// The longest APDU that ENVELOPE commands may make up.
const ENVELOPED_MAX: usize = 4 + 3 + 65_535 + 2;

/// The state machine of the card.
#[derive(Clone, Debug, Default)]
pub struct Chip {
    style: Style,
    header: [u8; 5],
    /// Bytes of the header or of the data that came so far.
    received: Vec<u8>,
    /// Bytes of data that are still to come; `None` while the header is.
    missing: Option<usize>,
    apdu: Vec<u8>,
    /// The pieces of an APDU that comes in ENVELOPE commands.
    enveloped: Vec<u8>,
    /// A response that waits for its command to be sent again with the right length, or for GET RESPONSE.
    held: Vec<u8>,
    held_for: Option<Held>,
    output: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Held {
    /// The same command with the length that 6CXX named.
    Repeated([u8; 4]),
    GetResponse,
}

impl Chip {
    /// The state after a reset or PPS.
    pub fn reset(&mut self, style: Style) {
        self.style = style;
        self.received.clear();
        self.missing = None;
        self.enveloped.clear();
        self.held.clear();
        self.held_for = None;
    }

    /// The characters to send.
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// The command to work on.
    pub fn apdu(&self) -> &[u8] {
        &self.apdu
    }

    /// Takes one character. `takes_data` says of a header whether the command has data, which P3 alone does not tell.
    pub fn received(&mut self, byte: u8, takes_data: impl FnOnce([u8; 4]) -> bool) -> Act {
        self.received.push(byte);
        match self.missing {
            None if self.received.len() < 5 => Act::Listen,
            None => {
                self.header.copy_from_slice(&self.received);
                self.received.clear();
                self.take_header(takes_data)
            }
            Some(1) => self.take_data(),
            Some(left) => {
                self.missing = Some(left - 1);
                self.output.clear();
                if self.style.acknowledge == Acknowledge::Single { self.acknowledge() } else { Act::Listen }
            }
        }
    }

    /// Whether a command is half received.
    pub fn is_listening(&self) -> bool {
        !self.received.is_empty() || self.missing.is_some()
    }

    fn take_header(&mut self, takes_data: impl FnOnce([u8; 4]) -> bool) -> Act {
        let [cla, ins, p1, p2, p3] = self.header;
        self.output.clear();
        if ins == NULL || is_sw1(ins) {
            return self.status(StatusWord::UNKNOWN_INSTRUCTION);
        }
        match self.held_for {
            Some(Held::GetResponse) if ins == INS_GET_RESPONSE => return self.give_held(),
            Some(Held::Repeated(header)) if header == [cla, ins, p1, p2] && usize::from(p3) == self.held.len() - 2 => {
                return self.give_held();
            }
            // What waits, waits for the very next command or for nobody.
            _ => self.held_for = None,
        }
        if ins != INS_ENVELOPE {
            self.enveloped.clear();
        }
        if ins == INS_ENVELOPE || takes_data([cla, ins, p1, p2]) {
            if p3 == 0 {
                return self.take_data();
            }
            self.missing = Some(p3.into());
            return self.acknowledge();
        }
        self.apdu.clear();
        self.apdu.extend_from_slice(&self.header);
        Act::Execute
    }

    /// The data of the command is whole.
    fn take_data(&mut self) -> Act {
        self.missing = None;
        self.output.clear();
        let [cla, ins, p1, p2, p3] = self.header;
        if ins == INS_ENVELOPE {
            return self.take_envelope();
        }
        self.apdu.clear();
        self.apdu.extend([cla, ins, p1, p2]);
        if p3 > 0 {
            // T=0 does not say whether an answer is wanted: the card makes it, and the reader fetches it or not.
            self.apdu.push(p3);
            self.apdu.append(&mut self.received);
            self.apdu.push(0);
        }
        self.received.clear();
        Act::Execute
    }

    fn take_envelope(&mut self) -> Act {
        if self.header[4] == 0 && !self.enveloped.is_empty() {
            std::mem::swap(&mut self.apdu, &mut self.enveloped);
            self.enveloped.clear();
            return Act::Execute;
        }
        if self.enveloped.len() + self.received.len() > ENVELOPED_MAX {
            self.enveloped.clear();
            self.received.clear();
            return self.status(StatusWord::WRONG_LENGTH);
        }
        self.enveloped.append(&mut self.received);
        self.status(StatusWord::OK)
    }

    fn acknowledge(&mut self) -> Act {
        let ins = self.header[1];
        self.put_nulls();
        self.output.push(match self.style.acknowledge {
            Acknowledge::All => ins,
            Acknowledge::Single => !ins,
        });
        Act::Send
    }

    fn put_nulls(&mut self) {
        self.output.extend(std::iter::repeat_n(NULL, self.style.nulls.into()));
    }

    fn status(&mut self, status: StatusWord) -> Act {
        self.put_nulls();
        self.output.extend(status.to_bytes());
        Act::Send
    }

    /// Sends a response, or says how it can be had.
    pub fn answer(&mut self, response: &[u8]) {
        let [data @ .., sw1, sw2] = response else {
            // A card without an answer is silent.
            return self.output.clear();
        };
        let [cla, ins, p1, p2, p3] = self.header;
        let asked = if p3 == 0 { 256 } else { usize::from(p3) };
        let incoming = self.apdu.len() == 5 && ins != INS_ENVELOPE;
        self.output.clear();
        if data.is_empty() {
            self.put_nulls();
            self.output.extend([*sw1, *sw2]);
        } else if incoming && data.len() == asked {
            self.send_data(data, [*sw1, *sw2]);
        } else {
            let (held_for, status) = if incoming && data.len() < 256 {
                (Held::Repeated([cla, ins, p1, p2]), StatusWord::wrong_le(data.len()))
            } else {
                (Held::GetResponse, StatusWord::more_data(data.len()))
            };
            self.held.clear();
            self.held.extend_from_slice(response);
            self.held_for = Some(held_for);
            self.status(status);
        }
    }

    /// Gives as much as was asked for of what waits.
    fn give_held(&mut self) -> Act {
        let waiting = self.held.len() - 2;
        let asked = if self.header[4] == 0 { 256 } else { usize::from(self.header[4]) };
        if asked > waiting {
            return self.status(StatusWord::wrong_le(waiting));
        }
        let mut held = std::mem::take(&mut self.held);
        if asked == waiting {
            self.held_for = None;
            self.send_data(&held[..asked], [held[waiting], held[waiting + 1]]);
        } else {
            self.send_data(&held[..asked], StatusWord::more_data(waiting - asked).to_bytes());
            held.drain(..asked);
        }
        self.held = held;
        Act::Send
    }

    fn send_data(&mut self, data: &[u8], status: [u8; 2]) {
        let ins = self.header[1];
        match self.style.acknowledge {
            Acknowledge::All => {
                self.put_nulls();
                self.output.push(ins);
                self.output.extend_from_slice(data);
            }
            Acknowledge::Single => {
                for &byte in data {
                    self.put_nulls();
                    self.output.extend([!ins, byte]);
                }
            }
        }
        self.put_nulls();
        self.output.extend(status);
    }
}
