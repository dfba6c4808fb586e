use super::*;

const RULES: [&str; 7] = [
    "buy_and_hold",
    "equal_weight",
    "equal_weight:band=0.02",
    "minimum_variance:window=30",
    "mean_variance:window=30",
    "cost_aware:window=30",
    "risk_parity:window=30",
];

fn close(found: &[f64], wanted: &[f64], within: f64) {
    assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < within), "{found:?} is not {wanted:?}");
}

/// Growth that has no pattern of use to anybody.
fn growth(rows: usize, assets: usize) -> Vec<f64> {
    (0..rows * assets).map(|k| 0.02 * libm::sin((k * k % 997) as f64 * 1.7 + (k % assets) as f64)).collect()
}

#[test]
fn every_rule_stays_on_the_simplex() {
    let (past, n) = (growth(50, 4), 4);
    for text in RULES {
        let mut strategy = text.parse::<Rule>().expect(text).make();
        let mut targets = vec![0.0; n];
        for rows in 0..50 {
            let held = [0.1, 0.2, 0.3, 0.4];
            let past = &past[..rows * n];
            let situation =
                Situation { past, weights: &held, cost: 0.001, impact: None, expected: None, cash: None };
            strategy.weigh(&situation, &mut targets);
            assert!((targets.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{text}: {targets:?}");
            assert!(targets.iter().all(|weight| (0.0..=1.0).contains(weight)), "{text}: {targets:?}");
        }
    }
}

#[test]
fn ledoit_wolf_matches_the_formula_entry_by_entry() {
    // Reference: the norms of the formula summed entry by entry, in Python, without the shortcut for fourth moments.
    let past = [0.01, 0.012, -0.01, -0.008, 0.03, 0.025, 0.0, 0.004, -0.02, -0.03];
    let mut found = Covariance::default();
    assert!(ledoit_wolf(&past, 2, &mut found));
    close(&[found.shrinkage], &[0.4170293680246877], 1e-12);
    close(
        &found.matrix,
        &[0.00030714302471361967, 0.00018002133115397646, 0.00018002133115397646, 0.00033829697528638033],
        1e-15,
    );
    assert!(!ledoit_wolf(&past[..2], 2, &mut found), "one row has no variance");
}

#[test]
fn equal_covariance_means_equal_weights() {
    let matrix = [4.0, 1.0, 1.0, 1.0, 4.0, 1.0, 1.0, 1.0, 4.0];
    let mut weights = [0.7, 0.2, 0.1];
    minimise(&matrix, &[0.0; 3], 0.0, &[0.0; 3], &mut weights);
    close(&weights, &[1.0 / 3.0; 3], 1e-9);
    equal_risk(&matrix, &mut weights);
    close(&weights, &[1.0 / 3.0; 3], 1e-12);
}

#[test]
fn two_assets_have_their_closed_forms() {
    let matrix = [4.0, 0.5, 0.5, 1.0];
    let mut weights = [0.5; 2];
    minimise(&matrix, &[0.0; 2], 0.0, &[0.0; 2], &mut weights);
    close(&weights, &[0.125, 0.875], 1e-9);
    equal_risk(&matrix, &mut weights);
    close(&weights, &[1.0 / 3.0, 2.0 / 3.0], 1e-12);
    // Where trading stops, the slope 4 (w - 1/8) is the cost of both sides, 0.8 here: w = 0.325.
    let (mut near, mut far) = ([0.2, 0.8], [0.5, 0.5]);
    minimise(&matrix, &[0.0; 2], 0.4, &[0.2, 0.8], &mut near);
    assert_eq!(near, [0.2, 0.8], "inside the region nothing is traded");
    minimise(&matrix, &[0.0; 2], 0.4, &[0.5, 0.5], &mut far);
    close(&far, &[0.325, 0.675], 1e-9);
}

#[test]
fn names_are_read_as_they_are_written_and_errors_say_what_is_legal() {
    for text in RULES {
        let rule: Rule = text.parse().expect(text);
        assert_eq!(rule.to_string().parse::<Rule>().expect("written by itself"), rule);
    }
    for (text, part) in [
        ("equal", "minimum_variance"),
        ("equal_weight:bond=1", "band"),
        ("equal_weight:band=2", "from 0 to 1"),
        ("risk_parity:window=2.5", "whole periods"),
        ("buy_and_hold:band=1", "no parameters"),
    ] {
        let error = text.parse::<Rule>().expect_err(text).to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

/// With the slope `g` of the smooth part, a weight that can grow gains nothing by a transfer to it from one that can shrink: `g_i + cost` at
/// least (from held upwards) and `g_j - cost` at most; at what is held the slope may lie anywhere between.
#[test]
fn ten_assets_end_where_no_transfer_helps() {
    let n = 10;
    let past = growth(40, n);
    let mut covariance = Covariance::default();
    assert!(ledoit_wolf(&past, n, &mut covariance));
    let matrix: Vec<f64> = covariance.matrix.iter().map(|entry| 8.0 * entry).collect();
    let held: Vec<f64> = (1..=n).map(|asset| asset as f64 / 55.0).collect();
    let (mut traded, mut kept, mut empty) = (0, 0, 0);
    for cost in [0.0, 2e-5, 2e-4, 1e-3] {
        let mut weights = held.clone();
        minimise(&matrix, &covariance.means, cost, &held, &mut weights);
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let slope =
            |i: usize| (0..n).map(|j| matrix[i * n + j] * weights[j]).sum::<f64>() - covariance.means[i];
        // What a little more of an asset costs, and what a little less saves.
        let more = (0..n).map(|i| slope(i) + if weights[i] >= held[i] - 1e-12 { cost } else { -cost });
        let less = (0..n)
            .filter(|&i| weights[i] > 1e-12)
            .map(|i| slope(i) + if weights[i] > held[i] + 1e-12 { cost } else { -cost });
        let (cheapest, dearest) =
            (more.fold(f64::INFINITY, f64::min), less.fold(f64::NEG_INFINITY, f64::max));
        assert!(dearest - cheapest < 1e-10, "cost {cost}: {dearest} could go where {cheapest} is");
        for (weight, held) in weights.iter().zip(&held) {
            traded += i32::from((weight - held).abs() > 1e-6);
            kept += i32::from(weight == held);
            empty += i32::from(*weight < 1e-12);
        }
    }
    assert!(traded > 0 && kept > 0 && empty > 0, "all three kinds were met: {traded} {kept} {empty}");
}

#[test]
fn a_no_trade_band_trades_to_its_edge_and_no_farther() {
    let mut rule = NoTradeBand { aim: 50.0, band: 0.2 };
    let mut weigh = |weights: &[f64], expected: &[f64], cash: Option<f64>| {
        let mut targets = vec![f64::NAN; weights.len()];
        let situation =
            Situation { past: &[], weights, cost: 0.001, impact: None, expected: Some(expected), cash };
        rule.weigh(&situation, &mut targets);
        targets
    };
    // 50 for 1%: 0.01% of expected growth is worth 0.5.
    assert_eq!(weigh(&[0.4], &[0.0001], Some(0.0)), [0.4], "within the band");
    close(&weigh(&[0.1], &[0.0001], Some(0.0)), &[0.3], 1e-12);
    close(&weigh(&[0.9], &[0.0001], Some(0.0)), &[0.7], 1e-12);
    close(&weigh(&[0.9], &[0.0002], Some(0.0001)), &[0.7], 1e-12);
    assert_eq!(weigh(&[0.5], &[0.01], Some(0.0)), [1.0], "out of reach: the nearest");
    assert_eq!(weigh(&[0.5], &[-0.01], Some(0.0)), [0.0]);
    // Without cash only differences count.
    assert_eq!(weigh(&[0.5, 0.5], &[0.3, 0.3], None), [0.5, 0.5]);
    close(&weigh(&[0.5, 0.5], &[0.0002, 0.0], None), &[0.8, 0.2], 1e-12);
    let both = weigh(&[0.0, 0.0], &[0.01, 0.01], Some(0.0));
    close(&both, &[0.5, 0.5], 1e-12);
    let text: Rule = "no_trade_band:aim=20:band=1.5".parse().expect("a rule");
    assert_eq!(text, Rule::NoTradeBand { aim: 20.0, band: 1.5 });
    assert!(text.needs_expected());
}

/// Orders that cost `slope d + bend |d| + scale |d|^1.5`.
#[derive(Debug)]
struct Laws([(f64, f64, f64); 2]);

impl ImpactEstimate for Laws {
    fn impact_of(&self, asset: usize, change: f64) -> f64 {
        let (slope, bend, scale) = self.0[asset];
        slope * change + bend * change.abs() + scale * change.abs().powf(1.5)
    }
}

#[test]
fn impact_is_weighed_against_the_aim_as_the_model_says() {
    let past = growth(60, 2);
    let mut covariance = Covariance::default();
    assert!(ledoit_wolf(&past, 2, &mut covariance));
    let (aversion, horizon, cost, held) = (8.0, 5.0, 1e-4, [0.35, 0.65]);
    for laws in [
        [(0.0, 0.0, 1e-3), (0.0, 0.0, 3e-3)],
        [(2e-4, 1e-4, 2e-3), (-1e-4, 1e-4, 2e-3)],
        [(0.0, 0.0, 1e-6), (0.0, 0.0, 1e-6)],
        [(0.0, 1.0, 0.0), (0.0, 1.0, 0.0)],
    ] {
        let impact = Laws(laws);
        let value = |first: f64| {
            let weights = [first, 1.0 - first];
            let mut value = 0.0;
            for i in 0..2 {
                value += covariance.means[i] * weights[i];
                for j in 0..2 {
                    value -= 0.5 * aversion * covariance.matrix[2 * i + j] * weights[i] * weights[j];
                }
                let change = weights[i] - held[i];
                value -= (cost * change.abs() + impact.impact_of(i, change)) / horizon;
            }
            value
        };
        let best = (0..=100_000)
            .map(|k| f64::from(k) / 1e5)
            .fold(0.0, |best, first| if value(first) > value(best) { first } else { best });
        let mut targets = [0.0; 2];
        let situation = Situation {
            past: &past,
            weights: &held,
            cost,
            impact: Some(&impact),
            expected: None,
            cash: None,
        };
        MeanVariance::new(60, aversion, Some(horizon)).weigh(&situation, &mut targets);
        assert!((targets[0] - best).abs() < 1e-3, "{laws:?}: {targets:?} is not {best}");
        let blind = Situation { impact: None, ..situation };
        let mut other = [0.0; 2];
        MeanVariance::new(60, aversion, Some(horizon)).weigh(&blind, &mut other);
        assert!((other[0] - held[0]).abs() >= (targets[0] - held[0]).abs() || laws[0].0 != 0.0);
    }
}
