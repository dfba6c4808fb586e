//! Recorded events as a flow: the book follows history, and agents' orders get what they are due.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use lob::data::market::{Instrument, Kind, MarketEvent, Origin, Step};
use lob::flow::{
    Flow, FlowConfig, History, HistoryError, Part, QueueEstimate, ReplayFlow, ReplayParams, Starts,
    TakenLiquidity,
};
use lob::sim::{AgentFill, CROWD, FIRST_AGENT, LatencyConfig, Simulator};
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
        ("binance_usdm_btcusdt_20240808.gz", 10.0),
        ("binance_spot_btcusdt_20240808.gz", 10.0),
        ("bitstamp_l3_btcusd_2015-05-01.csv.xz", 1_000.0),
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
                    assert_eq!(ours.len(), history.len(), "{name} {taken_liquidity:?} {side:?} at {moment}");
                    assert_eq!(ours, history, "{name} {taken_liquidity:?} {side:?} at {moment}");
                }
                same += 1;
            }
            assert!(same > 180, "{name}: {same} compared, {crossed} crossed");
        }
    }
}

fn instrument() -> Instrument {
    Instrument {
        symbol: "TEST".into(),
        tick: Step::ONE,
        tick_origin: Origin::Given,
        lot: Step::ONE,
        lot_origin: Origin::Given,
    }
}

fn event(kind: Kind, seconds: f64, side: Side, price: i64, lots: u64) -> MarketEvent {
    let time = Nanos((seconds * SECOND as f64).round() as u64);
    let event = MarketEvent::new(kind, time, time);
    MarketEvent {
        price: Price(price),
        quantity: Quantity(lots),
        side: Some(side),
        flags: MarketEvent::LAST,
        ..event
    }
}

fn level(seconds: f64, side: Side, price: i64, lots: u64) -> MarketEvent {
    event(Kind::Level, seconds, side, price, lots)
}

/// `side`: the aggressor's.
fn trade(seconds: f64, side: Side, price: i64, lots: u64) -> MarketEvent {
    event(Kind::Trade, seconds, side, price, lots)
}

fn add(seconds: f64, id: u64, side: Side, price: i64, lots: u64) -> MarketEvent {
    MarketEvent { id, ..event(Kind::Add, seconds, side, price, lots) }
}

fn execute(seconds: f64, id: u64, side: Side, price: i64, lots: u64) -> MarketEvent {
    MarketEvent { id, ..event(Kind::Execute, seconds, side, price, lots) }
}

fn delete(seconds: f64, id: u64, side: Side) -> MarketEvent {
    MarketEvent { id, ..event(Kind::Delete, seconds, side, 0, 0) }
}

/// A session over all of these events, t = 0 at the first; the agent's orders are sent at once.
fn play(events: &[MarketEvent], change: impl FnOnce(&mut ReplayParams)) -> Simulator {
    // The last event keeps the episode open.
    let mut events = events.to_vec();
    let end = events.last().unwrap().exchange_time.0 + 10 * SECOND;
    let last = MarketEvent::new(Kind::SnapshotEnd, Nanos(end), Nanos(end));
    events.push(last);
    let mut params = ReplayParams::new("made up", 5.0);
    params.lead_in_seconds = 0.0;
    params.starts = Some(Starts::At(vec![0.0]));
    change(&mut params);
    params.play(History::new(instrument(), events).unwrap()).unwrap();
    let mut simulator = simulator(params);
    simulator.add_desk(LatencyConfig::default().compile("").unwrap());
    simulator.reset(0);
    simulator.run_until(0.5);
    simulator
}

fn order(simulator: &mut Simulator, order: NewOrder) {
    simulator.market_mut().submit(NewOrder { owner: FIRST_AGENT, ..order }).unwrap();
}

fn bid(simulator: &mut Simulator, price: i64, lots: u64) {
    order(simulator, NewOrder::limit(FIRST_AGENT, Side::Buy, Price(price), Quantity(lots)));
}

