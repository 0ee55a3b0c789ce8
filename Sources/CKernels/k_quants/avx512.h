// The products of weights in blocks of 256 columns, in registers of 512 bits: 16 rows.

/// d · scale of a group of 16 rows.
static inline __m512 scale_q4_k(const uint8_t *scales, const uint8_t *block_scales) {
  __m128i bytes = _mm_loadu_si128((const __m128i *)scales);
  return _mm512_mul_ps(load_halves(block_scales),
                       _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes)));
}

/// dmin · minimum of a group of 16 rows, which lie behind those of `scale_q4_k`.
static inline __m512 minimum_q4_k(const uint8_t *scales, const uint8_t *block_scales) {
  return scale_q4_k(scales + FLARE_PANEL_ROWS, block_scales + 2 * FLARE_PANEL_ROWS);
}

/// The fifth bits of the quants of a chunk of q5_K, bit k of the plane behind all nibbles for chunk k.
static inline __attribute__((always_inline)) __m512i fifth_bits(const uint8_t *weights, int chunk) {
  __m512i bits = _mm512_loadu_si512(weights + 256);
  bits = chunk < 4 ? _mm512_slli_epi16(bits, (unsigned)(4 - chunk))
                   : _mm512_srli_epi16(bits, (unsigned)(chunk - 4));
  return _mm512_and_si512(bits, _mm512_set1_epi8(0x10));
}

/// Quants −32…31 of 16 rows: the nibbles of load p, low ones for columns 0…15 and high ones for
/// 16…31, with their two bits from the plane behind all nibbles.
static inline __attribute__((always_inline)) __m512i quants_q6_k(const uint8_t *weights, int p,
                                                                 int columns) {
  __m512i pair = _mm512_loadu_si512(weights + 64 * p);
  __m512i bits = _mm512_loadu_si512(weights + 256 + 64 * (p / 2));
  // The bits have to come from `position` to 4.
  unsigned position = 4 * (p % 2) + 2 * columns;
  if (columns) pair = _mm512_srli_epi16(pair, 4);
  bits = position < 4 ? _mm512_slli_epi16(bits, 4 - position)
                      : _mm512_srli_epi16(bits, position - 4);
  __m512i quants = _mm512_or_si512(_mm512_and_si512(pair, _mm512_set1_epi8(0x0F)),
                                   _mm512_and_si512(bits, _mm512_set1_epi8(0x30)));
  return _mm512_sub_epi8(quants, _mm512_set1_epi8(32));
}

/// Sums in which the scales of the group, one for 16 columns each, are multiplied already.
///
/// `vpdpbusd` wants one side unsigned. Here that is the activations, raised by 128: what this adds,
/// 128 · Σ weights, is the same for all rows of the tile and taken off at the start.
static inline __attribute__((always_inline)) void sum_group_q6_k(int rows, const uint8_t *weights,
                                                                 const uint8_t *scales,
                                                                 const int8_t *quants,
                                                                 __m512i *sums) {
  const __m512i raise = _mm512_set1_epi8((char)0x80);
  uint8_t raised[FLARE_TILE_ROWS * FLARE_GROUP_SIZE];
  for (int i = 0; i < rows; i++) {
    __m256i row = _mm256_loadu_si256((const __m256i *)(quants + FLARE_GROUP_SIZE * i));
    row = _mm256_xor_si256(row, _mm256_set1_epi8((char)0x80));
    _mm256_storeu_si256((__m256i *)(raised + FLARE_GROUP_SIZE * i), row);
  }
  for (int columns = 0; columns < 2; columns++) {
    __m512i chunks[4], excess = _mm512_setzero_si512();
    for (int p = 0; p < 4; p++) {
      chunks[p] = quants_q6_k(weights, p, columns);
      excess = _mm512_dpbusd_epi32(excess, raise, chunks[p]);
    }
    const uint8_t *bytes = scales + FLARE_PANEL_ROWS * columns;
    __m512i scale = _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)bytes));
    __m512i start = _mm512_sub_epi32(_mm512_setzero_si512(), excess);
    for (int i = 0; i < rows; i++) {
      __m512i sum = start;
      for (int p = 0; p < 4; p++) {
        int32_t chunk;
        memcpy(&chunk, raised + FLARE_GROUP_SIZE * i + 16 * columns + 4 * p, sizeof chunk);
        sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi32(chunk), chunks[p]);
      }
      sum = _mm512_mullo_epi32(sum, scale);
      sums[i] = columns ? _mm512_add_epi32(sums[i], sum) : sum;
    }
  }
}
