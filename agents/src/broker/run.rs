//! The loop: prices, targets, risk, orders, fills, net asset value.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lob::ParameterError;

use super::config::cents;
use super::ledger::{Ledger, Opening, State};
use super::plan::{Desk, Holdings, Order, Plan, Reason, Refused};
use super::{BrokerError, EqualWeight, Market, PaperConfig, PolicyTargets, Targets, Venue};

/// How to begin a ledger. One that has begun goes on as it was begun; what is said here must agree with that.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The settings; none: those of the ledger, or the defaults.
    pub config: Option<PaperConfig>,
    /// Where relative paths of the settings start.
    pub directory: PathBuf,
    /// Money at the start, instead of the settings'.
    pub capital: Option<f64>,
    /// How many assets, instead of the settings'.
    pub assets: Option<usize>,
    /// A policy's file or run; none: the ledger's, or equal weight.
    pub policy: Option<PathBuf>,
    /// None: the ledger's, or 0.
    pub seed: Option<u64>,
}

/// Why there is no further step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Given prices are used up.
    Prices,
    /// The kill switch is on, and nothing is held any more.
    Killed,
}

/// What a step did: cents.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its number, from 1.
    pub step: u64,
    /// Net asset value after it.
    pub nav: i64,
    /// Of that, cash.
    pub cash: i64,
    /// Orders that were filled.
    pub fills: usize,
    /// Value of what they traded.
    pub turnover: i64,
    /// What was refused; empty where a restart found the decision made.
    pub refused: Vec<Refused>,
    /// Orders given up because of the kill switch.
    pub cancelled: usize,
    /// How long the decision took: features, targets and risk.
    pub decision: Duration,
}

/// A paper broker with its ledger. [`step`](Self::step) may be cut short anywhere, by a crash too: opened again, the broker goes on there.
#[derive(Debug)]
pub struct Broker {
    config: PaperConfig,
    seed: u64,
    ledger: Ledger,
    market: Market,
    venue: Venue,
    targets: Box<dyn Targets>,
    state: State,
    plan: Plan,
    kill_file: PathBuf,
    /// Held as long as the broker lives; the system lets go of it however that ends.
    _lock: File,
}

