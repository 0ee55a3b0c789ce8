// Compares every form of the kernels that this program is built with to the portable one, bit by
// bit, wherever `CKernels.h` promises equal bits. tools/check_kernels builds and runs it.

#include <stdio.h>
#include <stdlib.h>

#include "blocks/layouts.h"
#include "forms.h"
#include "loops/weights.h"

static const flare_kernels *const forms[] = {
#if defined(__x86_64__)
    &flare_kernels_avx2,
    &flare_kernels_avxvnni,
    &flare_kernels_avx512,
#elif defined(__aarch64__)
    &flare_kernels_neon,
#endif
};

static uint64_t state = 20;

/// SplitMix64.
static uint64_t random_bits(void) {
  uint64_t z = state += 0x9E3779B97F4A7C15;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
  z = (z ^ z >> 27) * 0x94D049BB133111EB;
  return z ^ z >> 31;
}

/// In −1..<1.
static float random_float(void) { return (float)(random_bits() >> 40) * 0x1p-23f - 1; }

static void *allocate(size_t size) {
  void *memory = calloc(size, 1);
  if (memory == NULL) abort();
  return memory;
}

static size_t case_count;

/// Counts a case, or says where it differs and ends the program. Any NaN equals any other.
static void compare_floats(const flare_kernels *form, const char *what, const float *found,
                           const float *expected, size_t count) {
  case_count++;
  for (size_t i = 0; i < count; i++) {
    if (memcmp(found + i, expected + i, sizeof *found) == 0) continue;
    if (isnan(found[i]) && isnan(expected[i])) continue;
    printf("%s: %s: element %zu is %a, expected %a\n", form->name, what, i, (double)found[i],
           (double)expected[i]);
    exit(1);
  }
}

static void compare_bytes(const flare_kernels *form, const char *what, const void *found,
                          const void *expected, size_t count) {
  case_count++;
  const uint8_t *a = found, *b = expected;
  for (size_t i = 0; i < count; i++) {
    if (a[i] == b[i]) continue;
    printf("%s: %s: byte %zu is %u, expected %u\n", form->name, what, i, a[i], b[i]);
    exit(1);
  }
}

// Products of grouped weights.

typedef void matmul(const flare_panels *w, const flare_activations *x, float *out,
                    size_t out_stride, size_t first, size_t end);

static matmul *matmul_of(const flare_kernels *form, weight_type type) {
  switch (type) {
    case INT8: return form->matmul_int8;
    case INT4: return form->matmul_int4;
    case Q4_K: return form->matmul_q4_k;
    case Q5_K: return form->matmul_q5_k;
    case Q6_K: return form->matmul_q6_k;
  }
}

static const char *const type_names[] = {"int8", "int4", "q4_k", "q5_k", "q6_k"};

typedef enum { RANDOM, LOWEST, HIGHEST, NOT_FINITE } filling;

static const char *const filling_names[] = {"random", "lowest", "highest", "not finite"};

static void fill_bytes(uint8_t *bytes, size_t count, filling how) {
  for (size_t i = 0; i < count; i++)
    bytes[i] = how == LOWEST ? 0 : how == HIGHEST ? 0xFF : (uint8_t)random_bits();
}

/// float16 numbers from 2^-10 to 2^-5, and with them zeros, subnormals and, when asked, infinities
/// and NaN.
static void fill_halves(uint8_t *bytes, size_t count, filling how) {
  static const uint16_t special[] = {0, 0x8000, 1, 0x83FF, 0x7C00, 0xFC00, 0x7E00, 0xFE01};
  for (size_t i = 0; i < count; i++) {
    uint64_t bits = random_bits();
    uint16_t half = (uint16_t)((bits & 0x83FF) | (5 + (bits >> 20) % 6) << 10);
    if (bits >> 40 < 1 << 18) half = special[bits >> 30 & (how == NOT_FINITE ? 7 : 3)];
    memcpy(bytes + 2 * i, &half, sizeof half);
  }
}

