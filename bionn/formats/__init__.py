"""Files to records and back: FASTA, tables, predictions. No tensors here."""
