// GGUF's blocks as panels that the kernels read: the same bits in another order.
//
// A block holds some columns of one row, in ggml's order and without alignment. Four bytes of it
// are a lane of a chunk, so quants are moved four at a time.

#include <string.h>

#include "forms.h"
#include "blocks/layouts.h"
#include "blocks/k_scales.h"
#include "loops/weights.h"

static inline uint32_t word_at(const uint8_t *bytes, size_t index) {
  uint32_t word;
  memcpy(&word, bytes + 4 * index, sizeof word);
  return word;
}

/// Stores the lane of row r in load `index` of a group.
static inline void store_word(uint8_t *group, size_t index, size_t r, uint32_t word) {
  memcpy(group + 64 * index + 4 * r, &word, sizeof word);
}

/// Low halves of the bytes of one word, and those of another as high halves.
static inline uint32_t paired_nibbles(uint32_t low, uint32_t high) {
  return (low & 0x0F0F0F0F) | (high & 0x0F0F0F0F) << 4;
}

/// Rows that a panel has beyond the matrix: quants that stand for zero, since their scales are.
static void fill_padding(uint8_t *quants, size_t size, size_t row_count, uint32_t word) {
  for (size_t load = 0; load < size / 64; load++)
    for (size_t r = row_count; r < FLARE_PANEL_ROWS; r++) store_word(quants, load, r, word);
}

static void repack_q8_0(const uint8_t *rows, size_t row_count, size_t group_count, uint8_t *panel) {
  enum { BLOCK_BYTES = 34 };  // d, quants [32]
  uint8_t *scales = panel + group_count * group_size(INT8);
  for (size_t r = 0; r < row_count; r++) {
    for (size_t g = 0; g < group_count; g++, rows += BLOCK_BYTES) {
      memcpy(scales + g * GROUP_SCALES_SIZE + 2 * r, rows, 2);
      uint8_t *group = panel + g * group_size(INT8);
      for (size_t c = 0; c < 8; c++)
        store_word(group, c, r, word_at(rows + 2, c) ^ 0x80808080);
    }
  }
  fill_padding(panel, group_count * group_size(INT8), row_count, 0x80808080);
}

static void repack_q4_0(const uint8_t *rows, size_t row_count, size_t group_count, uint8_t *panel) {
  enum { BLOCK_BYTES = 18 };  // d, pairs of nibbles [16] 16 columns apart, as panels have them
  uint8_t *scales = panel + group_count * group_size(INT4);
  for (size_t r = 0; r < row_count; r++) {
    for (size_t g = 0; g < group_count; g++, rows += BLOCK_BYTES) {
      memcpy(scales + g * GROUP_SCALES_SIZE + 2 * r, rows, 2);
      uint8_t *group = panel + g * group_size(INT4);
      for (size_t p = 0; p < 4; p++) store_word(group, p, r, word_at(rows + 2, p));
    }
  }
  fill_padding(panel, group_count * group_size(INT4), row_count, 0x88888888);
}

/// Q4_K and Q5_K: d, dmin, scales [12], in Q5_K fifth bits [32] of eight groups each, pairs of nibbles
/// [4][32]: low ones a group, high ones the next.
static inline void repack_with_minimums(weight_type type, const uint8_t *rows,
                                              size_t row_count, size_t group_count,
                                              uint8_t *panel) {
  enum { SCALES = 4, BITS = 16 };
  const size_t quants_offset = type == Q5_K ? 48 : 16, block_bytes = quants_offset + 128;
  uint8_t *scales = panel + group_count * group_size(type);
  uint8_t *block_scales = scales + group_count * GROUP_SCALES_SIZE;
  for (size_t r = 0; r < row_count; r++) {
    for (size_t g = 0; g < group_count; g++) {
      if (g % BLOCK_GROUPS == 0) {
        uint8_t *halves = block_scales + g / BLOCK_GROUPS * block_scales_size(type);
        memcpy(halves + 2 * r, rows, 2);
        memcpy(halves + 2 * (FLARE_PANEL_ROWS + r), rows + 2, 2);
      }
      uint8_t *group_scales = scales + g * GROUP_SCALES_SIZE + r;
      unpack_scale_q4_k(rows + SCALES, g % BLOCK_GROUPS, group_scales,
                        group_scales + FLARE_PANEL_ROWS);
      const uint8_t *pairs = rows + quants_offset + g % BLOCK_GROUPS / 2 * 32;
      int shift = g % 2 ? 4 : 0;
      for (size_t p = 0; p < 4; p++)
        store_word(panel + g * group_size(type), p, r,
                   paired_nibbles(word_at(pairs, p) >> shift, word_at(pairs, p + 4) >> shift));
      if (type == Q5_K) {
        uint32_t plane = 0;
        for (size_t c = 0; c < 8; c++)
          plane |= (word_at(rows + BITS, c) >> g % BLOCK_GROUPS & 0x01010101) << c;
        store_word(panel + g * group_size(type), 4, r, plane);
      }
      if (g % BLOCK_GROUPS == BLOCK_GROUPS - 1) rows += block_bytes;
    }
  }
}

