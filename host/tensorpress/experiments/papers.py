# SPDX-License-Identifier: Apache-2.0
"""What the papers claim: headline figures with their place, printed beside the measured ones.

Only figures of the abstracts are here; they could be checked against the published pages. The networks of the papers are others than
yours, so the figures are a scale to read by, not a target.
"""

from __future__ import annotations

from dataclasses import dataclass

APACK, EBPC, CDMA_ARXIV, CDMA_HPCA, VDNN = (
    "APack, arXiv 2201.08830, abstract",
    "EBPC, arXiv 1908.11645, abstract",
    "cDMA, arXiv 1705.01626, abstract",
    "cDMA, HPCA 2018, abstract",
    "vDNN, arXiv 1602.08124, abstract",
)


@dataclass(frozen=True)
class Claim:
    """One figure of a paper: what it is, its value, its unit and where it stands."""

    what: str
    value: float
    unit: str
    source: str


CLAIMS: dict[str, tuple[Claim, ...]] = {
    "apack": (
        Claim("weights, coded / raw", 0.60, "", APACK),
        Claim("activations, coded / raw", 0.48, "", APACK),
        Claim("speed-up", 1.44, "x", APACK),
        Claim("energy efficiency", 1.37, "x", APACK),
    ),
    "ebpc": (
        Claim("AlexNet, ratio", 5.1, "x", EBPC),
        Claim("VGG-16, ratio", 4.0, "x", EBPC),
        Claim("ResNet-34, ratio", 2.4, "x", EBPC),
        Claim("MobileNetV2, ratio", 2.2, "x", EBPC),
        Claim("gain over the methods before, least", 45, "%", EBPC),
        Claim("gain over the methods before, most", 70, "%", EBPC),
    ),
    "cdma": (
        Claim("average ratio", 2.6, "x", CDMA_ARXIV),
        Claim("largest ratio", 13.8, "x", CDMA_ARXIV),
        Claim("average gain over vDNN", 32, "%", CDMA_ARXIV),
        Claim("largest gain over vDNN", 61, "%", CDMA_ARXIV),
        Claim("average gain over vDNN, Titan Xp", 53, "%", CDMA_HPCA),
        Claim("largest gain over vDNN, Titan Xp", 79, "%", CDMA_HPCA),
        Claim("vDNN, VGG-16 of 256 images, loss", 18, "%", VDNN),
    ),
}
"""Experiment -> what its papers claim."""
