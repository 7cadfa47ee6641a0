"""What nobody listed: clusters without labels, novelty, and proposals of new classes."""

from ecotone.discovery.none_of_these import (
    NovelShare,
    estimate_novel_share,
    novelty_probability,
    with_none_of_these,
)
from ecotone.discovery.novelty import NoveltyDetector

__all__ = [
    "NovelShare", "NoveltyDetector", "estimate_novel_share", "novelty_probability",
    "with_none_of_these",
]
