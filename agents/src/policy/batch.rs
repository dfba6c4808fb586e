//! A policy that decides for many callers at once.

use lob::sim::SimRng;

use super::{Decision, Policy, Workspace, push_window};

/// So many rows are computed together: enough for the loops over rows, few enough for their numbers to stay in the cache.
const ROWS: usize = 64;

/// What many callers of a [`Policy`] need side by side. Everything grows to what is needed once.
#[derive(Clone, Debug, Default)]
pub struct PolicyBatch {
    windows: Vec<f32>,
    outputs: Vec<f32>,
    raw: Vec<f32>,
    actions: Vec<f32>,
    choices: Vec<i64>,
    workspace: Workspace,
}

impl PolicyBatch {
    /// Makes room for `rows` callers who have seen nothing yet.
    pub fn begin(&mut self, policy: &Policy, rows: usize) {
        let spec = policy.network.spec();
        self.windows.clear();
        self.windows.resize(rows * spec.input_len(), 0.0);
    }

    /// What each caller has seen: its last `window` observations, the oldest first, normalised; zeros before an episode's first.
    /// `f32[rows, window, d]`.
    pub fn windows(&self) -> &[f32] {
        &self.windows
    }

    /// The same, to be set or, at the start of an episode, filled with zeros.
    pub fn windows_mut(&mut self) -> &mut [f32] {
        &mut self.windows
    }

    /// Chooses an action for each row of `observations`, `f32[rows, d]`: the numbers or choices of all actions, one after the other. Each
    /// row's action is the one that [`Policy::act`] would choose. `rng` is drawn from with [`Decision::Sample`] only, row by row.
    ///
    /// # Panics
    /// If `observations` are not those of so many rows as [`begin`](Self::begin) was told.
    pub fn act(
        &mut self,
        policy: &Policy,
        observations: &[f32],
        decision: Decision,
        rng: &mut SimRng,
    ) -> gym::Action<'_> {
        let (spec, head) = (policy.network.spec(), &policy.head);
        let (columns, input, width) = (spec.observation, spec.input_len(), head.action_len());
        let rows = self.windows.len() / input;
        assert_eq!(observations.len(), rows * columns, "an observation for each row");
        for (window, observation) in
            self.windows.chunks_exact_mut(input).zip(observations.chunks_exact(columns))
        {
            push_window(window, observation, policy.normaliser.as_ref());
        }
        self.outputs.resize(ROWS * spec.outputs, 0.0);
        self.raw.resize(head.raw_len(), 0.0);
        self.actions.resize(rows * width, 0.0);
        let parts = self.windows.chunks(ROWS * input).zip(self.actions.chunks_mut(ROWS * width));
        for (windows, actions) in parts {
            policy.network.forward(windows, windows.len() / input, &mut self.workspace, &mut self.outputs);
            for (outputs, action) in
                self.outputs.chunks_exact(spec.outputs).zip(actions.chunks_exact_mut(width))
            {
                match decision {
                    Decision::Mode => head.mode(outputs, &mut self.raw),
                    Decision::Sample => {
                        head.sample(outputs, &policy.deviation, rng, &mut self.raw);
                    }
                }
                if head.is_discrete() {
                    action.copy_from_slice(&self.raw);
                } else {
                    head.action(&self.raw, action);
                }
            }
        }
        if head.is_discrete() {
            self.choices.clear();
            self.choices.extend(self.actions.iter().map(|choice| *choice as i64));
            gym::Action::Discrete(&self.choices)
        } else {
            gym::Action::Continuous(&self.actions)
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::policy::{Activation, Body, Bounds, Head, Moments, Network, NetworkSpec, Normaliser};

    fn policy(window: usize, head: Head) -> Policy {
        let spec = NetworkSpec {
            observation: 3,
            window,
            body: if window == 1 { Body::Mlp } else { Body::Gru },
            body_size: if window == 1 { 0 } else { 5 },
            body_layers: 0,
            kernel: 0,
            hidden: vec![8],
            activation: Activation::Tanh,
            outputs: head.outputs(),
        };
        let parameters: Vec<f32> =
            (0..spec.parameter_count()).map(|i| ((i * 37 % 101) as f32 - 50.0) / 40.0).collect();
        let mut network = Network::new(spec).unwrap();
        network.set(&parameters);
        let moments = Moments { count: 4.0, mean: vec![0.5; 3], squares: vec![8.0; 3] };
        let deviation = vec![0.3; head.deviations()];
        Policy { network, deviation, normaliser: Some(Normaliser::new(moments, 5.0)), head }
    }

    #[test]
    fn rows_act_as_single_callers_do() {
        let bounds = Bounds { low: vec![Some(0.0); 2], high: vec![Some(1.0); 2] };
        for (window, head) in [
            (1, Head::Gaussian { bounds }),
            (4, Head::Categorical { choices: 3 }),
            (1, Head::MultiCategorical { choices: vec![2, 4] }),
            (3, Head::LogisticNormal { parts: 3 }),
        ] {
            let policy = policy(window, head);
            let rows = ROWS + 7;
            let mut batch = PolicyBatch::default();
            batch.begin(&policy, rows);
            let mut states = vec![policy.state(); rows];
            let (mut rng, mut other) = (SimRng::seed_from_u64(3), SimRng::seed_from_u64(3));
            let mut seen = Vec::new();
            for step in 0..6 {
                let observations: Vec<f32> =
                    (0..rows * 3).map(|i| ((i * 13 + step * 7) % 29) as f32 / 10.0).collect();
                let decision = if step % 2 == 0 { Decision::Sample } else { Decision::Mode };
                let together: Vec<f64> = match batch.act(&policy, &observations, decision, &mut rng) {
                    gym::Action::Continuous(values) => values.iter().map(|x| f64::from(*x)).collect(),
                    gym::Action::Discrete(values) => values.iter().map(|x| *x as f64).collect(),
                };
                let mut alone = Vec::new();
                for (state, observation) in states.iter_mut().zip(observations.chunks(3)) {
                    match policy.act(observation, decision, &mut other, state) {
                        gym::Action::Continuous(values) => alone.extend(values.iter().map(|x| f64::from(*x))),
                        gym::Action::Discrete(values) => alone.extend(values.iter().map(|x| *x as f64)),
                    }
                }
                assert_eq!(together, alone);
                seen.extend(together);
            }
            assert!(seen.iter().any(|x| *x != seen[0]), "actions depend on what is seen");
        }
    }
}
