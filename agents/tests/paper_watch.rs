//! The live view of a paper broker, drawn without a terminal from ledgers of real runs.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::path::{Path, PathBuf};
use std::process::Command;

use agents::broker::{Glance, kill_file};
use agents::report::{PaperScreen, Wish};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

mod made_ledger;

use made_ledger::{finish, number, paper, query, refused, settings, whole};

/// A ledger with fills and refusals.
fn ledger(directory: &Path, steps: &str) -> PathBuf {
    let db = directory.join("a.db");
    let config = settings(directory, "limits: {max_daily_turnover: 0.6}, assets: 10");
    finish(&mut paper(&db, &["--steps", steps, "--seed", "3", "--config", config.to_str().unwrap()]));
    db
}

fn drawn(screen: &PaperScreen, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| screen.draw(frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..height).map(|y| line(y).trim_end().to_owned() + "\n").collect()
}

fn press(screen: &mut PaperScreen, key: char) -> Wish {
    screen.press(KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE))
}

fn grouped(cents: i64) -> String {
    let whole = cents / 100;
    let text =
        format!("{},{:03},{:03}.{:02}", whole / 1_000_000, whole / 1_000 % 1_000, whole % 1_000, cents % 100);
    text.trim_start_matches(['0', ',']).to_owned()
}

#[test]
fn every_figure_of_the_ledger_is_on_the_screen() {
    let directory = tempfile::tempdir().unwrap();
    let db = ledger(directory.path(), "60");
    let glance = Glance::of(&db).unwrap();
    let summary = glance.summary.clone();
    let screen = PaperScreen::new(glance.clone());
    for (width, height) in [(80, 24), (120, 40)] {
        let text = drawn(&screen, width, height);
        if std::env::var_os("LOBGYM_SHOW").is_some() {
            eprintln!("{text}");
        }
        for part in [
            format!("NAV      {}", grouped(summary.nav)),
            format!("cash     {}", grouped(summary.cash)),
            format!("exposure {:.2}%", 100.0 * summary.exposure),
            format!("drawdown {:.2}%", 100.0 * glance.drawdown()),
            format!("worst    {:.2}%", 100.0 * glance.max_drawdown),
            format!("fills    {} of {}", summary.fills, summary.fills),
            "step     60".to_owned(),
            "decision ".to_owned(),
            "steps 0 to 60".to_owned(),
            "equal_weight:band=0  seed 3".to_owned(),
            "daily_turnover".to_owned(),
            "k kill switch".to_owned(),
        ] {
            assert!(text.contains(&part), "{part:?} at {width} x {height}:\n{text}");
        }
        for position in &summary.positions {
            let weight = format!("{:.2}%", 100.0 * position.weight);
            let shares = position.quantity.to_string();
            let line = text.lines().find(|line| {
                line.contains(&weight) && line.contains(&shares) && line.contains(&grouped(position.value))
            });
            assert!(line.is_some(), "{position:?} at {width} x {height}:\n{text}");
        }
        assert!(
            text.chars().any(|c| ('\u{2801}'..='\u{28ff}').contains(&c)),
            "the history is drawn:\n{text}"
        );
        let order = &glance.orders[0];
        assert!(
            text.contains(&format!("{:>5} #{:<2}{:>+8}", order.step, order.asset, order.quantity)),
            "{text}"
        );
    }
}

#[test]
fn figures_at_a_glance_are_those_of_the_tables() {
    let directory = tempfile::tempdir().unwrap();
    let db = ledger(directory.path(), "30");
    // A long history, which a run would take long to write: an old timing, and steps whose net asset value goes up and down.
    let connection = rusqlite::Connection::open(&db).unwrap();
    connection
        .execute_batch(
            "INSERT INTO timings VALUES (-300, 1, 1);
             WITH RECURSIVE more(step) AS (SELECT 31 UNION ALL SELECT step + 1 FROM more WHERE step < 900)
             INSERT INTO nav SELECT more.step, nav + (900 - more.step) % 97 * 100000, cash, 0, 0, 0
             FROM more, nav WHERE nav.step = 30;",
        )
        .unwrap();
    let before = Glance::of(&db).unwrap();
    connection.execute("UPDATE account SET step = 900, decided = 900", []).unwrap();
    let glance = Glance::of(&db).unwrap();
    let summary = &glance.summary;
    assert!(summary.reconciled && before.summary.nav == summary.nav);
    assert_eq!(summary.positions.iter().map(|position| position.profit).sum::<i64>(), summary.profit);
    let navs: Vec<i64> =
        query(&db, "SELECT nav FROM nav ORDER BY step").iter().map(|row| whole(&row[0])).collect();
    let (mut peak, mut most) = (navs[0], 0.0_f64);
    for &nav in &navs {
        peak = peak.max(nav);
        most = most.max(1.0 - nav as f64 / peak as f64);
    }
    assert!(most > 0.0 && (glance.max_drawdown - most).abs() < 1e-12, "{} {most}", glance.max_drawdown);
    assert!((401..900).contains(&glance.history.len()), "{}", glance.history.len());
    assert_eq!((glance.history[0], *glance.history.last().unwrap()), ((0, 100_000_000), (900, navs[900])));
    assert!(glance.history.iter().all(|&(step, nav)| navs[step as usize] == nav));
    let pace = glance.pace.unwrap();
    assert!(
        pace.decision_p99 >= pace.decision && pace.is_live() && pace.rate.is_none_or(|rate| rate > 10.0),
        "{pace:?}"
    );
    let (order, refusal) = (&glance.orders[0], &glance.refusals[0]);
    assert_eq!(number(&db, "SELECT max(step) FROM orders").cast_unsigned(), order.step);
    assert_eq!(number(&db, "SELECT max(step) FROM rejections").cast_unsigned(), refusal.step);
    assert!(refusal.rule == "daily_turnover" && refusal.found > refusal.legal, "{refusal:?}");
    assert_eq!(order.status, "filled");
    finish(&mut paper(&db, &["--steps", "901"]));
    assert_eq!(number(&db, "SELECT min(step) FROM timings"), 901, "those of 256 steps are kept");
}

