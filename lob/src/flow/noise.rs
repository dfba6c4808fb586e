//! The reference market's traders: noise, and tactical ones that react to imbalance.
//!
//! The rates are kept up to date rather than computed at every event: an event changes the lots at one price, and only when
//! a best price moves do the distances of the other side's orders change. What is kept is a copy of the volumes that rates depend on, by
//! distance, and two sums a side; requests of others are noticed by their number and make the copy be read anew.

use std::sync::Arc;

use super::cancellation::cancel_own;
use super::{
    Activity, CancellationRule, EmptySide, FlowParams, Imbalance, OrderFlow, SizeSampler, WaitingTime,
    distance,
};
use crate::parameter::ParameterError;
use crate::random::{Ziggurat, uniform};
use crate::sim::{CROWD, Market, SimRng};
use crate::{NewOrder, Price, Quantity, Side};

/// After so many events the sums are computed anew, so that rounding cannot add up.
const REFRESH_EVERY: u32 = 1024;

/// No number of requests: the book is to be looked at anew.
const UNSEEN: u64 = u64::MAX;

/// What never changes, in the form that sampling wants; shared by all sessions of a market.
#[derive(Debug)]
struct Tables {
    /// Market orders per second, by side of the order; `scale` is multiplied in, here and below.
    market: [f64; 2],
    /// Limit orders per second, all distances together.
    limit: [f64; 2],
    limit_distance: [SizeSampler; 2],
    /// Cancellations per second and lot at distance 1, 2, ...
    cancel: [Vec<f64>; 2],
    /// Weight of level 0, 1, ... from the own best in the imbalance; empty without a reaction.
    weight: Vec<f64>,
    gain: f64,
    /// 1 where market orders, limit orders, cancellations react to the imbalance, else 0.
    reacts: [f64; 3],
    size_market: SizeSampler,
    size_limit: SizeSampler,
    size_cancel: SizeSampler,
    cancellation: CancellationRule,
    waiting_time: WaitingTime,
    ziggurat: &'static Ziggurat,
    activity: Activity,
    empty_side: EmptySide,
}

/// A Poisson order flow; see [`FlowParams`].
#[derive(Clone, Debug)]
pub struct NoiseFlow {
    tables: Arc<Tables>,
    /// Bests that the copy was made for.
    best: [Price; 2],
    /// Lots of each side at distance 1, 2, ... from the opposite best, as far as cancellations go.
    volume: [Vec<f64>; 2],
    /// Sum over distances of cancellation rate x lots.
    cancel_rate: [f64; 2],
    /// Sum over levels of weight x lots: `B` and `A` of the imbalance.
    pressure: [f64; 2],
    /// The market's count of requests by others when the copy was made, or [`UNSEEN`]. While it is the market's, the book has been left
    /// with both sides.
    seen: u64,
    events_since_refresh: u32,
    depth: Vec<Quantity>,
    queue: Vec<(crate::Handle, u64)>,
}

/// Rates of the six kinds of event in a state of the book: limit, cancel, market; buy and sell of each. Events per second.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rates {
    limit: [f64; 2],
    cancel: [f64; 2],
    market: [f64; 2],
}

impl Rates {
    fn total(&self) -> f64 {
        (self.limit[0] + self.limit[1])
            + (self.cancel[0] + self.cancel[1])
            + (self.market[0] + self.market[1])
    }
}

