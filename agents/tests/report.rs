//! The page and the tables of a comparison.

mod made_up;

use std::collections::HashSet;

use agents::report::{
    Comparison, EpisodePicture, Example, Settings, StrategySummary, TERMINAL_COLUMNS, comparison_html,
    terminal_table,
};
use roxmltree::{Document, Node};

/// Parses the body strictly; entities of HTML and unclosed elements are errors.
fn with_body(page: &str, check: impl FnOnce(&Document<'_>)) {
    let start = page.find("<body").expect("a body");
    let end = page.find("</html>").expect("an end");
    check(&Document::parse(&page[start..end]).expect("well-formed"));
}

fn elements<'a>(document: &'a Document<'_>, name: &str) -> Vec<Node<'a, 'a>> {
    document.root().descendants().filter(|node| node.tag_name().name() == name).collect()
}

fn text(node: Node<'_, '_>) -> String {
    node.descendants().filter(|node| node.is_text()).filter_map(|node| node.text()).collect()
}

fn number(text: &str) -> Option<f64> {
    text.replace('\u{2212}', "-").replace(',', "").trim().parse().ok()
}

/// No attribute or text that a number which is none would leave behind.
fn assert_finite(page: &str) {
    with_body(page, |document| {
        for node in document.root().descendants() {
            let attributes = node.attributes().map(|attribute| attribute.value());
            for value in attributes.chain(node.text().filter(|_| node.is_text())) {
                assert!(
                    !value.contains("NaN") && !value.to_lowercase().split(' ').any(|word| word == "inf"),
                    "{value}"
                );
            }
            for name in ["x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height"] {
                if let Some(value) = node.attribute(name) {
                    assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{name}={value:?}");
                }
            }
            if let Some(path) = node.attribute("d") {
                assert!(path.is_empty() || path.starts_with('M'), "{path}");
                assert!(!path.contains(",,") && !path.contains("H-V"), "{path}");
            }
        }
    });
}

#[test]
fn every_strategy_and_number_is_in_the_tables() {
    let (comparison, examples) = made_up::large(400);
    let page = comparison_html(&comparison, &examples);
    with_body(&page, |document| {
        let tables = elements(document, "table");
        assert_eq!(tables.len(), 1 + comparison.cells.len());
        for (table, cell) in tables[1..].iter().zip(&comparison.cells) {
            let rows: Vec<_> =
                table.descendants().filter(|node| node.tag_name().name() == "tr").skip(1).collect();
            assert_eq!(rows.len(), cell.strategies.len());
            for (row, strategy) in rows.iter().zip(&cell.strategies) {
                let cells: Vec<String> = row.children().map(text).collect();
                assert_eq!(cells[0], strategy.name);
                let expected = [
                    vec![strategy.episodes as f64],
                    vec![strategy.reward_mean, strategy.reward_se],
                    vec![strategy.reward_std],
                    vec![strategy.risk_adjusted],
                    vec![strategy.cvar95],
                    vec![strategy.shortfall_ticks, strategy.shortfall_se],
                    vec![strategy.shortfall_bps],
                    vec![strategy.spread_ticks],
                    vec![strategy.impact_ticks],
                    vec![strategy.timing_ticks],
                    vec![strategy.fees_ticks],
                    vec![strategy.fill_rate_passive * 100.0],
                    vec![strategy.fill_rate_aggressive * 100.0],
                    vec![strategy.completion_seconds],
                    vec![strategy.participation * 100.0],
                ];
                assert_eq!(cells.len(), 1 + expected.len());
                for (shown, expected) in cells[1..].iter().zip(expected) {
                    let shown: Vec<f64> = shown.split('\u{b1}').filter_map(number).collect();
                    assert_eq!(shown.len(), expected.len());
                    for (shown, expected) in shown.iter().zip(&expected) {
                        assert!(
                            (shown - expected).abs() <= 0.0501,
                            "{}: {shown} for {expected}",
                            strategy.name
                        );
                    }
                }
            }
            let best = table.descendants().filter(|node| node.attribute("class") == Some("best")).count();
            assert_eq!(best, 1);
        }
    });
    assert_finite(&page);
}

