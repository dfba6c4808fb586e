//! The loop: prices, targets, risk, orders, fills, net asset value.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gym::ConfigError;
use lob::ParameterError;

use super::config::cents;
use super::ledger::{Ledger, Opening, State};
use super::plan::{Desk, Holdings, Order, Plan, Reason, Refused};
use super::targets::absolute;
use super::{BrokerError, Choice, Market, PaperConfig, Targets, Venue};

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
    /// Who decides; none: the ledger's, or equal weight.
    pub policy: Option<Choice>,
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
        let choice: Choice = opening.policy.parse()?;
        let (targets, _) = choice.open(&mut config.clone(), &opening.directory)?;
        let market = Market::new(&config, choice.history(), &opening.directory, opening.seed)?;
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
            self.ledger.decide(next, (orders, reason), refused, &self.state.holdings, seen, decision)?;
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
    config.validate()?;
    let directory = absolute(&settings.directory)?;
    // A policy's prices have a directory of their own, the impact's file is the settings'.
    config.impact = config.impact.resolve(&directory).map_err(ConfigError::from)?;
    let choice = settings.policy.clone().unwrap_or_default().absolute()?;
    let (_, directory) = choice.open(&mut config, &directory)?;
    let config = config.resolve(&directory)?;
    let text = serde_json::to_string(&config);
    let text = text.map_err(|error| ParameterError::new("config", error, "numbers that are finite"))?;
    Ok(Opening { seed: settings.seed.unwrap_or(0), config: text, directory, policy: choice.to_string() })
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
        && policy.absolute()?.to_string() != opening.policy
    {
        return refuse("policy", policy.to_string(), opening.policy.clone());
    }
    if settings.config.is_some() {
        // The same way to a text that the ledger's took.
        let (policy, seed) = (Some(opening.policy.parse()?), Some(opening.seed));
        let asked = opening_of(&Settings { policy, seed, ..settings.clone() })?;
        if asked.config != opening.config {
            return refuse("config", "another".to_owned(), "the settings".to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

    use super::super::targets::Says;
    use super::super::{Rule, Summary};
    use super::*;

    #[test]
    fn output_that_is_no_weights_is_written_down_and_nothing_is_traded() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let settings = Settings { assets: Some(4), ..Settings::default() };
        let mut broker = Broker::open(&path, &settings).unwrap();
        broker.step().unwrap().unwrap();
        let held = broker.holdings().clone();
        assert!(held.positions.iter().all(|&shares| shares > 0));
        for (said, rule) in [
            (vec![f64::NAN, 0.5, 0.25, 0.25], Rule::TargetNotFinite),
            (vec![f64::INFINITY, 0.0, 0.0, 0.0], Rule::TargetNotFinite),
            (vec![0.25; 3], Rule::TargetLength),
            (vec![0.2; 5], Rule::TargetLength),
            (vec![], Rule::TargetLength),
            (vec![0.2; 4], Rule::TargetOffSimplex),
            (vec![-0.5, 0.5, 0.5, 0.5], Rule::TargetOffSimplex),
            (vec![2.0, 0.0, 0.0, 0.0], Rule::TargetOffSimplex),
        ] {
            broker.targets = Box::new(Says(said.clone()));
            let step = broker.step().unwrap().unwrap();
            assert_eq!((step.fills, step.turnover, step.cash), (0, 0, held.cash), "{said:?}");
            assert_eq!(step.refused.len(), 1);
            let refused = &step.refused[0];
            assert_eq!((refused.refusal.rule, refused.asset), (rule, None), "{said:?}");
            assert_eq!(broker.holdings().positions, held.positions);
        }
        let summary = Summary::of(&path).unwrap();
        let counts: Vec<_> = summary.rejections.iter().map(|(rule, count)| (rule.as_str(), *count)).collect();
        assert_eq!(counts, [("target_length", 3), ("target_not_finite", 2), ("target_off_simplex", 3)]);
        assert!(summary.reconciled && summary.fills == 4);
        broker.targets = Box::new(Says(vec![0.4, 0.2, 0.2, 0.2]));
        assert!(broker.step().unwrap().unwrap().fills > 0, "it goes on");
    }
}
