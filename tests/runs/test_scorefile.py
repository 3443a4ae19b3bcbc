from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core.data.manifest import LabelValues
from fas_core.errors import BadInputError
from fas_core.runs import scorefile
from fas_core.runs.scorefile import Part


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
        (
            "sample_id;label;score\na;live;1,5\nb;spoof;0.25\n",
            "row 1: score '1,5' is not a number: decimals have a comma "
            "in some rows (first in row 1, '1,5') and a point in others (first in row 2, '0.25'), so write a point",
        ),
        (
            "sample_id,label,score\na,live,1\nb,spoof,-\nc,spoof,-\n",
            "row 2: score '-' is not a number: where there is no value, leave the cell empty (1 more rows like it)",
        ),
        ("sample_id,label,score\na,1,1\n", "--attack-label 1"),
        (
            "sample_id,label,score\na,7,1\nb,2,1\nc,7,1\n",
            "Labels here: '7' (2 rows), '2' (1 row). Write bona_fide or "
            "attack (live, real, genuine, spoof, fake are understood), or: --attack-label 2 (the values that mean",
        ),
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


def test_columns_are_mapped(tmp_path: Path) -> None:
    lines = ("file,is_spoof,anomaly,score,label,kind", "a,0,0.1,7,anna,", "b,1,0.9,8,ben,print")
    names = scorefile.column_names(["sample_id=file", "label=is_spoof", "score=anomaly", "pai_species=kind"])
    path = written(tmp_path, "\n".join(lines) + "\n")
    rows = scorefile.read(path, LabelValues.of("1"), names).rows
    assert rows["sample_id"].tolist() == ["a", "b"]
    assert rows["label"].tolist() == ["bona_fide", "attack"]
    assert rows["score"].tolist() == [0.1, 0.9]
    assert rows["pai_species"].tolist() == ["", "print"]
    assert rows["label_in_file"].tolist() == ["anna", "ben"]  # what had our name by chance is kept
    assert rows["score_in_file"].tolist() == ["7", "8"]
    swapped = written(tmp_path, "sample_id,score,label\na,live,0.1\nb,spoof,0.9\n")
    turned = scorefile.read(swapped, None, scorefile.column_names(["score=label", "label=score"])).rows
    assert turned["score"].tolist() == [0.1, 0.9]
    twice = scorefile.column_names(["sample_id=sample_id", "video_id=sample_id", "score=label", "label=score"])
    assert scorefile.read(swapped, None, twice).rows["video_id"].tolist() == ["a", "b"]


GOOD = "sample_id,label,score\na,live,0.1\nb,spoof,0.9\n"


@pytest.mark.parametrize(
    ("text", "columns", "attack_label", "expected"),
    [
        (GOOD, ["score"], None, "--column score: write OUR_NAME=NAME_IN_THE_FILE"),
        (GOOD, ["score="], None, "--column score=: write"),
        (GOOD, ["score=anomaly"], None, "has no column 'anomaly'. It has sample_id, label, score"),
        (GOOD, ["device=camera"], None, "--column device=camera"),
        (GOOD, ["score=score", "score=label"], None, "'score' and 'label' are both to be 'score'"),
        (GOOD.replace("score", "anomaly"), [], None, "If it has another name there: --column score=NAME"),
        ("sample_id,label,score\na,0,1\nb,1,1\nc,2,1\n", [], "1", "there are the labels 0, 2. Only one value can"),
        ("sample_id,label,score\na,0,1\nb,1,1\nc,1.0,1\n", [], "1", "besides '1' (--attack-label) there are"),
        ("sample_id,label,score\na,0,1\nb,1,1\nc,,1\n", [], "1", "row 3: the label is empty"),
        (GOOD, [], "1", "scores.csv: No label is '1' (--attack-label). Labels here: live, spoof"),
        ("sample_id,label,score\na,live,1e999\n", [], None, "row 1: score '1e999' is too large"),
    ],
)  # fmt: skip
def test_mappings_that_do_not_fit_are_one_message(
    tmp_path: Path, text: str, columns: list[str], attack_label: str | None, expected: str
) -> None:
    with pytest.raises(BadInputError) as error:
        scorefile.read(written(tmp_path, text), LabelValues.of(attack_label), scorefile.column_names(columns))
    assert expected in str(error.value)


