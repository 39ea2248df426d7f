//! `[[bus.reader]]`: a smart-card reader on a bus.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::card::Card;
use super::filter::{Filter, is_default};

/// A reader.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reader {
    /// How the bus's target and a forwarded request name it.
    #[schemars(with = "u32")]
    pub id: Spanned<u32>,
    /// Whether it is plugged in from the beginning; else a step does it.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub plugged: bool,
    /// What drives it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub function: Function,
    /// What a reader's function driver adds to its device's StackSize. One is for its completion routine.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub extra_stack: i8,
    /// Filters above the function driver, lowest first. Without it Windows' class filter, `scfilter`.
    #[serde(default = "class_filter", skip_serializing_if = "is_class_filter")]
    pub upper_filters: Vec<Filter>,
    /// Filters between the PDO and the function driver, lowest first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub lower_filters: Vec<Filter>,
    /// The card in it from the beginning.
    #[serde(default, skip_serializing_if = "is_default")]
    pub card: Card,
    /// How many milliseconds of virtual time it takes for each request; 0 answers inside the call.
    #[serde(default, skip_serializing_if = "is_default")]
    pub response_ms: u64,
}

/// The function driver of a reader.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Function {
    /// A smart-card reader's.
    #[default]
    Reader,
    /// One that passes every request down to the PDO, by copying its stack location.
    PassDown,
}

impl Reader {
    /// A reader with this id as it is when nothing else is said.
    pub fn new(id: u32) -> Reader {
        Reader {
            id: Spanned::new(0..0, id),
            plugged: yes(),
            function: Function::default(),
            extra_stack: one(),
            upper_filters: class_filter(),
            lower_filters: Vec::new(),
            card: Card::default(),
            response_ms: 0,
        }
    }
}

impl Reader {
    /// What its function driver adds to its device's StackSize.
    pub(crate) fn added_locations(&self) -> i32 {
        match self.function {
            Function::Reader => self.extra_stack.into(),
            Function::PassDown => 0,
        }
    }
}

fn yes() -> bool {
    true
}

fn is_yes(value: &bool) -> bool {
    *value
}

fn one() -> i8 {
    1
}

fn is_one(value: &i8) -> bool {
    *value == 1
}

fn class_filter() -> Vec<Filter> {
    vec![Filter::Name("scfilter".to_owned())]
}

fn is_class_filter(value: &Vec<Filter>) -> bool {
    *value == class_filter()
}
