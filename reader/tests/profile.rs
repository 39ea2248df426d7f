//! Profiles and scripts: what they make, and what is said of mistakes in them.

mod common;

use common::{bytes, hex};
use proptest::prelude::*;
use vbus_reader::card::profile::Profile;
use vbus_reader::card::script::ScriptedCard;
use vbus_reader::card::{Card, Delivery, Fault, FaultKind, Reset};
use vbus_wdm::Ticks;

const SMALL: &str = r#"
channels = 2

[atr]
protocols = [1]
ifsc = 254
history = "'small'"

[[pin]]
name = "user"
reference = 1
value = "'0000'"
length = [4, 4]
tries = 5
may_be_disabled = true

[[pin]]
name = "local"
df = "5015"
reference = 0x81
value = "31 32"
length = [2, 6]
tries = 1

[[file]]
path = "5015"
kind = "df"
aid = "A0 00 00 00 63 'PKCS-15'"

[[file]]
path = "5015/4401"
content = "'for user or local'"
read = ["user", "local"]
"#;

fn session(text: &str) -> impl FnMut(&str) -> String {
    let mut card = Profile::parse(text).unwrap().card(1).unwrap();
    card.reset(Reset::Cold, &mut Vec::new());
    let mut response = Vec::new();
    move |command| {
        card.transmit(&bytes(command), &mut response);
        hex(&response)
    }
}

#[test]
fn a_card_is_what_its_profile_says() {
    let mut atr = Vec::new();
    Profile::parse(SMALL).unwrap().card(1).unwrap().reset(Reset::Cold, &mut atr);
    assert_eq!(hex(&atr), hex(&bytes("3B 85 81 11 FE 'small' 94")));
    let mut tell = session(SMALL);
    assert_eq!(tell("00 A4 04 0C 0C A0 00 00 00 63 504B43532D3135"), "90 00");
    assert_eq!(tell("00 A4 02 0C 02 44 01"), "90 00");
    assert_eq!(tell("00 B0 00 00 00"), "69 82");
    assert_eq!(tell("00 20 00 81 02 31 32"), "90 00");
    assert_eq!(tell("00 B0 00 00 03"), hex(&bytes("'for' 9000")));
    // A PIN of a DF counts as long as its DF is not left.
    assert_eq!(tell("00 A4 00 0C 02 3F 00"), "90 00");
    assert_eq!(tell("00 20 00 81 02 31 32"), "6A 88");
    assert_eq!(tell("00 A4 08 0C 04 50 15 44 01"), "90 00");
    assert_eq!(tell("00 B0 00 00 03"), "69 82");
    assert_eq!(tell("00 20 00 81"), "63 C1");
    assert_eq!(tell("00 20 00 81 02 39 39"), "63 C0");
    assert_eq!(tell("00 20 00 81 02 31 32"), "69 83");
}

#[test]
fn a_disabled_pin_opens_what_it_guards() {
    let mut tell = session(SMALL);
    assert_eq!(tell("00 A4 08 0C 04 50 15 44 01"), "90 00");
    assert_eq!(tell("00 B0 00 00 03"), "69 82");
    assert_eq!(tell("00 26 00 01 04 '9999'"), "63 C4");
    assert_eq!(tell("00 26 01 01"), "69 82");
    assert_eq!(tell("00 26 00 01 04 '0000'"), "90 00");
    assert_eq!(tell("00 B0 00 00 03"), hex(&bytes("'for' 9000")));
    assert_eq!(tell("00 20 00 01"), "90 00");
    assert_eq!(tell("00 20 00 01 04 '0000'"), "69 84");
    assert_eq!(tell("00 28 00 01 04 '0000'"), "90 00");
    assert_eq!(tell("00 20 FF 01"), "90 00");
    assert_eq!(tell("00 B0 00 00 03"), "69 82");
}

/// The small profile with one line changed.
fn changed(from: &str, to: &str) -> String {
    assert!(SMALL.contains(from), "{from}");
    SMALL.replacen(from, to, 1)
}

#[test]
fn mistakes_in_a_profile_are_shown_where_they_are() {
    let mistakes = [
        changed("channels = 2", "channels = 21"),
        changed("channels = 2", "chanels = 2"),
        changed("channels = 2", "channels = "),
        changed("protocols = [1]", "protocols = [1, 0]"),
        changed("ifsc = 254", "ifsc = 0"),
        changed("history = \"'small'\"", "history = \"'small\""),
        changed("history = \"'small'\"", "history = \"53 6D6\""),
        changed("reference = 1", "reference = 0x81"),
        changed("value = \"'0000'\"", "value = \"'00000'\""),
        changed("length = [4, 4]", "length = [4, 3]"),
        changed("length = [4, 4]", "length = [4]"),
        changed("tries = 5", "tries = 16"),
        changed("name = \"local\"", "name = \"user\""),
        changed("df = \"5015\"", "df = \"5016\""),
        changed("value = \"31 32\"", "value = \"31 3Z\""),
        changed("path = \"5015/4401\"", "path = \"5016/4401\""),
        changed("path = \"5015/4401\"", "path = \"5015/441\""),
        changed("path = \"5015/4401\"", "path = \"3F00\""),
        changed("kind = \"df\"", "kind = \"directory\""),
        changed("read = [\"user\", \"local\"]", "read = [\"user\", \"admin\"]"),
        changed("read = [\"user\", \"local\"]", "read = 5"),
        changed("read = [\"user\", \"local\"]", "sfi = 31"),
        changed("read = [\"user\", \"local\"]", "size = 5"),
        changed("read = [\"user\", \"local\"]", "records = []"),
        changed("read = [\"user\", \"local\"]", "[[file]]\npath = \"5015/4401\"\nsize = 1"),
        changed("content = \"'for user or local'\"", ""),
        changed("content = \"'for user or local'\"", "kind = \"cyclic\""),
        changed("content = \"'for user or local'\"", "kind = \"cyclic\"\nsize = 2\nrecords = [\"01 02\", \"01\"]"),
    ];
    let errors = mistakes.map(|text| Profile::parse(&text).unwrap_err().to_string());
    approve!("reader_profile_errors", errors.join("\n\n"));
}

