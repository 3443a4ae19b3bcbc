"""Likelihood: do attacks look improbable under a mixture of Gaussians of live codes?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app.charts import mixtures, plots
from app.components.gallery import Card, Panel, gallery
from app.session import readers, sidebar
from app.session.jobs import worker
from app.words import escaped
from fas_core.data.names import ATTACK, BONA_FIDE, GROUP_ORDER, groups_of, in_group_order, readable
from fas_core.latent import mixture, projection, training_rows
from fas_core.latent.mixture import Likelihoods, Mixture
from fas_core.reports.palette import style_of
from fas_core.runs.store import Run
from fas_core.scores import gmm_nll

COVARIANCE_WORDS = {"diagonal": "diag", "full": "full"}
MOST_POINTS = 6_000  # behind the ellipses
MOST_IMAGES = 24
ALL_GROUPS = "all groups"
HELD_OUT_STEPS = 10  # how much worse than the best a mixture may be and still be drawn in scale, see `floor_of`


class NotFittedError(Exception):
    """Raised so that the absence of a mixture is not cached."""


run = sidebar.chosen_run()
st.title("Likelihood")
sidebar.needs_images(run, "The likelihood of latent codes")
subsets = sidebar.chosen_subsets(run)


@st.cache_resource(max_entries=64, show_spinner=False)
def _stored(digest: str, k: int, covariance: str, dimensions: int, _run: Run) -> tuple[Mixture, Likelihoods]:
    found = mixture.known(_run, k, covariance, dimensions)
    likelihoods = mixture.known_likelihoods(_run, k, covariance, dimensions)
    if found is None or likelihoods is None:
        raise NotFittedError
    likelihoods.log_likelihood.setflags(write=False)
    return found, likelihoods


def stored(k: int, covariance: str, dimensions: int) -> tuple[Mixture, Likelihoods] | None:
    """The stored mixture and what it says of every image; None while it is not fitted. Never fits."""
    try:
        return _stored(run.digest, k, covariance, dimensions, run)
    except NotFittedError:
        return None


@st.cache_resource(max_entries=32, show_spinner="Computing principal components …")
def principal_components(digest: str, k: int, _run: Run) -> projection.PrincipalComponents:
    return projection.pca_of(_run, k)


@st.cache_resource(max_entries=32, show_spinner=False)
def split(digest: str, _run: Run) -> mixture.Split:
    return mixture.split(_run)


def dimension_words(dimensions: int) -> str:
    return "all" if dimensions == mixture.RAW else f"{dimensions} PC"


def controls(n_training: int, n_dimensions: int) -> tuple[int, str, int]:
    """Number of components, as far as there are training images, the covariances' form, and dimensions."""
    ks = mixture.components_of(n_training)
    if not ks:
        st.error(
            f"A mixture needs at least 2 training images; Run {escaped(run.info.name)} has {n_training}.",
            icon=":material/error:",
        )
        st.stop()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        k = st.segmented_control(
            "Number of Gaussians",
            ks,
            default=gmm_nll.COMPONENTS if gmm_nll.COMPONENTS in ks else ks[-1],
            required=True,
            key="k",
            bind="query-params",
            help="As many as the thesis tries; no more than there are live training images.",
        )
        words = st.segmented_control(
            "Covariances",
            list(COVARIANCE_WORDS),
            default="diagonal",
            required=True,
            key="covariance",
            bind="query-params",
            help="Diagonal: each Gaussian stretches along the axes of the code. Full: in any direction, with many more "
            "numbers to estimate.",
        )
        dimensions = st.segmented_control(
            "Dimensions",
            mixture.dimensions_of(n_dimensions, n_training),
            default=mixture.RAW,
            format_func=dimension_words,
            required=True,
            key="dimensions",
            bind="query-params",
            help="All dimensions of the code, or its first principal components among live training images.",
        )
    return int(k), COVARIANCE_WORDS[str(words)], int(dimensions)