/// Stores the quants of row r, 0…63: nibbles, and two planes of the bits above.
static inline void store_quants_q6_k(uint8_t *group, size_t r, const uint8_t *quants) {
  uint32_t planes[2] = {0, 0};
  for (size_t p = 0; p < 4; p++) {
    uint32_t low = word_at(quants, p), high = word_at(quants, p + 4);
    store_word(group, p, r, paired_nibbles(low, high));
    planes[p / 2] |= ((low >> 4 & 0x03030303) | (high >> 4 & 0x03030303) << 2) << 4 * (p % 2);
  }
  for (size_t plane = 0; plane < 2; plane++) store_word(group, 4 + plane, r, planes[plane]);
}

static void repack_q6_k(const uint8_t *rows, size_t row_count, size_t group_count, uint8_t *panel) {
  // pairs of nibbles [2][64], two bits of four groups each [2][32], scales [16], d; a half of the
  // block is four groups: the low nibbles of 32 bytes, of the next 32, then their high nibbles
  enum { BLOCK_BYTES = 210, BITS = 128, SCALES = 192, D = 208 };
  uint8_t *scales = panel + group_count * group_size(Q6_K);
  uint8_t *block_scales = scales + group_count * GROUP_SCALES_SIZE;
  for (size_t r = 0; r < row_count; r++) {
    for (size_t g = 0; g < group_count; g++) {
      size_t part = g % BLOCK_GROUPS, half = part / 4;
      if (part == 0)
        memcpy(block_scales + g / BLOCK_GROUPS * block_scales_size(Q6_K) + 2 * r, rows + D, 2);
      uint8_t *group_scales = scales + g * GROUP_SCALES_SIZE + r;
      group_scales[0] = rows[SCALES + 2 * part];
      group_scales[FLARE_PANEL_ROWS] = rows[SCALES + 2 * part + 1];

      const uint8_t *nibbles = rows + 64 * half + part % 2 * 32, *bits = rows + BITS + 32 * half;
      int nibble_shift = part % 4 < 2 ? 0 : 4, bit_shift = 2 * (int)(part % 4);
      uint8_t quants[FLARE_GROUP_SIZE];
      for (size_t c = 0; c < FLARE_GROUP_SIZE; c++)
        quants[c] = (uint8_t)((nibbles[c] >> nibble_shift & 0x0F) | (bits[c] >> bit_shift & 3) << 4);
      store_quants_q6_k(panel + g * group_size(Q6_K), r, quants);
      if (part == BLOCK_GROUPS - 1) rows += BLOCK_BYTES;
    }
  }
}

