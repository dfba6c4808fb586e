//! Almgren and Chriss's optimal execution.

use lob::flow::FlowConfig;
use lob::sim::{Simulator, derive_seed};
use lob::{BookConfig, NewOrder, ParameterError, Quantity, Side};
use serde::{Deserialize, Serialize};

use super::{Schedule, StrategyParams};
use crate::execution::Task;

/// Parameters of the model. What is `None` is measured by a short run of the flow.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlmgrenChrissParams {
    /// Risk aversion lambda, per tick x lot: the weight of the variance of the cost against its mean. Default 0.01.
    pub risk_aversion: f64,
    /// Volatility sigma of the mid, in ticks per square root of a second, at the scale of a step.
    pub volatility: Option<f64>,
    /// Temporary impact eta, in ticks per (lot / second).
    pub temporary_impact: Option<f64>,
    /// Permanent impact gamma, in ticks per lot.
    pub permanent_impact: Option<f64>,
}

impl Default for AlmgrenChrissParams {
    fn default() -> Self {
        Self { risk_aversion: 0.01, volatility: None, temporary_impact: None, permanent_impact: None }
    }
}

impl AlmgrenChrissParams {
    /// Checks every field.
    ///
    /// # Errors
    /// The first that is not legal, by name.
    pub fn validate(&self) -> Result<(), ParameterError> {
        let fields = [
            ("risk_aversion", Some(self.risk_aversion), true),
            ("volatility", self.volatility, true),
            ("temporary_impact", self.temporary_impact, false),
            ("permanent_impact", self.permanent_impact, true),
        ];
        for (key, value, zero_is_legal) in fields {
            if let Some(value) = value.filter(|&v| !(v.is_finite() && (v > 0.0 || zero_is_legal && v == 0.0)))
            {
                let legal = if zero_is_legal { "a finite number >= 0" } else { "a finite number > 0" };
                return Err(ParameterError::new(key, value, legal));
            }
        }
        Ok(())
    }
}

/// What a short run of a flow says about its volatility and impact.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ImpactMeasurement {
    /// Standard deviation of the mid over one step, divided by the root of the step: ticks per square root of a second.
    pub volatility: f64,
    /// Slope of the cost of an immediate market order (mid - average price) against its size, per step: ticks per (lot / second).
    pub temporary_impact: f64,
    /// Shift of the mid one step after a market order, against the same session without it: ticks per lot.
    pub permanent_impact: f64,
}

/// Sessions of the measurement; each gives one volatility sample a step and one impact sample.
const SESSIONS: u64 = 200;
const STEPS: usize = 10;
/// Size of the market order whose trace is followed, in lots.
const PROBE: u64 = 10;
/// Set apart from every seed that evaluations use.
const MEASUREMENT_STREAM: u64 = 0x414c_4d47_5245_4e21;

impl ImpactMeasurement {
    /// Measures a market at the scale of a step. Deterministic.
    ///
    /// # Errors
    /// What is not legal in the market's parameters.
    pub fn of(market: &FlowConfig, step_seconds: f64) -> Result<Self, ParameterError> {
        let mut sim = Simulator::new(market, BookConfig { window_levels: 256, ..BookConfig::default() })?;
        let probe_desk = {
            // Without latency: the probe meets the book it was measured on.
            sim.add_desk(
                lob::sim::LatencyConfig::default()
                    .compile("")
                    .map_err(|error| ParameterError::new("latency", error, "no latency"))?,
            )
        };
        let (mut squares, mut moves) = (0.0, 0_u32);
        let (mut cost, mut size, mut cost_size, mut size_size, mut points) = (0.0, 0.0, 0.0, 0.0, 0.0);
        let (mut shift, mut probes) = (0.0, 0_u32);
        for session in 0..SESSIONS {
            sim.reset(derive_seed(MEASUREMENT_STREAM, session));
            sim.run_until(0.0);
            let mut last = sim.market().book().mid();
            for step in 1..=STEPS {
                if step == STEPS / 2 {
                    let mut probed = sim.clone();
                    let order = NewOrder::market(lob::Owner(0), Side::Sell, Quantity(PROBE));
                    probed.submit(probe_desk, order);
                    let until = sim.market().now() + step_seconds;
                    probed.run_until(until);
                    let mut undisturbed = sim.clone();
                    undisturbed.run_until(until);
                    if let (Some(a), Some(b)) =
                        (undisturbed.market().book().mid(), probed.market().book().mid())
                    {
                        shift += a - b;
                        probes += 1;
                    }
                }
                for lots in 1..=PROBE {
                    let book = sim.market().book();
                    let sweep = book.sweep(Side::Sell, Quantity(lots));
                    if let (Some(mid), Some(price)) = (book.mid(), sweep.average_price()) {
                        let (x, y) = (lots as f64, mid - price);
                        cost += y;
                        size += x;
                        cost_size += x * y;
                        size_size += x * x;
                        points += 1.0;
                    }
                }
                sim.run_until(step as f64 * step_seconds);
                let mid = sim.market().book().mid();
                if let (Some(before), Some(after)) = (last, mid) {
                    squares += (after - before) * (after - before);
                    moves += 1;
                }
                last = mid;
            }
        }
        let spread = size_size * points - size * size;
        let slope = if spread > 0.0 { (cost_size * points - size * cost) / spread } else { 0.0 };
        Ok(Self {
            volatility: (squares / f64::from(moves.max(1)) / step_seconds).sqrt(),
            // A slice of n lots in a step is a rate of n / step lots a second.
            temporary_impact: (slope * step_seconds).max(f64::MIN_POSITIVE),
            permanent_impact: (shift / f64::from(probes.max(1)) / PROBE as f64).max(0.0),
        })
    }
}

