//! `cargo bench -p lobgym-benches --bench workloads`: both workloads, a whole stream an iteration.
//!
//! 500,000 messages each: what `lobgym bench latency` measures at full length, in the form that criterion
//! keeps and compares.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use lobgym_benches::engines::lob_external::LobExternal;
use lobgym_benches::engines::lob_handles::LobHandles;
use lobgym_benches::engines::yardstick::Yardstick;
use lobgym_benches::engines::{Engine, EngineId};
use lobgym_benches::message::Stream;
use lobgym_benches::workload::{DEFAULT_SEED, Workload, generate};

const MESSAGES: u64 = 500_000;

fn replay<E: Engine>(mut engine: E, stream: &Stream) -> (E, u64) {
    let volume = stream.messages().iter().map(|message| engine.apply(message)).sum();
    // The engine goes back to criterion, which drops it outside the clock.
    (engine, volume)
}

fn workloads(criterion: &mut Criterion) {
    for workload in Workload::ALL {
        let (stream, _) = generate(&workload.recipe(), DEFAULT_SEED, MESSAGES);
        let mut group = criterion.benchmark_group(workload.name());
        group.throughput(Throughput::Elements(MESSAGES)).sample_size(10);
        macro_rules! engine {
            ($id:expr, $engine:ty) => {
                group.bench_function($id.name(), |bencher| {
                    let fresh = || <$engine>::new(stream.summary()).expect("the engine suits the workload");
                    bencher.iter_batched(fresh, |engine| replay(engine, &stream), BatchSize::PerIteration);
                });
            };
        }
        engine!(EngineId::Yardstick, Yardstick);
        engine!(EngineId::LobHandles, LobHandles);
        engine!(EngineId::LobExternal, LobExternal);
        group.finish();
    }
}

criterion_group!(benches, workloads);
criterion_main!(benches);
