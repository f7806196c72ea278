"""A Sigstore on this machine, by http: who certifies (Fulcio), the log (Rekor) and an issuer of identities (OIDC).

It follows Fulcio's `signingCert` of API v2, Rekor's `log/entries` of API v1, RFC 6962 for certificates' timestamps and
the log's hashes, and C2SP's signed notes. What it hands out is checked by the `sigstore` library, as of the public one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

_ISSUER = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_DER, _PEM = serialization.Encoding.DER, serialization.Encoding.PEM
_LOG = "here.example"


def _b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _public(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(_DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _id(key: ec.EllipticCurvePrivateKey) -> bytes:
    return hashlib.sha256(_public(key)).digest()


def _signed(key: ec.EllipticCurvePrivateKey, content: bytes) -> bytes:
    return key.sign(content, ec.ECDSA(hashes.SHA256()))


class SigstoreHere:
    """Its keys, and what it answers."""

    def __init__(self) -> None:
        self.authority, self.timestamps, self.log = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
        self.refuses: dict[str, int] = {}
        """Path → the status that it answers there instead."""
        self.entries: list[bytes] = []
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")])
        usage = dict.fromkeys(
            ("content_commitment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
        ) | {"key_encipherment": False, "digital_signature": False}
        self.root = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.authority.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.now(UTC) - timedelta(days=1))
            .not_valid_after(datetime.now(UTC) + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.authority.public_key()), critical=False)
            .sign(self.authority, hashes.SHA256())
        )

    def trust_config(self, url: str) -> dict[str, Any]:
        """What its clients are to know of it (`ClientTrustConfig`), at the address *url*."""
        since = {"start": "2020-01-01T00:00:00Z"}

        def log(key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
            public = {"rawBytes": _b64(_public(key)), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": since}
            return {
                "baseUrl": url,
                "hashAlgorithm": "SHA2_256",
                "publicKey": public,
                "logId": {"keyId": _b64(_id(key))},
            }

        services = [{"url": url, "majorApiVersion": 1, "validFor": since, "operator": _LOG}]
        return {
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": {
                "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
                "tlogs": [log(self.log)], "ctlogs": [log(self.timestamps)],
                "certificateAuthorities": [{
                    "subject": {"organization": _LOG, "commonName": "authority"}, "uri": url, "validFor": since,
                    "certChain": {"certificates": [{"rawBytes": _b64(self.root.public_bytes(_DER))}]},
                }],
            },
            "signingConfig": {
                "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
                "caUrls": services, "oidcUrls": services, "rekorTlogUrls": services,
                "rekorTlogConfig": {"selector": "ANY"}, "tsaConfig": {"selector": "ANY"},
            },
        }  # fmt: skip

    def answer(self, path: str, asked: Any, token: str) -> Any:
        """What it answers to *asked* at *path*, of whom *token* names."""
        if path.endswith("/.well-known/openid-configuration"):
            return {"authorization_endpoint": "http://127.0.0.1:9/auth", "token_endpoint": "http://127.0.0.1:9/token"}
        if path == "/api/v2/signingCert":
            leaf = self._certified(base64.b64decode(asked["certificateSigningRequest"]), token)
            chain = [one.public_bytes(_PEM).decode() for one in (leaf, self.root)]
            return {"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}
        assert path == "/api/v1/log/entries", path
        return self._entered(json.loads(asked["spec"]["proposedContent"]["envelope"]), asked)

    def _certified(self, request: bytes, token: str) -> x509.Certificate:
        """A certificate of ten minutes for whom *token* names, with the timestamp of the certificates' log in it."""
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        key = x509.load_pem_x509_csr(request).public_key()
        usage = dict.fromkeys(
            ("content_commitment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
        ) | {"key_encipherment": False, "digital_signature": True}
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.root.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.now(UTC) - timedelta(minutes=1))
            .not_valid_after(datetime.now(UTC) + timedelta(minutes=10))
            .add_extension(x509.KeyUsage(key_cert_sign=False, crl_sign=False, **usage), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.authority.public_key()), critical=False
            )
            .add_extension(x509.SubjectAlternativeName([x509.RFC822Name(claims["email"])]), critical=True)
            .add_extension(x509.UnrecognizedExtension(_ISSUER, claims["iss"].encode()), critical=False)
        )
        body = builder.sign(self.authority, hashes.SHA256()).tbs_certificate_bytes
        when = struct.pack("!Q", int(datetime.now(UTC).timestamp() * 1000))
        entry = b"\0\0" + when + b"\0\1" + _id(self.authority) + struct.pack("!I", len(body))[1:] + body + b"\0\0"
        signature = _signed(self.timestamps, entry)
        stamp = b"\0" + _id(self.timestamps) + when + b"\0\0" + b"\4\3" + struct.pack("!H", len(signature)) + signature
        stamps = struct.pack("!HH", len(stamp) + 2, len(stamp)) + stamp
        assert len(stamps) < 128
        stamps = b"\4" + bytes([len(stamps)]) + stamps  # an OCTET STRING
        oid = ExtensionOID.PRECERT_SIGNED_CERTIFICATE_TIMESTAMPS
        return builder.add_extension(x509.UnrecognizedExtension(oid, stamps), critical=False).sign(
            self.authority, hashes.SHA256()
        )

    def _entered(self, envelope: Any, asked: Any) -> Any:
        """The entry in the log, with the promise and the proof that it is there: a log of one leaf."""
        (verifier,) = asked["spec"]["proposedContent"]["verifiers"]
        spec = {
            "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(json.dumps(envelope).encode()).hexdigest()},
            "payloadHash": {
                "algorithm": "sha256", "value": hashlib.sha256(base64.b64decode(envelope["payload"])).hexdigest(),
            },
            "signatures": [{"signature": one["sig"], "verifier": verifier} for one in envelope["signatures"]],
        }  # fmt: skip
        body = json.dumps({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec}, separators=(",", ":"), sort_keys=True)
        self.entries.append(body.encode())
        root = hashlib.sha256(b"\0" + body.encode()).digest()
        note = f"{_LOG}\n1\n{_b64(root)}\n"
        signed = _b64(_id(self.log)[:4] + _signed(self.log, note.encode()))
        entry = {
            "body": _b64(body.encode()), "integratedTime": int(datetime.now(UTC).timestamp()),
            "logID": _id(self.log).hex(), "logIndex": 0,
        }  # fmt: skip
        promised = json.dumps(entry, separators=(",", ":"), sort_keys=True).encode()
        proof = {
            "checkpoint": f"{note}\n\N{EM DASH} {_LOG} {signed}\n", "hashes": [], "logIndex": 0, "rootHash": root.hex(),
            "treeSize": 1,
        }  # fmt: skip
        told = {"inclusionProof": proof, "signedEntryTimestamp": _b64(_signed(self.log, promised))}
        return {root.hex(): entry | {"verification": told}}


@contextmanager
def serving(here: SigstoreHere) -> Iterator[str]:
    """The address at which *here* answers."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, size = self.path, int(self.headers.get("Content-Length", 0))
            asked = json.loads(self.rfile.read(size)) if size else None
            status = here.refuses.get(path, 200)
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            told = here.answer(path, asked, token) if status == 200 else {"code": status, "message": "not today"}
            content = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
