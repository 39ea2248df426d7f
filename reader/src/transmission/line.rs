//! The reader's side of the I/O line: it sends, hears the card's reaction and measures the silences in it.

use vbus_wdm::Ticks;

use super::recording::{Direction, Recording};
use super::t1::Incoming;
use super::{Contacts, Reset, Signal};
use crate::atr::Timing;

/// What passes on the line in virtual time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LineTiming {
    /// Characters take none; only the card's own pauses do, and the waiting times for which a silence lasts.
    #[default]
    PausesOnly,
    /// Every character takes its guard time.
    Characters,
}

/// The line to one card.
#[derive(Clone, Debug)]
pub struct Line {
    /// The times in force.
    pub timing: Timing,
    charged: LineTiming,
    sent: Signal,
    heard: Signal,
    recording: Option<Recording>,
}

/// What was heard, and how long it took.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heard<T> {
    /// What it was.
    pub what: T,
    /// Virtual time from the reader's last character on.
    pub elapsed: Ticks,
}

impl Line {
    /// A line with the times of a reset.
    pub fn new(clock_khz: u32, charged: LineTiming) -> Line {
        Line {
            timing: Timing::at_reset(clock_khz),
            charged,
            sent: Signal::new(),
            heard: Signal::new(),
            recording: None,
        }
    }

    /// From now on everything on the line is written down.
    pub fn record(&mut self) {
        self.recording.get_or_insert_default();
    }

    /// What was written down since the last time.
    pub fn take_recording(&mut self) -> Recording {
        self.recording.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Resets the card. Its answer is then what is heard.
    pub fn reset(&mut self, card: &mut dyn Contacts, reset: Reset) {
        self.timing = Timing::at_reset(self.timing.rate.clock_khz);
        self.heard.clear();
        card.reset(reset, self.timing.rate.clock_khz, &mut self.heard);
        if let Some(recording) = &mut self.recording {
            recording.reset(reset);
            recording.push(Direction::FromCard, &self.heard);
        }
    }

    /// Sends characters. The card's reaction is then what is heard.
    pub fn send(&mut self, card: &mut dyn Contacts, bytes: &[u8]) {
        self.sent.clear();
        self.sent.extend(bytes);
        self.heard.clear();
        card.receive(&self.sent, &mut self.heard);
        if let Some(recording) = &mut self.recording {
            recording.push(Direction::ToCard, &self.sent);
            recording.push(Direction::FromCard, &self.heard);
        }
    }

    /// What was heard.
    pub fn heard(&self) -> &Signal {
        &self.heard
    }

    /// How long the reader was sending.
    fn sending_time(&self) -> Ticks {
        self.pace(self.sent.bytes().len())
    }

    /// How long `count` characters take.
    fn pace(&self, count: usize) -> Ticks {
        match self.charged {
            LineTiming::PausesOnly => Ticks(0),
            LineTiming::Characters => Ticks(self.timing.guard.0.saturating_mul(count as u64)),
        }
    }

    /// Hears one T=1 block: its first character within `multiplier` block waiting times, each further one within the
    /// character waiting time.
    ///
    /// Source: ISO/IEC 7816-3, T=1: a silence longer than CWT ends a block.
    pub fn hear_block(&self, multiplier: u8) -> Heard<Incoming<'_>> {
        let first = Ticks(self.timing.block_waiting.0.saturating_mul(multiplier.into()));
        let (length, mut waited) = self.hear_until(first, self.timing.character_waiting);
        // What is missing at the end is waited for.
        if length > 0 && length == self.heard.bytes().len() && !self.is_whole_block() {
            waited.0 = waited.0.saturating_add(self.timing.character_waiting.0);
        }
        let elapsed = Ticks(self.sending_time().0.saturating_add(waited.0));
        let what = match length {
            0 => Incoming::Silence,
            _ if (0..length).any(|at| self.heard.has_wrong_parity(at)) => Incoming::WrongParity,
            _ => Incoming::Characters(&self.heard.bytes()[..length]),
        };
        Heard { what, elapsed }
    }

    /// Whether there are as many characters as LEN announces.
    fn is_whole_block(&self) -> bool {
        let bytes = self.heard.bytes();
        bytes.get(2).is_some_and(|&len| bytes.len() >= 3 + usize::from(len) + self.timing.edc.size())
    }

    /// Hears characters, each within `wait`, and returns them: an ATR, a PPS answer, or whatever comes.
    pub fn hear_characters(&self, wait: Ticks) -> Heard<&[u8]> {
        let (length, waited) = self.hear_until(wait, wait);
        let elapsed = Ticks(self.sending_time().0.saturating_add(waited.0));
        Heard { what: &self.heard.bytes()[..length], elapsed }
    }

    /// How many characters come before a silence that is too long, and the time until the last of them; for none at all
    /// the time that was waited.
    fn hear_until(&self, first: Ticks, further: Ticks) -> (usize, Ticks) {
        let mut elapsed = 0u64;
        let count = self.heard.bytes().len();
        let mut heard = count;
        if count == 0 || self.heard.pause_before(0) > first {
            return (0, first);
        }
        for &(at, pause) in self.heard.pauses() {
            if at > 0 && pause > further {
                heard = at;
                elapsed = elapsed.saturating_add(further.0);
                break;
            }
            elapsed = elapsed.saturating_add(pause.0);
        }
        (heard, Ticks(elapsed.saturating_add(self.pace(heard).0)))
    }

    /// Hears single characters from place `at` on, as T=0 does.
    pub(super) fn listen(&self) -> Listener<'_> {
        Listener { line: self, at: 0, elapsed: self.sending_time() }
    }
}

/// Hears one character after the other.
pub(super) struct Listener<'a> {
    line: &'a Line,
    at: usize,
    pub(super) elapsed: Ticks,
}

/// What a listener hears.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sound {
    /// A character.
    Character(u8),
    /// One whose parity is wrong.
    WrongParity,
    /// Nothing within the work waiting time.
    Silence,
}

impl Listener<'_> {
    /// The next character, for which the reader waits.
    pub(super) fn next(&mut self) -> Sound {
        let heard = &self.line.heard;
        let wait = self.line.timing.work_waiting;
        let Some(&byte) = heard.bytes().get(self.at) else {
            self.pass(wait);
            return Sound::Silence;
        };
        let pause = heard.pause_before(self.at);
        if pause > wait {
            self.pass(wait);
            return Sound::Silence;
        }
        self.pass(pause);
        self.pass(self.line.pace(1));
        self.at += 1;
        if heard.has_wrong_parity(self.at - 1) { Sound::WrongParity } else { Sound::Character(byte) }
    }

    /// How many characters were not heard yet.
    pub(super) fn left(&self) -> usize {
        self.line.heard.bytes().len() - self.at
    }

    fn pass(&mut self, span: Ticks) {
        self.elapsed = Ticks(self.elapsed.0.saturating_add(span.0));
    }
}
