//! The virtual processors of one run.
//!
//! Every thread of control (a thread of the race, a work item, an APC, a timer's DPC) runs on a thread of its own, so that
//! it can stand still anywhere. The machine is a value: whoever has it runs. At a DDI boundary the one that runs decides
//! by the schedule who is next, and if that is another, sends the machine there and waits until it comes back.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vbus_wdm::{Machine, Pause, Processor, Processors, Ready, Stop, Ticks, Until};

use super::crew::{Crew, Slot};
use super::schedule::{Chooser, Key};

/// Code of a thread of the race.
pub(super) type Code = Box<dyn FnOnce(&mut Machine) + Send>;

/// Where the run leaves the undisturbed one, for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Turn {
    /// Which choice it was.
    pub at: u32,
    /// What ran; nothing, at the beginning.
    pub left: String,
    /// The DDI that it was in.
    pub ddi: &'static str,
    /// What runs instead.
    pub to: String,
}

/// How a run ended before everything was done.
pub(super) enum Ending {
    /// The machine was stopped, or the code panicked.
    Unwound(Box<dyn Any + Send>),
    /// Somebody waits for this, and nothing can end the wait.
    Hang(&'static str),
    /// It goes on and on.
    Endless,
}

/// What a run may do.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// How much virtual time may pass when all threads are done.
    pub(super) settle: Ticks,
    /// A processor may be so slow that time passes: the next timer may fire at any boundary.
    pub(super) time_passes: bool,
    /// After so many pauses a run is endless.
    pub(super) pauses: u32,
}

/// A thread of control.
struct Strand {
    name: String,
    key: Key,
    status: Status,
    /// What its processor keeps of its own while another runs.
    processor: Processor,
    /// Where it waits for the machine.
    seat: Arc<Slot<Box<Machine>>>,
    /// When it ran last.
    ran: u32,
}

enum Status {
    /// It can go on.
    Ready,
    Waits {
        waiting_for: &'static str,
        until: Until,
    },
    Done,
}

/// What can run.
#[derive(Clone, Copy)]
enum Candidate {
    Strand(usize),
    /// The next thread of the race that has not begun.
    Thread(usize),
    /// One of what the machine has ready.
    Ready(usize),
    Timer,
}

struct State {
    strands: Vec<Strand>,
    /// Those that are not done, home aside.
    alive: Vec<usize>,
    current: usize,
    threads: Vec<Option<(String, Code)>>,
    chooser: Chooser,
    turns: Vec<Turn>,
    /// How many events have been started: what tells them apart.
    events: u64,
    pauses: u32,
    limits: Limits,
    /// When there is nothing but timers left: until when they fire.
    settles_at: Option<Ticks>,
    ending: Option<Ending>,
    can_run: Vec<Candidate>,
    keys: Vec<Key>,
}

/// A processor is at most so slow: a system whose processors stand still for longer has other troubles than a race, and its
/// watchdogs end it.
const SLOWEST: Ticks = Ticks::from_millis(60_000);

/// The first strand is whoever called the run: it goes on when nothing else can.
const HOME: usize = 0;

/// Unwinds a thread of control whose run is over.
struct Abandoned;

pub(super) struct Run {
    crew: Arc<Crew>,
    state: Mutex<State>,
}

/// What a run leaves.
pub(super) struct Left {
    pub(super) chooser: Chooser,
    pub(super) turns: Vec<Turn>,
    pub(super) ending: Option<Ending>,
}

