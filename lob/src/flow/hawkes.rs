//! Parameters of a multivariate Hawkes flow with exponential kernels.

use serde::{Deserialize, Serialize};

use super::opening::by_distance;
use super::{CancellationRule, EmptySide, Opening, PerSide, Profile, Shape, SizeDistribution};
use crate::parameter::{ParameterError, Validity, non_negative, positive, probability};

/// Number of event types.
pub const EVENT_TYPES: usize = 6;

/// The types, in the order of every list and matrix of a Hawkes flow.
pub const EVENT_TYPE_NAMES: [&str; EVENT_TYPES] =
    ["market_buy", "market_sell", "limit_buy", "limit_sell", "cancel_buy", "cancel_sell"];

/// One number for each target (row) and source (column) type.
pub type TypeMatrix = [[f64; EVENT_TYPES]; EVENT_TYPES];

/// A six-dimensional Hawkes process: market orders, limit orders and cancellations of each side.
///
/// The intensity of type `i` is `baseline[i] + sum_j excitation[i][j] R_j(t)` with `R_j(t) = sum over past events of type j, at
/// times t_k, of exp(-decay[j] (t - t_k))`. One decay per *source* makes `R` six numbers: an event costs six exponentials and
/// additions, however long the history is.
///
/// Sources: A. G. Hawkes, *Spectra of some self-exciting and mutually exciting point processes*, Biometrika 58 (1971) 83-90; the
/// recursion after Y. Ogata, *On Lewis' simulation method for point processes*, IEEE Transactions on Information Theory 27
/// (1981) 23-31; on order books, E. Bacry, I. Mastromatteo, J.-F. Muzy, *Hawkes processes in finance*, Market Microstructure and
/// Liquidity 1 (2015), section 2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HawkesParams {
    /// Events per second of each type that nothing has excited.
    pub baseline: [f64; EVENT_TYPES],
    /// `excitation[target][source]`: jump of the target's intensity at an event of the source, in 1/s.
    pub excitation: TypeMatrix,
    /// Decay of what a source excites, in 1/s, above 0.
    pub decay: [f64; EVENT_TYPES],
    /// Weights of a limit order's distance 1, 2, ... ticks from the opposite best.
    pub limit_distance: PerSide<Vec<f64>>,
    /// Weights per resting lot of a cancellation's distance 1, 2, ... from the opposite best: it falls on a price with a
    /// probability proportional to weight x lots there. Where nothing rests in reach, it does nothing.
    pub cancel_distance: PerSide<Vec<f64>>,
    /// Size of market orders.
    pub market_size: SizeDistribution,
    /// Size of limit orders.
    pub limit_size: SizeDistribution,
    /// Size of cancellations.
    pub cancel_size: CancelSize,
    /// Which of their own orders the traders cancel.
    pub cancellation: CancellationRule,
    /// The book at the start.
    pub opening: Opening,
    /// Time of day: multiplies the baseline (excitation follows by itself).
    pub profile: Profile,
    /// What happens when a side is empty.
    pub empty_side: EmptySide,
}

/// The size of a cancellation in a Hawkes flow.
///
/// The rate of cancellations does not depend on the book there, so the volume a side settles at is decided here: with a share of
/// what rests, more volume loses more lots, and the book finds a level of its own. With sizes in lots it
/// stays bounded only because more lots are cancelled than placed, and is then thin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CancelSize {
    /// A number of lots.
    Lots(SizeDistribution),
    /// A share of the traders' own lots at that price, above 0, at most 1: `max(1, round(share x lots))`, half to even.
    Share(f64),
}

