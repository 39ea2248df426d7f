//! A sweep's table as SVG.

use std::fmt::{self, Write};

use vbus::sweep::Sweep;

use super::junit::escaped;
use super::sweep::grid;

const CELL: usize = 28;
const LEFT: usize = 120;
const TOP: usize = 60;

/// Draws it: green cells work; what the others say is in their titles, and one letter of it in the cell's shape, so that
/// colour is not all that tells them apart.
pub(super) fn draw(sweep: &Sweep) -> String {
    let mut svg = String::new();
    // Writing to a string does not fail.
    _ = write_svg(&mut svg, sweep);
    svg
}

fn write_svg(svg: &mut String, sweep: &Sweep) -> fmt::Result {
    let (columns, rows) = grid(sweep);
    let width = LEFT + CELL * columns.len() + 20;
    let height = TOP + CELL * rows.len() + 20;
    writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">"
    )?;
    let down = escaped(&sweep.paths[0]);
    writeln!(svg, "<title>{down} {}</title>", escaped(sweep.paths.get(1).map_or("", String::as_str)))?;
    writeln!(svg, "<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>")?;
    writeln!(svg, "<text x=\"10\" y=\"20\">down: {down}</text>")?;
    if let Some(across) = sweep.paths.get(1) {
        writeln!(svg, "<text x=\"10\" y=\"36\">across: {}</text>", escaped(across))?;
        for (at, name) in columns.iter().enumerate() {
            let x = LEFT + CELL * at + CELL / 2;
            let y = TOP - 6;
            writeln!(svg, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{}</text>", escaped(name))?;
        }
    }
    for (down, row) in rows.iter().enumerate() {
        let middle = TOP + CELL * down + CELL / 2 + 4;
        let x = LEFT - 8;
        let name = escaped(&row[0].values[0]);
        writeln!(svg, "<text x=\"{x}\" y=\"{middle}\" text-anchor=\"end\">{name}</text>")?;
        for (across, cell) in row.iter().enumerate() {
            let (x, y, size) = (LEFT + CELL * across + 1, TOP + CELL * down + 1, CELL - 2);
            let (fill, mark) = if cell.works { ("#2e7d32", "&#x2713;") } else { ("#c62828", "&#x2717;") };
            let title = escaped(&format!("{}: {}", cell.values.join(", "), cell.result));
            write!(svg, "<g><title>{title}</title>")?;
            write!(svg, "<rect x=\"{x}\" y=\"{y}\" width=\"{size}\" height=\"{size}\" fill=\"{fill}\"/>")?;
            let x = x + size / 2;
            writeln!(svg, "<text x=\"{x}\" y=\"{middle}\" text-anchor=\"middle\" fill=\"white\">{mark}</text></g>")?;
        }
    }
    writeln!(svg, "</svg>")
}
