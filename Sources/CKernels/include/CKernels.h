// The inner loops of Flare: everything that is worth an instruction set of its own.
//
// Each loop exists in a portable twin (`_generic`) and in SIMD forms; `flare_kernels_for` hands out
// a table of one form. Nothing here allocates, locks or starts a thread: the caller cuts the work
// into ranges and owns the memory. Pointers need the alignment of their element type only.
//
// Grouped weights are laid out as formats/quantization.md describes.

#ifndef FLARE_CKERNELS_H
#define FLARE_CKERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

enum {
  /// Rows of a panel of grouped weights.
  FLARE_PANEL_ROWS = 16,
  /// Columns that share a scale, in weights and in activations.
  FLARE_GROUP_SIZE = 32,
  /// Columns whose groups share scales of their scales, in types with blocks.
  FLARE_BLOCK_SIZE = 256,
  /// Positions that one unpacking of a weight serves: the rows of a tile of activations.
  FLARE_TILE_ROWS = 8,
  /// The widest attention head: bounds the scratch that `attend` takes from the stack (260 KB).
  FLARE_MAX_HEAD_DIMENSION = 256,
  /// Queries that share one pass over a tile of keys.
  FLARE_ATTENTION_QUERIES = 64,
  /// Positions whose attention is summed before it is merged with that of the positions before
  /// them: what a thread takes of a long text. Segments begin at multiples of it.
  FLARE_ATTENTION_SEGMENT = 512,
  /// Positions of a tile of keys and values.
  FLARE_KEY_VALUE_TILE = 64,
  /// Columns of the panels that tiles are made of.
  FLARE_KEY_VALUE_PANEL = 16,
};

/// Element types of float rows.
typedef enum flare_float_type { FLARE_F32, FLARE_F16, FLARE_BF16 } flare_float_type;

/// The types of blocks that GGUF files have, see `blocks/layouts.h`.
typedef enum flare_block_type {
  FLARE_Q4_0,
  FLARE_Q4_1,
  FLARE_Q5_0,
  FLARE_Q5_1,
  FLARE_Q8_0,
  FLARE_Q1_0,
  FLARE_Q2_0,
  FLARE_Q2_K,
  FLARE_Q3_K,
  FLARE_Q4_K,
  FLARE_Q5_K,
  FLARE_Q6_K,
  FLARE_IQ4_NL,
  FLARE_IQ4_XS,
  FLARE_MXFP4,
  FLARE_NVFP4,
  FLARE_TQ1_0,
  FLARE_TQ2_0,
  FLARE_IQ1_S,
  FLARE_IQ1_M,
  FLARE_IQ2_XXS,
  FLARE_IQ2_XS,
  FLARE_IQ2_S,
  FLARE_IQ3_XXS,
  FLARE_IQ3_S,
} flare_block_type;

/// Activation functions of gated layers.
typedef enum flare_activation { FLARE_SILU, FLARE_GELU, FLARE_GELU_TANH } flare_activation;

/// A grouped weight matrix in panels of 16 rows.
typedef struct flare_panels {
  const uint8_t *bytes;
  /// Bytes from one panel to the next.
  size_t panel_size;
  size_t row_count;
  /// Groups of 32 columns; a multiple of 8 in types with blocks.
  size_t group_count;
} flare_panels;

/// Rows of activations as int8 in tiles of 8 rows; the last tile has the rows that are left.
///
/// With `w` rows in a tile, `quants` holds [tile][group][w][32] and the other two [tile][group][w],
/// so that a tile is read from front to back. Tile `t` begins at 8 · t rows in all three.
typedef struct flare_activations {
  int8_t *quants;
  /// The value of an element is scale · quant. NaN for a group that held a NaN or an infinity.
  float *scales;
  /// −8 · Σ quants of the group: where the sum over int4 weights (bias 8) starts. int8 weights
  /// (bias 128) start at 16 times that.
  int32_t *starts;
  size_t row_count;
  size_t group_count;
} flare_activations;

/// How a cache keeps keys and values; int8 with a float16 scale for each 32 columns of a head.
typedef enum flare_key_value_type {
  FLARE_KEY_VALUE_F32,
  FLARE_KEY_VALUE_F16,
  FLARE_KEY_VALUE_INT8,
} flare_key_value_type;

/// The keys and values of one text in one layer, [tile_count][head_count] tiles of 64 positions.
///
/// Position p is in row p / 64 % tile_count, so that a later position takes the place of one that
/// no query sees any more. What a tile looks like only the loops know.
typedef struct flare_key_values {
  uint8_t *bytes;
  flare_key_value_type type;
  size_t tile_count;
  size_t head_count;
  size_t head_dimension;
} flare_key_values;

