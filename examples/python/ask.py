#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Asks an actor and prints its reply as JSON.

usage: ask.py [--bus ENDPOINT] TO METHOD [JSON]      (default $SYNOD_BUS, else tcp://127.0.0.1:5570)
"""
import argparse
import json
import os
import sys

from synod_peer import Fault, Peer


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bus", default=os.environ.get("SYNOD_BUS", "tcp://127.0.0.1:5570"))
    parser.add_argument("to")
    parser.add_argument("method")
    parser.add_argument("body", nargs="?", type=json.loads, default={})
    args = parser.parse_args()
    peer = None
    try:
        peer = Peer(args.bus)
        print(json.dumps(peer.ask(args.to, args.method, args.body)))
    except Fault as fault:
        print("ask: %s" % fault, file=sys.stderr)
        return 3 if fault.code in ("no-route", "timeout", "node-down") else 1
    finally:
        if peer:
            peer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
