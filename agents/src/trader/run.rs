//! A trader on paper: bars come one by one, a trader decides, a journal keeps what happened.

use std::path::{Path, PathBuf};

use gym::config::Task;
use gym::envs::TraderConfig;
use gym::envs::trader::{FeatureScaling, Filled, LiveTrader, Wish};
use gym::prices::{RawBar, TickBarsConfig};
use gym::{ConfigError, EnvConfig};
use lob::ParameterError;
use lob::parameter::probability;
use serde_json::{Map, Value, json};

use super::entrant::{Decided, TraderEntrant, TraderMind};
use super::journal::{Ending, Entry, Journal, Record, TradeError, kill_file};

/// How a session is begun.
#[derive(Clone, Debug)]
pub struct TradeSettings {
    /// Who trades.
    pub policy: TraderEntrant,
    /// The environment `trader`: its account, costs, features, and what they are normalised by: what was fitted in training, or the training part
    /// of a file as it is now.
    pub env: EnvConfig,
    /// The file of bars that are traded on.
    pub bars: PathBuf,
    /// What a policy draws.
    pub seed: u64,
    /// Largest loss, a share of the capital; beyond it everything is sold and the session ends.
    pub max_loss: Option<f64>,
    /// Length of a bar, s: of a session that goes on it is what it was begun with.
    pub interval_seconds: f64,
    /// Bars up to here are seen but not traded on, ns since 1970.
    pub first_ns: i64,
}

/// A session at work.
#[derive(Debug)]
pub struct TradeRun {
    live: LiveTrader,
    mind: TraderMind,
    observation: Vec<f32>,
    /// What is wished for the next bar.
    decided: Decided,
    journal: Journal,
    /// What an earlier run entered: played again, and compared.
    past: Vec<Entry>,
    kill_file: PathBuf,
    first_ns: i64,
    /// Money below which the session ends.
    floor: Option<f64>,
    step: u64,
    began: bool,
}

impl TradeRun {
    /// Opens a session's directory, or makes one. The bars from the file's first on are to be told then, those of an earlier run too.
    ///
    /// # Errors
    /// [`TradeError`].
    pub fn open(directory: &Path, settings: &TradeSettings) -> Result<Self, TradeError> {
        let Task::Trader(config) = &settings.env.task else {
            return Err(ParameterError::new("env.name", settings.env.name(), "trader").into());
        };
        if let Some(share) = settings.max_loss {
            probability("max_loss", share)?;
        }
        // A session goes on with what it was begun with, whatever the file of bars says by now.
        let before = Record::read(directory).map(|record| record.settings).unwrap_or_default();
        let interval_seconds = before.get("interval_seconds").and_then(Value::as_f64);
        let interval_seconds = interval_seconds.unwrap_or(settings.interval_seconds);
        let config = normalised(config, settings, &before)?;
        let env = EnvConfig { task: Task::Trader(config.clone()), ..settings.env.clone() };
        let settings = &TradeSettings { env, interval_seconds, ..settings.clone() };
        let live = LiveTrader::new(&config, &settings.env.market, interval_seconds, &settings.env.directory)?;
        let mut mind = settings.policy.mind(live.observation_space(), live.action_space())?;
        mind.start(settings.seed);
        let (journal, record) = Journal::open(directory, &settings.to_map()?)?;
        let first_ns = record.settings.get("first_ns").and_then(Value::as_i64).unwrap_or(settings.first_ns);
        Ok(Self {
            observation: vec![0.0; live.observation_space().len()],
            live,
            mind,
            decided: Decided { wish: Wish::Hold, probabilities: None },
            journal,
            past: record.entries,
            kill_file: kill_file(directory),
            first_ns,
            floor: settings.max_loss.map(|share| config.capital * (1.0 - share)),
            step: 0,
            began: false,
        })
    }

