// The most products of bytes that a SIMD form can make: its own instructions, without any memory.
//
// The including file defines `sum_register` and `add_products`, the step that its products of
// grouped weights are made of, and FLARE_NARROW_SUMS when there is one to 16-bit sums.

/// Makes the compiler forget what it knows of a register, at no instruction: a product of it can
/// be neither computed once for all nor left out. (tools/kernels emulates registers in memory.)
#if defined(FORGET)
#elif defined(__x86_64__)
#define FORGET(value) __asm__ volatile("" : "+x"(value))
#else
#define FORGET(value) __asm__ volatile("" : "+w"(value))
#endif

/// Sums that do not wait for each other: more than the latency of a step times the steps that a
/// core begins at once; with two operands, the ones and a temporary they fill 16 registers.
#define INDEPENDENT_SUMS 12

static inline __attribute__((always_inline)) size_t multiply_rounds(bool narrow, size_t rounds) {
  sum_register sums[INDEPENDENT_SUMS], weights, quants;
  memset(sums, 0, sizeof sums);
  memset(&weights, 1, sizeof weights);
  memset(&quants, 1, sizeof quants);
  for (size_t round = 0; round < rounds; round++) {
    for (int i = 0; i < INDEPENDENT_SUMS; i++) {
      FORGET(weights);
      sums[i] = add_products(narrow, sums[i], weights, quants);
    }
  }
  for (int i = 0; i < INDEPENDENT_SUMS; i++) FORGET(sums[i]);
  return rounds * INDEPENDENT_SUMS * sizeof(sum_register);
}

static size_t OP(multiply_registers)(bool narrow, size_t rounds) {
#ifdef FLARE_NARROW_SUMS
  if (narrow) return multiply_rounds(true, rounds);
#endif
  return narrow ? 0 : multiply_rounds(false, rounds);
}
