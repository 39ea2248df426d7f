//! Filters above and below function drivers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vbus_wdm::FilterStyle;

/// A filter driver: its name, or a table that says more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Filter {
    /// A filter of this name that copies its stack location and sets a completion routine.
    Name(String),
    /// With options.
    Table(FilterTable),
}

/// A filter driver.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilterTable {
    /// The driver's name.
    pub name: String,
    /// How it passes requests down.
    #[serde(default, skip_serializing_if = "is_default")]
    pub passes: Passes,
}

/// How a filter passes a request to the device below.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Passes {
    /// IoCopyCurrentIrpStackLocationToNext and a completion routine: uses the location that the filter adds.
    #[default]
    Copy,
    /// IoSkipCurrentIrpStackLocation: gives the location to the driver below.
    Skip,
}

impl Filter {
    /// The driver's name.
    pub fn name(&self) -> &str {
        match self {
            Filter::Name(name) | Filter::Table(FilterTable { name, .. }) => name,
        }
    }

    /// How it passes requests down.
    pub fn style(&self) -> FilterStyle {
        match self {
            Filter::Table(FilterTable { passes: Passes::Skip, .. }) => FilterStyle::Skip,
            _ => FilterStyle::Copy,
        }
    }
}

/// By hand, because a wrong key in the table would else be reported as "no variant matched".
impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Filter, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Filter;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a filter's name, or a table with its name and how it passes requests")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Filter, E> {
                Ok(Filter::Name(name.to_owned()))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Filter, A::Error> {
                FilterTable::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Filter::Table)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
