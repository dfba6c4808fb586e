//! Decisions without a ledger, to be timed.

use std::path::Path;
use std::time::{Duration, Instant};

use super::config::cents;
use super::plan::{Desk, Holdings, Plan};
use super::{BrokerError, EqualWeight, Market, PaperConfig, PolicyTargets, Targets, Venue};

/// A broker's decisions, one after the other, traded but not written down.
#[derive(Debug)]
pub struct Rehearsal {
    config: PaperConfig,
    seed: u64,
    market: Market,
    venue: Venue,
    targets: Box<dyn Targets>,
    holdings: Holdings,
    plan: Plan,
    traded: Vec<bool>,
}

/// Whose decisions are rehearsed.
#[derive(Clone, Copy, Debug)]
pub enum Rehearsed<'a> {
    /// The rule without a network.
    EqualWeight,
    /// A network of two hidden layers of 64 that nobody trained.
    Untrained,
    /// A policy's file or a run's directory.
    Policy(&'a Path),
}

impl Rehearsal {
    /// A broker before its first step; a policy's settings are put into `config`.
    ///
    /// # Errors
    /// Settings that are not legal, files that cannot be used.
    pub fn new(mut config: PaperConfig, who: Rehearsed<'_>, seed: u64) -> Result<Self, BrokerError> {
        let mut directory = std::path::PathBuf::new();
        let opened = match who {
            Rehearsed::Policy(path) => {
                let (targets, env) = PolicyTargets::open(path, &mut config)?;
                directory = env.directory;
                Some(targets)
            }
            _ => None,
        };
        config.validate()?;
        let market = Market::new(&config, &directory, seed)?;
        let assets = market.assets();
        let targets: Box<dyn Targets> = match (opened, who) {
            (Some(targets), _) => Box::new(targets),
            (None, Rehearsed::Untrained) => Box::new(PolicyTargets::untrained(&config, assets, seed)?),
            (None, _) => Box::new(EqualWeight),
        };
        let capital = cents(config.capital);
        let holdings = Holdings {
            capital,
            cash: capital,
            positions: vec![0; assets],
            day_nav: capital,
            day_turnover: 0,
        };
        let venue = Venue::new(&config, assets)?;
        let (plan, traded) = (Plan::default(), vec![false; assets]);
        Ok(Self { config, seed, market, venue, targets, holdings, plan, traded })
    }

    /// How many assets.
    pub fn assets(&self) -> usize {
        self.market.assets()
    }

    /// A step: the time from before its prices are known until orders have passed the limits (the market's own draw is part of it), and how many
    /// orders there are. None once given prices are used up.
    ///
    /// # Errors
    /// Amounts beyond 64 bits.
    pub fn step(&mut self) -> Result<Option<(Duration, usize)>, BrokerError> {
        let begun = Instant::now();
        if !self.market.advance() {
            return Ok(None);
        }
        if (self.market.step() - 1).is_multiple_of(self.config.periods_per_day) {
            self.holdings.day_nav = self.holdings.nav(self.market.prices())?;
            self.holdings.day_turnover = 0;
        }
        let desk = Desk {
            market: &self.market,
            venue: &self.venue,
            limits: &self.config.limits,
            reserve: self.config.cash_reserve,
            seed: self.seed,
        };
        self.plan.rebalance(&desk, &mut *self.targets, &self.holdings)?;
        let lasted = begun.elapsed();
        self.traded.fill(false);
        for order in &self.plan.orders {
            let execution = self.venue.execute(&self.market, order.asset, order.quantity)?;
            self.holdings.cash -= execution.paid()?;
            self.holdings.positions[order.asset] += order.quantity;
            self.traded[order.asset] = true;
        }
        self.venue.settle(&self.traded);
        Ok(Some((lasted, self.plan.orders.len())))
    }
}