impl Run {
    /// Runs all threads, and everything that they make ready, on this machine.
    pub(super) fn threads(
        crew: &Arc<Crew>,
        chooser: Chooser,
        limits: Limits,
        threads: Vec<(String, Code)>,
        m: &mut Machine,
    ) -> Left {
        let threads = threads.into_iter().map(Some).collect();
        let state = State {
            strands: Vec::new(),
            alive: Vec::new(),
            current: HOME,
            threads,
            chooser,
            turns: Vec::new(),
            events: 0,
            pauses: 0,
            limits,
            settles_at: None,
            ending: None,
            can_run: Vec::new(),
            keys: Vec::new(),
        };
        let run = Arc::new(Run { crew: Arc::clone(crew), state: Mutex::new(state) });
        let seat = run.lock().add(String::new(), Key(0));
        run.lock().strands[HOME].status = Status::Done;
        m.set_processors(Some(Arc::new(Handle(Arc::clone(&run)))));
        run.hand_on(m);
        // Whoever has the machine sends it home in the end: nobody keeps it.
        *m = *seat.take().expect("the machine comes home");
        m.set_processors(None);
        let mut state = run.lock();
        // Whoever stands still somewhere unwinds now: the machine does not come to him any more.
        for strand in state.strands.drain(..) {
            strand.seat.close();
        }
        let chooser = std::mem::replace(&mut state.chooser, Chooser::new(super::Policy::Recorded(Default::default())));
        Left { chooser, turns: std::mem::take(&mut state.turns), ending: state.ending.take() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What could panic in there ends the run.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one that runs is done: somebody else has the machine from now on.
    fn hand_on(self: &Arc<Run>, m: &mut Machine) {
        let mut state = self.lock();
        let next = state.next(m, "its end");
        self.give(state, m, next);
    }

    /// Sends the machine to `next`.
    fn give(self: &Arc<Run>, mut state: MutexGuard<'_, State>, m: &mut Machine, next: Next) {
        let to = match next {
            Next::Strand(to) => to,
            Next::Begin(name, key, work) => {
                state.add(name, key);
                let to = state.strands.len() - 1;
                state.alive.push(to);
                // Home runs nothing meanwhile: the first thread has the number that an ordinary machine's only one has.
                state.strands[to].processor = Processor::of_thread(to as u32 - 1);
                let run = Arc::clone(self);
                let seat = Arc::clone(&state.strands[to].seat);
                self.crew.run(Box::new(move || run.begin(&seat, work)));
                to
            }
        };
        let coming = std::mem::take(&mut state.strands[to].processor);
        let current = state.current;
        state.strands[current].processor = m.exchange_processor(coming);
        state.current = to;
        let seat = Arc::clone(&state.strands[to].seat);
        drop(state);
        seat.put(Box::new(std::mem::take(m)));
    }

    /// A thread of control from its begin to its end, on a thread of the crew.
    fn begin(self: &Arc<Run>, seat: &Slot<Box<Machine>>, work: Work) {
        let Some(mut machine) = seat.take() else { return };
        let m = &mut *machine;
        let outcome = catch_unwind(AssertUnwindSafe(|| match work {
            Work::Thread(code) => code(m),
            Work::Event(event) => event.run(m),
        }));
        let mut state = self.lock();
        match outcome {
            Ok(()) => {
                let current = state.current;
                state.strands[current].status = Status::Done;
                state.alive.retain(|&alive| alive != current);
                drop(state);
                self.hand_on(m);
            }
            // Its machine is elsewhere.
            Err(payload) if payload.is::<Abandoned>() => {}
            Err(payload) => {
                state.ending = Some(Ending::Unwound(payload));
                self.give(state, m, Next::Strand(HOME));
            }
        }
    }

    fn pause(self: &Arc<Run>, m: &mut Machine, pause: Pause) {
        let mut state = self.lock();
        let current = state.current;
        let (ddi, status) = match pause {
            Pause::Boundary(ddi) => (ddi, Status::Ready),
            Pause::Wait { waiting_for, until } => (waiting_for, Status::Waits { waiting_for, until }),
        };
        state.strands[current].status = status;
        let next = state.next(m, ddi);
        if !matches!(next, Next::Strand(next) if next == current) {
            let seat = Arc::clone(&state.strands[current].seat);
            self.give(state, m, next);
            match seat.take() {
                Some(machine) => *m = *machine,
                None => resume_unwind(Box::new(Abandoned)),
            }
        }
    }
}

/// What the machine knows of the run.
struct Handle(Arc<Run>);

impl Processors for Handle {
    fn pause(&self, m: &mut Machine, pause: Pause) {
        self.0.pause(m, pause);
    }
}

enum Work {
    Thread(Code),
    Event(Ready),
}

enum Next {
    Strand(usize),
    Begin(String, Key, Work),
}

impl State {
    fn add(&mut self, name: String, key: Key) -> Arc<Slot<Box<Machine>>> {
        let seat = Slot::new();
        let processor = Processor::default();
        let strand = Strand { name, key, status: Status::Ready, processor, seat: Arc::clone(&seat), ran: self.pauses };
        self.strands.push(strand);
        seat
    }

    /// Who runs next.
    fn next(&mut self, m: &mut Machine, ddi: &'static str) -> Next {
        self.pauses += 1;
        self.strands[self.current].ran = self.pauses;
        if self.pauses > self.limits.pauses {
            self.ending = Some(Ending::Endless);
            return Next::Strand(HOME);
        }
        self.find_candidates(m);
        let Some(&first) = self.can_run.first() else {
            let waits = self.alive.iter().find_map(|&id| match self.strands[id].status {
                Status::Waits { waiting_for, .. } => Some(waiting_for),
                _ => None,
            });
            self.ending = waits.map(Ending::Hang);
            return Next::Strand(HOME);
        };
        let to = self.chooser.choose(&self.keys);
        let taken = if to == 0 { first } else { self.can_run[to] };
        let left = (to > 0).then(|| self.strands[self.current].name.clone());
        let next = self.take(m, taken);
        if let Some(left) = left {
            let at = self.chooser.choices.len() as u32 - 1;
            let to = match &next {
                Next::Strand(id) => self.strands[*id].name.clone(),
                Next::Begin(name, ..) => name.clone(),
            };
            self.turns.push(Turn { at, left, ddi, to });
        }
        next
    }

    /// Everything that can run, first what an undisturbed machine would run.
    fn find_candidates(&mut self, m: &Machine) {
        self.can_run.clear();
        self.keys.clear();
        // The one that runs goes on; else whoever ran last, as if the others ran inside its wait.
        let strands = &self.strands;
        self.alive.sort_unstable_by_key(|&id| std::cmp::Reverse(strands[id].ran));
        for &id in &self.alive {
            let can_go_on = match &self.strands[id].status {
                Status::Ready => true,
                Status::Waits { until, .. } => until(m),
                Status::Done => false,
            };
            if can_go_on {
                self.can_run.push(Candidate::Strand(id));
                self.keys.push(self.strands[id].key);
            }
        }
        for (number, _) in self.threads.iter().enumerate().filter(|(_, thread)| thread.is_some()) {
            self.can_run.push(Candidate::Thread(number));
            self.keys.push(Key(1 << 32 | number as u64));
        }
        for (at, _) in m.ready().enumerate() {
            self.can_run.push(Candidate::Ready(at));
            self.keys.push(self.event_key(at));
        }
        if self.timer_may_fire(m) {
            self.can_run.push(Candidate::Timer);
            self.keys.push(self.event_key(0));
        }
    }

    fn event_key(&self, at: usize) -> Key {
        Key(2 << 32 | (self.events + at as u64))
    }

    fn timer_may_fire(&mut self, m: &Machine) -> bool {
        let Some(due) = m.next_timer() else { return false };
        if !self.can_run.is_empty() {
            return self.limits.time_passes && due.0 <= m.now().0.saturating_add(SLOWEST.0);
        }
        // Whoever is not done waits.
        if !self.alive.is_empty() {
            return true;
        }
        let settle = self.limits.settle;
        due <= *self.settles_at.get_or_insert_with(|| Ticks(m.now().0.saturating_add(settle.0)))
    }

    fn take(&mut self, m: &mut Machine, taken: Candidate) -> Next {
        let event = match taken {
            Candidate::Strand(id) => {
                self.strands[id].status = Status::Ready;
                return Next::Strand(id);
            }
            Candidate::Thread(number) => {
                // It was found among those that have not begun.
                let (name, code) = self.threads[number].take().expect("the thread has not begun");
                return Next::Begin(name, Key(1 << 32 | number as u64), Work::Thread(code));
            }
            Candidate::Ready(at) => m.take_ready(at),
            Candidate::Timer => m.take_timer(),
        };
        // It was found on this machine, which has not moved since.
        let event = event.expect("what is ready can be taken");
        let key = self.event_key(0);
        self.events += 1;
        Next::Begin(format!("{} ({})", event.kind().name(), self.events), key, Work::Event(event))
    }
}

/// What a panic said, where it said something.
pub(super) fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}

impl Ending {
    /// Goes on as the machine would have without other processors: unwinding.
    pub(super) fn go_on(self, m: &Machine) {
        match self {
            Ending::Unwound(payload) => resume_unwind(payload),
            Ending::Hang(waiting_for) => m.stop(Stop::Hang { waiting_for }),
            Ending::Endless => m.stop(Stop::Hang { waiting_for: "a run to come to its end" }),
        }
    }
}
