//! A whole Hawkes flow from a market that is watched.

use serde::{Deserialize, Serialize};

use super::choices::{Choices, Weights};
use super::event_times::event_type;
use super::hawkes_fit::{HawkesFit, HawkesProgress, HawkesSettings};
use super::shares::Shares;
use super::sizes::{SizeFit, Sizes};
use super::stretch::{Continuity, Watch};
use super::{BookState, Estimate, EventTimes, FlowEvent, FlowEventKind, Observer};
use crate::Side;
use crate::flow::{
    CancelSize, CancellationRule, Centre, EVENT_TYPES, EmptySide, HawkesParams, MAX_LEVELS, Opening,
    OpeningBook, PerSide, Shape, StandardErrors,
};
use crate::parameter::{ParameterError, integer};

/// What a Hawkes flow's cancellations are measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelUnit {
    /// [`CancelSize::Share`]: the book keeps a volume of its own accord.
    Share,
    /// [`CancelSize::Lots`]: sizes as observed; a book whose cancellations do not look at what is there stays bounded only if more is
    /// cancelled and traded than placed.
    Lots,
}

/// How a Hawkes flow is estimated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HawkesCalibrationSettings {
    /// Of the event times.
    pub times: HawkesSettings,
    /// Distances from the opposite best that are looked at, in ticks: the flow's window and the opening book's levels.
    pub levels: usize,
    /// What cancellations are measured in.
    pub cancel_size: CancelUnit,
    /// Which orders go first. Not estimated.
    pub cancellation: CancellationRule,
    /// Spectral radius above which excitation is scaled down to it: at 1 the flow would not be stationary.
    pub max_radius: f64,
}

impl Default for HawkesCalibrationSettings {
    /// 30 levels, cancellations by share, newest first, a spectral radius of at most 0.99.
    fn default() -> Self {
        Self {
            times: HawkesSettings::default(),
            levels: 30,
            cancel_size: CancelUnit::Share,
            cancellation: CancellationRule::NewestFirst,
            max_radius: 0.99,
        }
    }
}

impl HawkesCalibrationSettings {
    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is not legal, by name.
    pub fn validate(&self) -> Result<(), ParameterError> {
        self.times.validate().map_err(|error| error.within("times"))?;
        integer("levels", self.levels, 1..=MAX_LEVELS)?;
        // Written so that NaN fails.
        if self.max_radius > 0.0 && self.max_radius < 1.0 {
            return Ok(());
        }
        Err(ParameterError::new("max_radius", self.max_radius, "above 0 and below 1"))
    }
}

/// Watches a market and estimates a Hawkes flow.
///
/// Memory: 16 bytes an event for its time, and for at most 65,536 cancellations a side the depth before them. What happens while the
/// book is not valid, or beyond [`levels`](HawkesCalibrationSettings::levels), is left out.
#[derive(Clone, Debug)]
pub struct HawkesEstimator {
    settings: HawkesCalibrationSettings,
    times: EventTimes,
    watch: Watch,
    limits: [Vec<u64>; 2],
    cancels: [Choices; 2],
    shares: Shares,
    sizes: [Sizes; 3],
    /// Lots times seconds at each distance.
    depth: [Vec<f64>; 2],
    /// Time in which both sides had something, in seconds.
    seconds: f64,
    centre: Option<Centre>,
}

impl HawkesEstimator {
    /// An estimator that has seen nothing.
    ///
    /// # Errors
    /// As [`HawkesCalibrationSettings::validate`].
    pub fn new(settings: HawkesCalibrationSettings) -> Result<Self, ParameterError> {
        settings.validate()?;
        let levels = settings.levels;
        Ok(Self {
            settings,
            times: EventTimes::new(),
            watch: Watch::default(),
            limits: [vec![0; levels], vec![0; levels]],
            cancels: [Choices::default(), Choices::default()],
            shares: Shares::default(),
            sizes: Default::default(),
            depth: [vec![0.0; levels], vec![0.0; levels]],
            seconds: 0.0,
            centre: None,
        })
    }

    /// When what happened.
    pub fn times(&self) -> &EventTimes {
        &self.times
    }

    fn pass(&mut self, before: &BookState<'_>, time: f64) {
        if self.watch.see(before, time) == Continuity::Invalid {
            return;
        }
        let [Some(best_bid), Some(best_ask)] = before.best else { return };
        let seconds = time - before.since;
        self.seconds += seconds;
        for (sums, lots) in self.depth.iter_mut().zip(before.depth) {
            for (sum, &lots) in sums.iter_mut().zip(lots) {
                *sum += lots as f64 * seconds;
            }
        }
        if best_bid < best_ask {
            self.centre.get_or_insert(Centre { best_bid, best_ask });
        }
    }

