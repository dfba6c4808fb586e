//! The task's description read literally, from the market's event log and with no regard to speed: a sale is told, a purchase is turned into
//! one by mirroring the log.

use gym::Env;
use gym::envs::Execution;
use lob::flow::MarketConfig;
use lob::sim::{FIRST_AGENT, Simulator};
use lob::{CancelReason, Event, Handle, Owner, Price, Side};

/// A resting order in a seller's world.
#[derive(Clone, Debug)]
struct Order {
    handle: Handle,
    owner: Owner,
    side: Side,
    price: i64,
    lots: u64,
}

/// An order's arrival: time, side, market or limit, lots asked for.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    time: f64,
    side: Side,
    is_market: bool,
    lots: u64,
}

/// What the log says about a moment, in a seller's world.
#[derive(Clone, Debug, Default)]
struct Tale {
    /// In order of arrival, which is the order of their queues.
    book: Vec<Order>,
    arrivals: Vec<Arrival>,
    sold: u64,
}

impl Tale {
    fn tell(&mut self, seller: Side, time: f64, event: &Event) {
        let turned = |side: Side| if seller == Side::Sell { side } else { side.opposite() };
        let mirrored = |price: Price| if seller == Side::Sell { price.0 } else { -price.0 };
        match *event {
            Event::Accepted { handle, owner, side, price, quantity } => {
                let (side, lots, is_market) = (turned(side), quantity.0, price.is_none());
                self.arrivals.push(Arrival { time, side, is_market, lots });
                if let Some(price) = price {
                    self.book.push(Order { handle, owner, side, price: mirrored(price), lots });
                }
            }
            Event::Trade { maker, taker, maker_owner, taker_owner, quantity, .. } => {
                self.take(maker, quantity.0);
                self.take(taker, quantity.0);
                for owner in [maker_owner, taker_owner] {
                    self.sold += if owner == FIRST_AGENT { quantity.0 } else { 0 };
                }
            }
            Event::Cancelled { handle, quantity, .. } => self.take(handle, quantity.0),
            ref other => panic!("nobody does this: {other:?}"),
        }
    }

    fn take(&mut self, handle: Handle, lots: u64) {
        if let Some(index) = self.book.iter().position(|order| order.handle == handle) {
            self.book[index].lots -= lots;
            if self.book[index].lots == 0 {
                self.book.remove(index);
            }
        }
    }

    fn bid(&self) -> i64 {
        self.book.iter().filter(|order| order.side == Side::Buy).map(|order| order.price).max().unwrap()
    }

    fn ask(&self) -> i64 {
        self.book.iter().filter(|order| order.side == Side::Sell).map(|order| order.price).min().unwrap()
    }

    fn mid(&self) -> f64 {
        (self.bid() + self.ask()) as f64 / 2.0
    }

    fn lots_at(&self, side: Side, price: i64) -> u64 {
        let there = self.book.iter().filter(|order| order.side == side && order.price == price);
        there.map(|order| order.lots).sum()
    }

    fn own(&self) -> impl Iterator<Item = &Order> {
        self.book.iter().filter(|order| order.owner == FIRST_AGENT)
    }
}

fn ratio(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}

/// Follows an episode and says what should be seen.
pub(crate) struct Witness {
    mean_shape: Vec<f64>,
    best_bid_at_start: f64,
    mid_at_start: f64,
    /// When the window begins, s.
    begin: f64,
    /// When it ends.
    end: f64,
    /// What the mid after the first event in the window can have been.
    first_mids: Vec<f64>,
    /// The session before the agent acted.
    before: Option<Simulator>,
}

