//! A card that takes APDUs, given contacts: its ATR, PPS, T=0 and T=1 are real.

use vbus_wdm::Ticks;

use super::t1::{self, Incoming};
use super::{Contacts, Reset, Signal, pps, t0};
use crate::atr::{Atr, Parameters, Rate, Timing};
use crate::card::{Card, Delivery, Fault, FaultKind};

/// What the card does with what it hears.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// It has no power, or no protocol that it could speak.
    Deaf,
    /// PPS may come; anything else is the default protocol.
    Negotiable,
    T0,
    T1,
}

/// A [`Card`] with contacts.
pub struct ContactCard<C> {
    card: C,
    phase: Phase,
    atr: Vec<u8>,
    parameters: Parameters,
    /// What PPS may choose from, as bits, and what is in force without it.
    offered: u16,
    default_protocol: u8,
    clock_khz: u32,
    timing: Timing,
    t0: t0::Chip,
    t0_style: t0::Style,
    t1: t1::Chip,
    response: Vec<u8>,
    /// How long the card still works on the command, and how long the reader was asked to wait.
    owed: Ticks,
    granted: Ticks,
    fault: Option<Fault>,
}

impl<C: Card> ContactCard<C> {
    /// Gives a card contacts.
    pub fn new(card: C) -> ContactCard<C> {
        let parameters = Parameters::default();
        ContactCard {
            card,
            phase: Phase::Deaf,
            atr: Vec::new(),
            parameters,
            offered: 1,
            default_protocol: 0,
            clock_khz: crate::atr::CLOCK_DEFAULT_KHZ,
            timing: Timing::at_reset(crate::atr::CLOCK_DEFAULT_KHZ),
            t0: t0::Chip::default(),
            t0_style: t0::Style::default(),
            t1: t1::Chip::new(parameters.edc, parameters.ifsc),
            response: Vec::new(),
            owed: Ticks(0),
            granted: Ticks(0),
            fault: None,
        }
    }

    /// How it speaks T=0.
    pub fn t0_style(mut self, style: t0::Style) -> ContactCard<C> {
        self.t0_style = style;
        self
    }

    /// The card behind the contacts.
    pub fn card(&self) -> &C {
        &self.card
    }

    /// The protocol and the rate that are in force from now on.
    fn enter(&mut self, protocol: u8, rate: Rate) {
        self.timing = Timing::new(&self.parameters, protocol, rate);
        self.phase = match protocol {
            0 => Phase::T0,
            1 => Phase::T1,
            _ => Phase::Deaf,
        };
        self.t0.reset(self.t0_style);
        self.t1.reset(self.parameters.edc, self.parameters.ifsc);
    }

    /// The first characters after an ATR without TA2: PPS, or the default protocol.
    fn receive_first(&mut self, sent: &Signal, line: &mut Signal) {
        let bytes = sent.bytes();
        if bytes.first() == Some(&pps::PPSS) {
            let offered = self.offered;
            if let Ok((message, agreed)) = pps::answer(bytes, self.parameters.fi_di, |t| offered >> t & 1 == 1)
                && !sent.any_wrong_parity()
            {
                // Only a rate that is defined is agreed on.
                let rate = Rate::of(agreed.fi_di, self.clock_khz).unwrap_or(Rate::at_reset(self.clock_khz));
                line.extend(message.as_bytes());
                self.enter(agreed.protocol, rate);
            }
            return;
        }
        self.enter(self.default_protocol, Rate::at_reset(self.clock_khz));
        self.receive(sent, line);
    }

    fn receive_t0(&mut self, sent: &Signal, line: &mut Signal) {
        for (at, &byte) in sent.bytes().iter().enumerate() {
            // The card signals the error, and the character comes again.
            if sent.has_wrong_parity(at) {
                continue;
            }
            let card = &self.card;
            match self.t0.received(byte, |header| card.takes_data(header)) {
                t0::Act::Listen => {}
                t0::Act::Send => line.extend(self.t0.output()),
                t0::Act::Execute => {
                    let Delivery { after, fault } = self.card.transmit(self.t0.apdu(), &mut self.response);
                    self.t0.answer(&self.response);
                    self.fault = fault;
                    let wait = self.send_nulls(after, line);
                    line.pause(wait);
                    self.put(line, t0::Chip::output);
                }
            }
        }
    }

    /// NULL bytes for as long as the command takes longer than the reader waits. Returns what is left.
    fn send_nulls(&self, after: Ticks, line: &mut Signal) -> Ticks {
        /// An end for a delay that nobody would wait for.
        const NULLS_MAX: u64 = 100_000;
        let waiting = self.timing.work_waiting.0.max(1);
        let nulls = (after.0.saturating_sub(1) / waiting).min(NULLS_MAX);
        for _ in 0..nulls {
            line.pause(Ticks(waiting));
            line.push(0x60);
        }
        Ticks((after.0 - nulls * waiting).min(waiting))
    }

