"""Engine of this machine: a recognizer on one device, its precision and its memory."""
