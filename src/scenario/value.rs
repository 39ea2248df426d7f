//! Values that a scenario writes as text: statuses, control codes, bytes.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use vbus_bus::IOCTL_VBUS_EXCHANGE;
use vbus_reader::ioctl;
use vbus_wdm::{IoctlCode, NtStatus};

use super::source::nearest;

/// An NTSTATUS, by its name in ntstatus.h or as a number: `"STATUS_CANCELLED"`, `"0xC0000120"`, `0xC0000120`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Status(pub NtStatus);

/// A control code, as a number or by its name: `0x55ff9c0e`, `"IOCTL_VBUS_EXCHANGE"`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ioctl(pub IoctlCode);

/// Bytes in hex, with or without spaces: `"00 B0 81 00"`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Bytes(pub Vec<u8>);

/// A number that may be written as text: `0x10D`, `"0x10D"`, 269.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Word(pub u64);

/// The control codes that a scenario can name.
const IOCTLS: &[(&str, IoctlCode)] = &[
    ("IOCTL_VBUS_EXCHANGE", IOCTL_VBUS_EXCHANGE),
    ("IOCTL_VBUS_PLUG_IN", vbus_bus::IOCTL_VBUS_PLUG_IN),
    ("IOCTL_VBUS_UNPLUG", vbus_bus::IOCTL_VBUS_UNPLUG),
    ("IOCTL_VBUS_EJECT", vbus_bus::IOCTL_VBUS_EJECT),
    ("IOCTL_SMARTCARD_POWER", ioctl::IOCTL_SMARTCARD_POWER),
    ("IOCTL_SMARTCARD_GET_ATTRIBUTE", ioctl::IOCTL_SMARTCARD_GET_ATTRIBUTE),
    ("IOCTL_SMARTCARD_TRANSMIT", ioctl::IOCTL_SMARTCARD_TRANSMIT),
    ("IOCTL_SMARTCARD_IS_PRESENT", ioctl::IOCTL_SMARTCARD_IS_PRESENT),
    ("IOCTL_SMARTCARD_IS_ABSENT", ioctl::IOCTL_SMARTCARD_IS_ABSENT),
    ("IOCTL_SMARTCARD_SET_PROTOCOL", ioctl::IOCTL_SMARTCARD_SET_PROTOCOL),
    ("IOCTL_SMARTCARD_GET_STATE", ioctl::IOCTL_SMARTCARD_GET_STATE),
];

impl FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Status, String> {
        if let Ok(number) = number(text) {
            return u32::try_from(number).map(|code| Status(NtStatus(code))).map_err(|_| too_big(text, 32));
        }
        NtStatus::from_name(text)
            .map(Status)
            .ok_or_else(|| format!("`{text}` is no status that the model knows{}", nearest(text, NtStatus::names())))
    }
}

impl FromStr for Ioctl {
    type Err = String;

    fn from_str(text: &str) -> Result<Ioctl, String> {
        if let Ok(number) = number(text) {
            return u32::try_from(number).map(|code| Ioctl(IoctlCode(code))).map_err(|_| too_big(text, 32));
        }
        let known = IOCTLS.iter().find(|(name, _)| *name == text);
        known.map(|&(_, code)| Ioctl(code)).ok_or_else(|| {
            let names = IOCTLS.iter().map(|(name, _)| *name);
            format!("`{text}` is no control code that has a name here{}", nearest(text, names))
        })
    }
}

impl FromStr for Word {
    type Err = String;

    fn from_str(text: &str) -> Result<Word, String> {
        number(text).map(Word).map_err(|()| format!("`{text}` is no number"))
    }
}

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Bytes, String> {
        let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
        if let Some(wrong) = digits.iter().find(|c| !c.is_ascii_hexdigit()) {
            return Err(format!("`{wrong}` is no hex digit: bytes are written as \"00 B0 81 00\""));
        }
        if digits.len() % 2 == 1 {
            return Err(format!("{} hex digits make no whole bytes: one is missing or too many", digits.len()));
        }
        let byte = |pair: &[char]| pair.iter().fold(0, |byte, c| byte << 4 | c.to_digit(16).unwrap_or(0) as u8);
        Ok(Bytes(digits.chunks(2).map(byte).collect()))
    }
}

fn number(text: &str) -> Result<u64, ()> {
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(&hex.replace('_', ""), 16),
        None => text.parse(),
    };
    parsed.map_err(|_| ())
}

fn too_big(text: &str, bits: u32) -> String {
    format!("{text} does not fit into {bits} bits")
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "0x{:08X}", self.0.0),
        }
    }
}

impl fmt::Display for Ioctl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match IOCTLS.iter().find(|(_, code)| *code == self.0) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "0x{:08x}", self.0.0),
        }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::style::spaced_hex(&self.0))
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:X}", self.0)
    }
}

/// Reads and writes a value as text; a TOML number does as well where the value is one.
macro_rules! written_as_text {
    ($($type:ident, $description:literal, $number:expr;)+) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                struct Visitor;

                impl de::Visitor<'_> for Visitor {
                    type Value = $type;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($description)
                    }

                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }

                    fn visit_i64<E: de::Error>(self, number: i64) -> Result<$type, E> {
                        let read: Option<fn(&str) -> Result<$type, String>> = $number;
                        match read {
                            Some(read) => read(&number.to_string()).map_err(E::custom),
                            None => Err(E::invalid_type(de::Unexpected::Signed(number), &self)),
                        }
                    }
                }

                deserializer.deserialize_any(Visitor)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let read: Option<fn(&str) -> Result<$type, String>> = $number;
                match read {
                    Some(_) => json_schema!({ "type": ["string", "integer"], "description": $description }),
                    None => json_schema!({ "type": "string", "description": $description }),
                }
            }
        }
    )+};
}

written_as_text! {
    Status, "a status: its name in ntstatus.h, or a number", Some(str::parse);
    Ioctl, "a control code: a number, or its name", Some(str::parse);
    Word, "a number, which may be written as text: \"0x10D\"", Some(str::parse);
    Bytes, "bytes in hex: \"00 B0 81 00\"", None;
}
