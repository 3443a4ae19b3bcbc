"""Score lists of other toolkits: what their descriptions say is read as said, and comes back as it left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core.errors import BadInputError
from fas_core.runs import scorefile, scorelists
from fas_core.runs.scorefile import Part

BOB_FRAMES = """claimed_id,test_label,is_bonafide,attack_type,sample_n,score
1,client/real/001,True,,0,2.5
1,client/real/001,True,,1,1.5
1,client/attack/001,False,print,0,-0.25
1,client/attack/001,False,replay,0,-1e-3
1,client/attack/001,False,replay,1,nan
"""


def rows_of(path: Path, text: str, kind: str, **how: object) -> pd.DataFrame:
    path.write_text(text)
    turned = scorelists.orientation(kind, [str(how.pop("higher_is"))] if "higher_is" in how else [])
    negated = scorefile.negated(turned, ["score"])
    return scorefile.read_joined({"score": [Part(path)]}, None, None, negated, kind=kind, **how).rows


def test_frames_of_bob_are_told_apart_and_a_higher_score_is_an_attack(tmp_path: Path) -> None:
    rows = rows_of(tmp_path / "scores-dev.csv", BOB_FRAMES, "bob-csv")
    assert rows["sample_id"].tolist() == [
        "client/real/001#0", "client/real/001#1", "client/attack/001 (print)#0", "client/attack/001 (replay)#0",
        "client/attack/001 (replay)#1",
    ]  # fmt: skip
    assert rows["video_id"].tolist() == [
        *["client/real/001"] * 2, "client/attack/001 (print)", *["client/attack/001 (replay)"] * 2
    ]  # fmt: skip
    assert rows["label"].tolist() == ["bona_fide"] * 2 + ["attack"] * 3
    assert rows["pai_species"].tolist() == ["", "", "print", "replay", "replay"]
    assert rows["subject_id"].tolist() == ["1"] * 5
    assert rows["score"].tolist() == pytest.approx([-2.5, -1.5, 0.25, 0.001, np.nan], nan_ok=True)


def test_what_the_pipeline_adds_is_kept_and_its_videos_are_videos(tmp_path: Path) -> None:
    text = (
        "claimed_id,test_label,is_bonafide,attack_type,score,frame_id,video_key,device\n"
        "7,a/1,True,,3,00,a,phone\n7,a/1,True,,4,10,a,phone\n7,b/1,False,attack,1,00,b,tablet\n"
    )
    rows = rows_of(tmp_path / "s.csv", text, "bob-csv")
    assert rows["sample_id"].tolist() == ["a/1#00", "a/1#10", "b/1#00"]
    assert rows[["video_id", "device", "frame"]].to_numpy().tolist() == [
        ["a", "phone", "00"], ["a", "phone", "10"], ["b", "tablet", "00"]
    ]  # fmt: skip
    assert rows["pai_species"].tolist() == ["", "", ""]  # "attack" is bob's word for an attack of no kind


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("bob4", '1 1 real/1 2\n1 print/1 "at tack/1" -3\n\n2\tprint/1\tattack/2   -4\n'),
        ("bob5", '1 m1 1 real/1 2\n1 m1 print/1 "at tack/1" -3\n2 m2 print/1 attack/2 -4\n'),
    ],
)
def test_lists_of_columns(tmp_path: Path, kind: str, text: str) -> None:
    rows = rows_of(tmp_path / "scores", text, kind)
    assert rows["sample_id"].tolist() == ["real/1", "at tack/1", "attack/2"]
    assert rows["pai_species"].tolist() == ["", "print/1", "print/1"]
    assert rows["score"].tolist() == [-2, 3, 4]
    assert scorelists.sniffed(tmp_path / "scores") == kind


def test_frames_without_a_number_are_numbered_as_they_come_which_is_said(tmp_path: Path) -> None:
    (path := tmp_path / "l").write_text("1 1 v 5\n1 1 v 6\n1 print w 1\n")
    read = scorelists.read(path, "bob4")
    assert read.table["sample_id"].tolist() == ["v#0", "v#1", "w (print)#0"]
    assert "2 rows share label and attack type with others" in read.notes[0]


def test_lines_of_a_challenge(tmp_path: Path) -> None:
    path = tmp_path / "result.txt"
    rows = rows_of(path, "Val/a b/1.jpg 0.9 live\nVal/2.jpg\t0.2\tspoof\n", "lines", higher_is="bona_fide")
    assert rows[["sample_id", "label", "score"]].to_numpy().tolist() == [
        ["Val/a b/1.jpg", "bona_fide", -0.9], ["Val/2.jpg", "attack", -0.2]
    ]  # fmt: skip
    fields = ["sample_id", "depth", "label", "score"]
    rows = rows_of(
        path, "c/1.jpg,d/1.jpg,live,3\nc/2.jpg,d/2.jpg,spoof,4\n", "lines", fields=fields, higher_is="attack"
    )
    assert rows[["depth", "score"]].to_numpy().tolist() == [["d/1.jpg", 3], ["d/2.jpg", 4]]
    with pytest.raises(BadInputError, match="does not tell whether a higher score is more attack-like"):
        scorelists.orientation("lines", [])


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("bob4", "1 1 a 2\n1 2 b 3\n2 2 c 4\n", "row 2: person '2' is compared with '1': scores of verification"),
        ("bob4", "1 1 a 2\n1 b 3\n", "line 2, '1 b 3': 3 columns; bob4 has 4, claimed_id real_id test_label score"),
        ("bob5", "1 1 a 2\n", "line 1, '1 1 a 2': 4 columns; bob5 has 5"),
        ("bob4", "\n", "has no lines"),
        ("bob4", "1 1 a x\n1 p b 2\n", "score 'x' is not a number"),
        ("bob-csv", "claimed_id,test_label,score\n1,a,2\n", "is_bonafide, attack_type are missing"),
        ("bob-csv", BOB_FRAMES.replace("False,print", "no,print"), "row 3: is_bonafide is 'no'; bob.pad writes True"),
        (
            "bob-csv",
            BOB_FRAMES.replace("True,,1", "True,,0"),
            "row 2: label, attack type and frame, 'client/real",
        ),
        ("lines", "a 1\n", "line 1, 'a 1': 2 fields, not the 3 of --fields sample_id,score,label"),
        ("lines", "a live 1\nb spoof 2\n", "none of its scores is a number, e.g. 'live'"),
        ("csvv", "", "--format csvv: there are csv, bob-csv, bob4, bob5, lines, and sniff"),
    ],
)
def test_what_is_not_such_a_list_is_one_message(tmp_path: Path, kind: str, text: str, expected: str) -> None:
    with pytest.raises(BadInputError) as error:
        rows_of(tmp_path / "f", text, kind, higher_is="attack")
    assert expected in str(error.value)


def test_the_first_line_tells_the_format_or_nothing_is_taken_for_granted(tmp_path: Path) -> None:
    path = tmp_path / "f"
    for text, kind in (
        (BOB_FRAMES, "bob-csv"),
        ("sample_id;label;score\n", "csv"),
        ("a.jpg 0.5 1\n", "lines"),
        ("a.jpg,0.5,live\n", "lines"),
    ):
        path.write_text(text)
        assert scorelists.sniffed(path) == kind
    for text in ("a b\n", "", "1 2 3 4 5 6\n", "a b c d\n", "Val/a b.jpg 0.9 1\n"):
        path.write_text(text)
        with pytest.raises(BadInputError, match="tells no format"):
            scorelists.sniffed(path)
    other = tmp_path / "g"
    path.write_text(BOB_FRAMES)
    other.write_text("1 1 a 2\n")
    with pytest.raises(BadInputError, match="of different formats"):
        scorelists.sniffed_together([path, other])


RNG = np.random.default_rng(5)
SAMPLES = pd.DataFrame(
    {
        "sample_id": [f"p{i % 4}/clip {i}.mov" for i in range(12)],
        "label": ["bona_fide"] * 6 + ["attack"] * 6,
        "pai_species": [""] * 6 + ["print", "print", "mask/latex", "mask/latex", "", "replay"],
        "subset": ["dev", "test"] * 6,
        "subject_id": [f"p{i % 4}" if i % 5 else "" for i in range(12)],
        "video_id": [f"v{i // 2}" for i in range(12)],
        "device": ["é", "1.10"] * 6,
    }
)
SCORES = np.append(RNG.normal(size=11) * 1e-7, np.nan)


@pytest.mark.parametrize("kind", scorelists.WRITTEN)
def test_what_leaves_comes_back_the_same_to_the_last_bit(tmp_path: Path, kind: str) -> None:
    paths = scorelists.write(SAMPLES, SCORES, kind, tmp_path)
    parts = [Part(path, path.stem.removeprefix("scores-")) for path in paths]
    negated = scorefile.negated(scorelists.orientation(kind, []), ["score"])
    back = scorefile.read_joined({"score": parts}, None, None, negated, kind=kind).rows
    merged = SAMPLES.assign(score=SCORES).merge(back, on=["subset", "sample_id"], suffixes=("", "_back"))
    assert len(merged) == len(SAMPLES) == len(back)
    kept = ["label", "pai_species", "subject_id"] + ([] if kind in ("bob4", "bob5") else ["video_id", "device"])
    for name in kept:
        assert merged[f"{name}_back"].tolist() == merged[name].tolist(), name
    np.testing.assert_array_equal(merged["score_back"], merged["score"])
    assert sorted(scorelists.sniffed(path) for path in paths) == [kind] * 2


def test_a_list_that_would_mean_something_else_is_not_written(tmp_path: Path) -> None:
    rows = SAMPLES.assign(subject_id="print")
    with pytest.raises(BadInputError, match="'print' is a subject and a species"):
        scorelists.write(rows, SCORES, "bob4", tmp_path / "lists")
    assert not (tmp_path / "lists").exists()
