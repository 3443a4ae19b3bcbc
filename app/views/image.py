"""Image: what the model makes of one image, of the Run or uploaded, and how that compares with live ones."""

import math

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app.charts import codes
from app.components import gallery as component
from app.components.before_after import before_after
from app.components.zoom import zoomed
from app.looking import around, filmstrip, in_runs, nearest, reviewing
from app.looking import subject as subjects
from app.looking.subject import Subject
from app.parts import columns, marking, sample, standing
from app.parts.head import Head, head
from app.parts.standing import LIVE_TRAINING
from app.session import faces, identity, operating, readers, sidebar, uploads
from app.session.address import link_params, switch
from app.session.readers import cache_folder, decided_values, score_values
from app.session.sidebar import Shown
from app.session.tables import show_rows
from app.words import escaped, label_of, number, threshold_text
from fas_core import scores
from fas_core.access.roles import Right
from fas_core.data.names import ATTACK, readable
from fas_core.deciding import card as cards
from fas_core.evaluation.presentations import FRAME
from fas_core.evaluation.verdicts import called
from fas_core.runs.store import Run

OF_RUN, UPLOAD = "Of the Run", "Upload"

# ------------------------------------------------------------------------------------------------------ which image


def rows_shown(shown: Shown) -> NDArray[np.intp]:
    """Those of the chosen subsets."""
    is_shown = columns.shown_rows(shown.run, shown.subsets)
    return np.arange(len(shown.run)) if is_shown is None else np.flatnonzero(is_shown)


def most_suspicious(shown: Shown) -> int:
    """The row that the page begins with: the highest score in the chosen subsets."""
    here = rows_shown(shown)
    values = score_values(shown.run, shown.score)[here]
    return int(here[np.argmax(np.where(np.isnan(values), -np.inf, values))])


def asked_for(shown: Shown) -> int | None:
    """The row of the sample that is asked for by id, or by a part of one; None where there is none."""
    asked = st.text_input(
        "Sample",
        key="image",
        bind="query-params",
        placeholder=f"the highest {shown.score}; or a sample id, or a part of one",
        width=300,
        label_visibility="collapsed",
    ).strip()
    if not asked:
        return most_suspicious(shown)
    matching = sample.matching(readers.ids(shown.run), asked)
    if len(matching) and str(readers.ids(shown.run)[matching[0]]) != asked:
        sample.say_another(asked, len(matching))
    return int(matching[0]) if len(matching) else None


# ---------------------------------------------------------------------------------------------------------- verdicts


def decided_value(run: Run, subject: Subject, score: str, level: str) -> float:
    """What is compared with a threshold; an uploaded image is a presentation of its own."""
    if subject.row is None or level == FRAME:
        return subject.scores.get(score, math.nan)
    return float(decided_values(run, score, level)[subject.row])


def verdicts_table(shown: Shown, subject: Subject) -> pd.DataFrame:
    """The sidebar's operating point, then the cards of this Run, newest first."""
    run, rows = shown.run, []
    point, _ = operating.operating_point(run, shown.score, shown.level, shown.subsets)
    if point is not None:
        name = f"sidebar: {point.rule.words}"
        rows.append(_verdict(name, run, subject, shown.score, shown.level, point.threshold))
    for _, card in cards.cards(cache_folder())[0]:
        if card.run != run.id or card.score not in subject.scores:
            continue
        name = f"card of {card.created[:10]}{' by ' * bool(card.by)}{card.by}: "
        name += card.rule.words
        if card.run_digest != run.digest_of(card.score):
            name += "; its Run has changed"
        rows.append(_verdict(name, run, subject, card.score, card.level, card.threshold))
    return pd.DataFrame(rows, columns=["Operating point", "Verdict", "Score", "Value", "Threshold"])


def _verdict(name: str, run: Run, subject: Subject, score: str, level: str, threshold: float) -> dict[str, str]:
    value = decided_value(run, subject, score, level)
    return {
        "Operating point": name if level == FRAME else f"{name}; per {level}",
        "Verdict": called(value, threshold),
        "Score": score,
        "Value": number(value),
        "Threshold": threshold_text(threshold),
    }


def show_verdicts(shown: Shown, subject: Subject) -> None:
    st.markdown("**Verdicts**")
    table = verdicts_table(shown, subject)
    if len(table):
        show_rows(table, "verdicts", column_config={"Operating point": st.column_config.TextColumn(width="medium")})
    if len(table) < 2:
        st.caption("No operating point of this Run is frozen yet: that is done on the page Operating points.")


# ------------------------------------------------------------------------------------------------ among other codes


def show_scatter(shown: Shown, code: NDArray[np.float32]) -> None:
    """The codes of the Run in the plane, the image's among them."""
    run = shown.run
    if len(run) < 2:
        return
    pca, points = readers.principal_components(run), around.of_subsets(run, shown.subsets)
    if points.xy.shape[1] < 2:
        return
    x, y = (f"PC {i + 1} ({100 * pca.explained[i]:.0f} % of variance)" for i in (0, 1))
    at = pca.applied(code[np.newaxis])[0][:2]
    st.markdown("**Among the codes of the Run**")
    n = len(points.xy)
    said = f"{n:,} of {points.n:,} codes" if n < points.n else f"all {n:,} codes"
    st.echarts_chart(
        codes.among(points.xy, points.groups, at, titles=(x, y)),
        key="image_scatter",
        height=codes.HEIGHT,
        alt=f"Scatter plot of {said} in two principal components; a cross is this image.",
    )
    st.caption(f"A cross is this image; {said} of the chosen subsets are drawn.")


