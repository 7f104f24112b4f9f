// Vectors of the instruction set that this is compiled for, activations on them, and products of small matrices.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <new>
#include <utility>
#include <vector>

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX2__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif
#define INLINE static inline __attribute__((always_inline))

namespace {

constexpr int TILE_ROWS = 6;   // with two vectors a row: 12 sums, as many as the registers of AVX2 hold beside operands
constexpr int BLOCK_ROWS = 24;
constexpr int NARROW = 4;      // columns up to which a product is made of dot products
constexpr double EPSILON = std::numeric_limits<double>::epsilon();

template <class T> struct Lanes;
template <> struct Lanes<float> {
    typedef float V __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
    typedef int32_t I __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
    static constexpr float log2e = 1.44269504f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    static constexpr float magic = 12582912.0f, low = -86.0f, high = 88.0f;
    static constexpr int mantissa = 23, n_exp = 8, log_terms = 8;
    static constexpr double exp_terms[] = {1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1.0, 1.0};
};
template <> struct Lanes<double> {
    typedef double V __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));
    typedef int64_t I __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));
    static constexpr double log2e = 1.4426950408889634, ln2_high = 6.93147180369123816490e-01;
    static constexpr double ln2_low = 1.90821492927058770002e-10;
    static constexpr double magic = 6755399441055744.0, low = -707.0, high = 709.0;
    static constexpr int mantissa = 52, n_exp = 14, log_terms = 18;
    static constexpr double exp_terms[] = {1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880,
                                           1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1.0, 1.0};
};
template <class T> using Vec = typename Lanes<T>::V;
template <class T> constexpr int lanes = VECTOR_BYTES / sizeof(T);
template <class T> INLINE Vec<T> load(const T* p) { return *(const Vec<T>*)p; }
template <class T> INLINE void store(T* p, Vec<T> v) { *(Vec<T>*)p = v; }

// activations: a(x), and a'(x) from a(x)

enum Activation { TANH, SOFTPLUS, ELU, RELU, SIGMOID };

// exp by 2^n e^r, |r| <= ln(2) / 2, and Taylor's sum; beyond the range of the number type its last value; NaN stays NaN.
template <class T> INLINE Vec<T> exp_of(Vec<T> x) {
    typedef Lanes<T> C;
    typedef typename C::I I;
    Vec<T> y = x > C::high ? Vec<T>{} + C::high : x;
    y = y < C::low ? Vec<T>{} + C::low : y;
    const Vec<T> rounded = y * C::log2e + C::magic, n = rounded - C::magic;
    const Vec<T> r = (y - n * C::ln2_high) - n * C::ln2_low;
    Vec<T> sum = Vec<T>{} + (T)C::exp_terms[0];
#pragma GCC unroll 16
    for (int k = 1; k < C::n_exp; ++k) sum = sum * r + (T)C::exp_terms[k];
    const Vec<T> scaled = (Vec<T>)((I)sum + ((I)rounded << C::mantissa));
    return x == x ? scaled : x;
}

// log(1 + u) for 0 <= u <= 1, as 2 artanh(u / (2 + u)).
template <class T> INLINE Vec<T> log1p_of(Vec<T> u) {
    const Vec<T> s = u / (u + (T)2), q = s * s;
    Vec<T> sum = Vec<T>{};
#pragma GCC unroll 20
    for (int k = Lanes<T>::log_terms; k >= 0; --k) sum = sum * q + (T)(2.0 / (2 * k + 1));
    return sum * s;
}

template <class T> INLINE Vec<T> value_of(int activation, Vec<T> x) {
    const Vec<T> zero = Vec<T>{};
    switch (activation) {
        case TANH: return (T)1 - (T)2 / (exp_of<T>(x + x) + (T)1);
        case SOFTPLUS: {
            const Vec<T> away = x < zero ? x : -x;
            return (x < zero ? zero : x) + log1p_of<T>(exp_of<T>(away));
        }
        case ELU: return x > zero ? x : exp_of<T>(x) - (T)1;
        case RELU: return x < zero ? zero : x;
        default: return (T)1 / (exp_of<T>(-x) + (T)1);
    }
}

template <class T> INLINE Vec<T> slope_of(int activation, Vec<T> a) {
    const Vec<T> zero = Vec<T>{}, one = zero + (T)1;
    switch (activation) {
        case TANH: return one - a * a;
        case SOFTPLUS: return one - exp_of<T>(-a);
        case ELU: return a < zero ? a + one : one;
        case RELU: return a > zero ? one : zero;
        default: return a - a * a;
    }
}

template <int A, class T> void activate_as(T* x, int64_t n) {
    for (int64_t i = 0; i < n; i += lanes<T>) store<T>(x + i, value_of<T>(A, load<T>(x + i)));
}
template <int A, class T> void slope_times_as(T* g, const T* a, int64_t n) {
    for (int64_t i = 0; i < n; i += lanes<T>) store<T>(g + i, load<T>(g + i) * slope_of<T>(A, load<T>(a + i)));
}
#define FOR_ACTIVATION(CALL)                  \
    switch (activation) {                     \
        case TANH: CALL(TANH); break;         \
        case SOFTPLUS: CALL(SOFTPLUS); break; \
        case ELU: CALL(ELU); break;           \
        case RELU: CALL(RELU); break;         \
        default: CALL(SIGMOID);               \
    }
