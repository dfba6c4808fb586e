//! `cargo bench -p lobgym-benches --bench market`: whole market sessions of 150 s without agents, the reset to the opening book
//! included. An element is one event of the flow.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lob::BookConfig;
use lob::flow::MarketConfig;
use lob::sim::Simulator;

const SECONDS: f64 = 150.0;
/// Sessions an iteration, each with a seed of its own.
const SESSIONS: u64 = 20;

/// Events of the flow in all sessions.
fn play(simulator: &mut Simulator) -> u64 {
    let mut events = 0;
    for seed in 0..SESSIONS {
        simulator.reset(seed);
        simulator.run_until(SECONDS);
        events += simulator.flow_events();
    }
    events
}

fn market(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("market");
    for name in ["noise", "flow", "strategic"] {
        let market = MarketConfig::preset(name).expect("a preset").flow;
        let book = BookConfig { window_levels: 256, ..BookConfig::default() };
        let mut simulator = Simulator::new(&market, book).expect("presets are legal");
        let events = play(&mut simulator);
        println!("{name}: {} flow events a session", events / SESSIONS);
        group.throughput(Throughput::Elements(events)).sample_size(20);
        group.bench_function(name, |bencher| bencher.iter(|| play(&mut simulator)));
        // What of that the opening books take: as many resets, and no play. Read its time, not its throughput.
        group.bench_function(format!("{name}, resets alone"), |bencher| {
            bencher.iter(|| (0..SESSIONS).for_each(|seed| simulator.reset(black_box(seed))));
        });
    }
    group.finish();
}

criterion_group!(benches, market);
criterion_main!(benches);
