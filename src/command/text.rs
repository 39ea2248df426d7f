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

/// A text in lines of at most `width` characters, broken at spaces where that is possible; lines after the first are
/// indented by two.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        let gap = usize::from(!line.trim().is_empty());
        if gap > 0 && line.chars().count() + gap + word.len() > width {
            lines.push(std::mem::replace(&mut line, "  ".to_owned()));
        } else if gap > 0 {
            line.push(' ');
        }
        // A word longer than a line is broken where the line ends.
        while line.chars().count() + word.len() > width {
            let room = width - line.chars().count();
            line.extend(word.drain(..room));
            lines.push(std::mem::replace(&mut line, "  ".to_owned()));
        }
        line.extend(word);
    }
    if !line.trim().is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn text_breaks_at_spaces_and_long_words_where_the_line_ends() {
        assert_eq!(wrapped("one two three", 8), ["one two", "  three"]);
        assert_eq!(wrapped("abcdefghijklm n", 6), ["abcdef", "  ghij", "  klm", "  n"]);
        assert_eq!(wrapped("", 10), Vec::<String>::new());
    }
}
