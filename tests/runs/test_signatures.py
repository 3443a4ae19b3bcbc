"""Signed Runs: their signature is over run.json, every shard and joined scores, and `fas verify` reads it."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from fas_core.access import keys
from fas_core.runs import joining, signatures, store
from fas_core.runs.scorefile import scores_only_run
from tests.conftest import Result, message, tiny_samples


def test_a_run_is_signed_when_it_is_made_and_what_is_edited_is_found(
    tmp_path: Path, fas: Callable[..., Result]
) -> None:
    cache, table = tmp_path / "cache", tiny_samples().assign(score=np.arange(24.0))
    before = scores_only_run(cache, "before", table, ["score"], "test")
    keys.new("Ada")
    again = scores_only_run(cache, "before", table, ["score"], "test")  # it was there, whoever has made it
    assert signatures.standing(again).words == "unsigned"
    run = scores_only_run(cache, "after", table, ["score"], "test")
    whose = signatures.standing(run).words
    assert whose.startswith("signed by Ada (key ")
    run = joining.join(run, {"other": np.arange(24.0)}, {"other": "attack"}, "a test")
    assert signatures.standing(run).words == whose
    verified = json.loads(fas("verify", "--json").out)
    assert {entry["name"]: entry["signature"] for entry in verified} == {"before": "unsigned", "after": whose}

    good = (run.folder / "run.json").read_text()
    (run.folder / "run.json").write_text(store.sealed(asdict(replace(run.info, source="elsewhere"))))
    assert signatures.standing(store.opened(run.folder)).kind == keys.CHANGED
    assert "was changed after it was signed" in message(fas("verify"))
    (run.folder / "run.json").write_text(good)
    meta = run.shards[0].folder / "meta.json"
    good = meta.read_text()
    meta.write_text(store.sealed(replace(run.shards[0].meta, n_failures=7).as_json()))  # no part of the digest
    assert store.opened(run.folder).digest == run.digest
    assert signatures.standing(store.opened(run.folder)).kind == keys.CHANGED
    meta.write_text(good)
    own = (run.folder / store.SIGNATURE).read_text()
    for text in (own.replace("Ada", "Eve"), "{}", "[", json.dumps(json.loads(own) | {"key": "0" * 64})):
        (run.folder / store.SIGNATURE).write_text(text)
        assert signatures.standing(run).words == "changed after signing"
    (run.folder / store.SIGNATURE).write_text(own)
    (before.folder / store.SIGNATURE).write_text(own)  # moved from another Run
    assert signatures.standing(before).kind == keys.CHANGED
    (before.folder / store.SIGNATURE).unlink()

    assert fas("verify").code == 0
    keys.trust(keys.key_file().with_name("key.pub"))
    assert f"Whoever answers for it signs it: fas keys sign {before.id}" in message(fas("verify"))
    assert fas("keys", "sign", before.id).out == f"Signed: Run before ({before.id})\n"
    assert fas("verify").code == 0
