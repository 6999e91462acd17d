"""What a checkpoint is: its format, its quantization with the evidence, shape and card, how it is served, and what it fits on."""
