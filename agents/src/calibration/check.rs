//! The figures that a calibrated market is held against the real one by.

use lob::calibration::{BookState, FlowEvent, Observer};
use serde::Serialize;

/// Watches spread, event rates and volatility of a market.
#[derive(Clone, Debug, Default)]
pub struct Check {
    seconds: f64,
    spread: f64,
    events: [u64; 3],
    /// The last whole second at which the mid was sampled, and twice the mid there.
    last: Option<(f64, i64)>,
    squares: f64,
    changes: u64,
}

/// What a [`Check`] has seen, in ticks of the model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Time-weighted mean spread.
    pub mean_spread: f64,
    /// Market orders, limit orders and cancellations per second.
    pub rates: [f64; 3],
    /// Root mean square change of the mid over one second.
    pub volatility: f64,
    /// Seconds in which the book was valid and had two sides.
    pub seconds: f64,
}

/// A figure of the real market, of the simulated one, and how far apart they may be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// What.
    pub name: &'static str,
    /// In the data.
    pub real: f64,
    /// In the simulated market.
    pub simulated: f64,
    /// The relative difference that is allowed.
    pub allowed: f64,
}

impl Comparison {
    /// Simulated over real, less 1.
    pub fn difference(&self) -> f64 {
        self.simulated / self.real - 1.0
    }

    /// True if the difference is allowed.
    pub fn is_met(&self) -> bool {
        self.difference().abs() <= self.allowed
    }
}

impl Check {
    fn see(&mut self, state: &BookState<'_>, until: f64) -> bool {
        let ([Some(bid), Some(ask)], true) = (state.best, state.valid) else {
            self.last = None;
            return false;
        };
        self.seconds += until - state.since;
        self.spread += (until - state.since) * (ask.0 - bid.0) as f64;
        let twice_mid = bid.0 + ask.0;
        if let Some((at, _)) = self.last
            && state.since > at + 1.0
        {
            // Time that was not valid lies between.
            self.last = None;
        }
        let mut second = self.last.map_or_else(|| state.since.ceil(), |(at, _)| at + 1.0);
        while second < until {
            if let Some((_, before)) = self.last {
                let change = (twice_mid - before) as f64 / 2.0;
                self.squares += change * change;
                self.changes += 1;
            }
            self.last = Some((second, twice_mid));
            second += 1.0;
        }
        true
    }

    /// What was seen.
    pub fn figures(&self) -> Figures {
        Figures {
            mean_spread: self.spread / self.seconds,
            rates: self.events.map(|count| count as f64 / self.seconds),
            volatility: (self.squares / self.changes.max(1) as f64).sqrt(),
            seconds: self.seconds,
        }
    }
}

impl Observer for Check {
    fn event(&mut self, before: BookState<'_>, event: &FlowEvent) {
        // Beyond the window nothing is compared, as nothing is simulated there.
        if self.see(&before, event.time) && event.distance as usize <= before.depth[0].len() {
            self.events[event.kind as usize] += 1;
        }
    }

    fn end(&mut self, last: BookState<'_>, time: f64) {
        self.see(&last, time);
    }
}

impl Figures {
    /// Side by side with those of a simulated market: spread within 10%, rates within 5%, volatility within 20%.
    pub fn against(&self, simulated: &Self) -> Vec<Comparison> {
        let of = |name, real, simulated, allowed| Comparison { name, real, simulated, allowed };
        let rates = ["market orders/s", "limit orders/s", "cancellations/s"];
        let mut table = vec![of("mean spread, ticks", self.mean_spread, simulated.mean_spread, 0.1)];
        for (index, name) in rates.into_iter().enumerate() {
            table.push(of(name, self.rates[index], simulated.rates[index], 0.05));
        }
        table.push(of("volatility over 1 s, ticks", self.volatility, simulated.volatility, 0.2));
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lob::calibration::FlowEventKind;
    use lob::{Price, Side};

    fn step(check: &mut Check, since: f64, time: f64, bid: i64, ask: i64, valid: bool) {
        let state =
            BookState { since, best: [Some(Price(bid)), Some(Price(ask))], depth: [&[0], &[0]], valid };
        let side = Side::Buy;
        check.event(state, &FlowEvent { time, kind: FlowEventKind::Market, side, distance: 0, lots: 1 });
    }

    #[test]
    fn spread_and_rates_are_per_valid_time_and_the_mid_is_looked_at_every_second() {
        let mut check = Check::default();
        step(&mut check, 0.0, 1.5, 10, 12, true);
        step(&mut check, 1.5, 2.5, 12, 16, true);
        // Stale for a while: no change is counted across it.
        step(&mut check, 2.5, 4.5, 0, 1, false);
        step(&mut check, 4.5, 7.5, 20, 21, true);
        let figures = check.figures();
        assert_eq!(figures.seconds, 5.5);
        assert!((figures.mean_spread - (1.5 * 2.0 + 4.0 + 3.0) / 5.5).abs() < 1e-12);
        assert!((figures.rates[0] - 3.0 / 5.5).abs() < 1e-12);
        // Mids at 0, 1, 2: 11, 11, 14; at 5, 6, 7: 20.5 each. Changes 0, 3, 0, 0.
        assert!((figures.volatility - (9.0f64 / 4.0).sqrt()).abs() < 1e-12, "{}", figures.volatility);
    }
}
