"""Real servers for the tests of places."""

from transport.fixtures import address, s3, s3_service, sftp

__all__ = ["address", "s3", "s3_service", "sftp"]
