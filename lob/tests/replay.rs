//! Recorded events as a flow: the book follows history, and agents' orders get what they are due.

use std::path::{Path, PathBuf};

use lob::data::market::{Instrument, Kind, MarketEvent, Origin};
use lob::flow::{
    Flow, FlowConfig, History, HistoryError, Part, QueueEstimate, ReplayFlow, ReplayParams, Starts,
    TakenLiquidity,
};
use lob::sim::{AgentFill, CROWD, FIRST_AGENT, Latency, Simulator};
use lob::{BookConfig, Nanos, NewOrder, Price, Quantity, Side};

const SECOND: u64 = 1_000_000_000;

fn sample(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(name);
    if !path.exists() {
        eprintln!("skipped: no {name}");
        return None;
    }
    Some(path)
}

fn simulator(params: ReplayParams) -> Simulator {
    Simulator::new(&FlowConfig::Replay(Box::new(params)), BookConfig::default()).unwrap()
}

fn replay(simulator: &Simulator) -> &ReplayFlow {
    match simulator.flow() {
        Flow::Replay(flow) => flow,
        _ => panic!("a replayed market"),
    }
}

/// The crowd's levels of the market's book, and history's.
fn both(simulator: &Simulator, side: Side) -> [Vec<(Price, u64)>; 2] {
    let ours = simulator.market().book().levels(side).map(|(price, lots, _)| (price, lots.0)).collect();
    let history =
        replay(simulator).history_book().levels(side).map(|(price, lots)| (price, lots.0)).collect();
    [ours, history]
}

#[test]
fn without_agents_the_book_is_that_of_history() {
    for (name, episode) in [
        ("binance_usdm_btcusdt_20240808.gz", 40.0),
        ("binance_spot_btcusdt_20240808.gz", 40.0),
        ("bitstamp_l3_btcusd_2015-05-01.csv.xz", 4_000.0),
    ] {
        let Some(path) = sample(name) else { return };
        for taken_liquidity in [TakenLiquidity::Restored, TakenLiquidity::Consumed] {
            let mut params = ReplayParams::new(&path, episode);
            params.taken_liquidity = taken_liquidity;
            params.load(Path::new("")).unwrap();
            let mut simulator = simulator(params);
            simulator.reset(3);
            let (mut same, mut crossed) = (0, 0);
            for moment in 0..200 {
                simulator.run_until(episode * f64::from(moment) / 200.0);
                let book = replay(&simulator).history_book();
                let (bid, ask) = (book.best_price(Side::Buy).unwrap(), book.best_price(Side::Sell).unwrap());
                if bid >= ask {
                    // Feeds may cross, books may not.
                    crossed += 1;
                    continue;
                }
                for side in Side::BOTH {
                    let [ours, history] = both(&simulator, side);
                    let bitstamp_consumed =
                        name.starts_with("bitstamp") && taken_liquidity == TakenLiquidity::Consumed;
                    if !bitstamp_consumed {
                        assert_eq!(ours.len(), history.len(), "{name} {side:?} at {moment}");
                        assert_eq!(ours, history, "{name} {side:?} at {moment}");
                    }
                }
                same += 1;
            }
            assert!(same > 180, "{name}: {same} compared, {crossed} crossed");
        }
    }
}
