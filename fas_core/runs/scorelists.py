"""Score lists of other toolkits, read as score files and written from Runs.

- `bob-csv`: bob.pad's CSV, `claimed_id, test_label, is_bonafide, attack_type, score` and any others; of videos a row
  per frame, with `sample_n` or `frame_id` and perhaps `video_key`.
- `bob4`, `bob5`: bob's lists without a header, separated by blanks: `claimed_id real_id test_label score`, in five
  columns `claimed_id model_label real_id test_label score`. Bona fide where real_id is claimed_id, else real_id names
  the kind of attack.
- `lines`: one sample a line, as challenges of face anti-spoofing print them: path, score, label, or what `fields` says.

In bob's lists a higher score is more bona fide (bob.pad.base 6.0: accepted where score >= threshold); `lines` says
nothing of it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fas_core import files
from fas_core.data.names import ATTACK, BONA_FIDE
from fas_core.errors import BadInputError
from fas_core.files import atomic_file, read_table, read_text, shortened
from fas_core.texts import plain, plain_column, read_numbers

CSV, BOB_CSV, BOB4, BOB5, LINES, SNIFF = "csv", "bob-csv", "bob4", "bob5", "lines", "sniff"
READ = (CSV, BOB_CSV, BOB4, BOB5, LINES)
WRITTEN = (CSV, BOB_CSV, BOB4, BOB5)
FIELDS = ("sample_id", "score", "label")  # of `lines`, unless told otherwise
UNKNOWN = "unknown"  # stands for a subject without a name where a list needs one; it is read as none again

_COLUMNS = {
    BOB4: ("claimed_id", "real_id", "test_label", "score"),
    BOB5: ("claimed_id", "model_label", "real_id", "test_label", "score"),
}
_BOB_CSV = ("claimed_id", "test_label", "is_bonafide", "attack_type", "score")
_WORDS = {"true": BONA_FIDE, "false": ATTACK}
_NO_SPECIES = "attack"  # what bob's lists call an attack of no kind


@dataclass(frozen=True)
class ScoreList:
    """A table with the columns of a score file, not checked yet, and what was made of its rows."""

    table: pd.DataFrame
    notes: tuple[str, ...] = ()


# --------------------------------------------------------------------------------------------------------------- in


def read(path: Path, kind: str = CSV, fields: Sequence[str] = FIELDS) -> ScoreList:
    """The list at `path`, of a kind in `READ`. Rows of frames get one id each, and a `video_id`.

    `fields`: the columns of `lines`, in order; a first one takes the blanks that are left over, as paths have some.

    Raises BadInputError naming the first offending line, for a file of another kind, and for a list of verification
    scores, in which one person is compared with another.
    """
    if kind == CSV:
        return ScoreList(read_table(path))
    if kind == BOB_CSV:
        return _with_ids(path, _bob_csv(path))
    if kind in _COLUMNS:
        return _with_ids(path, _bob_columns(path, kind))
    if kind == LINES:
        return ScoreList(_lines(path, fields))
    raise BadInputError(f"--format {kind}: there are {', '.join(READ)}, and {SNIFF}, which looks at the first line.")


def sniffed(path: Path) -> str:
    """The kind of a list by its first line; raises BadInputError where that tells none.

    Four or five columns are bob's only where a line of the file compares a person with the same, as bona fide ones do.
    """
    if path.suffix.lower() == ".parquet":
        return CSV
    lines = [line for line in read_text(path).splitlines() if line.strip() and not line.startswith("#")]
    line = lines[0] if lines else ""
    heading = {plain(cell).strip('"') for cell in re.split("[,;\t]", line)}
    if {"is_bonafide", "test_label"} <= heading:
        return BOB_CSV
    if heading & {"sample_id", "label", "score"}:
        return CSV
    cells = _split(line)
    for kind, columns in _COLUMNS.items():
        if len(cells) == len(columns) and _is_number(cells[-1]):
            real = columns.index("real_id")
            if any(len(c) == len(columns) and c[0] == c[real] for c in map(_split, lines)):
                return kind
    ways = [cells for cells in map(line.split, (None, *"\t,;")) if len(cells) == len(FIELDS)]
    if ways and any(map(_is_number, ways[0][1:])):
        return LINES
    raise BadInputError(
        f"{path}: its first line, '{shortened(line)}', tells no format. Say which it is: --format {'|'.join(READ)}."
    )


def sniffed_together(paths: Sequence[Path]) -> str:
    """The one kind of all these lists; raises BadInputError where they are of several."""
    kinds = {path: sniffed(path) for path in paths}
    if len(set(kinds.values())) > 1:
        told = ", ".join(f"{path} is {kind}" for path, kind in kinds.items())
        raise BadInputError(f"The files are of different formats ({told}). Import those of one format at a time.")
    return kinds[paths[0]]


def orientation(kind: str, higher_is: Sequence[str]) -> list[str]:
    """What `--higher-is` says, behind what the format says; raises BadInputError where neither says anything."""
    if kind == LINES and not higher_is:
        raise BadInputError(
            f"--format {LINES} does not tell whether a higher score is more attack-like. Say so: --higher-is {ATTACK}, "
            f"or --higher-is {BONA_FIDE}, as challenges mostly have it."
        )
    return [*([BONA_FIDE] if kind in (BOB_CSV, BOB4, BOB5) else []), *higher_is]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _bob_csv(path: Path) -> pd.DataFrame:
    table = read_table(path)
    missing = [name for name in _BOB_CSV if name not in table]
    if missing:
        raise BadInputError(
            f"{path}: a list of bob.pad has the columns {', '.join(_BOB_CSV)}; {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing. Is it another format? --format {SNIFF} looks."
        )
    said = plain_column(table["is_bonafide"].astype("str")).str.lower()  # Parquet may hold truth values
    if len(unread := np.flatnonzero(~said.isin(_WORDS))):
        raise BadInputError(
            f"{path}, row {unread[0] + 1}: is_bonafide is '{table['is_bonafide'].iloc[unread[0]]}'; bob.pad writes "
            "True or False."
        )
    frame = next((name for name in ("frame_id", "sample_n") if name in table), None)
    renamed = {"claimed_id": "subject_id", "attack_type": "pai_species", "video_key": "video_id"}
    renamed |= {frame: "frame"} if frame else {}
    taken = {"is_bonafide", "label", *(ours for theirs, ours in renamed.items() if theirs in table)}
    rows = table.drop(columns=[name for name in table if name in taken and name not in renamed])
    rows = rows.rename(columns=renamed).assign(label=said.map(_WORDS))
    is_attack = rows["label"] == ATTACK
    species = plain_column(rows["pai_species"])
    return rows.assign(pai_species=species.where(~is_attack | (species != _NO_SPECIES), ""))


def _bob_columns(path: Path, kind: str) -> pd.DataFrame:
    columns = _COLUMNS[kind]
    rows: list[list[str]] = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        cells = _split(line)
        if len(cells) != len(columns):
            raise BadInputError(
                f"{path}, line {number}, '{shortened(line)}': {len(cells)} columns; {kind} has {len(columns)}, "
                f"{' '.join(columns)}, separated by blanks. A name that holds a blank stands in double quotes."
            )
        rows.append(cells)
    if not rows:
        raise BadInputError(f"{path} has no lines. Of {kind} each is: {' '.join(columns)}.")
    table = pd.DataFrame(rows, columns=list(columns), dtype="str")
    is_attack = table["claimed_id"] != table["real_id"]
    people = set(table["claimed_id"])
    if len(compared := np.flatnonzero(is_attack & table["real_id"].isin(people))):
        row = table.iloc[compared[0]]
        raise BadInputError(
            f"{path}, row {compared[0] + 1}: person '{row['real_id']}' is compared with '{row['claimed_id']}': scores "
            "of verification, not of presentation attack detection, where the second name is the kind of attack."
        )
    species = table["real_id"].where(is_attack & (table["real_id"] != _NO_SPECIES), "")
    rows_of_ours = {"subject_id": table["claimed_id"], "label": is_attack.map({True: ATTACK, False: BONA_FIDE})}
    return table.drop(columns=["claimed_id", "real_id"]).assign(**rows_of_ours, pai_species=species)


def _split(line: str) -> list[str]:
    cells = next(csv.reader([line.replace("\t", " ")], delimiter=" ", skipinitialspace=True), [])
    return cells[:-1] if cells and not cells[-1] else cells


def _with_ids(path: Path, rows: pd.DataFrame) -> ScoreList:
    """`test_label` becomes `sample_id`, where it names one row each; else label, frame and species together do."""
    label = plain_column(rows["test_label"])
    table = rows.drop(columns="test_label")
    if not label.duplicated().any():
        return ScoreList(table.assign(sample_id=label))
    species = plain_column(rows["pai_species"]).where(rows["label"] == ATTACK, "")
    presentation = label + species.map(lambda name: f" ({name})" if name else "")
    notes = []
    if "frame" in rows:
        frame = plain_column(rows["frame"])
    else:
        frame = presentation.groupby(presentation).cumcount().astype("str")
        if presentation.duplicated().any():
            notes.append(
                f"{path}: {int(presentation.duplicated(keep=False).sum())} rows share label and attack type with "
                "others: they are taken for frames, numbered in the order of the file."
            )
    ids = presentation + "#" + frame if presentation.duplicated().any() else presentation
    if len(repeated := np.flatnonzero(ids.duplicated())):
        raise BadInputError(
            f"{path}, row {repeated[0] + 1}: label, attack type and frame, '{ids.iloc[repeated[0]]}', are those of a "
            f"row before ({len(repeated)} such rows). Number the frames of each presentation."
        )
    table = table.assign(sample_id=ids)
    if presentation.duplicated().any():
        video = plain_column(table["video_id"]) if "video_id" in table else pd.Series("", table.index)
        table["video_id"] = video.where(video != "", presentation)
    return ScoreList(table, tuple(notes))


def _lines(path: Path, fields: Sequence[str]) -> pd.DataFrame:
    if repeated := {name for name in fields if fields.count(name) > 1}:
        raise BadInputError(f"--fields {','.join(fields)}: '{sorted(repeated)[0]}' is named twice.")
    if missing := [name for name in FIELDS if name not in fields]:
        raise BadInputError(
            f"--fields {','.join(fields)}: {' and '.join(missing)} must be among them. Name every field of a line in "
            "order, e.g. sample_id,score,label."
        )
    rows = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = _separated(line, len(fields))
        if len(cells) != len(fields):
            raise BadInputError(
                f"{path}, line {number}, '{shortened(line)}': {len(cells)} fields, not the {len(fields)} of --fields "
                f"{','.join(fields)}."
            )
        rows.append(cells)
    table = pd.DataFrame(rows, columns=list(fields), dtype="str")
    if rows and read_numbers(plain_column(table["score"])).isna().all():
        raise BadInputError(
            f"{path}: none of its scores is a number, e.g. '{table['score'].iloc[0]}'. If the fields stand in another "
            "order: --fields sample_id,label,score."
        )
    return table


def _separated(line: str, n: int) -> list[str]:
    """The line's cells by the separator that gives `n`: tab, comma, semicolon, else blanks from the right."""
    for separator in "\t,;":
        cells = next(csv.reader([line], delimiter=separator))
        if len(cells) == n > 1:
            return [cell.strip() for cell in cells]
    return line.strip().rsplit(None, n - 1)


