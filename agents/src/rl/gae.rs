//! Advantages from rewards and values.

/// What a rollout of `environments` rows of `steps` holds for it; `f32[environments, steps]` each, row-major.
#[derive(Clone, Copy, Debug)]
pub struct Traces<'a> {
    /// Rewards.
    pub rewards: &'a [f32],
    /// Value of the state before each step.
    pub values: &'a [f32],
    /// Value of the state after each step as far as it counts: 0 after a termination, that of the last observation after a truncation.
    pub next_values: &'a [f32],
    /// The step ended its episode, either way.
    pub ends: &'a [bool],
}

/// Generalised advantage estimates. Source: Schulman et al., arXiv 1506.02438, equation (16).
///
/// Traces end with episodes; what was to come after a truncation counts through `next_values`.
pub fn advantages(traces: Traces<'_>, steps: usize, discount: f64, trace: f64, advantages: &mut [f32]) {
    let decay = discount * trace;
    for (row, advantages) in advantages.chunks_exact_mut(steps).enumerate() {
        let mut next = 0.0;
        for step in (0..steps).rev() {
            let i = row * steps + step;
            let delta = f64::from(traces.rewards[i]) + discount * f64::from(traces.next_values[i])
                - f64::from(traces.values[i]);
            next = delta + if traces.ends[i] { 0.0 } else { decay * next };
            advantages[step] = next as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand, with discount 1/2 and trace 1/2: deltas are r + V'/2 - V, and A = delta + A'/4 within an episode.
    #[test]
    fn a_worked_example_with_both_endings() {
        // Step:        0     1 (terminated)  2     3 (truncated)  4 (goes on)
        let rewards = [1.0, 2.0, 0.0, 1.0, 4.0];
        let values = [2.0, 1.0, 3.0, 1.0, 2.0];
        let next_values = [1.0, 0.0, 1.0, 6.0, 8.0];
        let ends = [false, true, false, true, false];
        let mut found = [0.0; 5];
        advantages(
            Traces { rewards: &rewards, values: &values, next_values: &next_values, ends: &ends },
            5,
            0.5,
            0.5,
            &mut found,
        );
        // Deltas: 1 + .5 - 2 = -.5;  2 - 1 = 1;  .5 - 3 = -2.5;  1 + 3 - 1 = 3;  4 + 4 - 2 = 6.
        assert_eq!(found, [-0.5 + 0.25, 1.0, -2.5 + 0.75, 3.0, 6.0]);
    }

    #[test]
    fn rows_do_not_touch_each_other() {
        let zeros = [0.0; 4];
        let mut found = [0.0; 4];
        let traces =
            Traces { rewards: &[0.0, 0.0, 1.0, 1.0], values: &zeros, next_values: &zeros, ends: &[false; 4] };
        advantages(traces, 2, 1.0, 1.0, &mut found);
        assert_eq!(found, [0.0, 0.0, 2.0, 1.0]);
    }
}
