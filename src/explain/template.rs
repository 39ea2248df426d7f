//! Recognises log messages by the format strings that they were made from: the model's own trace sites.
//!
//! Spaces count for nothing, so that a message that was wrapped, padded or indented is still the same message.

use std::ops::Range;

use vbus_wdf::{Level, Site, sites};

/// What the framework says of a second send when its verifier looks first. The model's sites do not have it, as the
/// test that is always made comes before: see [`sites::ALREADY_SENT`].
///
/// Source: S/targets/general/fxiotarget.cpp:1216.
pub(super) static ALREADY_PENDING: Site = Site::new(
    "FxIoTarget::Vf_VerifySubmitLocked",
    Level::Error,
    "TRACINGIOTARGET",
    "WDFREQUEST %p is already pending on a WDFIOTARGET",
);
/// Source: S/targets/general/fxiotarget.cpp:1349.
pub(super) static NO_TIMER: Site = Site::new(
    "FxIoTarget::SubmitLocked",
    Level::Error,
    "TRACINGIOTARGET",
    "WDFREQUEST %p, could not create timer, %!STATUS!",
);
static NOT_IN_THE_MODEL: [&Site; 2] = [&ALREADY_PENDING, &NO_TIMER];

/// What an argument of a message is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    /// A WDFREQUEST.
    Request,
    /// A WDFIOTARGET.
    Target,
    /// An IRP.
    Irp,
    /// An I/O control code.
    Ioctl,
    /// A status.
    Status,
    /// A WDF_IO_TARGET_STATE.
    TargetState,
    /// Stack locations that a request has left.
    Have,
    /// Stack locations that a target needs.
    Need,
    /// Anything else.
    Other,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Hex,
    Decimal,
    /// An enumerator or a status: no space, no comma.
    Name,
    /// Anything, up to the next literal.
    Text,
}

#[derive(Debug)]
enum Piece {
    /// Without its spaces.
    Literal(Vec<u8>),
    Item(Kind, Role),
}

/// A site whose messages can be recognised.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) site: &'static Site,
    pieces: Vec<Piece>,
}

/// An argument in a message.
#[derive(Clone, Debug)]
pub(super) struct Argument {
    pub(super) role: Role,
    pub(super) place: Range<usize>,
}

/// How a message fits a template.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Fit {
    Not,
    /// As far as it goes; its end is missing.
    Begins,
    Whole,
}

/// All templates, by function.
pub(super) struct Templates {
    by_function: Vec<(&'static str, Vec<Template>)>,
}

impl Templates {
    pub(super) fn new() -> Templates {
        let model = [sites::ALL, sites::ALL_PNP, sites::ALL_CHILDREN].into_iter().flatten();
        let mut all: Vec<&'static Site> = model.chain(&NOT_IN_THE_MODEL).copied().collect();
        all.sort_by_key(|site| site.function);
        let by_function = all.chunk_by(|one, other| one.function == other.function);
        let templates = |sites: &[&'static Site]| sites.iter().map(|site| Template::new(site)).collect();
        Templates { by_function: by_function.map(|sites| (sites[0].function, templates(sites))).collect() }
    }

    /// Whether the framework's messages of this function are known.
    pub(super) fn knows(&self, function: &str) -> bool {
        self.of(function).is_some()
    }

    fn of(&self, function: &str) -> Option<&[Template]> {
        let at = self.by_function.binary_search_by_key(&function, |(name, _)| name).ok()?;
        Some(&self.by_function[at].1)
    }

    /// The template that `message` fits, with its arguments in `arguments`: none, if the message is cut off and may
    /// become one of several. Without a function, all are tried.
    pub(super) fn find(
        &self,
        function: &str,
        message: &str,
        arguments: &mut Vec<Argument>,
    ) -> (Fit, Option<&Template>) {
        let one = self.of(function);
        let all = if function.is_empty() { &self.by_function[..] } else { &[] };
        let mut best = (Fit::Not, None);
        let mut tried = Vec::new();
        for template in one.into_iter().flatten().chain(all.iter().flat_map(|(_, templates)| templates)) {
            let fit = template.fit(message.as_bytes(), &mut tried);
            if fit == Fit::Begins && best.0 == fit {
                // It may become either.
                best.1 = None;
            } else if fit > best.0 {
                best = (fit, Some(template));
                std::mem::swap(arguments, &mut tried);
            }
            if fit == Fit::Whole {
                break;
            }
        }
        best
    }
}

impl Template {
    fn new(site: &'static Site) -> Template {
        let mut pieces = Vec::new();
        let mut rest = site.message;
        while let Some(at) = rest.find('%') {
            let (before, format) = (&rest[..at], &rest[at + 1..]);
            literal(&mut pieces, before);
            let (item, length) = item(format, before);
            match item {
                Some((kind, role)) => pieces.push(Piece::Item(kind, role)),
                None => literal(&mut pieces, "%"),
            }
            rest = &format[length..];
        }
        literal(&mut pieces, rest);
        Template { site, pieces }
    }

