//! The market: a book, the time, and a record of what everybody did.

use crate::models::{Fill, Liquidity};
use crate::{
    Amendment, BookConfig, ConfigError, Event, EventDigest, Handle, NewOrder, OrderBook, OrderKind, Owner,
    Price, Quantity, RejectReason, Side,
};

/// Owner of the opening book where nobody may cancel it.
pub const INITIAL: Owner = Owner(0);
/// Owner of the background flow's orders.
pub const CROWD: Owner = Owner(1);
/// Owner of the strategic trader's orders.
pub const STRATEGIC: Owner = Owner(2);
/// Owner of the first agent's orders; further agents follow.
pub const FIRST_AGENT: Owner = Owner(3);

/// Lots that orders asked for, by side of the order; everybody's, filled or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderTally {
    /// Lots of market orders: buys, sells.
    pub market: [u64; 2],
    /// Lots of limit orders: buys, sells.
    pub limit: [u64; 2],
}

/// A fill of an agent's order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AgentFill {
    /// When, in seconds.
    pub time: f64,
    /// Whose order.
    pub owner: Owner,
    /// Which order.
    pub handle: Handle,
    /// Side, price, lots, passive or aggressive.
    pub fill: Fill,
    /// Best bid and best ask just before the request that caused the fill.
    pub touch: [Option<Price>; 2],
    /// The same without the orders of this owner: what the market would have looked like had the owner not quoted.
    pub others: [Option<Price>; 2],
}

/// Lots of the crowd that an agent's order took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TakenLots {
    /// The crowd's order.
    pub(crate) maker: Handle,
    /// Its side.
    pub(crate) side: Side,
    /// Its price, in ticks.
    pub(crate) price: Price,
    /// Lots.
    pub(crate) lots: u64,
}

/// A book with its traffic: the requests of flow, strategic trader and agents all go through it.
#[derive(Clone, Debug)]
pub struct Market {
    book: OrderBook,
    /// Time in seconds.
    now: f64,
    /// Events of the latest request.
    events: Vec<Event>,
    tally: OrderTally,
    traded: u64,
    requests: u64,
    /// Requests of others than the crowd: the flow did not see what they changed.
    foreign_requests: u64,
    /// True if agents take part, whose fills are worth noting.
    has_agents: bool,
    /// True if somebody waits to be told what happens to agents' orders.
    has_listeners: bool,
    /// True if the flow wants to know what agents took from the crowd.
    notes_taken: bool,
    /// What agents took from the crowd and nobody has asked for yet: which order, at which price, how many lots.
    taken: Vec<TakenLots>,
    /// One more than the highest owner number that an agent has used.
    agents_end: u32,
    touch: [Option<Price>; 2],
    /// Number of the first request after [`mark`](Self::mark), and the best prices right after it, once it was carried out.
    marked: u64,
    touch_after_mark: Option<[Option<Price>; 2]>,
    fills: Vec<AgentFill>,
    /// Events about agents' orders that have not been reported yet, with their times.
    agent_events: Vec<(f64, Event)>,
    /// True if there is a log or a digest.
    is_recorded: bool,
    log: Option<Vec<(f64, Event)>>,
    digest: Option<EventDigest>,
}

impl Market {
    /// An empty market at time 0.
    ///
    /// # Errors
    /// See [`OrderBook::new`].
    pub fn new(config: BookConfig) -> Result<Self, ConfigError> {
        Ok(Self {
            book: OrderBook::new(config)?,
            now: 0.0,
            events: Vec::with_capacity(64),
            tally: OrderTally::default(),
            traded: 0,
            requests: 0,
            foreign_requests: 0,
            has_agents: false,
            has_listeners: false,
            notes_taken: false,
            taken: Vec::new(),
            agents_end: FIRST_AGENT.0,
            touch: [None; 2],
            marked: 0,
            touch_after_mark: None,
            fills: Vec::new(),
            agent_events: Vec::new(),
            is_recorded: false,
            log: None,
            digest: None,
        })
    }

    /// Empties the market and sets its clock to `now` (s). Keeps its memory, and whether it logs and digests.
    pub fn clear(&mut self, now: f64) {
        self.book.clear();
        self.now = now;
        self.events.clear();
        self.tally = OrderTally::default();
        (self.traded, self.requests, self.foreign_requests) = (0, 0, 0);
        (self.marked, self.touch_after_mark) = (0, None);
        self.fills.clear();
        self.agent_events.clear();
        self.taken.clear();
        self.log.iter_mut().for_each(Vec::clear);
        self.digest.iter_mut().for_each(|digest| *digest = EventDigest::new());
    }

