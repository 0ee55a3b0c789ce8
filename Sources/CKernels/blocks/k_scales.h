// The packed scales and quants of Q3_K, Q4_K and Q5_K.

/// The scale and the minimum of group g, 6 bits each, from their 12 bytes: the first four pairs
/// stand in the low bits of 8 bytes, the others have 4 bits of their own and 2 that were left.
static inline void unpack_scale_q4_k(const uint8_t *packed, size_t g, uint8_t *scale,
                                     uint8_t *minimum) {
  if (g < 4) {
    *scale = packed[g] & 63;
    *minimum = packed[g + 4] & 63;
  } else {
    *scale = (uint8_t)((packed[g + 4] & 0x0F) | packed[g - 4] >> 6 << 4);
    *minimum = (uint8_t)(packed[g + 4] >> 4 | packed[g] >> 6 << 4);
  }
}

/// The scale of a group, 6 bits less 32: the low four stand in the nibbles of 8 bytes, the high two
/// in the pairs of bits of 4 more.
static inline int scale_in_q3_k(const uint8_t *packed, int group) {
  int low = packed[group % 8] >> group / 8 * 4 & 0x0F;
  int high = packed[8 + group % 4] >> group / 4 * 2 & 3;
  return (low | high << 4) - 32;
}

/// The quants −4…3 of a group: 32 bytes hold two groups in each of their four pairs of bits, and
/// another 32 the bits above them of all sixteen.
static inline void load_quants_q3_k(const block_q3_k *block, int group, int *out) {
  const uint8_t *quants = block->quants + group / 8 * 32 + group % 2 * 16;
  const uint8_t *high = block->high + group % 2 * 16;
  for (int j = 0; j < 16; j++) {
    int low = quants[j] >> group % 8 / 2 * 2 & 3;
    out[j] = (low | (high[j] >> group / 2 & 1) << 2) - 4;
  }
}
