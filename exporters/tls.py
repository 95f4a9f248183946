"""TLS towards a destination."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from otel_agent_eval.watched import LOOK_EVERY


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTls:
    """Files in PEM format: certificates to trust (the system's without), and the client's own for mTLS.

    `min_version` is for HTTP: Python's gRPC always speaks TLS 1.2, too.
    Changed files are noticed every `reload_interval` seconds, and count for new connections.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    min_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    reload_interval: float = LOOK_EVERY

    @property
    def files(self) -> list[Path]:
        """The files that there are."""
        return [file for file in (self.ca_file, self.cert_file, self.key_file) if file is not None]

    def context(self) -> ssl.SSLContext:
        """Load the files; names are verified. Raises `ValueError` naming the file that is wrong."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"cannot load {self.ca_file}: {error}") from None
        context.minimum_version = self.min_version
        if self.cert_file is not None:
            try:
                context.load_cert_chain(self.cert_file, self.key_file)
            except (OSError, ssl.SSLError) as error:
                raise ValueError(f"cannot load {self.cert_file} with {self.key_file}: {error}") from None
        return context
