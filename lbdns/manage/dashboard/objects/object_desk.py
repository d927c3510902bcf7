"""Making, changing and deleting objects of one kind, alike for all kinds: START HERE for pages of objects.

    form --review--> draft (the body that the API would be sent) --dry run--> refused: the form, errors beside fields
      ^                |                                         `----------> what would change --save--> the object
      `-- go on -------'  in the address, so that it can be sent

    new            POST what is not at its default
    edit           PATCH what is otherwise than it is, If-Match: the revision that the form was made of
    delete         what would go, or who still refers to it; then DELETE

`ObjectDesk` says what is particular to a kind; `serve_desk` adds the routes to a page's router.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.responses import Response

from lbdns.base.kinds import Kind
from lbdns.base.words import OWN_PATH
from lbdns.manage.dashboard.object_forms.form_field import FormField
from lbdns.manage.dashboard.object_forms.form_nodes import NodeMaker, located
from lbdns.manage.dashboard.object_forms.object_names import ObjectNames
from lbdns.manage.dashboard.object_forms.sent_body import body_of, changed
from lbdns.manage.dashboard.object_forms.typed_values import Posted, Typed, typed_in, typed_of, with_step
from lbdns.manage.dashboard.objects.drafts import ADDRESS_CHARS_MAX, DRAFT, REVIEW, REVISION, draft_in, draft_text
from lbdns.manage.dashboard.page_calls import ApiAnswer, path_of, path_with
from lbdns.manage.dashboard.page_request import PageRequest, call_api, checked
from lbdns.manage.dashboard.page_router import PageRouter, render, see_other

STEP: Final = "step"
NETWORKS: Final = "networks"
"""The networks that a draft is compared for, in the address of its review."""
SAVE: Final = "save"
DRY_RUN: Final = {"dry_run": True}


@dataclass(frozen=True)
class ObjectDesk:
    """One kind of objects, as its pages make and change them.

    `place`: the path of its list's page, with parameters as routes have them; `shown`: that of one object's page, ""
    where it has none. `api`: returns the path of its list in the API. `form`: returns the fields of a form, for the
    body that stands in it. `refers`: the kinds that it names. `begin`: returns what a new one begins with.
    """

    words: str
    place: str
    shown: str
    api: Callable[[PageRequest], str]
    form: Callable[[PageRequest, Mapping[str, Any]], FormField]
    refers: tuple[Kind, ...] = ()
    begin: Callable[[PageRequest], dict[str, Any]] = lambda request: {}
    name_key: str = "name"
    extra: str = ""
    """A template that stands above the fields of the form, given `extra_data`."""
    extra_data: Mapping[str, Any] = field(default_factory=dict)
    review_extra: str = ""
    """A template that stands below what would change, given what `review_data` returns of the object as it would be."""
    review_data: Callable[[PageRequest, Mapping[str, Any]], Awaitable[dict[str, Any]]] | None = None
    list_place: str = ""
    """The path of the list's page, where that is not `place`."""

    def list_page(self, request: PageRequest) -> str:
        """Return the path of the page that lists what is beside an object."""
        return self.list_place or self.page(request)

    def page(self, request: PageRequest, *parts: str) -> str:
        """Return the path of a page of this kind, with the parameters of the request."""
        whole = self.place
        for key, value in request.path_params.items():
            whole = whole.replace(f"{{{key}}}", str(value))
        return path_of(whole, *parts) if parts else whole

    def page_of(self, request: PageRequest, id: str) -> str:
        """Return the path of the page that shows an object."""
        return self.page(request, id) if self.shown else self.list_page(request)


