//! What one side puts on the I/O line while the other listens: characters, the silences between them, and wrong parities.

use smallvec::SmallVec;
use vbus_wdm::Ticks;

/// A stretch of characters in one direction. It is kept and filled again, so that a steady state allocates nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signal {
    bytes: Vec<u8>,
    /// Silences that are longer than the line's pace, each in front of the character at that place.
    pauses: SmallVec<[(usize, Ticks); 4]>,
    /// Characters whose parity is wrong when they arrive.
    wrong_parity: SmallVec<[usize; 4]>,
}

impl Signal {
    /// Silence.
    pub fn new() -> Signal {
        Signal::default()
    }

    /// Makes it silence again.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.pauses.clear();
        self.wrong_parity.clear();
    }

    /// Lets `span` pass in front of the next character, besides what was there already.
    pub fn pause(&mut self, span: Ticks) {
        if span == Ticks(0) {
            return;
        }
        match self.pauses.last_mut().filter(|(at, _)| *at == self.bytes.len()) {
            Some((_, before)) => before.0 = before.0.saturating_add(span.0),
            None => self.pauses.push((self.bytes.len(), span)),
        }
    }

    /// One character.
    pub fn push(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// One character that arrives with a wrong parity.
    pub fn push_wrong(&mut self, byte: u8) {
        self.wrong_parity.push(self.bytes.len());
        self.bytes.push(byte);
    }

    /// Characters.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Everything of another signal, after what is here.
    pub fn append(&mut self, other: &Signal) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.pauses.extend(other.pauses.iter().map(|&(at, span)| (at + start, span)));
        self.wrong_parity.extend(other.wrong_parity.iter().map(|at| at + start));
    }

    /// Only the first `length` characters stay.
    pub fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
        self.pauses.retain(|(at, _)| *at < length);
        self.wrong_parity.retain(|at| *at < length);
    }

    /// The characters' values.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The characters' values, to spoil them.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Whether nothing is sent.
    pub fn is_silent(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The silence in front of a character.
    pub fn pause_before(&self, at: usize) -> Ticks {
        self.pauses.iter().find(|(place, _)| *place == at).map_or(Ticks(0), |&(_, span)| span)
    }

    /// Every silence with the place of the character it is in front of.
    pub fn pauses(&self) -> &[(usize, Ticks)] {
        &self.pauses
    }

    /// Whether a character arrives with a wrong parity.
    pub fn has_wrong_parity(&self, at: usize) -> bool {
        self.wrong_parity.contains(&at)
    }

    /// Whether any does.
    pub fn any_wrong_parity(&self) -> bool {
        !self.wrong_parity.is_empty()
    }

    /// Makes a character arrive with a wrong parity.
    pub fn spoil_parity(&mut self, at: usize) {
        if at < self.bytes.len() && !self.has_wrong_parity(at) {
            self.wrong_parity.push(at);
        }
    }
}
