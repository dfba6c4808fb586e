//! Buying, holding and selling one asset: on bars of a file, and in the book of a simulated or replayed market.

mod booked;
mod config;
mod live;
mod paper;
mod recorded;
mod session;
mod wallet;

use std::path::Path;

use lob::models::FeeConfig;

use booked::Booked;
pub(crate) use config::is_file;
pub use config::{ActionKind, BarsSource, FeatureScaling, Part, RewardKind, TraderConfig};
pub use live::LiveTrader;
use recorded::Recorded;
pub use session::{CHOICES, Filled, Moment, Rows, Session, Terms, Wish};
pub use wallet::{AccountConfig, FuturesConfig, Wallet};

use crate::config::ConfigError;
use crate::env::{Action, Env, EnvError, Step};
use crate::market::{MarketSettings, ResolvedMarket};
use crate::prices::TickBar;
use crate::scene::Scene;
use crate::space::{BoxSpace, Space};

/// Where bars come from and orders go to.
#[derive(Clone, Debug)]
enum Source {
    Recorded(Box<Recorded>),
    Booked(Box<Booked>),
}

/// One asset, bought, held and sold.
///
/// A step: an action becomes an order, the order is filled, a bar passes, the position is valued at its close. On a **file of bars** (`bars`) the
/// order is decided after a bar's close and filled at the next bar's open, half a spread away (that of the quote before) and no better than both
/// quotes around that bar, or at the last quote where nobody trades in it; with fees and an impact model; in
/// a **book** it takes what rests there, at once or with the market's latency. Nothing of a bar is seen before it has closed. Features are
/// normalised by what the training part of the file has.
///
/// | index (window W, features F) | observation | unit |
/// |---|---|---|
/// | 0 to W F - 1 | features of the last W bars, the oldest first | normalised |
/// | W F | value of the position, < 0 short | share of `leverage x equity` |
/// | W F + 1 | profit of the open position | share of the equity |
/// | W F + 2 | age of the position | 1 - exp(-steps / 100) |
/// | W F + 3 | price / average price of the position (costs included) - 1 | |
/// | W F + 4 | profit since the start | share of the capital |
/// | W F + 5 | distance to the liquidation price; 1 if there is none | share of the price |
///
/// Actions: `trades` are 0 hold, 1 buy, 2 sell ([`CHOICES`]): buying closes a short position or else takes `lot` of what may be held at most,
/// selling closes a long one or else opens a short one where that is allowed; with `blocking_cycles` nothing is added to an open position.
/// `lots` is the position wanted, a share of the most that may be held (`equity x leverage`).
///
/// A **future** costs no money but its margin: it is liquidated, and the episode terminated, once the equity is not above
/// `maintenance_margin x value` at any price of a bar; the fill is at that price, or at the open beyond it, and the equity is never below 0.
/// Funding is `units x price x rate` at each multiple of the interval. The last step of an episode is truncated, with the position valued as it is.
#[derive(Clone, Debug)]
pub struct Trader {
    source: Source,
    session: Session,
    observation_space: BoxSpace,
    action_space: Space,
    window: usize,
}

impl Trader {
    /// Names of [`Env::write_info`]'s numbers: number of the bar in the file (0 in a book) and its time (s since 1970, or of the session); money,
    /// units, and money a unit; `traded_units` and `fill_price` are of the last step.
    pub const INFO: [&'static str; 20] = [
        "bar",
        "time",
        "equity",
        "profit",
        "realised_profit",
        "unrealised_profit",
        "cash",
        "position",
        "price",
        "average_price",
        "traded_units",
        "fill_price",
        "fees",
        "slippage",
        "funding",
        "fills",
        "cycles",
        "cycles_won",
        "drawdown",
        "liquidated",
    ];

    /// An environment with these settings; relative paths start at `directory`. Of the market's settings, files of bars need the fees alone.
    ///
    /// # Errors
    /// The first setting or file that is not legal.
    pub fn new(
        config: &TraderConfig,
        market: &MarketSettings,
        directory: &Path,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let Some(bars) = &config.bars else {
            return Self::in_market(config, &market.resolve(directory)?, directory);
        };
        let features = config.feature_set(directory)?;
        let fees = market.fees.unwrap_or(FeeConfig::None);
        let recorded = Recorded::new(config, bars, fees, directory)?;
        let rows = Rows::new(&features, None, bars.extra.clone())?;
        Ok(Self::of(config, Source::Recorded(Box::new(recorded)), &rows))
    }

    /// The same in the book of a market that has been read, whatever the settings say of bars.
    ///
    /// # Errors
    /// The first setting that is not legal.
    pub fn in_market(
        config: &TraderConfig,
        market: &ResolvedMarket,
        directory: &Path,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let features = config.feature_set(directory)?;
        let rows = Rows::new(&features, config.kept(&features)?, Vec::new())?;
        let booked = Booked::new(config, rows.clone(), market)?;
        let config = TraderConfig { lot_size: Some(booked.lot_size()), ..config.clone() };
        Ok(Self::of(&config, Source::Booked(Box::new(booked)), &rows))
    }

