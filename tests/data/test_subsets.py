from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fas_core.data import manifest, names, subsets
from fas_core.data.manifest import Manifest, normalised
from fas_core.errors import BadInputError


def data(n_subjects: int = 20, sessions: int = 4, frames: int = 3, with_sessions: bool = True) -> Manifest:
    """Subjects 0-3 live only, the others attacked: with paper, masks, or both."""
    rows = []
    for number in range(n_subjects):
        subject = f"s{number:02d}"
        paper = number >= 4 and (number % 2 == 0 or number == 5)
        mask = number >= 4 and (number % 3 == 0 or number == 5 or not paper)
        for session in range(sessions):
            rows += [(subject, f"{subject}_{session}", "live", "")] * frames
        for kind in (name for name, has in (("paper", paper), ("mask", mask)) if has):
            rows += [(subject, f"{subject}_{kind}", "spoof", kind)] * 4
    table = pd.DataFrame(rows, columns=["subject_id", "session_id", "label", "pai_species"])
    table["path"] = [f"{i}.png" for i in range(len(table))]
    if not with_sessions:
        table["session_id"] = ""
    checked, problems = normalised(table)
    assert not problems
    return Manifest(checked, Path("m.csv"))


@pytest.mark.parametrize("seed", range(5))
def test_no_subject_session_or_image_leaks(seed: int) -> None:
    rows = subsets.protocol(data(), seed).rows
    assert set(rows["subset"]) == {"train", "live", "seen_paper", "unseen_paper", "seen_mask", "unseen_mask"}
    train = rows[rows["subset"] == "train"]
    assert set(train["label"]) == {"bona_fide"}
    unseen = rows[rows["subset"].str.startswith("unseen") | (rows["subset"] == "live")]
    assert not set(unseen["subject_id"]) & set(train["subject_id"])
    live_only = set(rows[rows["subset"] == "live"]["subject_id"])
    assert live_only == {"s00", "s01", "s02", "s03"}
    assert not live_only & set(rows[rows["subset"] != "live"]["subject_id"])
    tested = rows[rows["subset"] != "train"]
    assert not set(tested["session_id"]) & set(train["session_id"])
    for kind in ("paper", "mask"):
        seen = rows[rows["subset"] == f"seen_{kind}"]
        assert set(seen["label"]) == {"bona_fide", "attack"}
        assert set(seen[seen["label"] == "attack"]["pai_species"]) == {kind}
        assert set(seen["subject_id"]) <= set(train["subject_id"])
        assert set(rows[rows["subset"] == f"unseen_{kind}"]["label"]) == {"bona_fide", "attack"}


def test_the_seed_decides() -> None:
    first, again, other = (subsets.protocol(data(), seed).rows["subset"].tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_unknown_sessions_hold_out_images_and_say_so() -> None:
    protocol = subsets.protocol(data(with_sessions=False))
    assert any("Sessions are unknown" in note for note in protocol.notes)
    held = protocol.rows[protocol.rows["held_out_by"] == "image"]
    assert len(held)
    assert set(held["subset"]) == {"seen_paper", "seen_mask"}
    assert (protocol.rows["subset"] == "train").sum() > len(held)


@pytest.mark.parametrize(("n_known", "how"), [(2, "session"), (1, "image")])
def test_known_sessions_are_whole_where_others_are_unknown(n_known: int, how: str) -> None:
    source = data()
    known = source.rows["session_id"].str[-1].isin([str(session) for session in range(n_known)])
    is_live = source.rows["label"] == "bona_fide"
    protocol = subsets.protocol(
        Manifest(source.rows.assign(session_id=source.rows["session_id"].where(known, "")), Path())
    )
    rows, held = protocol.rows, protocol.rows["held_out_by"] != ""
    assert set(rows.loc[held, "held_out_by"]) == {how}
    assert (rows.loc[held, "session_id"] != "").all() == (how == "session")
    assert (rows.loc[is_live & known & (rows["subset"] == "train")].groupby("session_id").size() == 3).all()
    n_open = int((rows["subset"].eq("train") & (rows["session_id"] == "")).sum())
    assert any(f"{n_open} training images have no session_id" in note for note in protocol.notes) == (how == "session")


def test_one_session_is_never_split() -> None:
    protocol = subsets.protocol(data(sessions=1))
    assert any("one session only" in note for note in protocol.notes)
    seen = protocol.rows[protocol.rows["subset"].str.startswith("seen")]
    assert set(seen["label"]) == {"attack"}


def test_people_without_live_images_are_unseen() -> None:
    source = data()
    mannequin = source.rows.iloc[[-1]].assign(
        subject_id="doll", sample_id="doll", path="doll.png", label="attack", pai_species="mask"
    )
    rows = subsets.protocol(Manifest(pd.concat([source.rows, mannequin], ignore_index=True), source.source)).rows
    assert rows.set_index("sample_id").loc["doll", "subset"] == "unseen_mask"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"subject_id": ""}, "no subject_id"),
        ({"label": "bona_fide", "pai_species": ""}, "holds no attacks"),
        ({"label": "attack", "pai_species": "mask"}, "holds no bona fide"),
        ({"pai_species": ""}, "no pai_species"),
    ],
)
def test_what_the_protocol_needs(change: dict[str, str], expected: str) -> None:
    source = data()
    with pytest.raises(BadInputError, match=expected):
        subsets.protocol(Manifest(source.rows.assign(**change), source.source))


