"""A person is in everything that a cache folder and manifests can hold, and afterwards in no byte of it."""

import io
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fas_core import derive, memo
from fas_core.access import keys
from fas_core.data import manifest, trail, twins
from fas_core.deciding import card, card_states, decisions
from fas_core.erasure import forgetting, plan
from fas_core.errors import BadInputError
from fas_core.evaluation import stressed
from fas_core.evaluation.comparison import PairedComparison, compared
from fas_core.evaluation.join import System
from fas_core.latent import projection
from fas_core.metrics import operating_point as op
from fas_core.runs import joining, marks, selections, signatures, store, tombstones, traininglog
from fas_core.runs.upkeep import verified
from tests.conftest import Result, message, tiny_samples, write_image_run

WHO = "zq7Xk2person"
THEIRS = 6  # images


def samples_with(who: str, prefix: str = "zq") -> pd.DataFrame:
    """`tiny_samples`, of which two of live, two of train and two attacks are a person's, who presents another one."""
    samples = tiny_samples().assign(presenter_id="")
    theirs = [1, 5, 9, 11, 16, 22]
    samples.loc[theirs, "subject_id"] = who
    samples.loc[theirs, "sample_id"] = [f"{prefix}Sample{i}" for i in theirs]
    samples.loc[theirs, "path"] = [f"images/{who}/{prefix}File{i}.png" for i in theirs]
    samples.loc[theirs, "video_id"] = f"{prefix}Video"
    return samples


