//! Every failure that is told apart, a row each: what shows it, why it happens by the framework's own rules, what to do.

mod objects;
mod requests;
mod sending;
mod stacks;

use vbus_wdf::{Site, sites};
use vbus_wdm::NtStatus;

/// Which numbers decide a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Numbers {
    /// None.
    None,
    /// The locations that the request has left, and the target's stack size.
    Locations,
    /// The target's state.
    TargetState,
    /// The locations of an IRP that was passed on by hand.
    Irp,
}

/// A bug check that shows a failure: its code, and its first parameters as far as they matter.
pub(super) type StopPattern = (u32, &'static [u64]);

/// A row. In its texts, `{request}`, `{target}`, `{irp}` and `{state}` stand for what the text names.
pub(super) struct Cause {
    /// Its name in JSON and in the documents. Stable.
    pub(super) id: &'static str,
    /// What failed, as a headline.
    pub(super) title: &'static str,
    /// The calls that report it.
    pub(super) call: &'static str,
    /// The status, if every such line has the same and does not print it.
    pub(super) status: Option<NtStatus>,
    /// The log lines that show it.
    pub(super) sites: &'static [&'static Site],
    /// The bug checks that show it.
    pub(super) stops: &'static [StopPattern],
    /// Only the framework's verifier, or Driver Verifier, finds it.
    pub(super) verifier_only: bool,
    pub(super) numbers: Numbers,
    pub(super) why: &'static [&'static str],
    pub(super) help: &'static [&'static str],
    /// Where the rule is from.
    pub(super) source: &'static str,
    /// Why no scenario shows it; empty if one does.
    pub(super) no_scenario: &'static str,
}

impl Cause {
    /// What rows have that say nothing else.
    const DEFAULT: Cause = Cause {
        id: "",
        title: "",
        call: "",
        status: None,
        sites: &[],
        stops: &[],
        verifier_only: false,
        numbers: Numbers::None,
        why: &[],
        help: &[],
        source: "",
        no_scenario: "",
    };
}

/// The table, in the order of the documents.
pub(super) fn table() -> impl Iterator<Item = &'static Cause> {
    [stacks::TABLE, sending::TABLE, requests::TABLE, objects::TABLE].into_iter().flatten()
}

/// Why no scenario shows a cause; nothing for one that a scenario shows.
pub(super) fn why_no_scenario(id: &str) -> &'static str {
    let rows = table().chain([&OTHER_ERROR, &OTHER_STOP, &DRIVERS_OWN_ANSWER]);
    rows.filter(|cause| cause.id == id).map(|cause| cause.no_scenario).next().unwrap_or_default()
}

/// The row that a log line shows.
pub(super) fn of_site(site: &Site) -> Option<&'static Cause> {
    table().find(|cause| cause.sites.iter().any(|shown| std::ptr::eq(*shown, site)))
}

/// Error lines that are no failure of their own: they say again what the line before them said, or are in every log.
static ORDINARY: &[&Site] = &[
    // The PnP manager asks for ids that a device need not have.
    &sites::PDO_NO_ID,
    &sites::SEND_IO_NOT_FORMATTED,
    &sites::SEND_IOCTL_NOT_FORMATTED,
    &sites::SEND_OTHERS_NOT_FORMATTED,
    &sites::REQUEST_CONVERT_UNKNOWN,
    &sites::REQUEST_CONVERTED,
    &sites::REQUEST_INPUT_LENT,
    &sites::REQUEST_OUTPUT_LENT,
    &sites::TRANSFER_USER_POINTER_HINT,
    &sites::INPUT_USER_POINTER_HINT,
    &sites::OUTPUT_USER_POINTER_HINT,
    &sites::MDL_USER_POINTER_HINT,
    &sites::OUTPUT_MDL_USER_POINTER_HINT,
    &sites::FILE_UNKNOWN_HINT,
    &sites::FILE_DESTROY_UNKNOWN_HINT,
];

/// Whether an error line is none.
pub(super) fn is_ordinary(site: &Site) -> bool {
    ORDINARY.iter().any(|known| std::ptr::eq(*known, site))
}

/// The row that a bug check shows: the one that names most of its parameters.
pub(super) fn of_stop(code: u32, parameters: &[Option<u64>; 4]) -> Option<&'static Cause> {
    let fits = |&&(stop, first): &&StopPattern| {
        stop == code && first.iter().zip(parameters).all(|(wanted, is)| Some(*wanted) == *is)
    };
    let named = |cause: &Cause| cause.stops.iter().filter(fits).map(|(_, first)| first.len() + 1).max().unwrap_or(0);
    table().filter(|cause| named(cause) > 0).max_by_key(|cause| named(cause))
}

