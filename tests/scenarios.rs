//! The scenarios of the repository, run by the real binary: every bug shows what its file says, and every twin is repaired.

mod common;

use std::fs;

use common::command::{root, text, vbus};
use vbus::Scenario;

/// The scenarios' names, in order.
fn names() -> Vec<String> {
    let files = fs::read_dir(root().join("scenarios")).unwrap();
    let paths = files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "toml"));
    let mut names: Vec<String> = paths.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn file(name: &str) -> String {
    format!("scenarios/{name}.toml")
}

/// The scenarios that show a bug, each of which has a repaired twin.
fn bugs() -> Vec<String> {
    names().into_iter().filter(|name| !name.ends_with("-repaired")).collect()
}

#[test]
fn every_scenario_comes_out_as_it_expects_and_prints_what_was_approved() {
    for name in names() {
        approve!(format!("scenario_{name}"), text(&vbus(&["run", &file(&name)])));
    }
}

#[test]
fn there_are_at_least_ten_bugs_and_every_one_has_a_repaired_twin_that_works() {
    let bugs = bugs();
    assert!(bugs.len() >= 10, "{bugs:?}");
    for bug in bugs {
        let broken = Scenario::load(root().join(file(&bug))).unwrap().run().unwrap();
        assert!(broken.as_expected(), "{bug}");
        let repaired = Scenario::load(root().join(file(&format!("{bug}-repaired")))).unwrap().run().unwrap();
        assert!(repaired.as_expected(), "{bug}-repaired");
    }
}

#[test]
fn every_bug_says_what_windows_showed_and_what_vbus_shows_and_where_it_was_met() {
    for bug in bugs() {
        let text = fs::read_to_string(root().join(file(&bug))).unwrap();
        let comment: Vec<&str> = text.lines().take_while(|line| line.starts_with('#')).collect();
        for needed in ["# Windows showed: ", "# vbus shows: ", "# Repaired in "] {
            assert!(comment.iter().any(|line| line.starts_with(needed)), "{bug} lacks `{needed}`");
        }
    }
}

#[test]
fn a_scenario_written_down_again_comes_to_the_same() {
    for name in names() {
        let path = root().join(file(&name));
        let scenario = Scenario::load(&path).unwrap();
        let again = Scenario::parse(&path, scenario.to_toml().unwrap()).unwrap();
        assert_eq!(again.run().unwrap(), scenario.run().unwrap(), "{name}");
    }
}

#[test]
fn the_same_scenario_gives_the_same_bytes_again() {
    for name in names() {
        let run = || vbus(&["run", "--format", "json", "--log", "all", &file(&name)]).stdout;
        assert_eq!(run(), run(), "{name}");
    }
}

#[test]
fn a_twins_logs_are_set_side_by_side() {
    for bug in ["forward-too-small", "unplugged-in-flight", "io-stop-ignored"] {
        let (a, b) = (file(bug), file(&format!("{bug}-repaired")));
        approve!(format!("diff_{bug}"), text(&vbus(&["diff", &a, &b])));
    }
}

#[test]
fn no_line_of_any_report_is_wider_than_a_terminal() {
    for name in names() {
        let output = text(&vbus(&["run", "--log", "all", &file(&name)]));
        // A word is not broken: only that may stand out.
        let wide = output.lines().find(|line| line.chars().count() > 80 && line.trim().contains(' '));
        assert_eq!(wide, None, "{name}");
    }
}
