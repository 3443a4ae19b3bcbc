"""Image: what the model makes of one image, of the Run or uploaded, and how that compares with live ones."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from app.charts import plots
from app.components import gallery as component
from app.components.zoom import zoomed
from app.parts import marking, uploaded
from app.session import readers, sidebar
from app.session.address import link_params
from app.session.readers import cache_folder, metadata, samples, score_values
from app.words import escaped, number
from fas_core import metrics, scores
from fas_core.data import images
from fas_core.data.names import ATTACK, BONA_FIDE, groups_of, in_group_order, readable
from fas_core.evaluation import card as cards
from fas_core.evaluation import presentations
from fas_core.evaluation.presentations import FRAME
from fas_core.evaluation.verdicts import percentiles
from fas_core.latent import neighbours, projection
from fas_core.metrics import operating_point
from fas_core.reports.palette import style_of
from fas_core.runs.store import Run

OF_RUN, UPLOAD = "Of the Run", "Upload"
MOST_POINTS = 5_000  # drawn around the image: enough to see where it lies
SEED = 0
NEAREST = 6
LIVE_TRAINING = "live training images"

run = sidebar.chosen_run()
st.title("Image")
sidebar.needs_images(run, "A single image")
subsets = sidebar.chosen_subsets(run)
score = sidebar.chosen_score(run)


@dataclass(frozen=True, eq=False)
class Subject:
    """The image that the page is about. `row` is None where it is not one of the Run's."""

    name: str
    row: int | None
    inputs: NDArray[np.uint8]  # (1, H, W)
    reconstructions: NDArray[np.uint8]
    code: NDArray[np.float32]  # (d,)
    scores: dict[str, float]


# ------------------------------------------------------------------------------------------------------ which image


def most_suspicious() -> int:
    """The row that the page begins with: the highest score in the chosen subsets."""
    here = np.flatnonzero(samples(run, ("subset",))["subset"].isin(subsets).to_numpy())
    values = score_values(run, score)[here]
    return int(here[np.argmax(np.where(np.isnan(values), -np.inf, values))])


def go_to(sample_id: str) -> None:
    st.session_state["image"] = sample_id


def chosen_row() -> int | None:
    """The row of the sample that is asked for by id, or by a part of one; None where there is none."""
    ids = readers.ids(run)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        asked = st.text_input(
            "Sample",
            key="image",
            bind="query-params",
            placeholder=f"the highest {score}; or a sample id",
            width=240,
            help="A sample id, or a part of one.",
        ).strip()
        matching = np.flatnonzero(ids == asked)
        if asked and not len(matching):
            matching = np.flatnonzero(ids.str.contains(asked, case=False, regex=False))
        row = most_suspicious() if not asked else int(matching[0]) if len(matching) else None
        for label, icon, by, key in (("Previous", "arrow_back", -1, "p"), ("Next", "arrow_forward", 1, "n")):
            st.button(
                label,
                icon=f":material/{icon}:",
                on_click=go_to,
                args=(ids[((row or 0) + by) % len(ids)],),
                key=f"image_{label}",
                shortcut=key,
                disabled=row is None,
            )
        if len(matching) > 1:
            st.caption(f"The first of {len(matching):,} ids that contain this.")
    if row is None:
        st.info(f"No sample of this Run has {escaped(asked)} in its id.", icon=":material/search_off:")
    return row


def of_run(row: int) -> Subject:
    rows = np.array([row])
    return Subject(
        str(readers.ids(run)[row]),
        row,
        run.images("inputs", rows),
        run.images("reconstructions", rows),
        next(run.latent_blocks(rows))[0],
        {name: float(score_values(run, name)[row]) for name in scores.offered(run)},
    )


