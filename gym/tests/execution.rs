//! The execution environment against its description, told again slowly.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

mod execution_witness;

use execution_witness::{Witness, expected_targets};
use gym::envs::{Execution, ExecutionConfig};
use gym::{Action, AnyEnv, Env, EnvConfig, EnvError, Episodes, Settings, Step};
use lob::Side;
use lob::random::uniform;
use lob::sim::SimRng;
use rand_xoshiro::rand_core::SeedableRng;

fn env(settings: &str) -> Execution {
    let settings =
        Settings::from_yaml(&format!("env: {{ name: execution, {settings} }}"), "the test").unwrap();
    match AnyEnv::new(&EnvConfig::from_settings(&settings).unwrap()).unwrap() {
        AnyEnv::Execution(env) => *env,
        other => panic!("{other:?}"),
    }
}

/// A random point, mostly off the simplex: some parts are negative or 0.
fn random_parts(rng: &mut SimRng, len: usize) -> Vec<f32> {
    (0..len).map(|_| (uniform(rng) * uniform(rng) * 1.5 - 0.2) as f32).collect()
}

fn total_of(info: &[f64], name: &str) -> f64 {
    info[Execution::INFO.iter().position(|&known| known == name).unwrap()]
}

fn info(env: &Execution) -> Vec<f64> {
    let mut info = vec![0.0; Execution::INFO.len()];
    env.write_info(&mut info);
    info
}

/// Plays an episode with `act`, and hands each step on.
fn play(
    env: &mut Execution,
    session: u64,
    mut act: impl FnMut(&Execution) -> Vec<f32>,
) -> Vec<(Step, Vec<f32>)> {
    let mut observation = vec![0.0; env.observation_space().len()];
    env.reset(session, &mut observation).unwrap();
    let mut steps = Vec::new();
    loop {
        let action = act(env);
        let step = env.step(Action::Continuous(&action), &mut observation);
        steps.push((step, observation.clone()));
        if step.is_last() {
            return steps;
        }
    }
}

#[test]
fn a_session_that_is_watched_is_the_same_session() {
    for settings in ["market: strategic", "market: noise, latency: { order: { constant: { seconds: 0.7 } } }"]
    {
        let (mut watched, mut other) = (env(settings), env(settings));
        watched.watch(Some(0.5));
        for session in 0..5 {
            let rng = |_: &Execution| SimRng::seed_from_u64(session);
            let (mut one, mut two) = (rng(&other), rng(&other));
            let steps = play(&mut watched, session, |_| random_parts(&mut one, 7));
            assert_eq!(steps, play(&mut other, session, |_| random_parts(&mut two, 7)), "{settings}");
            let moments = watched.watched();
            for (index, moment) in moments[..moments.len() - 1].iter().enumerate() {
                assert_eq!(moment.time, 0.5 * index as f64);
                assert!(moment.bid < moment.ask);
            }
            assert!(moments.is_sorted_by(|one, next| one.remaining >= next.remaining));
            let last = moments[moments.len() - 1];
            assert_eq!((last.time, last.remaining), (watched.time(), watched.remaining()));
        }
        assert_eq!(other.watched(), []);
    }
}

#[test]
fn observations_equal_a_literal_reading_of_the_event_log() {
    let cases = [
        ("noise", "side: sell", 15),
        ("noise", "side: buy", 15),
        ("flow", "side: sell, lots: 60", 6),
        ("flow", "side: buy, lots: 7, step_seconds: 7", 6),
        ("strategic", "side: sell, levels: 3", 6),
        ("strategic", "side: buy, levels: 8, step_seconds: 40", 6),
    ];
    for (market, settings, sessions) in cases {
        let mut env = env(&format!("market: {market}, {settings}"));
        let mut rng = SimRng::seed_from_u64(3);
        env.simulator_mut().market_mut().keep_log(true);
        let mut observation = vec![f32::NAN; env.observation_space().len()];
        let width = env.action_space().len();
        for session in 0..sessions {
            env.reset(session, &mut observation).unwrap();
            let mut witness = Witness::new(&env, market);
            witness.check(&env, &observation, settings);
            loop {
                let parts = if uniform(&mut rng) < 0.2 {
                    // Nothing at all: the first event is somebody else's.
                    vec![0.0; width]
                } else {
                    random_parts(&mut rng, width)
                };
                witness.before_step(&env);
                let step = env.step(Action::Continuous(&parts), &mut observation);
                witness.check(&env, &observation, settings);
                if step.terminated {
                    break;
                }
            }
        }
    }
}

