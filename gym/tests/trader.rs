//! The trader against arithmetic by hand, conservation laws, and itself on bars that come one by one.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::path::{Path, PathBuf};

use gym::envs::trader::{AccountConfig, BarsSource, LiveTrader, Part, Trader, TraderConfig, Wish};
use gym::{Action, AnyEnv, Env, EnvConfig, MarketSettings, Settings};
use lob::models::{FeeConfig, FeeRate};
use proptest::prelude::*;

/// A file that is gone with the test.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("lobgym_trader_{}_{name}.csv", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Prices that wander: `time, open, high, low, close, volume, bid, bid_size, ask, ask_size`.
fn wandering(bars: usize, change_from: Option<usize>) -> String {
    let mut text = String::from("start_ns,open,high,low,close,volume,bid,bid_size,ask,ask_size,up\n");
    let (mut price, mut state) = (100.0f64, 12_345u64);
    for index in 0..bars {
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / f64::from(1u32 << 31) - 0.5
        };
        let open = price * (1.0 + 0.001 * draw());
        let mut close = open * (1.0 + 0.01 * draw());
        if change_from.is_some_and(|from| index >= from) {
            close *= 1.3;
        }
        let (high, low) = (open.max(close) * 1.001, open.min(close) * 0.999);
        let volume = 50.0 + 40.0 * draw();
        let up = draw() + 0.5;
        text += &format!(
            "{},{open},{high},{low},{close},{volume},{},{},{},{},{up}\n",
            1_700_000_000_000_000_000u64 + 5_000_000_000 * index as u64,
            close - 0.01,
            5.0 + draw(),
            close + 0.01,
            5.0 + draw(),
        );
        price = if change_from.is_some_and(|from| index >= from) { close / 1.3 } else { close };
    }
    text
}

fn config(file: &File, yaml: &str) -> (TraderConfig, MarketSettings) {
    let bars = if yaml.contains("bars:") { String::new() } else { format!("bars: {{file: {:?}}}, ", file.0) };
    let text = format!("env: {{name: trader, {bars}{yaml}}}");
    let settings = Settings::from_yaml(&text, "test").unwrap();
    let env = EnvConfig::from_settings(&settings).unwrap();
    let gym::config::Task::Trader(config) = env.task else { panic!("a trader") };
    (config, env.market)
}

fn make(file: &File, yaml: &str) -> Trader {
    let (config, market) = config(file, yaml);
    Trader::new(&config, &market, Path::new("")).unwrap()
}

fn complaint(file: &File, yaml: &str) -> String {
    let (config, market) = config(file, yaml);
    Trader::new(&config, &market, Path::new("")).unwrap_err().to_string()
}

fn info(env: &Trader, name: &str) -> f64 {
    let mut infos = [0.0; Trader::INFO.len()];
    env.write_info(&mut infos);
    infos[Trader::INFO.iter().position(|other| *other == name).unwrap()]
}

/// A feature set of one return, so that few bars are needed.
const PLAIN: &str = "normalisation: null, window: 1, random_start: false, steps: null";

fn plain_features() -> File {
    let path = std::env::temp_dir().join(format!("lobgym_trader_{}_features.yaml", std::process::id()));
    std::fs::write(&path, "features: [{name: r, indicator: {log_return: {period: 1}}}]").unwrap();
    File(path)
}

