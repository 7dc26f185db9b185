"""Comparing: each module makes findings of the facts about one kind of element and of of the spec's.

A finding is named as in `findings.yaml`, which has its texts; `advice` writes the YAML of those that propose
more than a line.
"""
