#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Offers an actor, `pyupper`, on a bus: its method `upper` takes {text} and replies {text} in capital letters.

usage: offer.py [ENDPOINT]      (default $SYNOD_BUS, else tcp://127.0.0.1:5570)
"""
import os
import signal
import sys

from synod_peer import Fault, Peer


def upper(body):
    text = body.get("text")
    if not isinstance(text, str):
        raise Fault("bad-request", "text: expected a text, got %s" % type(text).__name__)
    return {"text": text.upper()}


def main():
    if len(sys.argv) > 2 or sys.argv[1:2] in (["-h"], ["--help"]):
        print(__doc__)
        return 0 if len(sys.argv) == 2 else 2
    endpoint = sys.argv[1] if len(sys.argv) == 2 else os.environ.get("SYNOD_BUS", "tcp://127.0.0.1:5570")
    try:
        peer = Peer(endpoint, actors={"pyupper": {"upper": upper}})
    except Fault as fault:
        print("offer: %s" % fault, file=sys.stderr)
        return 3
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print("ready %s" % peer.name, file=sys.stderr, flush=True)
    try:
        peer.run()
    except KeyboardInterrupt:
        peer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
