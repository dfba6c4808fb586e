//! Dollar-cost averaging in cycles: buys small at once, buys more as the price falls, and sells everything at a profit or not at all.

use gym::envs::trader::{Session, Wish};
use lob::ParameterError;
use lob::parameter::{non_negative, positive, probability};

/// Settings of [`Lowrider`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LowriderSettings {
    /// The largest single purchase is the wallet (the equity as a cycle begins) divided by this.
    pub reluctance: f64,
    /// The first purchase of a cycle, a share of the largest.
    pub first: f64,
    /// Each purchase is so many times the one before, up to the largest.
    pub growth: f64,
    /// How far the price must be below that of the last purchase for another one, a share of it.
    pub spacing: f64,
    /// Each distance is so many times the one before.
    pub spacing_growth: f64,
    /// The cycle is sold once it would bring so much more than it cost, after the costs of selling, a share of the cost.
    pub profit: f64,
}

impl Default for LowriderSettings {
    fn default() -> Self {
        Self { reluctance: 10.0, first: 0.2, growth: 1.5, spacing: 0.002, spacing_growth: 1.2, profit: 0.001 }
    }
}

impl LowriderSettings {
    /// Checks every number.
    ///
    /// # Errors
    /// The first that is not legal.
    pub fn validate(&self) -> Result<(), ParameterError> {
        let at_least_one = |key: &str, value: f64| {
            if value.is_finite() && (1.0..=1e6).contains(&value) {
                Ok(())
            } else {
                Err(ParameterError::new(key, value, "a number from 1 to 1,000,000"))
            }
        };
        at_least_one("reluctance", self.reluctance)?;
        positive("first", self.first)?;
        probability("first", self.first)?;
        at_least_one("growth", self.growth)?;
        probability("spacing", self.spacing)?;
        at_least_one("spacing_growth", self.spacing_growth)?;
        non_negative("profit", self.profit)
    }
}

/// The rule. What it realises is a profit by construction; what it holds meanwhile may be any loss.
#[derive(Clone, Copy, Debug)]
pub struct Lowrider {
    settings: LowriderSettings,
    /// The largest purchase of this cycle, money.
    largest: f64,
    /// The last purchase, and the one before it.
    last: Purchase,
    before: Purchase,
    /// Units held when a purchase was decided in the last step: it counts once it has been filled. Below all where none was.
    units: f64,
}

/// A purchase.
#[derive(Clone, Copy, Debug, Default)]
struct Purchase {
    /// Money.
    size: f64,
    /// The price at which it was decided.
    price: f64,
    /// How far below that the next one comes, a share of it.
    spacing: f64,
}

impl Lowrider {
    /// The rule, before its first cycle.
    ///
    /// # Errors
    /// A number that is not legal.
    pub fn new(settings: LowriderSettings) -> Result<Self, ParameterError> {
        settings.validate()?;
        Ok(Self::fresh(settings))
    }

    fn fresh(settings: LowriderSettings) -> Self {
        let nothing = Purchase::default();
        Self { settings, largest: 0.0, last: nothing, before: nothing, units: f64::NEG_INFINITY }
    }

    /// The same rule before its first cycle.
    pub(super) fn renewed(&self) -> Self {
        Self::fresh(self.settings)
    }

    /// What it does now. `scale` is what purchases are multiplied by: 1, or a policy's probability of buying.
    pub fn decide(&mut self, session: &Session, scale: f64) -> Wish {
        let (wallet, price) = (session.wallet(), session.price());
        let settings = self.settings;
        if !wallet.is_open() {
            self.largest = session.equity() / settings.reluctance;
            self.last.size = self.largest * settings.first;
            self.last.spacing = settings.spacing;
            return self.buy(session, scale);
        }
        let costs = if wallet.traded > 0.0 { (wallet.fees + wallet.slippage) / wallet.traded } else { 0.0 };
        let brings = wallet.units * price * (1.0 - costs.max(0.0));
        // What the cycle has paid for holding is a cost of it too.
        if brings + wallet.cycle_realised() >= -wallet.flow * (1.0 + settings.profit) {
            return Wish::Close;
        }
        if wallet.units <= self.units {
            // Nothing was filled, as of less than a lot or for a scale of nothing: as if it had not been asked for.
            self.last = self.before;
        }
        if price <= self.last.price * (1.0 - self.last.spacing) {
            self.before = self.last;
            self.last.size = (self.last.size * settings.growth).min(self.largest);
            self.last.spacing *= settings.spacing_growth;
            return self.buy(session, scale);
        }
        self.units = f64::NEG_INFINITY;
        Wish::Hold
    }

    fn buy(&mut self, session: &Session, scale: f64) -> Wish {
        (self.last.price, self.units) = (session.price(), session.wallet().units);
        Wish::Trade(self.last.size * scale)
    }
}