def warn_if_poor(n: int, d: int, k: int, covariance: str) -> None:
    """Says when there are too few training images for what is to be estimated."""
    p = mixture.n_parameters(k, d, covariance)
    if not mixture.is_estimable(n, k, d, covariance):
        st.warning(
            f"{n:,} training images are {n / k:.0f} per Gaussian, but a full covariance of {d} dimensions needs more "
            f"than {d}: such a covariance is not estimated but made up by a small constant, and likelihoods far from "
            "training mean little. Choose fewer Gaussians, fewer dimensions, or diagonal covariances.",
            icon=":material/warning:",
        )
    elif p > n:
        st.warning(
            f"This mixture estimates {p:,} numbers from {n:,} training images, fewer images than numbers: it fits "
            "training closely and says less about new faces.",
            icon=":material/warning:",
        )


def chosen_or_offered(k: int, covariance: str, dimensions: int) -> tuple[Mixture, Likelihoods] | None:
    """The chosen mixture; where it is not stored, a worker process is offered that fits all numbers of Gaussians."""
    found = stored(k, covariance, dimensions)
    if found is None:
        of = f"{dimensions} principal components" if dimensions else f"codes of {n_dimensions} dimensions"
        worker(
            run,
            f"mixtures-{covariance}-{dimensions}",
            missing=f"This mixture is not fitted yet: Gaussians on {of} of {n_training:,} images take a while.",
            button="Fit all numbers of Gaussians",
            key="fit_mixture",
        )
    return found


def show_answer(outside: pd.DataFrame, auc: dict[str, float], k: int, n_training: int, words: str, best: str) -> None:
    """One sentence with numbers, and what they stand on."""
    n_live = int((outside["label"] == BONA_FIDE).sum())
    if not auc:
        missing = "attacks" if n_live else "live faces outside training"
        st.write(f"The chosen subsets hold no {missing}, so there is nothing to compare.{best}")
        return
    attacks = outside[outside["label"] == ATTACK]
    each = ", ".join(
        f"**{plots.pairs(auc[name])}** of pairs for {escaped(readable(name))} (n\u00a0=\u00a0{n_of(attacks, name):,})"
        for name in sorted(auc, key=lambda name: -auc[name])
    )
    st.write(
        f"Under {k} Gaussian{'s' if k > 1 else ''} of live training codes, an attack is less probable than a live face "
        f"in {each}; guessing gets 50\u00a0%.{best}"
    )
    st.caption(
        f"This share of pairs is the AUC, against {n_live:,} live faces outside training. The Gaussians are fitted on "
        f"the {n_training:,} live training images alone, with {words}."
    )


def nats(value: float) -> str:
    return f"{value:,.1f}".replace("-", "−")


def best_words(criteria: pd.DataFrame, k: int) -> str:
    """Which number of Gaussians the held-out images speak for; "" where there are none."""
    held_out = criteria["held_out"].dropna()
    if len(held_out) < 2:
        return ""
    best = int(held_out.idxmax())
    parts = split(run.digest, run)
    whom = f"{parts.n_held:,} training {parts.unit if parts.n_held > 1 else parts.unit[:-1]} left out of the fit"
    value = f"{nats(held_out[best])}\u00a0nats per image of {whom}"
    if best == k:
        return f" This number is the best by held-out likelihood: {value}."
    than = f", {nats(held_out[k])} with {k}" if k in held_out else ""
    return f" Best by held-out likelihood: **{best} Gaussian{'s' if best > 1 else ''}** ({value}{than})."


def n_of(attacks: pd.DataFrame, species: str) -> int:
    return int((attacks["pai_species"].replace("", "unspecified") == species).sum())


