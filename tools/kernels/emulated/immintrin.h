// Stands in for the compiler's <immintrin.h>: what this CPU lacks is emulated by SIMDe.
//
// AVX2 has to be there, because the emulation of wider registers uses it.

#ifndef FLARE_EMULATED_IMMINTRIN_H
#define FLARE_EMULATED_IMMINTRIN_H

#define SIMDE_ENABLE_NATIVE_ALIASES
// Counts of shifts are literals only after inlining.
#define SIMDE_NO_CHECK_IMMEDIATE_CONSTANT
#include <simde/x86/avx512.h>
#include <simde/x86/f16c.h>
#include <simde/x86/fma.h>

// What SIMDe 0.7.4 does not have of AVX-512, by the halves or element by element.
#ifndef __AVX512F__

static inline __m512 emulated_cvtph_ps(__m256i halves) {
  simde__m512_private floats;
  floats.m256[0] = _mm256_cvtph_ps(_mm256_castsi256_si128(halves));
  floats.m256[1] = _mm256_cvtph_ps(_mm256_extracti128_si256(halves, 1));
  return simde__m512_from_private(floats);
}

static inline __m512 emulated_cvtepi32_ps(__m512i x) {
  simde__m512i_private integers = simde__m512i_to_private(x);
  simde__m512_private floats;
  for (int i = 0; i < 2; i++) floats.m256[i] = _mm256_cvtepi32_ps(integers.m256i[i]);
  return simde__m512_from_private(floats);
}

static inline __m512i emulated_cvtepu8_epi32(__m128i bytes) {
  simde__m512i_private integers;
  integers.m256i[0] = _mm256_cvtepu8_epi32(bytes);
  integers.m256i[1] = _mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8));
  return simde__m512i_from_private(integers);
}

static inline __m512i emulated_cvtepi8_epi32(__m128i bytes) {
  simde__m512i_private integers;
  integers.m256i[0] = _mm256_cvtepi8_epi32(bytes);
  integers.m256i[1] = _mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8));
  return simde__m512i_from_private(integers);
}

static inline void emulated_mask_storeu_ps(void *out, __mmask16 mask, __m512 x) {
  simde__m512_private floats = simde__m512_to_private(x);
  for (int i = 0; i < 16; i++)
    if (mask >> i & 1) ((float *)out)[i] = floats.f32[i];
}

#define _mm512_cvtph_ps emulated_cvtph_ps
#define _mm512_cvtepu8_epi32 emulated_cvtepu8_epi32
#define _mm512_cvtepi8_epi32 emulated_cvtepi8_epi32
#define _mm512_cvtepi32_ps emulated_cvtepi32_ps
#define _mm512_mask_storeu_ps emulated_mask_storeu_ps

#endif

// For loops/limits_forms.h: an emulated register is memory.
#define FORGET(value) __asm__ volatile("" : "+m"(value))

#ifndef __AVXVNNI__
#define _mm256_dpbusd_avx_epi32 _mm256_dpbusd_epi32
#endif

#else  // SIMDe asks for what this CPU does have.
#include_next <immintrin.h>
#endif
