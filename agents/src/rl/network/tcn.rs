//! Causal convolutions over the window.

use tch::Tensor;

use super::{activate, windows};
use crate::policy::NetworkSpec;

/// The last position, `f32[rows, body_size]`.
pub(super) fn forward(spec: &NetworkSpec, parameters: &[Tensor], input: &Tensor) -> Tensor {
    // torch's convolutions want channels before positions.
    let mut x = windows(spec, input).transpose(1, 2);
    for (layer, [weight, bias]) in parameters.as_chunks::<2>().0.iter().enumerate() {
        let dilation = 1_i64 << layer;
        let before = dilation * (spec.kernel as i64 - 1);
        let padded = x.constant_pad_nd([before, 0]);
        let next = activate(spec.activation, &padded.conv1d(weight, Some(bias), 1, 0, dilation, 1));
        x = if x.size()[1] == next.size()[1] { next + x } else { next };
    }
    x.select(2, spec.window as i64 - 1)
}
