//! The page in a real browser. Skipped, with a word on why, where there is no Chromium.

mod browser;
#[path = "../common/mod.rs"]
mod common;

use browser::{Browser, END, ENTER, ESCAPE, RIGHT, TAB};
use common::{READ_CARD, exchange};
use vbus::{Scenario, Setup, report};

/// A page with a request that was refused, and the same again on a bus that is big enough.
fn page(extra: i8) -> String {
    let mut vbus = Setup::default().bus_extra_stack(extra).reader(7).build().unwrap();
    report::start(&mut vbus.machine, "The story");
    report::action(&mut vbus.machine, "a vendor IOCTL for reader 7");
    exchange(&mut vbus, 7, READ_CARD);
    report::action(&mut vbus.machine, "the same again");
    exchange(&mut vbus, 7, READ_CARD);
    report::page(&report::finish(&mut vbus.machine))
}

fn open(extra: i8) -> Option<Browser> {
    let browser = Browser::start()?;
    browser.open("report", &page(extra));
    Some(browser)
}

/// The id of the element that has the focus.
fn focused(browser: &Browser) -> String {
    browser.text("document.activeElement.id")
}

/// The ids of what is selected, in the order of the page.
fn selected(browser: &Browser) -> Vec<String> {
    let ids = browser.text("[...document.querySelectorAll('.selected')].map((it) => it.id).join(' ')");
    ids.split_whitespace().map(str::to_owned).collect()
}

fn shown_lines(browser: &Browser) -> u64 {
    let shown = "[...document.querySelectorAll('#lines tbody tr')].filter((row) => row.checkVisibility()).length";
    browser.eval(shown).as_u64().unwrap()
}

#[test]
fn the_page_loads_without_a_word_on_the_console_and_asks_for_nothing_else() {
    let Some(browser) = open(0) else { return };
    browser.click("#r1-4");
    assert_eq!(browser.console(), Vec::<serde_json::Value>::new());
    let asked = browser.requests();
    let others: Vec<&String> =
        asked.iter().filter(|url| !url.starts_with("file://") && !url.starts_with("data:")).collect();
    assert!(!asked.is_empty() && others.is_empty(), "{asked:?}");
    assert!(asked.iter().all(|url| !url.starts_with("file://") || url.ends_with("report.html")), "{asked:?}");
}

#[test]
fn a_step_selects_its_log_lines_and_a_log_line_its_step() {
    let Some(browser) = open(0) else { return };
    browser.click("#r1-4");
    let lines = selected(&browser);
    assert_eq!(lines[0], "r1-4");
    assert!(lines.len() > 1, "{lines:?}");
    let texts = browser.text("[...document.querySelectorAll('tr.selected')].map((it) => it.textContent).join('\\n')");
    assert!(texts.contains("Exit WDFIOTARGET"), "{texts}");
    assert!(browser.text("location.hash") == "#r1-4");

    // The line of the refusal leads back to the request, at the step before it.
    let refusal = browser.text("document.querySelector('#lines tr.error[data-step]').id");
    browser.click(&format!("#{refusal} a"));
    assert_eq!(selected(&browser), ["r1-3".to_owned(), refusal]);
    assert_eq!(focused(&browser), "r1-3");

    browser.press(&[ESCAPE]);
    assert_eq!(selected(&browser), Vec::<String>::new());
}

#[test]
fn the_time_line_and_the_summary_lead_to_the_steps() {
    let Some(browser) = open(0) else { return };
    browser.click(".verdict a");
    assert_eq!(focused(&browser), "r1-4", "where it ran out");
    browser.eval("document.querySelector('.timeline a').focus()");
    browser.press(&[ENTER]);
    assert_eq!(focused(&browser), "r1-2");
}

#[test]
fn the_keyboard_alone_goes_from_step_to_step_and_to_the_log_and_back() {
    let Some(browser) = open(0) else { return };
    // From the top, Tab comes to the first drawing of a request; arrow keys go through its steps.
    let mut tabs = 0;
    while focused(&browser) != "r1-1" {
        browser.press(&[TAB]);
        tabs += 1;
        assert!(tabs < 30, "Tab does not get to the drawing");
    }
    browser.press(&[RIGHT, RIGHT]);
    assert_eq!(focused(&browser), "r1-3");
    assert_eq!(selected(&browser)[0], "r1-3");
    browser.press(&[ENTER]);
    assert!(browser.eval("document.activeElement.matches('#lines tr.selected a')").as_bool().unwrap());
    browser.press(&[ENTER]);
    assert_eq!(focused(&browser), "r1-3");
    browser.press(&[END]);
    assert_eq!(focused(&browser), "r1-6");
    // Tab leaves the drawing instead of visiting each step.
    browser.press(&[TAB]);
    assert!(!focused(&browser).starts_with("r1-"), "{}", focused(&browser));
    browser.press(&["/"]);
    assert_eq!(focused(&browser), "find");
}

