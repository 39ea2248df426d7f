//! Looking for what comes next, before a thread is put to sleep: most comes sooner than the thread would be awake again.
//!
//! That holds while nobody else wants the processors. Where somebody does, who looks keeps away the one that he is waiting
//! for: so who has looked in vain does not look the next times.

use std::hint;
use std::thread;
use std::time::{Duration, Instant};

/// Some four times what a program takes from one command to the next through pcscd.
const SPAN: Duration = Duration::from_micros(100);
/// How often it is at most not looked after looking in vain.
const REST_MAX: u32 = 64;

/// How patient one is.
pub struct Patience {
    span: Duration,
    /// How often it is not looked from now on, and from the next time in vain on.
    rest: u32,
    next_rest: u32,
}

impl Default for Patience {
    /// None with one processor: whoever is waited for needs that one.
    fn default() -> Patience {
        let span = match thread::available_parallelism() {
            Ok(cores) if cores.get() > 1 => SPAN,
            _ => Duration::ZERO,
        };
        Patience { span, rest: 0, next_rest: 1 }
    }
}

impl Patience {
    /// Looks, if that is worth it. Returns whether it is there.
    pub fn look(&mut self, is_there: impl Fn() -> bool) -> bool {
        if is_there() {
            return true;
        }
        if self.span.is_zero() || self.rest > 0 {
            self.rest = self.rest.saturating_sub(1);
            return false;
        }
        let until = Instant::now() + self.span;
        loop {
            for _ in 0..8 {
                hint::spin_loop();
            }
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
