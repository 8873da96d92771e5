"""The sections of the page: each a function of a run to the facts that its template shows."""
