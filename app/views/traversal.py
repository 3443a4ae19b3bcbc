"""Traversal: what the decoder paints along a direction, between samples, and from the prior; which way lies attack?"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from app.components.gallery import Card, gallery
from app.latent.chosen_samples import chosen_rows, live_rows
from app.latent.path_images import sheet_of, show_path, show_without_images
from app.parts import network
from app.parts.head import head
from app.session import faces, identity, operating, readers, sidebar
from app.session.address import keep_valid, switch
from app.session.cache import cached, keyed
from app.session.readers import score_values
from app.session.sidebar import Shown
from app.words import escaped, label_of, number
from fas_core import scores
from fas_core.access.roles import Right
from fas_core.data.names import readable
from fas_core.errors import BadInputError
from fas_core.evaluation import paths, traversal
from fas_core.evaluation.paths import LETTERS, Path, Unlike
from fas_core.evaluation.traversal import Direction, Landscape
from fas_core.metrics.operating_point import BY_HAND
from fas_core.reports.palette import style_of
from fas_core.runs.store import Run

ONE, TWO, FOUR, PRIOR = "Along a direction", "Between two", "Between four", "From the prior"
SAMPLES = {ONE: 1, TWO: 2, FOUR: 4, PRIOR: 0}
TOWARDS, AXIS, DIMENSION = "towards attacks", "principal axis", "latent dimension"
MOST_DRAWN = 81


@cached(entries=8, spinner="Measuring where the live training codes lie …")
def landscape(run: Run) -> Landscape:
    return traversal.landscape(run)


@cached(entries=16)
def is_at_hand(run: Run, score: str) -> bool:
    return paths.is_at_hand(run, score, len(landscape(run).mean))


@keyed
@dataclass(frozen=True, eq=False)
class Codes:
    """What the model of a Run is asked to decode."""

    run: Run
    values: NDArray[np.float32]  # (n, d)

    @property
    def digest(self) -> str:
        return repr((self.run.info.model_identity, hashlib.sha256(self.values.tobytes()).hexdigest()))


@cached(entries=128)
def decoded(codes: Codes) -> NDArray[np.uint8]:
    known = traversal.known_images(codes.run, codes.values)
    if known is not None:
        return known
    with st.spinner("Decoding …"), network.of(codes.run) as model:
        from fas_core.inference import predict

        return predict.decoded(codes.values, model)


def codes_of(run: Run, rows: list[int]) -> NDArray[np.float32]:
    """(m, d) in the order asked."""
    return np.concatenate([block for row in rows for block in run.latent_blocks(np.array([row]))])


# ------------------------------------------------------------------------------------------------------------- the path


def chosen_path(run: Run, mode: str, rows: list[int], place: DeltaGenerator) -> tuple[Path, Direction | None]:
    """What is decoded, and the direction where it is along one."""
    if mode == ONE:
        with place.popover("Direction"):
            direction, reach = direction_control(run, landscape(run))
        return paths.along(direction, codes_of(run, rows)[0], reach), direction
    if mode == PRIOR:
        with place.popover("How many"):
            return drawn(run), None
    return (paths.between if mode == TWO else paths.among)(codes_of(run, rows)), None


def direction_control(run: Run, place: Landscape) -> tuple[Direction, float]:
    """The direction, and how far it is followed to both sides, in its units."""
    offered = [kind for kind in (TOWARDS, AXIS, DIMENSION) if kind != TOWARDS or len(place.species)]
    kind = st.segmented_control(
        "Direction",
        offered,
        default=offered[0],
        key="direction",
        bind="query-params",
        required=True,
        help="Towards attacks: the difference between the mean code of a species and that of live training faces. "
        "Principal axis: a direction of large variance of the live training codes. Latent dimension: one number "
        "of the code, those that vary most among live training faces first.",
    )
    if kind == TOWARDS:
        direction = traversal.towards(place, species_control(place))
    elif kind == AXIS:
        direction = axis_control(run, place)
    else:
        direction = dimension_control(place)
    if direction.unit == "way":
        percent = st.slider(
            "Range, % of the way, ±", 25, 300, round(100 * paths.WAY), 25, key="way", bind="query-params", width=220
        )
        return direction, percent / 100
    reach = st.slider("Range, sd, ±", 0.5, 6.0, paths.REACH, 0.5, key="reach", bind="query-params", width=220)
    return direction, reach


def species_control(place: Landscape) -> str:
    names = place.species.tolist()
    return str(st.selectbox("Species", names, format_func=readable, key="towards", bind="query-params", width=180))


def axis_control(run: Run, place: Landscape) -> Direction:
    pca = readers.principal_components(run)
    numbers = list(range(1, len(pca.components) + 1))
    return traversal.along_axis(place, pca, number_control("Principal axis", numbers, "pc", width=260))


def dimension_control(place: Landscape) -> Direction:
    order = np.argsort(-place.deviations, kind="stable").tolist()
    number = number_control("Latent dimension, by its spread", order, "dimension", width=320)
    return traversal.along_dimension(place, number)


def number_control(label: str, numbers: list[int], key: str, *, width: int) -> int:
    """One of some numbers, in their order; the first one where another Run has left what is not among them."""
    keep_valid(key, numbers, numbers[0])
    return int(st.select_slider(label, numbers, key=key, bind="query-params", width=width))


def drawn(run: Run) -> Path:
    """At random, as often and from where it is said."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        n = st.number_input("Images", 1, MOST_DRAWN, traversal.STEPS, key="prior_n", bind="query-params", width=140)
        seed = st.number_input(
            "Seed",
            0,
            2**31 - 1,
            0,
            key="prior_seed",
            bind="query-params",
            width=140,
            help="The same seed, the same codes.",
        )
    return paths.drawn(landscape(run), int(n), int(seed), has_prior=traversal.has_prior(run))


