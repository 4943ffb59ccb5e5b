"""What benchmarks share: speech, error counts, result tables and the virtual clock."""
