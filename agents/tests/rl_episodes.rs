//! The log of single episodes that trainings keep: what is in it, that it changes nothing, and that a resumed training's is the same.
#![cfg(feature = "torch")]
#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::collections::HashMap;
use std::path::Path;

use agents::rl::{Observer, Report, RunConfig, RunOptions, train};
use gym::Settings;

/// Ends a training after some updates.
struct Until(u64);

impl Observer for Until {
    fn updated(&mut self, report: &Report<'_>) -> bool {
        report.update < self.0
    }
}

fn config(env: &str, section: &str) -> RunConfig {
    let text = format!("env: {{{env}}}\ntrain: {{{section}, evaluation_episodes: 0}}");
    RunConfig::from_settings(&Settings::from_yaml(&text, "test").unwrap()).unwrap()
}

fn play(run: &RunConfig, directory: &Path, resume: bool, threads: usize, updates: u64) {
    let options = RunOptions { directory: directory.to_owned(), resume, device: tch::Device::Cpu, threads };
    train(run, &options, &mut Until(updates)).unwrap();
}

/// The columns of a file by name; NaN for empty cells.
fn columns(path: &Path) -> HashMap<String, Vec<f64>> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let names: Vec<_> = lines.next().unwrap().split(',').map(str::to_owned).collect();
    let mut columns = vec![Vec::new(); names.len()];
    for line in lines {
        assert_eq!(line.split(',').count(), names.len(), "{line}");
        for (column, cell) in columns.iter_mut().zip(line.split(',')) {
            column.push(if cell.is_empty() { f64::NAN } else { cell.parse().unwrap() });
        }
    }
    names.into_iter().zip(columns).collect()
}

const BOOK: &str = "name: trader, market: noise, interval_seconds: 0.5, window: 2, steps: 20, reward: profit, capital: 10000";
const PPO: &str = "algorithm: ppo, rollout_steps: 12, epochs: 1, minibatches: 2, network: {hidden: [8]}, environments: 5, steps: 480, \
                   checkpoint_updates: 0";

#[test]
fn each_episode_has_its_profit_and_what_the_policy_did_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("run");
    play(&config(BOOK, PPO), &out, false, 2, u64::MAX);
    let (rows, metrics) = (columns(&out.join("episodes.csv")), columns(&out.join("metrics.csv")));
    // 8 updates of 12 steps: each environment ends an episode of 20 steps in updates 2, 4, 5 and 7.
    assert_eq!(rows["update"].len(), 20);
    for update in 1..=8_usize {
        let count = rows["update"].iter().filter(|of| **of == update as f64).count();
        assert_eq!(count as f64, metrics["episodes"][update - 1]);
    }
    assert_eq!(rows["environment"][..7], [0.0, 1.0, 2.0, 3.0, 4.0, 0.0, 1.0]);
    assert_eq!(rows["episode"][..7], [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
    let mean = rows["return"].iter().sum::<f64>() / 20.0;
    assert!((mean - metrics["return_mean"][7]).abs() < 1e-12);
    let choices = ["hold", "buy", "sell"];
    let mut moved = false;
    for (row, total) in rows["return"].iter().enumerate() {
        assert_eq!(rows["steps"][row], 20.0);
        // The reward is the profit in percent of the capital of 10,000.
        assert!((total - rows["info.profit"][row] / 100.0).abs() < 1e-9);
        let sum =
            |group: &str| choices.map(|choice| rows[&format!("{group}.{choice}")][row]).iter().sum::<f64>();
        assert!((sum("probability") - 1.0).abs() < 1e-12 && (sum("chosen") - 1.0).abs() < 1e-12);
        let twentieths = rows["chosen.buy"][row] * 20.0;
        assert!((twentieths - twentieths.round()).abs() < 1e-9);
        // The policy begins near an even one, whose entropy is log 3, and whose logits are near 0.
        assert!((0.9..=3.0_f64.ln() + 1e-9).contains(&rows["entropy"][row]));
        assert!(rows["logit.sell"][row].abs() < 1.0);
        // One cycle at most can begin at a purchase.
        assert!(rows["info.cycles"][row] <= 20.0 * rows["chosen.buy"][row] + 1e-9);
        moved |= rows["info.profit"][row] != 0.0;
    }
    assert!(moved, "something was traded");
}

#[test]
fn an_interrupted_episode_is_logged_as_if_it_had_not_been() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let dqn = "algorithm: dqn, rollout_steps: 12, gradient_steps: 2, batch: 16, warm_up: 50, replay: 500, target_interval: 3, \
               network: {hidden: [8]}, environments: 5, steps: 480, checkpoint_updates: 0";
    for (name, section) in [("ppo", PPO), ("dqn", dqn)] {
        let run = config(BOOK, section);
        let (whole, cut) = (at(&format!("{name} whole")), at(&format!("{name} cut")));
        play(&run, &whole, false, 2, u64::MAX);
        // 36 steps: the second episode of each environment is at its 16th step.
        play(&run, &cut, false, 1, 3);
        let file = cut.join("episodes.csv");
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text.lines().count(), 6);
        // A run that is killed leaves episodes beyond its checkpoint, the last of them perhaps in part.
        std::fs::write(&file, text + "4,0,1,20,9,9\n4,1,1,").unwrap();
        play(&run, &cut, true, 1, u64::MAX);
        let read = |out: &Path, name: &str| std::fs::read_to_string(out.join(name)).unwrap();
        assert_eq!(read(&whole, "episodes.csv"), read(&cut, "episodes.csv"));
        assert_eq!(read(&whole, "episodes.csv").lines().count(), 21);
        assert!(!read(&whole, "episodes.csv").contains(",,"), "every cell has a number");
    }
}