def show_histograms(samples: pd.DataFrame, values: NDArray[np.float64], table: pd.DataFrame, limit: float) -> None:
    kinds = groups_of(samples)
    is_live = (samples["label"] == BONA_FIDE) & (samples["subset"] != "train")
    notes = {
        row.subset: f"AUC {row.auc:.2f}"
        for row in table.itertuples()
        if row.label == ATTACK and pd.notna(row.auc) and row.subset in kinds
    }
    st.subheader("How probable is each group?")
    made = plots.ridges(
        {name: values[kinds == name] for name in set(kinds)},
        x_title="log-likelihood (nats)",
        behind=values[is_live.to_numpy()],
        behind_name="live faces outside training",
        notes=notes,
        limit=limit,
        limit_text="← 5 % of training ",
    )
    st.plotly_chart(made, key="likelihoods", alt="Histograms of log-likelihood, one row per group")
    st.caption(
        "Further left is less probable. Thin blue outline in the attacks' rows: live faces outside training, for "
        "comparison. AUC: against the live faces of the same subset. The bars at both ends also count what lies beyond."
    )


def show_table(table: pd.DataFrame) -> None:
    st.subheader("In numbers")
    shown = pd.DataFrame(
        {
            "Subset": table["subset"].map(readable),
            "What": np.where(table["label"] == BONA_FIDE, "bona fide", table["pai_species"].replace("", "attack")),
            "n": table["n"],
            "Mean": table["mean"],
            "Median": table["median"],
            "Below 5 %": 100 * table["below"],
            "AUC": table["auc"],
        }
    )
    number, rate = st.column_config.NumberColumn, "%.1f %%" if table["n"].max() >= 1000 else "%.0f %%"
    st.dataframe(
        shown,
        hide_index=True,
        placeholder="–",
        column_config={
            "Mean": number(format="%.1f", help="Mean log-likelihood, in nats."),
            "Median": number(format="%.1f", help="Median log-likelihood, in nats: a few outliers do not move it."),
            "Below 5 %": number(
                format=rate, help="Share left of the dotted line: less probable than 95 % of the live training images."
            ),
            "AUC": number(
                format="%.2f",
                help="Chance that a random attack is less probable than a random live face of the same subset.",
            ),
        },
    )


def all_stored(covariance: str, dimensions: int) -> dict[int, tuple[Mixture, Likelihoods]]:
    """The stored mixtures by their number of components; nothing is fitted for it."""
    found = {k: stored(k, covariance, dimensions) for k in mixture.components_of(n_training)}
    return {k: one for k, one in found.items() if one is not None}


def criteria_of(fits: dict[int, tuple[Mixture, Likelihoods]], training: NDArray[np.int64]) -> pd.DataFrame:
    """BIC, AIC and held-out log-likelihood (NaN where undefined) by number of components, where n images suffice."""
    rows = {}
    for k, (one, likelihoods) in fits.items():
        d = one.means.shape[1]
        if mixture.is_estimable(len(training), k, d, "diag" if one.covariances.ndim == 2 else "full"):
            values = likelihoods.log_likelihood[training]
            rows[k] = {"bic": one.bic(values), "aic": one.aic(values), "held_out": float(likelihoods.held_out)}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["bic", "aic", "held_out"])


def floor_of(held_out: pd.Series) -> float:
    """Where the axis of held-out likelihoods ends: far below lies what says no more than that it is far below."""
    gained = float(held_out.max() - held_out.iloc[0])  # over a single Gaussian
    return float(held_out.max()) - HELD_OUT_STEPS * max(gained, 1.0)


