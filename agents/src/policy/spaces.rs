//! What a policy was trained to see and do, as its file records it.

use gym::{BoxSpace, Space};
use serde::{Deserialize, Serialize};

use super::Head;

/// One number of an observation or a continuous action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentRecord {
    /// What it is.
    pub name: String,
    /// Its unit, or what it was divided by.
    pub unit: String,
    /// Never below; none if unbounded.
    pub low: Option<f32>,
    /// Never above; none if unbounded.
    pub high: Option<f32>,
}

impl ComponentRecord {
    /// The components of a box.
    pub fn of(space: &BoxSpace) -> Vec<Self> {
        space.components().iter().map(Self::from).collect()
    }
}

impl From<&gym::Component> for ComponentRecord {
    fn from(component: &gym::Component) -> Self {
        let finite = |x: f32| x.is_finite().then_some(x);
        Self {
            name: component.name.clone(),
            unit: component.unit.clone(),
            low: finite(component.low),
            high: finite(component.high),
        }
    }
}

/// What an action may be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ActionRecord {
    /// A vector of numbers.
    Box {
        /// One by one.
        components: Vec<ComponentRecord>,
    },
    /// One of several choices.
    Discrete {
        /// Their names.
        choices: Vec<String>,
    },
    /// One choice from each of several lists.
    MultiDiscrete {
        /// The names of the lists and of their choices.
        lists: Vec<(String, Vec<String>)>,
    },
}

impl ActionRecord {
    /// The record of a space.
    pub fn of(space: &Space) -> Self {
        match space {
            Space::Box(space) => Self::Box { components: ComponentRecord::of(space) },
            Space::Discrete(choices) => Self::Discrete { choices: choices.clone() },
            Space::MultiDiscrete(lists) => Self::MultiDiscrete { lists: lists.clone() },
        }
    }

    /// Whether a head gives such actions.
    pub(super) fn suits(&self, head: &Head) -> bool {
        match (self, head) {
            (Self::Box { components }, head) => !head.is_discrete() && head.action_len() == components.len(),
            (
                Self::Discrete { choices },
                Head::Categorical { choices: count } | Head::Greedy { choices: count, .. },
            ) => *count == choices.len(),
            (Self::MultiDiscrete { lists }, Head::MultiCategorical { choices }) => {
                choices.iter().copied().eq(lists.iter().map(|(_, choices)| choices.len()))
            }
            _ => false,
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Box { components } => format!("a box of {} numbers", components.len()),
            Self::Discrete { choices } => format!("one of {} choices", choices.len()),
            Self::MultiDiscrete { lists } => format!("a choice from each of {} lists", lists.len()),
        }
    }

    /// Why an action recorded so does not suit `other`, if so.
    pub(super) fn mismatch(&self, other: &Self) -> Option<String> {
        match (self, other) {
            (Self::Box { components }, Self::Box { components: others }) => {
                first_difference("action", components, others)
            }
            _ if self == other => None,
            _ if self.describe() == other.describe() => {
                Some(format!("its actions are {}, but they mean something else here", self.describe()))
            }
            _ => Some(format!("its actions are {}, here they are {}", self.describe(), other.describe())),
        }
    }
}

/// The first component that differs, in words.
pub(super) fn first_difference(
    what: &str,
    own: &[ComponentRecord],
    other: &[ComponentRecord],
) -> Option<String> {
    if own.len() != other.len() {
        return Some(format!("its {what} has {} numbers, here it has {}", own.len(), other.len()));
    }
    let (index, (own, other)) = own.iter().zip(other).enumerate().find(|(_, (own, other))| own != other)?;
    let range = |record: &ComponentRecord| {
        let text =
            |bound: Option<f32>| bound.map_or_else(|| "unbounded".to_owned(), |bound| bound.to_string());
        format!("{} ({}; {} to {})", record.name, record.unit, text(record.low), text(record.high))
    };
    Some(format!("its {what}[{index}] is {}, here it is {}", range(own), range(other)))
}
