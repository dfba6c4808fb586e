//! A Hawkes flow that runs: exact simulation of the event times, and what the events do to the book.

use std::sync::Arc;

use super::cancellation::cancel_own;
use super::{
    Activity, CancelSize, CancellationRule, EVENT_TYPES, EmptySide, HawkesParams, OrderFlow, SizeSampler,
    TypeMatrix, distance,
};
use crate::parameter::ParameterError;
use crate::random::{exponential, uniform};
use crate::sim::{CROWD, Market, SimRng};
use crate::{Handle, NewOrder, Price, Quantity, Side};

/// The event times of a six-dimensional Hawkes process with exponential kernels, without a book: see [`HawkesParams`].
///
/// Exact. What the baseline brings is an inhomogeneous Poisson process, drawn by inverting the integral of its profile; what the past
/// excites only falls until the next event, so that its value now bounds it and candidates are thinned (Y. Ogata, *On Lewis' simulation
/// method for point processes*, IEEE Transactions on Information Theory 27 (1981) 23-31). The earlier of the two is the next event.
/// A candidate costs six exponentials, however long the history is.
#[derive(Clone, Debug)]
pub struct HawkesProcess {
    tables: Arc<Kernels>,
    /// `R_j`: the decayed count of past events of each type, as of the latest event.
    excited: [f64; EVENT_TYPES],
}

#[derive(Debug)]
struct Kernels {
    baseline: [f64; EVENT_TYPES],
    baseline_total: f64,
    excitation: TypeMatrix,
    /// Sum over targets of `excitation[target][source]`.
    column: [f64; EVENT_TYPES],
    decay: [f64; EVENT_TYPES],
    activity: Activity,
}

impl HawkesProcess {
    /// The process of the parameters, without a past.
    ///
    /// # Errors
    /// As [`HawkesParams::validate`].
    pub fn new(params: &HawkesParams) -> Result<Self, ParameterError> {
        params.validate()?;
        let mut column = [0.0; EVENT_TYPES];
        for row in &params.excitation {
            for (sum, entry) in column.iter_mut().zip(row) {
                *sum += entry;
            }
        }
        let tables = Kernels {
            baseline: params.baseline,
            baseline_total: params.baseline.iter().sum(),
            excitation: params.excitation,
            column,
            decay: params.decay,
            activity: params.profile.compile()?,
        };
        Ok(Self { tables: Arc::new(tables), excited: [0.0; EVENT_TYPES] })
    }

    /// Forgets the past.
    pub fn reset(&mut self) {
        self.excited = [0.0; EVENT_TYPES];
    }

    /// Seconds from `now` (s), the time of the latest event, to the next one, and its type. Counts that event as past.
    pub fn step(&mut self, now: f64, rng: &mut SimRng) -> (f64, usize) {
        let tables = Arc::clone(&self.tables);
        let baseline = tables.activity.wait(now, exponential(rng) / tables.baseline_total);
        let mut waited = 0.0;
        let kind = loop {
            let bound = dot(&tables.column, &self.excited);
            // Infinite where nothing excites: then the baseline acts.
            let wait = exponential(rng) / bound;
            if waited + wait >= baseline {
                self.fade(baseline - waited);
                waited = baseline;
                break pick(&tables.baseline, uniform(rng) * tables.baseline_total);
            }
            self.fade(wait);
            waited += wait;
            let point = uniform(rng) * bound;
            if point < dot(&tables.column, &self.excited) {
                let intensity = tables.excitation.map(|row| dot(&row, &self.excited));
                break pick(&intensity, point);
            }
        };
        self.excited[kind] += 1.0;
        (waited, kind)
    }

    /// Time passes, in seconds.
    fn fade(&mut self, seconds: f64) {
        for (value, decay) in self.excited.iter_mut().zip(&self.tables.decay) {
            *value *= libm::exp(-decay * seconds);
        }
    }
}

