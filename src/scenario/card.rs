//! What is in a reader's slot: `"iso7816"`, `"none"`, `{ profile = "card.toml" }`, `{ script = "card.toml" }`,
//! `{ kept = { profile = "card.toml", file = "state.toml" } }`, `{ remote = "127.0.0.1:35963" }`,
//! `{ remote-over-network = "0.0.0.0:35963" }`.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use vbus_reader::Inserted;
use vbus_reader::card::iso7816::BuiltInCard;
use vbus_reader::card::outside::remote::{RemoteCard, RemoteError, RemoteOptions};
use vbus_reader::card::profile::Profile;
use vbus_reader::card::script::ScriptedCard;

use super::source::{Place, ScenarioError, nearest};

/// A card, or none.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Card {
    /// One that needs no file.
    BuiltIn(BuiltIn),
    /// One that a file describes.
    File(CardFile),
}

/// What needs no file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BuiltIn {
    /// The built-in ISO 7816-4 card, with the reader's id as its number.
    Iso7816,
    /// An empty slot.
    None,
}

/// A card that a file describes; paths from the scenario's folder.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum CardFile {
    /// An ISO 7816-4 card with these files, PINs and records.
    Profile(#[schemars(with = "String")] Spanned<String>),
    /// A card that answers what a script says, with delays and faults.
    Script(#[schemars(with = "String")] Spanned<String>),
    /// An ISO 7816-4 card that keeps what it changes.
    Kept(Kept),
    /// A card emulator that connects to this address of this machine, as it would to vpcd.
    Remote(#[schemars(with = "String")] Spanned<String>),
    /// The same for any address: whoever reaches it is the card and hears every PIN, for nothing on the way is protected.
    RemoteOverNetwork(#[schemars(with = "String")] Spanned<String>),
}

/// Where a card comes from, and where it keeps what it changes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// The profile that it begins with.
    #[schemars(with = "String")]
    pub profile: Spanned<String>,
    /// The file that it is kept in from then on.
    #[schemars(with = "String")]
    pub file: Spanned<String>,
}

impl Default for Card {
    fn default() -> Card {
        Card::BuiltIn(BuiltIn::Iso7816)
    }
}

impl Card {
    /// Finds out what could be wrong with the card, and changes nothing.
    ///
    /// # Errors
    /// As [`Card::make`].
    pub(crate) fn check(&self, place: &Place, number: u32) -> Result<(), ScenarioError> {
        match self {
            Card::File(CardFile::Kept(Kept { profile, .. })) => {
                Card::File(CardFile::Profile(profile.clone())).check(place, number)
            }
            card => card.make(place, number).map(drop),
        }
    }

    /// Makes the card for a reader; `place` is somewhere in the file that names it.
    ///
    /// # Errors
    /// [`ScenarioError`] where its file cannot be read or describes no card.
    pub(crate) fn make(&self, place: &Place, number: u32) -> Result<Option<Inserted>, ScenarioError> {
        let beside = |path: &Spanned<String>| -> (PathBuf, Place) {
            let folder = place.path().parent().unwrap_or(Path::new(""));
            (folder.join(path.get_ref()), place.within(path.span()))
        };
        Ok(match self {
            Card::BuiltIn(BuiltIn::None) => None,
            Card::BuiltIn(BuiltIn::Iso7816) => Some(BuiltInCard::new(number).into()),
            Card::File(CardFile::Profile(path)) => {
                let (path, place) = beside(path);
                let profile = Profile::read(&path).map_err(|error| place.error(error.to_string()))?;
                Some(profile.card(number).map_err(|error| place.error(error.to_string()))?.into())
            }
            Card::File(CardFile::Script(path)) => {
                let (path, place) = beside(path);
                let card = ScriptedCard::read(&path).map_err(|error| place.error(error.to_string()))?;
                Some(card.into())
            }
            Card::File(CardFile::Kept(Kept { profile, file })) => {
                let (path, place) = beside(profile);
                let profile = Profile::read(&path).map_err(|error| place.error(error.to_string()))?;
                let card = profile.card(number).map_err(|error| place.error(error.to_string()))?;
                let (path, place) = beside(file);
                Some(card.kept_in(path).map_err(|error| place.error(error.to_string()))?.into())
            }
            Card::File(card @ (CardFile::Remote(text) | CardFile::RemoteOverNetwork(text))) => {
                let place = place.within(text.span());
                let address = text.get_ref().parse().map_err(|_| {
                    place.error(format!("{:?} is no address with a port, such as 127.0.0.1:35963", text.get_ref()))
                })?;
                let allow_network = matches!(card, CardFile::RemoteOverNetwork(_));
                let card = RemoteCard::listen(address, &RemoteOptions { allow_network, ..RemoteOptions::default() });
                let card = card.map_err(|error| match error {
                    RemoteError::NotLoopback { .. } => {
                        place.error(format!("{error}: {{ remote-over-network = {:?} }}", text.get_ref()))
                    }
                    error => place.error(error.to_string()),
                });
                Some(Inserted::outside(card?))
            }
        })
    }
}

/// By hand, because a wrong key in the table would else be reported as "no variant matched".
impl<'de> Deserialize<'de> for Card {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Card, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Card;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(
                    "\"iso7816\", \"none\", or a table with a profile, a script, what is kept, or a remote address",
                )
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Card, E> {
                match name {
                    "iso7816" => Ok(Card::BuiltIn(BuiltIn::Iso7816)),
                    "none" => Ok(Card::BuiltIn(BuiltIn::None)),
                    _ => Err(E::custom(format!("there is no card `{name}`{}", nearest(name, ["iso7816", "none"])))),
                }
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Card, A::Error> {
                CardFile::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Card::File)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}
