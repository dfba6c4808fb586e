//! Rules by name: `join:lots=5:skew=4` and the like.

use std::fmt;
use std::str::FromStr;

use lob::ParameterError;

use super::player::Candidate;
use super::stage::Setting;
use crate::market_making::{
    AroundMid, AvellanedaStoikov, FillModel, Gueant, JoinTouch, Limited, RandomOffsets,
};

/// Kinds of rules, with their own number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RuleKind {
    /// [`JoinTouch`].
    Join,
    /// [`AroundMid`].
    Mid {
        /// Ticks from the mid.
        distance: f64,
    },
    /// [`AvellanedaStoikov`].
    AvellanedaStoikov {
        /// Risk aversion, 1 / (ticks x lots).
        gamma: f64,
    },
    /// [`Gueant`].
    Gueant {
        /// Risk aversion, 1 / (ticks x lots).
        gamma: f64,
    },
    /// [`RandomOffsets`] over the range of the environment's action.
    Random,
}

/// A rule, as it is asked for. What is `None` is the environment's most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// Which.
    pub kind: RuleKind,
    /// Lots on each side.
    pub lots: Option<u64>,
    /// Inventory at which a side stops, lots.
    pub limit: Option<u64>,
    /// Strength of the inventory skew of join (ticks at the limit) and mid (half ticks); 0: none.
    pub skew: f64,
}

/// Risk aversion where nothing is said.
pub const DEFAULT_GAMMA: f64 = 0.1;
/// Distance of mid where nothing is said.
const DEFAULT_DISTANCE: f64 = 1.0;

const LEGAL: &str = "join, mid, as, glft or random, with options as in mid:distance=0.5:lots=2:limit=10:skew=4 \
                     (distance: mid; skew: join and mid; gamma: as and glft; lots and limit: all), or policy:PATH of a trained one";

impl Rule {
    /// A rule of this kind at the environment's largest size and limit, without skew.
    pub fn new(kind: RuleKind) -> Self {
        Self { kind, lots: None, limit: None, skew: 0.0 }
    }

    /// True if the rule's parameters are to be fitted to the market.
    pub fn needs_model(&self) -> bool {
        matches!(self.kind, RuleKind::AvellanedaStoikov { .. } | RuleKind::Gueant { .. })
    }

    /// The rule in an environment. `model` is what [`needs_model`](Self::needs_model) asks for.
    ///
    /// # Errors
    /// A number that is not legal; a model that is missing.
    pub fn candidate(
        &self,
        setting: &Setting,
        model: Option<&FillModel>,
    ) -> Result<Candidate, ParameterError> {
        let name = self.to_string();
        let within = |error: ParameterError| error.within(&name);
        let lots = self.lots.unwrap_or(setting.max_lots());
        let limit = self.limit.unwrap_or(setting.limit());
        lob::parameter::integer("lots", lots, 1..=setting.max_lots()).map_err(within)?;
        lob::parameter::integer("limit", limit, 1..=setting.limit()).map_err(within)?;
        let sizes = format!("{lots} lots, limit {limit}");
        let fitted =
            || model.ok_or_else(|| ParameterError::new(&name, "not fitted", "a fill model of the market"));
        let skew = |unit: &str| {
            if self.skew == 0.0 {
                "no skew".to_owned()
            } else {
                format!("skew {} {unit} at the limit", self.skew)
            }
        };
        Ok(match self.kind {
            RuleKind::Join => {
                let rule = JoinTouch::new(lots, limit, self.skew).map_err(within)?;
                let description = format!("joins the touch, {sizes}, {}", skew("ticks"));
                Candidate::rule(name, description, move || rule)
            }
            RuleKind::Mid { distance } => {
                let rule = AroundMid::new(distance, lots, limit, self.skew).map_err(within)?;
                let description = format!("{distance} ticks from the mid, {sizes}, {}", skew("half ticks"));
                Candidate::rule(name, description, move || rule)
            }
            RuleKind::AvellanedaStoikov { gamma } => {
                let model = fitted()?;
                let rule =
                    AvellanedaStoikov::new(gamma, model.volatility, model.decay, lots).map_err(within)?;
                let description = format!(
                    "Avellaneda-Stoikov, gamma {gamma}, sigma {:.4}, k {:.4}, {sizes}",
                    model.volatility, model.decay
                );
                Candidate::rule(name, description, move || Limited::new(rule, limit))
            }
            RuleKind::Gueant { gamma } => {
                let model = fitted()?;
                let (sigma, a, k) = (model.volatility, model.arrival_rate, model.decay);
                let rule = Gueant::new(gamma, sigma, a, k, lots).map_err(within)?;
                let description = format!(
                    "Gueant-Lehalle-Fernandez-Tapia, gamma {gamma}, sigma {sigma:.4}, A {a:.4}, k {k:.4}, {sizes}"
                );
                Candidate::rule(name, description, move || Limited::new(rule, limit))
            }
            RuleKind::Random => {
                let [low, high] = setting.offsets();
                let description = format!("random, {low} to {high} ticks from the mid, {sizes}");
                Candidate::rule(name, description, move || {
                    Limited::new(RandomOffsets::new(low, high, lots), limit)
                })
            }
        })
    }
}