    /// What the features need and no bar has had yet, where that is what the first decision waits for.
    pub fn lacking(&self) -> Option<&'static str> {
        self.live.lacking()
    }

    /// The names of the columns that bars come with.
    pub fn columns(&self) -> &TickBarsConfig {
        self.live.columns()
    }

    /// Bars traded on, earlier runs included.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// True while bars of an earlier run are played again.
    pub fn is_catching_up(&self) -> bool {
        (self.step as usize) < self.past.len()
    }

    /// True if the kill switch is on.
    pub fn is_killed(&self) -> bool {
        self.kill_file.exists()
    }

    /// Takes a bar. Returns what was entered, nothing for bars that only warm features up, and how the session ended if it did.
    ///
    /// # Errors
    /// A bar that cannot be used; one that is not what an earlier run entered; a journal that cannot be written.
    pub fn bar(&mut self, raw: &RawBar) -> Result<(Option<Entry>, Option<Ending>), TradeError> {
        let wish = if self.began { self.decided.wish } else { Wish::Hold };
        let stepped = self.live.bar(wish, raw)?;
        if self.live.bars_missing() > 0 {
            return Ok((None, None));
        }
        let liquidated = self.live.session().moment().liquidated;
        let entry = (self.began && stepped.is_some()).then(|| {
            self.step += 1;
            let filled = self.live.session().moment().filled;
            let action = match filled.units {
                _ if liquidated => "liquidated",
                units if units > 0.0 => "buy",
                units if units < 0.0 => "sell",
                _ => "hold",
            };
            self.entry(action, filled)
        });
        if raw.time_ns >= self.first_ns || self.began {
            self.began = true;
            self.live.session().observe(&mut self.observation);
            self.decided = self.mind.decide(self.live.session(), &self.observation);
        }
        let Some(mut entry) = entry else { return Ok((None, None)) };
        entry.probabilities.clone_from(&self.decided.probabilities);
        self.enter(&entry)?;
        if liquidated {
            return self.over(entry, Ending::Liquidated);
        }
        if self.floor.is_some_and(|floor| entry.equity < floor) {
            let last = self.close("loss_limit")?;
            return self.over(last, Ending::LossLimit);
        }
        Ok((Some(entry), None))
    }

    /// Sells everything at the last price and ends the session: what the kill switch asks for.
    ///
    /// # Errors
    /// A journal that cannot be written.
    pub fn kill(&mut self) -> Result<(Option<Entry>, Option<Ending>), TradeError> {
        if !self.began {
            self.journal.end(Ending::Killed)?;
            return Ok((None, Some(Ending::Killed)));
        }
        let last = self.close("kill")?;
        self.over(last, Ending::Killed)
    }

    /// Notes that the session ended, in a way that it may go on after.
    ///
    /// # Errors
    /// A journal that cannot be written.
    pub fn end(&mut self, ending: Ending) -> Result<(), TradeError> {
        self.journal.end(ending)
    }

    fn over(&mut self, entry: Entry, ending: Ending) -> Result<(Option<Entry>, Option<Ending>), TradeError> {
        self.journal.end(ending)?;
        Ok((Some(entry), Some(ending)))
    }

    fn close(&mut self, action: &str) -> Result<Entry, TradeError> {
        self.live.fill_now(Wish::Close);
        self.step += 1;
        let filled = self.live.session().moment().filled;
        let entry = self.entry(action, filled);
        self.enter(&entry)?;
        Ok(entry)
    }

    /// Enters what is new; what was entered before must be the same again.
    fn enter(&mut self, entry: &Entry) -> Result<(), TradeError> {
        let Some(before) = self.past.get(self.step as usize - 1) else { return self.journal.enter(entry) };
        // Numbers go through JSON unchanged, so that equal means to the last bit.
        if before == entry {
            return Ok(());
        }
        let problem = format!(
            "at {} ns an equity of {} was entered in step {}, and the bars give {} at {} ns; the file of bars or the policy has changed: name \
             another directory",
            before.time_ns, before.equity, before.step, entry.equity, entry.time_ns
        );
        Err(TradeError::Over { path: self.journal.path().to_owned(), problem })
    }

    fn entry(&self, action: &str, filled: Filled) -> Entry {
        let session = self.live.session();
        let (wallet, bar) = (session.wallet(), session.bar());
        Entry {
            step: self.step,
            time_ns: bar.time_ns,
            close: bar.tick.close,
            bid: bar.tick.bid_price,
            ask: bar.tick.ask_price,
            action: action.to_owned(),
            traded: filled.units,
            price: filled.price,
            fee: filled.fees,
            impact: filled.slippage,
            funding: session.moment().funding,
            position: wallet.units,
            cash: wallet.cash,
            equity: session.equity(),
            realised_profit: wallet.realised,
            unrealised_profit: session.unrealised(),
            average_price: wallet.average_price(),
            fees: wallet.fees,
            slippage: wallet.slippage,
            funding_paid: wallet.funding,
            fills: wallet.fills,
            cycles: wallet.cycles,
            won: wallet.won,
            drawdown: session.drawdown(),
            max_drawdown: session.max_drawdown(),
            steps_under_water: session.steps_under_water(),
            probabilities: None,
        }
    }
}

