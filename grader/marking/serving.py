"""The page on which a person marks: a WSGI application for one marker, on this machine alone.

The address holds a random token; requests for another host (a name that was bound to this machine) and changes that
another origin asks for are refused. No page has a script, and its policy forbids all but its own style, pictures that
it holds and forms that come back here, so that nothing of a student's could run or call home.
"""

from __future__ import annotations

import hmac
import secrets
import socket
import sys
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from werkzeug.exceptions import BadRequest, Conflict, Forbidden, HTTPException, MethodNotAllowed, NotFound
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from grader.course import marks, sheets
from grader.errors import UsageError
from grader.marking.desk import HOST, MAX_KEPT, Attempted, Desk, finished, message, page
from grader.marking.work import Place, Standing, digest, kept_comments, left, walk
from grader.reports.words import STATE_WORDS
from grader.text import clean, one_line

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MAX_COMMENT, MAX_FORM = 2000, 64 * 1024


class Marking:
    """The WSGI application."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._places = {(item, digest(key)): (key, item) for key, item in desk.work.lines}
        self._hosts = [f"{name}:{desk.port}" for name in (HOST, "localhost")]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        request.max_content_length = request.max_form_memory_size = MAX_FORM
        nonce = secrets.token_urlsafe(16)
        try:
            response = self._answer(request, nonce)
        except UsageError as error:  # somebody's file of marks has a bad line: nothing is taken until it is mended
            response = self._said(nonce, 409, str(error).split("\n"))
        except HTTPException as error:
            response = self._said(nonce, error.code or 500, [error.description or error.name])
        response.headers.update(_policy(nonce))
        return response(environ, start_response)

    def _said(self, nonce: str, code: int, sentences: Sequence[str]) -> Response:
        on = "" if code in (400, 403) else f"/{self._desk.token}/"  # the token is for who has it
        return Response(message(nonce, "Not here", sentences, on), code, mimetype="text/html")

    def _answer(self, request: Request, nonce: str) -> Response:
        desk = self._desk
        if request.host not in self._hosts:
            raise BadRequest("This page answers to this machine alone; open the address that `grader mark` printed.")
        token, _, rest = request.path.removeprefix("/").partition("/")
        if not hmac.compare_digest(token.encode("utf-8", "replace"), desk.token.encode()):
            raise Forbidden("The address lacks its token; open the one that `grader mark` printed.")
        if request.method not in ("GET", "HEAD", "POST"):
            raise MethodNotAllowed(("GET", "HEAD", "POST"), "Pages are read and marks are sent, nothing else.")
        if request.method == "POST" and request.headers.get("Origin") not in [f"http://{h}" for h in self._hosts]:
            raise Forbidden("This mark was sent by another page, and was not taken.")
        standing = desk.keeper.standing()
        if not rest:
            return self._next(standing, nonce, None)
        place = self._place(rest, standing)
        if request.method == "POST":
            return self._post(request, nonce, place, standing)
        self._prepare(place, standing)
        before = self._places.get(_address(request.args.get("after", "")))
        return _page(page(desk, place, standing, nonce, before=before, typed=None))

    def _place(self, rest: str, standing: Standing) -> Place:
        """The place of an address. Raises NotFound or Conflict, with what to do, for one that is not this marker's."""
        place = self._places.get(_address(rest))
        if place is None:
            raise NotFound(self._why_not(*_address(rest)))
        if place not in walk(self._desk.work, standing, self._desk.keeper.who):
            raise Conflict("Somebody else has this one, or has marked it. Go on with the next.")
        return place

    def _why_not(self, item: str, alias: str) -> str:
        known = [entry.id for entry in self._desk.assignment.items]
        report = next((entry for key, entry in self._desk.reports.items() if digest(key) == alias), None)
        if report is None:
            return f"There is no submission {one_line(alias, 40)!r} here. Go on with the next."
        if item not in known:
            return f"There is no item {one_line(item, 60)!r} in {report.slug}{sheets.near(item, known)}"
        state = next(STATE_WORDS[line.state] for line in report.lines if line.item == item)
        return f"{item} of this submission ({state}) waits for nobody. To override it, write a line into {marks.FILE}."

    def _post(self, request: Request, nonce: str, place: Place, standing: Standing) -> Response:
        desk, (key, item) = self._desk, place
        typed, comment = request.form.get("points", ""), request.form.get("comment", "")
        if request.form.get("action") == "take back":
            desk.keeper.take_back(place)
            return redirect(desk.path(place), 303)
        try:
            said = _comment(comment, kept_comments(desk.work, standing, desk.keeper.who, item)[:MAX_KEPT])
            row = {"submission": key, "item": item, "points": typed.strip(), "comment": said, "by": desk.keeper.who}
            mark = marks.mark_of(row, desk.assignment)
            if mark is None:
                raise ValueError(f"no points were given, expected a number from 0 to {desk.work.lines[place].maximum}")
        except ValueError as error:
            attempted = Attempted(points=one_line(typed, 20), comment=clean(comment, MAX_COMMENT), problem=str(error))
            return _page(page(desk, place, standing, nonce, typed=attempted), 422)
        desk.keeper.keep(replace(mark, submission=key))
        return self._next(desk.keeper.standing(), nonce, place)

    def _next(self, standing: Standing, nonce: str, after: Place | None) -> Response:
        """On to what is left behind a place, else to the first that is; where nothing is, the page that says so."""
        desk = self._desk
        place = self._following(standing, after)
        if place is None:
            return redirect(f"/{desk.token}/", 303) if after else _page(finished(desk, standing, nonce))
        return redirect(desk.path(place) + (f"?after={desk.path(after).split('/', 2)[2]}" if after else ""), 303)

    def _following(self, standing: Standing, after: Place | None) -> Place | None:
        desk = self._desk
        waiting = left(desk.work, standing, desk.keeper.who)
        order = {place: number for number, place in enumerate(desk.work.lines)}
        behind = (place for place in waiting if after and order[place] > order[after])
        return next(behind, next(iter(waiting), None))

    def _prepare(self, place: Place, standing: Standing) -> None:
        """Read the files of the next place while a person looks at this one."""
        following = self._following(standing, place)
        if following is not None:
            threading.Thread(target=self._desk.shown, args=(following,), daemon=True).start()


