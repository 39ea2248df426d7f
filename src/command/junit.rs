//! JUnit XML, as CI systems read it: a suite for each scenario, a case for each step.

use std::fmt::{self, Write};

use vbus::run::{Outcome, StepOutcome};

use super::run::{FileResult, Results};

/// The document. Times are virtual and the same in every run.
pub(super) fn document(results: &Results) -> String {
    let mut xml = String::new();
    // Writing to a string does not fail.
    _ = write_document(&mut xml, results);
    xml
}

fn write_document(xml: &mut String, results: &Results) -> fmt::Result {
    writeln!(xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(xml, "<testsuites name=\"vbus run\">")?;
    for result in &results.scenarios {
        match result {
            FileResult { file, outcome: Some(outcome), .. } => write_suite(xml, file, outcome)?,
            FileResult { file, error, .. } => {
                let error = escaped(error.as_deref().unwrap_or_default());
                writeln!(xml, "  <testsuite name=\"{}\" tests=\"1\" errors=\"1\">", escaped(file))?;
                writeln!(xml, "    <testcase name=\"load\" classname=\"{}\">", escaped(file))?;
                writeln!(xml, "      <error message=\"cannot be run\">{error}</error>")?;
                writeln!(xml, "    </testcase>\n  </testsuite>")?;
            }
        }
    }
    writeln!(xml, "</testsuites>")
}

fn write_suite(xml: &mut String, file: &str, outcome: &Outcome) -> fmt::Result {
    let failed = outcome.steps.iter().filter(|step| !step.failures.is_empty()).count();
    let (name, tests) = (escaped(file), outcome.steps.len());
    writeln!(xml, "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failed}\">")?;
    let mut before = 0;
    for step in &outcome.steps {
        // A step that was not reached took no time.
        let seconds = step.at_ticks.saturating_sub(before) as f64 / 1e7;
        before = step.at_ticks.max(before);
        write_case(xml, &name, step, seconds)?;
    }
    writeln!(xml, "  </testsuite>")
}

fn write_case(xml: &mut String, class: &str, step: &StepOutcome, seconds: f64) -> fmt::Result {
    let name = escaped(&step.name);
    if step.failures.is_empty() {
        return writeln!(xml, "    <testcase name=\"{name}\" classname=\"{class}\" time=\"{seconds:.7}\"/>");
    }
    writeln!(xml, "    <testcase name=\"{name}\" classname=\"{class}\" time=\"{seconds:.7}\">")?;
    writeln!(xml, "      <failure message=\"{}\">", escaped(&step.failures.join("; ")))?;
    for line in &step.log {
        writeln!(xml, "{}", escaped(&line.to_string()))?;
    }
    writeln!(xml, "      </failure>\n    </testcase>")
}

/// Text as XML has it, without the control characters that XML 1.0 cannot hold.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}
