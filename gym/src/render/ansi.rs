//! The book as a ladder in a terminal.

use std::fmt::Write;

use lob::Side;

use super::{mid, number, others};
use crate::scene::{Scene, SceneLevel};

/// Rows of a side.
const ROWS: usize = 10;

/// Lines of [`ansi`]'s text, always: a live view rewrites it in place by moving the cursor up so many lines.
pub const ANSI_LINES: usize = 2 * ROWS + 6;

/// Columns of each line, always; shorter text is filled up with blanks, so that it covers what stood there before.
pub const ANSI_WIDTH: usize = 80;

/// Columns of a full bar.
const BAR: usize = 40;

/// Blue and orange, which all people can tell apart; bold for what is the participant's.
const BID: &str = "\x1b[38;5;75m";
const ASK: &str = "\x1b[38;5;215m";
const BOLD: &str = "\x1b[1m";
const FAINT: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

/// A scene as a ladder of [`ANSI_LINES`] lines, [`ANSI_WIDTH`] columns each, every line ended by a newline: asks above, bids below, volumes
/// as bars of which the participant's part is darker, then its last fills. `colour` adds the terminal's colour codes, which have no width.
///
/// A level of the participant that is too far away to be shown takes the place of the farthest that is.
pub fn ansi(scene: &Scene, colour: bool) -> String {
    let mut page = Page { text: String::with_capacity(ANSI_LINES * (ANSI_WIDTH + 24)), colour };
    page.line(&scene.title, BOLD);
    page.line(&format!("time {} of {} s", number(scene.time), number(scene.horizon)), "");
    let figures = scene.figures.iter().map(|(name, value, unit)| format!("{name} {} {unit}", number(*value)));
    page.line(figures.collect::<Vec<_>>().join(" | ").trim_end(), "");

    let (asks, bids) = (shown(&scene.asks), shown(&scene.bids));
    let deepest = asks.iter().chain(&bids).map(|level| level.lots).fold(1.0, f64::max);
    for _ in asks.len()..ROWS {
        page.line("", "");
    }
    for (index, level) in asks.iter().enumerate().rev() {
        page.level(level, deepest, index == 0, ASK);
    }
    page.line(&middle(scene), FAINT);
    for (index, level) in bids.iter().enumerate() {
        page.level(level, deepest, index == 0, BID);
    }
    for _ in bids.len()..ROWS {
        page.line("", "");
    }
    let (first, second) = fills(scene);
    page.line(&first, BOLD);
    page.line(&second, BOLD);
    page.text
}

/// The levels that there is room for, best first.
fn shown(levels: &[SceneLevel]) -> Vec<&SceneLevel> {
    let mut shown: Vec<_> = levels.iter().take(ROWS).collect();
    if let Some(own) = levels.iter().skip(ROWS).find(|level| level.own > 0.0)
        && let Some(last) = shown.last_mut()
    {
        *last = own;
    }
    shown
}

/// The line between the sides.
fn middle(scene: &Scene) -> String {
    let Some(mid) = mid(scene) else { return format!("{:>10}  both sides are empty", "--") };
    let spread = match (scene.bids.first(), scene.asks.first()) {
        (Some(bid), Some(ask)) => format!("spread {}", number(ask.price - bid.price)),
        (None, Some(_)) => "no bids".into(),
        (Some(_), None) => "no asks".into(),
        (None, None) => "no orders".into(),
    };
    format!("{:>10}  mid, {spread}", price(mid))
}

fn price(ticks: f64) -> String {
    if ticks.fract() == 0.0 { format!("{ticks}") } else { format!("{ticks:.2}") }
}

/// The last trades, what was bought and what was sold, a line each.
fn fills(scene: &Scene) -> (String, String) {
    let of = |side: Side, name: &str| {
        let mut text = String::new();
        for fill in scene.fills.iter().filter(|fill| fill.side == side) {
            let how = if fill.maker { "" } else { " (taker)" };
            let lead = if text.is_empty() { name } else { "," };
            let _ = write!(text, "{lead} {} at {}{how}", number(fill.lots), price(fill.price));
        }
        text
    };
    (of(Side::Buy, "bought"), of(Side::Sell, "sold"))
}

struct Page {
    text: String,
    colour: bool,
}

impl Page {
    /// A line of text, cut and filled up to the width.
    fn line(&mut self, text: &str, style: &str) {
        self.begin(style);
        let mut columns = 0;
        for sign in text.chars().take(ANSI_WIDTH) {
            // A line break within a line would change the number of lines, an escape its width.
            self.text.push(if sign.is_control() { ' ' } else { sign });
            columns += 1;
        }
        self.end(style, columns);
    }

    /// A price level: price, lots, own lots, bar.
    fn level(&mut self, level: &SceneLevel, deepest: f64, best: bool, style: &str) {
        let columns = |lots: f64| ((lots / deepest).clamp(0.0, 1.0) * BAR as f64).ceil() as usize;
        let whole = columns(level.lots);
        let own =
            if level.own > 0.0 { (whole - columns(others(level)).min(whole)).max(1).min(whole) } else { 0 };
        let own_lots = if level.own > 0.0 { format!("own {}", number(level.own)) } else { String::new() };
        let mark = if best { '>' } else { ' ' };
        self.begin(style);
        if level.own > 0.0 && self.colour {
            self.text.push_str(BOLD);
        }
        let head = format!("{:>10} {mark}{:>8}  {own_lots:<11} ", price(level.price), number(level.lots));
        let bars = (whole - own, own);
        self.text.extend(head.chars().take(ANSI_WIDTH - BAR));
        self.text.extend(std::iter::repeat_n('\u{2592}', bars.0));
        self.text.extend(std::iter::repeat_n('\u{2588}', bars.1));
        self.end(style, head.chars().count().min(ANSI_WIDTH - BAR) + whole);
    }

    fn begin(&mut self, style: &str) {
        if self.colour {
            self.text.push_str(style);
        }
    }

    fn end(&mut self, style: &str, columns: usize) {
        if self.colour && !style.is_empty() {
            self.text.push_str(RESET);
        }
        self.text.extend(std::iter::repeat_n(' ', ANSI_WIDTH - columns));
        self.text.push('\n');
    }
}
