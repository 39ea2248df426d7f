//! What whoever started `vbus serve` may have it do meanwhile: a word and a reader's number a line.

use std::str::FromStr;

use vbus_wdm::Stop;

use super::desk::Desk;

/// What can be done to a reader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Command {
    Insert(u32),
    Remove(u32),
    Plug(u32),
    Unplug(u32),
    Quit,
}

/// What a line may say.
pub(super) const HELP: &str = "insert N, remove N (the card of reader N), plug N, unplug N (the reader), quit";

impl FromStr for Command {
    type Err = String;

    fn from_str(line: &str) -> Result<Command, String> {
        let mut words = line.split_whitespace();
        let (word, number, rest) = (words.next(), words.next(), words.next());
        let number = match (number.map(str::parse), rest) {
            (Some(Ok(number)), None) => Some(number),
            (None, None) => None,
            _ => return Err(format!("{line:?} is not understood: {HELP}")),
        };
        match (word, number) {
            (Some("insert"), Some(reader)) => Ok(Command::Insert(reader)),
            (Some("remove"), Some(reader)) => Ok(Command::Remove(reader)),
            (Some("plug"), Some(reader)) => Ok(Command::Plug(reader)),
            (Some("unplug"), Some(reader)) => Ok(Command::Unplug(reader)),
            (Some("quit"), None) => Ok(Command::Quit),
            _ => Err(format!("{line:?} is not understood: {HELP}")),
        }
    }
}

impl Command {
    /// Does it, and says what became of it. `None` is the end.
    pub(super) fn run(self, desk: &mut Desk<'_>, known: &[u32]) -> Result<Option<String>, Stop> {
        let (Command::Insert(reader) | Command::Remove(reader) | Command::Plug(reader) | Command::Unplug(reader)) =
            self
        else {
            return Ok(None);
        };
        if !known.contains(&reader) {
            return Ok(Some(format!("there is no reader {reader}: {known:?}")));
        }
        Ok(Some(match self {
            Command::Insert(_) => match desk.insert(reader)? {
                true => format!("reader {reader}: card inserted"),
                false => format!("reader {reader}: no card was pulled out of it, or there is no room"),
            },
            Command::Remove(_) => match desk.remove(reader)? {
                true => format!("reader {reader}: card removed"),
                false => format!("reader {reader}: there is no card in it"),
            },
            Command::Plug(_) => format!("reader {reader}: plugged in: {}", desk.plug_in(reader)?),
            _ => format!("reader {reader}: unplugged: {}", desk.unplug(reader)?),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_word_and_a_number() {
        for (line, expected) in [
            ("insert 7", Some(Command::Insert(7))),
            ("  remove   7 ", Some(Command::Remove(7))),
            ("plug 7", Some(Command::Plug(7))),
            ("unplug 7", Some(Command::Unplug(7))),
            ("quit", Some(Command::Quit)),
            ("quit 7", None),
            ("insert", None),
            ("insert x", None),
            ("insert 7 8", None),
            ("", None),
        ] {
            assert_eq!(line.parse().ok(), expected, "{line}");
        }
    }
}
