//! Transitions that are learned from again and again.

use lob::ParameterError;
use lob::random::uniform;
use lob::sim::SimRng;

use super::checkpoint::State;
use super::learner::LearnError;
use super::rollout::Rollout;
use super::sum_tree::SumTree;

/// The last transitions of all environments in rings, one an environment, so that a transition's successors lie beside it.
#[derive(Debug)]
pub struct Replay {
    environments: usize,
    /// Transitions of each environment.
    capacity: usize,
    input: usize,
    /// Transitions written to each ring since the beginning.
    written: u64,
    inputs: Vec<f32>,
    next_inputs: Vec<f32>,
    choices: Vec<i64>,
    rewards: Vec<f32>,
    ends: Vec<bool>,
    terminations: Vec<bool>,
    priorities: Option<SumTree>,
    largest: f64,
}

/// Transitions drawn from a replay, `n` of them: what was seen and done, what it brought over the next few steps, and what was seen then.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Places in the replay.
    pub indices: Vec<usize>,
    /// `f32[n, input]`
    pub inputs: Vec<f32>,
    /// `i64[n]`
    pub choices: Vec<i64>,
    /// Discounted sum of rewards, `f32[n]`.
    pub rewards: Vec<f32>,
    /// `f32[n, input]`, after the last of the summed steps.
    pub next_inputs: Vec<f32>,
    /// What the value then is multiplied by: the discount of the steps, 0 after a termination; `f32[n]`.
    pub discounts: Vec<f32>,
    /// Importance weights, the largest being 1; `f32[n]`.
    pub weights: Vec<f32>,
}

impl Replay {
    /// Room for about `capacity` transitions of all environments.
    ///
    /// # Errors
    /// If that is less than `longest` (the steps of a rollout and the summed ones) for each environment.
    pub fn new(
        environments: usize,
        capacity: usize,
        longest: usize,
        input: usize,
        prioritised: bool,
    ) -> Result<Self, ParameterError> {
        let each = capacity / environments;
        if each < longest {
            let legal = format!("at least {longest} for each of {environments} environments");
            return Err(ParameterError::new("train.replay", capacity, legal));
        }
        let count = each * environments;
        Ok(Self {
            environments,
            capacity: each,
            input,
            written: 0,
            inputs: vec![0.0; count * input],
            next_inputs: vec![0.0; count * input],
            choices: vec![0; count],
            rewards: vec![0.0; count],
            ends: vec![false; count],
            terminations: vec![false; count],
            priorities: prioritised.then(|| SumTree::new(count)),
            largest: 1.0,
        })
    }

    /// Transitions there are.
    pub fn len(&self) -> usize {
        self.each() * self.environments
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.written == 0
    }

    fn each(&self) -> usize {
        self.written.min(self.capacity as u64) as usize
    }

    /// Adds a rollout, over the oldest. New transitions have the highest priority there was.
    pub fn push(&mut self, rollout: &Rollout, reward_scale: f64) {
        let d = self.input;
        for step in 0..rollout.steps {
            let slot = ((self.written + step as u64) % self.capacity as u64) as usize;
            for row in 0..self.environments {
                let (from, to) = (row * rollout.steps + step, row * self.capacity + slot);
                self.inputs[to * d..][..d].copy_from_slice(&rollout.inputs[from * d..][..d]);
                self.next_inputs[to * d..][..d].copy_from_slice(&rollout.next_inputs[from * d..][..d]);
                self.choices[to] = rollout.raw[from] as i64;
                self.rewards[to] = (f64::from(rollout.rewards[from]) * reward_scale) as f32;
                self.ends[to] = rollout.ends[from];
                self.terminations[to] = rollout.terminations[from];
                if let Some(tree) = &mut self.priorities {
                    tree.set(to, self.largest);
                }
            }
        }
        self.written += rollout.steps as u64;
    }

