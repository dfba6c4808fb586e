//! Engine and reference side by side.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use lob::{
    BookConfig, Event, JournalReader, JournalWriter, OrderBook, Price, RejectReason, Request, Snapshot,
};

use crate::ledger::Ledger;
use crate::{Reference, Tally, views};

/// Both books, the ledger, and what was asked of them so far.
///
/// # Panics
///
/// Every method panics at the first difference, after printing the requests that led to it.
#[derive(Debug)]
pub struct Pair {
    engine: OrderBook,
    reference: Reference,
    ledger: Ledger,
    tally: Tally,
    history: Vec<Request>,
    /// All of the engine's events since the last clearing: it must append and leave the earlier ones alone.
    events: Vec<Event>,
    expected: Vec<Event>,
    /// Where the last request's events begin.
    latest: usize,
}

impl Pair {
    /// Two empty books.
    pub fn new(config: BookConfig) -> Self {
        Self {
            engine: OrderBook::new(config).expect("the test chose a legal configuration"),
            reference: Reference::new(config),
            ledger: Ledger::default(),
            tally: Tally::default(),
            history: Vec::new(),
            events: Vec::new(),
            expected: Vec::new(),
            latest: 0,
        }
    }

    /// The engine.
    pub fn engine(&self) -> &OrderBook {
        &self.engine
    }

    /// The naive book.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// The events of the last request.
    pub fn events(&self) -> &[Event] {
        &self.events[self.latest..]
    }

    /// Applies a request to both books and compares results and events. The number is what the engine's own method
    /// for the request returns: see [`Reference::apply`].
    pub fn apply(&mut self, request: Request) -> Result<u64, RejectReason> {
        self.history.push(request);
        self.explained(|pair| pair.apply_unexplained(request))
    }

    /// Compares everything that can be asked; `around` is a price to probe near.
    pub fn compare(&mut self, around: Price) {
        self.explained(|pair| {
            views::compare(&pair.engine, &pair.reference, pair.engine.config().max_owners.min(16), around);
            if let Err(broken) = pair.ledger.check(&pair.engine) {
                panic!("lots are not conserved: {broken}");
            }
        });
    }

    /// Goes on with a clone of the engine.
    pub fn fork(&mut self) {
        self.explained(|pair| {
            let fork = pair.engine.clone();
            assert_eq!(fork.digest(), pair.engine.digest(), "digest of a clone");
            pair.engine = fork;
        });
    }

    /// Goes on with an engine restored from the bytes of a snapshot.
    pub fn restore(&mut self) {
        self.explained(|pair| {
            let bytes = pair.engine.snapshot().to_bytes();
            let snapshot = Snapshot::from_bytes(&bytes).expect("these bytes were just written");
            let restored = OrderBook::restore(&snapshot).expect("this snapshot was just taken");
            assert_eq!(restored.digest(), pair.engine.digest(), "digest of a restored book");
            assert_eq!(restored.snapshot().to_bytes(), bytes, "snapshot of a restored book");
            pair.engine = restored;
        });
    }

    /// Writes a journal of all requests so far and replays it.
    pub fn replay(&mut self) {
        self.explained(|pair| {
            let mut writer = JournalWriter::new(Vec::new(), pair.engine.config()).expect("a Vec takes all");
            for request in &pair.history {
                writer.record(request).expect("a Vec takes all");
            }
            let journal = writer.into_inner();
            let reader = JournalReader::new(journal.as_slice()).expect("this header was just written");
            let mut replayed = OrderBook::new(*reader.config()).expect("this configuration was in use");
            let mut events = Vec::new();
            let mut records = 0;
            for (record, request) in reader.zip(&pair.history) {
                assert_eq!(record.expect("this record was just written"), *request, "record {records}");
                // A refused request is refused again; that is no error of the journal.
                let _ = replayed.apply(*request, &mut events);
                records += 1;
            }
            assert_eq!(records, pair.history.len(), "records in the journal");
            assert_eq!(replayed.digest(), pair.engine.digest(), "digest after replay");
            let reader = JournalReader::new(journal.as_slice()).expect("this header was just written");
            let replayed = reader.replay().expect("this journal was just written");
            assert_eq!(replayed.digest(), pair.engine.digest(), "digest after the reader's own replay");
        });
    }

    /// A last comparison and a replay; the counts.
    pub fn finish(mut self, around: Price) -> Tally {
        self.compare(around);
        self.replay();
        self.tally
    }

    fn apply_unexplained(&mut self, request: Request) -> Result<u64, RejectReason> {
        if self.events.len() > 64 {
            self.events.clear();
        }
        let earlier = self.events.last().copied();
        self.latest = self.events.len();
        self.expected.clear();
        let by_data = self.history.len().is_multiple_of(2);
        let outcome = apply(&mut self.engine, request, by_data, &mut self.events);
        let expected = self.reference.apply(request, &mut self.expected);
        assert_eq!(self.latest.checked_sub(1).map(|index| self.events[index]), earlier, "earlier events");
        assert_eq!(&self.events[self.latest..], &self.expected, "events");
        // Requests that go in as data say only whether they were refused.
        let told = |number| if by_data { 0 } else { number };
        assert_eq!(outcome.map(told), expected.map(told), "return value");

        self.tally.requests += 1;
        self.tally.granted += u64::from(expected.is_ok());
        for event in &self.expected {
            self.ledger.record(event, &mut self.tally);
        }
        views::compare_touch(&self.engine, &self.reference);
        expected
    }

    /// Runs `action`; should it panic, in a comparison or in the engine, prints how to get there.
    fn explained<T>(&mut self, action: impl FnOnce(&mut Self) -> T) -> T {
        catch_unwind(AssertUnwindSafe(|| action(self))).unwrap_or_else(|panic| {
            eprintln!("{:?}", self.reference.config());
            for request in &self.history {
                eprintln!("    {request:?}");
            }
            resume_unwind(panic)
        })
    }
}

/// Applies a request to the engine, through its own method or as data.
fn apply(
    book: &mut OrderBook,
    request: Request,
    by_data: bool,
    events: &mut Vec<Event>,
) -> Result<u64, RejectReason> {
    if by_data {
        return book.apply(request, events).map(|()| 0);
    }
    match request {
        Request::Submit(order) => book.submit(order, events).map(lob::Handle::to_bits),
        Request::Cancel { handle } => book.cancel(handle, events).map(|quantity| quantity.0),
        Request::CancelQuantity { owner, side, price, quantity } => {
            book.cancel_quantity(owner, side, price, quantity, events).map(|quantity| quantity.0)
        }
        Request::MassCancel { owner, side } => Ok(book.mass_cancel(owner, side, events) as u64),
        Request::Amend { handle, amendment } => book.amend(handle, amendment, events).map(|()| 0),
        Request::Expire { until } => book.expire(until, events).map(|count| count as u64),
        Request::SetSelfTradePrevention { owner, mode } => {
            book.set_self_trade_prevention(owner, mode, events).map(|()| 0)
        }
    }
}
