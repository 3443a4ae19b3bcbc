"""What a data set will take, from what was measured on a few of its images."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from fas_core import bench
from fas_core.bench import plan, probing
from fas_core.bench.history import Entry
from fas_core.bench.plan import (
    AGAIN,
    CACHE,
    CHECK,
    DERIVING,
    FITS,
    HASH,
    PASS,
    PCA,
    READ,
    SCAN,
    SCATTER,
    UMAP,
    Item,
    Law,
)
from fas_core.cli import main
from fas_core.cli.planning import _amount
from fas_core.errors import BadInputError
from fas_core.training import experiments, train

FULL, SMALL = experiments.preset("dcvae_baseline"), experiments.preset("small_dcvae")
N = 1_000_000
LAWS = [
    Law(CHECK, "time", 1e-3, "probe: files decoded by one thread", by_cores=True),
    Law(READ, "time", 1e-4, "probe: rows"),
    Law("the manifest", "memory", 1e3, "probe: its table"),
    Law(HASH, "time", 2e-4, "probe: files", by_cores=True),
    Law(AGAIN, "time", None, "not measured: fas bench data"),
    Law("train", "time", 0.0, "probe: steps", fixed=7200.0, by_cores=True),
    Law(CACHE, "time", 0.1, "probe: images", by_cores=True),
    Law("inputs", "disk", 16_384.0, "a shard", fixed=128.0),
    Law(plan.FEATURES, "disk", 4096.0, "computed"),
    Law(UMAP, "time", None, "not measured: fas bench projection"),
    Law(FITS, "time", None, "not measured: fas bench derive"),
    Law(PASS, "time", 1e-4, "probe: codes"),
    Law(SCATTER, "page", None, "not measured: fas bench scatter"),
]


def entry(machine: str, name: str, **figures: float) -> Entry:
    return Entry("2026-11-30T10:00:00+00:00", "1.0", machine, name, figures)


@pytest.fixture(autouse=True)
def _this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "machine", lambda: "m")
    monkeypatch.setattr(plan, "_memory", lambda: 0.5e9)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


def amounts(of: plan.Plan) -> dict[str, float | None]:
    return {item.what: item.amount for item in of.items}


def test_what_grows_is_multiplied_and_what_is_not_measured_is_named() -> None:
    planned = plan.planned(N, FULL, LAWS, price=2.0)
    assert amounts(planned) == {
        CHECK: 1000,
        READ: 100,
        HASH: 200,
        AGAIN: None,
        "train": 7200,
        CACHE: 100_000,
        UMAP: None,
        FITS: None,
        PASS: 100,
        "in all": 108_600,
        "cost": pytest.approx(2 * 108_600 / 3600),
        SCATTER: None,
        "inputs": 16_384 * N + 128,
        plan.FEATURES: 4096 * N,
        "on disk, in all": 16_384 * N + 128,
        "the manifest": 1e9,
    }
    sources = {item.what: item.source for item in planned.items}
    assert sources["in all"] == f"the sum, without {AGAIN}; {UMAP}; {FITS}"
    assert sources["on disk, in all"] == f"the sum, without {plan.FEATURES}"
    assert all(sources.values())
    assert [item.what for item in planned.too_large] == ["the manifest"]
    whole = [law for law in LAWS if law.each is not None]
    assert next(item for item in plan.planned(N, FULL, whole).items if item.kind == "total").source == "the sum"


def test_what_the_history_has_of_this_machine_goes_before_probes() -> None:
    entries = [
        entry("m", "cache", full_rate=10.0),
        entry("m", "cache", full_rate=20.0),
        entry("other", "cache", full_rate=500.0),
        entry("m", "cache (quick)", full_rate=900.0),
        entry("m", "data", hash_first_seconds=9.0, hash_again_seconds=3.0, read_first_seconds=2.0),
        entry("m", "derive", fit_seconds=50.0, pass_seconds_per_100000=4.0, peak_mb=300.0, bytes_a_code=200.0),
        entry("m", "projection", ours_seconds=25.0),
        entry("m", "scatter", first_draw_300000_seconds=0.5, first_draw_5000000_seconds=3.0, lasso_300000_seconds=9.0),
    ]
    planned = plan.planned(N, FULL, LAWS, entries)
    items = {item.what: item for item in planned.items}
    assert items[CACHE].amount == N / 20
    assert items[CACHE].source == "fas bench cache, 2026-11-30 10:00 1.0: 20.0 images/s"
    assert (items[HASH].amount, items[AGAIN].amount, items[READ].amount) == (9.0, 3.0, 2.0)
    assert (items[CHECK].amount, items[CHECK].source) == (1000, "probe: files decoded by one thread")
    assert (items[UMAP].amount, items[FITS].amount, items[PASS].amount) == (20 * 25.0, 16 * 50.0, 40.0)
    assert amounts(plan.planned(20_000, FULL, LAWS, entries))[FITS] == pytest.approx(16 * 50.0 / 10)
    assert (items[SCATTER].amount, items[SCATTER].source[-16:]) == (0.5, ": 300,000 points")
    assert {item.what: item for item in plan.planned(5_900_000, FULL, LAWS, entries).items}[SCATTER].amount == 3.0
    assert amounts(plan.planned(N, SMALL, LAWS, entries))[CACHE] == 100_000  # that rate is of the full model


def test_another_machine_is_that_of_the_history_or_this_one_with_other_numbers() -> None:
    entries = [entry("Large EPYC, 64 cores, 512 GB, Linux", "cache", full_rate=500.0), entry("m", "x")]
    there = plan.planned(N, FULL, LAWS, entries, on="epyc")
    assert (there.machine, there.memory) == (entries[0].machine, 512e9)
    of = amounts(there)
    assert (of[CACHE], of["inputs"]) == (2000, 16_384 * N + 128)
    assert of[READ] is of["train"] is of["the manifest"] is None  # what was measured here says nothing of there
    for part, count in (("xc", 0), ("", 2)):
        with pytest.raises(BadInputError, match=rf"'{part}' is {count} of .*Large EPYC.*; m"):
            plan._named(entries, part)

    planned = plan.planned(N, FULL, LAWS, on="cores=8,memory=64")
    assert amounts(planned) | {"in all": 0, "the manifest": 0} == {
        **amounts(plan.planned(N, FULL, LAWS)),
        **{CHECK: 250, HASH: 50, "train": 1800, CACHE: 25_000, "in all": 0, "the manifest": 0},
    }
    assert planned.too_large == []
    assert "2 cores here, 8 there" in {item.what: item.source for item in planned.items}[HASH]

    def on_gpus(text: str) -> Any:
        return next(item for item in plan.planned(N, FULL, LAWS, on=text).items if item.what == CACHE)

    fed = on_gpus("cores=64,gpus=8,gpu-images-per-second=2000")
    assert (fed.amount, fed.source) == (N / 16_000, "given: 8 GPUs of 2,000 images/s")
    whole = plan.planned(N, FULL, LAWS, on="cores=64,gpus=8,gpu-images-per-second=2000", price=2.0)
    of = amounts(whole)  # nobody trains on processors beside GPUs
    assert of["train"] is None
    assert of["in all"] == pytest.approx(sum(of[what] or 0 for what in (CHECK, READ, HASH, CACHE, PASS)))
    assert of["cost"] == pytest.approx(2 * of["in all"] / 3600)  # type: ignore[operator]
    for item in whole.items:
        assert item.kind not in ("total", "cost") or f"the sum, without {AGAIN}; train; {UMAP}" in item.source
        assert item.what != "train" or item.source.startswith("not measured: on GPUs")
    starved = on_gpus("gpus=8,gpu-images-per-second=2000")
    assert starved.amount == pytest.approx(N / 1000)
    assert "decoding gives no more than 1,000/s" in starved.source


@pytest.mark.parametrize(
    "text",
    ["cores=0", "cores=1.5", "cores=x", "gpus=8", "gpu-images-per-second=9", "speed=1", "cores=2,m", "cores=inf"],
)
def test_a_machine_is_told_by_known_numbers(text: str) -> None:
    with pytest.raises(BadInputError, match=r"--machine: .* Write: cores=64,"):
        plan.require_machine(text, [])


def test_more_images_are_probed_until_the_time_is_up() -> None:
    given: list[int] = []

    def seconds_of(n: int) -> float:
        given.append(n)
        return 1.0 + 0.01 * n  # the start does not count

    assert probing._grown(seconds_of, 10, 10**9, box=12.0) == pytest.approx((0.01, 640))
    assert given == [10, 10, 40, 40, 160, 160, 640]
    assert probing._grown(seconds_of, 10, 10**9, box=2.0) == pytest.approx((0.01, 160))  # until it tells
    assert probing._grown(seconds_of, 10, 50, box=1e9) == (None, 40)


def test_what_is_done_once_is_never_multiplied() -> None:
    assert probing._grown(lambda n: 1.0, 10, 10**9, box=0.0) == (None, 40)
    busy = probing._grown(lambda n: 1.0, 1_000, 10**6, box=4.0)  # a second whatever there is to do
    law = busy.law(READ, "rows")
    assert (law.amount(5_900_000), law.source) == (
        None,
        f"not measured: {busy.n:,} take hardly longer here than a quarter of them",
    )
    turns = iter([9.0, 1.0, 4.0, 9.0, 4.0])  # the first time, and others at work

    def disturbed(n: int) -> float:
        return next(turns)

    assert probing._grown(disturbed, 10, 40, box=40.0) == pytest.approx((3 / 30, 40))


def test_a_step_of_few_images_is_no_share_of_a_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "_rows", lambda *_: None)

    def planned(seconds: Any) -> Law:
        monkeypatch.setattr(train, "pace", lambda tried, _: SimpleNamespace(seconds_per_step=seconds(tried.batch_size)))
        (law,) = probing._of_training(tmp_path, FULL, box=0.1)
        return law

    law = planned(lambda n: 3.0 + 0.01 * n)  # three seconds of each step are for the weights
    assert law.amount(N) == pytest.approx(FULL.steps * (3.0 + 0.01 * FULL.batch_size))
    assert planned(lambda n: 3.0).each is None


def test_probes_are_short_and_count_what_a_run_holds(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(probing, "own_process", lambda: ThreadPoolExecutor(1))
    monkeypatch.setattr(train, "PACE_STEPS", 1)
    monkeypatch.setattr(probing, "FIRST_ROWS", 1_000)
    laws = {law.what: law for law in probing.probed(SMALL.with_settings(["width=0.05", "latent_dim=64"]), box=0.0)}
    assert all((law.each or law.fixed) > 0 for law in laws.values() if not law.source.startswith("not measured:"))
    unmeasured = {what for what, law in laws.items() if law.each is None and "hardly longer" not in law.source}
    assert unmeasured == {SCAN, AGAIN, FITS, UMAP, SCATTER}
    told = capfd.readouterr().err
    for what in (CHECK, READ, HASH, "train", "fas cache", "derive"):
        assert f"Measuring: {what}" in told
    assert "Precision" not in told
    assert "12 kB each" in laws[HASH].source + laws[CHECK].source
    assert {CHECK, READ, HASH, CACHE, PASS, PCA} < set(laws)
    for array, size in (("inputs", 128**2), ("reconstructions", 128**2), ("latents", 4 * 64)):
        assert laws[array].amount(1024) == 1024 * size + 128
    assert 20 < laws["table"].each < 300  # type: ignore[operator]
    assert laws["features (--patches)"].each == 8 * 8 * 32 * 2
    assert laws[DERIVING].amount(10**6) == laws[DERIVING].amount(10**9) == 200_000 * 4 * 64  # flat beyond the sample


def test_the_command_says_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "probed", lambda _: LAWS)
    file = tmp_path / "bench.jsonl"
    file.write_text(json.dumps(vars(entry("m", "cache", full_rate=20.0))) + "\n")
    asked = ["plan", "--images", "1e6", "--history", str(file), "--price-per-hour", "3"]
    monkeypatch.setattr(os, "getloadavg", lambda: (3.2, 0.0, 0.0))
    ran = CliRunner().invoke(main.app, asked)
    assert "others are at work on this machine (load 3 on 2 cores)" in ran.stderr
    assert "the manifest: 1.0 GB, more memory than the machine has" in ran.stderr
    table = " ".join(ran.stdout.split())
    assert "1,000,000 images, 977 shards (m)" in table
    for line in (
        f"{CACHE} │ time │ about 14 h │",
        "train │ time │ about 2 h",
        f"{UMAP} │ time │ – │",
        "in all, of what is measured │ total │",
        "cost, of what is measured │ cost │",
        "inputs │ disk │ 16.4 GB",
    ):
        assert line in table
    monkeypatch.setattr(os, "getloadavg", lambda: (0.2, 0.0, 0.0))
    assert f"{CACHE} │ time │ 13.9 h │" in " ".join(CliRunner().invoke(main.app, asked).stdout.split())
    large = Item("x", "disk total", 123_456e9, "")
    texts = [_amount(replace(large, amount=amount)) for amount in (123_456e9, 1_994e9, 206.4e9, 12.34e9, 0.04e9, 0.0)]
    assert texts == ["123,000 GB", "1,990 GB", "206 GB", "12.3 GB", "0.0 GB", "0.0 GB"]
    assert _amount(Item("cost", "cost", 1234.5678, "")) == "1,230"
    assert _amount(Item("cost", "cost", 2.345, "")) == "2.35"
    document = json.loads(CliRunner().invoke(main.app, [*asked, "--json"]).stdout)
    assert {item["what"]: item["amount"] for item in document["items"]}[CACHE] == 50_000
    for option, value in (
        *(("--images", value) for value in ("0", "1.5", "nan", "1e12")),
        ("--price-per-hour", "-1"),
        ("--machine", "elsewhere"),
        ("--history", "none.jsonl"),
    ):
        monkeypatch.setattr(probing, "probed", pytest.fail)  # before anything is measured
        refused = CliRunner().invoke(main.app, [*asked, option, value])
        assert isinstance(refused.exception, BadInputError), option
        assert option in str(refused.exception)


def test_plans_are_no_measurement() -> None:
    assert not {"plan", "probing", "history"} & set(bench.names())
