//! Rules to compare traders with.

use gym::envs::trader::{Session, Wish};
use lob::random::uniform;
use lob::sim::SimRng;
use rand_xoshiro::rand_core::SeedableRng;

use super::lowrider::Lowrider;

/// A rule.
#[derive(Clone, Debug)]
pub enum Rule {
    /// Never trades.
    Cash,
    /// Buys for all its money, without leverage, as fast as the market has it, and holds.
    BuyAndHold {
        /// Whether it is done.
        bought: bool,
    },
    /// Buys (or opens short where that is allowed, as likely) at each step with a probability while it has nothing, and closes with another.
    Random {
        /// Of an entry at each step.
        entry: f64,
        /// Of an exit at each step.
        exit: f64,
        /// What it draws.
        rng: SimRng,
    },
    /// [`Lowrider`].
    Lowrider(Lowrider),
}

impl Rule {
    /// A new episode; `seed` is for those that draw.
    pub fn start(&mut self, seed: u64) {
        match self {
            Self::Random { rng, .. } => *rng = SimRng::seed_from_u64(seed),
            Self::Lowrider(rule) => *rule = rule.renewed(),
            Self::BuyAndHold { bought } => *bought = false,
            Self::Cash => {}
        }
    }

    /// What it does now.
    pub fn decide(&mut self, session: &Session) -> Wish {
        match self {
            Self::Cash => Wish::Hold,
            Self::BuyAndHold { bought } => {
                let missing = session.equity() - session.wallet().units * session.price();
                // What is left over is costs, or less than a lot.
                *bought |= missing < 0.02 * session.equity();
                if *bought { Wish::Hold } else { Wish::Trade(missing) }
            }
            Self::Random { entry, exit, rng } => {
                let (enters, sells) = (uniform(rng), uniform(rng) < 0.5);
                if session.wallet().is_open() {
                    return if enters < *exit { Wish::Close } else { Wish::Hold };
                }
                let choice = if sells && session.may_be_short() { 2 } else { 1 };
                if enters < *entry { session.choose(choice) } else { Wish::Hold }
            }
            Self::Lowrider(rule) => rule.decide(session, 1.0),
        }
    }
}
