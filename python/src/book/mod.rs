//! The order book from Python: `lobgym.OrderBook`.

pub(crate) mod event;
pub(crate) mod message;
pub(crate) mod view;

use lob::{Amendment, BookConfig, Event, ExternalBook, Handle, NewOrder, Price, Side};
use numpy::{Element, PyArray1, PyReadonlyArray1};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::arguments::{self, illegal};
use crate::record;
use event::{EventRow, apply};
use message::{BasicRow, Malformed, Message, MessageRow, Operation};
use view::{Depth, LevelRow, OrderRow, StopRow};

/// Messages between two looks at Ctrl-C.
const CHUNK: usize = 1 << 17;
/// Orders that room may be made for at construction.
const MOST_CAPACITY: u64 = 10_000_000;

type Events<'py> = Bound<'py, PyArray1<EventRow>>;
type Argument<'a, 'py> = &'a Bound<'py, PyAny>;

/// See `_core.pyi`.
#[pyclass(module = "lobgym._core", name = "OrderBook")]
#[derive(Clone)]
pub(crate) struct PyOrderBook {
    book: ExternalBook,
    /// Scratch memory of one message.
    events: Vec<Event>,
}

// Python's allocator knows no stricter alignment.
const _: () = assert!(align_of::<PyOrderBook>() <= 16);

impl PyOrderBook {
    fn new_with(book: ExternalBook) -> Self {
        Self { book, events: Vec::with_capacity(64) }
    }

    /// One message, and its events.
    fn request<'py>(&mut self, py: Python<'py>, operation: Operation) -> Events<'py> {
        let mut rows = Vec::with_capacity(4);
        apply(&mut self.book, operation, 0, &mut self.events, &mut rows);
        PyArray1::from_vec(py, rows)
    }

    fn name(&self, handle: Handle) -> u64 {
        self.book.external_id(handle).unwrap_or(0)
    }

    fn process_rows<'py, T: Message + Element>(
        &mut self,
        py: Python<'py>,
        messages: &PyReadonlyArray1<'py, T>,
    ) -> PyResult<Events<'py>> {
        let messages = messages.as_slice().map_err(|error| PyValueError::new_err(error.to_string()))?;
        if u32::try_from(messages.len()).is_err() {
            return Err(illegal("len(messages)", messages.len(), "at most 2^32 - 1"));
        }
        py.detach(|| {
            messages.iter().enumerate().try_for_each(|(row, message)| {
                message.decode().map(drop).map_err(|problem| malformed(row, problem))
            })
        })?;
        let mut rows: Vec<EventRow> = Vec::new();
        for (chunk, messages) in messages.chunks(CHUNK).enumerate() {
            let first = chunk * CHUNK;
            py.detach(|| {
                rows.reserve(messages.len() + messages.len() / 2 + 8);
                for (index, message) in messages.iter().enumerate() {
                    // Checked above; another thread that writes to the array meanwhile is told rather than obeyed.
                    let operation = message.decode().map_err(|problem| malformed(first + index, problem))?;
                    apply(&mut self.book, operation, (first + index) as u32, &mut self.events, &mut rows);
                }
                Ok::<_, PyErr>(())
            })?;
            py.check_signals()?;
        }
        Ok(PyArray1::from_vec(py, rows))
    }
}

fn malformed(row: usize, Malformed { field, value, legal }: Malformed) -> PyErr {
    PyValueError::new_err(format!("messages[{row}][{field:?}] is {value}; legal: {legal}"))
}

fn id(value: Argument<'_, '_>) -> PyResult<u64> {
    arguments::number("id", value, "an integer from 0 to 2^64 - 1")
}

