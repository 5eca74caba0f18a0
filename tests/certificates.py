"""Certificates of our own making, by openssl."""

import subprocess
from pathlib import Path


class Certificates:
    """A CA, and a certificate of 127.0.0.1 that it vouches for."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.ca, self.cert, self.key = folder / "ca.pem", folder / "cert.pem", folder / "key.pem"
        ca_key, request, names = folder / "ca.key", folder / "request.pem", folder / "names"
        names.write_text("subjectAltName=IP:127.0.0.1")
        new: list[str | Path] = [
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ]
        _openssl(*new, "-x509", "-subj", f"/CN={folder.name}", "-keyout", ca_key, "-out", self.ca)
        _openssl(*new, "-subj", "/CN=learner", "-keyout", self.key, "-out", request)
        by_ca: list[str | Path] = [
            "-CA",
            self.ca,
            "-CAkey",
            ca_key,
            "-CAcreateserial",
            "-extfile",
            names,
        ]
        _openssl("x509", "-req", "-in", request, *by_ca, "-out", self.cert)


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
