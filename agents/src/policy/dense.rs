//! One layer: a matrix, a bias, an activation.

use super::Activation;

/// Inputs whose weights are passed over together: each pass reads and writes the sums once.
const INPUTS: usize = 4;

/// `activation(input W' + b)`.
///
/// The weights lie input by input, so that the innermost loop runs over outputs that lie side by side, and the compiler makes it one of
/// vector instructions. Every output is summed over the inputs in order: a row's result has the same bits whatever rows are computed with
/// it and however wide the vector registers are.
#[derive(Clone, Debug, Default)]
pub(super) struct Dense {
    inputs: usize,
    outputs: usize,
    /// `f32[inputs, outputs]`, the inputs made up with zeros to a multiple of [`INPUTS`].
    weights: Vec<f32>,
    bias: Vec<f32>,
    activation: Option<Activation>,
}

impl Dense {
    pub(super) fn new(inputs: usize, outputs: usize, activation: Option<Activation>) -> Self {
        let weights = vec![0.0; inputs.next_multiple_of(INPUTS) * outputs];
        Self { inputs, outputs, weights, bias: vec![0.0; outputs], activation }
    }

    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Takes weights `f32[outputs, inputs]` and a bias `f32[outputs]`.
    pub(super) fn set(&mut self, weights: &[f32], bias: &[f32]) {
        for (output, row) in weights.chunks_exact(self.inputs).enumerate() {
            for (input, weight) in row.iter().enumerate() {
                self.weights[input * self.outputs + output] = *weight;
            }
        }
        self.bias.copy_from_slice(bias);
    }

    /// `rows` inputs, `stride` numbers apart, to `rows` outputs side by side.
    pub(super) fn forward(&self, input: &[f32], stride: usize, rows: usize, output: &mut [f32]) {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2, which is all that the function asks for.
            return unsafe { self.forward_avx2(input, stride, rows, output) };
        }
        self.forward_anywhere(input, stride, rows, output);
    }

    /// The same code, compiled for registers twice as wide: rollouts spend most of their time here, and take little more than half of it.
    /// The bits are the same, as no multiplication is fused with an addition.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn forward_avx2(&self, input: &[f32], stride: usize, rows: usize, output: &mut [f32]) {
        self.forward_anywhere(input, stride, rows, output);
    }

    #[inline(always)]
    fn forward_anywhere(&self, input: &[f32], stride: usize, rows: usize, output: &mut [f32]) {
        let output = &mut output[..rows * self.outputs];
        let row = |row: usize| &input[row * stride..][..self.inputs];
        let mut pairs = output.chunks_exact_mut(2 * self.outputs);
        for (pair, output) in pairs.by_ref().enumerate() {
            let (first, second) = output.split_at_mut(self.outputs);
            self.two_rows(row(2 * pair), row(2 * pair + 1), first, second);
        }
        let last = pairs.into_remainder();
        if !last.is_empty() {
            self.one_row(row(rows - 1), last);
        }
        if let Some(activation) = self.activation {
            activation.apply(output);
        }
    }

    /// Both rows share the loads of the weights.
    #[inline(always)]
    fn two_rows(&self, first: &[f32], second: &[f32], out: &mut [f32], out_second: &mut [f32]) {
        out.copy_from_slice(&self.bias);
        out_second.copy_from_slice(&self.bias);
        let inputs = first.chunks(INPUTS).zip(second.chunks(INPUTS));
        for (weights, (first, second)) in self.weights.chunks_exact(INPUTS * self.outputs).zip(inputs) {
            add_two(out, out_second, weights, some(first), some(second));
        }
    }

    #[inline(always)]
    fn one_row(&self, row: &[f32], out: &mut [f32]) {
        out.copy_from_slice(&self.bias);
        let weights = self.weights.chunks_exact(INPUTS * self.outputs);
        for (weights, row) in weights.zip(row.chunks(INPUTS)) {
            add_one(out, weights, some(row));
        }
    }
}

/// Inputs with zeros after the last.
#[inline(always)]
fn some(inputs: &[f32]) -> [f32; INPUTS] {
    let mut some = [0.0; INPUTS];
    some[..inputs.len()].copy_from_slice(inputs);
    some
}

/// Adds the products of a few inputs with their weights, `f32[INPUTS, out]`, input after input.
#[inline(always)]
fn add_one(out: &mut [f32], weights: &[f32], x: [f32; INPUTS]) {
    let [a, b, c, d] = quarters(weights, out.len());
    for (i, sum) in out.iter_mut().enumerate() {
        *sum = *sum + x[0] * a[i] + x[1] * b[i] + x[2] * c[i] + x[3] * d[i];
    }
}

/// The same for two rows. The sums are arguments of their own: the compiler knows then that they do not overlap.
#[inline(always)]
fn add_two(out: &mut [f32], second: &mut [f32], weights: &[f32], x: [f32; INPUTS], y: [f32; INPUTS]) {
    let n = out.len();
    let [a, b, c, d] = quarters(weights, n);
    let second = &mut second[..n];
    for i in 0..n {
        out[i] = out[i] + x[0] * a[i] + x[1] * b[i] + x[2] * c[i] + x[3] * d[i];
        second[i] = second[i] + y[0] * a[i] + y[1] * b[i] + y[2] * c[i] + y[3] * d[i];
    }
}

#[inline(always)]
fn quarters(weights: &[f32], n: usize) -> [&[f32]; INPUTS] {
    let (a, rest) = weights.split_at(n);
    let (b, rest) = rest.split_at(n);
    let (c, d) = rest.split_at(n);
    [a, b, c, &d[..n]]
}

#[cfg(test)]
mod tests {
    use lob::random::standard_normal;
    use lob::sim::SimRng;
    use rand_xoshiro::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn a_layer_is_a_matrix_product_and_rows_do_not_disturb_each_other() {
        let mut rng = SimRng::seed_from_u64(3);
        for (inputs, outputs, rows) in [(1, 1, 1), (5, 7, 3), (66, 128, 9), (128, 33, 4)] {
            let mut normal =
                |n: usize| -> Vec<f32> { (0..n).map(|_| standard_normal(&mut rng) as f32).collect() };
            let (weights, bias, input) = (normal(inputs * outputs), normal(outputs), normal(rows * inputs));
            let mut layer = Dense::new(inputs, outputs, None);
            layer.set(&weights, &bias);
            let mut output = vec![0.0; rows * outputs];
            layer.forward(&input, inputs, rows, &mut output);
            for row in 0..rows {
                let mut alone = vec![0.0; outputs];
                layer.forward(&input[row * inputs..], inputs, 1, &mut alone);
                assert_eq!(alone, output[row * outputs..(row + 1) * outputs]);
                for o in 0..outputs {
                    let product =
                        |i: usize| f64::from(weights[o * inputs + i]) * f64::from(input[row * inputs + i]);
                    let exact = f64::from(bias[o]) + (0..inputs).map(product).sum::<f64>();
                    assert!((f64::from(alone[o]) - exact).abs() < 1e-4, "{} {exact}", alone[o]);
                }
            }
        }
    }
}
