"""Compares session types with their ports, and hosts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from codegen.diff.facts import HostSaid, MentionSaid, SessionSaid
from codegen.diff.findings import DIFFERENT, NEW, Edit, Evidence, Finding
from kalshi_fix_adapters.documents.mistakes import Location

_FILLERS = frozenset({"entry", "fix", "gateway", "server", "session", "sessions", "the"})
"""Words of a label that do not tell one role from another."""


def compare(evidence: Evidence) -> Iterator[Finding]:
    """Every difference in session types and hosts; a dictionary speaks of neither."""
    if not evidence.is_pages:
        return
    yield from _sessions(evidence)
    yield from _session_mentions(evidence)
    yield from _hosts(evidence)
    yield from _host_mentions(evidence)


def _sessions(evidence: Evidence) -> Iterator[Finding]:
    spec = evidence.spec
    known = {each.name: each for each in spec.dialect.session_types}
    tables: dict[str, list[SessionSaid]] = {}
    for said in evidence.facts(SessionSaid):
        tables.setdefault(said.environment, []).append(said)
    for environment, rows in tables.items():
        where = f" in {environment}" if environment else ""
        if environment and environment not in spec.dialect.environments:
            edit = Edit(spec.manifest("environments"), f"add `{environment}`, and its hosts in sessions.yaml")
            text = f"environment {environment}: the spec does not know it"
            yield evidence.new("environment", environment, text, [rows[0].location], edit)
        for row in rows:
            own = known.get(row.name)
            if own is None:
                yield _new_session(evidence, row.name, row.port, [row.location])
            # A session type without products is on all of them.
            elif own.products and evidence.product not in own.products:
                edit = Edit(
                    spec.session_location(row.name, "products"), f"add {evidence.product} to `products`"
                )
                text = f"{row.name}: is on {evidence.product}, the spec does not have it there"
                yield evidence.new("session", row.name, text, [row.location], edit)
            elif own.port != row.port:
                edit = Edit(spec.session_location(row.name, "port"), f"`port: {row.port}`")
                text = f"{row.name}: port {row.port}{where}, in the spec {own.port}"
                yield evidence.differs("session", row.name, f"port {row.port}", text, [row.location], edit)
        listed = {row.name for row in rows}
        for name, own in known.items():
            if name not in listed and evidence.product in (own.products or ("", evidence.product)):
                edit = Edit(own.location, f"take {evidence.product or 'it'} out of {name}, or remove it")
                text = f"{name}: is not among the endpoints{where} of {evidence.product}"
                yield evidence.gone("session", name, text, [rows[0].location], edit, says=f"absent{where}")
    yield from _no_endpoints(evidence, set(tables))


def _no_endpoints(evidence: Evidence, spoken: set[str]) -> Iterator[Finding]:
    """Environments without a table of endpoints, where the page of the session types was given."""
    spec = evidence.spec
    sources = {each.source for each in spec.dialect.session_types}
    # A table that names no environment is about all of them.
    if "" in spoken or not any(evidence.expects(source) for source in sources):
        return
    for environment in spec.dialect.environments:
        if environment not in spoken:
            edit = Edit(
                spec.manifest("environments"), f"remove {environment} here and its hosts from sessions.yaml"
            )
            text = f"environment {environment}: there is no table of its endpoints for {evidence.product}"
            yield evidence.gone("environment", environment, text, [], edit, expected_in=next(iter(sources)))


def _new_session(evidence: Evidence, name: str, port: int | None, locations: list[Location]) -> Finding:
    settings = ['purpose: "…"', *([f"port: {port}"] if port else []), "host: …"]
    settings += [f"products: {evidence.product}"] if evidence.product else []
    line = f"`{name}: {{{', '.join([*settings, 'resend: …', 'reset_required: …'])}}}`"
    text = f"{name}: a session type that the spec does not know{f', on port {port}' if port else ''}"
    edits = [
        Edit(evidence.spec.file("sessions.yaml"), line),
        Edit(evidence.spec.file("messages"), f"add {name} to the `flows` of what it carries"),
    ]
    return evidence.new("session", name, text, locations, *edits)


def _session_mentions(evidence: Evidence) -> Iterator[Finding]:
    """Session types in running text that neither the spec nor a table of endpoints knows."""
    known = {each.name for each in evidence.spec.dialect.session_types}
    known |= {said.name for said in evidence.facts(SessionSaid)}
    locations: dict[str, list[Location]] = {}
    for said in evidence.facts(MentionSaid):
        if said.kind == "session" and said.value not in known:
            locations.setdefault(said.value, []).append(said.location)
    for name, where in locations.items():
        yield _new_session(evidence, name, None, where)


def _role(label: str, roles: list[str]) -> str | None:
    """The spec's role that a label means: `Order Entry` is `orders`, `Market Data` is `market_data`."""
    # `Orders` and `Order Entry` are one role: plurals do not count, nor what every label has.
    words = [word.rstrip("s") for word in re.findall(r"[a-z]+", label.lower()) if word not in _FILLERS]
    return next((role for role in roles if [word.rstrip("s") for word in role.split("_")] == words), None)


