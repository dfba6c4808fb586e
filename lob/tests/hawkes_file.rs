//! A Hawkes flow in an order-flow file.

#![allow(clippy::unwrap_used, reason = "helpers of tests: clippy exempts the tests themselves only")]

use std::path::PathBuf;

use lob::data::{Dim, Domain, NpzFile, NpzWriter};
use lob::flow::{
    CancelSize, CancellationRule, FlowConfig, FlowParams, HawkesParams, MarketConfig, PerSide, Profile,
    Provenance, SizeDistribution, StandardErrors, read_provenance, read_standard_errors,
};

fn path(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(&directory).unwrap();
    directory.join(format!("hawkes_{name}.npz"))
}

/// Nothing like the default.
fn params() -> HawkesParams {
    let mut params = HawkesParams::reference();
    params.baseline[3] = 0.123;
    params.excitation[1][4] = 0.0625;
    params.decay[5] = 7.5;
    params.limit_distance = PerSide { buy: vec![0.5, 0.25], sell: vec![0.0, 1.0, 0.125] };
    params.market_size = SizeDistribution::Empirical { sizes: vec![1, 7], weights: vec![0.75, 0.25] };
    params.cancellation = CancellationRule::RandomOrder;
    params.opening.levels = 20;
    params.opening.shape.bidv[3] = 77.0;
    params.profile = Profile::u_shape();
    params.empty_side.bid_lots = 9;
    params
}

fn errors() -> StandardErrors {
    let mut errors = StandardErrors::new();
    errors.insert("hawkes.baseline".to_owned(), vec![0.1, 0.2, f64::NAN, 0.4, 0.5, 0.6]);
    errors.insert("hawkes.decay".to_owned(), vec![0.01; 6]);
    errors
}

#[test]
fn what_is_written_is_read() {
    for (name, cancel_size) in [
        ("share", CancelSize::Share(0.3)),
        ("lots", CancelSize::Lots(SizeDistribution::LogNormal { mu: 1.0, sigma: 0.5, min: 1, max: 50 })),
    ] {
        let params = HawkesParams { cancel_size, ..params() };
        let provenance = Provenance::from([("tool".to_owned(), "test".to_owned())]);
        let file = path(name);
        params.to_npz(&file, &errors(), &provenance).unwrap();
        assert!(HawkesParams::is_in_npz(&file).unwrap());
        assert_eq!(HawkesParams::from_npz(&file).unwrap(), params);
        assert_eq!(read_provenance(&file).unwrap(), provenance);
        let found = read_standard_errors(&file).unwrap();
        assert!(found["hawkes.baseline"][2].is_nan() && found["hawkes.baseline"][5] == 0.6, "{found:?}");
    }
}

#[test]
fn a_market_takes_all_parameters_from_a_file_that_has_them() {
    let file = path("market");
    params().to_npz(&file, &StandardErrors::new(), &Provenance::new()).unwrap();
    let market = MarketConfig::preset("hawkes").unwrap().flow.with_file(&file).unwrap();
    assert_eq!(market, FlowConfig::Hawkes(Box::new(params())));
    // A file with a shape alone changes that alone.
    let file = path("shape");
    params().opening.shape.to_npz(&file, &Provenance::new()).unwrap();
    let market = MarketConfig::preset("hawkes").unwrap().flow.with_file(&file).unwrap();
    let mut expected = HawkesParams::reference();
    expected.opening.shape = params().opening.shape;
    assert_eq!(market, FlowConfig::Hawkes(Box::new(expected)));
}

/// A file for both flows, as a calibration writes it.
fn both(name: &str, extra: Option<&str>) -> PathBuf {
    let alone = path("alone");
    FlowParams::tactical().to_npz(&alone, &Provenance::new()).unwrap();
    let mut from = NpzFile::open(&alone).unwrap();
    let file = path(name);
    let mut to = NpzWriter::create(&file).unwrap();
    for key in from.keys().to_vec() {
        if let Ok(text) = from.string(&key) {
            to.string(&key, &text).unwrap();
        } else if let Ok(flag) = from.scalar_bool(&key) {
            to.scalar_bool(&key, flag).unwrap();
        } else if let Ok(integer) = from.scalar_i64(&key, i64::MIN..=i64::MAX) {
            to.scalar_i64(&key, integer).unwrap();
        } else if let Ok(number) = from.scalar_f64(&key, Domain::Finite) {
            to.scalar_f64(&key, number).unwrap();
        } else {
            let array = from.array_f64(&key, &[Dim::AtLeast(1)], Domain::Finite).unwrap();
            to.array_f64(&key, &[array.data.len()], &array.data).unwrap();
        }
    }
    params().write(&mut to, &errors()).unwrap();
    if let Some(key) = extra {
        to.scalar_f64(key, 1.0).unwrap();
    }
    to.finish().unwrap();
    file
}

#[test]
fn one_file_serves_both_flows() {
    let file = both("both", None);
    assert_eq!(FlowParams::from_npz(&file).unwrap(), FlowParams::tactical());
    let mut expected = params();
    expected.opening.shape = FlowParams::tactical().opening.shape;
    assert_eq!(HawkesParams::from_npz(&file).unwrap(), expected);
}

#[test]
fn what_is_misspelt_or_wrong_is_named() {
    let error = HawkesParams::from_npz(both("misspelt", Some("hawkes.bazeline"))).unwrap_err().to_string();
    assert!(error.contains("hawkes.bazeline"), "{error}");
    let error = FlowParams::from_npz(both("other", Some("skale"))).unwrap_err().to_string();
    assert!(error.contains("skale"), "{error}");
    let mut wrong = params();
    wrong.excitation[2][2] = 100.0;
    let file = path("explosive");
    let error = wrong.to_npz(&file, &StandardErrors::new(), &Provenance::new()).unwrap_err().to_string();
    assert!(error.contains("spectral radius"), "{error}");
    // A file of another flow has no such keys.
    let file = path("tactical");
    FlowParams::tactical().to_npz(&file, &Provenance::new()).unwrap();
    assert!(!HawkesParams::is_in_npz(&file).unwrap());
    let error = HawkesParams::from_npz(&file).unwrap_err().to_string();
    assert!(error.contains("hawkes.opening.book"), "{error}");
}
