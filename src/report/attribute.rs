//! Which request a log line is about, and after which of its steps it was written.

use std::collections::BTreeMap;

use super::record::{Line, Record, Request};

/// Puts the lines of all drivers into one order and says of each what it belongs to: the request whose handle or IRP it
/// names, if that was there at the time, else the one that the newest step before it is of.
pub(super) fn attribute(record: &mut Record) {
    record.log.sort_by_key(|line| line.moment);
    let names = names(&record.requests);
    let mut steps: Vec<(u64, usize, usize)> = Vec::new();
    for (at, request) in record.requests.iter().enumerate() {
        steps.extend(request.steps.iter().enumerate().map(|(number, step)| (step.order as u64, at, number)));
    }
    steps.sort_unstable();
    for line in record.log.iter_mut().filter(|line| !line.earlier) {
        let named = named(line, &names, &record.requests);
        let found = match named {
            Some(at) => Some((at, newest_step(&record.requests[at], line.moment))),
            None => {
                let before =
                    steps.partition_point(|&(_, at, step)| record.requests[at].steps[step].moment < line.moment);
                before.checked_sub(1).map(|newest| (steps[newest].1, steps[newest].2))
            }
        };
        (line.request, line.step) = (found.map(|found| found.0), found.map(|found| found.1));
    }
}

/// Requests by each handle and address that they were known under; addresses are used again.
fn names(requests: &[Request]) -> BTreeMap<&str, Vec<usize>> {
    let mut names: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, request) in requests.iter().enumerate() {
        for name in request.handles.iter().chain(&request.irp) {
            names.entry(name).or_default().push(at);
        }
    }
    names
}

fn named(line: &Line, names: &BTreeMap<&str, Vec<usize>>, requests: &[Request]) -> Option<usize> {
    let words = line.message.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words = words.map(|word| word.strip_prefix("0x").unwrap_or(word)).filter(|word| word.len() == 16);
    let lives = |request: &Request| {
        let (first, last) = (request.steps.first(), request.steps.last());
        first.is_some_and(|first| first.moment < line.moment) && last.is_some_and(|last| line.moment <= last.moment)
    };
    words.filter_map(|word| names.get(word)).flatten().copied().find(|&at| lives(&requests[at]))
}

fn newest_step(request: &Request, moment: u64) -> usize {
    request.steps.partition_point(|step| step.moment < moment).saturating_sub(1)
}
