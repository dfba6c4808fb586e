//! What observations and actions look like.

use crate::env::{Action, EnvError};

/// One number of an observation or a continuous action.
#[derive(Clone, Debug, PartialEq)]
pub struct Component {
    /// What it is, as in the environment's table: `inventory`.
    pub name: String,
    /// Its unit, or what it was divided by: `lots / inventory_limit`.
    pub unit: String,
    /// It is never below this (may be minus infinity).
    pub low: f32,
    /// It is never above this (may be infinity).
    pub high: f32,
}

impl Component {
    /// A number within `[low, high]`.
    pub fn new(name: impl Into<String>, unit: impl Into<String>, low: f32, high: f32) -> Self {
        Self { name: name.into(), unit: unit.into(), low, high }
    }

    /// A number without bounds.
    pub fn unbounded(name: impl Into<String>, unit: impl Into<String>) -> Self {
        Self::new(name, unit, f32::NEG_INFINITY, f32::INFINITY)
    }
}

/// A box of 32-bit floats.
#[derive(Clone, Debug, PartialEq)]
pub struct BoxSpace {
    components: Vec<Component>,
    shape: Vec<usize>,
}

impl BoxSpace {
    /// A vector with these components.
    pub fn new(components: Vec<Component>) -> Self {
        let shape = vec![components.len()];
        Self { components, shape }
    }

    /// An array of these components in row-major order.
    ///
    /// # Panics
    /// If the product of `shape` is not the number of components.
    pub fn with_shape(components: Vec<Component>, shape: Vec<usize>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), components.len(), "a shape holds all components");
        Self { components, shape }
    }

    /// Its components in row-major order.
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// Its shape, as NumPy has it.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The number of components.
    pub fn len(&self) -> usize {
        self.components.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.components.is_empty()
    }
}

/// What can be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Space {
    /// A vector of 32-bit floats. Values outside the bounds are cut to them; NaN is refused.
    Box(BoxSpace),
    /// One of the named choices, by its number from 0.
    Discrete(Vec<String>),
    /// One choice from each of several lists: the list's name, and its choices.
    MultiDiscrete(Vec<(String, Vec<String>)>),
}

impl Space {
    /// Numbers of one action.
    pub fn len(&self) -> usize {
        match self {
            Self::Box(space) => space.len(),
            Self::Discrete(_) => 1,
            Self::MultiDiscrete(choices) => choices.len(),
        }
    }

    /// True if an action has no numbers.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True for a vector of floats.
    pub fn is_continuous(&self) -> bool {
        matches!(self, Self::Box(_))
    }

    /// Checks actions laid out one after the other. Cost: their length.
    ///
    /// # Errors
    /// [`EnvError::Action`]: the wrong kind or number of values, NaN, or a choice that there is not.
    pub fn check(&self, actions: Action<'_>) -> Result<(), EnvError> {
        let width = self.len();
        let refuse = |index: usize, value: String, legal: String| {
            Err(EnvError::Action { row: index / width.max(1), index: index % width.max(1), value, legal })
        };
        match (self, actions) {
            (Self::Box(_), Action::Continuous(values)) if values.len().is_multiple_of(width) => {
                // NaN is rare: its place is looked for only once there is one. Without an early end this is a few vector instructions.
                if !values.iter().fold(false, |any, value| any | value.is_nan()) {
                    return Ok(());
                }
                match values.iter().position(|value| value.is_nan()) {
                    Some(index) => refuse(index, "NaN".into(), "a number".into()),
                    None => Ok(()),
                }
            }
            (Self::Discrete(_) | Self::MultiDiscrete(_), Action::Discrete(values))
                if values.len().is_multiple_of(width) =>
            {
                let choices = |index: usize| match self {
                    Self::MultiDiscrete(choices) => choices[index % width].1.len(),
                    Self::Discrete(choices) => choices.len(),
                    Self::Box(_) => 0,
                };
                let illegal = |&(index, &value): &(usize, &i64)| {
                    usize::try_from(value).ok().is_none_or(|value| value >= choices(index))
                };
                match values.iter().enumerate().find(illegal) {
                    Some((index, value)) => refuse(
                        index,
                        value.to_string(),
                        format!("an integer from 0 to {}", choices(index) - 1),
                    ),
                    None => Ok(()),
                }
            }
            (space, actions) => {
                let (kind, found) = match actions {
                    Action::Continuous(values) => ("32-bit floats", values.len()),
                    Action::Discrete(values) => ("integers", values.len()),
                };
                let wanted = if space.is_continuous() { "32-bit floats" } else { "integers" };
                refuse(0, format!("{found} {kind}"), format!("{width} {wanted} for each environment"))
            }
        }
    }
}
