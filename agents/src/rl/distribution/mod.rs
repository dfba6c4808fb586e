//! The heads of [`crate::policy::Head`] on tensors: logarithms of densities and entropies that gradients flow through.
//!
//! Draws are made where rollouts are, by [`Head::sample`] with the project's own generator, and come here *raw*. Values agree with
//! torch.distributions (`tests/python/reference_distributions.py` wrote what the tests compare with).

mod categorical;
mod dirichlet;
mod normal;

use tch::Tensor;

use crate::policy::Head;

/// A head with its parameters for a batch of rows.
#[derive(Debug)]
pub struct Distribution<'a> {
    head: &'a Head,
    outputs: &'a Tensor,
    log_deviation: &'a Tensor,
}

impl<'a> Distribution<'a> {
    /// `outputs` is `f32[rows, outputs]`; `log_deviation` `f32[deviations]` is read by heads that have deviations.
    pub fn new(head: &'a Head, outputs: &'a Tensor, log_deviation: &'a Tensor) -> Self {
        Self { head, outputs, log_deviation }
    }

    /// Logarithm of the density or probability of the action, `f32[rows]`, of raw draws `f32[rows, raw]`.
    pub fn log_density(&self, raw: &Tensor) -> Tensor {
        let (outputs, log_deviation) = (self.outputs, self.log_deviation);
        match self.head {
            Head::Gaussian { .. } => normal::log_density(outputs, log_deviation, raw),
            Head::TanhGaussian { .. } => {
                normal::log_density(outputs, log_deviation, raw) - normal::tanh_correction(raw)
            }
            Head::LogisticNormal { .. } => {
                normal::log_density(outputs, log_deviation, raw) - normal::simplex_correction(raw)
            }
            Head::SoftmaxGaussian { .. } => {
                normal::ratio_log_density(outputs, log_deviation, raw) - normal::softmax_correction(raw)
            }
            Head::Dirichlet { .. } => dirichlet::log_density(outputs, raw),
            Head::Categorical { choices } | Head::Greedy { choices, .. } => {
                categorical::log_probability(outputs, &[*choices], raw)
            }
            Head::MultiCategorical { choices } => categorical::log_probability(outputs, choices, raw),
        }
    }

    /// Differential entropy (nats), `f32[rows]`: exact for normal, Dirichlet and categorical heads. For the tanh-Gaussian, the
    /// logistic-normal and the softmax it is an unbiased estimate from one draw, the entropy of the normal numbers plus the logarithm of the map's
    /// determinant at the raw draw, whose gradient flows through `mean + deviation z` with the draw's z held fixed.
    pub fn entropy(&self, raw: &Tensor) -> Tensor {
        let (outputs, log_deviation) = (self.outputs, self.log_deviation);
        match self.head {
            Head::Gaussian { .. } => normal::entropy(outputs, log_deviation),
            Head::TanhGaussian { .. } => {
                let again = normal::redrawn(outputs, log_deviation, raw);
                normal::entropy(outputs, log_deviation) + normal::tanh_correction(&again)
            }
            Head::LogisticNormal { .. } => {
                let again = normal::redrawn(outputs, log_deviation, raw);
                normal::entropy(outputs, log_deviation) + normal::simplex_correction(&again)
            }
            Head::SoftmaxGaussian { .. } => {
                let again = normal::redrawn(outputs, log_deviation, raw);
                normal::ratio_entropy(outputs, log_deviation) + normal::softmax_correction(&again)
            }
            Head::Dirichlet { .. } => dirichlet::entropy(outputs),
            Head::Categorical { choices } | Head::Greedy { choices, .. } => {
                categorical::entropy(outputs, &[*choices])
            }
            Head::MultiCategorical { choices } => categorical::entropy(outputs, choices),
        }
    }
}