/// Times in tenths of a second, prices and lots of the agent's fills.
fn fills(simulator: &mut Simulator) -> Vec<(i64, i64, u64)> {
    let shown =
        |fill: AgentFill| ((fill.time * 10.0).round() as i64, fill.fill.price.0, fill.fill.quantity.0);
    simulator.market_mut().drain_fills().map(shown).collect()
}

/// Lots of the crowd at a price.
fn crowd(simulator: &Simulator, side: Side, price: i64) -> u64 {
    let orders = simulator.market().book().orders_at(side, Price(price));
    orders.filter(|order| order.owner == CROWD).map(|order| order.visible.0).sum()
}

/// Lots of the crowd ahead of the agent's first order at a price.
fn ahead(simulator: &Simulator, side: Side, price: i64) -> u64 {
    let orders = simulator.market().book().orders_at(side, Price(price));
    orders.take_while(|order| order.owner == CROWD).map(|order| order.visible.0).sum()
}

const OPENING: [(Side, i64, u64); 4] =
    [(Side::Buy, 100, 10), (Side::Buy, 99, 20), (Side::Sell, 102, 10), (Side::Sell, 103, 20)];

fn levels(more: &[MarketEvent]) -> Vec<MarketEvent> {
    let opening = OPENING.map(|(side, price, lots)| level(0.0, side, price, lots));
    opening.into_iter().chain(more.iter().copied()).collect()
}

#[test]
fn an_order_in_a_level_is_filled_once_trades_have_gone_through_its_queue() {
    let events = levels(&[
        trade(1.0, Side::Sell, 100, 4),
        level(1.0, Side::Buy, 100, 6),
        trade(2.0, Side::Sell, 100, 7),
        level(2.0, Side::Buy, 100, 0),
        trade(3.0, Side::Sell, 100, 5),
    ]);
    let mut simulator = play(&events, |_| {});
    bid(&mut simulator, 100, 3);
    simulator.run_until(1.5);
    assert_eq!((ahead(&simulator, Side::Buy, 100), crowd(&simulator, Side::Buy, 100)), (6, 6));
    simulator.run_until(5.0);
    // One lot of the second trade is left for it; history knows nothing of it.
    assert_eq!(fills(&mut simulator), [(20, 100, 1), (30, 100, 2)]);
}

#[test]
fn withdrawn_lots_move_an_order_forward_as_the_model_says() {
    let events = levels(&[level(1.0, Side::Buy, 100, 20), level(2.0, Side::Buy, 100, 12)]);
    for (model, expected) in [(QueueEstimate::RiskAverse, 10), (QueueEstimate::Proportional, 6)] {
        let mut simulator = play(&events, |params| params.queue = Some(model));
        bid(&mut simulator, 100, 3);
        simulator.run_until(1.5);
        assert_eq!((ahead(&simulator, Side::Buy, 100), crowd(&simulator, Side::Buy, 100)), (10, 20));
        simulator.run_until(2.5);
        assert_eq!(
            (ahead(&simulator, Side::Buy, 100), crowd(&simulator, Side::Buy, 100)),
            (expected, 12),
            "{model:?}"
        );
    }
}

#[test]
fn prices_that_go_through_an_order_fill_it() {
    // The bid at 101 stands alone; then somebody sells at 100, or asks for less than 101.
    for (events, consumed) in [
        (levels(&[trade(1.0, Side::Sell, 100, 2)]), vec![(10, 101, 2)]),
        (levels(&[level(1.0, Side::Sell, 101, 2)]), vec![(10, 101, 2)]),
    ] {
        let mut simulator = play(&events, |_| {});
        bid(&mut simulator, 101, 5);
        simulator.run_until(2.0);
        assert_eq!(fills(&mut simulator), [(10, 101, 5)]);
        let mut simulator = play(&events, |params| params.taken_liquidity = TakenLiquidity::Consumed);
        bid(&mut simulator, 101, 5);
        simulator.run_until(2.0);
        assert_eq!(fills(&mut simulator), consumed);
    }
}