    /// The book, for its views.
    #[inline]
    pub fn book(&self) -> &OrderBook {
        &self.book
    }

    /// Time in seconds.
    #[inline]
    pub fn now(&self) -> f64 {
        self.now
    }

    /// Moves the clock (s).
    #[inline]
    pub(crate) fn set_now(&mut self, now: f64) {
        self.now = now;
    }

    /// Events of the latest request.
    #[inline]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// What orders have asked for since the last [`take_tally`](Self::take_tally).
    pub fn tally(&self) -> OrderTally {
        self.tally
    }

    /// Hands the tally out and starts a new one.
    pub fn take_tally(&mut self) -> OrderTally {
        std::mem::take(&mut self.tally)
    }

    /// Lots traded since the market was cleared.
    #[inline]
    pub fn traded(&self) -> u64 {
        self.traded
    }

    /// Requests carried out since the market was cleared, the opening book's included.
    #[inline]
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Requests of others than the crowd since the market was cleared.
    #[inline]
    pub fn foreign_requests(&self) -> u64 {
        self.foreign_requests
    }

    /// Wants to know the best prices right after the next request, whoever's; nothing is noted without agents.
    pub fn mark(&mut self) {
        (self.marked, self.touch_after_mark) = (self.requests + 1, None);
    }

    /// Best bid and best ask right after the first request since [`mark`](Self::mark); `None` while there was none.
    pub fn touch_after_mark(&self) -> Option<[Option<Price>; 2]> {
        self.touch_after_mark
    }

    /// Fills of agents that nobody has taken yet, oldest first.
    pub fn fills(&self) -> &[AgentFill] {
        &self.fills
    }

