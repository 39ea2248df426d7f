//! `vbus: 347: FxIoTargetFormatIoctl - enter: …`: what `vbus run` prints, the plain layout behind the driver's name.

use super::{Cursor, Head, Layout};

pub(super) fn head(line: &str) -> Option<Head> {
    let mut at = Cursor::new(line);
    at.spaces();
    let driver = at.while_(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if driver.is_empty() || !at.take(": ") {
        return None;
    }
    let sequence = at.digits()?;
    if !at.take(": ") {
        return None;
    }
    let function = at.function()?;
    // A long function's name leaves no room for the message in its line.
    if !(at.take(" - ") || at.rest() == " -" && at.take(" -")) {
        return None;
    }
    let message = at.place;
    Some(Head { layout: Layout::Run, driver, sequence: Some(sequence), function, time: 0..0, level: None, message })
}
