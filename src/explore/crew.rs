//! A crew of threads that virtual processors run on, kept from one run to the next.
//!
//! Exactly one of a run's threads has the machine and runs; the others wait for it. So a crew uses one core, however many
//! threads it has.

use std::sync::{Arc, Mutex, Weak};
use std::thread;

use crossbeam_channel::{Sender, bounded};

/// Something to run on a thread of the crew.
pub(super) type Work = Box<dyn FnOnce() + Send>;

struct Job {
    work: Work,
    /// The way back to the thread that this job is for.
    back: Sender<Job>,
}

/// The threads that have nothing to do.
#[derive(Default)]
pub(super) struct Crew {
    idle: Mutex<Vec<Sender<Job>>>,
}

impl Crew {
    pub(super) fn new() -> Arc<Crew> {
        Arc::default()
    }

    /// Runs `work` on a thread that has nothing to do, or on a new one.
    pub(super) fn run(self: &Arc<Crew>, work: Work) {
        let idle = self.with_idle(Vec::pop).unwrap_or_else(|| hire(Arc::downgrade(self)));
        let job = Job { work, back: idle.clone() };
        // The thread waits for exactly this: it ends only when nobody can send to it any more.
        idle.send(job).expect("a thread of the crew waits for its job");
    }

    fn with_idle<R>(&self, act: impl FnOnce(&mut Vec<Sender<Job>>) -> R) -> R {
        // Nothing panics while it holds the list.
        act(&mut self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

fn hire(crew: Weak<Crew>) -> Sender<Job> {
    let (jobs, received) = bounded::<Job>(1);
    thread::spawn(move || {
        while let Ok(Job { work, back }) = received.recv() {
            work();
            // Without a crew this was the last way to this thread, and it ends.
            if let Some(crew) = crew.upgrade() {
                crew.with_idle(|idle| idle.push(back));
            }
        }
    });
    jobs
}
