//! Readers and cards as the command line names them: a scenario's file, a card's file, or a few words.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;
use thiserror::Error;
use toml::Spanned;
use vbus_reader::card::{Description, StoreError};

use crate::scenario::bus::Bus;
use crate::scenario::card::{BuiltIn, Card, CardFile, Kept};
use crate::scenario::reader::Reader;
use crate::scenario::{Scenario, ScenarioError};

/// A reader as the command line names it: `[NUMBER=]CARD`; or a scenario's file, with all of its readers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReaderArgument {
    /// The number, if it says one.
    pub number: Option<u32>,
    /// What is in it.
    pub card: CardArgument,
}

/// What is in a reader.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CardArgument {
    /// `built-in`: the card that every reader has unless it is told otherwise.
    BuiltIn,
    /// `empty`: nothing.
    Empty,
    /// `unplugged`: there is no reader yet, only its name.
    Unplugged,
    /// `remote:PORT` or `remote:ADDRESS:PORT`: an emulator that connects there, as it would to vpcd.
    Remote(SocketAddr),
    /// A file with a card's profile or script, or with a scenario.
    File(PathBuf),
}

/// Why the command line names no reader.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ArgumentError {
    /// What is in front of `=` is no number.
    #[error("{0:?} is no reader's number: write NUMBER=CARD, or ./{0}=... if it is part of a file's name")]
    Number(String),
    /// What follows `remote:` is no address.
    #[error("{0:?} is neither a port nor an address with one, such as 35963 or 127.0.0.1:35963")]
    Address(String),
}

impl FromStr for ReaderArgument {
    type Err = ArgumentError;

    fn from_str(text: &str) -> Result<ReaderArgument, ArgumentError> {
        let (number, card) = match text.split_once('=') {
            Some((number, card)) if !number.contains('/') => {
                let number = number.parse().map_err(|_| ArgumentError::Number(number.to_owned()))?;
                (Some(number), card)
            }
            _ => (None, text),
        };
        let card = match card {
            "built-in" => CardArgument::BuiltIn,
            "empty" => CardArgument::Empty,
            "unplugged" => CardArgument::Unplugged,
            card => match card.strip_prefix("remote:") {
                Some(address) => CardArgument::Remote(socket_address(address)?),
                None => CardArgument::File(card.into()),
            },
        };
        Ok(ReaderArgument { number, card })
    }
}

/// A port of this machine, or an address.
fn socket_address(text: &str) -> Result<SocketAddr, ArgumentError> {
    let port = text.parse().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    port.or_else(|_| text.parse()).map_err(|_| ArgumentError::Address(text.to_owned()))
}

/// Why there are no such readers.
#[derive(Debug, Error)]
pub enum ReadersError {
    /// Two readers have one number.
    #[error("reader {0} is named twice: give one of them another number, as in {other}=CARD", other = .0 + 1)]
    Twice(u32),
    /// A card's file cannot be used.
    #[error("{0}")]
    Card(#[from] StoreError),
    /// A scenario's file cannot be used.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A scenario is everything there is.
    #[error("{}: a scenario has its own readers, so nothing else can be named beside it", .0.display())]
    ScenarioAmongOthers(PathBuf),
    /// Only one bus's readers can be served.
    #[error("{}: {buses} buses; a scenario whose readers are used from outside has one", path.display())]
    Buses {
        /// The scenario.
        path: PathBuf,
        /// How many it has.
        buses: usize,
    },
    /// An emulator's address is not this machine's alone.
    #[error(
        "{0} is not a loopback address: whoever reaches it could pose as the card, and hears every PIN; `vbus serve` takes it \
         with --allow-network"
    )]
    NotLoopback(SocketAddr),
    /// A path that TOML could not hold.
    #[error("{}: a path of a card has to be text", .0.display())]
    Path(PathBuf),
}

/// What tells a scenario from a card.
#[derive(Deserialize)]
struct ScenarioKeys {
    bus: Option<toml::Value>,
    step: Option<toml::Value>,
    include: Option<toml::Value>,
}

fn is_scenario(path: &Path) -> bool {
    // What cannot be read is reported by whoever reads it next.
    let keys = fs::read_to_string(path).ok().and_then(|text| toml::from_str::<ScenarioKeys>(&text).ok());
    keys.is_some_and(|keys| keys.bus.is_some() || keys.step.is_some() || keys.include.is_some())
}