#[test]
fn what_does_not_fit_is_left_out_and_nothing_panics() {
    let directory = tempfile::tempdir().unwrap();
    let screen = PaperScreen::new(Glance::of(&ledger(directory.path(), "30")).unwrap());
    for width in [1, 2, 10, 25, 30, 52, 77, 78, 100, 300] {
        for height in [1, 2, 3, 5, 9, 14, 17, 24, 70] {
            let text = drawn(&screen, width, height);
            if width >= 30 && height >= 4 {
                assert!(text.contains("NAV ") && text.contains("q quit"), "{width} x {height}:\n{text}");
            }
        }
    }
}

#[test]
fn the_kill_switch_is_asked_about_and_then_thrown() {
    let directory = tempfile::tempdir().unwrap();
    let db = ledger(directory.path(), "5");
    let mut screen = PaperScreen::new(Glance::of(&db).unwrap());
    assert_eq!(press(&mut screen, 'k'), Wish::Nothing);
    assert!(drawn(&screen, 80, 24).contains("sell everything and end?  y: yes  any other key: no"));
    // q answers the question.
    assert_eq!(press(&mut screen, 'q'), Wish::Nothing);
    assert_eq!(press(&mut screen, 'y'), Wish::Nothing);
    assert_eq!(press(&mut screen, 'k'), Wish::Nothing);
    assert_eq!(press(&mut screen, 'y'), Wish::Kill);
    std::fs::write(kill_file(&db), "").unwrap();
    screen.show(Glance::of(&db));
    assert!(drawn(&screen, 80, 24).contains("KILL SWITCH ON, selling"));
    assert_eq!(press(&mut screen, 'k'), Wish::Nothing);
    assert!(drawn(&screen, 80, 24).contains("on already"));
    assert_eq!(press(&mut screen, 'y'), Wish::Nothing);
    finish(&mut paper(&db, &[]));
    screen.show(Glance::of(&db));
    assert!(drawn(&screen, 80, 24).contains("KILL SWITCH ON, all is sold"));
    // A ledger that goes away while it is watched: the last figures stay.
    std::fs::remove_file(&db).unwrap();
    screen.show(Glance::of(&db));
    let text = drawn(&screen, 120, 40);
    assert!(text.contains("not read") && text.contains("no such ledger") && text.contains("NAV"), "{text}");
    assert_eq!(press(&mut screen, 'q'), Wish::Quit);
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(screen.press(interrupt), Wish::Quit);
}

#[test]
fn more_positions_than_lines_are_scrolled() {
    let directory = tempfile::tempdir().unwrap();
    let db = directory.path().join("a.db");
    finish(&mut paper(&db, &["--steps", "3", "--assets", "40"]));
    let mut screen = PaperScreen::new(Glance::of(&db).unwrap());
    assert!(drawn(&screen, 80, 24).contains("positions 1 to 10 of 40"));
    screen.press(KeyEvent::new(KeyCode::PageDown, KeyModifiers::NONE));
    screen.press(KeyEvent::new(KeyCode::Up, KeyModifiers::NONE));
    assert!(drawn(&screen, 80, 24).contains("positions 10 to 19 of 40"));
    for _ in 0..9 {
        screen.press(KeyEvent::new(KeyCode::PageDown, KeyModifiers::NONE));
    }
    assert!(drawn(&screen, 80, 24).contains("positions 31 to 40 of 40"));
}

#[test]
fn without_a_ledger_or_a_terminal_the_command_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let watch = |db: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lobgym"));
        command.args(["paper", "watch", "--db"]).arg(db);
        command
    };
    let missing = directory.path().join("none.db");
    let (code, said) = refused(&mut watch(&missing));
    assert!(code == 1 && said.contains("none.db: there is no such ledger"), "{code} {said}");
    assert!(!missing.exists());
    let db = ledger(directory.path(), "2");
    let (code, said) = refused(&mut watch(&db));
    assert!(
        code == 2 && said.contains("needs a terminal") && said.contains("paper status --db"),
        "{code} {said}"
    );
    std::fs::write(
        directory.path().join("text.db"),
        "no database, but a file that is long enough to be read as one",
    )
    .unwrap();
    let (code, said) = refused(&mut watch(&directory.path().join("text.db")));
    assert!(code == 1 && said.contains("text.db"), "{code} {said}");
}
