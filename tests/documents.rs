//! The tables in docs/ that say what is modelled and what is detected name tests that exist.

use std::path::Path;

/// The code spans of a document that name something: `path.rs::name`.
fn named(text: &str) -> Vec<(&str, &str)> {
    let spans = text.split('`').skip(1).step_by(2);
    spans.filter_map(|span| span.split_once(".rs::").map(|(path, name)| (path, name))).collect()
}

/// Whether a file has a test of this name: a function, or one of the wrong drivers.
fn has_test(path: &str, name: &str) -> bool {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("{path}.rs"));
    let source = std::fs::read_to_string(file).unwrap_or_default();
    source.contains(&format!("fn {name}(")) || source.contains(&format!("    {name} = "))
}

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_test_that_a_table_names_exists() {
    for document in ["detection.md", "conformance.md"] {
        let text = read(document);
        let named = named(&text);
        assert!(named.len() > 50, "{document} names tests: {}", named.len());
        let missing: Vec<_> = named.into_iter().filter(|(path, name)| !has_test(path, name)).collect();
        assert_eq!(missing, [], "{document} names tests that do not exist");
    }
}

#[test]
fn every_rule_is_detected_by_a_test_or_not_for_a_reason() {
    let text = read("detection.md");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| Rule") && !line.starts_with("| ---"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    assert!(rows.len() > 60, "{}", rows.len());
    for row in rows {
        let [rules, detected, how] = row[..] else { panic!("three columns are wanted: {row:?}") };
        match detected {
            "yes" => assert!(!named(how).is_empty(), "{rules}: which test shows it?"),
            "by construction" | "no" => assert!(how.len() > 10, "{rules}: why?"),
            other => panic!("{rules}: {other}"),
        }
    }
}
