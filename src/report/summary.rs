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

/// Whether something is not as one would wish.
pub(super) fn is_bad(record: &Record) -> bool {
    let short = record.requests.iter().any(|request| request.shortfall.is_some());
    let failed =
        record.requests.iter().any(|request| was_sent(request) && (failed(request) || request.status.is_none()));
    short || failed || record.stop.is_some() || record.actions.iter().any(|action| unexpected(&action))
}

/// What happened: how many requests there were, how they ended, what stopped the machine.
pub fn summary(record: &Record) -> String {
    let sent = || record.requests.iter().filter(|request| was_sent(request));
    let mut text = match (sent().count(), sent().filter(|request| failed(request)).count()) {
        (0, _) => "No read, write or control request was sent.".to_owned(),
        (1, 0) => "One request was sent; it did not fail.".to_owned(),
        (1, _) => "One request was sent, and it failed.".to_owned(),
        (count, 0) => format!("{count} requests were sent; none of them failed."),
        (count, failed) => format!("{count} requests were sent; {failed} of them failed."),
    };
    // Writing to a String does not fail.
    let mut say = |count: usize, one: &str, more: &str| match count {
        0 => {}
        1 => _ = write!(text, " One {one}."),
        count => _ = write!(text, " {count} {more}."),
    };
    let short = record.requests.iter().filter(|request| request.shortfall.is_some()).count();
    say(short, "ran out of stack locations", "ran out of stack locations");
    let open = sent().filter(|request| request.status.is_none()).count();
    say(open, "was never completed", "were never completed");
    let unexpected = record.actions.iter().filter(unexpected).count();
    say(unexpected, "step did not end as expected", "steps did not end as expected");
    if let Some(stop) = &record.stop {
        _ = write!(text, " The machine stopped: {stop}.");
    }
    text
}
