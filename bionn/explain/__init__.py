"""What a network looks at: one verb a file, any module of logits in, tensors out.

The caller's model is left as it was: evaluation mode is kept for the call alone, and no gradient is
added to a parameter.
"""
