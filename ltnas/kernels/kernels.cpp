// Kernels of a cell on the CPU. PyTorch makes many passes over memory; these compute all steps while
// a few rows of an image are in the cache. `ltnas.kernels` builds this file and calls the functions at
// its end. The plain supernet in tests/ defines what they compute.
//
// Activations are [N, H, W, C] with any distance ("stride") between pixels, so that a slice of
// channels needs no copy. A stacked tensor holds the activations of several edges one after the other,
// [edges, N, H, W, C]; its values for each channel are [edges, C]. A unit is ReLU, depthwise
// convolution, pointwise convolution and normalisation. Its output p is stored without the
// normalisation; the functions that read it apply y = scale * (p - mean) * inverse + shift. The four
// (inverse is 1 / deviation; a missing scale is 1, a missing shift is 0) are double, one for each
// channel. Sums over many pixels are double too, so that statistics lose no digits to large means.
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

namespace {

// --- vectors ------------------------------------------------------------------------------------

#if defined(__AVX512F__)
constexpr int BYTES = 64;
#else
constexpr int BYTES = 32;
#endif

template <class T>
struct Lanes {
  typedef T type __attribute__((vector_size(BYTES)));
  typedef T half __attribute__((vector_size(BYTES / 2)));
  static constexpr int n = BYTES / sizeof(T);
};
template <class T>
using Vec = typename Lanes<T>::type;

// A number or a vector of numbers at any address, aligned or not.
template <class V, class T>
inline V get(const T *p) {
  V v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class V, class T>
inline void put(T *p, V v) {
  std::memcpy(p, &v, sizeof v);
}
template <class T>
inline Vec<T> load(const T *p) {
  return get<Vec<T>>(p);
}
template <class T>
inline void store(T *p, Vec<T> v) {
  put(p, v);
}

// Calls f(channel, zero) for whole vectors of channels, then half vectors, then single channels; the
// type of `zero` is the type to compute with.
template <class T, class F>
inline void channelwise(int64_t channels, F f) {
  constexpr int n = Lanes<T>::n;
  int64_t c = 0;
  for (; c + n <= channels; c += n) f(c, Vec<T>{});
  for (; c + n / 2 <= channels; c += n / 2) f(c, typename Lanes<T>::half{});
  for (; c < channels; c++) f(c, T{});
}

template <class T>
inline int padded(int channels) {
  return (channels + Lanes<T>::n - 1) / Lanes<T>::n * Lanes<T>::n;
}

// ReLU; NaN stays NaN.
template <class V>
inline V rectify(V v) {
  return v < V{} ? V{} : v;
}

// --- memory and threads -------------------------------------------------------------------------

// Memory of a thread, kept between calls, because an allocation in every call would cost page faults.
template <class T, int SLOT>
T *scratch(size_t wanted) {
  static thread_local std::unique_ptr<T[]> memory;
  static thread_local size_t size = 0;
  if (wanted > size) {
    memory.reset(new T[wanted]);
    size = wanted;
  }
  return memory.get();
}
template <class T, int SLOT>
T *zeroed(size_t wanted) {
  T *memory = scratch<T, SLOT>(wanted);
  std::fill(memory, memory + wanted, T(0));
  return memory;
}

struct Share {  // part of a range that this thread computes
  int64_t begin, end;
  explicit Share(int64_t count)
      : begin(count * omp_get_thread_num() / omp_get_num_threads()),
        end(count * (omp_get_thread_num() + 1) / omp_get_num_threads()) {}
};

// Sums of which each thread has its own copy. They are added up in the order of the threads, so that
// the result does not depend on which thread ends first.
template <class S>
struct Partial {
  size_t size;
  std::vector<S> parts;
  Partial(size_t size, int64_t threads) : size(size), parts(size * threads, S(0)) {}
  S *own() { return parts.data() + size * omp_get_thread_num(); }
  S total(size_t i) const {
    S sum = 0;
    for (size_t at = i; at < parts.size(); at += size) sum += parts[at];
    return sum;
  }
};

}  // namespace

extern "C" {
// Mirrored by ltnas.kernels.Shape.
struct Shape {
  int64_t images, height, width;  // size of the input that the convolution sees
  int64_t channels;               // channels of one edge
  int64_t edges;
  int64_t kernel, dilation, stride;
  int64_t source_height, source_width, step;  // size of x; the convolution sees every step-th pixel
  int64_t shared;                             // 1: all edges read the same x
  int64_t x_stride;                           // elements from one pixel of x to the next
  int64_t threads;

  // Elements of one edge of a stacked x.
  size_t edge() const { return size_t(images) * source_height * source_width * x_stride; }
};
}

namespace {

struct Plane {  // an image with a border
  int height, width, border, channels;
  int row() const { return (width + 2 * border) * channels; }
  size_t size() const { return size_t(height + 2 * border) * row(); }
  size_t at(int y, int x) const { return size_t(y + border) * row() + size_t(x + border) * channels; }
};

// --- convolutions of an image in the cache ------------------------------------------------------

// Computes B outputs side by side. For each row of taps an input is loaded once, for all taps that read it.
template <class T, int K, int D, int S, int B, bool ADD>
inline void depthwise_block(const T *x, int row, const T *weight, T *out, int channels) {
  constexpr int LAST = (B - 1) * S + (K - 1) * D;
  Vec<T> sum[B];
#pragma GCC unroll 8
  for (int b = 0; b < B; b++) sum[b] = ADD ? load(out + b * channels) : Vec<T>{};
#pragma GCC unroll 8
  for (int ky = 0; ky < K; ky++) {
    Vec<T> w[K];
#pragma GCC unroll 8
    for (int kx = 0; kx < K; kx++) w[kx] = load(weight + (ky * K + kx) * channels);
#pragma GCC unroll 32
    for (int i = 0; i <= LAST; i++) {
      const Vec<T> v = load(x + ky * D * row + i * channels);
#pragma GCC unroll 8
      for (int kx = 0; kx < K; kx++)
        if (const int at = i - kx * D; at >= 0 && at % S == 0 && at / S < B) sum[at / S] += w[kx] * v;
    }
  }
#pragma GCC unroll 8
  for (int b = 0; b < B; b++) store(out + b * channels, sum[b]);
}

// Computes an output row; `x` points at the input pixel under the first tap of the first output.
template <class T, int K, int D, int S, bool ADD>
void depthwise_row(const T *x, int row, const T *weight, T *out, int width, int channels) {
  for (int c = 0; c < channels; c += Lanes<T>::n) {
    int o = 0;
    for (; o + 8 <= width; o += 8)
      depthwise_block<T, K, D, S, 8, ADD>(x + o * S * channels + c, row, weight + c, out + o * channels + c, channels);
    for (; o + 2 <= width; o += 2)
      depthwise_block<T, K, D, S, 2, ADD>(x + o * S * channels + c, row, weight + c, out + o * channels + c, channels);
    for (; o < width; o++)
      depthwise_block<T, K, D, S, 1, ADD>(x + o * S * channels + c, row, weight + c, out + o * channels + c, channels);
  }
}

// Gradient of one input row of a convolution with stride 2, from the taps of parity PY, PX.
template <class T, int K, int PY, int PX, bool ADD>
void strided_input_row(const T *g, const Plane &plane, int y, const T *weight, T *out, int width) {
  constexpr int n = Lanes<T>::n, P = K / 2;
  const int channels = plane.channels;
  for (int c = 0; c < channels; c += n)
    for (int x = (PX + P) & 1; x < width; x += 2) {
      Vec<T> sum = {};
#pragma GCC unroll 8
      for (int ky = PY; ky < K; ky += 2)
#pragma GCC unroll 8
        for (int kx = PX; kx < K; kx += 2)
          sum += load(weight + (ky * K + kx) * channels + c) *
                 load(g + plane.at((y + P - ky) / 2, (x + P - kx) / 2) + c);
      T *to = out + x * channels + c;
      store(to, ADD ? load(to) + sum : sum);
    }
}

// For B pixels side by side: sum[r][kx] += g * x. For each row of taps an input is loaded once.
template <class T, int K, int D, int S, int R, int B>
inline void depthwise_weight_block(const T *x, int row, const T *g, int channels, Vec<T> (&sum)[R][K]) {
  constexpr int LAST = (B - 1) * S + (K - 1) * D;
  Vec<T> upon[B];
#pragma GCC unroll 8
  for (int b = 0; b < B; b++) upon[b] = load(g + b * channels);
#pragma GCC unroll 8
  for (int r = 0; r < R; r++)
#pragma GCC unroll 32
    for (int i = 0; i <= LAST; i++) {
      const Vec<T> v = load(x + r * D * row + i * channels);
#pragma GCC unroll 8
      for (int kx = 0; kx < K; kx++)
        if (const int at = i - kx * D; at >= 0 && at % S == 0 && at / S < B) sum[r][kx] += upon[at / S] * v;
    }
}

// Gradient of R rows of taps from row `first`: out[tap] += sum over pixels of g * x.
template <class T, int K, int D, int S, int R>
void depthwise_weight_rows(const T *x, const Plane &px, const T *g, const Plane &pg, T *out, int first, int c) {
  constexpr int P = K / 2 * D;
  const int channels = px.channels, row = px.row();
  Vec<T> sum[R][K] = {};
  for (int y = 0; y < pg.height; y++) {
    const T *from = x + px.at(y * S + first * D - P, -P) + c;
    const T *upon = g + pg.at(y, 0) + c;
    int o = 0;
    for (; o + 4 <= pg.width; o += 4)
      depthwise_weight_block<T, K, D, S, R, 4>(from + o * S * channels, row, upon + o * channels, channels, sum);
    for (; o < pg.width; o++)
      depthwise_weight_block<T, K, D, S, R, 1>(from + o * S * channels, row, upon + o * channels, channels, sum);
  }
  for (int r = 0; r < R; r++)
    for (int kx = 0; kx < K; kx++) {
      T *to = out + ((first + r) * K + kx) * channels + c;
      store(to, load(to) + sum[r][kx]);
    }
}
template <class T, int K, int D, int S>
void depthwise_weight(const T *x, const Plane &px, const T *g, const Plane &pg, T *out) {
  for (int c = 0; c < px.channels; c += Lanes<T>::n)
    if (K == 3) {
      depthwise_weight_rows<T, K, D, S, 3>(x, px, g, pg, out, 0, c);
    } else {
      depthwise_weight_rows<T, K, D, S, 2>(x, px, g, pg, out, 0, c);
      depthwise_weight_rows<T, K, D, S, 2>(x, px, g, pg, out, 2, c);
      depthwise_weight_rows<T, K, D, S, 1>(x, px, g, pg, out, 4, c);
    }
}

// out[pixel][o] = sum over i < inputs of in[pixel][i] * weight[i][o]. Rows of `in` have a width of
// `from`, those of `weight` and `out` a width of `wide` (padded).
template <class T, int NV, int B>
inline void pointwise_block(const T *in, int from, const T *weight, T *out, int wide, int inputs) {
  constexpr int n = Lanes<T>::n;
  Vec<T> sum[B][NV] = {};
  for (int i = 0; i < inputs; i++) {
    Vec<T> w[NV];
#pragma GCC unroll 8
    for (int v = 0; v < NV; v++) w[v] = load(weight + size_t(i) * wide + v * n);
#pragma GCC unroll 8
    for (int b = 0; b < B; b++) {
      const T a = in[b * from + i];
#pragma GCC unroll 8
      for (int v = 0; v < NV; v++) sum[b][v] += a * w[v];
    }
  }
#pragma GCC unroll 8
  for (int b = 0; b < B; b++)
#pragma GCC unroll 8
    for (int v = 0; v < NV; v++) store(out + b * wide + v * n, sum[b][v]);
}
template <class T, int NV>
void pointwise_columns(const T *in, int from, const T *weight, T *out, int pixels, int wide, int inputs) {
  constexpr int B = NV == 1 ? 8 : NV == 2 ? 6 : 4;
  int p = 0;
  for (; p + B <= pixels; p += B)
    pointwise_block<T, NV, B>(in + size_t(p) * from, from, weight, out + size_t(p) * wide, wide, inputs);
  for (; p + 2 <= pixels; p += 2)
    pointwise_block<T, NV, 2>(in + size_t(p) * from, from, weight, out + size_t(p) * wide, wide, inputs);
  for (; p < pixels; p++)
    pointwise_block<T, NV, 1>(in + size_t(p) * from, from, weight, out + size_t(p) * wide, wide, inputs);
}
template <class T>
void pointwise(const T *in, int from, const T *weight, T *out, int pixels, int wide, int inputs) {
  constexpr int n = Lanes<T>::n;
  int c = 0;
  if (wide / n % 2 && wide >= 3 * n) {
    pointwise_columns<T, 3>(in, from, weight, out, pixels, wide, inputs);
    c = 3 * n;
  }
  for (; c + 2 * n <= wide; c += 2 * n)
    pointwise_columns<T, 2>(in, from, weight + c, out + c, pixels, wide, inputs);
  if (c < wide) pointwise_columns<T, 1>(in, from, weight + c, out + c, pixels, wide, inputs);
}

// out[o][i] += sum over pixels of g[pixel][o] * d[pixel][i] for o < outputs. Rows of `g` have a width
// of `from`, those of `d` and `out` a width of `wide`.
template <class T, int NV, int B>
inline void outer_block(const T *g, int from, const T *d, T *out, int pixels, int wide) {
  constexpr int n = Lanes<T>::n;
  Vec<T> sum[B][NV] = {};
  for (int p = 0; p < pixels; p++) {
    Vec<T> v[NV];
#pragma GCC unroll 8
    for (int i = 0; i < NV; i++) v[i] = load(d + size_t(p) * wide + i * n);
#pragma GCC unroll 8
    for (int b = 0; b < B; b++) {
      const T a = g[size_t(p) * from + b];
#pragma GCC unroll 8
      for (int i = 0; i < NV; i++) sum[b][i] += a * v[i];
    }
  }
#pragma GCC unroll 8
  for (int b = 0; b < B; b++)
#pragma GCC unroll 8
    for (int i = 0; i < NV; i++) {
      T *to = out + size_t(b) * wide + i * n;
      store(to, load(to) + sum[b][i]);
    }
}
template <class T, int NV>
void outer_columns(const T *g, int from, const T *d, T *out, int pixels, int wide, int outputs) {
  int o = 0;
  for (; o + 6 <= outputs; o += 6) outer_block<T, NV, 6>(g + o, from, d, out + size_t(o) * wide, pixels, wide);
  for (; o + 2 <= outputs; o += 2) outer_block<T, NV, 2>(g + o, from, d, out + size_t(o) * wide, pixels, wide);
  if (o < outputs) outer_block<T, NV, 1>(g + o, from, d, out + size_t(o) * wide, pixels, wide);
}
template <class T>
void outer(const T *g, int from, const T *d, T *out, int pixels, int wide, int outputs) {
  constexpr int n = Lanes<T>::n;
  int c = 0;
  for (; c + 2 * n <= wide; c += 2 * n) outer_columns<T, 2>(g, from, d + c, out + c, pixels, wide, outputs);
  if (c < wide) outer_columns<T, 1>(g, from, d + c, out + c, pixels, wide, outputs);
}

template <class T, int K, bool ADD>
void strided_input(const T *g, const Plane &pg, const T *weight, T *out, int height, int width) {
  constexpr int P = K / 2;
  for (int y = 0; y < height; y++) {
    T *row = out + size_t(y) * width * pg.channels;
    if ((y + P) & 1) {
      strided_input_row<T, K, 1, 0, ADD>(g, pg, y, weight, row, width);
      strided_input_row<T, K, 1, 1, ADD>(g, pg, y, weight, row, width);
    } else {
      strided_input_row<T, K, 0, 0, ADD>(g, pg, y, weight, row, width);
      strided_input_row<T, K, 0, 1, ADD>(g, pg, y, weight, row, width);
    }
  }
}

// Functions of a depthwise convolution, compiled for each kernel, dilation and stride.
template <class T>
struct Convolution {
  void (*row)(const T *, int, const T *, T *, int, int);
  void (*weight)(const T *, const Plane &, const T *, const Plane &, T *);
  // Gradient of the input, written ([0]) or added ([1]); at stride 1 with flipped weights.
  void (*back_row[2])(const T *, int, const T *, T *, int, int);
  void (*back_strided[2])(const T *, const Plane &, const T *, T *, int, int);
};
template <class T, int K, int D>
Convolution<T> of_stride(int stride) {
  if (stride == 1)
    return {depthwise_row<T, K, D, 1, false>,
            depthwise_weight<T, K, D, 1>,
            {depthwise_row<T, K, D, 1, false>, depthwise_row<T, K, D, 1, true>},
            {nullptr, nullptr}};
  return {depthwise_row<T, K, D, 2, false>,
          depthwise_weight<T, K, D, 2>,
          {nullptr, nullptr},
          {strided_input<T, K, false>, strided_input<T, K, true>}};
}
template <class T>
Convolution<T> convolution(const Shape &s) {
  if (s.dilation == 1) return s.kernel == 3 ? of_stride<T, 3, 1>(s.stride) : of_stride<T, 5, 1>(s.stride);
  return s.kernel == 3 ? of_stride<T, 3, 2>(1) : of_stride<T, 5, 2>(1);
}

// --- weights in the order in which the loops read them ------------------------------------------

// Copies [edges * C, taps] to [edges][taps][padded C], flipped for the gradient of the input.
template <class T>
std::vector<T> by_tap(const T *weight, const Shape &s, int wide, bool flipped) {
  const int taps = s.kernel * s.kernel;
  std::vector<T> packed(size_t(s.edges) * taps * wide, T(0));
  for (int e = 0; e < s.edges; e++)
    for (int c = 0; c < s.channels; c++)
      for (int t = 0; t < taps; t++)
        packed[(size_t(e) * taps + (flipped ? taps - 1 - t : t)) * wide + c] =
            weight[(size_t(e) * s.channels + c) * taps + t];
  return packed;
}

// Copies [edges * C, C] to [edges][padded in][padded out], transposed for the gradient of the input.
template <class T>
std::vector<T> by_input(const T *weight, const Shape &s, int wide, bool transposed) {
  std::vector<T> packed(size_t(s.edges) * wide * wide, T(0));
  for (int e = 0; e < s.edges; e++)
    for (int o = 0; o < s.channels; o++)
      for (int i = 0; i < s.channels; i++)
        packed[(size_t(e) * wide + (transposed ? o : i)) * wide + (transposed ? i : o)] =
            weight[(size_t(e) * s.channels + o) * s.channels + i];
  return packed;
}

// --- normalisation ------------------------------------------------------------------------------

// A normalisation as x * scale + shift in the type of the activations.
template <class T>
struct Affine {
  std::vector<T> scale, shift;
  Affine(const double *mean, const double *inverse, const double *by, const double *plus, size_t channels)
      : scale(channels), shift(channels) {
    for (size_t c = 0; c < channels; c++) {
      const double a = inverse[c] * (by ? by[c] : 1.0);
      scale[c] = T(a);
      shift[c] = T((plus ? plus[c] : 0.0) - mean[c] * a);
    }
  }
};

// The gradient of p from the gradient g of y = scale * (p - mean) * inverse is
// factor * g + slope * p + constant (Ioffe & Szegedy 2015). The coefficients need the sums of g and of
// g * (p - mean) * inverse over `count` pixels.
template <class T>
struct Through {
  std::vector<T> factor, slope, constant;
  Through(const double *scale, const double *mean, const double *inverse, const double *sum,
          const double *product, size_t channels, double count)
      : factor(channels), slope(channels), constant(channels) {
    for (size_t c = 0; c < channels; c++) {
      const double f = (scale ? scale[c] : 1.0) * inverse[c], k = -f * inverse[c] * product[c] / count;
      factor[c] = T(f);
      slope[c] = T(k);
      constant[c] = T(-f * sum[c] / count - k * mean[c]);
    }
  }
};

// Adds the sums and the sums of squares over a block of pixels to `first` and `second`. Within the
// block, differences from its first pixel are summed, so that no digits are lost.
template <class T>
void add_moments(const T *x, ptrdiff_t stride, int pixels, int channels, double *first, double *second) {
  channelwise<T>(channels, [&](int c, auto zero) {
    using V = decltype(zero);
    const V shift = get<V>(x + c);
    V s[2] = {}, q[2] = {};
    int p = 0;
    for (; p + 2 <= pixels; p += 2)
#pragma GCC unroll 2
      for (int b = 0; b < 2; b++) {
        const V d = get<V>(x + (p + b) * stride + c) - shift;
        s[b] += d;
        q[b] += d * d;
      }
    if (p < pixels) {
      const V d = get<V>(x + p * stride + c) - shift;
      s[0] += d;
      q[0] += d * d;
    }
    s[0] += s[1];
    q[0] += q[1];
    T a[sizeof(V) / sizeof(T)], k[sizeof(V) / sizeof(T)], r[sizeof(V) / sizeof(T)];
    put(a, shift);
    put(k, s[0]);
    put(r, q[0]);
    for (size_t i = 0; i < sizeof(V) / sizeof(T); i++) {
      first[c + i] += double(a[i]) * pixels + k[i];
      second[c + i] += double(r[i]) + 2.0 * a[i] * k[i] + double(a[i]) * a[i] * pixels;
    }
  });
}

// The sum of g * (x - mean) * inverse from that of g * (x - centre), where centre is the rounded mean.
inline double normalised(double product, double sum, double mean, double centre, double inverse) {
  return (product - (mean - centre) * sum) * inverse;
}

// Adds the sums of g (if `first`) and of g * (x - mean) over a block of pixels to `first` and `second`.
template <class T>
void add_products(const T *g, ptrdiff_t g_stride, const T *x, ptrdiff_t x_stride, const T *mean, int pixels,
                  int channels, double *first, double *second) {
  channelwise<T>(channels, [&](int c, auto zero) {
    using V = decltype(zero);
    const V m = get<V>(mean + c);
    V s[2] = {}, q[2] = {};
    int p = 0;
    for (; p + 2 <= pixels; p += 2)
#pragma GCC unroll 2
      for (int b = 0; b < 2; b++) {
        const V v = get<V>(g + (p + b) * g_stride + c);
        s[b] += v;
        q[b] += v * (get<V>(x + (p + b) * x_stride + c) - m);
      }
    if (p < pixels) {
      const V v = get<V>(g + p * g_stride + c);
      s[0] += v;
      q[0] += v * (get<V>(x + p * x_stride + c) - m);
    }
    s[0] += s[1];
    q[0] += q[1];
    T k[sizeof(V) / sizeof(T)], r[sizeof(V) / sizeof(T)];
    put(k, s[0]);
    put(r, q[0]);
    for (size_t i = 0; i < sizeof(V) / sizeof(T); i++) {
      if (first) first[c + i] += k[i];
      second[c + i] += r[i];
    }
  });
}

// --- units --------------------------------------------------------------------------------------

// Writes ReLU of one edge of an image, normalised if there is a normalisation, to a plane.
template <class T>
void rectified(T *to, const Plane &plane, const T *x, const Shape &s, const Affine<T> *before, int edge) {
  const ptrdiff_t pixel = s.step * s.x_stride, line = s.step * s.source_width * s.x_stride;
  const T *scale = before ? before->scale.data() + edge * s.channels : nullptr;
  const T *shift = before ? before->shift.data() + edge * s.channels : nullptr;
  for (int y = 0; y < plane.height; y++) {
    const T *from = x + y * line;
    T *out = to + plane.at(y, 0);
    channelwise<T>(s.channels, [&](int c, auto zero) {
      using V = decltype(zero);
      if (before) {
        const V a = get<V>(scale + c), b = get<V>(shift + c);
        for (int i = 0; i < plane.width; i++)
          put(out + i * plane.channels + c, rectify<V>(get<V>(from + i * pixel + c) * a + b));
      } else {
        for (int i = 0; i < plane.width; i++)
          put(out + i * plane.channels + c, rectify(get<V>(from + i * pixel + c)));
      }
    });
  }
}

int rows_at_once(int width, int height) {  // enough pixels for a matrix product, few enough for L1
  return std::min(height, width >= 32 ? 1 : 32 / width);
}

template <class T>
void unit_forward(const Shape &s, const T *x, const double *mean, const double *inverse, const double *scale,
                  const double *shift, const T *depthwise, const T *pointwise_weight, T *out, double *moments) {
  const int C = s.channels, wide = padded<T>(C), border = s.kernel / 2 * s.dilation;
  const int oh = s.height / s.stride, ow = s.width / s.stride, taps = s.kernel * s.kernel;
  const size_t stacked = size_t(s.edges) * C, edge = s.edge();
  const auto conv = convolution<T>(s);
  const auto dw = by_tap(depthwise, s, wide, false);
  const auto pw = by_input(pointwise_weight, s, wide, false);
  const Affine<T> before(mean, inverse, scale, shift, mean ? stacked : 0);
  const Plane plane{int(s.height), int(s.width), border, wide};
  const int rows = rows_at_once(ow, oh);
  Partial<double> sums(moments ? 2 * stacked : 0, s.threads);
#pragma omp parallel num_threads(s.threads)
  {
    const Share share(s.images);
    double *own = sums.own();
    T *input = zeroed<T, 0>(plane.size());
    T *middle = scratch<T, 1>(size_t(rows) * ow * wide), *result = scratch<T, 2>(size_t(rows) * ow * wide);
    for (int64_t image = share.begin; image < share.end; image++) {
      const T *from = x + size_t(image) * s.source_height * s.source_width * s.x_stride;
      if (s.shared) rectified<T>(input, plane, from, s, nullptr, 0);
      for (int e = 0; e < s.edges; e++) {
        if (!s.shared) rectified<T>(input, plane, from + e * edge, s, &before, e);
        for (int y = 0; y < oh; y += rows) {
          const int count = std::min(rows, oh - y), pixels = count * ow;
          for (int r = 0; r < count; r++)
            conv.row(input + plane.at((y + r) * s.stride - border, -border), plane.row(),
                     dw.data() + size_t(e) * taps * wide, middle + size_t(r) * ow * wide, ow, wide);
          pointwise<T>(middle, wide, pw.data() + size_t(e) * wide * wide, result, pixels, wide, C);
          T *to = out + ((size_t(e) * s.images + image) * oh + y) * ow * C;
          channelwise<T>(C, [&](int c, auto zero) {
            using V = decltype(zero);
            for (int p = 0; p < pixels; p++) put(to + p * C + c, get<V>(result + p * wide + c));
          });
          if (moments) add_moments(result, wide, pixels, C, own + e * C, own + stacked + e * C);
        }
      }
    }
  }
  if (moments)
    for (size_t i = 0; i < 2 * stacked; i++) moments[i] = sums.total(i);
}

// Backward pass of a unit.
//   x, mean, inverse, scale, shift: input and, if it is stacked, its normalisation.
//   g: gradients of the normalised output, one tensor for each edge.
//   p, p_scale, p_mean, p_inverse: output before normalisation, and its normalisation.
//   sums: sums over pixels of g and of g * (p - p_mean) * p_inverse, [edges][2][C].
//   gx: gradient of x. It is added to that of a shared state; for a stacked input it is overwritten
//     with the gradient of the input of ReLU.
//   products: for a stacked input, overwritten with `sums` of the unit before, [edges][2][C].
template <class T>
void unit_backward(const Shape &s, const T *x, const double *mean, const double *inverse, const double *scale,
                   const double *shift, const T *depthwise, const T *pointwise_weight, const T *const *g,
                   int64_t g_stride, const T *p, const double *p_scale, const double *p_mean, const double *p_inverse, const double *sums, T *gx, int64_t gx_stride,
                   T *g_depthwise, T *g_pointwise, double *products) {
  const int C = s.channels, wide = padded<T>(C), reach = s.kernel / 2 * s.dilation;
  const int oh = s.height / s.stride, ow = s.width / s.stride, taps = s.kernel * s.kernel;
  const size_t stacked = size_t(s.edges) * C, edge = s.edge();
  const bool weights = g_depthwise != nullptr;
  const auto conv = convolution<T>(s);
  const auto dw = by_tap(depthwise, s, wide, false), flipped = by_tap(depthwise, s, wide, true);
  const auto pw = by_input(pointwise_weight, s, wide, true);
  const Affine<T> before(mean, inverse, scale, shift, mean ? stacked : 0);
  const std::vector<T> centre(mean, mean + (products ? stacked : 0));
  std::vector<Through<T>> through;
  for (int e = 0; e < s.edges; e++)
    through.emplace_back(p_scale ? p_scale + e * C : nullptr, p_mean + e * C, p_inverse + e * C, sums + 2 * e * C,
                         sums + (2 * e + 1) * C, C, double(s.images) * oh * ow);
  const Plane plane{int(s.height), int(s.width), reach, wide};
  const Plane upon{oh, ow, s.stride == 1 ? reach : 1, wide};
  const int rows = rows_at_once(ow, oh);
  const size_t dw_size = size_t(taps) * wide, pw_size = size_t(wide) * wide;
  Partial<T> of_dw(weights ? s.edges * dw_size : 0, s.threads), of_pw(weights ? s.edges * pw_size : 0, s.threads);
  Partial<double> of_products(products ? 2 * stacked : 0, s.threads);
#pragma omp parallel num_threads(s.threads)
  {
    const Share share(s.images);
    const size_t area = size_t(s.height) * s.width * wide;
    T *input = zeroed<T, 0>(plane.size()), *gd = zeroed<T, 3>(upon.size());
    T *middle = scratch<T, 1>(size_t(rows) * ow * wide), *result = scratch<T, 2>(size_t(rows) * ow * wide);
    T *gp = zeroed<T, 4>(size_t(rows) * ow * wide), *sum = scratch<T, 5>(area);
    for (int64_t image = share.begin; image < share.end; image++) {
      const size_t source = size_t(image) * s.source_height * s.source_width;
      if (s.shared) rectified<T>(input, plane, x + source * s.x_stride, s, nullptr, 0);
      for (int e = 0; e < s.edges; e++) {
        if (!s.shared) rectified<T>(input, plane, x + source * s.x_stride + e * edge, s, &before, e);
        const Through<T> &by = through[e];
        for (int y = 0; y < oh; y += rows) {
          const int count = std::min(rows, oh - y), pixels = count * ow;
          const size_t first = (size_t(image) * oh + y) * ow;
          const T *from = g[e] + first * g_stride, *at = p + (size_t(e) * s.images * oh * ow + first) * C;
          channelwise<T>(C, [&](int c, auto zero) {
            using V = decltype(zero);
            const V a = get<V>(&by.factor[c]), b = get<V>(&by.slope[c]), k = get<V>(&by.constant[c]);
            for (int i = 0; i < pixels; i++)
              put(gp + i * wide + c, a * get<V>(from + i * g_stride + c) + (b * get<V>(at + i * C + c) + k));
          });
          if (weights) {
            for (int r = 0; r < count; r++)
              conv.row(input + plane.at((y + r) * s.stride - reach, -reach), plane.row(), dw.data() + e * dw_size,
                       middle + size_t(r) * ow * wide, ow, wide);
            outer<T>(gp, wide, middle, of_pw.own() + e * pw_size, pixels, wide, C);
          }
          pointwise<T>(gp, wide, pw.data() + e * pw_size, result, pixels, wide, C);
          for (int r = 0; r < count; r++)
            std::memcpy(gd + upon.at(y + r, 0), result + size_t(r) * ow * wide, size_t(ow) * wide * sizeof(T));
        }
        if (weights) conv.weight(input, plane, gd, upon, of_dw.own() + e * dw_size);
        const bool add = s.shared && e > 0;
        if (s.stride == 1)
          for (int y = 0; y < s.height; y++)
            conv.back_row[add](gd + upon.at(y - reach, -reach), upon.row(), flipped.data() + e * dw_size,
                               sum + size_t(y) * s.width * wide, s.width, wide);
        else
          conv.back_strided[add](gd, upon, dw.data() + e * dw_size, sum, s.height, s.width);
        if (s.shared) continue;
        for (int y = 0; y < s.height; y++) {
          T *row = sum + size_t(y) * s.width * wide;
          const T *in = input + plane.at(y, 0);
          T *to = gx + e * edge + (source + size_t(y) * s.source_width) * gx_stride;
          channelwise<T>(C, [&](int c, auto zero) {
            using V = decltype(zero);
            for (int i = 0; i < s.width; i++) {
              const V v = get<V>(in + i * wide + c) > V{} ? get<V>(row + i * wide + c) : V{};
              put(row + i * wide + c, v);
              put(to + i * gx_stride + c, v);
            }
          });
          if (products) {
            double *own = of_products.own() + 2 * e * C;
            const T *from = x + e * edge + (source + size_t(y) * s.source_width) * s.x_stride;
            add_products<T>(row, wide, from, s.x_stride, &centre[e * C], s.width, C, own, own + C);
          }
        }
      }
      if (s.shared)
        for (int y = 0; y < s.height; y++) {
          const T *in = input + plane.at(y, 0), *row = sum + size_t(y) * s.width * wide;
          T *to = gx + (source + size_t(y) * s.step * s.source_width) * gx_stride;
          channelwise<T>(C, [&](int c, auto zero) {
            using V = decltype(zero);
            for (int i = 0; i < s.width; i++) {
              T *out = to + i * s.step * gx_stride + c;
              put(out, get<V>(out) + (get<V>(in + i * wide + c) > V{} ? get<V>(row + i * wide + c) : V{}));
            }
          });
        }
    }
  }
  for (int e = 0; products && e < s.edges; e++)
    for (int c = 0; c < C; c++) {
      const size_t first = size_t(2 * e) * C + c, second = first + C;
      products[first] = of_products.total(first);
      products[second] = normalised(of_products.total(second), products[first], mean[e * C + c], centre[e * C + c],
                                    inverse[e * C + c]);
    }
  if (!weights) return;
  for (int e = 0; e < s.edges; e++)
    for (int o = 0; o < C; o++) {
      for (int t = 0; t < taps; t++)
        g_depthwise[(size_t(e) * C + o) * taps + t] = of_dw.total(e * dw_size + t * wide + o);
      for (int c = 0; c < C; c++)
        g_pointwise[(size_t(e) * C + o) * C + c] = of_pw.total(e * pw_size + size_t(o) * wide + c);
    }
}

// --- ReLU and a 1x1 convolution -----------------------------------------------------------------

constexpr int TILE = 96;  // pixels: enough for a matrix product, few enough for the cache

// Copies [rows, columns] to [padded columns][padded rows] if transposed, else to [padded rows][padded columns].
template <class T>
std::vector<T> padded_matrix(const T *matrix, int rows, int columns, bool transposed) {
  const int high = padded<T>(rows), wide = padded<T>(columns);
  std::vector<T> packed(size_t(high) * wide, T(0));
  for (int r = 0; r < rows; r++)
    for (int c = 0; c < columns; c++)
      packed[transposed ? size_t(c) * high + r : size_t(r) * wide + c] = matrix[size_t(r) * columns + c];
  return packed;
}

// Copies a block of pixels to rows of another width.
template <class T>
void copy_rows(const T *from, ptrdiff_t stride, T *to, ptrdiff_t wide, int pixels, int channels) {
  for (int p = 0; p < pixels; p++) std::memcpy(to + p * wide, from + p * stride, channels * sizeof(T));
}

template <class T>
void rectified_block(const T *x, ptrdiff_t stride, T *to, int wide, int pixels, int channels) {
  channelwise<T>(channels, [&](int c, auto zero) {
    using V = decltype(zero);
    for (int p = 0; p < pixels; p++) put(to + p * wide + c, rectify(get<V>(x + p * stride + c)));
  });
}

// Maps dense [pixels, inputs] to [pixels, outputs] by a weight [outputs, inputs]. `sums` is overwritten
// with the sums and the sums of squares of the result, [2][outputs].
template <class T>
void rectified_forward(int64_t pixels, int64_t inputs, int64_t outputs, const T *x, const T *weight, T *out,
                       double *sums, int64_t threads) {
  const int in_wide = padded<T>(inputs), wide = padded<T>(outputs);
  const auto by_input = padded_matrix(weight, outputs, inputs, true);
  Partial<double> moments(sums ? 2 * outputs : 0, threads);
#pragma omp parallel num_threads(threads)
  {
    const Share share(pixels);
    double *own = moments.own();
    T *input = zeroed<T, 0>(size_t(TILE) * in_wide), *result = scratch<T, 1>(size_t(TILE) * wide);
    for (int64_t begin = share.begin; begin < share.end; begin += TILE) {
      const int block = std::min<int64_t>(TILE, share.end - begin);
      rectified_block(x + begin * inputs, inputs, input, in_wide, block, inputs);
      pointwise<T>(input, in_wide, by_input.data(), result, block, wide, inputs);
      copy_rows<T>(result, wide, out + begin * outputs, outputs, block, outputs);
      if (sums) add_moments(result, wide, block, outputs, own, own + outputs);
    }
  }
  for (int64_t i = 0; sums && i < 2 * outputs; i++) sums[i] = moments.total(i);
}

// Backward pass from the gradient g of y = scale * (p - mean) * inverse + shift, where p is the result.
//   sums: sums over pixels of g and of g * (p - mean) * inverse, [2][outputs].
//   gx, g_weight: overwritten with the gradients of x and of the weight; either may be null.
template <class T>
void rectified_backward(int64_t pixels, int64_t inputs, int64_t outputs, const T *x, const T *weight, const T *g,
                        const T *p, const double *scale, const double *mean, const double *inverse,
                        const double *sums, T *gx, T *g_weight, int64_t threads) {
  const int in_wide = padded<T>(inputs), wide = padded<T>(outputs);
  const auto by_output = padded_matrix(weight, outputs, inputs, false);
  const Through<T> by(scale, mean, inverse, sums, sums + outputs, outputs, double(pixels));
  Partial<T> of_weight(g_weight ? size_t(wide) * in_wide : 0, threads);
#pragma omp parallel num_threads(threads)
  {
    const Share share(pixels);
    T *own = of_weight.own();
    T *input = zeroed<T, 0>(size_t(TILE) * in_wide), *gp = zeroed<T, 1>(size_t(TILE) * wide);
    T *result = scratch<T, 2>(size_t(TILE) * in_wide);
    for (int64_t begin = share.begin; begin < share.end; begin += TILE) {
      const int block = std::min<int64_t>(TILE, share.end - begin);
      const T *from = x + begin * inputs, *upon = g + begin * outputs, *at = p + begin * outputs;
      channelwise<T>(outputs, [&](int c, auto zero) {
        using V = decltype(zero);
        const V a = get<V>(&by.factor[c]), b = get<V>(&by.slope[c]), k = get<V>(&by.constant[c]);
        for (int i = 0; i < block; i++)
          put(gp + i * wide + c, a * get<V>(upon + i * outputs + c) + (b * get<V>(at + i * outputs + c) + k));
      });
      if (g_weight) {
        rectified_block(from, inputs, input, in_wide, block, inputs);
        outer<T>(gp, wide, input, own, block, in_wide, outputs);
      }
      if (!gx) continue;
      pointwise<T>(gp, wide, by_output.data(), result, block, in_wide, outputs);
      T *to = gx + begin * inputs;
      channelwise<T>(inputs, [&](int c, auto zero) {
        using V = decltype(zero);
        for (int i = 0; i < block; i++)
          put(to + i * inputs + c, get<V>(from + i * inputs + c) > V{} ? get<V>(result + i * in_wide + c) : V{});
      });
    }
  }
  if (!g_weight) return;
  for (int o = 0; o < outputs; o++)
    for (int i = 0; i < inputs; i++) g_weight[size_t(o) * inputs + i] = of_weight.total(size_t(o) * in_wide + i);
}

// --- sums of tensors ----------------------------------------------------------------------------

constexpr int BLOCK = 32;  // pixels that are read from one source before the next one

// out = constant + sum over sources of coefficient * source, or out increased by that.
template <class T>
void combine(int64_t pixels, int64_t channels, int64_t count, const T *const *sources, const int64_t *strides,
             const std::vector<T> *coefficients, const std::vector<T> &constant, T *out, int64_t stride, bool add,
             int64_t threads) {
#pragma omp parallel num_threads(threads)
  {
    const Share share(pixels);
    T *sum = scratch<T, 1>(BLOCK * channels);
    for (int64_t begin = share.begin; begin < share.end; begin += BLOCK) {
      const int block = std::min<int64_t>(BLOCK, share.end - begin);
      for (int64_t i = 0; i < count; i++) {
        const T *from = sources[i] + begin * strides[i];
        const int64_t step = strides[i];
        channelwise<T>(channels, [&](int64_t c, auto zero) {
          using V = decltype(zero);
          const V a = get<V>(&coefficients[i][c]), k = get<V>(&constant[c]);
          for (int p = 0; p < block; p++) {
            T *to = sum + p * channels + c;
            const V before = i ? get<V>(to) : add ? k + get<V>(out + (begin + p) * stride + c) : k;
            put(to, before + a * get<V>(from + p * step + c));
          }
        });
      }
      channelwise<T>(channels, [&](int64_t c, auto zero) {
        using V = decltype(zero);
        for (int p = 0; p < block; p++) put(out + (begin + p) * stride + c, get<V>(sum + p * channels + c));
      });
    }
  }
}

// A node: shift + sum over sources of scale * (source - mean) * inverse; each of the four is [C].
template <class T>
void mix(int64_t pixels, int64_t channels, int64_t count, const T *const *sources, const int64_t *strides,
         const double *const *scales, const double *const *means, const double *const *inverses, const double *shift,
         T *out, int64_t stride, int64_t add, int64_t threads) {
  std::vector<std::vector<T>> coefficients(count, std::vector<T>(channels));
  std::vector<double> sum(channels, 0.0);
  if (shift) sum.assign(shift, shift + channels);
  for (int64_t i = 0; i < count; i++)
    for (int64_t c = 0; c < channels; c++) {
      const double a = scales[i][c] * inverses[i][c];
      coefficients[i][c] = T(a);
      sum[c] -= a * means[i][c];
    }
  combine<T>(pixels, channels, count, sources, strides, coefficients.data(), std::vector<T>(sum.begin(), sum.end()),
             out, stride, add, threads);
}

// For each source i of a node whose gradient is g: the sums of g and of g * (source - mean) * inverse
// over pixels, written to out[i], [2][C].
template <class T>
void mix_products(int64_t pixels, int64_t channels, int64_t count, const T *g, int64_t g_stride,
                  const T *const *sources, const int64_t *strides, const double *const *means,
                  const double *const *inverses, double *const *out, int64_t threads) {
  std::vector<T> centres(count * channels);
  for (int64_t i = 0; i < count; i++)
    for (int64_t c = 0; c < channels; c++) centres[i * channels + c] = T(means[i][c]);
  const size_t size = (count + 1) * channels;
  Partial<double> sums(size, threads);
#pragma omp parallel num_threads(threads)
  {
    const Share share(pixels);
    double *own = sums.own();
    for (int64_t begin = share.begin; begin < share.end; begin += BLOCK) {
      const int block = std::min<int64_t>(BLOCK, share.end - begin);
      for (int64_t i = 0; i < count; i++)
        add_products<T>(g + begin * g_stride, g_stride, sources[i] + begin * strides[i], strides[i],
                        &centres[i * channels], block, channels, i ? nullptr : own, own + (i + 1) * channels);
    }
  }
  for (int64_t c = 0; c < channels; c++) {
    const double sum = sums.total(c);
    for (int64_t i = 0; i < count; i++) {
      out[i][c] = sum;
      out[i][channels + c] = normalised(sums.total((i + 1) * channels + c), sum, means[i][c],
                                        centres[i * channels + c], inverses[i][c]);
    }
  }
}

// Sums and sums of squares over the pixels of a tensor, [2][channels].
template <class T>
void moments(int64_t pixels, int64_t channels, const T *x, int64_t stride, double *out, int64_t threads) {
  Partial<double> sums(2 * channels, threads);
#pragma omp parallel num_threads(threads)
  {
    const Share share(pixels);
    double *own = sums.own();
    for (int64_t begin = share.begin; begin < share.end; begin += BLOCK)
      add_moments<T>(x + begin * stride, stride, std::min<int64_t>(BLOCK, share.end - begin), channels, own,
                     own + channels);
  }
  for (int64_t i = 0; i < 2 * channels; i++) out[i] = sums.total(i);
}

// Mean and inverse deviation of a batch from its moments, which also update the running statistics if
// there are any. Without moments, those of the running statistics.
template <class T>
void statistics(const double *sums, int64_t channels, int64_t count, T *running_mean, T *running_variance,
                double momentum, double epsilon, double *mean, double *inverse) {
  for (int64_t c = 0; c < channels; c++) {
    double m, v;
    if (sums) {
      m = sums[c] / count;
      v = std::max(0.0, sums[channels + c] / count - m * m);
      if (std::isnan(sums[channels + c])) v = sums[channels + c];
      if (running_mean) {
        const double unbiased = v * count / std::max<int64_t>(count - 1, 1);
        running_mean[c] = T((1 - momentum) * running_mean[c] + momentum * m);
        running_variance[c] = T((1 - momentum) * running_variance[c] + momentum * unbiased);
      }
    } else {
      m = running_mean[c];
      v = running_variance[c];
    }
    mean[c] = m;
    inverse[c] = 1.0 / std::sqrt(v + epsilon);
  }
}

// The gradient of p that is read `count` times as y = scale * (p - mean) * inverse, each time with its
// own scale [C].
//   sums: sums over pixels of g and of g * (p - mean) * inverse for each time, [count][2][C].
template <class T>
void normalised_backward(int64_t pixels, int64_t channels, int64_t count, const T *const *g, int64_t g_stride,
                         const T *p, int64_t p_stride, const double *scale, const double *mean, const double *inverse,
                         const double *sums, T *out, int64_t threads) {
  std::vector<const T *> sources(g, g + count);
  std::vector<int64_t> strides(count, g_stride);
  std::vector<std::vector<T>> coefficients(count, std::vector<T>(channels));
  std::vector<double> sum(channels, 0.0), product(channels, 0.0);
  for (int64_t i = 0; i < count; i++)
    for (int64_t c = 0; c < channels; c++) {
      const double a = scale[i * channels + c];
      coefficients[i][c] = T(a * inverse[c]);
      sum[c] += a * sums[2 * i * channels + c];
      product[c] += a * sums[(2 * i + 1) * channels + c];
    }
  const Through<T> by(nullptr, mean, inverse, sum.data(), product.data(), channels, double(pixels));
  sources.push_back(p);
  strides.push_back(p_stride);
  coefficients.push_back(by.slope);
  combine<T>(pixels, channels, count + 1, sources.data(), strides.data(), coefficients.data(), by.constant, out,
             p_stride, false, threads);
}

// --- pools --------------------------------------------------------------------------------------

// Copies an image into a plane and leaves its border as it is.
template <class T>
void bordered(T *to, const Plane &plane, const T *x, int64_t stride) {
  for (int y = 0; y < plane.height; y++)
    for (int i = 0; i < plane.width; i++) {
      const T *from = x + (size_t(y) * plane.width + i) * stride;
      T *out = to + plane.at(y, i);
      channelwise<T>(plane.channels, [&](int c, auto zero) { put(out + c, get<decltype(zero)>(from + c)); });
    }
}

int taps_inside(int place, int length) { return 3 - (place == 0) - (place == length - 1); }

// Maximum and mean of each 3x3 window; the border does not count.
template <class T>
void pool_forward(const Shape &s, const T *x, T *largest, T *mean) {
  const int C = s.channels, oh = s.height / s.stride, ow = s.width / s.stride;
  const Plane plane{int(s.height), int(s.width), 1, C};
#pragma omp parallel num_threads(s.threads)
  {
    const Share share(s.images);
    T *infinite = scratch<T, 0>(plane.size()), *zero_bordered = zeroed<T, 1>(plane.size());
    std::fill(infinite, infinite + plane.size(), -INFINITY);
    for (int64_t image = share.begin; image < share.end; image++) {
      const T *from = x + size_t(image) * s.height * s.width * s.x_stride;
      bordered(infinite, plane, from, s.x_stride);
      bordered(zero_bordered, plane, from, s.x_stride);
      for (int y = 0; y < oh; y++)
        for (int i = 0; i < ow; i++) {
          const int v = y * s.stride, u = i * s.stride;
          const size_t at = ((size_t(image) * oh + y) * ow + i) * C, window = plane.at(v - 1, u - 1);
          const T share_of = T(1) / (taps_inside(v, s.height) * taps_inside(u, s.width));
          channelwise<T>(C, [&](int c, auto zero) {
            using V = decltype(zero);
            V best = zero - T(INFINITY), sum = zero;
#pragma GCC unroll 3
            for (int ky = 0; ky < 3; ky++)
#pragma GCC unroll 3
              for (int kx = 0; kx < 3; kx++) {
                const size_t tap = window + ky * plane.row() + kx * C + c;
                const V in = get<V>(infinite + tap);
                best = (in > best) | (in != in) ? in : best;
                sum += get<V>(zero_bordered + tap);
              }
            put(largest + at + c, best);
            put(mean + at + c, V(sum * share_of));
          });
        }
    }
  }
}

// gx += the gradient of both pools. Of equal maxima the first one has the whole gradient, as in PyTorch.
template <class T>
void pool_backward(const Shape &s, const T *x, const T *g_largest, const T *g_mean, T *gx, int64_t gx_stride) {
  const int C = s.channels, oh = s.height / s.stride, ow = s.width / s.stride;
  const Plane plane{int(s.height), int(s.width), 1, C};
#pragma omp parallel num_threads(s.threads)
  {
    const Share share(s.images);
    T *infinite = scratch<T, 0>(plane.size()), *sum = scratch<T, 1>(plane.size());
    std::fill(infinite, infinite + plane.size(), -INFINITY);
    for (int64_t image = share.begin; image < share.end; image++) {
      const size_t source = size_t(image) * s.height * s.width;
      bordered(infinite, plane, x + source * s.x_stride, s.x_stride);
      std::fill(sum, sum + plane.size(), T(0));
      for (int y = 0; y < oh; y++)
        for (int i = 0; i < ow; i++) {
          const int v = y * s.stride, u = i * s.stride;
          const size_t at = ((size_t(image) * oh + y) * ow + i) * C, window = plane.at(v - 1, u - 1);
          const T share_of = T(1) / (taps_inside(v, s.height) * taps_inside(u, s.width));
          channelwise<T>(C, [&](int c, auto zero) {
            using V = decltype(zero);
            V best = zero - T(INFINITY), place = zero - T(1);
#pragma GCC unroll 3
            for (int ky = 0; ky < 3; ky++)
#pragma GCC unroll 3
              for (int kx = 0; kx < 3; kx++) {
                const V in = get<V>(infinite + window + ky * plane.row() + kx * C + c);
                const auto better = (in > best) | (in != in);
                best = better ? in : best;
                place = better ? zero + T(3 * ky + kx) : place;
              }
            const V of_largest = get<V>(g_largest + at + c), of_mean = get<V>(g_mean + at + c) * share_of;
#pragma GCC unroll 3
            for (int ky = 0; ky < 3; ky++)
#pragma GCC unroll 3
              for (int kx = 0; kx < 3; kx++) {
                T *to = sum + window + ky * plane.row() + kx * C + c;
                put(to, V(get<V>(to) + of_mean + (place == T(3 * ky + kx) ? of_largest : zero)));
              }
          });
        }
      for (int y = 0; y < s.height; y++)
        for (int i = 0; i < s.width; i++) {
          T *to = gx + (source + size_t(y) * s.width + i) * gx_stride;
          const T *from = sum + plane.at(y, i);
          channelwise<T>(C, [&](int c, auto zero) {
            using V = decltype(zero);
            put(to + c, V(get<V>(to + c) + get<V>(from + c)));
          });
        }
    }
  }
}

}  // namespace

// --- functions that Python calls, one for each type ---------------------------------------------

#define EXPORT(T, SUFFIX)                                                                                           \
  extern "C" void unit_forward_##SUFFIX(const Shape *s, const T *x, const double *mean, const double *inverse,      \
                                        const double *scale, const double *shift, const T *dw, const T *pw, T *out, \
                                        double *sums) {                                                             \
    unit_forward<T>(*s, x, mean, inverse, scale, shift, dw, pw, out, sums);                                         \
  }                                                                                                                 \
  extern "C" void unit_backward_##SUFFIX(                                                                           \
      const Shape *s, const T *x, const double *mean, const double *inverse, const double *scale,                   \
      const double *shift, const T *dw, const T *pw, const T *const *g, int64_t g_stride, const T *p,               \
      const double *p_scale, const double *p_mean, const double *p_inverse, const double *sums, T *gx,              \
      int64_t gx_stride, T *g_dw, T *g_pw, double *products) {                                                      \
    unit_backward<T>(*s, x, mean, inverse, scale, shift, dw, pw, g, g_stride, p, p_scale, p_mean, p_inverse, sums,  \
                     gx, gx_stride, g_dw, g_pw, products);                                                          \
  }                                                                                                                 \
  extern "C" void rectified_forward_##SUFFIX(int64_t pixels, int64_t inputs, int64_t outputs, const T *x,            \
                                             const T *weight, T *out, double *sums, int64_t threads) {              \
    rectified_forward<T>(pixels, inputs, outputs, x, weight, out, sums, threads);                                   \
  }                                                                                                                 \
  extern "C" void rectified_backward_##SUFFIX(                                                                      \
      int64_t pixels, int64_t inputs, int64_t outputs, const T *x, const T *weight, const T *g, const T *p,         \
      const double *scale, const double *mean, const double *inverse, const double *sums, T *gx, T *g_weight,       \
      int64_t threads) {                                                                                            \
    rectified_backward<T>(pixels, inputs, outputs, x, weight, g, p, scale, mean, inverse, sums, gx, g_weight,       \
                          threads);                                                                                 \
  }                                                                                                                 \
  extern "C" void mix_##SUFFIX(int64_t pixels, int64_t channels, int64_t count, const T *const *sources,            \
                               const int64_t *strides, const double *const *scales, const double *const *means,     \
                               const double *const *inverses, const double *shift, T *out, int64_t stride,          \
                               int64_t add, int64_t threads) {                                                      \
    mix<T>(pixels, channels, count, sources, strides, scales, means, inverses, shift, out, stride, add, threads);   \
  }                                                                                                                 \
  extern "C" void mix_products_##SUFFIX(int64_t pixels, int64_t channels, int64_t count, const T *g,                \
                                        int64_t g_stride, const T *const *sources, const int64_t *strides,          \
                                        const double *const *means, const double *const *inverses,                  \
                                        double *const *out, int64_t threads) {                                      \
    mix_products<T>(pixels, channels, count, g, g_stride, sources, strides, means, inverses, out, threads);         \
  }                                                                                                                 \
  extern "C" void moments_##SUFFIX(int64_t pixels, int64_t channels, const T *x, int64_t stride, double *out,       \
                                   int64_t threads) {                                                               \
    moments<T>(pixels, channels, x, stride, out, threads);                                                          \
  }                                                                                                                 \
  extern "C" void statistics_##SUFFIX(const double *sums, int64_t channels, int64_t count, T *running_mean,         \
                                      T *running_variance, double momentum, double epsilon, double *mean,           \
                                      double *inverse) {                                                            \
    statistics<T>(sums, channels, count, running_mean, running_variance, momentum, epsilon, mean, inverse);         \
  }                                                                                                                 \
  extern "C" void normalised_backward_##SUFFIX(                                                                     \
      int64_t pixels, int64_t channels, int64_t count, const T *const *g, int64_t g_stride, const T *p,             \
      int64_t p_stride, const double *scale, const double *mean, const double *inverse, const double *sums, T *out, \
      int64_t threads) {                                                                                            \
    normalised_backward<T>(pixels, channels, count, g, g_stride, p, p_stride, scale, mean, inverse, sums, out,      \
                           threads);                                                                                \
  }                                                                                                                 \
  extern "C" void pool_forward_##SUFFIX(const Shape *s, const T *x, T *largest, T *mean) {                          \
    pool_forward<T>(*s, x, largest, mean);                                                                          \
  }                                                                                                                 \
  extern "C" void pool_backward_##SUFFIX(const Shape *s, const T *x, const T *g_largest, const T *g_mean, T *gx,    \
                                         int64_t gx_stride) {                                                       \
    pool_backward<T>(*s, x, g_largest, g_mean, gx, gx_stride);                                                      \
  }

EXPORT(float, f32)
EXPORT(double, f64)