#[pymethods]
impl PyOrderBook {
    #[new]
    #[pyo3(signature = (*, min_price=None, max_price=None, max_owners=None, self_trade_prevention=None, window_levels=None, order_capacity=None))]
    fn new(
        min_price: Option<Argument<'_, '_>>,
        max_price: Option<Argument<'_, '_>>,
        max_owners: Option<Argument<'_, '_>>,
        self_trade_prevention: Option<Argument<'_, '_>>,
        window_levels: Option<Argument<'_, '_>>,
        order_capacity: Option<Argument<'_, '_>>,
    ) -> PyResult<Self> {
        let mut config = BookConfig::default();
        if let Some(value) = min_price {
            config.min_price = arguments::price("min_price", value)?;
        }
        if let Some(value) = max_price {
            config.max_price = arguments::price("max_price", value)?;
        }
        if let Some(value) = max_owners {
            config.max_owners = arguments::count("max_owners", value, 1, 1 << 24)? as u32;
        }
        if let Some(value) = self_trade_prevention {
            config.self_trade_prevention = arguments::self_trade_prevention("self_trade_prevention", value)?;
        }
        if let Some(value) = window_levels {
            config.window_levels = arguments::count("window_levels", value, 64, 4096)? as usize;
        }
        if let Some(value) = order_capacity {
            config.order_capacity = arguments::count("order_capacity", value, 0, MOST_CAPACITY)? as usize;
        }
        let book = ExternalBook::new(config).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(Self::new_with(book))
    }