class House:
    """A cache folder and a manifest that hold the person wherever they can be held."""

    def __init__(self, root: Path) -> None:
        self.root, self.cache = root, root / "cache"
        self.samples = samples_with(WHO)
        self.manifest = root / "data" / "people.csv"
        self._write_manifest()
        header = {"images": {"dev_sample_ids": ["train_0", "zqSample1"]}}
        self.a, self.b = (self._run(name, seed, header) for name, seed in (("a", 1), ("b", 2)))
        row = list(self.a.samples()["sample_id"]).index("zqSample9")
        self.pixels = [
            picture.tobytes()
            for run in (self.a, self.b)
            for name in ("inputs", "reconstructions")
            for picture in run.images(name, [row])
        ]
        self.code = self.a.latents()[row].tobytes()
        self._say_things()

    def _write_manifest(self) -> None:
        folder = self.manifest.parent
        (folder / "images" / WHO).mkdir(parents=True)
        for i, path in enumerate(self.samples["path"]):
            Image.fromarray(np.full((8, 8), i, np.uint8)).save(folder / path)
        manifest.write(self.samples, self.manifest)
        data = manifest.read(self.manifest)
        trail.write(trail.kept_step("filter", [data], data.rows, notes=[f"{WHO} twice"]), self.manifest, [])
        left = pd.DataFrame(
            {"sample_id": ["zqSample30", "x"], "reason": ["blurred", "nearly the same picture as zqSample9"]}
        )
        left["subject_id"] = [WHO, "s1"]
        left.to_csv(trail.left_file(self.manifest), index=False)

    def _run(self, name: str, seed: int, header: dict[str, object]) -> store.Run:
        samples = self.samples.assign(training_use=np.where(self.samples["subset"] == "train", "learned", "none"))
        run = write_image_run(self.cache, name, samples, seed=seed, header=header, shard_size=8)
        sha256 = manifest.read(self.manifest).sha256
        info = replace(run.info, manifest="people.csv", manifest_path=str(self.manifest), manifest_sha256=sha256)
        store.rewrite_info(run.folder, replace(info, checkpoint_path=str(self.root / "models" / f"{name}.safetensors")))
        return store.opened(run.folder)

    def _say_things(self) -> None:
        cache, a = self.cache, self.a
        joining.join(a, {"vendor": np.arange(len(a), dtype=float)}, {"vendor": "attack"}, "v.csv")
        self.a = a = store.opened(a.folder)
        marks.make(a, "zqSample9", by="Ada", is_marked=True, note="squints")
        marks.make(a, "live_0", by="Ada", is_marked=True, note="looks like zqSample9 does")
        selections.save(a, "both", ["zqSample9", "live_0"])
        selections.save(a, f"{WHO} alone", ["zqSample9"])
        selections.save(a, f"as {WHO}", ["live_0"])
        projection.pca_of(a)
        memo.arrays(
            cache, "measures", {"run": a.shards_digest}, lambda: {"theirs": np.frombuffer(self.pixels[0], "u1")}
        )
        self._decide()
        (cache / "jobs").mkdir()
        (cache / "jobs" / f"umap-{a.id}.log").write_text(f"cannot read images/zqFile9.png of {WHO}")
        out = self.root / "models" / "a.safetensors"
        traininglog.Log(out, ["rec"]).__exit__()
        traininglog.announced(cache, out, {"name": "x"}, 4)
        shown = a.images("inputs", [8, 9])
        ids = list(a.samples()["sample_id"][8:10])
        assert "zqSample9" in ids
        traininglog.write_samples(out, shown, {0: shown}, ids)

    def _decide(self) -> None:
        cache, a = self.cache, self.a
        worst = op.rule("threshold=1e9")  # rejects nobody, so that every attack is missed
        frozen = card.card(a, "rec", worst, [], ["seen_paper", "unseen_mask"], note=f"{WHO} fails")
        assert WHO in [who.subject_id for who in frozen.worst_subjects]
        self.card = card_states.keep(frozen, cache)
        card_states.approve(self.card, cache, by="Ada", why=f"although {WHO} fails", although_missed=True)
        a_by, b_by = System(a, "rec"), System(self.b, "rec")
        judged, in_use, evidence = decisions.by_comparison(_compared(a_by, b_by))
        about = replace(evidence, missed="", numbers=(*evidence.numbers, f"{WHO} is worse off"))
        for verdict in ("approved", "refused"):
            draft = decisions.draft(judged, in_use, about, verdict=verdict, by="Ada", reason=f"{verdict} for {WHO}")
            decisions.keep(draft, cache)

    def planned(self, *, with_images: bool = False) -> plan.Plan:
        return plan.planned(self.cache, WHO, with_images=with_images)

    def traces(self) -> list[str]:
        """Files below the root that hold a name, a picture or a code of theirs, whatever they are packed in."""
        wanted = [WHO.encode(), b"zqSample", b"zqFile", b"zqVideo", self.code, *self.pixels]
        return [
            f"{path.relative_to(self.root)}: {needle[:20]!r}"
            for path in sorted(self.root.rglob("*"))
            for needle in wanted
            if needle in path.name.encode() or (path.is_file() and any(needle in part for part in unpacked(path)))
        ]


def _compared(a: System, b: System) -> PairedComparison:
    return compared(a, b, op.Rule("bpcer", 0.2), chosen_on=["live"], resamples=50)


