"""What a checkpoint is: its format and quantization with the evidence, its shape, its card, how it is served and fits on."""
