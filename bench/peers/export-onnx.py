#!/usr/bin/env python3
"""Adds onnx/model.onnx to a model folder of fp32 weights, as optimum's own exporter makes it: what Infinity's engine "optimum" runs."""
import argparse
import os
import shutil
import tempfile

from optimum.exporters.onnx import main_export


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("task", choices=["feature-extraction", "text-classification"])
    a = parser.parse_args()
    target = os.path.join(a.folder, "onnx", "model.onnx")
    if os.path.exists(target):
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with tempfile.TemporaryDirectory(dir=a.folder) as made:
        main_export(a.folder, made, task=a.task, library_name="transformers", dtype="fp32", do_validation=True)
        shutil.move(os.path.join(made, "model.onnx"), target)


main()
