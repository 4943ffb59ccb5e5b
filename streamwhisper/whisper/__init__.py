"""Whisper's network and decoding: encoder, decoder, tokenizer, search and timing."""
