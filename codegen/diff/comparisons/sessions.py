"""Compare session types, their ports, and hosts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from codegen.diff.facts import Fact, HostFact, SessionFact
from codegen.diff.findings import Edit, Evidence, Finding, group_by

_COMMON_WORDS = frozenset({"entry", "fix", "gateway", "server", "session", "sessions", "the"})
"""Words in the label of a host that do not distinguish its role from others."""


def compare(evidence: Evidence) -> Iterator[Finding]:
    """Yield all differences in session types and hosts. Only pages contain these."""
    if not evidence.is_pages:
        return
    tables = evidence.facts_by(SessionFact, lambda each: each.environment)
    for environment, rows in tables.items():
        yield from _sessions(evidence, environment, rows)
    yield from _no_endpoints(evidence, set(tables))
    # Session types in running text that neither the spec nor a table of endpoints contains.
    known = {*evidence.spec.vocabulary.sessions, *(fact.name for fact in evidence.facts(SessionFact))}
    for name, mentions in evidence.mentions("session", known).items():
        yield _new_session(evidence, name, None, mentions)
    yield from _hosts(evidence)
    yield from _host_mentions(evidence)


def _sessions(evidence: Evidence, environment: str, rows: Sequence[SessionFact]) -> Iterator[Finding]:
    spec, product = evidence.spec, evidence.product
    session_types = {each.name: each for each in spec.dialect.session_types}
    environment_text = f" in {environment}" if environment else ""
    if environment and environment not in spec.dialect.environments:
        location = spec.manifest_location("environments")
        yield evidence.report("environment new", rows[:1], location, name=environment)
    for row in rows:
        session_type = session_types.get(row.name)
        if session_type is None:
            yield _new_session(evidence, row.name, row.port, [row])
            continue
        # A session type without products is available on all products.
        if session_type.products and product not in session_type.products:
            location = spec.session_location(row.name, "products")
            yield evidence.report("session product", row, location, name=row.name, product=product)
        elif session_type.port != row.port:
            values = {
                "name": row.name,
                "port": row.port,
                "in_spec": session_type.port,
                "place": environment_text,
            }
            yield evidence.report("session port", row, spec.session_location(row.name, "port"), **values)
    listed_names = {row.name for row in rows}
    for name, session_type in session_types.items():
        if name not in listed_names and (not session_type.products or product in session_type.products):
            values = {
                "name": name,
                "place": environment_text,
                "product": product,
                "product_or_it": product or "it",
            }
            yield evidence.report("session absent", rows[:1], session_type.location, **values)


def _no_endpoints(evidence: Evidence, environments_with_table: set[str]) -> Iterator[Finding]:
    """Yield a finding for each environment without an endpoint table, if the session types page was given."""
    spec = evidence.spec
    sources = {each.source for each in spec.dialect.session_types}
    # A table without an environment covers all environments.
    if "" in environments_with_table or not any(evidence.expects(source) for source in sources):
        return
    for environment in spec.dialect.environments:
        if environment not in environments_with_table:
            values = {"name": environment, "product": evidence.product}
            location = spec.manifest_location("environments")
            yield evidence.report(
                "environment absent", (), location, expected_in=next(iter(sources)), **values
            )


def _new_session(evidence: Evidence, name: str, port: int | None, facts: Sequence[Fact]) -> Finding:
    settings = ['purpose: "…"', *([f"port: {port}"] if port else []), "host: …"]
    settings += [f"products: {evidence.product}"] if evidence.product else []
    line = f"`{name}: {{{', '.join([*settings, 'resend: …', 'reset_required: …'])}}}`"
    file = evidence.spec.end_of_file
    edits = [
        Edit(file("sessions.yaml"), line),
        Edit(file("messages"), f"add {name} to the `flows` of its messages"),
    ]
    values = {"name": name, "port": f", on port {port}" if port else "", "edits": edits}
    return evidence.report("session new", facts, file("sessions.yaml"), **values)


def _role(label: str, roles: list[str]) -> str | None:
    """Return the spec's role for a label: `orders` for `Order Entry`, `market_data` for `Market Data`."""
    # Plurals and words common to all labels are ignored: `Orders` and `Order Entry` are one role.
    words = [word.rstrip("s") for word in re.findall(r"[a-z]+", label.lower()) if word not in _COMMON_WORDS]
    return next((role for role in roles if [word.rstrip("s") for word in role.split("_")] == words), None)


def _hosts(evidence: Evidence) -> Iterator[Finding]:
    spec = evidence.spec
    hosts = [endpoint for endpoint in spec.dialect.endpoints if endpoint.product == evidence.product]
    spec_hosts = {(endpoint.environment, endpoint.role): endpoint for endpoint in hosts}
    roles = sorted({endpoint.role for endpoint in spec.dialect.endpoints})
    sessions = {session_type.name: session_type.host_role for session_type in spec.dialect.session_types}
    seen: set[tuple[str, str]] = set()
    for fact in (fact for fact in evidence.facts(HostFact) if fact.role or fact.session):
        # If the spec has only one role, every host has it. A host in the row of a session type has the role
        # of that session type.
        role = _role(fact.role, roles) or (roles[0] if len(roles) == 1 else None)
        role = sessions.get(fact.session, role) or ""
        # A host without an environment may belong to any environment.
        environments = [fact.environment] if fact.environment else list(spec.dialect.environments)
        known = [
            spec_hosts[environment, role] for environment in environments if (environment, role) in spec_hosts
        ]
        seen.update((endpoint.environment, endpoint.role) for endpoint in known)
        if any(endpoint.host == fact.host for endpoint in known):
            continue
        values = {"host": fact.host, "in_spec": known[0].host if known else "", "role": role or "…"}
        name = "other" if known else "new"
        yield _host(evidence, name, [fact], (fact.environment, role), role or fact.role, **values)
    for key, endpoint in spec_hosts.items():
        if key not in seen and evidence.expects(endpoint.source):
            values = {"host": endpoint.host, "expected_in": endpoint.source}
            yield _host(evidence, "absent", (), key, endpoint.role, **values)


def _host(
    evidence: Evidence, aspect: str, facts: Sequence[Fact], key: tuple[str, str], label: str, **values: Any
) -> Finding:
    """Return a finding about the host of an environment and role."""
    entry, location = evidence.spec.merged_spec.hosts.get(key[0]), evidence.spec.end_of_file("sessions.yaml")
    if entry is not None:
        hosts = entry.node.mapping(evidence.product or "")
        location = hosts.at(key[1]) if hosts.entries else entry.location
    # The product of a dialect without products has no name.
    name = f"{key[0] or '…'} {evidence.product} {label}".replace("  ", " ")
    return evidence.report(f"host {aspect}", facts, location, name=name, **values)


def _host_mentions(evidence: Evidence) -> Iterator[Finding]:
    """Yield a finding for each host in text or examples that is in neither the spec nor a list of hosts."""
    hosts = evidence.facts(HostFact)
    known = {each.host for each in evidence.spec.dialect.endpoints}
    known |= {each.host for each in hosts if each.role or each.session}
    unknown = group_by((each for each in hosts if each.host not in known), lambda each: each.host)
    location = evidence.spec.end_of_file("sessions.yaml")
    for host, facts in unknown.items():
        yield evidence.report("mentioned host new", facts, location, host=host)
