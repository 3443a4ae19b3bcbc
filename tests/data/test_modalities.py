"""Companions of one instant in several modalities: one modality is chosen, and companions stay together."""

from pathlib import Path

import pandas as pd
import pytest

from fas_core.data import check, filters, manifest, modalities, subsets
from fas_core.errors import BadInputError


def rows_of(n_people: int = 6, frames: int = 4, kinds: tuple[str, ...] = ("Color", "IR")) -> pd.DataFrame:
    """Each person live and with one mask, without sessions; the last modality lacks every third instant."""
    rows = []
    for person in range(n_people):
        for label, species in (("bona_fide", ""), ("attack", "mask")):
            for frame in range(frames):
                for kind in kinds:
                    if kind == kinds[-1] and (person + frame) % 3 == 2:
                        continue
                    clip = f"{person:02d}_{species or 'live'}"
                    rows.append((f"{kind}/{clip}/{frame}.jpg", label, species, f"p{person}", clip, frame, kind))
    columns = ["path", "label", "pai_species", "subject_id", "presentation_id", "frame", "modality"]
    return pd.DataFrame(rows, columns=columns)


def read(folder: Path, rows: pd.DataFrame) -> manifest.Manifest:
    rows.to_csv(folder / "m.csv", index=False)
    return manifest.read(folder / "m.csv")


def test_one_modality_is_chosen_by_any_of_its_names_or_the_manifest_is_refused(tmp_path: Path) -> None:
    data = read(tmp_path, rows_of())
    with pytest.raises(BadInputError, match=r"holds several modalities \(nir, rgb\), .* Choose it: --modality rgb$"):
        modalities.the_one(data)
    for asked in ("ir", "NIR", "infrared"):
        assert set(modalities.of_one(data, asked).rows["modality"]) == {"IR"}
    of_one = modalities.of_one(data, "rgb")
    assert (len(of_one), modalities.the_one(of_one)) == (48, "rgb")
    with pytest.raises(BadInputError, match="nothing is of modality 'depth'. Modalities here: nir, rgb"):
        modalities.of_one(data, "depth")
    unnamed = rows_of(kinds=("rgb", ""))
    assert modalities.the_one(read(tmp_path, unnamed)) == ""  # a part of it says nothing
    assert modalities.the_one(read(tmp_path, rows_of().drop(columns="modality"))) == ""


def test_instants_that_lack_a_modality_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    rows = rows_of()
    says = ["16 of 48 instants lack nir, first '00_live', frame 2."]
    assert check.checked(read(tmp_path, rows).source).notes == says
    assert modalities.lacking(read(tmp_path, rows[rows["modality"] == "Color"]).rows) == []
    first, rest = rows.iloc[:1], rows.iloc[1:]
    infrared_first = pd.concat([rest, first.assign(presentation_id="")])  # its companion is alone, too
    assert modalities.lacking(read(tmp_path, infrared_first).rows) == [
        *says, "1 of 48 instants lacks rgb, first '00_live', frame 0.",
        "Without companions, as no presentation_id is named: 1 row.",
    ]  # fmt: skip
    assert modalities.lacking(read(tmp_path, rows.drop(columns="presentation_id")).rows) == []


def test_companions_are_in_one_subset_and_as_if_one_modality_were_all(tmp_path: Path) -> None:
    data = read(tmp_path, rows_of())
    protocol = subsets.protocol(data, seed=3)
    rows = protocol.rows
    assert rows["sample_id"].tolist() == data.rows["sample_id"].tolist()
    together = rows.groupby(["presentation_id", "frame"])[["subset", "held_out_by"]].nunique()
    assert (together == 1).all(axis=None)
    colour = subsets.protocol(modalities.of_one(data, "rgb"), seed=3).rows
    assert rows.loc[rows["modality"] == "Color", "subset"].tolist() == colour["subset"].tolist()
    assert "48 instants in several modalities (nir, rgb): the images of one are in one subset." in protocol.notes


def test_outliers_of_a_session_are_looked_for_in_each_modality(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of(1, 12, ("rgb", "depth")).assign(session_id="s", subset="train")
    data = read(tmp_path, rows[rows["label"] == "bona_fide"])
    bright = [0.02 * (i % 3) + (0.7 if kind == "rgb" else 0.1) for i, kind in enumerate(data.rows["modality"])]
    bright[data.rows["modality"].tolist().index("depth")] = 0.7  # as bright as the colour images
    monkeypatch.setattr(filters, "mean_pixels", lambda paths: pd.Series(bright).to_numpy()[: len(paths)])
    assert filters.filtered(data, 10, 1).left["sample_id"].tolist() == ["depth/00_live/0.jpg"]