static void check_product(const flare_kernels *form, weight_type type, size_t rows, size_t groups,
                          size_t positions, filling how) {
  size_t panels = (rows + FLARE_PANEL_ROWS - 1) / FLARE_PANEL_ROWS;
  size_t scales_offset = groups * group_size(type);
  size_t block_scales_offset = scales_offset + groups * GROUP_SCALES_SIZE;
  size_t used = block_scales_offset + groups / BLOCK_GROUPS * block_scales_size(type);
  flare_panels w = {.panel_size = (used + 63) / 64 * 64, .row_count = rows, .group_count = groups};
  uint8_t *bytes = allocate(panels * w.panel_size);
  for (size_t p = 0; p < panels; p++) {
    uint8_t *panel = bytes + p * w.panel_size;
    // Integers, the scales of groups in blocks among them, stand before all halves.
    size_t halves_offset = block_scales_size(type) == 0 ? scales_offset : block_scales_offset;
    fill_bytes(panel, halves_offset, how);
    if (how == LOWEST || how == HIGHEST)  // −128 and 127 where they are signed
      memset(panel + scales_offset, how == LOWEST ? 0x80 : 0x7F, halves_offset - scales_offset);
    fill_halves(panel + halves_offset, (used - halves_offset) / 2, how);
  }
  w.bytes = bytes;

  size_t columns = groups * FLARE_GROUP_SIZE;
  float *x = allocate(positions * columns * sizeof *x);
  for (size_t i = 0; i < positions * columns; i++)
    x[i] = how == LOWEST ? -1 : how == HIGHEST ? 1 : random_float();
  if (how == NOT_FINITE) x[random_bits() % (positions * columns)] = NAN;
  flare_activations a = {.quants = allocate(positions * columns),
                         .scales = allocate(positions * groups * sizeof(float)),
                         .starts = allocate(positions * groups * sizeof(int32_t)),
                         .row_count = positions,
                         .group_count = groups};
  size_t tiles = (positions + FLARE_TILE_ROWS - 1) / FLARE_TILE_ROWS;
  flare_kernels_generic.quantize_activations(x, &a, 0, tiles);

  // One column more than there are rows: nothing may be written there.
  size_t stride = rows + 1, count = positions * stride;
  float *found = allocate(count * sizeof *found), *expected = allocate(count * sizeof *expected);
  matmul_of(&flare_kernels_generic, type)(&w, &a, expected, stride, 0, panels);
  matmul_of(form, type)(&w, &a, found, stride, 0, panels);
  char what[100];
  snprintf(what, sizeof what, "matmul_%s of %zu rows, %zu groups, %zu positions, %s",
           type_names[type], rows, groups, positions, filling_names[how]);
  compare_floats(form, what, found, expected, count);
  free(bytes);
  free(x);
  free(a.quants);
  free(a.scales);
  free(a.starts);
  free(found);
  free(expected);
}

static void check_products(const flare_kernels *form) {
  static const size_t row_counts[] = {1, 8, 9, 16, 37}, group_counts[] = {1, 3, 8, 24};
  for (weight_type type = INT8; type <= Q6_K; type++)
    for (size_t r = 0; r < 5; r++)
      for (size_t g = 0; g < 4; g++) {
        size_t groups = group_counts[g];
        if (block_scales_size(type) != 0 && groups % BLOCK_GROUPS != 0) continue;
        for (size_t positions = 1; positions <= 18; positions++)
          for (filling how = RANDOM; how <= NOT_FINITE; how++)
            check_product(form, type, row_counts[r], groups, positions, how);
      }
}

// Quantization.

/// Floats of all sizes that occur: groups are scaled differently, and some are special.
static void fill_floats(float *x, size_t count) {
  static const float special[] = {0, -0.0f, 4e-37f, 3e38f, INFINITY, -INFINITY, NAN, 1e-42f};
  for (size_t i = 0; i < count; i += FLARE_GROUP_SIZE) {
    uint64_t bits = random_bits();
    float size = ldexpf(1, (int)(bits % 30) - 24);
    if (bits >> 20 & 1) size = 0.02f;
    for (size_t j = i; j < count && j < i + FLARE_GROUP_SIZE; j++) x[j] = size * random_float();
    if ((bits >> 32) % 40 == 0) x[i + (bits >> 40) % FLARE_GROUP_SIZE] = special[bits >> 50 & 7];
    if ((bits >> 32) % 40 == 1) memset(x + i, 0, FLARE_GROUP_SIZE * sizeof *x);
  }
}

static void check_activations(const flare_kernels *form) {
  enum { GROUPS = 5, MOST = 19 };
  float x[MOST * GROUPS * FLARE_GROUP_SIZE];
  for (size_t rows = 1; rows <= MOST; rows++) {
    fill_floats(x, sizeof x / sizeof *x);
    struct {
      float scales[MOST * GROUPS];
      int32_t starts[MOST * GROUPS];
      int8_t quants[MOST * GROUPS * FLARE_GROUP_SIZE];
    } outputs[2] = {0};
    for (int i = 0; i < 2; i++) {
      flare_activations a = {outputs[i].quants, outputs[i].scales, outputs[i].starts, rows, GROUPS};
      (i ? form : &flare_kernels_generic)
          ->quantize_activations(x, &a, 0, (rows + FLARE_TILE_ROWS - 1) / FLARE_TILE_ROWS);
    }
    compare_floats(form, "scales of quantize_activations", outputs[1].scales, outputs[0].scales,
                   MOST * GROUPS);
    compare_bytes(form, "starts of quantize_activations", outputs[1].starts, outputs[0].starts,
                  sizeof outputs[0].starts);
    compare_bytes(form, "quants of quantize_activations", outputs[1].quants, outputs[0].quants,
                  sizeof outputs[0].quants);
  }
}

