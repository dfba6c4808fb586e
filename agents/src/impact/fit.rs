//! Weighted least squares with standard errors.

use lob::models::{Conditions, ImpactConfig, ImpactModel, MetaOrder};

use super::{CalibrationError, Family, Measured};
use crate::statistics::mean_and_deviation;

/// What a model may be off by before a point counts as missed, as a share of the root mean square of its kind (costs, displacements). Common
/// random numbers make some points so exact that they would decide everything.
const TOLERANCE: f64 = 0.05;
const ITERATIONS: usize = 200;

/// The mean of a measured quantity over the sessions, its standard error, and its weight in a fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) mean: f64,
    pub(super) error: f64,
    pub(super) weight: f64,
}

/// The means in the order of an observation. Costs together weigh as much as displacements together.
pub(super) fn points(measured: &Measured) -> Vec<Point> {
    let stride = measured.stride();
    let sessions = measured.observations.len() as f64;
    let width = measured.cells.len() * stride;
    let mut points: Vec<Point> = (0..width)
        .map(|index| {
            let values: Vec<f64> = measured.observations.iter().map(|values| values[index]).collect();
            let (mean, deviation) = mean_and_deviation(&values);
            Point { mean, error: deviation / sessions.sqrt(), weight: 0.0 }
        })
        .collect();
    for is_cost in [true, false] {
        let kind = |index: usize| index.is_multiple_of(stride) == is_cost;
        let count = (0..width).filter(|&index| kind(index)).count() as f64;
        let squares: f64 =
            (0..width).filter(|&index| kind(index)).map(|index| points[index].mean.powi(2)).sum();
        let tolerated = (TOLERANCE * TOLERANCE * squares / count).max(1e-18);
        for index in (0..width).filter(|&index| kind(index)) {
            points[index].weight = 1.0 / (count * (points[index].error.powi(2) + tolerated));
        }
    }
    points
}

/// What a model says about the cells of a measurement, in ticks and in the order of an observation.
///
/// # Errors
/// A model or an order that is not legal.
pub fn predict(
    config: &ImpactConfig,
    measured: &Measured,
    conditions: &Conditions,
) -> Result<Vec<f64>, CalibrationError> {
    let mut model = config.model()?;
    let mut values = Vec::with_capacity(measured.cells.len() * measured.stride());
    for cell in &measured.cells {
        model.reset();
        let cost = model.trade(&MetaOrder::new(cell.lots as f64, cell.seconds())?, conditions);
        values.push(conditions.ticks(cost.fraction()));
        let after = measured.relaxation_seconds.iter();
        values.extend(after.map(|&seconds| conditions.ticks(model.displacement_after(seconds))));
    }
    Ok(values)
}

/// A family fitted to a measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// Which.
    pub family: Family,
    /// Its parameters, named by [`Family::parameters`].
    pub values: Vec<f64>,
    /// Their standard errors over sessions; NaN for one that the data does not determine, or that is at an end of its range.
    pub errors: Vec<f64>,
    /// The model.
    pub config: ImpactConfig,
    /// The weighted mean square that was minimised: about 1 each for costs and displacements that are off by the tolerance (5% of the root
    /// mean square of their kind) or their standard error.
    pub objective: f64,
}

/// Solves `matrix x = right` for a few unknowns, by elimination with pivots; `None` if it is singular.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let n = right.len();
    for column in 0..n {
        let pivot =
            (column..n).max_by(|&a, &b| matrix[a][column].abs().total_cmp(&matrix[b][column].abs()))?;
        if matrix[pivot][column].abs() < 1e-300 {
            return None;
        }
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        for row in column + 1..n {
            let factor = matrix[row][column] / matrix[column][column];
            let (above, below) = matrix.split_at_mut(row);
            for (value, pivot) in below[0].iter_mut().zip(&above[column]) {
                *value -= factor * pivot;
            }
            right[row] -= factor * right[column];
        }
    }
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|k| matrix[row][k] * right[k]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    right.iter().all(|value| value.is_finite()).then_some(right)
}

struct Problem<'a> {
    family: Family,
    measured: &'a Measured,
    points: &'a [Point],
}

