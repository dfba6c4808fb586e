//! `cargo bench -p lobgym-benches --bench environments`.
//!
//! Group `pool`: what it costs to hand a batch to two threads, once by threads that wait between batches (`gym::VecEnv`), once by threads
//! spawned for each batch (`crossbeam::thread`), and on one thread. Group `env`: steps through `gym::VecEnv`, an element being one step.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gym::{Action, AnyEnv, Autoreset, Env, EnvConfig, Episodes, StepBuffers, VecEnv};
use lob::random::uniform;
use lob::sim::SimRng;
use rand_xoshiro::rand_core::SeedableRng;

/// The arrays of a batch, and several batches of actions for it.
struct Arrays {
    observations: Vec<f32>,
    rewards: Vec<f64>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    actions: Vec<Vec<f32>>,
    next: usize,
}

const ACTION_BATCHES: usize = 16;

impl Arrays {
    fn new(num_envs: usize, env: &AnyEnv) -> Self {
        let mut rng = SimRng::seed_from_u64(0);
        let width = env.action_space().len();
        let mut draw = || (uniform(&mut rng) * 2.0 - 1.0) as f32;
        Self {
            observations: vec![0.0; num_envs * env.observation_space().len()],
            rewards: vec![0.0; num_envs],
            terminated: vec![false; num_envs],
            truncated: vec![false; num_envs],
            actions: (0..ACTION_BATCHES).map(|_| (0..num_envs * width).map(|_| draw()).collect()).collect(),
            next: 0,
        }
    }

    fn action(&mut self) -> usize {
        self.next = (self.next + 1) % ACTION_BATCHES;
        self.next
    }
}

fn config(name: &str) -> EnvConfig {
    EnvConfig::named(name).expect("a name that there is")
}

/// A batch that is stepped by `VecEnv`.
struct Persistent(VecEnv<AnyEnv>, Arrays);

impl Persistent {
    fn new(name: &str, num_envs: usize, threads: usize) -> Self {
        let env = AnyEnv::new(&config(name)).expect("defaults are legal");
        let mut arrays = Arrays::new(num_envs, &env);
        let mut batch =
            VecEnv::new(env, num_envs, None, threads, Autoreset::SameStep).expect("a legal batch");
        batch.reset(None, None, &mut arrays.observations, None).expect("sessions begin");
        Self(batch, arrays)
    }

    fn step(&mut self) {
        let index = self.1.action();
        let arrays = &mut self.1;
        let buffers = StepBuffers {
            observations: &mut arrays.observations,
            rewards: &mut arrays.rewards,
            terminated: &mut arrays.terminated,
            truncated: &mut arrays.truncated,
            infos: None,
            final_observations: None,
            final_infos: None,
        };
        self.0.step(Action::Continuous(&arrays.actions[index]), buffers).expect("a legal step");
    }
}

/// The same with threads spawned for each batch: what safe code would do.
struct Scoped {
    lanes: Vec<Episodes<AnyEnv>>,
    arrays: Arrays,
    threads: usize,
}

impl Scoped {
    fn new(name: &str, num_envs: usize, threads: usize) -> Self {
        let env = AnyEnv::new(&config(name)).expect("defaults are legal");
        let mut arrays = Arrays::new(num_envs, &env);
        let width = env.observation_space().len();
        let mut lanes = vec![Episodes::new(env, None); num_envs];
        for (row, lane) in lanes.iter_mut().enumerate() {
            let observation = &mut arrays.observations[row * width..(row + 1) * width];
            lane.reset(Some(row as u64), observation).expect("sessions begin");
        }
        Self { lanes, arrays, threads }
    }

    fn step(&mut self) {
        let index = self.arrays.action();
        let arrays = &mut self.arrays;
        let (n, share) = (self.lanes.len(), self.lanes.len().div_ceil(self.threads));
        let (width, action_width) = (arrays.observations.len() / n, arrays.actions[index].len() / n);
        let actions = arrays.actions[index].chunks(share * action_width);
        let lanes = self.lanes.chunks_mut(share).zip(arrays.observations.chunks_mut(share * width));
        let mut blocks = lanes.zip(arrays.rewards.chunks_mut(share).zip(actions)).map(
            |((lanes, observations), (rewards, actions))| Block { lanes, observations, rewards, actions },
        );
        // The calling thread takes a share, as it does in the pool.
        let own = blocks.next();
        crossbeam::thread::scope(|scope| {
            for block in blocks {
                scope.spawn(move |_| block.step(width, action_width));
            }
            if let Some(block) = own {
                block.step(width, action_width);
            }
        })
        .expect("no thread panics");
    }
}

/// A thread's share of a batch.
struct Block<'a> {
    lanes: &'a mut [Episodes<AnyEnv>],
    observations: &'a mut [f32],
    rewards: &'a mut [f64],
    actions: &'a [f32],
}

impl Block<'_> {
    fn step(self, width: usize, action_width: usize) {
        let rows = self.observations.chunks_mut(width).zip(self.actions.chunks(action_width));
        for ((lane, reward), (observation, action)) in self.lanes.iter_mut().zip(self.rewards).zip(rows) {
            let step = lane.step(Action::Continuous(action), observation).expect("a legal step");
            if step.is_last() {
                lane.reset(None, observation).expect("sessions begin");
            }
            *reward = step.reward;
        }
    }
}

fn pool(criterion: &mut Criterion) {
    let name = "model_market_making";
    let mut group = criterion.benchmark_group("pool");
    for num_envs in [2, 64, 1_024] {
        group.throughput(Throughput::Elements(num_envs as u64)).sample_size(30);
        let mut one = Persistent::new(name, num_envs, 1);
        group.bench_function(BenchmarkId::new("one thread", num_envs), |bencher| bencher.iter(|| one.step()));
        let mut two = Persistent::new(name, num_envs, 2);
        group.bench_function(BenchmarkId::new("waiting threads", num_envs), |bencher| {
            bencher.iter(|| two.step())
        });
        let mut spawned = Scoped::new(name, num_envs, 2);
        group.bench_function(BenchmarkId::new("spawned threads", num_envs), |bencher| {
            bencher.iter(|| spawned.step());
        });
        black_box(spawned.arrays.rewards);
    }
    group.finish();
}

fn env(criterion: &mut Criterion) {
    const NUM_ENVS: usize = 256;
    let mut group = criterion.benchmark_group("env");
    for name in EnvConfig::NAMES {
        group.throughput(Throughput::Elements(NUM_ENVS as u64)).sample_size(20);
        let mut batch = Persistent::new(name, NUM_ENVS, 1);
        group.bench_function(name, |bencher| bencher.iter(|| batch.step()));
    }
    group.finish();
}

criterion_group!(benches, pool, env);
criterion_main!(benches);
