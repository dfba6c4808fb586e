//! What the maker sees.

use lob::sim::Market;
use lob::{Price, Quantity, Side};

use super::config::{MarketMakingConfig, ObservationKind};
use super::requote::Working;
use crate::space::{BoxSpace, Component};

/// Price levels a side that are seen.
pub(super) const LEVELS: usize = 5;

/// Prices relative to a reference are in tens of ticks, volumes in twenties of lots: numbers near 1 in the reference market.
const PRICE_SCALE: f64 = 1.0 / 10.0;
const LOTS_SCALE: f64 = 1.0 / 20.0;

/// Numbers of the full observation.
const FULL: usize = 28;

/// Everything an observation is made of, as of now.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    /// Best prices of others; the last known where a side is empty.
    pub(super) best: [f64; 2],
    pub(super) mid: f64,
    /// Others' lots at 0, 1, ... ticks behind their best.
    pub(super) volume: [[u64; LEVELS]; 2],
    /// The maker's front quote of each side: distance from the mid in ticks, lots ahead of it.
    pub(super) front: [Option<(f64, u64)>; 2],
    /// Lots the maker has in the book.
    pub(super) quoted: [u64; 2],
    /// The mid's move in the last step, ticks.
    pub(super) moved: f64,
    /// Lots of others' market orders in the last step, buys - sells, and the average of that a second.
    pub(super) flow: f64,
    pub(super) average_flow: f64,
    /// Average of the mid's squared moves a second.
    pub(super) variance: f64,
}

/// Best prices of others than the maker, whose orders in the book are `own`. Cost: the maker's orders and levels.
#[inline]
pub(super) fn bests_of_others(market: &Market, own: &[Working]) -> [Option<Price>; 2] {
    [best_of_others(market, own, Side::Buy), best_of_others(market, own, Side::Sell)]
}

#[inline]
fn best_of_others(market: &Market, own: &[Working], side: Side) -> Option<Price> {
    let book = market.book();
    let best = book.best(side)?;
    let lots_at = |price| {
        let mut lots = 0;
        for order in own {
            if order.side == side && order.price == Some(price) {
                lots += order.open;
            }
        }
        lots
    };
    let own_lots = lots_at(best);
    if own_lots == 0 || book.quantity_at(side, best).0 > own_lots {
        return Some(best);
    }
    let mut levels = book.levels(side).skip(1);
    levels.find(|&(price, lots, _)| lots.0 > lots_at(price)).map(|level| level.0)
}

impl View {
    /// Looks at the book; the averages are the business of [`advance`](Self::advance).
    #[inline]
    pub(super) fn look(&mut self, market: &Market, own: &[Working], best: [Option<Price>; 2]) {
        if let [Some(bid), Some(ask)] = best {
            self.mid = (bid.0 + ask.0) as f64 / 2.0;
        }
        self.look_at(market, own, best[0], Side::Buy);
        self.look_at(market, own, best[1], Side::Sell);
    }

    #[inline]
    fn look_at(&mut self, market: &Market, own: &[Working], best: Option<Price>, side: Side) {
        let book = market.book();
        // Ticks behind a price: bids downwards, asks upwards.
        let outwards = if side == Side::Buy { -1 } else { 1 };
        let mut depth = [Quantity::ZERO; LEVELS];
        if let Some(best) = best {
            self.best[side.index()] = best.0 as f64;
            if book.best(side) == Some(best) {
                book.depth_from_own_best(side, &mut depth);
            } else {
                for (level, lots) in (0..).zip(&mut depth) {
                    *lots = book.quantity_at(side, Price(best.0 + outwards * level));
                }
            }
        }
        let mut quoted = 0;
        let mut front: Option<(i64, u64)> = None;
        for order in own {
            let Some(Price(price)) = order.price.filter(|_| order.side == side) else { continue };
            quoted += order.open;
            if let Some(best) = best {
                let behind = (price - best.0) * outwards;
                if (0..LEVELS as i64).contains(&behind) {
                    let lots = &mut depth[behind as usize].0;
                    *lots = lots.saturating_sub(order.open);
                }
            }
            if front.is_none_or(|(other, _)| (price - other) * outwards < 0) {
                front = Some((price, order.id));
            }
        }
        for (volume, lots) in self.volume[side.index()].iter_mut().zip(&depth) {
            *volume = lots.0;
        }
        self.quoted[side.index()] = quoted;
        self.front[side.index()] = match front {
            Some((price, id)) => {
                let ahead = book.queue_position(lob::Handle::from_bits(id));
                let ahead = ahead.map_or(0, |position| position.quantity_ahead.0);
                Some(((price as f64 - self.mid).abs(), ahead))
            }
            None => None,
        };
    }