#[test]
fn the_log_is_filtered_by_text_driver_level_and_request() {
    let Some(browser) = open(3) else { return };
    let all = shown_lines(&browser);
    browser.type_into("#find", "DispatchRequestToDriver");
    let found = shown_lines(&browser);
    assert!(0 < found && found < all, "{found} of {all}");
    assert!(browser.text("document.querySelector('#count').textContent").starts_with(&format!("{found} of ")));
    browser.type_into("#driver", "vreader");
    let of_reader = shown_lines(&browser);
    assert!(0 < of_reader && of_reader < found, "{of_reader} of {found}");
    browser.click("#clear");
    assert_eq!(shown_lines(&browser), all);
    browser.type_into("#request", "2");
    let of_request = shown_lines(&browser);
    assert!(0 < of_request && of_request < all);
    browser.click("#clear");
    browser.click("#earlier");
    let with_earlier = shown_lines(&browser);
    assert!(with_earlier > all, "what was written before the recording");
    browser.type_into("#level", "information");
    assert!(shown_lines(&browser) < with_earlier);
    // A step whose lines are filtered away brings them back.
    browser.click("#r1-2");
    let visible = "document.querySelector('tr.selected').checkVisibility()";
    assert!(browser.eval(visible).as_bool().unwrap());
}

#[test]
fn it_is_dark_where_the_system_is_and_the_button_overrules_it() {
    let Some(browser) = open(0) else { return };
    let paper = |browser: &Browser| browser.text("getComputedStyle(document.body).backgroundColor");
    browser.emulate("screen", "light");
    let light = paper(&browser);
    browser.emulate("screen", "dark");
    let dark = paper(&browser);
    assert_ne!(light, dark);
    browser.click("#theme");
    assert_eq!(paper(&browser), light, "light is chosen");
    browser.click("#theme");
    browser.emulate("screen", "light");
    assert_eq!(paper(&browser), dark, "dark is chosen");
    browser.click("#theme");
    assert_eq!(paper(&browser), light, "as the system");
}

#[test]
fn texts_can_be_read_in_light_and_in_dark() {
    let Some(browser) = open(0) else { return };
    // The colours that text has on the page's two grounds, against WCAG's contrast for small text. Drawn once: a canvas
    // knows every way to write a colour.
    let least = "(() => {
        const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
        const rgb = (name) => {
            canvas.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name);
            canvas.fillRect(0, 0, 1, 1);
            return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
        };
        const light = (name) => {
            const [r, g, b] = rgb(name).map((v) => v / 255).map((v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
            return .2126 * r + .7152 * g + .0722 * b;
        };
        const contrast = (a, b) => (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
        const inks = ['--ink', '--dim', '--bad', '--good', '--driver', '--queue', '--target'];
        return Math.min(...inks.flatMap((ink) => ['--paper', '--card'].map((ground) => contrast(light(ink), light(ground)))));
    })()";
    for scheme in ["light", "dark"] {
        browser.emulate("screen", scheme);
        let least = browser.eval(least).as_f64().unwrap();
        assert!(least >= 4.5, "{scheme}: {least}");
    }
}

