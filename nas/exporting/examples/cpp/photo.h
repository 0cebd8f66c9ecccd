// The part of an image that the network sees, as in the training: Pillow's bilinear filter, bit for bit.
// No memory is allocated. Run: compiled with g++, and compared with Pillow.
#pragma once

#include <cstdint>

namespace photo {

// On a processor without doubles write float; a pixel may then differ by one.
using Real = double;

// In single precision, as in Pillow.
struct Box {
  float left, top, right, bottom;
};

struct Size {
  int width, height;
};

// The size after the shorter side was scaled to `shorter`.
inline Size Scaled(int width, int height, int shorter) {
  const int least = width < height ? width : height;
  const auto side = [&](int one) {
    return one == least ? shorter : static_cast<int>(static_cast<int64_t>(shorter) * one / least);
  };
  return {side(width), side(height)};
}

// Half of a number from 0 on, rounded to even.
inline int EvenHalf(int number) {
  const int half = number / 2;
  return number % 2 == 1 && half % 2 == 1 ? half + 1 : half;
}

// The centre of an image: a square of `size` pixels after its shorter side was scaled to `resize`.
inline Box Centre(int width, int height, int size, int resize) {
  const Size scaled = Scaled(width, height, resize);
  const int left = EvenHalf(scaled.width - size), top = EvenHalf(scaled.height - size);
  const Real across = Real(width) / scaled.width, down = Real(height) / scaled.height;
  return {float(left * across), float(top * down), float((left + size) * across), float((top + size) * down)};
}

// The pixels that one pixel of a result is the mean of, and their weights.
struct Filter {
  Real centre, reach, sum = 0;
  int first, last;

  Filter(float start, float end, int given, int wanted, int i) {
    const Real scale = Real(end - start) / wanted;
    reach = scale < 1 ? 1 : scale;
    centre = start + (i + Real(0.5)) * scale;
    first = static_cast<int>(centre - reach + Real(0.5));
    last = static_cast<int>(centre + reach + Real(0.5));
    first = first < 0 ? 0 : first;
    last = last > given ? given : last;
    for (int x = first; x < last; ++x) sum += Height(x);
  }
  Real Height(int x) const {
    const Real away = (x - centre + Real(0.5)) / reach;
    const Real height = 1 - (away < 0 ? -away : away);
    return height < 0 ? 0 : height;
  }
  // In 2^-22.
  int32_t Weight(int x) const { return static_cast<int32_t>(Height(x) / sum * 4194304 + Real(0.5)); }
};

// A rounded mean of bytes with weights in 2^-22.
struct Mean {
  int32_t sum = 1 << 21;
  void Add(uint8_t pixel, int32_t weight) { sum += pixel * weight; }
  uint8_t Value() const { return static_cast<uint8_t>(sum >> 22 > 255 ? 255 : sum >> 22); }
};

// The part `box` of an image at another size. Pixels lie in rows, their channels together.
inline void Resize(const uint8_t* pixels, int width, int height, int channels, Box box, int to_width,
                   int to_height, uint8_t* result) {
  // Means of means: which come first changes their rounding. This is the rule of Pillow 13.
  const bool columns_first = height > to_height && height - to_height > 2 * (width - to_width);
  const int64_t right = channels, down = int64_t(width) * channels;
  const int64_t inner_step = columns_first ? down : right, outer_step = columns_first ? right : down;
  for (int y = 0; y < to_height; ++y) {
    const Filter rows(box.top, box.bottom, height, to_height, y);
    for (int x = 0; x < to_width; ++x) {
      const Filter columns(box.left, box.right, width, to_width, x);
      const Filter& inner = columns_first ? rows : columns;
      const Filter& outer = columns_first ? columns : rows;
      Mean means[3];
      for (int v = outer.first; v < outer.last; ++v) {
        Mean means_in[3];
        for (int u = inner.first; u < inner.last; ++u) {
          const uint8_t* pixel = pixels + v * outer_step + u * inner_step;
          const int32_t weight = inner.Weight(u);
          for (int c = 0; c < channels; ++c) means_in[c].Add(pixel[c], weight);
        }
        const int32_t weight = outer.Weight(v);
        for (int c = 0; c < channels; ++c) means[c].Add(means_in[c].Value(), weight);
      }
      for (int c = 0; c < channels; ++c) *result++ = means[c].Value();
    }
  }
}

// Grey of red, green and blue.
inline uint8_t Grey(const uint8_t* pixel) {
  return static_cast<uint8_t>((19595 * pixel[0] + 38470 * pixel[1] + 7471 * pixel[2] + 32768) >> 16);
}

}  // namespace photo
