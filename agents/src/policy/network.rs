//! Networks, as a description and as something that computes.

use lob::ParameterError;
use lob::parameter::integer;
use serde::{Deserialize, Serialize};

use super::Activation;
use super::dense::Dense;
use super::temporal::{Gru, Tcn};

/// What comes before the dense layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// Nothing: the window's observations side by side.
    #[default]
    Mlp,
    /// A gated recurrent unit over the window; its last state goes on. Source: Cho et al., arXiv 1406.1078, with torch's gates.
    Gru,
    /// Causal convolutions over the window with dilations 1, 2, 4, ..., each added to its input; the last position goes on. Source:
    /// Bai, Kolter & Koltun, arXiv 1803.01271, without dropout and with one convolution a block.
    Tcn,
}

/// A network: a body over a window of observations, then dense layers. Also the order of its parameters: [`parameters`](Self::parameters).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkSpec {
    /// Numbers of an observation.
    pub observation: usize,
    /// Observations that it sees, the present one included.
    pub window: usize,
    /// What comes first.
    pub body: Body,
    /// Numbers of the recurrent state or channels of the convolutions; unused by [`Body::Mlp`].
    pub body_size: usize,
    /// Convolutions; unused otherwise.
    pub body_layers: usize,
    /// Taps of a convolution; unused otherwise.
    pub kernel: usize,
    /// Widths of the dense layers before the last.
    pub hidden: Vec<usize>,
    /// Between all layers.
    pub activation: Activation,
    /// Numbers that come out.
    pub outputs: usize,
}

impl NetworkSpec {
    /// Checks every size.
    ///
    /// # Errors
    /// The first that is not legal.
    pub fn validate(&self) -> Result<(), ParameterError> {
        const MOST: usize = 65_536;
        integer("observation", self.observation, 1..=MOST)?;
        integer("outputs", self.outputs, 1..=MOST)?;
        integer("window", self.window, 1..=4_096)?;
        if self.body != Body::Mlp {
            integer("body_size", self.body_size, 1..=MOST)?;
        }
        if self.body == Body::Tcn {
            integer("body_layers", self.body_layers, 1..=16)?;
            integer("kernel", self.kernel, 1..=64)?;
        }
        for (layer, &width) in self.hidden.iter().enumerate() {
            integer(&format!("hidden[{layer}]"), width, 1..=MOST)?;
        }
        Ok(())
    }

    /// Numbers of an input row: the window's observations, the oldest first.
    pub fn input_len(&self) -> usize {
        self.observation * self.window
    }

    /// Numbers that the body gives to the first dense layer.
    pub fn features(&self) -> usize {
        if self.body == Body::Mlp { self.input_len() } else { self.body_size }
    }

    /// Inputs and outputs of each dense layer.
    pub fn dense(&self) -> Vec<(usize, usize)> {
        let widths: Vec<_> =
            [self.features()].into_iter().chain(self.hidden.iter().copied()).chain([self.outputs]).collect();
        widths.windows(2).map(|pair| (pair[0], pair[1])).collect()
    }

    /// Input channels of each convolution.
    pub(super) fn channels(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.body_layers).map(|layer| if layer == 0 { self.observation } else { self.body_size })
    }

    /// Names and shapes of all parameters, row-major and in the order of a flat parameter vector. Names and layouts are torch's:
    /// `Linear` (`layers.0.weight` `f32[out, in]`), `GRU` (gates reset, update, new), `Conv1d` `f32[out, in, taps]`.
    pub fn parameters(&self) -> Vec<(String, Vec<usize>)> {
        let mut list = Vec::new();
        let size = self.body_size;
        match self.body {
            Body::Mlp => {}
            Body::Gru => {
                list.push(("gru.weight_ih".to_owned(), vec![3 * size, self.observation]));
                list.push(("gru.weight_hh".to_owned(), vec![3 * size, size]));
                list.push(("gru.bias_ih".to_owned(), vec![3 * size]));
                list.push(("gru.bias_hh".to_owned(), vec![3 * size]));
            }
            Body::Tcn => {
                for (layer, channels) in self.channels().enumerate() {
                    list.push((format!("tcn.{layer}.weight"), vec![size, channels, self.kernel]));
                    list.push((format!("tcn.{layer}.bias"), vec![size]));
                }
            }
        }
        for (layer, (inputs, outputs)) in self.dense().into_iter().enumerate() {
            list.push((format!("layers.{layer}.weight"), vec![outputs, inputs]));
            list.push((format!("layers.{layer}.bias"), vec![outputs]));
        }
        list
    }

    /// The number of parameters.
    pub fn parameter_count(&self) -> usize {
        self.parameters().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }
}

