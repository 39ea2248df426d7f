//! The README shows what really runs.

use std::fs;
use std::path::Path;

use clap::Parser;
use vbus::repro::{self, Options};

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

/// The code block of the README that follows a marker comment.
fn block(marker: &str) -> String {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (_, after) = readme.split_once(&format!("<!-- {marker} -->\n```")).unwrap();
    let (_, code) = after.split_once('\n').unwrap();
    code.split_once("\n```").unwrap().0.to_owned()
}

#[test]
fn the_readmes_story_is_what_the_command_prints() {
    let story = repro::run(&Arguments::parse_from(["repro"]).options).unwrap().to_string();
    assert_eq!(block("repro"), anstream::adapter::strip_str(&story).to_string().trim_end());
}

#[test]
fn the_readmes_library_example_is_the_one_that_is_compiled() {
    let example = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/forward.rs")).unwrap();
    let code = example.lines().skip_while(|line| line.starts_with("//!") || line.is_empty());
    assert_eq!(block("examples/forward.rs"), code.collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_test_in_the_document_is_one_of_the_example_projects() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("docs/testing-your-driver.md")).unwrap();
    let (_, after) = document.split_once("<!-- examples/echo-driver/tests/trace.rs -->\n```rust\n").unwrap();
    let shown = after.split_once("\n```").unwrap().0;
    assert!(fs::read_to_string(root.join("examples/echo-driver/tests/trace.rs")).unwrap().contains(shown));
}
