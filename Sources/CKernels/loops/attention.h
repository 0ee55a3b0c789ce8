// Causal attention in blocks: scores of a block of keys, then a softmax that is corrected as the
// running maximum grows, so that no row of scores and no mask is ever held whole.

#define KEY_BLOCK 64
/// Floats from one row of transposed keys to the next: no multiple of 64, so that a column of them
/// spreads over all sets of the first cache.
#define KEY_STRIDE (KEY_BLOCK + 16)
/// Below this many queries a transposed copy of the keys does not pay for itself.
#define TRANSPOSE_THRESHOLD 8
#define LANES (FLARE_VECTOR_SIZE / sizeof(float))

typedef float lanes __attribute__((vector_size(FLARE_VECTOR_SIZE)));
/// The same where memory is aligned to single floats only.
typedef float loose_lanes __attribute__((vector_size(FLARE_VECTOR_SIZE), aligned(4), may_alias));

/// c[0..<rows][0..<vectors] += a · b with the sums in registers; rows and vectors are literals.
static inline __attribute__((always_inline)) void accumulate_block(
    int rows, int vectors, const float *a, size_t a_stride, const float *b, size_t b_stride,
    float *c, size_t c_stride, size_t depth) {
  lanes sums[4][2];
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < vectors; j++)
      sums[i][j] = *(const loose_lanes *)(c + i * c_stride + j * LANES);
  for (size_t k = 0; k < depth; k++) {
    for (int j = 0; j < vectors; j++) {
      lanes column = *(const loose_lanes *)(b + k * b_stride + j * LANES);
      for (int i = 0; i < rows; i++) sums[i][j] += a[i * a_stride + k] * column;
    }
  }
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < vectors; j++)
      *(loose_lanes *)(c + i * c_stride + j * LANES) = sums[i][j];
}

/// c [rows, width] += a [rows, depth] · b [depth, width]; width is a multiple of LANES.
static void OP(accumulate_product)(const float *a, size_t a_stride, const float *b, size_t b_stride,
                                   float *c, size_t c_stride, size_t rows, size_t depth,
                                   size_t width) {
  size_t j = 0;
  while (j < width) {
    size_t i = 0;
    bool pair = width - j >= 2 * LANES;
    for (; pair && i + 4 <= rows; i += 4)
      accumulate_block(4, 2, a + i * a_stride, a_stride, b + j, b_stride, c + i * c_stride + j,
                       c_stride, depth);
    for (; pair && i < rows; i++)
      accumulate_block(1, 2, a + i * a_stride, a_stride, b + j, b_stride, c + i * c_stride + j,
                       c_stride, depth);
    for (; i < rows; i++)
      accumulate_block(1, 1, a + i * a_stride, a_stride, b + j, b_stride, c + i * c_stride + j,
                       c_stride, depth);
    j += pair ? 2 * LANES : LANES;
  }
}

static inline size_t rounded_up_to_lanes(size_t count) {
  return (count + LANES - 1) / LANES * LANES;
}

/// Softmax over a growing range: the largest score so far and the sum of e^(score − largest).
typedef struct { float largest, sum; } softmax_state;

/// Turns the scores of visible keys into e^(score − largest) and the others into zero.
/// Returns the factor by which everything summed before must be multiplied.
static float OP(advance_softmax)(softmax_state *state, float *scores, size_t visible_first,
                                 size_t visible_end, size_t width, const flare_attention *a) {
#pragma clang fp reassociate(on)
  for (size_t j = visible_first; j < visible_end; j++) scores[j] *= a->scale;
  if (a->soft_cap > 0)
    OP(soft_cap)(scores + visible_first, a->soft_cap, visible_end - visible_first);
  float largest = state->largest;
  for (size_t j = visible_first; j < visible_end; j++)
    largest = scores[j] > largest ? scores[j] : largest;
  float correction = exponential_of(state->largest - largest);
  for (size_t j = 0; j < visible_first; j++) scores[j] = 0;
  for (size_t j = visible_first; j < visible_end; j++)
    scores[j] = exponential_of(scores[j] - largest);
  for (size_t j = visible_end; j < width; j++) scores[j] = 0;
  float sum = 0;
  for (size_t j = visible_first; j < visible_end; j++) sum += scores[j];
  state->sum = state->sum * correction + sum;
  state->largest = largest;
  return correction;
}

/// Where the head of a query begins in `queries` and `output`. The queries of a key-value head are
/// numbered row by row: query q is head q % sharing, of those that share it, of row q / sharing.
static inline size_t query_offset(const flare_attention *a, size_t key_value_head, size_t query) {
  size_t sharing = a->head_count / a->key_value_head_count;
  size_t head = key_value_head * sharing + query % sharing;
  return (query / sharing * a->head_count + head) * a->head_dimension;
}

