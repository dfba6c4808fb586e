//! What an order is expected to cost before it is traded.

use lob::ParameterError;
use lob::models::{Conditions, Impact, ImpactModel, MetaOrder};
use lob::parameter::{integer, positive};
use serde::Serialize;

/// How an order is spread over its time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trajectory {
    /// All in the first slice.
    Immediate,
    /// The same in each slice.
    Even,
    /// What is left at `t` is `sinh(kappa (T - t)) / sinh(kappa T)`: the best against linear impact at this urgency, per second. Source:
    /// Almgren & Chriss, *Optimal execution of portfolio transactions*, Journal of Risk 3 (2000/01), equation (18).
    AlmgrenChriss {
        /// 1 / s; above 0.
        kappa: f64,
    },
}

impl Trajectory {
    /// Its name.
    pub fn name(&self) -> String {
        match self {
            Self::Immediate => "immediate".to_owned(),
            Self::Even => "even".to_owned(),
            Self::AlmgrenChriss { kappa } => format!("ac:kappa={kappa}"),
        }
    }

    /// The share of the order that is left after slice `slice` (counted from 1) of `slices`, `seconds` being the time of all.
    fn left(&self, slice: u64, slices: u64, seconds: f64) -> f64 {
        let time_left = 1.0 - slice as f64 / slices as f64;
        match self {
            Self::Immediate => 0.0,
            Self::Even => time_left,
            Self::AlmgrenChriss { kappa } => {
                // sinh(a) / sinh(b) without overflow, a <= b.
                let (a, b) = (kappa * seconds * time_left, kappa * seconds);
                libm::exp(a - b) * libm::expm1(-2.0 * a) / libm::expm1(-2.0 * b)
            }
        }
    }
}

/// An order to be estimated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parent {
    /// > 0 buys, < 0 sells.
    pub quantity: f64,
    /// Its time, s.
    pub seconds: f64,
    /// Equal parts of the time, in each of which a slice is worked.
    pub slices: u64,
}

/// What it is expected to cost: fractions of the notional, positive = paid.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// The trajectory.
    pub name: String,
    /// Crossing the spread.
    pub half_spread: f64,
    /// The order's speed.
    pub temporary: f64,
    /// How far its own earlier slices had moved the price.
    pub displaced: f64,
    /// The sum.
    pub cost: f64,
    /// Standard deviation of the cost by the price's own moves: `volatility x sqrt(sum over slices of (share left)^2 x slice's time)`, with what is
    /// left at a slice's end (Almgren & Chriss, equation (8)).
    pub risk: f64,
    /// How far the price stands away when all is traded, in the order's direction.
    pub left_behind: f64,
}

/// Prices `parent` along each trajectory with the model that charges such orders everywhere else, from rest.
///
/// # Errors
/// A number that is not legal.
pub fn estimate(
    model: &Impact,
    conditions: &Conditions,
    parent: &Parent,
    trajectories: &[Trajectory],
) -> Result<Vec<Estimate>, ParameterError> {
    integer("slices", parent.slices, 1..=1_000_000)?;
    positive("seconds", parent.seconds)?;
    if !(parent.quantity.is_finite() && parent.quantity != 0.0) {
        return Err(ParameterError::new("quantity", parent.quantity, "a finite number other than 0"));
    }
    trajectories.iter().map(|trajectory| along(model, conditions, parent, trajectory)).collect()
}