impl Problem<'_> {
    fn predict(&self, free: &[f64]) -> Result<Vec<f64>, CalibrationError> {
        let config = self.family.config(&self.family.natural(free), self.measured);
        predict(&config, self.measured, &self.measured.conditions)
    }

    fn objective(&self, predicted: &[f64]) -> f64 {
        objective(self.points, predicted)
    }

    /// Derivatives by each free parameter.
    fn jacobian(&self, free: &[f64]) -> Result<Vec<Vec<f64>>, CalibrationError> {
        let by = self.family.step();
        let column = |index: usize| {
            let moved = |by: f64| {
                let mut free = free.to_vec();
                free[index] += by;
                self.predict(&free)
            };
            let (above, below) = (moved(by)?, moved(-by)?);
            Ok(above.iter().zip(&below).map(|(above, below)| (above - below) / (2.0 * by)).collect())
        };
        (0..free.len()).map(column).collect()
    }

    /// `J^T W J`, with the diagonal raised by a share of it.
    fn normal(&self, jacobian: &[Vec<f64>], raised: f64) -> Vec<Vec<f64>> {
        let product = |a: &[f64], b: &[f64]| -> f64 {
            a.iter().zip(b).zip(self.points).map(|((a, b), point)| a * b * point.weight).sum()
        };
        let mut normal: Vec<Vec<f64>> =
            jacobian.iter().map(|a| jacobian.iter().map(|b| product(a, b)).collect()).collect();
        for (index, row) in normal.iter_mut().enumerate() {
            // A parameter that does nothing stays where it is.
            row[index] += raised * row[index] + 1e-12;
        }
        normal
    }

    /// Levenberg's and Marquardt's steps from a starting point.
    fn minimise(&self, mut free: Vec<f64>) -> Result<(Vec<f64>, f64), CalibrationError> {
        let mut predicted = self.predict(&free)?;
        let mut best = self.objective(&predicted);
        let mut damping = 1e-2;
        for _ in 0..ITERATIONS {
            let jacobian = self.jacobian(&free)?;
            let right: Vec<f64> = jacobian
                .iter()
                .map(|column| {
                    let terms = column.iter().zip(&predicted).zip(self.points);
                    terms
                        .map(|((slope, predicted), point)| slope * point.weight * (point.mean - predicted))
                        .sum()
                })
                .collect();
            let before = best;
            while damping < 1e12 {
                if let Some(step) = solve(self.normal(&jacobian, damping), right.clone()) {
                    // Logarithms and logits: a step of 2 is a long way.
                    let moved: Vec<f64> = free
                        .iter()
                        .zip(&step)
                        .map(|(free, step)| (free + step.clamp(-2.0, 2.0)).clamp(-60.0, 60.0))
                        .collect();
                    let candidate = self.predict(&moved)?;
                    let reached = self.objective(&candidate);
                    if reached < best {
                        (free, predicted, best) = (moved, candidate, reached);
                        damping = (damping / 10.0).max(1e-12);
                        break;
                    }
                }
                damping *= 10.0;
            }
            if before - best <= 1e-12 * before {
                break;
            }
            damping = damping.min(1e3);
        }
        Ok((free, best))
    }

    /// Standard errors of the natural parameters, by the delta method. The estimate is to first order `A` times the mean observation with
    /// `A = (J^T W J)^-1 J^T W`; its variance over sessions is that of `A` times an observation, whatever the points have in
    /// common within a session.
    fn errors(&self, free: &[f64]) -> Result<Vec<f64>, CalibrationError> {
        let jacobian = self.jacobian(free)?;
        let normal = self.normal(&jacobian, 0.0);
        const STEP: f64 = 1e-5;
        let parameters = self.family.natural(free).len();
        let mut errors = Vec::with_capacity(parameters);
        for parameter in 0..parameters {
            if self.family.at_bound(parameter, free) {
                errors.push(f64::NAN);
                continue;
            }
            let slope = |index: usize| {
                let moved = |by: f64| {
                    let mut free = free.to_vec();
                    free[index] += by;
                    self.family.natural(&free)[parameter]
                };
                (moved(STEP) - moved(-STEP)) / (2.0 * STEP)
            };
            // Its gradient times (J^T W J)^-1, which is symmetric.
            let Some(row) = solve(normal.clone(), (0..free.len()).map(slope).collect()) else {
                errors.push(f64::NAN);
                continue;
            };
            let weights: Vec<f64> = (0..self.points.len())
                .map(|index| {
                    let along: f64 = row.iter().zip(&jacobian).map(|(row, column)| row * column[index]).sum();
                    along * self.points[index].weight
                })
                .collect();
            let of_session =
                |values: &Vec<f64>| values.iter().zip(&weights).map(|(value, weight)| value * weight).sum();
            let values: Vec<f64> = self.measured.observations.iter().map(of_session).collect();
            errors.push(mean_and_deviation(&values).1 / (values.len() as f64).sqrt());
        }
        Ok(errors)
    }
}

/// The weighted mean square of what a prediction is off by.
pub(super) fn objective(points: &[Point], predicted: &[f64]) -> f64 {
    let squares = points
        .iter()
        .zip(predicted)
        .map(|(point, predicted)| point.weight * (point.mean - predicted).powi(2));
    let sum: f64 = squares.sum();
    if sum.is_finite() { sum } else { f64::INFINITY }
}

