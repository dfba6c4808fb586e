//! A market session from Python: `lobgym.Simulator`.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use agents::simulate::{RecordedEvent, Sides};
use gym::MarketSettings;
use lob::models::{FeeConfig, FeeModel, Liquidity, OrderFees};
use lob::sim::{Command, DeskId, News, Report, Simulator, Ticket};
use lob::{Account, BookConfig, Handle, NewOrder, OrderKind, Owner, Price, Side, TimeInForce};
use numpy::{Element, PyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arguments::{self, illegal};
use crate::book::event::{EventRow, HAS_PRICE, reject_code, side_code};
use crate::book::view::{self, Depth, OrderRow};
use crate::book::{amendment, new_order};
use crate::record::record;
use crate::{errors, market};

/// Sessions look some 40 ticks deep; a small window makes forks cheap.
const WINDOW_LEVELS: usize = 256;
/// How long a session is played between two looks at Ctrl-C.
const SLICE: Duration = Duration::from_millis(50);
/// Flag of a report: the order that traded was resting.
const MAKER: u8 = 1;

type Argument<'a, 'py> = &'a Bound<'py, PyAny>;

record! {
    /// One event of a session, 64 bytes: `lobgym.SESSION_EVENT_DTYPE`.
    SessionEventRow {
        time: f64 = "f8",
        kind: u8 = "u1",
        side: u8 = "u1",
        reason: u8 = "u1",
        flags: u8 = "u1",
        owner: u32 = "u4",
        handle: u64 = "u8",
        price: i64 = "i8",
        quantity: u64 = "u8",
        left: u64 = "u8",
        maker_handle: u64 = "u8",
        maker_owner: u32 = "u4",
    } padding { _padding: [u8; 4] }
}

record! {
    /// What an agent is told: `lobgym.REPORT_DTYPE`.
    ReportRow {
        time: f64 = "f8",
        ticket: i64 = "i8",
        price: i64 = "i8",
        quantity: u64 = "u8",
        kind: u8 = "u1",
        reason: u8 = "u1",
        flags: u8 = "u1",
    } padding { _padding: [u8; 5] }
}

record! {
    /// A fill of the agent's: `lobgym.FILL_DTYPE`.
    FillRow {
        time: f64 = "f8",
        price: i64 = "i8",
        quantity: u64 = "u8",
        fee: f64 = "f8",
        best_bid: f64 = "f8",
        best_ask: f64 = "f8",
        ticket: u32 = "u4",
        side: u8 = "u1",
        maker: u8 = "?",
    } padding { _padding: [u8; 2] }
}

record! {
    /// An order of the agent's, as it knows it: `lobgym.AGENT_ORDER_DTYPE`.
    AgentOrderRow {
        price: i64 = "i8",
        open: u64 = "u8",
        ticket: u32 = "u4",
        side: u8 = "u1",
        flags: u8 = "u1",
    } padding { _padding: [u8; 2] }
}

impl SessionEventRow {
    /// The row of an event, with the side of the order it is about.
    pub(crate) fn new(recorded: &RecordedEvent) -> Self {
        let row = EventRow::new(&recorded.event, Handle::to_bits);
        Self {
            time: recorded.time,
            kind: row.kind,
            side: side_code(recorded.side),
            reason: row.reason,
            flags: row.flags,
            owner: row.owner,
            handle: row.id,
            price: row.price,
            quantity: row.quantity,
            left: row.left,
            maker_handle: row.maker_id,
            maker_owner: row.maker_owner,
            ..Self::default()
        }
    }
}

impl ReportRow {
    fn new(report: &Report) -> Self {
        let ticket = report.ticket.map_or(-1, |ticket| i64::from(ticket.0));
        let row = Self { time: report.at, ticket, ..Self::default() };
        match report.news {
            News::Accepted => Self { kind: 0, ..row },
            News::Rejected(reason) => Self { kind: 1, reason: reject_code(reason), ..row },
            News::Filled { price, quantity, maker } => Self {
                kind: 2,
                price: price.0,
                quantity: quantity.0,
                flags: HAS_PRICE | if maker { MAKER } else { 0 },
                ..row
            },
            News::Cancelled(quantity) => Self { kind: 3, quantity: quantity.0, ..row },
            News::Amended(quantity) => Self { kind: 4, quantity: quantity.0, ..row },
            News::Triggered => Self { kind: 5, ..row },
            News::Expired => Self { kind: 6, ..row },
        }
    }
}

/// See `_core.pyi`.
#[pyclass(module = "lobgym._core", name = "Simulator")]
#[derive(Clone)]
pub(crate) struct PySimulator {
    /// Boxed: it wants cache lines of its own, and Python's objects start at multiples of 16 bytes.
    sim: Box<Simulator>,
    desk: DeskId,
    fee_schedule: FeeConfig,
    account: Account,
    fills: Vec<FillRow>,
    /// What each order has been charged, and its ticket, by its handle.
    orders: HashMap<u64, (u32, OrderFees)>,
    /// Tickets whose orders had not arrived when they were last looked for.
    under_way: Vec<u32>,
    sides: Sides,
    market: String,
    has_log: bool,
}

// Python's allocator knows no stricter alignment.
const _: () = assert!(align_of::<PySimulator>() <= 16);

impl PySimulator {
    fn make(settings: &MarketSettings, keep_log: bool, keep_digest: bool) -> PyResult<Self> {
        let resolved = settings.resolve(market::directory()).map_err(|error| errors::config(&error))?;
        let book = BookConfig { window_levels: WINDOW_LEVELS, ..BookConfig::default() };
        let mut sim =
            Simulator::new(&resolved.flow, book).map_err(|error| PyValueError::new_err(error.to_string()))?;
        let desk = sim.add_desk(resolved.latency);
        sim.market_mut().keep_log(keep_log);
        sim.market_mut().keep_digest(keep_digest);
        Ok(Self {
            sim: Box::new(sim),
            desk,
            fee_schedule: resolved.fees,
            account: Account::new(),
            fills: Vec::new(),
            orders: HashMap::new(),
            under_way: Vec::new(),
            sides: Sides::default(),
            market: settings.market.clone(),
            has_log: keep_log,
        })
    }

    fn start(&mut self, py: Python<'_>, seed: u64) -> PyResult<()> {
        self.sim.reset(seed);
        self.account = Account::new();
        self.fills.clear();
        self.orders.clear();
        self.under_way.clear();
        self.sides = Sides::default();
        self.play(py, 0.0)
    }

    /// Plays up to a time, without the interpreter's lock, with a look at Ctrl-C now and then. Where the pauses fall changes nothing.
    fn play(&mut self, py: Python<'_>, until: f64) -> PyResult<()> {
        let mut slice = 1.0;
        loop {
            let next = (self.sim.market().now() + slice).min(until);
            let took = py.detach(|| {
                let started = Instant::now();
                self.sim.run_until(next);
                self.book_fills();
                started.elapsed()
            });
            if next >= until {
                return Ok(());
            }
            if took < SLICE / 2 {
                slice *= 2.0;
            } else if took > SLICE * 2 {
                slice = (slice / 2.0).max(1e-3);
            }
            py.check_signals()?;
        }
    }

    /// Books what has been filled since it was last called.
    fn book_fills(&mut self) {
        if self.sim.market().fills().is_empty() {
            return;
        }
        let desk = self.sim.desk(self.desk);
        let orders = &mut self.orders;
        self.under_way.retain(|&ticket| match desk.handle(Ticket(ticket)) {
            Some(handle) => {
                orders.insert(handle.to_bits(), (ticket, OrderFees::default()));
                false
            }
            None => true,
        });
        for fill in self.sim.market_mut().drain_fills() {
            let (ticket, charged) = self.orders.entry(fill.handle.to_bits()).or_default();
            let fee = self.fee_schedule.fee(&fill.fill, charged);
            self.account.apply(&fill.fill, fee);
            let price = |price: Option<Price>| price.map_or(f64::NAN, |price| price.0 as f64);
            self.fills.push(FillRow {
                time: fill.time,
                price: fill.fill.price.0,
                quantity: fill.fill.quantity.0,
                fee,
                best_bid: price(fill.touch[0]),
                best_ask: price(fill.touch[1]),
                ticket: *ticket,
                side: fill.fill.side as u8,
                maker: u8::from(fill.fill.liquidity == Liquidity::Maker),
                ..FillRow::default()
            });
        }
    }

    fn submit(&mut self, order: NewOrder) -> PyResult<u32> {
        if matches!(order.time_in_force, TimeInForce::Gtd(_)) {
            return Err(illegal(
                "time_in_force",
                "\"gtd\"",
                "\"gtc\", \"ioc\", \"fok\": sessions expire no orders",
            ));
        }
        let Ticket(ticket) = self.sim.submit(self.desk, order);
        self.under_way.push(ticket);
        self.book_fills();
        Ok(ticket)
    }

    fn send(&mut self, command: Command) {
        self.sim.send(self.desk, command);
        self.book_fills();
    }

    fn ticket(&self, value: Argument<'_, '_>) -> PyResult<Ticket> {
        let sent = self.sim.desk(self.desk).sent();
        let legal = format!("a ticket of this session: an integer below {sent}");
        let ticket: u32 = arguments::number("ticket", value, &legal)?;
        if ticket < sent { Ok(Ticket(ticket)) } else { Err(illegal("ticket", ticket, &legal)) }
    }

    fn best(&self, side: Side) -> Option<i64> {
        self.sim.market().book().best(side).map(|Price(price)| price)
    }
}

#[pymethods]
impl PySimulator {
    #[new]
    #[pyo3(signature = (market="noise", seed=None, *, keep_log=false, keep_digest=false, **settings))]
    fn new(
        py: Python<'_>,
        market: &str,
        seed: Option<Argument<'_, '_>>,
        keep_log: bool,
        keep_digest: bool,
        settings: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let seed = seed.map_or(Ok(0), |seed| arguments::count("seed", seed, 0, u64::MAX))?;
        let mut simulator = Self::make(&market::settings(market, settings)?, keep_log, keep_digest)?;
        simulator.start(py, seed)?;
        Ok(simulator)
    }

    /// Starts a new session.
    fn reset(&mut self, py: Python<'_>, seed: Argument<'_, '_>) -> PyResult<()> {
        let seed = arguments::count("seed", seed, 0, u64::MAX)?;
        self.start(py, seed)
    }

    /// Plays everything that comes before a time.
    fn run_until(&mut self, py: Python<'_>, time: Argument<'_, '_>) -> PyResult<()> {
        let now = self.sim.market().now();
        let legal = format!("a finite number of seconds, at least now ({now})");
        let time: f64 = arguments::number("time", time, &legal)?;
        if !(time.is_finite() && time >= now) {
            return Err(illegal("time", time, &legal));
        }
        self.play(py, time)
    }

    /// Sends a limit order.
    #[pyo3(signature = (side, price, quantity, *, time_in_force=None, post_only=false, display=None))]
    fn submit_limit(
        &mut self,
        side: Argument<'_, '_>,
        price: Argument<'_, '_>,
        quantity: Argument<'_, '_>,
        time_in_force: Option<Argument<'_, '_>>,
        post_only: bool,
        display: Option<Argument<'_, '_>>,
    ) -> PyResult<u32> {
        let order = new_order(side, quantity, None, time_in_force, None, post_only, display)?;
        self.submit(NewOrder { kind: OrderKind::Limit { price: arguments::price("price", price)? }, ..order })
    }

    /// Sends a market order.
    fn submit_market(&mut self, side: Argument<'_, '_>, quantity: Argument<'_, '_>) -> PyResult<u32> {
        self.submit(new_order(side, quantity, None, None, None, false, None)?)
    }

    /// Sends a stop order.
    fn submit_stop(
        &mut self,
        side: Argument<'_, '_>,
        stop: Argument<'_, '_>,
        quantity: Argument<'_, '_>,
    ) -> PyResult<u32> {
        let order = new_order(side, quantity, None, None, None, false, None)?;
        self.submit(NewOrder { kind: OrderKind::Stop { stop: arguments::price("stop", stop)? }, ..order })
    }

    /// Sends a cancellation.
    fn cancel(&mut self, ticket: Argument<'_, '_>) -> PyResult<()> {
        let ticket = self.ticket(ticket)?;
        self.send(Command::Cancel(ticket));
        Ok(())
    }

    /// Sends an amendment.
    #[pyo3(signature = (ticket, *, quantity=None, price=None, stop=None))]
    fn amend(
        &mut self,
        ticket: Argument<'_, '_>,
        quantity: Option<Argument<'_, '_>>,
        price: Option<Argument<'_, '_>>,
        stop: Option<Argument<'_, '_>>,
    ) -> PyResult<()> {
        let (ticket, amendment) = (self.ticket(ticket)?, amendment(quantity, price, stop)?);
        self.send(Command::Amend(ticket, amendment));
        Ok(())
    }

    /// Sends a cancellation of lots at a price.
    fn cancel_quantity(
        &mut self,
        side: Argument<'_, '_>,
        price: Argument<'_, '_>,
        quantity: Argument<'_, '_>,
    ) -> PyResult<()> {
        let side = arguments::side("side", side)?;
        let (price, quantity) =
            (arguments::price("price", price)?, arguments::quantity("quantity", quantity)?);
        self.send(Command::CancelQuantity(side, price, quantity));
        Ok(())
    }

    /// Sends a cancellation of everything.
    #[pyo3(signature = (side=None))]
    fn cancel_all(&mut self, side: Option<Argument<'_, '_>>) -> PyResult<()> {
        let side = arguments::either_side("side", side)?;
        self.send(Command::CancelAll(side));
        Ok(())
    }

    /// What the agent has been told since it last asked.
    fn reports<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyArray1<ReportRow>> {
        let reports = self.sim.desk_mut(self.desk).take_reports();
        PyArray1::from_vec(py, reports.map(|report| ReportRow::new(&report)).collect())
    }

    /// The agent's fills of this session.
    fn fills<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<FillRow>> {
        PyArray1::from_slice(py, &self.fills)
    }

    /// The agent's orders that may still trade, as far as it knows.
    fn orders<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<AgentOrderRow>> {
        let orders = self.sim.desk(self.desk).orders().iter();
        let rows = orders.map(|order| AgentOrderRow {
            price: order.price.map_or(0, |price| price.0),
            open: order.open.0,
            ticket: order.ticket.0,
            side: order.side as u8,
            flags: if order.price.is_some() { HAS_PRICE } else { 0 },
            ..AgentOrderRow::default()
        });
        PyArray1::from_vec(py, rows.collect())
    }

    /// Visible lots and orders ahead of one of the agent's.
    fn queue_position(&self, ticket: Argument<'_, '_>) -> PyResult<Option<(u64, u64)>> {
        let handle = self.sim.desk(self.desk).handle(self.ticket(ticket)?);
        let position = handle.and_then(|handle| self.sim.market().book().queue_position(handle));
        Ok(position.map(|position| (position.quantity_ahead.0, position.orders_ahead)))
    }

    /// Hands out the events that have been kept since it was last called.
    fn events<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<SessionEventRow>>> {
        if !self.has_log {
            return Err(illegal(
                "keep_log",
                "False",
                "True, at construction, for a session whose events are asked for",
            ));
        }
        let rows = py.detach(|| {
            let log = self.sim.market_mut().take_log();
            let recorded = log.into_iter().map(|(time, event)| RecordedEvent {
                time,
                event,
                side: self.sides.follow(&event),
            });
            recorded.map(|event| SessionEventRow::new(&event)).collect()
        });
        Ok(PyArray1::from_vec(py, rows))
    }

    /// The best levels of each side: bids, asks.
    #[pyo3(signature = (levels=None))]
    fn depth<'py>(&self, py: Python<'py>, levels: Option<Argument<'_, 'py>>) -> PyResult<Depth<'py>> {
        let levels = match levels {
            None => 10,
            Some(levels) => arguments::count("levels", levels, 1, u64::from(u32::MAX))? as usize,
        };
        Ok(view::depth(py, self.sim.market().book(), levels))
    }

    /// All resting orders in priority order, by their handles.
    #[pyo3(signature = (side=None))]
    fn book_orders<'py>(
        &self,
        py: Python<'py>,
        side: Option<Argument<'_, 'py>>,
    ) -> PyResult<Bound<'py, PyArray1<OrderRow>>> {
        let side = arguments::either_side("side", side)?;
        Ok(view::orders(py, self.sim.market().book(), side, Handle::to_bits))
    }

    /// Visible lots at a price.
    fn quantity_at(&self, side: Argument<'_, '_>, price: Argument<'_, '_>) -> PyResult<u64> {
        let (side, price) = (arguments::side("side", side)?, arguments::price("price", price)?);
        Ok(self.sim.market().book().quantity_at(side, price).0)
    }

    #[getter]
    fn best_bid(&self) -> Option<i64> {
        self.best(Side::Buy)
    }

    #[getter]
    fn best_ask(&self) -> Option<i64> {
        self.best(Side::Sell)
    }

    #[getter]
    fn spread(&self) -> Option<u64> {
        self.sim.market().book().spread()
    }

    #[getter]
    fn mid(&self) -> Option<f64> {
        self.sim.market().book().mid()
    }

    #[getter]
    fn microprice(&self) -> Option<f64> {
        self.sim.market().book().microprice()
    }

    #[getter]
    fn last_trade(&self) -> Option<i64> {
        self.sim.market().book().last_trade().map(|price| price.0)
    }

    #[getter]
    fn now(&self) -> f64 {
        self.sim.market().now()
    }

    #[getter]
    fn seed(&self) -> u64 {
        self.sim.seed()
    }

    #[getter]
    fn owner(&self) -> u32 {
        let Owner(owner) = self.sim.desk(self.desk).owner();
        owner
    }

    #[getter]
    fn traded(&self) -> u64 {
        self.sim.market().traded()
    }

    #[getter]
    fn position(&self) -> i128 {
        self.account.position()
    }

    #[getter]
    fn cash(&self) -> i128 {
        self.account.cash()
    }

    #[getter]
    fn fees(&self) -> f64 {
        self.account.fees()
    }

    /// Mark-to-market profit, after fees.
    fn profit(&self) -> Option<f64> {
        let mid = self.mid().or(if self.account.position() == 0 { Some(0.0) } else { None });
        mid.map(|mark| self.account.profit(mark))
    }

    /// A digest of the book's state.
    fn digest(&self) -> u64 {
        self.sim.market().book().digest()
    }

    /// A digest of all events of the session.
    #[getter]
    fn events_digest(&self) -> Option<u64> {
        self.sim.market().events_digest()
    }

    /// A session of its own with the same past and, if the same is done to it, the same future.
    fn fork(&self) -> Self {
        self.clone()
    }

    fn __copy__(&self) -> Self {
        self.clone()
    }

    fn __deepcopy__(&self, _memo: Argument<'_, '_>) -> Self {
        self.clone()
    }

    fn __repr__(&self) -> String {
        let (market, seed, now) = (&self.market, self.sim.seed(), self.sim.market().now());
        format!("Simulator(market={market:?}, seed={seed}, now={now})")
    }
}

/// Adds the dtypes.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("SESSION_EVENT_DTYPE", SessionEventRow::get_dtype(py))?;
    module.add("REPORT_DTYPE", ReportRow::get_dtype(py))?;
    module.add("FILL_DTYPE", FillRow::get_dtype(py))?;
    module.add("AGENT_ORDER_DTYPE", AgentOrderRow::get_dtype(py))?;
    Ok(())
}