#[test]
fn orders_are_filled_at_the_next_open_half_a_spread_away() {
    let bars = File::new(
        "fills",
        "time,open,close,spread\n1,100,100,2\n2,100,102,2\n3,104,105,4\n4,103,103,4\n5,90,95,4\n6,95,95,4\n",
    );
    let features = std::env::temp_dir().join(format!("lobgym_trader_{}_one.yaml", std::process::id()));
    std::fs::write(&features, "features: [{name: r, indicator: {log_return: {period: 1}}}]").unwrap();
    let _features = File(features.clone());
    let yaml = format!(
        "{PLAIN}, features: {features:?}, capital: 1000, lot: 0.5, transaction_cost: 0.01, bars: {{file: {:?}, part: all}}",
        bars.0
    );
    let settings = Settings::from_yaml(&format!("env: {{name: trader, {yaml}}}"), "test").unwrap();
    let AnyEnv::Trader(mut env) = AnyEnv::new(&EnvConfig::from_settings(&settings).unwrap()).unwrap() else {
        panic!("a trader")
    };
    let mut seen = vec![0.0; env.observation_space().len()];
    env.reset(1, &mut seen).unwrap();
    assert_eq!(seen[0], libm::log(1.02) as f32);
    // Half of the equity at the ask: the third bar's open and half the second's spread.
    let step = env.step(Action::Discrete(&[1]), &mut seen);
    let units = 500.0 / 105.0;
    assert!((info(&env, "position") - units).abs() < 1e-12);
    assert!((info(&env, "cash") - (1000.0 - 500.0 * 1.01)).abs() < 1e-9);
    let equity = info(&env, "cash") + units * 105.0;
    assert!((step.reward - 100.0 * (equity / 1000.0).ln()).abs() < 1e-9);
    // The cycle is blocked: nothing more is bought.
    env.step(Action::Discrete(&[1]), &mut seen);
    assert_eq!(info(&env, "fills"), 1.0);
    // Sold at the fifth bar's open less half the fourth's spread.
    env.step(Action::Discrete(&[2]), &mut seen);
    assert_eq!(info(&env, "position"), 0.0);
    assert_eq!(info(&env, "fill_price"), 88.0);
    let realised = units * 88.0 * 0.99 - 500.0 * 1.01;
    assert!((info(&env, "realised_profit") - realised).abs() < 1e-9);
    let last = env.step(Action::Discrete(&[2]), &mut seen);
    assert!(last.truncated && !last.terminated);
    assert_eq!((info(&env, "fills"), info(&env, "cycles"), info(&env, "cycles_won")), (2.0, 1.0, 0.0));
    assert!((info(&env, "profit") - realised).abs() < 1e-9);
}

#[test]
fn what_comes_later_changes_nothing_that_was_seen() {
    let one = File::new("past", &wandering(400, None));
    let other = File::new("future", &wandering(400, Some(330)));
    let yaml = "random_start: false, steps: null, impact: {square_root: {y: 1.0, memory_seconds: 60.0}}, spread: 0.001";
    let (mut envs, mut seen) = (Vec::new(), Vec::new());
    for file in [&one, &other] {
        let (mut config, market) = config(file, yaml);
        config.bars = Some(BarsSource { part: Part::All, ..config.bars.unwrap() });
        envs.push(Trader::new(&config, &market, Path::new("")).unwrap());
        seen.push(vec![0.0; envs[0].observation_space().len()]);
    }
    for (env, seen) in envs.iter_mut().zip(&mut seen) {
        env.reset(3, seen).unwrap();
    }
    let mut differed = false;
    while envs[0].index() < 399 {
        assert!(seen[0] == seen[1] || envs[0].index() >= 330, "bar {}", envs[0].index());
        differed |= seen[0] != seen[1];
        let choice = [(envs[0].index() / 7 % 3) as i64];
        for (env, seen) in envs.iter_mut().zip(&mut seen) {
            env.step(Action::Discrete(&choice), seen);
        }
    }
    assert!(differed);
}