impl NoiseFlow {
    /// The flow that the parameters describe.
    ///
    /// # Errors
    /// As [`FlowParams::validate`].
    pub fn new(params: &FlowParams) -> Result<Self, ParameterError> {
        params.validate()?;
        let scaled = |rates: &[f64]| rates.iter().map(|rate| rate * params.scale).collect::<Vec<f64>>();
        let limit = &params.limit_intensity;
        let (gain, reacts) = match params.imbalance {
            Imbalance::None => (0.0, [0.0; 3]),
            Imbalance::Linear { gain, market, limit, cancel, .. } => {
                (gain, [limit, cancel, market].map(|reacts| f64::from(u8::from(reacts))))
            }
        };
        let tables = Tables {
            market: [params.market_intensity.buy, params.market_intensity.sell]
                .map(|rate| rate * params.scale),
            limit: [&limit.buy, &limit.sell].map(|rates| rates.iter().sum::<f64>() * params.scale),
            limit_distance: [distance::sampler(&limit.buy)?, distance::sampler(&limit.sell)?],
            cancel: [scaled(&params.cancel_intensity.buy), scaled(&params.cancel_intensity.sell)],
            weight: params.imbalance.weights(params.opening.levels),
            gain,
            reacts,
            size_market: SizeSampler::new(&params.size.market)?,
            size_limit: SizeSampler::new(&params.size.limit)?,
            size_cancel: SizeSampler::new(&params.size.cancel)?,
            cancellation: params.cancellation,
            waiting_time: params.waiting_time,
            ziggurat: Ziggurat::tables(),
            activity: params.profile.compile()?,
            empty_side: params.empty_side,
        };
        let volume = [vec![0.0; tables.cancel[0].len()], vec![0.0; tables.cancel[1].len()]];
        let longest = tables.cancel[0].len().max(tables.cancel[1].len()).max(tables.weight.len());
        Ok(Self {
            best: [Price(0); 2],
            volume,
            cancel_rate: [0.0; 2],
            pressure: [0.0; 2],
            seen: UNSEEN,
            events_since_refresh: 0,
            depth: vec![Quantity::ZERO; longest],
            queue: Vec::new(),
            tables: Arc::new(tables),
        })
    }

    /// Reads everything anew.
    fn refresh(&mut self, market: &Market, best: [Price; 2]) {
        self.best = best;
        for side in Side::BOTH {
            self.read_volume(market, side);
            self.read_pressure(market, side);
        }
        self.seen = market.foreign_requests();
        self.events_since_refresh = 0;
    }

    /// Reads a side's lots by distance from the opposite best.
    fn read_volume(&mut self, market: &Market, side: Side) {
        let volume = &mut self.volume[side.index()];
        let depth = &mut self.depth[..volume.len()];
        market.book().depth_from_opposite_best(side, depth);
        let mut rate = 0.0;
        for ((volume, lots), cancel) in volume.iter_mut().zip(depth).zip(&self.tables.cancel[side.index()]) {
            *volume = lots.0 as f64;
            rate += *volume * cancel;
        }
        self.cancel_rate[side.index()] = rate;
    }

    /// Reads a side's weighted sum of lots from its own best.
    fn read_pressure(&mut self, market: &Market, side: Side) {
        if self.tables.weight.is_empty() {
            return;
        }
        let depth = &mut self.depth[..self.tables.weight.len()];
        market.book().depth_from_own_best(side, depth);
        let weighted = depth.iter().zip(&self.tables.weight).map(|(lots, weight)| lots.0 as f64 * weight);
        self.pressure[side.index()] = weighted.sum();
    }

    /// Brings the copy up to date after the crowd's own request, which changed `side`: by `change` lots at `price`, or, if that is `None`,
    /// at several prices.
    #[inline(always)]
    fn follow(&mut self, market: &Market, side: Side, price: Price, change: Option<f64>) {
        let (Some(bid), Some(ask)) = (market.book().best_bid(), market.book().best_ask()) else {
            self.seen = UNSEEN;
            return;
        };
        let best = [bid, ask];
        match change {
            Some(change) if best == self.best => self.change(side, price, change),
            _ => self.follow_move(market, side, price, change, best),
        }
    }

    /// Lots of `side` at `price` have changed, and no best price.
    #[inline(always)]
    fn change(&mut self, side: Side, price: Price, change: f64) {
        let distance = self.best[side.opposite().index()].0.abs_diff(price.0) as usize;
        let rates = &self.tables.cancel[side.index()];
        if let (Some(volume), Some(rate)) =
            (self.volume[side.index()].get_mut(distance - 1), rates.get(distance - 1))
        {
            *volume += change;
            self.cancel_rate[side.index()] += change * rate;
        }
        if !self.tables.weight.is_empty() {
            let level = self.best[side.index()].0.abs_diff(price.0) as usize;
            if let Some(weight) = self.tables.weight.get(level) {
                self.pressure[side.index()] += change * weight;
            }
        }
    }