fn dot(a: &[f64; EVENT_TYPES], b: &[f64; EVENT_TYPES]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The entry whose share `point` falls into; rounding may leave it beyond the last one above 0, which then takes it.
fn pick(weights: &[f64], mut point: f64) -> usize {
    let mut last = 0;
    for (index, &weight) in weights.iter().enumerate() {
        if weight > 0.0 {
            last = index;
            point -= weight;
            if point < 0.0 {
                break;
            }
        }
    }
    last
}

/// What never changes; shared by all sessions of a market.
#[derive(Debug)]
struct Tables {
    limit_distance: [SizeSampler; 2],
    cancel_distance: [Vec<f64>; 2],
    market_size: SizeSampler,
    limit_size: SizeSampler,
    cancel_size: Size,
    cancellation: CancellationRule,
    empty_side: EmptySide,
}

#[derive(Debug)]
enum Size {
    Lots(SizeSampler),
    Share(f64),
}

/// A Hawkes order flow; see [`HawkesParams`].
///
/// Its intensities do not look at the book, so that nothing that others do changes its times. Where a side is empty when
/// an event is due, the order of `empty_side` comes first and the event follows after its delay; the process' own clock does not notice.
#[derive(Clone, Debug)]
pub struct HawkesFlow {
    tables: Arc<Tables>,
    process: HawkesProcess,
    /// The type of the event that is due; none at the start.
    due: Option<usize>,
    weight: Vec<f64>,
    depth: Vec<Quantity>,
    queue: Vec<(Handle, u64)>,
}

impl HawkesFlow {
    /// The flow that the parameters describe.
    ///
    /// # Errors
    /// As [`HawkesParams::validate`].
    pub fn new(params: &HawkesParams) -> Result<Self, ParameterError> {
        let process = HawkesProcess::new(params)?;
        let limit = &params.limit_distance;
        let cancel = &params.cancel_distance;
        let longest = cancel.buy.len().max(cancel.sell.len());
        let tables = Tables {
            limit_distance: [distance::sampler(&limit.buy)?, distance::sampler(&limit.sell)?],
            cancel_distance: [cancel.buy.clone(), cancel.sell.clone()],
            market_size: SizeSampler::new(&params.market_size)?,
            limit_size: SizeSampler::new(&params.limit_size)?,
            cancel_size: match &params.cancel_size {
                CancelSize::Lots(size) => Size::Lots(SizeSampler::new(size)?),
                CancelSize::Share(share) => Size::Share(*share),
            },
            cancellation: params.cancellation,
            empty_side: params.empty_side,
        };
        Ok(Self {
            tables: Arc::new(tables),
            process,
            due: None,
            weight: Vec::with_capacity(longest),
            depth: vec![Quantity::ZERO; longest],
            queue: Vec::new(),
        })
    }

    /// Carries an event out, in a book with two sides.
    fn carry_out(&mut self, kind: usize, best: [Price; 2], market: &mut Market, rng: &mut SimRng) {
        let side = if kind.is_multiple_of(2) { Side::Buy } else { Side::Sell };
        match kind / 2 {
            0 => {
                let quantity = self.tables.market_size.sample(rng);
                let _refused_only_by_a_full_book = market.submit(NewOrder::market(CROWD, side, quantity));
            }
            1 => {
                let ticks = self.tables.limit_distance[side.index()].sample(rng).0;
                let quantity = self.tables.limit_size.sample(rng);
                let price = distance::price(side, best, ticks as i64);
                let _refused_at_the_price_limits =
                    market.submit(NewOrder::limit(CROWD, side, price, quantity));
            }
            _ => self.cancel(side, best, market, rng),
        }
    }

    fn cancel(&mut self, side: Side, best: [Price; 2], market: &mut Market, rng: &mut SimRng) {
        let tables = &*self.tables;
        let weights = &tables.cancel_distance[side.index()];
        let depth = &mut self.depth[..weights.len()];
        market.book().depth_from_opposite_best(side, depth);
        self.weight.clear();
        self.weight.extend(depth.iter().zip(weights).map(|(lots, weight)| lots.0 as f64 * weight));
        let total: f64 = self.weight.iter().sum();
        if total <= 0.0 {
            return;
        }
        let ticks = pick(&self.weight, uniform(rng) * total) as i64 + 1;
        let price = distance::price(side, best, ticks);
        let quantity = match &tables.cancel_size {
            Size::Lots(size) => size.sample(rng),
            Size::Share(share) => {
                let own = market.book().orders_at(side, price).filter(|order| order.owner == CROWD);
                let lots: u64 = own.map(|order| order.visible.0 + order.hidden.0).sum();
                Quantity(((lots as f64 * share).round_ties_even() as u64).max(1))
            }
        };
        cancel_own(market, tables.cancellation, (side, price), quantity, &mut self.queue, rng);
    }
}

impl OrderFlow for HawkesFlow {
    fn reset(&mut self) {
        self.process.reset();
        self.due = None;
    }

    /// The first call only draws the time of the first event.
    fn act(&mut self, market: &mut Market, rng: &mut SimRng) -> f64 {
        if let Some(kind) = self.due {
            let (Some(bid), Some(ask)) = (market.book().best_bid(), market.book().best_ask()) else {
                self.tables.empty_side.revive(market);
                return self.tables.empty_side.delay_seconds;
            };
            self.carry_out(kind, [bid, ask], market, rng);
        }
        let (wait, kind) = self.process.step(market.now(), rng);
        self.due = Some(kind);
        wait
    }
}

#[cfg(test)]
mod tests {
    use rand_xoshiro::rand_core::SeedableRng;

    use super::*;
    use crate::flow::Profile;

    fn counts(params: &HawkesParams, from: f64, seconds: f64, seed: u64) -> [f64; EVENT_TYPES] {
        let mut process = HawkesProcess::new(params).unwrap();
        let mut rng = SimRng::seed_from_u64(seed);
        let (mut now, mut counts) = (0.0, [0.0; EVENT_TYPES]);
        loop {
            let (wait, kind) = process.step(now, &mut rng);
            now += wait;
            if now >= from + seconds {
                return counts;
            }
            if now >= from {
                counts[kind] += 1.0;
            }
        }
    }

    #[test]
    fn rates_are_the_stationary_ones() {
        let params = HawkesParams::reference();
        let expected = params.stationary_rates().unwrap();
        let runs: Vec<_> = (0..60).map(|seed| counts(&params, 50.0, 2_000.0, seed)).collect();
        for kind in 0..EVENT_TYPES {
            let rates: Vec<f64> = runs.iter().map(|run| run[kind] / 2_000.0).collect();
            let n = rates.len() as f64;
            let mean = rates.iter().sum::<f64>() / n;
            let variance = rates.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / (n - 1.0);
            let z = (mean - expected[kind]) / (variance / n).sqrt();
            assert!(z.abs() < 4.0, "type {kind}: {mean} for {}, {z} standard errors", expected[kind]);
        }
    }

    #[test]
    fn without_excitation_it_is_poisson() {
        let params =
            HawkesParams { excitation: [[0.0; EVENT_TYPES]; EVENT_TYPES], ..HawkesParams::reference() };
        let total: f64 = params.baseline.iter().sum();
        let mut process = HawkesProcess::new(&params).unwrap();
        let mut rng = SimRng::seed_from_u64(3);
        let n = 100_000;
        let waits: Vec<f64> = (0..n).map(|_| process.step(0.0, &mut rng).0 * total).collect();
        // Moments of the exponential distribution: 1, 2 and 6, with the standard deviations of x, x^2 and x^3.
        for (power, moment, deviation) in [(1, 1.0, 1.0), (2, 2.0, 20f64.sqrt()), (3, 6.0, 684f64.sqrt())] {
            let mean = waits.iter().map(|x| x.powi(power)).sum::<f64>() / f64::from(n);
            let z = (mean - moment) / (deviation / f64::from(n).sqrt());
            assert!(z.abs() < 4.0, "moment {power}: {mean}, {z} standard errors");
        }
        let lag: f64 = waits.windows(2).map(|pair| (pair[0] - 1.0) * (pair[1] - 1.0)).sum();
        assert!(lag.abs() < 4.0 * f64::from(n).sqrt(), "waiting times are independent: {lag}");
    }

    #[test]
    fn excitation_clusters_events() {
        // The counts of a Hawkes process are overdispersed: variance over mean is 1 for Poisson.
        let params = HawkesParams::reference();
        let buys: Vec<f64> = (0..300).map(|seed| counts(&params, 20.0, 100.0, seed)[0]).collect();
        let mean = buys.iter().sum::<f64>() / 300.0;
        let variance = buys.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 299.0;
        assert!(variance > 1.5 * mean, "{variance} for {mean}");
    }

    #[test]
    fn the_profile_moves_events() {
        let profile = Profile::PiecewiseConstant {
            period_seconds: 200.0,
            normalised: false,
            times: vec![0.0, 100.0],
            multipliers: vec![0.0, 2.0],
        };
        let params = HawkesParams { profile, ..HawkesParams::reference() };
        assert_eq!(counts(&params, 0.0, 100.0, 1), [0.0; EVENT_TYPES], "nothing starts without a baseline");
        let busy: f64 = (0..20).map(|seed| counts(&params, 110.0, 90.0, seed).iter().sum::<f64>()).sum();
        let expected = 2.0 * params.stationary_rates().unwrap().iter().sum::<f64>() * 90.0 * 20.0;
        assert!((busy / expected - 1.0).abs() < 0.06, "{busy} for {expected}");
    }
}
