"""What every package may stand on: errors, the log, words, progress, memos. Light to import, all of it."""
