//! Profiles: what an [`Iso7816Card`] is made of, as TOML.
//!
//! ```toml
//! title = "A card"                # whatever
//! channels = 4                    # logical channels, 1 to 20; the default is 1
//!
//! [atr]                           # either bytes = "3B 00", or its parts:
//! ta1 = 0x13                      # FI and DI
//! protocols = [0, 1]              # the default is [0]
//! history = "'A card'"
//! # and convention = "inverse", extra_guard, ta2, wi, ifsc, bwi_cwi, crc = true, clock_and_classes
//!
//! [[pin]]
//! name = "user"                   # how access conditions call it
//! reference = 1                   # P2 of VERIFY
//! value = "'1234'"                # bytes: hexadecimal, with ASCII between single quotes
//! length = [4, 8]                 # least and most bytes
//! pad = 0xFF                      # what a short value may be filled up with
//! tries = 3
//! unblocked_by = "admin"          # another PIN
//! # and df = "DF01" (a PIN of that DF), may_be_disabled = true, tries_left, enabled
//!
//! [[file]]
//! path = "DF01/0101"              # ids below the MF, which is always there; DFs come before what is in them
//! kind = "transparent"            # the default; or df, linear-fixed, linear-variable, cyclic
//! sfi = 1
//! content = "'hello'"             # or size = 64 and fill = 0xFF
//! read = "always"                 # the default; or "never", a PIN's name, or a list of names of which one is enough
//! update = ["user", "admin"]      # the default is "never"
//! # a DF has aid = "F0 'app'"; an EF with records has records = [...], size (of each, or at most), and capacity
//!
//! [[object]]                      # for GET and PUT DATA
//! tag = 0x5E
//! value = "'{serial}'"            # the card's number with eight digits
//! size = 64                       # most bytes; the default is what it has
//! ```
//!
//! Errors name the line and the column, as a compiler does.

mod check;
mod schema;

use std::fmt;
use std::path::Path;

use super::document::{self, DescriptionError};
use super::iso7816::{Image, Iso7816Card};
use super::store::{self, StoreError};
use schema::ProfileTable;

/// A profile that was read. What it says is checked when a card is made of it.
#[derive(Clone, Debug)]
pub struct Profile {
    text: String,
    table: ProfileTable,
}

impl Profile {
    /// Reads a profile.
    ///
    /// # Errors
    /// [`DescriptionError`] for what is no TOML, has another form, or means no card.
    pub fn parse(text: &str) -> Result<Profile, DescriptionError> {
        let profile = Profile { text: text.to_owned(), table: document::parse(text)? };
        profile.image(0)?;
        Ok(profile)
    }

    /// Reads a profile from a file.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn read(path: &Path) -> Result<Profile, StoreError> {
        let text = store::read(path)?.ok_or_else(|| store::not_found(path))?;
        Profile::parse(&text).map_err(|error| StoreError::Profile(error.in_file(path)))
    }

    /// Makes a card without power, with `serial` for `{serial}` and as the seed of its challenges.
    ///
    /// # Errors
    /// [`DescriptionError`], where the number is too long for what it is put into.
    pub fn card(&self, serial: u32) -> Result<Iso7816Card, DescriptionError> {
        Ok(Iso7816Card::from_image(self.image(serial)?, serial))
    }

    pub(super) fn image(&self, serial: u32) -> Result<Image, DescriptionError> {
        check::image(&self.text, &self.table, serial)
    }
}

/// An image as a profile: what a kept card is written as.
pub(super) struct Document(ProfileTable);

impl Document {
    pub(super) fn of(image: &Image) -> Document {
        Document(check::table(image))
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Strings, numbers and lists of them: everything that TOML can say.
        f.write_str(&toml::to_string(&self.0).map_err(|_| fmt::Error)?)
    }
}
