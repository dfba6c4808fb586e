//! Assets that each have a book of their own.

use std::path::{Path, PathBuf};

use lob::flow::OpeningBook;
use lob::parameter::positive;
use lob::sim::{SimRng, Simulator};
use lob::{BookConfig, ParameterError};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::PriceProcess;
use crate::config::ConfigError;
use crate::market::MarketSettings;

/// Parameters of [`Simulated`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimulatedConfig {
    /// The market of every asset: a preset, or a YAML file.
    pub market: String,
    /// Who owns the opening book; null: what the market says.
    pub opening_book: Option<OpeningBook>,
    /// An order-flow file (`.npz`) that replaces the flow's parameters or its shape.
    pub flow_file: Option<PathBuf>,
    /// Simulated time from one price to the next, s.
    pub period_seconds: f64,
    /// Simulated time before the first price, s, above 0: what is traded in it is the first volume that is observed.
    pub warm_up_seconds: f64,
    /// Money a tick.
    pub tick_size: f64,
    /// Shares a lot.
    pub lot_size: f64,
}

impl Default for SimulatedConfig {
    fn default() -> Self {
        Self {
            market: "flow".into(),
            opening_book: Some(OpeningBook::Live),
            flow_file: None,
            period_seconds: 300.0,
            warm_up_seconds: 60.0,
            tick_size: 0.1,
            lot_size: 100.0,
        }
    }
}

impl SimulatedConfig {
    fn market(&self) -> MarketSettings {
        MarketSettings {
            market: self.market.clone(),
            opening_book: self.opening_book,
            flow_file: self.flow_file.clone(),
            ..MarketSettings::default()
        }
    }

    pub(super) fn validate(&self) -> Result<(), ParameterError> {
        positive("period_seconds", self.period_seconds)?;
        if self.period_seconds > 1e6 {
            return Err(ParameterError::new("period_seconds", self.period_seconds, "at most 1,000,000"));
        }
        positive("warm_up_seconds", self.warm_up_seconds)?;
        if self.warm_up_seconds > 1e6 {
            return Err(ParameterError::new("warm_up_seconds", self.warm_up_seconds, "at most 1,000,000"));
        }
        for (key, value) in [("tick_size", self.tick_size), ("lot_size", self.lot_size)] {
            positive(key, value)?;
            if !(1e-6..=1e6).contains(&value) {
                return Err(ParameterError::new(key, value, "a number from 1e-6 to 1e6"));
            }
        }
        Ok(())
    }

    /// Replaces the paths in the settings.
    pub(super) fn map_paths<E>(&mut self, of: &dyn Fn(&Path) -> Result<PathBuf, E>) -> Result<(), E> {
        let mut market = self.market();
        market.map_paths(of)?;
        (self.market, self.flow_file) = (market.market, market.flow_file);
        Ok(())
    }
}

/// A simulated market for each asset, independent of the others: prices are its mid at the ends of periods, volumes what was traded in it.
///
/// A session draws a seed for each asset's market, in their order. The last mid stands while a side is empty; a mid of less than half a
/// tick, which takes a market of other settings than the usual ones, counts as half a tick.
#[derive(Clone, Debug)]
pub struct Simulated {
    books: Vec<Simulator>,
    /// Mids, ticks.
    mids: Vec<f64>,
    /// Lots that were traded before the warm-up.
    traded_before: Vec<u64>,
    /// Shares traded in a period, on average since the warm-up began.
    volumes: Vec<f64>,
    period_seconds: f64,
    warm_up_seconds: f64,
    tick_size: f64,
    lot_size: f64,
    /// Of the session, s.
    now: f64,
}

impl Simulated {
    /// `assets` of them; relative paths start at `directory`.
    ///
    /// # Errors
    /// A file or a parameter that is not legal.
    pub fn new(config: &SimulatedConfig, assets: usize, directory: &Path) -> Result<Self, ConfigError> {
        config.validate()?;
        let market = config.market().resolve(directory)?;
        let book = BookConfig { window_levels: 256, ..BookConfig::default() };
        let [bid, ask] = {
            let one = Simulator::new(&market.flow, book)?;
            one.opening_bests().map(|price| price.0 as f64)
        };
        let books = (0..assets).map(|_| Simulator::new(&market.flow, book)).collect::<Result<_, _>>()?;
        Ok(Self {
            books,
            mids: vec![((bid + ask) / 2.0).max(0.5); assets],
            traded_before: vec![0; assets],
            volumes: vec![config.lot_size; assets],
            period_seconds: config.period_seconds,
            warm_up_seconds: config.warm_up_seconds,
            tick_size: config.tick_size,
            lot_size: config.lot_size,
            now: 0.0,
        })
    }

    /// Plays a market on to a time; its mid there.
    fn mid_at(book: &mut Simulator, time: f64, last: f64) -> f64 {
        book.run_until(time);
        book.market().book().mid().map_or(last, |mid| mid.max(0.5))
    }

    fn observe_volumes(&mut self) {
        let periods = self.now / self.period_seconds;
        for ((volume, book), before) in self.volumes.iter_mut().zip(&self.books).zip(&self.traded_before) {
            // Until the first trade it is one lot, so that there is a volume at all.
            let lots = (book.market().traded() - before).max(1) as f64;
            *volume = lots * self.lot_size / periods;
        }
    }
}

impl PriceProcess for Simulated {
    fn assets(&self) -> usize {
        self.books.len()
    }

    fn begin(&mut self, rng: &mut SimRng, _periods: u64) {
        self.now = self.warm_up_seconds;
        let books = self.books.iter_mut().zip(&mut self.mids).zip(&mut self.traded_before);
        for ((book, mid), before) in books {
            book.reset(rng.next_u64());
            book.run_until(0.0);
            *before = book.market().traded();
            let [bid, ask] = book.opening_bests();
            let opening = ((bid.0 + ask.0) as f64 / 2.0).max(0.5);
            *mid = Self::mid_at(book, self.now, opening);
        }
        self.observe_volumes();
    }

    fn advance(&mut self, _rng: &mut SimRng, growth: &mut [f64], log_growth: &mut [f64]) {
        self.now += self.period_seconds;
        let out = growth.iter_mut().zip(log_growth);
        for ((book, mid), (growth, log_growth)) in self.books.iter_mut().zip(&mut self.mids).zip(out) {
            let next = Self::mid_at(book, self.now, *mid);
            *growth = next / *mid;
            *log_growth = libm::log(*growth);
            *mid = next;
        }
        self.observe_volumes();
    }

    fn prices(&self, out: &mut [f64]) -> bool {
        for (out, mid) in out.iter_mut().zip(&self.mids) {
            *out = mid * self.tick_size;
        }
        true
    }

    fn volumes(&self) -> Option<&[f64]> {
        Some(&self.volumes)
    }

    fn period_seconds(&self) -> Option<f64> {
        Some(self.period_seconds)
    }
}
