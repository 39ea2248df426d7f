//! TOML that people write: parsed with the place of everything, and errors that show it.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// What is wrong with a card's description, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DescriptionError {
    message: String,
    help: Option<String>,
    place: Option<Place>,
    file: Option<PathBuf>,
}

/// A stretch of one line.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Place {
    /// From 1.
    line: usize,
    /// In characters, from 1.
    column: usize,
    width: usize,
    text: String,
}

impl DescriptionError {
    /// An error at a stretch of `text`.
    pub(super) fn at(text: &str, span: Range<usize>, message: impl Into<String>) -> DescriptionError {
        let place = Some(Place::of(text, span));
        DescriptionError { message: message.into(), help: None, place, file: None }
    }

    /// Adds what to change.
    pub(super) fn help(mut self, help: impl Into<String>) -> DescriptionError {
        self.help = Some(help.into());
        self
    }

    /// Says which file it was.
    pub fn in_file(mut self, file: &Path) -> DescriptionError {
        self.file = Some(file.to_owned());
        self
    }

    /// Line and column, from 1.
    pub fn position(&self) -> Option<(usize, usize)> {
        self.place.as_ref().map(|place| (place.line, place.column))
    }
}

impl Place {
    fn of(text: &str, span: Range<usize>) -> Place {
        let start = floor(text, span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let end = floor(text, span.end.clamp(start, line_end));
        Place {
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            width: text[start..end].chars().count().max(1),
            text: text[line_start..line_end].trim_end().to_owned(),
        }
    }
}

/// The beginning of the character that is at `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

impl fmt::Display for DescriptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        if let Some(place) = &self.place {
            let number = place.line.to_string();
            let margin = " ".repeat(number.len());
            match &self.file {
                Some(file) => write!(f, "\n{margin}--> {}:{number}:{}", file.display(), place.column)?,
                None => write!(f, "\n{margin}--> line {number}, column {}", place.column)?,
            }
            write!(f, "\n{margin} |\n{number} | {}", place.text)?;
            write!(f, "\n{margin} | {}{}", " ".repeat(place.column - 1), "^".repeat(place.width))?;
        }
        if let Some(help) = &self.help {
            write!(f, "\nhelp: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for DescriptionError {}

/// Reads a description.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, DescriptionError> {
    toml::from_str(text).map_err(|error| {
        let message = error.message().trim().to_owned();
        match error.span() {
            Some(span) => DescriptionError::at(text, span, message),
            None => DescriptionError { message, help: None, place: None, file: None },
        }
    })
}

/// Why a text is no bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum BytesError {
    /// A character that is neither a hexadecimal digit nor a blank.
    Character(char),
    /// An odd number of digits in front of something.
    HalfByte,
    /// A quotation that does not end.
    Quote,
    /// A character outside ASCII in a quotation.
    NotAscii(char),
}

impl fmt::Display for BytesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BytesError::Character(found) => write!(f, "{found:?} is no hexadecimal digit"),
            BytesError::HalfByte => write!(f, "half a byte: hexadecimal digits come in pairs"),
            BytesError::Quote => write!(f, "a text in single quotes does not end"),
            BytesError::NotAscii(found) => write!(f, "{found:?} is not ASCII: write its bytes in hexadecimal"),
        }
    }
}

/// What [`bytes`] takes.
pub(super) const BYTES_HELP: &str =
    "bytes are written as \"3F 00 'text'\": hexadecimal digits in pairs, and ASCII between single quotes";

/// Bytes from hexadecimal digits with ASCII between single quotes. `{serial}` in a text is replaced.
pub(super) fn bytes(text: &str, serial: u32) -> Result<Vec<u8>, BytesError> {
    let mut bytes = Vec::new();
    let parts = text.split('\'');
    let quotes = text.matches('\'').count();
    if quotes % 2 == 1 {
        return Err(BytesError::Quote);
    }
    for (index, part) in parts.enumerate() {
        if index % 2 == 1 {
            if let Some(found) = part.chars().find(|c| !c.is_ascii()) {
                return Err(BytesError::NotAscii(found));
            }
            bytes.extend(part.replace("{serial}", &format!("{serial:08}")).into_bytes());
            continue;
        }
        let mut half = None;
        for character in part.chars().filter(|c| !c.is_whitespace()) {
            let digit = character.to_digit(16).ok_or(BytesError::Character(character))? as u8;
            half = match half {
                None => Some(digit),
                Some(high) => {
                    bytes.push(high << 4 | digit);
                    None
                }
            };
        }
        if half.is_some() {
            return Err(BytesError::HalfByte);
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_hexadecimal_with_text_between_quotes() {
        for (text, expected) in [
            ("", Ok(&b""[..])),
            ("3F00 'a b' ff", Ok(b"\x3F\x00a b\xFF")),
            ("'n {serial}'", Ok(b"n 00000007")),
            ("3F 0", Err(BytesError::HalfByte)),
            ("3 F 0 0", Ok(b"\x3F\x00")),
            ("3 'x' F", Err(BytesError::HalfByte)),
            ("'x", Err(BytesError::Quote)),
            ("3G", Err(BytesError::Character('G'))),
            ("'\u{e9}'", Err(BytesError::NotAscii('\u{e9}'))),
        ] {
            assert_eq!(
                bytes(text, 7).as_deref(),
                expected.as_deref().map_err(Clone::clone).as_ref().copied(),
                "{text}"
            );
        }
    }

    #[test]
    fn an_error_shows_the_line_and_points_at_the_place() {
        let text = "a = 1\nb\u{e9} = \"x\"\n";
        let error = DescriptionError::at(text, 12..15, "no number").help("write one").in_file(Path::new("card.toml"));
        assert_eq!(error.position(), Some((2, 6)));
        assert_eq!(
            error.to_string(),
            "error: no number\n --> card.toml:2:6\n  |\n2 | b\u{e9} = \"x\"\n  |      ^^^\nhelp: write one"
        );
        assert_eq!(DescriptionError::at("", 5..9, "x").position(), Some((1, 1)));
    }
}