#[test]
fn an_error_names_the_file_when_there_is_one() {
    let path = std::env::temp_dir().join(format!("vbus-profile-{}.toml", std::process::id()));
    std::fs::write(&path, changed("channels = 2", "channels = 0")).unwrap();
    let error = Profile::read(&path).unwrap_err().to_string();
    std::fs::remove_file(&path).unwrap();
    assert!(error.contains(&format!("--> {}:2:12", path.display())), "{error}");
    assert!(Profile::read(&path).unwrap_err().to_string().starts_with(&path.display().to_string()));
}

const SCRIPT: &str = r#"
atr = "3B 80 01 81"
otherwise = "6E 00"

[[reset]]
fault = "mute"

[[reset]]
after_ms = 20

[[exchange]]
command = "00 A4 04 00 ?? *"
response = "61 10"
times = 2

[[exchange]]
command = "00 A4 *"
response = "6A 82"
after_ms = 3
fault = "short"
fault_times = 7

[[exchange]]
command = "'a??' ?? '*'"
response = "90 00"
"#;

#[test]
fn a_script_answers_with_the_first_exchange_that_matches_and_is_not_used_up() {
    let mut card = ScriptedCard::parse(SCRIPT).unwrap();
    let mut answer = Vec::new();
    card.transmit(&bytes("00 A4 00 00"), &mut answer);
    assert_eq!(hex(&answer), "", "it has no power");
    assert_eq!(card.reset(Reset::Warm, &mut answer), Delivery::default());
    let mute = Delivery { after: Ticks(0), fault: Some(Fault { kind: FaultKind::Mute, times: 1 }) };
    assert_eq!(card.reset(Reset::Cold, &mut answer), mute);
    for _ in 0..2 {
        assert_eq!(card.reset(Reset::Cold, &mut answer), Delivery { after: Ticks::from_millis(20), fault: None });
        assert_eq!(hex(&answer), "3B 80 01 81");
    }
    let mut tell = |command: &str| {
        let delivery = card.transmit(&bytes(command), &mut answer);
        (hex(&answer), delivery)
    };
    let at_once = |text: &str| (text.to_owned(), Delivery::default());
    let later = Delivery { after: Ticks::from_millis(3), fault: Some(Fault { kind: FaultKind::Short, times: 7 }) };
    assert_eq!(tell("00 A4 04 00 05"), at_once("61 10"));
    assert_eq!(tell("00 A4 04 00 02 AA BB"), at_once("61 10"));
    assert_eq!(tell("00 A4 04 00 02 AA BB"), ("6A 82".to_owned(), later));
    assert_eq!(tell("00 A4"), ("6A 82".to_owned(), later));
    assert_eq!(tell("00 A5"), at_once("6E 00"));
    assert_eq!(tell("'a??x*'"), at_once("90 00"));
    assert_eq!(tell("'a??x'"), at_once("6E 00"));
    assert!(card.takes_data(*b"a??x") || !card.takes_data([0, 0xB0, 0, 0]));
}

#[test]
fn mistakes_in_a_script_are_shown_where_they_are() {
    let mistakes = [
        "atr = 5",
        "exchange = []",
        "atr = \"3B\"\n[[exchange]]\ncommand = \"00 ? 00\"\nresponse = \"90 00\"",
        "atr = \"3B\"\n[[exchange]]\ncommand = \"00 * 00\"\nresponse = \"90 00\"",
        "atr = \"3B\"\n[[exchange]]\ncommand = \"00 *\"\nresponse = \"90 0\"",
        "atr = \"3B\"\n[[exchange]]\ncommand = \"00 *\"\nresponse = \"90 00\"\nfault = \"silent\"",
        "atr = \"3B\"\n[[exchange]]\ncommand = \"00 *\"\nresponse = \"90 00\"\nafter_ms = 3600001",
        "atr = \"3B\"\n[[exchange]]\ncommand = \"00 *\"\nresponse = \"90 00\"\nafter = 3",
    ];
    let errors = mistakes.map(|text| ScriptedCard::parse(text).unwrap_err().to_string());
    approve!("reader_script_errors", errors.join("\n\n"));
}

proptest! {
    #[test]
    fn any_change_to_a_description_is_a_card_or_an_error(
        at in 0..SMALL.len(), length in 0..40usize, text in "[ -~\n]{0,8}", script in any::<bool>(),
    ) {
        let original = if script { SCRIPT } else { SMALL };
        let at = at.min(original.len());
        let end = (at + length).min(original.len());
        let changed = format!("{}{text}{}", &original[..at], &original[end..]);
        if script {
            if let Err(error) = ScriptedCard::parse(&changed) {
                prop_assert!(!error.to_string().is_empty());
            }
        } else if let Err(error) = Profile::parse(&changed) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
