//! Which schedules are run: all with one place of difference, then all with two, up to a bound, then seeds.
//!
//! Every schedule of the bounded part is made exactly once: one that ran has as children those that leave its own run at
//! one later place. They are numbered, so that cores share them and the result does not depend on who was faster.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::crew::Crew;
use super::minimise::minimise;
use super::race::Ran;
use super::schedule::{Policy, Schedule, Switch};
use super::{Closure, Exploration, Failure, Found, Options, Progress, Shard, run_once};

/// Of a failure's neighbours so many are looked at for one with fewer steps.
const NEIGHBOURS: u64 = 200;

/// A schedule that ran, and how many things could run at each of its choices.
struct Parent {
    schedule: Schedule,
    choices: Vec<u8>,
}

impl Parent {
    /// The first choice at which a child may leave the run.
    fn from(&self) -> usize {
        self.schedule.switches.last().map_or(0, |last| last.at as usize + 1)
    }

    fn children(&self) -> u64 {
        self.choices[self.from()..].iter().map(|&can_run| u64::from(can_run) - 1).sum()
    }

    /// The `number`-th child.
    fn child(&self, mut number: u64) -> Option<Schedule> {
        for (at, &can_run) in self.choices.iter().enumerate().skip(self.from()) {
            let others = u64::from(can_run) - 1;
            if number < others {
                return Some(self.schedule.and(Switch { at: at as u32, to: number as u32 + 1 }));
            }
            number -= others;
        }
        None
    }
}

/// The searching itself.
struct Search<'a> {
    options: &'a Options,
    code: Closure<'a>,
    progress: Progress<'a>,
    crews: Vec<Arc<Crew>>,
    /// How many schedules were run, for the progress.
    ran: AtomicU64,
    /// The same as the result has it.
    counted: u64,
}

pub(super) fn search(options: &Options, code: Closure<'_>, progress: Progress<'_>) -> Exploration {
    let crews = (0..options.jobs.get()).map(|_| Crew::new()).collect();
    let mut search = Search { options, code, progress, crews, ran: AtomicU64::new(0), counted: 0 };
    let failure = search.run();
    Exploration { schedules: search.counted, failure }
}

impl Search<'_> {
    fn run(&mut self) -> Option<Found> {
        let undisturbed = run_once(&self.crews[0], Policy::Recorded(Schedule::default()), self.code);
        // Every shard needs it to know what comes; one counts it.
        self.counted = u64::from(self.options.shard.has(0));
        if undisturbed.failure.is_some() {
            return Some(found(undisturbed, None));
        }
        let length = undisturbed.choices.len() as u32;
        let mut parents = vec![Parent { schedule: Schedule::default(), choices: undisturbed.choices }];
        for preemptions in 1..=self.options.preemptions {
            // A shard has some of the first level's schedules, and all that descend from them.
            let shard = if preemptions == 1 { self.options.shard } else { Shard::WHOLE };
            let keep = preemptions < self.options.preemptions;
            match self.level(&parents, shard, keep) {
                Ok(next) => parents = next,
                Err(found) => return Some(*found),
            }
        }
        self.seeds(length)
    }

    /// Runs all children of `parents`. Returns what is needed of them for the next level.
    fn level(&mut self, parents: &[Parent], shard: Shard, keep: bool) -> Result<Vec<Parent>, Box<Found>> {
        let mut begins = Vec::with_capacity(parents.len());
        let mut total = 0;
        for parent in parents {
            begins.push(total);
            total += parent.children();
        }
        let policy = |number: u64| {
            let number = shard.number(number);
            let parent = begins.partition_point(|&begin| begin <= number) - 1;
            parents[parent].child(number - begins[parent]).map(Policy::Recorded)
        };
        let (kept, failed) = self.in_parallel(shard.part_of(total), &policy, keep);
        match failed {
            Some((_, ran)) => Err(Box::new(found(ran, None))),
            None => Ok(kept),
        }
    }

    fn seeds(&mut self, length: u32) -> Option<Found> {
        let Options { shard, first_seed, drops, seeds, .. } = *self.options;
        let seed_of = |number: u64| first_seed.wrapping_add(shard.number(number));
        let policy = |number| Some(Policy::Seeded { seed: seed_of(number), drops, length });
        let (number, failed) = self.in_parallel(shard.part_of(seeds), &policy, false).1?;
        Some(found(minimise(&self.crews[0], self.code, failed), Some(seed_of(number))))
    }

    /// Runs the schedules with the numbers below `total` on all cores. Returns those that went well, if they are to be
    /// kept, and the smallest failure with its number.
    fn in_parallel(
        &mut self,
        total: u64,
        policy: &(dyn Fn(u64) -> Option<Policy> + Sync),
        keep: bool,
    ) -> (Vec<Parent>, Option<(u64, Ran)>) {
        let limit = AtomicU64::new(total.min(self.options.schedules.saturating_sub(self.counted)));
        let next = AtomicU64::new(0);
        let work = |crew: &Arc<Crew>| {
            let mut done = Done::default();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= limit.load(Ordering::Relaxed) {
                    return done;
                }
                let Some(policy) = policy(number) else { return done };
                let ran = run_once(crew, policy, self.code);
                (self.progress)(self.ran.fetch_add(1, Ordering::Relaxed) + 1);
                if ran.failure.is_some() {
                    limit.fetch_min(number + NEIGHBOURS, Ordering::Relaxed);
                    done.failed.push((number, ran));
                } else if keep {
                    done.kept.push((number, Parent { schedule: ran.taken, choices: ran.choices }));
                }
            }
        };
        let parts: Vec<Done> = thread::scope(|scope| {
            let work = &work;
            let others: Vec<_> = self.crews[1..].iter().map(|crew| scope.spawn(move || work(crew))).collect();
            let own = work(&self.crews[0]);
            // A closure's panic is caught where it runs.
            let others = others.into_iter().map(|other| other.join().expect("a core's part runs to its end"));
            std::iter::once(own).chain(others).collect()
        });
        let limit = limit.into_inner();
        self.counted += limit;
        let mut kept: Vec<_> = Vec::new();
        let mut failed: Vec<_> = Vec::new();
        for part in parts {
            kept.extend(part.kept);
            failed.extend(part.failed);
        }
        kept.sort_by_key(|&(number, _)| number);
        // Beyond the limit some ran and others did not.
        failed.retain(|&(number, _)| number < limit);
        let smallest =
            failed.into_iter().min_by_key(|(number, ran)| (ran.taken.switches.len(), ran.choices.len(), *number));
        (kept.into_iter().map(|(_, parent)| parent).collect(), smallest)
    }
}

/// What one core did.
#[derive(Default)]
struct Done {
    kept: Vec<(u64, Parent)>,
    failed: Vec<(u64, Ran)>,
}

/// A run that failed, as the result has it.
pub(super) fn found(ran: Ran, seed: Option<u64>) -> Found {
    let Ran { choices, taken, turns, failure, .. } = ran;
    // Only failed runs come here.
    let failure = failure.unwrap_or_else(|| Failure::Expectation("nothing failed".to_owned()));
    Found { failure, schedule: taken, choices: choices.len(), turns, seed }
}
