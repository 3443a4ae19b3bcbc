from pathlib import Path

import pandas as pd
import pytest

from fas_core.data import folds, manifest, merging, modalities
from fas_core.data.manifest import Manifest
from fas_core.errors import BadInputError


def written(path: Path, rows: list[dict[str, object]]) -> Manifest:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False)
    return manifest.read(path)


def a_row(name: str, label: str, subject: str, **more: object) -> dict[str, object]:
    return {"path": f"{name}.png", "sample_id": name, "label": label, "subject_id": subject, **more}


def test_people_of_two_sources_stay_apart(tmp_path: Path) -> None:
    a = written(tmp_path / "x/a.csv", [
        a_row("1", "live", "01", session_id="01/1", video_id="v", glasses="1", pose_x=3.5, boxes="1.face"),
        a_row("2", "spoof", "02", session_id="02/1", video_id="w", pai_species="Print", glasses="2"),
    ])  # fmt: skip
    b = written(tmp_path / "b.csv", [a_row("1", "live", "01", session_id="01/1", glasses="yes", presentation_id="p")])
    out = tmp_path / "deep" / "m.csv"
    merged = merging.merged({"a": a, "b": b}, out)
    rows = merged.rows.set_index("sample_id")
    assert rows.index.tolist() == ["a/1", "a/2", "b/1"]
    assert rows["source"].tolist() == ["a", "a", "b"]
    assert rows["subject_id"].tolist() == ["a/01", "a/02", "b/01"]
    assert rows["session_id"].tolist() == ["a/01/1", "a/02/1", "b/01/1"]
    assert rows["video_id"].tolist() == ["a/v", "a/w", ""]
    assert rows["presentation_id"].tolist() == ["", "", "b/p"]
    assert rows["path"].tolist() == ["../x/1.png", "../x/2.png", "../1.png"]
    assert rows["boxes"].tolist() == ["../x/1.face", "", ""]
    assert rows["glasses"].tolist() == ["1", "2", "yes"]
    assert rows["pose_x"].tolist()[0] == 3.5
    assert rows["pose_x"].isna().tolist() == [False, True, True]
    said = " ".join(merged.notes)
    assert "subject_id: 1 ids are in several sources (e.g. 01). They count as different" in said
    assert "glasses" not in said
    assert "Nothing in b of the columns boxes, pai_species, pose_x, video_id." in merged.notes
    assert "Nothing in a of the column presentation_id." in merged.notes
    manifest.write(merged.rows, out)
    c = written(tmp_path / "c.csv", [a_row("9", "live", "01")])
    again = merging.merged({"m": manifest.read(out), "c": c}, tmp_path / "all.csv")  # what was merged keeps its sources
    assert again.rows["source"].tolist() == ["a", "a", "b", "c"]
    assert again.rows["subject_id"].tolist() == ["a/01", "a/02", "b/01", "c/01"]
    with pytest.raises(BadInputError, match=r"Both \S+m.csv and \S+b.csv hold rows of the source 'b'"):
        merging.merged({"m": manifest.read(out), "b": b}, tmp_path / "all.csv")


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (["a.csv"], "needs two manifests"),
        (["a.csv", "x/a.csv"], "Two sources are called 'a'"),
        (["a.csv", "a=b.csv"], "Two sources are called 'a'"),
        (["a.csv", "my data.csv"], r"'my data' is no name.*NAME=my data.csv"),
    ],
)
def test_sources_need_names_of_their_own(texts: list[str], why: str) -> None:
    with pytest.raises(BadInputError, match=why):
        merging.named(texts)
    assert merging.named(["a.csv", "b=x/a.csv"]) == {"a": [Path("a.csv")], "b": [Path("x/a.csv")]}


def test_modalities_of_one_set_stay_linked_where_they_are_given_one_name(tmp_path: Path) -> None:
    rgb, depth = (
        written(
            tmp_path / kind / "m.csv", [a_row(f"{kind}1", "live", "01", modality=kind, presentation_id="p", frame=3)]
        )
        for kind in ("rgb", "depth")
    )
    other = written(tmp_path / "c.csv", [a_row("1", "live", "01")])
    assert merging.named(["s=rgb/m.csv", "s=depth/m.csv"]) == {"s": [Path("rgb/m.csv"), Path("depth/m.csv")]}
    merged = merging.merged({"s": merging.of_one_set([rgb, depth]), "c": other}, tmp_path / "m.csv")
    assert merged.rows["path"].tolist() == ["rgb/rgb1.png", "depth/depth1.png", "1.png"]
    assert merged.rows["presentation_id"].tolist() == ["s/p", "s/p", ""]
    assert merged.rows["frame"].tolist()[:2] == [3, 3]
    companions = modalities.companions(merged.rows)
    assert companions[0] == companions[1] >= 0 > companions[2]
    apart = merging.merged({"a": rgb, "b": depth}, tmp_path / "m.csv")
    assert (modalities.companions(apart.rows) == -1).all()
    assert any("presentation_id: 1 ids" in note and "NAME=A.csv NAME=B.csv keeps them" in note for note in apart.notes)
    manifest.write(merged.rows, tmp_path / "m.csv")
    with pytest.raises(BadInputError, match=r"m.csv was merged before \(column source\)"):
        merging.of_one_set([manifest.read(tmp_path / "m.csv"), rgb])


