"""The README's lines for notebooks do what they say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fas_core
from fas_core import scores
from fas_core.errors import BadInputError
from fas_core.evaluation import run_metrics
from fas_core.runs import store
from tests.conftest import PROJECT, tiny_samples, write_image_run


def test_the_readme_s_lines_give_frames_and_arrays(tmp_path: Path) -> None:
    run = write_image_run(tmp_path / "cache", "small_dcvae", tiny_samples())
    lines = re.search(r"```python\n(.*?)```", (PROJECT / "README.md").read_text(), re.DOTALL)
    assert lines
    said: dict[str, Any] = {}
    exec(lines[1], said)
    assert said["run"].digest == run.digest
    images, metrics = said["images"], said["metrics"]
    assert images["sample_id"].tolist() == run.samples()["sample_id"].tolist()
    for name in scores.offered(run):
        np.testing.assert_array_equal(images[name], scores.values(run, name))
    expected = run_metrics.evaluated(run, "rec").scores["rec"]["unseen_mask"]
    of_mask = metrics[(metrics["subset"] == "unseen_mask") & (metrics["species"] == "")].set_index("metric")
    assert of_mask.loc["roc_auc", "value"] == expected.roc_auc
    assert of_mask.loc["bpcer", "value"] == expected.at_dev_threshold.rates.bpcer
    assert {*metrics["score"]} == {"rec"}
    np.testing.assert_array_equal(said["codes"], run.latents())
    np.testing.assert_array_equal(said["pictures"], run.images("reconstructions", [0, 1]))


def test_another_folder_and_scores_alone(tiny_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAS_CACHE", str(tmp_path / "empty"))
    run = fas_core.open_run("vendor", str(tiny_cache))
    assert isinstance(run, fas_core.Run)
    assert fas_core.table(run)["score"].tolist() == scores.values(run, "score").tolist()
    assert isinstance(fas_core.results(run), pd.DataFrame)
    with pytest.raises(BadInputError, match="No Runs in"):
        fas_core.open_run("vendor")
    with pytest.raises(AttributeError, match="has no attribute 'open_runs'"):
        _ = fas_core.open_runs  # type: ignore[attr-defined]
    assert store.Run is fas_core.Run
    assert {"open_run", "table", "results", "Run"} <= set(dir(fas_core))


@pytest.mark.process
def test_importing_the_package_imports_nothing_else() -> None:
    script = "import sys, fas_core; print([n for n in sys.modules if n.startswith(('fas_core.', 'numpy', 'pandas'))])"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=PROJECT, check=True)
    assert result.stdout.strip() == "[]"
