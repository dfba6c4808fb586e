//! The event loop: who acts when, from the opening book on.

use std::sync::Arc;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

use super::desk::{Command, Desk, Letter, Mail, Report, Ticket};
use super::queue::{EventQueue, Participant};
use super::strategic::StrategicTrader;
use super::{CROWD, FIRST_AGENT, INITIAL, Latency, Market};
use crate::flow::{Flow, FlowConfig, OpeningBook, OrderFlow, REPLAY_WINDOW};
use crate::parameter::ParameterError;
use crate::{BookConfig, Event, NewOrder, Owner, Price, Quantity, Side};

/// The generator of sessions: small, fast, with the same bits on every machine.
pub type SimRng = Xoshiro256PlusPlus;

/// Derives the seed of a part of something seeded: environment `index` of a run, stream `index` of a session. Two rounds of the
/// splitmix64 finaliser over both numbers, so that neighbouring seeds and indices have unrelated streams.
pub fn derive_seed(seed: u64, index: u64) -> u64 {
    let mix = |mut z: u64| {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    mix(mix(seed.wrapping_add(0x9e37_79b9_7f4a_7c15))
        ^ index.wrapping_mul(0xd1b5_4a32_d192_ed03).wrapping_add(0x2545_f491_4f6c_dd1d))
}

/// What a session starts with and runs on; shared by the sessions of a market.
#[derive(Clone, Debug)]
struct Start {
    volumes: Vec<Quantity>,
    owner: crate::Owner,
    best_bid: Price,
    best_ask: Price,
    lead_in_seconds: f64,
}

/// One market session: a book, a flow, perhaps a strategic trader, and agents driven from outside.
///
/// Time is in seconds. A session begins at `-lead_in_seconds` with the opening book; the flow's first event falls at that same moment.
/// [`run_until`](Self::run_until) plays everything that comes before an agent's action at a time; then the agent acts, by
/// [`send`](Self::send) and its relatives, which travel with the agent's latency and meet the book that is there when they arrive.
///
/// `Clone` forks a session: both copies have the same future as long as the same is done to them.
#[derive(Clone, Debug)]
pub struct Simulator {
    market: Market,
    flow: Flow,
    strategic: Option<StrategicTrader>,
    queue: EventQueue,
    flow_rng: SimRng,
    start: Arc<Start>,
    flow_events: u64,
    desks: Vec<Desk>,
    mail: Mail,
    news: Vec<(f64, Event)>,
    seed: u64,
}

/// Lets a flow act, first now, until somebody else is due or has to be told. Returns when it acts next (s) and how often it has acted.
#[inline]
fn play<F: OrderFlow>(
    flow: &mut F,
    market: &mut Market,
    rng: &mut SimRng,
    mut now: f64,
    until: f64,
) -> (f64, u64) {
    let mut events = 0;
    loop {
        now += flow.act(market, rng);
        events += 1;
        if now >= until || market.has_news() {
            return (now, events);
        }
        market.set_now(now);
    }
}

/// Which agent: its place in the order of [`Simulator::add_desk`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeskId(usize);

impl Simulator {
    /// A session of a market without agents; call [`reset`](Self::reset) to start it.
    ///
    /// # Errors
    /// What is not legal in the parameters, by its path.
    pub fn new(market: &FlowConfig, book: BookConfig) -> Result<Self, ParameterError> {
        market.validate()?;
        let book = match market {
            FlowConfig::Replay(_) => {
                BookConfig { window_levels: book.window_levels.max(REPLAY_WINDOW), ..book }
            }
            _ => book,
        };
        let opening = market.opening();
        let owner = match opening.book {
            OpeningBook::Frozen => INITIAL,
            OpeningBook::Live => CROWD,
        };
        let start = Start {
            volumes: opening.volumes(),
            owner,
            best_bid: opening.centre.best_bid,
            best_ask: opening.centre.best_ask,
            lead_in_seconds: opening.lead_in_seconds,
        };
        let strategic = match market {
            FlowConfig::Strategic(market) => Some(StrategicTrader::new(&market.trader)?),
            _ => None,
        };
        Ok(Self {
            market: Market::new(book)
                .map_err(|error| ParameterError::new("book", error, "see the message"))?,
            flow: Flow::new(market)?,
            strategic,
            queue: EventQueue::default(),
            flow_rng: SimRng::seed_from_u64(0),
            start: Arc::new(start),
            flow_events: 0,
            desks: Vec::new(),
            mail: Mail::default(),
            news: Vec::new(),
            seed: 0,
        })
    }

    /// Adds an agent, from the next [`reset`](Self::reset) on.
    pub fn add_desk(&mut self, latency: Latency) -> DeskId {
        let owner = Owner(FIRST_AGENT.0 + self.desks.len() as u32);
        self.desks.push(Desk::new(owner, latency, SimRng::seed_from_u64(0)));
        self.market.listen();
        DeskId(self.desks.len() - 1)
    }

    /// Starts a new session. The same seed gives the same session, whatever was played before.
    pub fn reset(&mut self, seed: u64) {
        let start = Arc::clone(&self.start);
        self.seed = seed;
        self.market.clear(-start.lead_in_seconds);
        let volumes: &[Quantity] = match &mut self.flow {
            Flow::Replay(flow) => {
                flow.begin(seed, &mut self.market);
                &[]
            }
            _ => &start.volumes,
        };
        for (distance, &volume) in volumes.iter().enumerate() {
            let distance = distance as i64;
            let bid = NewOrder::limit(start.owner, Side::Buy, Price(start.best_bid.0 - distance), volume);
            let ask = NewOrder::limit(start.owner, Side::Sell, Price(start.best_ask.0 + distance), volume);
            for order in [bid, ask] {
                // Prices within +-2^53 and volumes up to 1e12 lots were checked when the market was built.
                self.market.submit(order).expect("a checked opening book is accepted");
            }
        }
        self.flow_rng = SimRng::seed_from_u64(derive_seed(seed, 0));
        self.flow.reset();
        self.flow_events = 0;
        self.mail.clear();
        for (index, desk) in self.desks.iter_mut().enumerate() {
            desk.reset(SimRng::seed_from_u64(derive_seed(seed, 2 + index as u64)));
        }
        self.queue.clear();
        self.queue.schedule(-start.lead_in_seconds, Participant::Flow);
        if let Some(strategic) = &mut self.strategic {
            strategic.reset(&mut SimRng::seed_from_u64(derive_seed(seed, 1)));
            self.queue.schedule(-start.lead_in_seconds, Participant::Strategic);
        }
    }

    /// Plays everything that comes before an agent's action at `time` (s), and moves the clock there.
    pub fn run_until(&mut self, time: f64) {
        while let Some((now, participant)) = self.queue.next_before(time) {
            self.market.set_now(now);
            match participant {
                Participant::Flow => {
                    // The flow acts far more often than anybody else: it goes on without the queue until somebody is due or has to be told.
                    let alone_until = self.queue.second_time().min(time);
                    let Self { market, flow, flow_rng, .. } = self;
                    // Which flow it is is asked once, not at each event.
                    let (next, events) = match flow {
                        Flow::Noise(flow) => play(flow, market, flow_rng, now, alone_until),
                        Flow::Hawkes(flow) => play(&mut **flow, market, flow_rng, now, alone_until),
                        Flow::QueueReactive(flow) => play(&mut **flow, market, flow_rng, now, alone_until),
                        Flow::Replay(flow) => play(&mut **flow, market, flow_rng, now, alone_until),
                    };
                    self.flow_events += events;
                    self.queue.reschedule_first(next);
                }
                Participant::Strategic => match &mut self.strategic {
                    Some(strategic) => {
                        let wait = strategic.act(&mut self.market);
                        self.queue.reschedule_first(now + wait);
                    }
                    None => self.queue.pop(),
                },
                Participant::Mail(number) => {
                    self.queue.pop();
                    match self.mail.take(number) {
                        Some(Letter::Order { desk, command }) => self.execute(desk, command),
                        Some(Letter::Report { desk, report }) => self.desks[desk].receive(report),
                        None => {}
                    }
                }
            }
            if self.market.has_news() {
                self.report_news();
            }
        }
        self.market.set_now(time.max(self.market.now()));
    }

    /// Sends an agent's new order; its owner is filled in. It arrives at once where the agent has no latency.
    pub fn submit(&mut self, desk: DeskId, order: NewOrder) -> Ticket {
        let ticket = self.desks[desk.0].issue(&order);
        self.send(desk, Command::Submit(ticket, order));
        ticket
    }

    /// Sends an agent's command. It arrives at once where the agent has no latency.
    pub fn send(&mut self, desk: DeskId, command: Command) {
        let now = self.market.now();
        let arrival = self.desks[desk.0].order_arrival(now);
        if arrival <= now {
            self.execute(desk.0, command);
        } else {
            let number = self.mail.post(Letter::Order { desk: desk.0, command });
            self.queue.schedule(arrival, Participant::Mail(number));
        }
    }

    /// Plays on until every letter of this agent and about its orders has arrived. Nothing is played where it has no latency.
    pub fn settle(&mut self, desk: DeskId) {
        while let Some(arrival) = self.desks[desk.0].latest_arrival().filter(|&at| at > self.market.now()) {
            self.run_until(arrival);
        }
    }

    /// An agent's desk: its orders as it knows them, and its reports.
    pub fn desk(&self, desk: DeskId) -> &Desk {
        &self.desks[desk.0]
    }

    /// An agent's desk, to take its reports.
    pub fn desk_mut(&mut self, desk: DeskId) -> &mut Desk {
        &mut self.desks[desk.0]
    }

    fn execute(&mut self, desk: usize, command: Command) {
        let refusal = self.desks[desk].execute(command, &mut self.market);
        if let Some(report) = refusal {
            self.deliver(desk, report);
        }
        if self.market.has_news() {
            self.report_news();
        }
    }

    /// Tells the agents what happened to their orders.
    fn report_news(&mut self) {
        let mut news = self.market.exchange_news(std::mem::take(&mut self.news));
        for (at, event) in news.drain(..) {
            for desk in 0..self.desks.len() {
                for report in self.desks[desk].translate(at, &event).into_iter().flatten() {
                    self.deliver(desk, report);
                }
            }
        }
        self.news = news;
    }

    fn deliver(&mut self, desk: usize, report: Report) {
        let now = self.market.now();
        let arrival = self.desks[desk].report_arrival(now);
        if arrival <= now {
            self.desks[desk].receive(report);
        } else {
            let number = self.mail.post(Letter::Report { desk, report });
            self.queue.schedule(arrival, Participant::Mail(number));
        }
    }

    /// The market, for its views.
    #[inline]
    pub fn market(&self) -> &Market {
        &self.market
    }

    /// The market, to switch its log and digest on or to take from them.
    #[inline]
    pub fn market_mut(&mut self) -> &mut Market {
        &mut self.market
    }

    /// The background flow.
    pub fn flow(&self) -> &Flow {
        &self.flow
    }

    /// Best bid and best ask of the opening book.
    pub fn opening_bests(&self) -> [Price; 2] {
        [self.start.best_bid, self.start.best_ask]
    }

    /// Events of the flow since the session began, those before t = 0 included.
    pub fn flow_events(&self) -> u64 {
        self.flow_events
    }

    /// The seed of the session.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}
