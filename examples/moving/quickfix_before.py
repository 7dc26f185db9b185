"""An order gateway on QuickFIX: it reads orders from standard input, and writes reports and settlements to a
journal.

python quickfix_before.py SETTINGS JOURNAL

Each input line is an order: ClOrdID, symbol, 1 (buy) or 2 (sell), contracts, price in dollars.
"""

import base64
import logging
import sys
from pathlib import Path

import quickfix as fix
from cryptography.hazmat.primitives import serialization

USE_DOLLARS, MARKET_RESULT = 21005, 20107
log = logging.getLogger("gateway")


class Gateway(fix.Application):
    """Called by the engine's threads."""

    def __init__(self, settings, journal):
        super().__init__()
        self.settings, self.journal = settings, journal
        self.known = set(journal.read_text().split()) if journal.exists() else set()

    def onCreate(self, session_id):
        session = fix.Session.lookupSession(session_id)
        log.info("created %s %d", session_id.getTargetCompID().getString(), session.getExpectedSenderNum())

    def onLogon(self, session_id):
        log.info("logged on %s", session_id.getTargetCompID().getString())

    def onLogout(self, session_id):
        log.info("logged out %s", session_id.getTargetCompID().getString())

    def toAdmin(self, message, session_id):
        header = message.getHeader()
        if header.getField(35) != "A":
            return
        path = Path(self.settings.get(session_id).getString("PrivateKeyPath"))
        key = serialization.load_pem_private_key(path.read_bytes(), None)  # Ed25519
        signed = "\x01".join(header.getField(tag) for tag in (52, 35, 34, 49, 56))
        signature = base64.b64encode(key.sign(signed.encode())).decode()
        message.setField(fix.StringField(95, str(len(signature))))
        message.setField(fix.StringField(96, signature))
        message.setField(fix.StringField(USE_DOLLARS, "Y"))

    def fromAdmin(self, message, session_id):
        pass

    def toApp(self, message, session_id):
        header = message.getHeader()
        if header.isSetField(43) and header.getField(43) == "Y":
            raise fix.DoNotSend  # an old order must not be resent

    def fromApp(self, message, session_id):
        kind = message.getHeader().getField(35)
        if kind == "8":
            self.write(message.getField(17), message.getField(11), message.getField(150))
        elif kind == "UMS":
            self.write(message.getField(55), message.getField(MARKET_RESULT))

    def write(self, key, *values):
        if key not in self.known:  # it may be a resend
            self.known.add(key)
            with self.journal.open("a") as file:
                print(key, *values, file=file)
            log.info("report %s %s", key, " ".join(map(str, values)))


logging.basicConfig(format="%(message)s", stream=sys.stdout)
log.setLevel(logging.INFO)
settings = fix.SessionSettings(sys.argv[1])
gateway = Gateway(settings, Path(sys.argv[2]))
stores, logs = fix.FileStoreFactory(settings), fix.FileLogFactory(settings)
initiator = fix.SocketInitiator(gateway, stores, settings, logs)
initiator.start()
[orders] = [each for each in initiator.getSessions() if each.getTargetCompID().getString() == "KalshiRT"]
for line in sys.stdin:
    order = fix.Message()
    order.getHeader().setField(fix.MsgType("D"))
    for tag, value in zip((11, 55, 54, 38, 44), line.split(), strict=True):
        order.setField(fix.StringField(tag, value))
    order.setField(fix.OrdType(fix.OrdType_LIMIT))
    order.setField(fix.TimeInForce(fix.TimeInForce_GOOD_TILL_CANCEL))
    fix.Session.sendToTarget(order, orders)
initiator.stop()