/// The scenario that the command line means: its file, or a bus with these readers. Readers without a number get the first
/// ones that are free, from 1; cards keep what they change in `keep`, one file a reader. Emulators are waited for on this
/// machine alone, unless the network is allowed.
///
/// # Errors
/// [`ReadersError`].
pub fn scenario(
    arguments: &[ReaderArgument],
    keep: Option<&Path>,
    allow_network: bool,
) -> Result<Scenario, ReadersError> {
    for argument in arguments {
        if let CardArgument::File(path) = &argument.card
            && is_scenario(path)
        {
            return match (arguments.len(), argument.number) {
                (1, None) => of_one_bus(path),
                _ => Err(ReadersError::ScenarioAmongOthers(path.clone())),
            };
        }
    }
    let mut numbers: Vec<u32> = Vec::new();
    for number in arguments.iter().filter_map(|argument| argument.number) {
        if numbers.contains(&number) {
            return Err(ReadersError::Twice(number));
        }
        numbers.push(number);
    }
    let mut readers = Vec::new();
    for argument in arguments {
        let free = || (1..).find(|number| !numbers.contains(number)).unwrap_or(1);
        let number = argument.number.unwrap_or_else(free);
        if argument.number.is_none() {
            numbers.push(number);
        }
        let card = card(&argument.card, number, keep, allow_network)?;
        let plugged = argument.card != CardArgument::Unplugged;
        readers.push(Reader { plugged, card, ..Reader::new(number) });
    }
    // A request of the bus's has a location for its FDO and PDO, and the readers' stacks have four.
    let bus = Bus { extra_stack: 3, reader: readers, ..Bus::new("vbus") };
    let scenario = Scenario { bus: vec![bus], ..Scenario::default() };
    scenario.check()?;
    Ok(scenario)
}

fn of_one_bus(path: &Path) -> Result<Scenario, ReadersError> {
    let scenario = Scenario::load(path)?;
    match scenario.bus.len() {
        1 => Ok(scenario),
        buses => Err(ReadersError::Buses { path: path.to_owned(), buses }),
    }
}

fn card(card: &CardArgument, number: u32, keep: Option<&Path>, allow_network: bool) -> Result<Card, ReadersError> {
    let text = |path: &Path| {
        let text = path.to_str().ok_or_else(|| ReadersError::Path(path.to_owned()))?;
        Ok::<_, ReadersError>(Spanned::new(0..0, text.to_owned()))
    };
    Ok(match card {
        CardArgument::BuiltIn | CardArgument::Unplugged => Card::BuiltIn(BuiltIn::Iso7816),
        CardArgument::Empty => Card::BuiltIn(BuiltIn::None),
        CardArgument::Remote(address) => {
            let text = Spanned::new(0..0, address.to_string());
            match (address.ip().is_loopback(), allow_network) {
                (true, _) => Card::File(CardFile::Remote(text)),
                (false, true) => Card::File(CardFile::RemoteOverNetwork(text)),
                (false, false) => return Err(ReadersError::NotLoopback(*address)),
            }
        }
        CardArgument::File(path) => Card::File(match (Description::read(path)?, keep) {
            (Description::Script(_), _) => CardFile::Script(text(path)?),
            (Description::Profile(_), None) => CardFile::Profile(text(path)?),
            (Description::Profile(_), Some(keep)) => {
                let file = text(&keep.join(format!("reader-{number:04}.toml")))?;
                CardFile::Kept(Kept { profile: text(path)?, file })
            }
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_a_number_and_a_card() {
        let argument = |number, card| Ok(ReaderArgument { number, card });
        let port = |port| CardArgument::Remote(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        for (text, expected) in [
            ("card.toml", argument(None, CardArgument::File("card.toml".into()))),
            ("7=card.toml", argument(Some(7), CardArgument::File("card.toml".into()))),
            ("./a=b.toml", argument(None, CardArgument::File("./a=b.toml".into()))),
            ("built-in", argument(None, CardArgument::BuiltIn)),
            ("0=empty", argument(Some(0), CardArgument::Empty)),
            ("8=unplugged", argument(Some(8), CardArgument::Unplugged)),
            ("remote:35963", argument(None, port(35963))),
            ("9=remote:127.0.0.1:1", argument(Some(9), port(1))),
            ("a=b.toml", Err(ArgumentError::Number("a".into()))),
            ("remote:somewhere", Err(ArgumentError::Address("somewhere".into()))),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
    }

    #[test]
    fn emulators_are_waited_for_on_this_machine_alone_unless_the_network_is_allowed() {
        let arguments = ["remote:0", "remote:0.0.0.0:0"].map(|text| text.parse().unwrap());
        let refused = scenario(&arguments, None, false).unwrap_err().to_string();
        assert!(refused.starts_with("0.0.0.0:0 is not a loopback address") && refused.contains("--allow-network"));
        let allowed = scenario(&arguments, None, true).unwrap();
        let cards: Vec<&Card> = allowed.bus[0].reader.iter().map(|reader| &reader.card).collect();
        // One that is this machine's stays so.
        let expected = [CardFile::Remote, CardFile::RemoteOverNetwork];
        let expected = expected.iter().zip(["127.0.0.1:0", "0.0.0.0:0"]);
        let expected: Vec<Card> =
            expected.map(|(card, address)| Card::File(card(Spanned::new(0..0, address.to_owned())))).collect();
        assert_eq!(cards, expected.iter().collect::<Vec<_>>());
    }

    #[test]
    fn readers_without_a_number_get_the_first_free_ones() {
        let arguments = ["empty", "1=empty", "empty"].map(|text| text.parse().unwrap());
        let scenario = scenario(&arguments, None, false).unwrap();
        let numbers: Vec<u32> = scenario.bus[0].reader.iter().map(|reader| *reader.id.get_ref()).collect();
        assert_eq!(numbers, [2, 1, 3]);
    }
}
