//! The tables of a profile.

use serde::{Deserialize, Serialize};
use toml::Spanned;

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileTable {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<String>,
    #[serde(default = "one")]
    pub(super) channels: Spanned<u8>,
    pub(super) atr: Spanned<AtrTable>,
    #[serde(default)]
    pub(super) pin: Vec<PinTable>,
    #[serde(default)]
    pub(super) file: Vec<FileTable>,
    #[serde(default)]
    pub(super) object: Vec<ObjectTable>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AtrTable {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<Spanned<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) convention: Option<ConventionName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ta1: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) extra_guard: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ta2: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) wi: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) protocols: Option<Vec<u8>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ifsc: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bwi_cwi: Option<u8>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) crc: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) clock_and_classes: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) history: Option<Spanned<String>>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ConventionName {
    Direct,
    Inverse,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PinTable {
    pub(super) name: Spanned<String>,
    pub(super) reference: Spanned<u8>,
    pub(super) value: Spanned<String>,
    pub(super) length: Spanned<[usize; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pad: Option<u8>,
    pub(super) tries: Spanned<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tries_left: Option<Spanned<u8>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) df: Option<Spanned<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unblocked_by: Option<Spanned<String>>,
    #[serde(default = "yes")]
    pub(super) enabled: bool,
    #[serde(default)]
    pub(super) may_be_disabled: bool,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum FileKind {
    #[default]
    Transparent,
    Df,
    LinearFixed,
    LinearVariable,
    Cyclic,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileTable {
    pub(super) path: Spanned<String>,
    #[serde(default)]
    pub(super) kind: FileKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) aid: Option<Spanned<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sfi: Option<Spanned<u8>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<Spanned<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<Spanned<usize>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fill: Option<Spanned<Fill>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) capacity: Option<Spanned<usize>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) records: Option<Vec<Spanned<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) read: Option<Spanned<Who>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) update: Option<Spanned<Who>>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ObjectTable {
    pub(super) tag: Spanned<u32>,
    pub(super) value: Spanned<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<Spanned<usize>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) read: Option<Spanned<Who>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) update: Option<Spanned<Who>>,
}

/// What the bytes of a file are that nobody wrote.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged, expecting = "fill is a byte, or \"offset\" for the sum of the two bytes of each offset")]
pub(super) enum Fill {
    Byte(u8),
    Pattern(Pattern),
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Pattern {
    Offset,
}

/// An access condition.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged, expecting = "an access condition is \"always\", \"never\", the name of a PIN, or a list of names")]
pub(super) enum Who {
    One(String),
    Any(Vec<String>),
}

fn one() -> Spanned<u8> {
    Spanned::new(0..0, 1)
}

fn yes() -> bool {
    true
}