    /// [`follow`](Self::follow) where a best price has moved, or several prices have changed.
    #[inline(never)]
    fn follow_move(
        &mut self,
        market: &Market,
        side: Side,
        price: Price,
        change: Option<f64>,
        best: [Price; 2],
    ) {
        let other = side.opposite();
        let moved = [best[0] != self.best[0], best[1] != self.best[1]];
        self.best = best;
        match change {
            Some(change) if !moved[other.index()] => {
                let distance = best[other.index()].0.abs_diff(price.0) as usize;
                if let Some(volume) = self.volume[side.index()].get_mut(distance - 1) {
                    *volume += change;
                    self.cancel_rate[side.index()] += change * self.tables.cancel[side.index()][distance - 1];
                }
            }
            _ => self.read_volume(market, side),
        }
        if moved[side.index()] {
            self.read_volume(market, other);
        }
        match change {
            Some(change) if !moved[side.index()] => {
                let level = best[side.index()].0.abs_diff(price.0) as usize;
                if let Some(weight) = self.tables.weight.get(level) {
                    self.pressure[side.index()] += change * weight;
                }
            }
            _ => self.read_pressure(market, side),
        }
    }

    /// The rates of the book as it is copied.
    #[inline]
    fn rates(&self) -> Rates {
        let tables = &*self.tables;
        if tables.weight.is_empty() {
            let cancel = [self.cancel_rate[0].max(0.0), self.cancel_rate[1].max(0.0)];
            return Rates { limit: tables.limit, cancel, market: tables.market };
        }
        let [bids, asks] = self.pressure;
        let total = bids + asks;
        let imbalance = if total > 0.0 { (bids - asks) / total } else { 0.0 };
        let up = tables.gain * imbalance.max(0.0);
        let down = tables.gain * (-imbalance).max(0.0);
        let [limit, cancel, market] = tables.reacts;
        Rates {
            limit: [tables.limit[0] * (1.0 + limit * up), tables.limit[1] * (1.0 + limit * down)],
            // Cancellations of bids go with sells.
            cancel: [
                self.cancel_rate[0].max(0.0) * (1.0 + cancel * down),
                self.cancel_rate[1].max(0.0) * (1.0 + cancel * up),
            ],
            market: [tables.market[0] * (1.0 + market * up), tables.market[1] * (1.0 + market * down)],
        }
    }

    /// Seconds until the next event, at a total rate.
    #[inline]
    fn wait(&self, now: f64, rate: f64, rng: &mut SimRng) -> f64 {
        let mass = self.tables.ziggurat.exponential(rng) / rate;
        self.tables.activity.wait(now, mass)
    }

    /// A limit order of the crowd.
    #[inline]
    fn limit(&mut self, market: &mut Market, side: Side, rng: &mut SimRng) {
        let ticks = self.tables.limit_distance[side.index()].sample(rng).0 as i64;
        let quantity = self.tables.size_limit.sample(rng);
        let price = distance::price(side, self.best, ticks);
        // Refused only beyond the book's price limits or at 2^64 lots; then nothing has changed.
        if market.submit_crowd_limit(side, price, quantity) {
            self.follow(market, side, price, Some(quantity.0 as f64));
        }
    }

    /// A market order of the crowd.
    #[inline]
    fn market(&mut self, market: &mut Market, side: Side, rng: &mut SimRng) {
        let quantity = self.tables.size_market.sample(rng);
        let opposite = side.opposite();
        let price = self.best[opposite.index()];
        let before = market.traded();
        if market.submit(NewOrder::market(CROWD, side, quantity)).is_ok() {
            // If the best price has not moved, everything was traded there.
            let unmoved = market.book().best(opposite) == Some(price);
            // An iceberg shows new lots while it trades, and a stop may act: then the change is not what was traded.
            let plain = market.events().len() == 1 + trades(market);
            let change = (unmoved && plain).then(|| -((market.traded() - before) as f64));
            self.follow(market, opposite, price, change);
            if !plain {
                self.seen = UNSEEN;
            }
        }
    }

