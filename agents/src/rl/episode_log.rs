//! What is noted of single episodes: how they ended, and what the policy's outputs, probabilities and actions were on average.
//!
//! Sums are kept with each environment on the thread that plays it; an episode's row is made once it has ended. Nothing here draws or rounds
//! anything that learning sees.

use gym::{Env, Space};

use crate::policy::Head;

use super::settings::EpisodeLog;

/// Rows that all environments together may have before the usual log begins to leave episodes out.
const FULL_ROWS: u64 = 4_000;

/// Which of an environment's episodes are noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// None.
    Never,
    /// Those whose number is a multiple.
    Every(u64),
    /// All of the first so many, half of the next as many, a quarter of the next twice as many, and so on.
    Thinning(u64),
}

impl Rule {
    /// What a setting means for each of so many environments.
    pub(super) fn new(setting: EpisodeLog, environments: usize) -> Self {
        match setting {
            EpisodeLog::Usual(false) => Self::Never,
            EpisodeLog::Usual(true) => Self::Thinning((FULL_ROWS / environments.max(1) as u64).max(1)),
            EpisodeLog::Every(number) => Self::Every(number.max(1)),
        }
    }

    /// Whether the environment's episode of this number, from 0, is noted.
    fn notes(self, episode: u64) -> bool {
        match self {
            Self::Never => false,
            Self::Every(number) => episode.is_multiple_of(number),
            Self::Thinning(first) => match episode / first {
                0 => true,
                times => episode.is_multiple_of(1 << (times.ilog2() + 1)),
            },
        }
    }
}

/// A row of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct EpisodeRecord {
    /// Which of the environments, from 0.
    pub environment: usize,
    /// Its number among those of the environment, from 0.
    pub episode: u64,
    /// The environment's information at the end, then means over the steps, as [`columns`] names them. NaN where there is no number.
    pub numbers: Box<[f64]>,
}

/// Names of a record's numbers: `info.NAME`; for heads of choices `logit.CHOICE` (of action values `value.CHOICE`), `probability.CHOICE`,
/// `chosen.CHOICE` and `entropy` (nats), with `LIST.CHOICE` for several lists; for others `output.COMPONENT` and `action.COMPONENT`, the
/// latter before the environment cuts it to its bounds.
pub fn columns(env: &impl Env, head: &Head) -> Vec<String> {
    let mut names: Vec<String> = env.info_names().iter().map(|name| format!("info.{name}")).collect();
    let mut add = |group: &str, of: &[String]| names.extend(of.iter().map(|name| format!("{group}.{name}")));
    let choices: Vec<String> = match env.action_space() {
        Space::Discrete(choices) => choices.clone(),
        Space::MultiDiscrete(lists) => {
            let named = |(list, choices): &(String, Vec<String>)| {
                choices.iter().map(|choice| format!("{list}.{choice}")).collect::<Vec<_>>()
            };
            lists.iter().flat_map(named).collect()
        }
        Space::Box(space) => {
            let parts: Vec<String> = space.components().iter().map(|part| part.name.clone()).collect();
            add("output", &parts[..head.outputs().min(parts.len())]);
            add("action", &parts);
            return names;
        }
    };
    add(if matches!(head, Head::Greedy { .. }) { "value" } else { "logit" }, &choices);
    add("probability", &choices);
    add("chosen", &choices);
    names.push("entropy".into());
    names
}

/// Sums over the steps of an environment's running episode.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    rule: Rule,
    /// The running episode is noted.
    active: bool,
    /// Steps that are in the sums.
    steps: u64,
    sums: Vec<f64>,
    /// Room for the probabilities of one list.
    weights: Vec<f64>,
}

impl Tally {
    /// One that notes nothing.
    pub(super) fn none() -> Self {
        Self { rule: Rule::Never, active: false, steps: 0, sums: Vec::new(), weights: Vec::new() }
    }

    /// One for a head's outputs and actions. The first episode has begun.
    pub(super) fn new(rule: Rule, head: &Head) -> Self {
        let (sums, weights) = match head {
            Head::Categorical { choices } | Head::Greedy { choices, .. } => (3 * choices + 1, *choices),
            Head::MultiCategorical { choices } => {
                (3 * choices.iter().sum::<usize>() + 1, choices.iter().copied().max().unwrap_or(0))
            }
            _ => (head.outputs() + head.action_len(), 0),
        };
        let mut tally =
            Self { rule, active: false, steps: 0, sums: vec![0.0; sums], weights: vec![0.0; weights] };
        tally.begin(0);
        tally
    }

