//! The device stacks with their StackSizes, buses to the left of their children, and the I/O targets between them.

use super::record::*;
use super::svg::{Svg, fit};
use super::words;

const BOX: [i32; 2] = [216, 44];
const GAP: [i32; 2] = [130, 18];
const CAPTION: i32 = 24;
/// Where StackSize is drawn in a box: one small slot a location.
const SLOT: [i32; 2] = [5, 14];
/// So many slots fit.
const SLOTS: i32 = 12;

/// Where a stack is drawn, and how many stacks like it stand for themselves there.
struct Placed<'r> {
    stack: &'r Stack,
    alike: usize,
    x: i32,
    /// The top of its caption.
    y: i32,
    parent: Option<usize>,
}

/// Draws the stacks as they were from one moment until the next of which the record has them.
pub(super) fn draw(record: &Record, at: usize) -> String {
    let topology = &record.topologies[at];
    let until = record.topologies.get(at + 1).map_or(usize::MAX, |next| next.order);
    let mut placed = Vec::new();
    let mut y = 4;
    for (at, stack) in topology.stacks.iter().enumerate().filter(|(_, stack)| stack.parent.is_none()) {
        y = place(record, topology, (at, stack, 1), None, (4, y), &mut placed);
    }
    let mut svg = Svg::default();
    placed.iter().for_each(|stack| enumerates(&mut svg, &placed, stack));
    placed.iter().for_each(|stack| draw_stack(&mut svg, record, stack));
    let known: Vec<&Target> = record.targets.iter().filter(|target| target.since < until).collect();
    for (number, target) in known.iter().enumerate() {
        // What a target was before it was opened anew is over.
        if !known[number + 1..].iter().any(|later| later.handle == target.handle) {
            draw_target(&mut svg, &placed, target);
        }
    }
    y -= GAP[1] - 4;
    let width = placed.iter().map(|stack| stack.x).max().unwrap_or(0) + BOX[0] + 6;
    svg.finish("stacks", width, y, &describe(record, topology))
}

/// Places a stack and its children; returns where the next one may begin. Neighbours that look alike are drawn once.
fn place<'r>(
    record: &Record,
    topology: &'r Topology,
    (at, stack, alike): (usize, &'r Stack, usize),
    parent: Option<usize>,
    (x, y): (i32, i32),
    placed: &mut Vec<Placed<'r>>,
) -> i32 {
    let own = y + CAPTION + stack.devices.len() as i32 * BOX[1] + GAP[1];
    let number = placed.len();
    placed.push(Placed { stack, alike, x, y, parent });
    let children: Vec<(usize, &Stack)> =
        topology.stacks.iter().enumerate().filter(|(_, child)| child.parent == Some(at)).collect();
    let mut next = y;
    let mut first = 0;
    while let Some(&(child, stack)) = children.get(first) {
        let like = |other: &&(usize, &Stack)| look(record, other.1) == look(record, stack);
        let alike = children[first..].iter().take_while(like).count();
        next = place(record, topology, (child, stack, alike), Some(number), (x + BOX[0] + GAP[0], next), placed);
        first += alike;
    }
    own.max(next)
}

/// What is seen of a stack.
fn look<'r>(record: &'r Record, stack: &Stack) -> Vec<(&'r str, Role, i8)> {
    let devices = stack.devices.iter().map(|it| (&record.devices[it.device], it.stack_size));
    devices.map(|(device, size)| (device.driver.as_str(), device.role, size)).collect()
}

fn draw_stack(svg: &mut Svg, record: &Record, placed: &Placed<'_>) {
    let &Placed { stack, alike, x, y, .. } = placed;
    let caption = match alike {
        1 => stack.instance.clone(),
        alike => format!("{alike} × {}", stack.instance),
    };
    svg.text("caption", [x, y + 15], &fit(&caption, BOX[0] + 20));
    if alike > 1 {
        let height = stack.devices.len() as i32 * BOX[1] - 4;
        svg.rect("behind", [x + 6, y + CAPTION + 6, BOX[0], height], 8);
    }
    for (at, stacked) in stack.devices.iter().enumerate() {
        let y = y + CAPTION + at as i32 * BOX[1];
        let device = &record.devices[stacked.device];
        let role = match device.role {
            Role::Pdo => "pdo",
            Role::Fdo => "fdo",
            Role::Filter | Role::Control => "filter",
        };
        svg.rect(&format!("device {role}"), [x, y, BOX[0], BOX[1] - 4], 8);
        svg.text("driver", [x + 12, y + 18], &fit(&device.driver, 110));
        svg.text("role", [x + 12, y + 32], device.role.name());
        stack_size(svg, [x + BOX[0] - 12, y], stacked.stack_size);
    }
}

/// StackSize as a number and as slots, right-aligned.
fn stack_size(svg: &mut Svg, [right, y]: [i32; 2], size: i8) {
    svg.text("size", [right, y + 16], &format!("StackSize {size}"));
    let slots = i32::from(size).clamp(0, SLOTS);
    for slot in 0..slots {
        svg.rect("slot", [right - (slots - slot) * (SLOT[0] + 2) + 2, y + 22, SLOT[0], SLOT[1]], 2);
    }
}

/// The line from a bus to a child's PDO: the bus's driver made it.
fn enumerates(svg: &mut Svg, placed: &[Placed<'_>], child: &Placed<'_>) {
    let Some(parent) = child.parent.map(|at| &placed[at]) else { return };
    let from = [parent.x + BOX[0], middle(parent, parent.stack.devices.len().saturating_sub(2))];
    let to = [child.x, middle(child, child.stack.devices.len().saturating_sub(1))];
    svg.path("enumerates", &curve(from, to));
}

/// The arrow from a target's owner to the device that it sends to.
fn draw_target(svg: &mut Svg, placed: &[Placed<'_>], target: &Target) {
    let find = |device: Option<usize>| {
        let at = |stack: &Placed<'_>| stack.stack.devices.iter().position(|it| Some(it.device) == device);
        placed.iter().find_map(|stack| at(stack).map(|at| (stack, at)))
    };
    let (Some((owner, from)), Some((stack, to))) = (find(target.owner), find(target.device)) else { return };
    let (from, to) = ([owner.x + BOX[0], middle(owner, from) - 8], [stack.x - 3, middle(stack, to)]);
    if from[0] > to[0] {
        // A target on the driver's own stack.
        return;
    }
    svg.path("target-arrow", &curve(from, to));
    svg.path("target-head", &format!("M{} {}l-9 -5v10z", to[0], to[1]));
    let label = format!("target needs {}", target.stack_size);
    svg.text("target-label", [to[0] - 14, to[1] - 10], &label);
}

fn middle(placed: &Placed<'_>, device: usize) -> i32 {
    placed.y + CAPTION + device as i32 * BOX[1] + (BOX[1] - 4) / 2
}

fn curve([x, y]: [i32; 2], [to_x, to_y]: [i32; 2]) -> String {
    let half = (x + to_x) / 2;
    format!("M{x} {y}C{half} {y} {half} {to_y} {to_x} {to_y}")
}

/// The stacks in words, highest device first.
fn describe(record: &Record, topology: &Topology) -> String {
    let stacks = topology.stacks.iter().map(|stack| {
        let devices = stack.devices.iter().map(|stacked| {
            let device = words::device(record, Some(stacked.device));
            format!("{device} with StackSize {}", stacked.stack_size)
        });
        format!("{}: {}", stack.instance, devices.collect::<Vec<_>>().join(", above "))
    });
    stacks.collect::<Vec<_>>().join(". ")
}