/// scores [count, KEY_BLOCK] = queries [count, dimension] · keysᵀ for a block of keys; `scratch`
/// has room for the keys transposed.
static void OP(score_block)(const float *queries, size_t count, const float *keys,
                            size_t key_stride, size_t key_count, size_t dimension,
                            float *restrict scratch, float *restrict scores) {
  if (count < TRANSPOSE_THRESHOLD) {
    for (size_t j = 0; j < key_count; j++)
      for (size_t q = 0; q < count; q++)
        scores[q * KEY_BLOCK + j] =
            OP(dot_f32)(queries + q * dimension, keys + j * key_stride, dimension);
    return;
  }
  size_t width = rounded_up_to_lanes(key_count);
  for (size_t j = 0; j < key_count; j++)
    for (size_t d = 0; d < dimension; d++) scratch[d * KEY_STRIDE + j] = keys[j * key_stride + d];
  for (size_t d = 0; d < dimension; d++)
    for (size_t j = key_count; j < width; j++) scratch[d * KEY_STRIDE + j] = 0;
  memset(scores, 0, count * KEY_BLOCK * sizeof(float));
  OP(accumulate_product)(queries, dimension, scratch, KEY_STRIDE, scores, KEY_BLOCK, count,
                         dimension, width);
}

/// sums [count, width] += scores · values; `scratch` has room for values padded to whole vectors,
/// which would otherwise read into the next head.
static void OP(add_values)(const float *scores, size_t count, const float *values,
                           size_t value_stride, size_t key_count, size_t dimension,
                           float *restrict scratch, float *restrict sums) {
  size_t width = rounded_up_to_lanes(dimension);
  if (width != dimension) {
    memset(scratch, 0, key_count * width * sizeof(float));
    for (size_t j = 0; j < key_count; j++)
      memcpy(scratch + j * width, values + j * value_stride, dimension * sizeof(float));
    values = scratch;
    value_stride = width;
  }
  OP(accumulate_product)(scores, KEY_BLOCK, values, value_stride, sums, width, count, key_count,
                         width);
}

/// Attention of queries first_query..<first_query + count of a key-value head, count ≤ 64.
static void OP(attend_block)(const flare_attention *a, size_t key_value_head, size_t first_query,
                             size_t count) {
  size_t dimension = a->head_dimension, sharing = a->head_count / a->key_value_head_count;
  size_t key_stride = a->key_value_head_count * dimension, width = rounded_up_to_lanes(dimension);
  float queries[FLARE_ATTENTION_QUERIES * FLARE_MAX_HEAD_DIMENSION];
  float sums[FLARE_ATTENTION_QUERIES * FLARE_MAX_HEAD_DIMENSION];
  float scores[FLARE_ATTENTION_QUERIES * KEY_BLOCK];
  float scratch[KEY_STRIDE * FLARE_MAX_HEAD_DIMENSION];
  softmax_state states[FLARE_ATTENTION_QUERIES];

  for (size_t q = 0; q < count; q++) {
    memcpy(queries + q * dimension, a->queries + query_offset(a, key_value_head, first_query + q),
           dimension * sizeof(float));
    states[q] = (softmax_state){-INFINITY, 0};
  }
  memset(sums, 0, count * width * sizeof(float));

  // From the first key that the first row sees to the last that the last row sees.
  size_t end_key = a->first_position + (first_query + count - 1) / sharing + 1;
  size_t first_row_end = a->first_position + first_query / sharing + 1;
  size_t first_key = first_row_end > a->window ? first_row_end - a->window : 0;

  for (size_t start = first_key; start < end_key; start += KEY_BLOCK) {
    size_t key_count = end_key - start < KEY_BLOCK ? end_key - start : KEY_BLOCK;
    size_t place = start * key_stride + key_value_head * dimension;
    OP(score_block)(queries, count, a->keys + place, key_stride, key_count, dimension, scratch,
                    scores);
    for (size_t q = 0; q < count; q++) {
      // The keys that this query sees: positions seen_first..<seen_end, cut to the block.
      size_t seen_end = a->first_position + (first_query + q) / sharing + 1;
      size_t seen_first = seen_end > a->window ? seen_end - a->window : 0;
      size_t first = seen_first > start ? seen_first - start : 0;
      size_t end = seen_end > start ? seen_end - start : 0;
      end = end < key_count ? end : key_count;
      if (first >= end) {
        memset(scores + q * KEY_BLOCK, 0, key_count * sizeof(float));
        continue;
      }
      float correction =
          OP(advance_softmax)(&states[q], scores + q * KEY_BLOCK, first, end, key_count, a);
      OP(scale)(sums + q * width, correction, width);
    }
    OP(add_values)(scores, count, a->values + place, key_stride, key_count, dimension, scratch,
                   sums);
  }

  for (size_t q = 0; q < count; q++) {
    float *out = a->output + query_offset(a, key_value_head, first_query + q);
    for (size_t d = 0; d < dimension; d++) out[d] = sums[q * width + d] / states[q].sum;
  }
}

static void OP(attend)(const flare_attention *a, size_t key_value_head, size_t first, size_t end) {
  size_t sharing = a->head_count / a->key_value_head_count;
  for (size_t query = first * sharing; query < end * sharing; query += FLARE_ATTENTION_QUERIES) {
    size_t left = end * sharing - query;
    OP(attend_block)(a, key_value_head, query,
                     left < FLARE_ATTENTION_QUERIES ? left : FLARE_ATTENTION_QUERIES);
  }
}
