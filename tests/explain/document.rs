//! docs/explain.md shows what really is printed.

use crate::dress::told;

/// The code block of the document that follows a marker comment.
fn block(marker: &str) -> &'static str {
    let document = include_str!("../../docs/explain.md");
    let (_, after) = document.split_once(&format!("<!-- {marker} -->\n```text\n")).unwrap();
    after.split_once("\n```").unwrap().0
}

#[test]
fn the_documents_example_is_what_the_command_prints() {
    assert_eq!(told(block("input")).trim_end(), block("output"));
}
