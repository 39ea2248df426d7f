//! Text for a terminal of 80 columns.

use std::fmt;

/// How wide output is.
pub(super) const WIDTH: usize = 80;

/// Writes a paragraph with its first line after `first` and the others after `rest`, broken at spaces. Words that are too
/// long stay whole.
///
/// # Errors
/// The formatter's.
pub(super) fn write_wrapped(f: &mut dyn fmt::Write, first: &str, rest: &str, text: &str) -> fmt::Result {
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.trim_start().split(' ') {
        let width = visible(&line) + usize::from(!empty) + visible(word);
        if !empty && width > WIDTH {
            writeln!(f, "{line}")?;
            line = rest.to_owned();
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    writeln!(f, "{}", line.trim_end())
}

/// How wide a text is without its styles.
fn visible(text: &str) -> usize {
    anstream::adapter::strip_str(text).map(|part| part.chars().count()).sum()
}

/// `1 step`, `2 steps`.
pub(super) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
