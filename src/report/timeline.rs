//! All drivers and all requests over time: a row is a device, a bar is a request that is there.
//!
//! A column is a step of a read, write or control request, as virtual time often stands still; runs of other steps share
//! one column.

use super::record::*;
use super::svg::{Svg, escape, fit};
use super::travel::step_id;
use super::words;

const GUTTER: i32 = 176;
/// How wide the columns may be together, and one of them.
const WIDTH: i32 = 1180;
const COLUMN: [i32; 2] = [9, 32];
const HEAD: i32 = 26;
const LANE: i32 = 18;
/// So many requests are drawn apart in one row.
const LANES: usize = 6;
const FOOT: i32 = 26;

/// A request at a device, in columns.
struct Bar {
    request: usize,
    step: usize,
    owner: Owner,
    from: usize,
    to: usize,
}

struct Timeline<'r> {
    record: &'r Record,
    /// The column of every step of every request.
    columns: Vec<usize>,
    /// The times of the columns.
    times: Vec<u64>,
    /// Which columns stand for other steps.
    others: Vec<usize>,
    column: i32,
}

/// Draws the time line; nothing without reads, writes or control requests.
pub(super) fn draw(record: &Record) -> Option<String> {
    let timeline = Timeline::new(record)?;
    let mut svg = Svg::default();
    let rows = timeline.rows();
    let height = HEAD + rows.iter().map(|row| row.1).sum::<i32>();
    timeline.actions(&mut svg, height);
    let mut y = HEAD;
    for (device, row, bars) in &rows {
        timeline.row(&mut svg, *device, [y, *row], bars);
        y += row;
    }
    timeline.clock(&mut svg, height);
    let label = "Time line: a row for each device, a bar for each request while it is there. Bars lead to the request.";
    Some(svg.finish("timeline", GUTTER + timeline.times.len() as i32 * timeline.column + 4, height + FOOT, label))
}

