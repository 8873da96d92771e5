// The linear layer on one-hot sequences, from their codes: a sum of weight rows per sample.
//
// Positions are taken in groups of K. For each group, the S^K sums of its weight rows are made once
// and looked up by all samples, so that a sample costs L / K additions of rows instead of L * A
// products: fewer than the dense arithmetic has, and exact. The weight's gradient goes the same way
// back: the upstream gradients of the samples that share a row of a group are summed, and the rows
// are shared out at the end. All of it is done a vector of outputs at a time, for so many groups or
// samples that what is looked up stays in the first caches. Threads divide outputs (and samples,
// forward), never a sum, whose order is fixed.
//
// Weights and their gradient are laid out (L, A, H); codes are below S; table (S, A) says what each
// code stands for.
//
// A rectifier (ReLU) behind the layer is applied to values as they are written, and to upstream gradients as
// they are read, which are then summed for the bias as well: each is in the caches at that time.
#include "onehot_few.h"
#include "onehot_tables.h"

using namespace bionn;

namespace {

constexpr int64_t few = 64;          // samples for which no tables are made
constexpr int64_t in_cache = 49152;  // bytes of tables in use at a time
constexpr int64_t together = 8;      // samples summed side by side, forward: one sum waits for itself
constexpr int64_t a_chunk = 512;     // samples whose upstream gradients are in use at a time
constexpr int64_t apart = 4;         // sums that a row's samples are dealt out to, backward
constexpr int64_t ahead = 8;         // samples whose upstream gradients are asked for before they are read

// Numbers are those of rows times their bytes.
template <class T>
void forward(const uint16_t* numbers, const T* weight, const T* shares_of_codes, const T* bias, T* out,
             const Shape& s, bool rectify) {
  using W = typename Wide<T>::type;
  const Table<T> table(shares_of_codes, s);
  constexpr int64_t B = Wide<T>::size;
  const int64_t blocks = Block::count(s, B);
  const int64_t at_once = std::max<int64_t>(1, in_cache / (s.rows * int64_t{sizeof(W)}));
  const int64_t shares = std::max<int64_t>({1, (at::get_num_threads() + blocks - 1) / blocks, s.samples / 1024});
  const int64_t share = (s.samples + shares - 1) / shares;
  at::parallel_for(0, blocks * shares, 1, [&](int64_t first, int64_t last) {
    auto sums = room<W>(block_vectors * at_once * s.rows), single = room<W>(s.symbols);
    auto totals = room<W>(block_vectors * share);
    for (int64_t task = first; task < last; ++task) {
      const Block block(task / shares, s, B);
      const int64_t n0 = task % shares * share, here = std::min(share, s.samples - n0);
      if (here <= 0) continue;
      for (int64_t v = 0; v < block.vectors; ++v)
        std::fill_n(&totals[v * share], here, bias ? load(bias + block.at(v), block.width(v)) : W{});
      for (int64_t g0 = 0; g0 < s.groups; g0 += at_once) {
        const int64_t g1 = std::min(s.groups, g0 + at_once);
        for (int64_t g = g0; g < g1; ++g) {
          fetch<0>(weight, s.first_row(g + 1), s.first_row(g + 2), block);
          for (int64_t v = 0; v < block.vectors; ++v)
            rows_of_group(weight, table, s, g, block.at(v), block.width(v), single.get(),
                          &sums[(v * at_once + g - g0) * s.rows]);
        }
        for (int64_t v = 0; v < block.vectors; ++v) {
          W* total = &totals[v * share];
          const W* rows = &sums[v * at_once * s.rows];
          int64_t n = 0;
          for (; n + together <= here; n += together) {
            W some[together];
#pragma GCC unroll 8
            for (int64_t m = 0; m < together; ++m) some[m] = total[n + m];
            const W* own = rows;
            for (int64_t g = g0; g < g1; ++g, own += s.rows) {
              uint64_t four[together / 4];  // numbers, read at once
              std::memcpy(four, numbers + g * s.stride + n0 + n, sizeof four);
#pragma GCC unroll 8
              for (int64_t m = 0; m < together; ++m) some[m] += at_bytes(own, four[m / 4] >> 16 * (m % 4));
            }
#pragma GCC unroll 8
            for (int64_t m = 0; m < together; ++m) total[n + m] = some[m];
          }
          for (; n < here; ++n)
            for (int64_t g = g0; g < g1; ++g)
              total[n] += at_bytes(rows + (g - g0) * s.rows, numbers[g * s.stride + n0 + n]);
        }
      }
      for (int64_t n = 0; n < here; ++n)
        for (int64_t v = 0; v < block.vectors; ++v)
          store(rectify ? rectified<W>(totals[v * share + n], totals[v * share + n]) : totals[v * share + n],
                out + (n0 + n) * s.outputs + block.at(v), block.width(v));
    }
  });
}

// The samples of each chunk in the order of their rows, group by group; a row's samples are filled up
// to a multiple of `apart` by the number of a sample that is not there.
struct Buckets {
  int64_t rows, chunks, size;  // size: places of a group in a chunk
  std::unique_ptr<uint16_t[], Free> places, ends;

