// The product of the factors of a low-rank update, scaled and added to a weight.
//
// Every element is summed by itself, from its first term to its last: its bits depend on no other
// element, so on no cut into ranges of rows and on no width of a register.
#pragma clang fp contract(off)

/// Rows and registers of a row whose sums are made together. Each number that is loaded serves
/// several sums, and there are enough of them that no addition waits for the one before.
#if FLARE_VECTOR_SIZE == 64 || defined(__aarch64__)
#define SUMMED_ROWS 8  // of 32 registers
#else
#define SUMMED_ROWS 4  // of 16 registers
#endif
#define SUMMED_VECTORS 2
#define SUMMED_COLUMNS (SUMMED_VECTORS * LANES)

/// Elements of A that all rows go through before they come to the next columns: 128 KB of the
/// stack, which stay in the second cache.
#define CACHED_FACTORS (1 << 15)

/// Factors and weight.
typedef struct {
  const float *b;  // [rows, rank]
  const float *a;  // [rank, columns]
  float *w;        // [rows, columns]
  size_t rank, columns;
  float scale;
} low_rank_product;

/// Copies the tiles of columns start..<end, a multiple of SUMMED_COLUMNS, as [tile][rank][columns].
/// Rows of A can be as far apart as makes them all compete for the same place in a cache.
static void OP(pack_factors)(low_rank_product p, size_t start, size_t end, float *packed) {
  for (size_t column = start; column < end; column += SUMMED_COLUMNS)
    for (size_t k = 0; k < p.rank; k++, packed += SUMMED_COLUMNS)
      memcpy(packed, p.a + k * p.columns + column, SUMMED_COLUMNS * sizeof *packed);
}

/// Adds to `rows` rows of `vectors` registers, both literals, from `row` and `column`. `a` has
/// their columns of A, in rows that are `stride` apart.
INLINE void add_product_tile(int rows, int vectors, low_rank_product p, size_t row, size_t column,
                             const float *a, size_t stride) {
  const float *b = p.b + row * p.rank;
  lanes sums[SUMMED_ROWS][SUMMED_VECTORS];
  for (int i = 0; i < rows; i++)
    for (int v = 0; v < vectors; v++) sums[i][v] = 0;
  for (size_t k = 0; k < p.rank; k++) {
    lanes factors[SUMMED_VECTORS];
    for (int v = 0; v < vectors; v++)
      factors[v] = load_lanes(FLARE_KEY_VALUE_F32, a + k * stride, v * LANES);
    for (int i = 0; i < rows; i++)
      for (int v = 0; v < vectors; v++)
        sums[i][v] = __builtin_elementwise_fma((lanes)b[i * p.rank + k], factors[v], sums[i][v]);
  }
  for (int i = 0; i < rows; i++) {
    for (int v = 0; v < vectors; v++) {
      float *place = p.w + (row + i) * p.columns + column + v * LANES;
      store_lanes(load_lanes(FLARE_KEY_VALUE_F32, place, 0) + sums[i][v] * p.scale, place);
    }
  }
}

/// Adds to one element.
static inline void add_product_element(low_rank_product p, size_t row, size_t column) {
  float sum = 0;
  for (size_t k = 0; k < p.rank; k++)
    sum = fmaf(p.b[row * p.rank + k], p.a[k * p.columns + column], sum);
  p.w[row * p.columns + column] += sum * p.scale;
}

/// Adds to columns start..<end of `rows` rows, a literal. `packed` has the whole tiles among them;
/// it is NULL when the rank is too high for that.
INLINE void add_product_rows(int rows, low_rank_product p, size_t row, size_t start, size_t end,
                             const float *packed) {
  size_t column = start;
  for (; end - column >= SUMMED_COLUMNS; column += SUMMED_COLUMNS) {
    const float *a = packed ? packed + (column - start) * p.rank : p.a + column;
    size_t stride = packed ? SUMMED_COLUMNS : p.columns;
    add_product_tile(rows, SUMMED_VECTORS, p, row, column, a, stride);
  }
  for (; end - column >= LANES; column += LANES)
    add_product_tile(rows, 1, p, row, column, p.a + column, p.columns);
  for (; column < end; column++)
    for (int i = 0; i < rows; i++) add_product_element(p, row + i, column);
}

static void OP(add_product)(const float *b, const float *a, size_t rank, size_t columns,
                            float scale, float *w, size_t first, size_t end) {
  low_rank_product p = {b, a, w, rank, columns, scale};
  float scratch[CACHED_FACTORS];
  size_t cached = CACHED_FACTORS / (rank ? rank : 1) / SUMMED_COLUMNS * SUMMED_COLUMNS;
  const float *packed = cached > 0 ? scratch : NULL;
  if (cached == 0) cached = SUMMED_COLUMNS;
  for (size_t start = 0; start < columns; start += cached) {
    size_t stop = columns - start < cached ? columns : start + cached, row = first;
    if (packed) OP(pack_factors)(p, start, stop - (stop - start) % SUMMED_COLUMNS, scratch);
    for (; end - row >= SUMMED_ROWS; row += SUMMED_ROWS)
      add_product_rows(SUMMED_ROWS, p, row, start, stop, packed);
    for (; row < end; row++) add_product_rows(1, p, row, start, stop, packed);
  }
}
