//! A card that answers what a script says, with delays and faults.
//!
//! ```toml
//! atr = "3B 80 01 81"
//! otherwise = "6D 00"             # the answer to what nothing matches; the default is 6D00
//!
//! [[reset]]                       # what the first, second, ... reset does; the last one stays
//! after_ms = 20                   # and atr = "..." for another answer, fault = "..."
//!
//! [[exchange]]
//! command = "00 A4 04 00 ?? *"    # bytes; ?? is any byte, * anything that follows, 'text' is ASCII
//! response = "6F 00 90 00"
//! after_ms = 3000                 # how long the card works on it, in virtual time; up to an hour
//! fault = "bad-checksum"          # or "mute", "wrong-parity", "short"
//! fault_times = 1                 # how often; the default is once, and the protocol may recover
//! times = 2                       # how often this exchange takes place; the default is always
//! ```
//!
//! The first exchange that matches and is not used up answers.

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;
use vbus_wdm::Ticks;

use super::document::{self, BYTES_HELP, DescriptionError};
use super::store::{self, StoreError};
use super::{Card, Delivery, Fault, FaultKind, Reset};

/// An hour: more than anybody waits for, and little enough for T=0 to count NULL bytes.
const AFTER_MS_MAX: u32 = 3_600_000;
/// The longest response APDU.
const RESPONSE_MAX: usize = 65_536 + 2;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptTable {
    atr: Spanned<String>,
    otherwise: Option<Spanned<String>>,
    #[serde(default)]
    reset: Vec<ResetTable>,
    #[serde(default)]
    exchange: Vec<ExchangeTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResetTable {
    atr: Option<Spanned<String>>,
    after_ms: Option<Spanned<u32>>,
    fault: Option<FaultName>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExchangeTable {
    command: Spanned<String>,
    response: Spanned<String>,
    after_ms: Option<Spanned<u32>>,
    fault: Option<FaultName>,
    fault_times: Option<u32>,
    times: Option<u32>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FaultName {
    Mute,
    BadChecksum,
    WrongParity,
    Short,
}

impl FaultName {
    fn kind(self) -> FaultKind {
        match self {
            FaultName::Mute => FaultKind::Mute,
            FaultName::BadChecksum => FaultKind::BadChecksum,
            FaultName::WrongParity => FaultKind::WrongParity,
            FaultName::Short => FaultKind::Short,
        }
    }
}

/// What a command has to look like.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Pattern {
    /// `None` is any byte.
    bytes: Vec<Option<u8>>,
    /// Anything may follow.
    open: bool,
}

impl Pattern {
    fn matches(&self, command: &[u8]) -> bool {
        let enough = command.len() == self.bytes.len() || (self.open && command.len() > self.bytes.len());
        enough && self.bytes.iter().zip(command).all(|(wanted, byte)| wanted.is_none_or(|wanted| wanted == *byte))
    }

    /// Whether it is for commands with this header that have data.
    fn has_data(&self, header: [u8; 4]) -> bool {
        let fits = self.bytes.iter().zip(header).all(|(wanted, byte)| wanted.is_none_or(|wanted| wanted == byte));
        fits && self.bytes.len() > 5
    }
}

#[derive(Clone, Debug)]
struct Exchange {
    pattern: Pattern,
    response: Vec<u8>,
    delivery: Delivery,
    /// How often it may still take place; `None` is always.
    left: Option<u32>,
}

#[derive(Clone, Debug)]
struct ResetAnswer {
    atr: Vec<u8>,
    delivery: Delivery,
}

/// A card that answers what a script says.
#[derive(Clone, Debug)]
pub struct ScriptedCard {
    resets: Vec<ResetAnswer>,
    resets_done: usize,
    exchanges: Vec<Exchange>,
    otherwise: Vec<u8>,
    powered: bool,
}

impl ScriptedCard {
    /// Reads a script.
    ///
    /// The ATR and the answers may be anything: what a reader makes of nonsense is what scripts are for.
    ///
    /// # Errors
    /// [`DescriptionError`] for what is no TOML, or has another form.
    pub fn parse(text: &str) -> Result<ScriptedCard, DescriptionError> {
        let table: ScriptTable = document::parse(text)?;
        let checker = Checker { text };
        let atr = checker.bytes(&table.atr)?;
        let mut resets = Vec::new();
        for reset in &table.reset {
            let atr = reset.atr.as_ref().map_or(Ok(atr.clone()), |atr| checker.bytes(atr))?;
            resets.push(ResetAnswer { atr, delivery: checker.delivery(&reset.after_ms, reset.fault, None)? });
        }
        if resets.is_empty() {
            resets.push(ResetAnswer { atr, delivery: Delivery::default() });
        }
        let exchanges = table.exchange.iter().map(|exchange| {
            Ok(Exchange {
                pattern: checker.pattern(&exchange.command)?,
                response: checker.bytes(&exchange.response)?,
                delivery: checker.delivery(&exchange.after_ms, exchange.fault, exchange.fault_times)?,
                left: exchange.times,
            })
        });
        Ok(ScriptedCard {
            resets,
            resets_done: 0,
            exchanges: exchanges.collect::<Result<_, DescriptionError>>()?,
            otherwise: table.otherwise.as_ref().map_or(Ok(vec![0x6D, 0x00]), |text| checker.bytes(text))?,
            powered: false,
        })
    }

    /// Reads a script from a file.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn read(path: &Path) -> Result<ScriptedCard, StoreError> {
        let text = store::read(path)?.ok_or_else(|| store::not_found(path))?;
        ScriptedCard::parse(&text).map_err(|error| StoreError::Profile(error.in_file(path)))
    }
}

struct Checker<'a> {
    text: &'a str,
}

