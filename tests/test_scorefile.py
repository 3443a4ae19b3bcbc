from pathlib import Path

import numpy as np
import pytest

from fas_core import scorefile
from fas_core.errors import BadInputError


def written(folder: Path, text: str) -> Path:
    path = folder / "scores.csv"
    path.write_text(text)
    return path


def test_reads_what_systems_write(tmp_path: Path) -> None:
    lines = ("a,live,0.1,,dev,x", "b,spoof,0.9,print,test,y", "c,fake,,print,test,y")
    text = "\n".join(("sample_id,label,score,pai_species,split,device", *lines)) + "\n"
    rows = scorefile.read(written(tmp_path, text)).rows
    assert rows["label"].tolist() == ["bona_fide", "attack", "attack"]
    assert rows["subset"].tolist() == ["dev", "test", "test"]
    assert np.isnan(rows["score"].iloc[2])
    assert rows["device"].tolist() == ["x", "y", "y"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sample_id,label\na,live\n", "column 'score' is missing"),
        ("label,score\nlive,1\n", "column 'sample_id' is missing"),
        ("sample_id,label,score\n", "has no rows"),
        ("sample_id,label,score\na,live,high\n", "row 1: score 'high' is not a number"),
        ("sample_id,label,score\na,live,1\na,live,2\n", "row 2: sample_id 'a' is used before"),
        ("sample_id,label,score\na,1,1\n", "--attack-label 1"),
        ("sample_id,label,score\na,maybe,1\n", "unknown label 'maybe'"),
        ("sample_id,label,score\na,live,nan\nb,spoof,\n", "every one of the 2 scores is empty or NaN"),
        ("sample_id,label,score,split\na,live,1,../up\n", "row 1: subset name '../up'"),
        ("sample_id,label,score,split\na,live,1,/tmp/x\n", "row 1: subset name '/tmp/x'"),
        ("sample_id,label,score\n,live,1\n", "row 1: the sample_id is empty"),
    ],
)
def test_bad_files_are_one_message(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(BadInputError) as error:
        scorefile.read(written(tmp_path, text))
    assert expected in str(error.value)


def test_infinite_scores_are_scores(tmp_path: Path) -> None:
    rows = scorefile.read(written(tmp_path, "sample_id,label,score\na,live,-inf\nb,spoof,inf\n")).rows
    assert rows["score"].tolist() == [-np.inf, np.inf]


def test_the_same_sample_in_two_subsets_is_kept(tmp_path: Path) -> None:
    text = "sample_id,label,score,subset\na,live,1,dev\na,live,1,test\n"
    assert len(scorefile.read(written(tmp_path, text)).rows) == 2


def test_real_scores(shared: Path) -> None:
    for name, n in (("auxiliary", 17_118), ("quality_rbf", 17_070)):
        file = scorefile.read(shared / "data" / "pad_scores" / f"{name}_grandtest.csv")
        assert len(file.rows) == n
        assert set(file.rows["subset"]) == {"dev", "test"}
        assert set(file.only("test").rows["pai_species"]) == {"", "print", "replay", "mask", "makeup", "partial"}
