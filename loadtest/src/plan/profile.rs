//! A level over time: a rate of arrivals, or a number of connections.
//!
//! Written `500` (always), `100..1000/30s` (in a straight line, over a time) or `100,200,400/10s` (steps of a time each). Behind
//! its end the last level holds.

use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use super::units::Span;

/// A level over time.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "ProfileText")]
pub(crate) struct Profile {
    segments: Vec<Segment>,
    last: f64,
    text: String,
}

/// A stretch of a profile in which the level moves in a straight line.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Segment {
    /// Where it begins, in seconds.
    begins: f64,
    /// How long it is, in seconds.
    seconds: f64,
    from: f64,
    to: f64,
    /// The area under the profile up to here: for a rate, how many arrivals.
    area_before: f64,
}

/// How a settings file may write a profile: a bare number, or text.
#[derive(Deserialize)]
#[serde(untagged)]
enum ProfileText {
    Number(f64),
    Text(String),
}

impl Profile {
    /// A level that never changes.
    pub(crate) fn constant(level: f64) -> Self {
        Self {
            segments: Vec::new(),
            last: level,
            text: level.to_string(),
        }
    }

    /// The same with a time of its first level before it.
    pub(crate) fn after_lead(&self, lead: Duration) -> Self {
        let first = self.level_at(Duration::ZERO);
        let mut stretches = vec![(lead.as_secs_f64(), first, first)];
        stretches.extend(self.segments.iter().map(|s| (s.seconds, s.from, s.to)));
        Self {
            segments: chain(&stretches),
            last: self.last,
            text: self.text.clone(),
        }
    }

    /// How long it changes; `None` when it never does.
    pub(crate) fn length(&self) -> Option<Duration> {
        let last = self.segments.last()?;
        Some(Duration::from_secs_f64(last.begins + last.seconds))
    }

    /// The level at a time from the beginning.
    pub(crate) fn level_at(&self, time: Duration) -> f64 {
        let time = time.as_secs_f64();
        let within = self.segments.iter().find(|s| time < s.begins + s.seconds);
        within.map_or(self.last, |s| {
            s.from + (s.to - s.from) * ((time - s.begins) / s.seconds).max(0.0)
        })
    }

    /// The highest level.
    pub(crate) fn peak(&self) -> f64 {
        self.segments
            .iter()
            .map(|s| s.from.max(s.to))
            .fold(self.last, f64::max)
    }

    /// When the area under the profile reaches `area`: for a rate, the instant of that arrival. `None`: never.
    pub(crate) fn reaches(&self, area: f64) -> Option<Duration> {
        let segment = self.segments.iter().find(|s| area < s.area_before + s.area());
        let seconds = match segment {
            Some(s) => s.begins + s.time_of(area - s.area_before),
            None => self.reaches_behind(area)?,
        };
        Duration::try_from_secs_f64(seconds).ok()
    }

    fn reaches_behind(&self, area: f64) -> Option<f64> {
        let (begins, before) = self
            .segments
            .last()
            .map_or((0.0, 0.0), |s| (s.begins + s.seconds, s.area_before + s.area()));
        (self.last > 0.0).then(|| begins + (area - before).max(0.0) / self.last)
    }
}

impl Segment {
    fn area(&self) -> f64 {
        (self.from + self.to) / 2.0 * self.seconds
    }

    /// When the area within the segment reaches `area`: the root of `from t + (to - from) t² / 2 seconds = area`, in
    /// the form that keeps its digits when the slope is small.
    fn time_of(&self, area: f64) -> f64 {
        let slope = (self.to - self.from) / self.seconds;
        let root = (self.from * self.from + 2.0 * slope * area).max(0.0).sqrt();
        let denominator = self.from + root;
        if denominator > 0.0 {
            (2.0 * area / denominator).min(self.seconds)
        } else {
            0.0
        }
    }
}

/// Puts stretches of (seconds, from, to) one behind the other; empty ones vanish.
fn chain(stretches: &[(f64, f64, f64)]) -> Vec<Segment> {
    let (mut begins, mut area_before) = (0.0, 0.0);
    let mut segments = Vec::new();
    for (seconds, from, to) in stretches.iter().copied().filter(|(seconds, ..)| *seconds > 0.0) {
        let segment = Segment {
            begins,
            seconds,
            from,
            to,
            area_before,
        };
        begins += seconds;
        area_before += segment.area();
        segments.push(segment);
    }
    segments
}

impl std::fmt::Display for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let stretches = match text.split_once('/') {
            None => return number(text).map(Self::constant).ok_or_else(|| expected(text)),
            Some((levels, time)) => {
                let time = time.parse::<Span>()?.0.as_secs_f64();
                stretches(levels, time).ok_or_else(|| expected(text))?
            }
        };
        let last = stretches.last().map(|(_, _, to)| *to);
        Ok(Self {
            segments: chain(&stretches),
            last: last.ok_or_else(|| expected(text))?,
            text: text.to_owned(),
        })
    }
}

