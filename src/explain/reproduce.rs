//! Writes the scenario that shows a failure again: `vbus run` confirms it.

use super::explanation::Explained;
use super::numbers::Locations;

/// What the bus and its readers of a scenario are like, and what happens.
#[derive(Default)]
struct Recipe {
    verifier: bool,
    /// What is assumed, as the text does not say it.
    assumed: Vec<String>,
    /// What the bus adds to its natural StackSize of 2.
    extra_stack: i8,
    /// Filters above the bus, each of which uses the location that it adds.
    filters_above: i8,
    send: &'static str,
    /// The calls of the bus's driver; what it does by itself, without.
    forward: &'static [&'static str],
    readers: Vec<(u32, Reader)>,
    steps: Vec<String>,
}

/// A reader whose stack has so many locations.
struct Reader {
    /// Its filters, highest first, where the text names them.
    filters: Vec<String>,
    extra_stack: i8,
    response_ms: u32,
}

/// The reader of the scenarios.
const READER: u32 = 7;
/// The StackSize of a smart-card reader's stack as this tool builds it, and what forwarding to it needs.
const USUAL: i8 = 4;
/// No scenario has more; an IRP has at most 125.
const MOST: i8 = 100;

/// The scenario of a failure, as a file.
///
/// # Errors
/// Why there is none.
pub(super) fn scenario(failure: &Explained) -> Result<String, String> {
    let recipe = recipe(failure).ok_or_else(|| format!("no scenario has what it takes to show {}", failure.cause))?;
    Ok(write(failure, &recipe))
}

fn recipe(failure: &Explained) -> Option<Recipe> {
    let roomy = Recipe { extra_stack: USUAL - 1, readers: vec![(READER, Reader::of(USUAL))], ..Recipe::default() };
    let status = |name: &str, log: &str| forward(&format!("status = \"{name}\", log = [\"{log}\"]"));
    Some(match failure.cause {
        "irp-too-small" => too_small(failure.locations.as_ref()),
        "formatted-for-smaller-target" => smaller_target(failure.locations.as_ref()),
        "never-formatted" => Recipe {
            verifier: true,
            forward: &["set-completion-routine", "send"],
            steps: vec![status("STATUS_REQUEST_NOT_ACCEPTED", "has not been formatted, cannot send")],
            ..roomy
        },
        "target-closed" => Recipe {
            // What this driver completes with is the call's own status.
            forward: &["format", "set-completion-routine", "send"],
            steps: vec![
                on_reader("the driver closes its target", "close_target"),
                status("STATUS_INVALID_DEVICE_STATE", "is closed, cannot validate"),
            ],
            ..roomy
        },
        "target-not-accepting" => Recipe {
            // What this driver completes with is the call's own status.
            forward: &["format", "set-completion-routine", "send"],
            steps: vec![
                on_reader("the driver purges its target", "purge_target"),
                status("STATUS_INVALID_DEVICE_STATE", "not accepting requests, state WdfIoTargetPurged"),
            ],
            ..roomy
        },
        "already-sent" => Recipe {
            forward: &["format", "set-completion-routine", "send", "send"],
            readers: vec![(READER, Reader { response_ms: 5, ..Reader::of(USUAL) })],
            steps: vec![forward(
                "bug_check = { code = 0x10D, parameters = [6, 3] }, log = [\"already sent to a target\"]",
            )],
            ..roomy
        },
        "no-completion-routine" => Recipe {
            forward: &["format", "send"],
            steps: vec![status("STATUS_INVALID_DEVICE_REQUEST", "presented request with no completion routine")],
            ..roomy
        },
        "forget-formatted-request" => Recipe {
            forward: &["format", "send"],
            send: "{ send_and_forget = true }",
            steps: vec![status("STATUS_INVALID_DEVICE_REQUEST", "Cannot send-and-forget")],
            ..roomy
        },
        "send-options" => Recipe {
            forward: &["format", "set-completion-routine", "send"],
            send: "{ send_and_forget = true, synchronous = true }",
            steps: vec![status("STATUS_INVALID_PARAMETER", "no other Flags")],
            ..roomy
        },
        "completed-twice" => Recipe {
            verifier: true,
            forward: &["complete", "complete"],
            steps: vec![status("STATUS_SUCCESS", "is not owned by the driver")],
            ..roomy
        },
        "completed-cancelable" => Recipe {
            verifier: true,
            forward: &["mark-cancelable", "complete"],
            steps: vec![status("STATUS_SUCCESS", "Completing Cancelable")],
            ..roomy
        },
        _ => return None,
    })
}

