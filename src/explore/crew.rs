//! A crew of threads that virtual processors run on, kept from one run to the next.
//!
//! Exactly one of a run's threads has the machine and runs; the others wait for it. So a crew uses one core, however many
//! threads it has. They wait without spinning: nobody can be about to answer while the one that has the machine runs.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;

/// Something to run on a thread of the crew.
pub(super) type Work = Box<dyn FnOnce() + Send>;

/// A place where one thread waits for what another puts there.
pub(super) struct Slot<T> {
    content: Mutex<Content<T>>,
    changed: Condvar,
}

enum Content<T> {
    Nothing,
    Something(T),
    /// Nothing comes any more.
    Closed,
}

impl<T> Slot<T> {
    pub(super) fn new() -> Arc<Slot<T>> {
        Arc::new(Slot { content: Mutex::new(Content::Nothing), changed: Condvar::new() })
    }

    fn lock(&self) -> MutexGuard<'_, Content<T>> {
        // Nothing panics while it is locked.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something there for the one that waits.
    pub(super) fn put(&self, value: T) {
        *self.lock() = Content::Something(value);
        self.changed.notify_one();
    }

    /// Whoever waits, now or later, waits in vain.
    pub(super) fn close(&self) {
        *self.lock() = Content::Closed;
        self.changed.notify_one();
    }

    /// Waits for something; `None` if nothing comes any more.
    pub(super) fn take(&self) -> Option<T> {
        let mut content = self.lock();
        loop {
            match std::mem::replace(&mut *content, Content::Nothing) {
                Content::Something(value) => return Some(value),
                Content::Closed => {
                    *content = Content::Closed;
                    return None;
                }
                Content::Nothing => content = self.changed.wait(content).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// The threads that have nothing to do, by where they wait for it.
#[derive(Default)]
pub(super) struct Crew {
    idle: Mutex<Vec<Arc<Slot<Work>>>>,
}

impl Crew {
    pub(super) fn new() -> Arc<Crew> {
        Arc::default()
    }

    /// Runs `work` on a thread that has nothing to do, or on a new one.
    pub(super) fn run(self: &Arc<Crew>, work: Work) {
        let idle = self.idle().pop();
        idle.unwrap_or_else(|| hire(Arc::downgrade(self))).put(work);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Arc<Slot<Work>>>> {
        // Nothing panics while it is locked.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for thread in self.idle().drain(..) {
            thread.close();
        }
    }
}

fn hire(crew: Weak<Crew>) -> Arc<Slot<Work>> {
    let jobs = Slot::new();
    let own: Arc<Slot<Work>> = Arc::clone(&jobs);
    thread::spawn(move || {
        while let Some(work) = own.take() {
            work();
            // Without a crew nobody has work any more.
            match crew.upgrade() {
                Some(crew) => crew.idle().push(Arc::clone(&own)),
                None => return,
            }
        }
    });
    jobs
}
