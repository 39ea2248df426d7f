//! Writes the scenario that shows a failure again: `vbus run` confirms it.

use super::causes;
use super::explanation::Explained;
use super::recipes::recipe;

/// What the bus and its readers of a scenario are like, and what happens.
#[derive(Default)]
pub(super) struct Recipe {
    pub(super) verifier: bool,
    pub(super) driver_verifier: bool,
    /// What is assumed, as the text does not say it.
    pub(super) assumed: Vec<String>,
    /// What the bus adds to its natural StackSize of 2.
    pub(super) extra_stack: i8,
    /// Filters above the bus, each of which uses the location that it adds.
    pub(super) filters_above: i8,
    /// Other keys of the bus.
    pub(super) bus: &'static str,
    /// The calls of the bus's driver for a reader's request; what it does by itself, without.
    pub(super) forward: &'static [&'static str],
    /// Other keys of the bus's driver.
    pub(super) driver: &'static str,
    pub(super) readers: Vec<(u32, Reader)>,
    /// There is a second bus, without readers.
    pub(super) second_bus: bool,
    pub(super) steps: Vec<String>,
}

/// A reader whose stack has so many locations.
pub(super) struct Reader {
    /// Its filters, highest first, where the text names them.
    pub(super) filters: Vec<String>,
    pub(super) extra_stack: i8,
    pub(super) response_ms: u32,
    /// Its function driver passes everything down.
    pub(super) pass_down: bool,
}

/// The reader of the scenarios.
pub(super) const READER: u32 = 7;
/// The StackSize of a smart-card reader's stack as this tool builds it, and what forwarding to it needs.
pub(super) const USUAL: i8 = 4;

/// The scenario of a failure, as a file.
///
/// # Errors
/// Why there is none.
pub(super) fn scenario(failure: &Explained) -> Result<String, String> {
    match recipe(failure.cause, failure.locations.as_ref()) {
        Some(recipe) => Ok(write(failure, &recipe)),
        None => Err(format!("no scenario shows {}: {}", failure.cause, causes::why_no_scenario(failure.cause))),
    }
}

impl Recipe {
    pub(super) fn number(&mut self, known: Option<i8>, what: &str, usual: i8) -> i8 {
        known.unwrap_or_else(|| {
            self.assumed.push(format!("The text does not say {what}: {usual} is assumed."));
            usual
        })
    }
}

impl Reader {
    /// With the class filter where there is room for it.
    pub(super) fn of(size: i8) -> Reader {
        let filters = if size > 3 { vec!["scfilter".to_owned()] } else { Vec::new() };
        Reader { extra_stack: size - 2 - filters.len() as i8, filters, response_ms: 0, pass_down: false }
    }

    /// With the filters of a stack that the text shows: what is above the two lowest devices.
    pub(super) fn named(size: i8, stack: &[String]) -> Reader {
        let is_name = |name: &&String| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        };
        let filters: Vec<String> = stack.iter().take(stack.len().saturating_sub(2)).filter(is_name).cloned().collect();
        match i8::try_from(filters.len()) {
            Ok(count @ 1..) if count + 2 <= size => {
                Reader { extra_stack: size - 2 - count, filters, response_ms: 0, pass_down: false }
            }
            _ => Reader::of(size),
        }
    }
}

pub(super) fn forward(expected: &str) -> String {
    format!(
        "name = \"a request for the reader, through the bus\"\nforward = {{ reader = {READER} }}\nexpect = {{ {expected} }}\n"
    )
}

pub(super) fn on_reader(name: &str, action: &str) -> String {
    format!("name = \"{name}\"\n{action} = {{ reader = {READER} }}\n")
}

fn write(failure: &Explained, recipe: &Recipe) -> String {
    let mut text =
        format!("# {}.\n# Shown again from a text that vbus explain read; vbus run confirms it.\n", failure.title);
    for assumed in &recipe.assumed {
        text += &format!("# {assumed}\n");
    }
    text += &format!("title = \"{}\"\n", failure.title.replace(['"', '\\'], "'"));
    if recipe.driver_verifier {
        text += "driver_verifier = true\n";
    }
    if recipe.verifier {
        text += "\n[framework]\nverifier = true\n";
    }
    text += "\n[[bus]]\nname = \"vbus0\"\n";
    if recipe.extra_stack != 0 {
        text += &format!("extra_stack = {}\n", recipe.extra_stack);
    }
    if recipe.filters_above > 0 {
        let names: Vec<String> = (1..=recipe.filters_above).map(|number| format!("\"above{number}\"")).collect();
        text += &format!("upper_filters = [{}]\n", names.join(", "));
    }
    if !recipe.bus.is_empty() {
        text += &format!("{}\n", recipe.bus);
    }
    if !recipe.forward.is_empty() || !recipe.driver.is_empty() {
        text += "\n[bus.driver]\n";
    }
    if !recipe.forward.is_empty() {
        let calls: Vec<String> = recipe.forward.iter().map(|call| format!("\"{call}\"")).collect();
        text += &format!("forward = [{}]\n", calls.join(", "));
    }
    if !recipe.driver.is_empty() {
        text += &format!("{}\n", recipe.driver);
    }
    for (id, reader) in &recipe.readers {
        text += &write_reader(*id, reader);
    }
    if recipe.second_bus {
        text += "\n[[bus]]\nname = \"vbus1\"\n";
    }
    for step in &recipe.steps {
        text += &format!("\n[[step]]\n{step}");
    }
    text
}

fn write_reader(id: u32, reader: &Reader) -> String {
    let filters: Vec<String> = reader.filters.iter().rev().map(|name| format!("\"{name}\"")).collect();
    let mut text = format!("\n[[bus.reader]]\nid = {id}\n");
    if reader.pass_down {
        text += "function = \"pass-down\"\n";
    } else {
        text += &format!("extra_stack = {}\nupper_filters = [{}]\n", reader.extra_stack, filters.join(", "));
    }
    if reader.response_ms > 0 {
        text += &format!("response_ms = {}\n", reader.response_ms);
    }
    text
}