    /// Carries out a batch of messages.
    fn process<'py>(&mut self, py: Python<'py>, messages: Argument<'_, 'py>) -> PyResult<Events<'py>> {
        if let Some(rows) = record::rows::<MessageRow>("messages", messages)? {
            return self.process_rows(py, &rows);
        }
        if let Some(rows) = record::rows::<BasicRow>("messages", messages)? {
            return self.process_rows(py, &rows);
        }
        let found = messages.getattr("dtype")?;
        Err(illegal("messages.dtype", found, "lobgym.MESSAGE_DTYPE, lobgym.BASIC_MESSAGE_DTYPE"))
    }

    /// Submits a limit order.
    #[pyo3(signature = (id, side, price, quantity, *, owner=None, time_in_force=None, expiry=None, post_only=false, display=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments in Python")]
    fn submit_limit<'py>(
        &mut self,
        py: Python<'py>,
        id: Argument<'_, 'py>,
        side: Argument<'_, 'py>,
        price: Argument<'_, 'py>,
        quantity: Argument<'_, 'py>,
        owner: Option<Argument<'_, 'py>>,
        time_in_force: Option<Argument<'_, 'py>>,
        expiry: Option<Argument<'_, 'py>>,
        post_only: bool,
        display: Option<Argument<'_, 'py>>,
    ) -> PyResult<Events<'py>> {
        let order = new_order(side, quantity, owner, time_in_force, expiry, post_only, display)?;
        let kind = lob::OrderKind::Limit { price: arguments::price("price", price)? };
        let operation = Operation::Submit { id: self::id(id)?, order: NewOrder { kind, ..order } };
        Ok(self.request(py, operation))
    }

    /// Submits a market order.
    #[pyo3(signature = (id, side, quantity, *, owner=None, time_in_force=None))]
    fn submit_market<'py>(
        &mut self,
        py: Python<'py>,
        id: Argument<'_, 'py>,
        side: Argument<'_, 'py>,
        quantity: Argument<'_, 'py>,
        owner: Option<Argument<'_, 'py>>,
        time_in_force: Option<Argument<'_, 'py>>,
    ) -> PyResult<Events<'py>> {
        let order = new_order(side, quantity, owner, time_in_force, None, false, None)?;
        Ok(self.request(py, Operation::Submit { id: self::id(id)?, order }))
    }

    /// Submits a stop order.
    #[pyo3(signature = (id, side, stop, quantity, *, owner=None, time_in_force=None, expiry=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments in Python")]
    fn submit_stop<'py>(
        &mut self,
        py: Python<'py>,
        id: Argument<'_, 'py>,
        side: Argument<'_, 'py>,
        stop: Argument<'_, 'py>,
        quantity: Argument<'_, 'py>,
        owner: Option<Argument<'_, 'py>>,
        time_in_force: Option<Argument<'_, 'py>>,
        expiry: Option<Argument<'_, 'py>>,
    ) -> PyResult<Events<'py>> {
        let order = new_order(side, quantity, owner, time_in_force, expiry, false, None)?;
        let kind = lob::OrderKind::Stop { stop: arguments::price("stop", stop)? };
        let operation = Operation::Submit { id: self::id(id)?, order: NewOrder { kind, ..order } };
        Ok(self.request(py, operation))
    }

    /// Submits a stop-limit order.
    #[pyo3(signature = (id, side, stop, price, quantity, *, owner=None, time_in_force=None, expiry=None, post_only=false, display=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments in Python")]
    fn submit_stop_limit<'py>(
        &mut self,
        py: Python<'py>,
        id: Argument<'_, 'py>,
        side: Argument<'_, 'py>,
        stop: Argument<'_, 'py>,
        price: Argument<'_, 'py>,
        quantity: Argument<'_, 'py>,
        owner: Option<Argument<'_, 'py>>,
        time_in_force: Option<Argument<'_, 'py>>,
        expiry: Option<Argument<'_, 'py>>,
        post_only: bool,
        display: Option<Argument<'_, 'py>>,
    ) -> PyResult<Events<'py>> {
        let order = new_order(side, quantity, owner, time_in_force, expiry, post_only, display)?;
        let (stop, price) = (arguments::price("stop", stop)?, arguments::price("price", price)?);
        let kind = lob::OrderKind::StopLimit { stop, price };
        let operation = Operation::Submit { id: self::id(id)?, order: NewOrder { kind, ..order } };
        Ok(self.request(py, operation))
    }

    /// Cancels one order.
    fn cancel<'py>(&mut self, py: Python<'py>, id: Argument<'_, 'py>) -> PyResult<Events<'py>> {
        Ok(self.request(py, Operation::Cancel { id: self::id(id)? }))
    }

    /// Changes one order.
    #[pyo3(signature = (id, *, quantity=None, price=None, stop=None))]
    fn amend<'py>(
        &mut self,
        py: Python<'py>,
        id: Argument<'_, 'py>,
        quantity: Option<Argument<'_, 'py>>,
        price: Option<Argument<'_, 'py>>,
        stop: Option<Argument<'_, 'py>>,
    ) -> PyResult<Events<'py>> {
        let amendment = amendment(quantity, price, stop)?;
        Ok(self.request(py, Operation::Amend { id: self::id(id)?, amendment }))
    }

    /// Cancels lots of an owner at a price.
    fn cancel_quantity<'py>(
        &mut self,
        py: Python<'py>,
        owner: Argument<'_, 'py>,
        side: Argument<'_, 'py>,
        price: Argument<'_, 'py>,
        quantity: Argument<'_, 'py>,
    ) -> PyResult<Events<'py>> {
        let operation = Operation::CancelQuantity {
            owner: arguments::owner(owner)?,
            side: arguments::side("side", side)?,
            price: arguments::price("price", price)?,
            quantity: arguments::quantity("quantity", quantity)?,
        };
        Ok(self.request(py, operation))
    }

    /// Cancels all orders of an owner.
    #[pyo3(signature = (owner, side=None))]
    fn mass_cancel<'py>(
        &mut self,
        py: Python<'py>,
        owner: Argument<'_, 'py>,
        side: Option<Argument<'_, 'py>>,
    ) -> PyResult<Events<'py>> {
        let (owner, side) = (arguments::owner(owner)?, arguments::either_side("side", side)?);
        Ok(self.request(py, Operation::MassCancel { owner, side }))
    }

    /// Moves the clock and removes what has expired.
    fn expire<'py>(&mut self, py: Python<'py>, until: Argument<'_, 'py>) -> PyResult<Events<'py>> {
        Ok(self.request(py, Operation::Expire { until: arguments::nanos("until", until)? }))
    }

    /// Sets an owner's mode of self-trade prevention.
    fn set_self_trade_prevention<'py>(
        &mut self,
        py: Python<'py>,
        owner: Argument<'_, 'py>,
        mode: Argument<'_, 'py>,
    ) -> PyResult<Events<'py>> {
        let (owner, mode) = (arguments::owner(owner)?, arguments::self_trade_prevention("mode", mode)?);
        Ok(self.request(py, Operation::SetSelfTradePrevention { owner, mode }))
    }

    /// An owner's mode of self-trade prevention.
    fn self_trade_prevention(&self, owner: Argument<'_, '_>) -> PyResult<&'static str> {
        let mode = self.book.book().self_trade_prevention(arguments::owner(owner)?);
        let code = arguments::MODES.iter().position(|&known| known == mode).unwrap_or(0);
        Ok(arguments::SELF_TRADE_PREVENTIONS[code])
    }

    /// Empties the book.
    fn clear(&mut self) {
        self.book.clear();
    }

    /// The best levels of each side: bids, asks.
    #[pyo3(signature = (levels=None))]
    fn depth<'py>(&self, py: Python<'py>, levels: Option<Argument<'_, 'py>>) -> PyResult<Depth<'py>> {
        let levels = match levels {
            None => 10,
            Some(levels) => arguments::count("levels", levels, 1, u64::from(u32::MAX))? as usize,
        };
        Ok(view::depth(py, self.book.book(), levels))
    }

    /// Resting orders in priority order.
    #[pyo3(signature = (side=None))]
    fn orders<'py>(
        &self,
        py: Python<'py>,
        side: Option<Argument<'_, 'py>>,
    ) -> PyResult<Bound<'py, PyArray1<OrderRow>>> {
        let side = arguments::either_side("side", side)?;
        Ok(view::orders(py, self.book.book(), side, |handle| self.name(handle)))
    }

    /// Pending stops in firing order.
    #[pyo3(signature = (side=None))]
    fn stops<'py>(
        &self,
        py: Python<'py>,
        side: Option<Argument<'_, 'py>>,
    ) -> PyResult<Bound<'py, PyArray1<StopRow>>> {
        let side = arguments::either_side("side", side)?;
        Ok(view::stops(py, self.book.book(), side, |handle| self.name(handle)))
    }

    /// Resting orders of an owner in order of acceptance.
    fn orders_of<'py>(
        &self,
        py: Python<'py>,
        owner: Argument<'_, 'py>,
    ) -> PyResult<Bound<'py, PyArray1<OrderRow>>> {
        let orders = self.book.book().orders_of(arguments::owner(owner)?);
        let rows = orders.map(|order| OrderRow::new(&order, self.name(order.handle)));
        Ok(PyArray1::from_vec(py, rows.collect()))
    }

    /// One resting order, as a record.
    fn order<'py>(&self, py: Python<'py>, id: Argument<'_, 'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let id = self::id(id)?;
        let order = self.book.handle(id).and_then(|handle| self.book.book().order(handle));
        order.map(|order| PyArray1::from_vec(py, vec![OrderRow::new(&order, id)]).get_item(0)).transpose()
    }

    /// True if an order rests or waits.
    fn is_live(&self, id: Argument<'_, '_>) -> PyResult<bool> {
        Ok(self.book.handle(self::id(id)?).is_some())
    }

    /// Visible lots and orders ahead of a resting order.
    fn queue_position(&self, id: Argument<'_, '_>) -> PyResult<Option<(u64, u64)>> {
        let position =
            self.book.handle(self::id(id)?).and_then(|handle| self.book.book().queue_position(handle));
        Ok(position.map(|position| (position.quantity_ahead.0, position.orders_ahead)))
    }

    /// Visible lots at a price.
    fn quantity_at(&self, side: Argument<'_, '_>, price: Argument<'_, '_>) -> PyResult<u64> {
        let (side, price) = (arguments::side("side", side)?, arguments::price("price", price)?);
        Ok(self.book.book().quantity_at(side, price).0)
    }

    /// Open lots of a side.
    fn open_quantity(&self, side: Argument<'_, '_>) -> PyResult<u64> {
        Ok(self.book.book().open_quantity(arguments::side("side", side)?).0)
    }

    /// What a market order would do now.
    fn sweep<'py>(
        &self,
        py: Python<'py>,
        side: Argument<'_, 'py>,
        quantity: Argument<'_, 'py>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let side = arguments::side("side", side)?;
        let sweep = self.book.book().sweep(side, arguments::quantity("quantity", quantity)?);
        let result = PyDict::new(py);
        result.set_item("filled", sweep.filled.0)?;
        result.set_item("average_price", sweep.average_price())?;
        result.set_item("worst_price", sweep.worst.map(|price| price.0))?;
        result.set_item("levels", sweep.levels)?;
        Ok(result)
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
        self.book.book().spread()
    }

    #[getter]
    fn mid(&self) -> Option<f64> {
        self.book.book().mid()
    }

    #[getter]
    fn microprice(&self) -> Option<f64> {
        self.book.book().microprice()
    }

    #[getter]
    fn last_trade(&self) -> Option<i64> {
        self.book.book().last_trade().map(|price| price.0)
    }

    #[getter]
    fn now(&self) -> u64 {
        self.book.book().clock().0
    }

    /// A digest of the book's state.
    fn digest(&self) -> u64 {
        self.book.book().digest()
    }

    /// The book as bytes.
    fn snapshot<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.book.to_bytes())
    }

    /// The book that a snapshot was taken of.
    #[staticmethod]
    fn from_snapshot(snapshot: &[u8]) -> PyResult<Self> {
        let book =
            ExternalBook::from_bytes(snapshot).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(Self::new_with(book))
    }

    /// A book of its own in the same state.
    fn copy(&self) -> Self {
        self.clone()
    }

    fn __copy__(&self) -> Self {
        self.clone()
    }

    fn __deepcopy__(&self, _memo: Argument<'_, '_>) -> Self {
        self.clone()
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        let restore = py.get_type::<Self>().getattr("from_snapshot")?;
        Ok((restore, (self.snapshot(py),)))
    }

    fn __len__(&self) -> usize {
        self.book.book().order_count()
    }

    fn __repr__(&self) -> String {
        let text = |price: Option<i64>| price.map_or_else(|| "None".to_owned(), |price| price.to_string());
        let (bid, ask) = (text(self.best(Side::Buy)), text(self.best(Side::Sell)));
        format!("OrderBook(best_bid={bid}, best_ask={ask}, orders={})", self.book.book().order_count())
    }
}

