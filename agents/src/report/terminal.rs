//! The comparison as text.

use std::fmt::Write;

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Row, Table, Width, presets};

use super::columns::{COLUMNS, Entry, decimals};
use super::number::{best, grouped, plain};
use super::{Cell, Comparison};

/// No line is wider.
pub const TERMINAL_COLUMNS: u16 = 120;
/// Longer names are broken.
const NAME_WIDTH: u16 = 16;
/// The same where there is room.
const WIDE_NAME_WIDTH: u16 = 48;

/// Two tables a cell: the strategies, the one with the best mean reward marked with an asterisk, and the paired differences. ASCII, no colours.
pub fn terminal_table(comparison: &Comparison) -> String {
    let mut text = String::new();
    for cell in &comparison.cells {
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(text, "{}, {} lots{}", cell.market, cell.lots, episodes(cell));
        let _ = writeln!(text, "{}", strategies(cell));
        if !cell.paired.is_empty() {
            let _ = writeln!(text, "\n{}", paired(cell));
        }
        text.push('\n');
    }
    text.push_str(
        "Rewards, shortfall and its parts in ticks per lot; shortfall against the arrival mid, positive = paid.\n\
         * best mean; +- standard error. Differences are on the same sessions, with 95% confidence intervals.\n",
    );
    if comparison.settings.interrupted {
        text.push_str("INTERRUPTED: this is what was finished.\n");
    }
    text
}

fn episodes(cell: &Cell) -> String {
    let counts = cell.strategies.iter().map(|strategy| strategy.episodes);
    match (counts.clone().min(), counts.max()) {
        (Some(least), Some(most)) if least == most => format!(", {} episodes", grouped(most as u64)),
        (Some(least), Some(most)) => {
            format!(", {} to {} episodes", grouped(least as u64), grouped(most as u64))
        }
        _ => String::new(),
    }
}

fn strategies(cell: &Cell) -> Table {
    let columns = || COLUMNS.iter().filter(|column| column.terminal);
    let header = columns().map(|column| format!("{}\n{}", short(column.name), column.unit));
    let mut table = table(["strategy".to_owned()].into_iter().chain(header).collect());
    let decimals = decimals(cell);
    let winner = best(cell.strategies.iter().map(|strategy| strategy.reward_mean));
    for (index, strategy) in cell.strategies.iter().enumerate() {
        let entries = columns().map(|column| match column.entry(strategy, decimals, plain) {
            // The reward alone has room for its error.
            Entry { value, error: Some(error) } if column.name == "reward" => {
                format!("{value} +-{error}")
            }
            Entry { value, .. } => value,
        });
        let name = format!("{}{}", strategy.name, if winner == Some(index) { "*" } else { "" });
        table.add_row([name].into_iter().chain(entries).collect::<Vec<_>>());
    }
    right_aligned(table, 1, NAME_WIDTH)
}

fn paired(cell: &Cell) -> Table {
    let header = ["strategy", "against", "difference\nticks", "95% interval\nticks"];
    let mut table = table(header.map(str::to_owned).to_vec());
    let decimals = decimals(cell);
    for pair in &cell.paired {
        let [low, high] = pair.ci95.map(|end| plain(end, decimals));
        let interval = format!("[{low}, {high}]");
        table.add_row([pair.name.clone(), pair.against.clone(), plain(pair.difference, decimals), interval]);
    }
    right_aligned(table, 2, WIDE_NAME_WIDTH)
}

/// The page's names, shorter.
fn short(name: &str) -> &str {
    match name {
        "shortfall" => "short\nfall",
        "passive" => "pas-\nsive",
        "aggressive" => "aggr.",
        "completion" => "done\nat",
        "particip." => "part",
        "risk-adj." => "risk-\nadj.",
        name => name,
    }
}

fn table(header: Vec<String>) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::ASCII_MARKDOWN)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(TERMINAL_COLUMNS);
    table.set_header(Row::from(header));
    table
}

/// Numbers to the right, beyond the first `texts` columns; those may break, and numbers must not.
fn right_aligned(mut table: Table, texts: usize, name_width: u16) -> Table {
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 1));
        if index < texts {
            column.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(name_width + 1)));
        } else {
            column.set_cell_alignment(CellAlignment::Right);
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table
}
