//! How long a policy thinks: `cargo test --release -p agents --test policy_speed -- --ignored --nocapture`.

use std::hint::black_box;
use std::time::Instant;

use agents::policy::{Activation, Body, Network, NetworkSpec, Workspace};

fn nanoseconds_a_row(rows: usize) -> f64 {
    let spec = NetworkSpec {
        observation: 66,
        window: 1,
        body: Body::Mlp,
        body_size: 0,
        body_layers: 0,
        kernel: 0,
        hidden: vec![128, 128],
        activation: Activation::Tanh,
        outputs: 7,
    };
    let mut network = Network::new(spec.clone()).expect("the sizes are legal");
    let parameters: Vec<f32> =
        (0..spec.parameter_count()).map(|i| ((i * 7919) % 1_000) as f32 * 2e-4 - 0.1).collect();
    network.set(&parameters);
    let input = vec![0.25; rows * 66];
    let mut output = vec![0.0; rows * 7];
    let mut workspace = Workspace::default();
    let repeats = 40_000 / rows;
    let mut times: Vec<f64> = (0..9)
        .map(|_| {
            let begun = Instant::now();
            for _ in 0..repeats {
                network.forward(black_box(&input), rows, &mut workspace, black_box(&mut output));
            }
            begun.elapsed().as_nanos() as f64 / (repeats * rows) as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[4]
}

#[test]
#[ignore = "times; for a quiet machine and an optimised build"]
fn a_128_128_network_takes_at_most_5_microseconds() {
    for rows in [1, 4, 16, 64] {
        println!("{rows} rows: {:.0} ns a row", nanoseconds_a_row(rows));
    }
    assert!(nanoseconds_a_row(1) < 5_000.0);
}
