"""Compares where things are: session types with their ports, hosts, and the entries of the changelog."""

from __future__ import annotations

import re
from collections.abc import Iterator

from codegen.diff.facts import HostSaid, MentionSaid, SessionSaid, VersionSaid
from codegen.diff.findings import DIFFERENT, NEW, Edit, Evidence, Finding
from kalshi_fix_adapters.documents.mistakes import Location

_FILLERS = frozenset({"entry", "fix", "gateway", "server", "session", "sessions", "the"})
"""Words of a label that do not tell one role from another."""


def compare(evidence: Evidence) -> Iterator[Finding]:
    """Every difference in session types, hosts and versions; a dictionary speaks of none of them."""
    if not evidence.is_pages:
        return
    yield from _sessions(evidence)
    yield from _session_mentions(evidence)
    yield from _hosts(evidence)
    yield from _host_mentions(evidence)
    yield from _versions(evidence)


def _sessions(evidence: Evidence) -> Iterator[Finding]:
    spec = evidence.spec
    known = {each.name: each for each in spec.dialect.session_types}
    tables: dict[str, list[SessionSaid]] = {}
    for said in evidence.said(SessionSaid):
        tables.setdefault(said.environment, []).append(said)
    for environment, rows in tables.items():
        where = f" in {environment}" if environment else ""
        if environment and environment not in spec.dialect.environments:
            edit = Edit(spec.manifest("environments"), f"add `{environment}`, and its hosts in sessions.yaml")
            text = f"environment {environment}: the spec does not know it"
            yield evidence.new("environment", environment, text, [rows[0].place], edit)
        for row in rows:
            own = known.get(row.name)
            if own is None:
                yield _new_session(evidence, row.name, row.port, [row.place])
            elif own.products and evidence.product not in own.products:
                edit = Edit(
                    spec.session_location(row.name, "products"), f"add {evidence.product} to `products`"
                )
                text = f"{row.name}: is on {evidence.product}, the spec does not have it there"
                yield evidence.new("session", row.name, text, [row.place], edit)
            elif own.port != row.port:
                edit = Edit(spec.session_location(row.name, "port"), f"`port: {row.port}`")
                text = f"{row.name}: port {row.port}{where}, in the spec {own.port}"
                yield evidence.differs("session", row.name, f"port {row.port}", text, [row.place], edit)
        listed = {row.name for row in rows}
        for name, own in known.items():
            if name not in listed and evidence.product in (own.products or ("", evidence.product)):
                edit = Edit(own.location, f"take {evidence.product or 'it'} out of {name}, or remove it")
                text = f"{name}: is not among the endpoints{where} of {evidence.product}"
                yield evidence.gone("session", name, text, [rows[0].place], edit, said=f"absent{where}")
    yield from _no_endpoints(evidence, set(tables))


def _no_endpoints(evidence: Evidence, spoken: set[str]) -> Iterator[Finding]:
    """Environments without a table of endpoints, where the page of the session types was given."""
    spec = evidence.spec
    sources = {each.source for each in spec.dialect.session_types}
    if "" in spoken or not any(evidence.expects(source) for source in sources):
        return
    for environment in spec.dialect.environments:
        if environment not in spoken:
            edit = Edit(
                spec.manifest("environments"), f"remove {environment} here and its hosts from sessions.yaml"
            )
            text = f"environment {environment}: there is no table of its endpoints for {evidence.product}"
            yield evidence.gone("environment", environment, text, [], edit, expected_in=next(iter(sources)))


def _new_session(evidence: Evidence, name: str, port: int | None, places: list[Location]) -> Finding:
    settings = ['purpose: "…"', *([f"port: {port}"] if port else []), "host: …"]
    settings += [f"products: {evidence.product}"] if evidence.product else []
    line = f"`{name}: {{{', '.join([*settings, 'resend: …', 'reset_required: …'])}}}`"
    text = f"{name}: a session type that the spec does not know{f', on port {port}' if port else ''}"
    edits = [
        Edit(evidence.spec.file("sessions.yaml"), line),
        Edit(evidence.spec.file("messages"), f"add {name} to the `flows` of what it carries"),
    ]
    return evidence.new("session", name, text, places, *edits)


def _session_mentions(evidence: Evidence) -> Iterator[Finding]:
    """Session types in running text that neither the spec nor a table of endpoints knows."""
    known = {each.name for each in evidence.spec.dialect.session_types}
    known |= {said.name for said in evidence.said(SessionSaid)}
    places: dict[str, list[Location]] = {}
    for said in evidence.said(MentionSaid):
        if said.kind == "session" and said.value not in known:
            places.setdefault(said.value, []).append(said.place)
    for name, where in places.items():
        yield _new_session(evidence, name, None, where)


def _role(label: str, roles: list[str]) -> str | None:
    """The spec's role that a label means: `Order Entry` is `orders`, `Market Data` is `market_data`."""
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
    said = [each for each in evidence.said(HostSaid) if each.role or each.session]
    seen: set[tuple[str, str]] = set()
    for each in said:
        role = _role(each.role, roles) or (roles[0] if len(roles) == 1 else None)
        if each.session in sessions:
            role = sessions[each.session].host_role
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
        yield evidence.finding(kind, "host", name, f"host {each.host}", text, [each.place], [edit])
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
    known |= {said.host for said in evidence.said(HostSaid) if said.role or said.session}
    places: dict[str, list[Location]] = {}
    for said in evidence.said(HostSaid):
        if said.host not in known:
            places.setdefault(said.host, []).append(said.place)
    for host, where in places.items():
        edit = Edit(evidence.spec.file("sessions.yaml"), "see which host it is, and correct `hosts`")
        yield evidence.new("host", host, f"host {host}: the spec does not know it", where, edit)


def _versions(evidence: Evidence) -> Iterator[Finding]:
    spec = evidence.spec
    own = spec.versions()
    said = evidence.said(VersionSaid)
    dates = spec.dates()
    for each in said:
        if not each.version:
            if each.date and each.date not in dates and each.date[:7] not in dates:
                edit = Edit(
                    spec.manifest("versions"),
                    f"read it; give what it changes `since: {each.date}` or the like",
                )
                text = (
                    f"changelog: an entry of {each.date} without a version; nothing in the spec has that date"
                )
                yield evidence.new("version", each.date, text, [each.place], edit)
        elif each.version not in own:
            edit = Edit(
                spec.manifest("versions"), f"`{each.version}: {each.date or '…'}`, and what it changes"
            )
            text = f"changelog: new version {each.version}{f' of {each.date}' if each.date else ''}"
            yield evidence.new("version", each.version, text, [each.place], edit)
        elif each.date and own[each.version][0] != each.date:
            edit = Edit(own[each.version][1], f"`{each.version}: {each.date}`")
            text = (
                f"changelog: version {each.version} is of {each.date}, in the spec of {own[each.version][0]}"
            )
            yield evidence.differs("version", each.version, f"date {each.date}", text, [each.place], edit)
    listed = {each.version for each in said}
    if listed - {""}:
        for version, (_, location) in own.items():
            if version not in listed:
                text = f"changelog: version {version} is not in it any more"
                edit = Edit(location, "nothing to change, if the venue only shortened its changelog")
                yield evidence.gone("version", version, text, [said[0].place], edit)