/// Room for intermediate results; grows to what is needed once.
#[derive(Clone, Debug, Default)]
pub struct Workspace {
    pub(super) first: Vec<f32>,
    pub(super) second: Vec<f32>,
    pub(super) third: Vec<f32>,
}

/// Makes a buffer at least so long.
pub(super) fn grow(buffer: &mut Vec<f32>, len: usize) {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
}

#[derive(Clone, Debug)]
enum Front {
    None,
    Gru(Gru),
    Tcn(Tcn),
}

/// A network that computes. A 128-128 network takes a few microseconds a row; see `docs/training.md`.
#[derive(Clone, Debug)]
pub struct Network {
    spec: NetworkSpec,
    front: Front,
    layers: Vec<Dense>,
}

impl Network {
    /// A network with parameters of zero.
    ///
    /// # Errors
    /// A size that is not legal.
    pub fn new(spec: NetworkSpec) -> Result<Self, ParameterError> {
        spec.validate()?;
        let front = match spec.body {
            Body::Mlp => Front::None,
            Body::Gru => Front::Gru(Gru::new(&spec)),
            Body::Tcn => Front::Tcn(Tcn::new(&spec)),
        };
        let dense = spec.dense();
        let last = dense.len() - 1;
        let layer = |(index, (inputs, outputs))| {
            Dense::new(inputs, outputs, (index < last).then_some(spec.activation))
        };
        let layers = dense.into_iter().enumerate().map(layer).collect();
        Ok(Self { spec, front, layers })
    }

    /// Its description.
    pub fn spec(&self) -> &NetworkSpec {
        &self.spec
    }

    /// Takes parameters, [`parameter_count`](NetworkSpec::parameter_count) of them.
    ///
    /// # Panics
    /// If there are more or fewer.
    pub fn set(&mut self, parameters: &[f32]) {
        assert_eq!(parameters.len(), self.spec.parameter_count(), "one number for each parameter");
        let mut rest = parameters;
        let mut take = |len: usize| {
            let (head, tail) = rest.split_at(len);
            rest = tail;
            head
        };
        match &mut self.front {
            Front::None => {}
            Front::Gru(gru) => gru.set(&self.spec, &mut take),
            Front::Tcn(tcn) => tcn.set(&self.spec, &mut take),
        }
        for (layer, (inputs, outputs)) in self.layers.iter_mut().zip(self.spec.dense()) {
            let weights = take(inputs * outputs);
            layer.set(weights, take(outputs));
        }
    }

    /// `input` is `f32[rows, window * observation]`, `output` `f32[rows, outputs]`. Each row's result has the same bits whatever rows are
    /// computed with it.
    ///
    /// # Panics
    /// If a buffer is shorter.
    pub fn forward(&self, input: &[f32], rows: usize, workspace: &mut Workspace, output: &mut [f32]) {
        let Workspace { first, second, third } = workspace;
        let widest = self.layers.iter().map(Dense::outputs).max().unwrap_or_default();
        match &self.front {
            Front::None => {}
            Front::Gru(gru) => gru.forward(&self.spec, input, rows, [first, second, third]),
            Front::Tcn(tcn) => tcn.forward(&self.spec, input, rows, [first, second, third]),
        }
        grow(first, rows * widest.max(self.spec.features()));
        grow(second, rows * widest);
        let last = self.layers.len() - 1;
        let (mut from, mut to) = (first, second);
        for (index, layer) in self.layers.iter().enumerate() {
            let from_input = index == 0 && matches!(self.front, Front::None);
            let stride = if index == 0 { self.spec.features() } else { self.layers[index - 1].outputs() };
            let source = if from_input { input } else { &from[..] };
            let target = if index == last { &mut output[..] } else { &mut to[..] };
            layer.forward(source, stride, rows, target);
            std::mem::swap(&mut from, &mut to);
        }
    }
}