/// The file that is the kill switch of a ledger: it is on while the file exists.
pub fn kill_file(ledger: &Path) -> PathBuf {
    beside(ledger, ".kill")
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

impl Broker {
    /// Opens a ledger and begins it if it is new.
    ///
    /// # Errors
    /// [`BrokerError::Locked`] if another broker has it; settings that are not legal or not the ledger's; files that cannot be used.
    pub fn open(path: &Path, settings: &Settings) -> Result<Self, BrokerError> {
        let lock_path = beside(path, ".lock");
        let io = |problem| BrokerError::Io { path: lock_path.clone(), problem };
        let lock = File::create(&lock_path).map_err(io)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => BrokerError::Locked(path.to_owned()),
            TryLockError::Error(problem) => io(problem),
        })?;
        let mut ledger = Ledger::open(path)?;
        let found = ledger.opening()?;
        let opening = match found.clone() {
            Some(opening) => opening,
            None => opening_of(settings)?,
        };
        // Also a new ledger's settings are read back from their text: the first run must not know more digits than a restart.
        let text = serde_json::from_str::<PaperConfig>(&opening.config);
        let config = text.map_err(|error| ledger.wrong(format!("settings: {error}")))?;
        config.validate()?;
        if found.is_some() {
            agree(settings, &opening, &config)?;
        }
        let targets: Box<dyn Targets> = match &opening.policy {
            None => Box::new(EqualWeight),
            Some(policy) => Box::new(PolicyTargets::open(policy, &mut config.clone())?.0),
        };
        let market = Market::new(&config, &opening.directory, opening.seed)?;
        let mut venue = Venue::new(&config, market.assets())?;
        if found.is_none() {
            ledger.begin(&opening, cents(config.capital), market.prices(), venue.impacts())?;
        }
        let (state, impacts) = ledger.state()?;
        if state.holdings.positions.len() != market.assets() {
            let (own, prices) = (state.holdings.positions.len(), market.assets());
            return Err(ledger.wrong(format!("has {own} assets, the prices have {prices}")));
        }
        venue.restore(impacts);
        let mut broker = Self {
            seed: opening.seed,
            kill_file: kill_file(path),
            plan: Plan::default(),
            config,
            ledger,
            market,
            venue,
            targets,
            state,
            _lock: lock,
        };
        broker.replay()?;
        Ok(broker)
    }

    /// Plays the market to the ledger's last closed step, and shows the policy what it has seen.
    fn replay(&mut self) -> Result<(), BrokerError> {
        while self.market.step() < self.state.step {
            if !self.market.advance() {
                let problem = format!("has {} steps, more than its prices", self.state.step);
                return Err(self.ledger.wrong(problem));
            }
        }
        for seen in self.ledger.observations()? {
            self.targets.recall(&seen);
        }
        Ok(())
    }

    /// The settings it runs under.
    pub fn config(&self) -> &PaperConfig {
        &self.config
    }

    /// Steps closed.
    pub fn steps(&self) -> u64 {
        self.state.step
    }

    /// Prices.
    pub fn market(&self) -> &Market {
        &self.market
    }

    /// Cash and positions.
    pub fn holdings(&self) -> &Holdings {
        &self.state.holdings
    }

    /// Whether the kill switch is on.
    pub fn is_killed(&self) -> bool {
        // What cannot be looked at counts as on.
        self.kill_file.try_exists().unwrap_or(true)
    }

    /// One step, or what is left of the one that was cut short.
    ///
    /// # Errors
    /// The ledger cannot be written, or amounts are beyond it. The broker must be opened again then.
    pub fn step(&mut self) -> Result<Result<Step, Ended>, BrokerError> {
        let next = self.state.step + 1;
        let resumed = self.state.decided == next;
        if !resumed && self.is_killed() && self.state.holdings.is_flat() {
            return Ok(Err(Ended::Killed));
        }
        if !self.market.advance() {
            return Ok(Err(Ended::Prices));
        }
        let begun = Instant::now();
        let mut refused = Vec::new();
        let mut decision = Duration::ZERO;
        if !resumed {
            let reason = self.decide(next)?;
            decision = begun.elapsed();
            let seen = (self.targets.seen(), self.targets.memory());
            let Plan { orders, refused, .. } = &self.plan;
            self.ledger.decide(next, (orders, reason), refused, &self.state.holdings, seen)?;
            self.state.decided = next;
        }
        refused.append(&mut self.plan.refused);
        let cancelled = self.send(next)?;
        let mut traded = vec![false; self.market.assets()];
        let mut turnover = 0_i64;
        let fills = self.ledger.traded(next)?;
        for &(asset, value) in &fills {
            traded[asset] = true;
            turnover = turnover.saturating_add(value.saturating_abs());
        }
        self.venue.settle(&traded);
        let holdings = &self.state.holdings;
        let nav = holdings.nav(self.market.prices())?;
        self.ledger.close(next, nav, holdings, self.market.prices(), self.venue.impacts())?;
        self.state.step = next;
        let cash = self.state.holdings.cash;
        Ok(Ok(Step { step: next, nav, cash, fills: fills.len(), turnover, refused, cancelled, decision }))
    }

    /// Fills `self.plan`.
    fn decide(&mut self, next: u64) -> Result<Reason, BrokerError> {
        if (next - 1).is_multiple_of(self.config.periods_per_day) {
            self.state.holdings.day_nav = self.state.holdings.nav(self.market.prices())?;
            self.state.holdings.day_turnover = 0;
        }
        let killed = self.is_killed();
        let desk = Desk {
            market: &self.market,
            venue: &self.venue,
            limits: &self.config.limits,
            reserve: self.config.cash_reserve,
            seed: self.seed,
        };
        if killed {
            self.plan.flatten(&desk, &self.state.holdings)?;
            return Ok(Reason::Flatten);
        }
        self.plan.rebalance(&desk, &mut *self.targets, &self.state.holdings)?;
        Ok(Reason::Rebalance)
    }

    /// Sends the orders that have no fill yet; returns how many were given up.
    fn send(&mut self, step: u64) -> Result<usize, BrokerError> {
        for (order, pending) in self.ledger.orders(step)? {
            if !pending {
                continue;
            }
            // Orders that only reduce go on under the kill switch: they are what it would send.
            let reduces = order.quantity < 0;
            if !reduces && self.is_killed() {
                return self.ledger.cancel(step);
            }
            self.trade(step, &order)?;
        }
        Ok(0)
    }

    fn trade(&mut self, step: u64, order: &Order) -> Result<(), BrokerError> {
        if self.market.prices()[order.asset] != order.reference {
            return Err(BrokerError::Diverged { step, order: order.client_id.clone() });
        }
        let execution = self.venue.execute(&self.market, order.asset, order.quantity)?;
        let holdings = &mut self.state.holdings;
        let cash = holdings.cash.checked_sub(execution.paid()?);
        holdings.cash = cash.ok_or(BrokerError::Overflow("cash"))?;
        let position = holdings.positions[order.asset].checked_add(order.quantity);
        holdings.positions[order.asset] = position.ok_or(BrokerError::Overflow("a position"))?;
        holdings.day_turnover = holdings.day_turnover.saturating_add(execution.value.saturating_abs());
        self.ledger.fill(step, order, &execution, holdings, &self.venue.impacts()[order.asset])
    }
}

