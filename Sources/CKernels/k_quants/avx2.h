// The products of weights in blocks of 256 columns, in registers of 256 bits: 8 rows.

/// d · scale of a group of 8 rows. `half` is which 8 of the panel.
static inline __m256 scale_q4_k(const uint8_t *scales, const uint8_t *block_scales, int half) {
  __m128i bytes = _mm_loadl_epi64((const __m128i *)(scales + HALF_PANEL * half));
  return _mm256_mul_ps(load_halves(block_scales + 16 * half),
                       _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)));
}

/// dmin · minimum of a group of 8 rows, which lie behind those of `scale_q4_k`.
static inline __m256 minimum_q4_k(const uint8_t *scales, const uint8_t *block_scales, int half) {
  return scale_q4_k(scales + FLARE_PANEL_ROWS, block_scales + 2 * FLARE_PANEL_ROWS, half);
}

/// Quants 0…31 of 8 rows: the nibbles of chunk `chunk` with their fifth bits, bit k of `bits` for
/// chunk k.
static inline __attribute__((always_inline)) __m256i quants_q5_k(__m256i pair, __m256i bits,
                                                                 int chunk) {
  if (chunk >= 4) pair = _mm256_srli_epi16(pair, 4);
  bits = chunk < 4 ? _mm256_slli_epi16(bits, 4 - chunk) : _mm256_srli_epi16(bits, chunk - 4);
  return _mm256_or_si256(_mm256_and_si256(pair, _mm256_set1_epi8(0x0F)),
                         _mm256_and_si256(bits, _mm256_set1_epi8(0x10)));
}

/// Four pairs of at most 2 · 31 · 127 fit in 16 bits, so sums are widened twice a group.
static inline __attribute__((always_inline)) void sum_group_q5_k(int rows, const uint8_t *weights,
                                                                 const int8_t *quants,
                                                                 __m256i *sums) {
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i bits = _mm256_loadu_si256((const __m256i *)(weights + 256));
  for (int i = 0; i < rows; i++) sums[i] = _mm256_setzero_si256();
  for (int are_high = 0; are_high < 2; are_high++) {
    __m256i pairs[FLARE_TILE_ROWS];
    for (int i = 0; i < rows; i++) pairs[i] = _mm256_setzero_si256();
    for (int load = 0; load < 4; load++) {
      __m256i pair = _mm256_loadu_si256((const __m256i *)(weights + 64 * load));
      int chunk = load + 4 * are_high;
      __m256i unsigned_weights = quants_q5_k(pair, bits, chunk);
      for (int i = 0; i < rows; i++) {
        __m256i x = broadcast_chunk(quants + FLARE_GROUP_SIZE * i + 4 * chunk);
        pairs[i] = _mm256_add_epi16(pairs[i], _mm256_maddubs_epi16(unsigned_weights, x));
      }
    }
    for (int i = 0; i < rows; i++)
      sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(pairs[i], ones));
  }
}

/// Quants −32…31 of 8 rows: nibbles of a load, low ones for columns 0…15 and high ones for 16…31,
/// with their two bits from `bits`, which serve an even and an odd load.
static inline __attribute__((always_inline)) __m256i quants_q6_k(__m256i pair, __m256i bits,
                                                                 int is_odd, int are_high) {
  // The bits have to come from `position` to 4.
  const int position = 4 * is_odd + 2 * are_high;
  if (are_high) pair = _mm256_srli_epi16(pair, 4);
  bits = position < 4 ? _mm256_slli_epi16(bits, 4 - position)
                      : _mm256_srli_epi16(bits, position - 4);
  __m256i quants = _mm256_or_si256(_mm256_and_si256(pair, _mm256_set1_epi8(0x0F)),
                                   _mm256_and_si256(bits, _mm256_set1_epi8(0x30)));
  return _mm256_sub_epi8(quants, _mm256_set1_epi8(32));
}

/// Sums in which the scales of the group, one for 16 columns each, are multiplied already.
///
/// As with int8 the sign goes to the activation. Four pairs of at most 2 · 32 · 127 fit in 16 bits,
/// and what widens them multiplies by the scale.
static inline __attribute__((always_inline)) void sum_group_q6_k(int rows, const uint8_t *weights,
                                                                 const uint8_t *scales, int half,
                                                                 const int8_t *quants,
                                                                 __m256i *sums) {
  for (int are_high = 0; are_high < 2; are_high++) {
    __m256i pairs[FLARE_TILE_ROWS];
    for (int i = 0; i < rows; i++) pairs[i] = _mm256_setzero_si256();
    KEEP_ROLLED for (int plane = 0; plane < 2; plane++) {
      __m256i bits = _mm256_loadu_si256((const __m256i *)(weights + 64 * (4 + plane)));
      for (int is_odd = 0; is_odd < 2; is_odd++) {
        int load = 2 * plane + is_odd;
        __m256i pair = _mm256_loadu_si256((const __m256i *)(weights + 64 * load));
        __m256i signed_weights = quants_q6_k(pair, bits, is_odd, are_high);
        __m256i magnitudes = _mm256_abs_epi8(signed_weights);
        for (int i = 0; i < rows; i++) {
          __m256i chunk = broadcast_chunk(quants + FLARE_GROUP_SIZE * i + 16 * are_high + 4 * load);
          pairs[i] = _mm256_add_epi16(
              pairs[i], _mm256_maddubs_epi16(magnitudes, _mm256_sign_epi8(chunk, signed_weights)));
        }
      }
    }
    const uint8_t *bytes = scales + FLARE_PANEL_ROWS * are_high + HALF_PANEL * half;
    __m256i scale = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)bytes));
    scale = _mm256_blend_epi16(scale, _mm256_slli_epi32(scale, 16), 0xAA);  // once for each pair
    for (int i = 0; i < rows; i++) {
      __m256i sum = _mm256_madd_epi16(pairs[i], scale);
      sums[i] = are_high ? _mm256_add_epi32(sums[i], sum) : sum;
    }
  }
}
