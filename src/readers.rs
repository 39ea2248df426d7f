//! Which readers there are and what is in them, as the command line says it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex};

use thiserror::Error;
use vbus_reader::card::outside::remote::{RemoteCard, RemoteError, RemoteOptions};
use vbus_reader::card::{Description, StoreError, iso7816::Iso7816Card};
use vbus_reader::{CardFactory, Inserted, ReaderConfig};

use crate::setup::{Setup, SetupError, VirtualBus};

/// A reader as the command line names it: `[NUMBER=]CARD`.
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
    /// A file with a card's profile or script.
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

/// Why the readers cannot be built.
#[derive(Debug, Error)]
pub enum ReadersError {
    /// Two readers have one number.
    #[error("reader {0} is named twice: give one of them another number, as in {other}=CARD", other = .0 + 1)]
    Twice(u32),
    /// A number that no reader can have, as its card's serial and its place are made of it.
    #[error("reader {0}: numbers go up to 9999")]
    Number(u32),
    /// A card's description cannot be used.
    #[error(transparent)]
    Card(#[from] StoreError),
    /// No emulator can be waited for.
    #[error("reader {number}: {error}")]
    Remote {
        /// The reader.
        number: u32,
        /// Why.
        error: RemoteError,
    },
    /// The stacks cannot be built.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

/// Where cards come from, besides their descriptions.
#[derive(Clone, Debug, Default)]
pub struct CardOptions {
    /// The directory in which cards keep what they change, one file for each reader.
    pub keep: Option<PathBuf>,
    /// How emulators are waited for.
    pub remote: RemoteOptions,
}

/// A reader and where its cards come from.
#[derive(Clone)]
pub struct Reader {
    /// Its number on the bus.
    pub number: u32,
    /// What was asked for.
    pub card: CardArgument,
    /// Where an emulator is waited for.
    pub waits_at: Option<SocketAddr>,
    make: Arc<dyn Fn() -> Option<Inserted> + Send + Sync>,
}

/// Reads what the command line names: readers without a number get the first ones that are free, from 1.
///
/// # Errors
/// [`ReadersError`].
pub fn readers(arguments: &[ReaderArgument], options: &CardOptions) -> Result<Vec<Reader>, ReadersError> {
    let mut numbers: Vec<u32> = Vec::new();
    for number in arguments.iter().filter_map(|argument| argument.number) {
        if numbers.contains(&number) {
            return Err(ReadersError::Twice(number));
        }
        if number > 9999 {
            return Err(ReadersError::Number(number));
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
        readers.push(Reader::new(number, &argument.card, options)?);
    }
    Ok(readers)
}

impl Reader {
    fn new(number: u32, card: &CardArgument, options: &CardOptions) -> Result<Reader, ReadersError> {
        let mut waits_at = None;
        let make: Arc<dyn Fn() -> Option<Inserted> + Send + Sync> = match card {
            CardArgument::BuiltIn | CardArgument::Unplugged => Arc::new(move || Some(Iso7816Card::new(number).into())),
            CardArgument::Empty => Arc::new(|| None),
            CardArgument::Remote(address) => {
                let listen = |address, options: &_| RemoteCard::listen(address, options);
                let first =
                    listen(*address, &options.remote).map_err(|error| ReadersError::Remote { number, error })?;
                let address = first.address();
                waits_at = Some(address);
                let (first, options) = (Mutex::new(Some(first)), options.remote.clone());
                Arc::new(move || {
                    let first = first.lock().ok().and_then(|mut first| first.take());
                    // A reader that is plugged in again while the old one still has the port stays empty.
                    first.or_else(|| listen(address, &options).ok()).map(Inserted::outside)
                })
            }
            CardArgument::File(path) => {
                let description = Description::read(path)?;
                let kept_in = options.keep.as_ref().map(|directory| kept(directory, number));
                // What can be wrong with it is found out here.
                description.card(number, kept_in.as_deref())?;
                Arc::new(move || description.card(number, kept_in.as_deref()).ok())
            }
        };
        Ok(Reader { number, card: card.clone(), waits_at, make })
    }

    /// Whether it is plugged in from the beginning.
    pub fn is_plugged_in(&self) -> bool {
        self.card != CardArgument::Unplugged
    }

    /// What it is, for people.
    pub fn describe(&self) -> String {
        match (&self.card, self.waits_at) {
            (CardArgument::BuiltIn, _) => "the built-in card".to_owned(),
            (CardArgument::Empty, _) => "no card".to_owned(),
            (CardArgument::Unplugged, _) => "not plugged in".to_owned(),
            (CardArgument::File(path), _) => path.display().to_string(),
            (CardArgument::Remote(address), waits_at) => {
                format!("a card emulator that connects to {}", waits_at.unwrap_or(*address))
            }
        }
    }
}

fn kept(directory: &Path, number: u32) -> PathBuf {
    directory.join(format!("reader-{number:04}.toml"))
}

/// A bus whose requests are big enough for its readers' stacks, with these readers.
///
/// # Errors
/// [`ReadersError`].
pub fn build(readers: &[Reader], config: ReaderConfig) -> Result<VirtualBus, ReadersError> {
    let all = readers.to_vec();
    let card = CardFactory::new(move |number| {
        let reader = all.iter().find(|reader| reader.number == number)?;
        (reader.make)()
    });
    // A request of the bus's has a location for its FDO and PDO, and the readers' stacks have four.
    let setup = Setup::default().bus_extra_stack(3).reader_config(ReaderConfig { card, ..config }).log_pages(16);
    let plugged_in = readers.iter().filter(|reader| reader.is_plugged_in());
    Ok(plugged_in.fold(setup, |setup, reader| setup.reader(reader.number)).build()?)
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
            ("9=remote:127.0.0.1:0", argument(Some(9), port(0))),
            ("a=b.toml", Err(ArgumentError::Number("a".into()))),
            ("remote:somewhere", Err(ArgumentError::Address("somewhere".into()))),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
    }

    #[test]
    fn readers_without_a_number_get_the_first_free_ones() {
        let arguments = ["empty", "1=empty", "empty"].map(|text| text.parse().unwrap());
        let readers = readers(&arguments, &CardOptions::default()).unwrap();
        assert_eq!(readers.iter().map(|reader| reader.number).collect::<Vec<_>>(), [2, 1, 3]);
    }
}
