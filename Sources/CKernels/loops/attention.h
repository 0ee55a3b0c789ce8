// Causal attention in tiles of keys: scores of a tile, then a softmax that is corrected as the
// running maximum grows, so that no row of scores and no mask is ever held whole.
//
// The order of every sum depends on positions alone: on no thread count, on no other text, on no
// other row. One row at a time gives the bits that all rows together give.

#define KEY_TILE FLARE_KEY_VALUE_TILE
#define PANEL FLARE_KEY_VALUE_PANEL
#define LANES (FLARE_VECTOR_SIZE / sizeof(float))
/// Registers of a row of a panel.
#define PANEL_VECTORS (PANEL / LANES)
/// Rows whose sums fit in the registers beside a row of a panel.
#define PRODUCT_ROWS (FLARE_VECTOR_SIZE == 64 ? 8 : 6)
/// Registers that the sums of two panels may take: half of them.
#if FLARE_VECTOR_SIZE == 64 || defined(__aarch64__)
#define PAIRED_SUMS 16
#else
#define PAIRED_SUMS 8
#endif

typedef float lanes __attribute__((ext_vector_type(LANES)));
typedef int8_t byte_lanes __attribute__((ext_vector_type(LANES)));
#ifdef FLARE_HARDWARE_F16
typedef _Float16 half_lanes __attribute__((ext_vector_type(LANES)));
#endif

INLINE lanes load_lanes(flare_key_value_type type, const void *elements, size_t first) {
  lanes floats;
  switch (type) {
    case FLARE_KEY_VALUE_F32:
      memcpy(&floats, (const float *)elements + first, sizeof floats);
      return floats;
    case FLARE_KEY_VALUE_F16: {
      const uint16_t *source = (const uint16_t *)elements + first;
#ifdef FLARE_HARDWARE_F16
      half_lanes halves;
      memcpy(&halves, source, sizeof halves);
      return __builtin_convertvector(halves, lanes);
#else
      for (size_t i = 0; i < LANES; i++) floats[i] = float_from_f16(source[i]);
      return floats;
#endif
    }
    case FLARE_KEY_VALUE_INT8: {
      byte_lanes bytes;
      memcpy(&bytes, (const int8_t *)elements + first, sizeof bytes);
      return __builtin_convertvector(bytes, lanes);
    }
  }
}

INLINE void store_lanes(lanes floats, float *out) { memcpy(out, &floats, sizeof floats); }

/// Whether `rows` rows are multiplied with two panels at once: their sums still fit in the registers,
/// and with one panel there would be too few of them to keep the multipliers busy.
#define PAIRS_PANELS(rows) (2 * (rows) * PANEL_VECTORS <= PAIRED_SUMS)
#define MAX_VECTORS (2 * PANEL_VECTORS)

/// sums [rows][16 · panels] = a [rows, first..<end] · panels [first..<end][16], `panel_stride`
/// elements apart. `type`, `rows` and `panels` are literals, so that the sums stay in registers.
INLINE void multiply_panels(flare_key_value_type type, int rows, size_t panels, const float *a,
                            size_t a_stride, const void *panel, size_t panel_stride, size_t first,
                            size_t end, lanes sums[PRODUCT_ROWS][MAX_VECTORS]) {
  size_t vectors = panels * PANEL_VECTORS;
  for (int i = 0; i < rows; i++)
    for (size_t v = 0; v < vectors; v++) sums[i][v] = 0;
  for (size_t k = first; k < end; k++) {
    lanes columns[MAX_VECTORS];
    for (size_t v = 0; v < vectors; v++)
      columns[v] = load_lanes(type, panel, v / PANEL_VECTORS * panel_stride + k * PANEL +
                                               v % PANEL_VECTORS * LANES);
    for (int i = 0; i < rows; i++)
      for (size_t v = 0; v < vectors; v++) sums[i][v] += a[i * a_stride + k] * columns[v];
  }
}

