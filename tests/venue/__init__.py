"""Tests of the simulated venue, from the exchange model out to the sockets."""
