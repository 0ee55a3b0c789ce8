// The packed scales of Q4_K and Q5_K.

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
