"""What is fitted on the training rows and travels with the model."""