/// Fits a family to a measurement by weighted least squares, from several starting points.
///
/// # Errors
/// A model that is not legal, which is a defect of the family.
pub fn fit(family: Family, measured: &Measured) -> Result<Fit, CalibrationError> {
    let points = points(measured);
    let problem = Problem { family, measured, points: &points };
    let least =
        points.iter().step_by(measured.stride()).map(|point| point.mean).fold(f64::INFINITY, f64::min);
    let half_spread = 0.5 * least.max(0.0) / measured.conditions.price();
    let mut best: Option<(Vec<f64>, f64)> = None;
    for scale in [0.01, 0.1, 1.0] {
        let found = problem.minimise(family.start(half_spread, scale))?;
        if best.as_ref().is_none_or(|(_, objective)| found.1 < *objective) {
            best = Some(found);
        }
    }
    let (free, objective) = best.unwrap_or_else(|| (family.start(half_spread, 1.0), f64::INFINITY));
    let values = family.natural(&free);
    let config = family.config(&values, measured);
    config.validate()?;
    Ok(Fit { family, errors: problem.errors(&free)?, config, values, objective })
}

#[cfg(test)]
mod tests {
    use lob::models::impact::{DepthLevel, SquareRootParams};

    use super::super::{Cell, Settings};
    use super::*;

    #[test]
    fn equations_are_solved() {
        let matrix = vec![vec![0.0, 2.0, 1.0], vec![1.0, 1.0, 0.0], vec![3.0, 0.0, 1.0]];
        let solved = solve(matrix, vec![7.0, 3.0, 6.0]).unwrap();
        assert!(
            solved.iter().zip([1.0, 2.0, 3.0]).all(|(one, other)| (one - other).abs() < 1e-12),
            "{solved:?}"
        );
        assert_eq!(solve(vec![vec![1.0, 1.0], vec![1.0, 1.0]], vec![1.0, 2.0]), None);
    }

    /// Observations that scatter around what a model says.
    fn made_up(config: &ImpactConfig, noise: f64) -> Measured {
        let settings = Settings::default();
        let conditions = Conditions::new(1_000.0, 2e-4, 0.7).unwrap();
        let mut measured = Measured {
            cells: settings.cells(),
            relaxation_seconds: settings.relaxation_seconds,
            observations: Vec::new(),
            conditions,
            depth: vec![DepthLevel { distance: 5e-4, quantity: 4.0 }],
        };
        let truth = predict(config, &measured, &conditions).unwrap();
        measured.observations = (0..200_u64)
            .map(|session| {
                let scatter = |index: usize| {
                    let bits = lob::sim::derive_seed(session, index as u64);
                    noise * ((bits >> 11) as f64 / (1_u64 << 53) as f64 - 0.5)
                };
                truth.iter().enumerate().map(|(index, value)| value + scatter(index)).collect()
            })
            .collect();
        measured
    }

    #[test]
    fn what_made_the_data_is_found_within_its_errors() {
        let truth = SquareRootParams { y: 0.7, memory_seconds: Some(40.0), half_spread: 6e-4 };
        let measured = made_up(&ImpactConfig::SquareRoot(truth), 1.0);
        let fitted = fit(Family::SquareRoot, &measured).unwrap();
        for ((value, error), truth) in fitted.values.iter().zip(&fitted.errors).zip([6e-4, 0.7, 40.0]) {
            assert!((value - truth).abs() < 4.0 * error && *error < 0.05 * truth, "{fitted:?}");
        }
        assert!(fitted.objective < 0.5, "{fitted:?}");
        // Without noise every family finds itself.
        for family in Family::ALL.into_iter().filter(|&family| family != Family::Book) {
            let natural = family.natural(&family.start(6e-4, 0.5));
            let measured = made_up(&family.config(&natural, &measured), 0.0);
            let fitted = fit(family, &measured).unwrap();
            assert!(fitted.objective < 1e-6, "{fitted:?} {natural:?}");
        }
    }

    #[test]
    fn costs_and_displacements_weigh_alike() {
        let truth = SquareRootParams { y: 0.7, memory_seconds: Some(40.0), half_spread: 6e-4 };
        let mut measured = made_up(&ImpactConfig::SquareRoot(truth), 0.0);
        measured.cells.push(Cell { lots: 1, rate: 1.0 });
        measured.observations.iter_mut().for_each(|values| values.extend([1.0; 9]));
        let points = points(&measured);
        let off: Vec<f64> = points.iter().map(|point| point.mean * (1.0 + TOLERANCE)).collect();
        assert!((objective(&points, &off) - 2.0).abs() < 1e-9);
    }
}
