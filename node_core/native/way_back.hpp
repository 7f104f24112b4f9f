// The exact discrete gradient: what gradients/discrete.py does.
#pragma once
#include "solve.hpp"

namespace {

// The exact discrete gradient, in the words of gradients/discrete.py; for one block of rows at a time.
template <class T> struct WayBack {
    const Solve<T>& solve;
    const Net<T>& net;
    const Tableau& table;
    const double* ts;
    int64_t n_ts;
    const T* grad_ys;
    Gradients<T>* sums;
    std::vector<std::pair<int64_t, int64_t>> inside;  // of each step: its outputs before its end
    std::vector<int64_t> at_end;                      // and the one at its end, or -1
    Memory<T> states, slopes, kappa, v, activations, delta, other, scratch, adjoint;
    int64_t nfe = 0;

    WayBack(const Solve<T>& solve, const double* ts, int64_t n_ts, const T* grad_ys, Gradients<T>* sums)
        : solve(solve), net(solve.net), table(solve.table), ts(ts), n_ts(n_ts), grad_ys(grad_ys), sums(sums) {
        int64_t some = (int64_t)BLOCK_ROWS * net.dim, widest = BLOCK_ROWS * (int64_t)*std::max_element(net.padded, net.padded + net.layers);
        for (Memory<T>* room : {&states, &slopes, &kappa, &v}) *room = Memory<T>(some * table.total);
        activations = Memory<T>((int64_t)BLOCK_ROWS * net.row * table.total);
        delta = Memory<T>(widest), other = Memory<T>(widest), scratch = Memory<T>(net.scratch()), adjoint = Memory<T>(some);
        int64_t i = 1;
        for (size_t m = 0; m < solve.steps.size(); ++m) {
            const double t1 = m + 1 == solve.steps.size() ? solve.t : solve.steps[m + 1].t;
            const int64_t first = i;
            while (i < n_ts && (ts[i] - t1) * solve.direction < 0) ++i;
            inside.push_back({first, i});
            at_end.push_back(i < n_ts && ts[i] == t1 ? i++ : -1);
            nfe += stages_of(m);
        }
    }
    int stages_of(size_t m) const { return inside[m].first < inside[m].second ? table.total : table.used; }

    void run(T* grad_y0) {
        const int d = net.dim;
        for (int64_t s = 0; s < solve.batch; s += BLOCK_ROWS) {
            const int r = (int)std::min<int64_t>(BLOCK_ROWS, solve.batch - s);
            std::fill_n(adjoint.data, r * d, (T)0);
            for (size_t m = solve.steps.size(); m-- > 0;) step(m, s, r);
            for (int q = 0; q < r * d; ++q) grad_y0[s * d + q] = adjoint[q] + grad_ys[s * d + q];
        }
    }

    // Where the activations of a step's stages lie: on the tape, or made again here.
    void lay_out(size_t m, int64_t s, int r, T* (*h)[3]) {
        const AcceptedStep<T>& step = solve.steps[m];
        const int count = stages_of(m), some = r * net.dim;
        const int64_t from = s * net.dim;
        for (int i = 0; i < count; ++i) {
            T *state = states + i * some, *slope = slopes + i * some;
            std::copy_n(step.start + from, some, state);
            for (int j = 0; j < i; ++j) {
                const double a = table.a[i * table.total + j];
                const T w = (T)step.h * (T)a;
                if (a != 0)
                    for (int q = 0; q < some; ++q) state[q] += w * slopes[j * some + q];
            }
            const T* kept = i == 0 ? step.first : i < table.stages && step.attempt.activations ? step.attempt.activations + (i - 1) * solve.batch * net.row : nullptr;
            for (int l = 0; l < net.layers; ++l)
                h[i][l] = kept ? (T*)kept + solve.batch * net.offset[l] + s * net.padded[l]
                               : activations + ((int64_t)i * net.row + net.offset[l]) * BLOCK_ROWS;
            if (!kept) net.value(r, step.t + table.c[i] * step.h, state, slope, h[i], scratch);
            if (i < table.stages) std::copy_n(step.attempt.slopes + i * solve.n + from, some, slope);
        }
    }

    void step(size_t m, int64_t s, int r) {
        const AcceptedStep<T>& step = solve.steps[m];
        const int count = stages_of(m), some = r * net.dim;
        const int64_t from = s * net.dim, n = solve.n;
        T* h[32][3];
        lay_out(m, s, r, h);
        if (at_end[m] >= 0)
            for (int q = 0; q < some; ++q) adjoint[q] += grad_ys[at_end[m] * n + from + q];
        for (int i = 0; i < count; ++i) {
            const T w = i < table.stages ? (T)step.h * (T)table.b[i] : (T)0;
            for (int q = 0; q < some; ++q) kappa[i * some + q] = w * adjoint[q];
        }
        for (int64_t o = inside[m].first; o < inside[m].second; ++o)
            for (int i = 0; i < count; ++i) {
                const T w = (T)step.h * (T)solve.dense_weight(i, (ts[o] - step.t) / step.h);
                for (int q = 0; q < some; ++q) kappa[i * some + q] += w * grad_ys[o * n + from + q];
            }
        for (int i = count - 1; i >= 0; --i) {
            for (int j = i + 1; j < count; ++j) {
                const double a = table.a[j * table.total + i];
                const T w = (T)step.h * (T)a;
                if (a != 0)
                    for (int q = 0; q < some; ++q) kappa[i * some + q] += w * v[j * some + q];
            }
            pull_back(net, r, step.t + table.c[i] * step.h, states + i * some, h[i], kappa + i * some, v + i * some, sums, delta.data, other.data, scratch.data);
        }
        for (int64_t o = inside[m].first; o < inside[m].second; ++o)
            for (int q = 0; q < some; ++q) adjoint[q] += grad_ys[o * n + from + q];
        for (int i = 0; i < count; ++i)
            for (int q = 0; q < some; ++q) adjoint[q] += v[i * some + q];
    }
};

}  // namespace
