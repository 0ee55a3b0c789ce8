// The blocks of ggml as they lie in a GGUF file, byte by byte: numbers of more than a byte are
// little-endian and without alignment. formats/quantization.md says what they stand for.

#include <stdint.h>

typedef struct { uint8_t d[2], quants[16]; } block_q4_0;
typedef struct { uint8_t d[2], m[2], quants[16]; } block_q4_1;
typedef struct { uint8_t d[2], high[4], quants[16]; } block_q5_0;
typedef struct { uint8_t d[2], m[2], high[4], quants[16]; } block_q5_1;
typedef struct { uint8_t d[2], quants[32]; } block_q8_0;
typedef struct { uint8_t d[2], quants[16]; } block_q1_0;
typedef struct { uint8_t d[2], quants[16]; } block_q2_0;

typedef struct { uint8_t scales[16], quants[64], d[2], dmin[2]; } block_q2_k;
typedef struct { uint8_t high[32], quants[64], scales[12], d[2]; } block_q3_k;
typedef struct { uint8_t d[2], dmin[2], scales[12], quants[128]; } block_q4_k;
typedef struct { uint8_t d[2], dmin[2], scales[12], high[32], quants[128]; } block_q5_k;
typedef struct { uint8_t quants[128], high[64], scales[16], d[2]; } block_q6_k;

typedef struct { uint8_t d[2], quants[16]; } block_iq4_nl;
typedef struct { uint8_t d[2], high_scales[2], low_scales[4], quants[128]; } block_iq4_xs;
typedef struct { uint8_t exponent, quants[16]; } block_mxfp4;
typedef struct { uint8_t scales[4], quants[32]; } block_nvfp4;
typedef struct { uint8_t quants[48], last[4], d[2]; } block_tq1_0;
typedef struct { uint8_t quants[64], d[2]; } block_tq2_0;

typedef struct { uint8_t d[2], quants[32], high[16]; } block_iq1_s;
typedef struct { uint8_t quants[32], high[16], scales[8]; } block_iq1_m;
typedef struct { uint8_t d[2], words[64]; } block_iq2_xxs;
typedef struct { uint8_t d[2], words[64], scales[8]; } block_iq2_xs;
typedef struct { uint8_t d[2], quants[32], signs[32], high[8], scales[8]; } block_iq2_s;
typedef struct { uint8_t d[2], quants[64], words[32]; } block_iq3_xxs;
typedef struct { uint8_t d[2], quants[64], high[8], signs[32], scales[4]; } block_iq3_s;

/// Every type of block: its name in the enumeration, in functions, its columns and its bytes.
#define EACH_BLOCK_TYPE(TYPE)        \
  TYPE(Q4_0, q4_0, 32, 18)           \
  TYPE(Q4_1, q4_1, 32, 20)           \
  TYPE(Q5_0, q5_0, 32, 22)           \
  TYPE(Q5_1, q5_1, 32, 24)           \
  TYPE(Q8_0, q8_0, 32, 34)           \
  TYPE(Q1_0, q1_0, 128, 18)          \
  TYPE(Q2_0, q2_0, 64, 18)           \
  TYPE(Q2_K, q2_k, 256, 84)          \
  TYPE(Q3_K, q3_k, 256, 110)         \
  TYPE(Q4_K, q4_k, 256, 144)         \
  TYPE(Q5_K, q5_k, 256, 176)         \
  TYPE(Q6_K, q6_k, 256, 210)         \
  TYPE(IQ4_NL, iq4_nl, 32, 18)       \
  TYPE(IQ4_XS, iq4_xs, 256, 136)     \
  TYPE(MXFP4, mxfp4, 32, 17)         \
  TYPE(NVFP4, nvfp4, 64, 36)         \
  TYPE(TQ1_0, tq1_0, 256, 54)        \
  TYPE(TQ2_0, tq2_0, 256, 66)        \
  TYPE(IQ1_S, iq1_s, 256, 50)        \
  TYPE(IQ1_M, iq1_m, 256, 56)        \
  TYPE(IQ2_XXS, iq2_xxs, 256, 66)    \
  TYPE(IQ2_XS, iq2_xs, 256, 74)      \
  TYPE(IQ2_S, iq2_s, 256, 82)        \
  TYPE(IQ3_XXS, iq3_xxs, 256, 98)    \
  TYPE(IQ3_S, iq3_s, 256, 110)

#define ASSERT_SIZE(TYPE, name, columns, bytes) \
  _Static_assert(sizeof(block_##name) == bytes, "block size");
EACH_BLOCK_TYPE(ASSERT_SIZE)
#undef ASSERT_SIZE
