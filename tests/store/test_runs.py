from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ecotone.store.runs import to_json


def test_a_run_keeps_settings_versions_and_seed(catalog):
    run = catalog.start_run("fuse", {"classes": ("a", "b"), "alpha": np.float32(0.5)}, seed=7)
    other = catalog.start_run("fuse", {}, seed=None)
    assert run.endswith("-fuse-1") and run != other
    assert [r.status for r in catalog.runs()] == ["running", "running"]
    catalog.finish_run(run, "done", {"accuracy": np.float64(0.9)})
    first, second = catalog.runs()
    assert (first.id, first.command, first.seed, first.status) == (run, "fuse", 7, "done")
    assert first.settings == {"classes": ["a", "b"], "alpha": 0.5}
    assert first.summary == {"accuracy": 0.9} and first.finished >= first.started
    assert {"ecotone", "python", "numpy", "scipy"} <= set(first.versions)
    assert second.status == "running" and second.seed is None


def test_failures_are_kept_with_the_medium_until_cleared(catalog):
    catalog.record_failure("m1", "embed", "truncated")
    catalog.record_failure("m1", "embed", "truncated after 5 kB")
    catalog.record_failure("m1", "classify", "truncated")
    assert [(f.path, f.step, f.reason) for f in catalog.failures()] == [
        ("/pics/a/1.jpg", "classify", "truncated"), ("/pics/a/1.jpg", "embed",
                                                     "truncated after 5 kB")]
    assert catalog.counts()["failures"] == 1
    catalog.clear_failure("m1", "embed")
    assert [f.step for f in catalog.failures()] == ["classify"]
    catalog.clear_failure("m1")
    assert catalog.failures() == []


def test_notes_are_json_and_the_last_one_counts(catalog):
    assert catalog.note("taxonomy") is None
    catalog.set_note("taxonomy", [{"scientificName": "Ursus arctos", "n": np.int64(3)}])
    catalog.set_note("taxonomy", [{"scientificName": "Ünsus"}])
    assert catalog.note("taxonomy") == [{"scientificName": "Ünsus"}]


def test_values_of_all_kinds_become_json():
    text = to_json({"a": np.arange(2), "b": Path("x/y"), "c": {"z", "y"}})
    assert json.loads(text) == {"a": [0, 1], "b": str(Path("x/y")), "c": ["y", "z"]}


def test_a_transaction_is_all_or_nothing(catalog):
    try:
        with catalog.transaction():
            catalog.set_note("a", 1)
            with catalog.transaction():
                catalog.set_note("b", 1)
            raise RuntimeError
    except RuntimeError:
        assert catalog.note("a") is None and catalog.note("b") is None