def test_scores_of_the_opposite_sign_are_negated_on_request_only(tmp_path: Path) -> None:
    lines = [f"l{i},live,{0.5 + i},\n" for i in range(9)] + [f"s{i},spoof,{0.4 - i},print\n" for i in range(9)]
    path = written(tmp_path, "sample_id,label,score,pai_species\n" + "".join(lines))
    as_is = scorefile.read_joined({"score": [Part(path)]})
    assert as_is.rows["score"].iloc[0] == 0.5
    (note,) = as_is.notes
    assert "the AUC is 0.000" in note
    assert "Nothing was turned round" in note
    assert "--higher-is bona_fide" in note
    turned = scorefile.read_joined({"score": [Part(path)]}, higher_is_bona_fide={"score"})
    assert turned.rows["score"].iloc[0] == -0.5
    assert turned.notes == (
        "score: every score is negated, so that higher is more attack-like; so are its thresholds.",
    )


def test_which_systems_are_negated() -> None:
    names = ["a", "b", "c"]
    assert scorefile.negated([], names) == set()
    assert scorefile.negated(["bona_fide"], names) == {"a", "b", "c"}
    assert scorefile.negated(["b=bona_fide"], names) == {"b"}
    assert scorefile.negated(["bona_fide", "b=attack"], names) == {"a", "c"}
    for wrong in ("live", "d=attack", "a=live"):
        with pytest.raises(BadInputError, match=f"--higher-is {wrong}: write bona_fide or attack"):
            scorefile.negated([wrong], names)


def test_scores_are_named_after_their_files(tmp_path: Path) -> None:
    odd = tmp_path / "x=1.csv"
    odd.write_text(GOOD)
    assert scorefile.systems(["dir/a.csv"]) == {"score": (Part(Path("dir/a.csv")),)}
    assert scorefile.systems([str(odd)]) == {"score": (Part(odd),)}
    assert scorefile.systems(["dir/a.csv", "b=c.csv"]) == {"a": (Part(Path("dir/a.csv")),), "b": (Part(Path("c.csv")),)}
    assert scorefile.systems(["@dev=a.csv", "@test=b.csv", "v@dev=c.csv"]) == {
        "score": (Part(Path("a.csv"), "dev"), Part(Path("b.csv"), "test")),
        "v": (Part(Path("c.csv"), "dev"),),
    }
    for wrong, said in (
        (["x/a.csv", "y/a.csv"], "x/a.csv and y/a.csv would both give the score 'a': write NAME=y/a.csv"),
        (["label=x.csv"], "'label' cannot name a score"),
        (["a.csv", "my scores.csv"], "'my scores' cannot name a score"),
        (["v@dev=a.csv", "v@dev=b.csv"], "a.csv and b.csv would both give the score 'v@dev': write NAME=b.csv"),
        (["v=a.csv", "v@dev=b.csv"], "a.csv and b.csv would both give the score 'v@dev'"),
        (["v@a/b=a.csv"], "'a/b' cannot name a subset"),
    ):
        with pytest.raises(BadInputError) as error:
            scorefile.systems(wrong)
        assert said in str(error.value)


def files_of(folder: Path, **texts: str) -> dict[str, list[Part]]:
    for name, text in texts.items():
        (folder / f"{name}.csv").write_text(text)
    return {name: [Part(folder / f"{name}.csv")] for name in texts}


def test_several_systems_are_joined_and_nothing_is_lost(tmp_path: Path) -> None:
    files = files_of(
        tmp_path,
        one="sample_id,label,score,split,pai_species,device\na,live,1,dev,,x\nb,spoof,2,test,print,\nc,live,3,test,,\n",
        two="sample_id,label,score,pai_species,device\nd,spoof,8,mask,w\nb,spoof,7,,z\na,live,6,,y\n",
    )
    together = scorefile.read_joined(files)
    rows = together.rows.set_index("sample_id")
    assert together.scores == ("one", "two")
    assert rows.index.tolist() == ["a", "b", "c", "d"]
    assert rows["one"].tolist() == pytest.approx([1, 2, 3, np.nan], nan_ok=True)
    assert rows["two"].tolist() == pytest.approx([6, 7, np.nan, 8], nan_ok=True)
    assert rows["label"].tolist() == ["bona_fide", "attack", "bona_fide", "attack"]
    assert rows["subset"].tolist() == ["dev", "test", "test", "all"]
    assert rows["pai_species"].tolist() == ["", "print", "", "mask"]
    assert rows["device"].tolist() == ["x", "z", "", "w"]  # stated by one file only, or as the first has it
    device, of_one, of_two = together.notes
    assert "sample 'a' has device 'x'" in device
    assert "(1 samples like it): kept as in" in device
    assert "one.csv: 1 of 4 samples are in other files only (e.g. 'd'): non-responses of one." in of_one
    assert "two.csv: 1 of 4 samples are in other files only (e.g. 'c'): non-responses of two." in of_two


