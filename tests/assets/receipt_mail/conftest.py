"""Real servers for the copies next to the files."""

from transport.fixtures import s3, s3_service, sftp

__all__ = ["s3", "s3_service", "sftp"]