impl TradeSettings {
    /// The settings of a trader that nothing is said about, for a policy: those that it was trained with, or for rules the environment's
    /// defaults, looking at prices alone and without normalisation.
    ///
    /// # Errors
    /// A policy that cannot be read.
    pub fn usual_env(policy: &TraderEntrant) -> Result<Map<String, Value>, TradeError> {
        match policy.trained() {
            Some(reference) => Ok(reference.open()?.header.env),
            None => {
                let mut map = EnvConfig::named_settings("trader")?;
                map.insert("normalisation".into(), Value::Null);
                map.insert("window".into(), 1.into());
                map.insert("features".into(), "price".into());
                Ok(map)
            }
        }
    }

    /// What the journal begins with.
    fn to_map(&self) -> Result<Map<String, Value>, ConfigError> {
        let env = self.env.clone().with_absolute_paths()?;
        let bars = std::path::absolute(&self.bars)
            .map_err(|problem| ConfigError::Io { path: self.bars.clone(), problem })?;
        let Value::Object(map) = json!({
            "policy": self.policy.to_string(),
            "env": env.to_map(),
            "bars": bars.display().to_string(),
            "seed": self.seed,
            "max_loss": self.max_loss,
            "interval_seconds": self.interval_seconds,
            "first_ns": self.first_ns,
            "version": env!("CARGO_PKG_VERSION"),
        }) else {
            unreachable!("braces make a map")
        };
        Ok(map)
    }
}

/// The settings with the normalisation that the session was begun with, or else that of the policy, or else one that is fitted now: it is kept
/// in the journal with them.
fn normalised(
    config: &TraderConfig,
    settings: &TradeSettings,
    before: &Map<String, Value>,
) -> Result<TraderConfig, TradeError> {
    if !matches!(config.normalisation, Some(FeatureScaling::Method(_))) {
        return Ok(config.clone());
    }
    let kept = before.get("env").and_then(|env| env.get("normalisation")).cloned().unwrap_or_default();
    let kept = match serde_json::from_value::<Option<FeatureScaling>>(kept) {
        Ok(Some(kept)) => Some(kept),
        _ => settings.policy.normalisation()?.filter(|trained| trained.fitted().is_some()),
    };
    match kept {
        Some(kept) => Ok(TraderConfig { normalisation: Some(kept), ..config.clone() }),
        None => Ok(config.fitted(&settings.env.directory)?),
    }
}

/// The trader's settings of an environment, for those who read a journal.
pub(super) fn capital_of(record: &Record) -> Option<f64> {
    record.settings.get("env")?.get("capital")?.as_f64()
}
