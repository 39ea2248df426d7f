//! The tables in docs/ that say what is modelled and what is detected name tests that exist.

use std::path::Path;

/// The code spans of a document that name something: `path.rs::name`.
fn named(text: &str) -> Vec<(&str, &str)> {
    let spans = text.split('`').skip(1).step_by(2);
    spans.filter_map(|span| span.split_once(".rs::")).collect()
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

/// The keys and words that a schema allows anywhere.
fn words(schema: &serde_json::Value, all: &mut Vec<String>) {
    match schema {
        serde_json::Value::Object(object) => {
            if let Some(serde_json::Value::Object(properties)) = object.get("properties") {
                all.extend(properties.keys().cloned());
            }
            let choices = object.get("enum").and_then(serde_json::Value::as_array).into_iter().flatten();
            all.extend(choices.chain(object.get("const")).filter_map(|word| Some(word.as_str()?.to_owned())));
            object.values().for_each(|value| words(value, all));
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| words(value, all)),
        _ => {}
    }
}

#[test]
fn every_word_of_a_scenario_is_in_its_document() {
    let document = read("scenario.md") + &read("explore.md");
    let is_of_a_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let known: std::collections::BTreeSet<&str> = document.split(|c| !is_of_a_word(c)).collect();
    let mut all = Vec::new();
    words(&serde_json::to_value(vbus::Scenario::schema()).unwrap(), &mut all);
    assert!(all.len() > 150, "the schema has words: {}", all.len());
    let missing: Vec<&String> = all.iter().filter(|word| !known.contains(word.as_str())).collect();
    assert_eq!(missing, Vec::<&String>::new(), "docs/scenario.md does not name them");
}
