//! A card's description in a file, whichever kind it is.

use std::path::Path;

use serde::Deserialize;

use super::document::{self, DescriptionError};
use super::profile::Profile;
use super::script::ScriptedCard;
use super::store::{self, StoreError};
use crate::slot::Inserted;

/// A description that was read, of which any number of cards can be made.
#[derive(Clone, Debug)]
pub enum Description {
    /// A card with files, PINs and objects.
    Profile(Profile),
    /// A card that answers what a script says.
    Script(ScriptedCard),
}

/// What tells the two apart: a script's ATR is bytes, and a profile's a table.
#[derive(Deserialize)]
struct AtrOnly {
    atr: Option<toml::Value>,
}

impl Description {
    /// Reads a description.
    ///
    /// # Errors
    /// [`DescriptionError`].
    pub fn parse(text: &str) -> Result<Description, DescriptionError> {
        let AtrOnly { atr } = document::parse(text)?;
        match atr {
            Some(toml::Value::String(_)) => ScriptedCard::parse(text).map(Description::Script),
            _ => Profile::parse(text).map(Description::Profile),
        }
    }

    /// Reads a description from a file.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn read(path: &Path) -> Result<Description, StoreError> {
        let text = store::read(path)?.ok_or_else(|| store::not_found(path))?;
        Description::parse(&text).map_err(|error| StoreError::Profile(error.in_file(path)))
    }

    /// Makes a card without power; `serial` is the number of a profile's card. What it changes is kept in the file at
    /// `kept_in`, if one is given and the card changes anything at all.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn card(&self, serial: u32, kept_in: Option<&Path>) -> Result<Inserted, StoreError> {
        Ok(match (self, kept_in) {
            (Description::Profile(profile), Some(path)) => profile.card(serial)?.kept_in(path)?.into(),
            (Description::Profile(profile), None) => profile.card(serial)?.into(),
            (Description::Script(script), _) => script.clone().into(),
        })
    }
}
