"""What a score follows, in tables: all causes, and which score of the Run follows one of them least."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.parts import causes
from app.session import operating
from app.session.readers import pooled_score_set
from app.session.sidebar import Shown
from app.session.tables import show_rows
from app.words import escaped
from fas_core import metrics, scores
from fas_core.data.measures import MEASURES
from fas_core.data.names import outside_training, readable
from fas_core.evaluation.causes import words
from fas_core.evaluation.causes.of_run import LIVE, Follows
from fas_core.metrics.operating_point import BY_HAND


def show_scores(shown: Shown, cause: str, n_marks: int) -> None:
    """Which score of the Run follows the cause least, and what it separates."""
    shares = causes.followed_by(shown.run, cause, shown.subsets, n_marks)
    if len(shares) < 2:
        return
    tested = outside_training(shown.subsets) or list(shown.subsets)
    rows = []
    for name in sorted(shares, key=lambda name: shares[name].value):
        pooled = pooled_score_set(shown.run, name, shown.level, tested)
        auc, of_species = None, {}
        if pooled.n_bona_fide and pooled.n_attack:
            auc = metrics.roc_auc(pooled)
            of_species = {
                metrics.roc_auc(pooled, species): species for species, of in pooled.attacks.items() if of.size
            }
        hardest = f"{min(of_species):.2f} · {readable(of_species[min(of_species)])}" if of_species else None
        rows.append(
            {"Score": name, "Follows it": words.share_text(shares[name]), "AUC": auc, "Hardest species": hardest}
        )
    st.markdown(f"**Which score follows {escaped(words.named(cause))} least?** · live samples")
    show_rows(
        pd.DataFrame(rows),
        "least_following",
        height="content",
        width="content",
        column_config={
            "Follows it": st.column_config.TextColumn(help="Share of the score's variance that the cause explains."),
            "AUC": st.column_config.NumberColumn(format="%.2f", help="How well it tells attacks from live samples."),
            "Hardest species": st.column_config.TextColumn(help="The AUC of the species that it finds worst."),
        },
    )
    if scores.adjusted(shown.run, scores.base_of(shown.score)) and cause in scores.LOOKS:
        show_adjusted(shown, cause, n_marks)


def show_adjusted(shown: Shown, look: str, n_marks: int) -> None:
    """What taking a look of the image off the score does to both errors, by the sidebar's rule, and what it follows."""
    base = scores.base_of(shown.score)
    without = f"{base}{scores.WITHOUT}{look}"
    lead = (
        f"{escaped(without)} is {escaped(base)} without what follows the {look}, fitted on live training images alone"
    )
    changed = words.adjusted(without, _errors(shown, without), _errors(shown, base), escaped)
    if not changed:
        st.caption(f"{lead}; by this operating point the two cannot be compared.")
        return
    then = causes.follows(shown.run, without, LIVE, shown.subsets, n_marks)
    by = operating.rule(shown.run, without, shown.level).words
    on = ", ".join(operating.chosen_on(shown.run))
    st.caption(f"{lead}. At {escaped(by)}, chosen on {escaped(on)}, {changed} {words.headline([then], escaped)}")


def _errors(shown: Shown, score: str) -> tuple[float | None, float | None]:
    """BPCER and the APCER of the worst species at the score's own threshold by the rule of the sidebar.

    Of all that is outside training, so that live samples on which the threshold was chosen count where no others are.
    """
    point, _ = operating.operating_point(shown.run, score, shown.level, shown.subsets)
    if point is None or point.rule.kind == BY_HAND:  # a threshold of one score is none of another
        return None, None
    judged = pooled_score_set(shown.run, score, shown.level, outside_training(shown.subsets) or list(shown.subsets))
    rates = metrics.rates_at(judged, point.threshold)
    return rates.bpcer, rates.apcer_max


def show_table(sides: list[Follows]) -> None:
    with st.expander("All causes in numbers, and what was not judged"):
        for side in sides:
            st.markdown(f"**{words.side_words(side.side).capitalize()}**")
            rows = [
                {
                    "Cause": words.named(cause.name) + "".join(f", or {words.named(n)}" for n in cause.same_as),
                    "Alone": words.share_text(cause.alone),
                    "Beyond the others": words.share_text(cause.beyond),
                    "Beside the first": words.share_text(cause.beside_first),
                    "rho": None if cause.rho is None else words.rho_text(cause.rho),
                    "Values": cause.n_values,
                    "Without one": cause.n_missing,
                }
                for cause in side.ranked
            ]
            if rows:
                show_rows(pd.DataFrame(rows), f"causes_{side.side}", height="content")
            st.caption(escaped(words.left_out(side)))
        looks = "; ".join(f"{name}: {what}" for name, what in MEASURES.items())
        st.caption(
            "A cause's share is what it explains of people that the "
            "fit has not seen, so that a column with many values explains nothing by chance; whose the samples are "
            "has its share by an analysis of variance (epsilon squared). Beyond the others: what all causes explain "
            "together, less what they do without this one. Causes that the data cannot tell apart stand as one. "
            f"{looks[0].upper()}{looks[1:]}."
        )