    fn mark(&mut self, before: &BookState<'_>, event: &FlowEvent) {
        let side = event.side.index();
        match event.kind {
            FlowEventKind::Market => {
                // One that takes all that is shown may have asked for more.
                let there: u64 = before.depth[event.side.opposite().index()].iter().sum();
                self.sizes[0].see(event.lots, event.lots >= there);
            }
            FlowEventKind::Limit => {
                self.sizes[1].see(event.lots, false);
                self.limits[side][event.distance as usize - 1] += 1;
            }
            FlowEventKind::Cancel => {
                let depth = &before.depth[side][..self.settings.levels.min(before.depth[side].len())];
                let resting = depth.get(event.distance as usize - 1).copied().unwrap_or(0);
                self.sizes[2].see(event.lots, event.lots >= resting);
                self.shares.see(event.lots, resting);
                self.cancels[side].see(event.distance, depth);
            }
        }
    }

    /// Estimates the flow from what was seen. `progress` is told how far the fit of the times has come.
    ///
    /// # Errors
    /// Too few events; a kind of event that never happened; what else makes the parameters illegal, by name.
    pub fn fit(&self, progress: &mut dyn FnMut(HawkesProgress)) -> Result<HawkesCalibration, ParameterError> {
        let settings = &self.settings;
        let times = HawkesFit::new(&self.times, &settings.times, progress)?;
        let none = |key: &str| ParameterError::new(key, "without events", "a market in which there are some");
        let limits = PerSide { buy: self.limits(Side::Buy)?, sell: self.limits(Side::Sell)? };
        let cancels = |side: Side| self.cancels[side.index()].fit().ok_or_else(|| none("cancel_distance"));
        let cancels = PerSide { buy: cancels(Side::Buy)?, sell: cancels(Side::Sell)? };
        let size = |index: usize, key: &str| self.sizes[index].fit().ok_or_else(|| none(key));
        let sizes = [size(0, "market_size")?, size(1, "limit_size")?, size(2, "cancel_size")?];
        let share = self.shares.fit().ok_or_else(|| none("cancel_size.share"))?;
        let centre = self.centre.ok_or_else(|| none("opening.centre"))?;
        let (baseline, excitation, scaled_from) = stationary(&times, settings.max_radius);
        let mean = |side: usize| self.depth[side].iter().map(|sum| sum / self.seconds).collect();
        let shape = Shape { bidv: mean(0), askv: mean(1), bidv_live: None, askv_live: None };
        let params = HawkesParams {
            baseline,
            excitation,
            decay: times.value.decay,
            limit_distance: PerSide {
                buy: trimmed(&limits.buy.weights),
                sell: trimmed(&limits.sell.weights),
            },
            cancel_distance: PerSide {
                buy: trimmed(&cancels.buy.weights),
                sell: trimmed(&cancels.sell.weights),
            },
            market_size: sizes[0].distribution(),
            limit_size: sizes[1].distribution(),
            cancel_size: match settings.cancel_size {
                CancelUnit::Share => CancelSize::Share(share.0),
                CancelUnit::Lots => CancelSize::Lots(sizes[2].distribution()),
            },
            cancellation: settings.cancellation,
            opening: Opening {
                book: OpeningBook::Live,
                centre,
                levels: settings.levels,
                ..Opening::reference(shape)
            },
            profile: settings.times.profile.clone(),
            empty_side: EmptySide {
                bid_price: centre.best_bid,
                bid_lots: (self.depth[0][0] / self.seconds).round().max(1.0) as u64,
                ..EmptySide::reference()
            },
        };
        params.validate()?;
        let marks = Marks { limits, cancels, sizes, share, shares: self.shares.events() };
        Ok(HawkesCalibration {
            estimates: marks.estimates(&times, settings.cancel_size, &self.sizes),
            errors: marks.errors(
                &times,
                settings.cancel_size,
                scaled_from.map(|radius| settings.max_radius / radius),
            ),
            nothing_there: self.cancels.iter().map(|choices| choices.nothing_there).sum(),
            params,
            times,
            scaled_from,
        })
    }

    /// Shares of a side's limit orders by distance, with multinomial errors.
    fn limits(&self, side: Side) -> Result<Weights, ParameterError> {
        let counts = &self.limits[side.index()];
        let events: u64 = counts.iter().sum();
        if events == 0 {
            let legal = "a market in which there are some";
            return Err(ParameterError::new("limit_distance", "without events", legal));
        }
        let weights: Vec<f64> = counts.iter().map(|&count| count as f64 / events as f64).collect();
        let error = |&p: &f64| if p > 0.0 { (p * (1.0 - p) / events as f64).sqrt() } else { f64::NAN };
        Ok(Weights { errors: weights.iter().map(error).collect(), weights, events })
    }
}

impl Observer for HawkesEstimator {
    fn event(&mut self, before: BookState<'_>, event: &FlowEvent) {
        self.pass(&before, event.time);
        let within = event.distance as usize <= self.settings.levels;
        let placed = event.kind == FlowEventKind::Market || event.distance > 0;
        self.times.see(&before, event.time);
        if within && placed && before.best.iter().all(Option::is_some) {
            self.times.push(event.time, event_type(event));
            if before.valid {
                self.mark(&before, event);
            }
        }
    }

    fn end(&mut self, last: BookState<'_>, time: f64) {
        self.pass(&last, time);
        self.times.end(last, time);
    }
}

