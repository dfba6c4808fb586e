//! Settings of the market maker's task.

use lob::ParameterError;
use lob::parameter::{finite, integer, positive};
use serde::{Deserialize, Serialize};

use crate::quoting::{OffsetsAndSizes, QuoteAction, QuoteGrid, QuoteLadder};
use crate::reward::RewardWeights;

/// How the action says what to quote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// [`OffsetsAndSizes`], the classic four numbers.
    #[default]
    OffsetsAndSizes,
    /// [`QuoteGrid`], a choice from a list.
    Grid,
    /// [`QuoteLadder`], several quotes a side.
    Ladder,
}

/// What happens where the inventory limit is met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtLimit {
    /// Quotes are cut so that the limit cannot be exceeded: at the limit, one side is left.
    #[default]
    OneSided,
    /// Quotes are not cut; what exceeds the limit at the end of a step is traded away at market.
    Hedge,
}

/// What is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObservationKind {
    /// Everything this environment knows how to say.
    #[default]
    Full,
    /// The classic 16 numbers.
    Classic,
}

/// Settings of [`MarketMaking`](super::MarketMaking); the table of `docs/environments/market_making.md` has them all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MarketMakingConfig {
    /// Time between decisions, s.
    pub step_seconds: f64,
    /// Decisions in an episode.
    pub steps: u64,
    /// How the action says what to quote.
    pub action: ActionKind,
    /// The offset that an action of -1 means, ticks from the mid; negative: beyond the mid.
    pub min_offset_ticks: f64,
    /// The offset that an action of 1 means, ticks from the mid.
    pub max_offset_ticks: f64,
    /// The size that an action of 1 means, lots; on a grid the size of every quote.
    pub max_quote_lots: u64,
    /// Grid: pairs of bid and ask offset, ticks.
    pub grid_offsets_ticks: Vec<[f64; 2]>,
    /// Grid: by how much both quotes of a pair are moved up, ticks.
    pub grid_skews_ticks: Vec<f64>,
    /// Ladder: quotes a side.
    pub ladder_levels: usize,
    /// Ladder: ticks from one quote to the next.
    pub ladder_spacing_ticks: f64,
    /// Most that may be held, long or short, in units of inventory (lots x `lot_size`).
    pub inventory_limit: u64,
    /// What happens there.
    pub at_limit: AtLimit,
    /// True: what is held after the last step is traded away at market. What is left then, or all of it, counts at the mid.
    pub liquidation: bool,
    /// See [`RewardWeights`].
    pub pnl_weight: f64,
    /// See [`RewardWeights`]; money per unit of inventory squared and step.
    pub risk_aversion: f64,
    /// See [`RewardWeights`].
    pub edge_weight: f64,
    /// See [`RewardWeights`].
    pub dampening: f64,
    /// What is seen.
    pub observation: ObservationKind,
    /// True: while short, or flat with more asks than bids, the market is shown as its mirror image and the action is meant in it.
    pub symmetric: bool,
    /// Half-life of the averages in the observation (trade flow, volatility), s.
    pub half_life_seconds: f64,
    /// Money that a tick is worth on a unit of inventory.
    pub tick_size: f64,
    /// Units of inventory (shares, say) in a lot.
    pub lot_size: u64,
}

impl Default for MarketMakingConfig {
    fn default() -> Self {
        Self {
            step_seconds: 1.0,
            steps: 1_000,
            action: ActionKind::OffsetsAndSizes,
            min_offset_ticks: 0.0,
            max_offset_ticks: 5.0,
            max_quote_lots: 5,
            grid_offsets_ticks: vec![[0.5, 0.5], [1.0, 1.0], [2.0, 2.0], [3.0, 3.0]],
            grid_skews_ticks: vec![-1.0, 0.0, 1.0],
            ladder_levels: 3,
            ladder_spacing_ticks: 1.0,
            inventory_limit: 10,
            at_limit: AtLimit::OneSided,
            liquidation: true,
            pnl_weight: 1.0,
            risk_aversion: 0.001,
            edge_weight: 0.0,
            dampening: 0.0,
            observation: ObservationKind::Full,
            symmetric: false,
            half_life_seconds: 10.0,
            tick_size: 1.0,
            lot_size: 1,
        }
    }
}

/// Offsets further out than this would not be told apart from whole ticks in 32-bit floats.
const MAX_OFFSET: f64 = 1_000.0;

/// Sizes and limits above this would leave the exact range of floats.
const MAX_LOTS: u64 = 1_000_000_000;

