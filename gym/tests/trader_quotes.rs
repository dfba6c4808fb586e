//! What bars without a trade, without volume or without a quote are worth: nobody trades at a price that nobody offers.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::path::{Path, PathBuf};

use gym::envs::trader::{LiveTrader, Trader, TraderConfig, Wish};
use gym::{Env, EnvConfig, MarketSettings, Settings};

/// A file that is gone with the test.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("lobgym_quotes_{}_{name}.csv", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn config(file: &File, yaml: &str) -> Result<(TraderConfig, MarketSettings), gym::ConfigError> {
    let text = format!(
        "env: {{name: trader, bars: {{file: {:?}, part: all}}, features: price, normalisation: null, window: 1, steps: null,
          random_start: false, capital: 1000, {yaml}}}",
        file.0
    );
    let env = EnvConfig::from_settings(&Settings::from_yaml(&text, "test").unwrap())?;
    let gym::config::Task::Trader(config) = env.task else { panic!("a trader") };
    Ok((config, env.market))
}

/// At its first decision, which comes after the first bar that the features are there for.
fn begun(file: &File, yaml: &str) -> (Trader, Vec<f32>) {
    let (config, market) = config(file, yaml).unwrap();
    let mut env = Trader::new(&config, &market, Path::new("")).unwrap();
    let mut seen = vec![0.0; env.observation_space().len()];
    env.reset(0, &mut seen).unwrap();
    (env, seen)
}

/// Bars before the first decision, all alike: a price of 100 and these further cells.
fn before(header: &str, cells: &str) -> (String, usize) {
    let mut text = format!("{header}\n");
    for index in 0..64 {
        text += &format!("{},{cells}\n", 1_000_000_000 + 10 * index);
    }
    (text, 64)
}

/// The environment's decisions begin before the bars that a test is about: passes them.
fn wait(env: &mut Trader, seen: &mut [f32], bars: usize) {
    while env.index() + 1 < bars {
        env.play(Wish::Hold, seen);
    }
}

fn quoted(rows: &[&str]) -> (File, usize) {
    let (mut text, bars) = before("time,open,close,volume,bid,ask", "100,100,5,99,101");
    for (index, row) in rows.iter().enumerate() {
        text += &format!("{},{row}\n", 1_000_000_000 + 10 * (bars + index));
    }
    let name = format!(
        "{:x}",
        rows.iter()
            .flat_map(|row| row.bytes())
            .fold(7u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte))
    );
    (File::new(&name, &text), bars)
}

#[test]
fn orders_in_a_bar_without_a_trade_are_filled_at_the_quote_that_was_known() {
    // The last trade was at 100; the quote has gone to 109 and 111 and nobody has traded there.
    for empty in [",,,109,111", "100,100,0,109,111"] {
        let (file, bars) = quoted(&[empty, empty, empty, empty]);
        let (mut env, mut seen) = begun(&file, "");
        wait(&mut env, &mut seen, bars + 1);
        assert_eq!(env.session().price(), 110.0);
        env.play(Wish::Trade(500.0), &mut seen);
        let filled = env.session().moment().filled;
        assert_eq!((filled.price, filled.units), (111.0, 500.0 / 111.0));
        assert!((filled.slippage - 500.0 / 111.0).abs() < 1e-12);
        // Valued at the middle of the quote, not at the trade of long ago.
        assert!((env.session().equity() - (500.0 + 500.0 / 111.0 * 110.0)).abs() < 1e-9);
        env.play(Wish::Close, &mut seen);
        assert_eq!(env.session().moment().filled.price, 109.0);
        assert!(env.session().equity() < 1000.0);
    }
}

#[test]
fn no_rule_earns_by_trading_at_prices_that_are_gone() {
    // Each trade comes two bars after the quote has gone there: buying "at the last trade" once the quote is above it would be a gift.
    let cycle = [",,,104,106", ",,,104,106", "105,105,5,104,106", ",,,94,96", ",,,94,96", "95,95,5,94,96"];
    let rows: Vec<&str> = (0..120).map(|index| cycle[index % 6]).collect();
    let (file, bars) = quoted(&rows);
    let (mut env, mut seen) = begun(&file, "");
    wait(&mut env, &mut seen, bars);
    loop {
        let tick = env.session().bar().tick;
        let middle = (tick.bid_price + tick.ask_price) / 2.0;
        let wish = match middle > tick.close {
            true if !env.session().wallet().is_open() => Wish::Trade(1e9),
            false => Wish::Close,
            _ => Wish::Hold,
        };
        if env.play(wish, &mut seen).is_last() {
            break;
        }
    }
    assert!(env.session().wallet().fills > 30);
    assert!(env.session().equity() < 1000.0, "{}", env.session().equity());
}