    /// Hands each fill of agents out once, oldest first.
    pub fn drain_fills(&mut self) -> std::vec::Drain<'_, AgentFill> {
        self.fills.drain(..)
    }

    /// Notes the fills of owners from [`FIRST_AGENT`] on, from now on.
    pub fn watch_agents(&mut self, watch: bool) {
        self.has_agents = watch;
    }

    /// Notes the events about agents' orders too, from now on: a desk reports them.
    pub(super) fn listen(&mut self) {
        self.has_agents = true;
        self.has_listeners = true;
    }

    /// The best price of others than `owner`, one order left aside. Cost: the levels where nobody else stands.
    fn best_without(&self, side: Side, owner: Owner, except: Option<Handle>) -> Option<Price> {
        let is_other = |order: &crate::OrderView| order.owner != owner && Some(order.handle) != except;
        let mut levels = self.book.levels(side);
        levels
            .find(|&(price, ..)| self.book.orders_at(side, price).any(|order| is_other(&order)))
            .map(|l| l.0)
    }

    /// Best prices of others than `owner` before the latest request, in which `owner` traded with `taker` or as it.
    #[cold]
    fn others_before(&self, owner: Owner, taker: Handle, aggressor: Side) -> [Option<Price>; 2] {
        let mut others = [None; 2];
        // The incoming order may have come to rest on its own side, which is otherwise as it was.
        others[aggressor.index()] = self.best_without(aggressor, owner, Some(taker));
        // On the other side, the first that was traded with is the best there was.
        let hit = aggressor.opposite();
        let traded = self.events.iter().find_map(|event| match *event {
            Event::Trade { maker_owner, price, .. } if maker_owner != owner => Some(price),
            _ => None,
        });
        others[hit.index()] = traded.or_else(|| self.best_without(hit, owner, None));
        others
    }

    /// Keeps every event with its time (s), or stops to.
    pub fn keep_log(&mut self, keep: bool) {
        self.log = keep.then(Vec::new);
        self.is_recorded = keep || self.digest.is_some();
    }

    /// The events kept since the market was cleared or the log was drained.
    pub fn log(&self) -> &[(f64, Event)] {
        self.log.as_deref().unwrap_or_default()
    }

    /// Hands the kept events out.
    pub fn take_log(&mut self) -> Vec<(f64, Event)> {
        self.log.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Keeps a digest of every event and its time, or stops to.
    pub fn keep_digest(&mut self, keep: bool) {
        self.digest = keep.then(EventDigest::new);
        self.is_recorded = keep || self.log.is_some();
    }

    /// The digest of all events since the market was cleared, if it is kept.
    pub fn events_digest(&self) -> Option<u64> {
        self.digest.as_ref().map(EventDigest::finish)
    }

    /// Submits an order; see [`OrderBook::submit`].
    ///
    /// # Errors
    /// See [`OrderBook::submit`].
    #[inline]
    pub fn submit(&mut self, order: NewOrder) -> Result<Handle, RejectReason> {
        let tally = match order.kind {
            OrderKind::Limit { .. } | OrderKind::StopLimit { .. } => &mut self.tally.limit,
            OrderKind::Market | OrderKind::Stop { .. } => &mut self.tally.market,
        };
        tally[order.side.index()] = tally[order.side.index()].saturating_add(order.quantity.0);
        self.request(order.owner, |book, events| book.submit(order, events))
    }

    /// Submits a plain limit order of the crowd: [`submit`](Self::submit) without what only others need. False if it was refused.
    #[inline]
    pub(crate) fn submit_crowd_limit(&mut self, side: Side, price: Price, quantity: Quantity) -> bool {
        let tally = &mut self.tally.limit[side.index()];
        *tally = tally.saturating_add(quantity.0);
        self.request(CROWD, |book, events| {
            book.submit_plain_limit(CROWD, side, price, quantity, events).is_ok()
        })
    }

    /// A market order of the crowd trades with one resting order, whatever its place in the queue: see [`OrderBook::execute`]. Returns the lots
    /// traded, 0 if no such order rests.
    pub(crate) fn execute(&mut self, handle: Handle, quantity: Quantity) -> u64 {
        let traded = self.request(CROWD, |book, events| book.execute(CROWD, handle, quantity, events));
        traded.map_or(0, |traded| traded.0)
    }

    /// Counts a market order of the crowd that [`execute`](Self::execute) carries out in parts.
    pub(crate) fn count_market_order(&mut self, side: Side, lots: u64) {
        let tally = &mut self.tally.market[side.index()];
        *tally = tally.saturating_add(lots);
    }

    /// Counts a limit order of the crowd that is put into the book by other means.
    pub(crate) fn count_limit_order(&mut self, side: Side, lots: u64) {
        let tally = &mut self.tally.limit[side.index()];
        *tally = tally.saturating_add(lots);
    }

    /// Counts lots that traded outside the book: hidden ones, say.
    pub(crate) fn count_traded(&mut self, lots: u64) {
        self.traded = self.traded.saturating_add(lots);
    }

    /// Puts lots of the crowd into the book that are not to be counted as a new limit order. `None` if they were refused.
    pub(crate) fn put_back(&mut self, side: Side, price: Price, quantity: Quantity) -> Option<Handle> {
        self.request(CROWD, |book, events| book.submit_plain_limit(CROWD, side, price, quantity, events)).ok()
    }

    /// Notes what agents take from the crowd, from now on.
    pub(crate) fn note_taken(&mut self) {
        self.has_agents = true;
        self.notes_taken = true;
    }

    /// What agents took from the crowd since this was last asked.
    pub(crate) fn drain_taken(&mut self) -> std::vec::Drain<'_, TakenLots> {
        self.taken.drain(..)
    }

    /// Owner numbers that agents have used.
    pub(crate) fn agents(&self) -> impl Iterator<Item = Owner> + use<> {
        (FIRST_AGENT.0..self.agents_end).map(Owner)
    }

    /// Cancels an order of `owner`; see [`OrderBook::cancel`].
    ///
    /// # Errors
    /// See [`OrderBook::cancel`].
    pub fn cancel(&mut self, owner: Owner, handle: Handle) -> Result<Quantity, RejectReason> {
        self.quiet_request(owner, |book, events| book.cancel(handle, events))
    }

    /// Cancels lots of `owner` at a price, newest first; see [`OrderBook::cancel_quantity`].
    ///
    /// # Errors
    /// See [`OrderBook::cancel_quantity`].
    #[inline]
    pub fn cancel_quantity(
        &mut self,
        owner: Owner,
        side: Side,
        price: Price,
        quantity: Quantity,
    ) -> Result<Quantity, RejectReason> {
        self.quiet_request(owner, |book, events| book.cancel_quantity(owner, side, price, quantity, events))
    }

    /// Cancels all orders of `owner`; see [`OrderBook::mass_cancel`].
    pub fn mass_cancel(&mut self, owner: Owner, side: Option<Side>) -> usize {
        self.quiet_request(owner, |book, events| book.mass_cancel(owner, side, events))
    }

    /// Changes an order of `owner`; see [`OrderBook::amend`].
    ///
    /// # Errors
    /// See [`OrderBook::amend`].
    pub fn amend(&mut self, owner: Owner, handle: Handle, amendment: Amendment) -> Result<(), RejectReason> {
        self.request(owner, |book, events| book.amend(handle, amendment, events))
    }

    /// A request that may trade.
    #[inline]
    fn request<R>(&mut self, owner: Owner, request: impl FnOnce(&mut OrderBook, &mut Vec<Event>) -> R) -> R {
        if self.has_agents {
            self.touch = [self.book.best_bid(), self.book.best_ask()];
        }
        self.begin(owner);
        let result = request(&mut self.book, &mut self.events);
        // The first event says that the request was accepted or refused; trades come after it.
        let has_traded = self.events.len() > 1 && self.count_trades();
        self.end(owner, has_traded);
        result
    }

    /// A request that only takes orders out of the book.
    #[inline]
    fn quiet_request<R>(
        &mut self,
        owner: Owner,
        request: impl FnOnce(&mut OrderBook, &mut Vec<Event>) -> R,
    ) -> R {
        self.begin(owner);
        let result = request(&mut self.book, &mut self.events);
        self.end(owner, false);
        result
    }

    #[inline(always)]
    fn begin(&mut self, owner: Owner) {
        self.events.clear();
        self.requests += 1;
        if owner != CROWD {
            self.foreign_requests += 1;
            self.agents_end = self.agents_end.max(owner.0 + 1);
        }
    }

    #[inline(always)]
    fn end(&mut self, owner: Owner, has_traded: bool) {
        if self.has_agents {
            if self.requests == self.marked {
                self.touch_after_mark = Some([self.book.best_bid(), self.book.best_ask()]);
            }
            // Without a trade there is no fill; what else happens to agents' orders their own requests do, and only listeners want to know.
            if has_traded || (self.has_listeners && owner >= FIRST_AGENT) {
                self.note_agents();
            }
        }
        if self.is_recorded {
            self.note_events();
        }
    }

    /// Adds up what the latest request has traded; false if it has not.
    fn count_trades(&mut self) -> bool {
        let mut has_traded = false;
        for event in &self.events {
            if let Event::Trade { quantity, .. } = event {
                self.traded = self.traded.saturating_add(quantity.0);
                has_traded = true;
            }
        }
        has_traded
    }

    fn note_agents(&mut self) {
        let (time, touch) = (self.now, self.touch);
        for index in 0..self.events.len() {
            let event = self.events[index];
            let agents = match event {
                Event::Trade {
                    maker, taker, maker_owner, taker_owner, price, quantity, aggressor, ..
                } => {
                    if maker_owner >= FIRST_AGENT {
                        let side = aggressor.opposite();
                        let fill = Fill { side, price, quantity, liquidity: Liquidity::Maker };
                        let others = self.others_before(maker_owner, taker, aggressor);
                        let owner = maker_owner;
                        self.fills.push(AgentFill { time, owner, handle: maker, fill, touch, others });
                    }
                    if self.notes_taken && maker_owner == CROWD && taker_owner >= FIRST_AGENT {
                        let side = aggressor.opposite();
                        self.taken.push(TakenLots { maker, side, price, lots: quantity.0 });
                    }
                    if taker_owner >= FIRST_AGENT {
                        let fill = Fill { side: aggressor, price, quantity, liquidity: Liquidity::Taker };
                        let others = self.others_before(taker_owner, taker, aggressor);
                        let owner = taker_owner;
                        self.fills.push(AgentFill { time, owner, handle: taker, fill, touch, others });
                    }
                    maker_owner >= FIRST_AGENT || taker_owner >= FIRST_AGENT
                }
                Event::Accepted { owner, .. }
                | Event::Cancelled { owner, .. }
                | Event::Amended { owner, .. }
                | Event::Triggered { owner, .. }
                | Event::Expired { owner, .. }
                | Event::Replenished { owner, .. } => owner >= FIRST_AGENT,
                // Refusals are reported by what the request returns.
                Event::Rejected { .. } => false,
            };
            if agents && self.has_listeners {
                self.agent_events.push((time, event));
            }
        }
    }

    /// True if events about agents' orders wait to be reported.
    #[inline]
    pub(super) fn has_news(&self) -> bool {
        !self.agent_events.is_empty()
    }

    /// Hands out the events about agents' orders, to be given back empty.
    pub(super) fn exchange_news(&mut self, empty: Vec<(f64, Event)>) -> Vec<(f64, Event)> {
        std::mem::replace(&mut self.agent_events, empty)
    }

    #[cold]
    fn note_events(&mut self) {
        if let Some(log) = &mut self.log {
            log.extend(self.events.iter().map(|&event| (self.now, event)));
        }
        if let Some(digest) = &mut self.digest {
            digest.time(self.now);
            digest.extend(&self.events);
        }
    }
}
