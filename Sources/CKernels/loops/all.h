// Every loop that is written once and compiled for each instruction set.
//
// The including file defines FLARE_FORM (the suffix of its functions), FLARE_VECTOR_SIZE (bytes of
// a register), FLARE_HARDWARE_F16 when float16 converts in hardware, and has already set the
// compiler's target. Several forms are linked together, so everything here is static.

#define JOIN_EXPANDED(name, form) flare_##name##_##form
#define JOIN(name, form) JOIN_EXPANDED(name, form)
#define OP(name) JOIN(name, FLARE_FORM)

#define FORM_NAME_EXPANDED(form) #form
#define FORM_NAME(form) FORM_NAME_EXPANDED(form)

/// For functions that take or return vectors. Inlined, they have no calling convention that the
/// warning about one could be right about.
#define INLINE static inline __attribute__((always_inline))
#pragma clang diagnostic ignored "-Wpsabi"

#include "conversions.h"
#include "exponentials.h"
#include "float_ops.h"
#include "key_values.h"
#include "attention.h"
#include "low_rank.h"
#include "quantize.h"
#include "../blocks/dequantize.h"
#include "../blocks/quantize.h"
#include "limits.h"

/// The table of the form; the including file defines its matmul functions and multiply_registers.
#define FLARE_KERNEL_TABLE                             \
  {                                                    \
      .name = FORM_NAME(FLARE_FORM),                   \
      .quantize_activations = OP(quantize_activations), \
      .matmul_int8 = OP(matmul_int8),                  \
      .matmul_int4 = OP(matmul_int4),                  \
      .matmul_q4_k = OP(matmul_q4_k),                  \
      .matmul_q5_k = OP(matmul_q5_k),                  \
      .matmul_q6_k = OP(matmul_q6_k),                  \
      .quantize_panel_int8 = OP(quantize_panel_int8),  \
      .quantize_panel_int4 = OP(quantize_panel_int4),  \
      .dequantize_blocks = OP(dequantize_blocks),      \
      .quantize_blocks = OP(quantize_blocks),          \
      .load_floats = OP(load_floats),                  \
      .store_floats = OP(store_floats),                \
      .dot_rows = OP(dot_rows),                        \
      .rms_norm = OP(rms_norm),                        \
      .gate = OP(gate),                                \
      .add_scaled = OP(add_scaled),                    \
      .scale = OP(scale),                              \
      .add_product = OP(add_product),                  \
      .soft_cap = OP(soft_cap),                        \
      .rotate = OP(rotate),                            \
      .append_key_values = OP(append_key_values),      \
      .attend = OP(attend),                            \
      .attend_segment = OP(attend_segment),            \
      .merge_segments = OP(merge_segments),            \
      .read_bytes = OP(read_bytes),                    \
      .multiply_registers = OP(multiply_registers),    \
  }