impl HawkesParams {
    /// A default market. Not calibrated to data.
    ///
    /// Distances, sizes and the mean rates of market and limit orders are the noise market's. The branching matrix is our own
    /// choice of a plausible structure: a market order excites its like most, then cancellations of the side it hits and
    /// limit orders behind it; limit orders and cancellations excite themselves and each other. Its spectral radius is near 0.7, and the
    /// baseline is what leaves those mean rates: `(1 - branching) x rates`.
    pub fn reference() -> Self {
        let noise = super::FlowParams::noise();
        Self {
            baseline: BASELINE,
            excitation: EXCITATION,
            decay: [2.0, 2.0, 4.0, 4.0, 4.0, 4.0],
            limit_distance: noise.limit_intensity,
            cancel_distance: noise.cancel_intensity,
            market_size: SizeDistribution::reference(),
            limit_size: SizeDistribution::reference(),
            cancel_size: CancelSize::Share(0.2),
            cancellation: CancellationRule::NewestFirst,
            opening: Opening { book: super::OpeningBook::Live, ..Opening::reference(Shape::noise()) },
            profile: Profile::Flat,
            empty_side: EmptySide::reference(),
        }
    }

    /// `excitation[i][j] / decay[j]`: events of type i that one event of type j causes directly, on average.
    pub fn branching(&self) -> TypeMatrix {
        let mut branching = self.excitation;
        for row in &mut branching {
            for (entry, decay) in row.iter_mut().zip(self.decay) {
                *entry /= decay;
            }
        }
        branching
    }

    /// The spectral radius of [`branching`](Self::branching): the process is stationary if and only if it is below 1.
    pub fn spectral_radius(&self) -> f64 {
        spectral_radius(&self.branching())
    }

    /// Mean events per second of each type in the stationary process, without a profile: the solution of
    /// `rates = baseline + branching x rates`. `None` if it is not stationary.
    pub fn stationary_rates(&self) -> Option<[f64; EVENT_TYPES]> {
        let branching = self.branching();
        if !stationary(spectral_radius(&branching)) {
            return None;
        }
        solve(&branching, self.baseline)
    }

    /// Checks every field, and that the process is stationary.
    ///
    /// # Errors
    /// The first field that is not legal, by its path; `excitation` with the spectral radius if that is not below 1.
    pub fn validate(&self) -> Result<(), ParameterError> {
        for i in 0..EVENT_TYPES {
            non_negative(&format!("baseline[{i}]"), self.baseline[i])?;
            positive(&format!("decay[{i}]"), self.decay[i])?;
            for j in 0..EVENT_TYPES {
                non_negative(&format!("excitation[{i}][{j}]"), self.excitation[i][j])?;
            }
        }
        let radius = self.spectral_radius();
        if !stationary(radius) {
            return Err(ParameterError::new(
                "excitation",
                format_args!(
                    "a matrix whose branching ratio (spectral radius of excitation[i][j] / decay[j]) is {radius:.6}"
                ),
                "below 1: otherwise events multiply without end; lower excitation or raise decay",
            ));
        }
        if self.baseline.iter().all(|&rate| rate == 0.0) {
            return Err(ParameterError::new(
                "baseline",
                "all 0",
                "at least one above 0, or nothing ever happens",
            ));
        }
        self.opening.validate().map_err(|error| error.within("opening"))?;
        let levels = self.opening.levels;
        distances("limit_distance", &self.limit_distance, levels)?;
        distances("cancel_distance", &self.cancel_distance, levels)?;
        self.market_size.validate().map_err(|error| error.within("market_size"))?;
        self.limit_size.validate().map_err(|error| error.within("limit_size"))?;
        match &self.cancel_size {
            CancelSize::Lots(size) => size.validate().map_err(|error| error.within("cancel_size.lots"))?,
            CancelSize::Share(share) => {
                positive("cancel_size.share", *share)?;
                probability("cancel_size.share", *share)?;
            }
        }
        self.profile.validate().map_err(|error| error.within("profile"))?;
        self.empty_side.validate().map_err(|error| error.within("empty_side"))
    }
}

/// Of the default: what leaves market orders at 0.1237 and limit orders at 1.6972 per second, as in the noise market, and
/// cancellations at 1.59, their rate there in the mean book.
const BASELINE: [f64; EVENT_TYPES] = [0.06167, 0.06167, 0.63146, 0.63146, 0.60211, 0.60211];