    /// Draws `n` transitions with their next `n_step` rewards. `importance` is the exponent of the importance weights.
    pub fn sample(
        &self,
        n: usize,
        n_step: usize,
        discount: f64,
        importance: f64,
        rng: &mut SimRng,
        batch: &mut Batch,
    ) {
        batch.clear();
        let (count, each) = (self.len(), self.each());
        let mut largest = 0.0_f32;
        for draw in 0..n {
            let (index, weight) = match &self.priorities {
                Some(tree) => {
                    // One draw from each of n equal parts of the whole, as the paper does.
                    let position = (draw as f64 + uniform(rng)) / n as f64 * tree.total();
                    let index = tree.find(position);
                    let probability = tree.get(index) / tree.total();
                    (index, libm::pow(count as f64 * probability, -importance) as f32)
                }
                None => {
                    let place = (uniform(rng) * count as f64) as usize;
                    (place / each * self.capacity + place % each, 1.0)
                }
            };
            largest = largest.max(weight);
            batch.weights.push(weight);
            self.unroll(index, n_step, discount, batch);
        }
        batch.weights.iter_mut().for_each(|weight| *weight /= largest);
    }

    /// Adds the transition at `index` and what followed it, as far as it is there.
    fn unroll(&self, index: usize, n_step: usize, discount: f64, batch: &mut Batch) {
        let (row, d) = (index / self.capacity, self.input);
        let newest = ((self.written - 1) % self.capacity as u64) as usize;
        let mut at = index;
        let (mut reward, mut factor) = (0.0, 1.0);
        for step in 1..=n_step {
            reward += factor * f64::from(self.rewards[at]);
            factor *= discount;
            if self.ends[at] || at % self.capacity == newest || step == n_step {
                break;
            }
            at = row * self.capacity + (at % self.capacity + 1) % self.capacity;
        }
        batch.indices.push(index);
        batch.inputs.extend_from_slice(&self.inputs[index * d..][..d]);
        batch.next_inputs.extend_from_slice(&self.next_inputs[at * d..][..d]);
        batch.choices.push(self.choices[index]);
        batch.rewards.push(reward as f32);
        batch.discounts.push(if self.terminations[at] { 0.0 } else { factor as f32 });
    }

    /// Sets the priorities of drawn transitions by their errors.
    pub fn prioritise(&mut self, indices: &[usize], errors: &[f32], exponent: f64) {
        let Some(tree) = &mut self.priorities else { return };
        for (&index, &error) in indices.iter().zip(errors) {
            // Nothing becomes so unlikely that it is never seen again.
            let priority = libm::pow(f64::from(error.abs()) + 1e-6, exponent);
            self.largest = self.largest.max(priority);
            tree.set(index, priority);
        }
    }

    /// Writes everything.
    pub fn save(&self, state: &mut State) {
        state.put_u64s("replay.written", vec![self.written]);
        state.put_f32s("replay.inputs", self.inputs.clone());
        state.put_f32s("replay.next_inputs", self.next_inputs.clone());
        state.put_f32s("replay.rewards", self.rewards.clone());
        let flags = |(end, termination): (&bool, &bool)| u64::from(*end) | u64::from(*termination) << 1;
        let packed = self.choices.iter().zip(self.ends.iter().zip(&self.terminations).map(flags));
        state.put_u64s(
            "replay.choices",
            packed.map(|(choice, flags)| (*choice as u64) << 2 | flags).collect(),
        );
        if let Some(tree) = &self.priorities {
            let mut weights: Vec<f64> = (0..self.rewards.len()).map(|index| tree.get(index)).collect();
            weights.push(self.largest);
            state.put_f64s("replay.priorities", weights);
        }
    }

    /// Takes what was saved.
    ///
    /// # Errors
    /// [`LearnError::State`] if something is missing or has another size.
    pub fn restore(&mut self, state: &State) -> Result<(), LearnError> {
        let lens = (self.inputs.len(), self.rewards.len());
        self.written = state.u64s("replay.written")?.first().copied().unwrap_or_default();
        self.inputs = state.f32s("replay.inputs")?;
        self.next_inputs = state.f32s("replay.next_inputs")?;
        self.rewards = state.f32s("replay.rewards")?;
        let packed = state.u64s("replay.choices")?;
        self.choices = packed.iter().map(|packed| (packed >> 2) as i64).collect();
        self.ends = packed.iter().map(|packed| packed & 1 == 1).collect();
        self.terminations = packed.iter().map(|packed| packed & 2 == 2).collect();
        let found = (self.inputs.len(), self.rewards.len());
        if found != lens || self.next_inputs.len() != lens.0 || self.choices.len() != lens.1 {
            return Err(LearnError::State("the checkpoint has another replay".into()));
        }
        if let Some(tree) = &mut self.priorities {
            let mut weights = state.f64s("replay.priorities")?;
            self.largest = weights.pop().unwrap_or(1.0);
            weights.iter().enumerate().for_each(|(index, weight)| tree.set(index, *weight));
        }
        Ok(())
    }
}

