// What the SIMD forms of the grouped product share: they write one `matmul` for both weight types,
// with the type a literal, so that the compiler makes two functions of it.

typedef enum { INT8, INT4 } weight_type;

/// Bytes of the quants of one group of a panel.
static inline size_t group_size(weight_type type) {
  return FLARE_PANEL_ROWS * FLARE_GROUP_SIZE / (type == INT4 ? 2 : 1);
}

/// How far ahead of its use a weight is asked for. The hardware's own prefetcher stops at pages and
/// loses its way where a panel turns from quants to scales.
#define PREFETCH_DISTANCE 4096

/// Asks for quants of a later group, in the next panel near the end of this one, and for the scales
/// of this group in the next panel, whose first ones would otherwise be waited for.
static inline __attribute__((always_inline)) void prefetch_ahead(
    weight_type type, const uint8_t *weights, const uint8_t *scales, size_t groups_left,
    size_t scales_size, size_t panel_size) {
  const uint8_t *later = weights + PREFETCH_DISTANCE;
  if (groups_left <= PREFETCH_DISTANCE / group_size(type)) later += scales_size;
  for (size_t line = 0; line < group_size(type); line += 64) __builtin_prefetch(later + line, 0, 3);
  __builtin_prefetch(scales + panel_size, 0, 2);
}
