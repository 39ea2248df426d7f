//! The page: one HTML file with everything in it. The same record gives the same bytes.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::record::*;
use super::svg::escape;
use super::travel::{Travel, drawn, owner, step_id};
use super::{reason, stacks, summary, timeline, words};

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// How many bytes the drawn requests and the log may take, so that a page stays below a megabyte whatever it is about.
const REQUEST_BYTES_MAX: usize = 480_000;
const LOG_BYTES_MAX: usize = 380_000;
const TIMELINE_BYTES_MAX: usize = 80_000;

/// What each step's log lines are: how many, and the first of them.
type Lines = BTreeMap<(usize, usize), (usize, usize)>;

/// The page of a record.
pub fn page(record: &Record) -> String {
    let (log, shown_lines) = log(record);
    let lines = lines_of_steps(record, shown_lines);
    let parts = [
        ("title", escape(&record.title)),
        ("style", STYLE.trim_end().to_owned()),
        ("verdict", verdict(record)),
        ("stacks", all_stacks(record)),
        ("legend", legend()),
        ("timeline", time_line(record)),
        ("requests", requests(record, &lines)),
        ("drivers", drivers(record)),
        ("request_options", request_options(record)),
        ("lines", log),
        ("overwritten", overwritten(record)),
        ("left_out", left_out(record.log.len() - shown_lines, "log lines")),
        ("script", SCRIPT.trim_end().to_owned()),
    ];
    fill(TEMPLATE, &parts)
}

/// Puts the parts into the template. What a part contains is not looked at again.
fn fill(template: &str, parts: &[(&str, String)]) -> String {
    let mut pieces = template.split("{{");
    let mut page = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once("}}").unwrap_or(("", piece));
        page.extend(parts.iter().filter(|part| part.0 == name).map(|part| part.1.as_str()));
        page.push_str(rest);
    }
    page
}

fn lines_of_steps(record: &Record, shown: usize) -> Lines {
    let mut lines = Lines::new();
    for (number, line) in record.log.iter().enumerate().take(shown) {
        if let (Some(request), Some(step)) = (line.request, line.step) {
            let step = drawn(&record.requests[request], step);
            lines.entry((request, step)).or_insert((0, number)).0 += 1;
        }
    }
    lines
}

/// What happened, in a sentence and a list of the actions.
fn verdict(record: &Record) -> String {
    let class = if summary::is_bad(record) { "verdict bad" } else { "verdict" };
    let fixes = record.requests.iter().filter_map(|request| fix(record, request)).take(6).collect::<String>();
    let text = escape(&summary::summary(record));
    format!("<div class=\"{class}\"><p><strong>{text}</strong></p>{fixes}{}</div>", actions(record))
}

/// Where a request ran out of locations, and what to change, if that is known.
fn fix(record: &Record, request: &Request) -> Option<String> {
    let step = request.shortfall?.step;
    let link = format!("<a href=\"#{}\">request {}</a>", step_id(request, step), request.label);
    Some(match reason::help(record, request) {
        Some(help) => format!("<p>To fix {link}: {}.</p>", escape(&help)),
        None => format!("<p>It ran out here: {link}.</p>"),
    })
}

fn actions(record: &Record) -> String {
    let mut list = String::new();
    for (at, action) in record.actions.iter().enumerate() {
        let until = record.actions.get(at + 1).map_or(usize::MAX, |next| next.order);
        let during = |request: &&Request| {
            let first = request.steps.first().is_some_and(|first| (action.order..until).contains(&first.order));
            first && summary::was_sent(request)
        };
        let links = record.requests.iter().filter(during).map(|request| {
            let step = request.shortfall.map_or(0, |short| short.step);
            let link = format!("<a href=\"#{}\">request {}</a>", step_id(request, step), request.label);
            // What the action came to is said already.
            if request.status == action.outcome { link } else { format!("{link} {}", chip(request)) }
        });
        let mut parts = Vec::new();
        if let Some(outcome) = &action.outcome {
            let (class, mark) = match action.as_expected {
                Some(false) => ("bad", "✗ not as expected: "),
                Some(true) => ("open", "✓ "),
                None => ("open", ""),
            };
            parts.push(format!("<span class=\"chip {class}\">{mark}{}</span>", escape(outcome)));
        }
        parts.extend(links.take(6));
        _ = write!(list, "<li><span>{}</span><span>{}</span></li>", escape(&action.name), parts.join(" "));
    }
    if list.is_empty() { list } else { format!("<ol>{list}</ol>") }
}

fn chip(request: &Request) -> String {
    let (class, text) = match &request.status {
        None => ("open", "not completed"),
        Some(status) => (if request.success { "good" } else { "bad" }, status.as_str()),
    };
    format!("<span class=\"chip {class}\">{}</span>", escape(text))
}

