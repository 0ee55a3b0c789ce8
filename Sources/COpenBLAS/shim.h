#include <cblas.h>
#include <stddef.h>

// LAPACK, which is part of the OpenBLAS library but not of the headers that come with it. Matrices
// are column-major, integers 32 bits, and the length of each character argument follows at the end.

/// Singular values and vectors, by divide and conquer.
void sgesdd_(const char *job, const int *m, const int *n, float *a, const int *lda, float *s,
             float *u, const int *ldu, float *vt, const int *ldvt, float *work, const int *lwork,
             int *iwork, int *info, size_t job_length);
/// The QR factorisation as reflectors, and the columns of Q made of them.
void sgeqrf_(const int *m, const int *n, float *a, const int *lda, float *tau, float *work,
             const int *lwork, int *info);
void sorgqr_(const int *m, const int *n, const int *k, float *a, const int *lda, const float *tau,
             float *work, const int *lwork, int *info);
