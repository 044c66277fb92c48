//! A bar for each target: how far the figure is from it.

use cli::failure::{Failure, OrUnusable};
use plotters::prelude::*;

use crate::rows::Finding;

/// Width of the picture.
const WIDTH: u32 = 1100;
/// Height of a bar with its text.
const BAR: u32 = 34;
/// Room above and below the bars.
const MARGIN: u32 = 50;
/// Where bars begin.
const LEFT: i32 = 620;
/// Where the target is.
const TARGET: i32 = 820;
/// What a bar may be long, in targets; longer ones are cut.
const LONGEST: f64 = 2.2;
const MET: RGBColor = RGBColor(46, 125, 50);
const MISSED: RGBColor = RGBColor(198, 40, 40);

/// The picture. Rows that nothing is demanded of are left out.
pub(super) fn svg(findings: &[Finding]) -> Result<String, Failure> {
    let mut text = String::new();
    draw(&mut text, findings).or_unusable(|| "draw the plot".into())?;
    Ok(text)
}

fn draw(text: &mut String, findings: &[Finding]) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let judged: Vec<(&Finding, f64)> = findings
        .iter()
        .filter_map(|finding| Some((finding, finding.score?)))
        .collect();
    let height = BAR * u32::try_from(judged.len())? + 2 * MARGIN;
    let area = SVGBackend::with_string(text, (WIDTH, height)).into_drawing_area();
    let failed = |error: DrawingAreaErrorKind<std::io::Error>| error.to_string();
    area.fill(&WHITE).map_err(failed)?;
    let font = |size: i32| ("sans-serif", size).into_font();
    let title = "Figure by target: the bar reaches the line where the target is met";
    area.draw(&Text::new(title, (20, 16), font(18))).map_err(failed)?;
    for (index, (finding, score)) in judged.iter().enumerate() {
        let top = i32::try_from(MARGIN + BAR * u32::try_from(index)?)?;
        let colour = if finding.met == Some(true) { MET } else { MISSED };
        let end = LEFT + pixels(score.min(LONGEST));
        area.draw(&Rectangle::new(
            [(LEFT, top + 4), (end, top + 24)],
            colour.filled(),
        ))
        .map_err(failed)?;
        area.draw(&Text::new(finding.what.clone(), (20, top + 6), font(13)))
            .map_err(failed)?;
        area.draw(&Text::new(finding.figure.clone(), (end + 8, top + 6), font(13)))
            .map_err(failed)?;
    }
    let bottom = i32::try_from(height - MARGIN)?;
    area.draw(&PathElement::new(
        vec![(TARGET, i32::try_from(MARGIN)? - 4), (TARGET, bottom)],
        BLACK,
    ))
    .map_err(failed)?;
    area.present().map_err(failed)?;
    Ok(())
}

/// The length of a bar.
#[allow(
    clippy::cast_possible_truncation,
    reason = "a bar is at most LONGEST targets long, a few hundred pixels"
)]
fn pixels(score: f64) -> i32 {
    (score * f64::from(TARGET - LEFT)) as i32
}
