#!/usr/bin/env bash
# ECS as npm's libraries write it: dns-packet 5.6.1, dns2 3.0.0, dohdec 6.0.4; beside dnspython 2.9.2 (PyPI) and BIND 9.18.
# Guess: a host's address given with 20 bits goes out as its network, the bits beyond cleared (RFC 7871 section 6: MUST),
# as dig, kdig and dnspython do.
# Observed: the three cut it to whole octets and leave the rest: 198.51.100.77 with 20 bits is sent as c63364, not
# c63360. BIND's answer to that is FORMERR. With 24 or 56 bits, their defaults, nothing shows.
# Why it matters: an authority that holds to the RFC refuses such a client, which sees an outage for its own network
# length alone; the FORMERR is the client's, and worth naming in a log.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi dnspython==2.9.2
npm_packages dns-packet@5.6.1 dns2@3.0.0 dohdec@6.0.4
debian bind9=1:9.18.49-1~deb12u3
alone 120

cat >write.mjs <<'JS'
import { createRequire } from "module";
import dohdec from "./node_modules/dohdec/lib/dnsUtils.js";

const require = createRequire(import.meta.url);
const [library, address, bits] = [process.argv[2], process.argv[3], Number(process.argv[4])];
const writers = {
    "dns-packet": () => require("dns-packet").encode({
        type: "query", id: 1, questions: [{ type: "A", name: "example.test" }],
        additionals: [{ type: "OPT", name: ".", udpPayloadSize: 1232,
            options: [{ code: "CLIENT_SUBNET", ip: address, sourcePrefixLength: bits }] }],
    }),
    dns2: () => {
        const { Packet } = require("dns2");
        const query = new Packet();
        query.header.id = 1;
        query.questions.push({ name: "example.test", type: Packet.TYPE.A, class: Packet.CLASS.IN });
        query.additionals.push(Packet.Resource.EDNS([Packet.Resource.EDNS.ECS(`${address}/${bits}`)]));
        return query.toBuffer();
    },
    dohdec: () => dohdec.makePacket({ name: "example.test", rrtype: "A", ecs: bits, ecsSubnet: address }),
};
console.log(Buffer.from(writers[library]()).toString("hex"));
JS
cat >named.conf <<CONF
options {
  directory "$folder"; listen-on port 5300 { 127.0.0.1; }; listen-on-v6 { none; }; pid-file none; session-keyfile none;
  dnssec-validation no; recursion no; empty-zones-enable no;
};
controls { };
zone "example.test" { type primary; file "$folder/zone"; };
CONF
printf '@ 60 SOA ns admin 1 7200 900 1209600 60\n@ 60 NS ns\n@ 60 A 192.0.2.1\nns 60 A 127.0.0.1\n' >zone
named -f -n 1 -c named.conf >named.log 2>&1 &
cat >send.py <<'PY'
"""The address octets of the query's ECS option, and the RCODE of BIND's reply to the query."""

import socket
import sys

import dns.edns
import dns.message
import dns.rcode

if sys.argv[1] == "dnspython":
    options = [dns.edns.ECSOption(sys.argv[2], int(sys.argv[3]))]
    wire = dns.message.make_query("example.test", "A", use_edns=0, options=options).to_wire()
else:
    wire = bytes.fromhex(sys.argv[1])
start = wire.index(bytes([0, 8, 0, 7, 0, 1])) + 8
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
    door.settimeout(3)
    door.sendto(wire, ("127.0.0.1", 5300))
    reply = door.recv(4096)
print(wire[start : start + 3].hex(), dns.rcode.to_text(dns.rcode.Rcode(reply[3] & 15)))
PY
within 10 python send.py dnspython 198.51.100.77 24

echo "198.51.100.77, $(named -v | cut -d' ' -f1-2); address as sent, its reply:"
seen "dnspython, 20 bits" "c63360 NOERROR" "$(python send.py dnspython 198.51.100.77 20)"
for library in dns-packet dns2 dohdec; do
    seen "$library, 20 bits" "c63364 FORMERR" "$(python send.py "$(node write.mjs "$library" 198.51.100.77 20)")"
    seen "$library, 24 bits" "c63364 NOERROR" "$(python send.py "$(node write.mjs "$library" 198.51.100.77 24)")"
done
finish
