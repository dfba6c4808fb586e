//! All parameters of a model in one tensor.

use tch::{Device, Kind, Tensor};

/// Where each parameter lies in a flat tensor of all of them.
///
/// One tensor makes the optimiser, the norm of the gradient and the copy to where policies act a handful of operations, however many
/// layers there are. The cuts that [`views`](Self::views) makes put their gradients together in one operation.
#[derive(Clone, Debug)]
pub struct Layout {
    sizes: Vec<i64>,
    shapes: Vec<Vec<i64>>,
}

impl Layout {
    /// Parameters of these shapes, one after the other.
    pub fn new(shapes: &[Vec<usize>]) -> Self {
        let shapes: Vec<Vec<i64>> =
            shapes.iter().map(|shape| shape.iter().map(|&side| side as i64).collect()).collect();
        let sizes = shapes.iter().map(|shape: &Vec<i64>| shape.iter().product()).collect();
        Self { sizes, shapes }
    }

    /// The parameters one by one; gradients flow back through them to `flat`.
    ///
    /// # Panics
    /// If `flat` has another length.
    pub fn views(&self, flat: &Tensor) -> Vec<Tensor> {
        let parts = flat.split_with_sizes(&self.sizes[..], 0);
        parts.into_iter().zip(&self.shapes).map(|(part, shape)| part.view(&shape[..])).collect()
    }
}

/// Copies a flat tensor's numbers out.
pub fn read(flat: &Tensor, values: &mut Vec<f32>) {
    values.resize(flat.numel(), 0.0);
    let cpu = flat.detach().to_device(Device::Cpu).to_kind(Kind::Float).contiguous();
    let len = values.len();
    cpu.copy_data(values, len);
}

/// A flat tensor's numbers.
pub fn numbers(flat: &Tensor) -> Vec<f32> {
    let mut values = Vec::new();
    read(flat, &mut values);
    values
}

/// A flat tensor with these numbers.
pub fn write(values: &[f32], device: Device) -> Tensor {
    Tensor::from_slice(values).to_device(device)
}
