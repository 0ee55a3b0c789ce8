// The two products of a SIMD form, made of its `matmul`.

static void OP(matmul_int8)(const flare_panels *w, const flare_activations *x, float *out,
                            size_t out_stride, size_t first, size_t end) {
  matmul(INT8, w, x, out, out_stride, first, end);
}

static void OP(matmul_int4)(const flare_panels *w, const flare_activations *x, float *out,
                            size_t out_stride, size_t first, size_t end) {
  matmul(INT4, w, x, out, out_stride, first, end);
}
