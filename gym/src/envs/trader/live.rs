//! The trader on bars that come one by one.

use std::path::Path;

use lob::ParameterError;
use lob::models::FeeConfig;

use super::config::TraderConfig;
use super::paper::Paper;
use super::session::{Rows, Session, Terms, Wish};
use crate::config::ConfigError;
use crate::features::Field;
use crate::market::MarketSettings;
use crate::prices::{Completion, RawBar, TickBarsConfig};
use crate::space::{BoxSpace, Space};

/// A trader that is told bars as they close, and fills its wishes on paper: as [`Trader`](super::Trader) on a file of bars, bit for bit, without
/// an end.
///
/// Features are normalised as the settings say: as was fitted once, or by the training part of the file in them, which is read once for it.
#[derive(Clone, Debug)]
pub struct LiveTrader {
    session: Session,
    rows: Rows,
    row: Vec<f32>,
    completion: Completion,
    paper: Paper,
    observation_space: BoxSpace,
    action_space: Space,
    columns: TickBarsConfig,
    /// What the features need, and whether a bar has had all of it.
    needed: Vec<Field>,
    began: bool,
    lacking: Option<Field>,
    /// Bars that are still to come before the first decision.
    missing: usize,
}

impl LiveTrader {
    /// A trader that has seen nothing. `interval_seconds` is the length of a bar, for the impact model.
    ///
    /// # Errors
    /// The first setting or file that is not legal.
    pub fn new(
        config: &TraderConfig,
        market: &MarketSettings,
        interval_seconds: f64,
        directory: &Path,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let features = config.feature_set(directory)?;
        let mut columns = TickBarsConfig::default();
        if let Some(source) = &config.bars {
            columns = source.bars();
        }
        let normalisation = config.fitted(directory)?.kept(&features)?;
        let rows = Rows::new(&features, normalisation, columns.extra.clone())?;
        let names: Vec<String> = rows.names().cloned().collect();
        let terms = Terms::new(config, rows.width());
        let fees = market.fees.unwrap_or(FeeConfig::None);
        Ok(Self {
            observation_space: terms.observation_space(names.iter()),
            action_space: terms.action_space(),
            session: Session::new(terms),
            needed: features.needed(),
            began: false,
            lacking: None,
            missing: rows.warm_up() + config.window,
            row: vec![0.0; rows.width()],
            rows,
            completion: Completion::new(config.spread),
            paper: Paper::new(config, fees, interval_seconds, directory)?,
            columns,
        })
    }

    /// The names of the columns that bars come with.
    pub fn columns(&self) -> &TickBarsConfig {
        &self.columns
    }

    /// What `observation` holds.
    pub fn observation_space(&self) -> &BoxSpace {
        &self.observation_space
    }

    /// What actions may be.
    pub fn action_space(&self) -> &Space {
        &self.action_space
    }

    /// Money, position and the last bar.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Bars that are still to come before the first decision.
    pub fn bars_missing(&self) -> usize {
        self.missing
    }

    /// What the features need and no bar has had yet, where that is what the first decision waits for.
    pub fn lacking(&self) -> Option<&'static str> {
        self.lacking.map(|field| field.name())
    }

    /// Takes a bar that has closed: `wish`, decided before it, is filled at its open. Returns the step's reward and whether it was the last
    /// (liquidated); nothing while bars are missing before the first decision, when wishes are not heard.
    ///
    /// # Errors
    /// A bar that cannot be used; then nothing has changed.
    pub fn bar(&mut self, wish: Wish, raw: &RawBar) -> Result<Option<(f64, bool)>, ParameterError> {
        let mut completion = self.completion.clone();
        let Some(bar) = completion.complete(raw)? else {
            self.completion = completion;
            return Ok(None);
        };
        if !self.began {
            // As in a file: bars before the first of all that the features need are left out.
            self.lacking = self.needed.iter().copied().find(|field| field.of(&bar.tick).is_nan());
            if self.lacking.is_some() {
                self.completion = completion;
                return Ok(None);
            }
        }
        self.rows.write(&bar.tick, &raw.extra, &mut self.row)?;
        self.completion = completion;
        self.began = true;
        if self.missing > 0 {
            self.session.close_bar(&bar, &self.row);
            self.missing -= 1;
            return Ok(None);
        }
        self.session.begin_step();
        self.paper.play(&mut self.session, wish, &bar);
        self.session.close_bar(&bar, &self.row);
        Ok(Some(self.session.end_step()))
    }

    /// Fills a wish now, at the last quote, or half a spread from the last price where there is none: the end of a session.
    pub fn fill_now(&mut self, wish: Wish) {
        self.session.begin_step();
        let mut now = self.session.bar().clone();
        let price = now.tick.close;
        (now.tick.open, now.tick.high, now.tick.low) = (price, price, price);
        // As if a bar without a trade came.
        now.traded = false;
        self.paper.play(&mut self.session, wish, &now);
    }
}