    /// Takes note of a step: where the mid was, lots of others' market orders (buys - sells). `per_second` is 1 / the length of a step,
    /// `weight` that of the step in the averages.
    #[inline]
    pub(super) fn advance(&mut self, mid_before: f64, flow: f64, per_second: f64, weight: f64) {
        self.moved = self.mid - mid_before;
        self.flow = flow;
        self.average_flow += weight * (flow * per_second - self.average_flow);
        self.variance += weight * (self.moved * self.moved * per_second - self.variance);
    }

    /// Imbalance of the volumes seen, from -1 to 1; 0 if there are none.
    #[inline]
    fn imbalance(&self) -> f64 {
        let [bids, asks] = &self.volume;
        let (bids, asks) = (bids.iter().sum::<u64>() as f64, asks.iter().sum::<u64>() as f64);
        if bids + asks > 0.0 { (bids - asks) / (bids + asks) } else { 0.0 }
    }
}

/// What the maker has, as it knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holdings {
    /// Lots, as far as reported.
    pub(super) inventory: f64,
    /// Ticks x lots.
    pub(super) cash: f64,
    pub(super) profit: f64,
    /// Share of the episode.
    pub(super) time_left: f64,
}

/// How a view is written down.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    kind: ObservationKind,
    symmetric: bool,
    limit: f64,
    per_limit: f64,
    per_quote: f64,
    per_offset: f64,
    /// Money a tick, units a lot.
    tick_size: f64,
    lot_size: f64,
}

impl Writer {
    pub(super) fn new(config: &MarketMakingConfig) -> Self {
        let limit = config.limit_lots() as f64;
        Self {
            kind: config.observation,
            symmetric: config.symmetric,
            limit,
            per_limit: 1.0 / limit,
            per_quote: 1.0 / config.max_quote_lots as f64,
            per_offset: 1.0 / config.max_offset_ticks.abs().max(config.min_offset_ticks.abs()),
            tick_size: config.tick_size,
            lot_size: config.lot_size as f64,
        }
    }

    /// The space; `is_limited` if the inventory cannot exceed its limit.
    pub(super) fn space(&self, is_limited: bool) -> BoxSpace {
        let bound = |limit: f32| if is_limited { limit } else { f32::INFINITY };
        let positive = |name: &str, unit: &str| Component::new(name, unit, 0.0, f32::INFINITY);
        let free = |name: &str, unit: &str| Component::unbounded(name, unit);
        let volumes = |side: &str, unit: &str| {
            let level = |level: usize| positive(&format!("{side} volume {level}"), unit);
            (0..LEVELS).map(level).collect::<Vec<_>>()
        };
        BoxSpace::new(match self.kind {
            ObservationKind::Full => {
                let mut components = vec![
                    Component::new("time left", "share of the episode", 0.0, 1.0),
                    Component::new(
                        "inventory",
                        "inventory_limit",
                        if self.symmetric { 0.0 } else { -bound(1.0) },
                        bound(1.0),
                    ),
                    free("cash", "ticks x lots / (limit in lots x first mid)"),
                    free("profit", "ticks x lots / limit in lots"),
                    free("best bid - first mid", "10 ticks"),
                    free("best ask - first mid", "10 ticks"),
                    positive("spread", "10 ticks"),
                    free("last change of the mid", "ticks"),
                    Component::new("imbalance", "(bids - asks) / (bids + asks)", -1.0, 1.0),
                ];
                components.extend(volumes("bid", "20 lots"));
                components.extend(volumes("ask", "20 lots"));
                for side in ["bid", "ask"] {
                    components.push(positive(&format!("own {side} lots"), "max_quote_lots"));
                    components.push(positive(&format!("own {side} distance"), "largest offset"));
                    components.push(positive(&format!("own {side} lots ahead"), "20 lots"));
                }
                components.push(free("market orders", "20 lots, buys - sells"));
                components.push(free("average of market orders", "lots / s, buys - sells"));
                components.push(positive("volatility", "ticks / sqrt(s)"));
                components
            }
            ObservationKind::Classic => {
                let limit = bound(self.classic_inventory(self.limit));
                let mut components = vec![
                    free("best bid", "money"),
                    free("best ask", "money"),
                    positive("spread", "money"),
                    free("mid", "money"),
                    Component::new("inventory", "1000 units", -limit, limit),
                    free("cash", "10000 money"),
                ];
                let volumes = volumes("bid", "1000 units").into_iter().zip(volumes("ask", "1000 units"));
                components.extend(volumes.flat_map(|(bid, ask)| [bid, ask]));
                components
            }
        })
    }

