//! How a reader maps an APDU to command TPDUs.

use super::{INS_ENVELOPE, INS_GET_RESPONSE, T0Error};
use crate::apdu::Command;

/// What a reader makes of an APDU with T=0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mapping {
    /// The bytes are a TPDU, but for an Le after data, which is left out, and a missing P3, which is added. Whoever sent
    /// the APDU sees 61XX and 6CXX and does the rest. Nothing longer than a short APDU can be sent.
    ///
    /// Source: Windows driver documentation, SmartcardT0Request; pcsc-lite, ifdhandler documentation (the application
    /// sees 61XX).
    #[default]
    Tpdu,
    /// The reader does the rest: it repeats a command after 6CXX, fetches what 61XX announces, and sends what is longer
    /// than a short APDU with ENVELOPE.
    ///
    /// Source: ISO/IEC 7816-3, transport of APDUs with T=0.
    Apdu,
}

/// What the transport does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// [`Transport::command`] is the next TPDU.
    Send,
    /// [`Transport::response`] is the response APDU.
    Done,
}

/// What the TPDU that is out is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Command,
    /// A piece of the APDU, which ends there.
    Envelope {
        end: usize,
    },
    GetResponse,
}

/// How many TPDUs one APDU may take: 257 for the longest data each way, and as many repetitions.
const STEPS_MAX: u32 = 1100;
/// What one ENVELOPE carries.
const PIECE: usize = 255;

/// The state machine of one APDU over TPDUs.
#[derive(Clone, Debug)]
pub struct Transport {
    mapping: Mapping,
    stage: Stage,
    apdu: Vec<u8>,
    /// Ne: what the sender of the APDU takes.
    expected: usize,
    command: Vec<u8>,
    response: Vec<u8>,
    steps: u32,
}

impl Default for Transport {
    fn default() -> Transport {
        Transport {
            mapping: Mapping::Tpdu,
            stage: Stage::Command,
            apdu: Vec::new(),
            expected: 0,
            command: Vec::new(),
            response: Vec::new(),
            steps: 0,
        }
    }
}

impl Transport {
    /// Begins an APDU. [`Transport::command`] is then the first TPDU.
    ///
    /// # Errors
    /// [`T0Error::NoHeader`], [`T0Error::Length`], [`T0Error::Extended`].
    pub fn start(&mut self, mapping: Mapping, apdu: &[u8]) -> Result<(), T0Error> {
        let len = apdu.len();
        if len < 4 {
            return Err(T0Error::NoHeader { len });
        }
        let command = Command::parse(apdu).map_err(|_| T0Error::Length { len })?;
        let extended = len > 6 && apdu[4] == 0;
        if mapping == Mapping::Tpdu && extended {
            return Err(T0Error::Extended { len });
        }
        self.mapping = mapping;
        self.stage = Stage::Command;
        self.steps = 0;
        self.expected = command.expected.unwrap_or(0) as usize;
        self.response.clear();
        self.apdu.clear();
        self.apdu.extend_from_slice(apdu);
        self.command.clear();
        match (command.data, command.expected) {
            ([], None) => self.command.extend_from_slice(&apdu[..4]),
            // Only what fits one byte is asked for; the rest comes with 61XX.
            ([], Some(ne)) => {
                self.command.extend_from_slice(&apdu[..4]);
                self.command.push(if ne < 256 { ne as u8 } else { 0 });
            }
            (data, _) if data.len() <= PIECE => {
                self.command.extend_from_slice(&apdu[..4]);
                self.command.push(data.len() as u8);
                self.command.extend_from_slice(data);
            }
            _ => self.envelope(0),
        }
        Ok(())
    }

    /// The TPDU to send now.
    pub fn command(&self) -> &[u8] {
        &self.command
    }

    /// The response APDU.
    pub fn response(&self) -> &[u8] {
        &self.response
    }

    /// Takes the reply to [`Transport::command`]: data and SW1 SW2.
    ///
    /// # Errors
    /// [`T0Error::Endless`].
    pub fn replied(&mut self, reply: &[u8]) -> Result<Progress, T0Error> {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return Err(T0Error::Endless { steps: self.steps });
        }
        // A TPDU's reply ends with a status word.
        let [data @ .., sw1, sw2] = reply else { return Ok(Progress::Done) };
        if self.mapping == Mapping::Tpdu {
            self.response.extend_from_slice(reply);
            return Ok(Progress::Done);
        }
        match (self.stage, sw1, sw2) {
            (Stage::Envelope { end }, 0x90, 0x00) if end <= self.apdu.len() && data.is_empty() => {
                self.envelope(end);
                return Ok(Progress::Send);
            }
            (Stage::Command | Stage::GetResponse, 0x6C, &right) if data.is_empty() && self.command.len() == 5 => {
                self.command[4] = right;
                return Ok(Progress::Send);
            }
            _ => {}
        }
        let room = self.expected.saturating_sub(self.response.len());
        self.response.extend_from_slice(&data[..data.len().min(room)]);
        let room = room.saturating_sub(data.len());
        if *sw1 == 0x61 && room > 0 {
            self.get_response(room, *sw2);
            return Ok(Progress::Send);
        }
        // What was announced and is not wanted was announced for nothing: the response is whole.
        let whole = *sw1 == 0x61 && self.expected > 0;
        let status = if whole { [0x90, 0x00] } else { [*sw1, *sw2] };
        self.response.extend_from_slice(&status);
        Ok(Progress::Done)
    }

    /// GET RESPONSE for as much as is there and wanted.
    fn get_response(&mut self, room: usize, available: u8) {
        let available = if available == 0 { 256 } else { usize::from(available) };
        let length = available.min(room);
        self.stage = Stage::GetResponse;
        self.command.clear();
        self.command.extend([self.apdu[0], INS_GET_RESPONSE, 0, 0, if length < 256 { length as u8 } else { 0 }]);
    }

    /// ENVELOPE with the piece of the APDU that begins at `start`; behind its end an empty one, which ends it.
    ///
    /// Source: ISO/IEC 7816-4, ENVELOPE: with T=0 an empty data field means the end of the data string.
    fn envelope(&mut self, start: usize) {
        let piece = &self.apdu[start..self.apdu.len().min(start + PIECE)];
        let end = if piece.is_empty() { usize::MAX } else { start + piece.len() };
        self.stage = Stage::Envelope { end };
        self.command.clear();
        self.command.extend([self.apdu[0], INS_ENVELOPE, 0, 0]);
        if !piece.is_empty() {
            self.command.push(piece.len() as u8);
            self.command.extend_from_slice(piece);
        }
    }
}
