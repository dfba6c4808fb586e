//! Points of the simplex.

use tch::{Kind, Tensor};

fn sum(x: &Tensor) -> Tensor {
    x.sum_dim_intlist(-1, false, None::<Kind>)
}

/// Concentrations are softplus of the outputs.
pub(super) fn log_density(outputs: &Tensor, parts: &Tensor) -> Tensor {
    let concentration = outputs.softplus();
    sum(&((&concentration - 1.0) * parts.log())) + sum(&concentration).lgamma() - sum(&concentration.lgamma())
}

/// Source: T. P. Minka, *Estimating a Dirichlet distribution*, 2000; as in torch.distributions.
pub(super) fn entropy(outputs: &Tensor) -> Tensor {
    let concentration = outputs.softplus();
    let total = sum(&concentration);
    let count = outputs.size()[1] as f64;
    sum(&concentration.lgamma())
        - total.lgamma()
        - (-&total + count) * total.digamma()
        - sum(&((&concentration - 1.0) * concentration.digamma()))
}
