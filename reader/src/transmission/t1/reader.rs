//! The reader's end of T=1.

use thiserror::Error;

use super::{Block, IFS_DEFAULT, IFS_MAX, Incoming, Kind, Receipt, Supervisory};
use crate::transmission::Edc;

/// How often one block is asked for or sent again before the reader resynchronises.
///
/// Source: smclib.h, T1_MAX_RETRIES; ISO/IEC 7816-3, rule 7.4.
pub const RETRIES_MAX: u8 = 2;
/// How often the reader tries to resynchronise for one command.
///
/// Source: ISO/IEC 7816-3, rule 6.4: after three attempts the reader resets the card.
pub const RESYNCHS_MAX: u8 = 3;
/// How many S-blocks a card may send in a row: enough for days of waiting, and an end for a card that sends nothing else.
const SUPERVISORY_MAX: u32 = 10_000;
/// The longest response APDU.
const RESPONSE_MAX: usize = 65_536 + 2;

/// What the reader does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Sends [`Reader::block`] and listens.
    Send,
    /// The response is whole.
    Done,
}

/// Why a command got no response.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum T1Error {
    /// Nothing helped. The card needs a reset.
    #[error(
        "no valid block came back after {RETRIES_MAX} repetitions and {RESYNCHS_MAX} attempts to resynchronise: the card \
         has to be reset"
    )]
    Exhausted,
    /// The card gave the command up.
    #[error("the card aborted the chain")]
    Aborted,
    /// The card goes on asking for time or for other sizes and never answers.
    #[error("the card sent {SUPERVISORY_MAX} S-blocks in a row and no answer")]
    Endless,
    /// The card's chain is longer than any response.
    #[error("the card's chain has more than the {RESPONSE_MAX} bytes that the longest response APDU has")]
    Overlong,
}

/// Where the exchange is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Nothing is under way.
    Idle,
    /// S(IFS request) is out.
    Ifs,
    /// An I-block of the command is out and not acknowledged.
    Sending,
    /// The card's chain is coming.
    Receiving,
    /// The card aborted a chain, and the response to that is out.
    Aborting,
    /// S(RESYNCH request) is out.
    Resynch,
}

/// What kind of block was sent last, which decides what is sent when the answer is not valid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Last {
    Receive,
    Other,
}

/// The state machine of the reader.
#[derive(Clone, Debug)]
pub struct Reader {
    edc: Edc,
    nad: u8,
    /// IFSC of the ATR, which a resynchronisation brings back.
    ifsc_at_reset: u8,
    ifsc: u8,
    /// The IFSD that the card is told of before the first command.
    ifsd_wanted: Option<u8>,
    ifsd: u8,
    send_sequence: u8,
    receive_sequence: u8,
    phase: Phase,
    last: Last,
    command: Vec<u8>,
    /// Bytes of the command that the card has.
    acknowledged: usize,
    /// Bytes of the command in the I-block that is out.
    in_flight: usize,
    response: Vec<u8>,
    block: Vec<u8>,
    retries: u8,
    resynchs: u8,
    supervisory: u32,
    wtx: u8,
}

impl Default for Reader {
    fn default() -> Reader {
        Reader::new(Edc::Lrc, IFS_DEFAULT, None)
    }
}

impl Reader {
    /// The state after a reset or PPS. `ifsc` is the ATR's; `ifsd` is what the reader can take, which it tells the card of
    /// before the first command, if it is to.
    pub fn new(edc: Edc, ifsc: u8, ifsd: Option<u8>) -> Reader {
        let mut reader = Reader {
            edc,
            nad: 0,
            ifsc_at_reset: ifsc,
            ifsc,
            ifsd_wanted: None,
            ifsd: IFS_DEFAULT,
            send_sequence: 0,
            receive_sequence: 0,
            phase: Phase::Idle,
            last: Last::Other,
            command: Vec::new(),
            acknowledged: 0,
            in_flight: 0,
            response: Vec::new(),
            block: Vec::new(),
            retries: 0,
            resynchs: 0,
            supervisory: 0,
            wtx: 0,
        };
        reader.reset(edc, ifsc, ifsd);
        reader
    }

    /// As [`Reader::new`], keeping the buffers.
    pub fn reset(&mut self, edc: Edc, ifsc: u8, ifsd: Option<u8>) {
        self.edc = edc;
        self.ifsc_at_reset = ifsc.clamp(1, IFS_MAX);
        self.ifsd_wanted = ifsd.map(|ifsd| ifsd.clamp(1, IFS_MAX));
        self.phase = Phase::Idle;
        self.begin_anew();
    }

