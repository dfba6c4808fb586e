//! The environment of the execution task against the strategies that play the same task without it.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::path::Path;

use agents::baselines::{StrategyFactory, StrategyName, StrategyParams};
use agents::execution::{Arena, Play, Player, Task};
use gym::envs::Execution;
use gym::envs::execution::{ActionKind, ExecutionConfig};
use gym::{Action, Env, MarketSettings, ResolvedMarket};
use lob::Side;
use lob::models::{FeeConfig, FeeRate};
use lob::sim::{Delay, LatencyConfig};

fn market(name: &str) -> MarketSettings {
    MarketSettings { market: name.into(), ..MarketSettings::default() }
}

/// What a strategy's session earns: the reward of the reference task.
fn strategy_reward(market: &ResolvedMarket, task: Task, name: StrategyName, session: u64) -> f64 {
    let factory = StrategyFactory::new(&market.flow, StrategyParams::default(), 15.0, false).unwrap();
    let mut plays = [Play { task, player: Player::Strategy(factory.make(name).unwrap()) }];
    let mut arena = Arena::new(&market.flow, market.fees, market.latency.clone()).unwrap();
    let mut outcomes = Vec::new();
    arena.run_all(&mut plays, session, &mut outcomes).unwrap();
    outcomes[0].reward
}

/// What an environment's session earns under `act`, which says `None` where the action space has no word for what it wants.
fn env_reward(
    env: &mut Execution,
    session: u64,
    mut act: impl FnMut(&Execution) -> Option<Vec<f32>>,
) -> Option<f64> {
    let mut observation = vec![0.0; env.observation_space().len()];
    env.reset(session, &mut observation).unwrap();
    let mut sum = 0.0;
    loop {
        let action = act(env)?;
        let choice = [action[0] as i64];
        let action = match env.config().action {
            ActionKind::Discrete => Action::Discrete(&choice),
            ActionKind::Simplex | ActionKind::Rate => Action::Continuous(&action),
        };
        let step = env.step(action, &mut observation);
        sum += step.reward;
        if step.terminated {
            assert!((sum - env.total_reward()).abs() < 1e-9);
            return Some(env.total_reward());
        }
    }
}

/// Markets, sizes and sides; costly and slow ones too.
fn settings() -> Vec<(MarketSettings, Task)> {
    let (maker, taker) = (FeeRate::PerLot(-0.25), FeeRate::BasisPoints(3.0));
    let fees = FeeConfig::MakerTaker { maker, taker, minimum_per_order: Some(2.0) };
    let delay = Delay::Uniform { min_seconds: 0.0, max_seconds: 2.0 };
    let latency = LatencyConfig { order: delay.clone(), report: delay };
    let sale = Task::default();
    vec![
        (market("noise"), sale),
        (market("flow"), Task { side: Side::Buy, lots: 60, ..sale }),
        (market("strategic"), Task { lots: 33, ..sale }),
        (MarketSettings { fees: Some(fees), ..market("noise") }, Task { side: Side::Buy, ..sale }),
        (MarketSettings { latency: Some(latency), ..market("strategic") }, sale),
    ]
}

fn env(market: &ResolvedMarket, task: &Task, action: ActionKind) -> Execution {
    let config = ExecutionConfig { lots: task.lots, side: task.side, action, ..ExecutionConfig::default() };
    Execution::new(&config, market).unwrap()
}

#[test]
fn everything_at_market_is_the_market_strategy() {
    for (settings, task) in settings() {
        let market = settings.resolve(Path::new("")).unwrap();
        let mut env = env(&market, &task, ActionKind::Simplex);
        for session in 0..15 {
            let mut first = true;
            let all = |_: &Execution| {
                let part = if std::mem::take(&mut first) { 1.0 } else { 0.0 };
                Some(vec![part, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
            };
            let reward = env_reward(&mut env, session, all).unwrap();
            assert_eq!(reward, strategy_reward(&market, task, StrategyName::Market, session), "{settings:?}");
        }
    }
}

#[test]
fn at_best_and_then_hold_is_submit_and_leave() {
    for (settings, task) in settings() {
        let market = settings.resolve(Path::new("")).unwrap();
        let mut env = env(&market, &task, ActionKind::Discrete);
        for session in 0..15 {
            let policy = |env: &Execution| Some(vec![if env.steps_done() == 0 { 5.0 } else { 0.0 }]);
            let reward = env_reward(&mut env, session, policy).unwrap();
            assert_eq!(reward, strategy_reward(&market, task, StrategyName::Sl, session), "{settings:?}");
        }
    }
}

#[test]
fn slices_at_the_first_slot_are_the_reference_twap() {
    for (settings, task) in settings() {
        if settings.latency.is_some() {
            // Targets cannot be told from orders under way.
            continue;
        }
        let market = settings.resolve(Path::new("")).unwrap();
        let mut env = env(&market, &task, ActionKind::Simplex);
        let mut compared = 0;
        for session in 0..150 {
            let policy = |env: &Execution| {
                let far = env.far_touch();
                let mut targets = [0; 7];
                let slot =
                    |price: lob::Price| Some(far.0.abs_diff(price.0) as usize).filter(|slot| *slot <= 5);
                for order in env.orders() {
                    targets[slot(order.price?)?] += order.open.0;
                }
                let price = if env.steps_done() == 0 { env.near_touch() } else { env.task().passive(far, 1) };
                targets[slot(price)?] += env.task().slice(env.steps_done() as usize);
                targets[6] = env.remaining() - targets.iter().sum::<u64>();
                Some(targets.iter().map(|&lots| lots as f32 / env.remaining() as f32).collect())
            };
            // Where an earlier slice is more than five ticks away, it would be cancelled.
            let Some(reward) = env_reward(&mut env, session, policy) else { continue };
            assert_eq!(
                reward,
                strategy_reward(&market, task, StrategyName::Twap, session),
                "{settings:?} {session}"
            );
            compared += 1;
        }
        assert!(compared >= 30, "{settings:?}: {compared} sessions compared");
    }
}
