"""OpenAI's Realtime protocol, as far as it transcribes: what clients of its GA API speak."""
