#pragma once
namespace ncnn {
struct Mat {
  void* data;
  Mat() {}
  Mat(int, int, int) {}
  Mat channel(int) { return {}; }
};
struct Option {
  int num_threads;
};
struct Extractor {
  int input(const char*, const Mat&) { return 0; }
  int extract(const char*, Mat&) { return 0; }
};
struct Net {
  Option opt;
  int load_param(const char*) { return 0; }
  int load_model(const char*) { return 0; }
  Extractor create_extractor() const { return {}; }
};
}  // namespace ncnn