/// What [`Rule::from_str`] would read to the same effect.
impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            RuleKind::Join => formatter.write_str("join")?,
            RuleKind::Mid { distance } => write!(formatter, "mid:distance={distance}")?,
            RuleKind::AvellanedaStoikov { gamma } => write!(formatter, "as:gamma={gamma}")?,
            RuleKind::Gueant { gamma } => write!(formatter, "glft:gamma={gamma}")?,
            RuleKind::Random => formatter.write_str("random")?,
        }
        if let Some(lots) = self.lots {
            write!(formatter, ":lots={lots}")?;
        }
        if let Some(limit) = self.limit {
            write!(formatter, ":limit={limit}")?;
        }
        if self.skew != 0.0 {
            write!(formatter, ":skew={}", self.skew)?;
        }
        Ok(())
    }
}

impl FromStr for Rule {
    type Err = ParameterError;

    fn from_str(text: &str) -> Result<Self, ParameterError> {
        let refused = || ParameterError::new("policy", format_args!("{text:?}"), LEGAL);
        let mut parts = text.trim().split(':');
        let kind = match parts.next().unwrap_or_default() {
            "join" => RuleKind::Join,
            "mid" => RuleKind::Mid { distance: DEFAULT_DISTANCE },
            "as" => RuleKind::AvellanedaStoikov { gamma: DEFAULT_GAMMA },
            "glft" => RuleKind::Gueant { gamma: DEFAULT_GAMMA },
            "random" => RuleKind::Random,
            _ => return Err(refused()),
        };
        let mut rule = Self::new(kind);
        for part in parts {
            let (key, value) = part.split_once('=').ok_or_else(refused)?;
            let number = || value.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or_else(refused);
            let count = || value.parse::<u64>().map_err(|_| refused());
            match (key, &mut rule.kind) {
                ("lots", _) => rule.lots = Some(count()?),
                ("limit", _) => rule.limit = Some(count()?),
                ("skew", RuleKind::Join | RuleKind::Mid { .. }) => rule.skew = number()?,
                ("distance", RuleKind::Mid { distance }) => *distance = number()?,
                ("gamma", RuleKind::AvellanedaStoikov { gamma } | RuleKind::Gueant { gamma }) => {
                    *gamma = number()?;
                }
                _ => return Err(refused()),
            }
        }
        Ok(rule)
    }
}

/// The rules of the grid: joining the touch and distances of 1/2 to 3 ticks, with 1, 2 and 5 lots (at most the environment's), stopping at
/// 10, 7, 5, 3 and 2 tenths of the environment's limit, without skew and with skews of 2, 4 and 8; Avellaneda-Stoikov and
/// Gueant-Lehalle-Fernandez-Tapia over gammas from 0.001 to 1 with the same sizes; random.
pub fn grid(setting: &Setting) -> Vec<Rule> {
    fn within(values: impl IntoIterator<Item = u64>, most: u64) -> Vec<u64> {
        let mut values: Vec<u64> = values.into_iter().map(|value| value.clamp(1, most)).collect();
        values.sort_unstable();
        values.dedup();
        values
    }
    let (most, limit) = (setting.max_lots(), setting.limit());
    let sizes = within([1, 2, 5], most);
    let tenths = |share: u64| (limit / 10) * share + (limit % 10) * share / 10;
    let limits = within([10, 7, 5, 3, 2].map(tenths), limit);
    let mut kinds = vec![RuleKind::Join];
    kinds.extend([0.5, 1.0, 1.5, 2.0, 3.0].map(|distance| RuleKind::Mid { distance }));
    let mut rules = Vec::new();
    for kind in kinds {
        for &lots in &sizes {
            for &limit in &limits {
                for skew in [0.0, 2.0, 4.0, 8.0] {
                    rules.push(Rule { kind, lots: Some(lots), limit: Some(limit), skew });
                }
            }
        }
    }
    for gamma in [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0] {
        for kind in [RuleKind::AvellanedaStoikov { gamma }, RuleKind::Gueant { gamma }] {
            let sized = |&lots: &u64| Rule { lots: Some(lots), ..Rule::new(kind) };
            rules.extend(sizes.iter().map(sized));
        }
    }
    rules.push(Rule::new(RuleKind::Random));
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for text in [
            "join",
            "join:lots=5:limit=10:skew=4",
            "mid:distance=0.5:lots=2",
            "as:gamma=0.01",
            "glft:gamma=3",
            "random",
        ] {
            assert_eq!(text.parse::<Rule>().unwrap().to_string(), text);
        }
        assert_eq!("mid".parse::<Rule>().unwrap().to_string(), "mid:distance=1");
    }

    #[test]
    fn what_a_rule_does_not_have_is_refused_with_what_is_legal() {
        for text in
            ["", "middle", "join:gamma=1", "as:skew=1", "mid:distance", "mid:distance=x", "join:lots=-1"]
        {
            let error = text.parse::<Rule>().unwrap_err().to_string();
            assert!(error.contains("mid:distance=0.5") && error.contains(text), "{error}");
        }
    }
}