def of_upload() -> Subject | None:
    """The uploaded image as the Run's checkpoint sees it; None until there is one that can be read."""
    file = st.file_uploader(
        "An image of a face",
        key="upload",
        max_upload_size=uploaded.MOST_MEGABYTES,
        help="JPEG, PNG, WebP, AVIF, JPEG 2000, TIFF, BMP, GIF or PNM. It is cut and scaled as the Run's images were.",
    )
    st.caption("The image stays in this machine's memory while the page is open. It is never written to disk.")
    if file is None:
        return None
    try:
        with st.spinner("Asking the model …"):
            one = uploaded.judged(run, file.getvalue())
    except images.UnreadableImageError as error:
        st.error(f"{escaped(file.name)}: {escaped(str(error))}", icon=":material/broken_image:")
        return None
    return Subject(file.name, None, one.inputs, one.reconstructions, one.code, one.scores)


# ---------------------------------------------------------------------------------------------- compared with others


@st.cache_resource(max_entries=8, show_spinner=False)
def classes(digest: str, _run: Run) -> dict[str, NDArray[np.int64]]:
    """Rows of the training live images, of the other live ones, and of every attack species."""
    about = samples(_run, ("subset", "label", "pai_species"))
    is_attack = (about["label"] == ATTACK).to_numpy()
    is_training = (about["subset"] == "train").to_numpy() & (about["label"] == BONA_FIDE).to_numpy()
    species = metrics.species_names(is_attack, about["pai_species"])
    found = {LIVE_TRAINING: is_training, "other live": ~is_attack & ~is_training}
    found |= {str(name): is_attack & (species == name) for name in sorted(set(species[is_attack]))}
    return {name: np.flatnonzero(here) for name, here in found.items() if here.any()}


@st.cache_resource(max_entries=256, show_spinner=False)
def reference(digest: str, name: str, of: str, _run: Run) -> NDArray[np.float64]:
    """The scores of one of `classes`, ascending."""
    return np.sort(score_values(_run, name)[classes(digest, _run)[of]])


def place(name: str, value: float, of: str) -> float:
    """The share of a class with a lower score, 0..1; NaN where the image has none."""
    return float(percentiles([value], reference(run.digest, name, of, run))[0])


def scores_table(subject: Subject) -> pd.DataFrame:
    """One row per score: its value, and what share of each class has a lower one, in whole percent."""
    rows = []
    for name, value in subject.scores.items():
        row: dict[str, Any] = {"Score": name, "Value": number(value)}
        for of in classes(run.digest, run):
            share = place(name, value, of)
            row[readable(of)] = None if math.isnan(share) else math.floor(100 * share)
        rows.append(row)
    return pd.DataFrame(rows)


def show_scores(subject: Subject) -> None:
    st.markdown("**Scores** · in % of each class that scores lower")
    found = scores_table(subject)
    columns: dict[str, Any] = {
        name: st.column_config.NumberColumn(
            format="%d %%", help=f"Share of the {len(rows):,} {readable(of)} with a lower score."
        )
        for of, rows in classes(run.digest, run).items()
        if (name := readable(of)) in found
    }
    st.dataframe(found, hide_index=True, column_config=columns)
    st.caption("Higher scores look more attack-like.")


# ---------------------------------------------------------------------------------------------------------- verdicts


@st.cache_resource(max_entries=32, show_spinner=False)
def decided(digest: str, name: str, level: str, _run: Run) -> NDArray[np.float64]:
    """(n,) for every sample, the score of the presentation that it is part of."""
    found = presentations.presentations(_run, score_values(_run, name), level)
    return found.values[found.of_frame]


def decided_value(subject: Subject, name: str, level: str) -> float:
    """What is compared with a threshold; an uploaded image is a presentation of its own."""
    if subject.row is None or level == FRAME:
        return subject.scores.get(name, math.nan)
    return float(decided(run.digest, name, level, run)[subject.row])


def verdict(value: float, threshold: float) -> str:
    if math.isnan(value):
        return "attack (no score)"
    return "attack" if metrics.is_attack([value], threshold)[0] else "bona fide"


