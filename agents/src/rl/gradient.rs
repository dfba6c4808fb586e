//! Gradients of a batch, on several threads.
//!
//! A batch is cut into parts of a size that depends on nothing but the batch; each part's loss is a share of the whole one's sum, and the
//! parts' gradients are added in order. So the number of threads changes no bit, each part stays in a core's cache, and no thread waits
//! for another before the end of the batch. libtorch's own threads meet after every operation instead, which costs more than it brings
//! with networks of this size, and everything on a machine that has other work.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tch::Tensor;

/// Rows of a part, at most.
const PART: usize = 1_024;

/// Adds up what `work` gives for the parts of `rows` rows: the gradient of its loss by the parameters, and its numbers.
///
/// `work` gets the parameters, which it reads through `flat` to get gradients, and its rows. Its loss must be a sum over rows: the parts'
/// losses together are the loss.
///
/// # Panics
/// If `work` does.
pub fn gradient<const N: usize>(
    flat: &Tensor,
    rows: usize,
    threads: usize,
    work: impl Fn(&Tensor, Range<usize>) -> (Tensor, [f64; N]) + Sync,
) -> (Tensor, [f64; N]) {
    let count = if flat.device().is_cuda() { 1 } else { rows.div_ceil(PART).next_power_of_two() };
    let size = rows.div_ceil(count);
    // A tensor cannot be looked at from two threads; each part has one of its own, with the same numbers behind it.
    let part = |index: usize| {
        let leaf = flat.detach().set_requires_grad(true);
        Mutex::new(Part {
            leaf,
            rows: (index * size).min(rows)..((index + 1) * size).min(rows),
            numbers: [0.0; N],
        })
    };
    let parts: Vec<_> = (0..count).map(part).collect();
    let next = AtomicUsize::new(0);
    let take_turns = || {
        while let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut part = part.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            if !part.rows.is_empty() {
                let (loss, numbers) = work(&part.leaf, part.rows.clone());
                loss.backward();
                part.numbers = numbers;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(count) {
            scope.spawn(take_turns);
        }
        take_turns();
    });
    let mut numbers = [0.0; N];
    let mut total: Option<Tensor> = None;
    for part in parts {
        let part = part.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        if part.rows.is_empty() {
            continue;
        }
        numbers.iter_mut().zip(part.numbers).for_each(|(sum, number)| *sum += number);
        let gradient = part.leaf.grad();
        total = Some(match total {
            None => gradient,
            Some(mut total) => total.g_add_(&gradient),
        });
    }
    (total.unwrap_or_else(|| flat.zeros_like()), numbers)
}

struct Part<const N: usize> {
    leaf: Tensor,
    rows: Range<usize>,
    numbers: [f64; N],
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    #[test]
    fn threads_change_no_bit_and_parts_make_the_whole() {
        let rows = 5_000;
        let data: Vec<f32> = (0..rows * 3).map(|i| (i as f32 * 0.37).sin()).collect();
        let flat = Tensor::from_slice(&[0.3_f32, -0.2, 0.5]);
        let loss = |flat: &Tensor, rows: Range<usize>| {
            let x = Tensor::from_slice(&data[rows.start * 3..rows.end * 3]).view([-1, 3]);
            let loss = x.matmul(&flat.tanh()).square().sum(Kind::Float);
            let value = loss.double_value(&[]);
            (loss, [value, rows.len() as f64])
        };
        let (one, numbers) = gradient(&flat, rows, 1, loss);
        let (many, again) = gradient(&flat, rows, 3, loss);
        assert_eq!(one, many);
        assert_eq!(numbers, again);
        assert_eq!(numbers[1], rows as f64);
        let leaf = flat.detach().set_requires_grad(true);
        let (whole, _) = loss(&leaf, 0..rows);
        whole.backward();
        let difference = (leaf.grad() - one).abs().max().double_value(&[]);
        assert!(difference < 1e-2 * whole.double_value(&[]).max(1.0) / 1_000.0, "{difference}");
    }
}
