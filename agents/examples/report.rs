//! Writes the comparison's page with made-up numbers, to look at while working on it, and prints its tables:
//! `cargo run -p agents --example report -- large.html small.html`.

use std::path::PathBuf;

use agents::report::{comparison_html, terminal_table};

#[path = "../tests/made_up/mod.rs"]
mod made_up;

fn main() -> std::io::Result<()> {
    let mut files = std::env::args_os().skip(1).map(PathBuf::from);
    let (comparison, examples) = made_up::large(10_000);
    print!("{}", terminal_table(&comparison));
    if let Some(file) = files.next() {
        std::fs::write(file, comparison_html(&comparison, &examples))?;
    }
    if let Some(file) = files.next() {
        std::fs::write(
            file,
            comparison_html(&made_up::small(&["twap", "a <b> & \"c\", rather long"], 500), &[]),
        )?;
    }
    Ok(())
}
