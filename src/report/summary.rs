//! What happened, in a sentence or two.

use std::fmt::Write;

use super::record::{Action, Kind, Owner, Record, Request};

/// Whether a request was for data and came from outside: it is not one that a driver made for itself.
pub(super) fn was_sent(request: &Request) -> bool {
    request.kind == Kind::Io && request.steps.first().is_some_and(|first| first.owner == Owner::System)
}

fn failed(request: &Request) -> bool {
    request.status.is_some() && !request.success
}

fn unexpected(action: &&Action) -> bool {
    action.as_expected == Some(false)
}

/// Whether something is not as one would wish: a failed request is, unless somebody said what to expect.
pub(super) fn is_bad(record: &Record) -> bool {
    let short = record.requests.iter().any(|request| request.shortfall.is_some());
    let sent = || record.requests.iter().filter(|request| was_sent(request));
    let open = sent().any(|request| request.status.is_none());
    let said = !record.actions.is_empty() && record.actions.iter().all(|action| action.as_expected == Some(true));
    short
        || open
        || record.stop.is_some()
        || !said && (sent().any(failed) || record.actions.iter().any(|it| unexpected(&it)))
}

/// What happened: how many requests there were, how they ended, what stopped the machine.
pub fn summary(record: &Record) -> String {
    let sent: Vec<&Request> = record.requests.iter().filter(|request| was_sent(request)).collect();
    let failures = sent.iter().filter(|request| failed(request)).count();
    let open = sent.iter().filter(|request| request.status.is_none()).count();
    let ends = [(sent.len() - failures - open, "succeeded"), (failures, "failed"), (open, "never completed")];
    let ends: Vec<(usize, &str)> = ends.into_iter().filter(|end| end.0 > 0).collect();
    let mut text = match (sent.len(), &ends[..]) {
        (0, _) => "No read, write or control request was sent.".to_owned(),
        (1, [(_, end), ..]) => format!("One request was sent: it {end}."),
        (count, [(_, end)]) => format!("{count} requests were sent: all {end}."),
        (count, ends) => {
            let ends: Vec<String> = ends.iter().map(|(count, end)| format!("{count} {end}")).collect();
            format!("{count} requests were sent: {}.", ends.join(", "))
        }
    };
    // Writing to a String does not fail.
    let mut say = |count: usize, one: &str, more: &str| match count {
        0 => {}
        1 => _ = write!(text, " One {one}."),
        count => _ = write!(text, " {count} {more}."),
    };
    let short = record.requests.iter().filter(|request| request.shortfall.is_some()).count();
    say(short, "ran out of stack locations", "ran out of stack locations");
    let unexpected = record.actions.iter().filter(unexpected).count();
    say(unexpected, "step did not end as expected", "steps did not end as expected");
    if let Some(stop) = &record.stop {
        _ = write!(text, " The machine stopped: {stop}.");
    }
    text
}