@dataclass(frozen=True)
class _Work:
    """One form in hand: `current` is the object as it is, or what a new one begins with; `revision` its ETag or ""."""

    desk: ObjectDesk
    request: PageRequest
    id: str
    current: Mapping[str, Any]
    revision: str
    names: ObjectNames

    @property
    def path(self) -> str:
        """The path that the API is asked at."""
        base = self.desk.api(self.request)
        return path_of(base, self.id) if self.id else base

    @property
    def method(self) -> str:
        return "PATCH" if self.id else "POST"

    @property
    def own_path(self) -> str:
        """The path of this form's page."""
        parts = (self.id, "edit") if self.id else ("new",)
        return self.desk.page(self.request, *parts)

    def merged(self, draft: Mapping[str, Any]) -> dict[str, Any]:
        """Return the object with a draft over it."""
        return {**self.current, **draft}

    def form(self, body: Mapping[str, Any]) -> FormField:
        return self.desk.form(self.request, body)

    def draft_of(self, form: FormField, typed: Typed) -> dict[str, Any]:
        """Return what the API would be sent for what was typed."""
        body = body_of(form, typed, self.names)
        if not self.id:
            return body
        return changed(body_of(form, typed_of(form, self.current, self.names), self.names), body)

    async def send(self, draft: Mapping[str, Any], revision: str, dry: bool) -> ApiAnswer:
        """Have the API make the change, or try it."""
        headers = {"if-match": revision} if revision else None
        return await call_api(self.request, self.method, self.path, DRY_RUN if dry else None, dict(draft), headers)


def serve_desk(router: PageRouter, desk: ObjectDesk) -> None:
    """Add the routes by which objects of a kind are made, changed and deleted."""
    for place, has_id in ((f"{desk.place}/new", False), (f"{desk.place}/{{id}}/edit", True)):
        _serve_form(router, desk, place, has_id)

    @router.get(f"{desk.place}/{{id}}/delete")
    async def ask_to_delete(request: PageRequest) -> Response:
        work = await _work(desk, request, True)
        tried = await call_api(request, "DELETE", work.path, DRY_RUN)
        return _shown_deletion(work, tried)

    @router.post(f"{desk.place}/{{id}}/delete")
    async def delete(request: PageRequest) -> Response:
        work = await _work(desk, request, True)
        done = await call_api(request, "DELETE", work.path)
        if not done.is_success:
            return _shown_deletion(work, done)
        request.note(f"The {desk.words} {_name(work)} is deleted.")
        return see_other(desk.list_page(request))


def _serve_form(router: PageRouter, desk: ObjectDesk, place: str, has_id: bool) -> None:
    @router.get(place)
    async def show(request: PageRequest) -> Response:
        work = await _work(desk, request, has_id)
        request.insist(work.method, work.path)
        draft = draft_in(request.query_params.get(DRAFT, "")) or {}
        if REVIEW in request.query_params and draft:
            return await _reviewed(work, draft, request.query_params.get(REVISION, ""))
        body = work.merged(draft)
        return _shown_form(work, typed_of(work.form(body), body, work.names), body)

    @router.post(place)
    async def take(request: PageRequest) -> Response:
        work = await _work(desk, request, has_id)
        request.insist(work.method, work.path)
        fields = await request.fields()
        revision = fields.get(REVISION, "")
        step = fields.get(STEP, "")
        kept = draft_in(fields.get(DRAFT, ""))
        if step == SAVE and kept is not None:
            return await _saved(work, kept, revision)
        begun = dict(work.current)
        form = work.form(begun)
        typed = typed_in(form, Posted(fields.items()))
        if step and step != REVIEW:
            typed, focus = with_step(form, typed, step, work.names)
            return _shown_form(work, typed, begun, revision=revision, focus=focus)
        draft = work.draft_of(form, typed)
        if not draft:
            request.note(f"Nothing is otherwise than it is: there is nothing to save of the {desk.words}.", "warning")
            return see_other(work.own_path)
        text = draft_text(draft)
        if len(text) > ADDRESS_CHARS_MAX:
            return await _reviewed(work, draft, revision)
        query = {**dict(request.query_params), DRAFT: text, REVISION: revision or None, REVIEW: 1}
        return see_other(path_with(work.own_path, query))


async def _work(desk: ObjectDesk, request: PageRequest, has_id: bool) -> _Work:
    id = request.path_params.get("id", "") if has_id else ""
    names = await names_of(request, desk.refers)
    if not id:
        return _Work(desk, request, "", desk.begin(request), "", names)
    answer = checked(await call_api(request, "GET", path_of(desk.api(request), id)))
    return _Work(desk, request, id, answer.result, answer.revision, names)


