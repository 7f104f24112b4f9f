// The forward solve: what solvers/loop.py, fixed.py, controllers.py and step_size.py do.
#pragma once
#include <ctime>
#include <vector>

#include "net.hpp"

extern "C" {
struct Tableau {  // `total` stages: those of a step, then those of dense output alone; a is square
    int32_t stages, total, used, fsal, needs_f1, error_order, degree;
    const double *a, *b, *b_error, *c, *dense;
};
struct Job {
    Network network;
    const Tableau* tableau;
    const void* y0;
    void *ys, *slope;  // slope: f at the start
    const double* ts;
    int64_t batch, n_ts, max_steps, tape_bytes;
    double rtol, atol, beta[3], safety, smallest, largest, floor, dt, dt0, max_step, time_limit;
    int32_t keep;
    // what comes out
    int32_t status;
    int64_t n_outputs, nfe, n_rows, n_steps;
    double t_end;
};
}

namespace {

enum Keep { NOTHING, STEPS, ACTIVATIONS };
enum Status { DONE, OUT_OF_TIME, FAILED };

// When `limit` seconds of this thread's processor time are over (solvers/clock.py).
struct Clock {
    double end;
    static double now() {
        timespec time;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
    }
    explicit Clock(double limit) : end(limit < INFINITY ? now() + limit : INFINITY) {}
    bool is_over() const { return end < INFINITY && now() > end; }
};

struct Row { double t, h, ratio, accepted; };

// An attempt's memory: the state at its end, its stages' slopes, and the activations of all stages but the first.
template <class T> struct Attempt {
    Memory<T> memory;
    T *end = nullptr, *slopes = nullptr, *activations = nullptr;
};

template <class T> struct AcceptedStep {
    double t, h;
    const T* start;
    Attempt<T> attempt;
    const T* first;   // activations of the first stage; null where they were not kept
    Memory<T> slope;  // f at the step's end, where dense output asked for it
};

template <class T> struct Solve {
    Net<T> net;
    Tableau table;
    int64_t batch, n;
    std::vector<Row> rows;
    std::vector<AcceptedStep<T>> steps;
    std::vector<Memory<T>> owned;  // first slopes and their activations, and the start
    Memory<T> work, scratch;       // a block's activations of one evaluation; room for the net
    Memory<T> state, error;        // a block's stage and error

    // the solve as it stands
    Job* job;
    double t, direction, end, span;
    const T* y;
    const T *slope = nullptr, *slope_activations = nullptr;  // f(t, y) where it is known
    T *room = nullptr, *end_activations = nullptr;
    int64_t next_output = 1, kept_bytes = 0;
    Attempt<T> spare;

    explicit Solve(Job* job)
        : net(job->network), table(*job->tableau), batch(job->batch), n(batch * net.dim), work(BLOCK_ROWS * (int64_t)net.row),
          scratch(net.scratch()), state(BLOCK_ROWS * (int64_t)net.dim), error(BLOCK_ROWS * (int64_t)net.dim), job(job),
          t(job->ts[0]), direction(job->ts[job->n_ts - 1] >= job->ts[0] ? 1 : -1), end(job->ts[job->n_ts - 1]), span(std::fabs(end - t)) {
        y = own(n);
        std::copy_n((const T*)job->y0, n, (T*)y);
        std::copy_n(y, n, (T*)job->ys);
    }

    T* own(int64_t size) {
        owned.emplace_back(size);
        return owned.back();
    }
    static int64_t whole_lines(int64_t size) { return (size + 15) / 16 * 16; }
    bool keeps_activations(int64_t evaluations) {
        if (job->keep != ACTIVATIONS) return false;
        kept_bytes += evaluations * batch * net.row * (int64_t)sizeof(T);
        return kept_bytes <= job->tape_bytes;
    }
    // Where the activations of rows from `first` on lie; in the block's own memory where they are not kept.
    void views(T* activations, int64_t first, T** h) const {
        for (int l = 0; l < net.layers; ++l)
            h[l] = activations ? activations + batch * net.offset[l] + first * net.padded[l] : work + (int64_t)BLOCK_ROWS * net.offset[l];
    }
    void evaluate(double at, const T* states, T* out, T* activations) {
        T* h[3];
        for (int64_t s = 0; s < batch; s += BLOCK_ROWS) {
            views(activations, s, h);
            net.value((int)std::min<int64_t>(BLOCK_ROWS, batch - s), at, states + s * net.dim, out + s * net.dim, h, scratch);
        }
        ++job->nfe;
    }
    void know_slope() {
        if (slope) return;
        T* activations = keeps_activations(1) ? own(batch * net.row) : nullptr;
        if (job->keep != NOTHING || !room) room = own(n);
        evaluate(t, y, room, activations);
        slope = room, slope_activations = activations;
    }
    double norm(const T* x, const T* a) const {
        double sum = 0;
        for (int64_t i = 0; i < n; ++i) {
            const T scale = (T)job->atol + (T)job->rtol * std::fabs(a[i]), part = x[i] / scale;
            if (!(scale < std::numeric_limits<T>::infinity())) return INFINITY;
            sum += (double)part * part;
        }
        return std::sqrt(sum / (double)n);
    }
    static bool finite(const T* x, int64_t n) {
        double sum = 0;
        for (int64_t i = 0; i < n; ++i) sum += x[i];
        return std::isfinite(sum);
    }
    double smallest(double at) const { return std::max(16 * EPSILON * std::fabs(at), EPSILON * EPSILON * span); }

    // Hairer's first step, as step_size.py has it; NaN where f is not to be measured.
    double first_step() {
        const double size = norm(y, y), steep = norm(slope, y);
        if (!std::isfinite(steep)) return NAN;
        double h0 = size < 1e-5 || steep < 1e-5 ? 1e-6 : 0.01 * size / steep;
        h0 = std::min(h0, span);
        const double h = end >= t ? h0 : -h0;
        Memory<T> moved(n), there(n);
        for (int64_t i = 0; i < n; ++i) moved[i] = y[i] + (T)h * slope[i];
        evaluate(t + h, moved, there, nullptr);
        for (int64_t i = 0; i < n; ++i) there[i] -= slope[i];
        const double bend = norm(there, y) / h0;
        if (!std::isfinite(bend)) return std::min(h0, span) * 1e-3;
        const double steepest = std::max(steep, bend);
        const double h1 = steepest <= 1e-15 ? std::max(1e-6, h0 * 1e-3) : std::pow(0.01 / steepest, 1.0 / (table.error_order + 1));
        return std::min({(table.error_order < 3 ? 50 : 100) * h0, h1, span});
    }

    void prepare() {
        if (spare.memory) return;
        const int64_t a = whole_lines(n), k = whole_lines(n * table.stages);
        const bool keep = keeps_activations(table.stages - 1);
        spare.memory = Memory<T>(a + k + (keep ? (table.stages - 1) * batch * net.row : 0));
        spare.end = spare.memory, spare.slopes = spare.end + a, spare.activations = keep ? spare.slopes + k : nullptr;
    }
    // The stages of an attempt, block by block; returns the mean square of error / tolerance, NaN without an estimate.
    double attempt(double h) {
        prepare();
        const int d = net.dim;
        double sum = 0;
        bool bounded = true;
        std::copy_n(slope, n, spare.slopes);
        for (int64_t s = 0; s < batch; s += BLOCK_ROWS) {
            const int r = (int)std::min<int64_t>(BLOCK_ROWS, batch - s), some = r * d;
            for (int i = 1; i < table.stages; ++i) {
                T *h_[3], *into = table.fsal && i == table.stages - 1 ? spare.end + s * d : state.data;
                combine(some, y + s * d, spare.slopes + s * d, table.a + i * table.total, i, h, into);
                views(spare.activations ? spare.activations + (i - 1) * batch * net.row : nullptr, s, h_);
                net.value(r, t + table.c[i] * h, into, spare.slopes + i * n + s * d, h_, scratch);
            }
            if (!table.fsal) combine(some, y + s * d, spare.slopes + s * d, table.b, table.stages, h, spare.end + s * d);
            if (!table.b_error) continue;
            combine(some, nullptr, spare.slopes + s * d, table.b_error, table.stages, h, error);
            for (int q = 0; q < some; ++q) {
                const T size = std::max(std::fabs(y[s * d + q]), std::fabs(spare.end[s * d + q]));
                const T scale = (T)job->atol + (T)job->rtol * size, part = error[q] / scale;
                bounded &= scale < std::numeric_limits<T>::infinity() && size >= std::fabs(spare.end[s * d + q]);
                sum += (double)part * part;
            }
        }
        job->nfe += table.stages - 1;
        return !table.b_error ? NAN : bounded ? std::sqrt(sum / (double)n) : INFINITY;
    }
    // out = base + h sum_j weights_j k_j over the first `count` stages, some entries of each.
    void combine(int64_t some, const T* base, const T* k, const double* weights, int count, double h, T* __restrict out) const {
        if (base) std::copy_n(base, some, out);
        else std::fill_n(out, some, (T)0);
        for (int j = 0; j < count; ++j) {
            if (weights[j] == 0) continue;
            const T w = (T)h * (T)weights[j];
            const T* __restrict kj = k + j * n;
            for (int64_t q = 0; q < some; ++q) out[q] += w * kj[q];
        }
    }
    // The same over all entries.
    void combine_all(const T* base, const T* k, const double* weights, int count, double h, T* out) const {
        constexpr int64_t part = 1024;
        for (int64_t s = 0; s < n; s += part) combine(std::min(part, n - s), base + s, k + s, weights, count, h, out + s);
    }
    double dense_weight(int j, double theta) const {
        double value = 0;
        for (int q = table.degree - 1; q >= 0; --q) value = (value + table.dense[j * table.degree + q]) * theta;
        return value;
    }

    // Hand out the outputs first ... last within the attempt to t1. Returns f(t1, its end) where that was needed.
    Memory<T> interpolate(int64_t first, int64_t last, double t1, double h) {
        Memory<T> k(n * table.total), at_end;
        std::copy_n(spare.slopes, n * table.stages, k.data);
        for (int i = table.stages; i < table.total; ++i) {
            T* out = k + i * n;
            if (i == table.stages && table.needs_f1) {
                at_end = Memory<T>(n);
                end_activations = keeps_activations(1) ? own(batch * net.row) : nullptr;
                evaluate(t1, spare.end, at_end, end_activations);
                std::copy_n(at_end.data, n, out);
                continue;
            }
            Memory<T> stage(n);
            combine_all(y, k, table.a + i * table.total, i, h, stage);
            evaluate(t + table.c[i] * h, stage, out, nullptr);
        }
        std::vector<double> weights(table.total);
        for (int64_t o = first; o < last; ++o) {
            for (int j = 0; j < table.total; ++j) weights[j] = dense_weight(j, (job->ts[o] - t) / h);
            combine_all(y, k, weights.data(), table.total, h, (T*)job->ys + o * n);
        }
        return at_end;
    }
    // Go on from the end t1 of the attempt.
    void accept(double t1, double h) {
        int64_t last = next_output;
        while (last < job->n_ts && (job->ts[last] - t1) * direction < 0) ++last;
        Memory<T> at_end;
        if (last > next_output) at_end = interpolate(next_output, last, t1, h);
        if (last < job->n_ts && job->ts[last] == t1) std::copy_n(spare.end, n, (T*)job->ys + last++ * n);
        next_output = last;
        if (job->keep == NOTHING) steps.erase(steps.begin(), steps.end() - std::min<size_t>(1, steps.size()));
        steps.push_back({t, h, y, std::move(spare), slope_activations, std::move(at_end)});
        const AcceptedStep<T>& step = steps.back();
        spare = Attempt<T>();
        t = t1, y = step.attempt.end, ++job->n_steps;
        slope = step.slope, slope_activations = slope ? end_activations : nullptr;
        if (!table.fsal) return;
        slope = step.attempt.slopes + (table.stages - 1) * n;
        if (step.attempt.activations) slope_activations = step.attempt.activations + (table.stages - 2) * batch * net.row;
    }

    int run() {
        Clock clock(job->time_limit);
        const int status = job->dt > 0 ? run_fixed(clock) : run_adaptive(clock);
        job->n_outputs = next_output, job->n_rows = (int64_t)rows.size(), job->t_end = t;
        return status;
    }
    // Steps of one length, on the grid of step_size.py.
    int run_fixed(const Clock& clock) {
        const double start = t, whole = std::ceil(span / job->dt - 1e-9);
        for (int64_t i = 1; t != end; ++i) {
            if ((int64_t)rows.size() >= job->max_steps) return FAILED;
            if (clock.is_over()) return OUT_OF_TIME;
            const double t1 = (double)i < whole ? start + direction * job->dt * (double)i : end, h = t1 - t;
            know_slope();
            if (i == 1) std::copy_n(slope, n, (T*)job->slope);
            attempt(h);
            if (!finite(spare.end, n)) return FAILED;
            rows.push_back({t, h, NAN, 1});
            accept(t1, h);
        }
        return DONE;
    }
    // Steps judged by the controller, as loop.py and controllers.py have them.
    int run_adaptive(const Clock& clock) {
        know_slope();
        if (!finite(slope, n)) return FAILED;
        std::copy_n(slope, n, (T*)job->slope);
        double dt = job->dt0 > 0 ? job->dt0 : std::max(first_step(), 2 * smallest(t));
        if (!std::isfinite(dt)) return FAILED;
        double previous = 1, before = 1;
        bool rejected = false;
        while (true) {
            if ((int64_t)rows.size() >= job->max_steps) return FAILED;
            if (clock.is_over()) return OUT_OF_TIME;
            const double remaining = std::fabs(end - t);
            dt = std::min(dt, job->max_step);
            if (dt < smallest(t) && dt < remaining) return FAILED;
            know_slope();
            const bool last = dt >= remaining - smallest(end);
            const double t1 = last ? end : t + direction * dt, h = t1 - t;
            const double ratio = attempt(h), exponent = -1.0 / (table.error_order + 1);
            const bool good = ratio <= 1;
            rows.push_back({t, h, ratio, (double)good});
            double factor = job->smallest;
            if (good) {
                const double largest = rejected ? 1 : job->largest;
                factor = std::pow(ratio, job->beta[0] * exponent) * std::pow(previous, job->beta[1] * exponent) * std::pow(before, job->beta[2] * exponent);
                factor = ratio == 0 ? largest : std::min(largest, std::max(job->smallest, job->safety * factor));
                before = previous, previous = std::max(ratio, job->floor);
                accept(t1, h);
                if (last) return DONE;
            } else {
                if (ratio < 1e300) factor = std::min(1.0, std::max(job->smallest, job->safety * std::pow(ratio, exponent)));
                if (is_unreachable()) return FAILED;
            }
            rejected = !good;
            dt = std::fabs(h) * factor;
        }
    }
    // Whether the rounding of y alone is larger than the tolerance.
    bool is_unreachable() const {
        const T unit = std::numeric_limits<T>::epsilon() / 2;
        if (job->rtol >= unit) return false;
        Memory<T> rounding(n);
        for (int64_t i = 0; i < n; ++i) rounding[i] = y[i] * unit;
        return norm(rounding, y) > 1;
    }
};

}  // namespace