def _address(rest: str) -> tuple[str, str]:
    item, _, alias = rest.partition("/")
    return item, alias


def _page(text: str, code: int = 200) -> Response:
    return Response(text, code, mimetype="text/html")


def _policy(nonce: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": f"default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "same-origin",  # so that browsers say from where a form comes
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


def _comment(typed: str, kept: Sequence[str]) -> str:
    """What is said: the text, or for numbers alone the kept comments of these numbers. Raises ValueError."""
    text = clean(typed, MAX_COMMENT).strip()
    if not text or not text.replace(" ", "").isdecimal():
        return text
    numbers = [int(word) for word in text.split()]
    if strange := [number for number in numbers if not 1 <= number <= len(kept)]:
        raise ValueError(f"there is no comment {strange[0]} to use again ({len(kept)} are kept)")
    return " ".join(kept[number - 1] for number in numbers)


class _Quiet(WSGIRequestHandler):
    """Writes no log: addresses hold the token."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""


def opened(port: int) -> socket.socket:
    """A socket that listens on this machine's own address; 0: any free port. Raises UsageError for one in use."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(sys.platform != "win32"))
    try:
        found.bind((HOST, port))
        found.listen()
    except (OSError, OverflowError) as error:
        found.close()
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"--port {port}: {why}; give another one, or none for any that is free") from None
    return found


def server(desk: Desk, listening: socket.socket) -> BaseWSGIServer:
    """The server of a desk, which begins to answer with `serve_forever`."""
    return make_server(HOST, desk.port, Marking(desk), threaded=True, request_handler=_Quiet, fd=listening.fileno())