impl PyOrderBook {
    fn best(&self, side: Side) -> Option<i64> {
        self.book.book().best(side).map(|Price(price)| price)
    }
}

/// A market order on these terms, to be given another kind.
pub(crate) fn new_order(
    side: Argument<'_, '_>,
    quantity: Argument<'_, '_>,
    owner: Option<Argument<'_, '_>>,
    time_in_force: Option<Argument<'_, '_>>,
    expiry: Option<Argument<'_, '_>>,
    post_only: bool,
    display: Option<Argument<'_, '_>>,
) -> PyResult<NewOrder> {
    let owner = owner.map_or(Ok(lob::Owner(0)), arguments::owner)?;
    let mut order =
        NewOrder::market(owner, arguments::side("side", side)?, arguments::quantity("quantity", quantity)?);
    match (time_in_force, expiry) {
        (Some(name), expiry) => order.time_in_force = arguments::time_in_force(name, expiry)?,
        (None, Some(expiry)) => {
            order.time_in_force = lob::TimeInForce::Gtd(arguments::nanos("expiry", expiry)?)
        }
        (None, None) => {}
    }
    order.post_only = post_only;
    order.display = display.map(|display| arguments::quantity("display", display)).transpose()?;
    Ok(order)
}

/// What an amendment changes.
pub(crate) fn amendment(
    quantity: Option<Argument<'_, '_>>,
    price: Option<Argument<'_, '_>>,
    stop: Option<Argument<'_, '_>>,
) -> PyResult<Amendment> {
    Ok(Amendment {
        quantity: quantity.map(|value| arguments::quantity("quantity", value)).transpose()?,
        price: price.map(|value| arguments::price("price", value)).transpose()?,
        stop: stop.map(|value| arguments::price("stop", value)).transpose()?,
    })
}

/// Adds the dtypes and the names of codes.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("MESSAGE_DTYPE", MessageRow::get_dtype(py))?;
    module.add("BASIC_MESSAGE_DTYPE", BasicRow::get_dtype(py))?;
    module.add("EVENT_DTYPE", EventRow::get_dtype(py))?;
    module.add("LEVEL_DTYPE", LevelRow::get_dtype(py))?;
    module.add("ORDER_DTYPE", OrderRow::get_dtype(py))?;
    module.add("STOP_DTYPE", StopRow::get_dtype(py))?;
    module.add("_MESSAGE_KINDS", message::MESSAGE_KINDS)?;
    module.add("_EVENT_KINDS", event::EVENT_KINDS)?;
    module.add("_REASONS", event::REASONS)?;
    Ok(())
}