/// The optimal static trajectory: holdings `x(t) = X sinh(kappa (T - t)) / sinh(kappa T)`, with
/// `2 / tau^2 (cosh(kappa tau) - 1) = lambda sigma^2 / eta~` and `eta~ = eta (1 - gamma tau / (2 eta))`.
///
/// Source: Almgren & Chriss, *Optimal execution of portfolio transactions*, Journal of Risk 3 (2000/01), equations (16) to (20). The
/// schedule is worked like the others, passive first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AlmgrenChriss {
    /// Urgency, per second; 0 is TWAP.
    pub kappa: f64,
    /// What the urgency was computed from.
    pub measured: ImpactMeasurement,
    /// Risk aversion, per tick x lot.
    pub risk_aversion: f64,
}

impl AlmgrenChriss {
    /// The strategy for a market: parameters that are not given are measured.
    ///
    /// # Errors
    /// What is not legal in the market's parameters.
    pub fn for_market(
        market: &FlowConfig,
        params: &StrategyParams,
        step_seconds: f64,
    ) -> Result<Self, ParameterError> {
        let AlmgrenChrissParams { risk_aversion, volatility, temporary_impact, permanent_impact } =
            params.almgren_chriss;
        let measured = match (volatility, temporary_impact, permanent_impact) {
            (Some(volatility), Some(temporary_impact), Some(permanent_impact)) => {
                ImpactMeasurement { volatility, temporary_impact, permanent_impact }
            }
            _ => {
                let measured = ImpactMeasurement::of(market, step_seconds)?;
                ImpactMeasurement {
                    volatility: volatility.unwrap_or(measured.volatility),
                    temporary_impact: temporary_impact.unwrap_or(measured.temporary_impact),
                    permanent_impact: permanent_impact.unwrap_or(measured.permanent_impact),
                }
            }
        };
        Ok(Self::new(measured, risk_aversion, step_seconds))
    }

    /// The strategy for known parameters.
    pub fn new(measured: ImpactMeasurement, risk_aversion: f64, step_seconds: f64) -> Self {
        let ImpactMeasurement { volatility, temporary_impact, permanent_impact } = measured;
        let tau = step_seconds;
        // Where permanent impact eats up the temporary one within a step, the discrete problem has no interior optimum; a tenth of it is
        // kept, which trades as fast as is sensible.
        let eta = (temporary_impact - permanent_impact * tau / 2.0).max(0.1 * temporary_impact);
        let kappa_squared = risk_aversion * volatility * volatility / eta;
        let kappa = (kappa_squared * tau * tau / 2.0 + 1.0).acosh() / tau;
        Self { kappa, measured, risk_aversion }
    }
}

impl Schedule for AlmgrenChriss {
    fn share(&self, task: &Task, time: f64) -> f64 {
        let horizon = task.horizon_seconds;
        if self.kappa * horizon < 1e-6 {
            return time / horizon;
        }
        // sinh(k (T - t)) / sinh(k T) without overflow for any urgency.
        let left = horizon - time;
        let ratio = (-self.kappa * time).exp() * (-(-2.0 * self.kappa * left).exp_m1())
            / (-(-2.0 * self.kappa * horizon).exp_m1());
        1.0 - ratio
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEASURED: ImpactMeasurement =
        ImpactMeasurement { volatility: 0.2, temporary_impact: 1.0, permanent_impact: 0.01 };

    #[test]
    fn holdings_follow_the_hyperbolic_sine() {
        let task = Task::default();
        let schedule = AlmgrenChriss::new(MEASURED, 0.05, 15.0);
        for time in [0.0, 15.0, 60.0, 149.0, 150.0] {
            let holdings = (schedule.kappa * (150.0 - time)).sinh() / (schedule.kappa * 150.0).sinh();
            assert!((1.0 - schedule.share(&task, time) - holdings).abs() < 1e-12, "t = {time}");
        }
    }

    #[test]
    fn urgency_solves_the_discrete_equation_and_rises_with_risk_aversion() {
        let schedule = AlmgrenChriss::new(MEASURED, 0.05, 15.0);
        let eta = 1.0 - 0.01 * 15.0 / 2.0;
        let left = 2.0 / 225.0 * ((schedule.kappa * 15.0).cosh() - 1.0);
        assert!((left - 0.05 * 0.04 / eta).abs() < 1e-12);
        assert!(AlmgrenChriss::new(MEASURED, 0.5, 15.0).kappa > schedule.kappa);
    }

    #[test]
    fn without_risk_aversion_it_is_twap() {
        let task = Task::default();
        let schedule = AlmgrenChriss::new(MEASURED, 0.0, 15.0);
        assert!((schedule.share(&task, 60.0) - 0.4).abs() < 1e-12);
    }

    #[test]
    fn extreme_urgency_sells_at_once_and_overflows_nowhere() {
        let schedule = AlmgrenChriss { kappa: 1e6, measured: MEASURED, risk_aversion: 1.0 };
        assert_eq!(schedule.share(&Task::default(), 15.0), 1.0);
        assert_eq!(schedule.share(&Task::default(), 0.0), 0.0);
    }
}
