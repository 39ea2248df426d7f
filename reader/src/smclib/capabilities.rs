//! `SmartcardUpdateCardCapabilities`: from an ATR to what everybody needs to know of the card.

use vbus_wdm::constants::*;
use vbus_wdm::{Machine, NtStatus, Ticks};

use super::{
    CardCapabilities, PROTOCOL_T0, PROTOCOL_T1, PROTOCOL_UNDEFINED, Performance, PtsData, PtsType, ReaderState,
    Smartcard, SmartcardExtension,
};
use crate::atr::{Atr, Mode, Parameters, Rate, Timing};

/// FI and DI of F = 372, D = 1.
const FI_DI_DEFAULT: u8 = 0x11;

impl Smartcard {
    /// `SmartcardInitializeCardCapabilities`: the card part as if there never was a card.
    pub fn initialize_card_capabilities(self, m: &mut Machine) {
        let capabilities = &mut self.extension(m).card_capabilities;
        let (mut atr, mut historical_chars) =
            (std::mem::take(&mut capabilities.atr), std::mem::take(&mut capabilities.historical_chars));
        atr.clear();
        historical_chars.clear();
        *capabilities = CardCapabilities { atr, historical_chars, ..CardCapabilities::default() };
    }

    /// `SmartcardUpdateCardCapabilities`: reads the ATR that the driver put into the card capabilities, fills in the rest
    /// and goes on to NEGOTIABLE, or to SPECIFIC where the card leaves nothing to negotiate.
    ///
    /// A driver whose optimal PTS failed sets `pts_data.kind` to default and calls this again.
    ///
    /// # Errors
    /// STATUS_UNRECOGNIZED_MEDIA for an ATR that is malformed or reserves what it says; a driver's ATR_PARSE callback gets
    /// a chance first.
    ///
    /// Source: Windows driver documentation, SmartcardUpdateCardCapabilities (WDM), PTS_DATA. That the state is changed
    /// here is inferred from pscrcb.c, which tests for SCARD_SPECIFIC and never sets SCARD_NEGOTIABLE.
    pub fn update_card_capabilities(self, m: &mut Machine) -> Result<(), NtStatus> {
        let extension = self.extension(m);
        let parsed = Atr::parse(&extension.card_capabilities.atr).ok();
        match parsed.and_then(|atr| Some((atr, atr.parameters().ok()?))) {
            Some((atr, parameters)) => {
                extension.take_atr(&atr, parameters);
                Ok(())
            }
            None => match extension.reader_functions.atr_parse {
                Some(parse) => parse(m, self).ok(),
                None => Err(STATUS_UNRECOGNIZED_MEDIA),
            },
        }
    }
}

impl SmartcardExtension {
    fn take_atr(&mut self, atr: &Atr, parameters: Parameters) {
        let clock_khz = self.reader_capabilities.clk_frequency.0;
        let kind = self.card_capabilities.pts_data.kind;
        let card = &mut self.card_capabilities;
        card.parameters = parameters;
        card.historical_chars.clear();
        card.historical_chars.extend_from_slice(atr.historical_bytes());
        let bit = |t: u8| match t {
            0 => PROTOCOL_T0,
            1 => PROTOCOL_T1,
            _ => PROTOCOL_UNDEFINED,
        };
        card.supported = match parameters.mode {
            Mode::Specific(specific) => bit(specific.protocol),
            Mode::Negotiable => atr.protocols().fold(0, |bits, t| bits | bit(t)),
        };
        let timing = Timing::new(&parameters, atr.default_protocol(), parameters.initial_rate(clock_khz));
        self.set_times(&timing);
        self.card_capabilities.pts_data = self.pts_data(&parameters, kind);
        self.t1.reset(parameters.edc, parameters.ifsc, None);
        let specific = matches!(parameters.mode, Mode::Specific(_)) && self.card_capabilities.supported != 0;
        self.card_capabilities.selected = if specific { self.card_capabilities.supported } else { PROTOCOL_UNDEFINED };
        self.reader_capabilities.current_state = if specific { ReaderState::Specific } else { ReaderState::Negotiable };
    }

    /// The times at the rate that is in force, in microseconds.
    pub(crate) fn set_times(&mut self, timing: &Timing) {
        let us = |ticks: Ticks| u32::try_from(ticks.0.div_ceil(10)).unwrap_or(u32::MAX);
        let card = &mut self.card_capabilities;
        card.etu = us(timing.rate.etu(1));
        card.gt = us(timing.guard);
        card.wt = us(timing.work_waiting);
        card.cwt = us(timing.character_waiting);
        card.bwt = us(timing.block_waiting);
        card.bgt = us(timing.block_guard);
    }

    /// What PPS is to propose: the card's rate if the reader can do it, else the default one.
    fn pts_data(&self, parameters: &Parameters, kind: PtsType) -> PtsData {
        let clock_khz = self.reader_capabilities.clk_frequency.0.min(parameters.clock_max_khz());
        let offered = parameters.offered_rate(clock_khz);
        let possible = offered.bits_per_second() <= self.reader_capabilities.data_rate.1;
        let (fi_di, rate) = match kind {
            PtsType::Optimal if possible => (parameters.fi_di, offered),
            _ => (FI_DI_DEFAULT, Rate::at_reset(clock_khz)),
        };
        PtsData { kind, fl: fi_di >> 4, dl: fi_di & 0x0F, clk_frequency: clock_khz, data_rate: rate.bits_per_second() }
    }

    /// The rate in force: once a protocol is selected the one of PTS_DATA, before that the ATR's.
    pub(super) fn current_rate(&self) -> Rate {
        let card = &self.card_capabilities;
        let clock_khz = self.reader_capabilities.clk_frequency.0;
        let negotiated = card.parameters.mode == Mode::Negotiable && card.selected != PROTOCOL_UNDEFINED;
        let rate = Rate::of(card.pts_data.fl << 4 | card.pts_data.dl, clock_khz).filter(|_| negotiated);
        rate.unwrap_or(card.parameters.initial_rate(clock_khz))
    }

    pub(super) fn performance(&self) -> Performance {
        self.os_data.as_ref().map_or(Performance::default(), |os_data| os_data.performance)
    }
}
