// What the SIMD forms of the grouped product share: they write one `matmul` for both weight types,
// with the type a literal, so that the compiler makes two functions of it.

typedef enum { INT8, INT4 } weight_type;

/// Bytes of the quants of one group of a panel.
static inline size_t group_size(weight_type type) {
  return FLARE_PANEL_ROWS * FLARE_GROUP_SIZE / (type == INT4 ? 2 : 1);
}
