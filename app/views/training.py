"""Training: how each training went, whether it is still learning, and which epoch was kept."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from app import words as words_module
from app.charts.trainings import TrainingCurve, training_curves
from app.session.page import errors_shown
from app.session.readers import cache_folder
from app.words import escaped
from fas_core.data.names import readable
from fas_core.errors import BadInputError
from fas_core.runs import traininglog
from fas_core.runs.traininglog import Samples, Training

EVERY, RARELY = 2.0, 10.0  # seconds between looks at trainings under way, and at those that may begin or go on
LONG = 4e6  # bytes of a log that take a tenth of a second to read
MOST = 4  # trainings over each other: as many as there are line styles
MOST_POINTS = 600  # single steps drawn per curve
EPOCHS, STEPS, IMAGES = "Epochs", "Steps", "Images seen"
RESET = "disc_reset"
LEARNING_RATE = "learning_rate"
STRIP = 6  # epochs beneath each other
SIDE = 128  # pixels of the screen per image
GAP = 4

# Title, unit, explanation. `rec` means another thing in the family of models that have no ELBO.
TERMS = {
    "elbo": (
        "Negative ELBO",
        "nats",
        "What a VAE minimises: its reconstruction loss plus its KL divergence, weighted.",
    ),
    "rec": ("Reconstruction", "nats", "Cross-entropy of the reconstructed pixels, summed over an image."),
    "kl": ("KL divergence", "nats", "How far the codes of images are from the standard normal distribution."),
    "excess_bce": (
        "Excess reconstruction",
        "nats",
        "Reconstruction loss without the part that even a perfect reconstruction has.",
    ),
    "enc": ("Code difference", "", "Mean squared difference of an image's code and that of its reconstruction."),
    "adv": (
        "Feature difference",
        "",
        "Adversarial term: how differently the discriminator sees an image and its reconstruction.",
    ),
    "total": ("Generator, all terms", "", "What the generator minimises: the weighted sum of its terms."),
    "disc": ("Discriminator", "nats", "Cross-entropy of telling images from reconstructions; 0.69 is guessing."),
    "pixel_l1": ("Mean error per pixel", "", "Of the pixel range 0 to 1."),
    "pixel_l2": ("RMS error per pixel", "", "Root mean square, of the pixel range 0 to 1."),
    "ssim": ("Structural similarity", "", "SSIM: 1 for equal images. Higher is better."),
    LEARNING_RATE: ("Learning rate", "", "How large a step is."),
}
REC_WITHOUT_ELBO = (
    "Reconstruction (L1)",
    "",
    "Mean absolute difference of image and reconstruction, both from −1 to 1.",
)
WHAT_DEV_IS = (
    "Dev: live images that are kept out of training. After every epoch the loss is measured on them, and the "
    "checkpoint of the epoch with the lowest one is kept."
)


def label_of(training: Training) -> str:
    return f"{training.name} ({training.id[:6]})"


def is_vae(training: Training) -> bool:
    return str(training.experiment.get("model", "")).endswith("vae")


def words_of(term: str, vae: bool) -> tuple[str, str, str]:
    """Title, unit and explanation of a term."""
    if term == "rec" and not vae:
        return REC_WITHOUT_ELBO
    return TERMS.get(term, (readable(term), "", ""))


@st.cache_resource(max_entries=8, show_spinner=False)
def _log(checkpoint: str, stamp: tuple[int, int], _training: Training) -> pd.DataFrame:
    return _training.log()


def log_of(training: Training) -> pd.DataFrame:
    """Shared between sessions: do not change it."""
    return _log(str(training.checkpoint), training.stamp, training)


@st.cache_resource(max_entries=8, show_spinner=False)
def _samples(checkpoint: str, stamp: tuple[int, int], _training: Training) -> Samples | None:
    return _training.samples()


def stamp_of_samples(training: Training) -> tuple[int, int]:
    try:
        found = traininglog.samples_file(training.checkpoint).stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


def samples_of(training: Training) -> Samples | None:
    return _samples(str(training.checkpoint), stamp_of_samples(training), training)


def follow_default(key: str, options: Sequence[object], default: object) -> None:
    """Who has kept to the default goes on keeping to it when it changes; a choice no longer offered is forgotten."""
    before = st.session_state.get(f"_default_{key}")
    st.session_state[f"_default_{key}"] = default
    if key in st.session_state:
        value = st.session_state[key]
        chosen = value if isinstance(value, list) else [value]
        if (value == before and value != default) or not all(one in options for one in chosen):
            st.session_state[key] = default


# ------------------------------------------------------------------------------------------------ the answer


def duration(seconds: float) -> str:
    for limit, unit, name in ((100, 1, "s"), (100 * 60, 60, "min"), (48 * 3600, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f}\u00a0{name}"
    return f"{seconds / 86400:.0f}\u00a0days"


def dev_of(training: Training, log: pd.DataFrame) -> pd.Series:
    """The values that choose the checkpoint, by epoch."""
    rows = log[log["split"] == "dev"].drop_duplicates("epoch", keep="last")
    if training.chosen_by not in rows:
        return pd.Series(dtype=float)
    return rows.set_index("epoch")[training.chosen_by].dropna()


def amount(training: Training, value: float) -> str:
    unit = words_of(training.chosen_by, is_vae(training))[1]
    return f"{words_module.number(value)}\u00a0{unit}" if unit else words_module.number(value)


def answer(training: Training, letter: str, log: pd.DataFrame) -> str:
    """One training in a sentence or two: how far, what was kept, whether it was still learning."""
    name = f"{letter}: {escaped(training.name)}" if letter else escaped(training.name)
    return f"**{name}** {how_far(training)} {what_was_kept(training, log)}{resets(log)}"


def how_far(training: Training) -> str:
    epochs = f"{training.epochs:,} epoch{'s' if training.epochs != 1 else ''}"
    if training.state == "finished":
        return f"has finished its {epochs}."
    at = f"epoch **{min(training.done // training.steps_per_epoch + 1, training.epochs):,} of {training.epochs:,}**"
    if training.state == "running":
        left = training.seconds_left()
        return f"is in {at}{'' if left is None else f', about {duration(max(left, 1))} left'}."
    ago = duration(time.time() - training.stamp[0] / 1e9)
    return f"was interrupted in {at}, {ago} ago; the same command with `--resume` goes on."


def what_was_kept(training: Training, log: pd.DataFrame) -> str:
    kept = traininglog.kept_epoch(log, training.chosen_by)
    if kept is None:
        return "Its first epoch has not ended, so there is no checkpoint yet."
    dev, last = dev_of(training, log), int(log.loc[log["split"] == "dev", "epoch"].max())
    is_over = training.state == "finished"
    if dev.empty:
        return f"No images were kept out of training, so the last epoch counts: the checkpoint is that of {kept + 1:,}."
    words = f"The dev loss {'was' if is_over else 'is'} lowest in epoch **{kept + 1:,}** "
    words += f"({amount(training, dev[kept])}), that checkpoint {'was' if is_over else 'is'} kept"
    if last > kept:
        return (
            f"{words}; the {'epoch' if last == kept + 1 else f'{last - kept:,} epochs'} after it brought nothing more."
        )
    if len(dev) == 1:
        return f"{words}."
    gain, total = float(dev.iloc[:-1].min() - dev[kept]), float(dev.iloc[0] - dev[kept])
    if gain < 0.01 * total:
        return f"{words}. It is nearly level: the last epoch brought {amount(training, gain)}."
    more = "was still falling, so more epochs may help" if is_over else "is still falling"
    return f"{words}. It {more}: the last epoch brought {amount(training, gain)}."


def resets(log: pd.DataFrame) -> str:
    n = int(log[RESET].sum()) if RESET in log else 0
    return f" The discriminator was re-initialised {n:,} time{'s' if n != 1 else ''}." if n else ""


# ------------------------------------------------------------------------------------------------ curves


def per_step(training: Training, unit: str) -> float:
    """What one step is worth on the x axis."""
    if unit == EPOCHS:
        return 1 / training.steps_per_epoch
    return batch_size(training) if unit == IMAGES else 1


def batch_size(training: Training) -> int:
    given = training.experiment.get("batch_size")
    return given if isinstance(given, int) and given > 0 else 0


def window_of(training: Training) -> int:
    """Steps of the running mean: a quarter of an epoch, and never too few to see through the noise of a long one."""
    return max(1, training.steps_per_epoch // 4, training.steps // 200)


@dataclass(frozen=True)
class Parts:
    """A log by kind of row, split once for all panels."""

    train: pd.DataFrame
    dev: pd.DataFrame
    kept: NDArray[np.bool_]  # of the dev rows


def parts_of(training: Training, log: pd.DataFrame) -> Parts:
    is_dev = (log["split"] == "dev").to_numpy()
    dev = log[is_dev]
    kept = dev["epoch"] == traininglog.kept_epoch(dev, training.chosen_by)
    return Parts(log[~is_dev], dev, kept.to_numpy(bool))


def curve_of(training: Training, letter: str, parts: Parts, term: str, unit: str) -> TrainingCurve:
    each = per_step(training, unit)

    def points(rows: pd.DataFrame) -> NDArray[np.float64]:
        return np.column_stack([(rows["step"].to_numpy(float) + 1) * each, rows[term].to_numpy(float)])

    train, dev = points(parts.train), points(parts.dev)
    nothing = np.empty((0, 2))
    has_dev, is_exact = bool(np.isfinite(dev[:, 1]).any()), term == LEARNING_RATE  # nothing to smooth
    mean = train if is_exact else np.column_stack([train[:, 0], traininglog.smoothed(train[:, 1], window_of(training))])
    # Strides follow from the planned steps, not from those done: what is drawn stays where it is while more comes.
    stride = stride_of(training)
    events = train[(parts.train[RESET] == 1).to_numpy(), 0] if term == "disc" and RESET in parts.train else np.empty(0)
    return TrainingCurve(
        letter=letter,
        epochs=dev if has_dev else nothing,
        kept=dev[parts.kept] if has_dev else nothing,
        steps=mean[:: max(1, stride // 2)],
        points=nothing if is_exact or letter else train[::stride],
        settled_from=0.0 if is_exact else training.steps_per_epoch * each / 2,
        events=events.tolist(),
    )


def stride_of(training: Training) -> int:
    """One of how many single steps is drawn."""
    return max(1, -(-training.steps // MOST_POINTS))


def panels(chosen: dict[str, Training], logs: dict[str, pd.DataFrame]) -> list[tuple[str, bool]]:
    """(term, is of a VAE) of every term that has values: what chooses the checkpoint first, the learning rate last."""
    found = []
    for label, training in chosen.items():
        log = logs[label]
        terms = [name for name in log.columns[len(traininglog.COLUMNS) :] if name != RESET and log[name].notna().any()]
        terms.sort(key=lambda term, by=training.chosen_by: term != by)  # type: ignore[misc]
        found += [(term, is_vae(training) if term == "rec" else True) for term in (*terms, LEARNING_RATE)]
    unique = dict.fromkeys(found)
    return sorted(unique, key=lambda panel: panel[0] == LEARNING_RATE)


def show_curves(chosen: dict[str, Training], letters: dict[str, str], logs: dict[str, pd.DataFrame], unit: str) -> None:
    x_title = {EPOCHS: "epoch", STEPS: "step", IMAGES: "images seen"}[unit]
    x_max = max(training.steps * per_step(training, unit) for training in chosen.values())
    parts = {label: parts_of(training, logs[label]) for label, training in chosen.items()}
    grid = st.grid(3, min_column_width=220, gap="small")
    for term, vae in panels(chosen, logs):
        title, measure, explanation = words_of(term, vae)
        curves = [
            curve_of(training, letters[label], parts[label], term, unit)
            for label, training in chosen.items()
            if term in logs[label] and (term != "rec" or is_vae(training) == vae)
        ]
        with grid.cell(), st.container(gap=None):
            st.markdown(f"**{escaped(title)}**{f', {measure}' if measure else ''}", help=explanation or None)
            st.echarts_chart(
                training_curves(curves, x_title=x_title, x_max=x_max),
                key=f"curve_{term}_{vae}",
                height=230,
                alt=f"{title} over {unit.lower()}",
            )
    st.caption(about_curves(chosen, logs))


def about_curves(chosen: dict[str, Training], logs: dict[str, pd.DataFrame]) -> str:
    windows = sorted({window_of(training) for training in chosen.values()})
    over = f"{windows[0]:,}" if len(windows) == 1 else f"{windows[0]:,} to {windows[-1]:,}"
    words = "Blue: dev images, after every epoch; large dot: the epoch that was kept. "
    words += f"Gray: training images, running mean over {over} steps"
    if len(chosen) == 1:
        [training] = chosen.values()
        stride = stride_of(training)
        words += f"; faint points: {'single steps' if stride == 1 else f'one step in {stride:,}'}"
    words += ". What the first half epoch does beyond the scale is cut off."
    if any(resets(log) for log in logs.values()):
        words += " Red triangles: the discriminator was re-initialised."
    return words


def show_settings(chosen: dict[str, Training], letters: dict[str, str]) -> None:
    """What was trained with which numbers; those that differ come first."""
    columns = {letters[label] or "Value": training.experiment for label, training in chosen.items()}
    names = list(dict.fromkeys(name for settings in columns.values() for name in settings if name != "name"))
    rows = [{"Setting": readable(name)} | {k: as_text(v.get(name)) for k, v in columns.items()} for name in names]
    rows.sort(key=lambda row: len(set(list(row.values())[1:])) == 1)
    with st.expander("Settings" if len(chosen) == 1 else "Settings, those that differ first"):
        st.dataframe(pd.DataFrame(rows), hide_index=True, key="settings")


def as_text(value: object) -> str:
    if value is None:
        return "–"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


# ------------------------------------------------------------------------------------------------ reconstructions


def show_reconstructions(chosen: dict[str, Training], logs: dict[str, pd.DataFrame]) -> None:
    st.subheader("What do its reconstructions look like?" if len(chosen) == 1 else "What do reconstructions look like?")
    label = next(iter(chosen))
    if len(chosen) > 1:
        follow_default("samples_of", list(chosen), label)
        label = st.segmented_control(
            "Training", list(chosen), default=label, format_func=escaped, required=True, key="samples_of",
            bind="query-params",
        )  # fmt: skip
    training = chosen.get(str(label), next(iter(chosen.values())))
    samples = samples_of(training)
    if samples is None or not samples.epochs or not len(samples.inputs):
        when = "after its first epoch" if training.state == "running" else "by a training that ends an epoch"
        st.info(f"There are no reconstructions of {escaped(training.name)}: they are written {when}.")
        return
    kept = traininglog.kept_epoch(logs[label_of(training)], training.chosen_by)
    with st.container():  # of its own: what stands below keeps its place when the slider appears
        epoch = chosen_epoch(training, samples, kept)
    st.write(about_images(samples, epoch))
    key = (training.id, stamp_of_samples(training))
    row_of_images("Original", samples, samples.inputs, key)
    mark = "  \nkept" if epoch == kept else ""
    row_of_images(f"**Epoch {epoch + 1:,}**{mark}", samples, samples.epochs[epoch], (*key, epoch))
    numbers = list(samples.epochs)
    strip = [numbers[i] for i in dict.fromkeys(np.linspace(0, len(numbers) - 1, STRIP).round().astype(int).tolist())]
    if len(strip) > 1:
        st.markdown("**From the first to the last**")
        for number in strip:
            row_of_images(f"Epoch {number + 1:,}", samples, samples.epochs[number], (*key, number))


def chosen_epoch(training: Training, samples: Samples, kept: int | None) -> int:
    """By the slider: the epoch that was kept, or the newest one while it is running, until somebody moves it."""
    shown = [number + 1 for number in samples.epochs]
    default = kept + 1 if training.state == "finished" and kept is not None and kept + 1 in shown else shown[-1]
    if len(shown) == 1:
        return shown[0] - 1
    follow_default("epoch", shown, default)
    return int(st.select_slider("Epoch", shown, value=default, key="epoch", bind="query-params")) - 1


def about_images(samples: Samples, epoch: int) -> str:
    n, first = len(samples.inputs), next(iter(samples.epochs))
    what = f"{n:,} live image{'s' if n != 1 else ''}"
    words = f"After epoch {epoch + 1:,}, the pixels of these {what} are off by **{samples.pixel_l1(epoch):.3f}** of "
    words += "their range on average"
    return f"{words}; after epoch {first + 1:,}, by {samples.pixel_l1(first):.3f}." if epoch != first else f"{words}."


def row_of_images(title: str, samples: Samples, images: NDArray[np.uint8], key: tuple[object, ...]) -> None:
    left, right = st.columns([1, 9], vertical_alignment="center")
    left.markdown(title)
    png, width = _beside_each_other(key, images)
    right.image(png, width=width, output_format="PNG", alt=", ".join(samples.ids))


@st.cache_resource(max_entries=64, show_spinner=False)
def _beside_each_other(key: tuple[object, ...], _images: NDArray[np.uint8]) -> tuple[bytes, int]:
    """(n, H, W) -> one PNG with transparent gaps, enlarged by whole factors up to `SIDE`, and its width."""
    factor = max(1, SIDE // _images.shape[2])
    large = _images.repeat(factor, 1).repeat(factor, 2)
    n, height, width = large.shape
    sheet = np.zeros((height, n, width + GAP, 2), np.uint8)  # gray and opacity
    sheet[:, :, :width, 0] = large.transpose(1, 0, 2)
    sheet[:, :, :width, 1] = 255
    sheet = sheet.reshape(height, n * (width + GAP), 2)[:, :-GAP]
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, "PNG", compress_level=1)
    return file.getvalue(), sheet.shape[1]


# ------------------------------------------------------------------------------------------------ the page


def show_all(everything: Sequence[Training]) -> None:
    st.subheader("Which trainings are there?")
    rows = []
    for training in everything:
        kept, value = summary_of(training)
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
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        placeholder="–",
        key="all_trainings",
        column_config={
            "Kept": st.column_config.NumberColumn(help="The epoch whose checkpoint was kept."),
            "Dev loss": st.column_config.TextColumn(help="Of that epoch. Units differ between kinds of models."),
            "Started": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm", help="UTC"),
        },
    )


@st.cache_resource(max_entries=512, show_spinner=False)
def _summary(checkpoint: str, stamp: tuple[int, int], _training: Training) -> tuple[int | None, float | None]:
    log = log_of(_training)
    kept, dev = traininglog.kept_epoch(log, _training.chosen_by), dev_of(_training, log)
    return kept, float(dev[kept]) if kept in dev else None


def summary_of(training: Training) -> tuple[int | None, float | None]:
    """The kept epoch and its dev loss."""
    return _summary(str(training.checkpoint), training.stamp, training)


def nothing_yet() -> None:
    st.subheader("There is no training yet")
    st.write(
        "While a training runs, this page shows its losses and reconstructions, and keeps them afterwards. "
        "Start one in a terminal:"
    )
    st.code(
        "fas train small_dcvae --data m.csv --out m.safetensors  # your images, listed in m.csv\n"
        "fas demo                                                # rendered faces",
        language="bash",
    )


def chosen_of(everything: Sequence[Training]) -> tuple[dict[str, Training], str]:
    """Trainings to lay over each other, by label, and the unit of the x axis."""
    by_label = {label_of(training): training for training in everything}
    default = list(by_label)[:1]
    follow_default("trainings", list(by_label), default)
    left, right = st.columns([2, 1])
    wanted = left.multiselect(
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
    unit = right.segmented_control(
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
    """Everything below the title; run again every few seconds while that can change."""
    everything = traininglog.trainings(cache_folder())
    if states_of(everything) != st.session_state.get("_trainings_seen"):
        st.rerun()  # the whole page decides whether to look again
    if not everything:
        nothing_yet()
        return
    place = st.container()
    chosen, unit = chosen_of(everything)
    if not chosen:
        st.info("No training is chosen. Choose at least one above.", icon=":material/filter_alt:")
    else:
        letters = {label: "ABCD"[i] if len(chosen) > 1 else "" for i, label in enumerate(chosen)}
        logs = {label: log_of(training) for label, training in chosen.items()}
        with place:
            for label, training in chosen.items():
                st.write(answer(training, letters[label], logs[label]))
            st.caption(WHAT_DEV_IS)
        show_curves(chosen, letters, logs, unit)
        show_settings(chosen, letters)
        with st.container():
            try:
                show_reconstructions(chosen, logs)
            except BadInputError as error:
                st.warning(escaped(str(error)), icon=":material/warning:")
    show_all(everything)


st.title("Training")
known = traininglog.trainings(cache_folder())
st.session_state["_trainings_seen"] = states_of(known)


@st.fragment(run_every=pause(known))
def live() -> None:
    with errors_shown():
        show()


live()