SESSION_NAMES = ("named", "numbered within the subject", "partly unknown", "unknown")


def random_data(rng: np.random.Generator, session_names: str) -> Manifest:
    """1-9 subjects, each with 0-4 live sessions of 1-4 frames and attacks of 0-3 species, in random row order.

    Some attacks are recorded in a live session, as where a session is a day; some subjects have attacks only.
    """
    rows = []
    species = list(rng.permutation(["paper", "mask", "replay"])[: rng.integers(1, 4)])
    for subject in (f"s{number}" for number in range(rng.integers(1, 10))):
        n_sessions = int(rng.integers(0, 5))
        for session in range(n_sessions):
            rows += [(subject, session, frame, "bona_fide", "") for frame in range(rng.integers(1, 5))]
        for kind in species:
            if rng.random() < 0.5:
                session = int(rng.integers(n_sessions)) if n_sessions and rng.random() < 0.3 else 9
                rows += [(subject, session, frame, "attack", kind) for frame in range(rng.integers(1, 4))]
    # One person with live images and attacks, so that the protocol is defined.
    rows += [("sure", session, 0, "bona_fide", "") for session in range(3)] + [("sure", 9, 0, "attack", species[0])]
    table = pd.DataFrame(rows, columns=["subject_id", "session_id", "frame", "label", "pai_species"])
    table["session_id"] = table["session_id"].astype(str)
    table["frame"] = table["frame"].astype(float) if rng.random() < 0.5 else np.nan
    if session_names != "numbered within the subject":
        table["session_id"] = table["subject_id"] + "_" + table["session_id"]
    if session_names == "unknown":
        table["session_id"] = ""
    if session_names == "partly unknown":
        table.loc[rng.random(len(table)) < rng.choice([0.1, 0.5, 0.9]), "session_id"] = ""
    table["sample_id"] = [f"i{number}" for number in range(len(table))]
    table["path"] = table["sample_id"] + ".png"
    return Manifest(table.iloc[rng.permutation(len(table))].reset_index(drop=True), Path("m.csv"))


@pytest.mark.parametrize("session_names", SESSION_NAMES)
def test_nothing_leaks_in_any_data_set(session_names: str) -> None:
    n_held = 0
    for number in range(20):
        source = random_data(np.random.default_rng([SESSION_NAMES.index(session_names), number]), session_names)
        rows = subsets.protocol(source, seed=number).rows
        where = f"{session_names}, manifest {number}"

        # Every row is in exactly one subset, and the rows are those that came in.
        assert rows[["sample_id", "path"]].equals(source.rows[["sample_id", "path"]]), where
        assert rows["sample_id"].is_unique, where
        assert rows["path"].is_unique, where
        attack = rows["label"] == "attack"
        of_species = {f"{side}_{kind}" for side in ("seen", "unseen") for kind in set(rows.loc[attack, "pai_species"])}
        assert set(rows["subset"]) <= {"train", "live"} | of_species, where
        assert (rows.loc[attack, "subset"].str.split("_").str[1] == rows.loc[attack, "pai_species"]).all(), where

        # Subjects: those of live and of the unseen sets are nowhere else; those of the seen sets are in training.
        is_train, is_seen = rows["subset"] == "train", rows["subset"].str.startswith("seen_")
        parts = {"live": rows["subset"] == "live", "seen": is_train | is_seen}
        parts["unseen"] = ~(parts["live"] | parts["seen"])
        subjects = {name: set(rows.loc[part, "subject_id"]) for name, part in parts.items()}
        assert sum(map(len, subjects.values())) == rows["subject_id"].nunique(), where
        assert set(rows.loc[is_seen, "subject_id"]) <= set(rows.loc[is_train, "subject_id"]), where
        assert not (is_train & attack).any(), where
        assert not attack[parts["live"]].any(), where

        # Sessions: no live session of a subject is on both sides, and the column says what was held out.
        sessions = rows["subject_id"] + "|" + rows["session_id"]
        is_named = rows["session_id"] != ""
        held = is_seen & ~attack
        n_held += held.sum()
        assert not set(sessions[is_train & is_named]) & set(sessions[held & is_named]), where
        assert ((rows["held_out_by"] != "") == held).all(), where
        assert set(rows.loc[held & is_named, "held_out_by"]) <= {"session"}, where
        assert set(rows.loc[held & ~is_named, "held_out_by"]) <= {"image"}, where
    assert n_held > 20  # or nothing was tested


