from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.context import ContextClassifier
from ecotone.context.when import whole_sites
from tests.context.worlds import NAMES, world


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["", "a", "b", "c"]), st.sampled_from(["", "1", "2"])),
                max_size=20), st.integers(1, 30))
def test_no_site_and_no_event_is_divided(rows, size):
    site, event = [s for s, _ in rows], [e for _, e in rows]
    parts = list(whole_sites(site, event, size))
    every = [row for part in parts for row in part.tolist()]
    assert sorted(every) == list(range(len(rows)))
    part_of = {row: number for number, part in enumerate(parts) for row in part.tolist()}
    for one in range(len(rows)):
        for other in range(one):
            if (site[one] and site[one] == site[other]) or (event[one] and
                                                            event[one] == event[other]):
                assert part_of[one] == part_of[other]
    assert all(len(part) >= size for part in parts[:-1])


def test_sites_one_by_one_are_predicted_as_all_together():
    w = world(3, True, n=600)
    clf = ContextClassifier(tuple(NAMES)).fit(w.proba, w.labels(300), w.site, w.seconds)
    whole = clf.predict_proba(w.proba, w.site, w.seconds)
    assert not np.allclose(whole, w.proba)  # context is used
    parts = list(whole_sites(w.site, None, 50))
    assert len(parts) > 1
    for rows in parts:
        found = clf.predict_proba(w.proba[rows], w.site[rows], w.seconds[rows])
        np.testing.assert_allclose(found, whole[rows], atol=1e-9)
