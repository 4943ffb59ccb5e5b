"""Wire dialects: native, Deepgram, OpenAI Realtime and Wyoming; sans-I/O."""