typedef bool quantize_panel(flare_float_type type, const void *rows, size_t row_count,
                            size_t group_count, uint8_t *panel);

static void check_panel(const flare_kernels *form, const char *what, quantize_panel *found,
                        quantize_panel *expected) {
  enum { GROUPS = 6, COUNT = FLARE_PANEL_ROWS * GROUPS * FLARE_GROUP_SIZE };
  float x[COUNT];
  uint8_t elements[sizeof x], panels[2][COUNT + GROUPS * 2 * FLARE_PANEL_ROWS];
  for (size_t n = 0; n < 300; n++) {
    fill_floats(x, COUNT);
    size_t rows = 1 + n % FLARE_PANEL_ROWS;
    flare_float_type type = n % 3 == 0 ? FLARE_F32 : n % 3 == 1 ? FLARE_F16 : FLARE_BF16;
    flare_kernels_generic.store_floats(type, x, COUNT, elements);
    memset(panels, 0, sizeof panels);
    bool good[2] = {found(type, elements, rows, GROUPS, panels[0]),
                    expected(type, elements, rows, GROUPS, panels[1])};
    compare_bytes(form, what, good, good + 1, sizeof *good);
    if (good[1]) compare_bytes(form, what, panels[0], panels[1], sizeof panels[0]);
  }
}

// Blocks of ggml.

static void check_blocks(const flare_kernels *form) {
  enum { COUNT = 1 << 14, MOST_BYTES = 2 * COUNT };
  static uint8_t bytes[2][MOST_BYTES];
  static float floats[2][COUNT];
  static const struct {
    flare_block_type type;
    size_t columns, size;
  } blocks[] = {
#define BLOCK(TYPE, name, columns, size) {FLARE_##TYPE, columns, size},
      EACH_BLOCK_TYPE(BLOCK)
#undef BLOCK
  };
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
    size_t count = COUNT / blocks[i].columns;
    fill_bytes(bytes[0], count * blocks[i].size, RANDOM);
    flare_kernels_generic.dequantize_blocks(blocks[i].type, bytes[0], count, floats[0]);
    form->dequantize_blocks(blocks[i].type, bytes[0], count, floats[1]);
    compare_floats(form, "dequantize_blocks", floats[1], floats[0], COUNT);
  }
  static const size_t written[] = {FLARE_Q4_0, FLARE_Q4_1, FLARE_Q5_0, FLARE_Q5_1,
                                   FLARE_Q8_0, FLARE_Q4_K, FLARE_Q5_K, FLARE_Q6_K};
  for (size_t i = 0; i < sizeof written / sizeof *written; i++)
    for (size_t n = 0; n < 300; n++) {
      size_t type = written[i], count = FLARE_BLOCK_SIZE / blocks[type].columns;
      fill_floats(floats[0], FLARE_BLOCK_SIZE);
      bool good[2];
      for (int j = 0; j < 2; j++)
        good[j] = (j ? form : &flare_kernels_generic)
                      ->quantize_blocks(blocks[type].type, FLARE_F32, floats[0], 0, count, bytes[j]);
      compare_bytes(form, "quantize_blocks", good + 1, good, sizeof *good);
      if (good[0])
        compare_bytes(form, "quantize_blocks", bytes[1], bytes[0], count * blocks[type].size);
    }
}

// Conversions, and what the merge relies on.

static void check_conversions(const flare_kernels *form) {
  static uint16_t halves[1 << 16], stored[2][1 << 16];
  static float floats[2][1 << 16];
  size_t count = sizeof halves / sizeof *halves;
  for (size_t i = 0; i < count; i++) halves[i] = (uint16_t)i;
  for (flare_float_type type = FLARE_F16; type <= FLARE_BF16; type++) {
    flare_kernels_generic.load_floats(type, halves, 0, count, floats[0]);
    form->load_floats(type, halves, 0, count, floats[1]);
    compare_floats(form, "load_floats", floats[1], floats[0], count);
    for (size_t n = 0; n < 20; n++) {
      for (size_t i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)random_bits();
        memcpy(floats[0] + i, &bits, sizeof bits);
        if (n % 2 == 0) floats[0][i] = ldexpf(random_float(), (int)(bits % 44) - 27);
        if (isnan(floats[0][i])) floats[0][i] = 1;  // which NaN is not promised
      }
      flare_kernels_generic.store_floats(type, floats[0], count, stored[0]);
      form->store_floats(type, floats[0], count, stored[1]);
      compare_bytes(form, "store_floats", stored[1], stored[0], sizeof stored[0]);
    }
  }
}

