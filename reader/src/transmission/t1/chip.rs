//! The card's end of T=1.

use super::{Block, IFS_DEFAULT, Incoming, Kind, Receipt, Supervisory};
use crate::transmission::Edc;

/// The longest command APDU: header, extended lengths, data.
const COMMAND_MAX: usize = 4 + 3 + 65_535 + 2;

/// What the card does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// Sends [`Chip::block`].
    Send,
    /// Works on [`Chip::command`], and then calls [`Chip::answer`].
    Execute,
    /// The reader granted the time that [`Chip::extend`] asked for: goes on working.
    GoOn,
    /// Nothing: it listens.
    Listen,
}

/// Where the exchange is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// A command, or the next block of its chain, is expected.
    Receiving,
    /// A command is being worked on, and S(WTX request) is out.
    Extending,
    /// I-blocks of the response are out; the bool says that the one that is out is the last.
    Sending { last: bool },
}

/// The state machine of the card.
#[derive(Clone, Debug)]
pub struct Chip {
    edc: Edc,
    /// The largest information field that the card takes.
    ifsc: u8,
    /// The largest one that it may send.
    ifsd: u8,
    send_sequence: u8,
    receive_sequence: u8,
    phase: Phase,
    command: Vec<u8>,
    response: Vec<u8>,
    /// Bytes of the response that the reader has.
    acknowledged: usize,
    in_flight: usize,
    nad: u8,
    block: Vec<u8>,
}

impl Chip {
    /// The state after a reset or PPS, with the IFSC of the ATR.
    pub fn new(edc: Edc, ifsc: u8) -> Chip {
        let mut chip = Chip {
            edc,
            ifsc,
            ifsd: IFS_DEFAULT,
            send_sequence: 0,
            receive_sequence: 0,
            phase: Phase::Receiving,
            command: Vec::new(),
            response: Vec::new(),
            acknowledged: 0,
            in_flight: 0,
            nad: 0,
            block: Vec::new(),
        };
        chip.reset(edc, ifsc);
        chip
    }

    /// As [`Chip::new`], keeping the buffers.
    pub fn reset(&mut self, edc: Edc, ifsc: u8) {
        self.edc = edc;
        self.ifsc = ifsc;
        self.begin_anew();
        self.block.clear();
    }

    fn begin_anew(&mut self) {
        self.ifsd = IFS_DEFAULT;
        self.send_sequence = 0;
        self.receive_sequence = 0;
        self.phase = Phase::Receiving;
        self.command.clear();
        self.response.clear();
        self.acknowledged = 0;
        self.in_flight = 0;
    }

    /// The block to send.
    pub fn block(&self) -> &[u8] {
        &self.block
    }

    /// The command to work on.
    pub fn command(&self) -> &[u8] {
        &self.command
    }

    /// Takes what came from the reader.
    pub fn received(&mut self, incoming: Incoming<'_>) -> Act {
        let characters = match incoming {
            Incoming::Characters(characters) => characters,
            Incoming::WrongParity => return self.invalid(Receipt::Redundancy),
            // A card has no clock of its own: it waits until the reader says something.
            Incoming::Silence => return Act::Listen,
        };
        match Block::parse(characters, self.edc) {
            Err(error) => self.invalid(error.receipt()),
            Ok(block) if block.information.len() > self.ifsc.into() => self.invalid(Receipt::Other),
            Ok(block) => {
                self.nad = block.nad.rotate_left(4);
                self.digest(block)
            }
        }
    }

    fn digest(&mut self, block: Block<'_>) -> Act {
        match (self.phase, block.kind) {
            (_, Kind::Request(Supervisory::Resynch)) => {
                self.begin_anew();
                self.send(Kind::Response(Supervisory::Resynch), &[])
            }
            (_, Kind::Request(Supervisory::Ifs)) => {
                self.ifsd = block.information[0];
                self.send(Kind::Response(Supervisory::Ifs), block.information)
            }
            (_, Kind::Request(Supervisory::Abort)) => {
                self.command.clear();
                self.response.clear();
                self.phase = Phase::Receiving;
                self.send(Kind::Response(Supervisory::Abort), &[])
            }
            (Phase::Extending, Kind::Response(Supervisory::Wtx)) => Act::GoOn,
            // Rule 7.3: a request is repeated until its response comes.
            (Phase::Extending, _) => Act::Send,
            (Phase::Receiving | Phase::Sending { last: true }, Kind::Information { sequence, more })
                if sequence == self.receive_sequence =>
            {
                self.take_information(block.information, more)
            }
            (Phase::Sending { .. }, Kind::Receive { sequence, .. }) if sequence == self.send_sequence => {
                self.send_chunk()
            }
            (Phase::Sending { last: false }, Kind::Receive { .. }) => {
                self.acknowledged += self.in_flight;
                self.send_sequence ^= 1;
                self.send_chunk()
            }
            _ => self.invalid(Receipt::Other),
        }
    }

    fn take_information(&mut self, information: &[u8], more: bool) -> Act {
        if let Phase::Sending { .. } = self.phase {
            // The next command acknowledges the last response.
            self.send_sequence ^= 1;
            self.command.clear();
            self.phase = Phase::Receiving;
        }
        self.receive_sequence ^= 1;
        if self.command.len() + information.len() > COMMAND_MAX {
            self.command.clear();
            return self.send(Kind::Request(Supervisory::Abort), &[]);
        }
        self.command.extend_from_slice(information);
        if more {
            return self.send(Kind::Receive { sequence: self.receive_sequence, receipt: Receipt::Ok }, &[]);
        }
        Act::Execute
    }

    /// Asks for `multiplier` block waiting times before the answer.
    pub fn extend(&mut self, multiplier: u8) {
        self.phase = Phase::Extending;
        self.send(Kind::Request(Supervisory::Wtx), &[multiplier.max(1)]);
    }

    /// Sends the first block of a response.
    pub fn answer(&mut self, response: &[u8]) {
        self.response.clear();
        self.response.extend_from_slice(response);
        self.acknowledged = 0;
        self.send_chunk();
    }

    /// Rule 7: an R-block with what is expected. A card does not resynchronise by itself.
    fn invalid(&mut self, receipt: Receipt) -> Act {
        if self.phase == Phase::Extending {
            return Act::Send;
        }
        self.send(Kind::Receive { sequence: self.receive_sequence, receipt }, &[])
    }

    fn send_chunk(&mut self) -> Act {
        let rest = self.response.len() - self.acknowledged;
        self.in_flight = rest.min(self.ifsd.into());
        let last = self.in_flight == rest;
        self.phase = Phase::Sending { last };
        let chunk = self.acknowledged..self.acknowledged + self.in_flight;
        let kind = Kind::Information { sequence: self.send_sequence, more: !last };
        Block { nad: self.nad, kind, information: &self.response[chunk] }.write(self.edc, &mut self.block);
        Act::Send
    }

    fn send(&mut self, kind: Kind, information: &[u8]) -> Act {
        Block { nad: self.nad, kind, information }.write(self.edc, &mut self.block);
        Act::Send
    }
}