#[test]
fn the_log_changes_nothing_that_is_learned_and_can_be_asked_for_later() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let with = |log: &str| config(BOOK, &format!("{PPO}, episode_log: {log}"));
    play(&with("false"), &at("none"), false, 1, u64::MAX);
    assert!(!at("none").join("episodes.csv").exists());
    play(&with("2"), &at("second"), false, 2, u64::MAX);
    let rows = columns(&at("second").join("episodes.csv"));
    assert_eq!(rows["episode"], [vec![0.0; 5], vec![2.0; 5]].concat());
    let policy = |name: &str| columns(&at(name).join("metrics.csv"))["policy_loss"].clone();
    assert_eq!(policy("none"), policy("second"));

    play(&with("false"), &at("later"), false, 1, 3);
    play(&with("true"), &at("later"), true, 1, u64::MAX);
    assert_eq!(policy("none"), policy("later"));
    let rows = columns(&at("later").join("episodes.csv"));
    assert_eq!(rows["episode"], [vec![1.0; 5], vec![2.0; 5], vec![3.0; 5]].concat());
    // What the episodes that were running then had done before is not known.
    assert!(rows["entropy"][..5].iter().all(|cell| cell.is_nan()));
    assert!(rows["entropy"][5..].iter().all(|cell| *cell > 0.0));
    assert!(rows["info.equity"].iter().all(|cell| *cell > 0.0));
}

#[test]
fn continuous_actions_are_logged_as_means() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("run");
    let section = "algorithm: ppo, rollout_steps: 16, epochs: 1, minibatches: 1, environments: 2, steps: 96, network: {policy_bias: [0.5], \
                   policy_gain: 0}, initial_deviation: 1.0e-3, learning_rate: 1.0e-9";
    play(&config(&format!("{BOOK}, action: lots"), section), &out, false, 1, u64::MAX);
    let rows = columns(&out.join("episodes.csv"));
    assert_eq!(rows["output.position"].len(), 4);
    for (output, action) in rows["output.position"].iter().zip(&rows["action.position"]) {
        // A normal number around 0.5 in [-1, 1], scaled to [0, 1].
        assert!((output - 0.5).abs() < 1e-6 && (action - 0.75).abs() < 2e-3, "{output} {action}");
    }
    assert!(!rows.contains_key("entropy"));
}
