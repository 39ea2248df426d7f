//! A card behind a bad line.

use super::{Contacts, Reset, Signal, pps};
use crate::random::SplitMix64;

/// What the line does to what passes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Faults {
    /// Which faults: the same seed gives the same ones.
    pub seed: u64,
    /// How many of 256 turns get a fault, at most. A turn is what the reader sends with what the card sends back.
    pub rate: u8,
    /// How many turns after a faulty one are sound. Two are enough for a T=1 reader to recover within its repetitions.
    pub spare: u32,
    /// Characters are repeated at once when their parity is wrong, as in T=0; the others are faults that T=1 recovers
    /// from.
    pub characters_are_repeated: bool,
}

/// Wraps a card and spoils what is sent either way. A reset and PPS pass unharmed.
pub struct Lossy<C> {
    card: C,
    faults: Faults,
    random: SplitMix64,
    sound_turns: u32,
    sent: Signal,
    /// How many turns were spoiled.
    spoiled: u32,
}

impl<C: Contacts> Lossy<C> {
    /// Puts `card` behind the line.
    pub fn new(card: C, faults: Faults) -> Lossy<C> {
        let random = SplitMix64 { state: faults.seed };
        Lossy { card, faults, random, sound_turns: 0, sent: Signal::new(), spoiled: 0 }
    }

    /// How many turns got a fault so far.
    pub fn spoiled(&self) -> u32 {
        self.spoiled
    }

    /// The card behind the line.
    pub fn card(&self) -> &C {
        &self.card
    }

    /// Whether this turn gets a fault.
    fn strikes(&mut self) -> bool {
        if self.sound_turns > 0 {
            self.sound_turns -= 1;
            return false;
        }
        let strikes = self.random.below(256) < self.faults.rate.into();
        if strikes {
            self.sound_turns = self.faults.spare;
            self.spoiled += 1;
        }
        strikes
    }

    fn spoil(&mut self, signal: &mut Signal) {
        if signal.is_silent() {
            return;
        }
        if self.faults.characters_are_repeated {
            return self.repeat_characters(signal);
        }
        let at = self.random.below(signal.bytes().len());
        match self.random.below(4) {
            0 => signal.bytes_mut()[at] ^= 1 << self.random.below(8),
            1 => signal.spoil_parity(at),
            2 => signal.truncate(at),
            _ => signal.clear(),
        }
    }

    /// Some character arrives wrong up to three times before it arrives right.
    fn repeat_characters(&mut self, signal: &mut Signal) {
        let at = self.random.below(signal.bytes().len());
        let times = 1 + self.random.below(3);
        let mut spoiled = Signal::new();
        for (place, &byte) in signal.bytes().iter().enumerate() {
            spoiled.pause(signal.pause_before(place));
            if place == at {
                (0..times).for_each(|_| spoiled.push_wrong(byte ^ 1));
            }
            if signal.has_wrong_parity(place) {
                spoiled.push_wrong(byte);
            } else {
                spoiled.push(byte);
            }
        }
        *signal = spoiled;
    }
}

impl<C: Contacts> Contacts for Lossy<C> {
    fn reset(&mut self, reset: Reset, clock_khz: u32, line: &mut Signal) {
        self.card.reset(reset, clock_khz, line);
    }

    fn power_down(&mut self) {
        self.card.power_down();
    }

    fn receive(&mut self, sent: &Signal, line: &mut Signal) {
        if sent.bytes().first() == Some(&pps::PPSS) || !self.strikes() {
            return self.card.receive(sent, line);
        }
        let which = self.random.below(2);
        let mut arrives = std::mem::take(&mut self.sent);
        arrives.clear();
        arrives.append(sent);
        if which == 0 {
            self.spoil(&mut arrives);
        }
        if !arrives.is_silent() {
            self.card.receive(&arrives, line);
        }
        self.sent = arrives;
        if which == 1 {
            self.spoil(line);
        }
    }
}
