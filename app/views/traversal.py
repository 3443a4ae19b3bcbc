"""Traversal: what the decoder paints along a direction, between samples, and from the prior; which way lies attack?"""

from __future__ import annotations

import hashlib
import math
import random
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app import words as words_module
from app.components import strip as component
from app.components.gallery import Card, Panel, error_panel, gallery
from app.components.zoom import zoomed
from app.parts import network
from app.session import readers, sidebar
from app.session.address import keep_valid
from app.session.readers import samples, score_values
from app.words import escaped, label_of
from fas_core import memo, metrics, scores
from fas_core.data.names import ATTACK, BONA_FIDE, groups_of, readable
from fas_core.errors import BadInputError
from fas_core.evaluation import traversal
from fas_core.evaluation.traversal import Direction, Landscape
from fas_core.evaluation.verdicts import percentiles
from fas_core.latent import projection, training_rows
from fas_core.metrics.operating_point import BY_HAND
from fas_core.reports.palette import style_of
from fas_core.runs import selections
from fas_core.runs.store import Run

ONE, TWO, FOUR, PRIOR = "Along a direction", "Between two", "Between four", "From the prior"
SAMPLES = {ONE: 1, TWO: 2, FOUR: 4, PRIOR: 0}
KEYS = ("sample", "sample_2", "sample_3", "sample_4")
LETTERS = "ABCD"
TOWARDS, AXIS, DIMENSION = "towards attacks", "principal axis", "latent dimension"
IMAGES, CHANGE = "images", "change"
MOST_DRAWN = 81
QUICK_WORK = 5e9  # products; a fit of the score that takes more is not begun unless somebody asks for it
INSIDE = 0.95  # share of live faces; a code farther from live training than these is called unlike them

run = sidebar.chosen_run()
st.title("Traversal")
sidebar.needs_images(run, "Decoding along the latent space")
subsets = sidebar.chosen_subsets(run)
score = sidebar.chosen_score(run)


@dataclass(frozen=True, eq=False)
class Path:
    """Codes in the order they are shown, and how they are shown."""

    codes: NDArray[np.float64]  # (n, d)
    places: list[str]  # of each, in words
    columns: int
    name: str  # for the sheet
    is_ordered: bool = True  # whether they follow each other, in one row
    compared_with: int | None = None  # the one that "change" is from
    first: str = "A"  # its name

    @property
    def is_strip(self) -> bool:
        return self.columns == len(self.codes)


# ---------------------------------------------------------------------------------------------------------- samples


@st.cache_resource(max_entries=8, show_spinner="Measuring where the live training codes lie …")
def landscape(digest: str, _run: Run) -> Landscape:
    return traversal.landscape(_run)


@st.cache_resource(max_entries=16, show_spinner=False)
def kinds(digest: str, _run: Run) -> NDArray[np.str_]:
    """(n,) the class of each sample."""
    return groups_of(samples(_run, ("subset", "label", "pai_species")))


def class_of(row: int) -> str:
    return escaped(readable(str(kinds(run.digest, run)[row])))


@st.cache_resource(max_entries=16, show_spinner=False)
def live_rows(digest: str, chosen: tuple[str, ...], _run: Run) -> NDArray[np.int64]:
    """Rows of the live faces of some subsets that no training has seen; of all of them where there are none such."""
    about = samples(_run, ("subset", "label"))
    is_live = ((about["label"] == BONA_FIDE) & about["subset"].isin(chosen)).to_numpy()
    is_new = is_live & (about["subset"] != "train").to_numpy()
    return np.flatnonzero(is_new if is_new.any() else is_live)


