"""Acceptance definitions that others wrote for FIX engines, played against the bare examples.

QuickFIX has such a suite: text files that say what is sent to an engine and what must come back. They are
not part of this repository; `fetch` takes them from the machine's own package sources, and the environment
variable ACCEPTANCE_DEFINITIONS names another folder, ACCEPTANCE_LIKE the engine that its definitions were
written for (quickfix, quickfixj), and DEFAULT_APPL_VER_ID what to play them with in place of their 1137.
`definition` reads them, `wire` makes and compares messages, `player` plays one definition, `engine` runs the
program under test.
"""