impl Batch {
    fn clear(&mut self) {
        self.indices.clear();
        self.inputs.clear();
        self.choices.clear();
        self.rewards.clear();
        self.next_inputs.clear();
        self.discounts.clear();
        self.weights.clear();
    }
}

#[cfg(test)]
mod tests {
    use rand_xoshiro::rand_core::SeedableRng;

    use super::*;

    /// Two environments, transitions numbered by their inputs; environment 1 is truncated at step 2 and terminated at step 4.
    fn filled(prioritised: bool) -> Replay {
        let mut replay = Replay::new(2, 16, 5, 1, prioritised).unwrap();
        let mut rollout = Rollout::new(2, 5, 1, 1, true);
        for at in 0..10 {
            rollout.inputs[at] = at as f32;
            rollout.next_inputs[at] = at as f32 + 0.5;
            rollout.raw[at] = (at % 3) as f32;
            rollout.rewards[at] = 1.0;
        }
        rollout.ends[7] = true;
        rollout.ends[9] = true;
        rollout.terminations[9] = true;
        replay.push(&rollout, 1.0);
        replay
    }

    #[test]
    fn steps_are_summed_up_to_an_end_or_the_newest() {
        let replay = filled(false);
        assert_eq!(replay.len(), 10);
        let mut batch = Batch::default();
        replay.sample(2_000, 3, 0.5, 0.0, &mut SimRng::seed_from_u64(1), &mut batch);
        let mut seen = [false; 10];
        for i in 0..2_000 {
            let input = batch.inputs[i] as usize;
            seen[input] = true;
            // Environment 0: 0 to 4, the newest cuts; environment 1: 5 to 7 truncated, 8 and 9 terminated.
            let (reward, last, discount) = match input {
                0 | 1 | 2 | 5 => (1.75, input + 2, 0.125),
                3 | 6 => (1.5, input + 1, 0.25),
                4 | 7 => (1.0, input, 0.5),
                8 => (1.5, 9, 0.0),
                _ => (1.0, 9, 0.0),
            };
            assert_eq!(batch.rewards[i], reward, "{input}");
            assert_eq!(batch.next_inputs[i], last as f32 + 0.5, "{input}");
            assert_eq!(batch.discounts[i], discount, "{input}");
            assert_eq!(batch.choices[i] as usize, input % 3);
        }
        assert_eq!(seen, [true; 10]);
    }

    #[test]
    fn priorities_draw_and_weigh() {
        let mut replay = filled(true);
        let all: Vec<usize> = (0..5).chain(8..13).collect();
        replay.prioritise(&all, &[0.0; 10], 1.0);
        replay.prioritise(&[2, 9], &[1.0, 3.0], 1.0);
        let mut batch = Batch::default();
        replay.sample(4_000, 1, 1.0, 1.0, &mut SimRng::seed_from_u64(2), &mut batch);
        let count = |index| batch.indices.iter().filter(|other| **other == index).count();
        assert!(
            (990..=1_010).contains(&count(2)) && (2_990..=3_010).contains(&count(9)),
            "{} {}",
            count(2),
            count(9)
        );
        let weight = |index| batch.weights[batch.indices.iter().position(|other| *other == index).unwrap()];
        assert!((weight(2) / weight(9) - 3.0).abs() < 1e-3);
    }

    #[test]
    fn a_replay_that_is_too_small_is_refused() {
        let error = Replay::new(4, 10, 3, 1, false).unwrap_err().to_string();
        assert!(error.contains("train.replay is 10") && error.contains("at least 3"), "{error}");
    }
}