/// Baseline and excitation of a stationary process, and the radius before excitation was scaled down, if it was. The baseline then grows so
/// that the mean rates stay what was observed.
fn stationary(
    fit: &HawkesFit,
    max_radius: f64,
) -> ([f64; EVENT_TYPES], crate::flow::TypeMatrix, Option<f64>) {
    let (baseline, excitation, decay) = (fit.value.baseline, fit.value.excitation, fit.value.decay);
    let radius = fit.spectral_radius;
    if radius <= max_radius {
        return (baseline, excitation, None);
    }
    let factor = max_radius / radius;
    let scaled = excitation.map(|row| row.map(|entry| entry * factor));
    let rates = fit.events.map(|count| count as f64 / fit.seconds);
    let lifted = std::array::from_fn(|target| {
        let caused: f64 = (0..EVENT_TYPES).map(|j| scaled[target][j] / decay[j] * rates[j]).sum();
        (rates[target] - caused).max(0.01 * rates[target])
    });
    (lifted, scaled, Some(radius))
}

fn trimmed(weights: &[f64]) -> Vec<f64> {
    let last = weights.iter().rposition(|&weight| weight > 0.0).unwrap_or(0);
    weights[..=last].to_vec()
}

/// What is estimated besides the times.
struct Marks {
    limits: PerSide<Weights>,
    cancels: PerSide<Weights>,
    sizes: [SizeFit; 3],
    share: (f64, f64),
    shares: u64,
}

impl Marks {
    fn distances(&self) -> [(&'static str, &Weights); 4] {
        [
            ("limit_distance.buy", &self.limits.buy),
            ("limit_distance.sell", &self.limits.sell),
            ("cancel_distance.buy", &self.cancels.buy),
            ("cancel_distance.sell", &self.cancels.sell),
        ]
    }

    fn estimates(&self, times: &HawkesFit, unit: CancelUnit, seen: &[Sizes; 3]) -> Vec<Estimate> {
        let mut rows = times.estimates();
        for (name, weights) in self.distances() {
            for (place, (&weight, &error)) in weights.weights.iter().zip(&weights.errors).enumerate() {
                if weight > 0.0 {
                    let name = format!("hawkes.{name}[{place}]");
                    rows.push(Estimate::new(name, weight, error, weights.events));
                }
            }
        }
        let means = ["market_size", "limit_size", "cancel_size"].into_iter().zip(&self.sizes).zip(seen);
        for ((name, size), seen) in means {
            if name != "cancel_size" || unit == CancelUnit::Lots {
                let name = format!("hawkes.{name} (mean, lots)");
                rows.push(Estimate::new(name, size.mean, size.mean_error, seen.events()));
            }
        }
        if unit == CancelUnit::Share {
            rows.push(Estimate::new("hawkes.cancel_size.share", self.share.0, self.share.1, self.shares));
        }
        rows
    }

    /// `scaled`: what excitation was multiplied by, if it was; the baseline is then what is left of the rates, and has no error of its own.
    fn errors(&self, times: &HawkesFit, unit: CancelUnit, scaled: Option<f64>) -> StandardErrors {
        let mut errors = StandardErrors::new();
        let mut insert = |path: &str, values: Vec<f64>| errors.insert(format!("hawkes.{path}"), values);
        let flat = |values: &[Option<f64>]| values.iter().map(|value| value.unwrap_or(f64::NAN)).collect();
        let se = &times.standard_error;
        let baseline = if scaled.is_some() { vec![f64::NAN; EVENT_TYPES] } else { flat(&se.baseline) };
        insert("baseline", baseline);
        let excitation: Vec<f64> = flat(se.excitation.as_flattened());
        insert("excitation", excitation.into_iter().map(|error| error * scaled.unwrap_or(1.0)).collect());
        insert("decay", flat(&se.decay));
        for (name, weights) in self.distances() {
            insert(name, weights.errors[..trimmed(&weights.weights).len()].to_vec());
        }
        insert("market_size.empirical.weights", self.sizes[0].standard_errors.clone());
        insert("limit_size.empirical.weights", self.sizes[1].standard_errors.clone());
        match unit {
            CancelUnit::Share => insert("cancel_size.share", vec![self.share.1]),
            CancelUnit::Lots => {
                insert("cancel_size.lots.empirical.weights", self.sizes[2].standard_errors.clone())
            }
        };
        errors
    }
}

/// An estimated Hawkes flow.
#[derive(Clone, Debug, PartialEq)]
pub struct HawkesCalibration {
    /// The flow.
    pub params: HawkesParams,
    /// Its times: estimates, errors, goodness of fit.
    pub times: HawkesFit,
    /// Every estimate as a row.
    pub estimates: Vec<Estimate>,
    /// Standard errors by key of the order-flow file.
    pub errors: StandardErrors,
    /// The spectral radius that was estimated, if it was too large for a stationary flow and excitation was scaled down.
    pub scaled_from: Option<f64>,
    /// Cancellations at a price where the book showed nothing; they count as events and tell no distance.
    pub nothing_there: u64,
}
