"""What the ledger holds, for people and programs: answers, sentences, routes."""
