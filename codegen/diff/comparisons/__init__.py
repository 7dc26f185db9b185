"""Comparisons: each module compares the facts about one kind of element with the spec and yields findings.

The name of a finding is its key in `findings.yaml`, which contains the texts. `advice` writes the YAML for
findings that propose more than one line.
"""