/// What causal attention reads and writes.
///
/// Query row i is at position first_position + i and sees the keys of positions up to its own, the
/// nearest `window` of them. Rows hold heads of `head_dimension` floats side by side; consecutive
/// query heads share a key-value head.
typedef struct flare_attention {
  const float *queries;  // [query rows, head_count · head_dimension]
  float *output;         // as queries
  flare_key_values cache;
  size_t head_count;
  size_t first_position;
  /// SIZE_MAX for all.
  size_t window;
  /// Multiplies q · k.
  float scale;
  /// When positive, scores become soft_cap · tanh(score / soft_cap).
  float soft_cap;
} flare_attention;

/// One form of every loop.
typedef struct flare_kernels {
  /// `generic`, `avx2`, `avxvnni`, `avx512` or `neon`.
  const char *name;

  // Grouped weights.

  /// Quantizes the float rows x [x->row_count, 32 · group_count] of tiles first..<end into `out`.
  ///
  /// scale = largest magnitude / 127, quants rounded to nearest even. A group whose magnitudes are
  /// all below 4e-37 becomes zero.
  void (*quantize_activations)(const float *x, const flare_activations *out, size_t first,
                               size_t end);
  /// out[i · out_stride + r] = row r of w · row i of x, for the rows of panels first..<end.
  ///
  /// Bit-equal in every form: the products of a group are summed in int32, and groups from left to
  /// right by sum = fma(group sum, weight scale · activation scale, sum).
  void (*matmul_int8)(const flare_panels *w, const flare_activations *x, float *out,
                      size_t out_stride, size_t first, size_t end);
  void (*matmul_int4)(const flare_panels *w, const flare_activations *x, float *out,
                      size_t out_stride, size_t first, size_t end);
  /// The same of weights whose groups have integer scales in blocks of 256 columns.
  ///
  /// q4_K and q5_K, where S = Σ quant · activation quant: first sum = fma(S, (d · scale) · activation scale,
  /// sum), then sum = fma(dmin · minimum, activation scale · −Σ activation quants, sum).
  /// q6_K, where S = Σ scale · (quant − 32) · activation quant: sum = fma(S, d · activation scale,
  /// sum).
  void (*matmul_q4_k)(const flare_panels *w, const flare_activations *x, float *out,
                      size_t out_stride, size_t first, size_t end);
  void (*matmul_q5_k)(const flare_panels *w, const flare_activations *x, float *out,
                      size_t out_stride, size_t first, size_t end);
  void (*matmul_q6_k)(const flare_panels *w, const flare_activations *x, float *out,
                      size_t out_stride, size_t first, size_t end);
  /// Packs `row_count` ≤ 16 float rows of 32 · group_count elements as one panel.
  ///
  /// Bit-equal in every form. `panel` is panel_size bytes, zero on entry.
  /// Returns false, with the panel unusable, when an element is not finite or too large for its
  /// group's float16 scale.
  bool (*quantize_panel_int8)(flare_float_type type, const void *rows, size_t row_count,
                              size_t group_count, uint8_t *panel);
  bool (*quantize_panel_int4)(flare_float_type type, const void *rows, size_t row_count,
                              size_t group_count, uint8_t *panel);

  // Weights in blocks.

  /// The columns of `count` consecutive blocks as floats. Bit-equal in every form.
  void (*dequantize_blocks)(flare_block_type type, const uint8_t *blocks, size_t count, float *out);

  /// Packs floats from `first` as `count` blocks: Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0 as ggml's
  /// reference does, Q4_K, Q5_K and Q6_K by a search of our own. Bit-equal in every form.
  /// Returns false, with the blocks unusable, when an element is not finite or too large for a
  /// float16 scale.
  bool (*quantize_blocks)(flare_block_type type, flare_float_type float_type, const void *source,
                          size_t first, size_t count, uint8_t *blocks);

  // Float weights.

  /// Elements first..<first + count of `source` as floats; exact.
  void (*load_floats)(flare_float_type type, const void *source, size_t first, size_t count,
                      float *out);
  /// Floats to elements 0..<count of `out`, rounded to nearest even.
  void (*store_floats)(flare_float_type type, const float *source, size_t count, void *out);
  /// out[r] = start[r] + scale · (row r of w · x) for rows first..<end of w [rows, columns], where
  /// start is out itself when `accumulate`, else zero.
  void (*dot_rows)(flare_float_type type, const void *w, const float *x, size_t columns,
                   float scale, bool accumulate, float *out, size_t first, size_t end);

  // Rows of floats.

  /// out = x / sqrt(mean(x²) + epsilon) · (weight + unit_offset).
  void (*rms_norm)(const float *x, flare_float_type type, const void *weight, size_t count,
                   float epsilon, float unit_offset, float *out);
  /// gate = activation(gate) · up.
  void (*gate)(float *gate, const float *up, size_t count, flare_activation activation);
  /// y += scale · x. Bit-equal in every form: product and sum are rounded one after the other.
  void (*add_scaled)(const float *x, float scale, float *y, size_t count);
  void (*scale)(float *x, float factor, size_t count);
  /// w += scale · (b · a) for rows first..<end of w [rows, columns]; b [rows, rank],
  /// a [rank, columns].
  ///
  /// Bit-equal in every form and for every cut into rows: the sum of a product starts from 0 and
  /// takes its terms in order by sum = fma(b[i][k], a[k][j], sum); then scale · sum is rounded, and
  /// what is added to w.
  void (*add_product)(const float *b, const float *a, size_t rank, size_t columns, float scale,
                      float *w, size_t first, size_t end);
  /// x = cap · tanh(x / cap).
  void (*soft_cap)(float *x, float cap, size_t count);
  /// Rotates pairs (x[i], x[i + head_dimension / 2]) of every head by the angle whose cosine and
  /// sine are given: half-split rotary embedding of one position.
  /// cosines, sines [head_dimension / 2]
  void (*rotate)(float *x, const float *cosines, const float *sines, size_t head_count,
                 size_t head_dimension);

  // Attention. All that is summed is summed in the order of positions, in parts that depend on
  // positions alone: the two ways to attend give the same bits.

  /// Writes a head of `count` rows of keys and values, [rows, head_count · head_dimension] floats,
  /// at first_position and behind.
  void (*append_key_values)(const flare_key_values *cache, const float *keys, const float *values,
                            size_t head, size_t first_position, size_t count);
  /// Attention of the query heads of one key-value head, for query rows first..<end.
  void (*attend)(const flare_attention *attention, size_t key_value_head, size_t first, size_t end);
  /// The same for query rows 0..<end, no more than 64 queries, and positions of one segment: a
  /// partial result for each query, flare_attention_partial_size floats apart.
  void (*attend_segment)(const flare_attention *attention, size_t key_value_head, size_t end,
                         size_t segment, float *partials);
  /// Attention of query rows 0..<end from the partial results of consecutive segments,
  /// `partials_stride` floats apart.
  void (*merge_segments)(const flare_attention *attention, size_t key_value_head, size_t end,
                         size_t segment_count, const float *partials,
                         size_t partials_stride);

  // Limits, which benchmarks measure the loops above against.

  /// Reads `count` bytes, a multiple of 8; gives all words mixed, so that none can be left out.
  uint64_t (*read_bytes)(const uint8_t *bytes, size_t count);
  /// Multiplies int8 weights by int8 activations, with the instructions of this form's matmul_int8
  /// and registers alone, to 32-bit sums; `narrow` to 16-bit sums, as far as they last.
  /// Gives how many products were added: 0 when the form has no narrow sums.
  size_t (*multiply_registers)(bool narrow, size_t rounds);
} flare_kernels;

