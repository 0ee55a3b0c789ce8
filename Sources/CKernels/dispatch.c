// Which form this CPU can run.

#include "forms.h"

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#ifndef HWCAP_ASIMDDP
#define HWCAP_ASIMDDP (1UL << 20)  // dot products, from the kernel's <asm/hwcap.h>
#endif
#endif

#if defined(__x86_64__)
static bool has_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("f16c");
}
#endif

static bool is_available(const char *name) {
#if defined(__x86_64__)
  if (strcmp(name, "avx2") == 0) return has_avx2();
  if (strcmp(name, "avxvnni") == 0) return has_avx2() && __builtin_cpu_supports("avxvnni");
  if (strcmp(name, "avx512") == 0)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni");
#elif defined(__aarch64__) && defined(__linux__)
  if (strcmp(name, "neon") == 0) return getauxval(AT_HWCAP) & HWCAP_ASIMDDP;
#endif
  return true;
}

const flare_kernels *flare_kernels_for(const char *name) {
  static const flare_kernels *const forms[] = {
      &flare_kernels_generic,
#if defined(__x86_64__)
      &flare_kernels_avx2,
      &flare_kernels_avxvnni,
      &flare_kernels_avx512,
#elif defined(__aarch64__)
      &flare_kernels_neon,
#endif
  };
  for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
    if (strcmp(forms[i]->name, name) == 0) return is_available(name) ? forms[i] : NULL;
  }
  return NULL;
}
