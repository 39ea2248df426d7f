//! Cases, events, and the comparison of two runs.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use serde_json::Value;

/// One event of a run, as it is compared: `V Function - text` for a trace message, `* name arguments` for the rest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event(pub String);

/// The measured trace messages: level, function and text.
pub struct Traces(Vec<String>);

impl Traces {
    pub fn parse(json: &str) -> Result<Traces, Box<dyn Error>> {
        let rows: Vec<(String, u8, String, String)> = serde_json::from_str(json)?;
        Ok(Traces(rows.into_iter().map(|(function, level, _, text)| trace_text(level, &function, &text)).collect()))
    }
}

/// The line of a PnP or power IRP's arrival, with the name that all of them have.
fn with_irp_name(text: String) -> String {
    let name = match text {
        _ if text.contains(", IRP_MJ_PNP, ") => "<PNPIRP>",
        _ if text.contains(" IRP_MJ_POWER, ") => "<POWIRP>",
        _ => return text,
    };
    let Some(at) = text.find(" IRP 0x<") else { return text };
    let rest = text[at + 1..].find('>').map_or("", |end| &text[at + end + 2..]);
    format!("{} IRP 0x{name}{rest}", &text[..at])
}

/// A trace message as both sides write it.
pub fn trace_text(level: u8, function: &str, text: &str) -> String {
    let mut text = text.trim_end().replace("0x00000000(STATUS_SUCCESS)", "STATUS_SUCCESS");
    // How many verified drivers are loaded is one of the measuring process's own affairs: it never unloaded those of
    // earlier cases.
    if let (Some(from), Some(to)) = (text.find("UnLock counter ("), text.find(") for Verifier Paged Memory")) {
        text.replace_range(from + "UnLock counter (".len()..to, "n");
    }
    format!("{} {function} - {text}", ["?", "F", "E", "W", "I", "V"][usize::from(level).min(5)])
}

/// A measured case.
pub struct Case {
    pub number: u64,
    pub input: Value,
    events: Vec<Event>,
}

impl Case {
    pub fn parse(line: &str, traces: &Traces) -> Result<Case, Box<dyn Error>> {
        let json: Value = serde_json::from_str(line)?;
        let events = json["ev"].as_array().ok_or("a case has events")?;
        let event = |value: &Value| match value.as_u64() {
            Some(index) => traces.0.get(index as usize).cloned().unwrap_or_default(),
            None if value[0] == "log2" => {
                let said = value[1].as_u64().and_then(|index| traces.0.get(index as usize)).cloned();
                format!("2 {}", said.unwrap_or_default())
            }
            None => {
                let words = value.as_array().map(|words| words.iter().map(word).collect::<Vec<_>>());
                format!("* {}", words.unwrap_or_default().join(" "))
            }
        };
        // PnP and power IRPs have one name on our side. Those that the measured side's PnP manager sent go without
        // notice; what the framework made has a name there that says nothing.
        let lives = matches!(json["f"].as_str(), Some("F8_life" | "F9_children"));
        let events = events.iter().map(event).filter(|text| lives || text != "* freeIrp <PNPIRP>");
        let events = events.map(|text| match text {
            text if lives && text.starts_with("* freeIrp ") => Event("* freeIrp".to_owned()),
            text => Event(with_irp_name(text)),
        });
        let events = events.collect();
        Ok(Case { number: json["n"].as_u64().ok_or("a case has a number")?, input: json["in"].clone(), events })
    }

    pub fn number_of(&self, key: &str) -> i8 {
        self.input[key].as_i64().and_then(|value| i8::try_from(value).ok()).unwrap_or(0)
    }

    pub fn text_of(&self, key: &str) -> &str {
        self.input[key].as_str().unwrap_or_default()
    }

    pub fn is_set(&self, key: &str) -> bool {
        self.number_of(key) != 0
    }
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "null".to_owned(),
        Value::Bool(value) => u8::from(*value).to_string(),
        other => other.to_string(),
    }
}

/// A case with both runs.
pub struct Outcome<'c> {
    case: &'c Case,
    expected: Vec<String>,
    actual: Vec<String>,
}

impl<'c> Outcome<'c> {
    pub fn of(case: &'c Case, actual: Vec<Event>) -> Outcome<'c> {
        let mut expected = case.events.clone();
        let mut actual = actual;
        // Of what is undefined only that is compared: which access faults first depends on memory reuse.
        let undefined = |events: &[Event]| events.iter().position(|Event(text)| text.starts_with("* FAULT"));
        if let (Some(a), Some(b)) = (undefined(&expected), undefined(&actual)) {
            expected = vec![expected.swap_remove(a)];
            expected[0].0.truncate("* FAULT".len());
            actual = vec![actual.swap_remove(b)];
            actual[0].0.truncate("* FAULT".len());
        }
        separate_reused(&mut expected);
        separate_reused(&mut actual);
        Outcome { case, expected: renumber(&expected), actual: renumber(&actual) }
    }

    pub fn agrees(&self) -> bool {
        self.expected == self.actual
    }
}

/// A request that is queued again under the name of an earlier one has got its memory: the earlier one goes unnamed.
fn separate_reused(events: &mut [Event]) {
    const QUEUING: &str = "Queuing WDFREQUEST 0x";
    for at in 1..events.len() {
        let Some(from) = events[at].0.find(QUEUING).map(|from| from + QUEUING.len()) else { continue };
        let name: String = events[at].0[from..].split_inclusive('>').take(1).collect();
        let unnamed = format!("<P90{at}>");
        for Event(text) in &mut events[..at] {
            *text = text.replace(&name, &unnamed);
        }
    }
}

/// Unnamed pointers are numbered in the order in which they appear, on both sides.
fn renumber(events: &[Event]) -> Vec<String> {
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    let mut renumbered = Vec::with_capacity(events.len());
    for Event(text) in events {
        let mut line = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(at) = rest.find("<P") {
            let end = rest[at..].find('>').map_or(rest.len(), |end| at + end + 1);
            let name = &rest[at..end];
            line += &rest[..at];
            // <PDO0> and the like are names.
            if name[2..name.len() - 1].bytes().all(|byte| byte.is_ascii_digit()) {
                let next = numbers.len() + 1;
                let number = *numbers.entry(name.to_owned()).or_insert(next);
                line += &format!("<P{number}>");
            } else {
                line += name;
            }
            rest = &rest[end..];
        }
        renumbered.push(line + rest);
    }
    renumbered
}

impl fmt::Display for Outcome<'_> {
    /// The two runs from shortly before they part.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  case {} {}", self.case.number, self.case.input)?;
        let same = self.expected.iter().zip(&self.actual).take_while(|(a, b)| a == b).count();
        let from = same.saturating_sub(2);
        for at in from..(same + 4).min(self.expected.len().max(self.actual.len())) {
            let side = |side: &[String]| side.get(at).cloned().unwrap_or_else(|| "(nothing)".to_owned());
            let (expected, actual) = (side(&self.expected), side(&self.actual));
            if expected == actual {
                writeln!(f, "      both: {expected}")?;
            } else {
                writeln!(f, "  measured: {expected}\n     model: {actual}")?;
            }
        }
        Ok(())
    }
}