    /// What the card is told of before the next command, if that is another size than it knows; `None` says nothing.
    pub fn announce_size(&mut self, ifsd: Option<u8>) {
        self.ifsd_wanted = ifsd.map(|ifsd| ifsd.clamp(1, IFS_MAX));
    }

    /// Sets the node address of what follows.
    pub fn set_nad(&mut self, nad: u8) {
        self.nad = nad;
    }

    /// Begins a command. The first block to send is then in [`Reader::block`].
    pub fn start(&mut self, command: &[u8]) {
        self.command.clear();
        self.command.extend_from_slice(command);
        self.resynchs = 0;
        self.begin_command();
    }

    /// The block to send now.
    pub fn block(&self) -> &[u8] {
        &self.block
    }

    /// By how much the block waiting time is multiplied for the answer to [`Reader::block`].
    pub fn waiting_multiplier(&self) -> u8 {
        self.wtx.max(1)
    }

    /// The response, once it is whole.
    pub fn response(&self) -> &[u8] {
        &self.response
    }

    /// IFSC and IFSD in force.
    pub fn sizes(&self) -> (u8, u8) {
        (self.ifsc, self.ifsd)
    }

    /// Whether a command is under way.
    pub fn is_busy(&self) -> bool {
        self.phase != Phase::Idle
    }

    /// Takes what came in answer to [`Reader::block`].
    ///
    /// # Errors
    /// [`T1Error`]: the command is over, and after [`T1Error::Exhausted`] so is everything until the next reset.
    pub fn received(&mut self, incoming: Incoming<'_>) -> Result<Progress, T1Error> {
        // An extension is good for one answer.
        self.wtx = 0;
        let characters = match incoming {
            Incoming::Characters(characters) => characters,
            Incoming::WrongParity => return self.invalid(Receipt::Redundancy),
            Incoming::Silence => return self.invalid(Receipt::Other),
        };
        match Block::parse(characters, self.edc) {
            Err(error) => self.invalid(error.receipt()),
            Ok(block) if block.nad != self.nad.rotate_left(4) => self.invalid(Receipt::Other),
            Ok(block) => self.digest(block),
        }
    }

    fn digest(&mut self, block: Block<'_>) -> Result<Progress, T1Error> {
        use Phase::{Aborting, Ifs, Receiving, Resynch, Sending};
        use Supervisory as S;
        match (self.phase, block.kind) {
            (Sending | Receiving | Aborting, Kind::Information { sequence, more })
                if sequence == self.receive_sequence
                    && self.may_answer()
                    && block.information.len() <= usize::from(self.ifsd) =>
            {
                self.take_information(block.information, more)
            }
            (Sending, Kind::Receive { sequence, .. }) if sequence == self.send_sequence => self.again(Self::send_chunk),
            (Sending, Kind::Receive { .. }) if !self.is_last_chunk() => {
                self.acknowledge();
                self.send_chunk();
                Ok(Progress::Send)
            }
            (Aborting, Kind::Receive { sequence, .. }) => {
                if self.in_flight > 0 && sequence != self.send_sequence {
                    self.acknowledge();
                }
                self.phase = Phase::Idle;
                Err(T1Error::Aborted)
            }
            (Sending | Receiving, Kind::Request(S::Ifs)) => {
                self.ifsc = block.information[0];
                self.respond(S::Ifs, block.information)
            }
            (Sending | Receiving, Kind::Request(S::Wtx)) => {
                self.wtx = block.information[0];
                self.respond(S::Wtx, block.information)
            }
            (Sending | Receiving | Aborting, Kind::Request(S::Abort)) => {
                self.phase = Aborting;
                self.respond(S::Abort, &[])
            }
            (Ifs, Kind::Response(S::Ifs)) if self.ifsd_wanted == block.information.first().copied() => {
                self.ifsd = block.information[0];
                self.retries = 0;
                self.send_chunk();
                Ok(Progress::Send)
            }
            (Resynch, Kind::Response(S::Resynch)) => {
                self.begin_anew();
                self.begin_command();
                Ok(Progress::Send)
            }
            _ => self.invalid(Receipt::Other),
        }
    }

    /// Whether the card has the whole command, or has it with the block that is out, so that its answer may come.
    fn may_answer(&self) -> bool {
        self.phase != Phase::Sending || self.is_last_chunk()
    }

