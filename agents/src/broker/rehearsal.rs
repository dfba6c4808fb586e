//! Decisions without a ledger, to be timed.

use std::path::Path;
use std::time::{Duration, Instant};

use super::config::cents;
use super::plan::{Desk, Holdings, Plan};
use super::{BrokerError, Choice, Market, PaperConfig, PolicyTargets, Targets, Venue};

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
    /// A network of two hidden layers of 64 that nobody trained.
    Untrained,
    /// A rule or a trained policy.
    Of(&'a Choice),
}

impl Rehearsal {
    /// A broker before its first step; a policy's settings are put into `config`.
    ///
    /// # Errors
    /// Settings that are not legal, files that cannot be used.
    pub fn new(mut config: PaperConfig, who: Rehearsed<'_>, seed: u64) -> Result<Self, BrokerError> {
        let (opened, directory, history) = match who {
            Rehearsed::Of(choice) => {
                let (targets, directory) = choice.open(&mut config, Path::new(""))?;
                (Some(targets), directory, choice.history())
            }
            Rehearsed::Untrained => (None, std::path::PathBuf::new(), 0),
        };
        let config = config.resolve(Path::new(""))?;
        let market = Market::new(&config, history, &directory, seed)?;
        let assets = market.assets();
        let targets = match opened {
            Some(targets) => targets,
            None => Box::new(PolicyTargets::untrained(&config, assets, seed)?),
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