/// Q3_K as q6_K: d · (scale − 32) · (quant − 4) is an element of either.
static void repack_q3_k(const uint8_t *rows, size_t row_count, size_t group_count, uint8_t *panel) {
  const block_q3_k *block = (const block_q3_k *)rows;
  uint8_t *scales = panel + group_count * group_size(Q6_K);
  uint8_t *block_scales = scales + group_count * GROUP_SCALES_SIZE;
  for (size_t r = 0; r < row_count; r++) {
    for (size_t g = 0; g < group_count; g++) {
      int part = (int)(g % BLOCK_GROUPS);
      if (part == 0)
        memcpy(block_scales + g / BLOCK_GROUPS * block_scales_size(Q6_K) + 2 * r, block->d, 2);
      uint8_t quants[FLARE_GROUP_SIZE];
      for (int half = 0; half < 2; half++) {
        int whole[16];
        load_quants_q3_k(block, 2 * part + half, whole);
        for (int j = 0; j < 16; j++) quants[16 * half + j] = (uint8_t)(whole[j] + 32);
        scales[g * GROUP_SCALES_SIZE + (size_t)half * FLARE_PANEL_ROWS + r] =
            (uint8_t)(int8_t)scale_in_q3_k(block->scales, 2 * part + half);
      }
      store_quants_q6_k(panel + g * group_size(Q6_K), r, quants);
      if (part == BLOCK_GROUPS - 1) block++;
    }
  }
}

/// Types whose elements are d times a whole number from −128 to 127, as int8: with 1 for d, the
/// elements are these numbers.
///
/// - `size` is that of a block of `columns`, which has d at byte `d_offset`.
static void repack_whole(flare_block_type type, size_t columns, size_t size, size_t d_offset,
                         const uint8_t *rows, size_t row_count, size_t group_count,
                         uint8_t *panel) {
  static const uint8_t one[2] = {0x00, 0x3C};
  const size_t groups = columns / FLARE_GROUP_SIZE;
  uint8_t *scales = panel + group_count * group_size(INT8);
  float whole[FLARE_BLOCK_SIZE];
  for (size_t r = 0; r < row_count; r++) {
    for (size_t g = 0; g < group_count; g++) {
      if (g % groups == 0) {
        uint8_t block[FLARE_BLOCK_SIZE];
        memcpy(block, rows, size);
        memcpy(block + d_offset, one, sizeof one);
        flare_kernels_generic.dequantize_blocks(type, block, 1, whole);
      }
      memcpy(scales + g * GROUP_SCALES_SIZE + 2 * r, rows + d_offset, 2);
      uint8_t quants[FLARE_GROUP_SIZE];
      for (size_t c = 0; c < FLARE_GROUP_SIZE; c++)
        quants[c] = (uint8_t)((int)whole[g % groups * FLARE_GROUP_SIZE + c] + 128);
      for (size_t c = 0; c < 8; c++)
        store_word(panel + g * group_size(INT8), c, r, word_at(quants, c));
      if (g % groups == groups - 1) rows += size;
    }
  }
  fill_padding(panel, group_count * group_size(INT8), row_count, 0x80808080);
}

bool flare_repack_panel(flare_block_type type, const uint8_t *rows, size_t row_count,
                        size_t group_count, uint8_t *panel) {
  switch (type) {
    case FLARE_Q8_0: repack_q8_0(rows, row_count, group_count, panel); return true;
    case FLARE_Q4_0: repack_q4_0(rows, row_count, group_count, panel); return true;
    case FLARE_Q3_K: repack_q3_k(rows, row_count, group_count, panel); return true;
    case FLARE_Q4_K:
      repack_with_minimums(Q4_K, rows, row_count, group_count, panel);
      return true;
    case FLARE_Q5_K:
      repack_with_minimums(Q5_K, rows, row_count, group_count, panel);
      return true;
    case FLARE_Q6_K: repack_q6_k(rows, row_count, group_count, panel); return true;
#define WHOLE(TYPE, name, columns)                                                        \
  case FLARE_##TYPE:                                                                      \
    repack_whole(type, columns, sizeof(block_##name), offsetof(block_##name, d), rows,    \
                 row_count, group_count, panel);                                          \
    return true;
    WHOLE(Q5_0, q5_0, 32)
    WHOLE(Q1_0, q1_0, 128)
    WHOLE(Q2_0, q2_0, 64)
    WHOLE(IQ4_NL, iq4_nl, 32)
    WHOLE(TQ1_0, tq1_0, 256)
    WHOLE(TQ2_0, tq2_0, 256)
#undef WHOLE
    default: return false;
  }
}