    fn is_last_chunk(&self) -> bool {
        self.acknowledged + self.in_flight == self.command.len()
    }

    /// The I-block that is out has arrived.
    fn acknowledge(&mut self) {
        self.acknowledged += self.in_flight;
        self.in_flight = 0;
        self.send_sequence ^= 1;
        self.made_progress();
    }

    fn made_progress(&mut self) {
        self.retries = 0;
        self.supervisory = 0;
    }

    fn take_information(&mut self, information: &[u8], more: bool) -> Result<Progress, T1Error> {
        match self.phase {
            // The answer is the acknowledgement.
            Phase::Sending => self.acknowledge(),
            // What was aborted does not count.
            Phase::Aborting => self.response.clear(),
            _ => {}
        }
        self.made_progress();
        self.receive_sequence ^= 1;
        if self.response.len() + information.len() > RESPONSE_MAX {
            self.phase = Phase::Idle;
            return Err(T1Error::Overlong);
        }
        self.response.extend_from_slice(information);
        if !more {
            self.phase = Phase::Idle;
            return Ok(Progress::Done);
        }
        self.phase = Phase::Receiving;
        self.write(Kind::Receive { sequence: self.receive_sequence, receipt: Receipt::Ok }, &[]);
        Ok(Progress::Send)
    }

    /// Rule 7: an invalid block, silence, or one that does not belong here.
    fn invalid(&mut self, receipt: Receipt) -> Result<Progress, T1Error> {
        match (self.phase, self.last) {
            (Phase::Resynch, _) => self.resynchronise(),
            // Requests and R-blocks are repeated as they are.
            (Phase::Ifs, _) | (_, Last::Receive) => self.again(|_| ()),
            _ => self.again(|reader| reader.write(Kind::Receive { sequence: reader.receive_sequence, receipt }, &[])),
        }
    }

    /// Sends something again, if that was not done often enough.
    fn again(&mut self, write: impl FnOnce(&mut Self)) -> Result<Progress, T1Error> {
        self.retries += 1;
        if self.retries > RETRIES_MAX {
            return self.resynchronise();
        }
        write(self);
        Ok(Progress::Send)
    }

    fn resynchronise(&mut self) -> Result<Progress, T1Error> {
        self.resynchs += 1;
        if self.resynchs > RESYNCHS_MAX {
            self.phase = Phase::Idle;
            return Err(T1Error::Exhausted);
        }
        self.phase = Phase::Resynch;
        self.write(Kind::Request(Supervisory::Resynch), &[]);
        Ok(Progress::Send)
    }

    /// Answers the card's request. It has the right to send again.
    fn respond(&mut self, what: Supervisory, information: &[u8]) -> Result<Progress, T1Error> {
        self.supervisory += 1;
        if self.supervisory > SUPERVISORY_MAX {
            self.phase = Phase::Idle;
            return Err(T1Error::Endless);
        }
        self.write(Kind::Response(what), information);
        Ok(Progress::Send)
    }

    /// Sequence numbers and sizes as after a reset.
    fn begin_anew(&mut self) {
        self.ifsc = self.ifsc_at_reset;
        self.ifsd = IFS_DEFAULT;
        self.send_sequence = 0;
        self.receive_sequence = 0;
    }

    fn begin_command(&mut self) {
        self.acknowledged = 0;
        self.in_flight = 0;
        self.response.clear();
        self.made_progress();
        match self.ifsd_wanted.filter(|&wanted| wanted != self.ifsd) {
            Some(wanted) => {
                self.phase = Phase::Ifs;
                self.write(Kind::Request(Supervisory::Ifs), &[wanted]);
            }
            None => self.send_chunk(),
        }
    }

    /// Writes the I-block with what the card does not have yet.
    fn send_chunk(&mut self) {
        let rest = self.command.len() - self.acknowledged;
        self.in_flight = rest.min(self.ifsc.into());
        let kind = Kind::Information { sequence: self.send_sequence, more: self.in_flight < rest };
        let chunk = self.acknowledged..self.acknowledged + self.in_flight;
        self.phase = Phase::Sending;
        self.last = Last::Other;
        Block { nad: self.nad, kind, information: &self.command[chunk] }.write(self.edc, &mut self.block);
    }

    fn write(&mut self, kind: Kind, information: &[u8]) {
        self.last = if matches!(kind, Kind::Receive { .. }) { Last::Receive } else { Last::Other };
        Block { nad: self.nad, kind, information }.write(self.edc, &mut self.block);
    }
}
