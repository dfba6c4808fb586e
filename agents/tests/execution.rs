//! The execution task against the published figures, and the strategies against what they promise.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use agents::baselines::{StrategyFactory, StrategyName, StrategyParams};
use agents::evaluate::{Comparison, Lineup};
use agents::execution::{Arena, Candidate, Outcome, Play, Player, Task};
use agents::report::Cell;
use lob::Side;
use lob::flow::MarketConfig;
use lob::models::{FeeConfig, FeeRate};
use lob::sim::{Delay, LatencyConfig};

const SEED: u64 = 20_260_101;

fn market(name: &str) -> MarketConfig {
    MarketConfig::preset(name).expect("a preset")
}

struct Setting {
    market: MarketConfig,
    tasks: Vec<Task>,
    strategies: Vec<StrategyName>,
    episodes: usize,
    threads: usize,
}

impl Setting {
    fn new(name: &str, lots: &[u64], strategies: &[StrategyName], episodes: usize) -> Self {
        let tasks = lots.iter().map(|&lots| Task { lots, ..Task::default() }).collect();
        Self { market: market(name), tasks, strategies: strategies.to_vec(), episodes, threads: 2 }
    }

    fn cells(&self) -> Vec<Cell> {
        let latency = self.market.latency.compile("").expect("the latency is legal");
        let wants_ac = self.strategies.contains(&StrategyName::Ac);
        let factory = StrategyFactory::new(&self.market.flow, StrategyParams::default(), 15.0, wants_ac)
            .expect("the defaults are legal");
        let candidates: Vec<Candidate> = self.strategies.iter().map(|&name| name.into()).collect();
        let lineup = |&task: &Task| Lineup { task, candidates: candidates.clone() };
        let lineups: Vec<Lineup> = self.tasks.iter().map(lineup).collect();
        let comparison = Comparison {
            name: self.market.flow.name(),
            market: &self.market,
            latency: &latency,
            lineups: &lineups,
            against: "twap",
            factory: &factory,
            episodes: self.episodes,
            seed: SEED,
            threads: self.threads,
        };
        let outcomes = comparison.run(&AtomicBool::new(false), &|_| {}).expect("the sessions run");
        assert_eq!(outcomes.episodes(), self.episodes);
        comparison.summarise(&outcomes)
    }
}

/// (market, lots, mean and deviation of SL, of TWAP): Cheridito & Weiss (arXiv 2507.06345), 10,000 episodes a cell.
const PUBLISHED: [(&str, u64, [f64; 2], [f64; 2]); 4] = [
    ("noise", 20, [0.52, 1.19], [-0.06, 0.94]),
    ("noise", 60, [-1.09, 1.34], [-1.40, 0.98]),
    ("flow", 20, [0.10, 1.43], [0.48, 0.68]),
    ("strategic", 20, [-1.64, 2.95], [-0.36, 3.03]),
];

