"""The table of all of a set: what is heard, what is kept, what is compared."""

from __future__ import annotations

import json

from benchmarks.accuracy import official
from benchmarks.lib.speech import clips
from tests.support.official_runs import heard, line


def test_a_run_goes_on_where_another_was_stopped(
    tmp_path, speech, monkeypatch, capsys, tiny_en_path
):
    """A real worker on the second clip alone; the peers need environments of their own."""
    del tiny_en_path
    own = next(s for s in official.systems() if s.name.startswith("streamwhisper, int8"))
    monkeypatch.setattr(official, "systems", lambda: [own])
    monkeypatch.setattr(official, "speech_folder", lambda: speech.folder)
    first = official.shuffled(clips(speech.folder, "ls-dev", 1000))[0]
    before = line(heard(own, first.key, first.text))
    file = tmp_path / "tiny.en.jsonl"
    file.write_text(before)

    def run() -> dict:
        arguments = ["official.py", "--folder", str(tmp_path), "--clips", "2"]
        monkeypatch.setattr("sys.argv", arguments)
        official.main()
        return json.loads(capsys.readouterr().out.splitlines()[-1])["rows"]

    (row,) = run()
    after = file.read_text()
    assert row["clips"] == 2
    assert row["errors"] <= 4
    assert after.startswith(before)
    assert len(after.splitlines()) == 2
    assert run() == [row]
    assert file.read_text() == after
