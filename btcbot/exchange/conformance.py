"""A notebook for a look at the exchange: each answer held against its known shape, each question with its answer.

What is written down names places, kinds, counts and times. Amounts and ids get in only where the notebook allows them,
and keys, signatures and headers of requests never do.
"""

from collections.abc import Awaitable

from btcbot.domain.conformance import Finding, Verdict
from btcbot.domain.errors import ExchangeUnreachable, KeyRefused, ReadFailed
from btcbot.exchange.answers import OK, document_of
from btcbot.exchange.errors import NotTheExchange, Unavailable, snippet
from btcbot.exchange.http import HttpAnswer
from btcbot.exchange.shapes import Shape, differences

SUCCESS_MESSAGES = (None, "", "OK", "SUCCESS")
SUCCESS_CODES = (0, "SUCCESS", "")


class Notebook:
    def __init__(self, *, shows_amounts: bool) -> None:
        self.shows_amounts = shows_amounts
        self._findings: list[Finding] = []

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(self._findings)

    def note(self, what: str, verdict: Verdict, detail: str = "", question: str = "") -> None:
        self._findings.append(Finding(what, verdict, detail, question))

    def judge(self, what: str, is_known: bool, detail: str = "", question: str = "") -> None:
        self.note(what, Verdict.AS_KNOWN if is_known else Verdict.DIFFERS, detail, question)

    def unseen(self, what: str, why: str, question: str = "") -> None:
        self.note(what, Verdict.NOT_SEEN, why, question)

    def unasked(self, what: str, why: str, question: str = "") -> None:
        self.note(what, Verdict.NOT_ASKED, why, question)

    async def asked(self, what: str, asking: Awaitable[HttpAnswer]) -> HttpAnswer | None:
        """The answer, or nothing and a note why there is none. `KeyRefused` goes on: the key is not tried again."""
        try:
            return await asking
        except KeyRefused:
            raise
        except (ExchangeUnreachable, ReadFailed) as error:
            self.unasked(what, str(error.args[0]))  # without the next step: that is for who runs a bot
            return None

    def document(self, what: str, answer: HttpAnswer | None, shape: Shape) -> object:
        """The document of a success without an envelope, after a note on its shape; nothing for anything else."""
        document = self._parsed(what, answer)
        if answer is None or document is None:
            return None
        found = [] if answer.status == OK else [f"HTTP {answer.status} instead of {OK}"]
        found += differences(shape, document)
        size = f"HTTP {answer.status}, {_sized(len(answer.body))}"
        self.judge(what, not found, "; ".join(found) or size)
        return document if answer.status == OK else None

    def data(self, what: str, answer: HttpAnswer | None, shape: Shape, codes: tuple[object, ...] = (0,)) -> object:
        """The `data` of a success in its envelope, after a note on shape, status, `success`, code and message."""
        document = self._parsed(what, answer)
        if answer is None or document is None:
            return None
        if not isinstance(document, dict) or answer.status != OK or document.get("success") is not True:
            self.note(what, Verdict.DIFFERS, f"HTTP {answer.status}: {snippet(answer.body)}")
            return None
        found = list(differences(shape, document))
        if document.get("message") not in SUCCESS_MESSAGES:
            found.append("message of a success is none of the known ones")
        if document.get("code") not in codes:
            shown = str(document.get("code"))[:20]
            found.append(f"code is {shown!r} instead of {' or '.join(repr(code) for code in codes)}")
        size = f"HTTP {answer.status}, code {document.get('code')!r}, {_sized(len(answer.body))}"
        self.judge(what, not found, "; ".join(found) or size)
        return document.get("data")

    def refusal(self, what: str, answer: HttpAnswer | None, message: str, code: int, question: str = "") -> None:
        """An error that is known word for word: HTTP 400, `success` false, its message and its number."""
        document = self._parsed(what, answer)
        if answer is None or document is None:
            return
        said = document if isinstance(document, dict) else {}
        facts = (answer.status, said.get("success"), said.get("message"), said.get("code"))
        is_known = facts == (400, False, message, code)
        shown = f"HTTP {answer.status}, code {said.get('code')!r}"
        detail = shown if is_known else f"{shown}: {snippet(answer.body)}, known: HTTP 400, code {code}: {message}"
        self.judge(what, is_known, detail, question)

    def _parsed(self, what: str, answer: HttpAnswer | None) -> object:
        if answer is None:
            return None
        try:
            return document_of(answer, what)
        except (NotTheExchange, Unavailable) as error:
            self.note(what, Verdict.DIFFERS, str(error.args[0]))
            return None


def _sized(count: int) -> str:
    return f"{count} bytes" if count < 10_000 else f"{count // 1000} kB"
