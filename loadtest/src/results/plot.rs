//! The plot: latency by percentile, throughput and latency over time, as SVG.

use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use super::figures::{IntervalFigures, RunFigures};
use super::format::time;

/// Width and height in pixels.
const SIZE: (u32, u32) = (1000, 1080);
const FONT: &str = "sans-serif";
const TITLE_SIZE: i32 = 22;
const AXIS_SIZE: i32 = 16;
/// Colours of the first, second and third line of a panel.
const COLOURS: [RGBColor; 3] = [
    RGBColor(31, 95, 160),
    RGBColor(200, 90, 30),
    RGBColor(120, 120, 120),
];

type Panel<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// A line of a panel.
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
}

/// A run as SVG, beside a saved one if there is one.
///
/// # Errors
/// What the plotting library could not draw.
pub(crate) fn svg(run: &RunFigures, saved: Option<&RunFigures>) -> Result<String, String> {
    let mut text = String::new();
    draw(&mut text, run, saved).map_err(|error| format!("plot: {error}"))?;
    Ok(text)
}

fn draw(text: &mut String, run: &RunFigures, saved: Option<&RunFigures>) -> Drawn {
    let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let panels = root.split_evenly((3, 1));
    if let [percentiles, throughput, latency] = panels.as_slice() {
        by_percentile(percentiles, run, saved)?;
        let mut lines = vec![over_time("answered", &run.intervals, |i| i.throughput)];
        lines.extend(
            saved.map(|saved| over_time("answered, compared run", &saved.intervals, |i| i.throughput)),
        );
        lines.push(over_time("failed", &run.intervals, |i| {
            super::figures::per(super::figures::number(i.failed), i.seconds)
        }));
        along_time(throughput, "Exchanges a second", &lines, &|value| {
            format!("{value:.0}")
        })?;
        let lines = [
            over_time("p50", &run.intervals, |i| i.latency.p50),
            over_time("p99", &run.intervals, |i| i.latency.p99),
            over_time("max", &run.intervals, |i| i.latency.max),
        ];
        along_time(latency, "Latency over time", &lines, &|value| time(*value))?;
    }
    root.present()?;
    Ok(())
}

fn by_percentile(panel: &Panel<'_>, run: &RunFigures, saved: Option<&RunFigures>) -> Drawn {
    let mut lines = vec![percentiles("latency", &run.latency_course)];
    if let Some(saved) = saved {
        lines.push(percentiles("latency, compared run", &saved.latency_course));
    }
    if run.load.rate.is_some() {
        lines.push(percentiles("once sent", &run.service_time_course));
    }
    let axes = Axes {
        title: "Latency by percentile",
        along: &|inverse| format!("{} %", trimmed(100.0 - 100.0 / inverse)),
        up: &|value| time(*value),
        names: SeriesLabelPosition::UpperLeft,
    };
    let (end, top) = extent(&lines);
    axes.draw(panel, (1.0..end.max(100.0)).log_scale(), top, &lines)
}

fn along_time(panel: &Panel<'_>, title: &str, lines: &[Line], value: &dyn Fn(&f64) -> String) -> Drawn {
    let axes = Axes {
        title,
        along: &|seconds| format!("{} s", trimmed(*seconds)),
        up: value,
        names: SeriesLabelPosition::LowerLeft,
    };
    let (end, top) = extent(lines);
    axes.draw(panel, 0.0..end, top, lines)
}

/// What is written at a panel.
struct Axes<'a> {
    title: &'a str,
    /// A place along, and one up, in words.
    along: &'a dyn Fn(&f64) -> String,
    up: &'a dyn Fn(&f64) -> String,
    /// Where the names of the lines stand.
    names: SeriesLabelPosition,
}

impl Axes<'_> {
    /// Draws lines into a panel that goes along as `along` says and up to `top`.
    fn draw<X>(&self, panel: &Panel<'_>, along: X, top: f64, lines: &[Line]) -> Drawn
    where
        X: AsRangedCoord<Value = f64>,
        X::CoordDescType: ValueFormatter<f64>,
    {
        let mut chart = ChartBuilder::on(panel)
            .caption(self.title, (FONT, TITLE_SIZE))
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(72)
            .build_cartesian_2d(along, 0.0..top)?;
        chart
            .configure_mesh()
            .label_style((FONT, AXIS_SIZE))
            .light_line_style(WHITE)
            .x_label_formatter(self.along)
            .y_label_formatter(self.up)
            .draw()?;
        for (line, colour) in lines.iter().zip(COLOURS) {
            let stroke = colour.stroke_width(2);
            let series = LineSeries::new(line.points.iter().copied(), stroke);
            chart
                .draw_series(series)?
                .label(line.name.clone())
                .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], stroke));
        }
        chart
            .configure_series_labels()
            .position(self.names.clone())
            .background_style(WHITE)
            .label_font((FONT, AXIS_SIZE))
            .draw()?;
        Ok(())
    }
}

/// A course of quantiles with `1 / (1 - quantile)` along, so that each nine has the same width.
fn percentiles(name: &str, course: &[(f64, f64)]) -> Line {
    let below_one = course.iter().filter(|(quantile, _)| *quantile < 1.0);
    Line {
        name: name.to_owned(),
        points: below_one
            .map(|(quantile, micros)| (1.0 / (1.0 - quantile), *micros))
            .collect(),
    }
}

fn over_time(name: &str, intervals: &[IntervalFigures], value: fn(&IntervalFigures) -> f64) -> Line {
    let middle = |interval: &IntervalFigures| interval.begins_s + interval.seconds / 2.0;
    Line {
        name: name.to_owned(),
        points: intervals
            .iter()
            .map(|interval| (middle(interval), value(interval)))
            .collect(),
    }
}

/// How far the lines reach to the right, and up with a little room.
fn extent(lines: &[Line]) -> (f64, f64) {
    let points = lines.iter().flat_map(|line| &line.points);
    let (end, top) = points.fold((0.0_f64, 0.0_f64), |(end, top), (x, y)| {
        (end.max(*x), top.max(*y))
    });
    (end.max(0.001), (top * 1.08).max(0.001))
}

/// A number without the zeros at its end.
fn trimmed(number: f64) -> String {
    let text = format!("{number:.5}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::figures::tests::run;

    #[test]
    fn a_run_is_drawn_with_its_panels_and_beside_a_saved_one() {
        let run = run(&[1000.0, 900.0, 950.0]);
        let alone = svg(&run, None).unwrap();
        assert!(alone.starts_with("<svg") && alone.trim_end().ends_with("</svg>"));
        for text in [
            "Latency by percentile",
            "Exchanges a second",
            "Latency over time",
            "99 %",
        ] {
            assert!(alone.contains(text), "{text}");
        }
        assert!(!alone.contains("compared run"));
        assert!(svg(&run, Some(&run)).unwrap().contains("compared run"));
    }

    #[test]
    fn a_run_in_which_nothing_was_answered_can_be_drawn() {
        let mut empty = run(&[0.0]);
        empty.intervals.clear();
        empty.latency_course.clear();
        assert!(svg(&empty, None).is_ok());
    }
}