def verdicts_table(subject: Subject) -> pd.DataFrame:
    """The sidebar's operating point, then the cards of this Run, newest first."""
    rows = []
    point, _ = sidebar.operating_point(run, score, sidebar.chosen_level(run), subsets)
    if point is not None:
        name = f"sidebar: {point.rule.words}"
        rows.append(_verdict(name, subject, score, sidebar.chosen_level(run), point.threshold))
    for _, content in cards.cards(cache_folder())[0]:
        if content["run"] != run.id or content["score"] not in subject.scores:
            continue
        name = f"card of {content['created'][:10]}{' by ' * bool(content['by'])}{content['by']}: "
        name += operating_point.rule(content["rule"]).words
        if content["run_digest"] != run.digest:
            name += "; its Run has changed"
        rows.append(_verdict(name, subject, content["score"], content["level"], float(content["threshold"])))
    return pd.DataFrame(rows, columns=["Operating point", "Verdict", "Score", "Value", "Threshold"])


def _verdict(name: str, subject: Subject, score: str, level: str, threshold: float) -> dict[str, str]:
    value = decided_value(subject, score, level)
    return {
        "Operating point": name if level == FRAME else f"{name}; per {level}",
        "Verdict": verdict(value, threshold),
        "Score": score,
        "Value": number(value),
        "Threshold": number(threshold),
    }


def show_verdicts(subject: Subject) -> None:
    st.markdown("**Verdicts**")
    found = verdicts_table(subject)
    if len(found):
        st.dataframe(
            found, hide_index=True, column_config={"Operating point": st.column_config.TextColumn(width="medium")}
        )
    if len(found) < 2:
        st.caption("No operating point of this Run is frozen yet: that is done on the page Operating points.")


# ------------------------------------------------------------------------------------------------ among other codes


@st.cache_resource(max_entries=8, show_spinner="Computing principal components …")
def plane(digest: str, _run: Run) -> tuple[projection.PrincipalComponents, NDArray[np.float32]]:
    """The principal components, and every code of the Run in the first two."""
    pca = projection.pca_of(_run)
    return pca, projection.coordinates(_run, pca)[:, :2]


def show_scatter(subject: Subject) -> None:
    """The codes of the Run in the plane, the image's among them."""
    pca, xy = plane(run.digest, run)
    if xy.shape[1] < 2:
        return
    about = samples(run, ("subset", "label", "pai_species"))
    kinds = groups_of(about)
    here = np.flatnonzero(about["subset"].isin(subsets).to_numpy())
    drawn = here[projection.sampled_rows(about["subset"].to_numpy(str)[here], MOST_POINTS, SEED)]
    x, y = (f"PC {i + 1} ({100 * pca.explained[i]:.0f} % of variance)" for i in (0, 1))
    made = plots.figure(x_title=x, y_title=y, height=460)
    for kind in in_group_order(sorted(set(kinds[drawn]))):
        rows = drawn[kinds[drawn] == kind]
        style = style_of(kind)
        made.add_scattergl(
            x=xy[rows, 0],
            y=xy[rows, 1],
            mode="markers",
            name=plots.plot_words(kind),
            marker={
                "color": style.colour,
                "size": 4,
                "opacity": 0.6,
                "symbol": "circle-open" if style.is_hollow else "circle",
            },
            hoverinfo="skip",
        )
    at = pca.applied(subject.code[np.newaxis])[0]
    made.add_trace(
        go.Scatter(
            x=at[:1],
            y=at[1:2],
            mode="markers",
            name="this image",
            marker={"symbol": "x", "size": 15, "color": "#000000", "line": {"color": "#FFFFFF", "width": 2}},
            hoverinfo="name",
        )
    )
    st.markdown("**Among the codes of the Run**")
    said = f"{len(drawn):,} of {len(here):,} codes" if len(drawn) < len(here) else f"all {len(drawn):,} codes"
    st.plotly_chart(
        made, key="image_scatter", alt=f"Scatter plot of {said} in two principal components; a cross is this image."
    )
    st.caption(f"A cross is this image; {said} of the chosen subsets are drawn.")