#[test]
fn no_fill_in_a_bar_with_trades_is_better_than_both_quotes_around_it() {
    for (bar, bought, sold) in [
        // The first trade is below what is asked before and after: the lower one is paid. A sale there is worth what it says.
        ("90,100,5,98,100", 100.0, 89.0),
        // The first trade is above both: it is where the market was.
        ("110,100,5,98,100", 111.0, 99.0),
        // Between them it holds, half the known spread away.
        ("100,100,5,99,101", 101.0, 99.0),
        // Without a quote of its own there is none to be held against.
        ("90,100,5,,", 91.0, 89.0),
    ] {
        for (wish, wanted) in [(Wish::Trade(100.0), bought), (Wish::Trade(-100.0), sold)] {
            let (file, bars) = quoted(&[bar, "100,100,5,98,100"]);
            let yaml = "account: {futures: {funding_rate: 0}}";
            let (mut env, mut seen) = begun(&file, yaml);
            wait(&mut env, &mut seen, bars);
            env.play(wish, &mut seen);
            assert_eq!(env.session().moment().filled.price, wanted, "{bar} {wish:?}");
        }
    }
}

#[test]
fn a_future_is_liquidated_by_quotes_and_not_by_a_price_of_long_ago() {
    // Bought at 111 with a leverage of 5; at the stale 100 half of the money is gone, at 95 all of it.
    let (file, bars) = quoted(&[",,,109,111", ",,,109,111", ",,,109,111", ",,,84,86", ",,,84,86"]);
    let yaml = "account: {futures: {leverage: 9, maintenance_margin: 0.01, funding_rate: 0}}";
    let (mut env, mut seen) = begun(&file, yaml);
    wait(&mut env, &mut seen, bars + 1);
    env.play(Wish::Trade(1e9), &mut seen);
    env.play(Wish::Hold, &mut seen);
    assert!(!env.session().moment().liquidated);
    assert!(env.play(Wish::Hold, &mut seen).terminated);
}

#[test]
fn a_session_that_ends_sells_at_the_quote() {
    let (file, bars) = quoted(&["100,100,5,99,101", ",,,79,81"]);
    let (config, market) = config(&file, "").unwrap();
    let mut live = LiveTrader::new(&config, &market, 10.0, Path::new("")).unwrap();
    let all = live.columns().clone().read(Path::new("")).unwrap();
    for (index, raw) in all.iter().enumerate() {
        live.bar(if index == bars { Wish::Trade(505.0) } else { Wish::Hold }, raw).unwrap();
    }
    assert_eq!(live.session().wallet().units, 5.0);
    assert_eq!(live.session().price(), 80.0);
    live.fill_now(Wish::Close);
    assert_eq!(live.session().moment().filled.price, 79.0);
}

#[test]
fn what_nobody_trades_cannot_be_traded_for_nothing() {
    let impact = "impact: {square_root: {y: 1.0}}";
    // A file that says that nothing is ever traded is refused, one that says less than nothing too.
    let (text, _) = before("time,close,volume", "100,0");
    let text = text + "2000000000,101,0\n";
    let file = File::new("nothing", &text);
    let (config_, market) = config(&file, impact).unwrap();
    let error = Trader::new(&config_, &market, Path::new("")).unwrap_err().to_string();
    assert!(error.contains("without volume") && error.contains("conditions.volume"), "{error}");
    let file = File::new("less", &text.replace(",0\n", ",-5\n"));
    let (config_, market) = config(&file, impact).unwrap();
    let error = Trader::new(&config_, &market, Path::new("")).unwrap_err().to_string();
    assert!(error.contains("volume is -5"), "{error}");
    // Bars without a trade make the market thinner and trading dearer; before the first trade nothing can be bought.
    let mut costs = Vec::new();
    for quiet in [0, 15, 30] {
        let mut text = String::from("time,close,volume\n");
        for index in 0..140 {
            let volume = if index < 64 || (index >= 100 - quiet && index < 100) { 0 } else { 100 };
            text += &format!("{},{},{volume}\n", 1_000_000_000 + 10 * index, 100 + index % 2);
        }
        let file = File::new(&format!("quiet{quiet}"), &text);
        let (mut env, mut seen) = begun(&file, impact);
        env.play(Wish::Trade(100.0), &mut seen);
        assert!(env.index() < 60 && env.session().wallet().fills == 0, "nobody has traded yet");
        wait(&mut env, &mut seen, 100);
        env.play(Wish::Trade(100.0), &mut seen);
        let filled = env.session().moment().filled;
        costs.push(filled.slippage / filled.units);
    }
    assert!(costs[0] > 0.0 && costs[0] < costs[1] && costs[1] < costs[2], "{costs:?}");
}

