"""Which path stands for which URL, and the client that talks to the storage behind it."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from fas_core.errors import BadInputError

SCHEME = "s3"
AT_ONCE = 16  # requests
_URL = re.compile(r"s3:/+(?P<bucket>[^/]*)/*(?P<key>.*)", re.DOTALL)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class StorageError(BadInputError):
    """Object storage cannot be reached, or does not let us: that says nothing about what is in it."""


def place(given: str | Path) -> Path:
    """The path that stands for what somebody has given: a URL's twin, and any other path as it is.

    Raises BadInputError for a URL that is none of a bucket.
    """
    text = str(given)
    if (url := _URL.fullmatch(text)) is None:
        if re.match(r"[a-z0-9+]{2,}://", text):
            raise BadInputError(
                f"{text.partition('://')[0]}:// is not understood. Give a folder, or s3://BUCKET/PREFIX."
            )
        return Path(given)
    bucket, parts = url["bucket"], [part for part in url["key"].split("/") if part]
    if "@" in bucket:
        raise BadInputError(
            "A URL with a user or key in it is refused. Give s3://BUCKET/PREFIX, and credentials by the environment "
            "(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, or AWS_PROFILE)."
        )
    if not _BUCKET.fullmatch(bucket) or {".", ".."} & set(parts):
        raise BadInputError(f"{text} names no bucket, or leaves it. Give s3://BUCKET/PREFIX.")
    return _root().joinpath(bucket, *parts)


def url_of(path: Path) -> str | None:
    """The URL that a path stands for; None of a path that is no twin."""
    key = key_of(path)
    return None if key is None else f"{SCHEME}://{key}"


def is_remote(path: Path) -> bool:
    """Whether a path is of an object storage."""
    return key_of(path) is not None


def is_elsewhere(path: Path) -> bool:
    """Whether a file that is not here is asked for in storage: not so documents, which `mirror` brings or nobody."""
    return is_remote(path) and path.suffix != ".json" and not path.name.startswith(".")


def shown(path: Path) -> str:
    """A path as people know it: the URL, where it stands for one."""
    return url_of(path) or str(path)


def with_urls(text: str) -> str:
    """What is said, with URLs in place of the paths that stand for them."""
    return re.sub(rf"(?<![^\s'\"(]){SCHEME}:/(?=[^/\s])", f"{SCHEME}://", text.replace(f"{_root()}/", f"{SCHEME}://"))


def key_of(path: Path) -> str | None:
    """bucket/key; also of a URL that was joined to a folder, as the path of an image is to its manifest's."""
    text, root = os.path.normpath(path), f"{_root()}/"
    _, is_url, key = f"/{text}".rpartition(f"/{SCHEME}:/")
    if is_url:
        return key
    return text.removeprefix(root) if text.startswith(root) else None


def _root() -> Path:
    return home() / SCHEME


def home() -> Path:
    """The folder of twins: a path below it stands for a file elsewhere."""
    return _home_in(os.environ.get("XDG_CACHE_HOME", ""), os.environ.get("HOME", ""))


@lru_cache
def _home_in(cache: str, home: str) -> Path:  # noqa: ARG001 - the second tells a new answer from one before
    folder = Path(cache) if Path(cache).is_absolute() else Path.home() / ".cache"
    return folder.resolve() / "fas-explorer" / "remote"


@lru_cache(maxsize=1)
def client_of(process: int) -> Any:  # noqa: ARG001 - a client does not survive a fork
    """The file system of S3, one for each process. Raises BadInputError where s3fs is missing."""
    try:
        import fsspec
        import s3fs  # noqa: F401 - what fsspec would look for, and say less clearly
    except ImportError as error:
        raise BadInputError("s3:// needs the library s3fs: pip install 'fas-explorer[s3]'") from error
    return fsspec.filesystem(
        SCHEME, skip_instance_cache=True, use_listings_cache=False, config_kwargs={"max_pool_connections": 2 * AT_ONCE}
    )


@contextmanager
def talking_to(path: Path) -> Iterator[Any]:
    """What talks to the storage of a path while the block runs. Raises FileNotFoundError and FileExistsError of what is
    asked for, and StorageError, naming the bucket, of all else that goes wrong: the block calls the client alone."""
    client = client_of(os.getpid())
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    name = str(key_of(path)).partition("/")[0]
    if not _BUCKET.fullmatch(name):  # and it may hold what is secret
        raise StorageError("An address of object storage names no bucket. Write s3://BUCKET/KEY, without user or key.")
    bucket = f"{SCHEME}://{name}"
    try:
        yield client
    except FileExistsError:
        raise
    except FileNotFoundError as error:
        if "bucket" in str(error):
            raise StorageError(f"There is no bucket {bucket}. Check its name, and AWS_ENDPOINT_URL.") from error
        raise FileNotFoundError(errno.ENOENT, "No such object", url_of(path)) from error
    except NoCredentialsError as error:
        raise StorageError(
            f"There are no credentials for {bucket} here. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
            "AWS_PROFILE."
        ) from error
    except PermissionError as error:
        raise StorageError(
            f"{url_of(path)} is refused to these credentials ({error.strerror or error}). Ask for the rights to list, "
            "read and put there, or name others by AWS_PROFILE."
        ) from error
    except (OSError, BotoCoreError, ClientError, TimeoutError) as error:  # an address may hold what is secret
        raise StorageError(
            f"{bucket} does not answer, tried several times ({type(error).__name__}). What is complete is kept: run "
            "the command again when the network is back, and check AWS_ENDPOINT_URL."
        ) from error
