//! Schedules: what runs where more than one thing could.
//!
//! An undisturbed run takes the first of what can run at every choice. A schedule says where to take another one, so that
//! it is short, and replays the same run whatever found it.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// At the `at`-th choice of a run, counted from 0, the `to`-th of what can run does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// Which choice.
    pub at: u32,
    /// What is taken: 0 is what an undisturbed run takes.
    pub to: u32,
}

/// Where a run leaves the undisturbed one, in order.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Schedule {
    /// The places.
    pub switches: Vec<Switch>,
}

impl Schedule {
    /// This schedule, and one place more.
    pub(super) fn and(&self, switch: Switch) -> Schedule {
        Schedule { switches: self.switches.iter().copied().chain([switch]).collect() }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.switches.is_empty() {
            return write!(f, "undisturbed");
        }
        for (number, Switch { at, to }) in self.switches.iter().enumerate() {
            write!(f, "{}{at}:{to}", if number == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

/// How choices are made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Policy {
    /// As written down; the first wherever nothing is.
    Recorded(Schedule),
    /// By priorities that a seed deals out, which drop at some places.
    Seeded {
        /// The seed.
        seed: u64,
        /// At how many places the one that runs drops behind all others.
        drops: u32,
        /// How many choices a run has, roughly: the drops are among them.
        length: u32,
    },
}

/// One of what can run, as far as choosing goes: the same for one thing through a whole run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Key(pub(super) u64);

/// Makes the choices of one run and writes them down.
pub(super) struct Chooser {
    policy: Dealt,
    /// How many things could run at each choice so far.
    pub(super) choices: Vec<u8>,
    /// Where something else than the first was taken.
    pub(super) taken: Schedule,
}

/// A policy while it is used.
enum Dealt {
    Recorded { schedule: Schedule, next: usize },
    Seeded(Priorities),
}

/// Probabilistic concurrency testing: everything has a random priority, the greatest runs, and at `drops` random places
/// it falls below all others. For a bug that needs `d` orderings among `n` threads and `k` choices, one run finds it with
/// a probability of at least 1 / (n · k^(d-1)), d being one more than the drops.
///
/// Source: Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs", ASPLOS 2010. Here
/// what becomes ready in the course of a run is dealt its priority then.
struct Priorities {
    random: SplitMix,
    of: BTreeMap<Key, u64>,
    drops_at: Vec<u32>,
    dropped: u64,
}

impl Chooser {
    pub(super) fn new(policy: Policy) -> Chooser {
        let policy = match policy {
            Policy::Recorded(schedule) => Dealt::Recorded { schedule, next: 0 },
            Policy::Seeded { seed, drops, length } => {
                let mut random = SplitMix(seed);
                let length = u64::from(length.max(1));
                let drops_at = (0..drops).map(|_| (random.next() % length) as u32).collect();
                Dealt::Seeded(Priorities { random, of: BTreeMap::new(), drops_at, dropped: 0 })
            }
        };
        Chooser { policy, choices: Vec::new(), taken: Schedule::default() }
    }

    /// Which of these runs. One alone is no choice.
    pub(super) fn choose(&mut self, can_run: &[Key]) -> usize {
        if can_run.len() < 2 {
            return 0;
        }
        let at = self.choices.len() as u32;
        // More than that never differ from the last one that counts.
        self.choices.push(can_run.len().min(u8::MAX.into()) as u8);
        let to = match &mut self.policy {
            Dealt::Recorded { schedule, next } => match schedule.switches.get(*next) {
                Some(switch) if switch.at == at => {
                    *next += 1;
                    switch.to as usize
                }
                _ => 0,
            },
            Dealt::Seeded(priorities) => priorities.choose(at, can_run),
        };
        // A schedule of another run may name what is not there; what was taken tells.
        if to >= can_run.len() {
            return 0;
        }
        if to > 0 {
            self.taken.switches.push(Switch { at, to: to as u32 });
        }
        to
    }
}

impl Priorities {
    fn choose(&mut self, at: u32, can_run: &[Key]) -> usize {
        for &key in can_run {
            // Above everything that a drop leaves.
            let random = &mut self.random;
            self.of.entry(key).or_insert_with(|| random.next() | 1 << 63);
        }
        let first = self.greatest(can_run);
        if !self.drops_at.contains(&at) {
            return first;
        }
        self.dropped += 1;
        self.of.insert(can_run[first], u64::from(u32::MAX) - self.dropped);
        self.greatest(can_run)
    }

    fn greatest(&self, can_run: &[Key]) -> usize {
        let priorities = can_run.iter().map(|key| self.of.get(key).copied().unwrap_or(0));
        priorities.enumerate().max_by_key(|&(at, priority)| (priority, usize::MAX - at)).map_or(0, |(at, _)| at)
    }
}

/// SplitMix64: a small generator with a good enough spread, the same everywhere.
///
/// Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
