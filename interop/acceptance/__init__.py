"""Third-party acceptance definitions for FIX engines, run against the programs `examples/fixt_*.py`.

QuickFIX has such a suite: text files that contain the messages to send to an engine and the expected answers.
They are not part of this repository; `fetch` unpacks them from the system's package sources. To use other
definitions, set three environment variables: ACCEPTANCE_DEFINITIONS names a folder of definitions,
ACCEPTANCE_LIKE names the engine that they were written for (quickfix, quickfixj), and DEFAULT_APPL_VER_ID
replaces their DefaultApplVerID (1137).

`definition` reads the definitions, `wire` builds and compares messages, `player` plays one definition, and
`engine` runs the program under test.
"""