impl MarketMakingConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// The first that is not legal.
    pub fn validate(&self) -> Result<(), ParameterError> {
        positive("step_seconds", self.step_seconds)?;
        integer("steps", self.steps, 1..=MAX_LOTS)?;
        // Below a nanosecond or above some thirty years, times of a session would not be told apart.
        if !(1e-9..=1e9).contains(&self.step_seconds) || self.step_seconds * self.steps as f64 > 1e9 {
            let legal = "from 1e-9, and with steps x step_seconds at most 1e9 s";
            return Err(ParameterError::new("step_seconds", self.step_seconds, legal));
        }
        let offset = |key: &str, value: f64| {
            if value.is_finite() && value.abs() <= MAX_OFFSET {
                Ok(())
            } else {
                Err(ParameterError::new(key, value, format!("from -{MAX_OFFSET} to {MAX_OFFSET}")))
            }
        };
        offset("min_offset_ticks", self.min_offset_ticks)?;
        offset("max_offset_ticks", self.max_offset_ticks)?;
        if self.max_offset_ticks <= self.min_offset_ticks {
            let legal = format!("above min_offset_ticks, {}", self.min_offset_ticks);
            return Err(ParameterError::new("max_offset_ticks", self.max_offset_ticks, legal));
        }
        integer("max_quote_lots", self.max_quote_lots, 1..=MAX_LOTS)?;
        integer("lot_size", self.lot_size, 1..=MAX_LOTS)?;
        integer("inventory_limit", self.inventory_limit, self.lot_size..=MAX_LOTS.max(self.lot_size))?;
        positive("half_life_seconds", self.half_life_seconds)?;
        if self.symmetric && self.observation == ObservationKind::Classic {
            return Err(ParameterError::new("symmetric", true, "false, with observation classic"));
        }
        positive("tick_size", self.tick_size)?;
        finite("money of a tick on a lot", self.tick_size * self.lot_size as f64)?;
        let kinds = [ActionKind::OffsetsAndSizes, ActionKind::Grid, ActionKind::Ladder];
        kinds.into_iter().try_for_each(|kind| self.action_of(kind).validate())?;
        self.reward().validate()
    }

    /// The weights of the reward.
    pub fn reward(&self) -> RewardWeights {
        RewardWeights {
            pnl_weight: self.pnl_weight,
            risk_aversion: self.risk_aversion,
            edge_weight: self.edge_weight,
            dampening: self.dampening,
        }
    }

    /// What actions mean.
    pub fn action(&self) -> QuoteAction {
        self.action_of(self.action)
    }

    fn action_of(&self, kind: ActionKind) -> QuoteAction {
        let scale = OffsetsAndSizes {
            min_offset: self.min_offset_ticks,
            max_offset: self.max_offset_ticks,
            max_lots: self.max_quote_lots,
        };
        match kind {
            ActionKind::OffsetsAndSizes => QuoteAction::OffsetsAndSizes(scale),
            ActionKind::Grid => QuoteAction::Grid(QuoteGrid {
                offsets: self.grid_offsets_ticks.clone(),
                skews: self.grid_skews_ticks.clone(),
                lots: self.max_quote_lots,
            }),
            ActionKind::Ladder => QuoteAction::Ladder(QuoteLadder {
                scale,
                levels: self.ladder_levels,
                spacing: self.ladder_spacing_ticks,
            }),
        }
    }

    /// The inventory limit in lots, rounded down.
    pub fn limit_lots(&self) -> u64 {
        self.inventory_limit / self.lot_size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn illegal_settings_are_named() {
        let broken = |change: fn(&mut MarketMakingConfig)| {
            let mut config = MarketMakingConfig::default();
            config.validate().unwrap();
            change(&mut config);
            config.validate().unwrap_err().key
        };
        assert_eq!(broken(|c| c.step_seconds = f64::NAN), "step_seconds");
        assert_eq!(broken(|c| c.step_seconds = 1e8), "step_seconds");
        assert_eq!(broken(|c| c.steps = 0), "steps");
        assert_eq!(broken(|c| c.max_offset_ticks = 0.0), "max_offset_ticks");
        assert_eq!(broken(|c| c.min_offset_ticks = -1e6), "min_offset_ticks");
        assert_eq!(broken(|c| c.max_quote_lots = 0), "max_quote_lots");
        assert_eq!(broken(|c| c.lot_size = 100), "inventory_limit");
        assert_eq!(broken(|c| c.inventory_limit = 0), "inventory_limit");
        assert_eq!(broken(|c| c.tick_size = 0.0), "tick_size");
        assert_eq!(broken(|c| c.half_life_seconds = -1.0), "half_life_seconds");
        assert_eq!(broken(|c| c.grid_offsets_ticks.clear()), "grid_offsets_ticks");
        assert_eq!(broken(|c| c.grid_skews_ticks = vec![0.0, f64::INFINITY]), "grid_skews_ticks[1]");
        assert_eq!(broken(|c| c.ladder_levels = 9), "ladder_levels");
        assert_eq!(broken(|c| c.ladder_spacing_ticks = 0.5), "ladder_spacing_ticks");
        assert_eq!(broken(|c| c.dampening = 2.0), "dampening");
        let classic =
            |c: &mut MarketMakingConfig| (c.symmetric, c.observation) = (true, ObservationKind::Classic);
        assert_eq!(broken(classic), "symmetric");
    }
}
