//! One run, printed in every way: the same story.

use vbus::explain::Explanation;

use crate::common::READ_CARD;
use crate::dress::{self, DRESSES, Dress, of, told};

/// The story's log, from the harness's own stacks.
fn story(dress: Dress) -> String {
    let mut vbus = vbus::Setup::default().reader(7).log_pages(16).build().unwrap();
    vbus.probe(7, READ_CARD).unwrap();
    dress::log(&vbus.machine, vbus.bus_driver, "vbus", dress)
}

/// Cause, count, request, target, driver.
type Essence = (&'static str, u64, Option<u64>, Option<u64>, Option<String>);

/// What must be the same however a log is printed.
fn essence(explanation: &Explanation) -> Vec<Essence> {
    let failures = explanation.failures.iter();
    failures
        .map(|failure| (failure.cause, failure.count, failure.request, failure.target, failure.driver.clone()))
        .collect()
}

fn wrapped(text: &str, columns: usize) -> String {
    let mut wrapped = String::new();
    for line in text.lines() {
        for (at, letter) in line.chars().enumerate() {
            if at > 0 && at % columns == 0 {
                wrapped.push('\n');
            }
            wrapped.push(letter);
        }
        wrapped.push('\n');
    }
    wrapped
}

#[test]
fn every_layout_tells_the_same_story() {
    let expected = essence(&of(&story(Dress::Plain)));
    assert_eq!(expected.len(), 1, "{expected:?}");
    assert_eq!(expected[0].0, "irp-too-small");
    for dress in DRESSES {
        let explanation = of(&story(dress));
        assert_eq!(essence(&explanation), expected, "{dress:?}");
        assert_eq!((explanation.input.unknown_records, explanation.input.unknown_lines), (0, 0), "{dress:?}");
    }
}

#[test]
fn a_log_with_times_says_when() {
    approve_explanation!("explain_dated", told(&story(Dress::Dated)));
}

#[test]
fn a_log_with_levels_reads_as_approved() {
    approve_explanation!("explain_leveled", told(&story(Dress::Leveled)));
}

#[test]
fn tracefmt_output_reads_as_approved() {
    approve_explanation!("explain_tracefmt", told(&story(Dress::Nameless)));
}

#[test]
fn a_log_that_a_terminal_wrapped_is_the_same_log() {
    for dress in DRESSES {
        let plain = story(dress);
        let expected = of(&plain);
        for columns in [80, 100, 120] {
            let explanation = of(&wrapped(&plain, columns));
            assert_eq!(essence(&explanation), essence(&expected), "{dress:?} in {columns} columns");
            assert_eq!(explanation.input.records, expected.input.records, "{dress:?} in {columns} columns");
            assert_eq!(explanation.input.unknown_records, 0, "{dress:?} in {columns} columns");
        }
    }
}

#[test]
fn dos_line_ends_and_utf_16_change_nothing() {
    let plain = story(Dress::Plain);
    let expected = of(&plain);
    let dos = plain.replace('\n', "\r\n");
    let mut utf16 = vec![0xFF, 0xFE];
    utf16.extend(dos.encode_utf16().flat_map(u16::to_le_bytes));
    for bytes in [dos.into_bytes(), utf16] {
        let explanation = vbus::explain::explain(&bytes[..]).unwrap();
        assert_eq!(essence(&explanation), essence(&expected));
        assert_eq!(explanation.input.lines, expected.input.lines);
        assert_eq!(explanation.input.unknown_lines, 0);
    }
}

#[test]
fn a_log_that_is_cut_off_says_so_and_is_explained_as_far_as_it_goes() {
    let whole = story(Dress::Plain);
    let line = whole.find("Cannot reallocate").unwrap();
    let cut = &whole[..line + "Cannot reallocate PIRP for WDFREQUEST 0000307E6A7ED198 using WDFIOTA".len()];
    let explanation = of(cut);
    assert!(explanation.input.cut_off);
    assert_eq!(explanation.failures[0].cause, "irp-too-small");
    assert!(explanation.failures[0].request.is_some());
    assert!(!of(&whole).input.cut_off);
}

#[test]
fn a_log_that_has_lost_its_beginning_says_so() {
    let whole = story(Dress::Plain);
    let (_, rest) = whole.split_once("--- start of log ---\n").unwrap();
    let late: String = rest.lines().skip(20).map(|line| line.to_owned() + "\n").collect();
    let explanation = of(&late);
    assert_eq!(explanation.input.begins_at, Some(21));
    assert_eq!(explanation.failures[0].cause, "irp-too-small");
}

#[test]
fn lines_that_nobody_knows_are_counted() {
    let noise = "hello\n\nModLoad: 1234 5678 foo.sys\n12: no record\n";
    let explanation = of(&(noise.to_owned() + &story(Dress::Plain) + noise));
    assert_eq!(explanation.input.unknown_lines, 6);
    assert_eq!(explanation.failures[0].cause, "irp-too-small");
}
