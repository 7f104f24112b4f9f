// An MLP at fixed weights: its value, and the products of its derivatives with a cotangent, on a block of rows.
#pragma once
#include "vectors.hpp"

extern "C" {
struct Network {  // parameters: weight_1 (width, dim + timed), bias_1, weight_2 ..., one after another
    int32_t dim, timed, layers, activation, widths[3];
    const void* parameters;
};
}

namespace {

// An MLP at fixed weights, on rows; widths are padded to whole tiles with weights of zero.
template <class T> struct Net {
    int dim, timed, layers, activation, padded_dim;
    int width[4], padded[4], offset[4];  // of the hidden layers; offset: of layer l in a row's activations
    int row;                             // a row's activations together
    Memory<T> columns[4], rows[4], bias[4];  // W^T (in x padded out) and W (out x padded in)

    static int pad(int n) { const int whole = 2 * lanes<T>; return (n + whole - 1) / whole * whole; }
    int in(int l) const { return l ? width[l - 1] : dim + timed; }
    int out(int l) const { return l < layers ? width[l] : dim; }

    explicit Net(const Network& given) {
        dim = given.dim, timed = given.timed, layers = given.layers, activation = given.activation;
        padded_dim = pad(dim), row = 0;
        for (int l = 0; l < layers; ++l) {
            width[l] = given.widths[l], padded[l] = pad(width[l]), offset[l] = row;
            row += padded[l];
        }
        const T* p = (const T*)given.parameters;
        for (int l = 0; l <= layers; ++l) {
            const int n_in = in(l), n_out = out(l), wide_in = pad(n_in), wide_out = pad(n_out);
            columns[l] = zeros<T>((int64_t)n_in * wide_out);
            rows[l] = zeros<T>((int64_t)n_out * wide_in);
            bias[l] = zeros<T>(wide_out);
            for (int o = 0; o < n_out; ++o)
                for (int i = 0; i < n_in; ++i) columns[l][(int64_t)i * wide_out + o] = rows[l][(int64_t)o * wide_in + i] = *p++;
            for (int o = 0; o < n_out; ++o) bias[l][o] = *p++;
        }
    }
    int64_t scratch() const { return std::max(padded[0], BLOCK_ROWS * padded_dim); }

    // f at r rows; their activations go to h[layer] (r x padded width).
    void value(int r, double t, const T* y, T* k, T* const* h, T* scratch) const {
        const T* first = bias[0];
        if (timed) {
            const T* column = columns[0] + (int64_t)dim * padded[0];
            for (int j = 0; j < padded[0]; ++j) scratch[j] = bias[0][j] + (T)t * column[j];
            first = scratch;
        }
        product<T, BIAS, false>(r, padded[0], dim, y, dim, columns[0], padded[0], h[0], padded[0], first);
        activate(activation, h[0], (int64_t)r * padded[0]);
        for (int l = 1; l < layers; ++l) {
            product<T, BIAS, false>(r, padded[l], width[l - 1], h[l - 1], padded[l - 1], columns[l], padded[l], h[l], padded[l], bias[l]);
            activate(activation, h[l], (int64_t)r * padded[l]);
        }
        const int last = padded[layers - 1];
        if (dim <= NARROW) return narrow<T>(r, dim, last, h[layers - 1], rows[layers], bias[layers], k);
        product<T, BIAS, false>(r, padded_dim, width[layers - 1], h[layers - 1], last, columns[layers], padded_dim, scratch, padded_dim, bias[layers]);
        for (int s = 0; s < r; ++s) std::copy_n(scratch + (int64_t)s * padded_dim, dim, k + (int64_t)s * dim);
    }
};

// Sums of gradients by the parameters of a Net, in its padded layout; the first layer's weights transposed.
template <class T> struct Gradients {
    const Net<T>& net;
    Memory<T> weight[4], bias[4], time;

    explicit Gradients(const Net<T>& net) : net(net), time(zeros<T>(net.padded[0])) {
        for (int l = 0; l <= net.layers; ++l) {
            weight[l] = zeros<T>(l ? (int64_t)net.out(l) * net.padded[l - 1] : (int64_t)net.dim * net.padded[0]);
            bias[l] = zeros<T>(Net<T>::pad(net.out(l)));
        }
    }
    // Add the products of delta (r x out, in rows of ld) with the inputs of layer l.
    void add(int l, int r, const T* delta, int ld, const T* input, double t) {
        if (l) product<T, ADD, true>(net.out(l), net.padded[l - 1], r, delta, ld, input, net.padded[l - 1], weight[l], net.padded[l - 1]);
        else product<T, ADD, true>(net.dim, net.padded[0], r, input, net.dim, delta, ld, weight[0], net.padded[0]);
        add_rows(r, net.out(l), delta, ld, (T)1, bias[l]);
        if (l == 0 && net.timed) add_rows(r, net.width[0], delta, ld, (T)t, time);
    }
    static void add_rows(int r, int n, const T* __restrict from, int ld, T factor, T* __restrict sums) {
        for (int s = 0; s < r; ++s, from += ld)
            for (int j = 0; j < n; ++j) sums[j] += factor * from[j];
    }
    void write(T* out) const {
        for (int l = 0; l <= net.layers; ++l) {
            for (int o = 0; o < net.out(l); ++o)
                for (int i = 0; i < net.in(l); ++i)
                    *out++ = l ? weight[l][(int64_t)o * net.padded[l - 1] + i] : i < net.dim ? weight[0][(int64_t)i * net.padded[0] + o] : time[o];
            for (int o = 0; o < net.out(l); ++o) *out++ = bias[l][o];
        }
    }
};

// out (r x dim) = g^T df/dy at r rows with activations h; adds g^T df/dtheta to the sums, if there are any.
template <class T>
void pull_back(const Net<T>& net, int r, double t, const T* y, const T* const* h, const T* g, T* out, Gradients<T>* sums, T* delta, T* other, T* scratch) {
    const int L = net.layers;
    if (sums) sums->add(L, r, g, net.dim, h[L - 1], t);
    product<T, ZERO, false>(r, net.padded[L - 1], net.dim, g, net.dim, net.rows[L], net.padded[L - 1], delta, net.padded[L - 1]);
    slope_times(net.activation, delta, h[L - 1], (int64_t)r * net.padded[L - 1]);
    for (int l = L - 1; l > 0; --l) {
        if (sums) sums->add(l, r, delta, net.padded[l], h[l - 1], t);
        product<T, ZERO, false>(r, net.padded[l - 1], net.width[l], delta, net.padded[l], net.rows[l], net.padded[l - 1], other, net.padded[l - 1]);
        slope_times(net.activation, other, h[l - 1], (int64_t)r * net.padded[l - 1]);
        std::swap(delta, other);
    }
    if (sums) sums->add(0, r, delta, net.padded[0], y, t);
    if (net.dim <= NARROW) return narrow<T>(r, net.dim, net.padded[0], delta, net.columns[0], nullptr, out);
    const int wide = Net<T>::pad(net.in(0));
    product<T, ZERO, false>(r, net.padded_dim, net.width[0], delta, net.padded[0], net.rows[0], wide, scratch, net.padded_dim);
    for (int s = 0; s < r; ++s) std::copy_n(scratch + (int64_t)s * net.padded_dim, net.dim, out + (int64_t)s * net.dim);
}

}  // namespace
