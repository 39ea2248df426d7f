//! The seeds, and what a few changes make of each, the same ones every time.

use std::fs;
use std::path::Path;

use super::TARGETS;

/// A small generator of numbers (xorshift64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % limit.max(1)
    }
}

fn changed(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len());
        match numbers.below(5) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << numbers.below(8),
            1 if !bytes.is_empty() => bytes[at] = numbers.below(256) as u8,
            2 if !bytes.is_empty() => drop(bytes.remove(at)),
            3 => bytes.truncate(at),
            _ => bytes.insert(at.min(bytes.len()), numbers.below(256) as u8),
        }
    }
}

/// The seeds of a target: its folder, and for what the project has files of, those.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = root.join("seeds").join(name);
    let others = match name {
        "scenario" => Some(root.join("../scenarios")),
        "log" => Some(root.join("../scenarios/logs")),
        "card" => Some(root.join("../reader/src/card/profile")),
        _ => None,
    };
    let mut paths: Vec<_> = [Some(own), others]
        .into_iter()
        .flatten()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flat_map(|files| files.map(|file| file.expect("the folder can be read").path()))
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a seed can be read")).collect()
}

#[test]
fn no_seed_and_no_small_change_of_one_breaks_anything() {
    for &(name, target) in TARGETS {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name} has seeds");
        let changes = if name == "vpcd" { 40 } else { 400 };
        let mut numbers = Numbers(0x5EED);
        for seed in &seeds {
            target(seed);
            for _ in 0..changes / seeds.len().min(20) {
                let mut bytes = seed.clone();
                changed(&mut bytes, &mut numbers);
                target(&bytes);
            }
        }
    }
}