/// `[target][source]` of the default, in 1/s.
const EXCITATION: TypeMatrix = [
    [0.60, 0.00, 0.04, 0.00, 0.00, 0.02],
    [0.00, 0.60, 0.00, 0.04, 0.02, 0.00],
    [1.00, 0.20, 1.20, 0.20, 0.80, 0.20],
    [0.20, 1.00, 0.20, 1.20, 0.20, 0.80],
    [0.20, 1.20, 0.80, 0.20, 1.00, 0.20],
    [1.20, 0.20, 0.20, 0.80, 0.20, 1.00],
];

fn distances(key: &str, weights: &PerSide<Vec<f64>>, levels: usize) -> Validity {
    for (side, list) in [("buy", &weights.buy), ("sell", &weights.sell)] {
        let key = format!("{key}.{side}");
        by_distance(&key, list, levels)?;
        let sum: f64 = list.iter().sum();
        if !(sum > 0.0 && sum.is_finite()) {
            return Err(ParameterError::new(key, format_args!("a list with sum {sum}"), "a finite sum > 0"));
        }
    }
    Ok(())
}

/// False for NaN too: a matrix with overflowing entries has no radius to speak of.
fn stationary(radius: f64) -> bool {
    radius < 1.0
}

/// The spectral radius of a matrix with entries >= 0, by Gelfand's formula: `|A^n|^(1/n)` for n = 2^60, squaring and
/// rescaling. Unlike power iteration it needs no start vector and converges for reducible and periodic matrices alike.
pub fn spectral_radius(matrix: &TypeMatrix) -> f64 {
    let mut power = *matrix;
    let mut logarithm = 0.0;
    let mut weight = 1.0;
    for _ in 0..60 {
        let norm = power.iter().map(|row| row.iter().sum::<f64>()).fold(0.0, f64::max);
        if norm == 0.0 {
            return 0.0;
        }
        if !norm.is_finite() {
            return f64::INFINITY;
        }
        logarithm += weight * libm::log(norm);
        weight *= 0.5;
        for entry in power.iter_mut().flatten() {
            *entry /= norm;
        }
        power = product(&power, &power);
    }
    libm::exp(logarithm)
}

fn product(a: &TypeMatrix, b: &TypeMatrix) -> TypeMatrix {
    let mut out = [[0.0; EVENT_TYPES]; EVENT_TYPES];
    for i in 0..EVENT_TYPES {
        for (k, row) in b.iter().enumerate() {
            for j in 0..EVENT_TYPES {
                out[i][j] += a[i][k] * row[j];
            }
        }
    }
    out
}

