//! Steps a second of the execution environment on one core: random simplex actions, episode after episode.
//!
//! `cargo run --release -p gym --example execution_speed -- [STEPS] [REPEATS] [KEY=VALUE ...]`

use std::time::Instant;

use gym::{Action, AnyEnv, Env, EnvConfig, Episodes, Settings};
use lob::random::exponential;
use lob::sim::SimRng;
use rand_xoshiro::rand_core::SeedableRng;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (settings, numbers): (Vec<_>, Vec<_>) = arguments.iter().partition(|argument| argument.contains('='));
    let number = |index: usize, default: usize| numbers.get(index).map_or(Ok(default), |text| text.parse());
    let (steps, repeats) = (number(0, 200_000)?, number(1, 5)?);
    let mut map = Settings::from_yaml("env: { name: execution }", "the example")?;
    for setting in settings {
        map.set(&format!("env.{setting}"))?;
    }
    let config = EnvConfig::from_settings(&map)?;
    let mut episodes = Episodes::new(AnyEnv::new(&config)?, config.max_episode_steps());
    let mut observation = vec![0.0; episodes.env().observation_space().len()];
    let width = episodes.env().action_space().len();
    let mut rng = SimRng::seed_from_u64(1);
    // Drawn beforehand: exponentials are uniform on the simplex once they are divided by their sum.
    let actions: Vec<f32> = (0..4096 * width).map(|_| exponential(&mut rng) as f32).collect();
    let mut rates = Vec::new();
    for _ in 0..repeats {
        episodes.reset(Some(7), &mut observation)?;
        let (mut resets, mut rewards) = (0, 0.0);
        let start = Instant::now();
        for step in 0..steps {
            // As in a batch with autoreset: a reset takes the place of a step.
            if episodes.has_ended() {
                episodes.reset(None, &mut observation)?;
                resets += 1;
                continue;
            }
            let first = step % 4096 * width;
            rewards +=
                episodes.step(Action::Continuous(&actions[first..first + width]), &mut observation)?.reward;
        }
        let rate = steps as f64 / start.elapsed().as_secs_f64();
        println!(
            "{rate:9.0} steps/s, {resets} resets, mean reward of an episode {:.4}",
            rewards / resets as f64
        );
        rates.push(rate);
    }
    rates.sort_unstable_by(f64::total_cmp);
    println!("{:9.0} median", rates[rates.len() / 2]);
    Ok(())
}
