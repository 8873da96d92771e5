"""What a network must beat: constants, linear models on its inputs and on k-mers, random forests."""