impl Checker<'_> {
    fn bytes(&self, text: &Spanned<String>) -> Result<Vec<u8>, DescriptionError> {
        let bytes = document::bytes(text.get_ref(), 0)
            .map_err(|error| DescriptionError::at(self.text, text.span(), error.to_string()).help(BYTES_HELP))?;
        if bytes.len() > RESPONSE_MAX {
            let message = format!("{} bytes; a response has at most {RESPONSE_MAX}", bytes.len());
            return Err(DescriptionError::at(self.text, text.span(), message));
        }
        Ok(bytes)
    }

    /// Bytes with `??` for any of them, and `*` at the end for anything.
    fn pattern(&self, text: &Spanned<String>) -> Result<Pattern, DescriptionError> {
        let error = |message: String| {
            let help = "a command is bytes, with ?? for any of them and * at the end for whatever follows";
            DescriptionError::at(self.text, text.span(), message).help(help)
        };
        let trimmed = text.get_ref().trim_end();
        let (fixed, open) = trimmed.strip_suffix('*').map_or((trimmed, false), |fixed| (fixed, true));
        let mut bytes = Vec::new();
        // Wildcards stand between stretches of bytes, and a text may contain question marks.
        let mut rest = fixed;
        while !rest.is_empty() {
            let quoted = |at: usize| !rest[..at].matches('\'').count().is_multiple_of(2);
            let wildcard = rest.match_indices("??").map(|(at, _)| at).find(|&at| !quoted(at));
            let (stretch, after) = wildcard.map_or((rest, ""), |at| (&rest[..at], &rest[at + 2..]));
            let known = document::bytes(stretch, 0).map_err(|wrong| error(wrong.to_string()))?;
            bytes.extend(known.into_iter().map(Some));
            bytes.extend(wildcard.map(|_| None));
            rest = after;
        }
        Ok(Pattern { bytes, open })
    }

    fn delivery(
        &self,
        after_ms: &Option<Spanned<u32>>,
        fault: Option<FaultName>,
        times: Option<u32>,
    ) -> Result<Delivery, DescriptionError> {
        let after = match after_ms {
            Some(after) if *after.get_ref() > AFTER_MS_MAX => {
                let message = format!("{} ms; a card works for at most an hour, {AFTER_MS_MAX} ms", after.get_ref());
                return Err(DescriptionError::at(self.text, after.span(), message));
            }
            Some(after) => Ticks::from_millis((*after.get_ref()).into()),
            None => Ticks(0),
        };
        let fault = fault.map(|name| Fault { kind: name.kind(), times: times.unwrap_or(1) });
        Ok(Delivery { after, fault })
    }
}

impl Card for ScriptedCard {
    fn reset(&mut self, reset: Reset, atr: &mut Vec<u8>) -> Delivery {
        atr.clear();
        self.powered |= reset == Reset::Cold;
        if !self.powered {
            return Delivery::default();
        }
        // There is at least one.
        let answer = &self.resets[self.resets_done.min(self.resets.len() - 1)];
        self.resets_done += 1;
        atr.extend_from_slice(&answer.atr);
        answer.delivery
    }

    fn power_down(&mut self) {
        self.powered = false;
    }

    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> Delivery {
        response.clear();
        if !self.powered {
            return Delivery::default();
        }
        let fits = |exchange: &&mut Exchange| exchange.left != Some(0) && exchange.pattern.matches(command);
        match self.exchanges.iter_mut().find(fits) {
            Some(exchange) => {
                exchange.left = exchange.left.map(|left| left - 1);
                response.extend_from_slice(&exchange.response);
                exchange.delivery
            }
            None => {
                response.extend_from_slice(&self.otherwise);
                Delivery::default()
            }
        }
    }

    fn takes_data(&self, header: [u8; 4]) -> bool {
        self.exchanges.iter().any(|exchange| exchange.pattern.has_data(header)) || crate::apdu::takes_data(header[1])
    }
}
