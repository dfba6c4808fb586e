//! The figures that a calibrated market is held against the real one by.

use lob::calibration::{BookState, FlowEvent, Observer};
use serde::Serialize;

/// Seconds of valid time that are summed on their own, for standard errors.
const PIECE: f64 = 5.0;

/// Batches of pieces that standard errors come from, at the most.
const BATCHES: usize = 20;

/// Watches spread, event rates and volatility of a market.
#[derive(Clone, Debug, Default)]
pub struct Check {
    /// Sums of each piece: memory grows with the time, not with the events.
    pieces: Vec<Sums>,
    sums: Sums,
    /// Limit orders and cancellations up to this distance are counted; `None` for all in the window.
    reach: Option<usize>,
    /// The last whole second at which the mid was sampled, and twice the mid there.
    last: Option<(f64, i64)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    seconds: f64,
    spread: f64,
    events: [u64; 3],
    squares: f64,
    changes: u64,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.seconds += other.seconds;
        self.spread += other.spread;
        self.squares += other.squares;
        self.changes += other.changes;
        self.events.iter_mut().zip(other.events).for_each(|(sum, more)| *sum += more);
    }

    /// Mean spread, three rates, volatility.
    fn figures(&self) -> [f64; 5] {
        let rate = |kind: usize| self.events[kind] as f64 / self.seconds;
        let volatility = (self.squares / self.changes.max(1) as f64).sqrt();
        [self.spread / self.seconds, rate(0), rate(1), rate(2), volatility]
    }
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
    /// Standard errors of spread, rates and volatility, from batches of time; NaN below two batches.
    pub standard_errors: [f64; 5],
}

/// A figure of the real market, of the simulated one, and how far apart they may be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// What.
    pub name: &'static str,
    /// In the data.
    pub real: f64,
    /// Its standard error: how far the sample itself decides the figure.
    pub real_error: f64,
    /// In the simulated market.
    pub simulated: f64,
    /// Its standard error.
    pub simulated_error: f64,
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
    /// A check that counts limit orders and cancellations up to this distance only.
    pub fn within(reach: usize) -> Self {
        Self { reach: Some(reach), ..Self::default() }
    }

    fn see(&mut self, state: &BookState<'_>, until: f64) -> bool {
        let ([Some(bid), Some(ask)], true) = (state.best, state.valid) else {
            self.last = None;
            return false;
        };
        if self.sums.seconds >= PIECE {
            self.pieces.push(std::mem::take(&mut self.sums));
        }
        self.sums.seconds += until - state.since;
        self.sums.spread += (until - state.since) * (ask.0 - bid.0) as f64;
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
                self.sums.squares += change * change;
                self.sums.changes += 1;
            }
            self.last = Some((second, twice_mid));
            second += 1.0;
        }
        true
    }

    /// What was seen.
    pub fn figures(&self) -> Figures {
        let mut total = self.sums;
        self.pieces.iter().for_each(|piece| total.add(piece));
        let [mean_spread, market, limit, cancel, volatility] = total.figures();
        Figures {
            mean_spread,
            rates: [market, limit, cancel],
            volatility,
            seconds: total.seconds,
            standard_errors: self.standard_errors(&total),
        }
    }

    /// Batch means: the figures are ratios, so a batch counts by its length; of the volatility, by its squares.
    fn standard_errors(&self, total: &Sums) -> [f64; 5] {
        let length = self.pieces.len().div_ceil(BATCHES).max(1);
        let batches: Vec<Sums> = (self.pieces.chunks(length))
            .map(|pieces| {
                let mut sums = Sums::default();
                pieces.iter().for_each(|piece| sums.add(piece));
                sums
            })
            .collect();
        let count = batches.len() as f64;
        if count < 2.0 {
            return [f64::NAN; 5];
        }
        let means = total.figures();
        let error = |excess: &dyn Fn(&Sums) -> f64| {
            let squares: f64 = batches.iter().map(|batch| excess(batch).powi(2)).sum();
            (squares * count / (count - 1.0)).sqrt()
        };
        let rate = |kind: usize| {
            error(&|batch: &Sums| batch.events[kind] as f64 - means[kind + 1] * batch.seconds) / total.seconds
        };
        let spread = error(&|batch: &Sums| batch.spread - means[0] * batch.seconds) / total.seconds;
        let variance = error(&|batch: &Sums| batch.squares - means[4].powi(2) * batch.changes as f64)
            / total.changes.max(1) as f64;
        [spread, rate(0), rate(1), rate(2), variance / (2.0 * means[4])]
    }
}

impl Observer for Check {
    fn event(&mut self, before: BookState<'_>, event: &FlowEvent) {
        // Beyond the window nothing is compared, as nothing is simulated there.
        let reach = self.reach.unwrap_or(before.depth[0].len());
        if self.see(&before, event.time) && event.distance as usize <= reach {
            self.sums.events[event.kind as usize] += 1;
        }
    }

    fn end(&mut self, last: BookState<'_>, time: f64) {
        self.see(&last, time);
    }
}

impl Figures {
    /// Side by side with those of a simulated market: spread within 10%, rates within 5%, volatility within 20%.
    pub fn against(&self, simulated: &Self) -> Vec<Comparison> {
        let rows = [
            ("mean spread, ticks", 0.1),
            ("market orders/s", 0.05),
            ("limit orders/s", 0.05),
            ("cancellations/s", 0.05),
            ("volatility over 1 s, ticks", 0.2),
        ];
        let values = |figures: &Self| {
            let [market, limit, cancel] = figures.rates;
            [figures.mean_spread, market, limit, cancel, figures.volatility]
        };
        let (real, simulated_values) = (values(self), values(simulated));
        let row = |(index, (name, allowed)): (usize, (&'static str, f64))| Comparison {
            name,
            real: real[index],
            real_error: self.standard_errors[index],
            simulated: simulated_values[index],
            simulated_error: simulated.standard_errors[index],
            allowed,
        };
        rows.into_iter().enumerate().map(row).collect()
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