/// scores [rows][16 · panels of KEY_TILE] = queries · panels of keys. `scales`, if any, are those of
/// the positions in the first group.
INLINE void score_rows(flare_key_value_type type, int rows, size_t panels, const float *queries,
                       size_t dimension, const void *panel, const uint16_t *scales,
                       float *scores) {
  lanes totals[PRODUCT_ROWS][MAX_VECTORS];
  size_t depth = scales ? FLARE_GROUP_SIZE : dimension;
  for (size_t first = 0; first < dimension; first += depth) {
    lanes sums[PRODUCT_ROWS][MAX_VECTORS];
    size_t end = first + depth < dimension ? first + depth : dimension;
    multiply_panels(type, rows, panels, queries, dimension, panel, PANEL * dimension, first, end,
                    sums);
    for (size_t v = 0; v < panels * PANEL_VECTORS; v++) {
      lanes scale = 1;
      if (scales) {
        size_t place = first / FLARE_GROUP_SIZE * KEY_TILE + v * LANES;
        scale = load_lanes(FLARE_KEY_VALUE_F16, scales, place);
      }
      for (int i = 0; i < rows; i++)
        totals[i][v] = first == 0 ? sums[i][v] * scale : totals[i][v] + sums[i][v] * scale;
    }
  }
  for (int i = 0; i < rows; i++)
    for (size_t v = 0; v < panels * PANEL_VECTORS; v++)
      store_lanes(totals[i][v], scores + i * KEY_TILE + v * LANES);
}

/// sums [rows][16 · panels of width] = sums · corrections + weights · positions first..<end of
/// panels of values.
INLINE void add_rows(flare_key_value_type type, int rows, size_t panels, const float *weights,
                     const void *panel, size_t first, size_t end, const float *corrections,
                     float *sums, size_t width) {
  lanes products[PRODUCT_ROWS][MAX_VECTORS];
  multiply_panels(type, rows, panels, weights, KEY_TILE, panel, PANEL * KEY_TILE, first, end,
                  products);
  for (int i = 0; i < rows; i++) {
    for (size_t v = 0; v < panels * PANEL_VECTORS; v++) {
      float *place = sums + i * width + v * LANES;
      store_lanes(load_lanes(FLARE_KEY_VALUE_F32, place, 0) * corrections[i] + products[i][v],
                  place);
    }
  }
}