def test_ids_that_repeat_over_subsets_are_joined_in_each(tmp_path: Path) -> None:
    files = files_of(
        tmp_path,
        one="sample_id,label,score,subset\na,live,1,dev\na,live,2,test\nb,spoof,3,dev\n",
        two="sample_id,label,score,subset\nb,spoof,6,dev\na,live,4,test\na,live,5,dev\n",
        no_subsets="sample_id,label,score\na,live,7\nb,spoof,8\n",
    )
    rows = scorefile.read_joined(files).rows
    assert rows[["sample_id", "subset", "one", "two", "no_subsets"]].to_numpy().tolist() == [
        ["a", "dev", 1, 5, 7],
        ["a", "test", 2, 4, 7],
        ["b", "dev", 3, 6, 8],
    ]


def test_each_file_may_use_names_and_labels_of_its_own(tmp_path: Path) -> None:
    files = files_of(tmp_path, one="file,is_spoof,p\na,0,1\nb,1,2\n", two="file,label,q\nb,spoof,3\na,live,4\n")
    texts = ["sample_id=file", "label=is_spoof", "label=label", "score=p", "score=q"]
    rows = scorefile.read_joined(files, LabelValues.of("1"), scorefile.column_names(texts)).rows
    assert rows[["sample_id", "label", "one", "two"]].to_numpy().tolist() == [
        ["a", "bona_fide", 1, 4],
        ["b", "attack", 2, 3],
    ]


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ("a,spoof,1,,,\n", "sample 'a' has label 'bona_fide' in {0}, row 1, but 'attack' in {1}, row 1"),
        ("a,live,1,,,\nb,spoof,1,mask,,\n", "'b' has pai_species 'print' in {0}, row 2, but 'mask' in {1}, row 2"),
        ("b,spoof,1,,dev,\n", "sample 'b' has subset 'test' in {0}, row 2, but 'dev' in {1}, row 1"),
        ("b,spoof,1,,,p1\n", "sample 'b' has subject_id 'p2' in {0}, row 2, but 'p1' in {1}, row 1"),
        ("x,live,1,,,\n", "{0} and {1} have no sample in common (ids are e.g. 'a' and 'x')"),
    ],
)  # fmt: skip
def test_files_that_contradict_each_other_are_refused(tmp_path: Path, second: str, expected: str) -> None:
    head = "sample_id,label,score,pai_species,subset,subject_id\n"
    files = files_of(tmp_path, one=head + "a,live,1,,test,p1\nb,spoof,2,print,test,p2\n", two=head + second)
    with pytest.raises(BadInputError) as error:
        scorefile.read_joined(files)
    assert expected.format(*(part.path for (part,) in files.values())) in str(error.value)


def test_a_system_may_have_a_file_per_subset(tmp_path: Path) -> None:
    parts = files_of(
        tmp_path,
        dev="sample_id,label,score,pai_species\na,live,1,\nb,spoof,2,Print\nc,spoof,2,Print\n",
        test="sample_id,label,score,pai_species,device\na,live,3,,x\nd,spoof,4,print,y\n",
        split="sample_id,label,score,split\na,live,3,eval\n",
    )
    dev, test, split = (part.path for (part,) in parts.values())
    rows = scorefile.read_joined({"v": [Part(dev, "dev"), Part(test, "test")]}).rows
    assert rows[["sample_id", "subset", "pai_species", "device", "v"]].to_numpy().tolist() == [
        ["a", "dev", "", "", 1], ["b", "dev", "Print", "", 2], ["c", "dev", "Print", "", 2],
        ["a", "test", "", "x", 3], ["d", "test", "Print", "y", 4],
    ]  # fmt: skip
    with pytest.raises(BadInputError, match="its column split says 'eval', not 'test'. Leave @test out"):
        scorefile.read_joined({"v": [Part(dev, "dev"), Part(split, "test")]})


def test_a_score_does_not_take_the_place_of_a_column(tmp_path: Path) -> None:
    files = files_of(tmp_path, one=GOOD, device=GOOD, three="sample_id,label,score,device\na,live,1,x\nb,spoof,2,y\n")
    with pytest.raises(BadInputError, match=r"three.csv has a column 'device' already: name the score, NAME="):
        scorefile.read_joined(files)