  const uint16_t* places_of(int64_t chunk, int64_t group) const { return &places[(group * chunks + chunk) * size]; }
  const uint16_t* ends_of(int64_t chunk, int64_t group) const { return &ends[(group * chunks + chunk) * rows]; }
};

Buckets sort_samples(const uint16_t* numbers, const Shape& s) {
  const int64_t chunks = (s.samples + a_chunk - 1) / a_chunk, most = std::min(a_chunk, s.samples);
  const int64_t size = most + (apart - 1) * std::min(s.rows, most);
  Buckets sorted{s.rows, chunks, size, room<uint16_t>(s.groups * chunks * size),
                 room<uint16_t>(s.groups * chunks * s.rows)};
  each_row(s.groups, s.samples, [&](int64_t g) {
    std::vector<uint16_t> next(s.rows);
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      const uint16_t* own = numbers + g * s.stride + chunk * a_chunk;
      const int64_t here = std::min(a_chunk, s.samples - chunk * a_chunk);
      uint16_t* places = &sorted.places[(g * chunks + chunk) * size];
      uint16_t* ends = &sorted.ends[(g * chunks + chunk) * s.rows];
      std::fill(ends, ends + s.rows, 0);
      for (int64_t n = 0; n < here; ++n) ++ends[own[n]];
      int64_t begin = 0;
      for (int64_t row = 0; row < s.rows; ++row) {
        next[row] = begin;
        begin += (ends[row] + apart - 1) / apart * apart;
        ends[row] = begin;
      }
      std::fill(places, places + begin, static_cast<uint16_t>(a_chunk * line));
      for (int64_t n = 0; n < here; ++n) places[next[own[n]]++] = static_cast<uint16_t>(n * line);
    }
  });
  return sorted;
}

template <class T>
void backward(const uint16_t* numbers, const Upstream<T>& upstream, const T* shares, T* gradient, const Shape& s) {
  using W = typename Wide<T>::type;
  const Table<T> table(shares, s);
  constexpr int64_t B = Wide<T>::size, most = a_chunk + 1;
  const Buckets sorted = sort_samples(numbers, s);
  const int64_t blocks = Block::count(s, B);
  const int64_t parts = std::min(s.groups, (at::get_num_threads() + blocks - 1) / blocks);
  const int64_t part = (s.groups + parts - 1) / parts;
  const bool once = sorted.chunks == 1;  // then what a group has gathered is shared out at once
  at::parallel_for(0, blocks * parts, 1, [&](int64_t first, int64_t last) {
    auto sums = room<W>(once ? s.rows : block_vectors * part * s.rows);
    auto single = room<W>(s.symbols);
    auto packed = room<W>(block_vectors * most);  // the upstream gradient of a chunk, then 0
    std::fill_n(packed.get(), block_vectors * most, W{});
    for (int64_t task = first; task < last; ++task) {
      const Block block(task / parts, s, B);
      const int64_t g0 = task % parts * part, g1 = std::min(s.groups, g0 + part);
      W bias[block_vectors][apart] = {};
      for (int64_t chunk = 0; chunk < sorted.chunks; ++chunk) {
        const int64_t n0 = chunk * a_chunk, here = std::min(a_chunk, s.samples - n0);
        for (int64_t n = 0; n < here; ++n) {
          const int64_t soon = n0 + n + ahead, end = std::min(soon + 1, s.samples);
          fetch<0>(upstream.gradient, soon, end, block);
          if (upstream.output) fetch<0>(upstream.output, soon, end, block);
          for (int64_t v = 0; v < block.vectors; ++v) {
            const W u = upstream.at((n0 + n) * s.outputs + block.at(v), block.width(v));
            packed[v * most + n] = u;
            bias[v][n % apart] += u;
          }
        }
        for (int64_t v = 0; v < block.vectors; ++v) {
          const W* u = &packed[v * most];
          for (int64_t g = g0; g < g1; ++g) {
            W* sum = &sums[once ? 0 : (v * part + g - g0) * s.rows];
            const uint16_t *place = sorted.places_of(chunk, g), *ends = sorted.ends_of(chunk, g);
            const uint16_t* const start = place;
            if (v == 0 && chunk + 1 == sorted.chunks) fetch<1>(gradient, s.first_row(g), s.first_row(g + 1), block);
            for (int64_t row = 0; row < s.rows; ++row) {
              W some[apart] = {};
              for (const uint16_t* end = start + ends[row]; place < end; place += apart) {
                uint64_t four;  // places, read at once
                std::memcpy(&four, place, sizeof four);
#pragma GCC unroll 4
                for (int64_t k = 0; k < apart; ++k) some[k] += at_bytes(u, four >> 16 * k);
              }
              const W gathered = (some[0] + some[1]) + (some[2] + some[3]);
              sum[row] = chunk ? sum[row] + gathered : gathered;
            }
            if (chunk + 1 == sorted.chunks)
              share_out(sum, table, s, g, block.at(v), block.width(v), single.get(), gradient);
          }
        }
      }
      for (int64_t v = 0; upstream.by_bias && !g0 && v < block.vectors; ++v)
        store((bias[v][0] + bias[v][1]) + (bias[v][2] + bias[v][3]), upstream.by_bias + block.at(v), block.width(v));
    }
  });
}

