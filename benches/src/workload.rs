//! The seeded generator of message streams.
//!
//! Three kinds of message, drawn independently: a limit order meant to rest (50%), a cancellation of a random
//! live order (39%), and a marketable order (11%), half of them market orders and half limit orders that
//! cross. Orders meant to rest are priced off a reference price that trends and drifts; what stands in its
//! way gets traded, as in a market that moves. The generator runs the naive book, so it knows what is live.
//!
//! Only integer arithmetic on the raw output of xoshiro256++ is used: one seed gives the same bytes on every
//! machine.

use std::fmt;
use std::str::FromStr;

use lob::{Owner, Price, Quantity, Side};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::message::{Message, Stream, Trade};
use crate::naive::NaiveBook;

/// The seed used where none is given.
pub const DEFAULT_SEED: u64 = 20_260_101;
/// Messages where no number is given.
pub const DEFAULT_COUNT: u64 = 5_000_000;

/// Out of 1,000 messages: orders meant to rest, cancellations; the others take.
const RESTING: u64 = 500;
const CANCELS: u64 = 390;
/// Out of the same 1,000: market orders; the others that take are limit orders that cross.
const MARKET: u64 = 55;
/// Where the reference price starts, in ticks: so far from zero that prices stay positive, which some peers
/// need.
const START: i64 = 1_000_000;
const OWNERS: u64 = 16;
/// Sizes of resting orders are uniform on 1..=10 lots.
const LOTS: u64 = 10;
/// Takers' sizes at the target, found by trial: what takers consume and what is added hold the balance there.
/// In the thin book, limit orders that cross reach little and rest.
const MIXED_TAKER_LOTS: u64 = 7;
const SMALL_TAKER_LOTS: u64 = 19;
/// The reference price moves by one tick once in so many messages, with the trend in 3 of 4 cases.
const STEP: u64 = 4_000;
/// The trend turns once in so many moves.
const TURN: u64 = 400;

/// The named workloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Workload {
    /// A deep book: about 8,000 live orders at geometric distances of 1 to 30 ticks.
    Mixed,
    /// A thin, wide book: about 400 live orders over 3,000 ticks.
    Small,
}

impl Workload {
    /// Both, in the order in which they are reported.
    pub const ALL: [Self; 2] = [Self::Mixed, Self::Small];

    /// How it is called on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mixed => "mixed",
            Self::Small => "small",
        }
    }

    /// What it consists of.
    pub const fn recipe(self) -> Recipe {
        match self {
            Self::Mixed => Recipe::mixed(8_000, 0),
            Self::Small => Recipe {
                live: 400,
                distance: Distance::Uniform { most: 1_500 },
                taker_lots: SMALL_TAKER_LOTS,
                prefill: 0,
            },
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Workload {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|workload| workload.name() == name)
            .ok_or_else(|| format!("workload is {name}; legal: mixed, small"))
    }
}

/// How far from the reference price orders are placed that are meant to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distance {
    /// Geometric with success probability 1/8, cut off at 30 ticks: 1..=30 ticks, 7.2 on average.
    Geometric,
    /// Uniform on 1..=`most` ticks.
    Uniform {
        /// The largest distance, in ticks.
        most: u64,
    },
}

/// A workload in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Live orders to aim at, on average. Takers trade in proportion to how much is there, which holds the
    /// book near it.
    pub live: u64,
    /// Where orders are placed that are meant to rest.
    pub distance: Distance,
    /// Takers' sizes are uniform on 1 to this many lots, times the live orders there are, divided by `live`.
    pub taker_lots: u64,
    /// Orders meant to rest that come first, before the mix starts.
    pub prefill: u64,
}

impl Recipe {
    /// The mixed workload around `live` orders, on a book that has them from the start.
    pub const fn grown(live: u64) -> Self {
        Self::mixed(live, live)
    }

    const fn mixed(live: u64, prefill: u64) -> Self {
        Self { live, distance: Distance::Geometric, taker_lots: MIXED_TAKER_LOTS, prefill }
    }
}

/// What a generated stream turned out to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Composition {
    /// Limit orders meant to rest.
    pub resting: u64,
    /// Of these, how many traded on arrival because the market had moved.
    pub resting_traded: u64,
    /// Cancellations, all of live orders.
    pub cancels: u64,
    /// Market orders.
    pub market: u64,
    /// Limit orders meant to cross.
    pub crossing: u64,
    /// Trades.
    pub trades: u64,
    /// Lots traded.
    pub volume: u64,
    /// Live orders after a message, averaged over all messages after the prefill.
    pub average_live_orders: f64,
    /// Lowest price of a limit order, in ticks.
    pub lowest_price: i64,
    /// Highest price of a limit order, in ticks.
    pub highest_price: i64,
}

impl fmt::Display for Composition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let messages = (self.resting + self.cancels + self.market + self.crossing).max(1) as f64;
        let percent = |part: u64| 100.0 * part as f64 / messages;
        write!(
            f,
            "{:.1}% resting limit orders ({:.2}% traded on arrival), {:.1}% cancels, {:.1}% market, {:.1}% crossing limit; \
             {:.0} live orders on average; {} trades of {} lots; prices {} to {}",
            percent(self.resting),
            100.0 * self.resting_traded as f64 / self.resting.max(1) as f64,
            percent(self.cancels),
            percent(self.market),
            percent(self.crossing),
            self.average_live_orders,
            self.trades,
            self.volume,
            self.lowest_price,
            self.highest_price,
        )
    }
}

/// Generates `count` messages, the prefill not counted.
pub fn generate(recipe: &Recipe, seed: u64, count: u64) -> (Stream, Composition) {
    let mut generator = Generator::new(recipe, seed, count);
    for _ in 0..recipe.prefill {
        generator.rest();
    }
    for _ in 0..count {
        generator.step();
    }
    generator.finish(count)
}

