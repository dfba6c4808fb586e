//! What each flow's estimator makes of the data.

use std::sync::atomic::{AtomicBool, Ordering};

use lob::ParameterError;
use lob::calibration::{
    Estimate, Grid, HawkesCalibration, HawkesCalibrationSettings, HawkesEstimator, HawkesFit, KindReaction,
    Observer, QueueReactiveEstimator, QueueReactiveSettings, ReactionFit, ReferenceEstimator, ReferenceFit,
    ReferenceSettings, SimulationWatch, StatisticsObserver, watch_queue_reactive,
};
use lob::flow::{FlowConfig, Imbalance, QueueReactiveParams, StandardErrors};

use super::check::{Check, Figures};
use super::run::Request;
use super::{CalibrateError, Data, Shown, play_data, play_market};

/// What an estimator makes of the data.
pub(super) struct Estimated {
    pub(super) market: FlowConfig,
    pub(super) estimates: Vec<Estimate>,
    pub(super) reaction: Option<ReactionFit>,
    pub(super) kinds: Option<[KindReaction; 3]>,
    pub(super) errors: StandardErrors,
    pub(super) hawkes: Option<HawkesFit>,
}

/// The data on its grid, to be shown as often as an estimator needs.
pub(super) struct Look<'a> {
    pub(super) data: &'a Data,
    pub(super) grid: Grid,
    pub(super) stop: &'a AtomicBool,
    pub(super) progress: &'a dyn Fn(usize, u64),
}

impl Look<'_> {
    pub(super) fn again(
        &self,
        pass: usize,
        observers: &mut [&mut dyn Observer],
    ) -> Result<Shown, CalibrateError> {
        play_data(self.data, self.grid, observers, self.stop, &|bytes| (self.progress)(pass, bytes))
    }

    pub(super) fn unfit(&self, problem: ParameterError) -> CalibrateError {
        CalibrateError::Unfit { path: self.data.path.clone(), problem }
    }
}

/// What is simulated to be compared.
#[derive(Clone, Copy)]
pub(super) struct Session {
    pub(super) seed: u64,
    pub(super) seconds: f64,
}

/// Shows a session of an estimated market to observers, and lets its sessions open with the shape that it has by itself, not with the data's:
/// else they would begin by finding their own.
pub(super) fn simulate(
    look: &Look<'_>,
    market: &mut FlowConfig,
    session: Session,
    observers: &mut [&mut dyn Observer],
) -> Result<(), CalibrateError> {
    let levels = look.grid.levels;
    let settings = ReferenceSettings { decays: Vec::new(), ..ReferenceSettings::new(levels) };
    let mut own = ReferenceEstimator::new(settings)?;
    {
        let mut all: Vec<&mut dyn Observer> = vec![&mut own];
        for observer in observers.iter_mut() {
            all.push(&mut **observer);
        }
        play_market(market, levels, session.seed, session.seconds, &mut all)?;
    }
    let shape = own.fit().map_err(|problem| look.unfit(problem))?.params.opening.shape;
    let opening = market.opening_mut();
    (opening.shape.bidv_live, opening.shape.askv_live) = (Some(shape.bidv), Some(shape.askv));
    Ok(())
}

/// The Hawkes flow.
pub(super) fn hawkes(look: &Look<'_>, pass: usize) -> Result<HawkesCalibration, CalibrateError> {
    let settings = HawkesCalibrationSettings { levels: look.grid.levels, ..Default::default() };
    let mut estimator = HawkesEstimator::new(settings)?;
    look.again(pass, &mut [&mut estimator])?;
    let found = estimator.fit(&mut |_| {}).map_err(|problem| look.unfit(problem))?;
    if look.stop.load(Ordering::Relaxed) {
        return Err(CalibrateError::Stopped);
    }
    Ok(found)
}

impl From<HawkesCalibration> for Estimated {
    fn from(found: HawkesCalibration) -> Self {
        Self {
            market: FlowConfig::Hawkes(Box::new(found.params)),
            estimates: found.estimates,
            reaction: None,
            kinds: None,
            errors: found.errors,
            hawkes: Some(found.times),
        }
    }
}