fn along(
    model: &Impact,
    conditions: &Conditions,
    parent: &Parent,
    trajectory: &Trajectory,
) -> Result<Estimate, ParameterError> {
    if let Trajectory::AlmgrenChriss { kappa } = trajectory {
        positive("kappa", *kappa)?;
    }
    let mut model = model.clone();
    model.reset();
    let step = parent.seconds / parent.slices as f64;
    let mut found = Estimate { name: trajectory.name(), ..Estimate::default() };
    let (mut left, mut variance) = (1.0, 0.0);
    for slice in 1..=parent.slices {
        let after = trajectory.left(slice, parent.slices, parent.seconds);
        let share = left - after;
        left = after;
        variance += left * left * step;
        if share == 0.0 {
            model.wait(step);
            continue;
        }
        let cost = model.trade(&MetaOrder::new(parent.quantity * share, step)?, conditions);
        found.half_spread += share * cost.half_spread;
        found.temporary += share * cost.temporary;
        found.displaced += share * cost.displaced;
    }
    found.cost = found.half_spread + found.temporary + found.displaced;
    found.risk = conditions.volatility() * variance.sqrt();
    found.left_behind = parent.quantity.signum() * model.displacement();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use lob::models::ImpactConfig;

    use super::*;

    fn linear() -> Impact {
        let config: ImpactConfig = serde_json::from_value(serde_json::json!({
            "almgren_chriss": {"half_spread": 1e-4, "temporary": 0.5, "permanent": 0.2}
        }))
        .expect("a model");
        config.model().expect("legal")
    }

    /// Almgren & Chriss, equations (4) to (8), summed by hand over the slices.
    #[test]
    fn the_linear_model_costs_what_almgren_and_chriss_say() {
        let conditions = Conditions::new(50.0, 2e-4, 10.0).expect("conditions");
        let parent = Parent { quantity: -600.0, seconds: 300.0, slices: 10 };
        let kappa = 0.01;
        let all = [Trajectory::Immediate, Trajectory::Even, Trajectory::AlmgrenChriss { kappa }];
        let found = estimate(&linear(), &conditions, &parent, &all).expect("an estimate");
        for (trajectory, found) in all.iter().zip(&found) {
            let holdings: Vec<f64> = (0..=10)
                .map(|k| match trajectory {
                    Trajectory::Immediate => {
                        if k == 0 {
                            1.0
                        } else {
                            0.0
                        }
                    }
                    Trajectory::Even => 1.0 - f64::from(k) / 10.0,
                    Trajectory::AlmgrenChriss { .. } => {
                        (kappa * (300.0 - 30.0 * f64::from(k))).sinh() / (kappa * 300.0).sinh()
                    }
                })
                .collect();
            let (sigma, volume, total) = (2e-4, 10.0, 600.0);
            let mut cost = 1e-4;
            let mut variance = 0.0;
            for pair in holdings.windows(2) {
                let sold = pair[0] - pair[1];
                cost += sold * 0.5 * sigma * (sold * total / 30.0 / volume);
                // What was sold before has moved the price for good; a slice pays half of its own move.
                cost += sold * 0.2 * sigma * total / volume * (1.0 - pair[0] + sold / 2.0);
                variance += pair[1] * pair[1] * 30.0;
            }
            assert!((found.cost - cost).abs() < 1e-12, "{}: {} {cost}", found.name, found.cost);
            assert!((found.risk - sigma * variance.sqrt()).abs() < 1e-15, "{}", found.name);
            assert!((found.left_behind - 0.2 * sigma * total / volume).abs() < 1e-12, "{}", found.name);
        }
        assert!(found[1].cost < found[2].cost && found[2].cost < found[0].cost, "haste costs");
        assert!(found[1].risk > found[2].risk && found[2].risk > found[0].risk, "and spares risk");
    }

    #[test]
    fn what_is_not_legal_is_named() {
        let conditions = Conditions::new(50.0, 2e-4, 10.0).expect("conditions");
        let parent = Parent { quantity: 600.0, seconds: 300.0, slices: 10 };
        for (parent, trajectory, key) in [
            (Parent { quantity: 0.0, ..parent }, Trajectory::Even, "quantity"),
            (Parent { seconds: f64::NAN, ..parent }, Trajectory::Even, "seconds"),
            (Parent { slices: 0, ..parent }, Trajectory::Even, "slices"),
            (parent, Trajectory::AlmgrenChriss { kappa: -1.0 }, "kappa"),
        ] {
            let error = estimate(&linear(), &conditions, &parent, &[trajectory]).expect_err(key);
            assert!(error.to_string().starts_with(key), "{error}");
        }
    }
}
