//! `docs/wrong-drivers.md`, written by what these drivers do.

use std::fmt::Write;

use crate::rig::Theme;
use crate::{cancelling, completing, formatting, handles, irps, sending, waiting};

const THEMES: [Theme; 7] = [
    completing::THEME,
    sending::THEME,
    formatting::THEME,
    cancelling::THEME,
    handles::THEME,
    waiting::THEME,
    irps::THEME,
];

const HEAD: &str = "\
# Wrong drivers, and what becomes of them

Drivers that do one thing wrong, each beside its repaired twin. *Windows* is what the real system does; the block is what
vbus says: of the wrong driver, of the same with the framework's verifier on (`verified`, where that is different), and of
the repaired one, which leaves nothing to complain of either way. What the framework logs of level error comes below, with
question marks for addresses.

`cargo test --test wrong_drivers` plays them all and compares with this page; with `VBUS_UPDATE_DOCS` set it writes the
page.
";

/// Words that no test can have in its name.
const WORDS: [(&str, &str); 5] = [
    (" irp", " IRP"),
    ("null", "NULL"),
    ("evt io stop", "EvtIoStop"),
    ("programs request", "program's request"),
    ("its devices lock", "its device's lock"),
];

fn page() -> String {
    let mut page = HEAD.to_owned();
    for Theme { title, file, drivers } in THEMES {
        write!(page, "\n## {title}\n\nIn `{file}`.\n").expect("a string takes everything");
        for (name, driver) in drivers {
            let name = WORDS.iter().fold(name.replace('_', " "), |name, (plain, word)| name.replace(plain, word));
            let rules = driver.rules.join(", ");
            let (windows, says) = (driver.windows, driver.says());
            write!(page, "\n### …{name}\n\nRules: {rules}.\n\nWindows: {windows}\n\n```text\n{says}```\n")
                .expect("a string takes everything");
        }
    }
    page
}

#[test]
fn the_page_says_what_windows_does_and_what_vbus_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/wrong-drivers.md");
    let page = page();
    if std::env::var_os("VBUS_UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    let differs = page.lines().zip(written.lines().chain(std::iter::repeat(""))).position(|(now, then)| now != then);
    if let Some(at) = differs {
        let (now, then) = (page.lines().nth(at), written.lines().nth(at));
        panic!("line {} of docs/wrong-drivers.md: it says\n{then:?}\nand should say\n{now:?}", at + 1);
    }
    assert_eq!(written.len(), page.len(), "docs/wrong-drivers.md goes on after the last driver");
}