impl Witness {
    /// To be called right after a reset.
    pub(crate) fn new(env: &Execution, market: &str) -> Self {
        let flow = MarketConfig::preset(market).unwrap().flow;
        let mut witness = Self {
            mean_shape: flow.opening().mean_shape(),
            best_bid_at_start: 0.0,
            mid_at_start: 0.0,
            begin: -env.task().step_seconds,
            end: 0.0,
            first_mids: Vec::new(),
            before: None,
        };
        let tale = witness.tale(env, usize::MAX);
        (witness.best_bid_at_start, witness.mid_at_start) = (tale.bid() as f64, tale.mid());
        if env.task().step_seconds >= flow.opening().lead_in_seconds {
            let opening = env.simulator().market().log().iter().take_while(|(time, event)| {
                *time == -15.0 && matches!(event, Event::Accepted { owner, .. } if owner.0 == 0)
            });
            witness.first_mids = vec![witness.tale(env, opening.count()).mid()];
        } else {
            let mut session = env.simulator().clone();
            session.reset(session.seed());
            session.run_until(witness.begin);
            witness.first_mids = vec![witness.mid_after_one_event(env, &session)];
        }
        witness
    }

    /// To be called before each step.
    pub(crate) fn before_step(&mut self, env: &Execution) {
        self.before = Some(env.simulator().clone());
    }

    /// The first so many entries of the log.
    fn tale(&self, env: &Execution, entries: usize) -> Tale {
        let mut tale = Tale::default();
        for (time, event) in env.simulator().market().log().iter().take(entries) {
            tale.tell(env.task().side, *time, event);
        }
        tale
    }

    /// The mid after the next event of the flow. Its cancellations that find nothing leave no trace in the log, so it is looked for in time.
    fn mid_after_one_event(&self, env: &Execution, session: &Simulator) -> f64 {
        let (start, events) = (session.market().now(), session.flow_events());
        let (mut low, mut high) = (0.0, 8.0);
        for _ in 0..200 {
            let after = (low + high) / 2.0;
            let mut copy = session.clone();
            copy.run_until(start + after);
            match copy.flow_events() - events {
                0 => low = after,
                1 => {
                    let mid = copy.market().book().mid().unwrap();
                    return if env.task().side == Side::Sell { mid } else { -mid };
                }
                _ => high = after,
            }
        }
        panic!("two events of the flow are never so close to each other");
    }

    /// What the mid can have been after the first event since the agent acted at `time`; entries of the log before that are `known`.
    fn after_first_event(&self, env: &Execution, before: &Simulator, known: usize, time: f64) -> Vec<f64> {
        let log = env.simulator().market().log();
        let (first_time, first) = log[known];
        let is_agent = match first {
            Event::Accepted { owner, .. } | Event::Cancelled { owner, .. } => owner == FIRST_AGENT,
            _ => false,
        };
        let is_strategic = matches!(first, Event::Accepted { owner, .. } if owner.0 == 2);
        if first_time > time || !(is_agent || is_strategic) {
            return vec![self.mid_after_one_event(env, before)];
        }
        // The rest of the same request: trades and dropped lots of an order; of cancellations at one price the log does not tell whether they
        // were one request or several.
        let mut end = known + 1;
        let mut mids = Vec::new();
        loop {
            let goes_on = match (first, log.get(end)) {
                (Event::Accepted { .. }, Some((_, Event::Trade { .. }))) => true,
                (Event::Accepted { .. }, Some((_, Event::Cancelled { reason, .. }))) => {
                    *reason == CancelReason::NoLiquidity
                }
                (Event::Cancelled { .. }, Some((at, Event::Cancelled { owner, .. }))) => {
                    mids.push(self.tale(env, end).mid());
                    *at == time && *owner == FIRST_AGENT
                }
                _ => false,
            };
            if !goes_on {
                mids.push(self.tale(env, end).mid());
                return mids;
            }
            end += 1;
        }
    }