# -------------------------------------------------------------------------------------------------------------- out


def write(samples: pd.DataFrame, scores: NDArray[np.float64], kind: str, folder: Path) -> list[Path]:
    """One list per subset, `scores-<subset>` with the format's ending, of a kind in `WRITTEN`; their paths.

    `samples`: (n,) rows of a Run in any order, `scores`: (n,) higher is more attack-like. bob's kinds hold the
    negatives, so that higher is more bona fide. A non-response is an empty cell, or "nan" where there are no cells.
    Raises BadInputError where a list cannot say what the rows say; then nothing is written.
    """
    if kind not in WRITTEN:
        raise BadInputError(f"--format {kind}: a Run is written as {', '.join(WRITTEN)}.")
    contents: dict[Path, bytes] = {}
    for subset in samples["subset"].unique():
        is_here = (samples["subset"] == subset).to_numpy()
        path = folder / f"scores-{subset}{'.csv' if kind in (CSV, BOB_CSV) else '.txt'}"
        contents[path] = _CONTENTS[kind](samples[is_here].reset_index(drop=True), scores[is_here])
    for path, content in contents.items():
        with atomic_file(path) as temporary:
            temporary.write_bytes(content)
    return list(contents)


def _csv_content(rows: pd.DataFrame, scores: NDArray[np.float64]) -> bytes:
    leading = ["sample_id", "label", "pai_species", "subset"]
    rest = [name for name in rows if name not in (*leading, "score")]
    return files.csv(rows[leading].assign(score=scores, **{name: rows[name] for name in rest}))


