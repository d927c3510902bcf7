"""pylego: steps are [the authority's directory, domain, name server to wait for], and for another provider than the v4
API its name and environment; the result is the certificate."""

from __future__ import annotations

import json
import os
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pylego import run_lego_command  # type: ignore[import-not-found]

V4 = {"CLOUDFLARE_DNS_API_TOKEN": os.environ["CLOUDFLARE_API_TOKEN"], "CLOUDFLARE_POLLING_INTERVAL": "1"}

for directory, domain, name_server, *other in json.loads(sys.argv[1]):
    plugin, env = other or ("cloudflare", V4)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    names = x509.SubjectAlternativeName([x509.DNSName(domain)])
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, domain)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).add_extension(names, critical=False)
    done = run_lego_command(
        email="ops@example.com",
        server=directory,
        csr=request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM),
        env=env,
        plugin=plugin,
        dns_nameservers=[name_server],
    )
    print("=", json.dumps(done.certificate))
