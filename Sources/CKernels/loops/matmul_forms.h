// The products of a form, made of its `matmul`.

#define MATMUL(name, type)                                                                   \
  static void OP(matmul_##name)(const flare_panels *w, const flare_activations *x, float *out, \
                                size_t out_stride, size_t first, size_t end) {               \
    matmul(type, w, x, out, out_stride, first, end);                                         \
  }

MATMUL(int8, INT8)
MATMUL(int4, INT4)
MATMUL(q4_k, Q4_K)
MATMUL(q5_k, Q5_K)
MATMUL(q6_k, Q6_K)

#undef MATMUL
