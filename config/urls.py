"""What a setting that is an address must look like.

Messages never repeat the address: it may hold a password.
"""

from urllib.parse import SplitResult, parse_qs, urlsplit

from pydantic import SecretStr

from config.redis_cluster import cluster_address


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("is not a URL") from None
    return parts


def check_http_url(url: str) -> str:
    parts = _split(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a URL that begins with http:// or https:// and names a host")
    if parts.username or parts.query or parts.fragment:
        raise ValueError("must be a URL without user, query and fragment")
    return url.rstrip("/")


def check_origin(origin: str) -> str:
    """As browsers write it, or `*`; an origin of a page."""
    if origin == "*":
        return origin
    parts = _split(origin)
    if parts.scheme not in ("http", "https") or not parts.hostname or not origin.isascii() or "*" in origin:
        raise ValueError(f"{origin!r} is no origin such as https://app.example.com")
    if parts.username or parts.path or parts.query or parts.fragment or origin.endswith(("/", "?", "#", ":")):
        raise ValueError(f"{origin!r} is more than an origin: it ends behind the host and port")
    return origin.lower()


def check_proxy_url(url: SecretStr) -> SecretStr:
    """A scheme may be left out, as other programs allow."""
    value = url.get_secret_value()
    parts = _split(value if "://" in value else f"http://{value}")
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError("must be a URL that begins with http:// and names the host of a proxy")
    return SecretStr(parts.geturl())


def check_postgres_url(url: SecretStr) -> SecretStr:
    if _split(url.get_secret_value()).scheme not in ("postgresql", "postgres"):
        raise ValueError("must be a URL that begins with postgresql://")
    return url


def check_redis_url(url: SecretStr) -> SecretStr:
    value = url.get_secret_value()
    if cluster_address(value) is not None:
        return url
    if "," in value.partition("://")[2].partition("/")[0].rpartition("@")[2]:
        raise ValueError(
            "names several hosts: those of a cluster follow redis+cluster:// or rediss+cluster://"
        )
    if _split(value).scheme not in ("redis", "rediss", "unix"):
        raise ValueError(
            "must be a URL that begins with redis://, rediss:// or unix://,"
            " or for a cluster with redis+cluster:// or rediss+cluster://"
        )
    return url


def check_smtp_url(url: SecretStr) -> SecretStr:
    parts = _split(url.get_secret_value())
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ValueError("must be a URL that begins with smtp:// or smtps:// and names a host")
    return url


def check_archive_url(url: SecretStr) -> SecretStr:
    """A directory, or `s3://[key:secret@]bucket[/prefix][?endpoint=https://host&region=name]`."""
    value = url.get_secret_value()
    if value.startswith("/"):
        return url
    parts = _split(value)
    if parts.scheme != "s3" or not parts.hostname or parts.port is not None or parts.fragment:
        raise ValueError("must be an absolute path of a directory, or a URL such as s3://bucket/prefix")
    if (parts.username is None) != (parts.password is None):
        raise ValueError("must name both the access key and the secret, or neither")
    told = parse_qs(parts.query, keep_blank_values=True)
    if not told.keys() <= {"endpoint", "region"} or any(len(values) != 1 for values in told.values()):
        raise ValueError("may have the parameters endpoint and region, once each")
    if "endpoint" in told:
        check_http_url(told["endpoint"][0])
    return url