template <class T> void activate(int activation, T* x, int64_t n) {
#define ACTIVATE(A) activate_as<A, T>(x, n)
    FOR_ACTIVATION(ACTIVATE)
}
template <class T> void slope_times(int activation, T* g, const T* a, int64_t n) {
#define SLOPE(A) slope_times_as<A, T>(g, a, n)
    FOR_ACTIVATION(SLOPE)
}

enum Start { ZERO, BIAS, ADD };

// C (R x two vectors) = A (R x K) B (K x two vectors) + bias, or added to C. AT: A is stored transposed.
template <class T, int R, int START, bool AT>
INLINE void tile(int K, const T* A, int lda, const T* B, int ldb, T* C, int ldc, const T* bias) {
    constexpr int N = lanes<T>;
    Vec<T> left[R], right[R];
    for (int r = 0; r < R; ++r) {
        left[r] = START == BIAS ? load<T>(bias) : START == ADD ? load<T>(C + r * ldc) : Vec<T>{};
        right[r] = START == BIAS ? load<T>(bias + N) : START == ADD ? load<T>(C + r * ldc + N) : Vec<T>{};
    }
    for (int k = 0; k < K; ++k) {
        const Vec<T> b0 = load<T>(B + (int64_t)k * ldb), b1 = load<T>(B + (int64_t)k * ldb + N);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
            const T a = AT ? A[(int64_t)k * lda + r] : A[(int64_t)r * lda + k];
            left[r] += a * b0;
            right[r] += a * b1;
        }
    }
    for (int r = 0; r < R; ++r) {
        store<T>(C + r * ldc, left[r]);
        store<T>(C + r * ldc + N, right[r]);
    }
}

// C (M x N) likewise; N is a multiple of two vectors.
template <class T, int START, bool AT>
void product(int M, int N, int K, const T* A, int lda, const T* B, int ldb, T* C, int ldc, const T* bias = nullptr) {
    for (int m = 0; m < M; m += TILE_ROWS) {
        const T* a = AT ? A + m : A + (int64_t)m * lda;
        T* c = C + (int64_t)m * ldc;
        for (int n = 0; n < N; n += 2 * lanes<T>) {
            const T* some = START == BIAS ? bias + n : nullptr;
            switch (std::min(TILE_ROWS, M - m)) {
#define TILE(R) case R: tile<T, R, START, AT>(K, a, lda, B + n, ldb, c + n, ldc, some); break;
                TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
            }
        }
    }
}

// out (M x d) = X (M x P) W (d x P)^T + bias, for few columns d.
template <class T> void narrow(int M, int d, int P, const T* X, const T* W, const T* bias, T* out) {
    for (int m = 0; m < M; ++m, X += P, out += d)
        for (int c = 0; c < d; ++c) {
            const T* w = W + (int64_t)c * P;
            Vec<T> s = Vec<T>{}, u = Vec<T>{};
            for (int j = 0; j < P; j += 2 * lanes<T>) {
                s += load<T>(X + j) * load<T>(w + j);
                u += load<T>(X + j + lanes<T>) * load<T>(w + j + lanes<T>);
            }
            s += u;
            T sum = bias ? bias[c] : (T)0;
            for (int i = 0; i < lanes<T>; ++i) sum += s[i];
            out[c] = sum;
        }
}

// Large pieces of memory that a thread has freed, for its next solve: fresh ones cost as much in page faults as the
// products that fill them.
class Pool {
    static constexpr size_t LARGE = 1 << 16, ROOM = 64 << 20;
    std::vector<std::pair<size_t, void*>> free_;
    size_t held_ = 0;

   public:
    ~Pool() {
        for (auto& piece : free_) free(piece.second);
    }
    void* take(size_t bytes) {
        for (size_t i = free_.size(); i-- > 0;)
            if (free_[i].first == bytes) {
                void* found = free_[i].second;
                free_.erase(free_.begin() + (std::ptrdiff_t)i);
                held_ -= bytes;
                return found;
            }
        void* made = nullptr;
        if (posix_memalign(&made, 64, bytes)) throw std::bad_alloc();
        return made;
    }
    void give(void* piece, size_t bytes) {
        if (bytes < LARGE || bytes > ROOM) return free(piece);
        while (held_ + bytes > ROOM) {  // the oldest go first
            held_ -= free_.front().first;
            free(free_.front().second);
            free_.erase(free_.begin());
        }
        free_.emplace_back(bytes, piece);
        held_ += bytes;
    }
};
thread_local Pool pool;

// Memory on a cache line's boundary, not initialised.
template <class T> struct Memory {
    T* data = nullptr;
    size_t bytes = 0;
    Memory() = default;
    explicit Memory(int64_t n) : bytes((size_t)std::max<int64_t>(n, 16) * sizeof(T)) { data = (T*)pool.take(bytes); }
    Memory(Memory&& other) noexcept : data(std::exchange(other.data, nullptr)), bytes(other.bytes) {}
    Memory& operator=(Memory&& other) noexcept {
        std::swap(data, other.data);
        std::swap(bytes, other.bytes);
        return *this;
    }
    ~Memory() {
        if (data) pool.give(data, bytes);
    }
    operator T*() const { return data; }
};
template <class T> Memory<T> zeros(int64_t n) {
    Memory<T> made(n);
    std::fill(made.data, made.data + std::max<int64_t>(n, 16), (T)0);
    return made;
}

}  // namespace
