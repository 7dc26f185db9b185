"""Mistakes in a scenario file are reported with their line and a remedy, at a bounded cost."""

from __future__ import annotations

import re
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
ANN = "accounts:\n  ann: {prediction: {balance: 5}}\n"


def mistakes_of(text: str | bytes) -> list[str]:
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(data, "f.yaml")
    lines = str(caught.value).split("\n")
    assert lines == [f"f.yaml:{m.line}: {m.what}; {m.advice}" for m in caught.value.mistakes]
    return lines


@pytest.mark.parametrize(
    ("text", "output"),
    [
        # --- names --------------------------------------------------------------------------------------
        ("sed: 1", "1: the file has an unknown key `sed`; did you mean `seed`?"),
        (
            "seed: 1\nmarkets:\n  prediction:\n    A: {tik: 0.01}",
            "4: markets.prediction.A has an unknown key `tik`; did you mean `tick`?",
        ),
        ("markets:\n  perps: {}", "2: markets has an unknown key `perps`; use one of `prediction`, `margin`"),
        (f"{ANN}keys:\n- {{owner: anne}}", "4: keys[1].owner is `anne`; did you mean `ann`?"),
        (
            f"{ANN}keys:\n- {{owner: ann,\n   product: margin}}",
            "5: keys[1].product is `margin`; add accounts.ann.margin",
        ),
        (
            "schedule:\n- {when: 5s, do: halt, market: KXNBA-27-NYX}",
            "2: schedule[1].market is `KXNBA-27-NYX`; did you mean `KXNBA-27-NYK`?",
        ),
        (
            "flow:\n  markets: [BTC-PERP,\n    KXNBA-27]",
            "3: flow.markets[2] is `KXNBA-27`; did you mean `KXNBA-27-NYK`?",
        ),
        ("schedule: [{when: 5s, do: paus}]", "1: schedule[1].do is `paus`; did you mean `pause`?"),
        (
            "schedule: [{do: pause, what: everything}]",
            "1: schedule[1].what is `everything`; 'everything' is not one of trading, exchange",
        ),
        (
            "schedule: [{do: pause, wat: trading}]",
            "1: schedule[1] has an unknown key `wat`; did you mean `what`?",
        ),
        ("schedule: [{what: trading}]", "1: schedule[1] has no `do`; add it: `{when: 90s, do: pause}`"),
        ("schedule: [{do: halt}]", "1: schedule[1] has no `market`; add it: its ticker"),
        (
            "accounts:\n  flow-maker-1: {margin: {balance: 1}}",
            "2: accounts.flow-maker-1 has an invalid value; choose another name: `flow-maker-1` is reserved",
        ),
        (
            "accounts:\n  liquidity: {margin: {balance: 1}}",
            "2: accounts.liquidity has an invalid value; choose another name: `liquidity` is reserved",
        ),
        (
            "accounts:\n  a/b: {margin: {balance: 1}}",
            "2: accounts has the key `a/b`; it should match pattern '^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$'",
        ),
        (
            "accounts:\n  ann: {}",
            "2: accounts.ann has an invalid value; add `prediction` or `margin` with a balance",
        ),
        # --- types --------------------------------------------------------------------------------------
        ("- 1", "1: the file is a list; write a mapping"),
        ("seed: soon", "1: seed is `soon`; write a whole number"),
        ("seed: -1", "1: seed is `-1`; it should be greater than or equal to 0"),
        ("seed: 1.5", "1: seed is `1.5`; write a whole number"),
        ("seed: true", "1: seed is `true`; write a whole number"),
        ("seed:", "1: seed is empty; write a whole number"),
        ("accounts: [ann]", "1: accounts is a list; write a mapping"),
        ("keys: {owner: ann}", "1: keys is a mapping; write a list"),
        ("schedule: [pause]", "1: schedule[1] is `pause`; write a mapping"),
        ("schedule: [{when: 5, do: pause}]", "1: schedule[1].when is `5`; write a time such as"),
        ("limits: {logon-timeout: -5s}", "1: limits.logon-timeout is `-5s`; write a time such as"),
        (f"{ANN}keys:\n- {{owner: ann, type: dsa}}", "4: keys[1].type is `dsa`; did you mean `rsa`?"),
        (
            f"{ANN}keys:\n- {{owner: ann, count: 0}}",
            "4: keys[1].count is `0`; it should be greater than or equal to 1",
        ),
        (
            f"{ANN}keys:\n- {{count: 1}}",
            "4: keys[1] has no `owner`; add it: The owner of the account to which the keys belong.",
        ),
        (
            f"{ANN}keys:\n- {{owner: ann, scopes: [read, read]}}",
            "4: keys[1].scopes has an invalid value; list each once",
        ),
        # --- money --------------------------------------------------------------------------------------
        (
            "accounts:\n  ann: {margin: {}}",
            "2: accounts.ann.margin has no `balance`; add it: Dollars of the primary account.",
        ),
        (
            "accounts:\n  ann: {margin: {balance: -5}}",
            "2: accounts.ann.margin.balance is `-5`; it should be greater than or equal to 0",
        ),
        ("accounts:\n  ann: {margin: {balance: 1e5}}", "2: accounts.ann.margin.balance is `1e5`; write"),
        ("accounts:\n  ann: {margin: {balance: .inf}}", "2: accounts.ann.margin.balance is `.inf`; write"),
        ("accounts:\n  ann: {margin: {balance: NaN}}", "2: accounts.ann.margin.balance is `NaN`; write"),
        ("accounts:\n  ann: {margin: {balance: $5}}", "2: accounts.ann.margin.balance is `$5`; write"),
        ("accounts:\n  ann: {margin: {balance: 1,000}}", "2:"),
        ("accounts:\n  ann: {margin: {balance: 1_000}}", "2: accounts.ann.margin.balance is `1_000`"),
        ("accounts:\n  ann: {margin: {balance: ٣}}", "2: accounts.ann.margin.balance is `٣`"),
        (
            f"{BALANCE}      subaccounts: {{{MAX_SUBACCOUNT + 1}: 1}}",
            (
                f"5: accounts.ann.prediction.subaccounts has the key `{MAX_SUBACCOUNT + 1}`; "
                f"it should be less than or equal to {MAX_SUBACCOUNT}"
            ),
        ),
        (
            "accounts:\n  ann:\n    prediction:\n      balance: 5\n      shards: {0: {balance: 1}}",
            "5: accounts.ann.prediction.shards has the key `0`; it should be greater than or equal to 1",
        ),
        (
            "accounts:\n  ann: {margin: {balance: 5, shards: {1: {balance: 1}}}}",
            "2: accounts.ann.margin has an unknown key `shards`",
        ),
        # --- markets ------------------------------------------------------------------------------------
        (
            "markets: {prediction: {A: {middle: 1.2}}}",
            "1: markets.prediction.A.middle is `1.2`; write a price between 0.01 and 0.99",
        ),
        (
            "markets: {prediction: {A: {tick: 0.03}}}",
            "1: markets.prediction.A.tick is `0.03`; write a divisor of one dollar, such as 0.01",
        ),
        (
            "markets: {prediction: {A: {tick: 0}}}",
            "1: markets.prediction.A.tick is `0`; it should be greater than 0",
        ),
        (
            "markets: {prediction: {A: {tick: 1}}}",
            "1: markets.prediction.A.tick is `1`; write a divisor of one dollar, such as 0.01",
        ),
        (
            "markets: {margin: {A: {tick: 0.1, maximum-price: 0.1}}}",
            "1: markets.margin.A.tick is `0.1`; write less than `maximum-price`",
        ),
        (
            "markets: {prediction: {A: {liquidity: {spacing: 0.015}}}}",
            "1: markets.prediction.A.liquidity.spacing is `0.015`; write a multiple of the tick 0.01",
        ),
        (
            "markets: {prediction: {A B: {}}}",
            "1: markets.prediction has the key `A B`; it should match pattern",
        ),
        ("markets: {prediction: {A: {state: open}}}", "1: markets.prediction.A.state is `open`; use one of"),
        (
            "markets: {prediction: {A: {state: settled}}}",
            "1: markets.prediction.A.state is `settled`; add a `result`: `yes`, `no` or `scalar`",
        ),
        (
            "markets: {prediction: {A: {result: yes}}}",
            "1: markets.prediction.A.result is `yes`; remove it, or write `state: determined` or `settled`",
        ),
        (
            "markets: {margin: {A: {state: initialized,\n  liquidity: {levels: 1}}}}",
            "2: markets.margin.A.liquidity has an invalid value; remove it: a market that is not open yet",
        ),
        (
            "markets: {prediction: {A: {state: amended}}}",
            "1: markets.prediction.A.state is `amended`; add a `result`: `yes`, `no` or `scalar`",
        ),
        (
            "fees: {prediction: {taker-rate: 2}}",
            "1: fees.prediction.taker-rate is `2`; it should be less than or equal to 1",
        ),
        (
            "flow: {makers: 0, takers: 0}",
            "1: flow has an invalid value; the flow has a rate but neither makers nor takers; add some",
        ),
        ("flow: {rate: 20000}", "1: flow.rate is `20000`; it should be less than or equal to 10000"),
        (
            "assumptions: {rebate-waits-for-a-fee: yes}",
            "1: assumptions.rebate-waits-for-a-fee is `yes`; write true or false",
        ),
        (
            "markets: {prediction: {A: {tick: 0.01,\n  structure: linear_cent}}}",
            "2: markets.prediction.A.structure is `linear_cent`; remove it, or remove `tick`",
        ),
        (
            "markets: {prediction: {A: {structure: deci-cent}}}",
            "1: markets.prediction.A.structure is `deci-cent`; did you mean `deci_cent`?",
        ),
        (
            "markets: {margin: {A: {band: {share: 2}}}}",
            "1: markets.margin.A.band.share is `2`; it should be less than or equal to 1",
        ),
        (
            "accounts: {ann: {prediction: {balance: 1, tier: Primer}}}",
            "1: accounts.ann.prediction.tier is `Primer`; did you mean `Prime`?",
        ),
        (
            "accounts: {ann: {prediction: {balance: 1, positions: {BTC-PERP: {quantity: 1}}}}}",
            "1: accounts.ann.prediction.positions.BTC-PERP has an invalid value; BTC-PERP is not a",
        ),
        (
            "accounts: {ann: {margin: {balance: 1, positions: {BTC-PERP: {quantity: 0.5}}}}}",
            "1: accounts.ann.margin.positions.BTC-PERP.quantity is `0.5`; write a multiple of 1 that is not",
        ),
        (
            "accounts: {ann: {margin: {balance: 1, positions: {BTC-PERP: {quantity: 0}}}}}",
            "1: accounts.ann.margin.positions.BTC-PERP.quantity is `0`; write a multiple of 1 that is not 0",
        ),
        (
            "accounts: {ann: {margin: {balance: 1, positions: {BTC-PERP: {quantity: 1, price: 0.00001}}}}}",
            "1: accounts.ann.margin.positions.BTC-PERP.price is `0.00001`; write a price that the market",
        ),
        (
            "accounts: {ann: {margin: {balance: 1, customers: {x: {balance: 1}}}}}",
            "1: accounts.ann.margin.customers has the key `x`; it should match pattern",
        ),
        (
            f"{ANN}keys: [{{owner: ann, customers: [x]}}]",
            "3: keys[1].customers[1] is `x`; leave it out: nothing is allowed here",
        ),
        (
            "groups: {G: {markets: [KXNBA-27-NYK, X]}}",
            "1: groups.G.markets[2] is `X`; use one of `KXNBA-27-NYK`, `KXHIGHNY-26DEC31-B50`",
        ),
        ("groups: {G: {markets: [KXNBA-27-NYK]}}", "1: market group G needs two or more different markets"),
        ("groups: {G: {}}", "1: groups.G has no `markets`; add it"),
        (
            "pauses: [{weekday: monday, begins: 05:00, ends: 03:00}]",
            "1: pauses[1].ends is `03:00`; write a time later than `begins`, or two pauses",
        ),
        ("pauses: [{weekday: mon, begins: 05:00, ends: 06:00}]", "1: pauses[1].weekday is `mon`;"),
        (
            "pauses: [{weekday: monday, begins: 5am, ends: 06:00}]",
            "1: pauses[1].begins is `5am`; write a time",
        ),
        # --- YAML ---------------------------------------------------------------------------------------
        ("seed: 1\nseed: 2", "2: `seed` is a duplicate (first on line 1); keep one of the two"),
        ("seed: [1", "1: is not valid YAML: "),
        ("seed: 1\n\tx: 2", "2: is not valid YAML: "),
        ("", "1: is empty; describe the venue"),
        ("# nothing", "1: is empty; describe the venue"),
        ("seed: !!python/object/apply:os.system [ls]", "1: seed is a list"),
        ("seed: !!python/name:os.system ''", "1: the tag tag:yaml.org,2002:python/name:os.system has no"),
        ("seed: 1\n? [a, b]\n: 2", "2: a key is not a plain name; use a name as the key"),
        ("seed: 1\n---\nseed: 2", "2: is not valid YAML: but found another document"),
        ("seed: " + "9" * 30, "1: a number has more than 18 digits; correct it"),
        ("accounts: &a {x: *a}", "1: an anchor contains itself; write the value out"),
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
def test_all_mistakes_in_values_or_else_in_references_are_reported(text: str, output: list[str]) -> None:
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
        ("#" + "x" * scenario_file.MAX_FILE_SIZE, "has more than 524288 bytes; remove what is not needed"),
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
        with pytest.raises(ScenarioError, match=r":1: cannot be read \(.*\); give a readable file"):
            load_scenario(path)


ODD = (
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


def test_any_changed_file_is_reported_or_gives_a_working_venue() -> None:
    random = Random(4)
    example = EXAMPLE.read_text()
    words = re.findall(r"[\w.-]+", example)
    read = 0
    for _ in range(150):
        text = example
        for _ in range(random.randint(1, 3)):
            word = random.choice(list(re.finditer(r"[\w.-]+", text)))
            text = text[: word.start()] + random.choice((*ODD, *words)) + text[word.end() :]
        try:
            scenario = parse_scenario(text.encode())
        except ScenarioError:
            continue
        read += 1
        venue = VenueModel(attrs.evolve(scenario, keys=()).config({}), Random(1))
        venue.begin(Instant(0.0, START))
    assert 10 < read < 100