    /// Compares an observation with the description.
    pub(crate) fn check(&mut self, env: &Execution, observation: &[f32], label: &str) {
        let time = env.time();
        if let Some(before) = self.before.take()
            && time > self.end
        {
            self.first_mids = self.after_first_event(env, &before, before.market().log().len(), self.end);
            (self.begin, self.end) = (self.end, time);
        }
        let tale = self.tale(env, usize::MAX);
        let mut matches = 0;
        for &first_mid in &self.first_mids {
            let expected = self.describe(env, &tale, first_mid);
            assert_eq!(observation.len(), expected.len(), "{label}");
            let differs = |index: &usize| (f64::from(observation[*index]) - expected[*index]).abs() > 1e-6;
            match (0..expected.len()).find(differs) {
                None => matches += 1,
                Some(8) if self.first_mids.len() > 1 => {}
                Some(index) => panic!(
                    "{label}, t = {time}: [{index}] {} is {}, expected {}",
                    env.observation_space().components()[index].name,
                    observation[index],
                    expected[index]
                ),
            }
        }
        assert!(matches > 0, "{label}, t = {time}: drift {} from {:?}", observation[8], self.first_mids);
    }

    /// The observation, as the description has it.
    fn describe(&self, env: &Execution, tale: &Tale, first_mid: f64) -> Vec<f64> {
        let (task, levels) = (env.task(), env.config().levels as i64);
        let parent = task.lots as f64;
        let remaining = task.lots - tale.sold;
        let (bid, ask) = (tale.bid(), tale.ask());
        let bids: Vec<f64> = (1..=levels).map(|k| tale.lots_at(Side::Buy, ask - k) as f64).collect();
        let asks: Vec<f64> = (1..=levels).map(|k| tale.lots_at(Side::Sell, bid + k) as f64).collect();
        let (all_bids, all_asks): (f64, f64) = (bids.iter().sum(), asks.iter().sum());
        let flow = |is_market: bool| {
            let lots = |side: Side| -> f64 {
                let inside =
                    tale.arrivals.iter().filter(|order| self.begin <= order.time && order.time <= self.end);
                let kind = inside.filter(|order| order.is_market == is_market && order.side == side);
                kind.map(|order| order.lots as f64).sum()
            };
            let (buys, sells) = (lots(Side::Buy), lots(Side::Sell));
            ratio(buys - sells, buys + sells)
        };
        let mut seen = vec![
            env.time() / task.horizon_seconds,
            remaining as f64 / parent,
            (bid as f64 - self.best_bid_at_start) / 10.0,
            (tale.mid() - self.mid_at_start) / 10.0,
            (ask - bid) as f64 / 10.0,
            ratio(all_bids - all_asks, all_bids + all_asks),
            flow(true),
            flow(false),
            (tale.mid() - first_mid) / 10.0,
        ];
        let resting = |price: i64| tale.own().filter(move |order| order.price == price);
        let at = |price: i64| resting(price).map(|order| order.lots).sum::<u64>() as f64;
        let in_book: f64 = tale.own().map(|order| order.lots as f64).sum();
        let mut elsewhere = in_book;
        for level in 0..levels {
            seen.push(ratio(at(ask + level), remaining as f64));
            elsewhere -= at(ask + level);
        }
        seen.push(ratio(elsewhere, remaining as f64));
        seen.push(ratio(remaining as f64 - in_book, remaining as f64));
        seen.extend(bids.iter().zip(&self.mean_shape).map(|(lots, mean)| lots / mean));
        seen.extend(asks.iter().zip(&self.mean_shape).map(|(lots, mean)| lots / mean));
        let mut lots: Vec<(f64, f64)> = Vec::new();
        for level in 1..=levels {
            let price = ask + level - 1;
            let mut ahead = 0;
            for order in tale.book.iter().filter(|order| order.side == Side::Sell && order.price == price) {
                for _ in 0..order.lots {
                    if order.owner == FIRST_AGENT {
                        lots.push((level as f64 / (levels + 1) as f64, f64::from(ahead) / 40.0));
                    }
                    ahead += 1;
                }
            }
        }
        lots.resize(remaining as usize, (1.0, 1.0));
        lots.resize(task.lots as usize, (-levels as f64 / (levels + 1) as f64, -1.0));
        seen.extend(lots.iter().map(|lot| lot.0));
        seen.extend(lots.iter().map(|lot| lot.1));
        seen
    }
}

