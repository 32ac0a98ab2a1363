"""Is a document lawful? Asked before it is sent; what nobody could answer counts as no."""

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from billing_worker.documents import duties, pdf_structure, sums
from billing_worker.documents.document import Document
from billing_worker.documents.facts import XmlError, parse
from billing_worker.documents.finding import Finding

# An electronic address is asked of buyers who are French businesses. Who gave no SIREN is not known to be one: what is
# sold to them is reported, not exchanged as an e-invoice.
_OF_KNOWN_BUSINESSES = frozenset({"BR-FR-12_BT-49"})
PROGRAM = Path(__file__).with_name("rules.py")
SECONDS = 60
MEMORY = 1 << 30
# The program ends itself when its time is over; should even that fail, it is killed a moment later.
GRACE_SECONDS = 5.0
_ANSWER_LIMIT = 16 << 20


class RulesError(RuntimeError):
    """The official rules could not be asked; the message says why."""


class Validator:
    """Owns one process that knows the official rules: started when first asked, again after it died.

    Documents are checked one after the other. `seconds` are for one document, `memory` bytes for the process.
    """

    def __init__(
        self,
        *,
        program: Path = PROGRAM,
        seconds: int = SECONDS,
        grace: float = GRACE_SECONDS,
        memory: int = MEMORY,
    ) -> None:
        self._program = program
        self._seconds = seconds
        self._grace = grace
        self._memory = memory
        self._process: asyncio.subprocess.Process | None = None
        self._dying: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def validate(self, document: Document) -> list[Finding]:
        """All that is wrong with `document`; nothing is wrong only if everything was checked."""
        if document.xml is None:
            return [Finding("validator", "DRAFT", "a draft is no invoice: it has no XML")]
        try:
            facts = parse(document.xml)
        except XmlError as error:
            return [Finding("xsd", "XML", str(error))]
        found = [*sums.findings(facts), *duties.findings(facts), *pdf_structure.findings(document)]
        try:
            official = await self._ask(document.xml, french=facts.seller.country == "FR")
            found += [each for each in official if facts.buyer.siren or each.rule not in _OF_KNOWN_BUSINESSES]
        except RulesError as error:
            found.append(Finding("validator", "RULES", f"the official rules could not be asked: {error}"))
        return found

    @property
    def pid(self) -> int | None:
        """Of the process that knows the rules, while there is one."""
        return None if self._process is None else self._process.pid

    async def close(self) -> None:
        """Ends the process, if there is one; the validator may be asked again."""
        self._abandon()
        await self._bury()

    async def _ask(self, xml: bytes, *, french: bool) -> list[Finding]:
        question = json.dumps({"xml": xml.decode(), "french": french}) + "\n"
        async with self._turn:
            answered = False
            try:
                process = await self._running()
                answer = await self._exchange(process, question)
                answered = True
            finally:
                # After anything else its next line would be the answer to a question that nobody waits for.
                if not answered:
                    self._abandon()
        return [Finding(*row) for row in answer["findings"]]

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        self._abandon()
        await self._bury()
        try:
            self._process = await asyncio.create_subprocess_exec(
                # Apart from our environment, which holds secrets.
                *(sys.executable, "-I", str(self._program), str(self._memory), str(self._seconds)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={"PATH": os.environ.get("PATH", os.defpath)},
                limit=_ANSWER_LIMIT,
            )
        except OSError as error:
            raise RulesError(f"the program does not start: {error}") from error
        await self._answer(self._process, "rules")
        return self._process

    async def _exchange(self, process: asyncio.subprocess.Process, question: str) -> dict[str, Any]:
        assert process.stdin is not None
        try:
            async with asyncio.timeout(self._seconds + self._grace):
                process.stdin.write(question.encode())
                await process.stdin.drain()
        except (ConnectionError, TimeoutError) as error:
            raise RulesError("it does not take a question") from error
        return await self._answer(process, "findings")

    async def _answer(self, process: asyncio.subprocess.Process, expected: str) -> dict[str, Any]:
        assert process.stdout is not None
        try:
            async with asyncio.timeout(self._seconds + self._grace):
                line = await process.stdout.readline()
                if not line:
                    raise RulesError(f"it ended with {_ending(await process.wait())}")
            answer: dict[str, Any] = json.loads(line)
        except TimeoutError:
            raise RulesError(f"it did not answer in {self._seconds} s") from None
        except ValueError as error:
            raise RulesError("its answer is too long, or none") from error
        if expected not in answer:
            raise RulesError(str(answer.get("error", "it answers something else")))
        return answer

    def _abandon(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            self._process, self._dying = None, self._process

    async def _bury(self) -> None:
        if self._dying is not None:
            async with asyncio.timeout(GRACE_SECONDS):
                await self._dying.wait()
            self._dying = None


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
