//! How many of the framework's trace sites the model has, by source file, and which of them it has wrong.
//!
//! `cargo run --example trace_sites -- CATALOGUE.tsv` compares every site of the model with a catalogue of the
//! framework's own: a header line, then one line a site with six columns, separated by tabs: source file, line,
//! function, level (`TRACE_LEVEL_ERROR`), flag, message as it stands in the source, with its escapes. Exit code 1 says
//! that a site is not as the catalogue has it. The example's tests compare with the catalogue that the environment
//! variable `VBUS_TRACE_CATALOG` names.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::process::ExitCode;

use anyhow::Context;
use vbus::wdf::layer::sites;
use vbus::wdf::{Level, Site};

/// Functions of files that a catalogue of the request path may leave out, and where they are.
const BEYOND: [(&str, &str); 5] = [
    ("FxCallbackMutexLock::Lock", "S/inc/private/common/fxcallbackmutexlock.hpp:114"),
    ("imp_WdfCollectionCreate", "S/support/fxcollectionapi.cpp:89"),
    ("FxRequestBuffer::ValidateMemoryDescriptor", "S/support/fxrequestbuffer.cpp:71"),
    ("imp_WdfDeviceCreateDeviceInterface", "S/support/fxdeviceinterfaceapi.cpp:100"),
    ("WdfDeviceSetDeviceInterfaceStateWorker", "S/support/fxdeviceinterfaceapi.cpp:213"),
];

/// A line of the catalogue. Sites that are written alike in several places of a file are one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    file: String,
    function: String,
    level: String,
    flag: String,
    message: String,
}

fn parse(catalogue: &str) -> anyhow::Result<BTreeSet<Row>> {
    let rows = catalogue.lines().enumerate().skip(1).map(|(at, line)| {
        let [file, _, function, level, flag, message] = line.split('\t').collect::<Vec<_>>()[..] else {
            anyhow::bail!("line {}: six columns separated by tabs are wanted: {line}", at + 1);
        };
        let [file, function, level, flag, message] = [file, function, level, flag, message].map(str::to_owned);
        Ok(Row { file, function, level, flag, message: unescaped(&message) })
    });
    rows.collect()
}

/// A C string literal's escapes, as far as messages have them.
fn unescaped(literal: &str) -> String {
    literal.replace("\\n", "\n").replace("\\\"", "\"").replace("\\\\", "\\")
}

const fn level_name(level: Level) -> &'static str {
    match level {
        Level::Fatal => "TRACE_LEVEL_FATAL",
        Level::Error => "TRACE_LEVEL_ERROR",
        Level::Warning => "TRACE_LEVEL_WARNING",
        Level::Information => "TRACE_LEVEL_INFORMATION",
        Level::Verbose => "TRACE_LEVEL_VERBOSE",
    }
}

/// How much of a message the model's site and a row of the same function have in common; `None` for a row that is about
/// something else.
fn likeness(site: &Site, row: &Row) -> Option<usize> {
    let common = row.message.chars().zip(site.message.chars()).take_while(|(a, b)| a == b).count();
    (row.function == site.function && common >= 8).then_some(common)
}

/// Whether a row of the catalogue is the model's site.
fn is_exact(site: &Site, row: &Row) -> bool {
    row.function == site.function
        && row.level == level_name(site.level)
        && row.flag == site.flag
        && row.message == site.message
}

#[derive(Default)]
struct Report {
    /// By source file: how many sites the model has, and how many there are.
    files: BTreeMap<String, (usize, usize)>,
    /// Sites that the catalogue has otherwise, with what it has.
    wrong: Vec<String>,
    /// Sites of functions, or with messages, that the catalogue does not have.
    unknown: Vec<String>,
    /// Sites of [`BEYOND`], with where they are.
    beyond: Vec<String>,
}