#[test]
fn a_screen_reader_is_told_what_everything_is() {
    let Some(browser) = open(0) else { return };
    let is = |selector: &str, role: &str, part: &str| {
        let (found, name) = browser.role_and_name(selector);
        assert!(found == role && name.contains(part), "{selector}: {found} “{name}”");
    };
    is("main", "main", "");
    is("nav", "navigation", "Sections");
    is("#requests", "region", "Requests");
    is("#r1", "article", "IRP_MJ_DEVICE_CONTROL 0x55ff9c0e STATUS_REQUEST_NOT_ACCEPTED");
    is("#r1-4", "link", "Step 4 of 6: the format call for its I/O target");
    is("svg.travel", "group", "6 steps through 2 locations");
    is("svg.stacks", "group", "vbus's FDO with StackSize 2, above PnpManager's PDO with StackSize 1");
    is(".timeline a", "link", "Request 1, framework");
    is("#find", "searchbox", "Find");
    is("#filter", "search", "Filter the log");
    is("#lines tbody tr:not([hidden]) a", "link", "Request");
    is("#count", "status", "");
    assert_eq!(browser.text("document.documentElement.lang"), "en");
    let nameless = "[...document.querySelectorAll('a, button, input, select, [role]')].filter((it) => \
                    !(it.ariaLabel || it.textContent.trim() || it.labels?.length || \
                    it.getAttribute('aria-labelledby'))).length";
    assert_eq!(browser.eval(nameless), 0);
    let twice = "(() => { const ids = [...document.querySelectorAll('[id]')].map((it) => it.id); return ids.length - \
                 new Set(ids).size; })()";
    assert_eq!(browser.eval(twice), 0, "ids are unique");
    let dead = "[...document.querySelectorAll('a[href^=\"#\"]')].filter((it) => \
                !document.getElementById(it.getAttribute('href').slice(1))).length";
    assert_eq!(browser.eval(dead), 0, "links lead somewhere");
}

#[test]
fn on_paper_everything_is_there_and_nothing_sticks() {
    let Some(browser) = open(0) else { return };
    browser.emulate("print", "dark");
    assert_eq!(browser.text("getComputedStyle(document.getElementById('log')).position"), "static");
    assert_eq!(browser.text("getComputedStyle(document.getElementById('lines')).overflowY"), "visible");
    assert_eq!(browser.text("getComputedStyle(document.getElementById('theme')).display"), "none");
    assert_eq!(browser.text("getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)");
    assert!(browser.print() > 20_000);
    let open = "[...document.querySelectorAll('#r1 details')].every((it) => it.open)";
    assert!(browser.eval(open).as_bool().unwrap(), "printing opens the tables of steps");
}

#[test]
fn a_narrow_window_scrolls_its_drawings_and_not_itself() {
    let Some(browser) = open(3) else { return };
    for width in [360, 760, 1024] {
        browser.resize(width, 800);
        let too_wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth";
        assert_eq!(browser.eval(too_wide), false, "at {width}");
    }
}

/// A PDO that copies the only location that it has: a DDI with a long name stops the machine.
fn page_of_a_long_stop() -> String {
    let text = "[[bus]]\nname = \"vbus\"\ndriver = { forward = [\"format-beyond-memory\"], child = [\"format-current-type\"] }\n\
                [[bus.reader]]\nid = 7\nfunction = \"pass-down\"\n[[step]]\nopen = { as = \"h\", reader = 7 }\n\
                [[step]]\nname = \"offsets beyond the end of a memory\"\nforward = { reader = 7 }\n\
                [[step]]\nioctl = { handle = \"h\", code = 0x222004 }\n";
    report::page(&Scenario::parse("stop.toml", text).unwrap().record().unwrap().1)
}

#[test]
fn long_names_break_where_there_is_no_room_and_no_step_is_higher_than_its_words() {
    let Some(browser) = Browser::start() else { return };
    browser.open("long-stop", &page_of_a_long_stop());
    for width in [320, 1300] {
        browser.resize(width, 800);
        let too_wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth";
        assert_eq!(browser.eval(too_wide), false, "at {width}");
        let sticks_out =
            "[...document.querySelectorAll('.verdict, .verdict .chip')].some((it) => it.scrollWidth > it.clientWidth)";
        assert_eq!(browser.eval(sticks_out), false, "at {width}");
    }
    let status = "[...document.querySelectorAll('.verdict .chip')].find((it) => it.textContent.includes('OVERFLOW'))";
    let one_line = format!("{status}.getBoundingClientRect().height < 30");
    assert_eq!(browser.eval(&one_line), true);
    // The refusals are steps that a screen reader hears of.
    let said = "[...document.querySelectorAll('.step.bad')].map((it) => it.getAttribute('aria-label')).join('\\n')";
    let said = browser.text(said);
    assert!(said.contains("refused what it was given with STATUS_INTEGER_OVERFLOW"), "{said}");
    assert!(said.contains("would copy its location to the next one, and there is none"), "{said}");
}
