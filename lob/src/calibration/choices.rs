//! Which price a cancellation chose, given what rested at each.

use super::linalg::Symmetric;

/// Cancellations that are kept a side; of more only every second, fourth, ... is.
const MOST: usize = 1 << 16;
const ITERATIONS: usize = 60;

/// Cancellations of one side: the distance of each and the lots that rested at every distance before it.
///
/// A cancellation falls on distance k with probability `w_k L_k / sum_m w_m L_m`: R. D. Luce's choice, whose log-likelihood is concave in the logarithms of the
/// weights (D. R. Hunter, *MM algorithms for generalized Bradley-Terry models*, Annals of Statistics 32 (2004) 384-406).
#[derive(Clone, Debug, Default)]
pub(super) struct Choices {
    levels: usize,
    chosen: Vec<u32>,
    /// Rows of `levels` lots.
    lots: Vec<u32>,
    /// One in so many is kept.
    stride: u64,
    seen: u64,
    /// Events whose price had nothing, as far as the book shows.
    pub(super) nothing_there: u64,
}

/// Weights that add up to 1, and their standard errors; NaN where a weight is 0.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Weights {
    pub(super) weights: Vec<f64>,
    pub(super) errors: Vec<f64>,
    /// Cancellations they rest on.
    pub(super) events: u64,
}

impl Choices {
    /// Sees a cancellation at `distance` (1 or more) in a book with these lots at distances 1, 2, ...
    pub(super) fn see(&mut self, distance: u32, depth: &[u64]) {
        if self.seen == 0 {
            (self.levels, self.stride) = (depth.len(), 1);
        }
        let place = distance as usize - 1;
        if depth.len() != self.levels || depth.get(place).is_none_or(|&lots| lots == 0) {
            self.nothing_there += 1;
            return;
        }
        self.seen += 1;
        if !self.seen.is_multiple_of(self.stride) {
            return;
        }
        self.chosen.push(place as u32);
        self.lots.extend(depth.iter().map(|&lots| u32::try_from(lots).unwrap_or(u32::MAX)));
        if self.chosen.len() == MOST {
            self.thin();
        }
    }

    /// Keeps every second one.
    fn thin(&mut self) {
        let levels = self.levels;
        for kept in 0..MOST / 2 {
            let from = 2 * kept + 1;
            self.chosen[kept] = self.chosen[from];
            self.lots.copy_within(from * levels..(from + 1) * levels, kept * levels);
        }
        self.chosen.truncate(MOST / 2);
        self.lots.truncate(MOST / 2 * levels);
        self.stride *= 2;
    }

    /// The weights of greatest likelihood; `None` without events.
    pub(super) fn fit(&self) -> Option<Weights> {
        if self.chosen.is_empty() {
            return None;
        }
        let mut counts = vec![0.0_f64; self.levels];
        self.chosen.iter().for_each(|&place| counts[place as usize] += 1.0);
        // A distance at which nothing was cancelled has weight 0.
        let used: Vec<usize> = (0..self.levels).filter(|&place| counts[place] > 0.0).collect();
        // A common factor does not matter: the most frequent one stays as it is.
        let pinned = (0..used.len()).max_by(|&a, &b| counts[used[a]].total_cmp(&counts[used[b]]))?;
        let free: Vec<usize> = (0..used.len()).filter(|&place| place != pinned).collect();
        let mut logs = self.guess(&used, &counts);
        let (mut value, mut slope, mut information) = self.evaluate(&used, &logs);
        for _ in 0..ITERATIONS {
            let part = information.part(&free);
            let Ok(factor) = part.cholesky(1e-12) else { break };
            let mut by: Vec<f64> = free.iter().map(|&place| slope[place]).collect();
            factor.solve(&mut by);
            let gain: f64 = free.iter().zip(&by).map(|(&place, by)| slope[place] * by).sum();
            if gain < 1e-9 {
                break;
            }
            let mut length = 1.0;
            let next = loop {
                let mut tried = logs.clone();
                free.iter().zip(&by).for_each(|(&place, by)| tried[place] += length * by);
                let found = self.evaluate(&used, &tried);
                if found.0 > value || length < 1e-6 {
                    break (tried, found);
                }
                length *= 0.5;
            };
            (logs, (value, slope, information)) = next;
        }
        Some(self.normalised(&used, &free, &logs, &information))
    }

    /// Cancellations a lot: exact if the lots never changed.
    fn guess(&self, used: &[usize], counts: &[f64]) -> Vec<f64> {
        let mut rested = vec![0.0_f64; self.levels];
        for row in self.lots.chunks_exact(self.levels) {
            rested.iter_mut().zip(row).for_each(|(sum, &lots)| *sum += f64::from(lots));
        }
        used.iter().map(|&place| libm::log(counts[place] / rested[place].max(1.0))).collect()
    }

