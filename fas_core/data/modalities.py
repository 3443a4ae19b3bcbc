"""Which light a picture was taken in, and which pictures show the same instant: colour, near infrared, depth, thermal.

A manifest says it in the free columns `modality` and `presentation_id`: companions share `presentation_id` and, where
there are several of a presentation, `frame`. Their files differ, and so do their sample ids. Gray or colour is no
modality but what a model is given: both are made of `rgb`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core.data.manifest import Manifest
from fas_core.errors import BadInputError
from fas_core.texts import counted, plain, plain_column

MODALITY, PRESENTATION = "modality", "presentation_id"
KEPT = (MODALITY, PRESENTATION, "frame")  # columns that companions are told by

_SPELLINGS = {
    **dict.fromkeys(("rgb", "color", "colour", "vis", "visible"), "rgb"),
    **dict.fromkeys(("nir", "ir", "infrared", "near_infrared"), "nir"),
    **dict.fromkeys(("depth", "d"), "depth"),
    **dict.fromkeys(("thermal", "lwir"), "thermal"),
}


def spelled(text: str) -> str:
    """One spelling of a modality: IR and infrared are nir, Color is rgb; what is none of these, in small letters."""
    folded = plain(text).casefold()
    return _SPELLINGS.get(folded.replace("-", "_").replace(" ", "_"), folded)


def modalities(rows: pd.DataFrame) -> list[str]:
    """Those that rows name, in one spelling each, by name."""
    if MODALITY not in rows:
        return []
    texts = plain_column(rows[MODALITY].dropna()).unique()
    return sorted({spelled(text) for text in texts} - {""})


def chosen(there: Sequence[str], asked: str, where: object) -> str:
    """The modality that is meant by a text. Raises BadInputError where it is none of those that are there."""
    if (modality := spelled(asked)) not in there:
        raise BadInputError(
            f"{where}: nothing is of modality '{asked}'. Modalities here: {', '.join(there) or 'none'}."
        )
    return modality


def of_one(data: Manifest, asked: str = "") -> Manifest:
    """The rows of one modality; all of them where nothing is asked for. Raises BadInputError as `chosen`."""
    if not asked:
        return data
    modality = chosen(modalities(data.rows), asked, data.source)
    is_of_it = pd.Series([spelled(text) == modality for text in plain_column(data.rows[MODALITY])], data.rows.index)
    return Manifest(data.rows[is_of_it].reset_index(drop=True), data.source, data.notes)


def the_one(data: Manifest) -> str:
    """The modality that every row is of, "" where some row names none. Raises BadInputError where there are several."""
    there = modalities(data.rows)
    if len(there) > 1:
        raise BadInputError(
            f"{data.source} holds several modalities ({', '.join(there)}), and a model or Run is of one. Choose it: "
            f"--modality {there[-1]}"
        )
    return of_all(data.rows)


def of_all(rows: pd.DataFrame) -> str:
    """The modality that every row is of, "" where there are several or some row names none."""
    there = modalities(rows)
    return there[0] if len(there) == 1 and (plain_column(rows[MODALITY]) != "").all() else ""


def spelled_column(rows: pd.DataFrame) -> pd.Series:
    """(n,) the modality of each row in its one spelling, "" where none is named."""
    if MODALITY not in rows:
        return pd.Series("", rows.index, dtype="str")
    texts = plain_column(rows[MODALITY].fillna(""))
    return texts.map({text: spelled(text) for text in texts.unique()})


def companions(rows: pd.DataFrame) -> NDArray[np.int64]:
    """(n,) a number that companions share, -1 for a row that has none.

    Rows of one instant are companions where each is of another modality: of two of one, which is meant is unknown.
    """
    if PRESENTATION not in rows or len(modalities(rows)) < 2:
        return np.full(len(rows), -1)
    of = pd.DataFrame({"scene": scenes(rows), "modality": spelled_column(rows)}, rows.index)
    is_one = (of["modality"] != "") & ~of.duplicated(keep=False)
    by_scene = of.assign(is_one=is_one).groupby("scene")
    is_companion = by_scene["is_one"].transform("all") & (by_scene["scene"].transform("size") > 1)
    return np.where(is_companion, by_scene.ngroup(), -1)


def instants(tables: Sequence[pd.DataFrame]) -> list[pd.Series]:
    """(n,) for each table a text that companions share: `presentation_id`, and `frame` where all tables have it.

    Where the presentation is not named, or several rows of a subset show one instant, so that none of them is more
    another table's than the rest, the text is the row's own. Needs `presentation_id` and `subset`.
    """
    has_frames = all("frame" in table and table["frame"].notna().any() for table in tables)
    keys = []
    for number, table in enumerate(tables):
        names = plain_column(table[PRESENTATION])
        texts = names + "#" + _numerals(table["frame"]) if has_frames else names
        is_own = (names == "") | pd.DataFrame({"of": texts, "in": table["subset"]}).duplicated(keep=False)
        own = pd.Series([f"\n{number}\n{row}" for row in range(len(table))], table.index, dtype="str")
        keys.append(texts.where(~is_own, own))
    return keys


def _numerals(frames: pd.Series) -> pd.Series:
    different = frames.unique()
    texts = {frame: "" if pd.isna(frame) else f"{float(frame):.15g}" for frame in different}
    return frames.map(texts).fillna("").astype("str")


def scenes(rows: pd.DataFrame) -> pd.Series:
    """(n,) what a row shows, the same for companions; a row of no named presentation shows something of its own."""
    own = "\n" + rows["sample_id"]
    if PRESENTATION not in rows or len(modalities(rows)) < 2:
        return own
    names = plain_column(rows[PRESENTATION])
    return (names + "#" + _numerals(rows["frame"])).where(names != "", own)


def lacking(rows: pd.DataFrame) -> list[str]:
    """A sentence per modality that some instants lack, of those that rows are of, with the first such instant."""
    kinds = modalities(rows)
    if PRESENTATION not in rows or len(kinds) < 2:
        return []
    of = pd.DataFrame({"scene": scenes(rows), "modality": spelled_column(rows)}, rows.index)
    is_named = plain_column(rows[PRESENTATION]) != ""
    n, notes = of.loc[is_named, "scene"].nunique(), []
    for kind in kinds:
        has_it = of["scene"].isin(of.loc[of["modality"] == kind, "scene"])
        without = rows[is_named & ~has_it & ~of["scene"].duplicated()]
        if len(without):
            first = plain(without[PRESENTATION].iloc[0])
            frame = _numerals(without["frame"].iloc[:1]).iloc[0]
            at = f", frame {frame}" if frame else ""
            lack = "lacks" if len(without) == 1 else "lack"
            notes.append(f"{len(without)} of {counted(n, 'instants')} {lack} {kind}, first '{first}'{at}.")
    if n_unnamed := int((~is_named).sum()):
        notes.append(f"Without companions, as no {PRESENTATION} is named: {counted(n_unnamed, 'rows')}.")
    return notes
