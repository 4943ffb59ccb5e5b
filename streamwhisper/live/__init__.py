"""Live transcription: drive loop, scheduler, and the public `LiveStream` and `listen`."""