/// What an action of the simplex should leave in the market.
pub(crate) struct Expected {
    market: u64,
    /// Own orders by arrival: price and lots of those that were there and stay, in a seller's world.
    kept: Vec<(i64, u64)>,
    /// Lots by price, all orders together.
    slots: Vec<(i64, u64)>,
}

/// Slots, parts, rounding and cancellations, one after the other as they are described.
pub(crate) fn expected_targets(env: &Execution, parts: &[f32]) -> Expected {
    let mut tale = Tale::default();
    for (time, event) in env.simulator().market().log() {
        tale.tell(env.task().side, *time, event);
    }
    let bid = tale.bid();
    let remaining = env.task().lots - tale.sold;
    let cut: Vec<f64> = parts.iter().map(|&part| if part < 0.0 { 0.0 } else { f64::from(part) }).collect();
    let sum: f64 = cut.iter().sum();
    let mut left = remaining;
    let mut targets = Vec::new();
    for part in &cut[..cut.len() - 1] {
        let exact = ratio(*part, sum) * remaining as f64;
        let below = exact.floor();
        let up = exact - below > 0.5 || (exact - below == 0.5 && below % 2.0 == 1.0);
        let lots = (below as u64 + u64::from(up)).min(left);
        left -= lots;
        targets.push(lots);
    }
    let slots: Vec<_> =
        targets[1..].iter().enumerate().map(|(k, &lots)| (bid + 1 + k as i64, lots)).collect();
    // Newest first: of the orders at a price, the oldest ones stay until the target is reached.
    let mut room = slots.clone();
    let mut kept = Vec::new();
    for order in tale.own() {
        if let Some((_, room)) = room.iter_mut().find(|(price, _)| *price == order.price) {
            let lots = order.lots.min(*room);
            *room -= lots;
            if lots > 0 {
                kept.push((order.price, lots));
            }
        }
    }
    Expected { market: targets[0], kept, slots }
}

impl Expected {
    /// Compares with what the agent did at `time`, from entry `from` of the log on. Returns how many targets were above zero.
    pub(crate) fn compare(&self, env: &Execution, from: usize, time: f64) -> usize {
        let log = env.simulator().market().log();
        let is_agent = |(at, event): &(f64, Event)| {
            let owner = match event {
                Event::Accepted { owner, .. } | Event::Cancelled { owner, .. } => *owner,
                Event::Trade { taker_owner, .. } => *taker_owner,
                other => panic!("nobody does this: {other:?}"),
            };
            *at == time && owner == FIRST_AGENT
        };
        let own = log[from..].iter().take_while(|entry| is_agent(entry)).count();
        let mut tale = Tale::default();
        for (time, event) in &log[..from + own] {
            tale.tell(env.task().side, *time, event);
        }
        let rank = |event: &Event| match event {
            Event::Cancelled { .. } => 0,
            Event::Accepted { price: None, .. } | Event::Trade { .. } => 1,
            _ => 2,
        };
        let ranks: Vec<_> = log[from..from + own].iter().map(|(_, event)| rank(event)).collect();
        assert!(ranks.is_sorted(), "cancellations, then the market order, then limit orders: {ranks:?}");
        let sold: u64 = log[from..from + own]
            .iter()
            .map(|(_, event)| if let Event::Trade { quantity, .. } = event { quantity.0 } else { 0 })
            .sum();
        assert_eq!(sold, self.market, "t = {time}");
        let resting: Vec<_> = tale.own().map(|order| (order.price, order.lots)).collect();
        assert_eq!(resting[..self.kept.len()], self.kept, "older orders stay as they are");
        for &(price, lots) in &self.slots {
            let there: u64 = resting.iter().filter(|order| order.0 == price).map(|order| order.1).sum();
            assert_eq!(there, lots, "t = {time}, price {price}");
        }
        let targets: u64 = self.slots.iter().map(|slot| slot.1).sum();
        assert_eq!(resting.iter().map(|order| order.1).sum::<u64>(), targets, "nothing rests anywhere else");
        self.slots.iter().filter(|slot| slot.1 > 0).count()
    }
}
