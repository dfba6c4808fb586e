//! One episode of market making: the market and the fills, what was held, what was earned.

use maud::{Markup, html};

use super::episode::{LARGEST, LEFT, SMALLEST, TOP, legend, mark};
use super::{AXIS_HEIGHT, WIDTH, steps, svg};
use crate::evaluation::Tape;
use crate::report::axis::Axis;
use crate::report::number::fixed;
use crate::report::palette::Palette;

const PRICE_HEIGHT: f64 = 170.0;
const PANEL_HEIGHT: f64 = 72.0;
const GAP: f64 = 18.0;

/// Draws an episode, or says that there is nothing to draw.
pub(in crate::report) fn making(name: &str, tape: &Tape, palette: &Palette) -> Markup {
    if tape.mids.is_empty() {
        return html! { p.note { "The example has no moments to draw." } };
    }
    let (right, price_bottom) = (WIDTH - 14.0, TOP + PRICE_HEIGHT);
    let held_top = price_bottom + GAP;
    let earned_top = held_top + PANEL_HEIGHT + GAP;
    let bottom = earned_top + PANEL_HEIGHT;
    let at = |index: usize| index as f64 * tape.step_seconds;
    let time = Axis::between(0.0, at(tape.mids.len()), 6, LEFT, right);
    let trades = || {
        let passive = tape.fills.iter().map(|fill| (fill.time, fill.sign, fill.price, fill.lots, true));
        passive.chain(tape.forced.iter().map(|&(time, sign, price, lots)| (time, sign, price, lots, false)))
    };
    let prices = tape.bests.iter().flatten().copied().chain(trades().map(|trade| trade.2));
    let price = Axis::covering(prices, 5, price_bottom - 6.0, TOP + 6.0);
    let held =
        Axis::covering(tape.inventory.iter().copied().chain([0.0]), 3, held_top + PANEL_HEIGHT, held_top);
    let earned = Axis::covering(tape.profit.iter().copied().chain([0.0]), 3, bottom, earned_top);
    let best = |side: usize| {
        steps(tape.bests.iter().enumerate().map(|(index, bests)| (time.at(at(index)), price.at(bests[side]))))
    };
    let holding =
        steps(tape.inventory.iter().enumerate().map(|(index, &lots)| (time.at(at(index)), held.at(lots))));
    let profit = steps(
        tape.profit.iter().enumerate().map(|(index, &money)| (time.at(at(index + 1)), earned.at(money))),
    );
    let most = trades().map(|trade| trade.3).fold(1.0, f64::max);
    let content = html! {
        (legend())
        (price.beside(LEFT, right, "price, ticks"))
        (held.beside(LEFT, right, "inventory"))
        (earned.beside(LEFT, right, "P&L"))
        (time.below(earned_top, bottom, "time, seconds"))
        path.ask d=(best(1)) {}
        path.bid d=(best(0)) {}
        g class=(palette.class(name)) {
            @for (moment, sign, level, lots, maker) in trades() {
                // A mark's area grows with its lots.
                @let radius = (0.6 * LARGEST * (lots / most).sqrt()).max(SMALLEST);
                (mark(time.at(moment), price.at(level), radius, maker, &format!(
                    "{} s: {} {lots} lots at {}, {}",
                    fixed(moment, 2),
                    if sign > 0.0 { "bought" } else { "sold" },
                    fixed(level, 1),
                    if maker { "passive" } else { "aggressive" },
                )))
            }
            path.line d=(holding) {}
            path.line d=(profit) {}
        }
    };
    let description = format!("An episode of {name}: prices and fills, inventory and profit over time");
    svg(bottom + AXIS_HEIGHT, &description, &content)
}
