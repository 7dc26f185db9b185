"""Acceptance definitions that others wrote for FIX engines, played against the bare examples.

QuickFIX has such a suite: text files that say what is sent to an engine and what must come back. They are
not part of this repository; `fetch` takes them from the machine's own package sources, and the environment
variable ACCEPTANCE_DEFINITIONS names another folder. `definition` reads them, `wire` makes and compares
messages, `player` plays one definition, `engine` runs the program under test.
"""
