# SPDX-License-Identifier: Apache-2.0
"""Which digit is this? A small neural network over images of 8 by 8 pixels; numpy is all it needs.

Event: {"image": [[0, 3, 16, ...], ...]}, eight rows of eight numbers from 0 (paper) to 16 (ink).
Answer: {"digit": 3, "confidence": 0.9987, "probabilities": [...]}.
"""
import os

import numpy as np

SIDE, INK = 8, 16

# Read once, in the init phase: every warm invocation finds it here.
with np.load(os.path.join(os.path.dirname(os.path.abspath(__file__)), "model.npz")) as model:
    HIDDEN, HIDDEN_BIAS, OUT, OUT_BIAS = (model[name] for name in ("hidden", "hidden_bias", "out", "out_bias"))


def pixels(event):
    try:
        image = np.asarray(event["image"], dtype=np.float32)
    except KeyError:
        raise ValueError('the event has no "image"') from None
    except (TypeError, ValueError):
        raise ValueError('"image" must be 8 rows of 8 numbers') from None
    if image.shape != (SIDE, SIDE):
        raise ValueError(f'"image" must be 8 rows of 8 numbers, not of shape {image.shape}')
    if not (np.isfinite(image).all() and image.min() >= 0 and image.max() <= INK):
        raise ValueError('"image" must hold numbers from 0 to 16')
    return image.reshape(-1) / INK


def classify(x):
    hidden = np.maximum(x @ HIDDEN + HIDDEN_BIAS, 0)
    score = hidden @ OUT + OUT_BIAS
    e = np.exp(score - score.max())
    return e / e.sum()


def lambda_handler(event, context):
    p = classify(pixels(event))
    digit = int(p.argmax())
    print(f"digit {digit}, confidence {p[digit]:.3f}")
    return {"digit": digit, "confidence": round(float(p[digit]), 4), "probabilities": [round(float(v), 4) for v in p]}