def show_criteria(criteria: pd.DataFrame, k: int, is_all: bool) -> None:
    """How many Gaussians the training images speak for, by three criteria."""
    st.subheader("How many Gaussians do live faces need?")
    if len(criteria) < 2:
        st.write("Fewer than two of these mixtures are fitted, or can be from so few training images.")
        return
    parts = split(run.digest, run)
    held_out = criteria["held_out"].dropna()
    bic, aic = int(criteria["bic"].idxmin()), int(criteria["aic"].idxmin())
    says = f"BIC is lowest at **{bic}**, AIC at **{aic}**"
    says += f"; held-out images are most probable under **{int(held_out.idxmax())}**." if len(held_out) else "."
    st.write(says)
    grid = st.grid(3, min_column_width=280, gap="medium")
    for name, title in (("bic", "BIC (lower is better)"), ("aic", "AIC (lower is better)")):
        with grid.cell():
            best = int(criteria[name].idxmin())
            made = mixtures.criterion(criteria[name].to_dict(), k, best, y_title=title)
            st.plotly_chart(made, key=name, alt=f"{name.upper()} over the number of Gaussians")
    if len(held_out):
        with grid.cell():
            made = mixtures.criterion(
                held_out.to_dict(),
                k,
                int(held_out.idxmax()),
                y_title="held-out log-lik. (nats)",
                floor=floor_of(held_out),
            )
            st.plotly_chart(made, key="held_out", alt="Held-out log-likelihood over the number of Gaussians")
    n_held = len(parts.held_out)
    unit = parts.unit if parts.n_held > 1 else parts.unit[:-1]
    whole = f" ({parts.n_held:,} whole {unit})" if parts.unit == "subjects" else ""
    notes = [
        "Large dot: chosen above; ring: the best. BIC and AIC are of the fit to all training images, and count images "
        f"of one person as independent. Held out: {n_held:,} of the training images{whole}, judged by a fit to the "
        f"other {len(parts.fitted):,}, in nats per image, higher is better; a triangle lies below the axis."
    ]
    if not is_all:
        notes.append("Not shown: numbers that are not fitted yet, or that need more training images.")
    st.caption(" ".join(notes))


def choose_clicked(names: list[str]) -> None:
    """A new click on the map chooses its Gaussian and its group; an old one does not undo what was chosen since."""
    event = st.session_state.get("component_map") or {}
    points = event.get("selection", {}).get("points", [])
    clicked = [(int(point["customdata"]), int(point["curve_number"])) for point in points[:1]]
    if clicked == st.session_state.get("_component_clicked", []):
        return
    st.session_state["_component_clicked"] = clicked
    if clicked and clicked[0][1] < len(names):
        st.session_state["gaussian"] = clicked[0][0] + 1
        st.session_state["gaussian_group"] = names[clicked[0][1]]


def show_components(one: Mixture, likelihoods: Likelihoods, rows: NDArray[np.int64], kinds: NDArray[np.str_]) -> None:
    """Which Gaussian holds which group, the images of one, and where the Gaussians lie."""
    k = len(one.weights)
    names = in_group_order(list(set(kinds)))
    counts = {name: int((kinds == name).sum()) for name in names}
    component = likelihoods.component[rows]
    shares = {name: np.bincount(component[kinds == name], minlength=k) / counts[name] for name in names}
    choose_clicked(names)
    if st.session_state.get("gaussian", 1) > k:
        st.session_state["gaussian"] = 1
    if st.session_state.get("gaussian_group") not in (None, ALL_GROUPS, *names):
        st.session_state["gaussian_group"] = ALL_GROUPS
    st.subheader("Which Gaussian holds which group?")
    st.write(component_words(shares))
    grid = st.grid(2, min_column_width=470, gap="medium")
    left, right = grid.cell(), grid.cell()
    with right:
        chosen = show_images_of(one, likelihoods, rows, kinds, names)
    with left:
        st.plotly_chart(
            mixtures.component_map(shares, counts, chosen),
            key="component_map",
            on_select="rerun",
            selection_mode="points",
            alt="Heat map: share of each group that each Gaussian is most responsible for",
        )
        st.caption(
            "Each image counts for the Gaussian most responsible for it (the largest posterior). Click a cell, or "
            "choose beside it, to see its images; the frame and the heavy ellipse below are the chosen Gaussian."
        )
    show_ellipses(one, rows, kinds, chosen)


