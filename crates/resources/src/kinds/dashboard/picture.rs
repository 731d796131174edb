//! The picture of the dashboard in the documentation: drawn from its definition, with invented numbers.
//!
//! `PEERSYNC_DRAW=1 cargo test -p peersync-resources picture` draws it again.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure here is the test's failure")]

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use super::body::body;
use crate::stack::Stack;
use peersync_config::Config;

/// The size of one unit of the dashboard's grid, in pixels.
const UNIT: (u64, u64) = (40, 30);
/// The points of a line.
const POINTS: u64 = 24;
const COLORS: [&str; 4] = ["#1f77b4", "#2ca02c", "#ff7f0e", "#d62728"];

/// The highest invented number of each graph. A graph that is not here has no picture.
const HIGHEST: [(&str, u64); 17] = [
    ("Calls", 40),
    ("From ring to answer, seconds", 20),
    ("Open sockets", 120),
    ("Accounts", 12),
    ("Mail", 30),
    ("API: requests", 900),
    ("API: errors", 20),
    ("API: milliseconds", 300),
    ("Functions: failures", 1),
    ("Functions: held back", 1),
    ("Errors in all logs", 2),
    ("Host: processor, percent", 10),
    ("Host: bytes", 2_000_000),
    ("Server: seconds since its start", 600_000),
    ("Relay: bytes", 900_000_000),
    ("Relay: traffic of the month, percent", 40),
    ("Relay: clients and refusals", 6),
];

#[tokio::test]
async fn picture_of_the_documentation_is_drawn_from_the_definition() {
    let stack = Stack::for_tests(Config { stage: "prod".to_owned(), ..Config::default() }).await;
    let drawn = draw(&body(&stack, "i-0123456789abcdef0"));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/dashboard.svg");
    if std::env::var_os("PEERSYNC_DRAW").is_some() {
        std::fs::write(&file, &drawn).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == drawn, "the dashboard has changed; see the beginning of this file");
}

fn draw(body: &Value) -> String {
    let widgets = body["widgets"].as_array().unwrap();
    let bottom = widgets.iter().map(|widget| number(widget, "y") + number(widget, "height")).max().unwrap();
    let (width, height) = (24 * UNIT.0, bottom * UNIT.1);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<title>The dashboard of a stack, with invented numbers</title>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#f2f3f3\"/>\n"
    );
    for widget in widgets {
        let properties = &widget["properties"];
        let (x, y) = (number(widget, "x") * UNIT.0, number(widget, "y") * UNIT.1);
        let (width, height) = (number(widget, "width") * UNIT.0 - 6, number(widget, "height") * UNIT.1 - 6);
        writeln!(svg, "<g transform=\"translate({},{})\">", x + 3, y + 3).unwrap();
        writeln!(svg, "<rect width=\"{width}\" height=\"{height}\" fill=\"#fff\" stroke=\"#d5dbdb\"/>").unwrap();
        let title = properties["title"].as_str().or(properties["markdown"].as_str()).unwrap();
        text(&mut svg, 8, 16, "#16191f", title);
        match widget["type"].as_str().unwrap() {
            "alarm" => alarms(&mut svg, properties),
            "metric" => lines(&mut svg, title, &labels(properties), width, height),
            "log" if properties["view"] == "timeSeries" => {
                lines(&mut svg, title, &["clients", "refusals"], width, height);
            }
            "log" => table(&mut svg),
            _ => {}
        }
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

fn number(widget: &Value, name: &str) -> u64 {
    widget[name].as_u64().unwrap()
}

fn text(svg: &mut String, x: u64, y: u64, color: &str, text: &str) {
    writeln!(svg, "<text x=\"{x}\" y=\"{y}\" fill=\"{color}\">{text}</text>").unwrap();
}

/// Draws the names of all alarms, of which none has been raised.
fn alarms(svg: &mut String, properties: &Value) {
    for (at, alarm) in (0..).zip(properties["alarms"].as_array().unwrap()) {
        let name = alarm.as_str().unwrap().rsplit(':').next().unwrap();
        let (x, y) = (8 + at % 5 * 188, 26 + at / 5 * 28);
        writeln!(svg, "<rect x=\"{x}\" y=\"{y}\" width=\"180\" height=\"22\" fill=\"#dff2d8\"/>").unwrap();
        text(svg, x + 8, y + 15, "#1d8102", &format!("✓ {name}"));
    }
}

fn labels(properties: &Value) -> Vec<&str> {
    let lines = properties["metrics"].as_array().unwrap().iter();
    lines.map(|line| line.as_array().unwrap().last().unwrap()["label"].as_str().unwrap()).collect()
}

/// Draws lines with invented numbers, which are the same each time.
fn lines(svg: &mut String, title: &str, labels: &[&str], width: u64, height: u64) {
    let highest = HIGHEST.iter().find(|(known, _)| *known == title).unwrap_or_else(|| panic!("{title}")).1;
    let (left, top, right, bottom) = (70, 28, width - 10, height - 28);
    text(svg, 8, top + 8, "#687078", &highest.to_string());
    text(svg, 8, bottom, "#687078", "0");
    writeln!(svg, "<path d=\"M{left} {top}V{bottom}H{right}\" fill=\"none\" stroke=\"#d5dbdb\"/>").unwrap();
    for (at, label) in (0..).zip(labels) {
        let color = COLORS[usize::try_from(at).unwrap() % COLORS.len()];
        let mut path = String::new();
        for point in 0..POINTS {
            let x = left + (right - left) * point / (POINTS - 1);
            let share = share(title, label, at, point);
            write!(path, "{}{x} {}", if point == 0 { "M" } else { "L" }, bottom - (bottom - top) * share / 100)
                .unwrap();
        }
        writeln!(svg, "<path d=\"{path}\" fill=\"none\" stroke=\"{color}\"/>").unwrap();
        text(svg, 8 + 74 * at, height - 8, color, label);
    }
}

/// Returns the height of a point of the line with this number, in percent: more by day than by night, each line lower than
/// the one before, and little that is bad.
fn share(title: &str, label: &str, line: u64, point: u64) -> u64 {
    match title {
        "Functions: failures" | "Functions: held back" => 0,
        "Errors in all logs" => 50 * u64::from(point == 15),
        "Server: seconds since its start" => 40 + 2 * point,
        "Relay: traffic of the month, percent" => 30 + point,
        _ => {
            let noise = (title.len() as u64 * 7 + line * 13 + point * point * 31) % 23;
            let day = 6 * (12 - point.abs_diff(14).min(12));
            let is_bad = ["failed", "5xx", "refusals"].contains(&label);
            (day + noise) / if is_bad { 20 } else { 1 + line * line }
        }
    }
}

fn table(svg: &mut String) {
    for (at, (reason, reports)) in (0..).zip([("blocked", 3), ("no_way_out", 2), ("their_network", 1)]) {
        text(svg, 8, 44 + 24 * at, "#16191f", reason);
        text(svg, 240, 44 + 24 * at, "#16191f", &reports.to_string());
    }
}
