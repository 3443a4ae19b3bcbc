"""Runs for other tools: ONE FILE PER FORMAT, which writes a `content.Content` a shard at a time.

exports.write(store.open_run(cache, "m"), "fiftyone", Path("out"))
"""

from __future__ import annotations

from pathlib import Path

from fas_core.deciding.card import Card
from fas_core.errors import BadInputError
from fas_core.exports import atlas, content, fiftyone, parquet
from fas_core.files import new_folder
from fas_core.metrics.operating_point import DEFAULT, Rule
from fas_core.progress import task
from fas_core.runs.store import Run

TOOLS = {"parquet": parquet, "embedding-atlas": atlas, "fiftyone": fiftyone}
_SHARES = 100  # steps of looking for neighbours


def write(
    run: Run,
    tool: str,
    out: Path,
    *,
    images: str = content.BYTES,
    hides_faces: bool = False,
    card: Card | None = None,
    rule: Rule = DEFAULT,
) -> list[str]:
    """Writes the folder `out` for a tool of `TOOLS`, complete or not at all; what is to be said of it, last how to open
    it.

    `images`: of `content.IMAGES`. Verdicts are those of a card, or else those by a rule on the Run's dev subset, for
    every score. Raises BadInputError for an unknown tool, a folder that is there and not empty, what the tool or the
    Run cannot have, a card of another system, and a damaged shard.
    """
    if tool not in TOOLS:
        raise BadInputError(f"--to {tool}: choose {', '.join(TOOLS)}.")
    module = TOOLS[tool]
    module.require(run, images)
    with new_folder(out) as folder, task(f"Exporting {run.info.name}", _SHARES + len(run.shards)) as shown:
        with content.gathered(
            run,
            images=images,
            hides_faces=hides_faces,
            card=card,
            rule=rule,
            told=lambda share: shown.update(int(_SHARES * share)),
        ) as gathered:
            shown.update(_SHARES)
            module.write(gathered, folder, shown.advance)
        notes = [f"Note: {note}" for note in gathered.notes]
    return [*notes, module.how_to_open(gathered, out)]