@st.cache_resource(max_entries=16, show_spinner=False)
def first_choice(digest: str, name: str, chosen: tuple[str, ...], _run: Run) -> list[int]:
    """Four rows to begin with: a live face of middling score, the worst attack, and two more of the other kinds."""
    values = score_values(_run, name)
    about = samples(_run, ("subset", "label", "pai_species"))
    live = live_rows(digest, chosen, _run)
    live = live[np.argsort(values[live], kind="stable")]
    here = about["subset"].isin(chosen).to_numpy()
    is_attack = here & (about["label"] == ATTACK).to_numpy()
    species = metrics.species_names(is_attack, about["pai_species"])
    worst = []
    for one in sorted(set(species[is_attack].tolist())):
        rows = np.flatnonzero(is_attack & (species == one))
        worst.append(int(rows[np.argmax(np.where(np.isnan(values[rows]), -np.inf, values[rows]))]))
    at = [len(live) // 2, len(live) // 10, -1]
    alive = [int(live[i]) for i in at] if len(live) else []
    wanted = [*alive[:1], *worst[:1], *alive[1:2], *worst[1:2], *alive[2:], *np.flatnonzero(here)[:4].tolist()]
    distinct = list(dict.fromkeys(wanted))
    return (distinct * 4)[:4]


def fill(rows: list[int]) -> None:
    for key, row in zip(KEYS, rows, strict=False):
        st.session_state[key] = str(readers.ids(run)[row])


def fill_at_random(count: int) -> None:
    rows = live_rows(run.digest, tuple(subsets), run).tolist()
    fill(random.sample(rows, min(count, len(rows))))


def fill_from_selection(name: str, count: int) -> None:
    """The first samples of a selection, or those after the one that is shown first."""
    rows = readers.ids(run).get_indexer(selections.sample_ids(run, name))
    ids = [int(row) for row in rows if row >= 0]
    shown = str(st.session_state.get(KEYS[0], ""))
    at = next((i + count for i, row in enumerate(ids) if readers.ids(run)[row] == shown), 0)
    fill([ids[(at + i) % len(ids)] for i in range(count)] if ids else [])


def chosen_rows(count: int) -> list[int]:
    """The samples that are asked for by id, or by a part of one."""
    ids, begin = readers.ids(run), first_choice(run.digest, score, tuple(subsets), run)
    rows = []
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for key, letter, start in zip(KEYS[:count], LETTERS, begin, strict=False):
            asked = st.text_input(
                "Sample" if count == 1 else f"Sample {letter}",
                key=key,
                bind="query-params",
                placeholder=str(ids[start]),
                width=190,
                help="A sample id, or a part of one. Empty: the page chooses one.",
            ).strip()
            matching = np.flatnonzero(ids == asked)
            if asked and not len(matching):
                matching = np.flatnonzero(ids.str.contains(asked, case=False, regex=False))
            if asked and not len(matching):
                st.info(f"No sample of this Run has {escaped(asked)} in its id.", icon=":material/search_off:")
                st.stop()
            rows.append(int(matching[0]) if asked else start)
        st.button("Random live", icon=":material/casino:", on_click=fill_at_random, args=(count,))
        if names := selections.names(run):
            with st.popover("From a selection", icon=":material/bookmark:"):
                name = str(st.selectbox("Selection", names, key="traversal_selection"))
                st.button(
                    f"Take {'the next' if count == 1 else f'the next {count}'}",
                    on_click=fill_from_selection,
                    args=(name, count),
                )
    return rows


def codes_of(rows: list[int]) -> NDArray[np.float32]:
    """(m, d) in the order asked."""
    return np.concatenate([block for row in rows for block in run.latent_blocks(np.array([row]))])


# --------------------------------------------------------------------------------------------------------- directions


def direction_control(place: Landscape) -> tuple[Direction, float]:
    """The direction, and how far it is followed to both sides, in its units."""
    offered = [kind for kind in (TOWARDS, AXIS, DIMENSION) if kind != TOWARDS or len(place.species)]
    with st.container(horizontal=True, vertical_alignment="bottom"):
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
            direction = axis_control(place)
        else:
            direction = dimension_control(place)
        if direction.unit == "way":
            percent = st.slider("Range, % of the way, ±", 25, 300, 100, 25, key="way", bind="query-params", width=220)
            return direction, percent / 100
        reach = st.slider("Range, sd, ±", 0.5, 6.0, 3.0, 0.5, key="reach", bind="query-params", width=220)
        return direction, reach


def species_control(place: Landscape) -> str:
    names = place.species.tolist()
    return str(st.selectbox("Species", names, format_func=readable, key="towards", bind="query-params", width=180))


@st.cache_resource(max_entries=8, show_spinner="Computing principal components …")
def principal_components(digest: str, _run: Run) -> projection.PrincipalComponents:
    return projection.pca_of(_run)


def axis_control(place: Landscape) -> Direction:
    pca = principal_components(run.digest, run)
    numbers = list(range(1, len(pca.components) + 1))
    keep_valid("pc", numbers, numbers[0])
    number = st.select_slider(
        "Principal axis",
        numbers,
        key="pc",
        bind="query-params",
        width=260,
    )
    return traversal.along_axis(place, pca, int(number))


def dimension_control(place: Landscape) -> Direction:
    order = np.argsort(-place.deviations, kind="stable").tolist()
    keep_valid("dimension", order, order[0])
    number = st.select_slider(
        "Latent dimension, by its spread",
        order,
        key="dimension",
        bind="query-params",
        width=320,
    )
    return traversal.along_dimension(place, int(number))


def along(place: Landscape, row: int, direction: Direction, reach: float) -> Path:
    offsets = traversal.offsets(reach)
    places = [direction.words(offset) for offset in offsets.tolist()]
    codes = direction.codes(codes_of([row])[0], offsets)
    return Path(codes, places, len(codes), direction.name, compared_with=len(codes) // 2, first="sample")


def between(rows: list[int]) -> Path:
    codes = traversal.between(*codes_of(rows))
    shares = [round(100 * i / (len(codes) - 1)) for i in range(len(codes))]
    places = ["A", *(f"{share}\u00a0%" for share in shares[1:-1]), "B"]
    return Path(codes, places, len(codes), "straight line", compared_with=0)


def among_four(rows: list[int]) -> Path:
    side = traversal.SIDE
    places = [f"row {i + 1}, column {j + 1}" for i in range(side) for j in range(side)]
    for letter, at in zip(LETTERS, (0, side - 1, side * (side - 1), side * side - 1), strict=True):
        places[at] = letter
    return Path(traversal.grid(codes_of(rows)), places, side, "bilinear grid", False, 0)


def drawn(place: Landscape) -> Path:
    """Codes from the prior, or where the model has none, from a Gaussian that stands in for it."""
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
    if traversal.has_prior(run):
        codes, name = traversal.from_prior(int(n), len(place.mean), int(seed)), f"prior N(0, I), seed {seed}"
    else:
        codes, name = place.drawn(int(n), int(seed)), f"Gaussian of {place.n:,} {place.whose}, seed {seed}"
    return Path(codes, [f"{i + 1}" for i in range(len(codes))], min(len(codes), traversal.STEPS), name, False)


# ---------------------------------------------------------------------------------------------------------- unlikeness


@dataclass(frozen=True, eq=False)
class Unlike:
    """How unlike live training codes those of a path are, and what that is read against."""

    score: str
    values: NDArray[np.float64]  # (n,)
    live: NDArray[np.float64]  # of live faces outside training, ascending
    threshold: float | None

    @property
    def shares(self) -> NDArray[np.float64]:
        """(n,) of live faces, with lower values."""
        return percentiles(self.values, self.live)

    @property
    def limit(self) -> float:
        """What codes are told apart by: the threshold, or where there is none, what 95 % of live faces stay below."""
        return float(np.quantile(self.live, INSIDE)) if self.threshold is None else self.threshold

    @property
    def are_beyond(self) -> NDArray[np.bool_]:
        return metrics.is_attack(self.values, self.limit)


@st.cache_resource(max_entries=16, show_spinner=False)
def is_at_hand(digest: str, name: str, _run: Run) -> bool:
    """Whether nobody waits long for a score: it is fitted already, or quickly."""
    rows, d = len(training_rows(_run)), len(landscape(digest, _run).mean)
    return memo.found(_run.cache, name, {"run": digest}) is not None or rows * d * d <= QUICK_WORK


def unlike_of(path: Path) -> Unlike | None:
    """None, said on the page, where the Run has no live training images to be unlike, or a fit would take long."""
    name = score if score in traversal.SCORES else traversal.SCORES[0]
    if name not in scores.offered(run):
        st.caption("Too few live training images are in this Run to say how unlike them a code is.")
        return None
    if name != score and not is_at_hand(run.digest, name, run):
        st.caption(
            f"How unlike live training faces these codes are takes a while: choose {name} in the sidebar for it."
        )
        return None
    live = np.sort(score_values(run, name)[live_rows(run.digest, tuple(subsets), run)])
    if not len(live):
        st.caption("No live face is in the chosen subsets to compare these codes with.")
        return None
    is_of_another = sidebar.rule(run, score, sidebar.chosen_level(run)).kind == BY_HAND and name != score
    point = None if is_of_another else sidebar.operating_point(run, name, sidebar.chosen_level(run), subsets)[0]
    return Unlike(name, traversal.unlikeness(run, name, path.codes), live, None if point is None else point.threshold)


def beyond_words(one: Unlike) -> str:
    """What codes beyond the limit would be."""
    if one.threshold is None:
        return f"farther from live training than {INSIDE:.0%} of live faces"
    return (
        f"called an attack by {one.score} (threshold {words_module.number(one.threshold)}, by the rule in the sidebar)"
    )


def name_of(row: int) -> str:
    return f"**{escaped(str(readers.ids(run)[row]))}** ({class_of(row)})"


def of_live(share: float) -> str:
    return "all live faces" if share == 1 else f"{math.floor(100 * share)}\u00a0% of live faces"


def answer(mode: str, path: Path, rows: list[int], one: Unlike | None) -> str:
    """The page's answer in a few sentences."""
    if one is None:
        moved = f"the code of {name_of(rows[0])} moved {escaped(path.name)}" if mode == ONE else ""
        what = {TWO: "codes between two samples", FOUR: "codes between four samples", PRIOR: "codes drawn at random"}
        return f"What the decoder makes of {what.get(mode, moved)}."
    beyond, shares = one.are_beyond, one.shares
    if mode == PRIOR:
        source = "the prior" if traversal.has_prior(run) else "a Gaussian that stands in for a prior"
        return (
            f"**{int(beyond.sum())} of {len(beyond)}** codes drawn from {source} would be {beyond_words(one)}; half of "
            f"them lie farther from live training than {of_live(float(np.median(shares)))}."
        )
    if mode == FOUR:
        return (
            f"**{int(beyond.sum())} of {len(beyond)}** codes between these four would be {beyond_words(one)}. The one "
            f"most like live training is at {path.places[int(one.values.argmin())]}."
        )
    if mode == TWO:
        return (
            f"On the straight line from {name_of(rows[0])} to {name_of(rows[1])}, the code goes from farther from live "
            f"training than {of_live(shares[0])} to farther than {of_live(shares[-1])}. {crossing(path, one)}"
        )
    middle, least, most = len(shares) // 2, int(one.values.argmin()), int(one.values.argmax())
    return (
        f"The code of {name_of(rows[0])} lies farther from live training than {of_live(shares[middle])}. Moved "
        f"{escaped(path.name)}, it comes nearest at **{path.places[least]}** (farther than "
        f"{of_live(shares[least])}) and is farthest at **{path.places[most]}** ({of_live(shares[most])}). "
        f"{crossing(path, one)}"
    )


def crossing(path: Path, one: Unlike) -> str:
    """Which steps lie beyond the limit, neighbours as one."""
    beyond = one.are_beyond
    if beyond.all() or not beyond.any():
        return f"{'Every' if beyond.all() else 'No'} step would be {beyond_words(one)}."
    edges = np.flatnonzero(np.diff(beyond.astype(int), prepend=0, append=0)).reshape(-1, 2)
    parts = [
        path.places[start] if stop - start == 1 else f"{path.places[start]} to {path.places[stop - 1]}"
        for start, stop in edges
    ]
    return f"{'Steps' if beyond.sum() > 1 else 'Step'} {' and '.join(parts)} would be {beyond_words(one)}."


# -------------------------------------------------------------------------------------------------------------- images


def decoded(path: Path) -> NDArray[np.uint8]:
    codes = path.codes.astype(np.float32)
    key = hashlib.sha256(codes.tobytes()).hexdigest()
    return _decoded(run.info.checkpoint_sha256, run.info.precision, key, codes, run)


@st.cache_resource(max_entries=128, show_spinner=False)
def _decoded(
    checkpoint_sha256: str, precision: str, key: str, _codes: NDArray[np.float32], _run: Run
) -> NDArray[np.uint8]:
    with st.spinner("Decoding …"), network.of(_run) as model:
        from fas_core.inference import predict

        return predict.decoded(_codes, model)


def show_samples(rows: list[int]) -> None:
    """The samples and their reconstructions as the Run keeps them; one that is chosen opens on its own page."""
    ids = readers.ids(run)
    cards = []
    for letter, row in zip(LETTERS, rows, strict=False):
        style = style_of(str(kinds(run.digest, run)[row]))
        lines = (f"{letter}: {ids[row]}" if len(rows) > 1 else str(ids[row]),)
        cards.append(
            Card(str(ids[row]), lines, readable(str(kinds(run.digest, run)[row])), style.colour, style.is_hollow)
        )
    panels = [
        Panel(name, run.images(kind, rows))
        for name, kind in (("original", "inputs"), ("reconstruction", "reconstructions"))
    ]
    chosen = gallery(cards, panels, key="traversal_samples", size=128 if len(rows) < 3 else 64)
    if chosen is not None:
        st.switch_page("views/image.py", query_params={"run": label_of(run), "image": chosen})


def captions_of(path: Path, one: Unlike | None) -> list[list[str]]:
    found = []
    for i, place in enumerate(path.places):
        lines = [place]
        if one is not None:
            lines.append(words_module.number(float(one.values[i])))
            if one.threshold is not None:
                lines.append("attack" if one.are_beyond[i] else "\u00a0")
        found.append(lines)
    return found


def show_path(path: Path, images: NDArray[np.uint8], one: Unlike | None) -> None:
    """The images in their order, what the score says of them, and one of them large."""
    bases = None if path.compared_with is None else np.broadcast_to(images[path.compared_with], images.shape)
    panel = Panel("decoded", images)
    if bases is not None:
        shown = st.segmented_control(
            "Show",
            [IMAGES, CHANGE],
            default=IMAGES,
            key="shown_as",
            bind="query-params",
            required=True,
            label_visibility="collapsed",
        )
        if shown == CHANGE:
            panel = change_panel(path, bases, images)
    line = None
    if one is not None and path.is_strip:
        levels = [component.Level(float(np.median(one.live)), "median of live faces")]
        if one.threshold is not None:
            levels.append(component.Level(one.threshold, "threshold", True))
        title = f"{one.score}: how unlike live training codes"
        line = component.Line(title, one.values.tolist(), path.places, levels, path.is_ordered)
    overview = st.container()
    chosen = large_control(path)
    with overview:
        component.strip(
            panel,
            captions_of(path, one),
            columns=path.columns,
            key="strip",
            chosen=chosen,
            on_choose=enlarge,
            line=line,
        )
    large = images[chosen : chosen + 1]
    panels = [Panel(f"decoded, {path.places[chosen]}", large)]
    if bases is not None:
        panels = [Panel(path.first, bases[:1]), *panels, change_panel(path, bases[:1], large)]
    zoomed(path.places[chosen], panels, key="large_step")


def change_panel(path: Path, bases: NDArray[np.uint8], images: NDArray[np.uint8]) -> Panel:
    """Red where an image is darker than that of the sample (of A), blue where it is brighter."""
    return replace(error_panel(bases, images, name="change", signed=True), unit=f"{path.first} − decoded")


def large_control(path: Path) -> int:
    """Which image is shown large: its position."""
    n = len(path.codes)
    if n == 1:
        return 0
    default = 1 if path.compared_with is None else n
    keep_valid("step", range(1, n + 1), default)
    return int(st.slider("Enlarged image", 1, n, default, key="step", bind="query-params", width=320)) - 1


def enlarge(index: int) -> None:
    st.session_state["step"] = index + 1


def sheet_of(path: Path, images: NDArray[np.uint8], rows: list[int], one: Unlike | None) -> bytes:
    """The PNG of what is shown: the samples and their reconstructions, then the decoded images."""
    ids = readers.ids(run)
    tiles = [traversal.Tile(image, lines) for image, lines in zip(images, captions_of(path, one), strict=True)]
    sheet = [tiles[i : i + path.columns] for i in range(0, len(tiles), path.columns)]
    if rows:
        pairs = zip(run.images("inputs", rows), run.images("reconstructions", rows), rows, LETTERS, strict=False)
        first = []
        for original, reconstruction, row, letter in pairs:
            name = f"{letter} " if len(rows) > 1 else ""
            first += [
                traversal.Tile(original, [f"{name}original", str(ids[row])]),
                traversal.Tile(reconstruction, [f"{name}reconstruction", readable(str(kinds(run.digest, run)[row]))]),
            ]
        sheet.insert(0, first)
    title = f"{run.info.name} ({run.id[:6]}): {path.name}"
    if one is not None:
        title += f"; below each image {one.score}, how unlike live training codes it is"
    return traversal.sheet(title, sheet)


# ---------------------------------------------------------------------------------------------------------------- page


def about(mode: str, place: Landscape, direction: Direction | None) -> str:
    """What is drawn and measured, exactly."""
    fitted = f"the {place.n:,} {place.whose} of this Run"
    if mode == PRIOR and traversal.has_prior(run):
        return "Codes are drawn from N(0, I), towards which the KL term of the training pulls the codes."
    if mode == PRIOR:
        return (
            "This model has no prior: nothing in its training says how codes are distributed. These are drawn from one "
            f"Gaussian with the mean and covariance of {fitted}, fitted afterwards."
        )
    if mode == TWO:
        return "Codes are mixed linearly; the ends are the samples' own codes."
    if direction is None:
        return "Codes are mixed linearly along rows and columns; the corners are A and B above, C and D below."
    length = words_module.number(float(np.linalg.norm(direction.step)))
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


head = st.container()
place = landscape(run.digest, run)
if st.query_params.get("decode") == ONE:  # a link says it; the default stands in no address that the page has made
    st.session_state["decode"] = ONE
mode = str(
    st.segmented_control(
        "Decode",
        list(SAMPLES),
        default=ONE,
        key="decode",
        bind="query-params",
        required=True,
        label_visibility="collapsed",
    )
)
rows = chosen_rows(SAMPLES[mode]) if SAMPLES[mode] else []
direction = None
if mode == ONE:
    direction, reach = direction_control(place)
    path = along(place, rows[0], direction, reach)
elif mode == TWO:
    path = between(rows)
elif mode == FOUR:
    path = among_four(rows)
else:
    path = drawn(place)

if rows:
    show_samples(rows)
one = unlike_of(path)
head.write(answer(mode, path, rows, one))
try:
    images = decoded(path)
except BadInputError as error:
    st.warning(f"Nothing can be decoded. {escaped(str(error))}", icon=":material/link_off:")
    st.stop()
show_path(path, images, one)
st.caption(about(mode, place, direction))
st.download_button(
    "Download the images (PNG)",
    lambda: sheet_of(path, images, rows, one),
    file_name=traversal.file_name(run.info.name, *(str(readers.ids(run)[row]) for row in rows), path.name),
    mime="image/png",
    on_click="ignore",
    icon=":material/download:",
)