#[test]
fn lots_that_an_agent_took_come_back_or_stay_away() {
    let events = levels(&[
        level(1.0, Side::Buy, 98, 5),
        level(2.0, Side::Sell, 102, 12),
        level(3.0, Side::Sell, 102, 0),
        level(4.0, Side::Sell, 102, 4),
    ]);
    for (taken_liquidity, expected) in
        [(TakenLiquidity::Restored, [10, 12, 0, 4]), (TakenLiquidity::Consumed, [4, 6, 0, 4])]
    {
        let mut simulator = play(&events, |params| params.taken_liquidity = taken_liquidity);
        order(&mut simulator, NewOrder::market(FIRST_AGENT, Side::Buy, Quantity(6)));
        assert_eq!(crowd(&simulator, Side::Sell, 102), 4);
        for (moment, expected) in [1.5, 2.5, 3.5, 4.5].into_iter().zip(expected) {
            simulator.run_until(moment);
            assert_eq!(crowd(&simulator, Side::Sell, 102), expected, "{taken_liquidity:?} at {moment}");
        }
    }
}

#[test]
fn what_cannot_be_offered_beside_an_agent_waits_until_it_can() {
    let events = levels(&[level(1.0, Side::Sell, 101, 2), level(2.0, Side::Sell, 103, 21)]);
    let mut simulator = play(&events, |params| params.taken_liquidity = TakenLiquidity::Consumed);
    bid(&mut simulator, 101, 5);
    simulator.run_until(1.5);
    // The agent has bought both lots, and its bid is still there.
    assert_eq!(crowd(&simulator, Side::Sell, 101), 0);
    simulator.market_mut().mass_cancel(FIRST_AGENT, None);
    simulator.run_until(2.5);
    assert_eq!((crowd(&simulator, Side::Sell, 101), crowd(&simulator, Side::Sell, 103)), (0, 21));
}

fn orders(more: &[MarketEvent]) -> Vec<MarketEvent> {
    let opening = [
        add(0.0, 1, Side::Buy, 100, 5),
        add(0.0, 2, Side::Buy, 99, 5),
        add(0.0, 3, Side::Sell, 102, 5),
        add(0.0, 4, Side::Sell, 103, 5),
    ];
    opening.into_iter().chain(more.iter().copied()).collect()
}

#[test]
fn among_orders_the_place_in_the_queue_is_exact() {
    let events = orders(&[
        add(1.0, 5, Side::Buy, 100, 5),
        execute(2.0, 1, Side::Buy, 100, 5),
        execute(3.0, 5, Side::Buy, 100, 2),
        delete(4.0, 5, Side::Buy),
    ]);
    for (taken_liquidity, left) in [(TakenLiquidity::Restored, 3), (TakenLiquidity::Consumed, 5)] {
        let mut simulator = play(&events, |params| params.taken_liquidity = taken_liquidity);
        bid(&mut simulator, 100, 4);
        simulator.run_until(2.5);
        assert_eq!(fills(&mut simulator), [], "the order ahead traded");
        simulator.run_until(3.5);
        assert_eq!(fills(&mut simulator), [(30, 100, 2)], "the order behind traded");
        assert_eq!(crowd(&simulator, Side::Buy, 100), left, "{taken_liquidity:?}");
        simulator.run_until(4.5);
        assert_eq!(crowd(&simulator, Side::Buy, 100), 0);
    }
}

