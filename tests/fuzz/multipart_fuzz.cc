// A form with a file in it: any way of cutting the body into pieces reads the same, and what is read is never
// more than what came.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wwwd/multipart.h"

namespace {

struct Read {
  bool good = true, finished = false;
  std::string text;
  std::size_t data = 0;
};

Read read(std::string_view body, std::size_t piece) {
  Read out;
  wwwd::MultipartReader reader("XX", {[&](std::string_view name, bool file) {
                                        out.text += '\n';
                                        out.text += name;
                                        out.text += file ? "+" : "=";
                                      },
                                      [&](std::string_view data) {
                                        out.text += data;
                                        out.data += data.size();
                                      }});
  for (std::size_t at = 0; at < body.size() && out.good; at += piece)
    out.good = reader.feed(body.substr(at, piece));
  out.finished = reader.finished();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  Read whole = read(text, size == 0 ? 1 : size), pieces = read(text, 1);
  if (whole.good != pieces.good || whole.finished != pieces.finished) std::abort();
  if (whole.good && whole.finished && whole.text != pieces.text) std::abort();
  if (whole.data > size) std::abort();
  (void)wwwd::multipart_boundary(text);
  return 0;
}
