"""Comparing: each module makes findings of the facts about one kind of thing and of what the spec has of it.

`members` goes over the rows about a message: `statements` compares a row with its member, `layout` where the
rows stand, `absence` looks for members without a row. `advice` writes the YAML that a finding proposes.
"""
