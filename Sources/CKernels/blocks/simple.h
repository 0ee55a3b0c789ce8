// Blocks with one float16 scale, some with a float16 minimum beside it.

static inline float half_in(const uint8_t *bytes) {
  return float_from_f16((uint16_t)(bytes[0] | bytes[1] << 8));
}

/// Nibbles of 16 bytes: the low ones are columns 0…15, the high ones 16…31.
static inline void dequantize_q4_0(const block_q4_0 *block, float *out) {
  float d = half_in(block->d);
  for (int j = 0; j < 16; j++) {
    out[j] = d * (float)((block->quants[j] & 0x0F) - 8);
    out[j + 16] = d * (float)((block->quants[j] >> 4) - 8);
  }
}

static inline void dequantize_q4_1(const block_q4_1 *block, float *out) {
  float d = half_in(block->d), m = half_in(block->m);
  for (int j = 0; j < 16; j++) {
    out[j] = d * (float)(block->quants[j] & 0x0F) + m;
    out[j + 16] = d * (float)(block->quants[j] >> 4) + m;
  }
}

/// The quants of 32 columns of 5 bits: nibbles as in Q4_0, and bit j of `high` for column j.
static inline void load_quants_q5(const uint8_t *high, const uint8_t *quants, int *out) {
  for (int j = 0; j < 16; j++) {
    out[j] = (quants[j] & 0x0F) | (high[j / 8] >> j % 8 & 1) << 4;
    out[j + 16] = quants[j] >> 4 | (high[2 + j / 8] >> j % 8 & 1) << 4;
  }
}

static inline void dequantize_q5_0(const block_q5_0 *block, float *out) {
  float d = half_in(block->d);
  int quants[32];
  load_quants_q5(block->high, block->quants, quants);
  for (int j = 0; j < 32; j++) out[j] = d * (float)(quants[j] - 16);
}

static inline void dequantize_q5_1(const block_q5_1 *block, float *out) {
  float d = half_in(block->d), m = half_in(block->m);
  int quants[32];
  load_quants_q5(block->high, block->quants, quants);
  for (int j = 0; j < 32; j++) out[j] = d * (float)quants[j] + m;
}

static inline void dequantize_q8_0(const block_q8_0 *block, float *out) {
  float d = half_in(block->d);
  for (int j = 0; j < 32; j++) out[j] = d * (float)(int8_t)block->quants[j];
}

/// A bit a column: d or −d.
static inline void dequantize_q1_0(const block_q1_0 *block, float *out) {
  float d = half_in(block->d);
  for (int j = 0; j < 128; j++) out[j] = block->quants[j / 8] >> j % 8 & 1 ? d : -d;
}

/// Two bits a column: −1…2.
static inline void dequantize_q2_0(const block_q2_0 *block, float *out) {
  float d = half_in(block->d);
  for (int j = 0; j < 64; j++) out[j] = d * (float)((block->quants[j / 4] >> j % 4 * 2 & 3) - 1);
}
