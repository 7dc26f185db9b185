"""Mistakes in a scenario file are reported with their line and a remedy, at bounded cost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

import attrs
import pytest

from kalshi_fix_sansio.clock import Instant
from kalshi_fix_venue.config import MAX_SUBACCOUNT
from kalshi_fix_venue.scenario import file as scenario_file
from kalshi_fix_venue.scenario.file import MAX_MISTAKES, ScenarioError, load_scenario, parse_scenario
from kalshi_fix_venue.venue import VenueModel
from tests.venue.venue_harness import START

EXAMPLE = Path(__file__).parents[3] / "examples" / "scenario.yaml"
BALANCE = "accounts:\n  ann:\n    prediction:\n      balance: 5\n"
MISTAKES_FILE = Path(__file__).with_name("mistakes.txt")
ANN = "accounts:\n  ann: {prediction: {balance: 5}}\n"


def listed_mistakes() -> Iterator[tuple[str, str]]:
    """Yield each scenario in mistakes.txt with its expected output, the last line of its block."""
    for block in MISTAKES_FILE.read_text("utf-8").rstrip("\n").split("\n\n"):
        if not block.startswith("#"):
            text, _, output = block.rpartition("\n=> ")
            yield text, output


def mistakes_of(text: str | bytes) -> list[str]:
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(data, "f.yaml")
    lines = str(caught.value).split("\n")
    assert lines == [f"f.yaml:{m.line}: {m.problem}; {m.advice}" for m in caught.value.mistakes]
    return lines


@pytest.mark.parametrize(
    ("text", "output"),
    [
        *listed_mistakes(),
        (
            f"{BALANCE}      subaccounts: {{{MAX_SUBACCOUNT + 1}: 1}}",
            (
                f"5: accounts.ann.prediction.subaccounts has the key `{MAX_SUBACCOUNT + 1}`; "
                f"it should be less than or equal to {MAX_SUBACCOUNT}"
            ),
        ),
        ("seed: 1\n\tx: 2", "2: is not valid YAML: "),
        ("", "1: is empty; describe the venue"),
        ("# nothing", "1: is empty; describe the venue"),
        ("seed: " + "9" * 30, "1: a number has more than 18 digits; correct it"),
        ("seed: \x07", "1: contains the character U+0007, which YAML does not allow; remove it"),
        (b"seed: 1\naccounts: \xff\xfe", "2: is not UTF-8; save the file as UTF-8"),
        ("seed: 1".encode("utf-16"), "1: is not UTF-8; save the file as UTF-8"),
    ],
)
def test_a_mistake_is_reported_with_its_line_and_a_remedy(text: str | bytes, output: str) -> None:
    found = mistakes_of(text)
    assert len(found) == 1, found
    assert found[0].startswith(f"f.yaml:{output}"), found


@pytest.mark.parametrize(
    ("text", "output"),
    [
        (
            """
markets: {prediction: {AA: {}, CC: {middle: 2}}}
groups: {G: {markets: [AA, BB]}}
keys:
- {owner: bob}
schedule:
- {do: halt, market: DD}
- {do: cut, owner: bob}
- {do: cut, owner: you-2}
accounts: {ann: {margin: {balance: 1}}}""",
            [
                "2: markets.prediction.CC.middle is `2`",
                "3: groups.G.markets[2] is `BB`; use one of `AA`, `CC`",
                "5: keys[1].owner is `bob`; use one of `ann`",
                "7: schedule[1].market is `DD`; use one of `AA`, `CC`",
                "8: schedule[2].owner is `bob`; use one of `ann`",
            ],
        ),
        # References are checked only once all values are valid, so no mistake is a consequence of another.
        (
            """
