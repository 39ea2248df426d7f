//! `[0]0004.1A2C::11/24/2026-19:33:02.123 [name]…`: tracefmt's own prefix, `[%9!d!]%8!04X!.%3!04X!::%4!s! [%1!s!]`.
//!
//! The name is the provider's, the source file's or the function's; the function may stand before the message, too.

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
    at.hex()?;
    if !at.take(".") {
        return None;
    }
    at.hex()?;
    if !at.take("::") {
        return None;
    }
    let time = at.time()?;
    at.spaces();
    let mut named = 0..0;
    if at.take("[") {
        named = at.function().unwrap_or(0..0);
        if !at.take("]") {
            return None;
        }
    }
    let level = at.level();
    at.spaces();
    let mut function = named;
    let message = at.place;
    let before = at.function();
    match before {
        Some(before) if at.take(" - ") || (line[before.clone()].contains("::") && at.take(":")) => function = before,
        _ => at.place = message,
    }
    if !looks_like_function(&line[function.clone()]) {
        function = 0..0;
    }
    Some(Head { layout: Layout::Tracefmt, driver: 0..0, sequence: None, function, time, level, message: at.place })
}

/// Not a provider (`Wdf01000`) and not a source file with its line (`fxrequestbase_cpp364`).
fn looks_like_function(name: &str) -> bool {
    let is_line = name
        .rsplit_once("_cpp")
        .or_else(|| name.rsplit_once("_c"))
        .is_some_and(|(_, line)| !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit()));
    name.contains("::") || (name.starts_with(['F', 'i', 'V']) && !is_line)
}
