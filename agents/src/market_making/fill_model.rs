//! Fills by distance and volatility of a market, for strategies that assume a model of them.

use lob::flow::FlowConfig;
use lob::parameter::{integer, positive};
use lob::sim::{Simulator, derive_seed};
use lob::{BookConfig, Event, ParameterError, Side};

use crate::statistics::Moments;

/// Levels of the book's dense window.
const WINDOW_LEVELS: usize = 256;

/// A point of the fit has been reached by at least so many intervals.
const LEAST_COUNT: u64 = 30;

/// How [`estimate_fill_model`] measures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FillModelPlan {
    /// Seed of the sessions.
    pub seed: u64,
    /// Sessions played.
    pub sessions: u64,
    /// Length of each, s.
    pub session_seconds: f64,
    /// How long a quote stands before the next decision, s.
    pub step_seconds: f64,
    /// Lag of the mid's moves whose variance is taken, s. Where prices revert, a longer lag gives a smaller variance per second.
    pub volatility_lag_seconds: f64,
}

impl Default for FillModelPlan {
    fn default() -> Self {
        Self { seed: 0, sessions: 40, session_seconds: 600.0, step_seconds: 1.0, volatility_lag_seconds: 5.0 }
    }
}

/// How often trades come as far as a distance from the mid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FillRate {
    /// Distance from the mid at the decision, ticks.
    pub distance: f64,
    /// Intervals, of both sides, in which a trade came as far or farther.
    pub count: u64,
    /// `-ln(1 - share of the intervals) / step`: the intensity that gives this share, 1 / s.
    pub rate: f64,
}

/// A market as Avellaneda & Stoikov (2008) see it.
#[derive(Clone, Debug, PartialEq)]
pub struct FillModel {
    /// Intensity of fills at the mid, A, 1 / s and side.
    pub arrival_rate: f64,
    /// Decay of the intensity with the distance, k, 1 / ticks.
    pub decay: f64,
    /// Standard deviation of the mid's move in a second, sigma, ticks.
    pub volatility: f64,
    /// What was fitted, nearest first; half a tick apart.
    pub rates: Vec<FillRate>,
}

/// Fits the intensity `A exp(-k delta)` and the volatility to simulated sessions of a market without agents.
///
/// At each decision, `step_seconds` apart, the mid is read; until the next one, the trades that buyers start come up to some distance above
/// it, those of sellers to some distance below. A quote there would have been filled if it stood in front of its queue: the rates are
/// what is to be had at best. `ln(rate)` is fitted on the distance by least squares weighted with the counts, the inverse of the variance
/// of a logarithm of a count, over the distances that at least 30 intervals reached.
///
/// # Errors
/// A parameter of the market or the plan that is not legal; a market in which trades reach fewer than two distances.
pub fn estimate_fill_model(market: &FlowConfig, plan: &FillModelPlan) -> Result<FillModel, ParameterError> {
    integer("sessions", plan.sessions, 1..=u64::from(u32::MAX))?;
    positive("session_seconds", plan.session_seconds)?;
    positive("step_seconds", plan.step_seconds)?;
    positive("volatility_lag_seconds", plan.volatility_lag_seconds)?;
    let steps = (plan.session_seconds / plan.step_seconds) as u64;
    let lag = ((plan.volatility_lag_seconds / plan.step_seconds).round() as usize).max(1);
    if steps <= lag as u64 {
        let legal = "longer than step_seconds and volatility_lag_seconds";
        return Err(ParameterError::new("session_seconds", plan.session_seconds, legal));
    }
    let book = BookConfig { window_levels: WINDOW_LEVELS, ..BookConfig::default() };
    let mut simulator = Simulator::new(market, book)?;
    simulator.market_mut().keep_log(true);
    let mut reach = Reach::default();
    let mut moves = Moments::default();
    let mut mids = Vec::with_capacity(steps as usize + 1);
    for session in 0..plan.sessions {
        simulator.reset(derive_seed(plan.seed, session));
        simulator.run_until(0.0);
        simulator.market_mut().take_log();
        mids.clear();
        for step in 1..=steps {
            let mid = simulator.market().book().mid();
            mids.push(mid.unwrap_or(f64::NAN));
            simulator.run_until(step as f64 * plan.step_seconds);
            let log = simulator.market_mut().take_log();
            if let Some(mid) = mid {
                reach.add(mid, log.iter().map(|(_, event)| event));
            }
        }
        let pairs = mids.iter().zip(mids.iter().skip(lag));
        pairs.for_each(|(before, after)| moves.add(after - before));
    }
    let rates = reach.rates(plan.step_seconds);
    let (arrival_rate, decay) = fit(&rates)?;
    let lag_seconds = lag as f64 * plan.step_seconds;
    let volatility = moves.variance().map_or(0.0, |variance| (variance / lag_seconds).sqrt());
    Ok(FillModel { arrival_rate, decay, volatility, rates })
}

