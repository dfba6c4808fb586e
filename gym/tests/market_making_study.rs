//! Simple quotes in the reference markets against a study made elsewhere. Minutes: `cargo test --release -p gym --test
//! market_making_study -- --ignored --nocapture`.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use gym::envs::{MarketMaking, MarketMakingConfig};
use gym::{Env, MarketSettings, Quotes};
use lob::sim::derive_seed;

/// Where the quotes go: offsets of bid and ask from the mid.
type Offsets = fn(&MarketMaking) -> [f64; 2];

struct Row {
    name: &'static str,
    market: &'static str,
    lots: u64,
    offsets: Offsets,
    /// Mean and deviation of the episode's profit, mean absolute inventory.
    expected: [f64; 3],
}

/// round(4 inventory / limit), halves to even.
fn skew(env: &MarketMaking) -> f64 {
    (4.0 * env.inventory_lots() as f64 / env.limit_lots() as f64).round_ties_even()
}

fn half_spread(env: &MarketMaking) -> f64 {
    let [bid, ask] = env.bests();
    bid.zip(ask).map_or(1.0, |(bid, ask)| (ask.0 - bid.0) as f64 / 2.0)
}

const ROWS: [Row; 5] = [
    Row {
        name: "flow, join, 1 lot",
        market: "flow",
        lots: 1,
        offsets: |env| [half_spread(env); 2],
        expected: [20.0, 12.0, 4.0],
    },
    Row {
        name: "flow, join, 5 lots, skew",
        market: "flow",
        lots: 5,
        offsets: |env| [half_spread(env) + skew(env).max(0.0), half_spread(env) + (-skew(env)).max(0.0)],
        expected: [51.0, 19.0, 2.5],
    },
    Row {
        name: "flow, mid + 1/2 tick, 5 lots",
        market: "flow",
        lots: 5,
        offsets: |_| [0.5; 2],
        expected: [84.0, 28.0, 5.8],
    },
    Row {
        name: "flow, mid + 1 tick, 2 lots, skew",
        market: "flow",
        lots: 2,
        offsets: |env| [1.0 + skew(env) / 2.0, 1.0 - skew(env) / 2.0],
        expected: [36.0, 9.8, 1.1],
    },
    Row {
        name: "noise, join, 5 lots, skew",
        market: "noise",
        lots: 5,
        offsets: |env| [half_spread(env) + skew(env).max(0.0), half_spread(env) + (-skew(env)).max(0.0)],
        expected: [75.0, 20.0, 2.4],
    },
];

#[test]
#[ignore = "minutes; prints a table"]
fn simple_quotes_earn_what_the_study_found() {
    let episodes = 400;
    for row in &ROWS {
        let config = MarketMakingConfig {
            min_offset_ticks: -20.0,
            max_offset_ticks: 20.0,
            max_quote_lots: row.lots,
            ..MarketMakingConfig::default()
        };
        let market = MarketSettings { market: row.market.into(), ..MarketSettings::default() };
        let mut env = MarketMaking::new(&config, &market.resolve("".as_ref()).unwrap()).unwrap();
        let mut seen = vec![0.0; env.observation_space().len()];
        let (mut sum, mut squares, mut held, mut fills, mut lots) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for episode in 0..episodes {
            env.reset(derive_seed(2, episode), &mut seen).unwrap();
            for _ in 0..config.steps {
                let quotes = Quotes { offset: (row.offsets)(&env), lots: [row.lots; 2] };
                let action = env.action().action(&quotes);
                env.step(action.as_action(), &mut seen);
                held += env.inventory_lots().abs() as f64;
                fills +=
                    env.fills().iter().filter(|f| f.fill.liquidity == lob::models::Liquidity::Maker).count()
                        as f64;
                lots += env.fills().iter().map(|fill| fill.fill.quantity.0 as f64).sum::<f64>();
            }
            sum += env.profit();
            squares += env.profit() * env.profit();
        }
        let n = episodes as f64;
        let mean = sum / n;
        let deviation = (squares / n - mean * mean).sqrt();
        let held = held / n / config.steps as f64;
        println!(
            "{:34} profit {mean:6.1} / {deviation:5.1} ({:?}) inventory {held:.2} fills {:.0} lots {:.0}",
            row.name,
            row.expected,
            fills / n,
            lots / n
        );
        let [expected, spread, inventory] = row.expected;
        // Four standard errors, and what rounding in the table leaves open.
        assert!((mean - expected).abs() < 4.0 * deviation / n.sqrt() + 0.5, "{}: {mean}", row.name);
        assert!((deviation / spread - 1.0).abs() < 0.15, "{}: {deviation}", row.name);
        assert!((held - inventory).abs() < 0.25, "{}: {held}", row.name);
    }
}
