//! Sessions: determinism, order of events, latency, and rates against their definition.

use lob::flow::{FlowConfig, FlowParams, MarketConfig, OpeningBook, WaitingTime};
use lob::sim::{
    CROWD, Command, Delay, FIRST_AGENT, INITIAL, Latency, LatencyConfig, Market, News, STRATEGIC, Simulator,
};
use lob::{BookConfig, Event, NewOrder, Owner, Price, Quantity, Side};

fn simulator(market: &str) -> Simulator {
    let config = MarketConfig::preset(market).expect("a preset");
    Simulator::new(&config.flow, BookConfig { window_levels: 256, ..BookConfig::default() })
        .expect("a preset is legal")
}

fn latency(order: Delay, report: Delay) -> Latency {
    LatencyConfig { order, report }.compile("").expect("a legal latency")
}

fn digest(sim: &mut Simulator, seed: u64) -> u64 {
    sim.market_mut().keep_digest(true);
    sim.reset(seed);
    sim.run_until(60.0);
    sim.market().events_digest().expect("the digest is kept")
}

#[test]
fn same_seed_same_bits_in_every_market() {
    for market in ["noise", "flow", "strategic"] {
        let mut sim = simulator(market);
        let first = digest(&mut sim, 7);
        // Another session in between leaves no trace.
        assert_ne!(digest(&mut sim, 8), first, "{market}");
        assert_eq!(digest(&mut sim, 7), first, "{market}");
        assert_eq!(digest(&mut simulator(market), 7), first, "{market}");
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let mut sim = sim.clone();
                std::thread::spawn(move || digest(&mut sim, 7))
            })
            .collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), first, "{market}");
        }
    }
}

#[test]
fn sessions_keep_their_bits() {
    // Pinned: a change here changes every seeded result that anybody has written down.
    let digests = ["noise", "flow", "strategic"].map(|market| digest(&mut simulator(market), 1));
    assert_eq!(digests, PINNED);
}
const PINNED: [u64; 3] = [1_383_552_461_042_175_517, 11_097_444_545_974_625_466, 16_122_990_348_070_345_692];

#[test]
fn a_fork_has_the_same_future() {
    let mut sim = simulator("strategic");
    sim.reset(3);
    sim.run_until(40.0);
    let mut fork = sim.clone();
    sim.run_until(150.0);
    fork.run_until(150.0);
    assert_eq!(sim.market().book().digest(), fork.market().book().digest());
    assert_eq!(sim.flow_events(), fork.flow_events());
}

#[test]
fn stopping_on_the_way_changes_nothing() {
    let mut sim = simulator("flow");
    sim.reset(5);
    sim.run_until(150.0);
    let digest = sim.market().book().digest();
    sim.reset(5);
    for step in -140..=1500 {
        sim.run_until(f64::from(step) / 10.0);
    }
    assert_eq!(sim.market().book().digest(), digest);
}

#[test]
fn the_opening_book_is_as_documented_and_frozen() {
    let mut sim = simulator("noise");
    sim.reset(0);
    let config = MarketConfig::preset("noise").unwrap();
    let volumes = config.flow.opening().volumes();
    assert_eq!(volumes.len(), 30);
    for (distance, &volume) in volumes.iter().enumerate() {
        let book = sim.market().book();
        assert_eq!(book.quantity_at(Side::Buy, Price(1000 - distance as i64)), volume);
        assert_eq!(book.quantity_at(Side::Sell, Price(1001 + distance as i64)), volume);
    }
    assert_eq!(sim.market().now(), -15.0);
    // Its lots go by trading alone.
    sim.market_mut().keep_log(true);
    sim.run_until(150.0);
    let cancelled = sim
        .market()
        .log()
        .iter()
        .any(|(_, event)| matches!(event, Event::Cancelled { owner, .. } if *owner == INITIAL));
    assert!(!cancelled);
}

