"""The object as a signed distance field, rendered along rays and blended with the rasterised hand. Tensors in,
tensors out."""