/// How far trades came in each interval and side, in half ticks.
#[derive(Default)]
struct Reach {
    /// Intervals of a side.
    intervals: u64,
    /// At index `i`, those in which the farthest trade was `i` half ticks away.
    farthest: Vec<u64>,
}

impl Reach {
    fn add<'a>(&mut self, mid: f64, events: impl Iterator<Item = &'a Event>) {
        let mut farthest = [0.0_f64; 2];
        for event in events {
            if let Event::Trade { price, aggressor, .. } = *event {
                let distance = price.0 as f64 - mid;
                let distance = if aggressor == Side::Buy { distance } else { -distance };
                let side = &mut farthest[aggressor.index()];
                *side = side.max(distance);
            }
        }
        for distance in farthest {
            // Mids lie on half ticks, prices on ticks: this is exact.
            let index = (distance * 2.0).round() as usize;
            if self.farthest.len() <= index {
                self.farthest.resize(index + 1, 0);
            }
            self.farthest[index] += 1;
            self.intervals += 1;
        }
    }

    fn rates(&self, step_seconds: f64) -> Vec<FillRate> {
        let mut count = 0;
        let mut rates: Vec<FillRate> = (1..self.farthest.len())
            .rev()
            .map(|index| {
                count += self.farthest[index];
                // Reached in every interval: half an interval short of it keeps the rate finite.
                let share = (count as f64).min(self.intervals as f64 - 0.5) / self.intervals as f64;
                FillRate { distance: index as f64 / 2.0, count, rate: -(-share).ln_1p() / step_seconds }
            })
            .filter(|rate| rate.count >= LEAST_COUNT)
            .collect();
        rates.reverse();
        rates
    }
}

/// A and k of `A exp(-k distance)`.
fn fit(rates: &[FillRate]) -> Result<(f64, f64), ParameterError> {
    let mut sums = [0.0; 5];
    for rate in rates {
        let (weight, x, y) = (rate.count as f64, rate.distance, rate.rate.ln());
        for (sum, term) in sums.iter_mut().zip([1.0, x, y, x * x, x * y]) {
            *sum += weight * term;
        }
    }
    let [n, x, y, xx, xy] = sums;
    let determinant = n * xx - x * x;
    if rates.len() < 2 || determinant <= 0.0 {
        let legal = "a market whose trades reach two distances from the mid at least 30 times each";
        return Err(ParameterError::new("rates", format_args!("{} points", rates.len()), legal));
    }
    let slope = (n * xy - x * y) / determinant;
    Ok((((y - slope * x) / n).exp(), -slope))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fit_finds_an_exact_law_again() {
        let law = |distance: f64| 0.3 * (-1.7 * distance).exp();
        let point = |index: u64| {
            let distance = index as f64 / 2.0;
            FillRate { distance, count: 1_000 / index, rate: law(distance) }
        };
        let (a, k) = fit(&(1..8).map(point).collect::<Vec<_>>()).unwrap();
        assert!((a - 0.3).abs() < 1e-12 && (k - 1.7).abs() < 1e-12, "{a} {k}");
        assert!(fit(&[point(1)]).unwrap_err().to_string().contains("two distances"));
    }

    #[test]
    fn rates_are_cumulative_and_exact_for_known_intervals() {
        // 100 intervals of a side: 50 reach half a tick, 30 of the others reach 1.5.
        let reach = Reach { intervals: 100, farthest: vec![20, 50, 0, 30] };
        let rates = reach.rates(2.0);
        let shares: Vec<_> = rates.iter().map(|rate| (rate.distance, rate.count)).collect();
        assert_eq!(shares, [(0.5, 80), (1.0, 30), (1.5, 30)]);
        assert!((rates[0].rate - 5.0_f64.ln() / 2.0).abs() < 1e-12);
    }
}