def component_words(shares: dict[str, NDArray[np.float64]]) -> str:
    """What the map says, in a sentence per kind of group."""
    if "train" not in shares:
        return "The training images are not among the chosen subsets."
    used = {name: int((share > 0).sum()) for name, share in shares.items()}
    top = {name: int(share.argmax()) for name, share in shares.items()}
    attacks = [name for name in shares if name not in GROUP_ORDER]
    each = ", ".join(
        f"**{100 * shares[name][top[name]]:.0f}\u00a0%** of {escaped(readable(name))} in Gaussian "
        f"{top[name] + 1} (which holds {100 * shares['train'][top[name]]:.0f}\u00a0% of training)"
        for name in attacks
    )
    return f"Training is spread over {used['train']} Gaussian{'s' if used['train'] > 1 else ''}" + (
        f"; the fullest for attacks: {each}." if each else "."
    )


def show_images_of(
    one: Mixture, likelihoods: Likelihoods, rows: NDArray[np.int64], kinds: NDArray[np.str_], names: list[str]
) -> int:
    """The most probable images of a Gaussian and a group, both chosen here; returns the index of the Gaussian."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = st.selectbox(
            "Gaussian",
            list(range(1, len(one.weights) + 1)),
            key="gaussian",
            bind="query-params",
            width=120,
        )
        group = st.selectbox(
            "Group",
            [ALL_GROUPS, *names],
            format_func=readable,
            key="gaussian_group",
            bind="query-params",
            width=220,
        )
    chosen = int(number) - 1
    is_inside = (likelihoods.component[rows] == chosen) & ((group == ALL_GROUPS) | (kinds == group))
    inside, of_kind = rows[is_inside], kinds[is_inside]
    if not len(inside):
        st.info("No image of this group lies in this Gaussian.", icon=":material/filter_alt_off:")
        return chosen
    order = np.argsort(-likelihoods.log_likelihood[inside], kind="stable")[:MOST_IMAGES]
    first = f"the {len(order)} most probable first" if len(order) < len(inside) else "the most probable first"
    weight = f"weight {100 * one.weights[chosen]:.1f}\u00a0%"
    st.markdown(f"**{len(inside):,}** image{'s' if len(inside) > 1 else ''} in Gaussian {number} ({weight}), {first}:")
    shown, ids = inside[order], readers.samples(run, ("sample_id",))["sample_id"].to_numpy(str)
    cards = []
    for row, kind in zip(shown, of_kind[order], strict=True):
        style = style_of(kind)
        lines = [
            ids[row],
            f"{nats(likelihoods.log_likelihood[row])} nats · {100 * likelihoods.responsibility[row]:.0f} % responsible",
        ]
        cards.append(Card(ids[row], lines, readable(kind), style.colour, style.is_hollow))
    panels = [
        Panel("original", run.images("inputs", shown)),
        Panel("reconstruction", run.images("reconstructions", shown)),
    ]
    with st.container(height=420, border=False):
        gallery(cards, panels, key="component_images", size=96)
    return chosen


def show_ellipses(one: Mixture, rows: NDArray[np.int64], kinds: NDArray[np.str_], chosen: int) -> None:
    pca = principal_components(run.digest, projection.COMPONENTS, run)
    if len(pca.components) < 2:
        return
    st.subheader("Where do the Gaussians lie?")
    drawn = projection.sampled_rows(kinds, MOST_POINTS, 0)
    xy = np.concatenate([pca.applied(block)[:, :2] for block in run.latent_blocks(rows[drawn])])
    if one.means.shape[1] == n_dimensions:
        means, covariances = one.ellipses(pca.components[:2], pca.mean)
    else:  # in principal components already
        means, covariances = one.ellipses(np.eye(2, one.means.shape[1]), np.zeros(one.means.shape[1]))
    points = {name: xy[kinds[drawn] == name] for name in set(kinds[drawn])}
    titles = [f"PC {i + 1} ({100 * pca.explained[i]:.0f} % of variance)" for i in (0, 1)]
    made = mixtures.ellipses(points, means, covariances, chosen, titles=titles)
    st.plotly_chart(made, key="ellipses", alt="Ellipses of the Gaussians over the first two principal components")
    thinned = f" {len(drawn):,} of {len(rows):,} images are drawn." if len(drawn) < len(rows) else ""
    st.caption(
        f"Each ellipse holds {100 * mixtures.INSIDE:.0f} % of what its Gaussian expects, seen in the first two "
        f"principal components of live training codes; they overlap here more than in all dimensions.{thinned}"
    )


def show_numbers_of_components(
    outside: pd.DataFrame, chosen: int, fits: dict[int, tuple[Mixture, Likelihoods]], words: str
) -> None:
    """AUC over the mixtures that are stored."""
    st.subheader("Does the number of Gaussians matter?")
    auc = {}
    for k, (_, likelihoods) in fits.items():
        if found := mixture.auc_per_species(outside, likelihoods.log_likelihood[outside.index]):
            auc[k] = found
    if len(auc) < 2:
        st.write(
            f"Fewer than two mixtures with {words} are fitted."
            if len(outside["label"].unique()) == 2
            else "The chosen subsets hold one class only outside training."
        )
        return
    attacks = outside[outside["label"] == ATTACK]
    names = sorted({name for per_species in auc.values() for name in per_species})
    ranges = []
    for name in names:
        of_name = [per_species[name] for per_species in auc.values()]
        ranges.append(f"**{min(of_name):.2f}** and **{max(of_name):.2f}** for {escaped(readable(name))}")
    st.write(f"From {min(auc)} to {max(auc)} Gaussians ({words}), the AUC is between {', between '.join(ranges)}.")
    made = plots.auc_over_components(auc, chosen, {name: n_of(attacks, name) for name in names})
    st.plotly_chart(made, key="auc_over_k", alt="AUC per attack species over the number of Gaussians")
    missing = [str(k) for k in mixture.components_of(n_training) if k not in auc]
    gaps = f" Not fitted yet: {', '.join(missing)}." if missing else ""
    st.caption(f"Large dots: the number chosen above.{gaps}")


training = training_rows(run)
n_training, n_dimensions = len(training), int(run.shards[0].meta["arrays"]["latents"]["shape"][1])
place = st.container()
k, covariance, dimensions = controls(n_training, n_dimensions)
words = f"{'full' if covariance == 'full' else 'diagonal'} covariances"
if dimensions:
    explained = principal_components(run.digest, dimensions, run).explained.sum()
    words += f", in {dimensions} principal components, which hold {100 * explained:.0f}\u00a0% of the codes' variance"
warn_if_poor(n_training, dimensions or n_dimensions, k, covariance)
found = chosen_or_offered(k, covariance, dimensions)
samples = readers.samples(run, ("subset", "label", "pai_species"))
samples = samples[samples["subset"].isin(subsets)]
outside = samples[samples["subset"] != "train"]
fits = all_stored(covariance, dimensions)
criteria = criteria_of(fits, training)
if found is not None:
    values = found[1].log_likelihood
    with place:
        auc = mixture.auc_per_species(outside, values[outside.index])
        show_answer(outside, auc, k, n_training, words, best_words(criteria, k))
    table = mixture.per_subset(samples, values[samples.index], values[training])
    show_histograms(samples, values[samples.index], table, float(np.quantile(values[training], mixture.LOW_SHARE)))
    grid = st.grid(2, min_column_width=470, gap="medium")
    with grid.cell():
        show_table(table)
    with grid.cell():
        show_numbers_of_components(outside, k, fits, words)
    show_criteria(criteria, k, len(criteria) == len(mixture.COMPONENTS))
    show_components(*found, samples.index.to_numpy(), groups_of(samples))
