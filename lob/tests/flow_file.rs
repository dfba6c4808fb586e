//! Order-flow files: the reference's, our own, and broken ones.

#![allow(clippy::unwrap_used, reason = "helpers of tests: clippy exempts the tests themselves only")]

use std::fs;
use std::path::{Path, PathBuf};

use lob::Quantity;
use lob::data::NpzWriter;
use lob::flow::{
    FlowParams, Imbalance, OpeningBook, Profile, Provenance, Shape, SizeDistribution, StandardErrors,
    read_provenance, read_standard_errors,
};

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("lob-flow-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Sample data that lies beside the repository, where there is any.
fn sample(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(name);
    if !path.exists() {
        eprintln!("skipped: no ../shared/data/{name} beside the repository");
        return None;
    }
    Some(path)
}

#[test]
fn the_reference_files_seed_the_reference_book() {
    for name in ["noise_65.npz", "noise_flow_65.npz"] {
        let Some(path) = sample(name) else { return };
        let params = FlowParams::from_npz(&path).unwrap();
        assert_eq!(params.opening.shape.bidv.len(), 50);
        let expected = FlowParams::noise();
        let opening = lob::flow::Opening { shape: params.opening.shape.clone(), ..expected.opening.clone() };
        assert_eq!(params, FlowParams { opening, ..expected }, "everything else is the reference's");
        let volumes: Vec<u64> = params.opening.volumes().iter().map(|q| q.0).collect();
        let shape = [
            4, 11, 16, 19, 20, 20, 20, 19, 18, 18, 17, 16, 15, 14, 14, 13, 12, 12, 11, 11, 10, 9, 9, 8, 8, 7,
            7, 6, 6, 6,
        ];
        assert_eq!(volumes, shape);
        let tactical = FlowParams::from_npz_or(&path, FlowParams::tactical()).unwrap();
        assert_eq!((tactical.scale, tactical.imbalance), (0.85, Imbalance::tactical()));
    }
}

#[test]
fn our_own_shape_is_close_to_the_reference() {
    let Some(path) = sample("noise_65.npz") else { return };
    let theirs = FlowParams::from_npz(&path).unwrap().opening.mean_shape();
    let ours = FlowParams::noise().opening.mean_shape();
    for (i, (a, b)) in ours.iter().zip(&theirs).enumerate() {
        assert!((a - b).abs() < 0.1 * b + 0.1, "distance {}: {a} against {b}", i + 1);
    }
}

/// A market that uses every variant the presets do not.
fn unusual() -> FlowParams {
    let mut params = FlowParams::tactical();
    params.market_intensity.sell = 0.2;
    params.limit_intensity.buy.push(0.003);
    params.imbalance = Imbalance::Linear { decay: 0.5, gain: 1.0, market: true, limit: false, cancel: true };
    params.size.market = SizeDistribution::LogNormal { mu: 0.5, sigma: 1.1, min: 1, max: 99 };
    params.size.limit = SizeDistribution::Empirical { sizes: vec![1, 10], weights: vec![0.9, 0.1] };
    params.size.cancel = SizeDistribution::Constant { lots: 2 };
    params.cancellation = lob::flow::CancellationRule::RandomOrder;
    params.waiting_time = lob::flow::WaitingTime::AfterEffect;
    params.opening.book = OpeningBook::Live;
    params.profile = Profile::PiecewiseLinear {
        period_seconds: 150.0,
        normalised: true,
        times: vec![0.0, 75.0, 150.0],
        multipliers: vec![2.0, 0.5, 1.5],
    };
    params
}

#[test]
fn every_parameter_survives_the_file() {
    let scratch = Scratch::new("round-trip");
    let mut constant = unusual();
    constant.profile = Profile::PiecewiseConstant {
        period_seconds: 10.0,
        normalised: false,
        times: vec![0.0, 5.0],
        multipliers: vec![1.0, 0.1],
    };
    constant.cancellation = lob::flow::CancellationRule::OldestFirst;
    constant.opening.shape.askv_live = None;
    let provenance =
        Provenance::from([("tool".to_owned(), "a test".to_owned()), ("seed".to_owned(), "7".to_owned())]);
    for (i, params) in
        [FlowParams::noise(), FlowParams::tactical(), unusual(), constant].into_iter().enumerate()
    {
        let path = scratch.file(&format!("{i}.npz"));
        params.to_npz(&path, &provenance).unwrap();
        assert_eq!(FlowParams::from_npz(&path).unwrap(), params);
        let defaults = FlowParams { scale: 99.0, ..FlowParams::tactical() };
        assert_eq!(
            FlowParams::from_npz_or(&path, defaults).unwrap(),
            params,
            "a full file needs no defaults"
        );
        assert_eq!(read_provenance(&path).unwrap(), provenance);
        assert_eq!(Shape::from_npz(&path, 30).unwrap(), params.opening.shape);
    }
}

#[test]
fn a_shape_alone_is_a_legal_file() {
    let scratch = Scratch::new("shape");
    let path = scratch.file("shape.npz");
    let shape = Shape { bidv: vec![2.6; 30], askv: vec![2.4; 30], bidv_live: None, askv_live: None };
    shape.to_npz(&path, &Provenance::new()).unwrap();
    let params = FlowParams::from_npz(&path).unwrap();
    assert_eq!(params.opening.shape, shape);
    assert_eq!(params.opening.volumes(), [Quantity(2); 30], "2.5 rounds to even");
    assert_eq!(params.limit_intensity, FlowParams::noise().limit_intensity);
}

/// Writes `bidv`, `askv` and what `more` adds; the message that reading it gives.
fn message(name: &str, more: impl FnOnce(&mut NpzWriter)) -> String {
    let scratch = Scratch::new(name);
    let path = scratch.file("f.npz");
    let mut writer = NpzWriter::create(&path).unwrap();
    writer.array_f64("bidv", &[50], &[1.0; 50]).unwrap();
    more(&mut writer);
    writer.finish().unwrap();
    FlowParams::from_npz(&path).unwrap_err().to_string()
}

#[test]
fn broken_files_are_refused_with_the_key() {
    let text = message("missing", |_| ());
    assert!(
        text.contains("f.npz: key `askv`: missing; expected an array of float64")
            && text.contains("30 or more"),
        "{text}"
    );
    let text = message("short", |w| w.array_f64("askv", &[29], &[1.0; 29]).unwrap());
    assert!(text.contains("key `askv`: has shape (29,); expected"), "{text}");
    let text = message("matrix", |w| w.array_f64("askv", &[5, 10], &[1.0; 50]).unwrap());
    assert!(text.contains("key `askv`: has shape (5, 10)"), "{text}");
    let mut values = [1.0; 50];
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        values[7] = bad;
        let text = message("value", |w| w.array_f64("askv", &[50], &values).unwrap());
        assert!(text.contains("key `askv`: element 7") && text.contains("a finite number >= 0"), "{text}");
    }
    let text = message("text", |w| w.strings("askv", &["a"; 50]).unwrap());
    assert!(text.contains("key `askv`: has dtype '<U1'; expected"), "{text}");
    let text = message("unknown", |w| {
        w.array_f64("askv", &[50], &[1.0; 50]).unwrap();
        w.scalar_f64("scale", 2.0).unwrap();
    });
    assert!(
        text.contains("key `scale`: unknown; legal keys: bidv, askv") && text.contains("format_version"),
        "{text}"
    );
    let text = message("future", |w| w.scalar_i64("format_version", 2).unwrap());
    assert!(
        text.contains("key `format_version`") && text.contains("is 2; expected an integer from 1 to 1"),
        "{text}"
    );
    let text = message("partial", |w| w.scalar_i64("format_version", 1).unwrap());
    assert!(text.contains("key `opening.book`: missing; expected one unicode string"), "{text}");
}

