//! Choices from one list, or from several independently.

use tch::{Kind, Tensor};

/// `logits` `f32[rows, sum of choices]`, the lists side by side; `raw` `f32[rows, lists]`, whole numbers.
pub(super) fn log_probability(logits: &Tensor, choices: &[usize], raw: &Tensor) -> Tensor {
    let raw = raw.to_kind(Kind::Int64);
    over_lists(logits, choices, |list, logits| {
        logits.log_softmax(-1, None::<Kind>).gather(-1, &raw.narrow(-1, list, 1), false).squeeze_dim(-1)
    })
}

pub(super) fn entropy(logits: &Tensor, choices: &[usize]) -> Tensor {
    over_lists(logits, choices, |_, logits| {
        let logs = logits.log_softmax(-1, None::<Kind>);
        -(logs.exp() * logs).sum_dim_intlist(-1, false, None::<Kind>)
    })
}

fn over_lists(logits: &Tensor, choices: &[usize], value: impl Fn(i64, &Tensor) -> Tensor) -> Tensor {
    let mut first = 0;
    let parts = choices.iter().enumerate().map(|(list, &count)| {
        let logits = logits.narrow(-1, first, count as i64);
        first += count as i64;
        value(list as i64, &logits)
    });
    parts.reduce(|sum, part| sum + part).expect("a space has at least one list")
}