def test_any_name_of_a_species_makes_a_subset_that_can_be_read_back(tmp_path: Path) -> None:
    rows = [
        {"path": f"{subject}_{label}.png", "label": label, "pai_species": species, "subject_id": subject}
        for subject in "abcdef"
        for label, species in (("live", ""), ("spoof", "silicone mask (3D)/v2"))
    ]
    checked, problems = manifest.normalised(pd.DataFrame(rows))
    assert not problems
    protocol = subsets.protocol(Manifest(checked, tmp_path / "m.csv"))
    read = manifest.read(manifest.write(protocol.rows, tmp_path / "m.csv"))
    assert {name for name in read.subset_names() if name.startswith("unseen")} == {"unseen_silicone_mask_3D_v2"}


def test_the_subset_that_models_learn_from_is_told_from_the_others() -> None:
    assert names.outside_training(["live", "train", "unseen_mask"]) == ["live", "unseen_mask"]
    rows = pd.DataFrame({"subset": ["live", "train", "trained", "train"]})
    assert names.is_training(rows).tolist() == [False, True, False, True]
    assert names.is_training(rows.astype("category")).tolist() == [False, True, False, True]


def test_species_that_would_share_a_subset_are_refused() -> None:
    whole = data()
    rows = whole.rows.replace({"pai_species": {"paper": "rot 1", "mask": "rot/1"}})
    with pytest.raises(BadInputError, match="'rot 1' and 'rot/1' would both give the subset seen_rot_1"):
        subsets.protocol(Manifest(rows, whole.source))


@pytest.mark.parametrize("name", ["nfsub2"])
def test_case_of_one_person_in_two_forms(shared: Path, name: str) -> None:
    source = manifest.read(shared / "cases" / "08-one-person-in-two-unicode-forms" / f"{name}.csv")
    rows = subsets.protocol(source).rows
    assert rows["subject_id"].nunique() == 4
    trained = set(rows.loc[rows["subset"] == "train", "subject_id"])
    assert not trained & set(rows.loc[rows["subset"].str.startswith("unseen"), "subject_id"])


def test_a_threshold_is_chosen_on_a_development_set_or_else_on_live_people_or_else_on_training() -> None:
    assert names.dev_subsets(["train", "live", "dev"]) == ["dev"]
    assert names.dev_subsets(["train", "live", "seen_paper"]) == ["live"]
    assert names.dev_subsets(["train", "seen_paper"]) == ["train"]
    assert names.dev_subsets(["test"]) == []
    assert names.dev_subsets(["train", "val", "test"]) == ["val"]
    assert names.dev_subsets(["train", "live", "devel"]) == ["devel"]


def test_fresh_subsets_are_those_that_neither_training_nor_the_choice_has_seen() -> None:
    assert names.fresh_subsets(["train", "live", "seen_mask", "unseen_mask"], ["live"]) == ["seen_mask", "unseen_mask"]
    assert names.fresh_subsets(["train", "live"], ["live"]) == []


def test_subsets_that_a_manifest_brings_are_not_replaced_in_silence() -> None:
    whole = data()
    own = Manifest(
        whole.rows.assign(subset=["train", "test"] * (len(whole) // 2) + ["train"] * (len(whole) % 2)), whole.source
    )
    assert "has subsets of its own (test)" in subsets.protocol(own).notes[0]
    again = Manifest(subsets.protocol(whole).rows, whole.source)
    assert not any("of its own" in note for note in subsets.protocol(again).notes)
