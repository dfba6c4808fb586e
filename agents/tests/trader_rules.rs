//! Lowrider and its companions: what each purchase and sale may be, on prices of all kinds.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::path::Path;

use agents::trader::{Lowrider, LowriderSettings, TraderEntrant};
use gym::config::Task;
use gym::envs::Trader;
use gym::envs::trader::Wish;
use gym::{Env, EnvConfig, Settings};
use proptest::prelude::*;

/// A trader on bars without gaps: each opens at the close before.
fn on(prices: &[f64], name: &str, account: &str, cost: f64) -> Trader {
    let path = std::env::temp_dir().join(format!("lobgym_rules_{}_{name}.csv", std::process::id()));
    let mut text = String::from("time,close\n");
    for (index, price) in prices.iter().enumerate() {
        text += &format!("{},{price}\n", 1_700_000_000 + 60 * index);
    }
    std::fs::write(&path, text).unwrap();
    let yaml = format!(
        "env: {{name: trader, bars: {{file: {path:?}, part: all}}, features: price, normalisation: null, window: 1, steps: null, \
         random_start: false, account: {account}, transaction_cost: {cost}}}"
    );
    let env = EnvConfig::from_settings(&Settings::from_yaml(&yaml, "test").unwrap()).unwrap();
    let Task::Trader(config) = &env.task else { panic!("a trader") };
    let trader = Trader::new(config, &env.market, Path::new("")).unwrap();
    std::fs::remove_file(&path).unwrap();
    trader
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_lowrider_buys_as_it_is_told_and_sells_at_a_profit_alone(
        steps in prop::collection::vec(-0.02f64..0.02, 150),
        reluctance in 1.0f64..30.0,
        first in 0.05f64..1.0,
        growth in 1.0f64..3.0,
        spacing in 0.0f64..0.02,
        profit in 0.0f64..0.01,
        cost in 0.0f64..0.005,
    ) {
        let mut prices = vec![100.0];
        for step in steps {
            prices.push(prices[prices.len() - 1] * (1.0 + step));
        }
        let mut env = on(&prices, "lowrider", "spot", cost);
        let settings = LowriderSettings { reluctance, first, growth, spacing, spacing_growth: 1.0, profit };
        let entrant = TraderEntrant::Lowrider { settings, policy: None };
        let mut mind = entrant.mind(env.observation_space(), env.action_space()).unwrap();
        let mut seen = vec![0.0; env.observation_space().len()];
        env.reset(0, &mut seen).unwrap();
        mind.start(0);
        let (mut wallet_at_start, mut last, mut won) = (0.0, 0.0, 0);
        loop {
            let session = env.session();
            let wish = mind.decide(session, &seen).wish;
            let (open, price) = (session.wallet().is_open(), session.price());
            match wish {
                Wish::Trade(money) => {
                    if !open {
                        wallet_at_start = session.equity();
                        prop_assert!((money - first * wallet_at_start / reluctance).abs() < 1e-9 * money);
                    } else {
                        // Only below the last purchase, and never more than the largest.
                        prop_assert!(price <= last * (1.0 - spacing) + 1e-9);
                    }
                    prop_assert!(money <= wallet_at_start / reluctance * (1.0 + 1e-12));
                }
                Wish::Close => {
                    let brings = session.wallet().units * price * (1.0 - cost);
                    let paid = -session.wallet().flow;
                    prop_assert!(brings >= paid * (1.0 + profit) * (1.0 - 1e-9));
                    won += 1;
                }
                Wish::Hold => {}
            }
            let fills = session.wallet().fills;
            let step = env.play(wish, &mut seen);
            if matches!(wish, Wish::Trade(_)) && env.session().wallet().fills > fills {
                // One that there was no money for is none.
                last = price;
            }
            if wish == Wish::Close {
                // Without gaps it is filled at the price at which it was decided.
                prop_assert!(env.session().wallet().realised > -1e-9);
            }
            if step.is_last() {
                break;
            }
        }
        // What is exactly even, without a profit to be made, is not counted as won.
        let wallet = env.session().wallet();
        prop_assert!(wallet.won <= won && (profit < 1e-6 || wallet.won == won));
    }
}