/// The form of that name, or NULL when there is none or this CPU cannot run it.
const flare_kernels *_Nullable flare_kernels_for(const char *name);

/// Row `row` of grouped weights as floats, with the operations of formats/quantization.md in their
/// order. out [32 · group_count]
void flare_dequantize_row_int8(const flare_panels *w, size_t row, float *out);
void flare_dequantize_row_int4(const flare_panels *w, size_t row, float *out);
void flare_dequantize_row_q4_k(const flare_panels *w, size_t row, float *out);
void flare_dequantize_row_q5_k(const flare_panels *w, size_t row, float *out);
void flare_dequantize_row_q6_k(const flare_panels *w, size_t row, float *out);

/// Whether the float16 scales of `count` consecutive blocks are finite, and no exponent of MXFP4
/// makes its largest quant infinite.
bool flare_blocks_are_finite(flare_block_type type, const uint8_t *blocks, size_t count);

/// Packs `row_count` ≤ 16 rows of GGUF's blocks, one row after the other, as one panel of the same
/// values: Q8_0, Q5_0, Q2_0, Q1_0, IQ4_NL, TQ1_0 and TQ2_0 as int8, Q4_0 as int4, Q4_K as q4_K, Q5_K
/// as q5_K, Q6_K and Q3_K as q6_K.
///
/// `panel` is panel_size bytes, zero on entry. Returns false for any other type.
bool flare_repack_panel(flare_block_type type, const uint8_t *rows, size_t row_count,
                        size_t group_count, uint8_t *panel);

/// Bytes of the keys and values of one head at 64 positions; a multiple of 64.
size_t flare_key_value_tile_size(flare_key_value_type type, size_t head_dimension);

/// Floats that `attend_segment` writes for a query; a multiple of 16.
size_t flare_attention_partial_size(size_t head_dimension);

/// Tells the core that this thread is waiting in a loop.
static inline void flare_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

#pragma clang assume_nonnull end

#endif