#[test]
fn bars_that_come_one_by_one_are_played_as_a_file_is() {
    let text = wandering(300, None);
    let file = File::new("live", &text);
    let yaml = "random_start: false, steps: null, action: lots, spread: 0.001, transaction_cost: 0.0005,
        account: {futures: {leverage: 3, funding_interval_seconds: 100}}, impact: {square_root: {y: 1.0, memory_seconds: 60.0}}";
    let (mut config, mut market) = config(&file, yaml);
    config.bars = Some(BarsSource { part: Part::All, extra: vec!["up".into()], ..config.bars.unwrap() });
    market.fees = Some(FeeConfig::MakerTaker {
        maker: FeeRate::BasisPoints(1.0),
        taker: FeeRate::BasisPoints(4.0),
        minimum_per_order: None,
    });
    let mut env = Trader::new(&config, &market, Path::new("")).unwrap();
    let mut live = LiveTrader::new(&config, &market, 5.0, Path::new("")).unwrap();
    let mut seen = vec![0.0; env.observation_space().len()];
    let mut live_seen = seen.clone();
    env.reset(0, &mut seen).unwrap();
    let (mut wish, mut decisions) = (Wish::Hold, 0);
    for raw in live.columns().clone().read(Path::new("")).unwrap() {
        let step = live.bar(wish, &raw).unwrap();
        if step.is_none() && live.bars_missing() > 0 {
            continue;
        }
        live.session().observe(&mut live_seen);
        if let Some((reward, _)) = step {
            let share = [((decisions * 37 % 21) as f32 - 10.0) / 10.0];
            let played = env.step(Action::Continuous(&share), &mut seen);
            assert_eq!(played.reward.to_bits(), reward.to_bits());
            decisions += 1;
        }
        assert_eq!(seen, live_seen);
        assert_eq!(env.session().wallet(), live.session().wallet());
        let share = [((decisions * 37 % 21) as f32 - 10.0) / 10.0];
        wish = live.session().wish(Action::Continuous(&share));
    }
    assert!(decisions > 150 && env.session().wallet().fills > 20);
}

#[test]
fn what_a_training_fitted_stays_when_the_file_grows() {
    let text = wandering(500, None);
    let file = File::new("grows", &text);
    let whole: String = text.lines().take(401).map(|line| format!("{line}\n")).collect();
    std::fs::write(&file.0, &whole).unwrap();
    let (config, market) = config(&file, "random_start: false, steps: null");
    let kept = config.fitted(Path::new("")).unwrap();
    // It goes through the settings' form unchanged, to the bit.
    let text_of = serde_json::to_string(&kept).unwrap();
    assert_eq!(serde_json::from_str::<TraderConfig>(&text_of).unwrap(), kept);
    let play = |config: &TraderConfig, part: Part| {
        let bars = config.bars.clone().unwrap();
        let config = TraderConfig { bars: Some(BarsSource { part, ..bars }), ..config.clone() };
        let mut env = Trader::new(&config, &market, Path::new("")).unwrap();
        let mut seen = vec![0.0; env.observation_space().len()];
        env.reset(0, &mut seen).unwrap();
        let (first, mut all) = (env.index(), seen.clone());
        while !env.play(Wish::Hold, &mut seen).is_last() {
            all.extend_from_slice(&seen);
        }
        (first, env.index(), all)
    };
    let (trained, tested) = (play(&kept, Part::Train), play(&kept, Part::Test));
    assert_eq!(play(&config, Part::Train), trained, "fitting on the same bars gives the same");
    std::fs::write(&file.0, &text).unwrap();
    assert_eq!(play(&kept, Part::Train), trained);
    let grown = play(&kept, Part::Test);
    assert_eq!(grown.0, tested.0);
    assert_eq!(grown.2[..tested.2.len()], tested.2);
    assert!(grown.1 > tested.1);
    // Fitted anew it would be another one.
    assert_ne!(play(&config, Part::Train).2[..100], trained.2[..100]);
    // Bars of another time have all not been seen in training; other features cannot be normalised by it.
    let later = text.lines().enumerate().map(|(index, line)| match line.split_once(',') {
        Some((_, rest)) if index > 0 => format!("{},{rest}\n", 1_800_000_000 + 5 * index),
        _ => format!("{line}\n"),
    });
    std::fs::write(&file.0, later.collect::<String>()).unwrap();
    assert!(play(&kept, Part::Test).0 < 100);
    let other = TraderConfig { features: "price".into(), ..kept.clone() };
    let error = Trader::new(&other, &market, Path::new("")).unwrap_err().to_string();
    assert!(error.contains("normalisation is fitted for other features"), "{error}");
    // One that comes one by one needs no file for it.
    std::fs::remove_file(&file.0).unwrap();
    assert!(LiveTrader::new(&kept, &market, 5.0, Path::new("")).is_ok());
    let settings = Settings::from_yaml("env: {name: trader, normalisation: mean_sdt}", "test").unwrap();
    let error = EnvConfig::from_settings(&settings).unwrap_err().to_string();
    assert!(
        error.contains("normalisation") && error.contains("mean_sdt") && error.contains("median_iqr"),
        "{error}"
    );
}

