"""The facts read from a QuickFIX dictionary, and the errors for an invalid one."""

from __future__ import annotations

from codegen.diff.documents import quickfix

DICTIONARY = """\
<?xml version='1.0' encoding='UTF-8'?>
<!-- The pier's FIX dictionary v2.1 -->
<fix type='FIX' major='5' minor='0' servicepack='2'>
 <header>
  <field name='MsgType' required='Y'/>
 </header>
 <trailer/>
 <messages>
  <message name='Order' msgtype='D' msgcat='app'>
   <field name='Side' required='Y'/>
   <group name='NoLegs' required='N'>
    <field name='LegName' required='Y'/>
    <component name='Notes' required='N'/>
   </group>
   <component name='Extras' required='N'/>
  </message>
 </messages>
 <components>
  <component name='Notes'>
   <group name='NoNotes' required='Y'>
    <field name='Note' required='C'/>
   </group>
  </component>
  <component name='Extras'>
   <field name='Extra' required='Y'/>
  </component>
  <component name='Spare'>
   <field name='Extra' required='N'/>
  </component>
 </components>
 <fields>
  <field number='35' name='MsgType' type='STRING'><value enum='D' description='ORDER'/></field>
  <field number='54' name='Side' type='CHAR'>
   <values>
    <value enum='1' description='BUY'/>
    <value enum='2'/>
   </values>
  </field>
  <field number='555' name='NoLegs' type='NUMINGROUP'/>
  <field number='600' name='LegName' type='STRING'/>
  <field number='700' name='NoNotes' type='NUMINGROUP'/>
  <field number='701' name='Note' type='STRING'/>
  <field number='702' name='Extra' type='INT'/>
 </fields>
</fix>
"""


def facts(text: str) -> list[str]:
    return [f"{fact.location.line}: {fact}" for fact in quickfix.read(text.encode(), "d.xml")]


def changed(old: str, new: str) -> list[str]:
    """Return the facts that one edit adds."""
    assert DICTIONARY.count(old) == 1
    return [fact for fact in facts(DICTIONARY.replace(old, new)) if fact not in facts(DICTIONARY)]


def test_all_facts_of_a_dictionary_are_read() -> None:
    assert facts(DICTIONARY) == [
        "2: dictionary 2.1",
        "32: field 35 MsgType STRING",
        "32: codes of 35: D=ORDER",
        "33: field 54 Side CHAR",
        "33: codes of 54: 1=BUY, 2=",
        "39: field 555 NoLegs NUMINGROUP",
        "40: field 600 LegName STRING",
        "41: field 700 NoNotes NUMINGROUP",
        "42: field 701 Note STRING",
        "43: field 702 Extra INT",
        "5: member header 35 MsgType STRING Y",
        "9: message D Order",
        "10: member D 54 Side CHAR Y",
        "11: member D 555 NoLegs NUMINGROUP N",
        "12: member D 600 LegName STRING Y in 555",
        "20: member D 700 NoNotes NUMINGROUP N in 555",
        "21: member D 701 Note STRING C in 555/700",
        "25: member D 702 Extra INT N",
        "28: member component Spare 702 Extra INT N",
    ]


def test_unreadable_elements_are_reported_with_their_lines() -> None:
    lines = {
        ("<field name='Side' required='Y'/>", "<field name='Sides' required='Y'/>"): (
            "10: could not read: Sides is not declared among the fields"
        ),
        ("<field name='Side' required='Y'/>", "<field name='Side'/>"): (
            "10: could not read: <field> Side with required=''"
        ),
        ("<component name='Extras' required='N'/>", "<component name='More' required='N'/>"): (
            "15: could not read: component More is not defined, or contains itself"
        ),
        ("<field name='Note' required='C'/>", "<component name='Notes' required='N'/>"): (
            "21: could not read: component Notes is not defined, or contains itself"
        ),
        ("number='600' name='LegName'", "number='x' name='LegName'"): (
            "40: could not read: a field without a number or a name"
        ),
        ("number='701' name='Note'", "number='702' name='Note'"): (
            "43: could not read: 702 Extra is declared twice, or its tag or name is taken"
        ),
        ("<value enum='2'/>", "<value/>"): "36: could not read: a value without an enum attribute",
        ("<trailer/>", "<footer/>"): "7: could not read: <footer> is not part of a dictionary",
        (" msgtype='D'", ""): "9: could not read: a message without a msgtype or a name",
        ("<field name='Extra' required='Y'/>", "<field name='Extra' required='Y'><field/></field>"): (
            "25: could not read: field Extra has members, but is not a group"
        ),
    }
    for (old, new), line in lines.items():
        assert line in changed(old, new)


def test_a_file_that_is_not_a_dictionary_is_reported() -> None:
    assert facts("<html/>") == ["1: could not read: not a QuickFIX dictionary: it does not begin with <fix>"]
    assert facts("<fix>\n<fields>\n</fix>") == [
        "3: could not read: not a QuickFIX dictionary: it is not XML: mismatched tag"
    ]
