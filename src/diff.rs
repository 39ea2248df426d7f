//! Two runs' logs beside each other: where one leaves the other.

use std::collections::BTreeMap;

use serde::Serialize;
use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::run::{Outcome, Record};

/// A row of two logs beside each other.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Row {
    /// Both logs say it.
    Same {
        /// What.
        both: String,
    },
    /// The logs differ: a line of one, of the other, or of each.
    Different {
        /// The first log's line.
        #[serde(skip_serializing_if = "Option::is_none")]
        a: Option<String>,
        /// The second log's line.
        #[serde(skip_serializing_if = "Option::is_none")]
        b: Option<String>,
    },
}

/// Sets the logs of two runs side by side.
///
/// Sequence numbers are left out, and addresses are named in the order in which each log brings them up (`#1`, `#2`): the
/// same object has the same name in both as long as the runs are alike.
pub fn rows(a: &Outcome, b: &Outcome) -> Vec<Row> {
    let (a, b) = (comparable(a), comparable(b));
    let mut rows = Vec::new();
    for op in capture_diff_slices(Algorithm::Patience, &a, &b) {
        let (old, new) = (&a[op.old_range()], &b[op.new_range()]);
        if let DiffOp::Equal { .. } = op {
            rows.extend(old.iter().map(|line| Row::Same { both: line.clone() }));
            continue;
        }
        let pairs = (0..old.len().max(new.len())).map(|at| (old.get(at).cloned(), new.get(at).cloned()));
        rows.extend(pairs.map(|(a, b)| Row::Different { a, b }));
    }
    rows
}

fn comparable(outcome: &Outcome) -> Vec<String> {
    let mut names = Names::default();
    let line = |record: &Record| format!("{}: {} - {}", record.driver, record.function, names.give(&record.message));
    outcome.log().map(line).collect()
}

/// Names for addresses, in the order in which they come up.
#[derive(Default)]
pub(crate) struct Names(BTreeMap<String, usize>);

impl Names {
    /// Replaces every address in a text, which has 16 hex digits, by its name.
    pub(crate) fn give(&mut self, text: &str) -> String {
        let mut named = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
            if digits == 0 {
                named.push(next);
                rest = &rest[next.len_utf8()..];
                continue;
            }
            let (word, after) = rest.split_at(digits);
            // Zero is the null pointer, which is nothing that has a name.
            if digits == 16 && word.bytes().any(|digit| digit != b'0') {
                if named.ends_with("0x") {
                    named.truncate(named.len() - 2);
                }
                let next_number = self.0.len() + 1;
                let number = self.0.entry(word.to_ascii_uppercase()).or_insert(next_number);
                named.push_str(&format!("#{number}"));
            } else {
                named.push_str(word);
            }
            rest = after;
        }
        named
    }
}
