//! The figures as a picture: one SVG that needs nothing else, and can be read on light and on dark.

use std::fmt::Write as _;

use super::measurement::{Measurement, Project, Tool};

/// All lengths are in units of the picture, which is as wide as text of this size is on a page of documentation.
const WIDTH: f64 = 860.0;
const MARGIN: f64 = 12.0;
/// Where bars begin; names of tools are on the left.
const LEFT: f64 = 250.0;
/// Room for figures on the right of the longest bar.
const FIGURES: f64 = 84.0;
const BAR: f64 = 9.0;
const BAR_STEP: f64 = 11.0;
const TOOL_GAP: f64 = 9.0;
const TITLE: f64 = 34.0;
const HEAD: f64 = 58.0;

/// Colours of text and bars. A page's own scheme does not reach into an image; the reader's does.
const STYLE: &str = "\
text{font:12px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#1f2328}\
.title{font-weight:600;font-size:14px}.figure{font-size:10px;fill:#59636e}\
.ours{fill:#0969da}.other{fill:#818b98}.spread{stroke:#1f2328;stroke-width:1}\
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.figure{fill:#9198a1}\
.ours{fill:#4493f8}.other{fill:#818b98}.spread{stroke:#f0f6fc}}";

/// What stands for each edit, and how strongly its bar is filled.
const EDITS: [(&str, &str, f64); 3] = [
    ("leaf", "edit in a module imported late", 1.0),
    ("route", "in the module with the route", 0.7),
    ("deep", "in a module that everything imports", 0.4),
];

/// A panel for each project, all to the same scale.
pub(super) fn draw(measurement: &Measurement) -> String {
    let longest = measurement
        .projects
        .iter()
        .flat_map(|project| project.tools.iter())
        .flat_map(|tool| EDITS.iter().filter_map(|(edit, ..)| tool.quartiles(edit)))
        .fold(f64::MIN_POSITIVE, |longest, [_, _, high]| longest.max(high));
    let scale = (WIDTH - MARGIN - LEFT - FIGURES) / longest;
    let mut body = String::new();
    let mut top = MARGIN + head(&mut body, measurement);
    for project in &measurement.projects {
        top = panel(&mut body, project, top, scale);
    }
    let height = top + MARGIN;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\" aria-label=\"Time from a save to the changed answer\">\n\
         <style>{STYLE}</style>\n{body}</svg>\n"
    )
}

/// Says what is shown and which bar is which, and returns the height of that.
fn head(body: &mut String, measurement: &Measurement) -> f64 {
    let machine = measurement
        .machine
        .as_ref()
        .map(|machine| format!(" CPython {}, Linux, {} processors.", machine.python, machine.processors));
    let _ = writeln!(
        body,
        "<text x=\"{MARGIN}\" y=\"{}\">Time from a save to the changed answer over HTTP: medians, and lines from \
         quartile to quartile.{}</text>",
        MARGIN + 12.0,
        machine.unwrap_or_default()
    );
    let mut left = MARGIN;
    for (_, meaning, strength) in EDITS {
        let top = MARGIN + 30.0;
        let _ = writeln!(
            body,
            "<rect class=\"other\" x=\"{left}\" y=\"{top}\" width=\"18\" height=\"{BAR}\" opacity=\"{strength}\"/>\
             <text x=\"{}\" y=\"{}\">{meaning}</text>",
            left + 24.0,
            top + BAR
        );
        left += 250.0;
    }
    HEAD
}

/// Draws one project from `top` downwards, and returns where it ends.
fn panel(body: &mut String, project: &Project, top: f64, scale: f64) -> f64 {
    let _ = writeln!(
        body,
        "<text class=\"title\" x=\"{MARGIN}\" y=\"{}\">{}</text>",
        top + 20.0,
        escaped(title(&project.name))
    );
    let mut top = top + TITLE;
    for tool in &project.tools {
        let bars: Vec<_> =
            EDITS.iter().filter_map(|(edit, _, strength)| Some((tool.quartiles(edit)?, *strength))).collect();
        if bars.is_empty() {
            continue;
        }
        let middle = top + BAR_STEP * f64::from(u8::try_from(bars.len()).unwrap_or(u8::MAX)) / 2.0;
        let _ = writeln!(
            body,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 10.0,
            middle + 3.0,
            escaped(label(&tool.name))
        );
        for (quartiles, strength) in bars {
            bar(body, tool, quartiles, strength, top, scale);
            top += BAR_STEP;
        }
        top += TOOL_GAP;
    }
    top
}

/// A bar as long as the median, a line from quartile to quartile, and the median in figures.
fn bar(body: &mut String, tool: &Tool, [low, median, high]: [f64; 3], strength: f64, top: f64, scale: f64) {
    let class = if tool.name.starts_with("hr run") { "ours" } else { "other" };
    let at = |seconds: f64| LEFT + seconds * scale;
    let middle = top + BAR / 2.0;
    let _ = writeln!(
        body,
        "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{BAR}\" opacity=\"{strength}\"/>\
         <line class=\"spread\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\"/>\
         <text class=\"figure\" x=\"{:.1}\" y=\"{:.1}\">{:.0} ms</text>",
        median * scale,
        at(low),
        at(high),
        at(high) + 6.0,
        top + BAR - 1.0,
        median * 1000.0
    );
}

fn title(project: &str) -> &str {
    match project {
        "small" => "A small FastAPI application",
        "realapp" => "An application on pandas, scikit-learn, FastAPI, SQLAlchemy and Django",
        "django" => "The same, served by Django",
        "large" => "300 modules of one's own, FastAPI",
        other => other,
    }
}

fn label(tool: &str) -> &str {
    match tool {
        "uvicorn-hmr" => "uvicorn-hmr (patches in place)",
        other => other,
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::measurement::Sample;
    use super::*;

    #[test]
    fn every_tool_with_answers_has_a_bar_for_each_edit_within_the_picture() {
        let mut measurement = Measurement::default();
        for (tool, edit, seconds) in [
            ("hr run <x>", "leaf", Some(0.05)),
            ("hr run <x>", "deep", Some(0.1)),
            ("other", "leaf", Some(3.0)),
            ("never", "leaf", None),
        ] {
            let (edit, save) = (edit.to_owned(), "write".to_owned());
            measurement.project("large").tool(tool).samples.push(Sample { edit, save, seconds });
        }
        let picture = draw(&measurement);
        assert_eq!(picture.matches("class=\"spread\"").count(), 3);
        assert_eq!(picture.matches("class=\"ours\"").count(), 2);
        assert!(picture.contains("hr run &lt;x&gt;") && !picture.contains("never"), "{picture}");
        let widths =
            picture.split("width=\"").skip(1).filter_map(|rest| rest.split('"').next()?.parse::<f64>().ok());
        assert!(widths.into_iter().all(|width| width <= WIDTH));
    }
}
