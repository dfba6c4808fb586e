//! `cargo bench -p lobgym-benches --bench growth`: 100,000 messages of the mixed workload on books of 10^2 to 10^6 live
//! orders, which are there before the clock starts.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lobgym_benches::engines::Engine;
use lobgym_benches::engines::lob_handles::LobHandles;
use lobgym_benches::engines::yardstick::Yardstick;
use lobgym_benches::message::Stream;
use lobgym_benches::workload::{DEFAULT_SEED, Recipe, generate};

const MESSAGES: u64 = 100_000;

fn filled<E: Engine>(stream: &Stream, live: usize) -> E {
    let mut engine = E::new(stream.summary()).expect("the engine suits the workload");
    for message in &stream.messages()[..live] {
        engine.apply(message);
    }
    engine
}

fn growth(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("growth");
    group.throughput(Throughput::Elements(MESSAGES)).sample_size(10);
    for live in [100_usize, 1_000, 10_000, 100_000, 1_000_000] {
        let (stream, _) = generate(&Recipe::grown(live as u64), DEFAULT_SEED, MESSAGES);
        macro_rules! engine {
            ($name:literal, $engine:ty) => {
                group.bench_function(BenchmarkId::new($name, live), |bencher| {
                    bencher.iter_batched(
                        || filled::<$engine>(&stream, live),
                        |mut engine| {
                            let messages = &stream.messages()[live..];
                            let volume: u64 = messages.iter().map(|message| engine.apply(message)).sum();
                            (engine, volume)
                        },
                        BatchSize::PerIteration,
                    );
                });
            };
        }
        engine!("yardstick", Yardstick);
        engine!("lob-handles", LobHandles);
    }
    group.finish();
}

criterion_group!(benches, growth);
criterion_main!(benches);
