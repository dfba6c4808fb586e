//! What is told of a strategy, a column each: the same in the page and in the terminal.

use super::{Cell, StrategySummary, number};

/// A number of a strategy.
pub(super) struct Column {
    /// Its name, short.
    pub(super) name: &'static str,
    /// Its unit; empty for a number without one.
    pub(super) unit: &'static str,
    /// What it is, in a sentence or two.
    pub(super) definition: &'static str,
    value: fn(&StrategySummary) -> f64,
    error: Option<fn(&StrategySummary) -> f64>,
    digits: Digits,
    /// False for what a terminal has no room for.
    pub(super) terminal: bool,
}

/// Decimals of a column.
#[derive(Clone, Copy)]
enum Digits {
    /// As many as the standard errors of the cell allow, or one fewer where the unit is a smaller one.
    Errors { fewer: usize },
    /// So many.
    Exactly(usize),
}

/// A number as text, and its standard error if it has one.
pub(super) struct Entry {
    pub(super) value: String,
    pub(super) error: Option<String>,
}

impl Column {
    /// The column's number for a strategy. `decimals` are the cell's, see [`decimals`]; `format` makes text of a number.
    pub(super) fn entry(
        &self,
        strategy: &StrategySummary,
        decimals: usize,
        format: fn(f64, usize) -> String,
    ) -> Entry {
        let decimals = match self.digits {
            Digits::Errors { fewer } => decimals.saturating_sub(fewer),
            Digits::Exactly(decimals) => decimals,
        };
        let scale = if self.unit == "%" { 100.0 } else { 1.0 };
        let text = |value: f64| format(value * scale, decimals);
        Entry { value: text((self.value)(strategy)), error: self.error.map(|error| text(error(strategy))) }
    }
}

/// Decimals of a cell's ticks.
pub(super) fn decimals(cell: &Cell) -> usize {
    number::decimals(cell.strategies.iter().map(|strategy| strategy.reward_se))
}

const PLAIN: Column = Column {
    name: "",
    unit: "ticks",
    definition: "",
    value: |_| f64::NAN,
    error: None,
    digits: Digits::Errors { fewer: 0 },
    terminal: true,
};

/// All of them, in order.
pub(super) const COLUMNS: [Column; 15] = [
    Column {
        name: "episodes",
        unit: "",
        definition: "Sessions behind the figures. Session i has the same seed for every strategy, so that all meet the same \
                     random numbers.",
        value: |strategy| strategy.episodes as f64,
        digits: Digits::Exactly(0),
        terminal: false,
        ..PLAIN
    },
    Column {
        name: "reward",
        definition: "Mean of (cash received \u{2212} lots \u{d7} best bid at arrival) / lots for a sale, mirrored for a purchase \
                     (against the best ask), fees included. Higher is better. After \u{b1} the standard error of the mean, \
                     std / \u{221a}episodes.",
        value: |strategy| strategy.reward_mean,
        error: Some(|strategy| strategy.reward_se),
        ..PLAIN
    },
    Column {
        name: "std",
        definition: "Standard deviation of the reward over the sessions.",
        value: |strategy| strategy.reward_std,
        ..PLAIN
    },
    Column {
        name: "risk-adj.",
        unit: "",
        definition: "Risk-adjusted reward: mean / standard deviation.",
        value: |strategy| strategy.risk_adjusted,
        digits: Digits::Exactly(2),
        ..PLAIN
    },
    Column {
        name: "worst 5%",
        definition: "Mean of the worst 5% of the rewards (expected shortfall at 95%, CVaR).",
        value: |strategy| strategy.cvar95,
        digits: Digits::Errors { fewer: 1 },
        terminal: false,
        ..PLAIN
    },
    Column {
        name: "shortfall",
        definition: "Implementation shortfall (Perold 1988) against the mid at arrival, m(0): for a sale m(0) \u{2212} price, \
                     averaged over the lots, plus fees; mirrored for a purchase. Positive = paid. Lots that found no \
                     counterparty count at the final mid. It is the sum of the four parts that follow.",
        value: |strategy| strategy.shortfall_ticks,
        error: Some(|strategy| strategy.shortfall_se),
        ..PLAIN
    },
    Column {
        name: "shortfall",
        unit: "bps",
        definition: "The same in basis points of the mid at arrival.",
        value: |strategy| strategy.shortfall_bps,
        digits: Digits::Errors { fewer: 1 },
        ..PLAIN
    },
    Column {
        name: "spread",
        definition: "m(t) \u{2212} touch, where m(t) is the mid just before a fill and touch the other side's best price just \
                     before an aggressive fill, or a passive fill's own price: half a spread paid when aggressive, earned \
                     (negative) when passive.",
        value: |strategy| strategy.spread_ticks,
        ..PLAIN
    },
    Column {
        name: "impact",
        definition: "m*(t) \u{2212} m(t), plus touch \u{2212} price: how far the strategy had moved the mid by then, plus the depth \
                     it walked. m*(t) is the mid at that time in the same session without the strategy.",
        value: |strategy| strategy.impact_ticks,
        ..PLAIN
    },
    Column {
        name: "timing",
        definition: "m(0) \u{2212} m*(t): what the market did anyway while the strategy waited.",
        value: |strategy| strategy.timing_ticks,
        ..PLAIN
    },
    Column {
        name: "fees",
        definition: "Fees paid, less rebates received.",
        value: |strategy| strategy.fees_ticks,
        ..PLAIN
    },
    Column {
        name: "passive",
        unit: "%",
        definition: "Share of the parent order filled by resting orders.",
        value: |strategy| strategy.fill_rate_passive,
        digits: Digits::Exactly(1),
        ..PLAIN
    },
    Column {
        name: "aggressive",
        unit: "%",
        definition: "Share of the parent order filled by crossing the spread, the final market order included.",
        value: |strategy| strategy.fill_rate_aggressive,
        digits: Digits::Exactly(1),
        ..PLAIN
    },
    Column {
        name: "completion",
        unit: "s",
        definition: "Mean time of the last fill; the horizon for an episode with lots left unfilled.",
        value: |strategy| strategy.completion_seconds,
        digits: Digits::Exactly(1),
        ..PLAIN
    },
    Column {
        name: "particip.",
        unit: "%",
        definition: "Participation: lots of the parent order over all lots traded from arrival to the end.",
        value: |strategy| strategy.participation,
        digits: Digits::Exactly(1),
        ..PLAIN
    },
];
