"""Clusters that look new, beside those that stand apart."""

from __future__ import annotations

import numpy as np

from ecotone.project.proposing import clusters_that_look_new


def test_only_clusters_without_labels_that_are_mostly_flagged():
    cluster = np.repeat([0, 1, 2, 3, 4, -1], 20)
    novel = np.zeros(120, dtype=bool)
    novel[0:15] = novel[20:40] = novel[40:60] = novel[100:] = True  # 0 mostly, 1 and 2 all, -1
    novel[60:68] = True  # 3: less than half
    labelled = np.zeros(120, dtype=bool)
    labelled[20] = True  # 1 has a label
    proposal = np.where(cluster == 2, 1, 0)  # 2 is a proposal already
    (rows,) = clusters_that_look_new(cluster, proposal, labelled, novel)
    assert rows.tolist() == list(range(20))
    assert clusters_that_look_new(np.full(5, -1), np.zeros(5), labelled[:5], novel[:5]) == []
    few = clusters_that_look_new(np.zeros(9, int), np.zeros(9), np.zeros(9, bool), np.ones(9, bool))
    assert few == []
