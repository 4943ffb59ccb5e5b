"""Model files: finding, downloading, reading, adapting and converting Whisper checkpoints."""
