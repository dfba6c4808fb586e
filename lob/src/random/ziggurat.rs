//! Exponential waiting times, the same bits on every machine.

use std::sync::LazyLock;

use rand::Rng;

use super::uniform;

/// Where the tail of the ziggurat begins, and the area of each of its 256 layers.
const TAIL: f64 = 7.697_117_470_131_05;
const AREA: f64 = 0.003_949_659_822_581_557;

#[derive(Debug)]
pub(crate) struct Ziggurat {
    /// Right edges of the layers; the first is that of the base strip, tail included.
    edge: [f64; 257],
    /// exp(-edge).
    density: [f64; 257],
}

static ZIGGURAT: LazyLock<Ziggurat> = LazyLock::new(|| {
    let mut edge = [0.0; 257];
    edge[0] = AREA * libm::exp(TAIL);
    edge[1] = TAIL;
    for layer in 2..256 {
        edge[layer] = -libm::log(AREA / edge[layer - 1] + libm::exp(-edge[layer - 1]));
    }
    Ziggurat { edge, density: edge.map(|edge| libm::exp(-edge)) }
});

/// An exponentially distributed number with mean 1, by the ziggurat of Marsaglia & Tsang (Journal of Statistical Software 5(8),
/// 2000). `rand_distr::Exp1` is the same method; this one takes exp and log from `libm` whatever other crates of the
/// build ask of theirs, so that a seed gives the same session on every platform.
#[inline]
pub fn exponential<R: Rng + ?Sized>(rng: &mut R) -> f64 {
    ZIGGURAT.exponential(rng)
}

impl Ziggurat {
    /// The tables. Whoever draws very often keeps this rather than to ask each time whether they are there.
    pub(crate) fn tables() -> &'static Self {
        &ZIGGURAT
    }

    /// See [`exponential`].
    #[inline]
    pub(crate) fn exponential<R: Rng + ?Sized>(&self, rng: &mut R) -> f64 {
        loop {
            let bits = rng.next_u64();
            // The layer takes the lowest 8 bits, the position the highest 53.
            let layer = (bits & 0xff) as usize;
            let x = (bits >> 11) as f64 * (1.0 / (1_u64 << 53) as f64) * self.edge[layer];
            if x < self.edge[layer + 1] {
                return x;
            }
            if let Some(x) = edge_case(self, layer, x, rng) {
                return x;
            }
        }
    }
}

/// The one draw in a hundred that falls beside the rectangles.
#[cold]
fn edge_case<R: Rng + ?Sized>(ziggurat: &Ziggurat, layer: usize, x: f64, rng: &mut R) -> Option<f64> {
    if layer == 0 {
        // The tail is the distribution itself, moved.
        return Some(TAIL - libm::log(1.0 - uniform(rng)));
    }
    let (low, high) = (ziggurat.density[layer], ziggurat.density[layer + 1]);
    (low + (high - low) * uniform(rng) < libm::exp(-x)).then_some(x)
}

#[cfg(test)]
mod tests {
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn exponential_has_the_distribution_it_claims() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        const DRAWS: usize = 2_000_000;
        // 64 bins of equal probability: bin of x is floor(64 (1 - exp(-x))).
        let mut bins = [0_u32; 64];
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..DRAWS {
            let x = exponential(&mut rng);
            bins[((1.0 - (-x).exp()) * 64.0).min(63.0) as usize] += 1;
            sum += x;
            squares += x * x;
        }
        let expected = DRAWS as f64 / 64.0;
        let chi_square: f64 = bins.iter().map(|&n| (f64::from(n) - expected).powi(2) / expected).sum();
        // 63 degrees of freedom: mean 63, deviation 11.2.
        assert!(chi_square < 63.0 + 5.0 * 11.2, "chi-square {chi_square}");
        let mean = sum / DRAWS as f64;
        assert!((mean - 1.0).abs() < 5.0 / (DRAWS as f64).sqrt(), "mean {mean}");
        let second = squares / DRAWS as f64;
        assert!(
            (second - 2.0).abs() < 5.0 * 20.0_f64.sqrt() / (DRAWS as f64).sqrt(),
            "second moment {second}"
        );
    }

    #[test]
    fn layers_have_equal_areas_and_close_at_the_mode() {
        let ziggurat = &*ZIGGURAT;
        for layer in 1..256 {
            let height = ziggurat.density[layer + 1] - ziggurat.density[layer];
            assert!((ziggurat.edge[layer] * height - AREA).abs() < 1e-12, "layer {layer}");
        }
    }
}