def test_what_looks_wrong_is_said(tmp_path: Path) -> None:
    lines = "a,live,1,\nb,spoof,2,\nc,spoof,3,print\n"
    rows = scorefile.read(written(tmp_path, "sample_id,label,score,pai_species\n" + lines)).rows
    (nameless,) = scorefile.oddities(rows)
    assert "1 of 2 attacks name no pai_species" in nameless
    (alone,) = scorefile.oddities(rows[rows["label"] == "bona_fide"])
    assert "only bona fide samples (1) and no attacks: APCER, ROC and EER are undefined" in alone
    assert scorefile.outside(rows["score"], 3) is None
    above, below = scorefile.outside(rows["score"], 3.1), scorefile.outside(rows["score"], 1)
    assert above == "The threshold 3.1 is above every score (1.0 to 3.0): nothing is called an attack."
    assert below == "The threshold 1 is not above every score (1.0 to 3.0): everything is called an attack."


def test_two_real_systems_are_joined(shared: Path) -> None:
    folder = shared / "data" / "pad_scores"
    files = {name: folder / f"{name}_grandtest.csv" for name in ("auxiliary", "quality_rbf")}
    together = scorefile.read_joined({name: [Part(path)] for name, path in files.items()})
    alone = {name: scorefile.read(path).rows for name, path in files.items()}
    key = ["subset", "sample_id"]
    for name, rows in alone.items():
        joined_rows = together.rows[together.rows[name].notna()].set_index(key)
        assert joined_rows[name].sort_index().tolist() == rows.set_index(key)["score"].sort_index().tolist()
    assert len(together.rows) == 17_119
    assert sorted(together.rows[["auxiliary", "quality_rbf"]].isna().sum().tolist()) == [1, 49]


def test_labels_that_are_species_and_numbers_with_commas(tmp_path: Path) -> None:
    path = written(tmp_path, "sample_id;label;score\na;0;-0,5\nb;1;1,25\nc;2;3\n")
    rows = scorefile.read(path, LabelValues.of(None, "0", "1=print,2=replay")).rows
    assert rows["score"].tolist() == [-0.5, 1.25, 3]
    assert rows["pai_species"].tolist() == ["", "print", "replay"]
    contradicting = written(tmp_path, "sample_id,label,score,pai_species\na,0,1,\nb,1,2,mask\n")
    with pytest.raises(BadInputError, match="row 2: pai_species 'mask' is not what --species-label says"):
        scorefile.read(contradicting, LabelValues.of(species="1=print"))


def test_what_was_made_of_a_file_is_said(tmp_path: Path) -> None:
    head = "sample_id,label,score,pai_species,subset,session_id,video_id\n"
    lines = "a,live,1,Print,dev,1,1\nb,spoof,2,Print,Dev,1,1\nc,spoof,3,print,dev,2,1\nd,live,4,real,,2,1\n"
    together = scorefile.read_joined({"score": [Part(written(tmp_path, head + lines))]})
    assert together.rows["pai_species"].tolist() == ["", "Print", "Print", ""]
    assert together.rows["subset"].tolist() == ["dev", "dev", "dev", "all"]
    said = " ".join(together.notes)
    for words in (
        "1 of 4 rows name no subset: they are in subset 'all'",
        "1 bona fide samples name a pai_species (e.g. 'Print', row 1)",
        "'Dev' (1 rows) differ from 'dev' (2)",
        "video_id: 1 of 1 ids lie in several sessions",
    ):
        assert words in said


def test_files_agree_where_their_texts_look_the_same(tmp_path: Path) -> None:
    files = files_of(
        tmp_path,
        one="sample_id,label,score,pai_species,_row,score_in_file\nNin\u0303o,spoof,1,Mask,r1,x\n",
        two="sample_id,label,score,pai_species,_row\nNi\u00f1o,spoof,2,mask\u200b,r1\n",
    )
    together = scorefile.read_joined(files)
    assert together.rows[["one", "two", "_row", "score_in_file"]].to_numpy().tolist() == [[1, 2, "r1", "x"]]
    assert together.rows["pai_species"].str.casefold().tolist() == ["mask"]
    names = scorefile.column_names(["score=score_in_file", "label=label"])
    path = written(tmp_path, "sample_id,label,score,score_in_file,score_in_file_in_file\na,live,x,1,y\n")
    rows = scorefile.read(path, None, names).rows
    assert rows.iloc[0].to_dict() == {
        "score": 1, "label": "bona_fide", "sample_id": "a", "score_in_file": "x", "score_in_file_in_file": "y",
        "pai_species": "", "subset": "all",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("case", "labels", "n_species"),
    [
        ("09-species-by-case/spcase.csv", None, 1),
        ("32-parquet-index-and-float-labels/floatlabel.parquet", "1", None),
        ("32-parquet-index-and-float-labels/floatlabel.parquet", "1.0", None),
        ("29-semicolons-decimal-commas-first-lines/semicolon.csv", None, None),
    ],
)
def test_case_scores(shared: Path, case: str, labels: str | None, n_species: int | None) -> None:
    rows = scorefile.read(shared / "cases" / case, LabelValues.of(labels)).rows
    assert set(rows["label"]) == {"bona_fide", "attack"}
    assert rows["score"].notna().all()
    if n_species:
        assert rows.loc[rows["label"] == "attack", "pai_species"].nunique() == n_species


