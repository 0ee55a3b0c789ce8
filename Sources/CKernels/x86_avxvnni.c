// AVX2 with AVX-VNNI: the AVX2 form, with other sums of the bytes and nibbles of a group.

#define FLARE_AVX_VNNI
#include "x86_avx2.c"
