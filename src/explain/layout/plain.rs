//! `347: FxIoTargetFormatIoctl - enter: …`: the prefix `%7!u!: %!FUNC! -`, padded or not.

use super::{Cursor, Head, Layout};

pub(super) fn head(line: &str) -> Option<Head> {
    let mut at = Cursor::new(line);
    at.spaces();
    let sequence = at.digits()?;
    if !at.take(":") {
        return None;
    }
    at.spaces();
    let function = at.function()?;
    if !at.take(" - ") {
        return None;
    }
    Some(Head {
        layout: Layout::Plain,
        driver: 0..0,
        sequence: Some(sequence),
        function,
        time: 0..0,
        level: None,
        message: at.place,
    })
}