static void check_sums(const flare_kernels *form) {
  enum { COUNT = 1003 };
  float x[COUNT], y[2][COUNT];
  fill_floats(x, COUNT - FLARE_GROUP_SIZE);
  for (size_t i = 0; i < COUNT; i++) y[0][i] = y[1][i] = x[i] = x[i] + random_float();
  form->scale(y[1], 0.3f, COUNT);
  flare_kernels_generic.scale(y[0], 0.3f, COUNT);
  compare_floats(form, "scale", y[1], y[0], COUNT);
  form->add_scaled(x, 1, y[1], COUNT);
  flare_kernels_generic.add_scaled(x, 1, y[0], COUNT);
  compare_floats(form, "add_scaled by 1", y[1], y[0], COUNT);
  form->add_scaled(x, 0.3f, y[1], COUNT);
  flare_kernels_generic.add_scaled(x, 0.3f, y[0], COUNT);
  compare_floats(form, "add_scaled by 0.3", y[1], y[0], COUNT);
}

/// Rows that stay as they are above and below those that get a product.
enum { MARGIN = 2 };

/// What CKernels.h promises of add_product, element by element.
static void add_product_in_order(const float *b, const float *a, size_t rank, size_t columns,
                                 float scale, float *w, size_t first, size_t end) {
#pragma clang fp contract(off)
  for (size_t i = first; i < end; i++)
    for (size_t j = 0; j < columns; j++) {
      float sum = 0;
      for (size_t k = 0; k < rank; k++) sum = fmaf(b[i * rank + k], a[k * columns + j], sum);
      float scaled = scale * sum;
      w[i * columns + j] += scaled;
    }
}

static void check_low_rank_product(const flare_kernels *form, size_t rows, size_t rank,
                                   size_t columns, filling how) {
  static const float special[] = {0, -0.0f, 1e-42f, 3e38f, INFINITY, NAN};
  size_t height = rows + 2 * MARGIN, count = height * columns;
  // One element more, since a rank of 0 makes factors empty.
  float *b = allocate((height * rank + 1) * sizeof *b);
  float *a = allocate((rank * columns + 1) * sizeof *a);
  float *found = allocate(count * sizeof *found), *expected = allocate(count * sizeof *expected);
  for (size_t i = 0; i < height * rank; i++) b[i] = random_float();
  for (size_t i = 0; i < rank * columns; i++) a[i] = random_float();
  for (size_t i = 0; i < count; i++) found[i] = expected[i] = random_float();
  if (how == NOT_FINITE && rank > 0)
    for (size_t i = 0; i < 6; i++) {
      b[random_bits() % (height * rank)] = special[i];
      a[random_bits() % (rank * columns)] = special[i];
      size_t place = random_bits() % count;
      found[place] = expected[place] = special[i];
    }
  add_product_in_order(b, a, rank, columns, 0.3f, expected, MARGIN, MARGIN + rows);
  form->add_product(b, a, rank, columns, 0.3f, found, MARGIN, MARGIN + rows);
  char what[100];
  snprintf(what, sizeof what, "add_product of %zu rows, rank %zu, %zu columns, %s", rows, rank,
           columns, filling_names[how]);
  compare_floats(form, what, found, expected, count);
  free(b);
  free(a);
  free(found);
  free(expected);
}

static void check_low_rank_products(const flare_kernels *form) {
  static const size_t ranks[] = {0, 1, 3, 16, 17}, widths[] = {1, 7, 15, 16, 31, 32, 33, 64, 77};
  for (size_t rows = 1; rows <= 17; rows++)
    for (size_t r = 0; r < sizeof ranks / sizeof *ranks; r++)
      for (size_t c = 0; c < sizeof widths / sizeof *widths; c++) {
        check_low_rank_product(form, rows, ranks[r], widths[c], RANDOM);
        check_low_rank_product(form, rows, ranks[r], widths[c], NOT_FINITE);
      }
  // More than stay in the cache, so that the columns are cut; and ranks that fill it alone.
  check_low_rank_product(form, 9, 17, 4001, RANDOM);
  check_low_rank_product(form, 3, 1 << 15, 77, RANDOM);
}

int main(void) {
  check_low_rank_products(&flare_kernels_generic);
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
    const flare_kernels *form = forms[i];
    case_count = 0;
    check_products(form);
    check_activations(form);
    check_panel(form, "quantize_panel_int8", form->quantize_panel_int8,
                flare_kernels_generic.quantize_panel_int8);
    check_panel(form, "quantize_panel_int4", form->quantize_panel_int4,
                flare_kernels_generic.quantize_panel_int4);
    check_blocks(form);
    check_conversions(form);
    check_sums(form);
    check_low_rank_products(form);
    printf("%-8s %zu cases equal generic bit for bit\n", form->name, case_count);
  }
  return 0;
}