    /// A cancellation of the crowd.
    #[inline]
    fn cancel(&mut self, market: &mut Market, side: Side, mut point: f64, rng: &mut SimRng) {
        // `point` is uniform below the side's cancellation rate; find the distance whose share it falls into.
        let rates = self.volume[side.index()].iter().zip(&self.tables.cancel[side.index()]);
        let mut ticks = 0;
        for (index, (lots, rate)) in rates.enumerate() {
            point -= lots * rate;
            if point < 0.0 {
                ticks = index + 1;
                break;
            }
        }
        if ticks == 0 {
            // Rounding has left the point beyond the last distance with lots, which then takes it.
            ticks =
                self.volume[side.index()].iter().rposition(|&lots| lots > 0.0).map_or(0, |index| index + 1);
        }
        let quantity = self.tables.size_cancel.sample(rng);
        let price = distance::price(side, self.best, ticks as i64);
        let rule = self.tables.cancellation;
        let cancelled = cancel_own(market, rule, (side, price), quantity, &mut self.queue, rng);
        if cancelled.0 > 0 {
            self.follow(market, side, price, Some(-(cancelled.0 as f64)));
        }
    }

    /// One order that puts life back into a book with an empty side.
    #[cold]
    fn revive(&mut self, market: &mut Market) -> f64 {
        self.tables.empty_side.revive(market);
        self.seen = UNSEEN;
        self.tables.empty_side.delay_seconds
    }
}

/// Trades among the events of the latest request.
fn trades(market: &Market) -> usize {
    market.events().iter().filter(|event| matches!(event, crate::Event::Trade { .. })).count()
}

impl OrderFlow for NoiseFlow {
    fn reset(&mut self) {
        self.seen = UNSEEN;
    }

    fn act(&mut self, market: &mut Market, rng: &mut SimRng) -> f64 {
        self.events_since_refresh += 1;
        if self.seen != market.foreign_requests() || self.events_since_refresh >= REFRESH_EVERY {
            let (Some(bid), Some(ask)) = (market.book().best_bid(), market.book().best_ask()) else {
                return self.revive(market);
            };
            self.refresh(market, [bid, ask]);
        }
        let rates = self.rates();
        let total = rates.total();
        let before = match self.tables.waiting_time {
            WaitingTime::BeforeEffect => Some(self.wait(market.now(), total, rng)),
            WaitingTime::AfterEffect => None,
        };
        let mut point = uniform(rng) * total;
        // Most frequent kinds first. Rounding may leave the point beyond the last one, which then takes it.
        'drawn: {
            for side in Side::BOTH {
                if point < rates.limit[side.index()] {
                    self.limit(market, side, rng);
                    break 'drawn;
                }
                point -= rates.limit[side.index()];
            }
            for side in Side::BOTH {
                let rate = rates.cancel[side.index()];
                if point < rate {
                    // Back to the scale of the sum over distances.
                    let own = self.cancel_rate[side.index()];
                    let share = if rate == own { point } else { point / rate * own };
                    self.cancel(market, side, share, rng);
                    break 'drawn;
                }
                point -= rate;
            }
            let side = if point < rates.market[0] { Side::Buy } else { Side::Sell };
            self.market(market, side, rng);
        }
        before.unwrap_or_else(|| {
            let two_sided = market.book().best_bid().is_some() && market.book().best_ask().is_some();
            // With an empty side the next event follows at once, by `revive`.
            if two_sided {
                self.wait(market.now(), self.rates().total(), rng)
            } else {
                self.tables.empty_side.delay_seconds
            }
        })
    }
}