#[test]
fn training_and_test_do_not_meet_and_starts_are_drawn_from_the_part() {
    let file = File::new("parts", &wandering(500, None));
    let mut last = [0.0, 0.0];
    for (place, part) in ["train", "test"].into_iter().enumerate() {
        let yaml = format!("bars: {{file: {:?}, part: {part}, train_share: 0.6}}, steps: 20", file.0);
        let settings = Settings::from_yaml(&format!("env: {{name: trader, {yaml}}}"), "test").unwrap();
        let AnyEnv::Trader(mut env) = AnyEnv::new(&EnvConfig::from_settings(&settings).unwrap()).unwrap()
        else {
            panic!("a trader")
        };
        let mut seen = vec![0.0; env.observation_space().len()];
        let mut starts = std::collections::BTreeSet::new();
        for session in 0..200 {
            env.reset(session, &mut seen).unwrap();
            starts.insert(env.index());
            let mut steps = 0;
            while !env.step(Action::Discrete(&[0]), &mut seen).truncated {
                steps += 1;
            }
            assert_eq!(steps, 19);
            last[place] = f64::max(last[place], env.index() as f64);
        }
        assert!(starts.len() > 60);
        let range = if part == "train" { 0..=279 } else { 300..=479 };
        assert!(starts.iter().all(|start| range.contains(start)), "{starts:?}");
    }
    assert!(last[0] <= 299.0 && last[1] <= 499.0);
}

#[test]
fn futures_pay_funding_and_are_liquidated_where_their_margin_ends() {
    let features = plain_features();
    let text = "time,open,high,low,close\n0,100,100,100,100\n10,100,100,100,100\n20,100,101,99,100\n30,100,100,95,96\n40,96,96,60,70\n50,70,70,70,70\n";
    let file = File::new("futures", text);
    let yaml = format!(
        "{PLAIN}, features: {:?}, capital: 1000, bars: {{file: {:?}, part: all}}, account: {{futures: {{leverage: 5,
        maintenance_margin: 0.05, funding_rate: 0.001, funding_interval_seconds: 20, liquidation_fee: 0.01}}}}",
        features.0, file.0
    );
    let settings = Settings::from_yaml(&format!("env: {{name: trader, {yaml}}}"), "test").unwrap();
    let AnyEnv::Trader(mut env) = AnyEnv::new(&EnvConfig::from_settings(&settings).unwrap()).unwrap() else {
        panic!("a trader")
    };
    let mut seen = vec![0.0; env.observation_space().len()];
    env.reset(1, &mut seen).unwrap();
    env.step(Action::Discrete(&[1]), &mut seen);
    assert_eq!((info(&env, "position"), info(&env, "cash"), info(&env, "funding")), (50.0, -4000.0, 0.0));
    // No funding between 20 and 30 s; one at 40 s, at the price before it.
    env.step(Action::Discrete(&[0]), &mut seen);
    assert_eq!((info(&env, "funding"), info(&env, "equity")), (0.0, 800.0));
    let step = env.step(Action::Discrete(&[0]), &mut seen);
    let funding = 50.0 * 96.0 * 0.001;
    assert!((info(&env, "funding") - funding).abs() < 1e-12);
    let price = (4000.0 + funding) / (50.0 * 0.95);
    assert!((info(&env, "fill_price") - price).abs() < 1e-9);
    let equity = 50.0 * price * 0.99 - 4000.0 - funding;
    assert!((info(&env, "equity") - equity).abs() < 1e-9);
    assert!(step.terminated && info(&env, "liquidated") == 1.0);
}