#[test]
fn a_live_opening_book_belongs_to_the_crowd() {
    let mut config = MarketConfig::preset("noise").unwrap();
    config.flow.opening_mut().book = OpeningBook::Live;
    let mut sim = Simulator::new(&config.flow, BookConfig::default()).unwrap();
    sim.reset(0);
    assert_eq!(sim.market().book().orders_of(CROWD).count(), 60);
    let before = sim.market().book().order_count();
    sim.run_until(100.0);
    assert!(sim.market().book().orders_of(INITIAL).next().is_none());
    assert!(before > 0);
}

#[test]
fn the_strategic_trader_follows_the_first_noise_event_and_keeps_its_rhythm() {
    let mut sim = simulator("strategic");
    sim.market_mut().keep_log(true);
    sim.reset(11);
    sim.run_until(10.0);
    let accepted: Vec<(f64, Owner)> = sim
        .market()
        .log()
        .iter()
        .filter_map(|&(time, event)| match event {
            Event::Accepted { owner, .. } => Some((time, owner)),
            _ => None,
        })
        .collect();
    let strategic: Vec<f64> =
        accepted.iter().filter(|(_, owner)| *owner == STRATEGIC).map(|&(time, _)| time).collect();
    // A market and a limit order at -15, -12, ..., 9.
    let expected: Vec<f64> = (-5..=3).flat_map(|n| [3.0 * f64::from(n); 2]).collect();
    assert_eq!(strategic, expected);
}

/// Rates by their definition, from the book alone, against how often things happen.
#[test]
fn market_orders_come_at_their_rate() {
    let mut sim = simulator("noise");
    sim.market_mut().keep_log(true);
    let (mut buys, mut sells) = (0_u32, 0_u32);
    const SESSIONS: u32 = 300;
    for seed in 0..u64::from(SESSIONS) {
        sim.reset(seed);
        sim.run_until(100.0);
        for (_, event) in sim.market().log() {
            match event {
                Event::Accepted { price: None, side: Side::Buy, .. } => buys += 1,
                Event::Accepted { price: None, side: Side::Sell, .. } => sells += 1,
                _ => {}
            }
        }
    }
    let expected = 0.1237 * 115.0 * f64::from(SESSIONS);
    for (side, count) in [("buy", buys), ("sell", sells)] {
        let z = (f64::from(count) - expected) / expected.sqrt();
        // Waiting times are drawn before an event's effect, which shifts rates by some percent; five deviations of a Poisson count are 8%.
        assert!(z.abs() < 5.0, "{side}: {count} market orders, {expected:.0} expected");
    }
}

#[test]
fn waiting_after_the_effect_is_another_market() {
    let mut params = FlowParams::noise();
    params.waiting_time = WaitingTime::AfterEffect;
    let exact = FlowConfig::Noise(Box::new(params));
    let mut sim = Simulator::new(&exact, BookConfig::default()).unwrap();
    assert_ne!(digest(&mut sim, 7), digest(&mut simulator("noise"), 7));
}

#[test]
fn orders_travel_and_meet_the_book_that_is_there_when_they_arrive() {
    let mut sim = simulator("flow");
    let second = Delay::Constant { seconds: 1.0 };
    let desk = sim.add_desk(latency(second.clone(), second));
    sim.reset(2);
    sim.run_until(0.0);
    let bid = sim.market().book().best_bid().unwrap();
    let ticket = sim.submit(desk, NewOrder::limit(Owner(0), Side::Buy, Price(bid.0 - 5), Quantity(3)));
    let on_its_way = sim.market().book().orders_of(FIRST_AGENT).count();
    assert_eq!(on_its_way, 0, "the order is on its way");
    assert_eq!(sim.desk(desk).orders().len(), 1, "its agent knows of it at once");
    sim.run_until(0.999);
    assert_eq!(sim.market().book().orders_of(FIRST_AGENT).count(), 0);
    sim.run_until(1.0);
    assert_eq!(sim.market().book().orders_of(FIRST_AGENT).count(), 1, "it has arrived");
    assert_eq!(sim.desk_mut(desk).take_reports().count(), 0, "its report is on its way");
    sim.run_until(2.0);
    let reports: Vec<_> = sim.desk_mut(desk).take_reports().collect();
    assert_eq!(reports.len(), 1);
    assert_eq!((reports[0].at, reports[0].ticket, reports[0].news), (1.0, Some(ticket), News::Accepted));
    sim.send(desk, Command::Cancel(ticket));
    sim.run_until(4.0);
    assert!(sim.desk(desk).orders().is_empty());
    let reports: Vec<_> = sim.desk_mut(desk).take_reports().map(|report| report.news).collect();
    assert_eq!(reports, [News::Cancelled(Quantity(3))]);
}