    fn of(config: &TraderConfig, source: Source, rows: &Rows) -> Self {
        let names: Vec<String> = rows.names().cloned().collect();
        let terms = Terms::new(config, rows.width());
        Self {
            observation_space: terms.observation_space(names.iter()),
            action_space: terms.action_space(),
            session: Session::new(terms),
            source,
            window: config.window,
        }
    }

    /// The session: money, position and the last bar.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Decisions of an episode.
    pub fn steps(&self) -> u64 {
        match &self.source {
            Source::Recorded(recorded) => recorded.steps(),
            Source::Booked(booked) => booked.steps(),
        }
    }

    /// Decisions that the part of the bars has room for; an episode's in a book.
    pub fn room(&self) -> u64 {
        match &self.source {
            Source::Recorded(recorded) => recorded.data().most_steps(),
            Source::Booked(booked) => booked.steps(),
        }
    }

    /// Usual time between decisions, s.
    pub fn interval_seconds(&self) -> f64 {
        match &self.source {
            Source::Recorded(recorded) => recorded.data().interval_seconds,
            Source::Booked(booked) => booked.bar_seconds(),
        }
    }

    /// The bars of the file that is played, in full; none of a book.
    pub fn bars(&self) -> Option<&[TickBar]> {
        match &self.source {
            Source::Recorded(recorded) => Some(&recorded.data().bars),
            Source::Booked(_) => None,
        }
    }

    /// Number of the last bar in the file, from 0 at the first usable one; of a book, bars since the session began.
    pub fn index(&self) -> usize {
        match &self.source {
            Source::Recorded(recorded) => recorded.index(),
            Source::Booked(booked) => booked.index(),
        }
    }

    /// A step with a wish of any size instead of an action: what rules trade with.
    pub fn play(&mut self, wish: Wish, observation: &mut [f32]) -> Step {
        self.session.begin_step();
        match &mut self.source {
            Source::Recorded(recorded) => recorded.step(&mut self.session, wish),
            Source::Booked(booked) => booked.step(&mut self.session, wish),
        }
        let (reward, terminated) = self.session.end_step();
        self.session.observe(observation);
        Step { reward, terminated, truncated: self.session.steps() >= self.steps() }
    }
}

impl Env for Trader {
    fn observation_space(&self) -> &BoxSpace {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn reset(&mut self, session: u64, observation: &mut [f32]) -> Result<(), EnvError> {
        self.session.reset();
        match &mut self.source {
            Source::Recorded(recorded) => recorded.begin(session, &mut self.session, self.window),
            Source::Booked(booked) => booked
                .begin(session, &mut self.session)
                .map_err(|problem| EnvError::Session { session, problem: problem.to_string() })?,
        }
        self.session.observe(observation);
        Ok(())
    }

    #[inline]
    fn step(&mut self, action: Action<'_>, observation: &mut [f32]) -> Step {
        let wish = self.session.wish(action);
        self.play(wish, observation)
    }

    fn info_names(&self) -> &'static [&'static str] {
        &Self::INFO
    }

    fn write_info(&self, info: &mut [f64]) {
        let (session, wallet) = (&self.session, self.session.wallet());
        let filled = session.moment().filled;
        info.copy_from_slice(&[
            self.index() as f64,
            session.bar().time_ns as f64 / 1e9,
            session.equity(),
            session.equity() - session.terms.capital,
            wallet.realised,
            session.unrealised(),
            wallet.cash,
            wallet.units,
            session.price(),
            wallet.average_price().unwrap_or(0.0),
            filled.units,
            filled.price,
            wallet.fees,
            wallet.slippage,
            wallet.funding,
            wallet.fills as f64,
            wallet.cycles as f64,
            wallet.won as f64,
            session.drawdown(),
            f64::from(u8::from(session.moment().liquidated)),
        ]);
    }

    fn scene(&self) -> Scene {
        let (session, wallet) = (&self.session, self.session.wallet());
        let source = match &self.source {
            Source::Recorded(_) => "a file of bars",
            Source::Booked(booked) => booked.market,
        };
        Scene {
            title: format!("trading {source}, decision {} of {}", session.steps(), self.steps()),
            time: session.steps() as f64 * self.interval_seconds(),
            horizon: self.steps() as f64 * self.interval_seconds(),
            figures: vec![
                ("inventory", wallet.units, "units"),
                ("profit", session.equity() - session.terms.capital, "money"),
                ("equity", session.equity(), "money"),
                ("price", session.price(), "money"),
                ("realised", wallet.realised, "money"),
                ("fees", wallet.fees, "money"),
                ("drawdown", 100.0 * session.drawdown(), "%"),
            ],
            ..Scene::default()
        }
    }

    fn step_cost_ns(&self) -> u64 {
        match &self.source {
            Source::Recorded(_) => 150 + self.observation_space.len() as u64 / 4,
            Source::Booked(booked) => booked.bar_cost_ns() + self.observation_space.len() as u64 / 4,
        }
    }
}