#[test]
fn in_a_book_orders_take_what_rests_there() {
    for (market, yaml) in [
        ("noise", "steps: 40, interval_seconds: 2"),
        ("flow", "steps: 40, interval_seconds: 2, lot_size: 10, capital: 1000000, features: microstructure"),
        (
            "noise",
            "steps: 40, interval_seconds: 2, latency: {order: {constant: {seconds: 0.3}}, report: {constant: {seconds: 0.2}}}",
        ),
    ] {
        let text = format!(
            "env: {{name: trader, market: {market}, normalisation: null, action: lots, blocking_cycles: false, band: 0, {yaml}}}"
        );
        let config = EnvConfig::from_settings(&Settings::from_yaml(&text, "test").unwrap()).unwrap();
        let play = |env: &mut AnyEnv| {
            let mut seen = vec![0.0; env.observation_space().len()];
            env.reset(5, &mut seen).unwrap();
            let mut all = seen.clone();
            for index in 0..40u32 {
                let AnyEnv::Trader(trader) = &*env else { panic!("a trader") };
                let cash = info(trader, "cash");
                let step = env.step(Action::Continuous(&[(index % 5) as f32 / 100.0]), &mut seen);
                let AnyEnv::Trader(trader) = &*env else { panic!("a trader") };
                let traded = info(trader, "traded_units");
                assert!((info(trader, "cash") - (cash - traded * info(trader, "fill_price"))).abs() < 1e-6);
                let lots = info(trader, "position") / if yaml.contains("lot_size") { 10.0 } else { 1.0 };
                assert!((lots - lots.round()).abs() < 1e-9);
                assert_eq!(step.truncated, index == 39);
                all.extend_from_slice(&seen);
            }
            let AnyEnv::Trader(trader) = &*env else { panic!("a trader") };
            assert!(info(trader, "fills") > 5.0 && info(trader, "slippage") > 0.0);
            let sum = info(trader, "realised_profit") + info(trader, "unrealised_profit");
            assert!((info(trader, "profit") - sum).abs() < 1e-6);
            all
        };
        let mut env = AnyEnv::new(&config).unwrap();
        let first = play(&mut env);
        assert!(first.iter().all(|value| value.is_finite()));
        // The same session again, whatever was played before.
        assert_eq!(play(&mut env), first);
    }
}

#[test]
fn lots_of_any_size_are_sold_to_the_last_one() {
    // Purchases and sales of a book's lots take several prices: their sums differ by a rounding where a lot is no binary fraction.
    for (lot_size, capital, account) in [
        (0.001, 2.0, "spot"),
        (0.1, 200.0, "spot"),
        (0.3, 600.0, "spot"),
        (0.1, 200.0, "{futures: {leverage: 2, funding_rate: 0}}"),
    ] {
        let text = format!(
            "env: {{name: trader, market: flow, opening_book: live, normalisation: null, features: price, window: 1, steps: 80,
              interval_seconds: 1, blocking_cycles: false, action: lots, band: 0, lot_size: {lot_size}, capital: {capital},
              account: {account}}}"
        );
        let config = EnvConfig::from_settings(&Settings::from_yaml(&text, "test").unwrap()).unwrap();
        let AnyEnv::Trader(mut env) = AnyEnv::new(&config).unwrap() else { panic!("a trader") };
        let mut seen = vec![0.0; env.observation_space().len()];
        let mut closed = 0.0;
        for session in 0..4 {
            env.reset(session, &mut seen).unwrap();
            for index in 0..80usize {
                // Bought in three parts, sold in two, the last of which closes.
                let share = [0.3, 0.5, 1.0, 0.4, 0.0][index % 5];
                env.step(Action::Continuous(&[share]), &mut seen);
                let position = info(&env, "position");
                assert!(
                    position == 0.0 || position.abs() > 0.4 * lot_size,
                    "{lot_size} {account}: {position:e}"
                );
                let lots = position / lot_size;
                assert!((lots - lots.round()).abs() < 1e-6);
                if index % 5 == 4 {
                    assert_eq!(position, 0.0, "{lot_size} {account}");
                    assert_eq!(info(&env, "average_price"), 0.0);
                    let profit = info(&env, "profit") - info(&env, "realised_profit");
                    assert!(profit.abs() < 1e-9 * capital);
                }
            }
            closed += info(&env, "cycles");
        }
        assert!(closed > 60.0, "{lot_size} {account}: {closed} cycles");
    }
}

