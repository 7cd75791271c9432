//! The examination as one page that needs nothing else: every import on a time line.

use super::examination::Examination;
use crate::commands::page;

const PAGE: &str = include_str!("page.html");

pub(super) fn render(examination: &Examination) -> anyhow::Result<String> {
    let title = format!("{} on Python {}", examination.packages.join(", "), examination.python);
    Ok(page::fill(PAGE, &title, &serde_json::to_string(examination)?))
}
