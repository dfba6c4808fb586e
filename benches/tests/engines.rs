//! Every engine makes the reference book's trades, on generated streams and on arbitrary ones.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::sync::atomic::AtomicBool;

use lob::{Owner, Price, Quantity, Side};
use lobgym_benches::clock::Clock;
use lobgym_benches::engines::EngineId;
use lobgym_benches::measure;
use lobgym_benches::message::{Message, Stream};
use lobgym_benches::naive::trades_of;
use lobgym_benches::session::Session;
use lobgym_benches::workload::{Recipe, Workload, generate};
use proptest::prelude::*;

fn built() -> impl Iterator<Item = EngineId> {
    EngineId::ALL.into_iter().filter(|id| id.is_built())
}

#[test]
fn own_engines_are_exact_on_both_workloads() {
    for workload in Workload::ALL {
        let (stream, composition) = generate(&workload.recipe(), 7, 100_000);
        let reference = trades_of(&stream);
        assert!(composition.trades > 5_000, "{composition}");
        assert_eq!((reference.count, reference.volume), (composition.trades, composition.volume));
        for id in EngineId::OWN {
            assert_eq!(measure::trades(id, &stream).unwrap(), reference, "{id} on {workload}");
            assert_eq!(
                measure::replay(id, &stream, 0).unwrap().volume,
                reference.volume,
                "{id} on {workload}"
            );
        }
    }
}

#[test]
fn peers_replay_the_workload() {
    let (stream, _) = generate(&Workload::Small.recipe(), 7, 20_000);
    let reference = trades_of(&stream);
    for id in built().filter(|id| id.is_peer()) {
        let trades = measure::trades(id, &stream).unwrap();
        let volume = measure::replay(id, &stream, 0).unwrap().volume;
        assert_eq!(trades.volume, volume, "{id}");
        // matchcore 0.4 trades a crossing limit order through its price.
        if id != EngineId::Matchcore {
            assert_eq!(trades, reference, "{id}");
        }
    }
}

#[test]
fn generator_is_deterministic_and_follows_its_recipe() {
    let recipe = Workload::Mixed.recipe();
    let (one, composition) = generate(&recipe, 1, 400_000);
    assert_eq!(one, generate(&recipe, 1, 400_000).0);
    assert_ne!(one, generate(&recipe, 2, 400_000).0);
    let share = |part: u64| part as f64 / 400_000.0;
    assert!((share(composition.resting) - 0.5).abs() < 0.01, "{composition}");
    assert!((share(composition.cancels) - 0.39).abs() < 0.01, "{composition}");
    assert!((share(composition.market) - 0.055).abs() < 0.005, "{composition}");
    assert!((3_000.0..9_000.0).contains(&composition.average_live_orders), "{composition}");
    let small = generate(&Workload::Small.recipe(), 1, 400_000).1;
    assert!((350.0..450.0).contains(&small.average_live_orders), "{small}");
}

#[test]
fn generated_bytes_never_change() {
    // Bytes that change make figures incomparable: raise the format's or the recipe's name instead.
    let (stream, _) = generate(&Workload::Mixed.recipe(), 1, 10_000);
    let mut bytes = Vec::new();
    lobgym_benches::file::write_to(&mut bytes, &stream).unwrap();
    assert_eq!(format!("{:016x}", xxhash_rust::xxh3::xxh3_64(&bytes)), "ef1f16c94a2f3e3a");
}

#[test]
fn grown_book_starts_with_its_orders() {
    let (stream, composition) = generate(&Recipe::grown(1_000), 3, 5_000);
    assert_eq!(stream.messages().len(), 6_000);
    assert!((800.0..1_200.0).contains(&composition.average_live_orders), "{composition}");
}

#[test]
fn session_reports_each_engine_and_stops_when_told() {
    let (stream, _) = generate(&Workload::Small.recipe(), 7, 5_000);
    let clock = Clock::calibrate();
    let stop = AtomicBool::new(false);
    let session = Session {
        workload: "small",
        stream: &stream,
        reference: trades_of(&stream),
        engines: &EngineId::OWN,
        runs: 3,
        clock: &clock,
        memory: None,
        stop: &stop,
    };
    let mut steps = 0;
    let results = session.run(|_| steps += 1).unwrap();
    assert_eq!(steps, session.steps());
    assert_eq!(results.len(), 3);
    assert!(results.iter().all(|result| result.exact && result.runs == 3 && result.latency_ns.is_some()));
    assert_eq!(results[0].ratio_to_yardstick, Some(1.0));

    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(session.run(|_| panic!("a stopped session starts nothing")).unwrap().is_empty());
}

#[test]
fn yardstick_refuses_a_range_it_has_no_array_for() {
    let limit = |id, price| Message::Limit {
        id,
        owner: Owner(0),
        side: Side::Buy,
        price: Price(price),
        quantity: Quantity(1),
    };
    let stream = Stream::new(vec![limit(0, 0), limit(1, 1 << 60)]);
    let error = measure::trades(EngineId::Yardstick, &stream).unwrap_err();
    assert!(error.to_string().contains("price range"), "{error}");
    assert_eq!(measure::trades(EngineId::LobHandles, &stream).unwrap(), trades_of(&stream));
}

/// Narrow prices, small and large sizes, cancels of anything that came before, dead or alive.
fn streams() -> impl Strategy<Value = Stream> {
    let message =
        (0..4_u8, any::<bool>(), -12..12_i64, prop_oneof![1..20_u64, 1..1_000_000_u64], any::<u64>());
    prop::collection::vec(message, 1..400).prop_map(|draws| {
        let mut orders = 0;
        let messages = draws.into_iter().map(|(kind, buy, price, quantity, pick)| {
            let side = if buy { Side::Buy } else { Side::Sell };
            let (owner, price, quantity) = (Owner((pick % 4) as u32), Price(price), Quantity(quantity));
            if kind == 2 && orders > 0 {
                return Message::Cancel { id: pick % orders };
            }
            let id = orders;
            orders += 1;
            if kind == 3 {
                Message::Market { id, owner, side, quantity }
            } else {
                Message::Limit { id, owner, side, price, quantity }
            }
        });
        Stream::new(messages.collect())
    })
}

proptest! {
    #[test]
    fn own_engines_are_exact_on_arbitrary_streams(stream in streams()) {
        let reference = trades_of(&stream);
        for id in EngineId::OWN {
            prop_assert_eq!(measure::trades(id, &stream).unwrap(), reference, "{}", id);
        }
    }
}
