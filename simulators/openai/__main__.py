"""python -m simulators.openai --port N"""

import argparse
import socket
import sys
from pathlib import Path

import uvicorn

from simulators.openai.app import Simulator
from simulators.openai.connection import ObservedProtocol
from simulators.openai.replay import read_recordings
from simulators.openai.socket_protocol import SocketProtocol
from simulators.openai.vocabulary import Vocabularies

_ENCODINGS = Path(__file__).resolve().parents[2] / "config" / "encodings"


def main() -> None:
    options = _options()
    simulator = Simulator(
        Vocabularies(options.encodings),
        seed=options.seed,
        api_key=options.api_key,
        recordings=read_recordings(options.replay, options.seed) if options.replay else None,
    )
    server = uvicorn.Server(
        uvicorn.Config(
            simulator,
            http=ObservedProtocol,
            ws=SocketProtocol,
            lifespan="off",
            loop="uvloop",
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,  # longer than the idle time after which clients usually close
            timeout_graceful_shutdown=1,
        )
    )
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    with socket.create_server((options.host, options.port), family=family, backlog=4096) as listener:
        host = f"[{options.host}]" if family == socket.AF_INET6 else options.host
        # Said once connections are accepted (they queue until the server takes them).
        sys.stdout.write(f"listening http://{host}:{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        server.run(sockets=[listener])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulators.openai", description="A simulated OpenAI.")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one and prints it")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other answers")
    parser.add_argument("--api-key", help="refuse every other key (default: any key will do)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="answer by recordings (.jsonl[.gz])")
    parser.add_argument("--encodings", type=Path, metavar="DIR", default=_ENCODINGS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
