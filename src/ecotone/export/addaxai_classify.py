"""Runs a local model of ecotone in AddaxAI 5 and 6: the classify_detections.py of a model type.

Belongs into AddaxAI/classification_utils/model_types/ecotone/ of the installation. AddaxAI starts
it with the arguments below; its own inference_lib asks for crops and classes, and inference.py in
the folder of the model does the work. Licence: Apache-2.0.
"""

from __future__ import annotations

import importlib.util
import os
import sys


def arguments(values):
    """AddaxAI's arguments by the names of `inference_lib.classify_MD_json`.

    values: installation, model file, two thresholds, smoothing, json, folder of video frames, and,
    since 6.32, fallback to higher taxa and its level.
    """
    found = {
        "cls_model_fpath": values[1], "cls_detec_thresh": float(values[2]),
        "cls_class_thresh": float(values[3]), "smooth_bool": values[4] == "True",
        "json_path": values[5], "temp_frame_folder": None if values[6] == "None" else values[6],
    }
    if len(values) > 8:
        found.update(cls_tax_fallback=values[7] == "True", cls_tax_levels_idx=int(values[8]))
    return found


def load(model_file):
    """The model in the folder of its file, opened."""
    folder = os.path.dirname(os.path.abspath(model_file))
    path = os.path.join(folder, "inference.py")
    spec = importlib.util.spec_from_file_location("ecotone_inference", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = module.ModelInference(folder, model_file)
    model.load_model()
    return model


def main(values):
    """Classify the animals of a MegaDetector file, with AddaxAI's own library."""
    sys.path.append(values[0])
    from AddaxAI.classification_utils import inference_lib

    given = arguments(values)
    model = load(given["cls_model_fpath"])
    inference_lib.classify_MD_json(
        GPU_availability=model.check_gpu(), crop_function=model.get_crop,
        inference_function=model.get_classification, **given,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