/// As many locations as the text says, or as the story has.
fn too_small(numbers: Option<&Locations>) -> Recipe {
    let mut recipe = Recipe::default();
    let need = recipe.number(
        numbers.and_then(|numbers| numbers.need.as_ref()).map(|need| need.value),
        "what the target needs",
        USUAL,
    );
    let have = recipe.number(
        numbers.and_then(|numbers| numbers.have.as_ref()).map(|have| have.value),
        "what the request has left",
        1,
    );
    // Below a bus is at least its PDO, and a reader's stack has at least two devices.
    let have = have.clamp(1, MOST - 1);
    let need = need.clamp(have + 1, MOST);
    let count = numbers.and_then(|numbers| numbers.stack_count);
    recipe.extra_stack = have - 1;
    recipe.filters_above = count.map_or(0, |count| count.saturating_sub(have + 1)).clamp(0, 20);
    recipe.readers.push((READER, Reader::named(need, numbers.map_or(&[], |numbers| &numbers.target_stack))));
    recipe.steps.push(forward("status = \"STATUS_REQUEST_NOT_ACCEPTED\", log = [\"Cannot reallocate PIRP\"]"));
    recipe
}

/// A second reader whose stack the request is big enough for.
fn smaller_target(numbers: Option<&Locations>) -> Recipe {
    let mut recipe = Recipe { verifier: true, ..Recipe::default() };
    let need = recipe.number(
        numbers.and_then(|numbers| numbers.need.as_ref()).map(|need| need.value),
        "what the target needs",
        USUAL,
    );
    let have = recipe.number(
        numbers.and_then(|numbers| numbers.have.as_ref()).map(|have| have.value),
        "what the request has left",
        2,
    );
    let have = have.clamp(2, MOST - 1);
    let need = need.clamp(have + 1, MOST);
    recipe.extra_stack = have - 1;
    recipe.forward = &["format-for-another", "set-completion-routine", "send"];
    recipe.readers.push((READER, Reader::of(need)));
    recipe.readers.push((READER + 1, Reader::of(have)));
    recipe.steps.push(forward(&format!(
        "status = \"STATUS_REQUEST_NOT_ACCEPTED\", log = [\"does not have enough stack locations {have} for this\"]"
    )));
    recipe
}

impl Recipe {
    fn number(&mut self, known: Option<i8>, what: &str, usual: i8) -> i8 {
        known.unwrap_or_else(|| {
            self.assumed.push(format!("The text does not say {what}: {usual} is assumed."));
            usual
        })
    }
}

impl Reader {
    /// With the class filter where there is room for it.
    fn of(size: i8) -> Reader {
        let filters = if size > 3 { vec!["scfilter".to_owned()] } else { Vec::new() };
        Reader { extra_stack: size - 2 - filters.len() as i8, filters, response_ms: 0 }
    }

    /// With the filters of a stack that the text shows: what is above the two lowest devices.
    fn named(size: i8, stack: &[String]) -> Reader {
        let is_name = |name: &&String| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        };
        let filters: Vec<String> = stack.iter().take(stack.len().saturating_sub(2)).filter(is_name).cloned().collect();
        match i8::try_from(filters.len()) {
            Ok(count @ 1..) if count + 2 <= size => Reader { extra_stack: size - 2 - count, filters, response_ms: 0 },
            _ => Reader::of(size),
        }
    }
}

fn forward(expected: &str) -> String {
    format!(
        "name = \"a request for the reader, through the bus\"\nforward = {{ reader = {READER} }}\nexpect = {{ {expected} }}\n"
    )
}

fn on_reader(name: &str, action: &str) -> String {
    format!("name = \"{name}\"\n{action} = {{ reader = {READER} }}\n")
}

fn write(failure: &Explained, recipe: &Recipe) -> String {
    let mut text =
        format!("# {}.\n# Shown again from a text that vbus explain read; vbus run confirms it.\n", failure.title);
    for assumed in &recipe.assumed {
        text += &format!("# {assumed}\n");
    }
    text += &format!("title = \"{}\"\n", failure.title.replace(['"', '\\'], "'"));
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
    if !recipe.send.is_empty() {
        text += &format!("send = {}\n", recipe.send);
    }
    if !recipe.forward.is_empty() {
        let calls: Vec<String> = recipe.forward.iter().map(|call| format!("\"{call}\"")).collect();
        text += &format!("\n[bus.driver]\nforward = [{}]\n", calls.join(", "));
    }
    for (id, reader) in &recipe.readers {
        text += &write_reader(*id, reader);
    }
    for step in &recipe.steps {
        text += &format!("\n[[step]]\n{step}");
    }
    text
}

fn write_reader(id: u32, reader: &Reader) -> String {
    let filters: Vec<String> = reader.filters.iter().rev().map(|name| format!("\"{name}\"")).collect();
    let mut text = format!("\n[[bus.reader]]\nid = {id}\n");
    text += &format!("extra_stack = {}\nupper_filters = [{}]\n", reader.extra_stack, filters.join(", "));
    if reader.response_ms > 0 {
        text += &format!("response_ms = {}\n", reader.response_ms);
    }
    text
}