#[test]
fn illegal_parameters_are_not_written() {
    let scratch = Scratch::new("illegal");
    let path = scratch.file("f.npz");
    let bad = FlowParams { scale: -1.0, ..FlowParams::noise() };
    let text = bad.to_npz(&path, &Provenance::new()).unwrap_err().to_string();
    assert!(text.ends_with("f.npz: scale is -1; legal: a finite number > 0"), "{text}");
    let odd = Provenance::from([("a/b".to_owned(), String::new())]);
    assert!(FlowParams::noise().to_npz(&path, &odd).is_err());
    assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn standard_errors_lie_beside_their_parameters() {
    let scratch = Scratch::new("errors");
    let path = scratch.file("flow.npz");
    let params = unusual();
    let mut errors = StandardErrors::new();
    errors.insert("market_intensity.buy".to_owned(), vec![0.01]);
    errors.insert("bidv".to_owned(), vec![0.5, f64::NAN]);
    params.to_npz_with_errors(&path, &Provenance::new(), &errors).unwrap();
    assert_eq!(FlowParams::from_npz(&path).unwrap(), params);
    let read = read_standard_errors(&path).unwrap();
    assert_eq!(read["market_intensity.buy"], [0.01]);
    assert!(read["bidv"][0] == 0.5 && read["bidv"][1].is_nan() && read.len() == 2, "{read:?}");
    // Of what the file does not have there is no error.
    errors.insert("market_intensity.by".to_owned(), vec![0.01]);
    params.to_npz_with_errors(&path, &Provenance::new(), &errors).unwrap();
    let message = FlowParams::from_npz(&path).unwrap_err().to_string();
    assert!(message.contains("se.market_intensity.by"), "{message}");
    params.to_npz(&path, &Provenance::new()).unwrap();
    assert!(read_standard_errors(&path).unwrap().is_empty());
}