/// What a new ledger begins with.
fn opening_of(settings: &Settings) -> Result<Opening, BrokerError> {
    let mut config = settings.config.clone().unwrap_or_default();
    config.capital = settings.capital.unwrap_or(config.capital);
    config.assets = settings.assets.or(config.assets);
    let mut directory = absolute(&settings.directory)?;
    let policy = settings.policy.as_deref().map(absolute).transpose()?;
    if let Some(policy) = &policy {
        let (_, env) = PolicyTargets::open(policy, &mut config)?;
        directory = absolute(&env.directory)?;
        if let Some(assets) = settings.assets.filter(|&assets| Some(assets) != config.assets) {
            let legal = match config.assets {
                Some(own) => format!("{own}, with which the policy was trained"),
                None => "nothing, as the policy's prices say how many".to_owned(),
            };
            return Err(ParameterError::new("assets", assets, legal).into());
        }
    }
    config.validate()?;
    let text = serde_json::to_string(&config);
    let text = text.map_err(|error| ParameterError::new("config", error, "numbers that are finite"))?;
    Ok(Opening { seed: settings.seed.unwrap_or(0), config: text, directory, policy })
}

fn absolute(path: &Path) -> Result<PathBuf, BrokerError> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    std::path::absolute(path).map_err(|problem| BrokerError::Io { path: path.to_owned(), problem })
}

/// Whether what is asked for now is what the ledger was begun with.
fn agree(settings: &Settings, opening: &Opening, config: &PaperConfig) -> Result<(), BrokerError> {
    let refuse = |key: &str, asked: String, own: String| {
        let legal = format!("{own}, with which this ledger was begun; another --db begins another");
        Err(ParameterError::new(key, asked, legal).into())
    };
    if let Some(seed) = settings.seed.filter(|&seed| seed != opening.seed) {
        return refuse("seed", seed.to_string(), opening.seed.to_string());
    }
    if let Some(capital) = settings.capital.filter(|&capital| capital != config.capital) {
        return refuse("capital", capital.to_string(), config.capital.to_string());
    }
    if let Some(assets) = settings.assets.filter(|&assets| Some(assets) != config.assets) {
        let own = config.assets.map_or_else(|| "null".to_owned(), |own| own.to_string());
        return refuse("assets", assets.to_string(), own);
    }
    if let Some(policy) = &settings.policy
        && Some(absolute(policy)?) != opening.policy
    {
        let own = opening.policy.as_ref().map_or_else(|| "none".to_owned(), |own| own.display().to_string());
        return refuse("policy", policy.display().to_string(), own);
    }
    if settings.config.is_some() {
        // The same way to a text that the ledger's took.
        let asked = opening_of(&Settings { seed: Some(opening.seed), ..with_policy(settings, opening) })?;
        if asked.config != opening.config {
            return refuse("config", "another".to_owned(), "the settings".to_owned());
        }
    }
    Ok(())
}

fn with_policy(settings: &Settings, opening: &Opening) -> Settings {
    let policy = settings.policy.clone().or_else(|| opening.policy.clone());
    Settings { policy, ..settings.clone() }
}
