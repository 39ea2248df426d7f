//! No text is an error: whatever bytes come, and wherever they end.

use proptest::prelude::*;
use vbus::explain::{Explanation, explain};
use vbus::wdf::{Site, sites};

use crate::common::READ_CARD;
use crate::dress::{self, DRESSES, Dress};

fn read(bytes: &[u8]) -> Explanation {
    let explanation = explain(bytes).unwrap();
    // Printing is part of it.
    _ = explanation.to_string();
    _ = serde_json::to_string(&explanation).unwrap();
    explanation
}

fn site() -> impl Strategy<Value = &'static Site> {
    let all: Vec<&'static Site> =
        [sites::ALL, sites::ALL_PNP, sites::ALL_CHILDREN].into_iter().flatten().copied().collect();
    proptest::sample::select(all)
}

/// Lines that look like something, in any order.
fn line() -> impl Strategy<Value = String> {
    let record = (site(), proptest::collection::vec(any::<u64>(), 0..8), any::<u16>())
        .prop_map(|(site, words, number)| format!("{number}: {} - {}", site.function, site.render(&words)));
    let marks = proptest::sample::select(vec![
        "--- start of log ---",
        "---- end of log ----",
        "  !DevObj   !DrvObj   !DevExt   ObjectName",
        "> ffffe000d2b2e060  \\Driver\\vreader    ffffe000d2b2d010",
        "Irp is active with 2 stacks 2 is current (= 0x1)",
        "Irp is active with 200 stacks -1 is current (= 0x1)",
        "WDF_VIOLATION (10d)",
        "Arg1: 0000000000000006, x",
        "Arg9: zz",
        "BugCheck 35, {1, 2, 3, 4}",
        "Device object (ffffe000d2b2e060) is for:",
        "   +0x04c StackSize : 127 ''",
        "0: kd> !wdfkd.wdfiotarget 0x7",
        "Target Device: !devobj 0xffffe000d2b2e060",
        "[0]1a2c TRACE_LEVEL_ERROR Some::Function:text",
        "[0]0004.1A2C::11/24/2026-19:33:02.123 [x]y",
        "0: kd> !irp",
        "!",
        "",
    ]);
    prop_oneof![4 => record, 2 => marks.prop_map(str::to_owned), 1 => "\\PC{0,90}", 1 => "[0-9\\[\\]:. a-zA-Z%!_-]{0,100}"]
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        read(&bytes);
    }

    #[test]
    fn lines_of_every_kind_are_read_in_any_order(
        lines in proptest::collection::vec(line(), 0..60),
        columns in 20_usize..200,
    ) {
        let text = lines.join("\n");
        let explanation = read(text.as_bytes());
        prop_assert_eq!(explanation.input.lines as usize, text.lines().count());
        let cut: String = text.chars().enumerate().flat_map(|(at, letter)| {
            let wrap = at % columns == columns - 1;
            std::iter::once(letter).chain(wrap.then_some('\n'))
        }).collect();
        read(cut.as_bytes());
    }

    #[test]
    fn every_message_is_known_whatever_its_arguments_are(site in site(), words in proptest::collection::vec(any::<u64>(), 9)) {
        let text = format!("1: {} - {}", site.function, site.render(&words));
        let explanation = read(text.replace('\n', " ").as_bytes());
        prop_assert_eq!((explanation.input.records, explanation.input.unknown_records), (1, 0), "{}", text);
    }
}

#[test]
fn a_log_may_end_anywhere() {
    let mut vbus = vbus::Setup::default().reader(7).build().unwrap();
    vbus.probe(7, READ_CARD).unwrap();
    for dress in DRESSES {
        let text = dress::log(&vbus.machine, vbus.bus_driver, "vbus", dress);
        let tail = &text[text.len() - 700..];
        for end in (0..tail.len()).step_by(if dress == Dress::Plain { 1 } else { 5 }) {
            read(&tail.as_bytes()[..end]);
            read(&tail.as_bytes()[end..]);
        }
    }
}