#[test]
fn what_is_missing_is_named() {
    let file = File::new("missing", "time,open,close\n1,1,1\n2,1,1\n3,1,1\n");
    let text = complaint(&file, "features: default");
    assert!(text.contains("volume") && text.contains("default"), "{text}");
    let text = complaint(&file, "features: defalt");
    assert!(text.contains("defalt") && text.contains("did you mean default"), "{text}");
    let features = plain_features();
    let text = complaint(&file, &format!("features: {:?}", features.0));
    assert!(text.contains("3 usable bars") || text.contains("2 rows"), "{text}");
    let whole = format!("{PLAIN}, features: {:?}, bars: {{file: {:?}, part: all}}", features.0, file.0);
    let text = complaint(&file, &whole.replace("steps: null", "steps: 900"));
    assert!(text.contains("steps is 900") && text.contains("at most 1"), "{text}");
    // An impact model without a volume would cost nothing.
    let text =
        complaint(&file, &format!("{PLAIN}, features: {:?}, impact: {{square_root: {{y: 1}}}}", features.0));
    assert!(text.contains("without volume") && text.contains("conditions.volume"), "{text}");
    let priced = format!(
        "{PLAIN}, features: {:?}, bars: {{file: {:?}, part: all}}, impact: {{square_root: {{y: 1}}}}, conditions: {{volume: 1000}}",
        features.0, file.0
    );
    make(&file, &priced);
    let fees =
        "fees: {maker_taker: {maker: {basis_points: 0}, taker: {basis_points: 0}, minimum_per_order: -1}}";
    let text = complaint(
        &file,
        &format!("{PLAIN}, features: {:?}, bars: {{file: {:?}, part: all}}, {fees}", features.0, file.0),
    );
    assert!(text.contains("fees.maker_taker.minimum_per_order is -1"), "{text}");
    let wrong = File::new("wrong", "time,close\n1,1\n1,2\n");
    let text = complaint(&wrong, &format!("{PLAIN}, features: {:?}", features.0));
    assert!(text.contains("bar 2") && text.contains("ascending"), "{text}");
    let none = EnvConfig::from_settings(
        &Settings::from_yaml("env: {name: trader, account: {futures: {leverage: 300}}}", "test").unwrap(),
    );
    assert!(none.unwrap_err().to_string().contains("leverage"));
}