#[test]
fn orders_after_an_action_are_the_targets_of_a_slow_allocation() {
    for settings in ["side: sell, step_seconds: 1", "side: buy, lots: 33, step_seconds: 1, market: flow"] {
        let mut env = env(settings);
        env.simulator_mut().market_mut().keep_log(true);
        let mut rng = SimRng::seed_from_u64(5);
        let mut observation = vec![0.0; env.observation_space().len()];
        let mut compared = 0;
        for session in 0..20 {
            env.reset(session, &mut observation).unwrap();
            loop {
                let mut parts = random_parts(&mut rng, 7);
                parts[0] *= 0.1;
                let expected = expected_targets(&env, &parts);
                let before = env.simulator().market().log().len();
                let time = env.time();
                let step = env.step(Action::Continuous(&parts), &mut observation);
                compared += expected.compare(&env, before, time);
                if step.terminated {
                    break;
                }
            }
        }
        assert!(compared > 500, "{settings}: {compared} targets compared");
    }
}

#[test]
fn lots_are_conserved_and_rewards_add_up_to_the_formula() {
    for settings in [
        "side: sell",
        "side: buy, market: strategic",
        "side: sell, lots: 60, market: flow, fees: { maker_taker: { maker: { per_lot: -0.2 }, taker: { per_lot: 0.3 } } }",
    ] {
        let mut env = env(settings);
        let mut rng = SimRng::seed_from_u64(9);
        for session in 0..40 {
            let lots = env.task().lots;
            let (mut cash, mut fees, mut filled) = (0.0, 0.0, 0);
            let mut observation = vec![0.0; env.observation_space().len()];
            env.reset(session, &mut observation).unwrap();
            let mut rewards = 0.0;
            loop {
                let parts = random_parts(&mut rng, 7);
                let step = env.step(Action::Continuous(&parts), &mut observation);
                rewards += step.reward;
                for fill in env.fills() {
                    let size = fill.fill.quantity.0;
                    let paid = fill.fill.price.0 as f64 * size as f64;
                    cash += if fill.fill.side == Side::Sell { paid } else { -paid };
                    if settings.contains("fees") {
                        let maker = fill.fill.liquidity == lob::models::Liquidity::Maker;
                        fees += size as f64 * if maker { -0.2 } else { 0.3 };
                    }
                    filled += size;
                }
                assert_eq!(filled + env.remaining(), lots, "{settings} {session}");
                let working: u64 = env.orders().iter().map(|order| order.open.0).sum();
                assert!(step.terminated || working <= env.remaining());
                assert!(observation.iter().all(|value| value.is_finite()) && step.reward.is_finite());
                if step.terminated {
                    break;
                }
            }
            assert_eq!(filled, lots);
            let value = lots as f64 * env.reference_price();
            let formula = if env.task().side == Side::Sell { cash - value } else { cash + value };
            let formula = (formula - fees) / lots as f64;
            assert!((rewards - formula).abs() < 1e-9, "{settings}: {rewards} {formula}");
            let info = info(&env);
            assert!((total_of(&info, "total_reward") - formula).abs() < 1e-9);
            assert_eq!(total_of(&info, "cash"), cash);
            let against_mid = total_of(&info, "shortfall") + formula;
            let half_spread = (env.arrival_mid() - env.reference_price()).abs();
            assert!((against_mid - half_spread).abs() < 1e-9, "{against_mid} {half_spread}");
        }
    }
}

#[test]
fn terminal_rewards_are_the_sum_of_those_per_step() {
    for risk in ["0", "3.5"] {
        let mut per_step = env(&format!("risk_aversion: {risk}"));
        let mut terminal = env(&format!("risk_aversion: {risk}, reward: terminal"));
        for session in 0..20 {
            let actions = |seed| {
                let mut rng = SimRng::seed_from_u64(seed);
                move |_: &Execution| random_parts(&mut rng, 7)
            };
            let one = play(&mut per_step, session, actions(session));
            let other = play(&mut terminal, session, actions(session));
            let sum: f64 = one.iter().map(|(step, _)| step.reward).sum();
            let (last, before) = other.split_last().unwrap();
            assert!(before.iter().all(|(step, _)| step.reward == 0.0));
            assert!((last.0.reward - sum).abs() < 1e-12, "{sum} {}", last.0.reward);
        }
    }
}

