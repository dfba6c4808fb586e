//! The market maker's environment: its accounts, its orders, its limits, and that it forgets and forks cleanly.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use gym::envs::{ActionKind, AtLimit, MarketMaking, MarketMakingConfig, ObservationKind};
use gym::{Action, Env, EnvConfig, MarketSettings, OwnedAction, QuoteAction, Quotes, Space};
use lob::flow::{FlowConfig, OpeningBook, PerSide};
use lob::models::{FeeConfig, FeeRate};
use lob::sim::{Delay, LatencyConfig, derive_seed};
use lob::{Price, Side};
use proptest::prelude::*;

fn env_in(config: &MarketMakingConfig, market: &MarketSettings) -> MarketMaking {
    let market = market.resolve("".as_ref()).expect("a legal market");
    MarketMaking::new(config, &market).expect("legal settings")
}

fn env(config: &MarketMakingConfig) -> MarketMaking {
    env_in(config, &MarketSettings::default())
}

fn observation(env: &MarketMaking) -> Vec<f32> {
    vec![f32::NAN; env.observation_space().len()]
}

fn info(env: &MarketMaking, name: &str) -> f64 {
    let mut numbers = vec![f64::NAN; env.info_names().len()];
    env.write_info(&mut numbers);
    numbers[env.info_names().iter().position(|&other| other == name).expect("a name of the table")]
}

/// An action that only depends on its number.
fn drawn(space: &Space, seed: u64) -> OwnedAction {
    let number = |index| derive_seed(seed, index) as f64 / u64::MAX as f64;
    match space {
        // A little beyond the bounds, which is cut.
        Space::Box(space) => OwnedAction::Continuous(
            (0..space.len() as u64).map(|index| (number(index) * 2.4 - 1.2) as f32).collect(),
        ),
        Space::Discrete(names) => {
            OwnedAction::Discrete(vec![(number(0) * names.len() as f64) as i64 % names.len() as i64])
        }
        Space::MultiDiscrete(_) => panic!("not a quote"),
    }
}

/// Bits of everything a session shows.
fn play(env: &mut MarketMaking, session: u64, steps: u64, actions: u64) -> Vec<u64> {
    let mut seen = observation(env);
    env.reset(session, &mut seen).expect("the task can be set");
    go_on(env, seen, steps, actions)
}

fn go_on(env: &mut MarketMaking, mut seen: Vec<f32>, steps: u64, actions: u64) -> Vec<u64> {
    let space = env.action_space().clone();
    let mut bits = Vec::new();
    for step in 0..steps {
        bits.extend(seen.iter().map(|x| u64::from(x.to_bits())));
        let outcome = env.step(drawn(&space, derive_seed(actions, step)).as_action(), &mut seen);
        bits.push(outcome.reward.to_bits());
        if outcome.is_last() {
            break;
        }
    }
    let mut numbers = vec![0.0; env.info_names().len()];
    env.write_info(&mut numbers);
    bits.extend(numbers.iter().map(|x| x.to_bits()));
    bits
}

fn seconds(seconds: f64) -> Delay {
    Delay::Constant { seconds }
}

fn latencies() -> Vec<Option<LatencyConfig>> {
    vec![
        None,
        Some(LatencyConfig { order: seconds(0.05), report: seconds(0.05) }),
        Some(LatencyConfig { order: Delay::None, report: seconds(2.5) }),
        Some(LatencyConfig {
            order: Delay::Uniform { min_seconds: 0.0, max_seconds: 3.0 },
            report: Delay::LogNormal { median_seconds: 0.5, sigma: 1.0, max_seconds: 9.0 },
        }),
    ]
}

/// All own orders in the book, with a check that the maker never trades with itself.
fn no_trade_with_oneself(env: &MarketMaking) {
    let mut own: Vec<_> =
        env.fills().iter().map(|fill| (fill.time, fill.fill.price, fill.fill.side)).collect();
    own.dedup();
    for pair in own.windows(2) {
        let same = pair[0].0 == pair[1].0 && pair[0].1 == pair[1].1;
        assert!(!same || pair[0].2 == pair[1].2, "traded with itself: {pair:?}");
    }
}

#[derive(Clone, Debug)]
struct Setting {
    config: MarketMakingConfig,
    market: MarketSettings,
}

