//! Moments of the price processes against theory, and what becomes of files.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::path::Path;

use gym::prices::{
    AnyProcess, BarsConfig, BlockBootstrapConfig, BrownianConfig, Correlation, GarchConfig, GivenConfig,
    Layout, MeanRevertingConfig, MertonConfig, PerAsset, PriceProcess, Prices, PricesConfig, Repair, Table,
};
use lob::sim::SimRng;
use rand_xoshiro::rand_core::SeedableRng;

const YEAR: f64 = 252.0;

fn process(config: &PricesConfig, assets: Option<usize>) -> AnyProcess {
    config.resolve(assets, Path::new("")).unwrap().into_process().unwrap()
}

/// Log growth of `sessions` sessions of `periods` periods: one list a session, a row a period.
fn draw(process: &mut AnyProcess, sessions: u64, periods: u64) -> Vec<Vec<Vec<f64>>> {
    let n = process.assets();
    let (mut growth, mut log_growth) = (vec![0.0; n], vec![0.0; n]);
    let mut session = |seed| {
        let mut rng = SimRng::seed_from_u64(seed);
        process.begin(&mut rng, periods);
        let mut rows = Vec::new();
        for _ in 0..periods {
            process.advance(&mut rng, &mut growth, &mut log_growth);
            for (growth, log) in growth.iter().zip(&log_growth) {
                assert!((growth / log.exp() - 1.0).abs() < 1e-14);
            }
            rows.push(log_growth.clone());
        }
        rows
    };
    (0..sessions).map(&mut session).collect()
}