impl<'r> Timeline<'r> {
    fn new(record: &'r Record) -> Option<Timeline<'r>> {
        let mut steps: Vec<(usize, u64, bool)> = Vec::new();
        for request in &record.requests {
            let io = request.kind == Kind::Io;
            steps.extend(request.steps.iter().map(|step| (step.order, step.time, io)));
        }
        steps.sort_unstable();
        let (mut columns, mut times, mut others) = (vec![0; steps.len()], Vec::new(), Vec::new());
        let mut before_io = true;
        for (order, time, io) in steps {
            if io || before_io {
                times.push(time);
                if !io {
                    others.push(times.len() - 1);
                }
            }
            before_io = io;
            *columns.get_mut(order)? = times.len() - 1;
        }
        let io = times.len() > others.len();
        let column = (WIDTH / times.len().max(1) as i32).clamp(COLUMN[0], COLUMN[1]);
        io.then_some(Timeline { record, columns, times, others, column })
    }

    fn x(&self, column: usize) -> i32 {
        GUTTER + column as i32 * self.column
    }

    /// The devices where requests were, in the order of the stacks, with the row's height and its bars in lanes.
    fn rows(&self) -> Vec<(usize, i32, Vec<Vec<Bar>>)> {
        let stacked = self.record.topologies.iter().flat_map(|topology| &topology.stacks);
        let mut devices: Vec<usize> = stacked.flat_map(|stack| &stack.devices).map(|it| it.device).collect();
        devices.extend(0..self.record.devices.len());
        let mut seen = Vec::new();
        devices.retain(|device| {
            !seen.contains(device) && {
                seen.push(*device);
                true
            }
        });
        let with_lanes = devices.into_iter().map(|device| (device, lanes(self.bars(device))));
        with_lanes
            .filter(|(_, lanes)| !lanes.is_empty())
            .map(|(device, lanes)| (device, lanes.len() as i32 * LANE + 14, lanes))
            .collect()
    }

    /// Where requests were at a device. What a device's driver, queue, target or framework has is at the device.
    fn bars(&self, device: usize) -> Vec<Bar> {
        let mut bars: Vec<Bar> = Vec::new();
        for (at, request) in self.record.requests.iter().enumerate().filter(|(_, it)| it.kind == Kind::Io) {
            for (number, step) in request.steps.iter().enumerate() {
                if step.device != Some(device) || step.owner == Owner::System {
                    continue;
                }
                let from = self.columns[step.order];
                let next = request.steps.get(number + 1).map(|next| self.columns[next.order]);
                let to = next.unwrap_or(self.times.len()).max(from + 1);
                match bars.last_mut() {
                    Some(last) if last.request == at && last.owner == step.owner && last.to == from => last.to = to,
                    _ => bars.push(Bar { request: at, step: number, owner: step.owner, from, to }),
                }
            }
        }
        bars
    }

    /// When requests were out at a target of the device, in columns.
    fn outstanding(&self, device: usize) -> Vec<(usize, usize)> {
        let of_device = |target: usize| self.record.targets[target].owner == Some(device);
        let mut out = Vec::new();
        for request in self.record.requests.iter().filter(|request| request.kind == Kind::Io) {
            let mut sent = None;
            for step in &request.steps {
                let column = self.columns[step.order];
                match step.event {
                    Event::Sent { target } | Event::Pended { target } if of_device(target) => sent = Some(column),
                    Event::Returned { target } if of_device(target) => {
                        out.extend(sent.take().map(|sent| (sent, column)))
                    }
                    _ => {}
                }
            }
            out.extend(sent.map(|sent| (sent, self.times.len())));
        }
        out
    }

    fn row(&self, svg: &mut Svg, device: usize, [y, height]: [i32; 2], lanes: &[Vec<Bar>]) {
        let right = self.x(self.times.len());
        svg.rect("lane", [0, y, right, height - 4], 6);
        svg.text("row-name", [10, y + 18], &fit(&self.row_name(device), GUTTER - 14));
        for (from, to) in self.outstanding(device) {
            svg.rect("out", [self.x(from), y + height - 9, (to - from) as i32 * self.column, 3], 1);
        }
        for (lane, bars) in lanes.iter().enumerate() {
            for bar in bars {
                self.bar(svg, bar, y + 4 + lane as i32 * LANE);
            }
        }
    }

    /// The driver and the role; where several devices have both, the end of the instance path tells them apart.
    fn row_name(&self, device: usize) -> String {
        let Device { driver, role, instance, .. } = &self.record.devices[device];
        let alike = self.record.devices.iter().filter(|other| (&other.driver, &other.role) == (driver, role)).count();
        let tail = instance.as_deref().and_then(|path| path.rsplit(['&', '\\']).next()).filter(|_| alike > 1);
        match tail {
            Some(tail) => format!("{driver} {} {tail}", role.name()),
            None => format!("{driver} {}", role.name()),
        }
    }

    fn bar(&self, svg: &mut Svg, bar: &Bar, y: i32) {
        let request = &self.record.requests[bar.request];
        let [x, width] = [self.x(bar.from), (bar.to - bar.from) as i32 * self.column - 1];
        let step = &request.steps[bar.step];
        let said =
            format!("Request {}, {}: {}", request.label, bar.owner.name(), words::sentence(self.record, request, step));
        svg.raw(&format!("<a href=\"#{}\" aria-label=\"{}\">", step_id(request, bar.step), escape(&said)));
        svg.raw(&format!("<title>{}</title>", escape(&said)));
        svg.rect(&format!("life {}", bar.owner.class()), [x, y, width, LANE - 2], 3);
        if width > 7 * request.label.len() as i32 + 4 {
            svg.text("bar-name", [x + 4, y + 12], &request.label);
        }
        svg.raw("</a>");
    }

    /// What was done from outside, as lines across all rows; and the columns that stand for other steps.
    fn actions(&self, svg: &mut Svg, height: i32) {
        for &column in &self.others {
            svg.rect("others", [self.x(column), HEAD - 4, self.column, height - HEAD], 0);
        }
        let column = |action: &Action| self.columns.get(action.order).copied().unwrap_or(self.times.len());
        let places: Vec<i32> = self.record.actions.iter().map(|action| self.x(column(action))).collect();
        let end = self.x(self.times.len());
        for (number, (action, &x)) in self.record.actions.iter().zip(&places).enumerate() {
            svg.path("action", &format!("M{x} 6V{height}"));
            let room = places.get(number + 1).map_or(end, |&next| next) - x - 8;
            if room > 40 {
                svg.text("action-name", [x + 5, 15], &fit(&action.name, room));
            }
        }
    }

    /// The virtual time, wherever it moved on.
    fn clock(&self, svg: &mut Svg, height: i32) {
        let (mut before, mut free) = (None, 0);
        for (column, &time) in self.times.iter().enumerate() {
            let x = self.x(column);
            if before != Some(time) && x >= free {
                let text = words::time(time);
                svg.text("clock", [x + 2, height + 16], &text);
                svg.path("tick", &format!("M{x} {height}v6"));
                free = x + 12 + 7 * text.chars().count() as i32;
            }
            before = Some(time);
        }
        svg.text("label", [GUTTER - 12, height + 16], "virtual time");
    }
}

/// Puts bars that overlap into lanes of their own. What has no lane left shares the last one.
fn lanes(mut bars: Vec<Bar>) -> Vec<Vec<Bar>> {
    bars.sort_by_key(|bar| (bar.from, bar.request));
    let mut lanes: Vec<Vec<Bar>> = Vec::new();
    for bar in bars {
        let free = lanes.iter().position(|lane| lane.last().is_none_or(|last| last.to <= bar.from));
        match free {
            Some(lane) => lanes[lane].push(bar),
            None if lanes.len() < LANES => lanes.push(vec![bar]),
            None => lanes[LANES - 1].push(bar),
        }
    }
    lanes
}
