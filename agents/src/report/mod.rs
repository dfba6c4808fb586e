//! A comparison of execution strategies, shown: a page for a browser and tables for a terminal.
//!
//! [`Comparison`] is what `lobgym compare` measures, and serializes to its JSON. [`comparison_html`] makes a page of it that needs
//! nothing else, neither a network nor a script: one section a cell, with a table and five figures drawn as SVG. [`terminal_table`] makes
//! plain text of at most [`TERMINAL_COLUMNS`] columns, without colours, so that there is none for `NO_COLOR` to switch off.
//!
//! [`evaluation_html`] makes such a page of an evaluation of market making, [`sessions_html`] of one in which policies are judged by figures of whole sessions, and
//! [`training_html`] of the metrics of trainings, [`backtest_html`] of a backtest.
//!
//! [`PaperScreen`] shows a paper broker on a terminal.
//!
//! All take whatever numbers they are given: one that is not finite is printed as a dash and left out of the figures.

mod axis;
mod backtest;
mod columns;
mod evaluation;
mod figure;
mod model;
mod number;
mod page;
mod palette;
mod screen;
mod sessions;
mod terminal;
mod training;

pub(crate) use axis::{Axis, line, px};
pub use backtest::{BacktestPage, backtest_html};
pub use evaluation::{EvaluationPage, evaluation_html};
pub use model::{Cell, Comparison, EpisodePicture, Example, Paired, Settings, StrategySummary};
pub(crate) use number::{fixed, grouped, plain};
pub use page::comparison_html;
pub(crate) use page::head;
pub use screen::{PaperScreen, Wish};
pub use sessions::{SessionsPage, SessionsRow, sessions_html};
pub(crate) use terminal::plain_table;
pub use terminal::{TERMINAL_COLUMNS, terminal_table};
pub use training::{RunLog, run_html, training_html};
