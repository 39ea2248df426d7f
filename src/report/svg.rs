//! The little of SVG that the drawings need. Colours and fonts are the page's: elements have classes, not styles.

use std::fmt::Write;

/// Text as it may stand in HTML and SVG, in content and in attributes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Control characters are in no HTML; a log could hold some.
            control if control.is_control() && control != '\n' && control != '\t' => escaped.push('\u{FFFD}'),
            plain => escaped.push(plain),
        }
    }
    escaped
}

/// A text that fits `pixels` at the drawings' small size, cut off where it must be.
pub(super) fn fit(text: &str, pixels: i32) -> String {
    let most = (pixels / 7).max(2) as usize;
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// A drawing that grows.
#[derive(Default)]
pub(super) struct Svg {
    body: String,
}

// Writing to a String does not fail: the results of `write!` are dropped for that reason.
impl Svg {
    pub(super) fn raw(&mut self, element: &str) {
        self.body.push_str(element);
    }

    pub(super) fn rect(&mut self, class: &str, [x, y, width, height]: [i32; 4], radius: i32) {
        _ = write!(
            self.body,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"{radius}\"/>"
        );
    }

    pub(super) fn text(&mut self, class: &str, [x, y]: [i32; 2], text: &str) {
        _ = write!(self.body, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{}</text>", escape(text));
    }

    pub(super) fn circle(&mut self, class: &str, [x, y]: [i32; 2], radius: i32) {
        _ = write!(self.body, "<circle class=\"{class}\" cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"/>");
    }

    pub(super) fn path(&mut self, class: &str, way: &str) {
        _ = write!(self.body, "<path class=\"{class}\" d=\"{way}\"/>");
    }

    /// The whole drawing; `label` is what a screen reader calls it.
    pub(super) fn finish(self, class: &str, width: i32, height: i32, label: &str) -> String {
        format!(
            "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             role=\"group\" aria-label=\"{}\">{}</svg>",
            escape(label),
            self.body
        )
    }
}