def _hosts(evidence: Evidence) -> Iterator[Finding]:
    spec = evidence.spec
    own = {
        (each.environment, each.role): each
        for each in spec.dialect.endpoints
        if each.product == evidence.product
    }
    roles = sorted({each.role for each in spec.dialect.endpoints})
    sessions = {each.name: each for each in spec.dialect.session_types}
    said = [each for each in evidence.facts(HostSaid) if each.role or each.session]
    seen: set[tuple[str, str]] = set()
    for each in said:
        # With one role in the spec every host has it. The row of a session type says the role for
        # certain.
        role = _role(each.role, roles) or (roles[0] if len(roles) == 1 else None)
        if each.session in sessions:
            role = sessions[each.session].host_role
        # Without an environment the host may be any environment's.
        environments = [each.environment] if each.environment else list(spec.dialect.environments)
        known = [own[key] for key in ((environment, role) for environment in environments) if key in own]
        seen.update((endpoint.environment, endpoint.role) for endpoint in known)
        if any(endpoint.host == each.host for endpoint in known):
            continue
        name = f"{each.environment or '…'} {evidence.product} {role or each.role}".replace("  ", " ")
        location = spec.host_location(each.environment, evidence.product or "", role or "")
        edit = Edit(location, f"`{role or '…'}: {each.host}`")
        was = f", in the spec {known[0].host}" if known else ", the spec has none"
        text = f"host of {name}: {each.host}{was}"
        kind = DIFFERENT if known else NEW
        yield evidence.finding(kind, "host", name, f"host {each.host}", text, [each.location], [edit])
    for key, endpoint in own.items():
        if key not in seen and evidence.expects(endpoint.source):
            name = f"{endpoint.environment} {evidence.product} {endpoint.role}".replace("  ", " ")
            location = spec.host_location(endpoint.environment, evidence.product or "", endpoint.role)
            text = f"host of {name}: {endpoint.host} is not named"
            yield evidence.gone(
                "host",
                name,
                text,
                [],
                Edit(location, "remove it, or see where it is named now"),
                expected_in=endpoint.source,
            )


def _host_mentions(evidence: Evidence) -> Iterator[Finding]:
    """Hosts in running text and examples that neither the spec nor a list of hosts knows."""
    known = {each.host for each in evidence.spec.dialect.endpoints}
    known |= {said.host for said in evidence.facts(HostSaid) if said.role or said.session}
    locations: dict[str, list[Location]] = {}
    for said in evidence.facts(HostSaid):
        if said.host not in known:
            locations.setdefault(said.host, []).append(said.location)
    for host, where in locations.items():
        edit = Edit(evidence.spec.file("sessions.yaml"), "see which host it is, and correct `hosts`")
        yield evidence.new("host", host, f"host {host}: the spec does not know it", where, edit)