    /// Log-likelihood, its gradient and its information by the logarithms of the weights.
    fn evaluate(&self, used: &[usize], logs: &[f64]) -> (f64, Vec<f64>, Symmetric) {
        let n = used.len();
        let weights: Vec<f64> = logs.iter().map(|&log| libm::exp(log)).collect();
        let (mut value, mut slope, mut information) = (0.0, vec![0.0; n], Symmetric::zeros(n));
        let mut shares: Vec<(usize, f64)> = Vec::with_capacity(n);
        for (&chosen, row) in self.chosen.iter().zip(self.lots.chunks_exact(self.levels)) {
            shares.clear();
            let mut total = 0.0;
            for (place, (&at, weight)) in used.iter().zip(&weights).enumerate() {
                if row[at] > 0 {
                    let mass = f64::from(row[at]) * weight;
                    total += mass;
                    shares.push((place, mass));
                }
            }
            shares.iter_mut().for_each(|share| share.1 /= total);
            for (index, &(place, share)) in shares.iter().enumerate() {
                if used[place] == chosen as usize {
                    value += libm::log(share);
                    slope[place] += 1.0;
                }
                slope[place] -= share;
                information.entries[place * n + place] += share;
                let row = &mut information.entries[place * n..(place + 1) * n];
                for &(other, with) in &shares[..=index] {
                    row[other] -= share * with;
                }
            }
        }
        for place in 0..n {
            for other in 0..place {
                information.entries[other * n + place] = information.entries[place * n + other];
            }
        }
        (value, slope, information)
    }

    /// Weights that add up to 1; their errors by the delta method.
    fn normalised(&self, used: &[usize], free: &[usize], logs: &[f64], information: &Symmetric) -> Weights {
        let total: f64 = logs.iter().map(|&log| libm::exp(log)).sum();
        let shares: Vec<f64> = logs.iter().map(|&log| libm::exp(log) / total).collect();
        let covariance = information.part(free).cholesky(1e-12).map(|factor| factor.inverse());
        let mut weights = vec![0.0; self.levels];
        let mut errors = vec![f64::NAN; self.levels];
        for (place, &at) in used.iter().enumerate() {
            weights[at] = shares[place];
            let Ok(covariance) = &covariance else { continue };
            // d w_k / d b_m = w_k (1 if k = m, less w_m).
            let slopes: Vec<f64> = free
                .iter()
                .map(|&other| shares[place] * (f64::from(u8::from(other == place)) - shares[other]))
                .collect();
            let mut variance = 0.0;
            for (a, row) in slopes.iter().enumerate() {
                for (b, column) in slopes.iter().enumerate() {
                    variance += row * column * covariance.at(a, b);
                }
            }
            errors[at] = variance.max(0.0).sqrt();
        }
        Weights { weights, errors, events: self.chosen.len() as u64 }
    }
}

#[cfg(test)]
mod tests {
    use rand_xoshiro::rand_core::SeedableRng;

    use super::*;
    use crate::random::uniform;
    use crate::sim::SimRng;

    #[test]
    fn weights_come_back_whatever_rests_where() {
        let truth = [0.5, 0.3, 0.0, 0.15, 0.05];
        let mut rng = SimRng::seed_from_u64(2);
        let mut choices = Choices::default();
        for _ in 0..40_000 {
            let depth: Vec<u64> = (0..5).map(|k| (uniform(&mut rng) * f64::from(3 + 4 * k)) as u64).collect();
            let mass: Vec<f64> = depth.iter().zip(truth).map(|(&lots, w)| lots as f64 * w).collect();
            let total: f64 = mass.iter().sum();
            if total == 0.0 {
                continue;
            }
            let mut point = uniform(&mut rng) * total;
            let place = mass.iter().position(|mass| {
                point -= mass;
                point < 0.0
            });
            choices.see(place.unwrap_or(4) as u32 + 1, &depth);
        }
        let fit = choices.fit().unwrap();
        assert_eq!((fit.weights[2], fit.errors[2].is_nan()), (0.0, true));
        for place in [0, 1, 3, 4] {
            let z = (fit.weights[place] - truth[place]) / fit.errors[place];
            assert!(z.abs() < 3.0, "{place}: {} +- {}", fit.weights[place], fit.errors[place]);
            assert!(fit.errors[place] < 0.02 * truth[place].max(0.1), "{}", fit.errors[place]);
        }
        assert!((fit.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn memory_is_bounded_and_a_price_without_lots_is_counted() {
        let mut choices = Choices::default();
        let mut rng = SimRng::seed_from_u64(5);
        for _ in 0..300_000 {
            choices.see(1 + u32::from(uniform(&mut rng) < 0.3), &[1, 1]);
        }
        choices.see(2, &[1, 0]);
        choices.see(3, &[1, 1]);
        assert_eq!(choices.nothing_there, 2);
        assert!(choices.chosen.len() < MOST && choices.chosen.len() >= MOST / 2);
        assert_eq!(choices.lots.len(), 2 * choices.chosen.len());
        let fit = choices.fit().unwrap();
        assert!((fit.weights[1] - 0.3).abs() < 4.0 * fit.errors[1], "{:?}", fit.weights);
    }
}
