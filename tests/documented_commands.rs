//! Every command that the README and the documents show is run, in a copy of the scenarios.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::command::{folder, root, text, vbus_in};

/// What cannot be run from a test of this package: it is this test, or CI runs it.
const BUILDS: [&str; 5] = ["cargo test", "cargo bench", "cargo doc", "cargo fuzz", "cargo build"];

/// The README and every document, in order.
fn documents() -> Vec<PathBuf> {
    let files = fs::read_dir(root().join("docs")).unwrap().map(|file| file.unwrap().path());
    let mut documents: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    documents.sort();
    documents.insert(0, root().join("README.md"));
    documents
}

/// The lines of a document's blocks of commands: those that say `console`, or no language at all and begin with `cargo`.
fn commands(document: &Path) -> Vec<String> {
    let text = fs::read_to_string(document).unwrap();
    let blocks = text.split("\n```").skip(1).step_by(2);
    let lines = blocks.flat_map(|block| {
        let (language, code) = block.split_once('\n').unwrap_or((block, ""));
        let console = language == "console";
        code.lines().filter_map(move |line| match console {
            true => line.strip_prefix("$ "),
            false => (language.is_empty() && line.starts_with("cargo ")).then_some(line),
        })
    });
    lines.map(str::to_owned).collect()
}

/// The words of a command line, as a shell splits them.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in line.chars() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (' ', None) if word.is_empty() => {}
            (' ', None) => words.push(std::mem::take(&mut word)),
            (c, _) => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// The arguments for the binary, of a command that runs it.
fn arguments(command: &str) -> Option<Vec<String>> {
    let ways = ["vbus ", "cargo run --release -- ", "cargo run -- "];
    ways.iter().find_map(|way| command.strip_prefix(way)).map(words)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &target) } else { _ = fs::copy(&path, &target).unwrap() }
    }
}

#[test]
fn every_documented_command_runs_and_ends_as_it_says() {
    let folder = folder("documented");
    copy(&root().join("scenarios"), &folder.join("scenarios"));
    let mut run = 0;
    for document in documents() {
        for line in commands(&document) {
            let (command, comment) =
                line.split_once(" # ").map_or((line.as_str(), ""), |(command, said)| (command, said));
            let Some(arguments) = arguments(command.trim()) else {
                assert!(BUILDS.iter().any(|build| command.starts_with(build)), "who runs `{command}`?");
                continue;
            };
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let output = vbus_in(&folder, &arguments);
            let expected = comment.trim().strip_prefix("exit code ").map_or(0, |code| code.parse().unwrap());
            assert_eq!(output.status.code(), Some(expected), "{}: `{command}`\n{}", document.display(), text(&output));
            run += 1;
        }
    }
    assert!(run >= 10, "only {run} commands were found: are their blocks marked `console`?");
}

#[test]
fn the_scenario_in_the_document_is_the_one_that_is_run() {
    let document = fs::read_to_string(root().join("docs/scenario.md")).unwrap();
    let (_, after) = document.split_once("<!-- scenarios/forward-too-small-repaired.toml -->\n```toml\n").unwrap();
    let shown = after.split_once("\n```").unwrap().0;
    let file = fs::read_to_string(root().join("scenarios/forward-too-small-repaired.toml")).unwrap();
    let code: Vec<&str> = file.lines().skip_while(|line| line.starts_with('#') || line.is_empty()).collect();
    assert_eq!(shown, code.join("\n"));
}
