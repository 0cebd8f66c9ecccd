// What the C++ programs share: they read a photograph, prepare it, and print the best labels.
// Photographs here are PPM files (P6), so that nothing else is needed; an application has pixels already.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "network.h"
#include "photo.h"

struct Image {
  int width = 0, height = 0, channels = 3;
  std::vector<uint8_t> pixels;  // rows of pixels, channels together

  Image(int width, int height, int channels)
      : width(width), height(height), channels(channels), pixels(size_t(width) * height * channels) {}
};

// Reads a PPM file without comments.
inline Image ReadPpm(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string kind;
  int width = 0, height = 0, most = 0;
  file >> kind >> width >> height >> most;
  file.get();
  if (!file || kind != "P6" || width < 1 || height < 1 || most != 255)
    throw std::runtime_error(path + ": not a PPM file (P6) of 8 bits");
  Image image(width, height, 3);
  if (!file.read(reinterpret_cast<char*>(image.pixels.data()), image.pixels.size()))
    throw std::runtime_error(path + ": ends too early");
  return image;
}

inline Image Resized(const Image& image, photo::Box box, photo::Size size) {
  Image result(size.width, size.height, image.channels);
  photo::Resize(image.pixels.data(), image.width, image.height, image.channels, box, size.width, size.height,
                result.pixels.data());
  return result;
}

// The central kSize x kSize pixels of a photograph in red, green and blue.
inline Image Prepared(Image image) {
  using namespace network;
  if (kReadSide > 0 && std::min(image.width, image.height) > kReadSide) {
    const photo::Box whole = {0, 0, float(image.width), float(image.height)};
    image = Resized(image, whole, photo::Scaled(image.width, image.height, kReadSide));
  }
  if (kChannels == 1) {
    Image grey(image.width, image.height, 1);
    for (size_t i = 0; i < grey.pixels.size(); ++i) grey.pixels[i] = photo::Grey(&image.pixels[3 * i]);
    image = std::move(grey);
  }
  return Resized(image, photo::Centre(image.width, image.height, kSize, kResize), {kSize, kSize});
}

// All of one channel after the other.
inline std::vector<uint8_t> ByChannel(const Image& image) {
  std::vector<uint8_t> values(image.pixels.size());
  const size_t area = values.size() / image.channels;
  for (size_t i = 0; i < values.size(); ++i)
    values[i % image.channels * area + i / image.channels] = image.pixels[i];
  return values;
}

// The same, normalised as in the training.
inline std::vector<float> Normalised(const Image& image) {
  using namespace network;
  const std::vector<uint8_t> pixels = ByChannel(image);
  std::vector<float> values(pixels.size());
  const size_t area = values.size() / kChannels;
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = (pixels[i] / 255.0f - kMean[i / area]) / kStd[i / area];
  return values;
}

// Prints the three best labels of the logits.
inline void PrintBest(const float* logits) {
  using namespace network;
  const float largest = *std::max_element(logits, logits + kClasses);
  std::vector<float> scores(kClasses);
  for (int k = 0; k < kClasses; ++k) scores[k] = std::exp((logits[k] - largest) / kTemperature);
  const float sum = std::accumulate(scores.begin(), scores.end(), 0.0f);
  std::vector<int> best(kClasses);
  std::iota(best.begin(), best.end(), 0);
  std::stable_sort(best.begin(), best.end(), [&](int a, int b) { return scores[a] > scores[b]; });
  for (int i = 0; i < std::min(3, kClasses); ++i) std::printf("%s %.3f\n", kLabels[best[i]], scores[best[i]] / sum);
}
