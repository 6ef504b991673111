// Content of any kind made 7-bit. The first octet says how it is cut: whole and cut must come to the same;
// the parts of the outcome have no octet over 127 but where a header or a part that is coded already has, and
// what has nothing to be recoded stays as it is.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "deliver/to_7bit.h"
#include "lib/error.h"
#include "lib/text.h"

using deliver::EightBitParts;

static EightBitParts scan(std::string_view in, std::size_t step) {
  deliver::EightBitScan s;
  for (; !in.empty(); in.remove_prefix(std::min(step, in.size()))) s.add(in.substr(0, step));
  return s.finish();
}

static std::string convert(std::string_view in, const EightBitParts& parts, std::size_t step) {
  deliver::To7Bit to(parts);
  std::string out;
  for (; !in.empty(); in.remove_prefix(std::min(step, in.size()))) to.add(in.substr(0, step), out);
  to.finish(out);
  return out;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view in(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::size_t step = 1 + data[0];
  EightBitParts parts = scan(in, in.size() + 1);
  if (parts != scan(in, step)) po::panic("cut, other parts are noted");
  std::string out = convert(in, parts, in.size() + 1);
  if (out != convert(in, parts, step)) po::panic("cut, it comes to something else");
  EightBitParts after = scan(out, step);
  if (std::find(after.begin(), after.end(), true) != after.end()) po::panic("8-bit octets are left");
  return 0;
}