/// The reference flow.
pub(super) fn reference(
    look: &Look<'_>,
    reacts: bool,
    request: &Request,
) -> Result<Estimated, CalibrateError> {
    let mut settings =
        ReferenceSettings { profile: request.profile, ..ReferenceSettings::new(look.grid.levels) };
    if !reacts {
        settings.decays.clear();
    }
    let estimate = |settings: &ReferenceSettings, pass: usize| {
        let mut estimator = ReferenceEstimator::new(settings.clone())?;
        look.again(pass, &mut [&mut estimator])?;
        estimator.fit().map_err(|problem| look.unfit(problem))
    };
    let mut fit = estimate(&settings, 2)?;
    if let Some(closer) = fit.closer(&settings) {
        // Where the likeliest decay lies at the edge of the closer ones, the first look says more.
        let second = estimate(&closer, 3)?;
        let is_inside =
            second.reaction.as_ref().is_some_and(|reaction| reaction.decay.standard_error.is_finite());
        if is_inside {
            fit = second;
        }
    }
    if !request.sides_apart {
        fit.pool_sides();
    }
    Ok(Estimated {
        market: market(&fit),
        errors: fit.standard_errors(),
        estimates: fit.estimates,
        reaction: fit.reaction,
        kinds: fit.kinds,
        hawkes: None,
    })
}

/// Halvings of the interval that `theta_reinit` is looked for in.
const HALVINGS: usize = 7;

/// The queue-reactive flow. As in the paper, `theta_reinit` is what brings the simulated volatility to the real one: nothing
/// in the events shows it.
pub(super) fn queue_reactive(
    look: &Look<'_>,
    queues: usize,
    real: &Figures,
    session: Session,
    statistics: &mut StatisticsObserver,
) -> Result<(Estimated, Figures), CalibrateError> {
    let Session { seed, seconds } = session;
    let settings = QueueReactiveSettings { queues, unit_lots: None };
    let mut units = QueueReactiveEstimator::new(settings.clone())?;
    look.again(2, &mut [&mut units])?;
    let settings = QueueReactiveSettings { unit_lots: Some(units.unit_lots()), ..settings };
    let mut estimator = QueueReactiveEstimator::new(settings.clone())?;
    look.again(3, &mut [&mut estimator])?;
    let mut fit = estimator.fit().map_err(|problem| look.unfit(problem))?;
    let burn_in = 0.1 * seconds;
    let simulate = |params: &QueueReactiveParams, more: &mut [&mut dyn Observer]| {
        let mut check = Check::within(queues);
        let levels = look.grid.levels;
        let watch = SimulationWatch { seed, seconds: burn_in + seconds, burn_in, levels, crowd_only: true };
        let mut unused = QueueReactiveEstimator::new(settings.clone())?;
        let mut observers: Vec<&mut dyn Observer> = vec![&mut check];
        for observer in more.iter_mut() {
            observers.push(&mut **observer);
        }
        watch_queue_reactive(params, &watch, &mut unused, &mut observers)?;
        if look.stop.load(Ordering::Relaxed) {
            return Err(CalibrateError::Stopped);
        }
        Ok(check.figures())
    };
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        fit.params.reference_price.theta_reinit = (low + high) / 2.0;
        let is_calmer = simulate(&fit.params, &mut [])?.volatility < real.volatility;
        if is_calmer {
            low = (low + high) / 2.0;
        } else {
            high = (low + high) / 2.0;
        }
    }
    let theta_reinit = (low + high) / 2.0;
    fit.params.reference_price.theta_reinit = theta_reinit;
    for estimate in &mut fit.estimates {
        if estimate.name == "reference_price.theta_reinit" {
            *estimate = Estimate::new(estimate.name.clone(), theta_reinit, f64::NAN, 0);
        }
    }
    let simulated = simulate(&fit.params, &mut [statistics])?;
    let estimated = Estimated {
        market: FlowConfig::QueueReactive(Box::new(fit.params)),
        estimates: fit.estimates,
        reaction: None,
        kinds: None,
        errors: StandardErrors::new(),
        hawkes: None,
    };
    Ok((estimated, simulated))
}

fn market(fit: &ReferenceFit) -> FlowConfig {
    let params = Box::new(fit.params.clone());
    match params.imbalance {
        Imbalance::None => FlowConfig::Noise(params),
        Imbalance::Linear { .. } => FlowConfig::Tactical(params),
    }
}
