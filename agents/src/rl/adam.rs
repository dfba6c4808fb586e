//! Adam on a flat tensor, with a state that can be saved.

use tch::Tensor;

/// Adam. Source: D. P. Kingma & J. Ba, arXiv 1412.6980, algorithm 1 with the bias corrections of torch's `Adam`.
///
/// All work is in place: a step allocates two temporaries.
#[derive(Debug)]
pub struct Adam {
    mean: Tensor,
    square: Tensor,
    steps: i64,
    epsilon: f64,
}

const BETA: (f64, f64) = (0.9, 0.999);

impl Adam {
    /// An optimiser of `parameters` that has made no step.
    pub fn new(parameters: &Tensor, epsilon: f64) -> Self {
        let zeros = || Tensor::zeros_like(&parameters.detach());
        Self { mean: zeros(), square: zeros(), steps: 0, epsilon }
    }

    /// Scales the gradient down to `longest` if its norm is above, and makes a step. Returns the norm it had, which is not finite if the
    /// gradient is not; the parameters are then as they were.
    pub fn step(
        &mut self,
        parameters: &Tensor,
        mut gradient: Tensor,
        learning_rate: f64,
        longest: f64,
    ) -> f64 {
        tch::no_grad(|| {
            let norm = gradient.norm().double_value(&[]);
            if norm.is_finite() {
                if norm > longest {
                    // torch's clip_grad_norm_ adds the same 1e-6.
                    let _ = gradient.g_mul_scalar_(longest / (norm + 1e-6));
                }
                self.steps += 1;
                let _ = self.mean.lerp_(&gradient, 1.0 - BETA.0);
                let _ = self.square.g_mul_scalar_(BETA.1);
                let _ = self.square.addcmul_(&gradient, &(&gradient * (1.0 - BETA.1)));
                let first = 1.0 - BETA.0.powi(self.steps as i32);
                let second = (1.0 - BETA.1.powi(self.steps as i32)).sqrt();
                let mut denominator = self.square.sqrt();
                let _ = denominator.g_mul_scalar_(1.0 / second);
                let _ = denominator.g_add_scalar_(self.epsilon);
                let _ = denominator.reciprocal_();
                let _ = denominator.g_mul_(&self.mean);
                let _ = denominator.g_mul_scalar_(-learning_rate / first);
                let _ = parameters.shallow_clone().g_add_(&denominator);
            }
            norm
        })
    }

    /// Steps made, and the running means of gradients and of their squares: all of its state.
    pub fn state(&self) -> (i64, [Tensor; 2]) {
        (self.steps, [self.mean.shallow_clone(), self.square.shallow_clone()])
    }

    /// Takes a state that was saved.
    pub fn restore(&mut self, steps: i64, [mean, square]: [&Tensor; 2]) {
        self.steps = steps;
        self.mean.copy_(mean);
        self.square.copy_(square);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published algorithm, in plain numbers.
    #[test]
    fn steps_are_those_of_the_paper() {
        let parameters = Tensor::from_slice(&[1.0_f64, -2.0]);
        let mut adam = Adam::new(&parameters, 1e-8);
        let (mut x, mut m, mut v) = ([1.0_f64, -2.0], [0.0; 2], [0.0; 2]);
        for step in 1..=20 {
            let g = [2.0 * x[0], 6.0 * x[1]];
            let norm = adam.step(&parameters, Tensor::from_slice(&g), 0.1, 1.5);
            let exact: f64 = (g[0] * g[0] + g[1] * g[1]).sqrt();
            assert!((norm - exact).abs() < 1e-9);
            let scale = if exact > 1.5 { 1.5 / (exact + 1e-6) } else { 1.0 };
            for i in 0..2 {
                let g = g[i] * scale;
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                let m_hat = m[i] / (1.0 - 0.9_f64.powi(step));
                let v_hat: f64 = v[i] / (1.0 - 0.999_f64.powi(step));
                x[i] -= 0.1 * m_hat / (v_hat.sqrt() + 1e-8);
                assert!((parameters.double_value(&[i as i64]) - x[i]).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn a_gradient_that_is_no_number_changes_nothing() {
        let parameters = Tensor::from_slice(&[1.0_f32]);
        let mut adam = Adam::new(&parameters, 1e-8);
        assert!(adam.step(&parameters, Tensor::from_slice(&[f32::NAN]), 0.1, 1.0).is_nan());
        assert_eq!(parameters.double_value(&[0]), 1.0);
        assert_eq!(adam.step(&parameters, Tensor::from_slice(&[2.0_f32]), 0.1, 10.0), 2.0);
        assert!(parameters.double_value(&[0]) < 1.0);
    }
}