/// How many of the rows that are left are multiplied together.
static inline int product_rows(size_t left) {
  return left >= PRODUCT_ROWS ? PRODUCT_ROWS : left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

/// Calls `function` with literals for the rows, and for one panel or the two that they pair.
#define WITH_LITERALS(function, type, rows, panels, ...)                                      \
  if (PAIRS_PANELS(rows) && (panels) == 2)                                                    \
    function(type, rows, 2, __VA_ARGS__);                                                     \
  else                                                                                        \
    function(type, rows, 1, __VA_ARGS__)

#define WITH_LITERAL_ROWS(function, type, rows, panels, ...)                                  \
  switch (rows) {                                                                             \
    case PRODUCT_ROWS: WITH_LITERALS(function, type, PRODUCT_ROWS, panels, __VA_ARGS__); break; \
    case 4: WITH_LITERALS(function, type, 4, panels, __VA_ARGS__); break;                     \
    case 2: WITH_LITERALS(function, type, 2, panels, __VA_ARGS__); break;                     \
    default: WITH_LITERALS(function, type, 1, panels, __VA_ARGS__);                           \
  }

/// `score_rows` for any number of rows; two panels only where those pair panels.
INLINE void score_panels(flare_key_value_type type, const float *queries, size_t count,
                         size_t panels, size_t dimension, const void *panel,
                         const uint16_t *scales, float *scores) {
  for (size_t q = 0; q < count; q += product_rows(count - q)) {
    WITH_LITERAL_ROWS(score_rows, type, product_rows(count - q), panels, queries + q * dimension,
                      dimension, panel, scales, scores + q * KEY_TILE);
  }
}

/// `add_rows` likewise.
INLINE void add_panels(flare_key_value_type type, const float *weights, size_t count,
                       size_t panels, const void *panel, size_t first, size_t end,
                       const float *corrections, float *sums, size_t width) {
  for (size_t q = 0; q < count; q += product_rows(count - q)) {
    WITH_LITERAL_ROWS(add_rows, type, product_rows(count - q), panels, weights + q * KEY_TILE,
                      panel, first, end, corrections + q, sums + q * width, width);
  }
}

/// Softmax over a growing range, to base 2: the largest score so far and the sum of
/// 2^(score − largest). The sum is 0 as long as nothing was seen.
typedef struct { float largest, sum; } softmax_state;

/// How many query heads share a key-value head. Their queries are numbered row by row: query q is
/// head q % sharing, of those that share it, of row q / sharing.
static inline size_t sharing_of(const flare_attention *a) {
  return a->head_count / a->cache.head_count;
}

/// Where the head of a query begins in `queries` and `output`.
static inline size_t query_offset(const flare_attention *a, size_t key_value_head, size_t query) {
  size_t sharing = sharing_of(a), head = key_value_head * sharing + query % sharing;
  return (query / sharing * a->head_count + head) * a->cache.head_dimension;
}

/// Where the keys end that a query sees.
static inline size_t seen_end(const flare_attention *a, size_t query) {
  return a->first_position + query / sharing_of(a) + 1;
}

/// Where they begin.
static inline size_t seen_first(const flare_attention *a, size_t query) {
  size_t end = seen_end(a, query);
  return end > a->window ? end - a->window : 0;
}

/// A block of queries of one key-value head on its way through the keys, and the room it needs.
typedef struct {
  const flare_attention *attention;
  size_t head;
  size_t first, count;
  /// A row of sums: the head in whole panels.
  size_t width;
  /// [count, head dimension], multiplied by all that scores are multiplied by.
  float queries[FLARE_ATTENTION_QUERIES * FLARE_MAX_HEAD_DIMENSION];
  /// [count, KEY_TILE]
  float scores[FLARE_ATTENTION_QUERIES * KEY_TILE];
  /// The same times the scales of a group of values.
  float scaled[FLARE_ATTENTION_QUERIES * KEY_TILE];
  /// Two panels as floats.
  float panels[2 * PANEL * FLARE_MAX_HEAD_DIMENSION];
  /// By how much what was summed before a tile shrinks.
  float corrections[FLARE_ATTENTION_QUERIES];
  /// Of the present segment.
  softmax_state states[FLARE_ATTENTION_QUERIES];
  float sums[FLARE_ATTENTION_QUERIES * FLARE_MAX_HEAD_DIMENSION];
} query_block;

static void OP(load_queries)(query_block *block, const flare_attention *a, size_t head,
                             size_t first, size_t count) {
  size_t dimension = a->cache.head_dimension;
  block->attention = a;
  block->head = head;
  block->first = first;
  block->count = count;
  block->width = rounded_up_to_panels(dimension);
  float factor = a->soft_cap > 0 ? a->scale / a->soft_cap : a->scale * LOG2_E;
  for (size_t q = 0; q < count; q++) {
    const float *source = a->queries + query_offset(a, head, first + q);
    for (size_t d = 0; d < dimension; d++) block->queries[q * dimension + d] = source[d] * factor;
  }
}

/// Turns a tile of scores into 2^(score − largest), and those outside first..<end into zero.
/// Returns the factor by which everything summed before must be multiplied.
static float OP(advance_softmax)(softmax_state *state, float *restrict scores, size_t first,
                                 size_t end, float soft_cap) {
#pragma clang fp reassociate(on)
  if (soft_cap > 0)
    for (size_t j = 0; j < KEY_TILE; j++) scores[j] = soft_cap * LOG2_E * tanh_of(scores[j]);
  for (size_t j = 0; j < first; j++) scores[j] = -INFINITY;
  for (size_t j = end; j < KEY_TILE; j++) scores[j] = -INFINITY;

  lanes running = state->largest;
  for (size_t j = 0; j < KEY_TILE; j += LANES) {
    lanes score = load_lanes(FLARE_KEY_VALUE_F32, scores, j);
    running = score > running ? score : running;
  }
  float largest = state->largest;
  for (size_t l = 0; l < LANES; l++) largest = running[l] > largest ? running[l] : largest;

  float sum = 0;
  for (size_t j = 0; j < KEY_TILE; j++) {
    scores[j] = power_of_two(scores[j] - largest);
    sum += scores[j];
  }
  float correction = power_of_two(state->largest - largest);
  state->sum = state->sum * correction + sum;
  state->largest = largest;
  return correction;
}

/// The softmax of all queries of a block over one tile, whose first position is `start`.
static void OP(weigh_tile)(query_block *block, size_t start) {
  for (size_t q = 0; q < block->count; q++) {
    float *scores = block->scores + q * KEY_TILE;
    size_t first = seen_first(block->attention, block->first + q);
    size_t end = seen_end(block->attention, block->first + q);
    first = first > start ? first - start : 0;
    end = end > start ? end - start : 0;
    end = end < KEY_TILE ? end : KEY_TILE;
    if (first < end) {
      block->corrections[q] = OP(advance_softmax)(&block->states[q], scores, first, end,
                                                  block->attention->soft_cap);
    } else {
      memset(scores, 0, KEY_TILE * sizeof(float));
      block->corrections[q] = 1;
    }
  }
}

/// Floats of the elements first..<end of a panel, at the same places.
INLINE void convert_panel(flare_key_value_type type, const void *panel, size_t first, size_t end,
                          float *out) {
  for (size_t i = first * PANEL; i < end * PANEL; i += LANES)
    store_lanes(load_lanes(type, panel, i), out + i);
}

/// Asks for bytes that are read soon: the hardware does not see by itself where the next tile is.
static inline void prefetch(const uint8_t *bytes, size_t size) {
  for (size_t line = 0; line < size; line += 64) __builtin_prefetch(bytes + line, 0, 2);
}

/// Attention over positions first..<end of a tile; `type` is a literal. A few queries wait for
/// memory, so while they read a panel, that of the next tile, `next` bytes on, is asked for.
INLINE void attend_tile(flare_key_value_type type, query_block *block, const key_value_tile *tile,
                        ptrdiff_t next, size_t start, size_t first, size_t end) {
  size_t dimension = block->attention->cache.head_dimension, count = block->count;
  // Many queries share one conversion of a panel, few convert it as they read.
  bool converts = type != FLARE_KEY_VALUE_F32 && count > PRODUCT_ROWS;
  size_t step = PAIRS_PANELS(product_rows(count)) ? 2 : 1;
  size_t panel_size = PANEL * element_size(type);

  for (size_t j = first / PANEL * PANEL; j < end; j += step * PANEL) {
    const uint8_t *panel = tile->keys + j / PANEL * dimension * panel_size;
    const uint16_t *scales = type == FLARE_KEY_VALUE_INT8 ? tile->key_scales + j : NULL;
    size_t panels = j + PANEL < end ? step : 1;
    if (converts) {
      convert_panel(type, panel, 0, panels * dimension, block->panels);
      score_panels(FLARE_KEY_VALUE_F32, block->queries, count, panels, dimension, block->panels,
                   scales, block->scores + j);
    } else {
      prefetch(panel + next, panels * dimension * panel_size);
      score_panels(type, block->queries, count, panels, dimension, panel, scales,
                   block->scores + j);
    }
  }
  OP(weigh_tile)(block, start);

  const float *weights = block->scores;
  for (size_t d = 0; d < dimension; d += step * PANEL) {
    if (type == FLARE_KEY_VALUE_INT8 && d % FLARE_GROUP_SIZE == 0) {
      float scales[KEY_TILE];
      OP(load_floats)(FLARE_F16, tile->value_scales, d / FLARE_GROUP_SIZE * KEY_TILE, KEY_TILE,
                      scales);
      for (size_t q = 0; q < count; q++)
        for (size_t j = 0; j < KEY_TILE; j++)
          block->scaled[q * KEY_TILE + j] = block->scores[q * KEY_TILE + j] * scales[j];
      weights = block->scaled;
    }
    const uint8_t *panel = tile->values + d / PANEL * KEY_TILE * panel_size;
    size_t panels = d + PANEL < dimension ? step : 1;
    if (converts) {
      for (size_t p = 0; p < panels; p++)
        convert_panel(type, panel + p * KEY_TILE * panel_size, first, end,
                      block->panels + p * PANEL * KEY_TILE);
      add_panels(FLARE_KEY_VALUE_F32, weights, count, panels, block->panels, first, end,
                 block->corrections, block->sums + d, block->width);
    } else {
      prefetch(panel + next, panels * KEY_TILE * panel_size);
      add_panels(type, weights, count, panels, panel, first, end, block->corrections,
                 block->sums + d, block->width);
    }
  }
}

/// Attention of a block of queries over the keys that it sees of one segment, from nothing.
static void OP(attend_to_segment)(query_block *block, size_t segment) {
  for (size_t q = 0; q < block->count; q++) block->states[q] = (softmax_state){-INFINITY, 0};
  memset(block->sums, 0, block->count * block->width * sizeof(float));

  size_t first = segment * FLARE_ATTENTION_SEGMENT, end = first + FLARE_ATTENTION_SEGMENT;
  const flare_attention *a = block->attention;
  size_t block_first = seen_first(a, block->first);
  size_t block_end = seen_end(a, block->first + block->count - 1);
  first = first > block_first ? first : block_first;
  end = end < block_end ? end : block_end;
  for (size_t start = first / KEY_TILE * KEY_TILE; start < end; start += KEY_TILE) {
    key_value_tile tile = tile_of(&a->cache, block->head, start);
    ptrdiff_t next = tile_of(&a->cache, block->head, start + KEY_TILE).keys - tile.keys;
    size_t tile_first = first > start ? first - start : 0;
    size_t tile_end = end - start < KEY_TILE ? end - start : KEY_TILE;
    switch (a->cache.type) {
      case FLARE_KEY_VALUE_F32:
        attend_tile(FLARE_KEY_VALUE_F32, block, &tile, next, start, tile_first, tile_end);
        break;
      case FLARE_KEY_VALUE_F16:
        attend_tile(FLARE_KEY_VALUE_F16, block, &tile, next, start, tile_first, tile_end);
        break;
      case FLARE_KEY_VALUE_INT8:
        attend_tile(FLARE_KEY_VALUE_INT8, block, &tile, next, start, tile_first, tile_end);
    }
  }
}

/// Adds to the attention of a query over the first segments, `total`, that over the next one.
static void OP(merge_segment)(softmax_state *total, float *total_sums, const softmax_state *state,
                              const float *sums, size_t width) {
  if (state->sum == 0) return;  // the query sees nothing of the segment
  float largest = state->largest > total->largest ? state->largest : total->largest;
  float shrinkage = power_of_two(total->largest - largest);
  float factor = power_of_two(state->largest - largest);
  for (size_t d = 0; d < width; d++) total_sums[d] = total_sums[d] * shrinkage + sums[d] * factor;
  *total = (softmax_state){largest, total->sum * shrinkage + state->sum * factor};
}

static void OP(write_output)(const flare_attention *a, size_t key_value_head, size_t query,
                             const softmax_state *state, const float *sums) {
  float *out = a->output + query_offset(a, key_value_head, query);
  for (size_t d = 0; d < a->cache.head_dimension; d++) out[d] = sums[d] / state->sum;
}

static void OP(attend)(const flare_attention *a, size_t key_value_head, size_t first, size_t end) {
  query_block block;
  softmax_state totals[FLARE_ATTENTION_QUERIES];
  float sums[FLARE_ATTENTION_QUERIES * FLARE_MAX_HEAD_DIMENSION];
  first *= sharing_of(a);
  end *= sharing_of(a);
  for (size_t query = first; query < end; query += FLARE_ATTENTION_QUERIES) {
    size_t left = end - query;
    OP(load_queries)(&block, a, key_value_head, query,
                     left < FLARE_ATTENTION_QUERIES ? left : FLARE_ATTENTION_QUERIES);
    for (size_t q = 0; q < block.count; q++) totals[q] = (softmax_state){-INFINITY, 0};
    memset(sums, 0, block.count * block.width * sizeof(float));

    size_t last_segment = (seen_end(a, query + block.count - 1) - 1) / FLARE_ATTENTION_SEGMENT;
    for (size_t s = seen_first(a, query) / FLARE_ATTENTION_SEGMENT; s <= last_segment; s++) {
      OP(attend_to_segment)(&block, s);
      for (size_t q = 0; q < block.count; q++)
        OP(merge_segment)(&totals[q], sums + q * block.width, &block.states[q],
                          block.sums + q * block.width, block.width);
    }
    for (size_t q = 0; q < block.count; q++)
      OP(write_output)(a, key_value_head, query + q, &totals[q], sums + q * block.width);
  }
}

static void OP(attend_segment)(const flare_attention *a, size_t key_value_head, size_t end,
                               size_t segment, float *partials) {
  query_block block;
  OP(load_queries)(&block, a, key_value_head, 0, end * sharing_of(a));
  OP(attend_to_segment)(&block, segment);
  size_t partial_size = flare_attention_partial_size(a->cache.head_dimension);
  for (size_t q = 0; q < block.count; q++) {
    float *partial = partials + q * partial_size;
    memcpy(partial, block.sums + q * block.width, block.width * sizeof(float));
    memcpy(partial + block.width, &block.states[q], sizeof block.states[q]);
  }
}

static void OP(merge_segments)(const flare_attention *a, size_t key_value_head, size_t end,
                               size_t segment_count, const float *partials,
                               size_t partials_stride) {
  size_t partial_size = flare_attention_partial_size(a->cache.head_dimension);
  size_t width = rounded_up_to_panels(a->cache.head_dimension);
  for (size_t query = 0; query < end * sharing_of(a); query++) {
    softmax_state total = {-INFINITY, 0};
    float sums[FLARE_MAX_HEAD_DIMENSION] = {0};
    for (size_t s = 0; s < segment_count; s++) {
      const float *partial = partials + s * partials_stride + query * partial_size;
      softmax_state state;
      memcpy(&state, partial + width, sizeof state);
      OP(merge_segment)(&total, sums, &state, partial, width);
    }
    OP(write_output)(a, key_value_head, query, &total, sums);
  }
}
