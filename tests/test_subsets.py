from pathlib import Path

import pandas as pd
import pytest

from fas_core import subsets
from fas_core.errors import BadInputError
from fas_core.manifest import Manifest, normalised


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
    made = subsets.protocol(data(with_sessions=False))
    assert any("Sessions are unknown" in note for note in made.notes)
    held = made.rows[made.rows["held_out_by"] == "image"]
    assert len(held)
    assert set(held["subset"]) == {"seen_paper", "seen_mask"}
    assert (made.rows["subset"] == "train").sum() > len(held)


def test_one_session_is_never_split() -> None:
    made = subsets.protocol(data(sessions=1))
    assert any("one session only" in note for note in made.notes)
    seen = made.rows[made.rows["subset"].str.startswith("seen")]
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