def unpacked(path: Path) -> Iterator[bytes]:
    """All bytes of a file, and of what is in it."""
    content = path.read_bytes()
    yield content
    if content.startswith(b"PAR1"):
        table = pq.read_table(pa.BufferReader(content))
        yield json.dumps([str(table.schema.metadata), table.to_pydict()], default=str).encode()
    if content.startswith(b"SQLite"):
        with sqlite3.connect(path) as base:
            yield from (bytes(row[0]) for row in base.execute("select value from Cache where value is not null"))
    if (begin := content.find(b"PK\x03\x04")) >= 0:
        with np.load(io.BytesIO(content[begin:])) as archive:
            for name in archive.files:
                yield archive[name].tobytes()
                yield "\n".join(map(str, archive[name].ravel()[:99])).encode()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_afterwards_they_are_in_no_byte(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(house.root / "home"))
    monkeypatch.setattr(twins, "LEAST", 2)
    manifest.read(house.manifest)
    before = house.traces()
    assert any(text.startswith("home/") for text in before)
    assert {text.split(":")[0].split("/")[1] for text in before if text.startswith("cache")} >= {
        "runs", "marks", "selections", "memo", "operating_points", "decisions", "jobs"
    }  # fmt: skip
    digest, n = house.a.digest, len(house.a)
    about = stressed.About(house.a.id, house.a.digest_of("rec"), "rec", "frame", ("seen_paper",), 9, 0, 9, 0, "")
    stressed.kept(house.cache, about).keep(np.zeros(9))
    done = forgetting.forget(house.planned(with_images=True), house.cache)
    assert house.traces() == []
    assert done.still_named == ()
    assert (done.runs, done.images) == ({house.a.id: THEIRS, house.b.id: THEIRS}, THEIRS)
    assert done.manifests == {str(house.manifest): THEIRS}
    assert done.learned == {
        str(house.root / "models" / f"{name}.safetensors"): "learned from 2 of them" for name in "ab"
    }

    assert not stressed.folder_of(house.cache, house.a.id).exists()

    run = store.open_run(house.cache, "a")
    assert (run.id, len(run), run.is_complete) == (house.a.id, n - THEIRS, True)
    assert run.digest != digest
    said = f"1 person, {THEIRS} images removed on {done.when}"
    checked = verified(run.folder)
    assert (checked.damage, checked.missing, checked.removed) == ([], [], said)
    assert run.joined["vendor"].of == run.shards_digest
    rest = [i for i, sample in enumerate(house.samples["sample_id"]) if not sample.startswith("zq")]
    np.testing.assert_array_equal(run.samples(["vendor"])["vendor"], rest)


def test_a_page_that_was_open_before_brings_no_id_back(house: House) -> None:
    """Runs as a page has opened them, one of which is empty and gone afterwards."""
    alone = house.samples[house.samples["subject_id"] == WHO].reset_index(drop=True)
    alone = write_image_run(house.cache, "alone", alone, seed=4)
    info = replace(alone.info, manifest="people.csv", manifest_path=str(house.manifest))
    store.rewrite_info(alone.folder, info)
    before = store.opened(house.a.folder)
    marks.make(before, "zqSample11", by="Ada", is_marked=False)  # what it knows of its samples was read by then
    forgetting.forget(house.planned(with_images=True), house.cache)
    for run in (before, store.opened(house.a.folder), alone):
        with pytest.raises(BadInputError, match="1 of the samples is not in Run a|Run alone is not there any more"):
            marks.make(run, "zqSample9", by="Ada", is_marked=True)
        with pytest.raises(BadInputError, match="1 of the samples is not in Run a|Run alone is not there any more"):
            selections.save(run, "again", ["zqSample9"])
    assert house.traces() == []
    marks.make(before, "live_0", by="Ada", is_marked=False)
    assert selections.save(before, "others", ["live_0"]).is_file()


def test_a_selection_that_is_saved_while_somebody_is_forgotten_is_taken_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def linked_late(*paths: Path) -> None:
        forgetting.forget(house.planned(with_images=True), house.cache)
        link(*paths)

    monkeypatch.setattr(os, "link", linked_late)
    with pytest.raises(BadInputError, match="1 of the samples is not in Run a"):
        selections.save(house.a, "again", ["zqSample9", "live_0"])
    assert house.traces() == []


def test_what_others_said_stays_and_its_seals_hold(house: House) -> None:
    forgetting.forget(house.planned(), house.cache)
    run = store.open_run(house.cache, "a")
    [mark] = marks.history(run)
    assert (mark.sample_id, mark.by, mark.note.split(" (")[0]) == ("live_0", "Ada", "looks like")
    assert selections.sample_ids(run, "both").tolist() == ["live_0"]
    [renamed] = [name for name in selections.names(run) if name != "both"]
    assert selections.sample_ids(run, renamed).tolist() == ["live_0"]
    [kept], problems = card_states.kept(house.cache)
    assert (kept.history.state, kept.history.events[0].by, problems) == ("approved", "Ada", [])
    assert kept.history.in_words.startswith("approved by Ada")
    assert "person removed" in kept.card.note
    listed, problems = decisions.kept(house.cache)
    assert ([entry.decision.verdict for entry in listed], problems) == (["refused", "approved"], [])
    assert listed[0].before == listed[1].decision
    way = trail.funnel(house.manifest, len(manifest.read(house.manifest)))
    assert (way.stages[-1].step.name, way.stages[-1].step.n_left, way.gap) == ("forget", THEIRS, None)
    kept_images = traininglog.read_samples(house.root / "models" / "a.safetensors")
    assert kept_images is not None
    assert len(kept_images.ids) == 1