fn settings() -> impl Strategy<Value = Setting> {
    let kinds =
        prop_oneof![Just(ActionKind::OffsetsAndSizes), Just(ActionKind::Grid), Just(ActionKind::Ladder)];
    let limits = prop_oneof![Just(AtLimit::OneSided), Just(AtLimit::Hedge)];
    let books = prop_oneof![Just(OpeningBook::Frozen), Just(OpeningBook::Live)];
    let fees = prop_oneof![
        Just(FeeConfig::None),
        Just(FeeConfig::MakerTaker {
            maker: FeeRate::BasisPoints(-0.3),
            taker: FeeRate::PerLot(0.25),
            minimum_per_order: None
        }),
        Just(FeeConfig::MakerTaker {
            maker: FeeRate::PerLot(0.5),
            taker: FeeRate::BasisPoints(3.0),
            minimum_per_order: Some(2.0)
        }),
    ];
    let markets = prop_oneof![
        3 => Just("noise"), 2 => Just("flow"), 1 => Just("strategic"), 1 => Just("queue_reactive"), 1 => Just("hawkes")
    ];
    let scale = (-2.0..0.5f64, 1u64..8, 1u64..12, prop_oneof![Just(0.1), Just(1.0), Just(5.0)]);
    let units = prop_oneof![Just((1.0, 1)), Just((0.01, 100))];
    let observations = prop_oneof![Just(ObservationKind::Full), Just(ObservationKind::Classic)];
    let choices = (kinds, limits, any::<bool>(), observations, units);
    (choices, scale, (books, fees, markets, 0..latencies().len())).prop_map(
        |((action, at_limit, liquidation, observation, units), scale, (book, fees, market, latency))| {
            let (min_offset_ticks, max_quote_lots, limit, step_seconds) = scale;
            let (tick_size, lot_size) = units;
            Setting {
                config: MarketMakingConfig {
                    step_seconds,
                    steps: 60,
                    action,
                    at_limit,
                    liquidation,
                    observation,
                    min_offset_ticks,
                    max_offset_ticks: 3.0,
                    max_quote_lots,
                    inventory_limit: limit * lot_size,
                    tick_size,
                    lot_size,
                    risk_aversion: 0.0,
                    ..MarketMakingConfig::default()
                },
                market: MarketSettings {
                    market: market.into(),
                    opening_book: Some(book),
                    fees: Some(fees),
                    latency: latencies()[latency].clone(),
                    ..MarketSettings::default()
                },
            }
        },
    )
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * (1.0 + a.abs() + b.abs())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn profit_is_the_sum_of_its_parts_at_every_step(setting in settings(), seed: u64) {
        let Setting { config, market } = setting;
        let mut env = env_in(&config, &market);
        let mut seen = observation(&env);
        env.reset(seed, &mut seen).unwrap();
        let space = env.action_space().clone();
        let bounds = env.observation_space().clone();
        let has_latency = market.latency.is_some();
        // Kept from the fills alone: an account of one's own, in ticks and lots.
        let (mut cash, mut inventory, mut forced) = (0i64, 0i64, 0.0);
        let mut rewards = 0.0;
        let mut last = false;
        while !last {
            for (component, value) in bounds.components().iter().zip(&seen) {
                prop_assert!(value.is_finite(), "{} is {value}", component.name);
                prop_assert!((component.low..=component.high).contains(value), "{} is {value}", component.name);
            }
            let step = (env.time() / config.step_seconds).round() as u64;
            let outcome = env.step(drawn(&space, derive_seed(seed, step)).as_action(), &mut seen);
            last = outcome.is_last();
            prop_assert_eq!((outcome.terminated, outcome.truncated), (step + 1 == config.steps, false));
            rewards += outcome.reward;
            for fill in env.fills() {
                let lots = fill.fill.quantity.0 as i64;
                let signed = if fill.fill.side == Side::Buy { lots } else { -lots };
                cash -= signed * fill.fill.price.0;
                inventory += signed;
                if fill.fill.liquidity == lob::models::Liquidity::Taker {
                    forced += fill.fill.quantity.0 as f64;
                }
                if let [Some(bid), Some(ask)] = fill.others {
                    prop_assert!(bid < ask, "{bid} {ask}");
                }
            }
            no_trade_with_oneself(&env);
            let (units, money) = (config.lot_size as f64, config.tick_size * config.lot_size as f64);
            let mid = info(&env, "mid");
            let profit = cash as f64 * money + inventory as f64 * mid * money - info(&env, "fees");
            prop_assert!(close(info(&env, "profit"), profit), "{} {profit}", info(&env, "profit"));
            prop_assert_eq!(info(&env, "inventory"), inventory as f64 * units);
            prop_assert!(close(info(&env, "cash") + info(&env, "inventory") * mid * config.tick_size, profit));
            let parts = info(&env, "spread_profit") + info(&env, "inventory_profit")
                + info(&env, "liquidation_profit") - info(&env, "fees");
            prop_assert!(close(parts, profit), "{parts} {profit}");
            prop_assert!(close(rewards, profit), "{rewards} {profit}");
            prop_assert_eq!(info(&env, "taker_lots"), forced);
            prop_assert_eq!(info(&env, "inventory"), info(&env, "bought") - info(&env, "sold"));
            if config.at_limit == AtLimit::OneSided {
                // Post-only quotes never take.
                prop_assert!(last || forced == 0.0);
                prop_assert!(has_latency || inventory.unsigned_abs() <= config.limit_lots());
            }
            // No side ever shows more than was asked for, nor more than the limit leaves room for.
            if !has_latency && !last {
                let levels = env.action().levels() as u64;
                let room = |sign: i64| match config.at_limit {
                    AtLimit::OneSided => config.limit_lots() as i64 + sign * inventory,
                    AtLimit::Hedge => i64::MAX,
                };
                for (name, sign) in [("bid_lots", -1), ("ask_lots", 1)] {
                    let lots = info(&env, name) as i64;
                    prop_assert!(lots <= (levels * config.max_quote_lots) as i64 && lots <= room(sign), "{name}: {lots}");
                }
            }
        }
        let orders = env.simulator().market().book().orders_of(lob::sim::FIRST_AGENT).count();
        prop_assert_eq!(orders, 0, "quotes are left after the end");
        if config.liquidation {
            prop_assert_eq!(inventory, 0);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_after_any_history() {
    for latency in latencies() {
        let market = MarketSettings { latency, market: "strategic".into(), ..MarketSettings::default() };
        let config = MarketMakingConfig { at_limit: AtLimit::Hedge, ..MarketMakingConfig::default() };
        let fresh = play(&mut env_in(&config, &market), 7, 200, 1);
        let mut used = env_in(&config, &market);
        play(&mut used, 8, 333, 2);
        play(&mut used, 9, 5, 3);
        assert_eq!(play(&mut used, 7, 200, 1), fresh);
        assert_ne!(play(&mut used, 10, 200, 1), fresh);
    }
}

#[test]
fn a_fork_has_the_same_future() {
    for latency in latencies() {
        let market = MarketSettings { latency, ..MarketSettings::default() };
        let config = MarketMakingConfig { at_limit: AtLimit::Hedge, ..MarketMakingConfig::default() };
        let mut env = env_in(&config, &market);
        play(&mut env, 3, 100, 4);
        let seen = observation(&env);
        let mut fork = env.clone();
        let future = go_on(&mut env, seen.clone(), 100, 5);
        // What happens to the original meanwhile is nothing to the fork.
        play(&mut env, 11, 50, 6);
        assert_eq!(go_on(&mut fork, seen, 100, 5)[34..], future[34..]);
    }
}

/// One quote a side, at these offsets and sizes.
fn quote(env: &MarketMaking, offset: [f64; 2], lots: [u64; 2]) -> OwnedAction {
    env.action().action(&Quotes { offset, lots })
}

#[test]
fn quotes_that_do_not_change_keep_their_place_and_send_nothing() {
    let config = MarketMakingConfig { step_seconds: 0.001, ..MarketMakingConfig::default() };
    let mut env = env(&config);
    let mut seen = observation(&env);
    let (mut unchanged, mut kept) = (0, 0);
    for session in 0..20 {
        env.reset(session, &mut seen).unwrap();
        let action = quote(&env, [4.0, 4.0], [3, 3]);
        env.step(action.as_action(), &mut seen);
        for _ in 0..200 {
            let before = (env.mid(), env.simulator().market().foreign_requests(), ahead(&env));
            let fills = info(&env, "fills");
            env.step(action.as_action(), &mut seen);
            // The step after a move of the mid is the one that moves the quotes.
            let after = env.simulator().market().foreign_requests();
            if after == before.1 {
                unchanged += 1;
            }
            if env.mid() == before.0 && info(&env, "fills") == fills && after == before.1 {
                let now = ahead(&env);
                assert!(
                    now.iter().zip(&before.2).all(|(now, before)| now <= before),
                    "{now:?} {:?}",
                    before.2
                );
                kept += 1;
            }
        }
    }
    assert!(unchanged > 3_500 && kept > 3_000, "{unchanged} {kept}");
}

fn ahead(env: &MarketMaking) -> Vec<u64> {
    let book = env.simulator().market().book();
    let orders = book.orders_of(lob::sim::FIRST_AGENT);
    orders.map(|order| book.queue_position(order.handle).expect("it rests").quantity_ahead.0).collect()
}

#[test]
fn a_quote_is_an_amendment_and_not_a_new_order() {
    let config = MarketMakingConfig { step_seconds: 1e-6, ..MarketMakingConfig::default() };
    let mut env = env(&config);
    let mut seen = observation(&env);
    env.reset(1, &mut seen).unwrap();
    let handles = |env: &MarketMaking| {
        let orders = env.simulator().market().book().orders_of(lob::sim::FIRST_AGENT);
        orders.map(|order| (order.handle, order.price, order.visible.0)).collect::<Vec<_>>()
    };
    env.step(quote(&env, [3.0, 3.0], [5, 4]).as_action(), &mut seen);
    let first = handles(&env);
    let [bid, ask] = env.bests().map(Option::unwrap);
    let mid = (bid.0 + ask.0) as f64 / 2.0;
    assert_eq!(first[0].1, Price((mid - 3.0).floor() as i64));
    assert_eq!(first[1].1, Price((mid + 3.0).ceil() as i64));
    assert_eq!((first[0].2, first[1].2), (5, 4));
    // Another price: the same order. Fewer lots: the same place. More: one behind.
    env.step(quote(&env, [2.0, 3.0], [5, 2]).as_action(), &mut seen);
    let second = handles(&env);
    assert_eq!((second[0].0, second[0].1.0), (first[0].0, first[0].1.0 + 1));
    assert_eq!(second[1], (first[1].0, first[1].1, 2));
    env.step(quote(&env, [2.0, 3.0], [5, 5]).as_action(), &mut seen);
    let third = handles(&env);
    assert_eq!(third[1], second[1]);
    assert_eq!((third[2].1, third[2].2), (second[1].1, 3));
    env.step(quote(&env, [2.0, 3.0], [0, 0]).as_action(), &mut seen);
    assert_eq!(handles(&env), []);
}

#[test]
fn hedging_brings_the_inventory_back_within_the_limit() {
    let config = MarketMakingConfig {
        at_limit: AtLimit::Hedge,
        inventory_limit: 2,
        steps: 2_000,
        liquidation: false,
        ..MarketMakingConfig::default()
    };
    let mut env = env(&config);
    let mut seen = observation(&env);
    env.reset(5, &mut seen).unwrap();
    let action = quote(&env, [0.5, 3.0], [5, 1]);
    for _ in 0..1_999 {
        env.step(action.as_action(), &mut seen);
        assert!(env.inventory_lots().abs() <= 2);
    }
    assert!(info(&env, "taker_lots") > 50.0, "{}", info(&env, "taker_lots"));
    assert!(info(&env, "liquidation_profit") < 0.0);
    let market = MarketSettings { latency: latencies()[1].clone(), ..MarketSettings::default() };
    let mut late = env_in(&config, &market);
    late.reset(5, &mut seen).unwrap();
    let mut beyond = 0;
    for _ in 0..1_999 {
        late.step(action.as_action(), &mut seen);
        beyond += u64::from(late.inventory_lots().abs() > 2);
    }
    // Beyond while the order is under way, which is less than a step.
    assert!((1..400).contains(&beyond), "{beyond}");
}

#[test]
fn a_market_that_runs_dry_is_no_panic() {
    // A lot a level, traded away far faster than it is filled.
    let thin = |market: &MarketSettings| {
        let mut market = market.resolve("".as_ref()).unwrap();
        let FlowConfig::Noise(params) = &mut market.flow else { panic!() };
        params.market_intensity = PerSide::both(3.0);
        params.opening.shape.bidv.fill(0.0);
        params.opening.shape.askv.fill(0.0);
        market
    };
    let mut empty = 0;
    for latency in latencies() {
        for at_limit in [AtLimit::OneSided, AtLimit::Hedge] {
            let market = MarketSettings { latency: latency.clone(), ..MarketSettings::default() };
            let config = MarketMakingConfig { at_limit, step_seconds: 0.1, ..MarketMakingConfig::default() };
            let mut env = MarketMaking::new(&config, &thin(&market)).unwrap();
            let mut seen = observation(&env);
            for session in 0..5 {
                env.reset(session, &mut seen).unwrap();
                let space = env.action_space().clone();
                for step in 0..1_000 {
                    env.step(drawn(&space, step).as_action(), &mut seen);
                    empty += u64::from(env.bests().contains(&None));
                    assert!(seen.iter().all(|x| x.is_finite()));
                    assert!(info(&env, "profit").is_finite());
                }
            }
        }
    }
    assert!(empty > 100, "the market hardly ran dry: {empty}");
}

#[test]
fn the_scene_shows_own_quotes_wherever_they_are() {
    let config = MarketMakingConfig { max_offset_ticks: 25.0, ..MarketMakingConfig::default() };
    let mut env = env(&config);
    let mut seen = observation(&env);
    env.reset(2, &mut seen).unwrap();
    let mut fills = 0;
    for step in 0..300 {
        let offset = if step % 10 == 0 { 20.0 } else { 0.5 };
        env.step(quote(&env, [offset; 2], [4, 4]).as_action(), &mut seen);
        let scene = env.scene();
        for (levels, name) in [(&scene.bids, "bid_lots"), (&scene.asks, "ask_lots")] {
            assert_eq!(levels.iter().map(|level| level.own).sum::<f64>(), info(&env, name));
            assert!((15..=16).contains(&levels.len()));
        }
        assert!(scene.bids[0].price < scene.asks[0].price);
        assert_eq!((scene.figures[0].0, scene.figures[1].0), ("inventory", "profit"));
        assert_eq!((scene.figures[0].1, scene.figures[1].1), (info(&env, "inventory"), info(&env, "profit")));
        fills += scene.fills.len();
    }
    assert_eq!(fills as f64, info(&env, "fills"));
    assert!(fills > 3, "{fills}");
}

#[test]
fn the_reward_is_weighed_as_configured() {
    let plain = MarketMakingConfig { risk_aversion: 0.0, ..MarketMakingConfig::default() };
    let rewards = |config: &MarketMakingConfig| {
        let mut env = env(config);
        let mut seen = observation(&env);
        env.reset(4, &mut seen).unwrap();
        let action = quote(&env, [0.5; 2], [3, 3]);
        let step = |_| {
            let before = (info(&env, "spread_profit"), info(&env, "inventory_profit"));
            let reward = env.step(action.as_action(), &mut seen).reward;
            let edge = info(&env, "spread_profit") - before.0;
            (reward, edge, info(&env, "inventory_profit") - before.1, info(&env, "inventory"))
        };
        (0..500).map(step).collect::<Vec<_>>()
    };
    let weighed = MarketMakingConfig {
        pnl_weight: 0.5,
        edge_weight: 0.1,
        dampening: 0.3,
        risk_aversion: 0.01,
        ..plain.clone()
    };
    for (plain, weighed) in rewards(&plain).into_iter().zip(rewards(&weighed)) {
        let (profit, edge, gain, inventory) = plain;
        let expected = 0.5 * (profit - 0.3 * gain.max(0.0)) + 0.1 * edge - 0.01 * inventory * inventory;
        assert!(close(weighed.0, expected), "{weighed:?} {expected}");
    }
}

#[test]
fn the_classic_configuration_has_its_16_numbers_in_money_and_shares() {
    let config = EnvConfig::named("market_making_classic").unwrap();
    let gym::config::Task::MarketMaking(own) = &config.task else { panic!() };
    assert_eq!((own.tick_size, own.lot_size, own.inventory_limit, own.steps), (0.01, 100, 1_000, 1_000));
    assert_eq!((own.risk_aversion, own.edge_weight), (0.001, 0.1));
    let mut env = env_in(own, &config.market);
    assert!(matches!(env.action(), QuoteAction::OffsetsAndSizes(_)));
    let mut seen = observation(&env);
    assert_eq!(seen.len(), 16);
    env.reset(1, &mut seen).unwrap();
    for _ in 0..200 {
        env.step(quote(&env, [0.5; 2], [3, 3]).as_action(), &mut seen);
    }
    let near = |index: usize, value: f64| assert!((f64::from(seen[index]) - value).abs() < 1e-5, "{index}");
    near(0, info(&env, "best_bid") * 0.01);
    near(1, info(&env, "best_ask") * 0.01);
    near(2, (info(&env, "best_ask") - info(&env, "best_bid")) * 0.01);
    near(3, info(&env, "mid") * 0.01);
    near(4, info(&env, "inventory") / 1_000.0);
    near(5, info(&env, "cash") / 10_000.0);
    assert!(info(&env, "inventory").abs() >= 100.0 && seen[6..].iter().any(|&x| x >= 1.0));
}

/// The mirror image of a full observation, read off the names of its numbers.
fn mirrored(env: &MarketMaking, seen: &[f32], first_mid: f64) -> Vec<f32> {
    let components = env.observation_space().components();
    let place = |name: &str| components.iter().position(|component| component.name == name).unwrap();
    let value = |name: &str| seen[place(name)];
    let image = |component: &gym::Component| -> f32 {
        let name = component.name.as_str();
        match name {
            "inventory"
            | "last change of the mid"
            | "imbalance"
            | "market orders"
            | "average of market orders" => 0.0 - value(name),
            "best bid - first mid" => -value("best ask - first mid"),
            "best ask - first mid" => -value("best bid - first mid"),
            // Profit is cash + inventory x mid, in the image too.
            "cash" => value(name) + 2.0 * first_mid.signum() as f32 * value("inventory"),
            _ if name.contains("bid") => value(&name.replace("bid", "ask")),
            _ if name.contains("ask") => value(&name.replace("ask", "bid")),
            _ => value(name),
        }
    };
    components.iter().map(image).collect()
}

#[test]
fn a_symmetric_maker_sees_and_plays_the_mirror_image_while_short() {
    let plain_config = MarketMakingConfig { steps: 400, ..MarketMakingConfig::default() };
    let config = MarketMakingConfig { symmetric: true, ..plain_config.clone() };
    let market = MarketSettings { market: "flow".into(), ..MarketSettings::default() };
    let (mut plain, mut symmetric) = (env_in(&plain_config, &market), env_in(&config, &market));
    let (mut seen, mut shown) = (observation(&plain), observation(&symmetric));
    let (mut images, mut crossings) = (0, 0);
    for session in 0..4 {
        plain.reset(session, &mut seen).unwrap();
        symmetric.reset(session, &mut shown).unwrap();
        let first_mid = info(&plain, "mid");
        let mut was = false;
        for step in 0..400 {
            let inventory = info(&plain, "inventory");
            let is_image = inventory < 0.0 || (inventory == 0.0 && seen[8] < 0.0);
            let expected = if is_image { mirrored(&plain, &seen, first_mid) } else { seen.clone() };
            assert_eq!(shown, expected, "session {session}, step {step}");
            assert!(shown[1] >= 0.0);
            images += usize::from(is_image);
            crossings += usize::from(is_image != was);
            was = is_image;
            // Quotes that lean on what is shown.
            let lean = shown[1] + 0.3 * shown[8];
            let action = [-0.8 + 0.5 * lean, -0.8 - 0.5 * lean, 0.2 - lean, 0.6];
            let meant = if is_image { [action[1], action[0], action[3], action[2]] } else { action };
            let one = plain.step(Action::Continuous(&meant), &mut seen);
            let other = symmetric.step(Action::Continuous(&action), &mut shown);
            assert_eq!(one, other, "session {session}, step {step}");
        }
    }
    assert!(images > 200 && crossings > 50, "{images} images, {crossings} crossings");
}