#[test]
fn letters_do_not_overtake_each_other() {
    let mut sim = simulator("noise");
    let wild = Delay::Uniform { min_seconds: 0.0, max_seconds: 5.0 };
    let desk = sim.add_desk(latency(wild.clone(), wild));
    for seed in 0..20 {
        sim.reset(seed);
        sim.run_until(0.0);
        let tickets: Vec<_> = (0..10)
            .map(|n| {
                let ticket =
                    sim.submit(desk, NewOrder::limit(Owner(0), Side::Buy, Price(900 - n), Quantity(1)));
                sim.send(desk, Command::Cancel(ticket));
                ticket
            })
            .collect();
        sim.settle(desk);
        let news: Vec<_> =
            sim.desk_mut(desk).take_reports().map(|report| (report.ticket, report.news)).collect();
        let expected: Vec<_> = tickets
            .iter()
            .flat_map(|&ticket| {
                [(Some(ticket), News::Accepted), (Some(ticket), News::Cancelled(Quantity(1)))]
            })
            .collect();
        assert_eq!(news, expected);
    }
}

#[test]
fn a_refused_order_is_reported_and_forgotten() {
    let mut sim = simulator("noise");
    let desk = sim.add_desk(latency(Delay::None, Delay::None));
    sim.reset(0);
    sim.run_until(0.0);
    let ticket = sim.submit(desk, NewOrder::limit(Owner(0), Side::Buy, Price(i64::MAX), Quantity(1)));
    let reports: Vec<_> = sim.desk_mut(desk).take_reports().collect();
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].ticket, Some(ticket));
    assert!(matches!(reports[0].news, News::Rejected(lob::RejectReason::PriceOutOfLimits(_))));
    assert!(sim.desk(desk).orders().is_empty());
}

#[test]
fn a_fill_knows_the_prices_that_others_had_before_it() {
    let mut market = Market::new(BookConfig::default()).expect("the defaults are legal");
    market.watch_agents(true);
    let limit = |owner, side, price, lots| NewOrder::limit(owner, side, Price(price), Quantity(lots));
    for order in [
        limit(CROWD, Side::Buy, 98, 9),
        limit(CROWD, Side::Sell, 104, 9),
        limit(FIRST_AGENT, Side::Buy, 100, 2),
        limit(FIRST_AGENT, Side::Sell, 102, 3),
        // Through the agent's bid and on into the crowd's.
        NewOrder::market(CROWD, Side::Sell, Quantity(5)),
        // Through the agent's ask, and the rest comes to stand as the best bid.
        limit(CROWD, Side::Buy, 103, 5),
        // The agent takes a lot of that.
        NewOrder::market(FIRST_AGENT, Side::Sell, Quantity(1)),
    ] {
        market.submit(order).expect("a legal order");
    }
    let others = |bid, ask| [Some(Price(bid)), Some(Price(ask))];
    let seen: Vec<_> = market.drain_fills().map(|fill| (fill.touch, fill.others)).collect();
    assert_eq!(
        seen,
        [
            (others(100, 102), others(98, 104)),
            (others(98, 102), others(98, 104)),
            (others(103, 104), others(103, 104)),
        ]
    );
}