/// An error line that no row knows.
pub(super) static OTHER_ERROR: Cause = Cause {
    id: "other-error",
    title: "the framework logged an error that has no row in vbus's table of causes",
    call: "the function that the line names",
    why: &["the line says what the framework found; it need not be a failure"],
    help: &["look the function up in the framework's published source: the line's text is there with its condition"],
    source: "microsoft/Windows-Driver-Frameworks",
    no_scenario: "the line has no row, so nothing is known of what leads to it",
    ..Cause::DEFAULT
};

/// A bug check that no row knows.
pub(super) static OTHER_STOP: Cause = Cause {
    id: "other-bug-check",
    title: "a bug check outside the request path",
    call: "KeBugCheckEx",
    why: &["it is not one of those that a request, a target or a queue ends in"],
    help: &["see the debugger's own text for it"],
    source: "bug check code reference",
    no_scenario: "the bug check has no row, so nothing is known of what leads to it",
    ..Cause::DEFAULT
};

/// A request that a driver, not the framework, failed.
pub(super) static DRIVERS_OWN_ANSWER: Cause = Cause {
    id: "completed-with-failure",
    title: "the driver completed a request with a failure",
    call: "WdfRequestComplete",
    why: &[
        "nothing before it in the log says that the framework refused the request: the status is the driver's own answer, or \
         that of the driver below it, passed up",
    ],
    help: &["look in the log of the driver that the request was sent to: !wdfkd.wdflogdump <driver>"],
    source: "S/core/fxrequest.cpp:522-885",
    no_scenario: "the failure is the driver's own answer: only its code says what leads to it",
    ..Cause::DEFAULT
};

impl Cause {
    /// Whether it need not be what went wrong: it is told of after what certainly did.
    pub(super) fn is_note(&self) -> bool {
        [OTHER_ERROR.id, DRIVERS_OWN_ANSWER.id].contains(&self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::recipes;

    #[test]
    fn every_row_is_whole_and_has_a_name_of_its_own() {
        let mut seen = Vec::new();
        for cause in table().chain([&OTHER_ERROR, &OTHER_STOP, &DRIVERS_OWN_ANSWER]) {
            assert!(!seen.contains(&cause.id), "{} twice", cause.id);
            seen.push(cause.id);
            let texts = [cause.id, cause.title, cause.call, cause.source];
            assert!(texts.iter().all(|text| !text.is_empty()), "{} lacks a text", cause.id);
            assert!(!cause.why.is_empty() && !cause.help.is_empty(), "{} lacks a reason or a fix", cause.id);
        }
    }

    #[test]
    fn every_row_is_documented_with_its_scenario() {
        let documents = include_str!("../../../docs/explain.md");
        for cause in table() {
            let row = documents.lines().find(|line| line.starts_with(&format!("| `{}` |", cause.id)));
            let row = row.unwrap_or_else(|| panic!("docs/explain.md lacks {}", cause.id));
            let shown = recipes::recipe(cause.id, None).is_some();
            assert_eq!(shown, cause.no_scenario.is_empty(), "{} has a scenario, or says why not", cause.id);
            let last = if shown { "yes" } else { cause.no_scenario };
            assert!(row.ends_with(&format!("| {last} |")), "the row of {} ends with `{last}`: {row}", cause.id);
        }
        assert!([&OTHER_ERROR, &OTHER_STOP, &DRIVERS_OWN_ANSWER].iter().all(|row| !row.no_scenario.is_empty()));
    }

    #[test]
    fn no_line_and_no_bug_check_belongs_to_two_rows() {
        let rows: Vec<&Cause> = table().collect();
        for (at, cause) in rows.iter().enumerate() {
            for site in cause.sites {
                assert_eq!(of_site(site).map(|found| found.id), Some(cause.id), "{}", site.message);
            }
            let others = rows[at + 1..].iter().flat_map(|other| other.stops);
            assert!(others.clone().all(|stop| !cause.stops.contains(stop)), "{} shares a stop", cause.id);
        }
    }

    #[test]
    fn a_bug_check_is_known_by_as_many_parameters_as_matter() {
        let id = |code, parameters: [u64; 4]| of_stop(code, &parameters.map(Some)).map(|cause| cause.id);
        assert_eq!(id(0x10D, [6, 1, 9, 9]), Some("formatted-below-last-location"));
        assert_eq!(id(0x10D, [6, 3, 9, 9]), Some("already-sent"));
        assert_eq!(id(0x35, [1, 2, 3, 4]), Some("no-locations-left"));
        assert_eq!(id(0xC9, [0x208, 0, 0, 0]), Some("about-to-run-out"));
        assert_eq!(id(0xC9, [0x20F, 0, 0, 0]), None);
        assert_eq!(of_stop(0x10D, &[None; 4]).map(|cause| cause.id), None);
    }
}
