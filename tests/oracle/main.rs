//! Compares the model with measured behaviour of the genuine framework, case by case.
//!
//! The cases are not part of the project: `VBUS_ORACLE_DIR` names a folder with `traces.json` and one `*.jsonl` file a
//! family. Each line of those is one case: inputs and, in order, every status, stack-location value, callback and
//! trace message. Everything is compared but addresses, which have names on the measured side.

mod case;
mod f1;
mod f10_objects;
mod f11_callers;
mod f2;
mod f3;
mod f4;
mod f5_parent;
mod f5_queue;
mod f5_stacksize;
mod f6;
mod f7;
mod f8_life;
mod f9_children;
mod f9_target;
mod lives;
mod world;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use case::{Case, Event, Outcome, Traces};

/// How many differing cases of a family are shown, unless `VBUS_ORACLE_SHOWN` says otherwise.
const SHOWN: usize = 3;

/// What runs a case of a family; `None` for a family that is not modelled yet.
fn family(name: &str) -> Option<fn(&Case) -> Vec<Event>> {
    match name {
        "F1" => Some(f1::run),
        "F10_objects" => Some(f10_objects::run),
        "F11_callers" => Some(f11_callers::run),
        "F2" => Some(f2::run),
        "F3" => Some(f3::run),
        "F4" => Some(f4::run),
        "F5_parent" => Some(f5_parent::run),
        "F5_queue" => Some(f5_queue::run),
        "F5_stacksize" => Some(f5_stacksize::run),
        "F6" => Some(f6::run),
        "F7" => Some(f7::run),
        "F8_life" => Some(f8_life::run),
        "F9_children" => Some(f9_children::run),
        _ => None,
    }
}

fn main() -> ExitCode {
    let Some(folder) = env::var_os("VBUS_ORACLE_DIR").map(PathBuf::from) else {
        println!("skipped: VBUS_ORACLE_DIR names no folder with measured cases, so there is nothing to compare with");
        println!("test result: ok. 0 passed; 0 failed; 1 ignored");
        return ExitCode::SUCCESS;
    };
    match compare_all(&folder) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            println!("{}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

/// Runs every case file of the folder. Returns how many cases differ.
fn compare_all(folder: &Path) -> Result<usize, Box<dyn std::error::Error>> {
    let traces = Traces::parse(&fs::read_to_string(folder.join("traces.json"))?)?;
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    let shown = env::var("VBUS_ORACLE_SHOWN").ok().and_then(|shown| shown.parse().ok()).unwrap_or(SHOWN);
    let (mut agreed, mut differed) = (0, 0);
    for path in files {
        let cases: Vec<Case> =
            fs::read_to_string(&path)?.lines().map(|line| Case::parse(line, &traces)).collect::<Result<_, _>>()?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let Some(run) = family(&name) else {
            println!("{name} 0 agree {} unknown", cases.len());
            continue;
        };
        let outcomes: Vec<Outcome> = cases.iter().map(|case| Outcome::of(case, run(case))).collect();
        let differing: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.agrees()).collect();
        println!("{name} {} agree {} differ", outcomes.len() - differing.len(), differing.len());
        differing.iter().take(shown).for_each(|outcome| println!("{outcome}"));
        agreed += outcomes.len() - differing.len();
        differed += differing.len();
    }
    println!("test result: {}. {agreed} passed; {differed} failed", if differed == 0 { "ok" } else { "FAILED" });
    Ok(differed)
}
