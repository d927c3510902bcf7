#!/usr/bin/env bash
# Varnish 7.1 (Debian 12): a backend whose .host is a name with two IPv4 addresses.
# Guess: it takes both in turn, or the first.
# Observed: the VCL does not compile ("resolves to too many addresses. Only one IPv4 and one IPv6 are allowed"), so that
# varnishd does not start and a reload is refused; with one address it compiles and holds the number, not the name.
# Why it matters: a pool that grows from one endpoint to two stops every Varnish in front of it at its next start, far
# from the change; and one that is running never hears of a failover.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
debian varnish=7.1.1-2+deb12u1
alone 120

hosts "127.0.0.1 one.example.test two.example.test" "127.0.0.2 two.example.test"
compiled() {
    printf 'vcl 4.1;\nbackend pool { .host = "%s.example.test"; .port = "8000"; }\n' "$1" >"$1.vcl"
    varnishd -C -f "$folder/$1.vcl" >"$1.out" 2>&1 && echo yes || echo no
}

echo "$(varnishd -V 2>&1 | head -1):"
seen "a name of one address compiles" yes "$(compiled one)"
seen "its number stands in the program" "/* \"one.example.test 8000\" -> 127.0.0.1 */" "$(grep -m1 'example.test 8000' one.out)"
seen "a name of two addresses compiles" no "$(compiled two)"
seen "in its words" "Only one IPv4 and one IPv6 are allowed." "$(grep -m1 'are allowed' two.out)"
finish
