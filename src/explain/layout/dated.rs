//! `347: 11/24/2026-19:33:02.123 FxIoTargetFormatIoctl - enter: …`: the prefix `%7!u!: %4!s! %!FUNC! -`.

use super::{Cursor, Head, Layout};

pub(super) fn head(line: &str) -> Option<Head> {
    let mut at = Cursor::new(line);
    at.spaces();
    let sequence = at.digits()?;
    if !at.take(":") {
        return None;
    }
    at.spaces();
    let time = at.time()?;
    at.spaces();
    at.take("- ");
    let function = at.function()?;
    if !at.take(" - ") && !at.take(": ") {
        return None;
    }
    Some(Head {
        layout: Layout::Dated,
        driver: 0..0,
        sequence: Some(sequence),
        function,
        time,
        level: None,
        message: at.place,
    })
}
