//! Who is evaluated: rules that look at the typed state, and whatever maps an observation to an action.

use std::fmt;
use std::sync::Arc;

use gym::Action;

use crate::market_making::Quoter;

/// Whatever maps an observation to an action: a learned policy.
pub trait Actor: Send {
    /// A new episode begins: what was remembered of the last one is forgotten; `seed` is for those that draw.
    fn start(&mut self, _seed: u64) {}

    /// The action for an observation of the environment's space, an element of its action space.
    fn act(&mut self, observation: &[f32]) -> Action<'_>;
}

/// Who decides in an episode.
pub enum Player {
    /// A rule that says what to quote. Its offsets are not bound by what an action of the environment can say, its sizes are.
    Rule(Box<dyn Quoter>),
    /// An actor, in the environment as it is configured.
    Actor(Box<dyn Actor>),
}

type Maker = dyn Fn() -> Player + Send + Sync;

/// A policy to be evaluated, made anew for each thread.
#[derive(Clone)]
pub struct Candidate {
    /// Its name in the results.
    pub name: String,
    /// What it is, in full.
    pub description: String,
    make: Arc<Maker>,
}

impl Candidate {
    /// A rule.
    pub fn rule<Q: Quoter + 'static>(
        name: impl Into<String>,
        description: impl Into<String>,
        make: impl Fn() -> Q + Send + Sync + 'static,
    ) -> Self {
        let make = Arc::new(move || Player::Rule(Box::new(make())));
        Self { name: name.into(), description: description.into(), make }
    }

    /// An actor.
    pub fn actor<A: Actor + 'static>(
        name: impl Into<String>,
        description: impl Into<String>,
        make: impl Fn() -> A + Send + Sync + 'static,
    ) -> Self {
        let make = Arc::new(move || Player::Actor(Box::new(make())));
        Self { name: name.into(), description: description.into(), make }
    }

    /// A player of its own.
    pub fn make(&self) -> Player {
        (self.make)()
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Candidate").field("name", &self.name).finish_non_exhaustive()
    }
}
