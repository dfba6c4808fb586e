//! A gated recurrent unit over the window.

use tch::{Kind, Tensor};

use super::windows;
use crate::policy::NetworkSpec;

/// The last state, `f32[rows, body_size]`.
pub(super) fn forward(spec: &NetworkSpec, parameters: &[Tensor], input: &Tensor) -> Tensor {
    let input = windows(spec, input);
    let start = Tensor::zeros([1, input.size()[0], spec.body_size as i64], (Kind::Float, input.device()));
    let (_, last) = input.gru(&start, parameters, true, 1, 0.0, false, false, true);
    last.squeeze_dim(0)
}
