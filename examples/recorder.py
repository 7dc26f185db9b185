"""Record market data until Ctrl-C. The arguments are a file and the markets' symbols.

`kalshi-fix replay FILE` prints the resulting books; `kalshi_fix_adapters.logs` reads the file.
"""

from contextlib import suppress
from sys import argv

from kalshi_fix_adapters.blocking import market_data
from kalshi_fix_adapters.logs import Recorder
from kalshi_fix_sansio import MarketDataRequest, MessageReceived

path, *symbols = argv[1:]
messages = 0
with suppress(KeyboardInterrupt), Recorder(path) as recorder, market_data(observer=recorder) as client:
    client.send(MarketDataRequest.subscribe(*symbols))
    for event in client.events():
        if isinstance(event, MessageReceived):
            messages += 1
            print(f"messages recorded: {messages}", flush=True)
        else:
            print(type(event).__name__, flush=True)  # such as connections, disconnects and gaps
