//! `lobgym evaluate RUN` in every environment, with policies that nobody trained.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

mod evaluating;
mod made_policy;

use agents::policy::{Bounds, Head};
use evaluating::{evaluate, json, text};
use gym::{AnyEnv, Env, Space};
use made_policy::{config, constant, linear, submit_and_leave, write};

#[test]
fn a_run_of_the_execution_task_is_compared_in_its_own_environment() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path();
    write(&submit_and_leave("market: strategic, lots: 7, side: buy"), &home.join("run"));
    let found = json(home, &["run", "--episodes", "30", "--html", "report.html"]);
    let names: Vec<&str> =
        found["policies"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["policy:run", "sl", "twap", "market"]);
    for key in ["reward_mean", "reward_std", "reward_se", "shortfall_ticks", "completion_seconds"] {
        assert_eq!(found["policies"][0][key], found["policies"][1][key], "{key}");
    }
    assert!(found["paired"].as_array().unwrap().iter().all(|pair| pair["against"] == "twap"));
    let settings = &found["settings"];
    assert_eq!((&settings["env"]["lots"], &settings["env"]["side"]), (&7.into(), &"buy".into()));
    assert_eq!((&settings["episodes"], &settings["interrupted"]), (&30.into(), &false.into()));
    assert!(std::fs::read_to_string(home.join("report.html")).unwrap().contains("One episode of"));
    let other =
        json(home, &["run", "--episodes", "30", "--policies", "sl", "--against", "sl", "--threads", "1"]);
    assert_eq!(other["policies"][0], found["policies"][0]);
    assert_eq!(
        (&other["paired"][0]["name"], &other["paired"][0]["against"]),
        (&names[0].into(), &"sl".into())
    );
    for (arguments, legal) in [
        (&["run", "--grid"][..], "execution"),
        (&["run", "--policies", "join"], "one of sl"),
        (&["run", "--against", "vwap"], "policy:run, sl, twap, market"),
        (&["run", "--set", "env.lots=8"], "lots 7, here it is 8"),
    ] {
        let output = evaluate(home, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(legal), "{}", text(&output.stderr));
    }
}

#[test]
fn in_the_model_theory_beats_a_constant_and_chance() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path();
    write(&constant(&config("name: model_market_making")), &home.join("run"));
    let policies = ["run", "--policies", "as:gamma=0.01,mid:distance=1,random", "--episodes", "400"];
    let found = json(home, &[&policies[..], &["--html", "report.html"]].concat());
    let rows = found["policies"].as_array().unwrap();
    let number = |index: usize, key: &str| rows[index][key].as_f64().unwrap();
    assert_eq!(rows[0]["name"], "policy:run");
    assert!(number(1, "reward_mean") > number(0, "reward_mean"));
    assert!(number(1, "reward_mean") > number(3, "reward_mean"));
    for row in 0..4 {
        assert!((number(row, "reward_se") - number(row, "reward_std") / 20.0).abs() < 1e-12);
        assert!((number(row, "sharpe") - number(row, "pnl_mean") / number(row, "pnl_std")).abs() < 1e-12);
    }
    assert_eq!(found["paired"].as_array().unwrap().len(), 3);
    let page = std::fs::read_to_string(home.join("report.html")).unwrap();
    let body = &page[page.find("<body>").unwrap()..page.rfind("</html>").unwrap()];
    let document = roxmltree::Document::parse(body).unwrap();
    assert_eq!(document.descendants().filter(|node| node.has_tag_name("figure")).count(), 2);
    assert_eq!(
        json(home, &[&policies[..], &["--threads", "1"]].concat())["policies"],
        json(home, &[&policies[..], &["--threads", "2"]].concat())["policies"]
    );
    let output = evaluate(home, &["run", "--policies", "join"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("there is no book to join"), "{}", text(&output.stderr));
}

/// The rules meet the model with the random numbers of the policies: a rule and a policy that say the same earn the same.
#[test]
fn a_policy_that_says_what_a_rule_says_earns_what_it_earns() {
    let directory = tempfile::tempdir().unwrap();
    let settings =
        "name: model_market_making, min_offset_ticks: 0.0, max_offset_ticks: 2.0, max_quote_lots: 1";
    let config = config(settings);
    let env = AnyEnv::new(&config).unwrap();
    let Space::Box(space) = env.action_space() else { panic!("its actions are a box") };
    // Offsets of 1 tick are the middle of the range; whole sizes its upper end.
    let bias = |output| if output < 2 { 0.0 } else { 1.0 };
    let file = linear(&config, Head::Gaussian { bounds: Bounds::of(space) }, |_, _| 0.0, bias);
    write(&file, &directory.path().join("run"));
    let found = json(directory.path(), &["run", "--policies", "mid:distance=1", "--episodes", "50"]);
    let mean = |index: usize| found["policies"][index]["reward_mean"].as_f64().unwrap();
    // The rule says its offset in a wider range, where a 32-bit float is a few millionths of a tick off.
    assert!((mean(0) - mean(1)).abs() < 1e-3, "{} {}", mean(0), mean(1));
}
