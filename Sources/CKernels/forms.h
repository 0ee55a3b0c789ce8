// The tables of all forms that this architecture has; `dispatch.c` chooses among them.

#ifndef FLARE_FORMS_H
#define FLARE_FORMS_H

#include <math.h>
#include <string.h>

#include "CKernels.h"

extern const flare_kernels flare_kernels_generic;
#if defined(__x86_64__)
extern const flare_kernels flare_kernels_avx2;
extern const flare_kernels flare_kernels_avxvnni;
extern const flare_kernels flare_kernels_avx512;
#elif defined(__aarch64__)
extern const flare_kernels flare_kernels_neon;
#endif

#endif