#[test]
fn an_order_of_history_trades_with_the_agents_it_meets() {
    let events = orders(&[add(1.0, 5, Side::Sell, 101, 3), add(2.0, 6, Side::Buy, 98, 1)]);
    for (taken_liquidity, lots, left) in
        [(TakenLiquidity::Restored, 2, 3), (TakenLiquidity::Consumed, 2, 1), (TakenLiquidity::Restored, 4, 0)]
    {
        let mut simulator = play(&events, |params| params.taken_liquidity = taken_liquidity);
        bid(&mut simulator, 101, lots);
        simulator.run_until(2.5);
        assert_eq!(fills(&mut simulator), [(10, 101, lots.min(3))]);
        assert_eq!(crowd(&simulator, Side::Sell, 101), left, "{taken_liquidity:?}, {lots} lots");
    }
}

#[test]
fn what_is_shown_comes_before_what_is_hidden() {
    let events = orders(&[trade(1.0, Side::Sell, 100, 3), trade(2.0, Side::Sell, 99, 3)]);
    for hidden in [true, false] {
        let mut params = ReplayParams::new("made up", 5.0);
        params.lead_in_seconds = 0.0;
        params.starts = Some(Starts::At(vec![0.0]));
        let mut events = events.clone();
        events.push(add(9.0, 9, Side::Buy, 90, 1));
        let trades = events.iter_mut().filter(|event| event.kind == Kind::Trade);
        trades.for_each(|event| event.flags |= if hidden { MarketEvent::HIDDEN } else { 0 });
        params.play(History::new(instrument(), events).unwrap()).unwrap();
        let mut simulator = simulator(params);
        simulator.add_desk(LatencyConfig::default().compile("").unwrap());
        simulator.reset(0);
        simulator.run_until(0.5);
        bid(&mut simulator, 100, 5);
        simulator.run_until(5.0);
        let expected: &[(i64, i64, u64)] = if hidden { &[(10, 100, 3), (20, 100, 2)] } else { &[] };
        assert_eq!(fills(&mut simulator), expected);
    }
}

#[test]
fn who_met_a_hidden_order_is_told_from_the_book() {
    let hidden = |seconds, price, lots| {
        let trade = trade(seconds, Side::Buy, price, lots);
        MarketEvent { side: None, flags: trade.flags | MarketEvent::HIDDEN, ..trade }
    };
    // Bid 100, ask 102: at the ask somebody bought, at the bid somebody sold, at 101 nobody knows.
    let events = orders(&[hidden(1.0, 102, 3), hidden(2.0, 101, 3), hidden(3.0, 100, 2)]);
    let mut simulator = play(&events, |_| {});
    bid(&mut simulator, 101, 5);
    simulator.run_until(5.0);
    assert_eq!(fills(&mut simulator), [(30, 101, 2)]);
    // An auction has no side either, but repeats what other messages say.
    let cross = MarketEvent { side: None, ..trade(1.0, Side::Buy, 100, 900) };
    let mut simulator = play(&orders(&[cross]), |_| {});
    bid(&mut simulator, 101, 5);
    simulator.run_until(5.0);
    assert_eq!(fills(&mut simulator), []);
}

#[test]
fn a_trade_of_no_lots_fills_nobody() {
    let mut simulator = play(&levels(&[trade(1.0, Side::Sell, 0, 0)]), |_| {});
    bid(&mut simulator, 100, 5);
    simulator.run_until(5.0);
    assert_eq!(fills(&mut simulator), []);
}

#[test]
fn the_order_that_history_names_is_the_one_that_trades() {
    // The second in the queue trades before the first, which is then withdrawn.
    let events = orders(&[
        add(0.0, 5, Side::Buy, 100, 5),
        execute(1.0, 5, Side::Buy, 100, 5),
        delete(2.0, 1, Side::Buy),
        // An order arrives that crosses, as some feeds show it, and then trades with the order that is named.
        add(3.0, 6, Side::Sell, 99, 4),
        execute(3.1, 2, Side::Buy, 99, 4),
        execute(3.1, 6, Side::Sell, 99, 4),
    ]);
    for taken_liquidity in [TakenLiquidity::Restored, TakenLiquidity::Consumed] {
        let mut simulator = play(&events, |params| params.taken_liquidity = taken_liquidity);
        for moment in [1.5, 2.5, 3.5] {
            simulator.run_until(moment);
            for side in Side::BOTH {
                let [ours, history] = both(&simulator, side);
                assert_eq!(ours, history, "{taken_liquidity:?} {side:?} at {moment}");
            }
        }
    }
}

