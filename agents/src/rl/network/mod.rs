//! The networks of [`crate::policy`] once more, on tensors: what gradients flow through.

mod gru;
mod mlp;
mod tcn;

use tch::Tensor;

use crate::policy::{Activation, Body, NetworkSpec};

/// Outputs `f32[rows, outputs]` of `input` `f32[rows, window * observation]`; `parameters` one by one in the order of
/// [`NetworkSpec::parameters`].
///
/// # Panics
/// If shapes do not fit.
pub fn forward(spec: &NetworkSpec, parameters: &[Tensor], input: &Tensor) -> Tensor {
    let (body, dense) = parameters.split_at(parameters.len() - 2 * spec.dense().len());
    match spec.body {
        Body::Mlp => mlp::forward(spec, dense, input.shallow_clone()),
        Body::Gru => mlp::forward(spec, dense, gru::forward(spec, body, input)),
        Body::Tcn => mlp::forward(spec, dense, tcn::forward(spec, body, input)),
    }
}

fn activate(activation: Activation, x: &Tensor) -> Tensor {
    match activation {
        Activation::Tanh => x.tanh(),
        Activation::Relu => x.relu(),
        Activation::Elu => x.elu(),
        Activation::Silu => x.silu(),
    }
}

/// `f32[rows, window, observation]`, the oldest first.
fn windows(spec: &NetworkSpec, input: &Tensor) -> Tensor {
    input.view([-1, spec.window as i64, spec.observation as i64])
}
