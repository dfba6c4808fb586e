//! What a run of requests amounted to, so that a generator of mere rejections shows.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

use lob::{Contradiction, Event, RejectReason};

/// Counts over a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests of any kind.
    pub requests: u64,
    /// Requests that were not refused.
    pub granted: u64,
    /// Orders accepted.
    pub accepted: u64,
    /// Trades.
    pub trades: u64,
    /// Orders whose last lots traded.
    pub filled: u64,
    /// Orders that traded in part and stayed open at least until the next event, each counted once.
    pub partially_filled: u64,
    /// Cancellations, of whole orders or of lots.
    pub cancelled: u64,
    /// Stops that fired.
    pub triggered: u64,
    /// Orders that expired.
    pub expired: u64,
    /// Amendments.
    pub amended: u64,
    /// Slices that icebergs showed.
    pub replenished: u64,
    /// Refusals by reason.
    pub rejected: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// Counts one event; fills are the ledger's to count.
    pub fn record(&mut self, event: &Event) {
        match event {
            Event::Accepted { .. } => self.accepted += 1,
            Event::Rejected { reason, .. } => *self.rejected.entry(reason_name(*reason)).or_default() += 1,
            Event::Trade { .. } => self.trades += 1,
            Event::Cancelled { .. } => self.cancelled += 1,
            Event::Amended { .. } => self.amended += 1,
            Event::Triggered { .. } => self.triggered += 1,
            Event::Expired { .. } => self.expired += 1,
            Event::Replenished { .. } => self.replenished += 1,
        }
    }

    /// Refusals of all reasons.
    pub fn rejections(&self) -> u64 {
        self.rejected.values().sum()
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.granted += other.granted;
        self.accepted += other.accepted;
        self.trades += other.trades;
        self.filled += other.filled;
        self.partially_filled += other.partially_filled;
        self.cancelled += other.cancelled;
        self.triggered += other.triggered;
        self.expired += other.expired;
        self.amended += other.amended;
        self.replenished += other.replenished;
        for (reason, count) in other.rejected {
            *self.rejected.entry(reason).or_default() += count;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = |count: u64| 100.0 * count as f64 / self.requests.max(1) as f64;
        writeln!(f, "{:<28}{:>12}   per 100 requests", "", "count")?;
        for (name, count) in [
            ("requests", self.requests),
            ("granted", self.granted),
            ("orders accepted", self.accepted),
            ("trades", self.trades),
            ("orders filled", self.filled),
            ("orders partially filled", self.partially_filled),
            ("cancelled", self.cancelled),
            ("triggered", self.triggered),
            ("expired", self.expired),
            ("amended", self.amended),
            ("replenished", self.replenished),
            ("rejected", self.rejections()),
        ] {
            writeln!(f, "{name:<28}{count:>12}{:>10.2}", share(count))?;
        }
        for (reason, &count) in &self.rejected {
            writeln!(f, "  {reason:<26}{count:>12}{:>10.2}", share(count))?;
        }
        Ok(())
    }
}

fn reason_name(reason: RejectReason) -> &'static str {
    match reason {
        RejectReason::ZeroQuantity => "zero quantity",
        RejectReason::ZeroDisplay => "zero display",
        RejectReason::PriceOutOfLimits(_) => "price out of limits",
        RejectReason::OwnerOutOfRange(_) => "owner out of range",
        RejectReason::UnknownHandle(_) => "unknown handle",
        RejectReason::WouldCross => "would cross",
        RejectReason::CannotFill => "cannot fill",
        RejectReason::AlreadyExpired(_) => "already expired",
        RejectReason::NothingToAmend => "nothing to amend",
        RejectReason::NotAmendable => "not amendable",
        RejectReason::Contradiction(Contradiction::PostOnlyWithoutLimit) => "post-only without limit",
        RejectReason::Contradiction(Contradiction::PostOnlyImmediate) => "post-only immediate",
        RejectReason::Contradiction(Contradiction::DisplayWithoutRest) => "display without rest",
        RejectReason::Contradiction(Contradiction::MarketGoodTill) => "market good till",
        RejectReason::QuantityOverflow => "quantity overflow",
        RejectReason::BookFull => "book full",
        RejectReason::ClockBackwards(_) => "clock backwards",
    }
}
