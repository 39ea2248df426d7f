//! One request's way: its stack locations from step to step, and below them who had it at every moment.
//!
//! A column is a step. A row is a stack location, the highest one on top; whoever owns it has a bar there for as long as
//! that lasts. The line through the bars is CurrentLocation.

use std::fmt::Write;

use super::record::*;
use super::svg::{Svg, escape, fit};
use super::words;

const GUTTER: i32 = 104;
const COLUMN: i32 = 88;
/// Room for the words beside what is missing.
const NOTE: i32 = 210;
const ROW: i32 = 40;
const HEAD: i32 = 46;
/// Where CurrentLocation's line runs in a row, and where a column's mark is.
const LINE: i32 = 25;
const MARK: i32 = 16;
const LIFE: i32 = 40;
const FOOT: i32 = 26;

/// What a drawing is made from.
pub(super) struct Travel<'r> {
    record: &'r Record,
    request: &'r Request,
    /// The steps that have a column. That an IRP is freed once its completion is over is no news.
    steps: Vec<usize>,
    /// The lowest row: 1, or lower by what is missing.
    lowest: i32,
}

impl<'r> Travel<'r> {
    pub(super) fn new(record: &'r Record, request: &'r Request) -> Travel<'r> {
        let steps = &request.steps;
        let missing = request.shortfall.map_or(0, |short| i32::from(short.needed) - i32::from(short.left));
        Travel {
            record,
            request,
            steps: (0..steps.len()).filter(|&step| drawn(request, step) == step).collect(),
            lowest: 1 - missing,
        }
    }

    /// The drawing. `lines` says how many log lines follow a step, and which the first of them is.
    pub(super) fn draw(&self, lines: impl Fn(usize) -> (usize, Option<usize>)) -> String {
        let mut svg = Svg::default();
        self.rows(&mut svg);
        self.needs(&mut svg);
        self.bars(&mut svg);
        self.current_location(&mut svg);
        self.life_line(&mut svg);
        for (column, &step) in self.steps.iter().enumerate() {
            self.step(&mut svg, column, step, lines(step));
        }
        let label = format!(
            "{}: {} steps through {}. Arrow keys move from step to step, Enter goes to the log.",
            self.request.name,
            self.steps.len(),
            words::locations(self.request.stack_count)
        );
        svg.finish("travel", self.width(), self.life() + LIFE + FOOT, &label)
    }

    fn width(&self) -> i32 {
        let noted = self.column_of_shortfall().map_or(0, |column| self.x(column + 1) + NOTE);
        (self.x(self.steps.len()) + 4).max(noted)
    }

    fn column_of_shortfall(&self) -> Option<usize> {
        let short = self.request.shortfall?;
        self.steps.iter().position(|&step| step == short.step)
    }

    fn x(&self, column: usize) -> i32 {
        GUTTER + column as i32 * COLUMN
    }

    fn top(&self) -> i32 {
        i32::from(self.request.stack_count) + 1
    }

    fn y(&self, location: i32) -> i32 {
        HEAD + (self.top() - location) * ROW
    }

    /// Where the life line is.
    fn life(&self) -> i32 {
        self.y(self.lowest) + ROW + 12
    }

    /// The row of a step: past the last location there is only the originator's.
    fn row(&self, step: &Step) -> i32 {
        if step.locations.is_empty() { self.top() } else { i32::from(step.location).clamp(0, self.top()) }
    }

    fn rows(&self, svg: &mut Svg) {
        svg.text("label", [GUTTER - 12, self.y(self.top()) + LINE + 4], "originator");
        for location in 1..self.top() {
            let y = self.y(location);
            svg.rect("left", [GUTTER, y + 3, self.width() - GUTTER - 4, ROW - 6], 6);
            svg.text("label", [GUTTER - 12, y + LINE + 4], &format!("location {location}"));
        }
        for location in self.lowest..1 {
            svg.text("label bad", [GUTTER - 12, self.y(location) + LINE + 4], "missing");
        }
        svg.text("label", [GUTTER - 12, self.life() + 21], "owner");
    }

    /// What a format call asked for, counted: the locations below the current one, those that are there and those that
    /// are not.
    fn needs(&self, svg: &mut Svg) {
        for (column, &at) in self.steps.iter().enumerate() {
            let step = &self.request.steps[at];
            let needed = match (&step.event, self.request.shortfall.filter(|short| short.step == at)) {
                (_, Some(short)) => i32::from(short.needed),
                (Event::Formatted { target, .. }, None) => i32::from(self.record.targets[*target].stack_size),
                (Event::Copied { .. }, None) => 1,
                _ => 0,
            };
            let here = if step.locations.is_empty() { self.lowest } else { self.row(step) };
            for number in (1..=needed).take_while(|number| here - number >= self.lowest) {
                let y = self.y(here - number);
                let bad = if here - number < 1 { " bad" } else { "" };
                svg.rect(&format!("need{bad}"), [self.x(column) + 3, y + 3, COLUMN - 6, ROW - 6], 6);
                svg.text(&format!("count{bad}"), [self.x(column) + COLUMN / 2, y + ROW / 2 + 4], &number.to_string());
            }
        }
        let (Some(short), Some(column)) = (self.request.shortfall, self.column_of_shortfall()) else { return };
        let missing = i32::from(short.needed) - i32::from(short.left);
        let text = format!("needs {}, has {}: {missing} missing", short.needed, short.left);
        svg.text("note bad", [self.x(column + 1) + 4, self.y(0) + missing * ROW / 2 + 4], &text);
    }

    /// Who owns which location, for how long.
    fn bars(&self, svg: &mut Svg) {
        for location in 1..self.top() {
            let owner = |column: usize| {
                let step = &self.request.steps[*self.steps.get(column)?];
                let owned = self.row(step) <= location && self.row(step) < self.top();
                step.locations.get(location as usize - 1).copied().flatten().filter(|_| owned)
            };
            let mut column = 0;
            while column < self.steps.len() {
                let first = column;
                let device = owner(first);
                while column < self.steps.len() && owner(column) == device {
                    column += 1;
                }
                let Some(device) = device else { continue };
                let width = (column - first) as i32 * COLUMN - 6;
                let [x, y] = [self.x(first) + 3, self.y(location) + 3];
                svg.rect("bar", [x, y, width, ROW - 6], 6);
                let device = &self.record.devices[device];
                let name = if width > 100 {
                    format!("{} {}", device.driver, device.role.name())
                } else {
                    device.driver.clone()
                };
                svg.text("name", [x + MARK + 7, y + 12], &fit(&name, width - MARK - 8));
            }
        }
    }

    fn current_location(&self, svg: &mut Svg) {
        let mut way = String::new();
        for (column, &step) in self.steps.iter().enumerate() {
            let [x, y] = [self.x(column) + MARK, self.y(self.row(&self.request.steps[step])) + LINE];
            _ = if column == 0 { write!(way, "M{x} {y}") } else { write!(way, "H{x}V{y}") };
        }
        svg.path("way", &way);
    }

    /// Who had the request, from step to step.
    fn life_line(&self, svg: &mut Svg) {
        let owner = |column: usize| {
            self.steps.get(column).map(|&step| &self.request.steps[step]).map(|step| (step.owner, step.device))
        };
        let mut column = 0;
        while let Some((who, device)) = owner(column) {
            let first = column;
            let same = |column| {
                owner(column).is_some_and(|(other, at)| other == who && (at == device || who == Owner::System))
            };
            while same(column) {
                column += 1;
            }
            let [x, y] = [self.x(first) + 1, self.life()];
            let width = (column - first) as i32 * COLUMN - 2;
            svg.rect(&format!("life {}", who.class()), [x, y, width, LIFE - 6], 5);
            svg.text("who", [x + 7, y + 14], who.name());
            if who != Owner::System {
                svg.text("whose", [x + 7, y + 27], &fit(words::driver(self.record, device), width - 10));
            }
        }
    }

    /// The column itself: a link to the log, with all that a screen reader has to say of it.
    fn step(&self, svg: &mut Svg, column: usize, at: usize, (count, first): (usize, Option<usize>)) {
        let step = &self.request.steps[at];
        let (x, height) = (self.x(column), self.life() + LIFE + FOOT);
        let id = step_id(self.request, at);
        let href = first.map_or_else(|| id.clone(), |line| format!("l{line}"));
        let failed = if words::failed(&step.event) { " bad" } else { "" };
        let said = format!(
            "Step {} of {}: {}. Owner: {}. {}",
            column + 1,
            self.steps.len(),
            words::sentence(self.record, self.request, step),
            owner(self.record, step),
            log_lines(count)
        );
        svg.raw(&format!("<a class=\"step{failed}\" id=\"{id}\" href=\"#{href}\" aria-label=\"{}\">", escape(&said)));
        svg.raw(&format!("<title>{}</title>", escape(&said)));
        svg.rect("hit", [x, 0, COLUMN, height], 6);
        svg.text("number", [x + 8, 16], &(column + 1).to_string());
        svg.text("event", [x + 8, 33], words::heading(&step.event));
        if let Some(passed) = self.time_passed(column) {
            svg.text("time", [x + 26, 16], &passed);
        }
        let y = self.y(self.row(step)) + LINE;
        svg.circle(&format!("mark {}{failed}", step.owner.class()), [x + MARK, y], 6);
        if count > 0 {
            svg.text("lines", [x + 8, height - 8], &log_lines(count));
        }
        svg.raw("</a>");
    }

    /// Where the clock moved on between two steps.
    fn time_passed(&self, column: usize) -> Option<String> {
        let before = self.request.steps[*self.steps.get(column.checked_sub(1)?)?].time;
        let now = self.request.steps[self.steps[column]].time;
        (now > before).then(|| format!("+{}", words::time(now - before)))
    }
}

/// The step whose column stands for a step.
pub(super) fn drawn(request: &Request, step: usize) -> usize {
    let event = |step: usize| request.steps.get(step).map(|step| &step.event);
    match step.checked_sub(1) {
        Some(before) if event(step) == Some(&Event::Freed) && event(before) == Some(&Event::Done) => before,
        _ => step,
    }
}

/// The place in the page of a step's column.
pub(super) fn step_id(request: &Request, step: usize) -> String {
    format!("r{}-{}", request.label, drawn(request, step) + 1)
}

/// The owner of a request after a step: `vreader's queue`.
pub(super) fn owner(record: &Record, step: &Step) -> String {
    match (step.owner, words::driver(record, step.device)) {
        (Owner::System, _) | (_, "") => step.owner.name().to_owned(),
        (owner, driver) => format!("{driver}'s {}", owner.name()).replace(&format!("{driver}'s driver"), driver),
    }
}

fn log_lines(count: usize) -> String {
    match count {
        0 => "No log lines".to_owned(),
        1 => "1 line".to_owned(),
        count => format!("{count} lines"),
    }
}
