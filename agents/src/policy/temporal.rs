//! Networks over a window of observations: a gated recurrent unit, and causal convolutions.

use super::activation::{sigmoid, tanh};
use super::dense::Dense;
use super::network::{NetworkSpec, grow};

/// `r = s(Wr x + Ur h)`, `z = s(Wz x + Uz h)`, `n = tanh(Wn x + bn + r (Un h + cn))`, `h' = (1 - z) n + z h`; `h` starts at 0.
#[derive(Clone, Debug)]
pub(super) struct Gru {
    input: Dense,
    state: Dense,
}

impl Gru {
    pub(super) fn new(spec: &NetworkSpec) -> Self {
        let gates = 3 * spec.body_size;
        Self {
            input: Dense::new(spec.observation, gates, None),
            state: Dense::new(spec.body_size, gates, None),
        }
    }

    pub(super) fn set<'a>(&mut self, spec: &NetworkSpec, take: &mut impl FnMut(usize) -> &'a [f32]) {
        let gates = 3 * spec.body_size;
        let (input, state) = (take(gates * spec.observation), take(gates * spec.body_size));
        let (input_bias, state_bias) = (take(gates), take(gates));
        self.input.set(input, input_bias);
        self.state.set(state, state_bias);
    }

    /// Leaves the last states in the first of the buffers, `f32[rows, body_size]`.
    pub(super) fn forward(
        &self,
        spec: &NetworkSpec,
        input: &[f32],
        rows: usize,
        buffers: [&mut Vec<f32>; 3],
    ) {
        let [states, seen, kept] = buffers;
        let (size, gates) = (spec.body_size, 3 * spec.body_size);
        grow(states, rows * size);
        grow(seen, rows * gates);
        grow(kept, rows * gates);
        states[..rows * size].fill(0.0);
        for step in 0..spec.window {
            self.input.forward(&input[step * spec.observation..], spec.input_len(), rows, seen);
            self.state.forward(states, size, rows, kept);
            let gates = seen.chunks_exact(gates).zip(kept.chunks_exact(gates));
            for (h, (x, u)) in states.chunks_exact_mut(size).take(rows).zip(gates) {
                for i in 0..size {
                    let reset = sigmoid(x[i] + u[i]);
                    let update = sigmoid(x[size + i] + u[size + i]);
                    let new = tanh(x[2 * size + i] + reset * u[2 * size + i]);
                    h[i] = (1.0 - update) * new + update * h[i];
                }
            }
        }
    }
}

/// `h = activation(conv(h)) + h`, the addition only where the channels match; positions before the window are zeros.
#[derive(Clone, Debug)]
pub(super) struct Tcn {
    /// Each convolution as a layer over its taps side by side, the oldest first.
    layers: Vec<Dense>,
}

impl Tcn {
    pub(super) fn new(spec: &NetworkSpec) -> Self {
        let layer = |channels| Dense::new(channels * spec.kernel, spec.body_size, Some(spec.activation));
        Self { layers: spec.channels().map(layer).collect() }
    }

    pub(super) fn set<'a>(&mut self, spec: &NetworkSpec, take: &mut impl FnMut(usize) -> &'a [f32]) {
        let mut turned = Vec::new();
        for (layer, channels) in self.layers.iter_mut().zip(spec.channels()) {
            let weights = take(spec.body_size * channels * spec.kernel);
            // Files have the taps innermost, as torch does; here a tap's channels lie side by side, as observations do.
            turned.clear();
            for output in weights.chunks_exact(channels * spec.kernel) {
                for tap in 0..spec.kernel {
                    turned.extend((0..channels).map(|channel| output[channel * spec.kernel + tap]));
                }
            }
            layer.set(&turned, take(spec.body_size));
        }
    }

    /// Leaves the last position in the first of the buffers, `f32[rows, body_size]`.
    pub(super) fn forward(
        &self,
        spec: &NetworkSpec,
        input: &[f32],
        rows: usize,
        buffers: [&mut Vec<f32>; 3],
    ) {
        let [states, next, taps] = buffers;
        let (size, window, kernel) = (spec.body_size, spec.window, spec.kernel);
        let widest = size.max(spec.observation);
        grow(states, rows * window * size);
        grow(next, rows * window * size);
        grow(taps, rows * window * kernel * widest);
        for (index, (layer, channels)) in self.layers.iter().zip(spec.channels()).enumerate() {
            let source: &[f32] = if index == 0 { input } else { states };
            let width = channels * kernel;
            for row in 0..rows {
                let source = &source[row * window * channels..][..window * channels];
                for position in 0..window {
                    for tap in 0..kernel {
                        let back = (kernel - 1 - tap) << index;
                        let at = (row * window + position) * width + tap * channels;
                        let target = &mut taps[at..at + channels];
                        match position.checked_sub(back) {
                            Some(from) => target.copy_from_slice(&source[from * channels..][..channels]),
                            None => target.fill(0.0),
                        }
                    }
                }
            }
            layer.forward(taps, width, rows * window, next);
            if channels == size {
                let source = &source[..rows * window * size];
                next.iter_mut().zip(source).for_each(|(next, before)| *next += before);
            }
            std::mem::swap(states, next);
        }
        for row in 0..rows {
            let last = (row * window + window - 1) * size;
            states.copy_within(last..last + size, row * size);
        }
    }
}