    fn fit(&self, message: &[u8], arguments: &mut Vec<Argument>) -> Fit {
        arguments.clear();
        let mut at = 0;
        for (number, piece) in self.pieces.iter().enumerate() {
            let fit = match piece {
                Piece::Literal(literal) => skip(message, &mut at, literal),
                &Piece::Item(kind, role) => {
                    spaces(message, &mut at);
                    let start = at;
                    let fit = self.item(kind, number, message, &mut at);
                    arguments.push(Argument { role, place: start..at });
                    fit
                }
            };
            if fit != Fit::Whole {
                return fit;
            }
        }
        spaces(message, &mut at);
        if at == message.len() { Fit::Whole } else { Fit::Not }
    }

    /// Passes over an argument.
    fn item(&self, kind: Kind, number: usize, message: &[u8], at: &mut usize) -> Fit {
        let rest = &message[*at..];
        let count = |wanted: fn(u8) -> bool| rest.iter().take_while(|&&byte| wanted(byte)).count();
        let length = match kind {
            Kind::Hex => count(|byte| byte.is_ascii_hexdigit()),
            Kind::Decimal => count(|byte| byte.is_ascii_digit() || byte == b'-'),
            Kind::Name => count(|byte| !byte.is_ascii_whitespace() && byte != b','),
            Kind::Text => match self.pieces.get(number + 1) {
                Some(Piece::Literal(next)) => {
                    let found = (0..rest.len()).find(|&length| skip(&rest[length..], &mut 0, next) != Fit::Not);
                    return match found {
                        Some(length) => {
                            *at += length;
                            Fit::Whole
                        }
                        None => Fit::Begins,
                    };
                }
                Some(Piece::Item(..)) => count(|byte| !byte.is_ascii_whitespace()),
                None => rest.len(),
            },
        };
        *at += length;
        let name = &rest[..length];
        let is_short_number = name.starts_with(b"0") && length < "0xc0000000".len();
        let is_open = kind == Kind::Name && (name.contains(&b'(') && !name.ends_with(b")") || is_short_number);
        match length {
            0 if rest.is_empty() => Fit::Begins,
            0 if kind != Kind::Text => Fit::Not,
            _ if is_open && length == rest.len() => Fit::Begins,
            _ => Fit::Whole,
        }
    }
}

fn literal(pieces: &mut Vec<Piece>, text: &str) {
    let text = text.bytes().filter(|byte| !byte.is_ascii_whitespace());
    match pieces.last_mut() {
        Some(Piece::Literal(last)) => last.extend(text),
        _ => {
            let text: Vec<u8> = text.collect();
            if !text.is_empty() {
                pieces.push(Piece::Literal(text));
            }
        }
    }
}

/// What the format item at the start of `format` stands for, and its length.
fn item(format: &str, before: &str) -> (Option<(Kind, Role)>, usize) {
    if let Some(named) = format.strip_prefix('!') {
        let end = named.find('!').unwrap_or(named.len());
        let role = match &named[..end] {
            "STATUS" => Role::Status,
            "WDF_IO_TARGET_STATE" => Role::TargetState,
            _ => Role::Other,
        };
        return (Some((Kind::Name, role)), (end + 2).min(format.len()));
    }
    let kinds = [
        ("p", Kind::Hex),
        ("x", Kind::Hex),
        ("X", Kind::Hex),
        ("I64x", Kind::Hex),
        ("I64d", Kind::Decimal),
        ("d", Kind::Decimal),
        ("u", Kind::Decimal),
        ("s", Kind::Text),
        ("S", Kind::Text),
        ("wZ", Kind::Text),
    ];
    match kinds.iter().find(|(letters, _)| format.starts_with(letters)) {
        Some(&(letters, kind)) => (Some((kind, role(before))), letters.len()),
        None => (None, usize::from(format.starts_with('%'))),
    }
}

/// What an argument is, by the words before it.
fn role(before: &str) -> Role {
    let before = before.trim_end_matches("0x").trim_end();
    let roles = [
        ("FxRequest", Role::Other),
        ("WDFREQUEST", Role::Request),
        ("Request", Role::Request),
        ("request", Role::Request),
        ("WDFIOTARGET", Role::Target),
        ("on target", Role::Target),
        ("IRP", Role::Irp),
        ("Irp", Role::Irp),
        ("irp", Role::Irp),
        ("IOCTL", Role::Ioctl),
        ("enough stack locations", Role::Have),
        ("(requires", Role::Need),
    ];
    roles.into_iter().find(|(words, _)| before.ends_with(words)).map_or(Role::Other, |(_, role)| role)
}

fn spaces(message: &[u8], at: &mut usize) {
    *at += message[*at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
}

/// Passes over a literal, with any spaces in it.
fn skip(message: &[u8], at: &mut usize, literal: &[u8]) -> Fit {
    for &wanted in literal {
        while let Some(byte) = message.get(*at)
            && byte.is_ascii_whitespace()
        {
            *at += 1;
        }
        match message.get(*at) {
            None => return Fit::Begins,
            Some(&byte) if byte == wanted => *at += 1,
            Some(_) => return Fit::Not,
        }
    }
    Fit::Whole
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    static TEMPLATES: LazyLock<Templates> = LazyLock::new(Templates::new);

    fn find(function: &str, message: &str) -> (Fit, Vec<(Role, String)>) {
        let mut arguments = Vec::new();
        let (fit, _) = TEMPLATES.find(function, message, &mut arguments);
        (fit, arguments.into_iter().map(|found| (found.role, message[found.place].to_owned())).collect())
    }

    #[test]
    fn a_message_gives_its_arguments_back() {
        let line = "WDFREQUEST 0000307E6A7ED198, PIRP FFFFE0007E501010 does not have enough stack locations 1 for this \
                    WDFIOTARGET 0000307E7136DC48 (requires 4 locations),  0xc00000d0(STATUS_REQUEST_NOT_ACCEPTED)";
        let (fit, arguments) = find("FxIoTarget::Vf_VerifySubmitLocked", line);
        assert_eq!(fit, Fit::Whole);
        let expected = [
            (Role::Request, "0000307E6A7ED198"),
            (Role::Irp, "FFFFE0007E501010"),
            (Role::Have, "1"),
            (Role::Target, "0000307E7136DC48"),
            (Role::Need, "4"),
            (Role::Status, "0xc00000d0(STATUS_REQUEST_NOT_ACCEPTED)"),
        ];
        assert_eq!(arguments, expected.map(|(role, text)| (role, text.to_owned())));
    }

    #[test]
    fn spaces_count_for_nothing_and_a_cut_message_only_begins() {
        let whole = "WDFIOTARGET 0000307E7136DC48 is closed, cannot validate, 0xc0000184(STATUS_INVALID_DEVICE_STATE)";
        let function = "FxRequestBase::ValidateTarget";
        assert_eq!(find(function, &whole.replace(' ', "   ")).0, Fit::Whole);
        assert_eq!(find(function, &whole.replace("closed, ", "clo\n  sed,")).0, Fit::Whole);
        for cut in 0..whole.len() {
            // Behind the bare number it is a whole one that says less.
            let expected = if whole[..cut].ends_with("0xc0000184") { Fit::Whole } else { Fit::Begins };
            assert_eq!(find(function, &whole[..cut]).0, expected, "{}", &whole[..cut]);
        }
        assert_eq!(find(function, &format!("{whole} kd> q")).0, Fit::Not);
    }

    #[test]
    fn a_message_without_its_function_is_found_all_the_same() {
        let (fit, arguments) = find("", "Cannot reallocate PIRP for WDFREQUEST 8 using WDFIOTARGET 9, 0xc00000d0(X)");
        assert_eq!((fit, arguments.len()), (Fit::Whole, 3));
        assert_eq!(find("Nobody::Knows", "anything").0, Fit::Not);
    }

    /// One source of truth: what the model writes, this reads.
    #[test]
    fn every_message_that_the_model_can_write_is_recognised() {
        for site in [sites::ALL, sites::ALL_PNP, sites::ALL_CHILDREN].into_iter().flatten() {
            let text = site.render(&[7; 12]);
            let (fit, _) = find(site.function, &text);
            assert_eq!(fit, Fit::Whole, "{}: {text}", site.function);
        }
    }
}
