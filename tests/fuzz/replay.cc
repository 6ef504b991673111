// Runs a fuzz target over the files and folders named on the command line, under a plain compiler: what the
// fuzzer found stays found in `make check`.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

static int replay(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  return 1;
}

int main(int argc, char** argv) {
  int n = 0;
  for (int i = 1; i < argc; ++i) {
    if (std::filesystem::is_directory(argv[i])) {
      for (const auto& e : std::filesystem::recursive_directory_iterator(argv[i])) {
        if (e.is_regular_file()) n += replay(e.path());
      }
    } else {
      n += replay(argv[i]);
    }
  }
  if (n == 0) {
    std::fprintf(stderr, "replay: no input given: the corpus is missing\n");
    return 1;
  }
  std::printf("%d inputs replayed\n", n);
  return 0;
}
