"""Probabilities of a higher price know nothing of later bars, say what they are worth, and are added to files whole."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lobgym
from lobgym.direction.command import main
from lobgym.direction.report import calibration, page
from lobgym.direction.scores import area_under_curve, compare, losses

duckdb = pytest.importorskip("duckdb", reason="needs duckdb: pip install 'lobgym[xgboost]'")
pytest.importorskip("xgboost", reason="needs XGBoost: pip install 'lobgym[xgboost]'")

from lobgym.direction import DirectionError, WalkForward, read_bars, walk_forward, write_bars  # noqa: E402

Bars = dict[str, Any]

#: Small enough to be quick.
QUICK: dict[str, Any] = dict(train=200, test=80, rounds=10)


def walk(rows: int, pull: float = 0.0, seed: int = 3) -> Bars:
    """Bars of a price that is pulled back to 100 by this share of its distance: a direction to be found, or none."""
    chance = np.random.default_rng(seed)
    price = [100.0]
    for step in chance.normal(0, 0.05, rows - 1):
        price.append(price[-1] + pull * (100 - price[-1]) + step)
    close = np.array(price)
    spread = np.abs(chance.normal(0.02, 0.01, rows))
    quotes = dict(bid=close - 0.01, ask=close + 0.01, bid_size=chance.uniform(1, 5, rows), ask_size=np.ones(rows))
    stamps = np.arange(rows) * 10**9
    return dict(start_ns=stamps, high=close + spread, low=close - spread, close=close, volume=np.ones(rows), **quotes)


def quickly(bars: Bars, **more: Any) -> WalkForward:
    return walk_forward(bars, **{**QUICK, **more})


@pytest.mark.parametrize("settings", [{}, {"expanding": False}, {"horizon": 7, "features": "microstructure"}], ids=str)
def test_the_future_does_not_change_the_past(settings: dict[str, Any]) -> None:
    bars = walk(700, pull=0.05)
    whole = quickly(bars, **settings)
    horizon = settings.get("horizon", 1)
    first = next(n for n, p in enumerate(whole.probabilities) if not math.isnan(p))
    assert first == whole.folds[0].test[0] and not np.isnan(whole.probabilities[first:]).any()
    for cut in (first + 1, first + 80, first + 81, first + 200, 699):
        other = {name: values.copy() for name, values in bars.items()}
        for name in ("high", "low", "close", "bid", "ask"):
            other[name][cut:] *= 1.5
        ended = {name: values[:cut] for name, values in bars.items()}
        for changed in (quickly(other, **settings), quickly(ended, **settings)):
            np.testing.assert_array_equal(changed.probabilities[:cut], whole.probabilities[:cut])
            # What is known of directions then, too.
            np.testing.assert_array_equal(changed.labels[: cut - horizon], whole.labels[: cut - horizon])
    # A change in the training changes what comes behind it.
    early = {name: values.copy() for name, values in bars.items()}
    early["close"][100:150] *= 0.9997
    assert (quickly(early, **settings).probabilities[first:] != whole.probabilities[first:]).any()


@pytest.mark.parametrize("horizon", [1, 5])
@pytest.mark.parametrize("expanding", [True, False])
def test_trainings_end_where_their_directions_are_known(horizon: int, expanding: bool) -> None:
    found = quickly(walk(700), horizon=horizon, expanding=expanding)
    begin = lobgym._core.FeatureSet("default").warm_up
    behind = begin + 200 + horizon
    for fold in found.folds:
        assert fold.test[0] == behind
        assert fold.train == (begin if expanding else behind - horizon - 200, behind - horizon)
        # The last one's direction was known before the block began.
        assert fold.train[1] - 1 + horizon <= fold.test[0] - 1
        behind = fold.test[1]
    assert behind == 700
    assert np.isnan(found.labels[-horizon:]).all() and not np.isnan(found.labels[:-horizon]).any()
    assert quickly(walk(700), horizon=horizon, gap=horizon + 9).folds[0].test[0] == begin + 200 + horizon + 9


def test_the_same_seed_gives_the_same_bits_and_another_others() -> None:
    bars = walk(600, pull=0.05)
    one, again, other = (quickly(bars, seed=seed) for seed in (5, 5, 6))
    assert one.probabilities.tobytes() == again.probabilities.tobytes()
    assert one.importances == again.importances and one.total == again.total
    assert one.probabilities.tobytes() != other.probabilities.tobytes()


def test_a_direction_that_is_there_is_found_and_none_is_not() -> None:
    there = walk_forward(walk(2_500, pull=0.2), train=1_000, test=500)
    assert there.total.verdict == "better" and there.total.gain > 0.005
    assert "better than the base rate" in there.summary()
    assert min(fold.auc for fold in there.folds) > 0.55
    nothing = walk_forward(walk(2_500), train=1_000, test=500)
    assert nothing.total.verdict != "better"
    assert re.search("no better than the base rate|worse than the base rate", nothing.summary())


def test_an_up_is_a_rise_by_more_than_the_threshold() -> None:
    bars = walk(400)
    bars["close"][300:310] = bars["close"][300]
    close = bars["close"]
    for threshold in (0.0, 4e-4):
        found = quickly(bars, horizon=2, threshold=threshold)
        ups = [close[n + 2] > close[n] * (1 + threshold) for n in range(398)]
        np.testing.assert_array_equal(found.labels[:398], ups)
        assert found.labels[300] == 0, "no change is not up"


def test_folds_are_measured_as_by_hand() -> None:
    found = quickly(walk(700, pull=0.1), horizon=3)
    assert len(found.folds) >= 4
    for fold in found.folds:
        rows = [n for n in range(*fold.test) if not math.isnan(found.labels[n])]
        ups = [found.labels[n] for n in range(*fold.train)]
        assert fold.base_rate == pytest.approx((sum(ups) + 0.5) / (len(ups) + 1))
        guessed = [(found.probabilities[n], found.labels[n]) for n in rows]
        assert fold.rows == len(rows)
        assert fold.log_loss == pytest.approx(-np.mean([math.log(p if up else 1 - p) for p, up in guessed]))
        base = fold.base_rate
        assert fold.base_log_loss == pytest.approx(-np.mean([math.log(base if up else 1 - base) for _, up in guessed]))
        assert fold.accuracy == pytest.approx(np.mean([(p > 0.5) == bool(up) for p, up in guessed]))
        pairs = [(p > q) + (p == q) / 2 for p, up in guessed if up for q, other in guessed if not other]
        assert fold.auc == pytest.approx(np.mean(pairs))
        assert sum(fold.importances.values()) == pytest.approx(1)
    assert found.total.rows == sum(fold.rows for fold in found.folds)
    assert found.total.log_loss == pytest.approx(
        np.average([f.log_loss for f in found.folds], weights=[f.rows for f in found.folds])
    )
    assert list(found.importances.values()) == sorted(found.importances.values(), reverse=True)
    for name, share in found.importances.items():
        assert share == pytest.approx(np.mean([fold.importances[name] for fold in found.folds]))
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["total"]["verdict"] == found.total.verdict


def test_a_comparison_has_the_error_of_a_mean() -> None:
    chance = np.random.default_rng(2)
    labels = (chance.random(4_000) < 0.5).astype(float)
    half, noise = np.full(4_000, 0.5), chance.uniform(0.3, 0.7, 4_000)
    found = compare(labels, noise, half, 1)
    differences = losses(labels, half) - losses(labels, noise)
    assert found.gain == pytest.approx(differences.mean())
    # Independent losses: the plain error of a mean, but for chance.
    assert found.gain_error == pytest.approx(differences.std() / math.sqrt(4_000), rel=0.15)
    assert found.verdict == "worse"
    # Each twice in a row is no more than each once: the error is that of half as many.
    twice = compare(np.repeat(labels, 20), np.repeat(noise, 20), np.repeat(half, 20), 60)
    assert twice.gain_error == pytest.approx(found.gain_error, rel=0.3)
    assert math.isnan(area_under_curve(np.ones(4), half[:4])) and area_under_curve(labels, half) == 0.5


def test_gaps_are_filled_from_the_past() -> None:
    bars = walk(500)
    whole = {name: np.array(values, dtype=float) for name, values in bars.items()}
    for n in (0, 1, 60, 61, 300, 499):
        for name in ("high", "low", "close", "volume"):
            bars[name] = np.array(bars[name], dtype=float)
            bars[name][n] = np.nan
            # Where nothing was traded, the price stands.
            whole[name][n] = 0.0 if name == "volume" else whole["close"][n - 1]
    later = {name: values[2:] for name, values in whole.items()}
    found = quickly(bars)
    np.testing.assert_array_equal(found.probabilities[2:], quickly(later).probabilities)
    assert np.isnan(found.labels[:2]).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"horizon": 0}, "horizon is 0; legal: an integer >= 1"),
        ({"train": 2.5}, "train is 2.5; legal: an integer >= 2"),
        ({"gap": 2, "horizon": 3}, "gap is 2; legal: an integer >= 3"),
        ({"threshold": -0.1}, "threshold is -0.1; legal: a number >= 0"),
        ({"threshold": math.nan}, "threshold is nan; legal"),
        (
            {"train": 400},
            r"the bars are 400; legal: more than 460 \(0 before prices are known, 59 in which features warm up",
        ),
        ({"features": "defalt"}, 'config is "defalt"; legal: one of default, microstructure'),
        ({"params": {"objective": "x"}}, "params has 'objective', which is fixed"),
        ({"params": {"max_depth": "deep"}}, "XGBoost refuses params .*deep"),
        ({"params": {"max_deptth": 3}}, "params has max_deptth; legal: parameters that XGBoost's booster gbtree uses"),
        ({"params": {"one": 1, "eta": 0.1, "two": 2}}, "params has one, two; legal: parameters"),
        ({"params": {"booster": "gblinear"}}, "params has .*max_depth.*; legal: parameters that .* gblinear uses"),
        ({"params": {"verbosity": 3}}, "params has 'verbosity', which is fixed"),
    ],
)
def test_settings_that_are_not_legal_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        quickly(walk(400), **settings)


def test_parameters_that_a_booster_uses_are_taken_by_any_of_their_names(recwarn: pytest.WarningsRecorder) -> None:
    one = quickly(walk(400), params={"learning_rate": 0.3, "reg_lambda": 2.0, "eta": 0.3})
    assert (one.probabilities[~np.isnan(one.probabilities)] != 0.5).any()
    assert not recwarn.list


def test_what_xgboost_refuses_afterwards_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    import xgboost

    def refuse(*_: Any, **__: Any) -> dict[str, float]:
        raise xgboost.core.XGBoostError("no gain of a linear booster")

    monkeypatch.setattr(xgboost.Booster, "get_score", refuse)
    with pytest.raises(DirectionError, match="no gain of a linear booster"):
        quickly(walk(400))


def test_stamps_a_nanosecond_apart_are_two(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text("start_ns,close\n1700000000000000001,1\n1700000000000000002,1\n")
    assert len(read_bars(path)["close"]) == 2


def test_bars_that_cannot_be_used_are_named() -> None:
    bars = walk(400)
    del bars["high"], bars["volume"]
    with pytest.raises(
        DirectionError, match=r"the bars have no column high, volume, which the features need; they have"
    ):
        quickly(bars)
    with pytest.raises(DirectionError, match=r"columns differ in length \(close: 399, "):
        quickly({**walk(400), "close": np.ones(399)})
    with pytest.raises(DirectionError, match="column close is not numbers"):
        quickly({**walk(400), "close": ["x"] * 400})
    with pytest.raises(DirectionError, match=r"the bars are 400; legal: more than 660 .*400 before prices are known"):
        quickly({**walk(400), "close": np.full(400, np.nan)})


def test_a_data_frame_is_bars() -> None:
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    bars = walk(400)
    frame = pandas.DataFrame(bars, index=range(1_000, 1_400))
    np.testing.assert_array_equal(quickly(frame).probabilities, quickly(bars).probabilities)


def test_one_direction_alone_is_no_error() -> None:
    bars = walk(400)
    rising = np.linspace(100, 200, 400)
    found = quickly({**bars, **{name: rising for name in ("high", "low", "close")}})
    assert (found.labels[:-1] == 1).all() and (found.probabilities[300:] > 0.9).all()
    assert math.isnan(found.folds[0].auc) and "AUC" in page(found, "x")


def write(path: Path, bars: Bars, **texts: str) -> Path:
    columns = {name: [repr(float(value)) for value in values] for name, values in bars.items()}
    columns["start_ns"] = [str(value) for value in bars["start_ns"]]
    columns |= {name: [text] * len(bars["close"]) for name, text in texts.items()}
    lines = [",".join(columns), *(",".join(row) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_files_get_a_column(tmp_path: Path) -> None:
    bars = walk(400)
    source = write(tmp_path / "bars.csv", bars, venue="binance", complete="true", when="2024-08-08T23:54:15.100Z")
    read = read_bars(source)
    assert "venue" not in read and "when" not in read
    for name, values in bars.items():
        np.testing.assert_array_equal(read[name], values)
    found = quickly(read).probabilities
    np.testing.assert_array_equal(found, quickly(bars).probabilities)
    target = tmp_path / "it's out.csv"
    write_bars(source, target, found)
    before, after = source.read_text().splitlines(), target.read_text().splitlines()
    assert after[0] == before[0] + ",up_probability"
    assert [line.rpartition(",")[0] for line in after] == before, "all other cells as they were"
    cells = [line.rpartition(",")[2] for line in after[1:]]
    assert [float(cell) if cell else math.nan for cell in cells] == pytest.approx(found, rel=1e-15, nan_ok=True)
    # Again and into the other format: the column is replaced.
    parquet = tmp_path / "out.parquet"
    write_bars(target, parquet, found / 2)
    np.testing.assert_array_equal(read_bars(parquet)["up_probability"], found / 2)
    write_bars(parquet, parquet, found)
    np.testing.assert_array_equal(read_bars(parquet)["up_probability"], found)
    np.testing.assert_array_equal(read_bars(parquet)["close"], bars["close"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bars.csv", "it's out.csv", "out.parquet"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("start_ns,close\n2,1\n1,1\n", r"not in order of time at row 2 \(column start_ns: 1 after 2\)"),
        ("start_ns,close\n1,1\n2,1\n2,1\n", r"not in order of time at row 3 .*legal: ascending, each once"),
        ("close,Time\n1,2\n1,1.5\n", r"not in order of time at row 2 \(column Time: 1.5 after 2\)"),
        ("date,close\n2024-01-02,1\n2024-01-01 23:00:00,1\n", "not in order of time at row 2"),
        ("symbol,close\nA,1\nB,1\n", r"has bars of several in the column symbol \(A, B\); legal: one"),
        ("start_ns,close\n1,1\n2,x\n", "has 'x' in the column close; legal: numbers"),
    ],
)
def test_files_that_cannot_be_used_are_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(content)
    with pytest.raises(DirectionError, match=message):
        read_bars(path)
    for name, reason in (("nothing.csv", "there is no file"), ("bars.txt", "legal: .csv, .parquet")):
        with pytest.raises(DirectionError, match=reason):
            read_bars(tmp_path / name)


def test_the_command_writes_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path / "bars.csv", walk(700, pull=0.1))
    out, report, figures = (tmp_path / name for name in ("out.parquet", "report.html", "figures.json"))
    arguments = ["--bars", str(source), "--out", str(out), "--train", "200", "--test", "80", "--rounds", "10"]
    arguments += [
        "--horizon",
        "3",
        "--rolling",
        "--param",
        "max_depth=2",
        "--json",
        str(figures),
        "--html",
        str(report),
    ]
    assert main(arguments) == 0
    output = capsys.readouterr().out
    true = quickly(read_bars(source), horizon=3, expanding=False, params={"max_depth": 2})
    np.testing.assert_array_equal(read_bars(out)["up_probability"], true.probabilities)
    assert true.summary() in output and f"{100 * true.importances['rsi_14']:5.1f}%" in output
    assert len(re.findall(r"^ +\d+ +\d+ to \d+ ", output, re.M)) == len(true.folds)
    written = json.loads(figures.read_text())
    assert written["settings"]["params"]["max_depth"] == 2 and written["settings"]["expanding"] is False
    assert written["importances"] == true.importances and len(written["folds"]) == len(true.folds)
    text = report.read_text()
    assert text.count("<svg") == 2 and "bollinger_20.lower" in text and "<h2>Calibration" in text
    assert not re.search(r"https?://|<script|src=", text), "needs no other file"
    groups = calibration(true)
    assert sum(rows for _, _, rows in groups) == true.total.rows and groups == sorted(groups)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--bars", "bars.csv", "--out", "out.txt"], 1, "out.txt has the ending '.txt'; legal: .csv, .parquet"),
        (["--bars", "bars.csv", "--out", "nowhere/out.csv"], 1, "cannot write nowhere/out.csv: there is no directory"),
        (["--bars", "nothing.csv", "--out", "out.csv"], 1, "there is no file nothing.csv"),
        (["--bars", "bars.csv", "--out", "out.csv"], 1, "the bars are 100; legal: more than 2060"),
        (["--bars", "bars.csv", "--out", "out.csv", "--param", "x"], 2, "'x'; legal: NAME=VALUE, as max_depth=4"),
        (["--bars", "bars.csv"], 2, "--out"),
    ],
)
def test_wrong_use_is_named(
    arguments: list[str], code: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "bars.csv", walk(100))
    try:
        returned = main(arguments)
    except SystemExit as ending:
        returned = int(str(ending.code))
    assert (returned, os.listdir()) == (code, ["bars.csv"])
    assert message in capsys.readouterr().err


def test_long_work_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from lobgym.direction import command

    clock = iter((0.0, 1.9, 2.1, 2.1, 2.5, 3.2, 3.2))
    monkeypatch.setattr(command.time, "monotonic", lambda: next(clock))
    progress = command._Progress()
    for done in (1, 2, 3, 4):
        progress(done, 9)
    progress.end()
    assert capsys.readouterr().err == "fold 2 of 9\nfold 4 of 9\n"


def test_without_xgboost_the_extra_is_named(tmp_path: Path) -> None:
    source = write(tmp_path / "bars.csv", walk(100))
    code = (
        "import sys; sys.modules['{}'] = None; from lobgym.direction.command import main; sys.exit(main(sys.argv[1:]))"
    )
    for lacking in ("xgboost", "duckdb"):
        done = subprocess.run(
            [sys.executable, "-c", code.format(lacking), "--bars", str(source), "--out", str(tmp_path / "out.csv")],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1 and "pip install 'lobgym[xgboost]'" in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
