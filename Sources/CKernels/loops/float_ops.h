// Loops over rows of floats. The compiler makes vectors of them; sums may be reordered for it.

static inline float OP(dot_f32)(const float *a, const float *b, size_t count) {
#pragma clang fp reassociate(on)
  float sum = 0;
  for (size_t i = 0; i < count; i++) sum += a[i] * b[i];
  return sum;
}

static inline float OP(dot_f16)(const uint16_t *a, const float *b, size_t count) {
#pragma clang fp reassociate(on)
  float sum = 0;
  for (size_t i = 0; i < count; i++) sum += float_from_f16(a[i]) * b[i];
  return sum;
}

static inline float OP(dot_bf16)(const uint16_t *a, const float *b, size_t count) {
#pragma clang fp reassociate(on)
  float sum = 0;
  for (size_t i = 0; i < count; i++) sum += float_from_bf16(a[i]) * b[i];
  return sum;
}

static void OP(dot_rows)(flare_float_type type, const void *w, const float *x, size_t columns,
                         float scale, bool accumulate, float *out, size_t first, size_t end) {
  for (size_t row = first; row < end; row++) {
    float dot = 0;
    switch (type) {
      case FLARE_F32:
        dot = OP(dot_f32)((const float *)w + row * columns, x, columns);
        break;
      case FLARE_F16:
        dot = OP(dot_f16)((const uint16_t *)w + row * columns, x, columns);
        break;
      case FLARE_BF16:
        dot = OP(dot_bf16)((const uint16_t *)w + row * columns, x, columns);
        break;
    }
    out[row] = (accumulate ? out[row] : 0) + scale * dot;
  }
}

static void OP(rms_norm)(const float *x, flare_float_type type, const void *weight, size_t count,
                         float epsilon, float unit_offset, float *out) {
  float factor = 1 / sqrtf(OP(dot_f32)(x, x, count) / (float)count + epsilon);
  for (size_t start = 0; start < count; start += CHUNK) {
    float weights[CHUNK];
    size_t length = count - start < CHUNK ? count - start : CHUNK;
    OP(load_floats)(type, weight, start, length, weights);
    for (size_t i = 0; i < length; i++) {
      out[start + i] = x[start + i] * factor * (weights[i] + unit_offset);
    }
  }
}

static void OP(gate)(float *gate, const float *up, size_t count, flare_activation activation) {
  switch (activation) {
    case FLARE_SILU:
      for (size_t i = 0; i < count; i++) gate[i] = gate[i] * sigmoid_of(gate[i]) * up[i];
      break;
    case FLARE_GELU:
      for (size_t i = 0; i < count; i++) {
        gate[i] = 0.5f * gate[i] * (1 + erff(gate[i] * 0.70710678118654752f)) * up[i];
      }
      break;
    case FLARE_GELU_TANH:
      // x/2 · (1 + tanh u) is x · sigmoid(2u), which does not cancel for negative x.
      for (size_t i = 0; i < count; i++) {
        float x = gate[i];
        float u = 0.79788456080286536f * (x + 0.044715f * (x * x * x));
        gate[i] = x * sigmoid_of(2 * u) * up[i];
      }
      break;
  }
}

static void OP(add_scaled)(const float *x, float scale, float *y, size_t count) {
#pragma clang fp contract(off)
  for (size_t i = 0; i < count; i++) y[i] += scale * x[i];
}

static void OP(scale)(float *x, float factor, size_t count) {
  for (size_t i = 0; i < count; i++) x[i] *= factor;
}

static void OP(soft_cap)(float *x, float cap, size_t count) {
  for (size_t i = 0; i < count; i++) x[i] = cap * tanh_of(x[i] / cap);
}

static void OP(rotate)(float *x, const float *cosines, const float *sines, size_t head_count,
                       size_t head_dimension) {
  size_t half = head_dimension / 2;
  for (size_t head = 0; head < head_count; head++) {
    float *lower = x + head * head_dimension, *upper = lower + half;
    for (size_t i = 0; i < half; i++) {
      float a = lower[i], b = upper[i];
      lower[i] = a * cosines[i] - b * sines[i];
      upper[i] = b * cosines[i] + a * sines[i];
    }
  }
}
