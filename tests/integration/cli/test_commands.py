"""``streamwhisper transcribe`` as a person runs it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import wave

import av
import numpy as np
import pytest

from streamwhisper.audio.durations import declared_seconds
from streamwhisper.audio.files import decode_bytes, read_audio, write_wav
from streamwhisper.cli.main import main
from tests.support.paths import SAMPLE
from tests.support.recordings import damaged, recording

SPOKEN = SAMPLE.with_suffix(".txt")


def run(*arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "streamwhisper", "transcribe", "--threads", "1", *arguments],
        input=data,
        capture_output=True,
        check=False,
        env={**os.environ, "STREAMWHISPER_OFFLINE": "1", "TERM": "dumb"},
    )


@pytest.fixture
def here(monkeypatch, capsys):
    """Runs the command in this process: exit code, what was shown, what was complained of."""

    def run_here(*arguments: str) -> tuple[int, str, str]:
        command = ["streamwhisper", "transcribe", "--threads", "1", *arguments]
        monkeypatch.setattr(sys, "argv", command)
        monkeypatch.setenv("STREAMWHISPER_OFFLINE", "1")
        with pytest.raises(SystemExit) as end:
            main()
        return (int(end.value.code or 0), *capsys.readouterr())

    return run_here


def letters(text: str) -> list[str]:
    return "".join(sign for sign in text.lower() if sign.isalnum() or sign.isspace()).split()


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """The first 4.5 s of the sample, as a WAV file."""
    path = tmp_path_factory.mktemp("sound") / "short.wav"
    write_wav(path, read_audio(SAMPLE)[: int(4.5 * 16000)])
    return path


def test_text_goes_to_standard_output_and_nothing_else_does(tiny_en_path):
    shown = run(str(SAMPLE))
    assert shown.returncode == 0
    assert letters(shown.stdout.decode()) == letters(SPOKEN.read_text())
    assert shown.stderr == b""


def test_a_batch_goes_on_after_files_that_fail_and_names_each(tiny_en_path, here, short, tmp_path):
    missing = tmp_path / "missing.wav"
    empty = tmp_path / "empty.wav"
    empty.touch()
    noise = tmp_path / "noise.wav"
    noise.write_bytes(b"RIFF" + bytes(range(200)))
    mute = tmp_path / "mute.mp4"
    with av.open(str(mute), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        container.mux([*stream.encode(frame), *stream.encode()])
    cut = tmp_path / "cut.wav"
    cut.write_bytes(short.read_bytes()[:100_000])
    files = [missing, empty, noise, mute, cut, short]
    code, shown, complaint = here(*map(str, files), "-f", "all", "-o", str(tmp_path / "out"))
    assert (code, shown) == (1, "")
    said = [line for line in complaint.splitlines() if line.startswith("error: ")]
    *notices, last = [line for line in complaint.splitlines() if line not in said]
    assert last.startswith("2 recordings, 0:0")
    out = tmp_path / "out"
    assert [notice.split(",")[0] for notice in notices] == [
        f"wrote {out / name}.txt" for name in ("cut", "short")
    ]
    assert [line.split(": ")[1] for line in said] == [str(file) for file in files[:-1]]
    for line, what in zip(
        said, ["no such file", "is empty", "cannot be read", "no audio", "cut short"], strict=True
    ):
        assert what in line
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    formats = ["json", "srt", "tsv", "txt", "vtt"]
    assert written == [f"{name}.{end}" for name in ("cut", "short") for end in formats]
    record = json.loads((tmp_path / "out" / "short.json").read_text())
    assert letters(record["text"])[:4] == ["good", "morning", "and", "welcome"]
    assert "--> " in (tmp_path / "out" / "cut.srt").read_text()


def test_a_pipe_may_carry_a_container_or_raw_samples(tiny_en_path, short):
    with wave.open(str(short)) as file:
        raw = file.readframes(file.getnframes())
    whole = run("-", data=short.read_bytes())
    bare = run("-", "--encoding", "pcm_s16le", "--sample-rate", "16000", data=raw)
    cut = run("-", data=short.read_bytes()[:100_000])
    assert "standard input: cut short: declares 4.5 s" in cut.stderr.decode()
    assert letters(whole.stdout.decode())[:4] == ["good", "morning", "and", "welcome"]
    assert bare.stdout == whole.stdout


def test_an_empty_pipe_is_an_error(tiny_en_path, here, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    code, shown, complaint = here("-")
    assert (code, shown) == (1, "")
    assert complaint.startswith("error: standard input: there is no data")


def test_options_may_be_spelt_as_the_reference_spells_them(tiny_en_path, here, short):
    code, shown, complaint = here(
        *(str(short), "--output_format", "srt", "--word_timestamps", "--max_line_width", "14"),
        *("--max_line_count", "1", "--beam_size", "2", "--method", "sequential"),
        *("--logprob_threshold", "None", "--temperature_increment_on_fallback", "None"),
        *("--condition_on_previous_text", "False", "--highlight_words", "False"),
    )
    assert (code, complaint) == (0, "")
    cues = shown.strip().split("\n\n")
    assert [cue.splitlines()[0] for cue in cues] == [str(n + 1) for n in range(len(cues))]
    assert letters(cues[0].splitlines()[2]) == ["good", "morning"]
    assert all(len(line) <= 14 for cue in cues for line in cue.splitlines()[2:])


def test_a_line_width_implies_word_times_and_a_clip_may_end_at_infinity(tiny_en_path, here, short):
    flags = ("-f", "srt", "--max-line-width", "14", "--max-line-count", "1")
    code, shown, _ = here(str(short), *flags, "--clip-timestamps", "0,inf")
    lines = [line for cue in shown.strip().split("\n\n") for line in cue.splitlines()[2:]]
    assert code == 0
    assert len(lines) > 1
    assert all(len(line) <= 14 for line in lines)


def test_a_clip_after_the_end_of_the_recording_is_named(tiny_en_path, here, short):
    code, shown, complaint = here(str(short), "--clip-timestamps", "500,510")
    assert (code, shown.strip()) == (0, "")
    assert "clip from 500 s: the recording ends at 4.5 s" in complaint


def test_json_lines_say_the_file_and_its_segments(tiny_en_path, here, short):
    _, shown, _ = here(str(short), "--json", "--word-timestamps", "--clip-timestamps", "0,2.2")
    record = json.loads(shown)
    assert (record["file"], record["duration"], record["language"]) == (str(short), 4.5, "en")
    words = [word for segment in record["segments"] for word in segment["words"]]
    assert words[-1]["end"] <= 2.2
    assert "".join(word["word"] for word in words) == record["text"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.wav", "b.wav", "-f", "srt"], "--format srt of several files needs --output-dir"),
        (["x/a.wav", "y/a.mp3", "-o", "out"], "two files"),
        (["-", "-"], "can be read once"),
        (["a.wav", "--hallucination-silence-threshold", "1"], "needs --word-timestamps"),
        (["a.wav", "--clip-timestamps", "nan"], "starts of 0 s or more"),
        (["a.wav", "--clip-timestamps", "inf"], "starts of 0 s or more"),
        (["a.wav", "--clip-timestamps", "0,nan"], "each before its end"),
        (["a.wav", "--clip-timestamps", "5,5"], "each before its end"),
        (["a.wav", "--word-timestamps", "--hallucination-silence-threshold", "1"], "sequential"),
        (["a.wav", "--clip-timestamps", "a,b"], "expected seconds"),
        (["a.wav", "--clip-timestamps", "5,2"], "each before its end"),
        (["a.wav", "--patience", "-1"], "patience is -1.0"),
        (["a.wav", "--encoding", "alaw", "--sample-rate", "1"], "sample_rate is 1"),
        (["a.wav", "--output-format", "pdf"], "pdf"),
    ],
)
def test_wrong_usage_is_said_and_exits_with_2(tiny_en_path, here, arguments, said):
    code, shown, complaint = here(*arguments)
    assert (code, shown) == (2, "")
    assert said in " ".join(complaint.translate(str.maketrans("│╭╮╰╯─", "      ")).split())


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--language", "German"], 2, "only supports English"),
        (["--task", "translate"], 1, "cannot translate"),
        (["--device", "abacus"], 1, "device is 'abacus'"),
        (["--language", "Klingon"], 2, "unknown language 'Klingon'"),
    ],
)
def test_what_the_model_or_machine_cannot_do_is_one_line(
    tiny_en_path, here, short, arguments, status, said
):
    code, shown, complaint = here(str(short), *arguments)
    assert (code, shown) == (status, "")
    assert said in complaint
    assert complaint.count("\n") == 1


def test_what_is_written_where_is_said_and_so_is_that_it_replaces_a_file(
    tiny_en_path, here, short, tmp_path
):
    out = tmp_path / "out"
    for done in ("wrote", "replaced"):
        code, shown, complaint = here(str(short), "-f", "srt", "-o", str(out))
        assert (code, shown) == (0, "")
        assert complaint.startswith("0:04 transcribed in ")
        assert complaint.endswith(f"×), {done} {out / 'short.srt'}\n")


def test_a_name_that_ends_like_a_format_is_a_file_of_it(tiny_en_path, here, short, tmp_path):
    file = tmp_path / "new" / "talk.vtt"
    code, shown, complaint = here(str(short), "-o", str(file))
    assert (code, shown) == (0, "")
    assert complaint.endswith(f"wrote {file}\n")
    assert file.read_text(encoding="utf-8").startswith("WEBVTT\n")
    other = tmp_path / "other.wav"
    code, _, complaint = here(str(short), str(other), "-o", str(file))
    assert (code, "one file, but there are 2 recordings" in complaint) == (2, True)


def test_a_folder_is_transcribed_file_by_file(tiny_en_path, here, short, tmp_path):
    folder = tmp_path / "talks"
    (folder / "more").mkdir(parents=True)
    for name in ("b.wav", "more/a.wav"):
        (folder / name).write_bytes(short.read_bytes())
    (folder / "notes.txt").write_text("no audio")
    code, shown, complaint = here(str(folder), "--json")
    assert (code, complaint) == (0, f"{folder}: skipped 1 other file (notes.txt)\n")
    files = [json.loads(line)["file"] for line in shown.splitlines()]
    assert files == [str(folder / "b.wav"), str(folder / "more" / "a.wav")]


def test_a_layout_of_lines_implies_word_times(tiny_en_path, here, short):
    code, shown, complaint = here(str(short), "-f", "srt", "--max-line-width", "14")
    assert (code, complaint) == (0, "")
    lines = [line for cue in shown.strip().split("\n\n") for line in cue.splitlines()[2:]]
    assert len(lines) > 2
    assert all(len(line) <= 14 for line in lines)


@pytest.mark.parametrize("flags", [[], ["--json"], ["-f", "srt"]])
def test_that_nobody_speaks_is_said_and_is_no_error(tiny_en_path, here, tmp_path, flags):
    silence = tmp_path / "silence.wav"
    write_wav(silence, np.zeros(16_000, np.float32))
    code, _, complaint = here(str(silence), *flags)
    assert (code, complaint) == (0, f"{silence}: no speech found\n")


def test_an_address_is_not_fetched_and_a_folder_of_the_system_is_named(
    tiny_en_path, here, short, tmp_path
):
    address = "https://example.com/talk.mp3?a=1"
    code, _, complaint = here(address, "file:///tmp/x.wav")
    assert code == 1
    assert complaint.splitlines() == [
        f"error: {address}: addresses are not fetched; download the file first",
        "error: file:/tmp/x.wav: an address; expected a path, e.g. /tmp/x.wav",
    ]
    (tmp_path / "file").touch()
    code, _, complaint = here(str(short), "-o", str(tmp_path / "file" / "out"))
    assert (code, complaint) == (1, f"error: {tmp_path / 'file' / 'out'}: not a directory\n")


def test_the_length_a_header_declares_is_that_of_the_sound(short):
    assert declared_seconds(short) == pytest.approx(4.5)
    assert declared_seconds(SAMPLE) == pytest.approx(22.95, abs=0.1)
    unknown = io.BytesIO(short.read_bytes())
    unknown.seek(40)
    unknown.write(b"\xff" * 4)  # as a program writes it that does not know how much will come
    assert len(decode_bytes(unknown.getvalue())) == 4.5 * 16000


def test_what_is_read_can_be_chosen_and_what_is_missing_is_named(
    tiny_en_path, here, short, tmp_path
):
    speech = read_audio(short)
    files = {
        "late.mkv": recording("mkv", speech, starts=[5.0], picture=14.0),
        "two.mkv": recording("mkv", np.zeros_like(speech), speech, default=1),
        "hole.flac": damaged(recording("flac", np.tile(speech, 3)), 0.45, 0.5),
        "empty.wav": short.read_bytes()[:40] + bytes(4),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    code, shown, complaint = here(*(str(tmp_path / name) for name in files), "--json")
    late, two, hole, empty = map(json.loads, shown.splitlines())
    assert code == 1
    assert late["segments"][0]["start"] == pytest.approx(5.2, abs=0.4)
    assert letters(two["text"])[:4] == ["good", "morning", "and", "welcome"]
    assert hole["duration"] == pytest.approx(13.5)
    assert empty["text"] == ""
    assert "two.mkv: has 2 audio tracks; using track 2" in complaint
    assert "hole.flac: 0.5 s in the middle could not be read" in complaint
    assert complaint.count("error:") == 1
    code, shown, _ = here(str(tmp_path / "two.mkv"), "--audio-track", "1")
    assert (code, shown.strip()) == (0, "")
    assert here(str(short), "--channel", "2")[0] == 1


def test_raw_samples_of_every_encoding_and_channel(tiny_en_path, here, short, tmp_path):
    speech = read_audio(short)
    raw = tmp_path / "call.raw"
    octets = (np.stack([np.zeros_like(speech), speech], axis=1) * (2**23 - 1)).astype("<i4")
    raw.write_bytes(octets.view(np.uint8).reshape(-1, 4)[:, :3].tobytes())
    for encoding in ("pcm_s24le", "pcm-s24le"):
        code, shown, _ = here(str(raw), "--encoding", encoding, "--channels", "2", "--channel", "2")
        assert (code, letters(shown)[:4]) == (0, ["good", "morning", "and", "welcome"])
    code, _, complaint = here(str(short), "--encoding", "pcm_s16le", "--sample-rate", "8000")
    assert (code, "begins like a WAV file of pcm_s16le at 16000 Hz" in complaint) == (1, True)
    assert here(str(raw), "--encoding", "opus")[0] == 2
    assert here(str(short), "--sample-rate", "8000")[0] == 2