/// Solves `(1 - branching) x = b` by Gaussian elimination. With a spectral radius below 1 this is an M-matrix, for which
/// elimination needs no pivoting.
fn solve(branching: &TypeMatrix, mut b: [f64; EVENT_TYPES]) -> Option<[f64; EVENT_TYPES]> {
    let mut a = branching.map(|row| row.map(|entry| -entry));
    for (i, row) in a.iter_mut().enumerate() {
        row[i] += 1.0;
    }
    for pivot in 0..EVENT_TYPES {
        let pivot_row = a[pivot];
        if pivot_row[pivot] <= 0.0 {
            return None;
        }
        for i in (0..EVENT_TYPES).filter(|&i| i != pivot) {
            let factor = a[i][pivot] / pivot_row[pivot];
            for (entry, above) in a[i].iter_mut().zip(pivot_row) {
                *entry -= factor * above;
            }
            b[i] -= factor * b[pivot];
        }
    }
    for (i, value) in b.iter_mut().enumerate() {
        *value /= a[i][i];
    }
    Some(b)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_default_is_stationary_at_its_rates() {
        let params = HawkesParams::reference();
        params.validate().unwrap();
        let radius = params.spectral_radius();
        assert!((0.6..0.8).contains(&radius), "{radius}");
        let rates = [0.1237, 0.1237, 1.6972, 1.6972, 1.59, 1.59];
        for (rate, expected) in params.stationary_rates().unwrap().iter().zip(rates) {
            assert!((rate - expected).abs() < 1e-4, "{rate} {expected}");
        }
    }

    #[test]
    fn explosive_excitation_is_refused_with_its_radius() {
        let mut params = HawkesParams::reference();
        for entry in params.excitation.iter_mut().flatten() {
            *entry *= 2.0;
        }
        let error = params.validate().unwrap_err();
        assert_eq!(error.key, "excitation");
        assert!(error.to_string().contains("spectral radius"), "{error}");
        assert!(error.value.contains(&format!("{:.6}", params.spectral_radius())), "{error}");
        assert_eq!(params.stationary_rates(), None);
    }

    #[test]
    fn spectral_radii_of_awkward_matrices() {
        let mut nilpotent = [[0.0; 6]; 6];
        nilpotent[0][5] = 3.0;
        assert_eq!(spectral_radius(&nilpotent), 0.0);
        // A cycle: power iteration would oscillate. The radius is the sixth root of the product.
        let mut cycle = [[0.0; 6]; 6];
        for i in 0..6 {
            cycle[i][(i + 1) % 6] = 0.5;
        }
        assert!((spectral_radius(&cycle) - 0.5).abs() < 1e-12);
        let mut diagonal = [[0.0; 6]; 6];
        diagonal[3][3] = 0.999;
        assert!((spectral_radius(&diagonal) - 0.999).abs() < 1e-12);
        // A Jordan block: reducible, with one eigenvalue of multiplicity two.
        diagonal[2][2] = 0.999;
        diagonal[2][3] = 5.0;
        assert!((spectral_radius(&diagonal) - 0.999).abs() < 1e-9);
        assert_eq!(spectral_radius(&[[f64::MAX; 6]; 6]), f64::INFINITY);
    }

    #[test]
    fn errors_name_the_entry() {
        let mut params = HawkesParams::reference();
        params.excitation[2][4] = -1.0;
        assert_eq!(params.validate().unwrap_err().key, "excitation[2][4]");
        let mut params = HawkesParams::reference();
        params.decay[1] = 0.0;
        assert_eq!(params.validate().unwrap_err().key, "decay[1]");
        let mut params = HawkesParams::reference();
        params.cancel_size = CancelSize::Share(1.5);
        assert_eq!(params.validate().unwrap_err().key, "cancel_size.share");
        params.cancel_size = CancelSize::Lots(SizeDistribution::Constant { lots: 0 });
        assert_eq!(params.validate().unwrap_err().key, "cancel_size.lots.constant.lots");
        let mut params = HawkesParams::reference();
        params.limit_distance.sell.fill(0.0);
        assert_eq!(params.validate().unwrap_err().key, "limit_distance.sell");
    }

    proptest! {
        #[test]
        fn a_rank_one_matrix_has_its_trace_for_radius(
            u in prop::array::uniform6(0.0..2.0f64), v in prop::array::uniform6(0.0..2.0f64)
        ) {
            let matrix = u.map(|x| v.map(|y| x * y));
            let trace: f64 = (0..6).map(|i| matrix[i][i]).sum();
            prop_assert!((spectral_radius(&matrix) - trace).abs() < 1e-10 * trace.max(1e-3));
        }

        #[test]
        fn stationary_rates_solve_their_equation(entries in prop::array::uniform6(prop::array::uniform6(0.0..0.16f64))) {
            let mut params = HawkesParams::reference();
            params.baseline = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6];
            params.decay = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
            for (i, row) in entries.iter().enumerate() {
                for (j, entry) in row.iter().enumerate() {
                    params.excitation[i][j] = entry * params.decay[j];
                }
            }
            let rates = params.stationary_rates().expect("row sums are below 1");
            let branching = params.branching();
            for i in 0..6 {
                let sum: f64 = params.baseline[i] + (0..6).map(|j| branching[i][j] * rates[j]).sum::<f64>();
                prop_assert!((rates[i] - sum).abs() < 1e-9 * sum);
                prop_assert!(rates[i] >= params.baseline[i]);
            }
        }
    }
}