// As many positions a group, up to a number, as the samples are many beside the rows of a table, whose places
// in bytes are told in 16 bits.
Shape shape_of(int64_t samples, int64_t length, int64_t letters, int64_t outputs, int64_t symbols, int64_t most) {
  int64_t group = 1, rows = symbols;
  // rows are told by their bytes, in 16 bits
  const auto fits = [&](int64_t more) { return more * line < 65536 && more * 4 * group <= samples; };
  for (; group < most && fits(rows * symbols); ++group) rows *= symbols;
  return {samples, length, letters, outputs, symbols, group, (length + group - 1) / group, rows, samples + 32};
}

// Not for a few samples, nor where there is nothing to sum.
bool tables_pay(const Shape& s) { return s.samples >= few && s.length * s.letters * s.outputs > 0; }

template <class T>
void value(const uint8_t* codes, const T* weight, const T* table, const T* bias, T* out, const Shape& s, bool rectify) {
  if (tables_pay(s)) return forward(number_groups(codes, s, line).get(), weight, table, bias, out, s, rectify);
  forward_few(codes, weight, table, bias, out, s);
  for (int64_t i = 0; rectify && i < s.samples * s.outputs; ++i) out[i] = rectified(out[i], out[i]);
}

template <class T>
void chain(const uint8_t* codes, const Upstream<T>& upstream, const T* table, T* gradient, const Shape& s) {
  if (tables_pay(s)) return backward(number_groups(codes, s, 1).get(), upstream, table, gradient, s);
  if (!upstream.output && !upstream.by_bias) return backward_few(codes, upstream.gradient, table, gradient, s);
  const auto u = upstream.made(s);
  backward_few(codes, u.get(), table, gradient, s);
}

}  // namespace

#define ONEHOT(T, name)                                                                              \
  BIONN_API void name##_value(const uint8_t* codes, const T* weight, const T* table, const T* bias, \
                              T* out, int64_t samples, int64_t length, int64_t letters,             \
                              int64_t outputs, int64_t symbols, bool rectify) {                     \
    const Shape s = shape_of(samples, length, letters, outputs, symbols, 3);                        \
    value<T>(codes, weight, table, bias, out, s, rectify);                                          \
  }                                                                                                 \
  BIONN_API void name##_chain(const uint8_t* codes, const T* upstream, const T* output, const T* table, \
                              T* gradient, T* by_bias, int64_t samples, int64_t length,             \
                              int64_t letters, int64_t outputs, int64_t symbols) {                  \
    const Shape s = shape_of(samples, length, letters, outputs, symbols, 2);                        \
    chain<T>(codes, {upstream, output, by_bias}, table, gradient, s);                               \
  }

ONEHOT(float, onehot_float32)
ONEHOT(double, onehot_float64)

// Whether so many samples take less time here than as one-hot rows in a product, which wide layers of many weights do
// as long as a batch has too few samples for tables to pay. The bounds are measured: experiments/benchmarks.
BIONN_API bool onehot_pays(int64_t samples, int64_t inputs, int64_t outputs) {
  if (samples < 24 || samples >= 256 || outputs < 256) return true;
  return inputs * outputs < (samples < few ? 1 << 18 : samples < 128 ? 1 << 20 : 3 << 19);
}

BIONN_API int64_t onehot_largest(const uint8_t* codes, int64_t n) {
  uint8_t largest = 0;
#pragma omp simd reduction(max : largest)
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, codes[i]);
  return largest;
}