    /// An episode of this number begins.
    pub(super) fn begin(&mut self, episode: u64) {
        self.active = self.rule.notes(episode);
        self.steps = 0;
        self.sums.fill(0.0);
    }

    /// Whether the running episode is noted.
    #[inline]
    pub(super) fn is_active(&self) -> bool {
        self.active
    }

    /// Adds a step: the head's outputs, what was drawn from them, the action if it is continuous, and the share of choices that are drawn
    /// all alike.
    pub(super) fn push(&mut self, head: &Head, epsilon: f64, outputs: &[f32], raw: &[f32], action: &[f32]) {
        self.steps += 1;
        match head {
            Head::Categorical { choices } => self.push_list(0, *choices, outputs, raw[0]),
            Head::MultiCategorical { choices } => {
                let (all, mut first) = (outputs.len(), 0);
                for (&count, &choice) in choices.iter().zip(raw) {
                    self.push_list(first, all, &outputs[first..first + count], choice);
                    first += count;
                }
            }
            Head::Greedy { choices, duelling } => {
                self.push_values(*choices, *duelling, epsilon, outputs, raw[0])
            }
            _ => {
                let numbers = outputs.iter().chain(action);
                self.sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += f64::from(*number));
            }
        }
    }

    /// A list of choices whose first is number `first` of `all`.
    fn push_list(&mut self, first: usize, all: usize, logits: &[f32], choice: f32) {
        let top = logits.iter().fold(f32::NEG_INFINITY, |top, logit| top.max(*logit));
        let mut total = 0.0;
        for (weight, logit) in self.weights.iter_mut().zip(logits) {
            *weight = libm::exp(f64::from(logit - top));
            total += *weight;
        }
        let mut spread = 0.0;
        for (index, (weight, logit)) in self.weights.iter().zip(logits).enumerate() {
            let probability = weight / total;
            spread += probability * f64::from(logit - top);
            self.sums[first + index] += f64::from(*logit);
            self.sums[all + first + index] += probability;
        }
        self.sums[2 * all + first + choice as usize] += 1.0;
        self.sums[3 * all] += libm::log(total) - spread;
    }

    fn push_values(&mut self, choices: usize, duelling: bool, epsilon: f64, outputs: &[f32], choice: f32) {
        let values = &outputs[..choices];
        // With duelling networks the outputs are advantages, and the state's value is the last.
        let shift = if duelling {
            let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / choices as f64;
            f64::from(outputs[choices]) - mean
        } else {
            0.0
        };
        let mut best = 0;
        for (index, value) in values.iter().enumerate() {
            if *value > values[best] {
                best = index;
            }
            self.sums[index] += f64::from(*value) + shift;
        }
        let each = epsilon / choices as f64;
        for index in 0..choices {
            let probability = if index == best { 1.0 - epsilon + each } else { each };
            self.sums[choices + index] += probability;
            if probability > 0.0 {
                self.sums[3 * choices] -= probability * libm::log(probability);
            }
        }
        self.sums[2 * choices + choice as usize] += 1.0;
    }

    /// What is noted of an episode that has just ended after so many steps, if it is.
    pub(super) fn record(
        &self,
        env: &impl Env,
        environment: usize,
        episode: u64,
        steps: u64,
    ) -> Option<EpisodeRecord> {
        if !self.active {
            return None;
        }
        let info = env.info_names().len();
        let mut numbers = vec![0.0; info + self.sums.len()].into_boxed_slice();
        let (ends, means) = numbers.split_at_mut(info);
        env.write_info(ends);
        for (mean, sum) in means.iter_mut().zip(&self.sums) {
            // An episode that began while nothing was noted has no means.
            *mean = if self.steps == steps { sum / steps as f64 } else { f64::NAN };
        }
        Some(EpisodeRecord { environment, episode, numbers })
    }

    /// What a checkpoint keeps: the number of steps, then the sums.
    pub(super) fn state(&self) -> Vec<f64> {
        let mut state = Vec::with_capacity(1 + self.sums.len());
        state.push(self.steps as f64);
        state.extend_from_slice(&self.sums);
        state
    }

    /// Takes what a checkpoint kept, after [`begin`](Self::begin); what does not fit leaves the episode without means.
    pub(super) fn restore(&mut self, state: &[f64]) {
        if state.len() == 1 + self.sums.len() {
            self.steps = state[0] as u64;
            self.sums.copy_from_slice(&state[1..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(rule: Rule, episodes: u64) -> Vec<u64> {
        (0..episodes).filter(|episode| rule.notes(*episode)).collect()
    }

    #[test]
    fn the_usual_rule_thins_out_as_a_training_grows() {
        assert_eq!(noted(Rule::Thinning(4), 20), [0, 1, 2, 3, 4, 6, 8, 12, 16]);
        assert_eq!(noted(Rule::Every(5), 12), [0, 5, 10]);
        assert!(noted(Rule::Never, 5).is_empty());
        // A quarter of a million episodes of 16 environments have 16,000 rows; a million have 20,000.
        let rule = Rule::new(EpisodeLog::Usual(true), 16);
        assert_eq!(rule, Rule::Thinning(250));
        let rows = |episodes: u64| 16 * noted(rule, episodes / 16).len();
        assert_eq!(rows(4_000), 4_000);
        assert!((15_900..16_100).contains(&rows(256_000)) && (19_900..20_200).contains(&rows(1_024_000)));
        assert_eq!(Rule::new(EpisodeLog::Usual(true), 1_000_000), Rule::Thinning(1));
    }

    #[test]
    fn probabilities_and_entropies_are_those_of_the_logits() {
        let head = Head::MultiCategorical { choices: vec![2, 3] };
        let mut tally = Tally::new(Rule::Every(1), &head);
        tally.push(&head, 0.0, &[0.0, 0.0, 1.0, 1.0, -80.0], &[1.0, 0.0], &[]);
        tally.push(&head, 0.0, &[0.0, (3.0_f32).ln(), 2.0, 2.0, 2.0], &[1.0, 2.0], &[]);
        let near = |at: usize, expected: f64| {
            assert!((tally.sums[at] - expected).abs() < 1e-6, "{at}: {} {expected}", tally.sums[at]);
        };
        for (at, sum) in [0.0, 3.0_f64.ln(), 3.0, 3.0, -78.0].into_iter().enumerate() {
            near(at, sum);
        }
        for (at, sum) in [0.75, 1.25, 5.0 / 6.0, 5.0 / 6.0, 1.0 / 3.0].into_iter().enumerate() {
            near(5 + at, sum);
        }
        assert_eq!(tally.sums[10..15], [0.0, 2.0, 1.0, 0.0, 1.0]);
        let uneven = -(0.25 * 0.25_f64.ln() + 0.75 * 0.75_f64.ln());
        near(15, 2.0 * 2.0_f64.ln() + uneven + 3.0_f64.ln());
    }

    #[test]
    fn action_values_count_the_states_and_what_is_drawn_at_random() {
        let head = Head::Greedy { choices: 2, duelling: true };
        let mut tally = Tally::new(Rule::Every(1), &head);
        tally.push(&head, 0.2, &[1.0, 3.0, 10.0], &[0.0], &[]);
        assert_eq!(tally.sums[..2], [9.0, 11.0]);
        assert!((tally.sums[2] - 0.1).abs() < 1e-12 && (tally.sums[3] - 0.9).abs() < 1e-12);
        assert_eq!(tally.sums[4..6], [1.0, 0.0]);
        assert!((tally.sums[6] + 0.1 * 0.1_f64.ln() + 0.9 * 0.9_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn sums_go_on_after_a_checkpoint() {
        let head = Head::Categorical { choices: 2 };
        let mut whole = Tally::new(Rule::Every(1), &head);
        let steps = [([0.3, 0.1], [0.0]), ([0.7, -0.2], [1.0]), ([0.11, 0.9], [1.0])];
        let mut parts = Tally::new(Rule::Every(1), &head);
        for (index, (outputs, raw)) in steps.iter().enumerate() {
            whole.push(&head, 0.0, outputs, raw, &[]);
            parts.push(&head, 0.0, outputs, raw, &[]);
            let state = parts.state();
            parts.begin(7 + index as u64);
            assert_eq!(parts.steps, 0);
            parts.restore(&state);
        }
        assert_eq!((whole.sums, whole.steps), (parts.sums.clone(), parts.steps));
        parts.begin(11);
        parts.restore(&[2.0, 1.0]);
        assert_eq!(parts.steps, 0, "what another head has kept is of no use");
    }
}