def people(tmp_path: Path, **more: object) -> Manifest:
    """Ten people with two bona fide images and an attack of three species each."""
    rows = [
        a_row(f"{person}-{kind}-{i}", "live" if kind == "live" else "spoof", f"p{person}",
              pai_species="" if kind == "live" else kind, **more)
        for person in range(10) for kind in ("live", "paper", "mask", "video game") for i in range(2)
    ]  # fmt: skip
    return written(tmp_path / "m.csv", rows)


def test_leaving_a_species_out_keeps_it_and_people_out_of_training(tmp_path: Path) -> None:
    made_folds = folds.folds(people(tmp_path), folds.SPECIES_OUT, seed=1)
    assert [fold.left_out for fold in made_folds] == ["mask", "paper", "video game"]
    fold = made_folds[2]
    subsets = dict(list(fold.rows.groupby("subset")))
    assert set(subsets) == {"train", "dev", "unseen_video_game"}
    assert set(subsets["unseen_video_game"]["pai_species"]) == {"", "video game"}
    assert set(subsets["train"]["pai_species"]) == set(subsets["dev"]["pai_species"]) == {"", "mask", "paper"}
    by_subset = [set(of_subset["subject_id"]) for of_subset in subsets.values()]
    assert sorted(map(len, by_subset)) == [2, 3, 5]
    assert len(set.union(*by_subset)) == 10
    again = folds.folds(people(tmp_path), folds.SPECIES_OUT, seed=1)[2]
    pd.testing.assert_frame_equal(fold.rows, again.rows)
    other = folds.folds(people(tmp_path), folds.SPECIES_OUT, seed=2)[2]
    assert not fold.rows["subset"].equals(other.rows["subset"])


def test_parts_of_the_set_are_kept_and_nobodys_attacks_go_by_their_species(tmp_path: Path) -> None:
    data = written(tmp_path / "m.csv", [
        *(a_row(str(i), "live", "", subset=name) for i, name in ((1, "train"), (2, "val"), (3, "x"))),
        *(a_row(f"{kind}{i}", "spoof", "", pai_species=kind) for kind in ("paper", "mask") for i in range(2)),
    ])  # fmt: skip
    paper = folds.folds(data, folds.SPECIES_OUT)[1]
    assert paper.rows.groupby("subset")["sample_id"].agg(list).to_dict() == {
        "train": ["1", "mask0", "mask1"], "dev": ["2"], "unseen_paper": ["3", "paper0", "paper1"],
    }  # fmt: skip
    nobody = written(tmp_path / "n.csv", [a_row("1", "live", ""), *(
        a_row(kind, "spoof", "", pai_species=kind) for kind in ("paper", "mask"))])  # fmt: skip
    with pytest.raises(BadInputError, match="1 bona fide samples have neither a subset"):
        folds.folds(nobody, folds.SPECIES_OUT)


def test_leaving_a_source_out(tmp_path: Path) -> None:
    parts = {
        name: written(tmp_path / f"{name}.csv", [
            a_row(f"{subset}{i}", label, f"s{i}{subset}", subset=subset, pai_species="paper" * (label == "spoof"))
            for subset in ("train", "devel", "test") for i, label in enumerate(("live", "spoof"))
        ])
        for name in ("a", "b", "c")
    }  # fmt: skip
    rows = merging.merged(parts, tmp_path / "m.csv").rows
    manifest.write(rows, tmp_path / "m.csv")
    by_source = folds.folds(manifest.read(tmp_path / "m.csv"), folds.SOURCE_OUT)
    assert [fold.left_out for fold in by_source] == ["a", "b", "c"]
    counts = by_source[1].rows.groupby(["subset", "source"]).size().to_dict()
    assert counts == {
        ("train", "a"): 2, ("train", "c"): 2, ("dev", "a"): 2, ("dev", "c"): 2,
        ("seen_a", "a"): 2, ("seen_c", "c"): 2, ("unseen_b", "b"): 6,
    }  # fmt: skip
    with pytest.raises(BadInputError, match="no column source. Merge manifests"):
        folds.folds(people(tmp_path), folds.SOURCE_OUT)
    one_kind = written(tmp_path / "one.csv", [a_row("1", "live", "1"), a_row("2", "spoof", "2", pai_species="paper")])
    with pytest.raises(BadInputError, match="has 1 species of attacks: to leave one out it takes two"):
        folds.folds(one_kind, folds.SPECIES_OUT)
