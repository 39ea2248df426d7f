//! Bug checks: `!analyze -v`, its short form, `.bugcheck`, and what an automatic analysis prints.

use super::{Block, address, after};
use crate::explain::facts::{Facts, MOST, StopFacts};

pub(super) fn line(block: &mut Block, number: u64, text: &str, facts: &mut Facts) -> bool {
    if let Some(code) = headline(text) {
        *block = Block::BugCheck;
        stop(facts, number, code);
        return true;
    }
    // `BugCheck 10D, {6, 3, 24f58130f798, ffffdb0a7eaa3010}`
    if let Some((code, rest)) = after(text, "BugCheck ").and_then(|rest| rest.split_once(", {"))
        && let Some(code) = address(code).and_then(|code| u32::try_from(code).ok())
    {
        stop(facts, number, code);
        set(facts, rest.trim_end_matches('}').split(',').map(address));
        return true;
    }
    // `Bugcheck code 0000010D`, `BUGCHECK_CODE:  10d`
    if let Some(code) = after(text, "Bugcheck code ").or_else(|| after(text, "BUGCHECK_CODE:")) {
        let code = address(code).and_then(|code| u32::try_from(code).ok());
        code.inspect(|&code| stop(facts, number, code));
        return code.is_some();
    }
    if let Some(image) = after(text, "IMAGE_NAME:").or_else(|| after(text, "Probably caused by :")) {
        let image = image.split_ascii_whitespace().next();
        if let (Some(stop), Some(image)) = (facts.stops.last_mut(), image) {
            stop.image.get_or_insert_with(|| image.chars().take(64).collect());
            return true;
        }
        return false;
    }
    *block == Block::BugCheck && parameters(text, facts)
}

/// `WDF_VIOLATION (10d)`.
fn headline(text: &str) -> Option<u32> {
    let (name, code) = text.strip_suffix(')')?.split_once(" (")?;
    let is_name =
        name.len() > 4 && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_' || byte.is_ascii_digit());
    if !is_name || !name.contains('_') {
        return None;
    }
    u32::from_str_radix(code, 16).ok()
}

/// `Arg1: 0000000000000006, A fatal error …`, `BUGCHECK_P1: 6`, `Arguments 00000006 00000003 …`
fn parameters(text: &str, facts: &mut Facts) -> bool {
    if text == "Arguments:" {
        return true;
    }
    if let Some(list) = after(text, "Arguments ") {
        let list = list.split_ascii_whitespace().map(address);
        return set(facts, list);
    }
    let numbered = after(text, "Arg").or_else(|| after(text, "BUGCHECK_P"));
    let Some((number, value)) = numbered.and_then(|rest| rest.split_once(':')) else { return false };
    let value = value.split([',', ' ']).find(|word| !word.is_empty()).and_then(address);
    let at = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    match (facts.stops.last_mut(), at) {
        (Some(stop), Some(at @ 0..4)) => {
            stop.parameters[at] = value.or(stop.parameters[at]);
            true
        }
        _ => false,
    }
}

/// The stop that the next parameters belong to. Said again, it is the same one.
fn stop(facts: &mut Facts, line: u64, code: u32) {
    let is_same = facts.stops.last().is_some_and(|stop| stop.code == code);
    if !is_same && facts.stops.len() < MOST {
        facts.stops.push(StopFacts { line, code, ..StopFacts::default() });
    }
}

fn set(facts: &mut Facts, values: impl Iterator<Item = Option<u64>>) -> bool {
    let Some(stop) = facts.stops.last_mut() else { return false };
    for (parameter, value) in stop.parameters.iter_mut().zip(values) {
        *parameter = value.or(*parameter);
    }
    true
}
