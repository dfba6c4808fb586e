//! Independent normal numbers, plain and mapped.

use tch::{Kind, Tensor};

const HALF_LOG_TWO_PI: f64 = 0.918_938_533_204_672_8;

fn sum(x: &Tensor) -> Tensor {
    x.sum_dim_intlist(-1, false, None::<Kind>)
}

/// Of the normal numbers themselves.
pub(super) fn log_density(mean: &Tensor, log_deviation: &Tensor, raw: &Tensor) -> Tensor {
    let z = (raw - mean) * (-log_deviation).exp();
    sum(&(z.square() * -0.5 - log_deviation - HALF_LOG_TWO_PI))
}

/// Of the normal numbers themselves: 1/2 + log(2 pi)/2 + log deviation for each; the same in all rows.
pub(super) fn entropy(mean: &Tensor, log_deviation: &Tensor) -> Tensor {
    let entropy = (log_deviation + (0.5 + HALF_LOG_TWO_PI)).sum(None::<Kind>);
    entropy.expand(mean.size()[0], false)
}

/// The draw as a function of the parameters, with its standard normal number held fixed: the same values, with gradients.
pub(super) fn redrawn(mean: &Tensor, log_deviation: &Tensor, raw: &Tensor) -> Tensor {
    let z = ((raw - mean) * (-log_deviation).exp()).detach();
    mean + log_deviation.exp() * z
}

/// Logarithm of the derivative of tanh, summed: 2 (log 2 - u - softplus(-2 u)), which does not cancel for large u.
pub(super) fn tanh_correction(u: &Tensor) -> Tensor {
    sum(&((-u - (u * -2.0).softplus() + std::f64::consts::LN_2) * 2.0))
}

/// Logarithm of the determinant of v -> (exp v, 1) / (1 + sum exp v): the sum of the logarithms of all parts.
pub(super) fn simplex_correction(v: &Tensor) -> Tensor {
    let zero = Tensor::zeros_like(&v.narrow(-1, 0, 1));
    let log_sum = Tensor::cat(&[v, &zero], -1).logsumexp([-1], false);
    sum(v) - log_sum * (v.size()[1] + 1) as f64
}

/// Of the normal numbers' differences, whatever is added to all of them: see [`Head::log_density`](crate::policy::Head::log_density).
pub(super) fn ratio_log_density(mean: &Tensor, log_deviation: &Tensor, raw: &Tensor) -> Tensor {
    let weight = (log_deviation * -2.0).exp();
    let precision = weight.sum(None::<Kind>);
    let tilt = sum(&((raw - mean) * &weight));
    let shift = tilt.square() * 0.5 / &precision - precision.log() * 0.5 + HALF_LOG_TWO_PI;
    log_density(mean, log_deviation, raw) + shift
}

/// Of the normal numbers' differences: K - 1 times (1 + log(2 pi)) / 2, and half the logarithm of their covariance's determinant; the same
/// in all rows.
pub(super) fn ratio_entropy(mean: &Tensor, log_deviation: &Tensor) -> Tensor {
    let precision = (log_deviation * -2.0).exp().sum(None::<Kind>);
    entropy(mean, log_deviation) + precision.log() * 0.5 - (0.5 + HALF_LOG_TWO_PI)
}

/// Logarithm of the determinant of log-ratios -> softmax: the sum of the logarithms of all parts.
pub(super) fn softmax_correction(u: &Tensor) -> Tensor {
    sum(&u.log_softmax(-1, None::<Kind>))
}
