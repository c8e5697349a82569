"""Who comes, who waits, and what is left of those who go."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dip_lite.app.limits import Limits
from dip_lite.app.request import RunRequest
from dip_lite.app.restoration import Inputs
from dip_lite.app.session_pictures import SessionPictures
from dip_lite.app.sessions import Sessions
from dip_lite.app.uploads import Picture
from dip_lite.errors import UserError
from tests.app.helpers import (
    ENDLESS,
    TINY,
    add,
    add_sample,
    last,
    picture,
    running,
    until,
    wait_for,
)


def test_whoever_leaves_takes_everything_along(sessions: Sessions, tmp_path: Path) -> None:
    run = sessions.run("a", RunRequest.parse(**ENDLESS))
    state = until(run, running)
    demo_run = sessions.find_run(state["id"])
    assert demo_run is not None and any((tmp_path / "visitors").iterdir())
    sessions.leave("a")
    assert sessions.find_run(state["id"]) is None
    wait_for(lambda: demo_run.over and not any((tmp_path / "visitors").iterdir()))


def test_one_run_a_visitor_and_a_fair_refusal(sessions: Sessions) -> None:
    slow = RunRequest.parse(**ENDLESS)
    runs = [sessions.run(key, slow) for key in "abcd"]
    for run in runs:
        next(run)
    with pytest.raises(UserError, match="not finished"):
        next(sessions.run("a", slow))
    with pytest.raises(UserError, match="3 people are waiting"):
        next(sessions.run("e", slow))
    state = next(runs[3])
    assert state["state"] == "waiting" and state["position"] == 3 and 20 <= state["wait"] <= 60
    for run in runs:
        run.close()  # type: ignore[attr-defined]
    assert len(sessions.queue) == 0


def test_a_run_that_fails_leaves_the_last_result(sessions: Sessions) -> None:
    add_sample(sessions, "a")
    made = last(sessions.run("a", RunRequest.parse(**TINY)))
    nothing_painted = RunRequest.parse(**TINY | {"task": "inpaint", "mask": "draw"})
    with pytest.raises(UserError, match="Paint over"):
        list(sessions.run("a", nothing_painted))
    kept = sessions.finished("a")
    assert kept is not None and kept["id"] == made["id"]
    run = sessions.find_run(made["id"])
    assert run is not None and run.fetch("result.png") and run.fetch("record.zip")
    assert [path for path in run.folder.parent.iterdir() if path.is_dir()] == [run.folder]
    add_sample(sessions, "a", "chelsea")  # of another picture it would be the wrong result
    assert sessions.finished("a") is None
    again = last(sessions.run("a", RunRequest.parse(**TINY)))
    assert sessions.find_run(made["id"]) is None and not run.folder.exists()
    assert sessions.finished("a") == again


@pytest.mark.parametrize("step", ["waiting", "running"])
def test_a_run_that_nobody_watches_to_its_end_leaves_the_last_result(
    sessions: Sessions, step: str
) -> None:
    add_sample(sessions, "a")
    made = last(sessions.run("a", RunRequest.parse(**TINY)))
    others = [sessions.run(key, RunRequest.parse(**ENDLESS)) for key in "bc" if step == "waiting"]
    for other in others:
        next(other)
    run = sessions.run("a", RunRequest.parse(**ENDLESS))
    until(run, lambda state: state["state"] == step)
    kept = sessions.find_run(made["id"])
    assert kept is not None and kept.fetch("result.png")  # the page may still show it
    run.close()  # type: ignore[attr-defined]
    for other in others:
        other.close()  # type: ignore[attr-defined]
    wait_for(lambda: not sessions.busy("a"))
    finished = sessions.finished("a")
    assert finished is not None and finished["id"] == made["id"]
    assert [path for path in kept.folder.parent.iterdir() if path.is_dir()] == [kept.folder]


def test_a_full_queue_leaves_the_last_result(sessions: Sessions) -> None:
    add_sample(sessions, "a")
    made = last(sessions.run("a", RunRequest.parse(**TINY)))
    others = [sessions.run(key, RunRequest.parse(**ENDLESS)) for key in "bcde"]
    for other in others:
        next(other)
    with pytest.raises(UserError, match="people are waiting"):
        next(sessions.run("a", RunRequest.parse(**TINY)))
    finished = sessions.finished("a")
    assert finished is not None and finished["id"] == made["id"]
    for other in others:
        other.close()  # type: ignore[attr-defined]


def test_the_silent_are_let_go(tmp_path: Path) -> None:
    sessions = Sessions(Limits(idle=1.0), tmp_path)
    add_sample(sessions, "a")
    time.sleep(1.2)
    add_sample(sessions, "b")
    assert len(sessions) == 1 and len(list(tmp_path.iterdir())) == 1


def test_whoever_left_does_not_come_back_by_what_was_under_way(
    sessions: Sessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dip_lite.app import uploads

    read, path = uploads.read_picture, picture(tmp_path / "a.png")

    def slow(*values: Any) -> Picture:
        sessions.leave("a")
        return read(*values)

    monkeypatch.setattr(uploads, "read_picture", slow)
    with pytest.raises(UserError, match="when you left"):
        add(sessions, "a", path)
    with pytest.raises(UserError, match="when you left"):  # and what comes only now
        add(sessions, "a", picture(path))
    assert len(sessions) == 0 and not any((tmp_path / "visitors").iterdir())
    sessions._left_at.clear()  # a moment later the same browser is welcome
    monkeypatch.undo()
    add(sessions, "a", path)


def test_a_run_of_whoever_left_meanwhile_does_not_begin(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = SessionPictures.inputs

    def slow(*values: Any) -> Inputs:
        found = inputs(*values)
        sessions.leave("a")
        return found

    monkeypatch.setattr(SessionPictures, "inputs", slow)
    with pytest.raises(UserError, match="when you left"):
        next(sessions.run("a", RunRequest.parse(**TINY)))
    assert len(sessions) == 0 and len(sessions.queue) == 0


def test_those_of_one_address_leave_room_for_others(tmp_path: Path) -> None:
    sessions = Sessions(Limits(max_pixels=64 * 64, queue=4), tmp_path)
    slow = RunRequest.parse(**ENDLESS)
    runs = [sessions.run(key, slow, address="10.0.0.1") for key in "abc"]
    for run in runs:
        next(run)
    with pytest.raises(UserError, match="2 runs from your network address"):
        next(sessions.run("d", slow, address="10.0.0.1"))
    runs += [sessions.run("e", slow, address="10.0.0.2"), sessions.run("f", slow)]
    for run in runs[3:]:
        assert next(run)["state"] == "waiting"
    for run in reversed(runs):
        run.close()  # type: ignore[attr-defined]


def test_an_address_behind_a_proxy_is_believed_only_if_forwarded() -> None:
    request = SimpleNamespace(
        client=SimpleNamespace(host="127.0.0.1"), headers={"x-forwarded-for": "1.1.1.1, 2.2.2.2"}
    )
    assert Limits().client_address(request) == "127.0.0.1"
    assert Limits(forwarded=True).client_address(request) == "2.2.2.2"


def test_so_many_visitors_and_no_more(tmp_path: Path) -> None:
    sessions = Sessions(Limits(max_sessions=2, idle_without_page=1.0), tmp_path)
    add_sample(sessions, "a")
    sessions.count_page("a", 1)
    add_sample(sessions, "b")
    with pytest.raises(UserError, match="demo is full"):
        add_sample(sessions, "c")
    time.sleep(1.2)  # "b" has no page open
    add_sample(sessions, "c")
    assert {*sessions._sessions} == {"a", "c"}


def test_the_silent_and_results_go_without_anybody_coming(tmp_path: Path) -> None:
    sessions, folder = Sessions(Limits(idle=0.1), tmp_path / "v"), tmp_path / "result"
    folder.mkdir()
    add_sample(sessions, "a")
    sessions.delete_later(folder, 0.1)
    wait_for(lambda: not len(sessions) and not folder.exists())
    assert not any((tmp_path / "v").iterdir())