/// The stacks each time they had changed; of many, the first and the last ones.
fn all_stacks(record: &Record) -> String {
    let last = record.topologies.len().saturating_sub(1);
    let mut html = String::new();
    for (at, topology) in record.topologies.iter().enumerate().filter(|&(at, _)| at == 0 || last - at < 5) {
        let action = topology.actions.checked_sub(1).and_then(|last| record.actions.get(last));
        let when = match action {
            _ if last == 0 => String::new(),
            _ if at == 0 => "at the beginning".to_owned(),
            Some(action) => format!("after “{}”", action.name),
            None => format!("after {} steps", topology.order),
        };
        let caption = if when.is_empty() { when } else { format!("<figcaption>{}</figcaption>", escape(&when)) };
        let drawing = drawing(&stacks::draw(record, at), "Device stacks");
        _ = write!(html, "<figure>{caption}{drawing}</figure>");
    }
    format!("<div class=\"topologies\">{html}</div>")
}

/// A drawing that may be wider than the page.
fn drawing(svg: &str, label: &str) -> String {
    format!("<div class=\"drawing\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">{svg}</div>", escape(label))
}

fn legend() -> String {
    let owners = [Owner::Driver, Owner::Framework, Owner::Queue, Owner::Target, Owner::System];
    let items = owners.map(|owner| format!("<li class=\"{}\"><i></i>{}</li>", owner.class(), owner.name()));
    format!("<ul class=\"legend\" aria-label=\"Who has a request\">{}</ul>", items.concat())
}

fn time_line(record: &Record) -> String {
    match timeline::draw(record) {
        Some(svg) if svg.len() <= TIMELINE_BYTES_MAX => drawing(&svg, "Time line"),
        Some(_) => {
            "<p class=\"left-out\">There are too many steps for a time line; <code>--format json</code> has them \
                    all.</p>"
                .to_owned()
        }
        None => "<p class=\"hint\">No read, write or control request was sent.</p>".to_owned(),
    }
}

/// All requests: those for data and those that ran out of locations first, the others folded.
fn requests(record: &Record, lines: &Lines) -> String {
    let mut html = String::new();
    let mut undrawn = 0;
    let groups = [(Kind::Io, ""), (Kind::File, "Create, cleanup and close"), (Kind::System, "PnP and power")];
    for (kind, heading) in groups {
        let mut group = String::new();
        let mut count = 0;
        for (at, request) in record.requests.iter().enumerate().filter(|(_, request)| group_of(request) == kind) {
            count += 1;
            let article = article(record, at, request, lines);
            if html.len() + group.len() + article.len() <= REQUEST_BYTES_MAX {
                group += &article;
            } else {
                undrawn += 1;
            }
        }
        match (heading, count) {
            (_, 0) => {}
            ("", _) => html += &group,
            (heading, count) => {
                _ = write!(html, "<details class=\"group\"><summary>{heading} ({count})</summary>{group}</details>");
            }
        }
    }
    html + &left_out(undrawn, "requests")
}

fn group_of(request: &Request) -> Kind {
    if request.shortfall.is_some() { Kind::Io } else { request.kind }
}

fn left_out(count: usize, what: &str) -> String {
    match count {
        0 => String::new(),
        count => format!(
            "<p class=\"left-out\">{count} {what} are left out, to keep the page small: <code>--format json</code> has \
             them all.</p>"
        ),
    }
}

fn article(record: &Record, at: usize, request: &Request, lines: &Lines) -> String {
    let number = &request.label;
    let travel = Travel::new(record, request);
    let of_step = |step: usize| lines.get(&(at, step)).map_or((0, None), |&(count, first)| (count, Some(first)));
    let mut facts = vec![words::locations(request.stack_count)];
    facts.extend(request.irp.iter().map(|irp| format!("IRP <span class=\"mono\">{irp}</span>")));
    facts.extend(request.handles.iter().map(|handle| format!("WDFREQUEST <span class=\"mono\">{handle}</span>")));
    // That it is nothing is news where a program wanted something.
    if request.information > 0 || request.kind == Kind::Io && request.success {
        facts.push(format!("Information {}", request.information));
    }
    let why = reason::of(record, request).map(|why| format!("<pre class=\"why\">{}</pre>", escape(&why)));
    format!(
        "<article id=\"r{number}\" aria-labelledby=\"r{number}h\"><h3 id=\"r{number}h\"><span class=\"no\">{number}</span> \
         {} {}</h3><p class=\"facts\">{}</p>{}{}{}</article>\n",
        escape(&request.name),
        chip(request),
        facts.join(" · "),
        drawing(&travel.draw(of_step), &format!("Request {number}, step by step")),
        why.unwrap_or_default(),
        steps(record, request)
    )
}

/// The same steps as a table, for whoever would rather read.
fn steps(record: &Record, request: &Request) -> String {
    let mut rows = String::new();
    for (number, step) in request.steps.iter().enumerate() {
        let left = step.location.saturating_sub(1).clamp(0, request.stack_count);
        _ = write!(
            rows,
            "<tr><td><a href=\"#{}\">{}</a></td><td>{}</td><td>{}</td><td>{}</td><td>{left}</td><td>{}</td><td>{}</td></tr>",
            step_id(request, number),
            number + 1,
            escape(&words::sentence(record, request, step)),
            escape(&owner(record, step)),
            step.location,
            escape(&step.status),
            words::time(step.time)
        );
    }
    format!(
        "<details><summary>The {} steps as a table</summary><table class=\"steps\"><thead><tr><th scope=\"col\">Step</th>\
         <th scope=\"col\">What happened</th><th scope=\"col\">Owner</th><th scope=\"col\">CurrentLocation</th>\
         <th scope=\"col\">Left below</th><th scope=\"col\">IoStatus</th><th scope=\"col\">Time</th></tr></thead>\
         <tbody>{rows}</tbody></table></details>",
        request.steps.len()
    )
}

fn drivers(record: &Record) -> String {
    let mut drivers: Vec<&str> = record.log.iter().map(|line| line.driver.as_str()).collect();
    drivers.sort_unstable();
    drivers.dedup();
    drivers.iter().map(|driver| format!("<option>{}</option>", escape(driver))).collect()
}

fn request_options(record: &Record) -> String {
    let with_lines = |at: usize| record.log.iter().any(|line| line.request == Some(at));
    let requests = record.requests.iter().enumerate().filter(|(at, _)| with_lines(*at));
    requests
        .map(|(_, request)| format!("<option value=\"r{0}\">{0}: {1}</option>", request.label, escape(&request.name)))
        .take(400)
        .collect()
}

fn overwritten(record: &Record) -> String {
    match record.log.iter().any(|line| line.overwritten && !line.earlier) {
        true => " († overwritten in its driver’s ring by now: a dump would not show it)".to_owned(),
        false => String::new(),
    }
}

/// The log's rows, and how many lines they are.
fn log(record: &Record) -> (String, usize) {
    let mut rows = String::new();
    for (number, line) in record.log.iter().enumerate() {
        let row = row(record, number, line);
        if rows.len() + row.len() > LOG_BYTES_MAX {
            return (rows, number);
        }
        rows += &row;
    }
    (rows, record.log.len())
}

fn row(record: &Record, number: usize, line: &Line) -> String {
    let (mut link, mut data) = (String::new(), String::new());
    if let (Some(request), Some(step)) = (line.request, line.step) {
        let (request, step) = (&record.requests[request], step + 1);
        let (label, id) = (&request.label, step_id(request, step - 1));
        link = format!("<a href=\"#{id}\" aria-label=\"Request {label}, step {step}\">{label}·{step}</a>");
        _ = write!(data, " data-step=\"{id}\"");
    }
    if line.earlier {
        data += " data-earlier";
    }
    let gone = if line.overwritten { " gone" } else { "" };
    let title = if line.overwritten { " title=\"overwritten: a dump at the end does not show it\"" } else { "" };
    format!(
        "<tr id=\"l{number}\" class=\"{level}{gone}\" data-driver=\"{driver}\" data-level=\"{level}\"{data}><td>{link}</td>\
         <td>{driver}</td><td class=\"no\"{title}>{}</td><td class=\"level\">{level}</td><td class=\"text\"><b>{}</b> - {}</td></tr>\n",
        line.sequence,
        escape(line.function),
        escape(&line.message),
        driver = escape(&line.driver),
        level = line.level,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_looks_like_a_place_in_the_template_is_left_alone() {
        let parts = [("a", "{{b}}".to_owned()), ("b", "no".to_owned())];
        assert_eq!(fill("<{{a}}|{{b}}>", &parts), "<{{b}}|no>");
    }

    #[test]
    fn whatever_a_name_or_a_message_holds_stays_text() {
        let evil = "</script><img src=x onerror=\"alert('1')\">&";
        let line = Line {
            driver: evil.to_owned(),
            sequence: 1,
            moment: 1,
            level: "error",
            function: "F",
            message: evil.to_owned(),
            request: None,
            step: None,
            earlier: false,
            overwritten: false,
        };
        let action =
            Action { name: evil.to_owned(), order: 0, time: 0, outcome: Some(evil.to_owned()), as_expected: None };
        let record = Record { title: evil.to_owned(), log: vec![line], actions: vec![action], ..Record::default() };
        let page = page(&record);
        assert!(!page.contains("<img"), "a tag came through");
        assert_eq!(page.matches("</script>").count(), 1, "the page's own");
    }
}
