"""The FIX gateway of the simulated venue: messages become exchange commands, outcomes become messages.

It has no sessions and no sequence numbers. `OrderEntry` and `MarketData` receive a message with the login of
its sender, and return the messages to deliver with the login of each recipient.
"""