def _bob_csv_content(rows: pd.DataFrame, scores: NDArray[np.float64]) -> bytes:
    table = pd.DataFrame(
        {
            "claimed_id": _people(rows),
            "test_label": rows["sample_id"],
            "is_bonafide": (rows["label"] == BONA_FIDE).map({True: "True", False: "False"}),
            "attack_type": _kinds(rows).where(rows["label"] == ATTACK, ""),
            "score": 0.0 - scores,
        }
    )
    taken = {"sample_id", "subject_id", "label", "pai_species", "subset", "score"}
    return files.csv(table.assign(**{_THEIRS.get(name, name): rows[name] for name in rows if name not in taken}))


def _columns_content(kind: str) -> Callable[[pd.DataFrame, NDArray[np.float64]], bytes]:
    def content(rows: pd.DataFrame, scores: NDArray[np.float64]) -> bytes:
        people = _people(rows)
        real = _kinds(rows).where(rows["label"] == ATTACK, people)
        if len(alike := sorted(set(people) & set(real[rows["label"] == ATTACK]))):
            raise BadInputError(
                f"'{alike[0]}' is a subject and a species, which {kind} tells apart by name only: --format {BOB_CSV}."
            )
        columns = {"claimed_id": people, "model_label": people, "real_id": real, "test_label": rows["sample_id"]}
        cells = [columns[name] for name in _COLUMNS[kind][:-1]]
        text = io.StringIO(newline="")
        lines = csv.writer(text, delimiter=" ", lineterminator="\n")
        lines.writerows(zip(*cells, map(repr, (0.0 - scores).tolist()), strict=True))
        return text.getvalue().encode()

    return content


def _people(rows: pd.DataFrame) -> pd.Series:
    if "subject_id" not in rows:
        return pd.Series(UNKNOWN, rows.index)
    return rows["subject_id"].where(rows["subject_id"] != "", UNKNOWN)


def _kinds(rows: pd.DataFrame) -> pd.Series:
    return rows["pai_species"].where(rows["pai_species"] != "", _NO_SPECIES)


_THEIRS = {"video_id": "video_key", "frame": "frame_id"}
_CONTENTS = {
    CSV: _csv_content,
    BOB_CSV: _bob_csv_content,
    BOB4: _columns_content(BOB4),
    BOB5: _columns_content(BOB5),
}
