//! Dense layers.

use tch::Tensor;

use super::activate;
use crate::policy::NetworkSpec;

/// `parameters`: weight and bias of each layer.
pub(super) fn forward(spec: &NetworkSpec, parameters: &[Tensor], mut x: Tensor) -> Tensor {
    let layers = parameters.as_chunks::<2>().0;
    for (index, [weight, bias]) in layers.iter().enumerate() {
        x = x.linear(weight, Some(bias));
        if index + 1 < layers.len() {
            x = activate(spec.activation, &x);
        }
    }
    x
}
