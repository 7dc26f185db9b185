"""Draw the session's states in docs/session-states.md, from the transition table.

    python tools/state_diagrams.py           writes the generated part of the page
    python tools/state_diagrams.py --check   exits with status 1 if the page is out of date

Run by `make generate` and `make check`. The text outside the markers is written by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from kalshi_fix_sansio.session import TRANSITIONS, Input, Source, State

PAGE = Path(__file__).resolve().parent.parent / "docs" / "session-states.md"
BEGIN = "<!-- begin: written by tools/state_diagrams.py -->\n"
END = "<!-- end: written by tools/state_diagrams.py -->\n"
ROLES = {
    "The initiator": frozenset({Input.LISTEN}),
    "The acceptor": frozenset({Input.CONNECT}),
}
"""The diagrams, each with the inputs that are excluded because they never occur in this role."""
SOURCES = {
    Source.CALLER: "The caller",
    Source.PEER: "The peer",
    Source.TIMER: "A timer",
    Source.STORE: "The store",
}
REFUSED, NO_CHANGE = "refused", "·"


def always_fatal() -> list[Input]:
    """Return the inputs that close a session in every state after it is connected."""
    connected = set(State) - {State.DISCONNECTED, State.CLOSED}
    return [item for item in Input if all(TRANSITIONS[state][item] is State.CLOSED for state in connected)]


def reachable(excluded: frozenset[Input]) -> list[State]:
    """Return the states that can be reached without these inputs, in the order of their definition."""
    states = {State.DISCONNECTED}
    while new_states := {target for state in states for _, target in moves(state, excluded)} - states:
        states |= new_states
    return [state for state in State if state in states]


def moves(state: State, excluded: frozenset[Input]) -> Iterator[tuple[Input, State]]:
    """Yield the inputs that change a state, each with the next state."""
    for item, target in TRANSITIONS[state].items():
        if target is not None and target is not state and item not in excluded:
            yield item, target


def diagram(excluded: frozenset[Input]) -> str:
    """Return a Mermaid diagram of one role, without inputs that keep the state or that close the session in
    every state.
    """
    states, fatal = reachable(excluded), always_fatal()
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f'    state "{state.value}" as {name(state)}' for state in states]
    lines.append(f"    [*] --> {name(State.DISCONNECTED)}")
    for state in states:
        causes: dict[State, list[str]] = {}
        for item, target in moves(state, excluded.union(fatal)):
            causes.setdefault(target, []).append(item.value)
        lines += [
            f"    {name(state)} --> {name(target)}: {' / '.join(inputs)}" for target, inputs in causes.items()
        ]
    lines += [f"    {name(State.CLOSED)} --> [*]", "```"]
    return "\n".join(lines) + "\n"


def name(state: State) -> str:
    """Return a state's name within a diagram."""
    return state.name.lower()


def table(source: Source) -> str:
    """Return the transition table of one source: a row for each input, a column for each state."""
    lines = [f"| | {' | '.join(state.value for state in State)} |", f"|---|{'---|' * len(State)}"]
    for item in Input:
        if item.source is source:
            cells = (cell(state, TRANSITIONS[state][item]) for state in State)
            lines.append(f"| {item.value} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def cell(state: State, target: State | None) -> str:
    """Return the table cell for one state and one input."""
    if target is None:
        return REFUSED
    return NO_CHANGE if target is state else target.value


def generated_part() -> str:
    """Return the text between the markers."""
    fatal = ", ".join(item.value for item in always_fatal())
    parts = [
        f"The diagrams omit the inputs that lead to *closed* from every state of a connection: {fatal}.\n"
    ]
    parts += [f"## {title}\n\n{diagram(excluded)}" for title, excluded in ROLES.items()]
    parts.append("## The complete table\n")
    parts += [f"### {title}\n\n{table(source)}" for source, title in SOURCES.items()]
    return "\n" + "\n".join(parts) + "\n"


def update_page(page: str) -> str:
    """Return a page with its generated part updated; raise SystemExit if the page lacks a marker."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"the page lacks the markers {BEGIN.strip()} and {END.strip()}; put them back")
    return before + BEGIN + generated_part() + END + after


def main(arguments: list[str]) -> int:
    """Write or check the given page, or the one in docs/."""
    check = "--check" in arguments
    page = Path(next((argument for argument in arguments if argument != "--check"), PAGE))
    current = page.read_text("utf-8")
    updated = update_page(current)
    if current == updated:
        return 0
    if check:
        print(f"{page.name} is out of date; run: python tools/state_diagrams.py")
        return 1
    page.write_text(updated, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