    fn classic_inventory(&self, lots: f64) -> f32 {
        (lots * self.lot_size / 1_000.0) as f32
    }

    /// Writes an observation; `first_mid` is the mid at t = 0. True if it is the market's mirror image.
    #[inline]
    pub(super) fn write(&self, view: &View, holdings: &Holdings, first_mid: f64, out: &mut [f32]) -> bool {
        match self.kind {
            ObservationKind::Full => self.write_full(view, holdings, first_mid, out),
            ObservationKind::Classic => self.write_classic(view, holdings, out),
        }
        let mirrored = self.symmetric
            && (holdings.inventory < 0.0 || holdings.inventory == 0.0 && view.imbalance() < 0.0);
        if mirrored {
            mirror(out, first_mid);
        }
        mirrored
    }

    #[inline]
    fn write_full(&self, view: &View, holdings: &Holdings, first_mid: f64, out: &mut [f32]) {
        let [bid, ask] = view.best;
        let [bids, asks] = &view.volume;
        // An opening mid of 0 is legal; cash is then in ticks x lots.
        let price = if first_mid == 0.0 { 1.0 } else { first_mid.abs() };
        let front =
            |side: usize| view.front[side].map_or((0.0, 0.0), |(distance, ahead)| (distance, ahead as f64));
        let (bid_front, ask_front) = (front(0), front(1));
        let volume = |lots: u64| (lots as f64 * LOTS_SCALE) as f32;
        let numbers: [f32; FULL] = [
            holdings.time_left as f32,
            (holdings.inventory * self.per_limit) as f32,
            (holdings.cash * self.per_limit / price) as f32,
            (holdings.profit * self.per_limit) as f32,
            ((bid - first_mid) * PRICE_SCALE) as f32,
            ((ask - first_mid) * PRICE_SCALE) as f32,
            ((ask - bid).max(0.0) * PRICE_SCALE) as f32,
            view.moved as f32,
            view.imbalance() as f32,
            volume(bids[0]),
            volume(bids[1]),
            volume(bids[2]),
            volume(bids[3]),
            volume(bids[4]),
            volume(asks[0]),
            volume(asks[1]),
            volume(asks[2]),
            volume(asks[3]),
            volume(asks[4]),
            (view.quoted[0] as f64 * self.per_quote) as f32,
            (bid_front.0 * self.per_offset) as f32,
            (bid_front.1 * LOTS_SCALE) as f32,
            (view.quoted[1] as f64 * self.per_quote) as f32,
            (ask_front.0 * self.per_offset) as f32,
            (ask_front.1 * LOTS_SCALE) as f32,
            (view.flow * LOTS_SCALE) as f32,
            view.average_flow as f32,
            view.variance.sqrt() as f32,
        ];
        out.copy_from_slice(&numbers);
    }

    fn write_classic(&self, view: &View, holdings: &Holdings, out: &mut [f32]) {
        let [bid, ask] = view.best;
        out[0] = (bid * self.tick_size) as f32;
        out[1] = (ask * self.tick_size) as f32;
        out[2] = ((ask - bid).max(0.0) * self.tick_size) as f32;
        out[3] = (view.mid * self.tick_size) as f32;
        out[4] = self.classic_inventory(holdings.inventory);
        out[5] = (holdings.cash * self.tick_size * self.lot_size / 10_000.0) as f32;
        let units = |lots: u64| (lots as f64 * self.lot_size / 1_000.0) as f32;
        for level in 0..LEVELS {
            out[6 + 2 * level] = units(view.volume[0][level]);
            out[7 + 2 * level] = units(view.volume[1][level]);
        }
    }
}

/// Turns a full observation into that of the mirror image: prices are reflected at the first mid, bids are asks, and what was bought is sold.
/// The profit stays, and the cash is what leaves it so.
#[inline]
fn mirror(out: &mut [f32], first_mid: f64) {
    // The cash of lots bought at the first mid, in the unit of the cash.
    let unit = if first_mid == 0.0 { 0.0 } else { first_mid.signum() as f32 };
    out[2] += 2.0 * unit * out[1];
    (out[4], out[5]) = (-out[5], -out[4]);
    for odd in [1, 7, 8, 25, 26] {
        // Not -0: the mirror image of nothing is nothing.
        out[odd] = 0.0 - out[odd];
    }
    for (bid, ask) in (9..9 + LEVELS).zip(9 + LEVELS..).chain((19..22).zip(22..)) {
        out.swap(bid, ask);
    }
}