/// Mean and its standard error.
fn mean(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

#[track_caller]
fn close(values: &[f64], expected: f64) {
    let (mean, error) = mean(values);
    assert!((mean - expected).abs() < 5.0 * error, "{mean} +- {error}, {expected} in theory");
}

/// Mean, variance and covariance of independent rows.
#[track_caller]
fn check_moments(rows: &[Vec<f64>], means: &[f64], deviations: &[f64], correlations: &[[f64; 3]; 3]) {
    for a in 0..3 {
        close(&rows.iter().map(|row| row[a]).collect::<Vec<_>>(), means[a]);
        for b in 0..=a {
            let products: Vec<_> = rows.iter().map(|row| (row[a] - means[a]) * (row[b] - means[b])).collect();
            close(&products, deviations[a] * deviations[b] * correlations[a][b]);
        }
    }
}

const DRIFT: [f64; 3] = [0.1, -0.2, 0.4];
const VOLATILITY: [f64; 3] = [0.1, 0.4, 0.8];
const MATRIX: [[f64; 3]; 3] = [[1.0, 0.6, -0.3], [0.6, 1.0, 0.2], [-0.3, 0.2, 1.0]];

fn matrix() -> Correlation {
    Correlation::Matrix(MATRIX.iter().map(|row| row.to_vec()).collect())
}

fn log_mean(asset: usize) -> f64 {
    (DRIFT[asset] - VOLATILITY[asset].powi(2) / 2.0) / YEAR
}

fn brownian(correlation: Correlation) -> PricesConfig {
    PricesConfig::GeometricBrownian(BrownianConfig {
        drift: PerAsset::Each(DRIFT.to_vec()),
        volatility: PerAsset::Each(VOLATILITY.to_vec()),
        correlation,
        periods_per_year: YEAR,
    })
}

#[test]
fn brownian_motions_have_their_moments() {
    let equal = [[1.0, 0.5, 0.5], [0.5, 1.0, 0.5], [0.5, 0.5, 1.0]];
    let none = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    for (setting, expected) in
        [(matrix(), MATRIX), (Correlation::Equal(0.5), equal), (Correlation::Equal(0.0), none)]
    {
        let mut process = process(&brownian(setting), Some(3));
        let rows = draw(&mut process, 1, 200_000).remove(0);
        let means = [0, 1, 2].map(log_mean);
        check_moments(&rows, &means, &VOLATILITY.map(|sigma| sigma / YEAR.sqrt()), &expected);
        // The expected growth itself.
        for asset in 0..3 {
            let growth: Vec<_> = rows.iter().map(|row| row[asset].exp()).collect();
            close(&growth, (DRIFT[asset] / YEAR).exp());
        }
    }
}

#[test]
fn garch_has_its_moments() {
    let config = |nu| {
        PricesConfig::Garch(GarchConfig {
            drift: PerAsset::Each(DRIFT.to_vec()),
            volatility: PerAsset::Each(VOLATILITY.to_vec()),
            correlation: matrix(),
            alpha: 0.1,
            beta: 0.8,
            degrees_of_freedom: nu,
            periods_per_year: YEAR,
        })
    };
    // Sessions are independent of each other; within one, a statistic is one number.
    for nu in [None, Some(12.0)] {
        let sessions = draw(&mut process(&config(nu), Some(3)), 400, 1_000);
        let asset = 1;
        let sigma2 = VOLATILITY[asset].powi(2) / YEAR;
        let shocks: Vec<Vec<f64>> = sessions
            .iter()
            .map(|rows| rows.iter().map(|row| (row[asset] - log_mean(asset)) / sigma2.sqrt()).collect())
            .collect();
        let of = |statistic: &dyn Fn(&[f64]) -> f64| shocks.iter().map(|s| statistic(s)).collect::<Vec<_>>();
        close(&of(&|s| mean(s).0), 0.0);
        close(&of(&|s| s.iter().map(|x| x * x).sum::<f64>() / s.len() as f64), 1.0);
        // E e^4 = 3 (nu - 2) / (nu - 4), and with it the stationary fourth moment of the shocks and their squares' autocovariance.
        let k = nu.map_or(3.0, |nu| 3.0 * (nu - 2.0) / (nu - 4.0));
        let (alpha, beta): (f64, f64) = (0.1, 0.8);
        let persistence: f64 = alpha + beta;
        let h2 = (1.0 - persistence.powi(2)) / (1.0 - beta.powi(2) - 2.0 * alpha * beta - k * alpha.powi(2));
        let settled = 200..1_000;
        let fourth =
            of(&|s| s[settled.clone()].iter().map(|x| x.powi(4)).sum::<f64>() / settled.len() as f64);
        close(&fourth, k * h2);
        let later = of(&|s| {
            let pairs = settled.clone().skip(1).map(|t| s[t].powi(2) * s[t - 1].powi(2));
            pairs.sum::<f64>() / (settled.len() - 1) as f64
        });
        // E(x^2 x'^2) = omega E(h) + (alpha k + beta) E(h^2).
        close(&later, (1.0 - persistence) + (alpha * k + beta) * h2);
        // Correlation of the innovations: at first all variances are at their mean.
        let first: Vec<f64> = sessions
            .iter()
            .map(|rows| {
                let z = |a: usize| (rows[0][a] - log_mean(a)) / (VOLATILITY[a] / YEAR.sqrt());
                z(0) * z(1)
            })
            .collect();
        close(&first, 0.6);
    }
}

#[test]
fn student_innovations_have_fat_tails_together() {
    let config = PricesConfig::Garch(GarchConfig {
        drift: PerAsset::All(0.0),
        volatility: PerAsset::All(0.2),
        correlation: Correlation::Equal(0.0),
        alpha: 0.0,
        beta: 0.0,
        degrees_of_freedom: Some(10.0),
        periods_per_year: YEAR,
    });
    let rows = draw(&mut process(&config, Some(2)), 1, 400_000).remove(0);
    let z = |row: &[f64], a: usize| (row[a] + 0.02 / YEAR) / (0.2 / YEAR.sqrt());
    close(&rows.iter().map(|row| z(row, 0).powi(2)).collect::<Vec<_>>(), 1.0);
    close(&rows.iter().map(|row| z(row, 0).powi(4)).collect::<Vec<_>>(), 3.0 * 8.0 / 6.0);
    // Uncorrelated, but not independent: E(x^2 y^2) = (nu - 2) / (nu - 4).
    close(&rows.iter().map(|row| z(row, 0) * z(row, 1)).collect::<Vec<_>>(), 0.0);
    close(&rows.iter().map(|row| (z(row, 0) * z(row, 1)).powi(2)).collect::<Vec<_>>(), 8.0 / 6.0);
}

#[test]
fn jumps_have_their_moments_and_leave_the_expected_growth() {
    for common_jumps in [true, false] {
        let (rate, jump_mean, deviation) = (60.0, -0.03, 0.05);
        let config = PricesConfig::Merton(MertonConfig {
            drift: PerAsset::Each(DRIFT.to_vec()),
            volatility: PerAsset::Each(VOLATILITY.to_vec()),
            correlation: matrix(),
            jump_rate: rate,
            jump_mean,
            jump_deviation: deviation,
            common_jumps,
            periods_per_year: YEAR,
        });
        let rows = draw(&mut process(&config, Some(3)), 1, 300_000).remove(0);
        let k = (jump_mean + deviation * deviation / 2.0).exp() - 1.0;
        for a in 0..3 {
            let expected = log_mean(a) + rate * (jump_mean - k) / YEAR;
            close(&rows.iter().map(|row| row[a]).collect::<Vec<_>>(), expected);
            let variance = (VOLATILITY[a].powi(2) + rate * (jump_mean.powi(2) + deviation.powi(2))) / YEAR;
            close(&rows.iter().map(|row| (row[a] - expected).powi(2)).collect::<Vec<_>>(), variance);
            close(&rows.iter().map(|row| row[a].exp()).collect::<Vec<_>>(), (DRIFT[a] / YEAR).exp());
            // Jumps at common times: covariance rate x mean^2 besides that of the motions.
            let b = (a + 1) % 3;
            let other = log_mean(b) + rate * (jump_mean - k) / YEAR;
            let jumps = if common_jumps { rate * jump_mean * jump_mean } else { 0.0 };
            let covariance = (VOLATILITY[a] * VOLATILITY[b] * MATRIX[a][b] + jumps) / YEAR;
            let products: Vec<_> = rows.iter().map(|row| (row[a] - expected) * (row[b] - other)).collect();
            close(&products, covariance);
        }
    }
}

#[test]
fn drifts_revert_with_their_half_life() {
    let config = PricesConfig::MeanReverting(MeanRevertingConfig {
        drift: PerAsset::All(0.1),
        drift_deviation: PerAsset::All(2.0),
        half_life: 5.0,
        volatility: PerAsset::All(0.2),
        correlation: Correlation::Equal(0.4),
        periods_per_year: YEAR,
    });
    let mut process = process(&config, Some(2));
    let (mut growth, mut log_growth) = ([0.0; 2], [0.0; 2]);
    let (mut levels, mut squares, mut products, mut surprises, mut together) =
        (vec![], vec![], vec![], vec![], vec![]);
    for seed in 0..40_000 {
        let mut rng = SimRng::seed_from_u64(seed);
        process.begin(&mut rng, 5);
        let first: Vec<f64> = process.expected().unwrap().iter().map(|x| x * YEAR - 0.1).collect();
        process.advance(&mut rng, &mut growth, &mut log_growth);
        let surprise = [0, 1].map(|a| log_growth[a] - (first[a] + 0.1 - 0.02) / YEAR);
        surprises.push(surprise[0].powi(2));
        together.push(surprise[0] * surprise[1]);
        for _ in 1..5 {
            process.advance(&mut rng, &mut growth, &mut log_growth);
        }
        let later = process.expected().unwrap()[0] * YEAR - 0.1;
        levels.push(later);
        squares.push(later * later);
        products.push(later * first[0]);
    }
    close(&levels, 0.0);
    close(&squares, 4.0);
    close(&products, 2.0);
    close(&surprises, 0.04 / YEAR);
    close(&together, 0.4 * 0.04 / YEAR);
}

fn returns(rows: usize) -> Table {
    let values = (0..rows).flat_map(|row| [row as f64 * 0.01, -(row as f64) * 0.001]).collect();
    Table::new("returns", values, rows, 2).unwrap()
}

#[test]
fn blocks_have_geometric_lengths_and_rows_stay_together() {
    let rows = 50;
    let config = |mean_block| {
        PricesConfig::BlockBootstrap(Box::new(BlockBootstrapConfig {
            mean_block,
            returns: Some(returns(rows)),
            ..BlockBootstrapConfig::default()
        }))
    };
    for mean_block in [1.0, 8.0] {
        let drawn = draw(&mut process(&config(mean_block), None), 1, 200_000).remove(0);
        let index: Vec<usize> = drawn
            .iter()
            .map(|row| {
                let index = ((row[0].exp() - 1.0) * 100.0).round() as usize;
                assert!((row[1] - (1.0 - index as f64 * 0.001).ln()).abs() < 1e-12, "a row of its own");
                index
            })
            .collect();
        for wanted in [0, 1, rows / 2, rows - 1] {
            let hits: Vec<f64> = index.iter().map(|&row| f64::from(u8::from(row == wanted))).collect();
            let (share, _) = mean(&hits);
            // Blocks make the rows dependent: about mean_block times the variance.
            let error = (2.0 * mean_block * 0.02 * 0.98 / hits.len() as f64).sqrt();
            assert!((share - 1.0 / rows as f64).abs() < 5.0 * error);
        }
        // A row follows the one before it, cyclically, unless a block begins; then by chance once in 50.
        let follows: Vec<f64> =
            index.windows(2).map(|pair| f64::from(u8::from(pair[1] == (pair[0] + 1) % rows))).collect();
        let begins = 1.0 / mean_block;
        close(&follows, 1.0 - begins + begins / rows as f64);
        assert!(index.windows(2).any(|pair| pair == [rows - 1, 0]));
    }
}

#[test]
fn a_table_is_replayed_as_it_is() {
    let values = vec![10.0, 1.0, 11.0, 2.0, 5.5, 4.0, 6.0, 3.0];
    let table = Table::new("prices", values.clone(), 4, 2).unwrap();
    let given = |random_start| PricesConfig::Given(GivenConfig { table: table.clone(), random_start });
    let mut replay = process(&given(false), Some(2));
    assert_eq!(replay.periods(), Some(3));
    let rows = draw(&mut replay, 1, 3).remove(0);
    for (t, row) in rows.iter().enumerate() {
        for a in 0..2 {
            assert_eq!(row[a], libm::log(values[2 * (t + 1) + a] / values[2 * t + a]));
        }
    }
    let starts = draw(&mut process(&given(true), None), 200, 1);
    assert!((0..3).all(|t| starts.iter().any(|start| start[0] == rows[t])));
}

#[test]
fn parameters_that_make_no_process_are_refused() {
    let message = |config: PricesConfig, assets| {
        config.resolve(assets, Path::new("")).map(drop).unwrap_err().to_string()
    };
    let with = |correlation| message(brownian(correlation), Some(3));
    for (correlation, words) in [
        (Correlation::Equal(1.0), "from 0 to below 1"),
        (Correlation::Equal(-0.1), "from 0 to below 1"),
        (Correlation::Matrix(vec![vec![1.0]]), "a list of 1; legal: 3 entries"),
        (
            Correlation::Matrix(vec![vec![1.0, 0.5, 0.0], vec![0.4, 1.0, 0.0], vec![0.0, 0.0, 1.0]]),
            "[1][0] is 0.4",
        ),
        (
            Correlation::Matrix(vec![vec![1.0, 0.9, -0.9], vec![0.9, 1.0, 0.9], vec![-0.9, 0.9, 1.0]]),
            "positive definite",
        ),
        (
            Correlation::Matrix(vec![vec![2.0, 0.0, 0.0], vec![0.0, 1.0, 0.0], vec![0.0, 0.0, 1.0]]),
            "1 on the diagonal",
        ),
    ] {
        let message = with(correlation);
        assert!(
            message.starts_with("prices.geometric_brownian.correlation") && message.contains(words),
            "{message}"
        );
    }
    assert!(message(brownian(matrix()), Some(4)).contains("drift is a list of 3; legal: 4 entries"));
    let config = PricesConfig::Garch(GarchConfig { degrees_of_freedom: Some(2.0), ..GarchConfig::default() });
    assert!(message(config, None).contains("degrees_of_freedom is 2; legal: a number > 2"));
    let config = PricesConfig::BlockBootstrap(Box::default());
    assert!(message(config, None).contains("one of returns, prices, csv and parquet"));
    let table = Table::new("returns", vec![0.1, -1.0], 2, 1).unwrap();
    let config = BlockBootstrapConfig { returns: Some(table), ..BlockBootstrapConfig::default() };
    assert!(message(PricesConfig::BlockBootstrap(Box::new(config)), None).contains("returns[1][0] is -1"));
    assert!(
        Table::new("features", vec![1.0, f64::NAN], 1, 2).unwrap_err().to_string().contains("features[0][1]")
    );
}

fn wide(repair: &[Repair]) -> BarsConfig {
    BarsConfig { file: "prices.csv".into(), repair: repair.to_vec(), ..BarsConfig::default() }
}

#[track_caller]
fn refused(config: &BarsConfig, text: &str, words: &[&str]) {
    let message = config.read_csv(text).unwrap_err().to_string();
    assert!(words.iter().all(|word| message.contains(word)), "{message}");
}

#[test]
fn wide_files_are_read() {
    let text = "\u{feff}date,A,\"B, plc\",C\r\n2024-01-02,1,2,3\r\n2024-01-03,1.5,2.5,3.5\r\n";
    let table = wide(&[]).read_csv(text).unwrap().table;
    assert_eq!((table.rows(), table.columns()), (2, 3));
    assert_eq!(table.values(), [1.0, 2.0, 3.0, 1.5, 2.5, 3.5]);
    let some = BarsConfig { assets: Some(vec!["C".into(), "A".into()]), ..wide(&[]) };
    assert_eq!(some.read_csv(text).unwrap().table.values(), [3.0, 1.0, 3.5, 1.5]);
    let none = BarsConfig { assets: Some(vec!["Cc".into()]), ..wide(&[]) };
    refused(&none, text, &["line 1", "without \"Cc\"", "one of date, A"]);
    let by_time = BarsConfig { time: Some("when".into()), ..wide(&[]) };
    let table = by_time.read_csv("A,when\n1,10\n2,20\n").unwrap().table;
    assert_eq!(table.values(), [1.0, 2.0]);
}

#[test]
fn long_files_are_read() {
    let text = "time,asset,close\n1,X,10\n1,Y,20\n2,Y,21\n2,X,11\n";
    let long = BarsConfig { layout: Layout::Long, ..wide(&[]) };
    assert_eq!(long.read_csv(text).unwrap().table.values(), [10.0, 20.0, 11.0, 21.0]);
    let chosen = BarsConfig { assets: Some(vec!["Y".into()]), ..long.clone() };
    assert_eq!(chosen.read_csv(text).unwrap().table.values(), [20.0, 21.0]);
    let absent = BarsConfig { assets: Some(vec!["Y".into(), "Z".into()]), ..long.clone() };
    refused(&absent, text, &["without a line of \"Z\""]);
    refused(&long, "time,asset,close\n1,X,10\n1,Y,20\n2,Y,21\n", &["line 4, X is missing", "forward_fill"]);
    refused(&long, "time,asset,price\n1,X,10\n", &["without \"close\"", "time, asset, price"]);
}

#[test]
fn what_is_wrong_in_a_file_is_named_and_repaired_only_if_asked() {
    let missing = "t,A,B\n1,1,2\n2,,3\n3,4,5\n";
    refused(&wide(&[]), missing, &["line 3, A is missing", "repair: [forward_fill] or [drop_incomplete]"]);
    let filled = wide(&[Repair::ForwardFill]).read_csv(missing).unwrap().table;
    assert_eq!(filled.values(), [1.0, 2.0, 1.0, 3.0, 4.0, 5.0]);
    let dropped = wide(&[Repair::DropIncomplete]).read_csv(missing).unwrap().table;
    assert_eq!(dropped.values(), [1.0, 2.0, 4.0, 5.0]);

    let leading = "t,A\n1,NA\n2,2\n3,3\n";
    refused(&wide(&[Repair::ForwardFill]), leading, &["line 2, A is missing", "drop_incomplete"]);
    let both = wide(&[Repair::ForwardFill, Repair::DropIncomplete]).read_csv(leading).unwrap().table;
    assert_eq!(both.values(), [2.0, 3.0]);

    let unsorted = "t,A\n2024-01-03,3\n2024-01-01,1\n2024-01-02,2\n";
    refused(&wide(&[]), unsorted, &["line 3 is earlier than line 2", "repair: [sort]"]);
    assert_eq!(wide(&[Repair::Sort]).read_csv(unsorted).unwrap().table.values(), [1.0, 2.0, 3.0]);

    let twice = "t,A\n1,1\n1,9\n2,2\n";
    refused(&wide(&[]), twice, &["line 3 is the same stamp as line 2", "drop_duplicates"]);
    assert_eq!(wide(&[Repair::DropDuplicates]).read_csv(twice).unwrap().table.values(), [1.0, 2.0]);
    let apart = "t,A\n1,1\n2,2\n1,9\n";
    let order = [Repair::DropDuplicates, Repair::Sort];
    assert_eq!(wide(&order).read_csv(apart).unwrap().table.values(), [1.0, 2.0]);

    for bad in ["0", "-2"] {
        let text = format!("t,A\n1,1\n2,{bad}\n3,3\n");
        refused(&wide(&[]), &text, &["line 3, A is", "a price > 0, or repair: [non_positive_as_missing]"]);
        let repair = [Repair::NonPositiveAsMissing, Repair::ForwardFill];
        assert_eq!(wide(&repair).read_csv(&text).unwrap().table.values(), [1.0, 1.0, 3.0]);
        refused(&wide(&[Repair::NonPositiveAsMissing]), &text, &["line 3, A is missing"]);
    }
    let all = [
        Repair::Sort,
        Repair::DropDuplicates,
        Repair::NonPositiveAsMissing,
        Repair::ForwardFill,
        Repair::DropIncomplete,
    ];
    for (text, words) in [
        ("t,A\n1,x\n2,2\n", "line 2, A is \"x\""),
        ("t,A\n1,inf\n2,2\n", "line 2, A is \"inf\""),
        ("t,A\nyesterday,1\n2,2\n", "line 2 is \"yesterday\" as a stamp"),
        ("t,A\n1,1\n2024-01-01,2\n", "line 3 is another kind of stamp"),
        ("t,A\n1,1\n2\n", "line 3"),
        ("t,A\n1,1\n", "1 complete rows of 1 assets"),
        ("t,A,A\n1,1,1\n2,2,2\n", "\"A\" twice"),
        ("", "0 complete rows"),
    ] {
        refused(&wide(&all), text, &[words]);
    }
}

#[test]
fn a_file_that_cannot_be_used_is_named() {
    let config = PricesConfig::Csv(wide(&[]));
    let message = config.resolve(None, Path::new("no/such")).map(drop).unwrap_err().to_string();
    assert!(message.contains("no/such") && message.contains("prices.csv"), "{message}");
    let path = std::env::temp_dir().join(format!("lobgym-prices-{}.csv", std::process::id()));
    std::fs::write(&path, "t,A\n1,5\n2,10\n3,0\n").unwrap();
    let with = |repair: &[Repair]| PricesConfig::Csv(BarsConfig { file: path.clone(), ..wide(repair) });
    let message = with(&[]).resolve(None, Path::new("")).map(drop).unwrap_err().to_string();
    let repaired =
        with(&[Repair::NonPositiveAsMissing, Repair::DropIncomplete]).resolve(Some(1), Path::new(""));
    std::fs::remove_file(&path).unwrap();
    assert!(message.starts_with(&format!("{}: line 4, A is 0", path.display())), "{message}");
    let Prices::Table { table, .. } = repaired.unwrap() else { panic!() };
    assert_eq!(table.values(), [5.0, 10.0]);
}

#[test]
fn draws_keep_their_bits() {
    // Pinned: a change here changes every seeded market.
    let bits = |config: PricesConfig| {
        let assets = if matches!(config, PricesConfig::BlockBootstrap(_)) { None } else { Some(3) };
        let rows = draw(&mut process(&config, assets), 1, 10).remove(0);
        rows.concat().iter().fold(0_u64, |hash, value| hash.rotate_left(5) ^ value.to_bits())
    };
    let found = [
        bits(PricesConfig::GeometricBrownian(BrownianConfig::default())),
        bits(PricesConfig::Garch(GarchConfig::default())),
        bits(PricesConfig::Merton(MertonConfig::default())),
        bits(PricesConfig::MeanReverting(MeanRevertingConfig::default())),
        bits(PricesConfig::BlockBootstrap(Box::new(BlockBootstrapConfig {
            returns: Some(returns(40)),
            ..Default::default()
        }))),
    ];
    let expected = [
        16_922_403_273_909_931_635,
        6_407_913_264_057_387_589,
        9_049_727_965_940_276_888,
        9_972_332_389_705_674_950,
        3_581_670_063_199_665_718,
    ];
    assert_eq!(found, expected);
}

#[test]
fn every_source_and_parameter_is_documented() {
    let page = include_str!("../../docs/prices.md");
    let sources = [
        ("geometric_brownian", gym::config::keys_of(&BrownianConfig::default())),
        ("garch", gym::config::keys_of(&GarchConfig::default())),
        ("merton", gym::config::keys_of(&MertonConfig::default())),
        ("mean_reverting", gym::config::keys_of(&MeanRevertingConfig::default())),
        ("block_bootstrap", gym::config::keys_of(&BlockBootstrapConfig::default())),
        ("given", gym::config::keys_of(&GivenConfig::default())),
        ("csv and parquet", gym::config::keys_of(&BarsConfig::default())),
    ];
    for (source, keys) in sources {
        let section = page.split(&format!("\n## {source}\n")).nth(1).unwrap().split("\n## ").next().unwrap();
        assert!(keys.iter().all(|key| section.contains(&format!("`{key}`"))), "{source}: {keys:?}");
    }
}
