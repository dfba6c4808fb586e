//! Growth as it was.

use lob::ParameterError;
use lob::parameter::positive;
use lob::sim::SimRng;

use super::{PriceProcess, Table};
use lob::random::uniform;

/// The growth of a table of prices, in its order.
#[derive(Clone, Debug)]
pub struct Replay {
    prices: Table,
    growth: Table,
    log_growth: Table,
    random_start: bool,
    next: usize,
    /// Shares that the market trades in a period, as observed up to each row, and the length of a period, s.
    observed: Option<(Table, f64)>,
}

impl Replay {
    /// Replays `prices`; `random_start` as in [`GivenConfig`](super::GivenConfig).
    ///
    /// # Errors
    /// Fewer than 2 rows, or a price that is not above 0.
    pub fn new(prices: &Table, random_start: bool) -> Result<Self, ParameterError> {
        let growth = prices.growth("prices")?;
        let log_growth = logarithms(&growth)?;
        Ok(Self { prices: prices.clone(), growth, log_growth, random_start, next: 0, observed: None })
    }

    /// The same with what was observed of trading: `volumes` has a row for each of the prices, in shares of each asset that the market trades in
    /// a period of `period_seconds`.
    ///
    /// # Errors
    /// Another number of rows or assets; a length that is not above 0.
    pub fn observing(mut self, volumes: Table, period_seconds: f64) -> Result<Self, ParameterError> {
        positive("period_seconds", period_seconds)?;
        let (rows, columns) = (self.prices.rows(), self.prices.columns());
        if (volumes.rows(), volumes.columns()) != (rows, columns) {
            let found = format!("a table of {} x {}", volumes.rows(), volumes.columns());
            return Err(ParameterError::new("volumes", found, format!("{rows} x {columns}, as the prices")));
        }
        self.observed = Some((volumes, period_seconds));
        Ok(self)
    }
}

/// The logarithm of each number of a table.
pub(super) fn logarithms(growth: &Table) -> Result<Table, ParameterError> {
    let values = growth.values().iter().map(|&value| libm::log(value)).collect();
    Table::new("growth", values, growth.rows(), growth.columns())
}

/// A number from 0 to below `count`, each as likely as the others.
pub(crate) fn below(rng: &mut SimRng, count: usize) -> usize {
    // The product can round up to `count` only beyond 2^53.
    ((uniform(rng) * count as f64) as usize).min(count - 1)
}

impl PriceProcess for Replay {
    fn assets(&self) -> usize {
        self.growth.columns()
    }

    fn periods(&self) -> Option<u64> {
        Some(self.growth.rows() as u64)
    }

    fn begin(&mut self, rng: &mut SimRng, periods: u64) {
        let spare = (self.growth.rows() as u64).saturating_sub(periods) as usize;
        self.next = if self.random_start { below(rng, spare + 1) } else { 0 };
    }

    #[inline]
    fn advance(&mut self, _rng: &mut SimRng, growth: &mut [f64], log_growth: &mut [f64]) {
        growth.copy_from_slice(self.growth.row(self.next));
        log_growth.copy_from_slice(self.log_growth.row(self.next));
        self.next += 1;
    }

    fn prices(&self, out: &mut [f64]) -> bool {
        out.copy_from_slice(self.prices.row(self.next));
        true
    }

    fn volumes(&self) -> Option<&[f64]> {
        self.observed.as_ref().map(|(volumes, _)| volumes.row(self.next))
    }

    fn period_seconds(&self) -> Option<f64> {
        self.observed.as_ref().map(|(_, seconds)| *seconds)
    }
}
