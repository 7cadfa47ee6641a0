"""Boxes of detectors: the way into a model's input and back, heads, suppression, precision.

n pictures in a batch, A candidates of a picture, C classes of a model, M boxes that are kept.
"""

from ecotone.detection.boxes import Boxes, choose_boxes
from ecotone.detection.guessing import guess_head
from ecotone.detection.heads import HEADS, Candidates, Head, decode
from ecotone.detection.letterbox import Letterbox, fit
from ecotone.detection.precision import DetectionScore, average_precision, score_detections
from ecotone.detection.suppression import suppress

__all__ = [
    "HEADS",
    "Boxes",
    "Candidates",
    "DetectionScore",
    "Head",
    "Letterbox",
    "average_precision",
    "choose_boxes",
    "decode",
    "fit",
    "guess_head",
    "score_detections",
    "suppress",
]