def unlike_of(shown: Shown, path: Path) -> Unlike | None:
    """None, said on the page, where the Run has no live training images to be unlike, or a fit would take long."""
    run = shown.run
    score = shown.score if shown.score in traversal.SCORES else traversal.SCORES[0]
    if score not in scores.offered(run):
        st.caption("Too few live training images are in this Run to say how unlike them a code is.")
        return None
    if score != shown.score and not is_at_hand(run, score):
        st.caption(
            f"How unlike live training faces these codes are takes a while: choose {score} in the sidebar for it."
        )
        return None
    live = np.sort(score_values(run, score)[live_rows(run, shown.subsets)])
    if not len(live):
        st.caption("No live face is in the chosen subsets to compare these codes with.")
        return None
    is_of_another = operating.rule(run, shown.score, shown.level).kind == BY_HAND and score != shown.score
    point = None if is_of_another else operating.operating_point(run, score, shown.level, shown.subsets)[0]
    values = traversal.unlikeness(run, score, path.codes)
    return Unlike(score, values, live, None if point is None else point.threshold)


# -------------------------------------------------------------------------------------------------------------- images


def show_samples(run: Run, rows: list[int]) -> None:
    """The samples and their reconstructions as the Run keeps them; one that is chosen opens on its own page."""
    ids = readers.ids(run)
    cards = []
    for letter, row in zip(LETTERS, rows, strict=False):
        style = style_of(str(readers.groups(run)[row]))
        lines = (f"{letter}: {ids[row]}" if len(rows) > 1 else str(ids[row]),)
        cards.append(Card(str(ids[row]), lines, readable(str(readers.groups(run)[row])), style.colour, style.is_hollow))
    chosen = gallery(cards, faces.pictures(run, rows), key="traversal_samples", size=64)
    if chosen is not None:
        st.switch_page("views/image.py", query_params={"run": label_of(run), "image": chosen})


def about(path: Path, place: Landscape, direction: Direction | None) -> str:
    """What is drawn and measured, exactly."""
    fitted = f"the {place.n:,} {place.whose} of this Run"
    if path.kind == "prior":
        return "Codes are drawn from N(0, I), towards which the KL term of the training pulls the codes."
    if path.kind == "gaussian":
        return (
            "This model has no prior: nothing in its training says how codes are distributed. These are drawn from one "
            f"Gaussian with the mean and covariance of {fitted}, fitted afterwards."
        )
    if path.kind == "line":
        return "Codes are mixed linearly; the ends are the samples' own codes."
    if direction is None:
        return "Codes are mixed linearly along rows and columns; the corners are A and B above, C and D below."
    length = number(float(np.linalg.norm(direction.step)))
    if direction.unit == "way":
        unit = f"100 % adds the mean code of the species' attacks less that of {fitted} (length {length})."
    else:
        unit = f"1 sd is the standard deviation of {fitted} along it ({length})."
    words = [f"0 is the sample's own code. {unit}"]
    if not direction.step.any():
        return f"{words[0]} No two of these codes differ along it, so nothing moves."
    lying = [
        f"{escaped(readable(str(name)))} {direction.words(round(direction.position(mean, place.mean), 2))}"
        for name, mean in zip(place.species, place.means, strict=True)
    ]
    if lying:
        words.append(f"Along it the means of attacks lie from the live mean at: {', '.join(lying)}.")
    return " ".join(words)


def page() -> None:
    shown = sidebar.shown()
    run = shown.run
    top = head("Traversal")
    identity.needs(Right.PICTURES, run, "Decoding along the latent space")
    sidebar.needs(run, "Decoding along the latent space", "latents")
    landscape(run)
    if st.query_params.get("decode") == ONE:  # a link says it; the default stands in no address that the page has made
        st.session_state["decode"] = ONE
    mode = switch("Decode", list(SAMPLES), "decode", place=top.controls)
    rows = []
    if count := SAMPLES[mode]:
        with top.controls.popover("Sample" if count == 1 else "Samples"):
            rows = chosen_rows(shown, count)
    path, direction = chosen_path(run, mode, rows, top.controls)
    ids = [str(readers.ids(run)[row]) for row in rows]
    unlike = unlike_of(shown, path)
    names = [
        f"**{escaped(name)}** ({escaped(readable(readers.groups(run)[row]))})"
        for name, row in zip(ids, rows, strict=True)
    ]
    top.answer.write(paths.answer(path, unlike, names, escaped(path.name)))
    try:
        pixels = decoded(Codes(run, path.codes.astype(np.float32)))
    except BadInputError as error:
        st.warning(f"Nothing can be decoded. {escaped(str(error))}", icon=":material/link_off:")
        show_without_images(path, unlike)
        st.caption(about(path, landscape(run), direction))
        return
    sight = faces.sight(run)
    decoded_as = [f"decoded, {path.name}, from {', '.join(ids) or 'the prior'}"]
    images = sight.seen(pixels, lambda: decoded_as)
    left, right = st.columns([1, 6], gap="small") if rows else (None, st.container())
    with right:
        show_path(path, images, unlike, top.controls)
    if left is not None:
        with left:
            show_samples(run, rows)
    st.caption(about(path, landscape(run), direction))
    st.download_button(
        "Download the images (PNG)",
        identity.exported(
            lambda: sheet_of(sight, run, path, sight.seen(pixels, lambda: decoded_as), rows, unlike), "images", run
        ),
        file_name=traversal.file_name(run.info.name, *ids, path.name),
        mime="image/png",
        on_click="ignore",
        icon=":material/download:",
    )


if __name__ == "__main__":
    page()