def test_case_of_ids_in_two_forms(shared: Path) -> None:
    folder = shared / "cases" / "08-one-person-in-two-unicode-forms"
    together = scorefile.read_joined({"a": [Part(folder / "nfc.csv")], "b": [Part(folder / "nfd.csv")]})
    assert together.rows[["a", "b"]].notna().all(axis=None)


def test_a_column_that_may_name_people_is_pointed_at(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("sample_id,label,score,client_id\na,live,0.1,x\nb,spoof,0.9,y\n")
    assert any("--column subject_id=client_id" in note for note in scorefile.read(path).notes)
    named = scorefile.read(path, columns={"subject_id": ["client_id"]})
    assert named.rows["subject_id"].tolist() == ["x", "y"]
    assert not any("client_id" in note for note in named.notes)


def test_what_the_metrics_call_unspecified_is_not_stated(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(
        "sample_id,label,score,pai_species\na,live,0,\nb,spoof,1,Unspecified\nc,spoof,2,\nd,spoof,3,unspecified\n"
    )
    assert scorefile.read(tmp_path / "s.csv").rows["pai_species"].tolist() == [""] * 4


def test_exact_decimals_of_parquet_are_numbers(tmp_path: Path) -> None:
    table = pd.DataFrame({"sample_id": ["a", "b"], "label": ["live", "spoof"], "score": [Decimal("0.10"), None]})
    table.to_parquet(tmp_path / "s.parquet")
    assert scorefile.read(tmp_path / "s.parquet").rows["score"].tolist() == pytest.approx([0.1, np.nan], nan_ok=True)
    table.assign(score=[date(2024, 1, 2), date(2024, 1, 3)]).to_parquet(tmp_path / "s.parquet")
    with pytest.raises(BadInputError, match="row 1: score '2024-01-02' is not a number"):
        scorefile.read(tmp_path / "s.parquet")


def read_with(folder: Path, table: dict[str, list[object]]) -> scorefile.ScoreFile:
    n = len(next(iter(table.values())))
    rows = {"sample_id": range(n), "label": ["live", "spoof"] * (n // 2), "score": range(n)} | table
    pd.DataFrame(rows).to_csv(folder / "s.csv", index=False)
    return scorefile.read(folder / "s.csv")


def test_subsets_that_mean_something_are_known_in_any_case(tmp_path: Path) -> None:
    read = read_with(tmp_path, {"split": ["Train", "TRAIN", "Dev", "Gate_3"]})
    assert read.rows["subset"].tolist() == ["train", "train", "dev", "Gate_3"]
    assert any("is read as 'train'" in note for note in read.notes)
    assert any("'Dev' (1 rows) is read as 'dev'" in note for note in read.notes)


def test_a_column_that_names_subsets_is_not_passed_over_in_silence(tmp_path: Path) -> None:
    says = "column 'fold' seems to name subsets"
    assert any(says in note for note in read_with(tmp_path, {"fold": ["Training", "validation"] * 2}).notes)
    assert not any(says in note for note in read_with(tmp_path, {"fold": ["validation", "gate"] * 2}).notes)
    assert not any(says in note for note in read_with(tmp_path, {"fold": ["val", "test"], "subset": ["a", "b"]}).notes)


@pytest.mark.parametrize(
    ("ids", "alike"),
    [
        (["Eve", "eve", "b", "c"], "'Eve', 'eve'"),
        (["07", "+7", "7.0", "8"], "'+7', '07', '7.0'"),
        (["7", "77", "7a", "A7"], ""),
        (["7.5", "7", "07b", "x"], ""),
    ],
)
def test_people_whose_ids_hardly_differ_are_said(tmp_path: Path, ids: list[object], alike: str) -> None:
    read = read_with(tmp_path, {"subject_id": ids})
    assert read.rows["subject_id"].tolist() == ids  # and stay what they are
    noted = [note for note in scorefile.oddities(read.rows) if "differ only in case" in note]
    assert len(noted) == bool(alike)
    assert all(alike in note for note in noted)
