#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the network of this example and writes everything that comes from the data.

The data are the 1,797 handwritten digits that scikit-learn brings with it. Three quarters train the network; the rest is never shown to it
and becomes heldout.npz, from which events/ and expected/ are taken. The same versions of the libraries give the same files.

    apt-get install python3-sklearn
    ./train.py            # writes model.npz, heldout.npz, events/*.json, expected/*.json
    ./train.py --check    # changes nothing: the stored held-out images are what they should be, and the accuracy on them
"""
import contextlib
import io
import json
import pathlib
import sys

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

HERE = pathlib.Path(__file__).resolve().parent
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
SEED = 20


def split():
    data = load_digits()
    return train_test_split(data.images, data.target, np.arange(len(data.target)), test_size=0.25, stratify=data.target, random_state=SEED)


def train():
    train_images, heldout_images, train_labels, heldout_labels, _, heldout_index = split()
    network = MLPClassifier(hidden_layer_sizes=(64,), alpha=1e-2, max_iter=400, random_state=SEED)
    network.fit(train_images.reshape(len(train_images), -1) / 16, train_labels)
    (hidden, out), (hidden_bias, out_bias) = network.coefs_, network.intercepts_
    parts = {"hidden": hidden, "hidden_bias": hidden_bias, "out": out, "out_bias": out_bias}
    np.savez_compressed(HERE / "model.npz", **{k: v.astype(np.float32) for k, v in parts.items()})
    np.savez_compressed(HERE / "heldout.npz", images=heldout_images.astype(np.uint8), labels=heldout_labels.astype(np.uint8),
                        index=heldout_index.astype(np.uint16))


def handler():
    sys.path.insert(0, str(HERE))
    import lambda_function

    return lambda_function.lambda_handler


def write_events():
    """The first held-out image of each digit, and what the handler answers."""
    answer = handler()
    with np.load(HERE / "heldout.npz") as heldout:
        images, labels = heldout["images"], heldout["labels"]
    for folder in ("events", "expected"):
        (HERE / folder).mkdir(exist_ok=True)
    for digit, name in enumerate(NAMES):
        image = images[labels == digit][0]
        rows = ",\n  ".join(json.dumps([int(v) for v in row]) for row in image)
        (HERE / "events" / f"{name}.json").write_text(f'{{"image": [\n  {rows}\n]}}\n')
        result = answer({"image": image.tolist()}, None)
        if result["digit"] != digit:
            print(f"the network takes the first held-out {digit} for a {result['digit']}")
        (HERE / "expected" / f"{name}.json").write_text(json.dumps(result) + "\n")


def check():
    """The held-out images are those of the split, and so not those the network was trained on."""
    train_images, heldout_images, _, heldout_labels, train_index, heldout_index = split()
    with np.load(HERE / "heldout.npz") as stored:
        assert np.array_equal(stored["index"], heldout_index), "other images are held out"
        assert np.array_equal(stored["images"], heldout_images) and np.array_equal(stored["labels"], heldout_labels), "the images differ"
    assert not set(train_index) & set(heldout_index)
    trained = {image.tobytes() for image in train_images}
    assert not any(image.tobytes() in trained for image in heldout_images), "an image is in both parts"
    answer = handler()
    with contextlib.redirect_stdout(io.StringIO()):
        right = sum(answer({"image": image.tolist()}, None)["digit"] == label for image, label in zip(heldout_images, heldout_labels))
    print(f"{right} of {len(heldout_labels)} held-out images are right: {right / len(heldout_labels):.4f}")


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        check()
    elif not sys.argv[1:]:
        train()
        write_events()
        check()
    else:
        sys.exit(__doc__)
