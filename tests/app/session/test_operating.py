from pathlib import Path

from app.session import operating
from app.session.operating import role_of
from fas_core.evaluation.presentations import FRAME
from fas_core.metrics import operating_point as op
from fas_core.runs import store


def test_a_subset_has_every_role_that_it_is_used_for() -> None:
    fresh = op.operating_point(op.DEFAULT, 0.5, ["dev", "train"], ["test"])
    assert {name: role_of(name, fresh) for name in ("train", "dev", "test", "other")} == {
        "train": "training, threshold chosen here",
        "dev": "threshold chosen here",
        "test": "reported",
        "other": "",
    }
    seen = op.operating_point(op.DEFAULT, 0.5, ["dev"], ["dev"])
    assert role_of("dev", seen) == "threshold chosen here, reported"


def test_it_is_reported_on_fresh_subsets_and_on_all_that_are_shown_where_none_is_left(tiny_cache: Path) -> None:
    run = store.open_run(tiny_cache, "a")

    def point(*shown: str) -> op.OperatingPoint:
        point, problem = operating.operating_point(run, "rec", FRAME, shown)
        assert point is not None, problem
        return point

    fresh = point("train", "live", "unseen_mask")
    assert (fresh.chosen_on, fresh.reported_on, fresh.is_optimistic) == (("live",), ("unseen_mask",), False)
    stale = point("train", "live")
    assert (stale.reported_on, stale.is_optimistic) == (("train", "live"), True)
