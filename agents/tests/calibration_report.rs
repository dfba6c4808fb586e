//! The report that sets a simulated market against a real one.

#![allow(clippy::unwrap_used, reason = "helpers of tests: clippy exempts the tests themselves only")]

use agents::calibration::{
    CalibrationReport, EstimateTable, Model, play_market, report_html, verdict_table, write_report,
};
use lob::calibration::{
    HawkesCalibrationSettings, HawkesEstimator, MarketStatistics, Observer, StatisticsObserver, compare,
};
use lob::flow::{FlowConfig, MarketConfig, OpeningBook, Provenance};
use roxmltree::Document;

fn measure(market: &FlowConfig, seed: u64, seconds: f64, also: &mut [&mut dyn Observer]) -> MarketStatistics {
    let mut statistics = StatisticsObserver::new();
    let mut observers: Vec<&mut dyn Observer> = vec![&mut statistics];
    for observer in also {
        observers.push(&mut **observer);
    }
    play_market(market, 30, seed, seconds, &mut observers).unwrap();
    statistics.statistics()
}

fn live(name: &str) -> FlowConfig {
    let mut market = MarketConfig::preset(name).unwrap().flow;
    market.opening_mut().book = OpeningBook::Live;
    market
}

fn model(name: &str, real: &MarketStatistics, statistics: MarketStatistics) -> Model {
    Model { name: name.to_owned(), comparison: compare(real, &statistics), statistics }
}

/// The Hawkes market as a real one, with a fitted Hawkes flow and the noise market as models of it.
fn example(seconds: f64) -> CalibrationReport {
    let mut estimator = HawkesEstimator::new(HawkesCalibrationSettings::default()).unwrap();
    let real = measure(&live("hawkes"), 1, seconds, &mut [&mut estimator]);
    let found = estimator.fit(&mut |_| {}).unwrap();
    let fitted = measure(&FlowConfig::Hawkes(Box::new(found.params)), 2, seconds, &mut []);
    let noise = measure(&live("noise"), 3, seconds, &mut []);
    CalibrationReport {
        schema_version: 1,
        title: "Calibration to a <made up> market & back".to_owned(),
        provenance: Provenance::from([("data".to_owned(), "the market hawkes, seed 1".to_owned())]),
        models: vec![model("hawkes, fitted", &real, fitted), model("noise", &real, noise)],
        real,
        estimates: vec![EstimateTable { flow: "hawkes".to_owned(), rows: found.estimates }],
        hawkes: Some(found.times),
    }
}

#[test]
fn the_page_says_which_model_is_wrong_and_where() {
    let report = example(4_000.0);
    let page = report_html(&report);
    let body = &page[page.find("<body").unwrap()..page.find("</html>").unwrap()];
    let document = Document::parse(body).unwrap();
    let section = |id: &str| document.descendants().find(|node| node.attribute("id") == Some(id)).unwrap();
    let text = |node: roxmltree::Node<'_, '_>| -> String {
        node.descendants().filter(|node| node.is_text()).filter_map(|node| node.text()).collect()
    };
    for id in ["model-1", "model-2"] {
        assert_eq!(section(id).descendants().filter(|node| node.has_tag_name("svg")).count(), 9);
    }
    let noise = text(section("model-2"));
    assert!(noise.contains("Where the model is wrong") && noise.contains("less clustered"), "{noise}");
    assert!(
        text(section("hawkes")).contains("Spectral radius 0.6")
            || text(section("hawkes")).contains("Spectral radius 0.7")
    );
    assert!(text(section("estimates")).contains("hawkes.excitation[market_buy][limit_sell]"));
    assert!(text(section("provenance")).contains("the market hawkes, seed 1"));
    for node in document.descendants() {
        for attribute in node.attributes() {
            assert!(
                !attribute.value().contains("NaN") && !attribute.value().contains("inf"),
                "{attribute:?}"
            );
        }
    }
    let table = verdict_table(&report);
    let line = |start: &str| table.lines().find(|line| line.contains(start)).unwrap().to_owned();
    assert!(line("mean spread").contains("within 10%"), "{table}");
    assert!(table.contains("WRONG") && table.is_ascii(), "{table}");
    assert!(report.models[0].comparison.is_within_limits(), "{table}");
    assert!(!report.models[1].comparison.is_within_limits(), "{table}");
}

#[test]
fn both_files_are_written() {
    let directory = tempfile::tempdir().unwrap();
    let (html, json) = (directory.path().join("report.html"), directory.path().join("report.json"));
    let report = example(600.0);
    write_report(&report, Some(&html), Some(&json)).unwrap();
    assert_eq!(std::fs::read_to_string(html).unwrap(), report_html(&report));
    let value: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!(value["schema_version"], 1);
    assert_eq!(value["models"][1]["name"], "noise");
    assert!(value["models"][1]["comparison"]["rows"][0]["wasserstein"].is_f64());
    assert!(value["hawkes"]["value"]["excitation"][0][0].is_f64());
    assert!(value["real"]["spread"]["bins"][0]["share"].is_f64());
    write_report(&report, None, None).unwrap();
}
