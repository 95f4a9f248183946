"""Models of others: from the Hugging Face hub or a folder, in torch or as ONNX files, imported late."""