markets: {prediction: {AA: {state: opn, result: yes}, BB: 1}}
groups: {G: {markets: [AA, CC]}}""",
            ["2: markets.prediction.AA.state is `opn`", "2: markets.prediction.BB is `1`"],
        ),
        (
            "accounts: {ann: {prediction: {balance: x, customers: {c: 1}}}}\nkeys: [{owner: bob}]",
            [
                "1: accounts.ann.prediction.balance is `x`",
                "1: accounts.ann.prediction.customers has the key `c`",
                "1: accounts.ann.prediction.customers.c is `1`",
            ],
        ),
    ],
)
def test_mistakes_in_references_are_reported_only_if_all_values_are_valid(
    text: str, output: list[str]
) -> None:
    found = mistakes_of(text)
    assert len(found) == len(output), found
    assert all(line.startswith(f"f.yaml:{each}") for line, each in zip(found, output, strict=True)), found


def test_suggested_names_are_ordered_by_similarity() -> None:
    markets = ", ".join(f"KXMARKET-{number}: {{}}" for number in range(40))
    (found,) = mistakes_of(f"markets: {{prediction: {{{markets}}}}}\nflow: {{markets: [M-39]}}")
    assert "use one of `KXMARKET-39`, " in found
    assert found.endswith(", and 16 more")


def test_all_mistakes_in_values_are_reported_at_once_in_order() -> None:
    found = mistakes_of("maintenance: x\nseed: y\nacounts: {}\nfees:\n  prediction: {taker-rate: z}\n")
    assert [line.partition(" ")[0] for line in found] == ["f.yaml:1:", "f.yaml:2:", "f.yaml:3:", "f.yaml:5:"]


def test_reported_mistakes_are_bounded() -> None:
    found = mistakes_of("\n".join(f"key{number}: 1" for number in range(MAX_MISTAKES * 3)))
    assert len(found) == MAX_MISTAKES + 1
    assert "there are more mistakes; correct the ones above first" in found[-1]


def test_long_values_are_shortened_and_control_characters_escaped() -> None:
    (found,) = mistakes_of('seed: "\\e[31m' + "x" * 10_000 + '"')
    assert "\x1b" not in found
    assert "\\x1b[31m" in found
    assert len(found) < 1200


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("x: " + "[" * 40 + "]" * 40, "it is nested more than 32 levels deep"),
        ("a: " + "{a: " * 40 + "1" + "}" * 40, "it is nested more than 32 levels deep"),
        ("x: [" + "1," * scenario_file.BOUNDS.values + "]", "it has more than 20000 values"),
        (
            "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
            + "".join(
                f"{b}: &{b} [{','.join([f'*{a}'] * 10)}]\n"
                for a, b in zip("abcdefgh", "bcdefghi", strict=True)
            ),
            "aliases expand to more than 2000 values",
        ),
        ("#" + "x" * scenario_file.MAX_FILE_SIZE, "has more than 524288 bytes; remove unnecessary parts"),
        (
            "accounts: {" + ",".join(f"a{n}: {{margin: {{balance: 1}}}}" for n in range(2001)) + "}",
            "should have at most 2000 items",
        ),
        (ANN + "keys:\n" + "- {owner: ann, count: 1000}\n" * 6, "use at most 5000 keys in all"),
    ],
    ids=["lists", "mappings", "values", "bomb", "bytes", "entries", "keys"],
)
def test_a_huge_file_is_refused(text: str, output: str) -> None:
    assert any(output in line for line in mistakes_of(text))


def test_a_file_just_within_the_bounds_is_read() -> None:
    many = ",".join(f"a{n}: {{margin: {{balance: 1}}}}" for n in range(500))
    scenario = parse_scenario(
        f"accounts: {{{many}}}\n#{'x' * (scenario_file.MAX_FILE_SIZE - 50_000)}".encode()
    )
    assert len(scenario.accounts) == 500


def test_a_missing_file_or_a_folder_is_reported(tmp_path: Path) -> None:
    for path in (tmp_path / "no.yaml", tmp_path):
        with pytest.raises(ScenarioError, match=r":1: cannot be read \(.*\); specify a readable file"):
            load_scenario(path)


ODD_VALUES = (
    "-1",
    "0",
    "true",
    "null",
    "[]",
    "{}",
    "1e5",
    "9" * 20,
    "yes",
    "'",
    "&a",
    "*a",
    "!!str",
    "1d",
    ":",
    "\t",
    "é",
)


def test_a_changed_file_is_rejected_or_describes_a_working_venue() -> None:
    random = Random(4)
    example = EXAMPLE.read_text()
    words = re.findall(r"[\w.-]+", example)
    read = 0
    for _ in range(150):
        text = example
        for _ in range(random.randint(1, 3)):
            word = random.choice(list(re.finditer(r"[\w.-]+", text)))
            text = text[: word.start()] + random.choice((*ODD_VALUES, *words)) + text[word.end() :]
        try:
            scenario = parse_scenario(text.encode())
        except ScenarioError:
            continue
        read += 1
        venue = VenueModel(attrs.evolve(scenario, keys=()).config({}), Random(1))
        venue.begin(Instant(0.0, START))
    assert 10 < read < 100