fn compare(model: &[&Site], catalogue: &BTreeSet<Row>) -> Report {
    let mut report = Report::default();
    for row in catalogue {
        let (implemented, all) = report.files.entry(row.file.clone()).or_default();
        *implemented += usize::from(model.iter().any(|site| is_exact(site, row)));
        *all += 1;
    }
    for site in model.iter().filter(|site| !catalogue.iter().any(|row| is_exact(site, row))) {
        let have = line(level_name(site.level), site.flag, site.function, site.message);
        let alike = catalogue.iter().max_by_key(|row| likeness(site, row)).filter(|row| likeness(site, row).is_some());
        match (alike, BEYOND.iter().find(|(function, _)| *function == site.function)) {
            (None, Some((_, source))) => report.beyond.push(format!("{source}  {have}")),
            (None, None) => report.unknown.push(have),
            (Some(row), _) => {
                let want = line(&row.level, &row.flag, &row.function, &row.message);
                report.wrong.push(format!("  model      {have}\n  catalogue  {want}"));
            }
        }
    }
    report
}

/// A site on one line, with its blanks and line ends to be seen.
fn line(level: &str, flag: &str, function: &str, message: &str) -> String {
    format!("{level} {flag} {function} - {}", message.replace(' ', "\u{b7}").replace('\n', "\u{21b5}"))
}

impl Report {
    fn of(path: &str) -> anyhow::Result<Report> {
        let catalogue = std::fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
        let catalogue = parse(&catalogue).with_context(|| format!("reading {path}"))?;
        Ok(compare(&[sites::ALL, sites::ALL_PNP, sites::ALL_CHILDREN].concat(), &catalogue))
    }

    fn is_exact(&self) -> bool {
        self.wrong.is_empty() && self.unknown.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut done, mut all) = (0, 0);
        for (file, (implemented, total)) in &self.files {
            writeln!(f, "{implemented:>4} / {total:<4} {file}")?;
            done += implemented;
            all += total;
        }
        writeln!(f, "{done:>4} / {all:<4} together")?;
        let lists = [
            ("in files that the catalogue may leave out", &self.beyond),
            ("not in the catalogue", &self.unknown),
            ("not as the catalogue has them", &self.wrong),
        ];
        for (what, lines) in lists {
            writeln!(f, "\nsites of the model that are {what}: {}", lines.len())?;
            lines.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        }
        Ok(())
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let path = std::env::args().nth(1).context("which catalogue? trace_sites CATALOGUE.tsv")?;
    let report = Report::of(&path)?;
    print!("{report}");
    Ok(if report.is_exact() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    static MODEL: [Site; 3] = [
        Site::new("FxThing::Begin", Level::Verbose, "TRACINGIO", "Thing %p begins\n"),
        Site::new("FxThing::End", Level::Error, "TRACINGIO", "Thing %p ends"),
        Site::new("imp_WdfThing", Level::Error, "TRACINGIO", "Thing %p is not one"),
    ];

    #[test]
    fn sites_are_counted_by_file_and_those_that_differ_are_shown_beside_what_they_should_be() {
        let catalogue = [
            "file\tline\tfunction\tlevel\tflag\tmessage",
            "a.cpp\t7\tFxThing::Begin\tTRACE_LEVEL_VERBOSE\tTRACINGIO\tThing %p begins\\n",
            "a.cpp\t9\tFxThing::Begin\tTRACE_LEVEL_VERBOSE\tTRACINGIO\tThing %p begins\\n",
            "a.cpp\t20\tFxThing::End\tTRACE_LEVEL_WARNING\tTRACINGIO\tThing %p ends",
        ];
        let report = compare(&MODEL.each_ref(), &parse(&catalogue.join("\n")).unwrap());
        assert_eq!(report.files["a.cpp"], (1, 2));
        let end = "FxThing::End - Thing\u{b7}%p\u{b7}ends";
        assert_eq!(
            report.wrong,
            [format!(
                "  model      TRACE_LEVEL_ERROR TRACINGIO {end}\n  catalogue  TRACE_LEVEL_WARNING TRACINGIO {end}"
            )]
        );
        assert_eq!(report.unknown.len(), 1);
    }

    #[test]
    fn a_line_without_its_columns_is_an_error_with_its_number() {
        let error = parse("file\tline\nnothing of the kind").map(|_| ()).unwrap_err();
        assert!(error.to_string().starts_with("line 2: six columns"), "{error}");
    }

    #[test]
    fn every_site_is_as_the_catalogue_has_it() {
        let Ok(path) = std::env::var("VBUS_TRACE_CATALOG") else {
            return println!("skipped: VBUS_TRACE_CATALOG names no catalogue to compare with");
        };
        let report = Report::of(&path).unwrap();
        assert!(report.is_exact(), "{report}");
    }
}
