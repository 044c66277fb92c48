#!/usr/bin/env python3
"""Where a process obtained its memory, by source file of ours and by place in it.

  cargo build -p proxy -p signer --features proxy/profile-allocations,signer/profile-allocations
  (a sandbox of these binaries, N exchanges, `kiirtee sandbox down`: each process leaves dhat-PID.json in the sandbox's folder)
  bench/allocation-sites.py dhat-PID.json N

Blocks an exchange. What was allocated fewer than N/10 times is left out: it belongs to the start.
"""
import collections
import json
import re
import sys

PLACE = re.compile(r"\(((?:[\w./-]*/)?(?:proxy|protocol|signer|storage|settings)/[\w./-]*src/[\w/]+\.rs|src/[\w/]+\.rs|[\w/]+\.rs):(\d+):\d+\)$")
# At the beginning: functions of the standard library name our types in their angle brackets.
OURS = re.compile(r"^(?:<|\{\w+#\d+\}<)?(?:proxy|protocol_\w+|signer|signer_client|storage|proxy_http_codec|settings)::")


def places(stack):
    """The innermost two places of our own code, as `file:line`."""
    found = []
    for frame in stack:
        text = frame.split(": ", 1)[-1]
        place = PLACE.search(text)
        if place and OURS.search(text):
            function = re.sub(r"\{\{closure\}\}|\{[a-z_]+#\d+\}", "…", text.split(" (")[0])
            found.append((place.group(1), place.group(2), function[-70:]))
            if len(found) == 2:
                break
    return found


def main():
    profile, exchanges = json.load(open(sys.argv[1])), float(sys.argv[2])
    files, sites = collections.Counter(), collections.Counter()
    for point in profile["pps"]:
        if point["tbk"] < exchanges / 10:
            continue
        found = places([profile["ftbl"][index] for index in point["fs"]])
        files[found[0][0] if found else "(others')"] += point["tbk"]
        sites[" <- ".join(f"{file}:{line} {function}" for file, line, function in found) or "(others')"] += point["tbk"]
    print(f"{sum(files.values()) / exchanges:.0f} blocks an exchange, by file:")
    for name, count in files.most_common(30):
        print(f"{count / exchanges:7.1f}  {name}")
    print("by place, and who called it:")
    for name, count in sites.most_common(40):
        print(f"{count / exchanges:7.1f}  {name}")


try:
    main()
except BrokenPipeError:
    pass