async def names_of(request: PageRequest, kinds: Iterable[Kind]) -> ObjectNames:
    """Return the names of all objects of some kinds; whose token may not list them sees ids."""
    wanted = [kind.value for kind in kinds]
    if not wanted:
        return ObjectNames()
    answer = await call_api(request, "GET", f"{OWN_PATH}/names", {"kind": wanted})
    return ObjectNames(answer.result if answer.is_success else None)


def _name(work: _Work) -> str:
    return str(work.current.get(work.desk.name_key) or work.id)


def _shown_form(
    work: _Work,
    typed: Typed,
    body: Mapping[str, Any],
    *,
    revision: str = "",
    focus: str = "",
    errors: Iterable[Mapping[str, Any]] = (),
    status: int = 200,
) -> Response:
    form = work.form(body)
    wrong = located(form, typed, errors, work.names)
    node = NodeMaker(work.names, wrong, focus).make(form, typed)
    return render(
        work.request,
        "objects/form.html",
        status,
        desk=work.desk,
        name=_name(work) if work.id else "",
        node=node,
        wrong=wrong,
        body=body,
        revision=revision or work.revision,
        action=path_with(work.own_path, _kept_query(work.request)),
        back=work.desk.page_of(work.request, work.id) if work.id else work.desk.list_page(work.request),
        method=work.method,
        api_path=work.path,
        names=work.names,
        suggestions=_suggestions(form),
        errors_shown=[*errors],
        is_writable=work.request.site.manager.is_writable,
        place_of_objects=work.request.site.manager.place,
        **work.desk.extra_data,
    )


def _suggestions(form: FormField) -> list[tuple[str, tuple[str, ...]]]:
    """Return the lists that inputs of a form suggest from, by the field's key."""
    found: dict[str, tuple[str, ...]] = {}

    def visit(field: FormField) -> None:
        if field.suggested:
            found[field.key] = field.suggested
        for one in field.inner:
            visit(one)

    visit(form)
    return [*found.items()]


async def _reviewed(work: _Work, draft: Mapping[str, Any], revision: str) -> Response:
    """Show what a draft would change, or the form with what the API says against it."""
    tried = await work.send(draft, revision, dry=True)
    if not tried.is_success:
        return _again(work, draft, tried)
    merged = work.merged(draft)
    more = await work.desk.review_data(work.request, merged) if work.desk.review_data is not None else {}
    return render(
        work.request,
        "objects/review.html",
        desk=work.desk,
        name=_name(work) if work.id else str(draft.get(work.desk.name_key) or ""),
        draft=draft,
        draft_text=draft_text(dict(draft)),
        id=work.id,
        revision=revision,
        action=path_with(work.own_path, _kept_query(work.request)),
        method=work.method,
        api_path=work.path,
        tried=tried.result,
        messages_told=tried.messages,
        names=work.names,
        back=path_with(work.own_path, {**_kept_query(work.request), DRAFT: draft_text(dict(draft))}),
        **more,
    )


def _kept_query(request: PageRequest) -> dict[str, str]:
    return {key: value for key, value in request.query_params.items() if key not in (REVIEW, DRAFT, REVISION, NETWORKS)}


def _again(work: _Work, draft: Mapping[str, Any], refused: ApiAnswer) -> Response:
    body = work.merged(draft)
    typed = typed_of(work.form(body), body, work.names)
    status = refused.status if work.request.method == "POST" else 200
    return _shown_form(work, typed, body, errors=refused.errors, status=status)


async def _saved(work: _Work, draft: Mapping[str, Any], revision: str) -> Response:
    done = await work.send(draft, revision, dry=False)
    if not done.is_success:
        return _again(work, draft, done)
    name = done.result.get(work.desk.name_key) or done.result.get("id")
    work.request.note(f"The {work.desk.words} {name} is {'changed' if work.id else 'made'}; answers follow it now.")
    for message in done.messages:
        work.request.note(message["message"], "warning")
    return see_other(work.desk.page_of(work.request, str(done.result["id"])))


def _shown_deletion(work: _Work, tried: ApiAnswer) -> Response:
    return render(
        work.request,
        "objects/delete.html",
        200 if tried.is_success or work.request.method == "GET" else tried.status,
        desk=work.desk,
        name=_name(work),
        tried=tried,
        own_path=work.desk.page(work.request, work.id, "delete"),
        back=work.desk.page_of(work.request, work.id),
        api_path=work.path,
    )
