// GGUF's blocks as panels that the kernels read: the same bits in another order.
//
// A block holds some columns of one row, in ggml's order and without alignment. Four bytes of it
// are a lane of a chunk, so quants are moved four at a time.

#include <string.h>

#include "CKernels.h"
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

void flare_repack_panel_q8_0(const uint8_t *rows, size_t row_count, size_t group_count,
                             uint8_t *panel) {
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

void flare_repack_panel_q4_0(const uint8_t *rows, size_t row_count, size_t group_count,
                             uint8_t *panel) {
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

void flare_repack_panel_q4_k(const uint8_t *rows, size_t row_count, size_t group_count,
                             uint8_t *panel) {
  // d, dmin, scales [12], pairs of nibbles [4][32]: low ones a group, high ones the next
  enum { BLOCK_BYTES = 144, SCALES = 4, QUANTS = 16 };
  uint8_t *scales = panel + group_count * group_size(Q4_K);
  uint8_t *block_scales = scales + group_count * GROUP_SCALES_SIZE;
  for (size_t r = 0; r < row_count; r++) {
    for (size_t g = 0; g < group_count; g++) {
      if (g % BLOCK_GROUPS == 0) {
        uint8_t *halves = block_scales + g / BLOCK_GROUPS * block_scales_size(Q4_K);
        memcpy(halves + 2 * r, rows, 2);
        memcpy(halves + 2 * (FLARE_PANEL_ROWS + r), rows + 2, 2);
      }
      uint8_t *group_scales = scales + g * GROUP_SCALES_SIZE + r;
      unpack_scale_q4_k(rows + SCALES, g % BLOCK_GROUPS, group_scales,
                        group_scales + FLARE_PANEL_ROWS);
      const uint8_t *pairs = rows + QUANTS + g % BLOCK_GROUPS / 2 * 32;
      int shift = g % 2 ? 4 : 0;
      for (size_t p = 0; p < 4; p++)
        store_word(panel + g * group_size(Q4_K), p, r,
                   paired_nibbles(word_at(pairs, p) >> shift, word_at(pairs, p + 4) >> shift));
      if (g % BLOCK_GROUPS == BLOCK_GROUPS - 1) rows += BLOCK_BYTES;
    }
  }
}

void flare_repack_panel_q6_k(const uint8_t *rows, size_t row_count, size_t group_count,
                             uint8_t *panel) {
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
      uint8_t *group = panel + g * group_size(Q6_K);
      uint32_t planes[2] = {0, 0};
      for (size_t p = 0; p < 4; p++) {
        store_word(group, p, r,
                   paired_nibbles(word_at(nibbles, p) >> nibble_shift,
                                  word_at(nibbles, p + 4) >> nibble_shift));
        uint32_t low = word_at(bits, p) >> bit_shift & 0x03030303;
        uint32_t high = word_at(bits, p + 4) >> bit_shift & 0x03030303;
        planes[p / 2] |= (low | high << 2) << 4 * (p % 2);
      }
      for (size_t plane = 0; plane < 2; plane++) store_word(group, 4 + plane, r, planes[plane]);
      if (part == BLOCK_GROUPS - 1) rows += BLOCK_BYTES;
    }
  }
}
