//! From a format string and raw words to the text that the debugger prints.

use std::fmt::Write;

use vbus_wdm::NtStatus;

use super::names;

/// A word of a `%s` or `%!wZ!` from here on is the number of one of the log's own texts.
pub(super) const FIRST_TEXT: u64 = 1 << 32;

/// Renders a message. A word that the format does not name is left out; a missing word prints as zero.
pub(super) fn render(message: &str, arguments: &[u64], texts: &[Box<str>]) -> String {
    let mut text = String::with_capacity(message.len() + 48);
    let mut words = arguments.iter().copied();
    let mut rest = message;
    while let Some(at) = rest.find('%') {
        text.push_str(&rest[..at]);
        rest = item(&mut text, &rest[at + 1..], &mut words, texts);
    }
    text.push_str(rest);
    text
}

/// Renders the item that `format` begins with, and returns what follows it.
fn item<'f>(text: &mut String, format: &'f str, words: &mut impl Iterator<Item = u64>, texts: &[Box<str>]) -> &'f str {
    if let Some(named) = format.strip_prefix('!') {
        let end = named.find('!').unwrap_or(named.len());
        let word = words.next().unwrap_or(0);
        match &named[..end] {
            "wZ" => string(text, word, texts),
            enumeration => enumerated(text, enumeration, word),
        }
        return named.get(end + 1..).unwrap_or("");
    }
    if let Some(rest) = format.strip_prefix('s') {
        string(text, words.next().unwrap_or(0), texts);
        return rest;
    }
    type Write = fn(&mut String, u64);
    let kinds: [(&str, Write); 7] = [
        ("p", |text, word| _ = write!(text, "{word:016X}")),
        ("d", |text, word| _ = write!(text, "{}", word as u32 as i32)),
        ("u", |text, word| _ = write!(text, "{}", word as u32)),
        ("x", |text, word| _ = write!(text, "{:x}", word as u32)),
        ("I64x", |text, word| _ = write!(text, "{word:x}")),
        ("I64d", |text, word| _ = write!(text, "{}", word as i64)),
        ("%", |text, _| text.push('%')),
    ];
    for (kind, write) in kinds {
        if let Some(rest) = format.strip_prefix(kind) {
            write(text, if kind == "%" { 0 } else { words.next().unwrap_or(0) });
            return rest;
        }
    }
    text.push('%');
    format
}

fn string(text: &mut String, word: u64, texts: &[Box<str>]) {
    match word.checked_sub(FIRST_TEXT).and_then(|at| texts.get(at as usize)) {
        Some(own) => text.push_str(own),
        None => text.push_str(names::string(word)),
    }
}

fn enumerated(text: &mut String, enumeration: &str, word: u64) {
    if enumeration == "STATUS" {
        _ = write!(text, "{}", NtStatus(word as u32));
        return;
    }
    match names::name(enumeration, word) {
        Some(name) => text.push_str(name),
        None => _ = write!(text, "{enumeration}:{word}"),
    }
}

#[cfg(test)]
mod tests {
    use super::render;

    #[test]
    fn items_print_as_in_the_debugger() {
        let message = "WDFREQUEST 0x%p, IOCTL 0x%x, internal %d, %!STATUS!";
        let text = render(message, &[0x0000_307E_6A7E_D198, 0x55FF_9C0E, 0, 0xC000_00D0], &[]);
        assert_eq!(
            text,
            "WDFREQUEST 0x0000307E6A7ED198, IOCTL 0x55ff9c0e, internal 0, 0xc00000d0(STATUS_REQUEST_NOT_ACCEPTED)"
        );
        assert_eq!(render("%!STATUS! 100%", &[0], &[]), "STATUS_SUCCESS 100%");
        assert_eq!(
            render("Information 0x%I64x %!IRPMJ!", &[0x1_0000_0000, 0xE], &[]),
            "Information 0x100000000 IRP_MJ_DEVICE_CONTROL"
        );
        assert_eq!(render("%!NO_SUCH_ENUM! left", &[7], &[]), "NO_SUCH_ENUM:7 left");
        let own = ["CTX".into()];
        assert_eq!(render("type %s of a %s", &[super::FIRST_TEXT, 0x1028], &own), "type CTX of a WDFTIMER");
        assert_eq!(render("globals for %!wZ!", &[super::FIRST_TEXT], &own), "globals for CTX");
    }
}
