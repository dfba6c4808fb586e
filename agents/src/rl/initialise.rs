//! What parameters start with.

use lob::random::{standard_normal, uniform};
use lob::sim::SimRng;

use crate::policy::{Body, NetworkSpec};

/// Gains and the last bias of a network.
#[derive(Clone, Copy, Debug)]
pub struct Gains<'a> {
    /// Of the dense layers before the last.
    pub hidden: f64,
    /// Of the last layer.
    pub last: f64,
    /// Of the last layer: one number for all outputs, or one for each. The others are 0.
    pub bias: &'a [f32],
}

/// Parameters in the order of [`NetworkSpec::parameters`]: orthogonal dense layers, recurrent units and convolutions uniform as torch
/// starts them.
pub fn network(spec: &NetworkSpec, gains: Gains<'_>, rng: &mut SimRng) -> Vec<f32> {
    let mut values = Vec::with_capacity(spec.parameter_count());
    let layers = spec.dense().len();
    for (name, shape) in spec.parameters() {
        let count: usize = shape.iter().product();
        let Some(rest) = name.strip_prefix("layers.") else {
            let inputs = match spec.body {
                Body::Gru => spec.body_size,
                _ if shape.len() == 3 => shape[1] * shape[2],
                _ => spec.body_size * spec.kernel,
            };
            let bound = 1.0 / (inputs as f64).sqrt();
            values.extend((0..count).map(|_| (bound * (2.0 * uniform(rng) - 1.0)) as f32));
            continue;
        };
        let is_last = rest.starts_with(&format!("{}.", layers - 1));
        if shape.len() == 2 {
            let gain = if is_last { gains.last } else { gains.hidden };
            values.extend(orthogonal(shape[0], shape[1], gain, rng));
        } else if is_last {
            values.extend((0..count).map(|i| gains.bias[if gains.bias.len() == 1 { 0 } else { i }]));
        } else {
            values.extend(std::iter::repeat_n(0.0, count));
        }
    }
    values
}

/// A matrix `f32[rows, columns]` times `gain` whose rows, or columns if there are fewer, are orthonormal; uniform among those.
///
/// Source: A. M. Saxe, J. L. McClelland & S. Ganguli, arXiv 1312.6120; orthogonalised normal vectors (Gram-Schmidt, twice, in f64).
pub fn orthogonal(rows: usize, columns: usize, gain: f64, rng: &mut SimRng) -> Vec<f32> {
    let (count, len) = (rows.min(columns), rows.max(columns));
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(count);
    while vectors.len() < count {
        let mut vector: Vec<f64> = (0..len).map(|_| standard_normal(rng)).collect();
        for _ in 0..2 {
            for other in &vectors {
                let product: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
                vector.iter_mut().zip(other).for_each(|(a, b)| *a -= product * b);
            }
        }
        let norm = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
        // A normal vector within rounding of the others' span does not happen; were it to, another is drawn.
        if norm > 1e-8 {
            vector.iter_mut().for_each(|x| *x /= norm);
            vectors.push(vector);
        }
    }
    let mut matrix = Vec::with_capacity(rows * columns);
    if rows <= columns {
        matrix.extend(vectors.iter().flatten().map(|value| (gain * value) as f32));
    } else {
        // The vectors are the columns.
        for row in 0..rows {
            matrix.extend(vectors.iter().map(|vector| (gain * vector[row]) as f32));
        }
    }
    matrix
}

#[cfg(test)]
mod tests {
    use rand_xoshiro::rand_core::SeedableRng;

    use super::*;
    use crate::policy::Activation;

    #[test]
    fn matrices_are_orthogonal_in_the_shorter_direction() {
        let mut rng = SimRng::seed_from_u64(1);
        for (rows, columns) in [(3, 7), (7, 3), (5, 5), (1, 4)] {
            let matrix = orthogonal(rows, columns, 2.0, &mut rng);
            let at = |row: usize, column: usize| f64::from(matrix[row * columns + column]);
            let count = rows.min(columns);
            for a in 0..count {
                for b in 0..count {
                    let product: f64 = if rows <= columns {
                        (0..columns).map(|k| at(a, k) * at(b, k)).sum()
                    } else {
                        (0..rows).map(|k| at(k, a) * at(k, b)).sum()
                    };
                    let expected = if a == b { 4.0 } else { 0.0 };
                    assert!((product - expected).abs() < 1e-5, "{a} {b} {product}");
                }
            }
        }
    }

    #[test]
    fn the_last_bias_is_as_given() {
        let spec = NetworkSpec {
            observation: 2,
            window: 1,
            body: Body::Mlp,
            body_size: 0,
            body_layers: 0,
            kernel: 0,
            hidden: vec![3],
            activation: Activation::Tanh,
            outputs: 2,
        };
        let gains = Gains { hidden: 1.0, last: 0.0, bias: &[-1.0, 1.0] };
        let values = network(&spec, gains, &mut SimRng::seed_from_u64(1));
        assert_eq!(values.len(), spec.parameter_count());
        assert_eq!(values[values.len() - 8..], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0, 1.0]);
    }
}
