"""Real servers for the tests of intake."""

from transport.fixtures import s3, s3_service, sftp

__all__ = ["s3", "s3_service", "sftp"]
