//! Cards that are kept in a file: what they change is there when they come back, whole, whatever happens in between.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{bytes, hex};
use vbus_reader::card::iso7816::Iso7816Card;
use vbus_reader::card::{Card, Reset, StoreError};

/// A directory of a test's own.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let path = std::env::temp_dir().join(format!("vbus-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("card.toml")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What is left is the system's to clean.
        _ = std::fs::remove_dir_all(&self.0);
    }
}

fn card(path: &Path) -> Iso7816Card {
    let mut card = Iso7816Card::new(7).kept_in(path).unwrap();
    card.reset(Reset::Cold, &mut Vec::new());
    card
}

fn tell(card: &mut Iso7816Card, command: &str) -> String {
    let mut response = Vec::new();
    card.transmit(&bytes(command), &mut response);
    hex(&response)
}

#[test]
fn what_a_card_changes_is_there_when_it_comes_back() {
    let directory = Directory::new("kept");
    let mut first = card(&directory.file());
    assert_eq!(tell(&mut first, "00 A4 00 0C 02 DF 01"), "90 00");
    assert_eq!(tell(&mut first, "00 D6 82 00 02 C0 DE"), "90 00");
    assert_eq!(tell(&mut first, "00 E2 00 38 08 'appended'"), "90 00");
    assert_eq!(tell(&mut first, "00 DA DF 30 03 'new'"), "90 00");
    assert_eq!(tell(&mut first, "00 20 00 01 04 '0000'"), "63 C2");
    // No farewell: the file is written before the card answers.
    std::mem::forget(first);

    let mut again = card(&directory.file());
    assert_eq!(tell(&mut again, "00 20 00 01"), "63 C2");
    assert_eq!(tell(&mut again, "00 CA DF 30 00"), hex(&bytes("'new' 9000")));
    assert_eq!(tell(&mut again, "00 B0 81 00 00"), hex(&bytes("'vbus card 00000007' 9000")));
    assert_eq!(tell(&mut again, "00 A4 00 0C 02 DF 01"), "90 00");
    assert_eq!(tell(&mut again, "00 B0 82 00 03"), "C0 DE 00 90 00");
    assert_eq!(tell(&mut again, "00 B2 01 3C 00"), hex(&bytes("'appended' 9000")));
}

#[test]
fn the_file_is_a_profile_that_makes_the_same_card() {
    let directory = Directory::new("image");
    drop(card(&directory.file()));
    approve!("reader_kept_card", std::fs::read_to_string(directory.file()).unwrap());
}

#[test]
fn a_change_that_cannot_be_kept_is_a_memory_failure_and_does_not_happen() {
    let directory = Directory::new("full");
    let mut card = card(&directory.file());
    // A directory where the new content would be written.
    std::fs::create_dir(directory.0.join("card.toml.new")).unwrap();
    assert_eq!(tell(&mut card, "00 A4 00 0C 02 DF 01"), "90 00");
    assert_eq!(tell(&mut card, "00 D6 82 00 02 C0 DE"), "65 81");
    assert_eq!(tell(&mut card, "00 B0 82 00 02"), "00 00 90 00");
    assert_eq!(tell(&mut card, "00 20 00 01 04 '0000'"), "65 81");
    assert_eq!(tell(&mut card, "00 20 00 01"), "63 C3");
    std::fs::remove_dir(directory.0.join("card.toml.new")).unwrap();
    assert_eq!(tell(&mut card, "00 D6 82 00 02 C0 DE"), "90 00");
}

#[test]
fn a_file_that_is_no_profile_is_an_error_that_names_it() {
    let directory = Directory::new("broken");
    std::fs::write(directory.file(), "channels = 4").unwrap();
    let error = Iso7816Card::new(7).kept_in(directory.file()).err().unwrap();
    assert!(matches!(error, StoreError::Profile(_)));
    assert!(error.to_string().contains("missing field `atr`"), "{error}");
}

/// What [`a_kill_at_any_moment_leaves_the_old_content_or_the_new_one`] runs in a process of its own: a card that counts
/// in its file for ever.
const CHILD: &str = "VBUS_KEPT_CARD";

#[test]
fn a_kill_at_any_moment_leaves_the_old_content_or_the_new_one() {
    if let Some(path) = std::env::var_os(CHILD) {
        return count_for_ever(Path::new(&path));
    }
    let directory = Directory::new("killed");
    let file = directory.file();
    drop(card(&file));
    let mut last = 0;
    let mut advanced = 0;
    for round in 0..60u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_kill_at_any_moment_leaves_the_old_content_or_the_new_one"])
            .env(CHILD, &file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // From before it is ready to the middle of its counting.
        std::thread::sleep(Duration::from_micros(500 + round * 997));
        child.kill().unwrap();
        child.wait().unwrap();
        let count = read_count(&file);
        assert!(count >= last, "round {round}: {count} after {last}");
        advanced += u32::from(count > last);
        last = count;
    }
    assert!(advanced > 10, "the child was killed while it wrote: {advanced} rounds of 60");
}

/// The count stands four times in the EF of 64 bytes: a file that is half old and half new would not agree with itself.
fn read_count(file: &Path) -> u64 {
    let mut card = card(file);
    tell(&mut card, "00 A4 00 0C 02 DF 01");
    let content = bytes(&tell(&mut card, "00 B0 82 00 20"));
    let counts: Vec<&[u8]> = content[..32].chunks(8).collect();
    assert!(counts.iter().all(|count| *count == counts[0]), "{content:02X?}");
    u64::from_be_bytes(counts[0].try_into().unwrap())
}

fn count_for_ever(file: &Path) {
    let mut count = read_count(file);
    let mut card = card(file);
    tell(&mut card, "00 A4 00 0C 02 DF 01");
    loop {
        count += 1;
        let four = hex(&count.to_be_bytes().repeat(4));
        assert_eq!(tell(&mut card, &format!("00 D6 82 00 20 {four}")), "90 00");
    }
}