#[test]
fn realised_profit_hides_what_a_crash_leaves_open() {
    let mut prices: Vec<f64> = (0..60).map(|step| 100.0 + (f64::from(step) * 1.3).sin()).collect();
    prices.extend((1..60).map(|step| 100.0 - f64::from(step)));
    let mut env = on(&prices, "crash", "spot", 0.0);
    let mut mind = "lowrider:reluctance=5".parse::<TraderEntrant>().unwrap();
    if let TraderEntrant::Lowrider { settings, .. } = &mut mind {
        settings.spacing_growth = 1.0;
    }
    let mut mind = mind.mind(env.observation_space(), env.action_space()).unwrap();
    let mut seen = vec![0.0; env.observation_space().len()];
    env.reset(0, &mut seen).unwrap();
    mind.start(0);
    loop {
        let wish = mind.decide(env.session(), &seen).wish;
        if env.play(wish, &mut seen).is_last() {
            break;
        }
    }
    let session = env.session();
    assert!(session.wallet().realised > 0.0 && session.unrealised() < -0.2 * session.capital());
    assert!(session.equity() < 0.85 * session.capital() && session.wallet().is_open());
    assert!(session.wallet().cash < 0.01 * session.equity(), "nothing is left to buy with");
    assert!(session.steps_under_water() > 50 && session.max_drawdown() > 0.2);
}

#[test]
fn buying_and_holding_earns_what_the_price_does() {
    let prices: Vec<f64> = (0..80).map(|step| 100.0 * (1.0f64 + 0.001).powi(step)).collect();
    for (account, cost) in [("spot", 0.0), ("spot", 0.002), ("{futures: {funding_rate: 0}}", 0.0)] {
        let mut env = on(&prices, "hold", account, cost);
        let mut mind = TraderEntrant::BuyAndHold.mind(env.observation_space(), env.action_space()).unwrap();
        let mut seen = vec![0.0; env.observation_space().len()];
        env.reset(0, &mut seen).unwrap();
        mind.start(0);
        let first = env.session().price();
        loop {
            let wish = mind.decide(env.session(), &seen).wish;
            if env.play(wish, &mut seen).is_last() {
                break;
            }
        }
        let wanted = env.session().price() / first / (1.0 + cost);
        let found = env.session().equity() / env.session().capital();
        assert!((found / wanted - 1.0).abs() < 1e-9, "{account} {cost}: {found} {wanted}");
        assert_eq!(env.session().wallet().fills, 1);
    }
}

/// Plays an entrant to the end.
fn play_out(env: &mut Trader, entrant: &TraderEntrant) {
    let mut mind = entrant.mind(env.observation_space(), env.action_space()).unwrap();
    let mut seen = vec![0.0; env.observation_space().len()];
    env.reset(0, &mut seen).unwrap();
    mind.start(0);
    loop {
        let wish = mind.decide(env.session(), &seen).wish;
        if env.play(wish, &mut seen).is_last() {
            break;
        }
    }
}

#[test]
fn a_future_is_sold_once_it_has_earned_its_fundings_too() {
    let prices: Vec<f64> = (0..600).map(|step| 100.0 + 0.6 * (f64::from(step) * 0.05).sin()).collect();
    for rate in [0.0, 0.001, -0.001] {
        let account = format!("{{futures: {{funding_rate: {rate}, funding_interval_seconds: 1800}}}}");
        let mut env = on(&prices, &format!("funding{rate}"), &account, 0.0);
        play_out(&mut env, &"lowrider".parse().unwrap());
        let wallet = env.session().wallet();
        let closed = wallet.cycles - u64::from(wallet.is_open());
        assert!(closed >= 2 && (rate == 0.0) == (wallet.funding == 0.0), "{rate}: {closed}");
        assert_eq!(wallet.won, closed, "{rate}: every cycle that was sold brought a profit");
    }
}

#[test]
fn a_purchase_that_was_not_filled_is_asked_for_again_as_it_was() {
    let prices: Vec<f64> = (0..120).map(|step| 100.0 * (1.0f64 - 0.004).powi(step)).collect();
    let mut env = on(&prices, "retry", "spot", 0.0);
    let mut seen = vec![0.0; env.observation_space().len()];
    env.reset(0, &mut seen).unwrap();
    let settings = LowriderSettings { spacing_growth: 1.0, ..LowriderSettings::default() };
    let mut rule = Lowrider::new(settings).unwrap();
    let first = settings.first * env.session().equity() / settings.reluctance;
    let mut bought = Vec::new();
    // The scale is a policy's probability of buying: now and then it is nothing.
    for scale in [1.0, 0.0, 0.0, 1.0, 0.0, 1.0] {
        let fills = env.session().wallet().fills;
        let Wish::Trade(money) = rule.decide(env.session(), scale) else { panic!("the price has fallen") };
        env.play(Wish::Trade(money), &mut seen);
        if env.session().wallet().fills > fills {
            bought.push(money / first);
        }
    }
    assert!(bought.len() == 3, "{bought:?}");
    for (found, wanted) in bought.iter().zip([1.0, 1.5, 2.25]) {
        assert!((found - wanted).abs() < 1e-9, "{bought:?}");
    }
}