#[test]
fn waiting_to_the_end_costs_the_whole_risk_penalty() {
    let mut env = env("risk_aversion: 2.5, step_seconds: 40");
    let steps = play(&mut env, 4, |_| vec![0.0; 7]);
    assert_eq!(steps.len(), 4, "40, 80, 120 and 150 s");
    assert!((total_of(&info(&env), "risk_penalty") - 2.5).abs() < 1e-12);
    assert!((steps[0].0.reward + 2.5 * 40.0 / 150.0).abs() < 1e-12, "nothing is sold: only the penalty");
    let at_once = play(&mut env, 4, |_| vec![1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!((at_once.len(), total_of(&info(&env), "risk_penalty")), (1, 0.0));
}

#[test]
fn a_fork_has_the_same_future_and_a_session_the_same_bits() {
    let mut env = env("market: strategic, lots: 60, side: buy");
    let mut rng = SimRng::seed_from_u64(1);
    let actions: Vec<_> = (0..10).map(|_| random_parts(&mut rng, 7)).collect();
    let run = |env: &mut Execution, from: usize| {
        let mut seen = Vec::new();
        let mut observation = vec![0.0; env.observation_space().len()];
        for action in &actions[from..] {
            let step = env.step(Action::Continuous(action), &mut observation);
            seen.push((
                step.reward.to_bits(),
                observation.iter().map(|value| value.to_bits()).collect::<Vec<_>>(),
            ));
            if step.terminated {
                break;
            }
        }
        (seen, info(env).iter().map(|value| value.to_bits()).collect::<Vec<_>>())
    };
    let mut observation = vec![0.0; env.observation_space().len()];
    env.reset(77, &mut observation).unwrap();
    let first = observation.clone();
    for action in &actions[..3] {
        assert!(!env.step(Action::Continuous(action), &mut observation).terminated);
    }
    let mut fork = env.clone();
    let future = run(&mut env, 3);
    assert_eq!(run(&mut fork, 3), future);
    // Other sessions in between leave no trace.
    for session in 0..3 {
        play(&mut env, session, |_| vec![0.1, 0.5, 0.0, 0.2, 0.0, 0.0, 0.2]);
    }
    env.reset(77, &mut observation).unwrap();
    assert_eq!(observation, first);
    for action in &actions[..3] {
        env.step(Action::Continuous(action), &mut observation);
    }
    assert_eq!(run(&mut env, 3), future);
}

#[test]
fn with_latency_nothing_trades_twice() {
    let delays = [
        "{ constant: { seconds: 0.5 } }",
        "{ constant: { seconds: 15.0 } }",
        "{ uniform: { min_seconds: 0.0, max_seconds: 20.0 } }",
    ];
    for delay in delays {
        for side in ["sell", "buy"] {
            let mut env = env(&format!("side: {side}, latency: {{ order: {delay}, report: {delay} }}"));
            let mut rng = SimRng::seed_from_u64(2);
            for session in 0..40 {
                let mut filled = 0;
                let mut observation = vec![0.0; env.observation_space().len()];
                env.reset(session, &mut observation).unwrap();
                loop {
                    let step = env.step(Action::Continuous(&random_parts(&mut rng, 7)), &mut observation);
                    filled += env.fills().iter().map(|fill| fill.fill.quantity.0).sum::<u64>();
                    assert!(filled <= 20, "{delay} {side} {session}: {filled}");
                    let shares: f32 = observation[9..16].iter().sum();
                    assert!(env.remaining() == 0 || (shares - 1.0).abs() < 1e-5, "{observation:?}");
                    assert!(observation.iter().all(|value| value.is_finite()));
                    if step.terminated {
                        break;
                    }
                }
                assert_eq!(filled, 20, "{delay} {side} {session}");
            }
        }
    }
}

#[test]
fn discrete_choices_do_what_they_are_called() {
    let mut env = env("action: discrete");
    let mut observation = vec![0.0; env.observation_space().len()];
    let mut reset_and = |choice: i64| {
        env.reset(11, &mut observation).unwrap();
        let (bid, ask) = (env.best(Side::Buy), env.best(Side::Sell));
        let log = env.clone();
        let step = env.step(Action::Discrete(&[choice]), &mut observation);
        (bid.0, ask.0, env.clone(), step, log)
    };
    let (.., idle, step, _) = reset_and(0);
    assert!(idle.orders().is_empty() && idle.fills().is_empty() && step.reward == 0.0);
    let (.., all, step, _) = reset_and(2);
    assert!(step.terminated && all.fills().iter().map(|fill| fill.fill.quantity.0).sum::<u64>() == 20);
    let (.., slice, step, _) = reset_and(3);
    assert!(!step.terminated && slice.remaining() == 18, "one of ten slices");
    for (choice, above) in [(5, 0), (6, 1)] {
        let (_, ask, env, ..) = reset_and(choice);
        let prices: Vec<_> = env.orders().iter().filter_map(|order| order.price).collect();
        assert!(!prices.is_empty() && prices.iter().all(|price| price.0 == ask + above), "{prices:?}");
    }
    let (bid, ask, env, ..) = reset_and(4);
    assert!(env.orders().iter().all(|order| order.price.unwrap().0 == (ask - 1).max(bid + 1)));
    // Hold keeps what rests, withdraw takes it back.
    let (.., mut held, _, _) = reset_and(6);
    let mut observation = vec![0.0; held.observation_space().len()];
    let mut withdrawn = held.clone();
    let tickets: Vec<_> = held.orders().iter().map(|order| order.ticket).collect();
    held.step(Action::Discrete(&[0]), &mut observation);
    assert!(held.orders().iter().all(|order| tickets.contains(&order.ticket)));
    withdrawn.step(Action::Discrete(&[1]), &mut observation);
    assert!(withdrawn.orders().is_empty() && withdrawn.remaining() > 0);
}

#[test]
fn a_rate_of_one_over_the_steps_left_is_an_even_schedule() {
    let mut env = env("action: rate, lots: 50");
    let steps = play(&mut env, 1, |env| vec![1.0 / (10 - env.steps_done()) as f32]);
    assert_eq!(steps.len(), 10);
    for (index, (_, observation)) in steps.iter().enumerate() {
        assert_eq!(observation[1], (50 - 5 * (index as u64 + 1)) as f32 / 50.0);
    }
    assert_eq!(play(&mut env, 1, |_| vec![7.0]).len(), 1, "values above 1 are cut");
}

#[test]
fn a_one_sided_opening_is_an_error_and_a_one_sided_episode_is_not() {
    // Nobody but the agent trades: what it takes is not replaced.
    let market = lob::flow::MarketConfig::preset("noise").unwrap();
    let mut resolved = gym::MarketSettings::default().resolve(std::path::Path::new("")).unwrap();
    assert_eq!(resolved.flow, market.flow);
    let lob::flow::FlowConfig::Noise(params) = &mut resolved.flow else { panic!("noise is noise") };
    params.opening.levels = 13;
    params.opening.shape.bidv = vec![0.0; 13];
    params.opening.shape.askv = vec![0.0; 13];
    // One lot at each of 13 levels a side; limit orders never come, market orders do.
    params.scale = 1e-9;
    let config = ExecutionConfig { lots: 40, levels: 13, ..ExecutionConfig::default() };
    for side in Side::BOTH {
        let mut env = Execution::new(&ExecutionConfig { side, ..config.clone() }, &resolved).unwrap();
        let mut observation = vec![0.0; env.observation_space().len()];
        env.reset(0, &mut observation).unwrap();
        let mut parts = vec![0.0; 15];
        (parts[0], parts[1]) = (0.5, 0.5);
        let mut last = Step::default();
        for _ in 0..10 {
            last = env.step(Action::Continuous(&parts), &mut observation);
            assert!(observation.iter().all(|value| value.is_finite()), "{observation:?}");
            assert!(last.reward.is_finite());
        }
        assert!(last.terminated && env.remaining() > 0, "the other side is used up");
        assert!(env.scene().figures.iter().all(|(_, value, _)| value.is_finite()));
    }
    let lob::flow::FlowConfig::Noise(params) = &mut resolved.flow else { panic!("noise is noise") };
    // A storm of market orders before t = 0 leaves nothing on one side or the other.
    params.scale = 1.0;
    params.limit_intensity.buy.fill(1e-9);
    params.limit_intensity.sell.fill(1e-9);
    params.market_intensity.buy = 1e-6;
    params.market_intensity.sell = 100.0;
    // Once it has emptied a side, the crowd does nothing for a long time.
    params.waiting_time = lob::flow::WaitingTime::AfterEffect;
    params.empty_side.delay_seconds = 1e3;
    let mut env = Execution::new(&config, &resolved).unwrap();
    let mut observation = vec![0.0; env.observation_space().len()];
    let error = env.reset(5, &mut observation).unwrap_err();
    assert!(matches!(error, EnvError::Session { session: 5, .. }), "{error}");
}

#[test]
fn levels_beyond_the_opening_book_are_refused_by_name() {
    let resolved = gym::MarketSettings::default().resolve(std::path::Path::new("")).unwrap();
    let config = ExecutionConfig { levels: 31, ..ExecutionConfig::default() };
    let error = Execution::new(&config, &resolved).unwrap_err();
    assert_eq!(error.to_string(), "levels is 31; legal: at most the levels of the market's opening book, 30");
}

#[test]
fn observations_stay_within_the_bounds_of_their_space() {
    let mut env = env("lots: 13, side: buy");
    let components = env.observation_space().components().to_vec();
    assert_eq!(components.len(), 26 + 2 * 13);
    let mut rng = SimRng::seed_from_u64(8);
    for session in 0..30 {
        for (_, observation) in play(&mut env, session, |_| random_parts(&mut rng, 7)) {
            for (value, component) in observation.iter().zip(&components) {
                assert!((component.low..=component.high).contains(value), "{component:?}: {value}");
            }
        }
    }
}

#[test]
fn the_picture_shows_own_orders_and_fills() {
    let mut env = env("lots: 20");
    let mut observation = vec![0.0; env.observation_space().len()];
    env.reset(3, &mut observation).unwrap();
    env.step(Action::Continuous(&[0.2, 0.0, 0.0, 0.4, 0.0, 0.4, 0.0]), &mut observation);
    let scene = env.scene();
    let own: f64 = scene.asks.iter().map(|level| level.own).sum();
    let open: u64 = env.orders().iter().map(|order| order.open.0).sum();
    assert!(own > 0.0 && own == open as f64);
    assert!(scene.bids.len() >= 15 && scene.bids.iter().all(|level| level.own == 0.0 && level.lots > 0.0));
    assert!(scene.fills.iter().map(|fill| fill.lots).sum::<f64>() >= 4.0);
    assert_eq!(scene.figures[0], ("remaining", env.remaining() as f64, "lots"));
}

#[test]
fn episodes_play_it_with_its_manners() {
    let mut episodes = Episodes::new(env("lots: 5"), Some(3));
    let mut observation = vec![0.0; 36];
    episodes.reset(Some(1), &mut observation).unwrap();
    let idle = [0.0; 7];
    for index in 0..3 {
        let step = episodes.step(Action::Continuous(&idle), &mut observation).unwrap();
        assert_eq!((step.truncated, step.terminated), (index == 2, false));
    }
    assert!(matches!(
        episodes.step(Action::Continuous(&idle), &mut observation),
        Err(EnvError::Ended { row: 0 })
    ));
}

#[test]
fn the_shipped_file_has_every_setting_at_its_default() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/env/execution.yaml");
    let settings = Settings::read(file).unwrap();
    let defaults = EnvConfig::named("execution").unwrap().to_map();
    assert_eq!(EnvConfig::from_settings(&settings).unwrap().to_map(), defaults);
    let keys = |map: &serde_json::Map<String, serde_json::Value>| map.keys().cloned().collect::<Vec<_>>();
    let (mut written, mut known) = (keys(&settings.section("env").unwrap()), keys(&defaults));
    written.sort_unstable();
    known.sort_unstable();
    assert_eq!(written, known);
}