fn notice(seconds: f64, kind: Kind) -> MarketEvent {
    MarketEvent { side: None, ..event(kind, seconds, Side::Buy, 0, 0) }
}

#[test]
fn nobody_trades_while_messages_are_missing() {
    let gap = [notice(1.0, Kind::Gap), notice(9.0, Kind::SnapshotBegin)];
    let of_levels = [
        trade(3.0, Side::Sell, 99, 50),
        level(3.5, Side::Sell, 100, 7),
        level(9.0, Side::Buy, 97, 1),
        level(9.0, Side::Sell, 98, 2),
        notice(9.0, Kind::SnapshotEnd),
    ];
    let of_orders = [
        execute(3.0, 1, Side::Buy, 100, 5),
        add(3.5, 9, Side::Sell, 100, 7),
        add(9.0, 20, Side::Buy, 97, 1),
        add(9.0, 21, Side::Sell, 98, 2),
        notice(9.0, Kind::SnapshotEnd),
    ];
    for (opening, rest) in [(levels(&gap), of_levels), (orders(&gap), of_orders)] {
        let mut events = [opening, rest.to_vec()].concat();
        events.sort_by_key(|event| event.exchange_time);
        // From before the gap, and from within it.
        for start in [0.0, 2.0] {
            let mut simulator = play(&events, |params| params.starts = Some(Starts::At(vec![start])));
            bid(&mut simulator, 100, 3);
            let before = crowd(&simulator, Side::Buy, 100);
            assert!(before >= 5);
            simulator.run_until(8.5 - start);
            assert_eq!(fills(&mut simulator), [], "from {start}");
            assert_eq!(crowd(&simulator, Side::Buy, 100), before);
            simulator.market_mut().mass_cancel(FIRST_AGENT, None);
            simulator.run_until(9.5 - start);
            for side in Side::BOTH {
                let [ours, history] = both(&simulator, side);
                assert_eq!(ours, history, "{side:?} from {start}");
            }
        }
    }
}

#[test]
fn a_level_that_a_clearing_takes_away_leaves_nothing_ahead() {
    let clear = MarketEvent {
        flags: MarketEvent::LAST | MarketEvent::BOUNDED,
        ..event(Kind::Clear, 1.0, Side::Buy, 100, 0)
    };
    for gone in [vec![clear], vec![level(1.0, Side::Buy, 100, 0)]] {
        let events = levels(&[gone, vec![trade(2.0, Side::Sell, 100, 5)]].concat());
        for taken_liquidity in [TakenLiquidity::Restored, TakenLiquidity::Consumed] {
            let mut simulator = play(&events, |params| {
                params.taken_liquidity = taken_liquidity;
                params.queue = Some(QueueEstimate::RiskAverse);
            });
            bid(&mut simulator, 100, 5);
            simulator.run_until(3.0);
            assert_eq!(fills(&mut simulator), [(20, 100, 5)]);
        }
    }
    // A clearing that the same level comes back behind, in the same message, leaves what was ahead where it was.
    let again = [
        clear,
        level(1.0, Side::Buy, 100, 10),
        trade(2.0, Side::Sell, 100, 10),
        trade(3.0, Side::Sell, 100, 1),
    ];
    let mut simulator = play(&levels(&again), |_| {});
    bid(&mut simulator, 100, 5);
    simulator.run_until(4.0);
    assert_eq!(fills(&mut simulator), [(30, 100, 1)]);
}

