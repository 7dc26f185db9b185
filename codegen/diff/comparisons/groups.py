"""Compare the positions of table rows with the groups of the spec.

Most pages show for only some fields that they belong to a group, so the positions are compared. Between a
counter and the last field of its group, only fields of the group may appear, and the first of them must open
an entry.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from codegen.diff.comparisons.blocks import Block
from codegen.diff.facts import MemberFact
from codegen.diff.findings import Finding, group_by
from codegen.diff.spec_index import PlacedMember

Row = tuple[MemberFact, PlacedMember]


def compare(block: Block) -> Iterator[Finding]:
    """Yield rows whose group differs from the spec's, wrong first fields, and wrong group sizes."""
    rows = [(fact, placed) for fact in block.rows if (placed := block.member_of(fact)) is not None]
    if any(fact.path is not None for fact, _ in rows):
        return  # A dictionary states the group of each row.
    # Order is meaningful only within one table.
    tables = group_by(rows, lambda row: (row[0].location.file, row[0].table))
    for counter in (placed for placed in block.members if placed.member.group is not None):
        tag = counter.field.tag
        # Tables whose heading names this group.
        own_tables = [
            table for table in tables.values() if all(fact.heading_counter == tag for fact, _ in table)
        ]
        for table in own_tables:
            yield from _check_first_field(block, table, counter)
        # A group is compared with its own tables, or, if it has none, with each table that contains its
        # counter.
        for table in tables.values():
            if own_tables and table not in own_tables:
                yield from _fields_outside(block, table, counter, own_tables)
            elif not own_tables:
                yield from _check_order(block, table, counter)
        yield from _check_size(block, counter, rows)


def _fields_outside(
    block: Block, table: Sequence[Row], counter: PlacedMember, own_tables: Sequence[Sequence[Row]]
) -> Iterator[Finding]:
    """Yield fields of the group that are in this table, but not in the tables of the group itself."""
    inside = {fact.tag for own_table in own_tables for fact, _ in own_table}
    for fact, placed in table:
        # Direct members only: the fields of a nested group are checked with its own counter.
        if (
            placed.path[-1:] == (counter.field.tag,)
            and fact.tag not in inside
            and fact.enclosing_group is None
        ):
            where = (
                "in the body"
                if fact.heading_counter is None
                else f"in {block.spec.field_name(fact.heading_counter)}"
            )
            yield _moved_member(block, fact, placed, where)


def _check_order(block: Block, table: Sequence[Row], counter: PlacedMember) -> Iterator[Finding]:
    """Check one table that contains a counter and the fields of its group."""
    # Row indexes in the table: the counter, all fields of its group, and those of them after the counter.
    counter_row = next(
        (n for n, (_, placed) in enumerate(table) if placed.field.tag == counter.field.tag), None
    )
    path = (*counter.path, counter.field.tag)
    group_rows = [n for n, (_, placed) in enumerate(table) if placed.path[: len(path)] == path]
    if counter_row is None or not group_rows:
        return
    later_rows = [n for n in group_rows if n > counter_row]
    heading_counter = table[0][0].heading_counter
    tags = [fact.tag for fact, _ in table[group_rows[0] : counter_row + 1]]
    if not later_rows and heading_counter is None and tags == sorted(tags):
        return  # The rows are sorted by tag, so a counter in the last row carries no information.
    # All rows of the group are before the counter, under the heading of another group: on the page they
    # belong to that other group.
    if not later_rows and heading_counter is not None:
        for n in group_rows:
            yield _moved_member(block, *table[n], f"in {block.spec.field_name(heading_counter)}")
        return
    for n in group_rows:
        if n < counter_row:
            yield _moved_member(block, *table[n], f"before {counter.field.name}")
    # Only fields of the group may appear between the counter and the group's last field.
    for n in range(counter_row + 1, later_rows[-1] if later_rows else counter_row):
        fact, placed = table[n]
        if n not in later_rows and fact.enclosing_group is None:
            yield _moved_member(block, fact, placed, f"among the fields of {counter.field.name}")
    # On the page, a field after the last known field of the group may belong to the group, or follow it. It
    # is reported only if the spec has it before the counter: otherwise it follows the group in the spec, too.
    earlier_members = list(block.members[: block.members.index(counter)])
    for fact, placed in table[later_rows[-1] + 1 :] if later_rows else ():
        if placed in earlier_members and placed.path == counter.path and fact.enclosing_group is None:
            yield _moved_member(block, fact, placed, f"after the fields of {counter.field.name}")
    yield from _check_first_field(block, [table[n] for n in later_rows], counter)


def _check_first_field(block: Block, rows: Sequence[Row], counter: PlacedMember) -> Iterator[Finding]:
    """Check that the first field is one that opens an entry."""
    group = counter.member.group
    direct_members = [(fact, placed) for fact, placed in rows if placed.path[-1:] == (counter.field.tag,)]
    # A single field has no order.
    if group is None or len(direct_members) < 2:
        return
    opening = [field.name for field in group.delimiters]
    fact, placed = direct_members[0]
    if placed.field.name not in opening and any(each.field.name in opening for _, each in direct_members):
        values = {"counter": counter.field.name, "in_spec": " or ".join(opening), "group_name": group.name}
        yield block.report("member opens an entry", placed, fact, **values)


def _check_size(block: Block, counter: PlacedMember, rows: Sequence[Row]) -> Iterator[Finding]:
    """Compare the maximum number of entries with text such as `up to 2` about a counter.

    A number above the spec's maximum is always reported. Messages share groups, so a lower number, or
    any number if the spec has no maximum, is reported only if the text of every message contains a number
    and this one is the largest.
    """
    group, tag = counter.member.group, counter.field.tag
    stated_by_block: dict[str, int] = {}
    for row in block.evidence.facts(MemberFact):
        if row.tag == tag:
            stated_by_block[row.block] = max(stated_by_block.get(row.block, 0), row.max_entries or 0)
    for fact, placed in rows:
        stated = fact.max_entries if placed.field.tag == tag else None
        if group is None or stated is None or stated == group.maximum:
            continue
        too_many = group.maximum is not None and stated > group.maximum
        if too_many or (all(stated_by_block.values()) and stated == max(stated_by_block.values())):
            values = {"maximum": stated, "in_spec": group.maximum or "any number", "group_name": group.name}
            yield block.report("member entries", placed, fact, **values)


def _moved_member(block: Block, fact: MemberFact, placed: PlacedMember, where: str) -> Finding:
    """Return a finding for a field whose group in the source differs from its group in the spec."""
    names = "/".join(block.spec.field_name(tag) for tag in placed.path)
    in_spec = f"in {names}" if names else "in the body"
    return block.report("member moved", placed, fact, where=where, in_spec=in_spec)