#[test]
fn a_funding_rate_holds_until_another_one_is_said() {
    let text = |sparse: bool| {
        let mut text = String::from("time,close,funding_rate\n");
        for index in 0..300 {
            let rate = if sparse && index % 50 != 0 { "" } else { "0.001" };
            text += &format!("{},100,{rate}\n", 1_000_000_000 + 10 * index);
        }
        text
    };
    let paid = [true, false].map(|sparse| {
        let file = File::new(&format!("funding{sparse}"), &text(sparse));
        let yaml = "account: {futures: {leverage: 1, funding_rate: 0, funding_interval_seconds: 100}}";
        let (mut env, mut seen) = begun(&file, yaml);
        env.play(Wish::Trade(500.0), &mut seen);
        while !env.play(Wish::Hold, &mut seen).is_last() {}
        env.session().wallet().funding
    });
    assert!(paid[0] > 5.0 && paid[0] == paid[1], "{paid:?}");
}

#[test]
fn bars_before_the_first_quote_are_left_out_as_they_come_too() {
    let mut text = String::from("time,close,volume,bid,bid_size,ask,ask_size\n");
    for index in 0..200 {
        let close = 100.0 + f64::from(index % 7);
        let quote = if index < 3 { ",,,".to_owned() } else { format!("{},2,{},3", close - 0.5, close + 0.5) };
        text += &format!("{},{close},5,{quote}\n", 1_000_000_000 + 10 * index);
    }
    let file = File::new("late", &text);
    let (mut config, market) = config(&file, "").unwrap();
    config.features = "microstructure".into();
    let mut env = Trader::new(&config, &market, Path::new("")).unwrap();
    let mut live = LiveTrader::new(&config, &market, 10.0, Path::new("")).unwrap();
    let (mut seen, mut live_seen) =
        (vec![0.0; env.observation_space().len()], vec![0.0; env.observation_space().len()]);
    env.reset(0, &mut seen).unwrap();
    let mut compared = 0;
    for (index, raw) in live.columns().clone().read(Path::new("")).unwrap().iter().enumerate() {
        let stepped = live.bar(Wish::Hold, raw).unwrap();
        assert_eq!(live.lacking(), (index < 3).then_some("bid_size"));
        if stepped.is_none() && live.bars_missing() > 0 {
            continue;
        }
        if stepped.is_some() {
            env.play(Wish::Hold, &mut seen);
        }
        live.session().observe(&mut live_seen);
        assert_eq!(seen, live_seen);
        compared += 1;
    }
    assert!(compared > 100);
}

#[test]
fn a_minimum_fee_is_paid_and_what_is_left_is_spent() {
    let (text, bars) = before("time,close", "100");
    let file = File::new("minimum", &format!("{text}2000000000,100\n2000000010,100\n"));
    for minimum in [1.0f64, 30.0, 50.0, 400.0, 990.0, 1000.0, 2000.0] {
        let yaml = format!(
            "fees: {{maker_taker: {{maker: {{basis_points: 0}}, taker: {{basis_points: 1}}, minimum_per_order: {minimum}}}}}"
        );
        let (mut env, mut seen) = begun(&file, &yaml);
        wait(&mut env, &mut seen, bars);
        env.play(Wish::Trade(1e9), &mut seen);
        let wallet = env.session().wallet();
        let units = f64::max((1000.0 - minimum) / 100.0, 0.0);
        assert!((wallet.units - units).abs() < 1e-9, "{minimum}: {}", wallet.units);
        assert!(wallet.cash >= 0.0);
    }
}

#[test]
fn a_bar_of_a_book_is_a_day_at_most() {
    for interval in ["1e9", "1e-9", "86401"] {
        let text = format!("env: {{name: trader, market: flow, interval_seconds: {interval}}}");
        let error =
            EnvConfig::from_settings(&Settings::from_yaml(&text, "test").unwrap()).unwrap_err().to_string();
        assert!(error.contains("interval_seconds") && error.contains("86,400"), "{error}");
    }
}