struct Generator {
    recipe: Recipe,
    rng: Xoshiro256PlusPlus,
    book: NaiveBook,
    live: Live,
    /// The reference price, in ticks, and where it is heading.
    centre: i64,
    trend: i64,
    orders: u64,
    messages: Vec<Message>,
    trades: Vec<Trade>,
    live_sum: u64,
    composition: Composition,
}

impl Generator {
    fn new(recipe: &Recipe, seed: u64, count: u64) -> Self {
        Self {
            recipe: *recipe,
            rng: Xoshiro256PlusPlus::seed_from_u64(seed),
            book: NaiveBook::new(),
            live: Live::default(),
            centre: START,
            trend: 1,
            orders: 0,
            messages: Vec::with_capacity((recipe.prefill + count) as usize),
            trades: Vec::new(),
            live_sum: 0,
            composition: Composition::default(),
        }
    }

    fn step(&mut self) {
        self.drift();
        let kind = self.below(1_000);
        if kind < RESTING {
            self.rest();
        } else if kind < RESTING + CANCELS {
            self.cancel();
        } else {
            self.take(kind < RESTING + CANCELS + MARKET);
        }
        self.live_sum += self.live.ids.len() as u64;
    }

    fn drift(&mut self) {
        if self.below(STEP) == 0 {
            self.centre += if self.below(4) == 0 { -self.trend } else { self.trend };
            if self.below(TURN) == 0 {
                self.trend = -self.trend;
            }
        }
    }

    fn rest(&mut self) {
        let side = self.side();
        let distance = self.distance();
        let price = match side {
            Side::Buy => self.centre - distance,
            Side::Sell => self.centre + distance,
        };
        let quantity = 1 + self.below(LOTS);
        let traded = self.limit(side, price, quantity);
        self.composition.resting += 1;
        self.composition.resting_traded += u64::from(traded);
    }

    fn cancel(&mut self) {
        if self.live.ids.is_empty() {
            return self.rest();
        }
        let place = self.below(self.live.ids.len() as u64) as usize;
        let id = self.live.ids[place];
        self.live.remove(id);
        self.apply(Message::Cancel { id });
        self.composition.cancels += 1;
    }

    fn take(&mut self, market: bool) {
        let side = self.side();
        let Some(best) = self.book.best(side.opposite()) else { return self.rest() };
        let most = (self.recipe.taker_lots * self.live.ids.len() as u64 / self.recipe.live).max(1);
        let quantity = 1 + self.below(most);
        if market {
            let (id, owner) = (self.next_order(), self.owner());
            self.apply(Message::Market { id, owner, side, quantity: Quantity(quantity) });
            self.composition.market += 1;
        } else {
            let through = self.below(4) as i64;
            let price = match side {
                Side::Buy => best.0 + through,
                Side::Sell => best.0 - through,
            };
            self.limit(side, price, quantity);
            self.composition.crossing += 1;
        }
    }

    /// Submits a limit order; true if it traded at once.
    fn limit(&mut self, side: Side, price: i64, quantity: u64) -> bool {
        let (id, owner) = (self.next_order(), self.owner());
        self.apply(Message::Limit { id, owner, side, price: Price(price), quantity: Quantity(quantity) });
        if self.book.is_live(id) {
            self.live.insert(id);
        }
        !self.trades.is_empty()
    }

    fn apply(&mut self, message: Message) {
        self.trades.clear();
        self.book.apply(&message, &mut self.trades);
        for trade in &self.trades {
            if !self.book.is_live(trade.maker) {
                self.live.remove(trade.maker);
            }
            self.composition.volume += trade.quantity.0;
        }
        self.composition.trades += self.trades.len() as u64;
        self.messages.push(message);
    }

    fn next_order(&mut self) -> u64 {
        let id = self.orders;
        self.orders += 1;
        id
    }

    fn owner(&mut self) -> Owner {
        Owner(self.below(OWNERS) as u32)
    }

    fn side(&mut self) -> Side {
        if self.below(2) == 0 { Side::Buy } else { Side::Sell }
    }

    /// In ticks.
    fn distance(&mut self) -> i64 {
        match self.recipe.distance {
            Distance::Uniform { most } => 1 + self.below(most) as i64,
            Distance::Geometric => loop {
                let mut distance = 1;
                while distance <= 30 && self.below(8) != 0 {
                    distance += 1;
                }
                if distance <= 30 {
                    return distance;
                }
            },
        }
    }

    /// Uniform on `0..bound`: the high half of a 64x64-bit product. The bias is below bound / 2^64, and
    /// unlike a library's range it will never change.
    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.rng.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    fn finish(mut self, count: u64) -> (Stream, Composition) {
        let stream = Stream::new(self.messages);
        let composition = &mut self.composition;
        composition.average_live_orders = self.live_sum as f64 / count.max(1) as f64;
        if let Some((low, high)) = stream.summary().prices {
            (composition.lowest_price, composition.highest_price) = (low.0, high.0);
        }
        (stream, self.composition)
    }
}

/// The live orders, such that a random one can be drawn and any one removed.
#[derive(Default)]
struct Live {
    ids: Vec<u64>,
    /// Index into `ids`, by order id. Stale once the order has gone.
    places: Vec<u32>,
}

impl Live {
    fn insert(&mut self, id: u64) {
        self.places.resize(id as usize + 1, 0);
        self.places[id as usize] = self.ids.len() as u32;
        self.ids.push(id);
    }

    fn remove(&mut self, id: u64) {
        let place = self.places[id as usize] as usize;
        self.ids.swap_remove(place);
        if let Some(&moved) = self.ids.get(place) {
            self.places[moved as usize] = place as u32;
        }
    }
}
