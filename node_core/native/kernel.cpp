// The solve of an MLPField and its exact discrete gradient, one call each: what `solvers` and `gradients/discrete.py` do
// in torch, which is the oracle (tests/native). Same steps, same evaluations, same dense output; no thread, no state
// between calls, nothing but the C++ library.
//
// Rows of the batch influence each other through the error norm alone. So a step is made for a block of rows at a time,
// whose activations stay in the first-level cache through all stages, and the way back goes through all steps for one
// block before the next.
//
// Compiled once for each instruction set (build.py); vectors are those of GCC and clang, without intrinsics.
#include <cstring>

#include "way_back.hpp"

namespace {

template <class T> void* solve_job(Job* job) {
    Solve<T>* made = nullptr;
    try {
        made = new Solve<T>(job);
        job->status = made->run();
        made->job = nullptr;
    } catch (const std::bad_alloc&) {
        job->status = FAILED;
    }
    return made;
}
template <class T> int64_t way_back(const void* solve, const double* ts, int64_t n_ts, const T* grad_ys, T* grad_y0, T* grad_parameters) {
    try {
        const Solve<T>& done = *(const Solve<T>*)solve;
        Gradients<T> sums(done.net);
        WayBack<T> back(done, ts, n_ts, grad_ys, grad_parameters ? &sums : nullptr);
        back.run(grad_y0);
        if (grad_parameters) sums.write(grad_parameters);
        return back.nfe;
    } catch (const std::bad_alloc&) {
        return -1;
    }
}
// Every accepted step: t and h, its start, its stages' slopes, and its end.
template <class T> void write_steps(const void* solve, double* times, T* starts, T* slopes) {
    const Solve<T>& done = *(const Solve<T>*)solve;
    const int64_t n = done.n, stages = done.table.stages;
    for (size_t m = 0; m < done.steps.size(); ++m) {
        const AcceptedStep<T>& step = done.steps[m];
        times[2 * m] = step.t, times[2 * m + 1] = step.h;
        std::copy_n(step.start, n, starts + m * n);
        std::copy_n(step.attempt.slopes, n * stages, slopes + m * n * stages);
    }
    std::copy_n(done.y, n, starts + done.steps.size() * n);
}
template <class T> void write_rows(const void* solve, double* out) {
    const Solve<T>& done = *(const Solve<T>*)solve;
    if (!done.rows.empty()) std::memcpy(out, done.rows.data(), done.rows.size() * sizeof(Row));
}

}  // namespace

#define EXPORT __attribute__((visibility("default")))

extern "C" {
#define INTERFACE(SUFFIX, T)                                                                                             \
    EXPORT void* solve_##SUFFIX(Job* job) { return solve_job<T>(job); }                                                         \
    EXPORT void rows_##SUFFIX(const void* solve, double* out) { write_rows<T>(solve, out); }                                    \
    EXPORT void steps_##SUFFIX(const void* solve, double* times, T* starts, T* slopes) { write_steps<T>(solve, times, starts, slopes); } \
    EXPORT int64_t back_##SUFFIX(const void* solve, const double* ts, int64_t n_ts, const T* grad_ys, T* grad_y0, T* grad_parameters) { \
        return way_back<T>(solve, ts, n_ts, grad_ys, grad_y0, grad_parameters);                                          \
    }                                                                                                                    \
    EXPORT void release_##SUFFIX(void* solve) { delete (Solve<T>*)solve; }
INTERFACE(float, float)
INTERFACE(double, double)

// Whether this machine can run what was compiled for AVX2 and FMA.
EXPORT int has_avx2() {
#if defined(__x86_64__) || defined(__i386__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return 0;
#endif
}
}
