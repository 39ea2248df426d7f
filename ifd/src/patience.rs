//! Looking for what comes next, before a thread is put to sleep: most comes sooner than the thread would be awake again.
//!
//! Between two looks the processor is offered to whoever else wants it, first of all to the one that is waited for: with one
//! processor the two take turns so, without either being put to sleep. Where others take the processor for longer, who has
//! looked in vain does not look the next times: he is sooner awake than he would get it back.

use std::thread;
use std::time::{Duration, Instant};

/// Some four times what a program takes from one command to the next through pcscd.
const SPAN: Duration = Duration::from_micros(100);
/// How often it is at most not looked after looking in vain.
const REST_MAX: u32 = 64;

/// How patient one is.
pub struct Patience {
    /// How often it is not looked from now on, and from the next time in vain on.
    rest: u32,
    next_rest: u32,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience { rest: 0, next_rest: 1 }
    }
}

impl Patience {
    /// Looks, if that is worth it. Returns whether it is there.
    pub fn look(&mut self, is_there: impl Fn() -> bool) -> bool {
        if is_there() {
            return true;
        }
        if self.rest > 0 {
            self.rest -= 1;
            return false;
        }
        let until = Instant::now() + SPAN;
        loop {
            thread::yield_now();
            if is_there() {
                self.next_rest = 1;
                return true;
            }
            if Instant::now() >= until {
                self.rest = self.next_rest;
                self.next_rest = (self.next_rest * 2).min(REST_MAX);
                return false;
            }
        }
    }
}
