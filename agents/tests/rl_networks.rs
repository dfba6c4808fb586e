//! What plays and what learns compute the same: the torch-free networks beside libtorch's.
#![cfg(feature = "torch")]
#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use agents::policy::{Activation, Body, Network, NetworkSpec, Workspace};
use agents::rl::{network, parameters::Layout};
use lob::random::standard_normal;
use lob::sim::SimRng;
use rand_xoshiro::rand_core::SeedableRng;
use tch::Tensor;

#[test]
fn networks_agree_to_a_hundred_thousandth() {
    let mut rng = SimRng::seed_from_u64(9);
    let mlp = |observation, window, hidden: &[usize], activation, outputs| NetworkSpec {
        observation,
        window,
        body: Body::Mlp,
        body_size: 0,
        body_layers: 0,
        kernel: 0,
        hidden: hidden.to_vec(),
        activation,
        outputs,
    };
    let tanh = Activation::Tanh;
    let base = mlp(9, 5, &[12], tanh, 3);
    let specs = [
        mlp(66, 1, &[128, 128], tanh, 7),
        mlp(3, 1, &[], tanh, 2),
        mlp(5, 4, &[33, 1, 20], Activation::Relu, 1),
        mlp(7, 1, &[64, 64], Activation::Elu, 4),
        mlp(7, 1, &[64, 64], Activation::Silu, 4),
        NetworkSpec { body: Body::Gru, body_size: 16, ..base.clone() },
        NetworkSpec { body: Body::Tcn, body_size: 16, body_layers: 3, kernel: 3, ..base.clone() },
        // As many channels as the observation has numbers: the first convolution is added to its input, too.
        NetworkSpec {
            body: Body::Tcn,
            body_size: 9,
            body_layers: 2,
            kernel: 2,
            activation: Activation::Relu,
            ..base
        },
    ];
    for spec in specs {
        let mut normal = |count: usize, scale: f64| -> Vec<f32> {
            (0..count).map(|_| (scale * standard_normal(&mut rng)) as f32).collect()
        };
        let parameters = normal(spec.parameter_count(), 0.15);
        let rows = 11;
        let input = normal(rows * spec.input_len(), 1.0);
        let mut own = Network::new(spec.clone()).unwrap();
        own.set(&parameters);
        let mut output = vec![0.0; rows * spec.outputs];
        own.forward(&input, rows, &mut Workspace::default(), &mut output);
        let shapes: Vec<Vec<usize>> = spec.parameters().into_iter().map(|(_, shape)| shape).collect();
        let views = Layout::new(&shapes).views(&Tensor::from_slice(&parameters));
        let theirs = network::forward(&spec, &views, &Tensor::from_slice(&input).view([rows as i64, -1]));
        let mut expected = vec![0.0_f32; output.len()];
        let len = expected.len();
        theirs.copy_data(&mut expected, len);
        for (own, expected) in output.iter().zip(&expected) {
            assert!((own - expected).abs() < 1e-5 * expected.abs().max(1.0), "{spec:?}: {own} {expected}");
        }
        assert!(expected.iter().any(|x| x.abs() > 1e-2), "{spec:?}: the outputs are no zeros");
    }
}
