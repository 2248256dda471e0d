//! A feed's last hour as a small drawing: SVG made here, with no script and no inline style.

use store::Minute;

/// Width of a minute, in units of the drawing.
const STEP: u64 = 4;
/// Height of the drawing.
pub(crate) const HEIGHT: u64 = 32;
/// Left free above the highest value and below zero.
const MARGIN: u64 = 2;

/// What a template draws.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spark {
    pub(crate) width: u64,
    pub(crate) height: u64,
    /// `d` of the line, empty without minutes.
    pub(crate) line: String,
    /// `d` of the area below it.
    pub(crate) area: String,
    /// `d` of a bar for each minute with held messages.
    pub(crate) held: String,
    /// Most messages of one minute.
    pub(crate) most: u64,
}

/// The drawing of these minutes.
pub(crate) fn spark(minutes: &[Minute]) -> Spark {
    let most = minutes.iter().map(|minute| minute.received).max().unwrap_or(0);
    let drawn = HEIGHT - 2 * MARGIN;
    // Of nothing received, the line lies on zero.
    let y = |count: u64| HEIGHT - MARGIN - (count * drawn).checked_div(most).unwrap_or(0);
    let starts = || (0_u64..).map(|minute| minute * STEP);
    let points: Vec<(u64, u64)> = starts().zip(minutes.iter().map(|minute| y(minute.received))).collect();
    let line: Vec<String> = points.iter().map(|(x, y)| format!("{} {y}", x + STEP / 2)).collect();
    let line = if line.is_empty() { String::new() } else { format!("M{}", line.join("L")) };
    let (first, last) = (points.first(), points.last());
    let area = match (first, last) {
        (Some((from, _)), Some((to, _))) => {
            format!("{line}L{} {HEIGHT}L{} {HEIGHT}Z", to + STEP / 2, from + STEP / 2)
        }
        _ => String::new(),
    };
    let bars = starts().zip(minutes).filter(|(_, minute)| minute.held > 0);
    let held = bars
        .map(|(x, minute)| format!("M{x} {HEIGHT}V{}h3V{HEIGHT}Z", y(minute.held).min(HEIGHT - 4)))
        .collect();
    let width = STEP * u64::try_from(minutes.len()).unwrap_or(0);
    Spark { width, height: HEIGHT, line, area, held, most }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_minute_reaches_the_top_and_none_lies_on_zero() {
        let minutes = [(0, 0), (10, 5), (5, 0)].map(|(received, held)| Minute { received, held });
        let drawn = spark(&minutes);
        assert_eq!((drawn.line.as_str(), drawn.most, drawn.width), ("M2 30L6 2L10 16", 10, 12));
        assert_eq!(drawn.area, "M2 30L6 2L10 16L10 32L2 32Z");
        assert_eq!(drawn.held, "M4 32V16h3V32Z");
        let quiet = spark(&[Minute::default(); 2]);
        assert_eq!((quiet.line.as_str(), quiet.held.as_str()), ("M2 30L6 30", ""));
        assert_eq!(spark(&[]).line, "");
    }
}
