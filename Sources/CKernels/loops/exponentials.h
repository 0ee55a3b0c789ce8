// exp, tanh and what is made of them, without branches so that loops over them become vectors.

#define LOG2_E 1.44269504088896341f

/// What exp and expm1 share: e^x = power + power · fraction, for x that the caller has clamped.
typedef struct { float power, fraction; } exponential;

static inline exponential split_exponential(float x) {
  // Adding 1.5 · 2^23 rounds to an integer that then sits in the low bits of the significand.
  const float rounder = 12582912.0f;
  float shifted = x * LOG2_E + rounder;
  float n = shifted - rounder;
  // ln 2 in two parts: the first has trailing zeros, so that n · part is exact.
  float r = x - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  // e^r − 1 on |r| ≤ ln 2 / 2 by its Taylor series; the first term left out is below 2^-27 of r.
  float p = 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  float fraction = p * (r * r) + r;
  float power = float_from_bits((bits_of_float(shifted) << 23) + 0x3F800000);
  return (exponential){power, fraction};
}

/// e^x within 2 ulp; 0 below −87.3 (where the result would be subnormal), infinity above 88.3.
static inline float exponential_of(float x) {
  // Written so that a NaN passes every comparison by.
  float clamped = x > 88.3f ? 88.3f : x;
  clamped = clamped < -87.3f ? -87.3f : clamped;
  exponential e = split_exponential(clamped);
  float y = e.power * e.fraction + e.power;
  y = x > 88.3f ? INFINITY : y;
  return x < -87.3f ? 0.0f : y;
}

/// tanh x within 3 ulp, small arguments included.
static inline float tanh_of(float x) {
  float magnitude = float_from_bits(bits_of_float(x) & 0x7FFFFFFF);
  float doubled = magnitude > 20.0f ? 40.0f : 2 * magnitude;
  exponential e = split_exponential(doubled);
  float minus_one = e.power * e.fraction + (e.power - 1);  // e^2|x| − 1, without cancellation
  float y = minus_one / (minus_one + 2);
  return float_from_bits(bits_of_float(y) | (bits_of_float(x) & 0x80000000));
}

static inline float sigmoid_of(float x) { return 1 / (1 + exponential_of(-x)); }

/// 2^x for x ≤ 0 within 2 ulp, exact at 0; 0 below −126.5.
static inline float power_of_two(float x) {
  // As above, a NaN passes the comparison by.
  float clamped = x < -127.0f ? -127.0f : x;
  const float rounder = 12582912.0f;
  float shifted = clamped + rounder;
  float r = clamped - (shifted - rounder);
  // 2^r on |r| ≤ 1/2 within 2e-9 of itself: least squares, reweighted until all peaks are equal.
  float p = 1.5353362e-4f;
  p = p * r + 1.3398875e-3f;
  p = p * r + 9.618437e-3f;
  p = p * r + 5.5503324e-2f;
  p = p * r + 2.4022648e-1f;
  p = p * r + 6.931472e-1f;
  p = p * r + 1;
  // At n = −127 the bits of 2^n are those of zero.
  return p * float_from_bits((bits_of_float(shifted) << 23) + 0x3F800000);
}