#[test]
fn sl_and_twap_agree_with_the_published_table() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/noise_65.npz");
    if !file.exists() {
        eprintln!("skipped: the reference's order-flow file is not there ({})", file.display());
        return;
    }
    const EPISODES: usize = 1500;
    for (name, lots, sl, twap) in PUBLISHED {
        let mut setting = Setting::new(name, &[lots], &[StrategyName::Sl, StrategyName::Twap], EPISODES);
        setting.market.flow = setting.market.flow.with_file(&file).expect("the reference's file is legal");
        let cells = setting.cells();
        for (summary, [mean, deviation]) in cells[0].strategies.iter().zip([sl, twap]) {
            let error = deviation * (1.0 / EPISODES as f64 + 1.0 / 10_000.0).sqrt();
            // Four errors and the rounding of the print: of eight figures none may fall outside by chance.
            let distance = (summary.reward_mean - mean).abs();
            assert!(distance < 4.0 * error + 0.005, "{name} {lots} {}: {summary:?}", summary.name);
            // A standard deviation's own relative error is 1.8% here.
            let ratio = summary.reward_std / deviation;
            assert!((ratio - 1.0).abs() < 0.08, "{name} {lots} {}: {summary:?}", summary.name);
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let mut setting = Setting::new("strategic", &[20], &[StrategyName::Twap, StrategyName::Pov], 100);
    let two = setting.cells();
    setting.threads = 1;
    assert_eq!(setting.cells(), two);
    setting.threads = 5;
    assert_eq!(setting.cells(), two);
}

#[test]
fn a_purchase_mirrors_a_sale() {
    let strategies = [
        StrategyName::Sl,
        StrategyName::Twap,
        StrategyName::TwapSchedule,
        StrategyName::Pov,
        StrategyName::Market,
    ];
    for name in ["noise", "flow"] {
        let mut setting = Setting::new(name, &[20], &strategies, 600);
        let sale = setting.cells();
        setting.tasks[0].side = Side::Buy;
        let purchase = setting.cells();
        for (sale, purchase) in sale[0].strategies.iter().zip(&purchase[0].strategies) {
            // The market is symmetric, so the figures differ by chance alone: different fills in the same sessions.
            let error = sale.reward_se.hypot(purchase.reward_se);
            let difference = (sale.reward_mean - purchase.reward_mean).abs();
            assert!(difference < 4.0 * error, "{name}: {sale:?} {purchase:?}");
            assert!(
                (sale.reward_std / purchase.reward_std - 1.0).abs() < 0.2,
                "{name}: {sale:?} {purchase:?}"
            );
        }
    }
}

fn outcomes(market: &MarketConfig, task: Task, names: &[StrategyName], seeds: u64) -> Vec<Outcome> {
    let latency = market.latency.compile("").expect("the latency is legal");
    let factory = StrategyFactory::new(&market.flow, StrategyParams::default(), 15.0, true).expect("legal");
    let play =
        |&name: &StrategyName| Play { task, player: Player::Strategy(factory.make(name).expect("legal")) };
    let mut plays: Vec<Play> = names.iter().map(play).collect();
    let mut arena = Arena::new(&market.flow, market.fees, latency).expect("legal");
    let mut outcomes = Vec::new();
    for seed in 0..seeds {
        arena.run_all(&mut plays, seed, &mut outcomes).expect("the session runs");
    }
    outcomes
}

const ALL: [StrategyName; 7] = [
    StrategyName::Sl,
    StrategyName::Twap,
    StrategyName::Market,
    StrategyName::TwapSchedule,
    StrategyName::Vwap,
    StrategyName::Pov,
    StrategyName::Ac,
];

#[test]
fn everything_is_traded_and_the_shortfall_adds_up() {
    for name in ["noise", "flow", "strategic"] {
        for side in Side::BOTH {
            let task = Task { side, lots: 60, ..Task::default() };
            for outcome in outcomes(&market(name), task, &ALL, 20) {
                assert!((outcome.passive + outcome.aggressive - 1.0).abs() < 1e-12, "{outcome:?}");
                let parts = outcome.spread + outcome.impact + outcome.timing + outcome.fees;
                assert!((outcome.shortfall - parts).abs() < 1e-9, "{outcome:?}");
                // Reward and shortfall are the same money from two reference prices, half a spread apart at arrival.
                let half_spread = outcome.reward + outcome.shortfall;
                let half_ticks = half_spread * 2.0;
                assert!(half_ticks > 0.5 && (half_ticks - half_ticks.round()).abs() < 1e-9, "{outcome:?}");
                assert!(outcome.completion_seconds <= 150.0, "{outcome:?}");
                assert!(outcome.participation > 0.0 && outcome.participation <= 1.0, "{outcome:?}");
            }
        }
    }
}

#[test]
fn a_market_order_has_no_timing_cost_and_walks_the_book() {
    for outcome in outcomes(&market("noise"), Task::default(), &[StrategyName::Market], 50) {
        assert_eq!((outcome.timing, outcome.aggressive, outcome.completion_seconds), (0.0, 1.0, 0.0));
        assert!(outcome.spread > 0.0 && outcome.impact > 0.0, "{outcome:?}");
    }
}

#[test]
fn vwap_is_twap_in_a_flat_market_and_differs_with_a_time_of_day() {
    let pair = [StrategyName::TwapSchedule, StrategyName::Vwap];
    let task = Task { lots: 60, ..Task::default() };
    let flat = outcomes(&market("flow"), task, &pair, 10);
    assert!(flat.chunks(2).all(|pair| pair[0] == pair[1]));
    let mut busy = market("flow_u_shape");
    // The shipped profile has the length of a trading day; within the task's 150 s only its beginning is seen. One of 150 s shows all of it.
    if let lob::flow::FlowConfig::Tactical(params) = &mut busy.flow {
        params.profile = lob::flow::Profile::PiecewiseConstant {
            period_seconds: 150.0,
            normalised: true,
            times: vec![0.0, 50.0, 100.0],
            multipliers: vec![2.0, 0.5, 2.0],
        };
    }
    let shaped = outcomes(&busy, task, &pair, 10);
    assert!(shaped.chunks(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn fees_are_charged_and_reported() {
    let mut costly = market("noise");
    costly.fees = FeeConfig::MakerTaker {
        maker: FeeRate::PerLot(-0.25),
        taker: FeeRate::PerLot(0.5),
        minimum_per_order: None,
    };
    let free = outcomes(&market("noise"), Task::default(), &ALL, 10);
    let charged = outcomes(&costly, Task::default(), &ALL, 10);
    for (free, charged) in free.iter().zip(&charged) {
        let fees = -0.25 * free.passive + 0.5 * free.aggressive;
        assert!((charged.fees - fees).abs() < 1e-12);
        assert!((free.reward - charged.reward - fees).abs() < 1e-9);
    }
}

#[test]
fn with_latency_everything_is_still_traded_once() {
    let mut slow = market("strategic");
    let delay = Delay::Uniform { min_seconds: 0.0, max_seconds: 4.0 };
    slow.latency = LatencyConfig { order: delay.clone(), report: delay };
    for outcome in outcomes(&slow, Task::default(), &ALL, 30) {
        assert!((outcome.passive + outcome.aggressive - 1.0).abs() < 1e-12, "{outcome:?}");
    }
}
