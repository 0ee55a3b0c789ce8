// The types of grouped weights and the parts of their panels.

typedef enum { INT8, INT4, Q4_K, Q5_K, Q6_K } weight_type;

/// Bytes of the scales of one group of a panel, of every type.
#define GROUP_SCALES_SIZE (2 * FLARE_PANEL_ROWS)
/// Groups of a block.
#define BLOCK_GROUPS (FLARE_BLOCK_SIZE / FLARE_GROUP_SIZE)

/// Bytes of the quants of one group of a panel.
static inline size_t group_size(weight_type type) {
  const size_t bits = type == INT8 ? 8 : type == Q6_K ? 6 : type == Q5_K ? 5 : 4;
  return FLARE_PANEL_ROWS * FLARE_GROUP_SIZE * bits / 8;
}

/// Whether groups have minimums, which are subtracted from every element.
static inline bool has_minimums(weight_type type) { return type == Q4_K || type == Q5_K; }

/// Bytes of the scales of one block of a panel: d and dmin, d, or none.
static inline size_t block_scales_size(weight_type type) {
  const size_t halves = has_minimums(type) ? 2 : type == Q6_K ? 1 : 0;
  return halves * 2 * FLARE_PANEL_ROWS;
}

/// The parts of a panel.
typedef struct {
  const uint8_t *quants, *scales, *block_scales;
} panel_parts;

static inline panel_parts parts_of_panel(weight_type type, const flare_panels *w, size_t panel) {
  panel_parts parts;
  parts.quants = w->bytes + panel * w->panel_size;
  parts.scales = parts.quants + w->group_count * group_size(type);
  parts.block_scales = parts.scales + w->group_count * GROUP_SCALES_SIZE;
  return parts;
}

/// −Σ of the activations of a group: what minimums are multiplied with.
static inline float negative_sum(float scale, int32_t start) {
  return scale * ((float)start * 0.125f);
}