#[test]
fn the_shipped_configuration_is_the_default() {
    let text = include_str!("../../config/env/trader.yaml");
    let shipped = EnvConfig::from_settings(&Settings::from_yaml(text, "trader.yaml").unwrap()).unwrap();
    assert_eq!(shipped, EnvConfig::named("trader").unwrap());
    let keys = gym::config::keys_of(&TraderConfig::default());
    let settings = Settings::from_yaml(text, "trader.yaml").unwrap().section("env").unwrap();
    assert!(keys.iter().all(|key| settings.contains_key(key)), "every key is there");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_account_balances_and_spot_never_owes(
        actions in prop::collection::vec(-1.0f32..1.2, 60),
        spot in any::<bool>(),
        blocking in any::<bool>(),
        lot in prop::option::of(0.01f64..3.0),
        fee in 0.0f64..0.02,
        y in 0.0f64..2.0,
    ) {
        let file = File::new(&format!("random_{spot}_{blocking}"), &wandering(140, None));
        let account = if spot { "spot" } else { "{futures: {leverage: 8, funding_interval_seconds: 30}}" };
        let lot = lot.map_or("null".to_owned(), |lot| lot.to_string());
        let yaml = format!("normalisation: null, window: 2, features: microstructure, action: lots, steps: 50, band: 0,
            bars: {{file: {:?}, part: all}},
            transaction_cost: {fee}, lot_size: {lot}, blocking_cycles: {blocking}, account: {account},
            impact: {{square_root: {{y: {y}, memory_seconds: 30.0}}}}", file.0);
        let settings = Settings::from_yaml(&format!("env: {{name: trader, {yaml}}}"), "test").unwrap();
        let AnyEnv::Trader(mut env) = AnyEnv::new(&EnvConfig::from_settings(&settings).unwrap()).unwrap() else {
            panic!("a trader")
        };
        let mut seen = vec![0.0; env.observation_space().len()];
        env.reset(9, &mut seen).unwrap();
        for action in actions {
            let before = (info(&env, "cash"), info(&env, "fees"), info(&env, "funding"), info(&env, "position"));
            let step = env.step(Action::Continuous(&[action]), &mut seen);
            let equity = info(&env, "cash") + info(&env, "position") * info(&env, "price");
            prop_assert!((info(&env, "equity") - equity).abs() < 1e-6);
            let parts = info(&env, "realised_profit") + info(&env, "unrealised_profit");
            prop_assert!((info(&env, "profit") - parts).abs() < 1e-6 * (1.0 + parts.abs()));
            let traded = info(&env, "traded_units");
            if info(&env, "liquidated") == 0.0 {
                let paid = traded * info(&env, "fill_price")
                    + info(&env, "fees") - before.1 + info(&env, "funding") - before.2;
                prop_assert!((before.0 - paid - info(&env, "cash")).abs() < 1e-6);
                prop_assert!((before.3 + traded - info(&env, "position")).abs() < 1e-9);
            }
            if spot {
                prop_assert!(info(&env, "cash") >= -1e-9 && info(&env, "position") >= -1e-12);
                prop_assert!(!step.terminated);
            }
            if matches!(env.session().wallet().units, units if units != 0.0) && blocking && before.3 != 0.0 {
                prop_assert!(info(&env, "position").abs() <= before.3.abs() + 1e-12);
            }
            prop_assert!(info(&env, "equity") >= 0.0);
            if step.is_last() {
                break;
            }
        }
    }
}

#[test]
fn a_wish_of_any_size_is_cut_to_what_may_be_held() {
    let file = File::new("wish", &wandering(200, None));
    let (config, market) = config(&file, "steps: 20, random_start: false");
    assert_eq!(config.account, AccountConfig::Spot);
    let mut env = Trader::new(&config, &market, Path::new("")).unwrap();
    let mut seen = vec![0.0; env.observation_space().len()];
    env.reset(0, &mut seen).unwrap();
    env.play(Wish::Trade(1e12), &mut seen);
    assert!(info(&env, "cash") < 1e-6 && info(&env, "cash") >= 0.0);
    env.play(Wish::Trade(-1e12), &mut seen);
    assert_eq!(info(&env, "position"), 0.0);
    env.play(Wish::Trade(-5.0), &mut seen);
    assert_eq!(info(&env, "fills"), 2.0);
    let _ = make(&file, "steps: 5");
}

#[test]
fn a_path_alone_is_a_file_of_bars() {
    let read = |bars: &str| {
        let text = format!("env: {{name: trader, bars: {bars}}}");
        EnvConfig::from_settings(&Settings::from_yaml(&text, "test").unwrap())
    };
    let short = read("some/bars.csv").unwrap();
    assert_eq!(short, read("{file: some/bars.csv}").unwrap());
    let gym::config::Task::Trader(config) = &short.task else { panic!("a trader") };
    assert_eq!(config.bars, Some(BarsSource { file: "some/bars.csv".into(), ..BarsSource::default() }));
    // What is recorded of it is read again.
    assert_eq!(EnvConfig::from_map(&short.to_map(), Path::new(""), "env").unwrap(), short);
    for (bars, wanted) in [
        ("7", "env.bars is 7; legal: the path of a file, a map as in {file: bars.csv, part: test}, or null"),
        ("''", "env.bars.file is \"\"; legal: the path of a file"),
        ("{file: x.csv, part: tests}", "env.bars.part is \"tests\"; legal: one of all, train, test"),
        ("{file: x.csv, train_share: 0}", "env.bars.train_share is 0; legal: a number above 0, at most 1"),
        ("{fil: x.csv}", "env.bars.fil"),
    ] {
        let error = read(bars).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
}

#[test]
fn a_position_that_turns_begins_its_age_anew() {
    let file = File::new("age", &wandering(200, None));
    let yaml = "action: lots, blocking_cycles: false, band: 0, steps: 20, random_start: false, account: {futures: {}}";
    let mut env = make(&file, yaml);
    let mut seen = vec![0.0; env.observation_space().len()];
    env.reset(0, &mut seen).unwrap();
    let mut ages = Vec::new();
    for share in [0.5, 0.5, 0.6, -0.5, -0.5, 0.0, 0.3] {
        env.step(Action::Continuous(&[share]), &mut seen);
        ages.push(env.session().age());
    }
    assert_eq!(ages, [1, 2, 3, 1, 2, 0, 1]);
}
