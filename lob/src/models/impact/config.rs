//! Which model, as configured.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{
    AlmgrenChriss, AlmgrenChrissParams, BookDepth, Conditions, DepthParams, ImpactModel, MetaOrder,
    Permanent, PermanentParams, SquareRoot, SquareRootParams, Temporary, TemporaryParams, TradeCost,
    Transient, TransientParams, priced,
};
use crate::parameter::ParameterError;

/// The impact models, as configured. `config/impact/flow.yaml` is one that was fitted to a simulated market by `lobgym calibrate-impact`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImpactConfig {
    /// Orders do nothing to the price and cost nothing.
    #[default]
    None,
    /// `y x volatility x sqrt(quantity / volume)`.
    SquareRoot(SquareRootParams),
    /// Linear or power-law in the speed, without a trace.
    Temporary(TemporaryParams),
    /// Linear in the quantity, for good.
    Permanent(PermanentParams),
    /// A half-spread, temporary and permanent impact.
    AlmgrenChriss(AlmgrenChrissParams),
    /// Pushes that decay exponentially or by a power law.
    Transient(TransientParams),
    /// The levels of a book, and how fast they come back.
    Book(DepthParams),
    /// A YAML file that has one of the others, such as `lobgym calibrate-impact` writes. It is read by `resolve` before a model is made.
    File(PathBuf),
}

impl ImpactConfig {
    /// The name, as in a configuration.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SquareRoot(_) => "square_root",
            Self::Temporary(_) => "temporary",
            Self::Permanent(_) => "permanent",
            Self::AlmgrenChriss(_) => "almgren_chriss",
            Self::Transient(_) => "transient",
            Self::Book(_) => "book",
            Self::File(_) => "file",
        }
    }

    /// Checks every parameter, and the conditions under which round trips earn nothing.
    ///
    /// # Errors
    /// The first parameter that is not legal, by its path.
    pub fn validate(&self) -> Result<(), ParameterError> {
        let result = match self {
            Self::None => Ok(()),
            Self::SquareRoot(params) => params.validate(),
            Self::Temporary(params) => params.validate(),
            Self::Permanent(params) => params.validate(),
            Self::AlmgrenChriss(params) => params.validate(),
            Self::Transient(params) => params.validate(),
            Self::Book(params) => params.validate(),
            // What is in it is checked when it is read.
            Self::File(_) => Ok(()),
        };
        result.map_err(|error| error.within(self.name()))
    }

    /// The model, at rest.
    ///
    /// # Errors
    /// As [`validate`](Self::validate); a [`File`](Self::File) that was not read.
    pub fn model(&self) -> Result<Impact, ParameterError> {
        let model = match self {
            Self::None => Ok(Impact::None),
            Self::SquareRoot(params) => SquareRoot::new(*params).map(Impact::SquareRoot),
            Self::Temporary(params) => Temporary::new(*params).map(Impact::Temporary),
            Self::Permanent(params) => Permanent::new(*params).map(Impact::Permanent),
            Self::AlmgrenChriss(params) => AlmgrenChriss::new(*params).map(Impact::AlmgrenChriss),
            Self::Transient(params) => Transient::new(*params).map(Impact::Transient),
            Self::Book(params) => BookDepth::new(params).map(Impact::Book),
            Self::File(path) => return Err(unread(path)),
        };
        model.map_err(|error| error.within(self.name()))
    }
}

/// A file where a model has to be.
fn unread(path: &Path) -> ParameterError {
    ParameterError::new("file", path.display(), "a model in place of a file")
}

/// A model with its memory, made by [`ImpactConfig::model`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Impact {
    /// See [`ImpactConfig::None`].
    #[default]
    None,
    /// See [`SquareRootParams`].
    SquareRoot(SquareRoot),
    /// See [`TemporaryParams`].
    Temporary(Temporary),
    /// See [`PermanentParams`].
    Permanent(Permanent),
    /// See [`AlmgrenChrissParams`].
    AlmgrenChriss(AlmgrenChriss),
    /// See [`TransientParams`].
    Transient(Transient),
    /// See [`DepthParams`].
    Book(BookDepth),
}