#[test]
fn every_cell_has_its_figures() {
    let (comparison, examples) = made_up::large(200);
    with_body(&comparison_html(&comparison, &examples), |document| {
        let sections = elements(document, "section");
        let cells =
            sections.iter().filter(|node| node.attribute("id").is_some_and(|id| id.starts_with("cell-")));
        assert_eq!(cells.clone().count(), 6);
        for section in cells {
            let figures = section.descendants().filter(|node| node.tag_name().name() == "svg");
            let labels: HashSet<_> = figures.filter_map(|figure| figure.attribute("aria-label")).collect();
            assert_eq!(labels.len(), 4, "{labels:?}");
        }
    });
}

#[test]
fn a_page_needs_nothing_else() {
    let (comparison, examples) = made_up::large(50);
    let page = comparison_html(&comparison, &examples);
    for forbidden in ["<script", "<link", "@import", "src=", "https://"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    // The names of XML namespaces are no addresses to load from.
    assert_eq!(page.matches("http://").count(), page.matches("http://www.w3.org/2000/svg").count());
    assert!(page.contains(&comparison.settings.command));
}

#[test]
fn colours_stay_with_names() {
    let class_of = |page: &str, name: &str| {
        let end = page.find(&format!("\"></span>{name}")).expect("a swatch");
        page[..end].rsplit("swatch ").next().map(str::to_owned)
    };
    let (comparison, examples) = made_up::large(50);
    let large = comparison_html(&comparison, &examples);
    let small = comparison_html(&made_up::small(&["twap", "pov"], 50), &[]);
    assert_eq!(class_of(&large, "pov"), class_of(&small, "pov"));
    assert_ne!(class_of(&large, "pov"), class_of(&large, "twap"));
}

#[test]
fn names_are_escaped() {
    let nasty = "<b>&\"'</svg><script>";
    let mut comparison = made_up::small(&["twap", nasty], 50);
    comparison.cells[0].market = nasty.to_owned();
    comparison.settings.command = format!("lobgym compare --flow '{nasty}'");
    let episode =
        EpisodePicture { steps: vec![(0.0, 1000.0, 1001.0, 20)], fills: vec![(0.0, 1000.0, 20, false)] };
    let example =
        Example { market: nasty.to_owned(), lots: 20, strategy: nasty.to_owned(), seed: 1, episode };
    let page = comparison_html(&comparison, &[example]);
    assert!(!page.contains("<script") && !page.contains("<b>"));
    with_body(&page, |document| {
        assert!(elements(document, "tr").iter().any(|row| text(*row).starts_with(nasty)));
        assert!(elements(document, "code").iter().any(|code| text(*code).contains(nasty)));
    });
}

#[test]
fn numbers_that_are_none_become_dashes() {
    let mut comparison = made_up::small(&["twap", "sl", "vwap"], 50);
    let cell = &mut comparison.cells[0];
    cell.strategies[0].rewards = vec![f64::NAN, f64::INFINITY];
    cell.strategies[0].reward_mean = f64::NAN;
    cell.strategies[0].impact_ticks = f64::NEG_INFINITY;
    cell.strategies[0].shortfall_ticks = f64::NAN;
    cell.strategies[1].reward_se = f64::INFINITY;
    cell.paired[0].difference = f64::NAN;
    cell.paired[1].ci95 = [f64::NAN, f64::NAN];
    comparison.seconds = f64::NAN;
    let episode = EpisodePicture {
        steps: vec![(0.0, f64::NAN, 1001.0, 20), (1.0, 1000.0, 1001.0, 20)],
        fills: vec![(f64::NAN, 1000.0, 1, true), (0.5, 1000.0, 0, true)],
    };
    let example =
        Example { market: "noise".to_owned(), lots: 20, strategy: "sl".to_owned(), seed: 1, episode };
    let page = comparison_html(&comparison, &[example]);
    assert_finite(&page);
    assert!(page.contains("<td>\u{2013}"));
    let tables = terminal_table(&comparison);
    assert!(!tables.contains("NaN") && !tables.contains("inf"), "{tables}");
}

#[test]
fn rewards_without_variance_are_drawn() {
    let mut comparison = made_up::small(&["twap", "market"], 50);
    for strategy in &mut comparison.cells[0].strategies {
        let name = strategy.name.clone();
        *strategy = StrategySummary {
            name,
            episodes: 50,
            rewards: vec![-1.0; 50],
            reward_mean: -1.0,
            ..Default::default()
        };
    }
    comparison.cells[0].paired[0].difference = 0.0;
    comparison.cells[0].paired[0].ci95 = [0.0, 0.0];
    let page = comparison_html(&comparison, &[]);
    assert_finite(&page);
    with_body(&page, |document| {
        let ridges =
            elements(document, "path").into_iter().filter(|path| path.attribute("class") == Some("ridge"));
        assert_eq!(ridges.filter(|path| path.attribute("d").is_some_and(|d| d.contains('V'))).count(), 2);
    });
    assert!(terminal_table(&comparison).contains("|twap*    |-1.000 +-0.000"));
}

#[test]
fn little_or_nothing_makes_a_page() {
    let mut pages = vec![comparison_html(&Comparison::default(), &[])];
    let mut comparison = made_up::small(&["twap"], 1);
    comparison.cells[0].strategies[0].rewards.clear();
    let empty = Example { market: "noise".to_owned(), lots: 20, ..Example::default() };
    pages.push(comparison_html(&comparison, &[empty]));
    comparison.cells[0].strategies.clear();
    comparison.settings = Settings { interrupted: true, ..comparison.settings };
    pages.push(comparison_html(&comparison, &[]));
    assert!(pages[2].contains("Interrupted") && terminal_table(&comparison).contains("INTERRUPTED"));
    for page in pages {
        assert_finite(&page);
    }
}

#[test]
fn tables_fit_a_terminal_and_say_everything() {
    let (mut comparison, _) = made_up::large(400);
    comparison.cells[0].strategies[2].name = "a-name-much-longer-than-any-of-ours".to_owned();
    let tables = terminal_table(&comparison);
    for line in tables.lines() {
        assert!(line.chars().count() <= usize::from(TERMINAL_COLUMNS), "{line}");
        assert!(line.is_ascii() && !line.contains('\u{1b}'), "{line}");
    }
    for cell in &comparison.cells[1..] {
        assert!(tables.contains(&format!("{}, {} lots, 400 episodes", cell.market, cell.lots)));
        for strategy in &cell.strategies {
            let mean = format!("{:.2}", strategy.reward_mean);
            assert!(
                tables.contains(mean.trim_end_matches('0')) || tables.contains(&mean[..4]),
                "{mean}\n{tables}"
            );
        }
        assert!(tables.contains(&format!("[{:.2}", cell.paired[0].ci95[0])[..4]));
    }
    assert_eq!(tables.matches('*').count(), comparison.cells.len() + 1);
}

#[test]
fn the_json_has_the_documented_keys() {
    let (comparison, _) = made_up::large(10);
    let json = serde_json::to_value(&comparison).expect("serializes");
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(keys(&json), ["cells", "seconds", "settings"]);
    let cell = &json["cells"][0];
    assert_eq!(keys(cell), ["lots", "market", "paired", "strategies"]);
    assert_eq!(keys(&cell["paired"][0]), ["against", "ci95", "difference", "name"]);
    let documented = [
        "name",
        "episodes",
        "reward_mean",
        "reward_std",
        "reward_se",
        "shortfall_ticks",
        "shortfall_bps",
        "spread_ticks",
        "impact_ticks",
        "timing_ticks",
        "fees_ticks",
        "fill_rate_passive",
        "fill_rate_aggressive",
        "completion_seconds",
        "participation",
    ];
    let strategy = keys(&cell["strategies"][0]);
    for key in documented {
        assert!(strategy.iter().any(|known| known == key), "{key}");
    }
    assert!(!strategy.iter().any(|key| key == "rewards"));
}