    fn receive_t1(&mut self, sent: &Signal, line: &mut Signal) {
        let incoming = match sent {
            _ if sent.is_silent() => Incoming::Silence,
            _ if sent.any_wrong_parity() => Incoming::WrongParity,
            _ => Incoming::Characters(sent.bytes()),
        };
        match self.t1.received(incoming) {
            t1::Act::Listen => {}
            t1::Act::Send => self.send_block(Ticks(0), line),
            t1::Act::Execute => {
                let Delivery { after, fault } = self.card.transmit(self.t1.command(), &mut self.response);
                self.fault = fault;
                self.owed = after;
                self.granted = self.timing.block_waiting;
                self.go_on(Ticks(0), line);
            }
            t1::Act::GoOn => {
                let worked = Ticks(self.owed.0.min(self.granted.0));
                self.owed = Ticks(self.owed.0 - worked.0);
                self.granted = Ticks(0);
                self.go_on(worked, line);
            }
        }
    }

    /// Answers, or asks for more time. `worked` is how long it took to get here.
    fn go_on(&mut self, worked: Ticks, line: &mut Signal) {
        if self.owed > self.granted {
            let waiting = self.timing.block_waiting.0.max(1);
            let multiplier = self.owed.0.div_ceil(waiting).min(255);
            self.granted = Ticks(waiting.saturating_mul(multiplier));
            self.t1.extend(multiplier as u8);
            let fault = self.fault.take();
            self.send_block(worked, line);
            self.fault = fault;
        } else if !self.response.is_empty() {
            let wait = Ticks(worked.0 + self.owed.0);
            self.owed = Ticks(0);
            self.t1.answer(&self.response);
            self.send_block(wait, line);
        }
    }

    fn send_block(&mut self, after: Ticks, line: &mut Signal) {
        line.pause(after);
        let fault = take_fault(&mut self.fault);
        send(self.t1.block(), fault, line);
    }

    fn put(&mut self, line: &mut Signal, output: fn(&t0::Chip) -> &[u8]) {
        // There is no check byte in T=0: the parity is what can be wrong.
        let fault = match self.fault {
            Some(Fault { kind: FaultKind::BadChecksum | FaultKind::WrongParity, times }) => {
                if let Some(&first) = output(&self.t0).first() {
                    (0..times.min(100)).for_each(|_| line.push_wrong(first));
                }
                None
            }
            fault => fault.map(|fault| fault.kind),
        };
        self.fault = None;
        send(output(&self.t0), fault, line);
    }
}

/// The fault for what is sent now, if it has not struck often enough.
fn take_fault(fault: &mut Option<Fault>) -> Option<FaultKind> {
    let Fault { kind, times } = fault.as_mut()?;
    let now = *kind;
    *times = times.saturating_sub(1);
    if *times == 0 {
        *fault = None;
    }
    Some(now)
}

/// Puts characters on the line, with a fault.
fn send(bytes: &[u8], fault: Option<FaultKind>, line: &mut Signal) {
    let start = line.bytes().len();
    match fault {
        Some(FaultKind::Mute) => return,
        Some(FaultKind::Short) => line.extend(&bytes[..bytes.len() / 2]),
        _ => line.extend(bytes),
    }
    let end = line.bytes().len();
    match fault {
        Some(FaultKind::BadChecksum) if end > start => line.bytes_mut()[end - 1] ^= 0xFF,
        Some(FaultKind::WrongParity) => line.spoil_parity(start),
        _ => {}
    }
}

impl<C: Card> Contacts for ContactCard<C> {
    fn reset(&mut self, reset: Reset, clock_khz: u32, line: &mut Signal) {
        self.phase = Phase::Deaf;
        self.clock_khz = clock_khz;
        self.atr.clear();
        let Delivery { after, fault } = self.card.reset(reset, &mut self.atr);
        self.fault = None;
        line.pause(after);
        send(&self.atr, fault.map(|fault| fault.kind), line);
        let Ok(atr) = Atr::parse(&self.atr) else { return };
        let Ok(parameters) = atr.parameters() else { return };
        self.parameters = parameters;
        self.offered = atr.protocols().fold(0, |bits, t| bits | 1 << t);
        self.default_protocol = atr.default_protocol();
        if atr.is_negotiable() {
            self.phase = Phase::Negotiable;
        } else {
            self.enter(self.default_protocol, parameters.initial_rate(clock_khz));
        }
    }

    fn power_down(&mut self) {
        self.phase = Phase::Deaf;
        self.card.power_down();
    }

    fn receive(&mut self, sent: &Signal, line: &mut Signal) {
        match self.phase {
            Phase::Deaf => {}
            Phase::Negotiable => self.receive_first(sent, line),
            Phase::T0 => self.receive_t0(sent, line),
            Phase::T1 => self.receive_t1(sent, line),
        }
    }
}