/// Asks the model behind the enum; `$none` is what no impact answers.
macro_rules! ask {
    ($self:expr, $model:ident => $answer:expr, $none:expr) => {
        match $self {
            Self::None => $none,
            Self::SquareRoot($model) => $answer,
            Self::Temporary($model) => $answer,
            Self::Permanent($model) => $answer,
            Self::AlmgrenChriss($model) => $answer,
            Self::Transient($model) => $answer,
            Self::Book($model) => $answer,
        }
    };
}

impl ImpactModel for Impact {
    fn cost(&self, order: &MetaOrder, conditions: &Conditions) -> TradeCost {
        ask!(self, model => model.cost(order, conditions), priced(order, conditions, || [0.0; 3]))
    }

    fn trade(&mut self, order: &MetaOrder, conditions: &Conditions) -> TradeCost {
        ask!(self, model => model.trade(order, conditions), priced(order, conditions, || [0.0; 3]))
    }

    fn wait(&mut self, seconds: f64) {
        ask!(self, model => model.wait(seconds), ());
    }

    fn displacement_after(&self, seconds: f64) -> f64 {
        ask!(self, model => model.displacement_after(seconds), 0.0)
    }

    fn permanent(&self) -> f64 {
        ask!(self, model => model.permanent(), 0.0)
    }

    fn reset(&mut self) {
        ask!(self, model => model.reset(), ());
    }
}

#[cfg(feature = "yaml")]
mod yaml {
    use std::io;
    use std::path::{Path, PathBuf};

    use thiserror::Error;

    use super::{ImpactConfig, ParameterError, unread};

    /// A file with an impact model that cannot be used.
    #[derive(Debug, Error)]
    pub enum ImpactFileError {
        /// The file cannot be read.
        #[error("{}: {problem}", path.display())]
        Io {
            /// The file.
            path: PathBuf,
            /// Why.
            problem: io::Error,
        },
        /// It is no YAML, or has an unknown, missing or mistyped key; the message has line and column.
        #[error("{}: {problem}", path.display())]
        Yaml {
            /// The file.
            path: PathBuf,
            /// Why.
            problem: Box<serde_saphyr::Error>,
        },
        /// It cannot be put into YAML.
        #[error("YAML: {0}")]
        Text(Box<serde_saphyr::ser::Error>),
        /// A value that is not legal, where no file is involved.
        #[error(transparent)]
        Value(#[from] ParameterError),
        /// A value in the file that is not legal.
        #[error("{}: {problem}", path.display())]
        Parameter {
            /// The file.
            path: PathBuf,
            /// Which, and what would be.
            problem: ParameterError,
        },
    }

    impl ImpactConfig {
        /// Reads a model from a YAML file and checks every parameter.
        ///
        /// # Errors
        /// A message that names the file and the line, or the key, its value and what is legal; another file in the file.
        pub fn from_yaml(path: impl AsRef<Path>) -> Result<Self, ImpactFileError> {
            let path = path.as_ref().to_owned();
            let text = std::fs::read_to_string(&path)
                .map_err(|problem| ImpactFileError::Io { path: path.clone(), problem })?;
            let config: Self = serde_saphyr::from_str(&text).map_err(|problem| ImpactFileError::Yaml {
                path: path.clone(),
                problem: Box::new(problem),
            })?;
            let checked = match &config {
                Self::File(other) => Err(unread(other)),
                model => model.validate(),
            };
            checked.map_err(|problem| ImpactFileError::Parameter { path, problem })?;
            Ok(config)
        }

        /// The model of a [`File`](Self::File), its path from `directory` if it is relative; any other as it is. Checked in both cases.
        ///
        /// # Errors
        /// As [`from_yaml`](Self::from_yaml) and [`validate`](Self::validate).
        pub fn resolve(&self, directory: &Path) -> Result<Self, ImpactFileError> {
            match self {
                Self::File(path) => Self::from_yaml(directory.join(path)),
                model => {
                    model.validate()?;
                    Ok(model.clone())
                }
            }
        }

        /// The model as a YAML text that [`from_yaml`](Self::from_yaml) reads back.
        ///
        /// # Errors
        /// What the writer reports.
        pub fn to_yaml(&self) -> Result<String, ImpactFileError> {
            serde_saphyr::to_string(self).map_err(|problem| ImpactFileError::Text(Box::new(problem)))
        }
    }
}

#[cfg(feature = "yaml")]
pub use yaml::ImpactFileError;
