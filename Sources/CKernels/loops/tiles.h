// The walk of a grouped product over its panels and tiles in SIMD forms. A form defines `multiply_tile`, with
// the weight type and the number of activation rows as literals, so that sums stay in registers.

/// A panel of weights, a tile of activations, and where their product goes.
typedef struct {
  panel_parts panel;
  size_t panel_size, groups;
  const int8_t *quants;
  const float *scales;
  const int32_t *starts;
  float *out;
  size_t out_stride;
  /// Rows of the panel that exist: how many columns of `out` are written.
  int stored;
} tile_product;

/// How far ahead of its use a weight is asked for. The hardware's own prefetcher stops at pages and
/// loses its way where a panel turns from quants to scales.
#define PREFETCH_DISTANCE 4096

/// Asks for quants of a later group, in the next panel near the end of this one, and for the scales
/// of this group in the next panel, whose first ones would otherwise be waited for.
static inline __attribute__((always_inline)) void prefetch_ahead(weight_type type,
                                                                 const uint8_t *weights,
                                                                 const uint8_t *scales,
                                                                 size_t group, tile_product t) {
  const uint8_t *later = weights + PREFETCH_DISTANCE;
  if (group + PREFETCH_DISTANCE / group_size(type) >= t.groups)
    later += t.panel_size - t.groups * group_size(type);
  for (size_t line = 0; line < group_size(type); line += 64) __builtin_prefetch(later + line, 0, 3);
  __builtin_prefetch(scales + t.panel_size, 0, 2);
}

static inline __attribute__((always_inline)) void multiply_tile(weight_type type, int rows,
                                                                tile_product t);

static inline __attribute__((always_inline)) void matmul(weight_type type, const flare_panels *w,
                                                         const flare_activations *x, float *out,
                                                         size_t out_stride, size_t first,
                                                         size_t end) {
  tile_product t = {.panel_size = w->panel_size, .groups = w->group_count,
                    .out_stride = out_stride};
  for (size_t panel = first; panel < end; panel++) {
    size_t left = w->row_count - panel * FLARE_PANEL_ROWS;
    t.panel = parts_of_panel(type, w, panel);
    t.stored = left < FLARE_PANEL_ROWS ? (int)left : FLARE_PANEL_ROWS;
    for (size_t row = 0; row < x->row_count; row += FLARE_TILE_ROWS) {
      t.quants = x->quants + row * t.groups * FLARE_GROUP_SIZE;
      t.scales = x->scales + row * t.groups;
      t.starts = x->starts + row * t.groups;
      t.out = out + row * out_stride + panel * FLARE_PANEL_ROWS;
      switch (x->row_count - row) {
        case 1: multiply_tile(type, 1, t); break;
        case 2: multiply_tile(type, 2, t); break;
        case 3: multiply_tile(type, 3, t); break;
        case 4: multiply_tile(type, 4, t); break;
        case 5: multiply_tile(type, 5, t); break;
        case 6: multiply_tile(type, 6, t); break;
        case 7: multiply_tile(type, 7, t); break;
        default: multiply_tile(type, 8, t); break;
      }
    }
  }
}