#[test]
fn orders_that_a_snapshot_confirms_keep_their_places() {
    let snapshot = [
        notice(1.0, Kind::SnapshotBegin),
        add(1.0, 1, Side::Buy, 100, 4),
        add(1.0, 7, Side::Buy, 100, 2),
        add(1.0, 3, Side::Sell, 102, 5),
        notice(1.0, Kind::SnapshotEnd),
        execute(2.0, 1, Side::Buy, 100, 4),
        execute(3.0, 7, Side::Buy, 100, 2),
    ];
    let mut simulator = play(&orders(&snapshot), |_| {});
    bid(&mut simulator, 100, 5);
    simulator.run_until(1.5);
    assert_eq!((ahead(&simulator, Side::Buy, 100), crowd(&simulator, Side::Buy, 100)), (4, 6));
    assert_eq!(crowd(&simulator, Side::Buy, 99), 0);
    simulator.run_until(4.0);
    // The order ahead trades by itself; the one behind finds the agent's before it.
    assert_eq!(fills(&mut simulator), [(30, 100, 2)]);
}

#[test]
fn lots_of_the_file_add_up_to_lots_of_the_market() {
    let events = orders(&[
        execute(1.0, 2, Side::Buy, 99, 2),
        execute(2.0, 2, Side::Buy, 99, 1),
        execute(3.0, 2, Side::Buy, 99, 2),
    ]);
    let mut simulator = play(&events, |params| params.lot_multiple = 3);
    // Five lots of the file are nearly two of the market.
    assert_eq!(crowd(&simulator, Side::Buy, 99), 2);
    bid(&mut simulator, 101, 2);
    simulator.run_until(5.0);
    assert_eq!(fills(&mut simulator), [(20, 101, 1)]);
}

#[test]
fn episodes_are_cut_at_the_given_times_and_split_by_time() {
    let events: Vec<MarketEvent> = (0..100)
        .flat_map(|second| {
            let at = f64::from(second);
            [level(at, Side::Buy, 100, 1 + second as u64), level(at, Side::Sell, 101, 1)]
        })
        .collect();
    let origins = |part: Part, starts: Option<Starts>| {
        let mut params = ReplayParams::new("made up", 9.0);
        params.lead_in_seconds = 1.0;
        (params.part, params.starts) = (part, starts);
        params.play(History::new(instrument(), events.clone()).unwrap()).unwrap();
        let mut simulator = simulator(params);
        let mut origins: Vec<u64> = (0..200)
            .map(|seed| {
                simulator.reset(seed);
                simulator.run_until(0.0);
                let origin = replay(&simulator).origin();
                // The book is that of the second before: an agent acts before the flow at the same time.
                assert_eq!(crowd(&simulator, Side::Buy, 100), origin / SECOND);
                origin
            })
            .collect();
        origins.sort_unstable();
        origins.dedup();
        origins.into_iter().map(|origin| origin / SECOND).collect::<Vec<u64>>()
    };
    let all = origins(Part::All, None);
    assert_eq!(all, [1, 10, 19, 28, 37, 46, 55, 64, 73, 82]);
    let train = origins(Part::Train, None);
    let test = origins(Part::Test, None);
    assert_eq!((train, test), (all[..7].to_vec(), all[8..].to_vec()));
    let given = Some(Starts::At(vec![50.0, 20.0, 0.5, 95.0]));
    assert_eq!(origins(Part::All, given), [20, 50]);
}

