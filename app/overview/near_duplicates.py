"""What is there twice in a Run's data: a sentence, the pairs as pictures on demand, and a way to the gallery."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from app.components import gallery as component
from app.components.link import follow
from app.looking.nearest import HELP, UNITS, WORDS, place
from app.session import faces, identity, readers
from app.session.address import link_params, switch
from app.session.cache import NotComputedError, cached
from app.session.jobs import worker
from app.session.sidebar import Shown
from app.words import escaped, number
from fas_core.access.roles import Right
from fas_core.data.names import TRAIN
from fas_core.reports.palette import style_of
from fas_core.runs import duplicates, selections
from fas_core.runs.duplicates import By, NearDuplicates
from fas_core.runs.store import Run

AT_ONCE = 5_000  # samples that are compared while the page opens: in about a second
SHOWN = 24  # pairs
SCOPES = {"training": "Training and test", "across": "Across other subsets", "within": "Within a subset"}


@cached(entries=16)
def _known(run: Run, by: By) -> NearDuplicates:
    compared = duplicates.known(run, by)
    if compared is None:
        raise NotComputedError
    return compared


@cached(entries=4, spinner="Comparing every image with every other …")
def _computed(run: Run, by: By) -> NearDuplicates:
    return duplicates.of_run(run, by)


def compared(run: Run, by: By) -> NearDuplicates | None:
    """What is nearly the same in a Run; None where that takes long and has not been computed."""
    try:
        return _known(run, by)
    except NotComputedError:
        return _computed(run, by) if len(run) <= AT_ONCE else None


def show(shown: Shown) -> None:
    """The whole section; nothing for a Run without images."""
    run = shown.run
    if not duplicates.ways(run) or not len(run):
        return
    st.header("Is anything there twice?")
    if len(run) > duplicates.MOST:
        st.write(
            f"Not compared: {len(run):,} images are over {duplicates.MOST:,}, of which each is compared with all. "
            "`fas data dedupe M.csv --out M2.csv` tells it of the manifest."
        )
        return
    by = switch("Near-duplicates", duplicates.ways(run), "duplicates_by", words=WORDS.__getitem__, help=HELP)
    near = compared(run, by)
    if near is None:
        worker(
            run,
            "near-duplicates",
            missing=f"{len(run):,} images have not been compared with each other yet.",
            button="Compare them",
            key="compare_images",
        )
        return
    (st.warning if len(near.beside_training(run.subsets)) else st.write)(escaped(near.answer))
    st.caption(about(near, by))
    if len(near.pairs):
        label = f"{len(near.pairs):,} pairs, side by side"
        pairs = st.expander(label, key="duplicate_pairs", icon=":material/compare_arrows:", on_change="rerun")
        if pairs.open:
            with pairs:
                show_pairs(run, near, by)


def about(near: NearDuplicates, by: By) -> str:
    """What counts as near, in a sentence or two."""
    limit = near.limit
    if not limit.n_live:
        return "The Run has no two live faces that what is near could be taken from."
    unit = "the distance of codes" if by == "code" else "root mean square of pixels in 0–1"
    within = ""
    if limit.knows_people:
        n = f"{limit.n_within:,}" if limit.n_within else "none"
        is_or_are = "is" if limit.n_within <= 1 else "are"
        within = f" Of {limit.n_live:,} live faces {n} {is_or_are} that near to another person's."
    return f"Near: nearer than {limit.words}, {number(limit.distance)} by {unit}.{within}"


def show_pairs(run: Run, near: NearDuplicates, by: By) -> None:
    """The nearest pairs of one scope, as pictures beside each other, and a way to all of its samples."""
    pairs = near.pairs
    scope = np.select([pairs["is_training"], pairs["is_across"]], ["training", "across"], "within")
    offered = [name for name in SCOPES if (scope == name).any()]
    chosen = st.pills(
        "Pairs",
        offered,
        default=offered[0],
        format_func=lambda name: f"{SCOPES[name]} ({int((scope == name).sum()):,})",
        key="duplicates_of",
        required=True,
        label_visibility="collapsed",
    )
    listed = pairs[scope == (chosen or offered[0])]
    with st.container(horizontal=True, vertical_alignment="center"):
        if len(listed) > SHOWN:
            st.caption(f"The {SHOWN} nearest of {len(listed):,}.")
        label = "Open these samples in the gallery"
        if identity.may(Right.MARK, run) and st.button(label, icon=":material/grid_view:", key="open_duplicates"):
            open_samples(run, listed, f"near-duplicates, {WORDS[by].lower()}, {SCOPES[chosen or offered[0]].lower()}")
    if faces.kinds(run):
        draw(run, near, listed.head(SHOWN), by)


def open_samples(run: Run, pairs: pd.DataFrame, name: str) -> None:
    """Leads to the samples of some pairs, as a saved selection that each time begins anew."""
    identity.require(Right.MARK, run)
    name = name.replace(",", "")
    rows = np.unique(pairs[["a", "b"]].to_numpy())
    selections.delete(run, name)
    selections.save(run, name, readers.ids(run)[rows].tolist())
    follow("views/gallery.py", "Open these samples in the gallery", link_params() | {"selection": [name]})


def draw(run: Run, near: NearDuplicates, pairs: pd.DataFrame, by: By) -> None:
    """Pairs with the one of training first; a card that is chosen opens its second image."""
    is_first = (near.samples["subset"] == TRAIN).to_numpy()
    a, b = pairs["a"].to_numpy(), pairs["b"].to_numpy()
    swapped = is_first[b] & ~is_first[a]
    a, b = np.where(swapped, b, a), np.where(swapped, a, b)
    ids, groups = readers.ids(run), readers.groups(run)

    def words(row: int) -> str:
        about = near.samples.iloc[row]
        return place(str(about["subset"]), str(about["label"]), str(groups[row]))

    cards = [
        component.Card(
            str(ids[second]),
            (f"and {words(second)}", f"{UNITS[by]} {number(distance)}", str(ids[first]), str(ids[second])),
            words(first),
            style_of(str(groups[first])).colour,
            style_of(str(groups[first])).is_hollow,
        )
        for first, second, distance in zip(a.tolist(), b.tolist(), pairs["distance"].tolist(), strict=True)
    ]
    names = ("training", "test") if pairs["is_training"].all() else ("first", "second")
    kind = faces.kinds(run)[0]  # originals, or what there is
    panels = [component.picture(name, faces.images(run, kind, rows)) for name, rows in zip(names, (a, b), strict=True)]
    chosen = component.gallery(cards, panels, key="near_duplicates", size=128)
    if chosen is not None:
        follow("views/image.py", f"Open {escaped(chosen)}", link_params() | {"image": [chosen]})