def test_a_kill_at_any_moment_leaves_old_or_new_and_a_second_call_finishes(
    house: House, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at six changes of a file, from the first on."""
    as_it_was = tmp_path_factory.mktemp("as_it_was") / "root"
    shutil.copytree(house.root, as_it_was)
    planned = house.planned()  # of what is there again every time
    n_steps = _killed_after(house, 10**6, monkeypatch, planned)
    assert n_steps > 20
    for at in range(1, n_steps, n_steps // 6):
        shutil.rmtree(house.root)
        shutil.copytree(as_it_was, house.root)
        _killed_after(house, at, monkeypatch, planned)
        for run in store.all_runs(house.cache):
            assert [each for each in verified(run.folder).damage if "joined-" not in each.subset] == [], at
            assert run.is_complete
        going_on = plan.unfinished(house.cache)
        forgetting.forget(going_on or house.planned(), house.cache)
        assert [text for text in house.traces() if not text.startswith("data/images")] == [], at
        assert [verified(run.folder).damage for run in store.all_runs(house.cache)] == [[], []], at
        assert tombstones.words_of(house.cache, house.a.id).startswith(f"1 person, {THEIRS} images removed")
        assert card_states.kept(house.cache)[1] == decisions.kept(house.cache)[1] == [], at
        assert [entry.history.state for entry in card_states.kept(house.cache)[0]] == ["approved"], at


@pytest.mark.parametrize("at", [None, 40])
def test_what_a_known_key_has_signed_is_signed_by_who_forgets(
    tmp_path: Path, at: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.new("Ada")
    house = House(tmp_path)
    signatures.sign(house.a)
    card_states.sign(house.card)
    before = card.read(house.card).sha256
    if at is not None:
        assert _killed_after(house, at, monkeypatch) == at
        forgetting.forget(plan.unfinished(house.cache) or house.planned(), house.cache)
    else:
        forgetting.forget(house.planned(), house.cache)
    assert [signatures.standing(run).kind for run in store.all_runs(house.cache)] == [keys.OWN, keys.UNSIGNED]
    [kept], problems = card_states.kept(house.cache)
    said = [kept.card.standing, *(event.standing for event in kept.history.events)]
    judged = [entry.decision.standing for entry in decisions.kept(house.cache)[0]]
    assert ({each.kind for each in said + judged}, problems) == ({keys.OWN}, [])
    assert kept.card.sha256 != before
    keys.key_file().unlink()  # lines that are lost are found by what is noted of their end
    card_states.file_of(house.card).write_text("")
    assert "has lost lines" in card_states.kept(house.cache)[1][0]


class KilledError(BaseException):
    """As a kill: nothing catches it."""


def _killed_after(house: House, n: int, monkeypatch: pytest.MonkeyPatch, planned: plan.Plan | None = None) -> int:
    """Forgets as planned until the n-th change of a file; returns how many there were."""
    changes = 0

    def counted(change: Callable[..., object]) -> Callable[..., object]:
        def changed(*arguments: object, **named: object) -> object:
            nonlocal changes
            changes += 1
            if changes == n:
                raise KilledError
            return change(*arguments, **named)

        return changed

    planned = planned or house.planned()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", counted(Path.replace))
        patch.setattr(Path, "unlink", counted(Path.unlink))
        patch.setattr(store, "exchange", counted(store.exchange))
        with suppress(KilledError):
            forgetting.forget(planned, house.cache)
    return changes


def test_who_has_their_id_in_another_data_set_is_asked_for(tmp_path: Path) -> None:
    house = House(tmp_path)
    other = write_image_run(house.cache, "c", samples_with(WHO, "other"), seed=3)
    store.rewrite_info(other.folder, replace(other.info, manifest="orl.csv"))
    with pytest.raises(BadInputError, match=r"somebody in 2 data sets.*orl\.csv.*people\.csv.*--set"):
        house.planned()
    with pytest.raises(BadInputError, match="nobody of a data set 'x'"):
        plan.planned(house.cache, WHO, sets=["x"])
    with pytest.raises(BadInputError, match="Nobody is called 'who'"):
        plan.planned(house.cache, "who")
    done = forgetting.forget(plan.planned(house.cache, WHO, sets=["people.csv"]), house.cache)
    assert set(done.runs) == {house.a.id, house.b.id}
    assert WHO in store.open_run(house.cache, "c").samples()["subject_id"].tolist()
    assert any(str(other.folder) in path for path in done.still_named)


def test_what_cannot_be_read_is_not_passed_over(house: House) -> None:
    meta = house.a.shards[0].folder / "meta.json"
    meta.write_text(meta.read_text().replace("1", "2", 1))
    with pytest.raises(BadInputError, match="damaged shards, and nobody knows who is in them"):
        house.planned()


def test_the_command_lists_first_and_says_what_was_removed(
    house: House, fas: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = house.traces()
    listed = fas("forget", WHO, "--cache", house.cache, "--dry-run", "--images", "--json")
    assert json.loads(listed.out)["manifests"] == {str(house.manifest): THEIRS}
    assert f"File {house.manifest.parent / 'images' / WHO / 'zqFile9.png'}" in listed.err
    derived: list[str] = []
    monkeypatch.setattr(derive, "compute_quick", lambda run, **_: derived.append(run.info.name))
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert "Nothing was removed" in message(fas("forget", WHO, "--cache", house.cache))
    assert house.traces() == before
    done = fas("forget", WHO, "--cache", house.cache, "--images", "--yes")
    assert "learned from 2 of them: weights cannot forget" in done.err
    assert house.traces() == []
    assert sorted(derived) == ["a", "b"]
    assert f"1 person, {THEIRS} images removed on " in fas("verify", "--cache", house.cache).out
    assert "Nothing was interrupted" in message(fas("forget", "--cache", house.cache))


def test_checkpoints_of_before_are_told_by_the_data_that_they_learned_from(
    tmp_path: Path, fas: Callable[..., Result]
) -> None:
    samples = samples_with(WHO)
    of_it = write_image_run(tmp_path, "a", samples, header={"data_sha256": "1" * 64})
    other = write_image_run(tmp_path, "b", samples, seed=1, header={"data_sha256": "2" * 64})
    told = samples.assign(training_use="none")
    write_image_run(tmp_path, "c", told, seed=2)  # which learned from none of them
    rest = samples[samples["subset"] != "train"].reset_index(drop=True)
    silent = write_image_run(tmp_path, "d", rest, seed=3)
    planned = plan.planned(tmp_path, WHO)
    assert planned.learned == {of_it.info.checkpoint: "was trained on data that hold 2 of them for training"}
    assert planned.unknown == {other.info.checkpoint: 2, silent.info.checkpoint: 0}
    listed = fas("forget", WHO, "--cache", tmp_path, "--dry-run").err
    assert f"of {silent.info.checkpoint} it cannot be known whether it learned from them.\n" in listed
    assert f"of {other.info.checkpoint} it cannot be known whether it learned from them; its Run has 2 of" in listed


def test_an_encrypted_run_is_not_begun_without_its_key(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store.Run, "locked", "its key is not here")
    with pytest.raises(BadInputError, match="is encrypted, and its key is not here"):
        house.planned()
    assert plan.unfinished(house.cache) is None
