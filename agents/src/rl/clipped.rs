//! PPO's loss of a step and its slopes, in closed form.
//!
//! The loss depends on the networks through two numbers a step: the logarithm of the density of what was done, and the value. With its
//! slopes by those at hand, libtorch differentiates the networks and the head alone; for small minibatches, where each of its operations
//! costs more than the numbers in it, that is a good part of an update.

/// What was noted when a step was played.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noted {
    /// Logarithm of the density of what was done.
    pub log_density: f32,
    /// What it was expected to be worth.
    pub value: f32,
    /// How much better than expected it was.
    pub advantage: f32,
    /// What it was worth.
    pub target: f32,
}

/// The clipped objective.
///
/// Source: Schulman et al., arXiv 1707.06347, equation (7) for the policy; half the squared error for the value, as in section 5's (9).
#[derive(Clone, Copy, Debug)]
pub(super) struct Clipped {
    /// How far a ratio of densities counts.
    pub clip: f64,
    /// How far a value may move before the loss takes the worse of it and of the value cut there.
    pub value_clip: Option<f64>,
}

/// A step's losses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Losses {
    /// Minus the gain of the policy.
    pub policy: f64,
    /// Its slope by the logarithm of the density.
    pub policy_slope: f64,
    /// Half the squared error of the value.
    pub value: f64,
    /// Its slope by the value.
    pub value_slope: f64,
    /// How far the policy has moved. Source: J. Schulman, Approximating KL divergence, 2020: the mean of (r - 1) - log r.
    pub kl: f64,
    /// Whether the ratio lies beyond the clip.
    pub outside: bool,
}

impl Clipped {
    /// The losses of a step whose density and value are now these.
    pub(super) fn losses(&self, log_density: f32, value: f32, noted: Noted) -> Losses {
        // The ratio counts only as far as it does not go beyond the clip in the direction it is pushed.
        let log_ratio = f64::from(log_density - noted.log_density);
        let ratio = libm::exp(log_ratio);
        let advantage = f64::from(noted.advantage);
        let (free, cut) = (ratio * advantage, ratio.clamp(1.0 - self.clip, 1.0 + self.clip) * advantage);
        let (gain, slope) = if cut < free { (cut, 0.0) } else { (free, free) };

        let error = f64::from(value) - f64::from(noted.target);
        let (mut worst, mut value_slope) = (error, error);
        if let Some(clip) = self.value_clip {
            let moved = f64::from(value) - f64::from(noted.value);
            let near = f64::from(noted.value) + moved.clamp(-clip, clip) - f64::from(noted.target);
            if near.abs() > error.abs() {
                (worst, value_slope) = (near, if moved.abs() > clip { 0.0 } else { near });
            }
        }
        Losses {
            policy: -gain,
            policy_slope: -slope,
            value: 0.5 * worst * worst,
            value_slope,
            kl: ratio - 1.0 - log_ratio,
            outside: (ratio - 1.0).abs() > self.clip,
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::Tensor;

    use super::*;

    /// The same written as tensors, which libtorch differentiates.
    fn by_autograd(clipped: Clipped, log_density: f32, value: f32, noted: Noted) -> [f64; 4] {
        let leaf = |number: f32| Tensor::from(f64::from(number)).set_requires_grad(true);
        let (log_density, value) = (leaf(log_density), leaf(value));
        let ratio = (&log_density - f64::from(noted.log_density)).exp();
        let cut = ratio.clamp(1.0 - clipped.clip, 1.0 + clipped.clip);
        let advantage = f64::from(noted.advantage);
        let policy = -(&ratio * advantage).minimum(&(cut * advantage));
        let mut errors = (&value - f64::from(noted.target)).square();
        if let Some(clip) = clipped.value_clip {
            let near = (&value - f64::from(noted.value)).clamp(-clip, clip) + f64::from(noted.value);
            errors = errors.maximum(&(near - f64::from(noted.target)).square());
        }
        let error = errors * 0.5;
        (&policy + &error).backward();
        [&policy, &log_density.grad(), &error, &value.grad()].map(|number| number.double_value(&[]))
    }

    #[test]
    fn losses_and_slopes_are_those_libtorch_derives() {
        let (mut cut, mut near) = (0, 0);
        for log_density in [-1.4_f32, -1.1, -1.0, -0.85, -0.3] {
            for advantage in [-1.5_f32, 0.0, 0.7] {
                for value in [-2.0_f32, 0.1, 0.35, 1.9] {
                    for (target, value_clip) in [(-1.0_f32, None), (0.2, Some(0.25)), (3.0, Some(0.25))] {
                        let noted = Noted { log_density: -1.0, value: 0.15, advantage, target };
                        let clipped = Clipped { clip: 0.2, value_clip };
                        let found = clipped.losses(log_density, value, noted);
                        let [policy, slope, error, error_slope] =
                            by_autograd(clipped, log_density, value, noted);
                        let pairs = [
                            (found.policy, policy),
                            (found.policy_slope, slope),
                            (found.value, error),
                            (found.value_slope, error_slope),
                        ];
                        for (found, expected) in pairs {
                            assert!((found - expected).abs() < 1e-6, "{noted:?} {value}: {found} {expected}");
                        }
                        cut += usize::from(advantage != 0.0 && found.policy_slope == 0.0);
                        near += usize::from(value_clip.is_some() && found.value_slope == 0.0);
                    }
                }
            }
        }
        assert!(cut > 0 && near > 0, "no case lay beyond a clip");
    }

    #[test]
    fn a_policy_that_has_not_moved_has_no_divergence_and_the_plain_gradient() {
        let noted = Noted { log_density: -3.0, value: 1.0, advantage: 2.0, target: 1.5 };
        let losses = Clipped { clip: 0.2, value_clip: None }.losses(-3.0, 1.0, noted);
        let expected = Losses {
            policy: -2.0,
            policy_slope: -2.0,
            value: 0.125,
            value_slope: -0.5,
            kl: 0.0,
            outside: false,
        };
        assert_eq!(losses, expected);
    }
}
