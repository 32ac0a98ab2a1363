"""Who is measured beside us: nobody in between, nginx, nginx with the work of metering in Lua, LiteLLM."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from loadtests.stand.errors import StandError
from loadtests.stand.load import MODEL, Target
from loadtests.stand.ports import accepts
from runtime.child import Child, Program

_FILES: Final = Path(__file__).parent / "nginx"
_MODULES: Final = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/local/lib/nginx/modules")
_LITELLM: Final = """
model_list:
  - model_name: {model}
    litellm_params: {{model: openai/{model}, api_base: "http://127.0.0.1:{upstream}/v1", api_key: sk-upstream}}
general_settings: {{master_key: sk-peer-0}}
litellm_settings: {{telemetry: false, drop_params: true}}
"""


def missing(name: str) -> str | None:
    """What `nginx`, `nginx_lua` or `litellm` lacks on this machine."""
    if name == "litellm":
        return None if shutil.which(os.environ.get("LITELLM", "")) else "LITELLM does not name the program"
    if shutil.which("nginx") is None:
        return "nginx is not installed"
    if name == "nginx_lua" and _modules() is None:
        return "nginx's module for Lua is not installed (libnginx-mod-http-lua, lua-cjson)"
    return None


@contextmanager
def peer(
    name: str, folder: Path, port: int, upstream_port: int, redis_port: int
) -> Iterator[tuple[int, Target]]:
    """A running peer: its process id, and where it is called. To be called by the main thread."""
    own = folder / name
    own.mkdir(exist_ok=True)
    if name == "litellm":
        program = _litellm(own, port, upstream_port)
    else:
        filled = {
            "port": str(port),
            "upstream": str(upstream_port),
            "redis": str(redis_port),
            "modules": _modules() or "",
        }
        program = _nginx("lua.conf" if name == "nginx_lua" else "plain.conf", own, filled, accepts(port))
    child = Child(program)
    try:
        child.wait_ready()
        yield child.pid, Target(port, {"authorization": "Bearer sk-peer-0"})
    finally:
        child.stop()


def _nginx(configuration: str, own: Path, filled: Mapping[str, str], ready: Callable[[int], bool]) -> Program:
    for file in _FILES.iterdir():
        text = file.read_text("utf-8")
        for name, value in filled.items():
            text = text.replace("{{" + name + "}}", value)
        if os.geteuid() == 0 and file.suffix == ".conf":
            text = "user root;\n" + text
        (own / file.name).write_text(text, "utf-8")
    return _program(
        "nginx",
        [shutil.which("nginx") or "nginx", "-p", f"{own}/", "-c", configuration, "-e", "error.log"],
        {},
        ready,
    )


def _litellm(own: Path, port: int, upstream_port: int) -> Program:
    configuration = own / "litellm.yaml"
    configuration.write_text(_LITELLM.format(model=MODEL, upstream=upstream_port), "utf-8")
    words = ["--config", str(configuration), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    environ = {
        "HOME": str(own),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOG": "ERROR",
    }
    return _program(
        "litellm", [shutil.which(os.environ["LITELLM"]) or "litellm", *words], environ, accepts(port)
    )


def _program(
    name: str, argv: Sequence[str], environ: Mapping[str, str], ready: Callable[[int], bool]
) -> Program:
    return Program(
        name=name, argv=argv, ready=ready, environ={"PATH": os.environ["PATH"], **environ}, ready_seconds=120
    )


def _modules() -> str | None:
    there = (folder for folder in _MODULES if (Path(folder) / "ngx_http_lua_module.so").exists())
    return next(there, None)


def need(name: str) -> None:
    """Raises StandError where `missing` finds something."""
    if (lack := missing(name)) is not None:
        raise StandError(f"{name}: {lack}")
