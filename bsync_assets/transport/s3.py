"""A prefix of an S3 bucket as a place, over boto3.

boto3 rather than obstore or s3fs: it *is* the usual credential chain (profiles, single sign-on, roles; obstore reads no profile
by itself) and verifies the checksums that S3 keeps; s3fs ties the whole environment to one release of botocore.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.client import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError
from botocore.exceptions import ConnectionError as NoConnection

from bsync_assets.transport.places import FileChanged, Found, PlaceError, proper_name

_CHUNK_BYTES = 1 << 20
_PART_BYTES = 64 << 20  # at most 10000 parts: up to 640 GB
_PARAMETERS = {"endpoint", "region", "profile"}
_GONE = {"404", "NoSuchKey", "NotFound", "412", "PreconditionFailed"}
_PASSING = {"500", "502", "503", "504", "SlowDown", "InternalError", "RequestTimeout", "ServiceUnavailable", "Throttling"}


class Bucket:
    """Objects below one prefix of a bucket."""

    appears_whole = True
    has_day_folders = True

    def __init__(self, address: str) -> None:
        url = urlsplit(address)
        given = {name: values[-1] for name, values in parse_qs(url.query).items()}
        if not url.hostname or set(given) - _PARAMETERS or "@" in url.netloc:
            raise PlaceError("expected s3://bucket/prefix with nothing but ?endpoint=, ?region= and ?profile=")
        self._bucket = url.netloc
        path = unquote(url.path).strip("/")
        self._prefix = f"{path}/" if path else ""
        self.shown = f"s3://{self._bucket}/{self._prefix}".rstrip("/")
        self._given = given
        self._connected: Any = None

    @property
    def _client(self) -> Any:
        if self._connected is None:
            endpoint = self._given.get("endpoint")
            config = Config(
                connect_timeout=10, read_timeout=60, retries={"max_attempts": 5, "mode": "standard"},
                s3={"addressing_style": "path"} if endpoint else {},
            )  # fmt: skip
            with self._telling("connect"):
                session = boto3.Session(profile_name=self._given.get("profile"), region_name=self._given.get("region"))
                region = session.region_name or "us-east-1"
                self._connected = session.client("s3", endpoint_url=endpoint, region_name=region, config=config)
        return self._connected

    @contextmanager
    def _telling(self, doing: str) -> Iterator[None]:
        """Turn errors of boto3 into PlaceError."""
        try:
            yield
        except PlaceError:
            raise
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _GONE:
                raise FileChanged(f"cannot {doing} at {self.shown}: it is not as it was listed") from error
            raise PlaceError(f"cannot {doing} at {self.shown}: {error}", passing=code in _PASSING) from error
        except (HTTPClientError, IncompleteReadError, NoConnection, OSError) as error:
            raise PlaceError(f"cannot {doing} at {self.shown}: {error}", passing=True) from error
        except (BotoCoreError, Boto3Error) as error:
            raise PlaceError(f"cannot {doing} at {self.shown}: {error}") from error

    def files(self, prefix: str = "") -> Iterator[Found]:
        """See Place. Asks for the keys of this prefix only, a thousand at a time."""
        below = self._prefix + (f"{proper_name(prefix.rstrip('/'))}/" if prefix else "")
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=below)
        with self._telling("list the files"):
            for page in pages:
                for entry in page.get("Contents", ()):
                    name = str(entry["Key"])[len(self._prefix) :]
                    if name and not name.endswith("/") and not any(_is_hidden(part) for part in name.split("/")):
                        yield Found(name, entry["Size"], entry["LastModified"].replace(tzinfo=None), entry["ETag"].strip('"'))

    def size(self, name: str) -> int | None:
        """See Place."""
        try:
            with self._telling(f"look at {name}"):
                return int(self._client.head_object(Bucket=self._bucket, Key=self._key(name))["ContentLength"])
        except FileChanged:
            return None

    def read(self, file: Found, offset: int) -> Iterator[bytes]:
        """See Place. Only the object that was listed is read, told by its entity tag."""
        where = {"Bucket": self._bucket, "Key": self._key(file.name), "IfMatch": f'"{file.etag}"'}
        if offset:
            where["Range"] = f"bytes={offset}-"
        with self._telling(f"read {file.name}"):
            body = self._client.get_object(**where)["Body"]
            with body:
                yield from body.iter_chunks(_CHUNK_BYTES)

    def md5(self, file: Found) -> str | None:
        """See Place. The entity tag is the MD5, unless the object came in parts or is encrypted with a key of its owner."""
        if file.etag is None or len(file.etag) != 32:
            return None
        with self._telling(f"look at {file.name}"):
            head = self._client.head_object(Bucket=self._bucket, Key=self._key(file.name), IfMatch=f'"{file.etag}"')
        sealed = str(head.get("ServerSideEncryption", "")).startswith("aws:kms") or "SSECustomerAlgorithm" in head
        return None if sealed else file.etag

    def put(self, source: Path, name: str) -> None:
        """See Place. An upload in parts that breaks is called off and leaves nothing; an object appears whole or not at all."""
        parts = TransferConfig(multipart_threshold=_PART_BYTES, multipart_chunksize=_PART_BYTES, max_concurrency=4)
        with self._telling(f"write {name}"):
            self._client.upload_file(str(source), self._bucket, self._key(name), Config=parts)
        if self.size(name) != source.stat().st_size:
            raise PlaceError(f"{name} is not whole at {self.shown}", passing=True)

    def rename(self, old: str, new: str) -> None:
        """See Place. S3 has no renaming: a copy, then the old one goes."""
        with self._telling(f"rename {old}"):
            self._client.copy({"Bucket": self._bucket, "Key": self._key(old)}, self._bucket, self._key(new))
        self.remove(old)

    def remove(self, name: str) -> None:
        """See Place."""
        with self._telling(f"remove {name}"):
            self._client.delete_object(Bucket=self._bucket, Key=self._key(name))

    def close(self) -> None:
        """See Place."""
        if self._connected is not None:
            self._connected.close()
            self._connected = None

    def _key(self, name: str) -> str:
        return self._prefix + proper_name(name)


def _is_hidden(part: str) -> bool:
    return part.startswith(".") and part not in (".", "..")