def show_in_runs(shown: Shown, subject: Subject, display: component.Display) -> None:
    """The sample in every Run of the same data, and any two of all these images with an edge between them."""
    held = in_runs.everywhere(shown, subject)
    picked = in_runs.show(shown, held, display)
    if picked is not None:
        run, st.session_state["_go_to"] = picked
        st.query_params["run"] = label_of(run)
        st.rerun()
    panels = display.of_images(subject.images(shown.run))
    if len(panels) < 2:
        return
    with st.expander("Slide one image over another", icon=":material/compare:"):
        with_some = [(label_of(other.run), other) for other in held[1:] if "reconstructions" in faces.kinds(other.run)]
        of_others = [
            component.picture(f"reconstruction, {name}", faces.images(other.run, "reconstructions", [other.row]))
            for name, other in with_some
        ]
        before_after(subject.name, [*panels, *of_others], key="image_slider")


def show_nearest(run: Run, subject: Subject) -> None:
    """The images nearest to this one; one that is chosen becomes the page's."""
    chosen = nearest.show(run, subject)
    if chosen is not None:
        st.session_state["_go_to"] = chosen
        st.rerun()


def show_later(sample_id: str) -> None:
    """The page's next run is about this sample."""
    st.session_state["_go_to"] = sample_id


# -------------------------------------------------------------------------------------------------------------- page


def answer(shown: Shown, subject: Subject) -> str:
    """The page's answer in a sentence or two."""
    run, score = shown.run, shown.score
    name, about = f"**{escaped(subject.name)}**", None
    if subject.row is not None:
        about = columns.about(run, np.array([subject.row])).iloc[0]
        name += f" ({escaped(readable(about['group']))})"
    value = subject.scores.get(score, math.nan)
    if score not in subject.scores:
        why = "is of frames of a video" if scores.is_of_videos(run, score) else "was joined from a file"
        return f"{name} has no {escaped(score)}, which {why}. Choose another score in the sidebar."
    words = f"{name} has {escaped(score)} {number(value)}"
    share = standing.percent(run, score, value)
    if share is not None:
        of_them = "all" if share == 100 else f"{share} %"
        words += f", higher than {of_them} of {standing.sizes(run, score)[LIVE_TRAINING]:,} {LIVE_TRAINING}"
    point, problem = operating.operating_point(run, score, shown.level, shown.subsets)
    if point is None:
        return f"{words}. {problem}"
    verdict = called(decided_value(run, subject, score, shown.level), point.threshold)
    words += f". At the threshold {number(point.threshold)} it is called **{verdict}**"
    if about is None:
        return f"{words}."
    is_attack = about["label"] == ATTACK
    right = verdict.startswith("attack") == is_attack
    wrong = "a missed attack" if is_attack else "a live face turned away"
    return f"{words}, which is {'right' if right else f'wrong: {wrong}'}."


def chosen_subject(shown: Shown, top: Head) -> tuple[Subject | None, bool, component.Display]:
    """The image asked for, if there is one; whether it is to be uploaded; and how it is shown."""
    row, sees = None, identity.may(Right.PICTURES, shown.run)
    display = component.Display(component.SIZE, component.ERROR_LIMIT, signed=False)
    with top.controls:
        source = switch("Image", [OF_RUN, UPLOAD] if sees else [OF_RUN], "image_source")
        if source == OF_RUN:
            row = asked_for(shown)
        if sees:
            with st.popover("Display", icon=":material/tune:"):
                display = component.display_controls(sizes=False, ssim=True)
        if source == OF_RUN and identity.may(Right.MARK, shown.run):
            with st.popover("Marks", icon=":material/star:", key="marks_menu", on_change="rerun"):
                marking.menu(shown.run)
    if source == UPLOAD:
        return subjects.uploaded(shown), True, display
    uploads.leave()
    if row is None:
        sample.say_missing(str(st.session_state["image"]))
        return None, False, display
    return subjects.of_run(shown.run, row, shown.score), False, display


def show(shown: Shown, subject: Subject, display: component.Display) -> None:
    """Everything about one image."""
    run = shown.run
    if images := subject.images(run):
        zoomed(subject.name, display.of_images(images), key="image_panes")
    sees = identity.may(Right.PICTURES, run)
    if not sees and run.pictures:
        st.caption(f":material/lock: Images {faces.FOR_WHOM}")
    sidebar.say_missing(run, "inputs", "reconstructions", "latents")
    if subject.row is not None:
        reviewing.follow(shown, subject.row, key="image")
        if run.info.checkpoint and sees:
            around = {"sample": subject.name, "decode": "Along a direction"}
            way = link_params() | around
            st.page_link("views/traversal.py", label="Decode around it", icon=":material/route:", query_params=way)
        filmstrip.show(shown, subject.row, show_later)
    show_in_runs(shown, subject, display)
    show_nearest(run, subject)
    left, right = st.columns(2, gap="medium")
    with left:
        standing.show_by_class(run, subject.scores)
        show_verdicts(shown, subject)
    with right:
        if subject.code is not None:
            show_scatter(shown, subject.code)
        if subject.row is not None:
            st.markdown("**Metadata**")
            sample.show_metadata(run, subject.row)


def image() -> None:
    shown = sidebar.shown()
    top = head("Image")
    sidebar.needs(shown.run, "A single image")
    if "_go_to" in st.session_state:  # before the widgets that it changes
        st.session_state.update({"image": st.session_state.pop("_go_to"), "image_source": OF_RUN})
    subject, is_upload, display = chosen_subject(shown, top)
    if subject is not None:
        top.answer.write(answer(shown, subject))
        show(shown, subject, display)
    elif is_upload:
        top.answer.write("Upload an image to see what this model makes of it, and how it compares with live faces.")


if __name__ == "__main__":
    image()