/// What a profile asks for: `A..B` over the time, or `A,B,…` each for the time.
fn stretches(levels: &str, time: f64) -> Option<Vec<(f64, f64, f64)>> {
    if time <= 0.0 {
        return None;
    }
    if let Some((from, to)) = levels.split_once("..") {
        return Some(vec![(time, number(from)?, number(to)?)]);
    }
    let steps = levels.split(',').map(number);
    steps.map(|step| step.map(|level| (time, level, level))).collect()
}

fn number(text: &str) -> Option<f64> {
    let level = text.trim().parse().ok()?;
    (0.0..=1e7).contains(&level).then_some(level)
}

fn expected(text: &str) -> String {
    format!(
        "`{text}`: expected a number, FROM..TO/TIME or STEP,STEP,…/TIME, such as 500, 100..1000/30s or 1,2,4/10s"
    )
}

impl TryFrom<ProfileText> for Profile {
    type Error = String;

    fn try_from(text: ProfileText) -> Result<Self, String> {
        match text {
            ProfileText::Number(level) => level.to_string().parse(),
            ProfileText::Text(text) => text.parse(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn profile(text: &str) -> Profile {
        text.parse().unwrap()
    }

    fn seconds(profile: &Profile, area: f64) -> f64 {
        profile.reaches(area).unwrap().as_secs_f64()
    }

    #[test]
    fn a_constant_rate_has_its_arrivals_evenly() {
        let profile = profile("200");
        assert!(
            (
                seconds(&profile, 0.0),
                seconds(&profile, 1.0),
                seconds(&profile, 400.0)
            ) == (0.0, 0.005, 2.0)
        );
        assert_eq!(profile.length(), None);
    }

    #[test]
    fn a_ramp_from_nothing_has_half_of_its_arrivals_in_the_last_third_or_so() {
        let profile = profile("0..100/10s");
        assert!((seconds(&profile, 250.0) - 7.071).abs() < 0.001);
        assert!((seconds(&profile, 499.999) - 10.0).abs() < 0.001);
        assert!(
            (seconds(&profile, 600.0) - 11.0).abs() < 0.001,
            "the last level holds"
        );
    }

    #[test]
    fn steps_follow_each_other() {
        let profile = profile("1,0,4/10s");
        assert_eq!(profile.length(), Some(Duration::from_secs(30)));
        let level = |at| profile.level_at(Duration::from_secs(at));
        assert_eq!(
            (level(0), level(9), level(10), level(25), level(99)),
            (1.0, 1.0, 0.0, 4.0, 4.0)
        );
        assert!(
            (seconds(&profile, 12.0) - 20.5).abs() < 1e-9,
            "nothing arrives in the pause"
        );
    }

    #[test]
    fn what_cannot_be_understood_is_refused_with_what_was_expected() {
        for text in ["", "x", "-1", "1..2", "1..x/3s", "1,2/0s", "1,,2/3s", "1e99"] {
            let error = text.parse::<Profile>().unwrap_err();
            assert!(error.contains("expected a number"), "{text}: {error}");
        }
        assert!(
            "1..2/3"
                .parse::<Profile>()
                .unwrap_err()
                .contains("expected a time")
        );
    }

    proptest! {
        #[test]
        fn arrivals_never_go_back_and_their_number_is_the_area(
            from in 0.0..2000.0_f64, to in 0.0..2000.0_f64, time in 1_u32..60, lead in 0_u64..20,
        ) {
            let profile = profile(&format!("{from}..{to}/{time}s")).after_lead(Duration::from_secs(lead));
            let total = from * (lead as f64) + (from + to) / 2.0 * f64::from(time);
            let end = lead as f64 + f64::from(time);
            let mut last = 0.0;
            let mut count = 0.0;
            while let Some(at) = profile.reaches(count).map(|at| at.as_secs_f64()).filter(|at| *at < end) {
                prop_assert!(at >= last - 1e-9);
                last = at;
                count += 1.0;
            }
            prop_assert!((count - total).abs() <= 1.5, "{count} arrivals, area {total}");
        }

        #[test]
        fn the_area_up_to_an_arrival_is_its_number(
            steps in prop::collection::vec(1.0..500.0_f64, 1..6), number in 0.0..2000.0_f64,
        ) {
            let text = steps.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
            let profile = profile(&format!("{text}/2s"));
            let at = profile.reaches(number).unwrap().as_secs_f64();
            let below = |index: usize| (at - 2.0 * index as f64).clamp(0.0, 2.0);
            let within: f64 = steps.iter().enumerate().map(|(index, level)| level * below(index)).sum();
            let behind = (at - 2.0 * steps.len() as f64).max(0.0) * steps.last().unwrap();
            prop_assert!((within + behind - number).abs() < 1e-3, "{within} + {behind}, {number}");
        }
    }
}
