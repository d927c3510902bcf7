#!/usr/bin/env bash
# dnslib 0.9.26 (PyPI): master-file text read with RR.fromZone, and records printed, beside dnspython 2.9.2.
# Guess: RFC 1035's escapes are understood both ways: \. is a dot within a label, \255 one octet, \" a quote.
# Observed: read, the mailbox first\.last.example.test. keeps a backslash and is split at the dot, and TXT \255 becomes
# two octets (UTF-8 of U+00FF); printed, the mailbox shows as first.last.example.test, another name, and TXT strings
# come with commas between them and bare quotes within. On the wire, in and out, all is right.
# Why it matters: SOA RNAMEs with a dot are common; a tool that reads zones or writes them with it changes them without
# an error. For messages it is sound.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi dnslib==0.9.26 dnspython==2.9.2

cat >"$folder/escapes.py" <<'PY'
import sys

import dns.message
import dns.rdata
import dns.rrset
import dnslib

SOA = r"ns.example.test. first\.last.example.test. 1 7200 900 1209600 60"
TXT = r'"one \"two\"" "\255"'


def by_dnspython(rtype, text):
    message = dns.message.Message(1)
    message.answer.append(dns.rrset.from_text("example.test.", 60, "IN", rtype, text))
    return message.to_wire()


def by_dnslib(rtype, text):
    record = dnslib.DNSRecord()
    record.add_answer(*dnslib.RR.fromZone(f"example.test. 60 IN {rtype} {text}"))
    return bytes(record.pack())


def shown(wire):
    return dns.message.from_wire(wire).answer[0][0].to_text()


rtype, text = ("SOA", SOA) if sys.argv[1] == "SOA" else ("TXT", TXT)
print(shown(by_dnslib(rtype, text)))
print(dnslib.DNSRecord.parse(by_dnspython(rtype, text)).rr[0].rdata)
print(shown(bytes(dnslib.DNSRecord.parse(by_dnspython(rtype, text)).pack())))
PY
PYTHONIOENCODING=utf-8:backslashreplace python "$folder/escapes.py" SOA >"$folder/soa"
PYTHONIOENCODING=utf-8:backslashreplace python "$folder/escapes.py" TXT >"$folder/txt"

echo "dnslib 0.9.26:"
seen "mailbox read, on the wire" 'ns.example.test. first\\.last.example.test. 1 7200 900 1209600 60' "$(sed -n 1p "$folder/soa")"
seen "mailbox printed" 'ns.example.test. first.last.example.test. 1 7200 900 1209600 60' "$(sed -n 2p "$folder/soa")"
seen "mailbox parsed and packed" 'ns.example.test. first\.last.example.test. 1 7200 900 1209600 60' "$(sed -n 3p "$folder/soa")"
seen "TXT read, on the wire" '"one \"two\"" "\194\173"' "$(sed -n 1p "$folder/txt")"
seen "TXT printed, its second string left out" '"one "two""' "$(sed -n '2s/,.*//p' "$folder/txt")"
seen "TXT parsed and packed" '"one \"two\"" "\255"' "$(sed -n 3p "$folder/txt")"
finish
