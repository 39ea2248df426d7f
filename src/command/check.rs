//! `vbus check`.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use vbus::Scenario;
use vbus::budget::{self, Edge, RequestKind};
use vbus::style::{BOLD, GREEN, PLAIN, RED};

use super::text::{count, write_wrapped};
use super::{Format, Verdict, print};

#[derive(clap::Args)]
pub(super) struct Options {
    /// Scenario files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Results {
    fits: bool,
    scenarios: Vec<Checked>,
}

#[derive(Serialize)]
struct Checked {
    file: String,
    edges: Vec<Edge>,
}

pub(super) fn run(options: &Options, format: Format) -> anyhow::Result<Verdict> {
    let mut scenarios = Vec::new();
    for file in &options.files {
        let edges = budget::edges(&Scenario::load(file)?);
        scenarios.push(Checked { file: file.display().to_string(), edges });
    }
    let fits = scenarios.iter().flat_map(|checked| &checked.edges).all(|edge| edge.fits);
    let results = Results { fits, scenarios };
    print(format, &results, &results)?;
    Ok(if fits { Verdict::AsExpected } else { Verdict::NotAsExpected })
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Checked { file, edges } in &self.scenarios {
            writeln!(f, "{BOLD}{file}{PLAIN}")?;
            if edges.is_empty() {
                writeln!(f, "  no bus forwards anything to a reader\n")?;
                continue;
            }
            writeln!(f, "{BOLD}  bus          reader  StackSize  IRP  at the FDO  left  needs{PLAIN}")?;
            edges.iter().try_for_each(|edge| write_row(f, edge))?;
            edges.iter().filter(|edge| !edge.fits).try_for_each(|edge| write_fix(f, edge))?;
            writeln!(f)?;
        }
        let edges: usize = self.scenarios.iter().map(|checked| checked.edges.len()).sum();
        let short = self.scenarios.iter().flat_map(|checked| &checked.edges).filter(|edge| !edge.fits).count();
        match short {
            0 => writeln!(f, "{}: {GREEN}all fit{PLAIN}", count(edges, "edge")),
            short => writeln!(f, "{}: {RED}{short} too small{PLAIN}", count(edges, "edge")),
        }
    }
}

fn write_row(f: &mut fmt::Formatter<'_>, edge: &Edge) -> fmt::Result {
    let Edge { bus, reader, bus_stack_size, irp_stack_count, current_location, have, need, .. } = edge;
    let verdict = match edge {
        Edge { own_request: true, .. } => format!("{GREEN}its own IRP{PLAIN}"),
        Edge { fits: true, spare: 0, .. } => format!("{GREEN}fits{PLAIN}"),
        Edge { fits: true, spare, .. } => format!("{GREEN}fits{PLAIN}, {spare} spare"),
        _ => format!("{RED}{} short{PLAIN}", need - have),
    };
    let kind = match edge.request {
        RequestKind::Control => "",
        RequestKind::Read => ", a read",
        RequestKind::Write => ", a write",
    };
    writeln!(
        f,
        "  {bus:<12} {reader:>6}  {bus_stack_size:>9}  {irp_stack_count:>3}  {current_location:>10}  {have:>4}  {need:>5}  {verdict}{kind}"
    )
}

fn write_fix(f: &mut fmt::Formatter<'_>, edge: &Edge) -> fmt::Result {
    let Edge { bus, reader, bus_stack_size: size, have, need, minimum, .. } = edge;
    let what = match edge.request {
        RequestKind::Control => "request",
        RequestKind::Read => "read",
        RequestKind::Write => "write",
    };
    let error = format!(
        "{RED}error{PLAIN}{BOLD}: {bus} cannot forward a program's {what} to reader {reader}: \
         it leaves {have} for lower drivers, and the target needs {need}{PLAIN}"
    );
    let help = match minimum {
        Some(minimum) => format!(
            "raise {bus}'s StackSize by {} ({size} -> {minimum}), or send a request the driver created (WdfRequestCreate)",
            minimum - size
        ),
        None => vbus::explain::grows_with(bus),
    };
    let help = format!("{GREEN}help{PLAIN}: {help}");
    let (mut text, indent) = (String::new(), "    ");
    write_wrapped(&mut text, "  ", indent, &error)?;
    write_wrapped(&mut text, "  ", indent, &help)?;
    f.write_str(&text)
}
