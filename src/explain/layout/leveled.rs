//! `[0]1A2C TRACE_LEVEL_ERROR FxRequestBase::ValidateTarget:…`: the prefix `[%9]%3!04x! %!LEVEL! %!FUNC!:`.

use super::{Cursor, Head, Layout};

pub(super) fn head(line: &str) -> Option<Head> {
    let mut at = Cursor::new(line);
    at.spaces();
    if !at.take("[") {
        return None;
    }
    at.digits()?;
    if !at.take("]") {
        return None;
    }
    // The thread, or the process and the thread.
    at.spaces();
    at.hex()?;
    if at.take(".") {
        at.hex()?;
    }
    at.spaces();
    let time = at.time().unwrap_or(0..0);
    at.spaces();
    let level = Some(at.level()?);
    at.spaces();
    let function = at.function()?;
    if !at.take(":") && !at.take(" - ") {
        return None;
    }
    Some(Head { layout: Layout::Leveled, driver: 0..0, sequence: None, function, time, level, message: at.place })
}
