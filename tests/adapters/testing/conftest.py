"""What the conformance suite has for its clients, for these tests, too."""

from tests.adapters.conformance.conftest import _no_complaints, pytest_pyfunc_call

__all__ = ["_no_complaints", "pytest_pyfunc_call"]
