# SPDX-License-Identifier: Apache-2.0
"""The experiments of the papers behind the codecs, on any network: what they claim for theirs, measured and modelled on yours.

``apack`` (footprint, bandwidth-bound accelerator), ``ebpc`` (peers, frames, number formats, gradients) and ``cdma`` (offload over PCIe)
hold one experiment each: a model of plain functions, with its parameters as a frozen dataclass. README.md beside this file states the
equations, the parameters and where they come from.
"""
