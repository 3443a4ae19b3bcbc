"""Training: how each training went, whether it is still learning, and which epoch was kept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from app.components.command import show_command
from app.parts.head import head
from app.session import identity, saved
from app.session.address import keep_valid
from app.session.cache import cached, keyed
from app.session.page import errors_shown
from app.session.readers import cache_folder
from app.session.tables import show_rows
from app.training.reconstructions import show_reconstructions
from app.training.sweeps import show_sweeps
from app.training.training_curves import EPOCHS, IMAGES, STEPS, batch_size, show_curves
from app.words import escaped
from fas_core.access.roles import Right
from fas_core.data.names import readable
from fas_core.errors import BadInputError
from fas_core.evaluation import trainings
from fas_core.evaluation.trainings import amount
from fas_core.runs import traininglog
from fas_core.runs.traininglog import Training

EVERY, RARELY = 2.0, 10.0  # seconds between looks at trainings under way, and at those that may begin or go on
LONG = 4e6  # bytes of a log that take a tenth of a second to read
MOST = 4  # trainings over each other: as many as there are line styles
WHAT_DEV_IS = (
    "Dev: live images that are kept out of training. After every epoch the loss is measured on them, and the "
    "checkpoint of the epoch with the lowest one is kept."
)


@keyed
@dataclass(frozen=True)
class Logged:
    """What a training has logged so far."""

    training: Training
    stamp: tuple[int, int]

    @property
    def digest(self) -> str:
        return repr((str(self.training.checkpoint), self.stamp))


def logged(training: Training) -> Logged:
    return Logged(training, training.stamp)


@cached(entries=8)
def log(of: Logged) -> pd.DataFrame:
    """Shared between sessions: do not change it."""
    return of.training.log()


@cached(entries=512)
def summary(of: Logged) -> tuple[int | None, float | None]:
    """The kept epoch and its dev loss."""
    return trainings.summary(of.training, log(of))


def label_of(training: Training) -> str:
    return f"{training.name} ({training.id[:6]})"


def show_settings(chosen: dict[str, Training], letters: dict[str, str]) -> None:
    """What was trained with which numbers; those that differ come first."""
    columns = {letters[label] or "Value": training.experiment for label, training in chosen.items()}
    names = list(dict.fromkeys(name for settings in columns.values() for name in settings if name != "name"))
    rows = [{"Setting": readable(name)} | {k: as_text(v.get(name)) for k, v in columns.items()} for name in names]
    rows.sort(key=lambda row: len(set(list(row.values())[1:])) == 1)
    with st.expander("Settings" if len(chosen) == 1 else "Settings, those that differ first"):
        show_rows(pd.DataFrame(rows), "settings", key="settings")


def as_text(value: object) -> str:
    if value is None:
        return "–"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def show_all(everything: Sequence[Training]) -> None:
    st.header("Which trainings are there?")
    rows = []
    for training in everything:
        kept, value = summary(logged(training))
        rows.append(
            {
                "Training": label_of(training),
                "Model": str(training.experiment.get("model", "")),
                "State": training.state,
                "Epochs": f"{training.done // training.steps_per_epoch:,} of {training.epochs:,}",
                "Kept": None if kept is None else kept + 1,
                "Dev loss": "" if value is None else amount(training, value),
                "Started": pd.Timestamp(training.started, unit="s").floor("s"),
            }
        )
    show_rows(
        pd.DataFrame(rows),
        "all_trainings",
        key="all_trainings",
        column_config={
            "Kept": st.column_config.NumberColumn(help="The epoch whose checkpoint was kept."),
            "Dev loss": st.column_config.TextColumn(help="Of that epoch. Units differ between kinds of models."),
            "Started": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm", help="UTC"),
        },
    )


def nothing_yet() -> None:
    st.header("There is no training yet")
    st.write(
        "While a training runs, this page shows its losses and reconstructions, and keeps them afterwards. "
        "Start one in a terminal:"
    )
    show_command(
        "# your images, listed in m.csv\nfas train small_dcvae --data m.csv --out m.safetensors\n"
        "# rendered faces, small models, their Runs\nfas demo",
    )


def chosen_of(everything: Sequence[Training]) -> tuple[dict[str, Training], str]:
    """Trainings to lay over each other, by label, and the unit of the x axis."""
    by_label = {label_of(training): training for training in everything}
    default = list(by_label)[:1]
    keep_valid("trainings", list(by_label), default)
    with st.popover("Trainings"):
        wanted = st.multiselect(
            "Trainings",
            list(by_label),
            default=default,
            max_selections=MOST,
            select_all=False,
            wrap=True,
            key="trainings",
            bind="query-params",
            placeholder="Choose trainings",
            help=f"Up to {MOST} are laid over each other.",
        )
        has_images = all(batch_size(training) for training in everything)
        unit = st.segmented_control(
            "Over",
            [EPOCHS, STEPS, *([IMAGES] if has_images else [])],
            default=EPOCHS,
            required=True,
            key="over",
            bind="query-params",
            help="Trainings with other batch sizes compare by the images they have seen.",
        )
    return {label: by_label[label] for label in wanted}, str(unit)


def pause(everything: Sequence[Training]) -> float | None:
    """Seconds until the next look; None where nothing is expected to change."""
    running = [training for training in everything if training.state == "running"]
    if running:  # a log is read as a whole: the longer, the more rarely
        return EVERY * max(1.0, *(training.stamp[1] / LONG for training in running))
    recent = time.time() - 3600
    may_go_on = any(t.state == "interrupted" and t.stamp[0] / 1e9 > recent for t in everything)
    return RARELY if may_go_on or not everything else None


def states_of(everything: Sequence[Training]) -> list[tuple[str, str]]:
    return [(training.id, training.state) for training in everything]


def show() -> None:
    """The whole page; run again every few seconds while that can change."""
    everything = traininglog.trainings(cache_folder())
    if states_of(everything) != st.session_state.get("_trainings_seen"):
        st.rerun()  # the whole page decides whether to look again
    top = head("Training")
    if not everything:
        nothing_yet()
        return
    with top.beside:
        chosen, unit = chosen_of(everything)
    if not chosen:
        st.info("No training is chosen. Choose at least one under Trainings.", icon=":material/filter_alt:")
    else:
        saved.shown_instead(list(chosen))
        saved.menus("trainings")
        letters = {label: "ABCD"[i] if len(chosen) > 1 else "" for i, label in enumerate(chosen)}
        logs = {label: log(logged(training)) for label, training in chosen.items()}
        for label, training in chosen.items():
            name = f"{letters[label]}: {escaped(training.name)}" if letters[label] else escaped(training.name)
            top.answer.write(trainings.answer(training, name, logs[label]))
        show_curves(chosen, letters, logs, unit)
        st.caption("Kept is the checkpoint of the epoch with the lowest dev loss.", help=WHAT_DEV_IS)
        show_settings(chosen, letters)
        show_sweeps(everything)
        with st.container():
            try:
                show_reconstructions(chosen, logs)
            except BadInputError as error:
                st.warning(escaped(str(error)), icon=":material/warning:")
    show_all(everything)


def page() -> None:
    identity.needs(Right.NUMBERS, None, "The page Training, which is of no single Run,")
    known = traininglog.trainings(cache_folder())
    st.session_state["_trainings_seen"] = states_of(known)

    @st.fragment(run_every=pause(known))
    def live() -> None:
        with errors_shown():
            show()

    live()


if __name__ == "__main__":
    page()
