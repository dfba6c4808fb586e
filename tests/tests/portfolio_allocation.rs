//! After the first episode neither a step nor a reset of the environments of several assets allocates.

#![allow(clippy::unwrap_used, reason = "a test may")]

use gym::{Action, AnyEnv, Env, EnvConfig};
use lobgym_tests::allocator::CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

#[test]
fn steps_and_resets_do_not_allocate() {
    let settings = [
        "{name: multi_asset_trading}",
        "{name: multi_asset_trading, prices: {given: {table: [[1, 2], [2, 1], [3, 3], [2, 2]], random_start: true}}, steps: 2}",
        "{name: portfolio_rebalancing}",
        "{name: portfolio_rebalancing, prices: {garch: {}}, risk: covariance, cash: true, return_windows: [5, 60]}",
        "{name: portfolio_rebalancing, prices: {merton: {}}, weights: long_short, cash: true, reward: differential_sharpe}",
        "{name: portfolio_rebalancing, prices: {mean_reverting: {}}, observe_expected: true, assets: 50}",
        "{name: portfolio_rebalancing, impact: {square_root: {y: 0.5, memory_seconds: 45}}, fees: {maker_taker: {maker: {basis_points: 0}, taker: {per_lot: 0.01}, minimum_per_order: 1}}}",
        "{name: multi_asset_trading, impact: {transient: {coefficient: 0.4, decay: {power_law: {exponent: 0.7, shift_seconds: 3}}}}}",
        "{name: multi_asset_trading, impact: {almgren_chriss: {temporary: 0.6, permanent: 0.03}}}",
        "{name: portfolio_rebalancing, assets: 2, prices: {simulated: {period_seconds: 5}}, impact: {square_root: {y: 1}}}",
        "{name: portfolio_rebalancing, prices: {block_bootstrap: {returns: [[0.1, 0], [-0.05, 0.01]]}}}",
    ];
    for text in settings {
        let file = gym::Settings::from_yaml(&format!("env: {text}"), "test").unwrap();
        let mut env = AnyEnv::new(&EnvConfig::from_settings(&file).unwrap()).unwrap();
        let mut observation = vec![0.0; env.observation_space().len()];
        let mut infos = vec![0.0; env.info_names().len()];
        let actions: Vec<Vec<f32>> = (0..7)
            .map(|k| {
                (0..env.action_space().len())
                    .map(|index| ((index * 7 + k * 3) % 5) as f32 * 0.4 - 0.8)
                    .collect()
            })
            .collect();
        let mut before = 0;
        for session in 0..5 {
            if session == 1 {
                before = ALLOCATOR.calls();
            }
            env.reset(session, &mut observation).unwrap();
            for action in actions.iter().cycle() {
                let step = env.step(Action::Continuous(action), &mut observation);
                env.write_info(&mut infos);
                if step.is_last() {
                    break;
                }
            }
        }
        assert_eq!(ALLOCATOR.calls() - before, 0, "{text}");
    }
}