def show_nearest(subject: Subject) -> None:
    """The training live images with the nearest codes; one that is chosen becomes the page's."""
    if LIVE_TRAINING not in classes(run.digest, run):
        return
    distances, rows = (
        neighbours.nearest_to(run, subject.code[np.newaxis], NEAREST)
        if subject.row is None
        else neighbours.nearest(run, np.array([subject.row]), NEAREST)
    )
    ids = readers.ids(run)
    style = style_of("train")
    made = [
        component.Card(str(ids[row]), (f"distance {number(distance)}", str(ids[row])), "live, training", style.colour)
        for distance, row in zip(distances[0].tolist(), rows[0].tolist(), strict=True)
    ]
    st.markdown("**Nearest live training images** · by the distance of their codes")
    chosen = component.gallery(
        made,
        [
            component.Panel("original", run.images("inputs", rows[0])),
            component.Panel("reconstruction", run.images("reconstructions", rows[0])),
        ],
        key="nearest_images",
        size=64,
    )
    if chosen is not None:
        st.session_state["_go_to"] = chosen
        st.rerun()


# -------------------------------------------------------------------------------------------------------------- page


def answer(subject: Subject) -> str:
    """The page's answer in a sentence or two."""
    name = f"**{escaped(subject.name)}**"
    if subject.row is not None:
        kind = groups_of(samples(run, ("subset", "label", "pai_species")).iloc[[subject.row]])[0]
        name += f" ({escaped(readable(str(kind)))})"
    value = subject.scores[score]
    words = f"{name} has {escaped(score)} {number(value)}"
    known = classes(run.digest, run)
    if LIVE_TRAINING in known and not math.isnan(share := place(score, value, LIVE_TRAINING)):
        n = len(known[LIVE_TRAINING])
        words += f", higher than {'all' if share == 1 else f'{math.floor(100 * share)} %'} of {n:,} {LIVE_TRAINING}"
    point, problem = sidebar.operating_point(run, score, sidebar.chosen_level(run), subsets)
    if point is None:
        return f"{words}. {problem}"
    called = verdict(decided_value(subject, score, sidebar.chosen_level(run)), point.threshold)
    words += f". At the threshold {number(point.threshold)} it is called **{called}**"
    if subject.row is None:
        return f"{words}."
    label = str(samples(run, ("label",))["label"].iloc[subject.row])
    right = called.startswith("attack") == (label == ATTACK)
    wrong = "a missed attack" if label == ATTACK else "a live face turned away"
    return f"{words}, which is {'right' if right else f'wrong: {wrong}'}."


if "_go_to" in st.session_state:  # before the widgets that it changes
    st.session_state.update({"image": st.session_state.pop("_go_to"), "image_source": OF_RUN})
head = st.container()
with st.container(horizontal=True, vertical_alignment="bottom"):
    source = st.segmented_control(
        "Image", [OF_RUN, UPLOAD], default=OF_RUN, key="image_source", bind="query-params", required=True
    )
    with st.popover("Display", icon=":material/tune:"):
        display = component.display_controls(sizes=False, ssim=True)
if source == UPLOAD:
    subject = of_upload()
else:
    row = chosen_row()
    subject = None if row is None else of_run(row)

if subject is None:
    if source == UPLOAD:
        head.write("Upload an image to see what this model makes of it, and how it compares with live faces.")
    st.stop()
head.write(answer(subject))
zoomed(subject.name, display.of_images(subject.inputs, subject.reconstructions), key="image_panes")
if subject.row is not None:
    marking.form(run, subject.name, with_name=True)
    st.page_link(
        "views/traversal.py",
        label="Decode around it",
        icon=":material/route:",
        query_params=link_params() | {"sample": subject.name, "decode": "Along a direction"},
    )
left, right = st.columns(2, gap="medium")
with left:
    show_scores(subject)
    show_verdicts(subject)
    show_nearest(subject)
with right:
    show_scatter(subject)
    if subject.row is not None:
        st.markdown("**Metadata**")
        st.dataframe(metadata(run, subject.row), hide_index=True, height="content")
