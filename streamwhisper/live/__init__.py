"""Live audio: drives sessions with a recognizer and delivers their events."""
