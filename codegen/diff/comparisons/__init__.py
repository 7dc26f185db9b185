"""Comparisons: each module compares the facts about one kind of element with the spec and yields findings.

Findings are named as in `findings.yaml`, which contains their texts; `advice` writes the YAML of those that
propose more than one line.
"""