#[test]
fn sessions_are_the_same_for_the_same_seed() {
    let Some(path) = sample("bitstamp_l3_btcusd_2015-05-01.csv.xz") else { return };
    let mut params = ReplayParams::new(path, 300.0);
    params.lot_multiple = 10_000_000;
    params.load(Path::new("")).unwrap();
    assert!(params.episodes() > 50);
    let mut simulator = simulator(params);
    simulator.add_desk(LatencyConfig::default().compile("").unwrap());
    simulator.market_mut().keep_digest(true);
    let mut digest = |seed| {
        simulator.reset(seed);
        simulator.run_until(100.0);
        order(&mut simulator, NewOrder::market(FIRST_AGENT, Side::Buy, Quantity(50)));
        let best = simulator.market().book().best_bid().unwrap();
        bid(&mut simulator, best.0 + 1, 30);
        simulator.run_until(300.0);
        simulator.market().events_digest().unwrap()
    };
    let first = digest(7);
    assert_ne!(digest(8), first);
    assert_eq!(digest(7), first);
}

#[test]
fn what_cannot_be_replayed_is_named() {
    let failed = |change: fn(&mut ReplayParams)| {
        let mut params = ReplayParams::new("made up", 5.0);
        params.lead_in_seconds = 0.0;
        change(&mut params);
        let history = History::new(instrument(), levels(&[level(20.0, Side::Buy, 98, 1)])).unwrap();
        params.play(history).unwrap_err().to_string()
    };
    type Case = (fn(&mut ReplayParams), &'static str);
    let cases: [Case; 8] = [
        (|p| p.episode_seconds = 50.0, "episode_seconds is 50; legal: such that an episode fits"),
        (|p| p.episode_seconds = f64::NAN, "episode_seconds is NaN"),
        (|p| p.lot_multiple = 0, "lot_multiple is 0"),
        (|p| p.queue = Some(QueueEstimate::Power(-1.0)), "queue.power is -1"),
        (|p| p.starts = Some(Starts::At(vec![])), "starts.at is an empty list"),
        (|p| p.until_seconds = Some(0.0), "until_seconds is 0"),
        (|p| p.train_share = 1.0, "train_share is 1"),
        (|p| p.tick = Some("x".into()), "tick is \"x\"; legal: a decimal number above 0, such as 0.01"),
    ];
    for (change, expected) in cases {
        let message = failed(change);
        assert!(message.starts_with(expected), "{message}");
    }
    let mut params = ReplayParams::new("no such file", 5.0);
    let unread = Simulator::new(&FlowConfig::Replay(Box::new(params.clone())), BookConfig::default());
    assert!(
        unread.unwrap_err().to_string().starts_with("file is no such file; legal: a file that has been read")
    );
    assert!(matches!(params.load(Path::new("")), Err(HistoryError::Read { .. })));
    params.queue = Some(QueueEstimate::Proportional);
    let exact = params.play(History::new(instrument(), orders(&[])).unwrap()).unwrap_err();
    assert!(exact.to_string().starts_with("queue is a model; legal: none"), "{exact}");
    let no_book = History::new(instrument(), vec![trade(0.0, Side::Buy, 5, 5)]).unwrap_err();
    assert!(no_book.to_string().starts_with("neither orders nor levels"));
}

/// One thing that happens: to history (first half), or done by the agent.
#[derive(Clone, Copy, Debug)]
struct Deed {
    what: u8,
    buys: bool,
    ticks: i64,
    lots: u64,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = (0_u8..8, any::<bool>(), 0_i64..5, 1_u64..9);
    prop::collection::vec(deed.prop_map(|(what, buys, ticks, lots)| Deed { what, buys, ticks, lots }), 1..80)
}

/// History made of the deeds that are its own, one a second: orders or levels on both sides of 100, which never cross.
fn history_of(deeds: &[Deed], orders: bool) -> Vec<MarketEvent> {
    let mut events = Vec::new();
    let mut live: Vec<(u64, Side, i64, u64)> = Vec::new();
    for (index, deed) in deeds.iter().enumerate() {
        let (at, number) = (1.0 + index as f64, 1 + index as u64);
        let side = if deed.buys { Side::Buy } else { Side::Sell };
        let price = if deed.buys { 99 - deed.ticks } else { 101 + deed.ticks };
        match (deed.what, orders) {
            (0..=1, true) => {
                events.push(add(at, number, side, price, deed.lots));
                live.push((number, side, price, deed.lots));
            }
            (2..=3, true) if !live.is_empty() => {
                // First come, first served.
                let best = |&(number, side, price, _): &(u64, Side, i64, u64)| {
                    (if side == Side::Buy { -price } else { price }, number)
                };
                let same: Vec<_> = live.iter().filter(|order| order.1 == side).copied().collect();
                let Some(&(number, side, price, lots)) = same.iter().min_by_key(|order| best(order)) else {
                    continue;
                };
                let traded = deed.lots.min(lots);
                let slot = live.iter().position(|order| order.0 == number).unwrap();
                if deed.what == 2 || traded == lots {
                    events.push(execute(at, number, side, price, traded));
                    live[slot].3 -= traded;
                    if live[slot].3 == 0 {
                        live.remove(slot);
                    }
                } else {
                    events.push(delete(at, number, side));
                    live.remove(slot);
                }
            }
            (0..=1, false) => events.push(level(at, side, price, deed.lots)),
            (2, false) => events.push(level(at, side, price, 0)),
            (3, false) => events.push(trade(at, side.opposite(), price, deed.lots)),
            _ => {}
        }
    }
    events
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Whatever an agent does, the book stays sound and no more is filled than was asked for; and once the agent has gone, the book is that of
    /// history where lots are restored.
    #[test]
    fn agents_leave_no_trace_where_liquidity_is_restored(deeds in deeds(), orders in any::<bool>(), restored in any::<bool>()) {
        let mut events = history_of(&deeds, orders);
        let opening = if orders {
            vec![add(0.0, 1_000, Side::Buy, 95, 5), add(0.0, 1_001, Side::Sell, 106, 5)]
        } else {
            vec![level(0.0, Side::Buy, 95, 5), level(0.0, Side::Sell, 106, 5)]
        };
        events.splice(0..0, opening);
        let end = deeds.len() as f64 + 2.0;
        // Something far away, that everything can come back with.
        events.push(if orders { add(end, 2_000, Side::Buy, 50, 1) } else { level(end, Side::Buy, 50, 1) });
        let mut simulator = play(&events, |params| {
            params.episode_seconds = end + 5.0;
            params.taken_liquidity = if restored { TakenLiquidity::Restored } else { TakenLiquidity::Consumed };
        });
        let mut volume = [0, 0];
        for (index, deed) in deeds.iter().enumerate() {
            simulator.run_until(1.5 + index as f64);
            let side = if deed.buys { Side::Buy } else { Side::Sell };
            let price = Price(if deed.buys { 96 + deed.ticks } else { 104 - deed.ticks });
            match deed.what {
                4 | 5 => order(&mut simulator, NewOrder::limit(FIRST_AGENT, side, price, Quantity(deed.lots))),
                6 => order(&mut simulator, NewOrder::market(FIRST_AGENT, side, Quantity(deed.lots))),
                7 => { simulator.market_mut().mass_cancel(FIRST_AGENT, Some(side)); }
                _ => continue,
            }
            if deed.what < 7 {
                volume[side.index()] += deed.lots;
            }
            simulator.market().book().check_invariants().unwrap();
        }
        simulator.run_until(end - 0.5);
        simulator.market_mut().mass_cancel(FIRST_AGENT, None);
        simulator.run_until(end + 0.5);
        let mut filled = [0, 0];
        for fill in simulator.market_mut().drain_fills() {
            filled[fill.fill.side.index()] += fill.fill.quantity.0;
        }
        prop_assert!(filled[0] <= volume[0] && filled[1] <= volume[1]);
        simulator.market().book().check_invariants().unwrap();
        if restored {
            for side in Side::BOTH {
                let [ours, history] = both(&simulator, side);
                prop_assert_eq!(ours, history);
            }
        }
    }
}
