//! Steps a second of the market maker's environment on one thread, and its memory:
//! `cargo run --release -p gym --example speed [-- NUM_ENVS STEPS static|random [STEP_SECONDS [MARKET]]]`.

use std::time::Instant;

use gym::{Action, AnyEnv, Autoreset, Env, EnvConfig, Settings, StepBuffers, VecEnv};
use lob::sim::derive_seed;

/// Resident memory in MB, where the system says.
fn resident_mb() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|line| line.starts_with("VmRSS"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kb| kb / 1024.0)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |index: usize, default: &str| arguments.get(index).cloned().unwrap_or(default.into());
    let envs: usize = argument(0, "64").parse()?;
    let steps: usize = argument(1, "2000").parse()?;
    let is_random = argument(2, "random") == "random";
    let (seconds, market) = (argument(3, "0.1"), argument(4, "noise"));
    let settings = format!("env: {{ name: market_making, step_seconds: {seconds}, market: {market} }}");
    let config = EnvConfig::from_settings(&Settings::from_yaml(&settings, "speed")?)?;
    let mut batch = VecEnv::new(AnyEnv::new(&config)?, envs, None, 1, Autoreset::NextStep)?;
    let (d, a) = (batch.env().observation_space().len(), 4);
    let mut observations = vec![0.0; envs * d];
    let (mut rewards, mut terminated, mut truncated) =
        (vec![0.0; envs], vec![false; envs], vec![false; envs]);
    // Actions drawn beforehand; static ones quote 1 tick from the mid, 5 lots.
    let actions: Vec<Vec<f32>> = (0..16u64)
        .map(|row| {
            let number = |index: u64| derive_seed(row, index) as f64 / u64::MAX as f64 * 2.0 - 1.0;
            let quote = [-0.6f32, -0.6, 1.0, 1.0];
            let value = |i: usize| if is_random { number(i as u64) as f32 } else { quote[i % 4] };
            (0..envs * a).map(value).collect()
        })
        .collect();
    batch.reset(None, None, &mut observations, None)?;
    let mut total = 0.0;
    for round in 0..3 {
        let start = Instant::now();
        for step in 0..steps {
            let buffers = StepBuffers {
                observations: &mut observations,
                rewards: &mut rewards,
                terminated: &mut terminated,
                truncated: &mut truncated,
                infos: None,
                final_observations: None,
                final_infos: None,
            };
            batch.step(Action::Continuous(&actions[step % 16]), buffers)?;
            total += rewards[0];
        }
        let elapsed = start.elapsed().as_secs_f64();
        let count = (steps * envs) as f64;
        println!(
            "round {round}: {:.0} ns/step, {:.2} million steps/s, {:.0} MB",
            elapsed / count * 1e9,
            count / elapsed / 1e6,
            resident_mb().unwrap_or(f64::NAN)
        );
    }
    println!("reward of the first environment: {total}");
    Ok(())
}
