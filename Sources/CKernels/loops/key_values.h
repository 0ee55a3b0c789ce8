// Keys and values as attention reads them: in tiles of 64 positions of one head, keys before values.
//
// A tile is made of panels, [depth][16] each, so that a product with one needs neither a sum across
// a register nor a transposition: keys have a panel for every 16 positions, [dimension][16
// positions]; values one for every 16 columns, [64 positions][16 columns], the last filled up with
// zeros. Behind them an int8 tile has the scales of its groups of 32 columns, float16
// [group][64 positions], of keys, then of values.

static inline size_t element_size(flare_key_value_type type) {
  switch (type) {
    case FLARE_KEY_VALUE_F32: return 4;
    case FLARE_KEY_VALUE_F16: return 2;
    case FLARE_KEY_VALUE_INT8: return 1;
  }
}

static inline size_t rounded_up_to_panels(size_t columns) {
  return (columns + FLARE_KEY_VALUE_PANEL - 1) / FLARE_KEY_VALUE_PANEL * FLARE_KEY_VALUE_PANEL;
}

static inline size_t key_value_groups(size_t dimension) {
  return (dimension + FLARE_GROUP_SIZE - 1) / FLARE_GROUP_SIZE;
}

/// Where the parts of a tile are.
typedef struct {
  uint8_t *keys, *values;
  /// NULL unless the type has scales.
  uint16_t *key_scales, *value_scales;
} key_value_tile;

/// The tile of a head that holds `position`; positions apart by all tiles of a head share one.
static inline key_value_tile tile_of(const flare_key_values *cache, size_t head, size_t position) {
  size_t dimension = cache->head_dimension, size = element_size(cache->type);
  size_t row = position / FLARE_KEY_VALUE_TILE % cache->tile_count;
  uint8_t *keys = cache->bytes + (row * cache->head_count + head) *
                                     flare_key_value_tile_size(cache->type, dimension);
  uint8_t *values = keys + FLARE_KEY_VALUE_TILE * dimension * size;
  key_value_tile tile = {keys, values, NULL, NULL};
  if (cache->type == FLARE_KEY_VALUE_INT8) {
    tile.key_scales =
        (uint16_t *)(values + FLARE_KEY_VALUE_TILE * rounded_up_to_panels(dimension) * size);
    tile.value_scales = tile.key_scales + key_value_groups(dimension) * FLARE_KEY_VALUE_TILE;
  }
  return tile;
}

/// Rounds `count` ≤ 32 floats to quants of one float16 scale, which is returned. The scale carries
/// NaN and infinity, which cannot be quants, into every product.
static uint16_t OP(quantize_key_value_group)(const float *x, size_t count, int8_t *quants) {
  uint32_t bits = largest_magnitude_bits(x, count);
  uint16_t half = f16_from_float(bits < 0x7F800000 ? float_from_bits(bits) / 127 : NAN);
  float scale = float_from_f16(half), inverse = scale > 0 ? 1 / scale : 0;
  if (!(scale <= 65504)) {
    memset(quants, 0, count);
    return 0x7E00;  // NaN
  }
  for (size_t i = 0; i < count; i++) {
    // A scale that was rounded down, by much where float16 is subnormal, would let quants wrap.
    float quant = rounded(x[i] * inverse);
    quant = quant > 127 ? 127 : quant;
    quants[i] = (int8_t)(quant < -127 ? -127 : quant);
  }
  return half;
}

/// Rounds a row of a head to elements of `type`; the scale of group g goes to scales[64 · g + slot].
static void OP(round_key_value)(flare_key_value_type type, const float *x, size_t dimension,
                                uint8_t *elements, uint16_t *scales, size_t slot) {
  switch (type) {
    case FLARE_KEY_VALUE_F32:
      OP(store_floats)(FLARE_F32, x, dimension, elements);
      break;
    case FLARE_KEY_VALUE_F16:
      OP(store_floats)(FLARE_F16, x, dimension, elements);
      break;
    case FLARE_KEY_VALUE_INT8:
      for (size_t start = 0; start < dimension; start += FLARE_GROUP_SIZE) {
        size_t left = dimension - start, count = left < FLARE_GROUP_SIZE ? left : FLARE_GROUP_SIZE;
        scales[start / FLARE_GROUP_SIZE * FLARE_KEY_VALUE_TILE + slot] =
            OP(quantize_key_value_group)(x + start, count, (int8_t *)elements + start);
      }
      break;
  }
}

/// Copies elements to every `stride`-th place; `size` is a literal.
static inline __attribute__((always_inline)) void scatter(size_t size, const uint8_t *elements,
                                                          size_t count, uint8_t *out,
                                                          size_t stride) {
  for (size_t i = 0; i < count; i++) memcpy(out + i * stride * size, elements + i * size, size);
}

static void OP(append_key_values)(const flare_key_values *cache, const float *keys,
                                  const float *values, size_t head, size_t first_position,
                                  size_t count) {
  size_t dimension = cache->head_dimension, size = element_size(cache->type);
  size_t row_stride = cache->head_count * dimension;
  for (size_t i = 0; i < count; i++) {
    size_t place = i * row_stride + head * dimension;
    size_t slot = (first_position + i) % FLARE_KEY_VALUE_TILE;
    key_value_tile tile = tile_of(cache, head, first_position + i);
    uint8_t elements[FLARE_MAX_HEAD_DIMENSION * sizeof(float)];

    OP(round_key_value)(cache->type, keys + place, dimension, elements, tile.key_scales, slot);
    size_t column = slot % FLARE_KEY_VALUE_PANEL, panel = slot - column;
    uint8_t *lane = tile.keys + (panel * dimension + column) * size;
    if (size == 4) scatter(4, elements, dimension, lane, FLARE_KEY_VALUE_PANEL);
    if (size == 2) scatter(2, elements, dimension, lane, FLARE_KEY_VALUE_PANEL);
    if (size == 1) scatter(1, elements, dimension, lane, FLARE_KEY_VALUE_PANEL);

    OP(round_key_value)(cache->type, values + place, dimension, elements, tile.value_scales,
                        slot);
    for (size_t start = 0; start < dimension; start += FLARE_KEY_VALUE_PANEL) {
      size_t left = dimension - start;
      memcpy(tile.values + (start * FLARE_KEY_VALUE_TILE + slot * FLARE_KEY_VALUE_PANEL) * size,
             elements + start * size,
             (left < FLARE_KEY_VALUE_PANEL ? left : FLARE_KEY_VALUE_PANEL) * size);
    }
  }
}
