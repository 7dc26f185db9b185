"""The FIX gateway of the simulated venue: messages to exchange commands, outcomes to messages.

It owns no sessions and no numbers; `OrderEntry` and `MarketData` take a message with the login it
came from, and return what is to be delivered to which login.
"""
